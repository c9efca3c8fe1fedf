// File: sim_executor.h
//
// The executor of a simulation: one thread, virtual time, one seed. Nothing runs until somebody
// blocks (BlockUntil) or asks for it (RunFor); then events run in the order of their virtual
// time, ties broken by seed. The same program with the same seed makes the same run, and the same
// trace hash, in any build mode.

#ifndef KAFKALITE_BASE_SIM_EXECUTOR_H_
#define KAFKALITE_BASE_SIM_EXECUTOR_H_

#include <functional>
#include <map>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "kafkalite/base/executor.h"
#include "kafkalite/base/random.h"

namespace kafkalite::base {

// Thread safety: for the thread that made it; BlockUntil refuses others by FAILED_PRECONDITION.
class SimExecutor final : public Executor {
 public:
  explicit SimExecutor(uint64_t seed);
  ~SimExecutor() override;

  Clock& clock() override { return clock_; }
  bool Post(Task& task) override;
  TimerId PostAt(Time when, Task task) override;
  bool Cancel(TimerId timer) override;
  bool PostCallback(Task& task) override;
  std::unique_ptr<WorkQueue> MakeWorkQueue() override;
  absl::Status BlockUntil(Completion& completion, Time deadline) override;
  absl::Status CheckCaller() const override;
  void Shutdown() override;

  // True for the first caller: what runs on it is one system.
  bool Claim() { return !std::exchange(claimed_, true); }

  bool ShouldDefer() override { return random_.OneIn(4); }
  uint64_t Choose(uint64_t count) override { return count == 1 ? 0 : random_.Below(count); }
  void Trace(uint64_t event) override;

  // Called after each event, when nothing runs. It must change nothing and draw nothing.
  void SetObserver(std::function<void()> observer) { observer_ = std::move(observer); }

  // Runs the events of the next `duration` of virtual time.
  void RunFor(Duration duration);

  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events_run() const { return events_run_; }

  // Numbers for whoever perturbs this run: drawn apart from the executor's own.
  Random ForkRandom() { return random_.Fork(); }

 private:
  class Queue;
  class VirtualClock final : public Clock {
   public:
    Time Now() const override { return now_; }

   private:
    int64_t ReadWall() const override;
    friend class SimExecutor;
    Time now_ = Time(std::chrono::seconds(1));
  };

  // (when, tie-break, number). Timers and callbacks keep their order among equals: tie-break 0.
  using Key = std::tuple<Time, uint64_t, uint64_t>;

  uint64_t Add(Time when, uint64_t tie_break, Task task);
  bool RunNext(Time deadline);

  const std::thread::id thread_;
  VirtualClock clock_;
  Random random_;
  bool stopped_ = false;
  bool claimed_ = false;
  uint64_t next_number_ = 1;
  std::map<Key, Task> events_;
  std::unordered_map<uint64_t, Key> timer_keys_;
  std::function<void()> observer_;
  uint64_t trace_hash_ = 0xcbf29ce484222325u;
  uint64_t events_run_ = 0;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_SIM_EXECUTOR_H_
