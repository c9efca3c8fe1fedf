// What every executor promises, and what a simulated one promises besides.

#include "kafkalite/base/executor.h"

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/strand.h"

namespace kafkalite::base {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Letters in the order in which they were added, by any thread.
class Notes {
 public:
  void Add(char letter) {
    MutexLock lock(mu_);
    letters_ += letter;
  }
  std::string letters() const {
    MutexLock lock(mu_);
    return letters_;
  }

 private:
  mutable Mutex mu_;
  std::string letters_ ABSL_GUARDED_BY(mu_);
};

struct ExecutorKind {
  std::string name;
  std::function<std::unique_ptr<Executor>()> make;
  friend void PrintTo(const ExecutorKind& kind, std::ostream* out) { *out << kind.name; }
};

class ExecutorContractTest : public testing::TestWithParam<ExecutorKind> {
 protected:
  Time Soon(milliseconds delay) { return executor_->clock().Now() + delay; }
  absl::Status Await(Completion& completion) {
    return executor_->BlockUntil(completion, Soon(seconds(60)));
  }
  void Pass(milliseconds time) {
    Completion never;
    EXPECT_EQ(executor_->BlockUntil(never, Soon(time)).code(), absl::StatusCode::kDeadlineExceeded);
  }
  bool Post(Task task) { return executor_->Post(task); }
  bool PostCallback(Task task) { return executor_->PostCallback(task); }

  // Shared with tasks, which may outlive the test's frame.
  const std::shared_ptr<Notes> notes_ = std::make_shared<Notes>();
  const std::unique_ptr<Executor> executor_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(
    Executors, ExecutorContractTest,
    testing::Values(ExecutorKind{"Real", [] { return std::make_unique<RealExecutor>(); }},
                    ExecutorKind{"Sim", [] { return std::make_unique<SimExecutor>(1); }}),
    [](const testing::TestParamInfo<ExecutorKind>& info) { return info.param.name; });

TEST_P(ExecutorContractTest, PostRunsTheTaskOutsideOfEveryStrand) {
  Completion done;
  bool inside = true;
  Strand strand(*executor_);
  Completion posted;
  strand.Run([&] {
    EXPECT_TRUE(Post([&] {
      inside = Strand::InsideAny();
      done.Signal();
    }));
    posted.Signal();
  });
  ASSERT_TRUE(Await(posted).ok());
  ASSERT_TRUE(Await(done).ok());
  EXPECT_FALSE(inside);
}

TEST_P(ExecutorContractTest, TasksPostTasks) {
  Completion done;
  ASSERT_TRUE(Post([&] { Post([&] { PostCallback([&] { done.Signal(); }); }); }));
  EXPECT_TRUE(Await(done).ok());
}

TEST_P(ExecutorContractTest, TimersRunInTheOrderOfTheirTimesAndNeverEarly) {
  Completion done;
  const Time start = executor_->clock().Now();
  const auto at = [&](milliseconds delay, char letter, bool last) {
    executor_->PostAt(start + delay, [&, delay, letter, last] {
      EXPECT_GE(executor_->clock().Now(), start + delay);
      notes_->Add(letter);
      if (last) done.Signal();
    });
  };
  at(milliseconds(150), 'c', true);
  at(milliseconds(50), 'a', false);
  at(milliseconds(100), 'b', false);
  ASSERT_TRUE(Await(done).ok());
  EXPECT_EQ(notes_->letters(), "abc");
}

TEST_P(ExecutorContractTest, ATimerOfThePastRunsSoon) {
  Completion done;
  executor_->PostAt(executor_->clock().Now() - seconds(5), [&] { done.Signal(); });
  EXPECT_TRUE(Await(done).ok());
}

TEST_P(ExecutorContractTest, CancelDestroysTheTaskUnrun) {
  const TimerId timer = executor_->PostAt(Soon(milliseconds(20)), [n = notes_] { n->Add('x'); });
  EXPECT_NE(timer, TimerId::kNone);
  EXPECT_EQ(notes_.use_count(), 2);
  EXPECT_TRUE(executor_->Cancel(timer));
  EXPECT_EQ(notes_.use_count(), 1);
  EXPECT_FALSE(executor_->Cancel(timer)) << "it is gone already";
  Pass(milliseconds(40));
  EXPECT_EQ(notes_->letters(), "");
}

TEST_P(ExecutorContractTest, CancelSaysNoOfWhatHasRunAndOfNothing) {
  Completion done;
  const TimerId timer = executor_->PostAt(Soon(milliseconds(1)), [&] { done.Signal(); });
  ASSERT_TRUE(Await(done).ok());
  EXPECT_FALSE(executor_->Cancel(timer));
  EXPECT_FALSE(executor_->Cancel(TimerId::kNone));
}

TEST_P(ExecutorContractTest, CancelOfTheNextTimerLeavesTheOthers) {
  Completion done;
  const TimerId first = executor_->PostAt(Soon(milliseconds(5)), [n = notes_] { n->Add('a'); });
  executor_->PostAt(Soon(milliseconds(10)), [&, n = notes_] {
    n->Add('b');
    done.Signal();
  });
  EXPECT_TRUE(executor_->Cancel(first));
  ASSERT_TRUE(Await(done).ok());
  EXPECT_EQ(notes_->letters(), "b");
}

TEST_P(ExecutorContractTest, CallbacksRunInTheOrderOfTheirPosting) {
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    const char letter = static_cast<char>('a' + i % 26);
    expected += letter;
    ASSERT_TRUE(PostCallback([n = notes_, letter] { n->Add(letter); }));
  }
  Completion done;
  ASSERT_TRUE(PostCallback([&] { done.Signal(); }));
  ASSERT_TRUE(Await(done).ok());
  EXPECT_EQ(notes_->letters(), expected);
}

TEST_P(ExecutorContractTest, AWorkQueueRunsItsTasksOneByOneInOrderOutsideOfStrands) {
  Completion done;
  const std::unique_ptr<WorkQueue> queue = executor_->MakeWorkQueue();
  bool inside = false;  // a task
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    queue->Post([&, letter] {
      EXPECT_FALSE(std::exchange(inside, true));
      EXPECT_FALSE(Strand::InsideAny());
      notes_->Add(letter);
      inside = false;
      if (letter == 'z') done.Signal();
    });
  }
  ASSERT_TRUE(Await(done).ok());
  EXPECT_EQ(notes_->letters(), "abcdefghijklmnopqrstuvwxyz");
}

