// Offsets that are asked for: of any partition, by time, and how far behind a consumer is.

#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/client/consumer_engine.h"
#include "kafkalite/client/consumer_engine_fixture.h"
#include "kafkalite/client/fake_broker.h"
#include "kafkalite/consumer.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;
using model::Offset;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Offsets = std::map<TopicPartition, int64_t>;

class ConsumerOffsetsTest : public ConsumerEngineTest {
 protected:
  void StartWithThreeRecords(int brokers = 2) {
    Start({.brokers = brokers});
    cluster_->CreateTopic("t", 2);
    Create();
    Append(kT0, {"a", "b", "c"});
  }
  std::optional<int64_t> Lag(const TopicPartition& tp) {
    const auto lag = consumer_->CurrentLag(tp);
    EXPECT_TRUE(lag.ok()) << lag.status();
    return lag.value_or(-1);
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, ConsumerOffsetsTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Simulated" : "Real"; });

TEST_P(ConsumerOffsetsTest, EndsOfPartitionsThatAreNotAssigned) {
  StartWithThreeRecords();
  Change(kT0, [](auto& partition) { partition.log_start = Offset(1); });
  EXPECT_EQ(*consumer_->BeginningOffsets({kT0, kT1}), (Offsets{{kT0, 1}, {kT1, 0}}));
  EXPECT_EQ(*consumer_->EndOffsets({kT0, kT1, kT0}), (Offsets{{kT0, 3}, {kT1, 0}}));
  EXPECT_EQ(*consumer_->EndOffsets({}), Offsets{});
  EXPECT_TRUE(consumer_->assignment().empty());
}

TEST_P(ConsumerOffsetsTest, OffsetsForTimes) {
  StartWithThreeRecords();
  const auto found = consumer_->OffsetsForTimes({{kT0, 1002}, {kT1, 1002}});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->at(kT0), (OffsetAndTimestamp{.offset = 2, .timestamp = 1002}));
  EXPECT_EQ(found->at(kT1), std::nullopt);
  EXPECT_EQ(consumer_->OffsetsForTimes({{kT0, 1003}})->at(kT0), std::nullopt);
  EXPECT_EQ(consumer_->OffsetsForTimes({{kT0, 0}})->at(kT0)->offset, 0);
  const absl::Status negative = consumer_->OffsetsForTimes({{kT0, 5}, {kT1, -1}}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(negative));
  EXPECT_EQ(negative.message(),
            "the timestamp to look up in partition 1 of topic 't' is negative: -1");
}

TEST_P(ConsumerOffsetsTest, NoPositionMovesAndNothingBufferedIsLost) {
  StartWithThreeRecords();
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  ASSERT_TRUE(consumer_->Seek(kT0, 1).ok());
  ASSERT_TRUE(consumer_->EndOffsets({kT0, kT1}).ok());
  ASSERT_TRUE(consumer_->OffsetsForTimes({{kT0, 0}}).ok());
  EXPECT_EQ(Position(kT0), 1);
  EXPECT_EQ(Poll(), (Values{"b", "c"}));
}

TEST_P(ConsumerOffsetsTest, AnswersOfAFetchUnderWayAreTakenIn) {
  StartWithThreeRecords();
  ASSERT_TRUE(consumer_->Assign({kT1}).ok());
  EXPECT_EQ(Poll(milliseconds(5)), Values{});  // the fetch waits at the broker
  Append(kT1, {"x"});
  EXPECT_EQ(consumer_->EndOffsets({kT0})->at(kT0), 3);
  EXPECT_EQ(Poll(), Values{"x"});
  EXPECT_EQ(cluster_->state().fetches(), 1);
}

TEST_P(ConsumerOffsetsTest, WhatIsUnknownIsNamed) {
  StartWithThreeRecords();
  const absl::Status topic = consumer_->EndOffsets({kT0, {"other", 0}}).status();
  EXPECT_TRUE(absl::IsNotFound(topic));
  EXPECT_EQ(topic.message(), "there is no partition 0 of topic 'other'");
  const absl::Status partition = consumer_->BeginningOffsets({{"t", 2}}).status();
  EXPECT_TRUE(absl::IsNotFound(partition));
  EXPECT_EQ(partition.message(), "there is no partition 2 of topic 't'");
  EXPECT_TRUE(absl::IsNotFound(consumer_->BeginningOffsets({{"t", -1}}).status()));
}

TEST_P(ConsumerOffsetsTest, LeadersAreFollowed) {
  StartWithThreeRecords();
  ASSERT_TRUE(consumer_->EndOffsets({kT0}).ok());
  cluster_->SetLeader(ToModel(kT0), 2);
  EXPECT_EQ(consumer_->EndOffsets({kT0})->at(kT0), 3);
  Change(kT0, [](auto& partition) {
    partition.offsets_errors = {ErrorCode::kNotLeaderOrFollower, ErrorCode::kOffsetNotAvailable};
  });
  EXPECT_EQ(consumer_->EndOffsets({kT0})->at(kT0), 3);
}

TEST_P(ConsumerOffsetsTest, WithoutALeaderTheTimeoutNamesThePartition) {
  StartWithThreeRecords();
  Change(kT1, [](auto& partition) { partition.leader = model::kNoBroker; });
  const absl::Status late = consumer_->EndOffsets({kT0, kT1}, milliseconds(30)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late));
  EXPECT_EQ(late.message(), "partition 1 of topic 't': no leader told the offset within 30 ms");
  EXPECT_TRUE(consumer_->EndOffsets({kT0}).ok());
}

TEST_P(ConsumerOffsetsTest, AfterShutdownTheyFail) {
  StartWithThreeRecords();
  cluster_->Shutdown();
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->EndOffsets({kT0}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->OffsetsForTimes({{kT0, 0}}).status()));
}

// --- Lag -----------------------------------------------------------------------------------------

TEST_P(ConsumerOffsetsTest, LagIsKnownFromTheFirstFetchOn) {
  StartWithThreeRecords();
  EXPECT_EQ(consumer_->CurrentLag(kT0).status().message(),
            "partition 0 of topic 't' is not assigned");
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  EXPECT_EQ(Lag(kT0), std::nullopt);
  EXPECT_EQ(Position(kT0), 0);
  EXPECT_EQ(Lag(kT0), std::nullopt);
  EXPECT_EQ(Poll(), (Values{"a", "b", "c"}));
  EXPECT_EQ(Lag(kT0), 0);
  ASSERT_TRUE(consumer_->Seek(kT0, 1).ok());
  EXPECT_EQ(Lag(kT0), 2);
}

TEST_P(ConsumerOffsetsTest, EndOffsetsTellTheLag) {
  StartWithThreeRecords();
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  EXPECT_EQ(Position(kT0), 0);
  ASSERT_TRUE(consumer_->EndOffsets({kT0}).ok());
  EXPECT_EQ(Lag(kT0), 3);
}

TEST_P(ConsumerOffsetsTest, SeeksMayNamePartitions) {
  StartWithThreeRecords();
  Append(kT1, {"x"});
  ASSERT_TRUE(consumer_->Assign({kT0, kT1}).ok());
  ASSERT_TRUE(consumer_->SeekToEnd({kT0}).ok());
  EXPECT_EQ(Position(kT0), 3);
  EXPECT_EQ(Position(kT1), 0);
  EXPECT_EQ(Lag(kT0), 0);
  ASSERT_TRUE(consumer_->SeekToBeginning({kT0}).ok());
  EXPECT_EQ(Position(kT0), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->SeekToEnd({{"other", 0}})));
}

}  // namespace
}  // namespace kafkalite::client
