// File: sender_counters.h
//
// What one partition of a producer counts, batch by batch. Partitions share nothing here, so two
// threads that send to two of them do not meet.
//
// Thread safety: written in the partition's strand, read by any thread.

#ifndef KAFKALITE_CLIENT_SENDER_COUNTERS_H_
#define KAFKALITE_CLIENT_SENDER_COUNTERS_H_

#include "kafkalite/client/latency.h"
#include "kafkalite/metrics.h"

namespace kafkalite::client {

struct SenderCounters {
  Counter records_sent, bytes_sent, batches_sent;
  Counter records_retried, batches_retried;
  Counter records_acknowledged, bytes_acknowledged, batches_acknowledged;
  Counter records_failed;
  Counter compressed_bytes, uncompressed_bytes;
  Counter in_flight;  // rises and falls
  LatencyRecorder latency;

  void AddTo(ProducerMetrics& metrics, LatencyHistogram& latencies) const {
    metrics.records_sent += records_sent.value();
    metrics.bytes_sent += bytes_sent.value();
    metrics.batches_sent += batches_sent.value();
    metrics.records_retried += records_retried.value();
    metrics.batches_retried += batches_retried.value();
    metrics.records_acknowledged += records_acknowledged.value();
    metrics.bytes_acknowledged += bytes_acknowledged.value();
    metrics.batches_acknowledged += batches_acknowledged.value();
    metrics.records_failed += records_failed.value();
    metrics.compressed_bytes += compressed_bytes.value();
    metrics.uncompressed_bytes += uncompressed_bytes.value();
    metrics.requests_in_flight += in_flight.value();
    latencies.Add(latency);
  }
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_SENDER_COUNTERS_H_
