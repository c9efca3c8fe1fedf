#include "kafkalite/client/public_call.h"

#include <cassert>

#include "kafkalite/base/strand.h"

namespace kafkalite::client {
namespace {

// A thread that was not asked to run callbacks does so for this many reports at most, then leaves
// the rest to the callback thread: others may add faster than it runs.
constexpr int kRunLimit = 64;

}  // namespace

absl::Status PublicCall::Block(base::Executor& executor, base::Completion& completion,
                               base::Time deadline) {
  if (current_ != nullptr && current_->pending_ != nullptr && runner_ == nullptr) {
    current_->RunReports();
  }
  if (completion.signalled()) return absl::OkStatus();
  // What is acknowledged while we sleep (in a simulation: by events that this thread runs) must
  // not wait until we wake.
  PublicCall* const call = std::exchange(current_, nullptr);
  absl::Status status = executor.BlockUntil(completion, deadline);
  current_ = call;
  return status;
}

void PublicCall::AddPending(std::shared_ptr<ReportQueue> queue) {
  for (const Pending* p = pending_; p != nullptr; p = p->next.get()) {
    if (p->queue == queue) return;
  }
  pending_ = new Pending{std::move(queue), std::unique_ptr<Pending>(pending_)};
}

void PublicCall::RunReports() {
  runner_ = this;
  while (pending_ != nullptr) {
    const std::unique_ptr<Pending> first(pending_);
    pending_ = first->next.release();
    first->queue->Run();
  }
  runner_ = nullptr;
}

void ReportQueue::Add(base::Task report) {
  {
    base::MutexLock lock(mu_);
    queue_.push_back(std::move(report));
    ++added_;
    if (running_) return;  // that thread sees it
  }
  if (PublicCall* call =
          PublicCall::runner_ != nullptr ? PublicCall::runner_ : PublicCall::current_) {
    call->AddPending(shared_from_this());
  } else {
    Post();
  }
}

void ReportQueue::Adopt() {
  PublicCall* const call =
      PublicCall::runner_ != nullptr ? PublicCall::runner_ : PublicCall::current_;
  if (call != nullptr) call->AddPending(shared_from_this());
}

void ReportQueue::Post() {
  {
    base::MutexLock lock(mu_);
    if (posted_ || queue_.empty()) return;
    posted_ = true;
  }
  base::Task task = [self = shared_from_this()] { self->RunPosted(); };
  if (executor_->PostCallback(task)) return;
  // The executor has shut down: run here if nothing forbids it, else at the client's next call.
  {
    base::MutexLock lock(mu_);
    posted_ = false;
  }
  if (!base::Strand::InsideAny()) task();
}

void ReportQueue::RunPosted() {
  {
    base::MutexLock lock(mu_);
    posted_ = false;
  }
  PublicCall call;
  Adopt();
}

void ReportQueue::Run() {
  assert(!base::Strand::InsideAny());
  base::Task report;
  for (int ran = 0;; ++ran) {
    {
      base::MutexLock lock(mu_);
      if (ran == 0) {
        if (running_) return;
        running_ = true;
      } else {
        ++reported_;
        if (!waiters_.empty()) WakeWaiters();
      }
      if (queue_.empty() || ran == kRunLimit) {
        running_ = false;
        break;
      }
      report = std::move(queue_.front());
      queue_.pop_front();
    }
    report();
    report = nullptr;  // what it captured goes before anybody learns that it ran
  }
  Post();
}

void ReportQueue::WakeWaiters() {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if ((*it)->target > reported_) {
      ++it;
    } else {
      (*it)->done.Signal();
      it = waiters_.erase(it);
    }
  }
}

absl::Status ReportQueue::AwaitReported(base::Time deadline) {
  auto waiter = std::make_shared<Waiter>();
  {
    base::MutexLock lock(mu_);
    if (reported_ == added_) return absl::OkStatus();
    waiter->target = added_;
    waiters_.push_back(waiter);
  }
  PublicCall call;
  Adopt();
  return PublicCall::Block(*executor_, waiter->done, deadline);
}

}  // namespace kafkalite::client
