// File: latency.h
//
// Durations of requests, counted by one writer and read by anybody.
//
//   recorder.Add(now - sent);              // by the one who owns it
//   LatencyHistogram histogram;
//   for (...) histogram.Add(recorder);     // on any thread
//   metrics.request_latency = histogram.Summary();

#ifndef KAFKALITE_CLIENT_LATENCY_H_
#define KAFKALITE_CLIENT_LATENCY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kafkalite/base/clock.h"
#include "kafkalite/metrics.h"

namespace kafkalite::client {

// A number with one writer at a time, which needs no atomic operation then: a counter in a strand.
class Counter {
 public:
  void Add(int64_t n) { Set(value() + n); }
  void Set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  void RaiseTo(int64_t n) {
    if (n > value()) Set(n);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// The steps of the histogram: four to a power of two, from 64 ns to 137 s; what lies outside counts
// as the nearest.
inline constexpr int kFirstLatencyBit = 6, kLastLatencyBit = 36;
inline constexpr size_t kLatencySteps = 4 * (kLastLatencyBit - kFirstLatencyBit + 1);

// Thread safety: one writer at a time, any readers.
class LatencyRecorder {
 public:
  void Add(base::Duration latency);

 private:
  friend class LatencyHistogram;
  std::array<std::atomic<uint32_t>, kLatencySteps> steps_{};
  Counter total_;
  Counter max_;
};

// The sum of recorders at one time. Thread safety: none.
class LatencyHistogram {
 public:
  void Add(const LatencyRecorder& recorder);
  LatencyMetrics Summary() const;

 private:
  base::Duration Percentile(int64_t rank) const;

  std::array<int64_t, kLatencySteps> steps_{};
  int64_t count_ = 0;
  int64_t total_ = 0;
  int64_t max_ = 0;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_LATENCY_H_
