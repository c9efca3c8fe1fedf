// Compression takes its time: what goes on meanwhile, and what waits.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/fake_leaders.h"
#include "kafkalite/client/held_executor.h"
#include "kafkalite/client/producer_engine.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/metrics.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Values = std::vector<std::string>;

// Nothing is packed before the test runs it.
class ProducerPackingTest : public ::testing::Test {
 protected:
  ProducerPackingTest()
      : executor_(
            std::make_shared<HeldExecutor>(::testing::UnitTest::GetInstance()->random_seed())),
        brokers_(std::make_unique<FakeLeaders>(executor_, milliseconds(1), 1)) {
    brokers_->AddTopic("packed", 2);
    brokers_->AddTopic("plain", 1);
  }
  ~ProducerPackingTest() override {
    if (producer_ != nullptr) producer_->Close();
    executor_->Shutdown();
  }

  void Start(ProducerOptions options = {}) {
    options.topics["packed"].compression = Compression::kGzip;
    auto producer = ProducerEngine::Create(brokers_->runtime(), options);
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
  }
  // A batch of one record, which is sealed.
  Ticket SendSealed(int32_t partition, const std::string& value) {
    const Ticket ticket =
        producer_->Send({.topic = "packed", .partition = partition, .value = value});
    EXPECT_EQ(ticket.Wait(milliseconds(0)).status().code(), absl::StatusCode::kDeadlineExceeded);
    return ticket;
  }
  void Settle() { executor_->RunFor(milliseconds(50)); }
  // Until there is nothing to pack.
  void RunAll() {
    for (Settle(); executor_->held() > 0; Settle()) executor_->RunOne();
  }

  Values PackedValues(int32_t partition) {
    for (const format::Batch& batch : brokers_->Batches("packed", partition)) {
      EXPECT_EQ(format::CodecOf(batch.header), format::Codec::kGzip);
    }
    return brokers_->Values("packed", partition);
  }

  const std::shared_ptr<HeldExecutor> executor_;
  const std::unique_ptr<FakeLeaders> brokers_;
  std::shared_ptr<ProducerEngine> producer_;
};

TEST_F(ProducerPackingTest, WhatIsNotPackedDoesNotWaitForWhatIs) {
  Start();
  const Ticket packed = SendSealed(0, "slow");
  EXPECT_TRUE(producer_->Send({.topic = "plain", .value = "quick"}).Wait(seconds(1)).ok());
  EXPECT_FALSE(packed.done());
  RunAll();
  EXPECT_TRUE(packed.done());
  EXPECT_EQ(PackedValues(0), Values{"slow"});
}

TEST_F(ProducerPackingTest, PartitionsTakeTurns) {
  Start();
  for (const char* value : {"a", "b", "c"}) SendSealed(0, value);
  const Ticket other = SendSealed(1, "other");
  Settle();
  EXPECT_EQ(executor_->held(), 2u) << "one of each partition";
  executor_->RunOne();
  executor_->RunOne();
  Settle();
  EXPECT_TRUE(other.done());
  EXPECT_EQ(brokers_->Values("packed", 0), Values{"a"});
}

TEST_F(ProducerPackingTest, BatchesKeepTheirOrderAndLaterOnesArePackedWhileOneIsInFlight) {
  Start();
  ASSERT_TRUE(producer_->Send({.topic = "plain", .value = "a"}).Wait().ok());
  brokers_->SetOnProduce(
      [](const auto&) { return FakeLeaders::Fault{.answer = FakeLeaders::Fault::Answer::kHold}; });
  Values sent;
  std::vector<Ticket> tickets;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(base::Cat("value ", i));
    tickets.push_back(SendSealed(0, sent.back()));
  }
  RunAll();
  EXPECT_EQ(brokers_->Values("packed", 0), Values{"value 0"});
  brokers_->SetOnProduce([](const auto&) { return FakeLeaders::Fault{}; });
  brokers_->Release();
  Settle();
  EXPECT_EQ(brokers_->Values("packed", 0), sent);
  for (const Ticket& ticket : tickets) EXPECT_TRUE(ticket.done());
}