TEST_P(ExecutorContractTest, TheEndOfAWorkQueueRunsWhatWasPosted) {
  std::unique_ptr<WorkQueue> queue = executor_->MakeWorkQueue();
  executor_->Shutdown();  // does not concern it
  for (char letter = 'a'; letter <= 'e'; ++letter) {
    queue->Post([n = notes_, letter] { n->Add(letter); });
  }
  queue = nullptr;
  EXPECT_EQ(notes_->letters(), "abcde");
}

TEST_P(ExecutorContractTest, ATaskMayEndItsWorkQueue) {
  const auto done = std::make_shared<Completion>();
  auto queue = std::make_shared<std::unique_ptr<WorkQueue>>(executor_->MakeWorkQueue());
  Completion posted;
  (*queue)->Post([queue, n = notes_, executor = executor_.get(), &posted] {
    EXPECT_TRUE(executor->BlockUntil(posted, Time::max()).ok());
    *queue = nullptr;
    n->Add('1');
  });
  (*queue)->Post([n = notes_, done] {
    n->Add('2');
    done->Signal();
  });
  posted.Signal();
  ASSERT_TRUE(Await(*done).ok());
  EXPECT_EQ(notes_->letters(), "12");
}

TEST_P(ExecutorContractTest, BlockUntilIsOkAtOnceIfSignalledEvenAfterTheDeadline) {
  Completion done;
  done.Signal();
  done.Signal();  // again does nothing
  EXPECT_TRUE(executor_->BlockUntil(done, Time::max()).ok());
  EXPECT_TRUE(executor_->BlockUntil(done, executor_->clock().Now() - seconds(1)).ok());
}

TEST_P(ExecutorContractTest, BlockUntilGivesUpAtTheDeadlineNotBefore) {
  Completion never;
  const Time deadline = Soon(milliseconds(20));
  EXPECT_EQ(executor_->BlockUntil(never, deadline).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(executor_->clock().Now(), deadline);
}

TEST_P(ExecutorContractTest, WhatHappenedBeforeTheSignalIsVisibleAfterTheWait) {
  int value = 0;  // unguarded on purpose
  Completion done;
  ASSERT_TRUE(Post([&] {
    value = 42;
    done.Signal();
  }));
  ASSERT_TRUE(Await(done).ok());
  EXPECT_EQ(value, 42);
}

TEST_P(ExecutorContractTest, ShutdownRunsWhatWasPostedAndDropsTimers) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Post([n = notes_] { n->Add('p'); }));
    ASSERT_TRUE(PostCallback([n = notes_] { n->Add('c'); }));
  }
  executor_->PostAt(Soon(hours(1)), [n = notes_] { n->Add('t'); });
  executor_->Shutdown();
  const std::string letters = notes_->letters();
  EXPECT_EQ(letters.size(), 40u);
  EXPECT_EQ(letters.find('t'), std::string::npos);
  EXPECT_EQ(notes_.use_count(), 1) << "the timer's task was not destroyed";
  executor_->Shutdown();  // idempotent
}

