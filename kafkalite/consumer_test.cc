// The consumer as a user meets it, on a cluster of three brokers.

#include "kafkalite/consumer.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Values = std::vector<std::string>;

const TopicPartition kT0 = {"t", 0};
const TopicPartition kT1 = {"t", 1};

class ConsumerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto cluster = Cluster::Start({.brokers = 3});
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    ASSERT_TRUE(cluster_->CreateTopic("t", {.partitions = 2, .replication_factor = 3}).ok());
    producer_ = Producer::Create(*cluster_, {}).value();
  }
  void Consume(const ConsumerOptions& options = {}) {
    consumer_ = Consumer::Create(*cluster_, options).value();
    ASSERT_TRUE(consumer_->AssignTopic("t").ok());
  }
  // The record's time is 1000 + the number of records of the partition before it.
  void Send(const TopicPartition& tp, int count) {
    for (int i = 0; i < count; ++i) {
      const int64_t n = sent_[tp]++;
      producer_->Send({.topic = tp.topic,
                       .partition = tp.partition,
                       .value = std::to_string(n),
                       .timestamp = 1000 + n});
    }
    ASSERT_TRUE(producer_->Flush().ok());
  }
  // How many records of each partition one Poll returns.
  std::map<TopicPartition, int64_t> Poll(milliseconds timeout = seconds(10)) {
    std::map<TopicPartition, int64_t> counts;
    const auto records = consumer_->Poll(timeout);
    EXPECT_TRUE(records.ok()) << records.status();
    if (!records.ok()) return counts;
    for (const ConsumedRecord& record : *records) {
      const TopicPartition tp = {std::string(record.topic), record.partition};
      EXPECT_EQ(*record.value, std::to_string(next_[tp]++));
      ++counts[tp];
    }
    return counts;
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<Consumer> consumer_;
  std::map<TopicPartition, int64_t> sent_;
  std::map<TopicPartition, int64_t> next_;
};

TEST_F(ConsumerTest, PausesAndResumes) {
  Consume({.max_poll_records = 10});
  Send(kT0, 15);
  EXPECT_EQ(Poll()[kT0], 10);
  ASSERT_TRUE(consumer_->Pause({kT0}).ok());
  Send(kT1, 3);
  EXPECT_EQ(Poll(), (std::map<TopicPartition, int64_t>{{kT1, 3}}));
  EXPECT_TRUE(Poll(milliseconds(1)).empty());
  EXPECT_EQ(consumer_->Position(kT0).value(), 10);
  EXPECT_EQ(consumer_->paused(), std::vector<TopicPartition>{kT0});
  ASSERT_TRUE(consumer_->Resume({kT0}).ok());
  EXPECT_EQ(Poll()[kT0], 5);
}

TEST_F(ConsumerTest, TellsOffsetsOfPartitionsThatItDoesNotRead) {
  Send(kT0, 20);
  consumer_ = Consumer::Create(*cluster_, {}).value();
  using Offsets = std::map<TopicPartition, int64_t>;
  EXPECT_EQ(consumer_->BeginningOffsets({kT0, kT1}).value(), (Offsets{{kT0, 0}, {kT1, 0}}));
  EXPECT_EQ(consumer_->EndOffsets({kT0, kT1}).value(), (Offsets{{kT0, 20}, {kT1, 0}}));
  const auto found = consumer_->OffsetsForTimes({{kT0, 1007}, {kT1, 1007}});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->at(kT0), (OffsetAndTimestamp{.offset = 7, .timestamp = 1007}));
  EXPECT_EQ(found->at(kT1), std::nullopt);
  EXPECT_EQ(consumer_->EndOffsets({{"t", 7}}).status().message(),
            "there is no partition 7 of topic 't'");
  // Leaders that move are followed.
  ASSERT_TRUE(cluster_->Kill(1).ok());
  EXPECT_EQ(consumer_->EndOffsets({kT0}).value(), (Offsets{{kT0, 20}}));
}

