// File: timeouts.h
//
// Users' timeouts, of any size and also negative, in the units of the executors.

#ifndef KAFKALITE_CLIENT_TIMEOUTS_H_
#define KAFKALITE_CLIENT_TIMEOUTS_H_

#include <algorithm>
#include <chrono>

#include "kafkalite/base/clock.h"

namespace kafkalite::client {

inline base::Duration ToDuration(std::chrono::milliseconds timeout) {
  // A hundred years are for ever, and do not overflow as nanoseconds.
  constexpr std::chrono::milliseconds kForEver = std::chrono::hours(24 * 365 * 100);
  return std::clamp(timeout, std::chrono::milliseconds::zero(), kForEver);
}

inline base::Time DeadlineAfter(base::Time now, std::chrono::milliseconds timeout) {
  return base::SaturatingAdd(now, ToDuration(timeout));
}

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_TIMEOUTS_H_
