// File: real_executor.h
//
// The executor of real life: worker threads, one timer thread that only posts to the workers, one
// thread for users' callbacks. Every thread starts on first use, sleeps when idle and has all
// signals blocked. No work stealing: what is hot runs inline on the caller's thread anyway.

#ifndef KAFKALITE_BASE_REAL_EXECUTOR_H_
#define KAFKALITE_BASE_REAL_EXECUTOR_H_

#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"

namespace kafkalite::base {

// The system's clocks.
class SystemClock final : public Clock {
 public:
  Time Now() const override;

 private:
  int64_t ReadWall() const override;
};

class RealExecutor final : public Executor {
 public:
  RealExecutor() = default;
  ~RealExecutor() override;

  Clock& clock() override { return clock_; }
  bool Post(Task& task) override;
  TimerId PostAt(Time when, Task task) override;
  bool Cancel(TimerId timer) override;
  bool PostCallback(Task& task) override;
  std::unique_ptr<WorkQueue> MakeWorkQueue() override;
  absl::Status BlockUntil(Completion& completion, Time deadline) override;
  void Shutdown() override;

 private:
  // A queue and the threads that serve it. Its threads share its ownership, so that one of them
  // may destroy the executor (from a user's callback, say) and still end in order.
  class Pool : public std::enable_shared_from_this<Pool> {
   public:
    explicit Pool(size_t thread_limit) : thread_limit_(thread_limit) {}
    bool Post(Task& task);
    void Shutdown();

   private:
    void Work();

    const size_t thread_limit_;
    Mutex mu_;
    CondVar changed_;
    bool stopping_ ABSL_GUARDED_BY(mu_) = false;
    size_t idle_ ABSL_GUARDED_BY(mu_) = 0;
    std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
    std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  };

  class Queue;

  void RunTimers();
  void StopTimers();

  SystemClock clock_;
  const std::shared_ptr<Pool> workers_ = std::make_shared<Pool>(2);
  const std::shared_ptr<Pool> callbacks_ = std::make_shared<Pool>(1);

  using TimerKey = std::pair<Time, uint64_t>;
  Mutex timer_mu_;
  CondVar timer_changed_;
  bool timers_stopping_ ABSL_GUARDED_BY(timer_mu_) = false;
  uint64_t next_timer_ ABSL_GUARDED_BY(timer_mu_) = 1;
  std::map<TimerKey, Task> timers_ ABSL_GUARDED_BY(timer_mu_);
  std::unordered_map<uint64_t, Time> timer_times_ ABSL_GUARDED_BY(timer_mu_);
  std::thread timer_thread_ ABSL_GUARDED_BY(timer_mu_);
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_REAL_EXECUTOR_H_
