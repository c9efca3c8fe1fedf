// File: completion.h
//
// A latch: signalled once, by any thread; waited for only through Executor::BlockUntil, the one
// place where the library blocks.
//
//   base::Completion done;
//   StartSomething([&done] { done.Signal(); });
//   absl::Status status = executor.BlockUntil(done, deadline);
//
// Lifetime: after BlockUntil returned OK the signaller no longer touches the completion, so it may
// live on the waiter's stack. If BlockUntil timed out, the signaller must still be able to reach
// it: share its ownership.
// Memory ordering: what happened before Signal() is visible after BlockUntil or signalled().

#ifndef KAFKALITE_BASE_COMPLETION_H_
#define KAFKALITE_BASE_COMPLETION_H_

#include <atomic>

#include "kafkalite/base/clock.h"
#include "kafkalite/base/mutex.h"

namespace kafkalite::base {

class Completion {
 public:
  // May be called again; later calls do nothing. REQUIRES: not inside a strand that the waiter
  // needs to make progress (signal after leaving it, or accept that the waiter runs meanwhile).
  void Signal();

  bool signalled() const { return signalled_.load(std::memory_order_acquire); }

  // For executors only. Sleeps until signalled (true) or until the deadline (false).
  bool SleepUntil(Time deadline);

 private:
  std::atomic<bool> signalled_{false};
  Mutex mu_;
  CondVar changed_;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_COMPLETION_H_
