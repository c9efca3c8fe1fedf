// The rules of replication, told as stories, each under the number of the rule that it is about.
// What a single replica, controller or broker must not do is tested beside their code, in
// replication/{replica_core,partition}_test.cc, controller/term_test.cc and server/.

#include <set>

#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Rules : public ScenarioTest {};

INSTANTIATE_TEST_SUITE_P(Executors, Rules, ::testing::Values(kRealTime, 1, 2, 3, 4, 5),
                         ScenarioName);

// The story of KIP-101: what a deposed leader has beyond the new one's log goes.
TEST_P(Rules, Rule1_ADeposedLeaderTruncatesByEpochWhatDiverged) {
  Start();
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "common");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Isolate(1, Faults::Scope::kBrokersAndCoordination), IsOk());
  MustSend(*one, "lost-1");
  MustSend(*one, "lost-2");
  ASSERT_TRUE(Eventually([&] { return ReadReplica(2).is_leader || ReadReplica(3).is_leader; }));
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "kept");

  const int32_t leader = ReadReplica(2).is_leader ? 2 : 3;
  std::vector<std::string> diverged = Values(1);
  diverged.resize(3);  // a client that still took it for the leader may have tried it since
  EXPECT_EQ(diverged, (std::vector<std::string>{"common", "lost-1", "lost-2"}));
  EXPECT_EQ(Values(leader), (std::vector<std::string>{"common", "kept"}));
  EXPECT_GT(ReadReplica(leader).leader_epoch, ReadReplica(1).leader_epoch);

  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Values(1), (std::vector<std::string>{"common", "kept"}));
  EXPECT_FALSE(ReadReplica(1).is_leader);
}

// KIP-279: several epochs apart, the follower walks down until both know an epoch.
TEST_P(Rules, Rule2_DivergenceOverSeveralEpochsIsFound) {
  Start();
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "common");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Isolate(1, Faults::Scope::kBrokersAndCoordination), IsOk());
  for (int i = 0; i < 5; ++i) MustSend(*one, "lost");
  ASSERT_TRUE(Eventually([&] { return ReadReplica(2).is_leader || ReadReplica(3).is_leader; }));
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "kept-1");
  // One more reign on the other side.
  const int32_t leader = ReadReplica(2).is_leader ? 2 : 3;
  ASSERT_TRUE(cluster_->Shutdown(leader).ok());
  MustSend(*all, "kept-2");
  ASSERT_TRUE(cluster_->Restart(leader).ok());
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Values(1), (std::vector<std::string>{"common", "kept-1", "kept-2"}));
}

TEST_P(Rules, Rule3_ANewLeaderRecordsItsEpochWithoutAWrite) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "a");
  ASSERT_TRUE(cluster_->Kill(1).ok());
  ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
  const Replica leader = ReadReplica(Describe().leader);
  ASSERT_FALSE(leader.epochs.empty());
  EXPECT_EQ(leader.epochs.back().first, leader.leader_epoch);
  EXPECT_EQ(leader.epochs.back().second, 1);
}

// KAFKA-7164: missed epochs count even when the leader is the same broker in the end.
TEST_P(Rules, Rule4_AFollowerThatMissedEpochsOfTheSameLeaderAgreesAgain) {
  Start();
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "common");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Isolate(3, Faults::Scope::kBrokersAndCoordination), IsOk());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  ASSERT_TRUE(cluster_->Shutdown(1).ok());
  ASSERT_TRUE(AwaitLeader(2)) << State();
  ASSERT_TRUE(cluster_->Restart(1).ok());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  ASSERT_TRUE(Eventually([&] { return topic_->ElectLeader(0).ok() || Describe().leader == 1; }));
  MustSend(*one, "later");
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
}

// KAFKA-9491, KAFKA-7414: a follower behind the leader's log start begins anew there.
TEST_P(Rules, Rule7_AFollowerBehindTheLogStartRestartsThere) {
  Start({}, {.retention_bytes = 20000});
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "first");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Isolate(3, Faults::Scope::kBrokersAndCoordination), IsOk());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  for (int i = 0; i < 100; ++i) MustSend(*one, std::string(1000, 'x'));
  ASSERT_GT(ReadReplica(1).log_start_offset, 0);
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  ASSERT_TRUE(
      Eventually([&] { return ReadReplica(3).log_end_offset == ReadReplica(1).log_end_offset; }));
  const Replica follower = ReadReplica(3);
  EXPECT_GT(follower.log_start_offset, 0);
  EXPECT_GE(follower.high_watermark, follower.log_start_offset);
}

// A shrink that coordination has not confirmed does not help the high watermark.
TEST_P(Rules, Rule8_AnUnconfirmedShrinkDoesNotCommit) {
  Start({}, {.min_insync_replicas = 1});
  auto all = MakeProducer(Acks::kAll, milliseconds(1500));
  MustSend(*all, "a");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  // The leader cannot tell coordination that it has lost its followers.
  ASSERT_THAT(faults_->Isolate(1, Faults::Scope::kBrokersAndCoordination), IsOk());
  Ticket ticket = all->Send({.topic = kTopic, .partition = 0, .value = "b"});
  Wait(milliseconds(250));  // longer than the lag allowed, shorter than the session
  EXPECT_EQ(ReadReplica(1).high_watermark, 1);
  EXPECT_EQ(ReadReplica(1).log_end_offset, 2);
  EXPECT_FALSE(ticket.done());
}

