// File: work_queue.h
//
// For work that may block, on a disk above all: runs tasks one after the other, in the order in
// which they were posted, away from strands and workers. Executor::MakeWorkQueue makes one: with a
// thread of its own, started on first use; or, in a simulation, as events that take their time by
// seed.
//
// Thread safety: any thread. Lifetime: its executor outlives it. Destruction runs what was posted
// and waits for it; from within one of its own tasks it only lets the thread go, which runs the
// rest.

#ifndef KAFKALITE_BASE_WORK_QUEUE_H_
#define KAFKALITE_BASE_WORK_QUEUE_H_

#include "absl/functional/any_invocable.h"
#include "kafkalite/base/clock.h"

namespace kafkalite::base {

class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  virtual void Post(absl::AnyInvocable<void()> task) = 0;
  // For tests: each task that begins from now on takes so much longer. Destruction does not wait
  // for that.
  virtual void SlowDown(Duration each) = 0;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_WORK_QUEUE_H_
