// The rules of replication as one reign of a controller keeps them: broker 1 is the controller, of
// epoch 1; the test plays the brokers and the tree. The numbers are those of
// docs/internals/replication.md.

#include "kafkalite/controller/term.h"

#include <algorithm>
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
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/coordination/znodes.h"

namespace kafkalite::controller {
namespace {

using coordination::Operation;
using model::BrokerId;
using model::ControllerEpoch;
using model::ErrorCode;
using model::Incarnation;
using model::PartitionId;
using std::chrono::seconds;
using transport::ClusterStateAck;
using transport::ClusterStateUpdate;
using Ints = std::vector<int32_t>;
namespace paths = coordination::paths;

constexpr base::NodeId kSelf{1};

// A broker that keeps what it was told, and obeys unless the test says otherwise.
class FakePeer final : public transport::PeerService {
 public:
  void FetchReplica(transport::ReplicaFetchRequest,
                    transport::Reply<transport::ReplicaFetchResponse>) override {}
  void UpdateClusterState(ClusterStateUpdate update,
                          transport::Reply<ClusterStateAck> reply) override {
    const bool stale = update.broker_incarnation != incarnation;
    told.push_back(std::move(update));
    ClusterStateAck ack{.error = stale ? ErrorCode::kStaleBrokerEpoch : error, .log_ids = {}};
    if (makes_what_is_recorded && !told.back().full) {
      for (const auto& news : told.back().partitions) {
        for (const auto& [broker, id] : news.log_ids) ack.log_ids[news.tp] = id;
      }
    }
    reply(std::move(ack));
  }

  Incarnation incarnation{1};
  ErrorCode error = ErrorCode::kNone;
  bool makes_what_is_recorded = false;
  std::vector<ClusterStateUpdate> told;
};

class FakeHost final : public ControllerHost {
 public:
  explicit FakeHost(coordination::SimTree& tree) : tree_(tree) {}

  base::Executor& executor() override { return tree_.executor(); }
  void After(base::Duration delay, base::Task task) override {
    tree_.After(kSelf, delay, std::move(task));
  }
  BrokerId self() const override { return BrokerId(1); }
  std::shared_ptr<transport::PeerService> Peer(BrokerId broker) override {
    return peer(broker.value());
  }

  std::shared_ptr<FakePeer> peer(int32_t broker) {
    auto& peer = peers_[broker];
    if (peer == nullptr) peer = std::make_shared<FakePeer>();
    return peer;
  }

 private:
  coordination::SimTree& tree_;
  std::map<int32_t, std::shared_ptr<FakePeer>> peers_;
};

class TermTest : public testing::TestWithParam<uint64_t> {
 protected:
  // Topic "t" on brokers 1 and 2, led by 1 before the test begins.
  void SetUp() override {
    for (const std::string& path : paths::Persistent()) {
      tree_.MustCommit({Operation::Create(path, "")});
    }
    tree_.MustCommit({Operation::Create(paths::kControllerEpoch, "0")});
    SetControllerEpoch(1);
    Register(1);
    Register(2);
    CreateTopic("t", {1, 2});
    term_ = std::make_shared<Term>(
        host_, tree_.coordination().Connect({.client = 1, .timeout = seconds(6)}, nullptr),
        TermOptions{.epoch = ControllerEpoch(1),
                    .epoch_version = tree_.VersionOf(paths::kControllerEpoch)},
        [this] { ++deposed_; });
    term_->Start();
    ASSERT_TRUE(tree_.Eventually([&] { return LeaderOf("t") == 1; }));
    tree_.Settle();
    ASSERT_EQ(deposed_, 0);
  }
  void TearDown() override {
    term_->Stop();
    tree_.Settle();
  }

  void SetControllerEpoch(int32_t epoch) {
    tree_.MustCommit({Operation::Set(paths::kControllerEpoch,
                                     coordination::FormatControllerEpoch(ControllerEpoch(epoch)))});
  }
  // Another broker was elected; this one has not heard of it.
  void ElectAnotherController() { SetControllerEpoch(2); }

