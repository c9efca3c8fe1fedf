// File: scenario.h
//
// The verbs in which the scenario tests are told, on a real or on a simulated cluster.

#ifndef KAFKALITE_TESTING_SCENARIO_H_
#define KAFKALITE_TESTING_SCENARIO_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/simulation.h"
#include "kafkalite/testing/state.h"

namespace kafkalite::testing {

inline constexpr char kTopic[] = "first-test";

// The parameter: a seed, or kRealTime.
inline constexpr int kRealTime = -1;

// One topic of one partition on three brokers, unless a test says otherwise.
class ScenarioTest : public ::testing::TestWithParam<int> {
 protected:
  void Start(ClusterOptions options = {}, TopicOptions topic = {}) {
    ASSERT_NO_FATAL_FAILURE(StartCluster(std::move(options)));
    if (topic.assignment.empty()) topic.assignment = {{1, 2, 3}};
    auto created = cluster_->CreateTopic(kTopic, topic);
    ASSERT_TRUE(created.ok()) << created.status();
    topic_ = *created;
  }
  void StartCluster(ClusterOptions options) {
    if (GetParam() != kRealTime) {
      simulation_ = std::make_unique<Simulation>(static_cast<uint64_t>(GetParam()));
      options.simulation = simulation_->executor();
    }
    options.session_timeout = std::chrono::milliseconds(300);
    options.replica_lag_time_max = std::chrono::milliseconds(200);
    auto cluster = Cluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    faults_ = std::make_unique<Faults>(*cluster_);
  }
  // Everything of it, in order; what is on disk stays.
  void StopCluster() {
    topic_.reset();
    faults_.reset();
    cluster_.reset();
    simulation_.reset();
  }

  std::unique_ptr<Producer> MakeProducer(
      Acks acks, std::chrono::milliseconds delivery_timeout = std::chrono::seconds(10)) {
    auto producer = Producer::Create(*cluster_, {.acks = acks,
                                                 .delivery_timeout = delivery_timeout,
                                                 .request_timeout = std::chrono::milliseconds(200),
                                                 .max_block = std::chrono::seconds(5)});
    EXPECT_TRUE(producer.ok()) << producer.status();
    return producer.ok() ? *std::move(producer) : nullptr;
  }

  // The offset at which the value was acknowledged.
  static absl::StatusOr<int64_t> Send(Producer& producer, const std::string& value) {
    auto where = producer.Send({.topic = kTopic, .partition = 0, .value = value}).Wait();
    if (!where.ok()) return where.status();
    return where->offset;
  }
  static void MustSend(Producer& producer, const std::string& value) {
    const auto offset = Send(producer, value);
    ASSERT_TRUE(offset.ok()) << value << ": " << offset.status();
  }

  void Wait(std::chrono::milliseconds time) {
    if (simulation_ != nullptr) {
      simulation_->RunFor(time);
    } else {
      std::this_thread::sleep_for(time);
    }
  }
  bool Eventually(const std::function<bool()>& reached) {
    for (int i = 0; i < 2000; ++i) {
      if (reached()) return true;
      Wait(std::chrono::milliseconds(5));
    }
    return false;
  }

  // The truth: what coordination holds, whatever any broker believes.
  PartitionDescription Describe() {
    auto stored = StoredPartition(*cluster_, kTopic, 0);
    EXPECT_THAT(stored, IsOk());
    return stored.ok() ? *std::move(stored) : PartitionDescription();
  }
  // 0 if none is found in time.
  int32_t AwaitController() {
    int32_t controller = 0;
    Eventually([&] {
      controller = cluster_->controller().value_or(0);
      return controller != 0;
    });
    return controller;
  }
  // Moves the controller's office by ending the session of whoever holds it.
  bool AwaitControllerThat(const std::function<bool(int32_t)>& suits) {
    for (int i = 0; i < 50; ++i) {
      const int32_t controller = AwaitController();
      if (suits(controller)) return AwaitIsr({1, 2, 3});
      EXPECT_THAT(faults_->ExpireSession(controller), IsOk());
      Wait(std::chrono::milliseconds(100));
    }
    return false;
  }
  // For the message of a failed assertion.
  std::string State() { return DescribeState(*cluster_); }
  bool AwaitLeader(int32_t broker) { return AwaitLeaderIs(*cluster_, kTopic, 0, broker).ok(); }
  bool AwaitLeaderOtherThan(int32_t broker) {
    return testing::AwaitLeaderOtherThan(*cluster_, kTopic, 0, broker).ok();
  }
  bool AwaitNoLeader() { return testing::AwaitNoLeader(*cluster_, kTopic, 0).ok(); }
  bool AwaitIsr(std::vector<int32_t> isr) {
    return testing::AwaitIsr(*cluster_, kTopic, 0, std::move(isr)).ok();
  }
  Replica ReadReplica(int32_t broker) {
    auto replica = cluster_->broker(broker).ReadReplica(kTopic, 0);
    EXPECT_TRUE(replica.ok()) << replica.status();
    return replica.ok() ? *std::move(replica) : Replica();
  }
  std::vector<std::string> Values(int32_t broker) {
    std::vector<std::string> values;
    for (const ReplicaRecord& record : ReadReplica(broker).records) {
      values.push_back(record.value.value_or("null"));
    }
    return values;
  }
  // The replicas of the brokers hold the same records, epochs included.
  bool AwaitAgreement(const std::vector<int32_t>& brokers) {
    return Eventually([&] {
      const auto first = cluster_->broker(brokers.front()).ReadReplica(kTopic, 0);
      return first.ok() && std::all_of(brokers.begin(), brokers.end(), [&](int32_t broker) {
               const auto other = cluster_->broker(broker).ReadReplica(kTopic, 0);
               return other.ok() && other->records == first->records &&
                      other->log_end_offset == first->log_end_offset;
             });
    });
  }
  // Everything committed, as a new consumer reads it.
  std::vector<std::string> Consume() {
    std::vector<std::string> values;
    auto consumer =
        Consumer::Create(*cluster_, {.request_timeout = std::chrono::milliseconds(300)});
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    if (!consumer.ok() || !(*consumer)->AssignTopic(kTopic).ok()) return values;
    while (true) {
      const auto records = (*consumer)->Poll(std::chrono::milliseconds(500));
      EXPECT_TRUE(records.ok()) << records.status();
      if (!records.ok() || records->empty()) return values;
      for (const ConsumedRecord& record : *records) values.emplace_back(*record.value);
    }
  }

  std::unique_ptr<Simulation> simulation_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Faults> faults_;
  std::optional<Topic> topic_;
};

// "RealTime" or "Seed7", for the names of tests.
inline std::string ScenarioName(const ::testing::TestParamInfo<int>& info) {
  return info.param == kRealTime ? "RealTime" : "Seed" + std::to_string(info.param);
}

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_SCENARIO_H_