TEST_F(ProducerPackingTest, TheOpenBatchGrowsWhileAnEarlierOneIsPacked) {
  Start({.linger = milliseconds(5)});
  SendSealed(0, "first");
  for (int i = 0; i < 10; ++i) {
    producer_->Send({.topic = "packed", .partition = 0, .value = "a"});
    executor_->RunFor(milliseconds(10));
  }
  RunAll();
  EXPECT_EQ(brokers_->Batches("packed", 0).size(), 2u);
  EXPECT_EQ(brokers_->Values("packed", 0).size(), 11u);
}

TEST_F(ProducerPackingTest, DeliveryTimesOutAllTheSameAndTheNextRecordsGoOn) {
  Start({.delivery_timeout = seconds(1)});
  const Ticket late = SendSealed(0, "late");
  EXPECT_EQ(late.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(producer_->metrics().buffer_used_bytes, 0);
  const Ticket next = SendSealed(0, "next");
  RunAll();
  EXPECT_TRUE(next.Wait().ok());
  EXPECT_EQ(PackedValues(0), Values{"next"});
}

// Of partition 0 a batch is packed when the test says so, of the other one each at once.
TEST_F(ProducerPackingTest, APartitionIsAvailableForItsTimeoutAfterABatchHasLeft) {
  Start({.partitioner = Partitioner::Default({.availability_timeout = milliseconds(100)}),
         .batch_size_bytes = 0});
  const auto send_freely = [&](const std::string& value) {
    for (int i = 0; i < 20; ++i) {
      producer_->Send({.topic = "packed", .value = value});
      executor_->RunFor(milliseconds(1));
      while (executor_->held() > 1) {
        executor_->RunLast();
        executor_->RunFor(milliseconds(1));
      }
    }
  };
  executor_->RunFor(seconds(1));
  for (int i = 0; i < 4; ++i) SendSealed(0, "bound");
  send_freely("has begun to wait");
  executor_->RunFor(milliseconds(50));
  executor_->RunOne();
  executor_->RunFor(milliseconds(50));
  send_freely("has sent a batch");
  executor_->RunFor(milliseconds(50));
  send_freely("waits for too long");
  RunAll();
  const Values values = brokers_->Values("packed", 0);
  const auto went_there = [&](const std::string& value) {
    return std::count(values.begin(), values.end(), value);
  };
  EXPECT_GT(went_there("has begun to wait"), 1);
  EXPECT_GT(went_there("has sent a batch"), 1);
  EXPECT_LE(went_there("waits for too long"), 1) << "to end its turn";
}

TEST_F(ProducerPackingTest, SentAgainItIsNotPackedAgain) {
  Start();
  int requests = 0;
  brokers_->SetOnProduce([&](const auto&) {
    return requests++ > 0 ? FakeLeaders::Fault{}
                          : FakeLeaders::Fault{.append = false,
                                               .error = model::ErrorCode::kNotLeaderOrFollower};
  });
  const Ticket ticket = SendSealed(0, std::string(1000, 'a'));
  executor_->RunOne();
  EXPECT_TRUE(ticket.Wait().ok());
  EXPECT_EQ(requests, 2);
  const ProducerMetrics metrics = producer_->metrics();
  EXPECT_EQ(metrics.bytes_sent, 2 * metrics.compressed_bytes);
  EXPECT_GT(metrics.uncompressed_bytes, 1000);
}

TEST_F(ProducerPackingTest, AClosedProducerReportsWhatIsInPacking) {
  Start();
  const Ticket ticket = SendSealed(0, "a");
  producer_->Close();
  EXPECT_EQ(ticket.Wait().status().code(), absl::StatusCode::kCancelled);
  RunAll();
  producer_ = nullptr;
  EXPECT_EQ(brokers_->Values("packed", 0), Values{});
}

TEST_F(ProducerPackingTest, AProducerMayGoWhileABatchOfItIsInPacking) {
  Start();
  const Ticket ticket = SendSealed(0, "a");
  producer_->Close();
  producer_ = nullptr;
  RunAll();
  EXPECT_EQ(ticket.Wait().status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kafkalite::client
