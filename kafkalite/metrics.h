// File: metrics.h
//
// What producers and consumers count. A snapshot is a plain struct, taken at once:
//
//   const kafkalite::ProducerMetrics metrics = producer->metrics();
//   std::cout << metrics.request_latency.p99.count() << " ns, ratio " <<
//   metrics.compression_ratio();
//
// Totals count from the creation of the producer or consumer on and never fall: the difference of
// two snapshots is what happened between them. Java's metrics of the same meaning are named beside
// each; its rates and averages are over a window of time, these are not.

#ifndef KAFKALITE_METRICS_H_
#define KAFKALITE_METRICS_H_

#include <chrono>
#include <cstdint>
#include <optional>

namespace kafkalite {

// How long requests took, from sending them to their answer. Percentiles are those of a histogram
// whose steps are a quarter of a power of two: not below the true value, and at most 25 % above.
struct LatencyMetrics {
  int64_t count = 0;
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds max{0};
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};

  // Zero if there was no request.
  std::chrono::nanoseconds average() const {
    return count == 0 ? std::chrono::nanoseconds(0) : total / count;
  }
};

struct ProducerMetrics {
  // What was sent, each time that it was: with retries. Bytes are those of whole batches, as they
  // travel.
  int64_t records_sent = 0;  // record-send-total
  int64_t bytes_sent = 0;    // outgoing-byte-total, of batches alone
  int64_t batches_sent = 0;  // request-total: each request has one batch
  // What was sent again.
  int64_t records_retried = 0;  // record-retry-total
  int64_t batches_retried = 0;
  // What was acknowledged; with acks = kNone, what was sent.
  int64_t records_acknowledged = 0;
  int64_t bytes_acknowledged = 0;
  int64_t batches_acknowledged = 0;
  // What was reported with an error, refused by Send or not delivered.
  int64_t records_failed = 0;  // record-error-total

  // Records given to Send that neither are acknowledged nor have failed, and the memory that they
  // and reports to come take, of how much.
  int64_t records_waiting = 0;
  int64_t buffer_used_bytes = 0;   // buffer-total-bytes less buffer-available-bytes
  int64_t buffer_total_bytes = 0;  // buffer-total-bytes
  // Sends that found the buffer full and waited, and those that were refused because of it.
  int64_t buffer_full_waits = 0;
  int64_t buffer_exhausted = 0;  // buffer-exhausted-total

  int64_t requests_in_flight = 0;  // requests-in-flight
  LatencyMetrics request_latency;  // request-latency-avg, request-latency-max

  // Of the batches that were sent, each once: with and without compression.
  int64_t compressed_bytes = 0;
  int64_t uncompressed_bytes = 0;
  // 1 if there was nothing.
  double compression_ratio() const {  // compression-rate-avg
    return uncompressed_bytes == 0
               ? 1
               : static_cast<double>(compressed_bytes) / static_cast<double>(uncompressed_bytes);
  }
};

struct ConsumerMetrics {
  // What Poll returned; bytes are those of the records, uncompressed.
  int64_t records_consumed = 0;  // records-consumed-total
  int64_t bytes_consumed = 0;    // bytes-consumed-total

  // Fetch requests that were answered, also with an error, and the bytes of their batches as they
  // came.
  int64_t fetches = 0;           // fetch-total
  int64_t bytes_fetched = 0;     // incoming-byte-total, of fetches alone
  LatencyMetrics fetch_latency;  // fetch-latency-avg, fetch-latency-max; the broker's wait included

  // Of the partitions that are assigned now, the largest Consumer::CurrentLag that is known.
  std::optional<int64_t> records_lag_max;  // records-lag-max
};

}  // namespace kafkalite

#endif  // KAFKALITE_METRICS_H_
