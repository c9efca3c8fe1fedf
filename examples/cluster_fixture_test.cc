// How to use a cluster in unit tests: each test has three brokers of its own, and a topic whose
// partitions have a replica on each.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"

namespace {

using ::testing::ElementsAre;

class OrdersTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_ = kafkalite::Cluster::Start({.brokers = 3}).value();
    topic_ = cluster_->CreateTopic("orders", {.partitions = 2, .replication_factor = 3}).value();
    producer_ = kafkalite::Producer::Create(*cluster_, {}).value();
  }

  // Returns when the record is acknowledged: all in-sync replicas have it.
  void Produce(std::string_view key, std::string_view value) {
    const auto where = producer_->Send({.topic = "orders", .key = key, .value = value}).Wait();
    ASSERT_TRUE(where.ok()) << where.status();
  }

  // Reads the topic from its beginning, and keeps the values of one key.
  std::vector<std::string> Consume(std::string_view key, int64_t records_in_topic) {
    std::vector<std::string> values;
    auto consumer = kafkalite::Consumer::Create(*cluster_, {}).value();
    EXPECT_TRUE(consumer->AssignTopic("orders").ok());
    while (records_in_topic > 0) {
      const auto records = consumer->Poll(std::chrono::seconds(10));
      EXPECT_TRUE(records.ok()) << records.status();
      if (!records.ok() || records->empty()) break;
      records_in_topic -= records->count();
      for (const auto& record : *records) {
        if (record.key == key) values.emplace_back(record.value.value());
      }
    }
    EXPECT_EQ(records_in_topic, 0);
    return values;
  }

  // Waits until every partition has so many in-sync replicas.
  void AwaitInSync(size_t replicas) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto partitions = topic_->Describe().value().partitions;
      if (std::all_of(partitions.begin(), partitions.end(),
                      [&](const auto& partition) { return partition.isr.size() == replicas; })) {
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL() << "not so after ten seconds:\n" << kafkalite::ToString(*topic_->Describe());
  }

  int32_t Leader(int32_t partition) {
    return topic_->Describe().value().partitions[partition].leader;
  }

  std::unique_ptr<kafkalite::Cluster> cluster_;
  std::optional<kafkalite::Topic> topic_;
  std::unique_ptr<kafkalite::Producer> producer_;
};

TEST_F(OrdersTest, KeepsTheOrderOfAKey) {
  Produce("alice", "tea");
  Produce("bob", "milk");
  Produce("alice", "sugar");

  EXPECT_THAT(Consume("alice", 3), ElementsAre("tea", "sugar"));
}

TEST_F(OrdersTest, LosesNothingWhenALeaderDies) {
  Produce("alice", "tea");
  Produce("bob", "milk");

  const int32_t leader = Leader(0);
  ASSERT_TRUE(cluster_->Kill(leader).ok());
  Produce("alice", "sugar");
  Produce("bob", "honey");

  EXPECT_NE(Leader(0), leader);
  EXPECT_THAT(Consume("alice", 4), ElementsAre("tea", "sugar"));
  EXPECT_THAT(Consume("bob", 4), ElementsAre("milk", "honey"));
}

TEST_F(OrdersTest, LosesNothingWhenBrokersDieOneAfterTheOther) {
  std::vector<std::string> sent;
  for (const int32_t broker : cluster_->broker_ids()) {
    ASSERT_TRUE(cluster_->Kill(broker).ok());
    sent.push_back("while broker " + std::to_string(broker) + " was down");
    Produce("alice", sent.back());
    AwaitInSync(2);

    // It comes back empty. The next one may die only after it has caught up.
    ASSERT_TRUE(cluster_->Restart(broker).ok());
    AwaitInSync(3);
  }

  EXPECT_EQ(Consume("alice", 3), sent);
}

}  // namespace
