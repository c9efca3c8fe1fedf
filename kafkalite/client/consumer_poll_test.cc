// What one Poll returns and asks: paused partitions, limits, turns, and what is counted.

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/client/consumer_engine.h"
#include "kafkalite/client/consumer_engine_fixture.h"
#include "kafkalite/client/fake_broker.h"
#include "kafkalite/consumer.h"
#include "kafkalite/metrics.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/protocol/fetch.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Partitions = std::vector<TopicPartition>;

class ConsumerPollTest : public ConsumerEngineTest {
 protected:
  static Values Numbers(int begin, int end) {
    Values values;
    for (int i = begin; i < end; ++i) values.push_back(std::to_string(i));
    return values;
  }
  // Lets answers come: in virtual time they do not while nobody waits.
  void Pass(base::Duration time) {
    base::Completion never;
    (void)cluster_->executor().BlockUntil(never, Now() + time);
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, ConsumerPollTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Simulated" : "Real"; });

// --- Pause and resume ----------------------------------------------------------------------------

TEST_P(ConsumerPollTest, APausedPartitionIsNeitherFetchedNorReturned) {
  Start();
  Consume(2);
  Append(kT0, {"a"});
  Append(kT1, {"b"});
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  EXPECT_EQ(consumer_->paused(), Partitions{kT0});
  EXPECT_EQ(Poll(), Values{"b"});
  for (const protocol::FetchRequest& fetch : cluster_->state().TakeFetches()) {
    for (const auto& partition : fetch.partitions) EXPECT_EQ(partition.tp, ToModel(kT1));
  }
  EXPECT_EQ(Position(kT0), 0);
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_EQ(consumer_->paused(), Partitions{});
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerPollTest, WhatWasFetchedBeforeThePauseIsReturnedAfterItAndNotFetchedAgain) {
  Start();
  Consume(1, {.max_poll_records = 2});
  Append(kT0, Numbers(0, 5));
  EXPECT_EQ(Poll(), Numbers(0, 2));
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  EXPECT_EQ(Poll(milliseconds(5)), Values{});
  EXPECT_EQ(Position(kT0), 2);
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_EQ(Poll(), Numbers(2, 4));
  EXPECT_EQ(Poll(), Numbers(4, 5));
  EXPECT_EQ(cluster_->state().fetches(), 1);
}

TEST_P(ConsumerPollTest, AnAnswerThatComesDuringThePauseIsKept) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values{});  // the fetch waits at the broker
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(milliseconds(5)), Values{});
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerPollTest, WithEverythingPausedPollTakesItsTime) {
  Start();
  Consume(1);
  Append(kT0, {"a"});
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  const base::Time before = Now();
  EXPECT_EQ(Poll(milliseconds(20)), Values{});
  EXPECT_GE(Now() - before, milliseconds(20));
}

TEST_P(ConsumerPollTest, PauseSurvivesSeekAndGoesWithTheAssignment) {
  Start();
  Consume(2);
  Append(kT0, {"a", "b"});
  ASSERT_TRUE(consumer_->Pause({kT0, kT1}).ok());
  ASSERT_TRUE(consumer_->Seek(kT0, 1).ok());
  ASSERT_TRUE(consumer_->SeekToEnd({kT1}).ok());
  EXPECT_EQ(consumer_->paused(), (Partitions{kT0, kT1}));
  EXPECT_EQ(Poll(milliseconds(5)), Values{});
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());  // stays
  EXPECT_EQ(consumer_->paused(), Partitions{kT0});
  ASSERT_TRUE(consumer_->Assign({kT0, kT1}).ok());
  EXPECT_EQ(consumer_->paused(), Partitions{kT0});
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_EQ(Poll(), Values{"b"});
}

TEST_P(ConsumerPollTest, PauseIsAllOrNothing) {
  Start();
  Consume(1);
  const absl::Status refused = consumer_->Pause({kT0, {"other", 3}});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(refused.message(), "partition 3 of topic 'other' is not assigned");
  EXPECT_EQ(consumer_->paused(), Partitions{});
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Resume({{"other", 3}})));
}

TEST_P(ConsumerPollTest, AnErrorOfAPausedPartitionWaitsForItsReturn) {
  Start();
  Consume(2);
  ASSERT_TRUE(consumer_->Seek(kT0, 0).ok());
  EXPECT_EQ(Poll(milliseconds(5)), Values{});  // the fetch waits at the broker
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  Change(kT0, [](auto& partition) {
    partition.fetch_errors = {ErrorCode::kNone, ErrorCode::kCorruptMessage};
  });
  Append(kT1, {"b"});
  EXPECT_EQ(Poll(), Values{"b"});
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_FALSE(PollError().ok());
}

// --- Limits --------------------------------------------------------------------------------------

TEST_P(ConsumerPollTest, MaxPollRecordsCutsBatchesAndLosesNothing) {
  Start();
  Consume(2, {.max_poll_records = 3});
  Append(kT0, Numbers(0, 4));
  Append(kT0, Numbers(4, 10));
  Append(kT1, Numbers(10, 15));
  ASSERT_TRUE(consumer_->Seek(kT0, 1).ok());
  std::map<int32_t, Values> seen;
  for (size_t total = 0; total < 14;) {
    const absl::StatusOr<Records> records = consumer_->Poll(seconds(10));
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_GT(records->count(), 0);
    ASSERT_LE(records->count(), 3);
    int64_t counted = 0;
    for (const ConsumedRecord& record : *records) {
      seen[record.partition].emplace_back(*record.value);
      ++counted;
      ++total;
    }
    ASSERT_EQ(records->count(), counted);
  }
  EXPECT_EQ(seen[0], Numbers(1, 10));
  EXPECT_EQ(seen[1], Numbers(10, 15));
  EXPECT_EQ(Position(kT0), 10);
  EXPECT_EQ(Position(kT1), 5);
}

