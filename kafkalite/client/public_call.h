// File: public_call.h
//
// Where users' callbacks run: in no strand, under no lock, those of one client one at a time, on a
// thread that is inside one of the user's own calls of the library, or else on the cluster's
// callback thread.
//
//   absl::Status Producer::Flush(...) {
//     PublicCall call;                                  // reports run when the outermost one ends
//     ...
//     return PublicCall::Block(executor, done, deadline);
//   }
//   queue->Add([callback = ..., result = ...] { ... });  // on any thread, inside any strand
//
// A thread that is already inside a callback starts no further ones: they run after it returned.

#ifndef KAFKALITE_CLIENT_PUBLIC_CALL_H_
#define KAFKALITE_CLIENT_PUBLIC_CALL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"

namespace kafkalite::client {

class ReportQueue;

// Lives on the stack of every public function. Calls inside calls cost nothing.
class PublicCall {
 public:
  PublicCall() : outermost_(current_ == nullptr) {
    if (outermost_) current_ = this;
  }
  ~PublicCall() {
    if (!outermost_) return;
    if (pending_ != nullptr) RunReports();
    current_ = nullptr;
  }
  PublicCall(const PublicCall&) = delete;
  PublicCall& operator=(const PublicCall&) = delete;

  // Whether the calling thread is inside a user's callback; it should not wait for anything then.
  static bool InCallback() { return runner_ != nullptr; }

  // Executor::BlockUntil for public calls: reports that wait for the end of this call run first.
  static absl::Status Block(base::Executor& executor, base::Completion& completion,
                            base::Time deadline);

 private:
  friend class ReportQueue;
  // Queues that have reports to run when this call ends.
  struct Pending {
    std::shared_ptr<ReportQueue> queue;
    std::unique_ptr<Pending> next;
  };

  void AddPending(std::shared_ptr<ReportQueue> queue);
  void RunReports();

  static inline constinit thread_local PublicCall* current_ = nullptr;
  // The call that is running callbacks on this thread.
  static inline constinit thread_local PublicCall* runner_ = nullptr;

  const bool outermost_;
  Pending* pending_ = nullptr;  // owned
};

// The reports of one client. Thread safety: any thread.
class ReportQueue : public std::enable_shared_from_this<ReportQueue> {
 public:
  explicit ReportQueue(std::shared_ptr<base::Executor> executor) : executor_(std::move(executor)) {}

  // `report` runs after those that were added before. It may do anything.
  void Add(base::Task report);

  // Runs the reports that were added before, or waits for the thread that does.
  // REQUIRES: not inside a callback.
  absl::Status AwaitReported(base::Time deadline);

  // Makes this thread's call, if it is inside one, run what nobody else has run by then.
  void Adopt();

 private:
  friend class PublicCall;
  struct Waiter {
    uint64_t target;
    base::Completion done;
  };

  // What PublicCall runs, and the callback thread: everything, unless another thread is at it.
  void Run();
  void RunPosted();
  void Post();
  void WakeWaiters() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<base::Executor> executor_;
  base::Mutex mu_;
  std::deque<base::Task> queue_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  bool posted_ ABSL_GUARDED_BY(mu_) = false;  // the callback thread will come
  uint64_t added_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t reported_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::shared_ptr<Waiter>> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PUBLIC_CALL_H_
