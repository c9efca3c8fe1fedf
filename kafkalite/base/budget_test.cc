#include "kafkalite/base/budget.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::base {
namespace {

TEST(BudgetTest, RefusesWhatWouldPassTheLimitAndChargesNothingThen) {
  Budget budget(100);
  EXPECT_EQ(budget.limit_bytes(), 100);
  EXPECT_TRUE(budget.TryCharge(60));
  EXPECT_FALSE(budget.TryCharge(41));
  EXPECT_EQ(budget.used_bytes(), 60);
  EXPECT_TRUE(budget.TryCharge(40));
  EXPECT_FALSE(budget.TryCharge(1));
  EXPECT_TRUE(budget.TryCharge(0));
  budget.Release(1);
  EXPECT_TRUE(budget.TryCharge(1));
}

TEST(BudgetTest, AnUnusedBudgetTakesAnything) {
  Budget budget(100);
  EXPECT_TRUE(budget.TryCharge(1000));
  EXPECT_FALSE(budget.TryCharge(1));
  budget.Release(1000);
  EXPECT_TRUE(budget.TryCharge(1));
}

TEST(BudgetTest, ChargeAsksNobody) {
  Budget budget(100);
  budget.Charge(500);
  EXPECT_EQ(budget.used_bytes(), 500);
  budget.Release(450);
  EXPECT_TRUE(budget.TryCharge(50));
}

TEST(BudgetTest, ManyThreadsTogetherStayWithinTheLimit) {
  Budget budget(100);
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        if (!budget.TryCharge(40)) {
          refused.fetch_add(1);
          continue;
        }
        ASSERT_LE(budget.used_bytes(), 100);
        budget.Release(40);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.used_bytes(), 0);
  EXPECT_GE(refused, 0);
}

}  // namespace
}  // namespace kafkalite::base
