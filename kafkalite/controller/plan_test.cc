#include "kafkalite/controller/plan.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::controller {
namespace {

using coordination::PartitionState;
using model::BrokerId;
using model::ControllerEpoch;
using model::ErrorCode;
using model::Incarnation;
using model::LeaderEpoch;
using model::LogId;
using model::PartitionId;
using model::TopicPartition;
using Ints = std::vector<int32_t>;

// --- Where replicas go
// ----------------------------------------------------------------------------

std::vector<BrokerId> Ids(const Ints& numbers) {
  std::vector<BrokerId> ids;
  for (const int32_t number : numbers) ids.push_back(BrokerId(number));
  return ids;
}

Ints Numbers(const std::vector<BrokerId>& ids) {
  Ints numbers;
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

std::vector<Ints> Assign(const Ints& brokers, const AssignmentRequest& request) {
  const auto assignment = AssignReplicas(Ids(brokers), request);
  EXPECT_TRUE(assignment.ok()) << assignment.status();
  std::vector<Ints> result;
  if (assignment.ok()) {
    for (const auto& replicas : *assignment) result.push_back(Numbers(replicas));
  }
  return result;
}

TEST(AssignReplicasTest, TheFirstTopicOnThreeBrokers) {
  EXPECT_EQ(Assign({1, 2, 3}, {.partitions = 3, .replication_factor = 3}),
            (std::vector<Ints>{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}));
}

TEST(AssignReplicasTest, KafkasExampleOfFiveBrokersAndTenPartitions) {
  // From the comment above AdminUtils.assignReplicasToBrokers.
  EXPECT_EQ(Assign({0, 1, 2, 3, 4}, {.partitions = 10, .replication_factor = 3}),
            (std::vector<Ints>{{0, 1, 2},
                               {1, 2, 3},
                               {2, 3, 4},
                               {3, 4, 0},
                               {4, 0, 1},
                               {0, 2, 3},
                               {1, 3, 4},
                               {2, 4, 0},
                               {3, 0, 1},
                               {4, 1, 2}}));
}

TEST(AssignReplicasTest, MorePartitionsLaterContinueTheRotation) {
  const auto all = Assign({1, 2, 3, 4}, {.partitions = 9, .replication_factor = 2, .start = 3});
  const auto later = Assign(
      {1, 2, 3, 4}, {.partitions = 4, .replication_factor = 2, .first_partition = 5, .start = 3});
  EXPECT_EQ(later, std::vector<Ints>(all.begin() + 5, all.end()));
}

TEST(AssignReplicasTest, TheStartTurnsTheBrokers) {
  EXPECT_EQ(Assign({1, 2, 3}, {.partitions = 2, .replication_factor = 2, .start = 2}),
            (std::vector<Ints>{{3, 1}, {1, 2}}));
}

TEST(AssignReplicasTest, OneBrokerTakesEverything) {
  EXPECT_EQ(Assign({7}, {.partitions = 3, .replication_factor = 1}),
            (std::vector<Ints>{{7}, {7}, {7}}));
}

TEST(AssignReplicasTest, NoReplicaTwiceAndLeadersSpreadEvenly) {
  for (int32_t brokers = 1; brokers <= 7; ++brokers) {
    Ints ids;
    for (int32_t i = 0; i < brokers; ++i) ids.push_back(i);
    for (int32_t factor = 1; factor <= brokers; ++factor) {
      const int32_t partitions = 6 * brokers;
      std::map<int32_t, int> leads;
      for (const Ints& replicas :
           Assign(ids, {.partitions = partitions, .replication_factor = factor, .start = 1})) {
        EXPECT_EQ(std::set<int32_t>(replicas.begin(), replicas.end()).size(),
                  static_cast<size_t>(factor));
        ++leads[replicas.front()];
      }
      for (const auto& [broker, count] : leads) EXPECT_EQ(count, 6) << broker;
    }
  }
}

std::string AssignError(const Ints& brokers, const AssignmentRequest& request) {
  const auto assignment = AssignReplicas(Ids(brokers), request);
  EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(assignment.status().message());
}

TEST(AssignReplicasTest, RefusesInKafkasWords) {
  EXPECT_EQ(AssignError({1, 2}, {.partitions = 0}), "Number of partitions must be larger than 0.");
  EXPECT_EQ(AssignError({1, 2}, {.partitions = -1, .replication_factor = 9}),
            "Number of partitions must be larger than 0.");
  EXPECT_EQ(AssignError({1, 2}, {.partitions = 2'000'000'000}),
            "Number of partitions: 2000000000 larger than a topic may have: 100000.");
  EXPECT_EQ(AssignError({1, 2}, {.replication_factor = 0}),
            "Replication factor must be larger than 0.");
  EXPECT_EQ(AssignError({1, 2}, {.replication_factor = 3}),
            "Replication factor: 3 larger than available brokers: 2.");
  EXPECT_EQ(AssignError({}, {.replication_factor = 1}),
            "Replication factor: 1 larger than available brokers: 0.");
}

// --- Who leads ----------------------------------------------------------------------------------

constexpr int64_t kCreationId = 100;
const TopicPartition kTp{"t", PartitionId(0)};

LogId LogOf(int32_t broker) { return LogId(static_cast<uint64_t>(broker) << 8); }

// A topic of one partition on brokers 1, 2 and 3, all of them alive and in the ISR, 1 leading in
// epoch 5.
class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    TopicView& topic = view_.topics["t"];
    topic.creation_id = kCreationId;
    PartitionView& partition = topic.partitions[PartitionId(0)];
    partition.replicas = Ids({1, 2, 3});
    partition.version = 8;
    SetState(1, {1, 2, 3});
    for (const int32_t broker : {1, 2, 3}) ComeBack(broker);
  }

  TopicView& topic() { return view_.topics["t"]; }
  PartitionView& partition() { return topic().partitions[PartitionId(0)]; }
  void SetState(int32_t leader, const Ints& isr) {
    PartitionState state;
    state.controller_epoch = ControllerEpoch(2);
    state.leader = BrokerId(leader);
    state.leader_epoch = LeaderEpoch(5);
    state.leader_incarnation = leader < 0 ? Incarnation() : Incarnation(leader + 70);
    state.isr = Ids(isr);
    for (const int32_t member : isr) state.log_ids[BrokerId(member)] = LogOf(member);
    partition().state = state;
  }

  void Die(int32_t broker) { view_.brokers.erase(BrokerId(broker)); }
  // With the log that it had.
  void ComeBack(int32_t broker) {
    BrokerView& view = view_.brokers[BrokerId(broker)];
    view.incarnation = Incarnation(broker + 70);
    view.reported = true;
    view.logs[kTp] = LogOf(broker);
  }
  // Emptied, or with a log that lost something.
  void ComeBackWithAnotherLog(int32_t broker) {
    ComeBack(broker);
    view_.brokers[BrokerId(broker)].logs[kTp] = LogId(0x99900);
  }
  void ComeBackTorn(int32_t broker) {
    ComeBack(broker);
    view_.brokers[BrokerId(broker)].logs[kTp] = model::AfterLoss(LogOf(broker));
  }
  // Registered, but it has not said yet what logs it has.
  void ComeBackUnreported(int32_t broker) {
    ComeBack(broker);
    view_.brokers[BrokerId(broker)].reported = false;
    view_.brokers[BrokerId(broker)].logs.clear();
  }

  // Registered anew before anybody missed it.
  void Bounce(int32_t broker) { partition().bounced.insert(BrokerId(broker)); }

  std::optional<StateWrite> PlanOne() {
    const std::vector<StateWrite> writes = Plan(view_, ControllerEpoch(3));
    EXPECT_LE(writes.size(), 1u);
    if (writes.empty()) return std::nullopt;
    return writes.front();
  }
  // The next leader and ISR; checks what holds for every write. "-": nothing to do.
  std::string Outcome() {
    const std::optional<StateWrite> write = PlanOne();
    if (!write) return "-";
    EXPECT_EQ(write->tp, kTp);
    EXPECT_EQ(write->expected_version, 8);
    ExpectSound(write->state);
    return Describe(write->state);
  }
  void ExpectSound(const PartitionState& state) {
    EXPECT_EQ(state.controller_epoch, ControllerEpoch(3));
    EXPECT_EQ(state.leader_epoch, LeaderEpoch(6)) << "every write raises the epoch";
    const auto leader = view_.brokers.find(state.leader);
    EXPECT_EQ(state.leader_incarnation,
              leader == view_.brokers.end() ? Incarnation() : leader->second.incarnation);
    std::set<BrokerId> logs;
    for (const auto& [broker, log] : state.log_ids) logs.insert(broker);
    EXPECT_EQ(logs, std::set<BrokerId>(state.isr.begin(), state.isr.end()))
        << "log ids are those of the members";
  }
  static std::string Describe(const PartitionState& state) {
    std::string text = std::to_string(state.leader.value()) + " of";
    for (const BrokerId member : state.isr) text += " " + std::to_string(member.value());
    return text;
  }
  // Carries the plan out; afterwards there must be nothing left to decide.
  void CarryOut() {
    const std::optional<StateWrite> write = PlanOne();
    ASSERT_TRUE(write.has_value());
    partition().state = write->state;
    ++partition().version;
    partition().bounced.clear();
    EXPECT_FALSE(PlanOne().has_value()) << "the plan does not come to rest";
  }

  ElectionPlan Elect(protocol::ElectionType type) {
    return PlanElection(view_, kTp, type, ControllerEpoch(3));
  }
  std::string ElectOutcome(protocol::ElectionType type) {
    const ElectionPlan plan = Elect(type);
    if (plan.error != ErrorCode::kNone) return std::string(model::Name(plan.error));
    EXPECT_EQ(plan.write.tp, kTp);
    EXPECT_EQ(plan.write.expected_version, 8);
    ExpectSound(plan.write.state);
    return Describe(plan.write.state);
  }
  static constexpr protocol::ElectionType kPreferred = protocol::ElectionType::kPreferred;
  static constexpr protocol::ElectionType kUnclean = protocol::ElectionType::kUnclean;

  ClusterView view_;
};

TEST_F(PlanTest, AHealthyClusterNeedsNothing) { EXPECT_EQ(Outcome(), "-"); }

// Nobody has seen it go: what its followers have of it may be more than what it had written.
TEST_F(PlanTest, ALeaderThatCameBackWithItsLogLeadsOnInALaterEpoch) {
  view_.brokers[BrokerId(1)].incarnation = Incarnation(171);
  EXPECT_EQ(Outcome(), "1 of 1 2 3");
  CarryOut();
}

TEST_F(PlanTest, ADeadLeaderIsReplacedByTheFirstReplicaOfTheIsr) {
  Die(1);
  EXPECT_EQ(Outcome(), "2 of 2 3");
  SetState(1, {1, 3});
  EXPECT_EQ(Outcome(), "3 of 3") << "2 is not in the ISR";
  CarryOut();
}

TEST_F(PlanTest, TheOrderOfTheReplicasDecidesNotThatOfTheIsr) {
  SetState(1, {3, 2, 1});
  Die(1);
  EXPECT_EQ(Outcome(), "2 of 3 2");
}

TEST_F(PlanTest, ADeadFollowerLeavesTheIsr) {
  Die(3);
  EXPECT_EQ(Outcome(), "1 of 1 2");
  CarryOut();
}

TEST_F(PlanTest, ADeadReplicaOutsideOfTheIsrChangesNothing) {
  SetState(1, {1, 2});
  Die(3);
  EXPECT_EQ(Outcome(), "-");
}

TEST_F(PlanTest, Rule18_TheLastReplicaStandingStaysInTheIsrWhenItDies) {
  SetState(1, {1});
  Die(1);
  EXPECT_EQ(Outcome(), "-1 of 1");
  CarryOut();
  ComeBack(1);
  partition().version = 8;
  partition().state->leader_epoch = LeaderEpoch(5);
  EXPECT_EQ(Outcome(), "1 of 1");
}

TEST_F(PlanTest, WhenAllDieAtOnceAllStayInTheIsr) {
  for (const int32_t broker : {1, 2, 3}) Die(broker);
  EXPECT_EQ(Outcome(), "-1 of 1 2 3");
  CarryOut();
}

TEST_F(PlanTest, NobodyOutsideOfTheIsrIsElected) {
  SetState(1, {1});
  Die(1);
  partition().state->leader = model::kNoBroker;
  EXPECT_EQ(Outcome(), "-") << "2 and 3 live, but may lack what was committed";
}

TEST_F(PlanTest, Rule24_AMemberWithAnotherLogIsNotElected) {
  Die(1);
  ComeBackWithAnotherLog(2);
  EXPECT_EQ(Outcome(), "3 of 3");
}

TEST_F(PlanTest, Rule24_AMemberWithoutARecordedLogIsNotElected) {
  Die(1);
  partition().state->log_ids.erase(BrokerId(2));
  EXPECT_EQ(Outcome(), "3 of 3");
}

TEST_F(PlanTest, Rule24_AFollowerThatCameBackWithAnotherLogLeavesTheIsr) {
  ComeBackWithAnotherLog(2);
  EXPECT_EQ(Outcome(), "1 of 1 3");
}

TEST_F(PlanTest, Rule24_ALeaderThatCameBackWithAnotherLogLosesItsPlace) {
  ComeBackWithAnotherLog(1);
  EXPECT_EQ(Outcome(), "2 of 2 3");
}

TEST_F(PlanTest, Rule24_TheOnlyMemberWithAnotherLogLeadsNothing) {
  SetState(1, {1});
  ComeBackWithAnotherLog(1);
  EXPECT_EQ(Outcome(), "-1 of 1");
  CarryOut();
}

TEST_F(PlanTest, OneThatACrashMayHaveCostItsEndLeavesTheIsrAndAnotherLeads) {
  ComeBackTorn(1);
  EXPECT_EQ(Outcome(), "2 of 2 3");
  CarryOut();
}

TEST_F(PlanTest, WhereACrashTookAllOfTheIsrOneOfThemLeads) {
  for (const int32_t broker : {1, 2, 3}) ComeBackTorn(broker);
  EXPECT_EQ(Outcome(), "1 of 1");
  EXPECT_EQ(PlanOne()->state.log_ids.at(BrokerId(1)), model::AfterLoss(LogOf(1)));
  CarryOut();
}

TEST_F(PlanTest, WhereACrashTookAllOfTheIsrItsMembersAreWaitedFor) {
  for (const int32_t broker : {1, 2, 3}) ComeBackTorn(broker);
  Die(2);
  EXPECT_EQ(Outcome(), "-1 of 1 2 3");
  ComeBack(2);
  EXPECT_EQ(Outcome(), "2 of 2");
}

TEST_F(PlanTest, WhereACrashTookAnIsrBelowMinInsyncReplicasNobodyLeads) {
  topic().config.min_insync_replicas = 2;
  SetState(1, {1});
  ComeBackTorn(1);
  EXPECT_EQ(Outcome(), "-1 of 1");
  topic().config.unclean_leader_election = true;
  EXPECT_EQ(Outcome(), "1 of 1");
}

TEST_F(PlanTest, OneThatWasWipedIsNotOneThatLostItsEnd) {
  for (const int32_t broker : {1, 2}) ComeBackTorn(broker);
  ComeBackWithAnotherLog(3);
  EXPECT_EQ(Outcome(), "-1 of 1 2 3");
}

TEST_F(PlanTest, Rule24_AReportedBrokerWithoutTheLogWouldMakeANewOne) {
  SetState(1, {1});
  view_.brokers[BrokerId(1)].logs.clear();
  EXPECT_EQ(Outcome(), "-1 of 1");
  // Had it joined with the log that it would make, it would be the same one.
  partition().state->log_ids[BrokerId(1)] = NewLogId(Incarnation(71), kCreationId);
  EXPECT_EQ(Outcome(), "-");
}

TEST_F(PlanTest, ALeaderThatHasNotReportedIsWaitedFor) {
  ComeBackUnreported(1);
  EXPECT_EQ(Outcome(), "-");
  Die(3);
  EXPECT_EQ(Outcome(), "-");
}

TEST_F(PlanTest, AFollowerThatHasNotReportedStaysAndIsNotElected) {
  ComeBackUnreported(2);
  EXPECT_EQ(Outcome(), "-");
  Die(1);
  EXPECT_EQ(Outcome(), "3 of 2 3");
}

TEST_F(PlanTest, AnElectionWaitsForAMemberThatMaySayThatItIsGood) {
  SetState(1, {1, 2});
  Die(1);
  ComeBackUnreported(2);
  topic().config.unclean_leader_election = true;
  EXPECT_EQ(Outcome(), "-");
  ComeBack(2);
  EXPECT_EQ(Outcome(), "2 of 2");
}

TEST_F(PlanTest, ABouncedFollowerCountsAsFailed) {
  Bounce(3);
  EXPECT_EQ(Outcome(), "1 of 1 2");
  CarryOut();
}

TEST_F(PlanTest, ABouncedLeaderIsReplacedAndHasToFetchItsWayBack) {
  Bounce(1);
  EXPECT_EQ(Outcome(), "2 of 2 3");
  CarryOut();
}

TEST_F(PlanTest, ABouncedLeaderIsNotWaitedFor) {
  Bounce(1);
  ComeBackUnreported(1);
  EXPECT_EQ(Outcome(), "2 of 2 3");
}

TEST_F(PlanTest, ABouncedMemberThatLostNothingIsBetterThanNone) {
  SetState(1, {1});
  Bounce(1);
  EXPECT_EQ(Outcome(), "1 of 1") << "in a new epoch";
  SetState(1, {1, 2});
  Die(1);
  Bounce(2);
  EXPECT_EQ(Outcome(), "2 of 2");
  CarryOut();
}

TEST_F(PlanTest, WhereAllBouncedTheFirstLeadsAlone) {
  for (const int32_t broker : {1, 2, 3}) Bounce(broker);
  EXPECT_EQ(Outcome(), "1 of 1");
  CarryOut();
}

TEST_F(PlanTest, ABouncedMemberWithAnotherLogIsNotElected) {
  SetState(1, {1});
  Bounce(1);
  ComeBackWithAnotherLog(1);
  EXPECT_EQ(Outcome(), "-1 of 1");
}

TEST_F(PlanTest, AnUncleanElectionHappensOnlyWhereItIsAllowed) {
  SetState(1, {1});
  Die(1);
  EXPECT_EQ(Outcome(), "-1 of 1");
  topic().config.unclean_leader_election = true;
  EXPECT_EQ(Outcome(), "2 of 2");
  EXPECT_EQ(PlanOne()->state.log_ids.at(BrokerId(2)), LogOf(2));
  CarryOut();
}

TEST_F(PlanTest, ACleanElectionIsPreferredEvenWhereAnUncleanOneIsAllowed) {
  SetState(1, {1, 3});
  Die(1);
  topic().config.unclean_leader_election = true;
  EXPECT_EQ(Outcome(), "3 of 3");
}

TEST_F(PlanTest, AnUncleanLeaderIsRecordedWithTheLogThatItHas) {
  SetState(1, {1});
  ComeBackWithAnotherLog(1);
  topic().config.unclean_leader_election = true;
  EXPECT_EQ(Outcome(), "1 of 1");
  EXPECT_EQ(PlanOne()->state.log_ids.at(BrokerId(1)), LogId(0x99900));
}

TEST_F(PlanTest, ANewPartitionIsLedByItsFirstLivingReplica) {
  partition().state.reset();
  partition().version = -1;
  Die(1);
  view_.brokers[BrokerId(3)].logs.clear();
  const std::optional<StateWrite> write = PlanOne();
  ASSERT_TRUE(write.has_value());
  EXPECT_EQ(write->expected_version, -1);
  EXPECT_EQ(Describe(write->state), "2 of 2 3");
  EXPECT_EQ(write->state.leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(write->state.controller_epoch, ControllerEpoch(3));
  EXPECT_EQ(write->state.log_ids.at(BrokerId(2)), LogOf(2));
  EXPECT_EQ(write->state.log_ids.at(BrokerId(3)), NewLogId(Incarnation(73), kCreationId));
}

TEST_F(PlanTest, ANewPartitionWithoutALivingReplicaWaits) {
  partition().state.reset();
  for (const int32_t broker : {1, 2, 3}) Die(broker);
  EXPECT_EQ(Outcome(), "-");
}

TEST_F(PlanTest, ATopicBeingDeletedIsLeftAlone) {
  view_.deletions["t"] = 1;
  Die(1);
  EXPECT_EQ(Outcome(), "-");
}

TEST_F(PlanTest, EveryPartitionIsPlannedInItsOrder) {
  topic().partitions[PartitionId(1)] = partition();
  topic().partitions[PartitionId(1)].replicas = Ids({2, 3, 1});
  view_.topics["a"] = topic();
  view_.topics["a"].partitions.erase(PartitionId(0));
  // The logs of the copies are not those of LogOf: they are taken from what the brokers report.
  for (auto& [id, broker] : view_.brokers) {
    broker.logs[{"t", PartitionId(1)}] = LogOf(id.value());
    broker.logs[{"a", PartitionId(1)}] = LogOf(id.value());
  }
  Die(1);
  const std::vector<StateWrite> writes = Plan(view_, ControllerEpoch(3));
  ASSERT_EQ(writes.size(), 3u);
  EXPECT_EQ(writes[0].tp, (TopicPartition{"a", PartitionId(1)}));
  EXPECT_EQ(writes[1].tp, (TopicPartition{"t", PartitionId(0)}));
  EXPECT_EQ(writes[2].tp, (TopicPartition{"t", PartitionId(1)}));
}

// --- Elections that somebody asked for
// --------------------------------------------------------------

TEST_F(PlanTest, APreferredElectionMakesTheFirstReplicaLead) {
  SetState(2, {2, 3, 1});
  EXPECT_EQ(ElectOutcome(kPreferred), "1 of 2 3 1");
}

TEST_F(PlanTest, APreferredElectionIsNotNeededWhereItLeadsAlready) {
  EXPECT_EQ(ElectOutcome(kPreferred), "ELECTION_NOT_NEEDED");
}

TEST_F(PlanTest, APreferredLeaderMustLiveAndBeInSyncWithItsOwnLog) {
  SetState(2, {2, 3});
  EXPECT_EQ(ElectOutcome(kPreferred), "PREFERRED_LEADER_NOT_AVAILABLE");
  partition().state->log_ids[BrokerId(1)] = LogOf(1);  // left over by somebody
  EXPECT_EQ(ElectOutcome(kPreferred), "PREFERRED_LEADER_NOT_AVAILABLE");
  SetState(2, {1, 2, 3});
  ComeBackUnreported(1);
  EXPECT_EQ(ElectOutcome(kPreferred), "PREFERRED_LEADER_NOT_AVAILABLE");
  ComeBackWithAnotherLog(1);
  EXPECT_EQ(ElectOutcome(kPreferred), "PREFERRED_LEADER_NOT_AVAILABLE");
  Die(1);
  EXPECT_EQ(ElectOutcome(kPreferred), "PREFERRED_LEADER_NOT_AVAILABLE");
}

TEST_F(PlanTest, AnUncleanElectionOnRequestTakesTheFirstLivingReplica) {
  EXPECT_EQ(ElectOutcome(kUnclean), "ELECTION_NOT_NEEDED");
  SetState(-1, {1});
  Die(1);
  EXPECT_EQ(ElectOutcome(kUnclean), "2 of 2");
  ComeBackUnreported(2);
  EXPECT_EQ(ElectOutcome(kUnclean), "3 of 3") << "nobody knows which log 2 has";
  Die(2);
  Die(3);
  EXPECT_EQ(ElectOutcome(kUnclean), "ELIGIBLE_LEADERS_NOT_AVAILABLE");
}

TEST_F(PlanTest, AnUncleanElectionPrefersOneThatLostOnlyItsEnd) {
  SetState(-1, {1, 3});
  Die(1);
  ComeBackTorn(3);
  EXPECT_EQ(ElectOutcome(kUnclean), "3 of 3");
  ComeBackWithAnotherLog(3);
  EXPECT_EQ(ElectOutcome(kUnclean), "2 of 2");
}

TEST_F(PlanTest, ElectionsOfWhatIsNotThere) {
  for (const auto type : {kPreferred, kUnclean}) {
    EXPECT_EQ(PlanElection(view_, {"none", PartitionId(0)}, type, ControllerEpoch(3)).error,
              ErrorCode::kUnknownTopicOrPartition);
    EXPECT_EQ(PlanElection(view_, {"t", PartitionId(9)}, type, ControllerEpoch(3)).error,
              ErrorCode::kUnknownTopicOrPartition);
  }
  SetState(2, {1, 2});
  view_.deletions["t"] = 1;
  EXPECT_EQ(Elect(kPreferred).error, ErrorCode::kUnknownTopicOrPartition) << "as good as gone";
  view_.deletions.clear();
  partition().state.reset();
  EXPECT_EQ(Elect(kPreferred).error, ErrorCode::kUnknownTopicOrPartition);
}

// --- Log ids -------------------------------------------------------------------------------------

TEST(LogIdTest, LossesAreCounted) {
  LogId log(0x1200);
  for (int losses = 1; losses <= 600; ++losses) {
    const LogId after = model::AfterLoss(log);
    EXPECT_NE(after, log);
    EXPECT_NE(after, LogId(0x1200));
    EXPECT_TRUE(model::SameOrigin(after, log));
    log = after;
  }
  EXPECT_FALSE(model::SameOrigin(LogId(0x1300), log));
  EXPECT_EQ(model::AfterLoss(LogId()), LogId());
}

TEST(NewLogIdTest, EveryRegistrationAndTopicMakesAnotherLog) {
  std::set<LogId> ids;
  for (int64_t incarnation = 1; incarnation <= 50; ++incarnation) {
    for (int64_t creation = 0; creation < 50; ++creation) {
      const LogId id = NewLogId(Incarnation(incarnation), creation);
      EXPECT_NE(id, LogId());
      EXPECT_EQ(id, NewLogId(Incarnation(incarnation), creation));
      ids.insert(id);
    }
  }
  EXPECT_EQ(ids.size(), 2500u);
}

}  // namespace
}  // namespace kafkalite::controller