TEST_P(ExecutorContractTest, AfterShutdownNothingIsTakenAndRefusedTasksStayWhole) {
  executor_->Shutdown();
  Task task = [n = notes_] { n->Add('x'); };
  EXPECT_FALSE(executor_->Post(task));
  EXPECT_FALSE(executor_->PostCallback(task));
  ASSERT_TRUE(task);
  task();  // the caller may run it itself
  EXPECT_EQ(notes_->letters(), "x");
  task = nullptr;
  EXPECT_EQ(executor_->PostAt(Soon(milliseconds(1)), [n = notes_] { n->Add('t'); }),
            TimerId::kNone);
  EXPECT_EQ(notes_.use_count(), 1);
}

TEST_P(ExecutorContractTest, ATaskMayShutTheExecutorDown) {
  Completion done;
  ASSERT_TRUE(Post([&] {
    executor_->Shutdown();
    done.Signal();
  }));
  EXPECT_TRUE(Await(done).ok());
  EXPECT_FALSE(Post([] {}));
}

TEST_P(ExecutorContractTest, ACallbackMayShutTheExecutorDown) {
  Completion done;
  ASSERT_TRUE(PostCallback([&, n = notes_] {
    Post([n] { n->Add('w'); });
    executor_->Shutdown();
    done.Signal();
  }));
  EXPECT_TRUE(Await(done).ok());
  EXPECT_EQ(notes_->letters(), "w");
}

TEST_P(ExecutorContractTest, ATimerMayShutTheExecutorDown) {
  Completion done;
  executor_->PostAt(Soon(milliseconds(1)), [&] {
    executor_->Shutdown();
    done.Signal();
  });
  EXPECT_TRUE(Await(done).ok());
}

TEST_P(ExecutorContractTest, ATimerThatIsDroppedMayCancelAnother) {
  // As an object does that owns a timer and is itself owned by one.
  struct Canceller {
    ~Canceller() {
      if (executor != nullptr) executor->Cancel(other);
    }
    Executor* executor = nullptr;
    TimerId other = TimerId::kNone;
  };
  std::vector<std::shared_ptr<Canceller>> cancellers;
  std::vector<TimerId> timers;
  for (int i = 0; i < 10; ++i) {
    cancellers.push_back(std::make_shared<Canceller>());
    timers.push_back(executor_->PostAt(Soon(hours(1) + seconds(i)), [keep = cancellers.back()] {}));
  }
  for (size_t i = 0; i + 1 < timers.size(); ++i) {
    cancellers[i]->executor = executor_.get();
    cancellers[i]->other = timers[i + 1];
  }
  cancellers.clear();
  executor_->Shutdown();
}

TEST_P(ExecutorContractTest, TheWallClockIsOfThisCentury) {
  EXPECT_GT(executor_->clock().WallMillis(), 1577836800000);  // 2020
}

// --- Real ---------------------------------------------------------------------------------------

TEST(RealExecutorTest, MayBeDestroyedByItsOwnCallback) {
  auto executor = std::make_unique<RealExecutor>();
  std::promise<void> destroyed;
  Task task = [&] {
    executor.reset();
    destroyed.set_value();
  };
  ASSERT_TRUE(executor->PostCallback(task));
  destroyed.get_future().wait();
}

TEST(RealExecutorTest, MayBeDestroyedByItsOwnWorker) {
  auto executor = std::make_unique<RealExecutor>();
  std::promise<void> destroyed;
  Task task = [&] {
    executor.reset();
    destroyed.set_value();
  };
  ASSERT_TRUE(executor->Post(task));
  destroyed.get_future().wait();
}

TEST(RealExecutorTest, ABlockedWorkerDoesNotHoldUpTheOther) {
  RealExecutor executor;
  Completion second, first;
  Task waits = [&] {
    EXPECT_TRUE(executor.BlockUntil(second, Time::max()).ok());
    first.Signal();
  };
  Task signals = [&] { second.Signal(); };
  ASSERT_TRUE(executor.Post(waits));
  ASSERT_TRUE(executor.Post(signals));
  EXPECT_TRUE(executor.BlockUntil(first, executor.clock().Now() + seconds(60)).ok());
}

