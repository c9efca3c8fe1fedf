// File: held_executor.h
//
// For tests: a simulation in which what is posted to work queues runs when the test says so. Thus
// it is slow work, of a codec say, at its slowest.

#ifndef KAFKALITE_CLIENT_HELD_EXECUTOR_H_
#define KAFKALITE_CLIENT_HELD_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/work_queue.h"

namespace kafkalite::client {

class HeldExecutor final : public base::Executor {
 public:
  explicit HeldExecutor(uint64_t seed) : sim_(seed) {}

  size_t held() const { return held_->size(); }
  // The oldest task. REQUIRES: held() > 0.
  void RunOne() {
    base::Task task = std::move(held_->front());
    held_->pop_front();
    task();
  }
  // The newest one. REQUIRES: held() > 0.
  void RunLast() {
    base::Task task = std::move(held_->back());
    held_->pop_back();
    task();
  }
  void RunFor(base::Duration duration) { sim_.RunFor(duration); }

  base::Clock& clock() override { return sim_.clock(); }
  bool Post(base::Task& task) override { return sim_.Post(task); }
  base::TimerId PostAt(base::Time when, base::Task task) override {
    return sim_.PostAt(when, std::move(task));
  }
  bool Cancel(base::TimerId timer) override { return sim_.Cancel(timer); }
  bool PostCallback(base::Task& task) override { return sim_.PostCallback(task); }
  std::unique_ptr<base::WorkQueue> MakeWorkQueue() override {
    return std::make_unique<Queue>(held_);
  }
  absl::Status BlockUntil(base::Completion& completion, base::Time deadline) override {
    return sim_.BlockUntil(completion, deadline);
  }
  absl::Status CheckCaller() const override { return sim_.CheckCaller(); }
  void Shutdown() override { sim_.Shutdown(); }
  bool ShouldDefer() override { return sim_.ShouldDefer(); }
  uint64_t Choose(uint64_t count) override { return sim_.Choose(count); }
  void Trace(uint64_t event) override { sim_.Trace(event); }

 private:
  using Tasks = std::deque<base::Task>;
  class Queue final : public base::WorkQueue {
   public:
    explicit Queue(std::shared_ptr<Tasks> tasks) : tasks_(std::move(tasks)) {}
    void Post(base::Task task) override { tasks_->push_back(std::move(task)); }
    void SlowDown(base::Duration) override {}

   private:
    const std::shared_ptr<Tasks> tasks_;
  };

  base::SimExecutor sim_;
  const std::shared_ptr<Tasks> held_ = std::make_shared<Tasks>();  // of all queues
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_HELD_EXECUTOR_H_
