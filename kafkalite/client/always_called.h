// File: always_called.h
//
// Callbacks that are called even if they are destroyed uncalled, as happens when a network or an
// executor is shut down with messages and timers in it. Whoever waits for them is never forgotten.
//
//   channel->Produce(request, ReplyOnce([self](absl::StatusOr<ProduceResponse> answer) { ... }));
//   cluster->After(delay, TimerOnce([self](bool in_time) { ... }));  // false: shut down

#ifndef KAFKALITE_CLIENT_ALWAYS_CALLED_H_
#define KAFKALITE_CLIENT_ALWAYS_CALLED_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"

namespace kafkalite::client {

// Dropped: UNAVAILABLE.
template <class F>
class ReplyOnce {
 public:
  explicit ReplyOnce(F f) : f_(std::move(f)) {}
  ReplyOnce(ReplyOnce&& other) noexcept : f_(std::exchange(other.f_, std::nullopt)) {}
  ReplyOnce& operator=(ReplyOnce&&) = delete;
  ~ReplyOnce() {
    if (f_) (*f_)(absl::UnavailableError("the request was dropped"));
  }

  template <class Result>
  void operator()(Result&& result) {
    std::optional<F> f = std::exchange(f_, std::nullopt);
    if (f) (*f)(std::forward<Result>(result));
  }

 private:
  std::optional<F> f_;
};

// Dropped: called with false.
template <class F>
class TimerOnce {
 public:
  explicit TimerOnce(F f) : f_(std::move(f)) {}
  TimerOnce(TimerOnce&& other) noexcept : f_(std::exchange(other.f_, std::nullopt)) {}
  TimerOnce& operator=(TimerOnce&&) = delete;
  ~TimerOnce() {
    if (f_) (*f_)(false);
  }

  void operator()() {
    std::optional<F> f = std::exchange(f_, std::nullopt);
    if (f) (*f)(true);
  }

 private:
  std::optional<F> f_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_ALWAYS_CALLED_H_
