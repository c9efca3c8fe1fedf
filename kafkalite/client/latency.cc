#include "kafkalite/client/latency.h"

#include <algorithm>
#include <bit>

namespace kafkalite::client {
namespace {

size_t StepOf(int64_t nanoseconds) {
  const auto value = static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 1));
  const int bit = std::bit_width(value) - 1;
  if (bit < kFirstLatencyBit) return 0;
  if (bit > kLastLatencyBit) return kLatencySteps - 1;
  const auto quarter = static_cast<size_t>(value >> (bit - 2)) & 3;
  return 4 * static_cast<size_t>(bit - kFirstLatencyBit) + quarter;
}

// The least duration that is beyond the step.
int64_t EndOf(size_t step) {
  const auto bit = kFirstLatencyBit + static_cast<int>(step / 4);
  return static_cast<int64_t>(5 + step % 4) << (bit - 2);
}

}  // namespace

void LatencyRecorder::Add(base::Duration latency) {
  const int64_t nanoseconds = latency.count();
  std::atomic<uint32_t>& step = steps_[StepOf(nanoseconds)];
  step.store(step.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  total_.Add(nanoseconds);
  max_.RaiseTo(nanoseconds);
}

void LatencyHistogram::Add(const LatencyRecorder& recorder) {
  for (size_t i = 0; i < kLatencySteps; ++i) {
    const int64_t count = recorder.steps_[i].load(std::memory_order_relaxed);
    steps_[i] += count;
    count_ += count;
  }
  total_ += recorder.total_.value();
  max_ = std::max(max_, recorder.max_.value());
}

base::Duration LatencyHistogram::Percentile(int64_t rank) const {
  int64_t below = 0;
  for (size_t i = 0; i < kLatencySteps; ++i) {
    below += steps_[i];
    if (below >= rank) return base::Duration(std::min(EndOf(i), max_));
  }
  return base::Duration(max_);
}

LatencyMetrics LatencyHistogram::Summary() const {
  LatencyMetrics metrics;
  metrics.count = count_;
  metrics.total = base::Duration(total_);
  metrics.max = base::Duration(max_);
  if (count_ > 0) {
    metrics.p50 = Percentile((count_ + 1) / 2);
    metrics.p99 = Percentile(count_ - count_ / 100);
  }
  return metrics;
}

}  // namespace kafkalite::client
