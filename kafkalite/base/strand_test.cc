#include "kafkalite/base/strand.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"

namespace kafkalite::base {
namespace {

TEST(StrandTest, RunsAtOnceWhenNobodyIsInside) {
  RealExecutor executor;
  Strand strand(executor);
  bool ran = false;
  strand.Run([&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(StrandTest, QueuesWhatIsCalledFromInsideAndKeepsTheOrder) {
  RealExecutor executor;
  Strand strand(executor);
  std::string order;
  strand.Run([&] {
    strand.Run([&] { order += 'b'; });
    strand.Run([&] { order += 'c'; });
    order += 'a';
  });
  EXPECT_EQ(order, "abc");
}

TEST(StrandTest, DeepNestingDefersTheDrainingNotTheEntering) {
  RealExecutor executor;
  std::vector<std::unique_ptr<Strand>> strands;
  for (int i = 0; i < 100; ++i) strands.push_back(std::make_unique<Strand>(executor));
  std::vector<int> order;
  std::function<void(size_t)> nest = [&](size_t i) {
    order.push_back(static_cast<int>(i));
    if (i + 1 < strands.size()) strands[i + 1]->Run([&, i] { nest(i + 1); });
  };
  strands[0]->Run([&] { nest(0); });
  ASSERT_EQ(order.size(), strands.size());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(StrandTest, CallsOfManyThreadsNeverOverlapAndAllRun) {
  RealExecutor executor;
  Strand strand(executor);
  constexpr int kThreads = 4, kCalls = 20000;
  int counter = 0;  // unguarded on purpose: the strand is what keeps it whole
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        strand.Run([&] {
          ++counter;
          ran.fetch_add(1);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (ran.load() < kThreads * kCalls) std::this_thread::yield();
  Completion done;
  strand.Run([&] { done.Signal(); });
  ASSERT_TRUE(executor.BlockUntil(done, Time::max()).ok());
  EXPECT_EQ(counter, kThreads * kCalls);
}

TEST(StrandTest, MayBeDestroyedInsideItsOwnCall) {
  RealExecutor executor;
  auto strand = std::make_shared<Strand>(executor);
  bool second = false;
  Strand* raw = strand.get();
  raw->Run([&, raw] {
    raw->Run([&] { second = true; });
    strand.reset();
  });
  EXPECT_TRUE(second);
}

TEST(StrandTest, SimulationQueuesAndPermutesSourcesButNeverOneSource) {
  bool permuted = false, deferred = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimExecutor executor(seed);
    Strand strand(executor), a(executor), b(executor);
    std::string order;
    bool first_ran = false;
    strand.Run([&] { first_ran = true; });
    deferred |= !first_ran;
    strand.Run([&] {
      a.Run([&] { strand.Run([&] { order += 'a'; }), strand.Run([&] { order += 'A'; }); });
      b.Run([&] { strand.Run([&] { order += 'b'; }), strand.Run([&] { order += 'B'; }); });
    });
    executor.RunFor(std::chrono::seconds(1));
    ASSERT_EQ(order.size(), 4u);
    EXPECT_LT(order.find('a'), order.find('A'));
    EXPECT_LT(order.find('b'), order.find('B'));
    permuted |= order != "aAbB";
  }
  EXPECT_TRUE(permuted);
  EXPECT_TRUE(deferred);
}

}  // namespace
}  // namespace kafkalite::base