TEST_P(Rules, Rule9_AnEmptyReplicaIsNotInSyncBeforeItHasCaughtUp) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  for (int i = 0; i < 10; ++i) MustSend(*all, std::to_string(i));
  ASSERT_TRUE(AwaitControllerThat([](int32_t id) { return id != 3; })) << State();
  ASSERT_TRUE(cluster_->Kill(3).ok());
  ASSERT_THAT(faults_->CutOneWay(3, 1), IsOk());  // it hears, and cannot fetch
  ASSERT_THAT(faults_->CutOneWay(3, 2), IsOk());
  ASSERT_TRUE(cluster_->Restart(3).ok());
  Wait(milliseconds(100));
  EXPECT_EQ(Describe().isr.size(), 2u);
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  EXPECT_EQ(ReadReplica(3).log_end_offset, 10);
}

// A fresh leader's high watermark may be stale: nobody is told an end below what was committed.
TEST_P(Rules, Rule10_TheEndNeverGoesBackAcrossAnElection) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  for (int i = 0; i < 10; ++i) MustSend(*all, std::to_string(i));
  ASSERT_TRUE(cluster_->Kill(1).ok());
  auto consumer = Consumer::Create(*cluster_, {});
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE((*consumer)->AssignTopic(kTopic).ok());
  ASSERT_TRUE((*consumer)->SeekToEnd().ok());
  const auto end = (*consumer)->Position({kTopic, 0});
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, 10);
}

TEST_P(Rules, Rule11_MinInsyncReplicasIsCheckedBeforeTheAppend) {
  Start({}, {.min_insync_replicas = 2});
  auto all = MakeProducer(Acks::kAll, milliseconds(600));
  MustSend(*all, "a");
  ASSERT_TRUE(cluster_->Kill(2).ok());
  MustSend(*all, "b");
  ASSERT_TRUE(cluster_->Kill(3).ok());
  ASSERT_TRUE(AwaitIsr({1})) << State();
  const auto refused = Send(*all, "c");
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("NOT_ENOUGH_REPLICAS"), std::string::npos)
      << refused.status();
  EXPECT_EQ(Values(1), (std::vector<std::string>{"a", "b"}));
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "d");  // acks=1 does not ask
}

// KAFKA-6082: a controller that was cut off cannot decide anything any more.
TEST_P(Rules, Rule12_AControllerThatIsCutOffIsSucceededAndItsWritesAreRefused) {
  Start();
  const int32_t old = AwaitController();
  ASSERT_THAT(faults_->Cut(old, Node::Coordination()), IsOk());
  ASSERT_TRUE(Eventually([&] {
    int controllers = 0;
    for (const int32_t id : cluster_->broker_ids()) {
      if (id != old && *cluster_->broker(id).is_controller()) ++controllers;
    }
    return controllers == 1;
  }));
  faults_->HealAll();
  ASSERT_TRUE(Eventually([&] { return !*cluster_->broker(old).is_controller(); }));
  // Once the old one has registered again, the new one can use all three.
  EXPECT_TRUE(Eventually(
      [&] { return cluster_->CreateTopic("second-test", {.replication_factor = 3}).ok(); }));
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
}

// KAFKA-7235, KIP-903: a broker that bounced before anybody noticed is a new one.
TEST_P(Rules, Rule14And15_ABrokerThatBouncesUnnoticedIsNotTakenForItsFormerSelf) {
  Start({.kill_detection = milliseconds(250)}, {.min_insync_replicas = 2});
  auto all = MakeProducer(Acks::kAll);
  for (int i = 0; i < 5; ++i) MustSend(*all, std::to_string(i));
  const uint64_t before = ReadReplica(3).log_id;
  ASSERT_TRUE(cluster_->Kill(3).ok());
  ASSERT_TRUE(cluster_->Restart(3).ok());  // waits until the old registration is gone
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_NE(ReadReplica(3).log_id, before);
  for (int i = 5; i < 10; ++i) MustSend(*all, std::to_string(i));
  EXPECT_EQ(Consume().size(), 10u);
}

