// File: consumer_engine_fixture.h
//
// What the tests of the consumer share: an engine on a FakeCluster, on threads (false) and in
// virtual time (true).

#ifndef KAFKALITE_CLIENT_CONSUMER_ENGINE_FIXTURE_H_
#define KAFKALITE_CLIENT_CONSUMER_ENGINE_FIXTURE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/client/consumer_engine.h"
#include "kafkalite/client/fake_broker.h"
#include "kafkalite/consumer.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

using Values = std::vector<std::string>;

inline const TopicPartition kT0 = {"t", 0};
inline const TopicPartition kT1 = {"t", 1};

inline model::TopicPartition ToModel(const TopicPartition& tp) {
  return {tp.topic, model::PartitionId(tp.partition)};
}

inline Values ValuesOf(const Records& records) {
  Values values;
  for (const ConsumedRecord& record : records) values.emplace_back(record.value.value_or("null"));
  EXPECT_EQ(records.count(), static_cast<int64_t>(values.size()));
  return values;
}

class ConsumerEngineTest : public testing::TestWithParam<bool> {
 protected:
  FakeCluster& Start(FakeCluster::Options options = {}) {
    options.simulated = GetParam();
    cluster_ = std::make_unique<FakeCluster>(options);
    return *cluster_;
  }

  // A consumer of partitions 0 to `partitions` - 1 of the new topic "t".
  void Consume(int partitions, const ConsumerOptions& options = {}) {
    cluster_->CreateTopic("t", partitions);
    Create(options);
    const absl::Status assigned = consumer_->AssignTopics({"t"});
    ASSERT_TRUE(assigned.ok()) << assigned;
  }
  void Create(const ConsumerOptions& options = {}) {
    auto consumer = ConsumerEngine::Create(cluster_->runtime(), options);
    ASSERT_TRUE(consumer.ok()) << consumer.status();
    consumer_ = *std::move(consumer);
  }

  Values Poll(std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    const absl::StatusOr<Records> records = consumer_->Poll(timeout);
    EXPECT_TRUE(records.ok()) << records.status();
    return records.ok() ? ValuesOf(*records) : Values();
  }
  absl::Status PollError() { return consumer_->Poll(std::chrono::seconds(10)).status(); }
  int64_t Position(const TopicPartition& tp) {
    const absl::StatusOr<int64_t> position = consumer_->Position(tp);
    EXPECT_TRUE(position.ok()) << position.status();
    return position.value_or(-1);
  }

  void Append(const TopicPartition& tp, const Values& values) {
    cluster_->Append(ToModel(tp), values);
  }
  template <class F>
  void Change(const TopicPartition& tp, F change) {
    cluster_->state().With(ToModel(tp), change);
  }
  // Runs later, while the test waits.
  void After(base::Duration delay, std::function<void()> task) {
    cluster_->executor().PostAt(Now() + delay, [task = std::move(task)] { task(); });
  }
  base::Time Now() { return cluster_->executor().clock().Now(); }

  std::unique_ptr<FakeCluster> cluster_;
  std::unique_ptr<ConsumerEngine> consumer_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_ENGINE_FIXTURE_H_
