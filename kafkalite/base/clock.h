// File: clock.h
//
// The two clocks of the library. Time is monotonic and drives every timeout; wall time only stamps
// records and registrations. Everything above base/ gets its Clock injected.

#ifndef KAFKALITE_BASE_CLOCK_H_
#define KAFKALITE_BASE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace kafkalite::base {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::steady_clock::time_point;

// Adds without overflow, so that "wait forever" may be written as a very large timeout.
inline Time SaturatingAdd(Time time, Duration delay) {
  return delay > Time::max() - time ? Time::max()
                                    : time + std::chrono::duration_cast<Time::duration>(delay);
}

// Thread safety: any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
  // Milliseconds since 1970-01-01 UTC, the unit of record timestamps. May jump.
  int64_t WallMillis() const { return ReadWall() + jumped_.load(std::memory_order_relaxed); }
  // For tests: it does.
  void JumpWall(std::chrono::milliseconds by) {
    jumped_.fetch_add(by.count(), std::memory_order_relaxed);
  }

 private:
  virtual int64_t ReadWall() const = 0;

  std::atomic<int64_t> jumped_{0};
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_CLOCK_H_
