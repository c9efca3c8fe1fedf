#include "kafkalite/base/real_executor.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

#include "kafkalite/base/strand.h"

namespace kafkalite::base {
namespace {

// How long a blocked thread watches the completion before it sleeps: about one wake-up's cost.
constexpr Duration kSpin = std::chrono::microseconds(5);

// The host application's signals are not ours to take.
std::thread StartThread(Task body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([body = std::move(body)]() mutable { body(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

void JoinUnlessSelf(std::thread thread) {
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

}  // namespace

Time SystemClock::Now() const { return std::chrono::steady_clock::now(); }

int64_t SystemClock::ReadWall() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool RealExecutor::Pool::Post(Task& task) {
  MutexLock lock(mu_);
  if (stopping_) return false;
  queue_.push_back(std::move(task));
  if (idle_ >= queue_.size()) {
    changed_.NotifyOne();
  } else if (threads_.size() < thread_limit_) {
    threads_.push_back(StartThread([self = shared_from_this()] { self->Work(); }));
  }
  return true;
}

void RealExecutor::Pool::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(mu_);
      while (queue_.empty()) {
        if (stopping_) return;
        ++idle_;
        changed_.Wait(mu_);
        --idle_;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void RealExecutor::Pool::Shutdown() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.NotifyAll();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) JoinUnlessSelf(std::move(thread));
}

RealExecutor::~RealExecutor() { Shutdown(); }

bool RealExecutor::Post(Task& task) { return workers_->Post(task); }
bool RealExecutor::PostCallback(Task& task) { return callbacks_->Post(task); }

class RealExecutor::Queue final : public WorkQueue {
 public:
  ~Queue() override {
    slower_->store(Duration::zero(), std::memory_order_relaxed);
    pool_->Shutdown();
  }
  void Post(Task task) override {
    Task slow = [slower = slower_, task = std::move(task)]() mutable {
      const Duration more = slower->load(std::memory_order_relaxed);
      if (more > Duration::zero()) std::this_thread::sleep_for(more);
      task();
    };
    pool_->Post(slow);
  }
  void SlowDown(Duration each) override { slower_->store(each, std::memory_order_relaxed); }

 private:
  const std::shared_ptr<std::atomic<Duration>> slower_ =
      std::make_shared<std::atomic<Duration>>(Duration::zero());
  const std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(1);
};

std::unique_ptr<WorkQueue> RealExecutor::MakeWorkQueue() { return std::make_unique<Queue>(); }

TimerId RealExecutor::PostAt(Time when, Task task) {
  MutexLock lock(timer_mu_);
  if (timers_stopping_) return TimerId::kNone;
  const uint64_t id = next_timer_++;
  const auto [position, inserted] = timers_.emplace(TimerKey{when, id}, std::move(task));
  timer_times_.emplace(id, when);
  if (!timer_thread_.joinable()) {
    timer_thread_ = StartThread([this] { RunTimers(); });
  } else if (position == timers_.begin()) {
    timer_changed_.NotifyOne();
  }
  return static_cast<TimerId>(id);
}

bool RealExecutor::Cancel(TimerId timer) {
  Task dropped;  // destroyed outside the lock: it may own anything
  MutexLock lock(timer_mu_);
  const auto found = timer_times_.find(static_cast<uint64_t>(timer));
  if (found == timer_times_.end()) return false;
  const auto position = timers_.find({found->second, found->first});
  dropped = std::move(position->second);
  timers_.erase(position);
  timer_times_.erase(found);
  return true;
}

void RealExecutor::RunTimers() {
  while (true) {
    Task task;
    {
      MutexLock lock(timer_mu_);
      while (!timers_stopping_ &&
             (timers_.empty() || timers_.begin()->first.first > clock_.Now())) {
        if (timers_.empty()) {
          timer_changed_.Wait(timer_mu_);
        } else {
          timer_changed_.WaitUntil(timer_mu_, timers_.begin()->first.first);
        }
      }
      if (timers_stopping_) return;
      task = std::move(timers_.begin()->second);
      timer_times_.erase(timers_.begin()->first.second);
      timers_.erase(timers_.begin());
    }
    workers_->Post(task);
  }
}

absl::Status RealExecutor::BlockUntil(Completion& completion, Time deadline) {
  assert(!Strand::InsideAny() && "blocking inside a strand");
  if (!completion.signalled()) {
    const Time spin_until = std::min(deadline, clock_.Now() + kSpin);
    while (!completion.signalled() && clock_.Now() < spin_until) {
    }
  }
  if (completion.SleepUntil(deadline)) return absl::OkStatus();
  return absl::DeadlineExceededError("timed out");
}

void RealExecutor::StopTimers() {
  std::map<TimerKey, Task> dropped;
  std::thread thread;
  {
    MutexLock lock(timer_mu_);
    timers_stopping_ = true;
    timer_changed_.NotifyAll();
    dropped.swap(timers_);
    timer_times_.clear();
    thread = std::move(timer_thread_);
  }
  JoinUnlessSelf(std::move(thread));
}

void RealExecutor::Shutdown() {
  StopTimers();
  workers_->Shutdown();
  callbacks_->Shutdown();
}

}  // namespace kafkalite::base
