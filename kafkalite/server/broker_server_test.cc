// The rules of replication as a whole broker keeps them: broker 1, whose controller the test plays.
// The numbers are those of docs/internals/replication.md.

#include "kafkalite/server/broker_server.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/network.h"
#include "kafkalite/controller/cluster_view.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/coordination/znodes.h"
#include "kafkalite/storage/memory/memory_storage.h"
#include "kafkalite/transport/inprocess/inprocess_transport.h"

namespace kafkalite::server {
namespace {

using coordination::Operation;
using model::BrokerId;
using model::ControllerEpoch;
using model::ErrorCode;
using model::Incarnation;
using model::LeaderEpoch;
using model::PartitionId;
using model::TopicPartition;
using transport::ClusterStateAck;
using transport::ClusterStateUpdate;
using Ints = std::vector<int32_t>;
namespace paths = coordination::paths;

constexpr int64_t kCreationId = 77;  // of every topic

// Storage of a process that can be killed: what was asked for then is never done, nor answered. It
// knows that it made no logs, but those that it has, since an incarnation.
class MortalStorage final : public storage::Storage {
 public:
  void Kill() { killed_ = true; }
  void SetKnownSince(int64_t incarnation) { known_since_ = Incarnation(incarnation); }

  absl::StatusOr<std::unique_ptr<storage::Log>> Open(const TopicPartition& tp,
                                                     model::LogId new_id) override {
    return storage_.Open(tp, new_id);
  }
  std::vector<std::pair<TopicPartition, model::LogId>> List() const override {
    return storage_.List();
  }
  void SetIncarnation(Incarnation incarnation) override { told_.push_back(incarnation.value()); }
  bool NeverMade(const TopicPartition& tp, Incarnation incarnation) const override {
    for (const auto& [present, id] : List()) {
      if (present == tp) return false;
    }
    return incarnation >= known_since_;
  }
  const std::vector<int64_t>& told() const { return told_; }
  void Delete(const TopicPartition& tp, storage::Log::DoneCallback done) override {
    if (!killed_) storage_.Delete(tp, std::move(done));
  }
  absl::Status Close() override { return storage_.Close(); }

 private:
  storage::MemoryStorage storage_{std::make_shared<base::Budget>(1 << 20)};
  bool killed_ = false;
  Incarnation known_since_{1000};
  std::vector<int64_t> told_;
};

class BrokerServerTest : public testing::TestWithParam<uint64_t> {
 protected:
  void TearDown() override {
    if (server_ != nullptr) server_->Stop();
    server_ = nullptr;
    tree_.Settle();
    tree_.network().Close();
  }

  // Starts the broker and waits for its registration.
  void Start() {
    server_ = BrokerServer::Start(
        {tree_.executor(), tree_.network(), transport_, tree_.coordination(), storage_},
        {.id = BrokerId(1), .cluster_id = "test"});
    AwaitRegistration(1);
  }
  // Starts it in a cluster with another controller: the test.
  void StartUnderController() {
    const coordination::ControllerRegistration other{.broker = BrokerId(9), .timestamp_ms = 0};
    tree_.MustCommit(
        {Operation::Create(paths::kController, other.Format(), Operation::Mode::kEphemeral)});
    Start();
  }
  void AwaitRegistration(int32_t incarnation) {
    ASSERT_TRUE(tree_.Eventually([&] {
      return tree_.VersionOf(paths::Incarnation(BrokerId(1))) == incarnation &&
             tree_.Exists(paths::Broker(BrokerId(1)));
    }));
    tree_.Settle();
  }

