// File: strand.h
//
// A serial executor: calls given to one strand never overlap and run in the order in which they
// were given. An object that owns its state through a strand needs no mutex.
//
//   class Account {
//     void Deposit(int n) {
//       strand_.Run([this, n] {
//         strand_.AssertInside();
//         balance_ += n;
//       });
//     }
//     base::Strand strand_;
//     int balance_ ABSL_GUARDED_BY(strand_) = 0;
//   };
//
// Run(f) calls f at once, on the calling thread, if nobody is inside the strand and nothing is
// queued; otherwise it queues f, and whoever is inside runs it before leaving. No lock is held
// while f runs. Further rules:
//   - Order: a call enters the queue when it is made. When calls nest too deeply, it is the
//     draining that waits for the thread's outermost frame, never the entering.
//   - Fairness: whoever drains does so for a bounded number of calls and hands the rest to the
//     executor.
//   - Simulation: by seed the executor also makes a free strand queue, and lets queued calls of
//     different sources (strands, or the outside) overtake each other, never those of one source.
//
// Thread safety: any thread.
// Lifetime: a strand may be destroyed from inside one of its own calls, and with calls queued:
// those still run, so they must own what they touch.

#ifndef KAFKALITE_BASE_STRAND_H_
#define KAFKALITE_BASE_STRAND_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"

namespace kafkalite::base {

class ABSL_LOCKABLE Strand {
 public:
  // REQUIRES: the executor outlives the strand and all of its calls.
  explicit Strand(Executor& executor);
  ~Strand();
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  void Run(Task task);

  // Tells the thread-safety analysis that the caller is inside; debug builds check it.
  void AssertInside() const ABSL_ASSERT_EXCLUSIVE_LOCK();

  // Whether the calling thread is inside any strand; it must then not block.
  static bool InsideAny();

 private:
  struct State;
  class Frame;
  static void Drain(const std::shared_ptr<State>& state);
  // Also, on a thread's outermost frame, drains the strands that nested too deeply.
  static void DrainAndDeferred(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_STRAND_H_