  static std::string Registration(int32_t incarnation) {
    coordination::BrokerRegistration registration;
    registration.security_protocols["INPROCESS"] = "PLAINTEXT";
    registration.host = "localhost";
    registration.incarnation = Incarnation(incarnation);
    return registration.Format();
  }
  void Register(int32_t broker) {
    tree_.MustCommit({Operation::Create(paths::Broker(BrokerId(broker)), Registration(1),
                                        Operation::Mode::kEphemeral)});
  }
  void Unregister(int32_t broker) {
    tree_.MustCommit({Operation::Delete(paths::Broker(BrokerId(broker)))});
    tree_.Settle();
  }
  void CreateTopic(const std::string& topic, const Ints& replicas) {
    coordination::TopicAssignment assignment;
    for (const int32_t replica : replicas) {
      assignment.replicas[PartitionId(0)].push_back(BrokerId(replica));
    }
    tree_.MustCommit(
        {Operation::Create(paths::TopicConfig(topic), coordination::ConfigNode().Format()),
         Operation::Create(paths::Topic(topic), assignment.Format())});
    tree_.Settle();
  }
  static std::string StatePath(const std::string& topic) {
    return paths::PartitionState({topic, PartitionId(0)});
  }
  std::optional<coordination::PartitionState> StateOf(const std::string& topic) {
    const auto state =
        coordination::PartitionState::Parse("state", tree_.Get(StatePath(topic)).data);
    return state.ok() ? std::optional(*state) : std::nullopt;
  }
  // 0 while there is no state.
  int32_t LeaderOf(const std::string& topic) {
    const auto state = StateOf(topic);
    return state ? state->leader.value() : 0;
  }
  // As the leader of topic "t": its ISR is again as it was.
  void RestoreIsr(const coordination::PartitionState& as) {
    auto state = StateOf("t").value_or(coordination::PartitionState());
    state.isr = as.isr;
    state.log_ids = as.log_ids;
    const coordination::PartitionSet changed{{{"t", PartitionId(0)}}};
    tree_.MustCommit({Operation::Set(StatePath("t"), state.Format()),
                      Operation::Create(paths::kIsrChangePrefix, changed.Format(),
                                        Operation::Mode::kPersistentSequential)});
    tree_.Settle();
  }
  // Asks as a client does.
  template <class Response, class Parts>
  auto Ask(void (Term::*ask)(Parts, transport::Reply<Response>), Parts request) {
    std::optional<Response> answer;
    ((*term_).*ask)(std::move(request), [&](absl::StatusOr<Response> response) {
      if (response.ok()) answer = *std::move(response);
    });
    EXPECT_TRUE(tree_.Eventually([&] { return answer.has_value(); }));
    return answer.value_or(Response());
  }
  // The one result of a request.
  template <class Results>
  static ErrorCode ErrorOf(const Results& results) {
    EXPECT_EQ(results.size(), 1u);
    return results.empty() ? ErrorCode::kUnknownServerError : results.front().error;
  }