TEST(RealExecutorTest, ManyThreadsPostAndWait) {
  RealExecutor executor;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        Completion done;
        Task task = [&] { done.Signal(); };
        ASSERT_TRUE(executor.Post(task));
        ASSERT_TRUE(executor.BlockUntil(done, Time::max()).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(RealExecutorTest, AnEarlierTimerOvertakesTheOneThatIsSleptFor) {
  RealExecutor executor;
  executor.PostAt(executor.clock().Now() + hours(1), [] {});
  Completion done;
  executor.PostAt(executor.clock().Now() + milliseconds(5), [&] { done.Signal(); });
  EXPECT_TRUE(executor.BlockUntil(done, executor.clock().Now() + seconds(60)).ok());
}

// --- Simulated ----------------------------------------------------------------------------------

TEST(SimExecutorTest, NothingRunsUntilSomebodyBlocks) {
  SimExecutor executor(1);
  bool ran = false;
  Task task = [&] { ran = true; };
  ASSERT_TRUE(executor.Post(task));
  EXPECT_FALSE(ran);
  executor.RunFor(Duration::zero());
  EXPECT_TRUE(ran);
}

TEST(SimExecutorTest, VirtualTimeStandsWhereTheEventsPutIt) {
  SimExecutor executor(1);
  const Time start = executor.clock().Now();
  const int64_t wall = executor.clock().WallMillis();
  Completion done;
  executor.PostAt(start + hours(24), [&] { done.Signal(); });
  ASSERT_TRUE(executor.BlockUntil(done, Time::max()).ok());
  EXPECT_EQ(executor.clock().Now(), start + hours(24));
  EXPECT_EQ(executor.clock().WallMillis() - wall, 24 * 3600 * 1000);
  Completion never;
  EXPECT_FALSE(executor.BlockUntil(never, start + hours(25)).ok());
  EXPECT_EQ(executor.clock().Now(), start + hours(25));
  executor.RunFor(hours(1));
  EXPECT_EQ(executor.clock().Now(), start + hours(26));
}

TEST(SimExecutorTest, RunForRunsWhatIsDueAndNoMore) {
  SimExecutor executor(1);
  std::string order;
  const Time start = executor.clock().Now();
  executor.PostAt(start + seconds(1), [&] { order += 'a'; });
  executor.PostAt(start + seconds(2), [&] { order += 'b'; });
  executor.PostAt(start + seconds(2) + Duration(1), [&] { order += 'c'; });
  executor.RunFor(seconds(2));
  EXPECT_EQ(order, "ab");
}

TEST(SimExecutorTest, TimersOfOneInstantKeepTheirOrder) {
  SimExecutor executor(1);
  std::string order;
  const Time when = executor.clock().Now() + seconds(1);
  for (char letter = 'a'; letter <= 'j'; ++letter) {
    executor.PostAt(when, [&, letter] { order += letter; });
  }
  executor.RunFor(seconds(1));
  EXPECT_EQ(order, "abcdefghij");
}

TEST(SimExecutorTest, AnotherThreadIsRefused) {
  SimExecutor executor(1);
  absl::Status status;
  std::thread([&] {
    Completion done;
    done.Signal();
    status = executor.BlockUntil(done, Time::max());
  }).join();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SimExecutorTest, AWaitThatNothingCanEndIsRefused) {
  SimExecutor executor(1);
  bool ran = false;
  executor.PostAt(executor.clock().Now() + seconds(1), [&] { ran = true; });
  Completion never;
  EXPECT_EQ(executor.BlockUntil(never, Time::max()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(ran) << "what was left might have signalled it";
}

struct Trial {
  uint64_t hash;
  std::string order;
  bool operator==(const Trial&) const = default;
};

Trial RunSomething(uint64_t seed) {
  SimExecutor executor(seed);
  Strand strand(executor);
  std::string order;
  for (char letter = 'a'; letter <= 'h'; ++letter) {
    Task task = [&, letter] {
      order += letter;
      strand.Run([&, letter] {
        executor.PostAt(executor.clock().Now() + milliseconds(letter % 3), [] {});
      });
    };
    executor.Post(task);
  }
  executor.RunFor(seconds(1));
  return {executor.trace_hash(), order};
}

TEST(SimExecutorTest, TheSeedMakesTheRun) {
  int different_hashes = 0, different_orders = 0;
  const Trial first = RunSomething(0);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Trial trial = RunSomething(seed);
    EXPECT_EQ(trial, RunSomething(seed));
    different_hashes += trial.hash != first.hash;
    different_orders += trial.order != first.order;
  }
  EXPECT_EQ(different_hashes, 19);
  EXPECT_GE(different_orders, 15);
}

TEST(SimExecutorTest, ForkedRandomnessDoesNotChangeTheRunsOwn) {
  SimExecutor a(7), b(7);
  Random fork_a = a.ForkRandom(), fork_b = b.ForkRandom();
  for (int i = 0; i < 100; ++i) fork_a.Next();
  (void)fork_b;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Choose(1000), b.Choose(1000));
}

}  // namespace
}  // namespace kafkalite::base