TEST_F(ConsumerTest, KnowsHowFarItIsBehind) {
  Consume({.max_poll_records = 10});
  Send(kT0, 25);
  EXPECT_EQ(consumer_->CurrentLag(kT0).value(), std::nullopt);
  EXPECT_EQ(Poll()[kT0], 10);
  EXPECT_EQ(consumer_->CurrentLag(kT0).value(), 15);
  EXPECT_EQ(consumer_->metrics().records_lag_max, 15);
  Poll();
  Poll();
  EXPECT_EQ(consumer_->CurrentLag(kT0).value(), 0);
  Send(kT0, 5);
  EXPECT_EQ(consumer_->EndOffsets({kT0}).value()[kT0], 30);
  EXPECT_EQ(consumer_->CurrentLag(kT0).value(), 5);
}

TEST_F(ConsumerTest, ReadsSeveralTopicsInTurns) {
  ASSERT_TRUE(cluster_->CreateTopic("u", {.replication_factor = 3}).ok());
  const TopicPartition u0 = {"u", 0};
  Send(kT0, 5000);
  Send(kT1, 10);
  Send(u0, 10);
  consumer_ = Consumer::Create(*cluster_, {.max_poll_records = 100}).value();
  ASSERT_TRUE(consumer_->AssignTopics({"t", "u"}).ok());
  std::map<TopicPartition, int64_t> total;
  for (int polls = 0; polls < 4; ++polls) {
    for (const auto& [tp, count] : Poll()) total[tp] += count;
  }
  EXPECT_EQ(total[kT1], 10);
  EXPECT_EQ(total[u0], 10);
  EXPECT_LT(total[kT0], 400);
}

TEST_F(ConsumerTest, HonoursTheLimitsOfFetches) {
  // Batches of one record of 1000 bytes and some: how many fit tells each limit.
  producer_ = Producer::Create(*cluster_, {.batch_size_bytes = 0}).value();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(producer_->Send({.topic = "t", .partition = 0, .value = std::string(1000, 'x')})
                    .Wait()
                    .ok());
  }
  const auto first_poll = [this](const ConsumerOptions& options) {
    Consume(options);
    return consumer_->Poll(seconds(10)).value().count();
  };
  EXPECT_EQ(first_poll({}), 20);
  EXPECT_EQ(first_poll({.max_partition_fetch_bytes = 5400}), 5);
  EXPECT_EQ(first_poll({.fetch_max_bytes = 3300}), 3);
  EXPECT_EQ(first_poll({.max_partition_fetch_bytes = 1}), 1);  // the first batch is whole
  EXPECT_EQ(first_poll({.max_poll_records = 7}), 7);
  EXPECT_EQ(consumer_->Poll(seconds(10)).value().count(), 7);
  EXPECT_EQ(consumer_->metrics().fetches, 1);
}

TEST_F(ConsumerTest, WaitsForTheFetchMinimum) {
  Consume({.fetch_min_bytes = 100000, .fetch_max_wait = milliseconds(50)});
  Send(kT0, 1);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(Poll()[kT0], 1);
  EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(50));
}

TEST_F(ConsumerTest, CountsWhatItRead) {
  Consume({.max_poll_records = 500});
  Send(kT0, 1200);
  int64_t polls = 0;
  while (next_[kT0] < 1200) {
    Poll();
    ++polls;
  }
  const ConsumerMetrics metrics = consumer_->metrics();
  EXPECT_EQ(polls, 3);
  EXPECT_EQ(metrics.records_consumed, 1200);
  EXPECT_GT(metrics.bytes_consumed, 1200 * 8);
  EXPECT_GT(metrics.bytes_fetched, metrics.bytes_consumed);
  EXPECT_EQ(metrics.fetch_latency.count, metrics.fetches);
  EXPECT_GT(metrics.fetch_latency.max.count(), 0);
  EXPECT_EQ(metrics.records_lag_max, 0);
}

}  // namespace
}  // namespace kafkalite
