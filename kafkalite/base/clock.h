// File: clock.h
//
// The two clocks of the library. Time is monotonic and drives every timeout; wall time only stamps
// records and registrations. Everything above base/ gets its Clock injected.

#ifndef KAFKALITE_BASE_CLOCK_H_
#define KAFKALITE_BASE_CLOCK_H_

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
  virtual int64_t WallMillis() const = 0;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_CLOCK_H_