TEST_P(Rules, Rule15_AWipedBrokerMayNotLeadBeforeItHasCaughtUp) {
  Start({.brokers = 4}, {.assignment = {{1, 2, 3}}});
  auto all = MakeProducer(Acks::kAll);
  for (int i = 0; i < 5; ++i) MustSend(*all, std::to_string(i));
  ASSERT_TRUE(cluster_->Kill(1).ok());
  ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
  const int32_t second = Describe().leader;
  const int32_t third = 5 - second;
  // It comes back empty, and cannot fetch.
  for (const int32_t other : {2, 3, 4}) ASSERT_THAT(faults_->CutOneWay(1, other), IsOk());
  ASSERT_TRUE(cluster_->Restart(1).ok());
  ASSERT_TRUE(cluster_->Kill(second).ok());
  ASSERT_TRUE(AwaitLeader(third)) << State();
  Wait(milliseconds(100));
  EXPECT_EQ(Describe().leader, third);
  EXPECT_EQ(Describe().isr, std::vector<int32_t>{third});
  ASSERT_TRUE(cluster_->Kill(third).ok());
  Wait(milliseconds(100));
  EXPECT_EQ(Describe().leader, -1);  // rather nobody than broker 1
  EXPECT_EQ(ReadReplica(1).log_end_offset, 0);
}

// KAFKA-14144, KAFKA-2729: an ISR write whose fate is unknown is read again, not fought over.
TEST_P(Rules, Rule16_ALeaderRecoversFromALostIsrWrite) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "a");
  // A session that outlives the cut, and a follower that falls behind meanwhile.
  ASSERT_THAT(faults_->Cut(1, 3), IsOk());
  ASSERT_THAT(faults_->CutOneWay(Node::Coordination(), 1),
              IsOk());  // coordination's answers to broker 1 are lost
  auto one = MakeProducer(Acks::kLeader);
  MustSend(*one, "b");
  Wait(milliseconds(260));
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  MustSend(*all, "c");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
}

// KIP-98: the last five batches are remembered on every replica.
TEST_P(Rules, Rule21_ARetryOnANewLeaderIsNotAppendedTwice) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "a");
  ASSERT_THAT(faults_->CutOneWay(1, Node::Clients()), IsOk());
  Ticket ticket = all->Send({.topic = kTopic, .partition = 0, .value = "b"});
  EXPECT_FALSE(ticket.Wait(milliseconds(50)).ok());
  ASSERT_TRUE(Eventually([&] { return ReadReplica(2).log_end_offset == 2; }));
  ASSERT_TRUE(cluster_->Kill(1).ok());
  const auto where = ticket.Wait();
  ASSERT_TRUE(where.ok()) << where.status();
  EXPECT_EQ(where->offset, 1);
  MustSend(*all, "c");
  faults_->HealAll();  // for the consumer, which is another client
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_P(Rules, Rule23_ACommandThatWasLostIsRepeated) {
  Start({}, {.assignment = {{2, 3, 1}}});
  ASSERT_TRUE(AwaitControllerThat([](int32_t id) { return id == 1; })) << State();
  ASSERT_TRUE(Eventually([&] { return Describe().leader == 2 || topic_->ElectLeader(0).ok(); }));
  ASSERT_THAT(faults_->CutOneWay(1, 3), IsOk());
  ASSERT_TRUE(cluster_->Kill(2).ok());
  Wait(milliseconds(100));
  EXPECT_FALSE(ReadReplica(3).is_leader);
  faults_->HealAll();
  ASSERT_TRUE(Eventually([&] { return ReadReplica(3).is_leader; }));
  auto all = MakeProducer(Acks::kAll);
  MustSend(*all, "a");
}

TEST_P(Rules, Rule24_ACleanRestartOfEverybodyChangesNothing) {
  Start();
  auto all = MakeProducer(Acks::kAll);
  for (int i = 0; i < 5; ++i) MustSend(*all, std::to_string(i));
  const uint64_t log_id = ReadReplica(1).log_id;
  for (const int32_t id : {3, 2, 1}) ASSERT_TRUE(cluster_->Shutdown(id).ok());
  for (const int32_t id : {1, 2, 3}) ASSERT_TRUE(cluster_->Restart(id).ok());
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  EXPECT_EQ(ReadReplica(1).log_id, log_id);
  EXPECT_EQ(Consume().size(), 5u);
}

TEST_P(Rules, Rule24_ALostLastReplicaLeavesNoLeaderUntilAnUncleanElection) {
  Start();
  auto all = MakeProducer(Acks::kAll, milliseconds(800));
  MustSend(*all, "a");
  ASSERT_TRUE(cluster_->Kill(3).ok());
  ASSERT_TRUE(cluster_->Kill(2).ok());
  ASSERT_TRUE(AwaitIsr({1})) << State();
  MustSend(*all, "b");
  ASSERT_TRUE(cluster_->Kill(1).ok());
  for (const int32_t id : {1, 2, 3}) ASSERT_TRUE(cluster_->Restart(id).ok());
  Wait(milliseconds(200));
  EXPECT_EQ(Describe().leader, -1);
  EXPECT_EQ(Describe().isr, std::vector<int32_t>{1});
  EXPECT_FALSE(Send(*all, "c").ok());
  const absl::Status elected = topic_->ElectLeader(0, Election::kUnclean);
  ASSERT_TRUE(elected.ok()) << elected;
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  auto again = MakeProducer(Acks::kAll);
  MustSend(*again, "d");
}

}  // namespace
}  // namespace kafkalite::testing
