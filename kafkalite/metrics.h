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