  // A controller's command: it names the topics that `leader` leads. Leaders' epochs rise with the
  // controllers'.
  struct Command {
    int32_t controller_epoch = 1;
    int64_t incarnation = 1;
    std::vector<std::string> topics = {};
    int32_t leader = 1;
    std::vector<std::string> deleted = {};
    Ints live = {1, 2};
    bool full = true;
  };
  ClusterStateAck Tell(const Command& command) {
    ClusterStateUpdate update{.controller = BrokerId(9),
                              .controller_epoch = ControllerEpoch(command.controller_epoch),
                              .broker_incarnation = Incarnation(command.incarnation),
                              .full = command.full,
                              .live_brokers = {},
                              .partitions = {},
                              .deleted_topics = command.deleted};
    for (const int32_t broker : command.live) update.live_brokers.push_back(BrokerId(broker));
    for (const std::string& topic : command.topics) {
      update.partitions.push_back(Lead(topic, command));
    }
    std::optional<ClusterStateAck> ack;
    server_->UpdateClusterState(std::move(update), [&](absl::StatusOr<ClusterStateAck> answer) {
      if (answer.ok()) ack = *std::move(answer);
    });
    EXPECT_TRUE(tree_.Eventually([&] { return ack.has_value(); }));
    tree_.Settle();
    return ack.value_or(ClusterStateAck{.error = ErrorCode::kUnknownServerError, .log_ids = {}});
  }
  static transport::PartitionUpdate Lead(const std::string& topic, const Command& command) {
    transport::PartitionUpdate update;
    update.tp = {topic, PartitionId(0)};
    update.topic_creation_id = kCreationId;
    update.leader = BrokerId(command.leader);
    update.leader_epoch = LeaderEpoch(command.controller_epoch);
    update.controller_epoch = ControllerEpoch(command.controller_epoch);
    update.replicas = {BrokerId(1), BrokerId(2)};
    update.isr = {BrokerId(command.leader)};
    update.log_ids[BrokerId(1)] = controller::NewLogId(Incarnation(1), kCreationId);
    update.state_version = command.controller_epoch;
    return update;
  }

  // All that the broker believes and has: what a refused command must leave alone.
  std::string Belief() {
    std::string belief = "lives:";
    const auto metadata = server_->metadata().Answer({});
    for (const BrokerId broker : metadata.brokers) belief += " " + std::to_string(broker.value());
    for (const auto& topic : metadata.topics) {
      belief +=
          ", " + topic.name + ": leader " + std::to_string(topic.partitions.front().leader.value());
      const auto replica = server_->replicas().Find({topic.name, PartitionId(0)});
      if (replica == nullptr) continue;
      std::optional<replication::ReplicaSnapshot> now;
      replica->Inspect([&](replication::ReplicaSnapshot snapshot) { now = std::move(snapshot); });
      EXPECT_TRUE(tree_.Eventually([&] { return now.has_value(); }));
      if (now->role == replication::Role::kLeader) belief += ", led here";
    }
    for (const auto& [tp, id] : storage_->List()) belief += ", log " + model::ToString(tp);
    return belief;
  }

  coordination::SimTree tree_{GetParam()};
  transport::InProcessTransport transport_{tree_.network()};
  const std::shared_ptr<MortalStorage> storage_ = std::make_shared<MortalStorage>();
  std::shared_ptr<BrokerServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, BrokerServerTest, testing::Range<uint64_t>(1, 6));

// KAFKA-1188.
TEST_P(BrokerServerTest, Rule13_ACommandOfAnOlderControllerIsRefusedAndChangesNothing) {
  StartUnderController();
  EXPECT_EQ(Tell({.controller_epoch = 5, .topics = {"t", "u"}}).error, ErrorCode::kNone);
  const std::string before = Belief();
  EXPECT_EQ(before, "lives: 1 2, t: leader 1, led here, u: leader 1, led here, log t-0, log u-0");
  const Command old{.controller_epoch = 4,
                    .topics = {"t", "v"},
                    .leader = 2,
                    .deleted = {"u"},
                    .live = {1, 2, 3}};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Tell(old).error, ErrorCode::kStaleControllerEpoch);
    EXPECT_EQ(Belief(), before);
  }
}

TEST_P(BrokerServerTest, Rule13_TheSameAndALaterControllerAreObeyed) {
  StartUnderController();
  EXPECT_EQ(Tell({.controller_epoch = 5, .topics = {"t"}}).error, ErrorCode::kNone);
  EXPECT_EQ(Tell({.controller_epoch = 5, .topics = {"t", "u"}}).error, ErrorCode::kNone);
  EXPECT_EQ(Belief(), "lives: 1 2, t: leader 1, led here, u: leader 1, led here, log t-0, log u-0");
  EXPECT_EQ(Tell({.controller_epoch = 6, .topics = {"t"}, .leader = 2, .deleted = {"u"}}).error,
            ErrorCode::kNone);
  EXPECT_EQ(Belief(), "lives: 1 2, t: leader 2, log t-0");
  EXPECT_EQ(Tell({.controller_epoch = 5, .topics = {"t"}}).error, ErrorCode::kStaleControllerEpoch);
}

// Or the topic would go from the tree, and the next one of that name would have its records.
TEST_P(BrokerServerTest, ADeletionThatAKillCutShortIsNotSaidToBeDone) {
  StartUnderController();
  EXPECT_EQ(Tell({.topics = {"t", "u"}}).error, ErrorCode::kNone);
  storage_->Kill();
  EXPECT_NE(Tell({.topics = {"t"}, .deleted = {"u"}}).error, ErrorCode::kNone);
}

