#include "kafkalite/client/public_call.h"

#include <atomic>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/strand.h"

namespace kafkalite::client {
namespace {

using std::chrono::seconds;

class PublicCallTest : public ::testing::Test {
 protected:
  base::Time Soon() { return executor_->clock().Now() + seconds(10); }

  const std::shared_ptr<base::RealExecutor> executor_ = std::make_shared<base::RealExecutor>();
  const std::shared_ptr<ReportQueue> queue_ = std::make_shared<ReportQueue>(executor_);
  std::string order_;
};

TEST_F(PublicCallTest, ReportsRunWhenTheOutermostCallEnds) {
  {
    PublicCall outer;
    {
      PublicCall inner;
      queue_->Add([&] { order_ += 'a'; });
      queue_->Add([&] { order_ += 'b'; });
    }
    EXPECT_EQ(order_, "");
  }
  EXPECT_EQ(order_, "ab");
}

TEST_F(PublicCallTest, OutsideOfCallsTheCallbackThreadRunsThem) {
  std::thread::id ran_on;
  queue_->Add([&] { ran_on = std::this_thread::get_id(); });
  base::Completion second;
  queue_->Add([&] { second.Signal(); });
  ASSERT_TRUE(executor_->BlockUntil(second, Soon()).ok());
  EXPECT_NE(ran_on, std::thread::id());
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST_F(PublicCallTest, ACallbackStartsNoOther) {
  const auto other = std::make_shared<ReportQueue>(executor_);
  {
    PublicCall call;
    queue_->Add([&] {
      EXPECT_TRUE(PublicCall::InCallback());
      {
        PublicCall nested;
        queue_->Add([&] { order_ += 'c'; });
        other->Add([&] { order_ += 'd'; });
      }
      order_ += 'a';
    });
    queue_->Add([&] { order_ += 'b'; });
  }
  EXPECT_EQ(order_, "abcd");
  EXPECT_FALSE(PublicCall::InCallback());
}

TEST_F(PublicCallTest, NoneRunsInsideAStrand) {
  base::Strand strand(*executor_);
  {
    PublicCall call;
    strand.Run([&] {
      queue_->Add([&] {
        EXPECT_FALSE(base::Strand::InsideAny());
        order_ += 'a';
      });
      EXPECT_EQ(order_, "");
    });
  }
  EXPECT_EQ(order_, "a");
}

TEST_F(PublicCallTest, BlockingRunsWhatIsPendingFirst) {
  PublicCall call;
  base::Completion done;
  queue_->Add([&] { done.Signal(); });
  EXPECT_TRUE(PublicCall::Block(*executor_, done, Soon()).ok());
}

TEST_F(PublicCallTest, WhatComesWhileBlockedDoesNotWaitForTheEnd) {
  base::SimExecutor* const sim = new base::SimExecutor(1);
  const std::shared_ptr<base::Executor> executor(sim);
  const auto queue = std::make_shared<ReportQueue>(executor);
  base::Completion done;
  PublicCall call;
  executor->PostAt(sim->clock().Now() + seconds(1), [&] { queue->Add([&] { done.Signal(); }); });
  EXPECT_TRUE(PublicCall::Block(*executor, done, base::Time::max()).ok());
}

TEST_F(PublicCallTest, AwaitReportedWaitsForTheThreadThatRunsThem) {
  base::Completion started, go_on;
  std::atomic<bool> finished{false};
  queue_->Add([&] {  // on the callback thread
    started.Signal();
    (void)executor_->BlockUntil(go_on, Soon());
    finished = true;
  });
  ASSERT_TRUE(executor_->BlockUntil(started, Soon()).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(queue_->AwaitReported(executor_->clock().Now())));
  go_on.Signal();
  EXPECT_TRUE(queue_->AwaitReported(Soon()).ok());
  EXPECT_TRUE(finished);
}

TEST_F(PublicCallTest, ReportsOfOneQueueNeverOverlap) {
  std::atomic<int> inside{0}, ran{0};
  constexpr int kThreads = 3, kReports = 2000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kReports; ++i) {
        PublicCall call;
        queue_->Add([&] {
          EXPECT_EQ(inside.fetch_add(1), 0);
          inside.fetch_sub(1);
          ran.fetch_add(1);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(queue_->AwaitReported(Soon()).ok());
  EXPECT_EQ(ran, kThreads * kReports);
}

TEST_F(PublicCallTest, AfterShutdownTheyRunWhereTheyCome) {
  executor_->Shutdown();
  queue_->Add([&] { order_ += 'a'; });
  EXPECT_EQ(order_, "a");
}

}  // namespace
}  // namespace kafkalite::client
