#include "kafkalite/base/sim_executor.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <utility>
#include <vector>

#include "kafkalite/base/strand.h"

namespace kafkalite::base {
namespace {

// The wall clock of a simulation starts on 2026-01-01.
constexpr int64_t kWallEpochMillis = 1767225600000;

}  // namespace

int64_t SimExecutor::VirtualClock::ReadWall() const {
  return kWallEpochMillis +
         std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

SimExecutor::SimExecutor(uint64_t seed) : thread_(std::this_thread::get_id()), random_(seed) {}

SimExecutor::~SimExecutor() { Shutdown(); }

uint64_t SimExecutor::Add(Time when, uint64_t tie_break, Task task) {
  const uint64_t number = next_number_++;
  events_.emplace(Key{std::max(when, clock_.now_), tie_break, number}, std::move(task));
  return number;
}

bool SimExecutor::Post(Task& task) {
  if (stopped_) return false;
  // Workers promise no order: let the seed choose one.
  Add(clock_.now_, 1 + random_.Below(1u << 20), std::move(task));
  return true;
}

bool SimExecutor::PostCallback(Task& task) {
  if (stopped_) return false;
  Add(clock_.now_, 0, std::move(task));
  return true;
}

TimerId SimExecutor::PostAt(Time when, Task task) {
  if (stopped_) return TimerId::kNone;
  const Time at = std::max(when, clock_.now_);
  const uint64_t number = Add(at, 0, std::move(task));
  timer_keys_.emplace(number, Key{at, 0, number});
  return static_cast<TimerId>(number);
}

bool SimExecutor::Cancel(TimerId timer) {
  const auto found = timer_keys_.find(static_cast<uint64_t>(timer));
  if (found == timer_keys_.end()) return false;
  const auto event = events_.find(found->second);
  Task dropped = std::move(event->second);
  events_.erase(event);
  timer_keys_.erase(found);
  return true;
}

// A disk that is quick as a rule, and at times not. The state is shared with the events, which may
// come after the queue has gone.
class SimExecutor::Queue final : public WorkQueue {
 public:
  explicit Queue(SimExecutor& executor) : state_(std::make_shared<State>(executor)) {}
  ~Queue() override {
    state_->closed = true;
    if (!state_->running) state_->RunAll();
  }
  void Post(Task task) override {
    state_->tasks.push_back(std::move(task));
    if (state_->tasks.size() == 1 && !state_->running) State::Arm(state_);
  }
  void SlowDown(Duration each) override { state_->slower = each; }

 private:
  struct State {
    explicit State(SimExecutor& sim) : executor(sim), random(sim.ForkRandom()) {}
    void RunOne() {
      Task task = std::move(tasks.front());
      tasks.pop_front();
      running = true;
      task();
      running = false;
    }
    void RunAll() {
      while (!tasks.empty()) RunOne();
    }
    static void Arm(const std::shared_ptr<State>& state) {
      const auto delay =
          state->slower +
          std::chrono::microseconds(state->random.Below(state->random.OneIn(50) ? 20'000 : 200));
      state->executor.PostAt(state->executor.clock_.now_ + delay, [state] {
        if (state->tasks.empty()) return;
        state->RunOne();
        if (state->closed) state->RunAll();
        if (!state->tasks.empty()) Arm(state);
      });
    }

    SimExecutor& executor;
    Random random;
    std::deque<Task> tasks;
    Duration slower = Duration::zero();
    bool running = false;
    bool closed = false;
  };
  const std::shared_ptr<State> state_;
};

std::unique_ptr<WorkQueue> SimExecutor::MakeWorkQueue() { return std::make_unique<Queue>(*this); }

bool SimExecutor::RunNext(Time deadline) {
  if (events_.empty()) return false;
  const auto first = events_.begin();
  const auto [when, tie_break, number] = first->first;
  if (when > deadline) return false;
  Task task = std::move(first->second);
  events_.erase(first);
  timer_keys_.erase(number);
  clock_.now_ = std::max(clock_.now_, when);
  ++events_run_;
  Trace(static_cast<uint64_t>(when.time_since_epoch().count()));
  Trace(number);
  task();
  task = nullptr;
  if (observer_) observer_();
  return true;
}

void SimExecutor::Trace(uint64_t event) {
  for (int shift = 0; shift < 64; shift += 8) {
    trace_hash_ = (trace_hash_ ^ ((event >> shift) & 0xff)) * 0x100000001b3u;
  }
}

void SimExecutor::RunFor(Duration duration) {
  const Time until = SaturatingAdd(clock_.now_, duration);
  while (RunNext(until)) {
  }
  clock_.now_ = std::max(clock_.now_, until);
}

absl::Status SimExecutor::CheckCaller() const {
  if (std::this_thread::get_id() == thread_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "a simulated cluster runs on the one thread that made it; use a real cluster for a test "
      "with several threads");
}

absl::Status SimExecutor::BlockUntil(Completion& completion, Time deadline) {
  if (absl::Status caller = CheckCaller(); !caller.ok()) return caller;
  assert(!Strand::InsideAny() && "blocking inside a strand");
  while (!completion.signalled()) {
    if (RunNext(deadline)) continue;
    if (deadline == Time::max()) {
      return absl::FailedPreconditionError(
          "nothing is left in the simulation that could end this wait");
    }
    clock_.now_ = std::max(clock_.now_, deadline);
    return absl::DeadlineExceededError("timed out");
  }
  return absl::OkStatus();
}

void SimExecutor::Shutdown() {
  if (std::exchange(stopped_, true)) return;
  // What was posted still runs, as a real executor's would; timers are dropped.
  // They are destroyed when nothing is being changed any more: what they own may cancel others.
  std::vector<Task> dropped;
  for (auto it = events_.begin(); it != events_.end();) {
    if (timer_keys_.contains(std::get<2>(it->first))) {
      dropped.push_back(std::move(it->second));
      it = events_.erase(it);
    } else {
      ++it;
    }
  }
  timer_keys_.clear();
  dropped.clear();
  while (RunNext(Time::max())) {
  }
}

}  // namespace kafkalite::base