// KAFKA-7235.
TEST_P(BrokerServerTest, Rule14_ACommandForAnotherIncarnationIsRefusedAndChangesNothing) {
  StartUnderController();
  EXPECT_EQ(Tell({.topics = {"t", "u"}}).error, ErrorCode::kNone);
  const std::string before = Belief();
  for (const int64_t incarnation : {0, 2}) {
    const Command other{.controller_epoch = 2,
                        .incarnation = incarnation,
                        .topics = {"t", "v"},
                        .leader = 2,
                        .deleted = {"u"},
                        .live = {1, 2, 3}};
    EXPECT_EQ(Tell(other).error, ErrorCode::kStaleBrokerEpoch);
    EXPECT_EQ(Belief(), before);
  }
  // Nor has it taken over the controller's epoch.
  EXPECT_EQ(Tell({.controller_epoch = 1, .topics = {"t", "u"}}).error, ErrorCode::kNone);
}

TEST_P(BrokerServerTest, Rule14_ACommandForTheFormerSelfIsRefusedAfterAnExpiry) {
  StartUnderController();
  EXPECT_EQ(Tell({.topics = {"t"}}).error, ErrorCode::kNone);
  tree_.coordination().ExpireClient(1);
  AwaitRegistration(2);
  EXPECT_EQ(Tell({.incarnation = 1, .topics = {"t", "u"}}).error, ErrorCode::kStaleBrokerEpoch);
  const ClusterStateAck ack = Tell({.incarnation = 2, .topics = {"t"}});
  EXPECT_EQ(ack.error, ErrorCode::kNone);
  // It says what logs it has: the one of its former self, under its name (rule 24).
  const TopicPartition tp{"t", PartitionId(0)};
  EXPECT_EQ(ack.log_ids, (std::map<TopicPartition, model::LogId>{
                             {tp, controller::NewLogId(Incarnation(1), kCreationId)}}));
}

// Its first state named a log that the broker had no time to make.
TEST_P(BrokerServerTest, Rule24_ALogThatWasNeverMadeIsMadeUnderTheNameThatWasRecorded) {
  const TopicPartition tp{"t", PartitionId(0)};
  StartUnderController();
  tree_.coordination().ExpireClient(1);
  AwaitRegistration(2);
  tree_.coordination().ExpireClient(1);
  AwaitRegistration(3);
  EXPECT_EQ(storage_->told(), (std::vector<int64_t>{1, 2, 3}));
  storage_->SetKnownSince(1);
  EXPECT_EQ(Tell({.incarnation = 3}).log_ids.size(), 0u);
  // Also to a command of news it says which log that is: the controller expects another.
  const ClusterStateAck ack = Tell({.incarnation = 3, .topics = {"t"}, .full = false});
  EXPECT_EQ(ack.log_ids, (std::map<TopicPartition, model::LogId>{
                             {tp, controller::NewLogId(Incarnation(1), kCreationId)}}));
  EXPECT_EQ(storage_->List().front().second, ack.log_ids.at(tp));
}

TEST_P(BrokerServerTest, Rule24_ALogThatMayHaveBeenMadeIsAnotherNow) {
  const TopicPartition tp{"t", PartitionId(0)};
  StartUnderController();
  tree_.coordination().ExpireClient(1);
  AwaitRegistration(2);
  storage_->SetKnownSince(2);
  EXPECT_EQ(Tell({.incarnation = 2, .topics = {"t"}}).log_ids.at(tp),
            controller::NewLogId(Incarnation(2), kCreationId));
}

// KAFKA-928: an expired controller's reign is over, too, and the next one is another.
TEST_P(BrokerServerTest, Rule17_AfterAnExpiryABrokerRegistersAndCompetesAnew) {
  Start();
  ASSERT_TRUE(tree_.Eventually([&] { return server_->is_controller(); }));
  EXPECT_EQ(tree_.Get(paths::kControllerEpoch).data, "1");
  tree_.coordination().ExpireClient(1);
  AwaitRegistration(2);
  ASSERT_TRUE(tree_.Eventually([&] { return tree_.Get(paths::kControllerEpoch).data == "2"; }));
  ASSERT_TRUE(tree_.Eventually([&] { return server_->is_controller(); }));
  EXPECT_EQ(tree_.OwnerOf(paths::kController), tree_.OwnerOf(paths::Broker(BrokerId(1))));
}

}  // namespace
}  // namespace kafkalite::server