  coordination::SimTree tree_{GetParam()};
  const std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>(tree_);
  int deposed_ = 0;
  std::shared_ptr<Term> term_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, TermTest, testing::Range<uint64_t>(1, 6));

// KAFKA-6082, as the rest of rule 12.
TEST_P(TermTest, Rule12_ADeposedControllersStateWriteIsRefused) {
  const int32_t before = tree_.VersionOf(StatePath("t"));
  ElectAnotherController();
  Unregister(1);  // it would make broker 2 the leader
  EXPECT_EQ(LeaderOf("t"), 1);
  EXPECT_EQ(tree_.VersionOf(StatePath("t")), before);
  EXPECT_EQ(deposed_, 1);
}

TEST_P(TermTest, Rule12_WhileTheReignStandsTheSameWriteIsMade) {
  Unregister(1);
  EXPECT_EQ(LeaderOf("t"), 2);
  EXPECT_EQ(deposed_, 0);
}

TEST_P(TermTest, Rule12_ADeposedControllerGivesNoTopicItsFirstState) {
  ElectAnotherController();
  CreateTopic("u", {2, 1});
  EXPECT_FALSE(tree_.Exists(StatePath("u")));
  EXPECT_FALSE(tree_.Exists(paths::Partitions("u")));
  EXPECT_EQ(deposed_, 1);
}

TEST_P(TermTest, Rule12_ADeposedControllerFinishesNoDeletion) {
  ElectAnotherController();
  tree_.MustCommit({Operation::Create(paths::DeleteTopic("t"), "")});
  tree_.Settle();
  EXPECT_EQ(host_->peer(2)->told.back().deleted_topics, std::vector<std::string>{"t"});
  EXPECT_TRUE(tree_.Exists(StatePath("t")));
  EXPECT_TRUE(tree_.Exists(paths::DeleteTopic("t")));
  EXPECT_EQ(deposed_, 1);
}

TEST_P(TermTest, Rule12_ADeposedControllerCreatesNothingForClients) {
  ElectAnotherController();
  const auto created =
      Ask(&Term::CreateTopics, protocol::CreateTopicsRequest{.topics = {{.name = "u"}}});
  EXPECT_EQ(ErrorOf(created.topics), ErrorCode::kNotController);
  EXPECT_FALSE(tree_.Exists(paths::Topic("u")));
  tree_.Settle();
  EXPECT_EQ(deposed_, 1);
}

TEST_P(TermTest, Rule12_ADeposedControllerDeletesNothingForClients) {
  ElectAnotherController();
  const auto deleted = Ask(&Term::DeleteTopics, protocol::DeleteTopicsRequest{.topics = {"t"}});
  EXPECT_EQ(ErrorOf(deleted.topics), ErrorCode::kNotController);
  EXPECT_FALSE(tree_.Exists(paths::DeleteTopic("t")));
}

TEST_P(TermTest, Rule12_ADeposedControllerAddsNoPartitionForClients) {
  ElectAnotherController();
  const auto added = Ask(&Term::CreatePartitions,
                         protocol::CreatePartitionsRequest{.topics = {{.name = "t", .total = 2}}});
  EXPECT_EQ(ErrorOf(added.topics), ErrorCode::kNotController);
  EXPECT_EQ(tree_.VersionOf(paths::Topic("t")), 0);
}

TEST_P(TermTest, Rule12_ADeposedControllerElectsNobodyForClients) {
  const auto first = StateOf("t");
  ASSERT_TRUE(first.has_value());
  Unregister(1);
  Register(1);
  RestoreIsr(*first);
  ASSERT_EQ(LeaderOf("t"), 2);
  const int32_t before = tree_.VersionOf(StatePath("t"));
  ElectAnotherController();
  const auto elected =
      Ask(&Term::ElectLeaders,
          protocol::ElectLeadersRequest{
              .partitions = std::vector{model::TopicPartition{"t", PartitionId(0)}}});
  EXPECT_EQ(ErrorOf(elected.partitions), ErrorCode::kNotController);
  EXPECT_EQ(tree_.VersionOf(StatePath("t")), before);
}

// KAFKA-1188: a broker has obeyed a later controller.
TEST_P(TermTest, Rule13_AControllerThatABrokerCallsStaleIsDeposed) {
  host_->peer(2)->error = ErrorCode::kStaleControllerEpoch;
  CreateTopic("u", {1, 2});
  EXPECT_EQ(deposed_, 1);
  const size_t told = host_->peer(1)->told.size();
  tree_.RunFor(seconds(5));
  EXPECT_EQ(host_->peer(1)->told.size(), told) << "it went on";
}

// KAFKA-7235: the broker bounced, and the controller has not noticed.
TEST_P(TermTest, Rule14_ABrokerThatCallsACommandStaleGetsEverythingAsItsNewSelf) {
  host_->peer(2)->incarnation = Incarnation(2);
  tree_.MustCommit({Operation::Set(paths::Broker(BrokerId(2)), Registration(2))});
  CreateTopic("u", {1, 2});
  tree_.RunFor(seconds(1));
  const auto& told = host_->peer(2)->told;
  const auto first = std::find_if(told.begin(), told.end(), [](const ClusterStateUpdate& update) {
    return update.broker_incarnation == Incarnation(2);
  });
  ASSERT_NE(first, told.end());
  EXPECT_TRUE(first->full);
  EXPECT_EQ(first->partitions.size(), 2u);
  EXPECT_EQ(deposed_, 0);
}

// A broker that registered anew between the plan of a topic's first state and its write is told of
// it as news. It says what it made of it.
TEST_P(TermTest, Rule24_ALogThatWasMadeUnderItsRecordedNameIsElected) {
  for (const bool makes : {false, true}) {
    const std::string topic = makes ? "made" : "lost";
    for (const int32_t broker : {1, 2}) host_->peer(broker)->makes_what_is_recorded = makes;
    coordination::TopicAssignment assignment;
    assignment.replicas[PartitionId(0)] = {BrokerId(1), BrokerId(2)};
    coordination::PartitionState state;
    state.leader = BrokerId(1);
    state.leader_epoch = model::LeaderEpoch(0);
    state.isr = {BrokerId(1), BrokerId(2)};
    state.log_ids = {{BrokerId(1), model::LogId(0x500)}, {BrokerId(2), model::LogId(0x500)}};
    std::vector<Operation> commit = {
        Operation::Create(paths::TopicConfig(topic), coordination::ConfigNode().Format()),
        Operation::Create(paths::Topic(topic), assignment.Format())};
    commit.push_back(Operation::Create(paths::Partitions(topic), ""));
    commit.push_back(Operation::Create(paths::Partition({topic, PartitionId(0)}), ""));
    commit.push_back(Operation::Create(StatePath(topic), state.Format()));
    tree_.MustCommit(std::move(commit));
    tree_.Settle();
    EXPECT_EQ(LeaderOf(topic), makes ? 1 : -1);
  }
}

}  // namespace
}  // namespace kafkalite::controller
