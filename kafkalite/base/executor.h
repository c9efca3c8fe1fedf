// File: executor.h
//
// Where code runs. One interface, two implementations: RealExecutor (threads, the system's clock)
// and SimExecutor (one thread, virtual time, one seed). The library above base/ cannot tell which
// one it has; that is what makes a simulated run worth something.

#ifndef KAFKALITE_BASE_EXECUTOR_H_
#define KAFKALITE_BASE_EXECUTOR_H_

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/work_queue.h"

namespace kafkalite::base {

using Task = absl::AnyInvocable<void()>;

enum class TimerId : uint64_t { kNone = 0 };

// Thread safety: any thread may call anything, except where a function says otherwise.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual Clock& clock() = 0;

  // Runs `task` soon, on a worker. False, with the task left untouched, after Shutdown().
  virtual bool Post(Task& task) = 0;

  // Runs `task` on a worker when the clock reaches `when`. kNone, with the task dropped, after
  // Shutdown().
  virtual TimerId PostAt(Time when, Task task) = 0;

  // True if the timer will not run any more because of this call; its task is destroyed.
  virtual bool Cancel(TimerId timer) = 0;

  // Runs `task` on the thread kept for users' callbacks (started on first use), in order.
  // False, with the task left untouched, after Shutdown().
  virtual bool PostCallback(Task& task) = 0;

  // A queue for work that may block; see there. Shutdown() does not concern it.
  virtual std::unique_ptr<WorkQueue> MakeWorkQueue() = 0;

  // Blocks the calling thread until `completion` is signalled: OK; or until `deadline`:
  // DEADLINE_EXCEEDED. A simulated executor runs events meanwhile and answers
  // FAILED_PRECONDITION to a thread that is not the simulator's, and when nothing is left that
  // could ever signal the completion. REQUIRES: not inside a strand (asserted in debug builds).
  virtual absl::Status BlockUntil(Completion& completion, Time deadline) = 0;

  // Whether the calling thread may use what runs on this executor: FAILED_PRECONDITION for another
  // than the simulation's.
  virtual absl::Status CheckCaller() const { return absl::OkStatus(); }

  // Drops timers, runs what was posted, joins the threads (except the calling one, which ends on
  // its own). Idempotent.
  virtual void Shutdown() = 0;

  // The three below are how a simulation perturbs and records what a real executor leaves to
  // chance; a real one neither defers, nor chooses, nor records.

  // Whether a strand that could run a call at once should queue it all the same.
  virtual bool ShouldDefer() { return false; }
  // One of [0, count). REQUIRES: count > 0.
  virtual uint64_t Choose(uint64_t count) {
    (void)count;
    return 0;
  }
  // Mixes an event into the run's trace hash.
  virtual void Trace(uint64_t event) { (void)event; }
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_EXECUTOR_H_
