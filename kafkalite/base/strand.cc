#include "kafkalite/base/strand.h"

#include <atomic>
#include <cassert>
#include <deque>
#include <utility>
#include <vector>

#include "kafkalite/base/mutex.h"

namespace kafkalite::base {
namespace {

// A thread that drains runs at most this many queued calls before the executor takes over.
constexpr int kDrainLimit = 64;
// Deeper than this, a free strand queues instead of nesting another frame on the stack.
constexpr int kNestingLimit = 12;

// Sources tell a simulation whose calls keep their order: 0 is "outside of every strand".
using Source = const void*;

}  // namespace

struct Strand::State {
  explicit State(Executor& executor_in) : executor(executor_in) {}

  struct Call {
    Source source;
    Task task;
  };

  Executor& executor;
  Mutex mu;
  // Set while some thread is inside, or is on its way to drain.
  bool owned ABSL_GUARDED_BY(mu) = false;
  std::deque<Call> queue ABSL_GUARDED_BY(mu);
};

// One strand being inside on this thread; frames form a stack.
class Strand::Frame {
 public:
  explicit Frame(State* state) : state_(state), outer_(innermost_), depth_(Depth() + 1) {
    innermost_ = this;
  }
  ~Frame() { innermost_ = outer_; }

  static int Depth() { return innermost_ == nullptr ? 0 : innermost_->depth_; }
  static Source CurrentSource() { return innermost_ == nullptr ? nullptr : innermost_->state_; }
  static bool Contains(const State* state) {
    for (const Frame* f = innermost_; f != nullptr; f = f->outer_) {
      if (f->state_ == state) return true;
    }
    return false;
  }
  static std::vector<std::shared_ptr<State>>& Deferred() {
    static thread_local std::vector<std::shared_ptr<State>> deferred;
    return deferred;
  }

 private:
  State* const state_;
  Frame* const outer_;
  const int depth_;
  static thread_local Frame* innermost_;
};

thread_local Strand::Frame* Strand::Frame::innermost_ = nullptr;

Strand::Strand(Executor& executor) : state_(std::make_shared<State>(executor)) {}
Strand::~Strand() = default;

void Strand::Run(Task task) {
  const bool too_deep = Frame::Depth() >= kNestingLimit;
  const bool defer = state_->executor.ShouldDefer();
  {
    MutexLock lock(state_->mu);
    if (state_->owned || too_deep || defer) {
      state_->queue.push_back({Frame::CurrentSource(), std::move(task)});
      if (state_->owned) return;
    }
    state_->owned = true;
  }
  if (too_deep) {
    Frame::Deferred().push_back(state_);
    return;
  }
  const std::shared_ptr<State> state = state_;  // the task may destroy this strand
  if (defer) {
    Task drain = [state] { DrainAndDeferred(state); };
    if (!state->executor.Post(drain)) DrainAndDeferred(state);
    return;
  }
  {
    Frame frame(state.get());
    task();
    task = nullptr;  // what it captured goes while we are still inside
  }
  DrainAndDeferred(state);
}

void Strand::Drain(const std::shared_ptr<State>& state) {
  int ran = 0;
  while (true) {
    State::Call call;
    {
      MutexLock lock(state->mu);
      auto& queue = state->queue;
      if (queue.empty()) {
        state->owned = false;
        return;
      }
      const size_t chosen = state->executor.Choose(queue.size());
      size_t next = 0;  // the oldest call of the chosen one's source: a source keeps its order
      while (queue[next].source != queue[chosen].source) ++next;
      call = std::move(queue[next]);
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(next));
    }
    {
      Frame frame(state.get());
      call.task();
      call.task = nullptr;
    }
    if (++ran >= kDrainLimit) {
      Task rest = [state] { DrainAndDeferred(state); };
      if (state->executor.Post(rest)) return;
      ran = 0;  // the executor has shut down: nobody else will do it
    }
  }
}

void Strand::DrainAndDeferred(const std::shared_ptr<State>& state) {
  Drain(state);
  if (Frame::Depth() > 0) return;
  auto& deferred = Frame::Deferred();
  while (!deferred.empty()) {
    const std::vector<std::shared_ptr<State>> round = std::exchange(deferred, {});
    for (const std::shared_ptr<State>& next : round) Drain(next);
  }
}

void Strand::AssertInside() const { assert(Frame::Contains(state_.get())); }

bool Strand::InsideAny() { return Frame::Depth() > 0; }

}  // namespace kafkalite::base