TEST_P(ConsumerPollTest, WhatRemainsOfAPollIsNotFetchedAgain) {
  Start();
  Consume(1, {.max_poll_records = 1});
  Append(kT0, Numbers(0, 5));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Position(kT0), i);
    EXPECT_EQ(Poll(), Values{std::to_string(i)});
  }
  EXPECT_EQ(cluster_->state().fetches(), 1);
}

TEST_P(ConsumerPollTest, SeekForgetsWhatRemainsOfAPoll) {
  Start();
  Consume(1, {.max_poll_records = 2});
  Append(kT0, Numbers(0, 5));
  EXPECT_EQ(Poll(), Numbers(0, 2));
  ASSERT_TRUE(consumer_->Seek(kT0, 0).ok());
  EXPECT_EQ(Poll(), Numbers(0, 2));
}

TEST_P(ConsumerPollTest, AFullPartitionDoesNotStarveTheOthers) {
  Start();
  Consume(2, {.max_poll_records = 2});
  Append(kT0, Numbers(0, 100));
  EXPECT_EQ(Poll(), Numbers(0, 2));
  // What comes elsewhere is fetched although partition 0 has records left, and is next.
  Append(kT1, {"x"});
  Values seen = Poll();
  Pass(milliseconds(1));
  for (const std::string& value : Poll()) seen.push_back(value);
  EXPECT_NE(std::find(seen.begin(), seen.end(), "x"), seen.end());
}

TEST_P(ConsumerPollTest, LimitsOfFetchesAreAsked) {
  Start();
  Consume(1, {.fetch_min_bytes = 11,
              .fetch_max_wait = milliseconds(22),
              .fetch_max_bytes = 33,
              .max_partition_fetch_bytes = 44});
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
  const auto fetches = cluster_->state().TakeFetches();
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].min_bytes, 11);
  EXPECT_EQ(fetches[0].max_wait, milliseconds(22));
  EXPECT_EQ(fetches[0].max_bytes, 33);
  EXPECT_EQ(fetches[0].partitions[0].max_bytes, 44);
}

TEST_P(ConsumerPollTest, MaxPollRecordsIsChecked) {
  Start();
  EXPECT_EQ(ConsumerEngine::Create(cluster_->runtime(), {.max_poll_records = 0}).status().message(),
            "ConsumerOptions::max_poll_records is 0; it must be at least 1");
}

// --- Several topics ------------------------------------------------------------------------------

TEST_P(ConsumerPollTest, SeveralTopicsTakeTurns) {
  Start({.brokers = 2});
  cluster_->CreateTopic("t", 2);
  cluster_->CreateTopic("u", 1);
  Create({.max_poll_records = 2});
  ASSERT_TRUE(consumer_->AssignTopics({"t", "u"}).ok());
  const TopicPartition u0 = {"u", 0};
  EXPECT_EQ(consumer_->assignment(), (Partitions{kT0, kT1, u0}));
  Append(kT0, Numbers(0, 50));
  Append(kT1, Numbers(0, 50));
  Append(u0, Numbers(0, 50));
  std::map<TopicPartition, int> seen;
  while (seen.size() < 3 || seen[kT0] + seen[kT1] + seen[u0] < 60) {
    const absl::StatusOr<Records> records = consumer_->Poll(seconds(10));
    ASSERT_TRUE(records.ok()) << records.status();
    for (const ConsumedRecord& record : *records) {
      ++seen[{std::string(record.topic), record.partition}];
    }
    Pass(std::chrono::microseconds(100));
  }
  for (const auto& [tp, count] : seen) EXPECT_GE(count, 10) << tp.topic << tp.partition;
}

TEST_P(ConsumerPollTest, TopicsAreAssignedAllOrNothing) {
  Start();
  Consume(1);
  EXPECT_TRUE(absl::IsNotFound(consumer_->AssignTopics({"t", "other"})));
  EXPECT_TRUE(absl::IsInvalidArgument(consumer_->AssignTopics({"t", "t"})));
  EXPECT_EQ(consumer_->assignment(), Partitions{kT0});
}

// --- Metrics -------------------------------------------------------------------------------------

TEST_P(ConsumerPollTest, CountsWhatItReturnsAndFetches) {
  Start();
  Consume(2, {.max_poll_records = 2});
  ConsumerMetrics metrics = consumer_->metrics();
  EXPECT_EQ(metrics.records_consumed, 0);
  EXPECT_EQ(metrics.fetches, 0);
  EXPECT_EQ(metrics.records_lag_max, std::nullopt);
  Append(kT0, Numbers(0, 5));
  EXPECT_EQ(Poll(), Numbers(0, 2));
  metrics = consumer_->metrics();
  EXPECT_EQ(metrics.records_consumed, 2);
  EXPECT_EQ(metrics.records_lag_max, 3);
  EXPECT_EQ(metrics.fetches, 1);
  EXPECT_EQ(metrics.fetch_latency.count, 1);
  if (GetParam()) {
    EXPECT_GT(metrics.fetch_latency.max.count(), 0);
  }
  const int64_t bytes = metrics.bytes_consumed;
  EXPECT_GT(bytes, 0);
  Poll();
  Poll();
  metrics = consumer_->metrics();
  EXPECT_EQ(metrics.records_consumed, 5);
  EXPECT_EQ(metrics.bytes_consumed * 2, bytes * 5);  // records of one size
  EXPECT_EQ(metrics.bytes_fetched, metrics.bytes_consumed + 61);
  EXPECT_EQ(metrics.records_lag_max, 0);
}

}  // namespace
}  // namespace kafkalite::client
