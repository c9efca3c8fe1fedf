// The rules of replication, one by one, on the pure state machine. The numbers are those of
// docs/internals/replication.md.

#include "kafkalite/replication/replica_core.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/random.h"

namespace kafkalite::replication {

void PrintTo(const EpochEnd& end, std::ostream* out) {
  *out << "epoch " << end.epoch.value() << " ends at " << end.end_offset.value();
}

namespace {

using model::BrokerId;
using model::ErrorCode;
using model::Incarnation;
using model::LeaderEpoch;
using model::LogId;
using model::Offset;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = ReplicaCore::FetchAction::Kind;
using Transition = ReplicaCore::Transition;

constexpr base::Duration kLag = seconds(10);
const base::Time kStart = base::Time(seconds(1000));

LogId LogOf(int32_t broker) { return LogId(static_cast<uint64_t>(broker) * 10); }

struct State {
  int32_t leader = 1;
  int32_t epoch = 0;
  std::vector<int32_t> isr = {1, 2, 3};
  int32_t version = 0;
  int32_t min_insync_replicas = 1;
  std::map<int32_t, LogId> other_logs = {};  // instead of LogOf
};

transport::PartitionUpdate Update(const State& state) {
  transport::PartitionUpdate update;
  update.tp = {"t", model::PartitionId(0)};
  update.leader = BrokerId(state.leader);
  update.leader_epoch = LeaderEpoch(state.epoch);
  update.replicas = {BrokerId(1), BrokerId(2), BrokerId(3)};
  for (const int32_t member : state.isr) {
    update.isr.push_back(BrokerId(member));
    const auto other = state.other_logs.find(member);
    update.log_ids[BrokerId(member)] =
        other != state.other_logs.end() ? other->second : LogOf(member);
  }
  update.state_version = state.version;
  update.config.min_insync_replicas = state.min_insync_replicas;
  return update;
}

Isr Members(const std::vector<int32_t>& brokers) {
  Isr isr;
  for (const int32_t broker : brokers) isr.members[BrokerId(broker)] = LogOf(broker);
  return isr;
}

std::vector<int32_t> Brokers(const Isr& isr) {
  std::vector<int32_t> brokers;
  for (const auto& [broker, log] : isr.members) brokers.push_back(broker.value());
  return brokers;
}
using Ints = std::vector<int32_t>;

EpochCache Epochs(const std::vector<std::pair<int32_t, int64_t>>& entries) {
  EpochCache cache;
  for (const auto& [epoch, start] : entries) cache.Assign(LeaderEpoch(epoch), Offset(start));
  return cache;
}

ReplicaCore MakeCore(int32_t self, int64_t end = 0,
                     const std::vector<std::pair<int32_t, int64_t>>& epochs = {},
                     int64_t start = 0) {
  return ReplicaCore({.self = BrokerId(self), .lag_time_max = kLag}, LogOf(self),
                     {Offset(start), Offset(end)}, Epochs(epochs));
}

struct FetchSpec {
  int32_t replica = 2;
  int64_t offset = 0;
  int32_t epoch = 0;        // the leader's, as the follower knows it
  int32_t last_epoch = -1;  // of the record before the offset
  int64_t incarnation = 1;
  LogId log;  // none: LogOf(replica)
};

transport::ReplicaFetchRequest Fetch(const FetchSpec& spec) {
  transport::ReplicaFetchRequest fetch;
  fetch.replica = BrokerId(spec.replica);
  fetch.incarnation = Incarnation(spec.incarnation);
  fetch.log_id = spec.log == LogId() ? LogOf(spec.replica) : spec.log;
  fetch.current_leader_epoch = LeaderEpoch(spec.epoch);
  fetch.fetch_offset = Offset(spec.offset);
  fetch.last_fetched_epoch = LeaderEpoch(spec.last_epoch);
  return fetch;
}

// Broker 1 with followers 2 and 3.
class ReplicaCoreTest : public testing::Test {
 protected:
  // A leader of epoch 0, unless said otherwise, whose log ends at `end`.
  ReplicaCore MakeLeader(const State& state, int64_t end = 0,
                         const std::vector<std::pair<int32_t, int64_t>>& epochs = {}) {
    ReplicaCore core = MakeCore(1, end, epochs);
    EXPECT_EQ(core.Apply(Update(state), now_, effects_), Transition::kBecameLeader);
    return core;
  }
  ReplicaCore MakeLeader() { return MakeLeader(State()); }

  // A sound fetch.
  void FetchOk(ReplicaCore& core, FetchSpec spec) {
    if (spec.offset > 0 && spec.last_epoch < 0) spec.last_epoch = core.epochs().latest().value();
    const auto verdict = core.OnFollowerFetch(Fetch(spec), now_, effects_);
    EXPECT_EQ(verdict.error, ErrorCode::kNone);
    EXPECT_FALSE(verdict.diverging.has_value());
  }
  ErrorCode FetchError(ReplicaCore& core, const FetchSpec& spec) {
    return core.OnFollowerFetch(Fetch(spec), now_, effects_).error;
  }
  void Append(ReplicaCore& core, int64_t end) {
    core.Appended(Offset(end), effects_);
    core.Secured(Offset(end), effects_);
  }
  void Tick(ReplicaCore& core) { core.Tick(now_, effects_); }

  // What was proposed since the last call; empty if nothing.
  Ints TakeProposal() {
    if (!effects_.propose_isr) return {};
    proposal_ = *std::exchange(effects_.propose_isr, std::nullopt);
    return Brokers(proposal_.isr);
  }
  static int64_t Hw(const ReplicaCore& core) { return core.high_watermark().value(); }

  // A leader with broker 3 outside of the ISR and everybody at offset 10.
  ReplicaCore MakeLeaderOfTwo() {
    ReplicaCore core = MakeLeader({.isr = {1, 2}});
    Append(core, 10);
    FetchOk(core, {.replica = 2, .offset = 10});
    EXPECT_EQ(Hw(core), 10);
    return core;
  }
  // The same, with the proposal to take 3 back under way.
  ReplicaCore MakeLeaderProposingThree() {
    ReplicaCore core = MakeLeaderOfTwo();
    FetchOk(core, {.replica = 3, .offset = 10});
    EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
    return core;
  }
  // The same, with the proposal to drop the silent 3 under way.
  ReplicaCore MakeLeaderDroppingThree() {
    ReplicaCore core = MakeLeader();
    Append(core, 10);
    now_ += kLag + milliseconds(1);
    FetchOk(core, {.replica = 2, .offset = 10});
    Tick(core);
    EXPECT_EQ(TakeProposal(), (Ints{1, 2}));
    EXPECT_EQ(Hw(core), 0);
    return core;
  }

  base::Time now_ = kStart;
  Effects effects_;
  IsrProposal proposal_;
};

// --- Transitions --------------------------------------------------------------------------------

TEST_F(ReplicaCoreTest, Rule13_AStateOfAnOlderEpochChangesNothing) {
  ReplicaCore core = MakeLeader({.epoch = 5, .version = 3});
  EXPECT_EQ(core.Apply(Update({.leader = 2, .epoch = 4, .version = 9}), now_, effects_),
            Transition::kStale);
  EXPECT_EQ(core.role(), Role::kLeader);
  EXPECT_EQ(core.leader_epoch(), LeaderEpoch(5));
}

TEST_F(ReplicaCoreTest, Rule13_AnOlderVersionOfTheSameEpochChangesNothing) {
  ReplicaCore core = MakeLeader({.epoch = 5, .version = 3});
  EXPECT_EQ(core.Apply(Update({.epoch = 5, .isr = {1}, .version = 2}), now_, effects_),
            Transition::kStale);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, TheSameStateAgainOnlyBringsTheConfiguration) {
  ReplicaCore core = MakeLeaderProposingThree();
  EXPECT_EQ(core.Apply(Update({.isr = {1, 2}, .min_insync_replicas = 3}), now_, effects_),
            Transition::kUnchanged);
  EXPECT_TRUE(core.isr_write_pending());
  EXPECT_EQ(core.CheckAppend(/*acks_all=*/true), ErrorCode::kNotEnoughReplicas);
}

TEST_F(ReplicaCoreTest, WithoutALeaderAReplicaIsOffline) {
  ReplicaCore core = MakeLeader();
  EXPECT_EQ(core.Apply(Update({.leader = -1, .epoch = 1, .version = 1}), now_, effects_),
            Transition::kBecameOffline);
  EXPECT_EQ(core.CheckAppend(false), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(FetchError(core, {.epoch = 1}), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(core.CheckLatestOffset(), ErrorCode::kNotLeaderOrFollower);
}

TEST_F(ReplicaCoreTest, Rule24_ALeaderWhoseLogIsNotTheOneItJoinedWithRefuses) {
  ReplicaCore core = MakeCore(1, 10, {{0, 0}});
  EXPECT_EQ(core.Apply(Update({.other_logs = {{1, LogId(999)}}}), now_, effects_),
            Transition::kBecameOffline);
  EXPECT_EQ(core.CheckAppend(false), ErrorCode::kNotLeaderOrFollower);
  // Nor one that is no member at all.
  EXPECT_EQ(core.Apply(Update({.epoch = 1, .isr = {2, 3}, .version = 1}), now_, effects_),
            Transition::kBecameOffline);
  // Elected with the log that it has, it leads.
  EXPECT_EQ(core.Apply(Update({.epoch = 2, .isr = {1}, .version = 2}), now_, effects_),
            Transition::kBecameLeader);
}

TEST_F(ReplicaCoreTest, Rule24_AProposalRecordsTheLogThatFetched) {
  ReplicaCore core = MakeLeaderOfTwo();
  FetchOk(core, {.replica = 3, .offset = 10, .log = LogId(77)});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  EXPECT_EQ(proposal_.isr.members.at(BrokerId(3)), LogId(77));
  EXPECT_EQ(proposal_.isr.members.at(BrokerId(2)), LogOf(2));
}

TEST_F(ReplicaCoreTest, Rule24_AMemberThatCameBackWithAnotherLogIsRecordedAnewOnceCaughtUp) {
  ReplicaCore core = MakeLeader();
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10});
  FetchOk(core, {.replica = 3, .offset = 10});
  ASSERT_EQ(Hw(core), 10);
  FetchOk(core, {.replica = 3, .offset = 0, .incarnation = 2, .log = LogId(77)});
  EXPECT_EQ(TakeProposal(), Ints()) << "it has nothing yet";
  FetchOk(core, {.replica = 3, .offset = 10, .incarnation = 2, .log = LogId(77)});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  EXPECT_EQ(proposal_.isr.members.at(BrokerId(3)), LogId(77));
}

// --- Rules 1 to 4: epochs and truncation
// ----------------------------------------------------------

TEST_F(ReplicaCoreTest, Rule1_AFollowerTruncatesByEpochNotByHighWatermark) {
  // Its HW says 5, but all of its ten records are the leader's too: they stay.
  ReplicaCore core = MakeCore(2, 10, {{0, 0}});
  ASSERT_EQ(core.Apply(Update({.epoch = 1}), now_, effects_), Transition::kBecameFollower);
  core.Fetched(Offset(10), Offset(5), effects_);
  const auto fetch = core.NextFetch({"t", model::PartitionId(0)}, Incarnation(4));
  EXPECT_EQ(fetch.fetch_offset, Offset(10));
  EXPECT_EQ(fetch.last_fetched_epoch, LeaderEpoch(0));
  EXPECT_EQ(fetch.current_leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(fetch.replica, BrokerId(2));
  EXPECT_EQ(fetch.incarnation, Incarnation(4));
  EXPECT_EQ(fetch.log_id, LogOf(2));
}

TEST_F(ReplicaCoreTest, Rule1_RecordsOfADeadEpochAreTruncatedEvenBelowTheLeadersEnd) {
  // The leader wrote 5.. in epoch 2, the follower 5.. in epoch 1: the same offsets, other records.
  ReplicaCore leader = MakeLeader({.epoch = 2}, 5, {{0, 0}});
  Append(leader, 20);
  const auto verdict =
      leader.OnFollowerFetch(Fetch({.offset = 8, .epoch = 2, .last_epoch = 1}), now_, effects_);
  EXPECT_EQ(verdict.error, ErrorCode::kNone);
  EXPECT_EQ(verdict.diverging, (EpochEnd{LeaderEpoch(0), Offset(5)}));

  ReplicaCore follower = MakeCore(2, 8, {{0, 0}, {1, 5}});
  follower.Apply(Update({.epoch = 2}), now_, effects_);
  transport::ReplicaFetchResponse response;
  response.diverging = {LeaderEpoch(0), Offset(5)};
  const auto action = follower.OnFetchResponse(response, LeaderEpoch(2));
  EXPECT_EQ(action.kind, Kind::kTruncateSuffix);
  EXPECT_EQ(action.offset, Offset(5));
}

TEST_F(ReplicaCoreTest, Rule1_AnAheadFollowerOfTheSameEpochDiverges) {
  ReplicaCore leader = MakeLeader({.epoch = 3}, 10, {{0, 0}});
  const auto verdict =
      leader.OnFollowerFetch(Fetch({.offset = 15, .epoch = 3, .last_epoch = 0}), now_, effects_);
  EXPECT_EQ(verdict.diverging, (EpochEnd{LeaderEpoch(0), Offset(10)}));
}

TEST_F(ReplicaCoreTest, Rule2_AFollowerIteratesDownThroughEpochsItDoesNotKnow) {
  // KIP-279. Leader: 0:[0,10) 2:[10,20) 4:[20,30). Follower: 0:[0,10) 1:[10,15) 3:[15,25).
  ReplicaCore leader = MakeLeader({.epoch = 5}, 30, {{0, 0}, {2, 10}, {4, 20}});
  ReplicaCore follower = MakeCore(2, 25, {{0, 0}, {1, 10}, {3, 15}});
  follower.Apply(Update({.epoch = 5}), now_, effects_);
  std::vector<int64_t> ends;
  for (int round = 0; round < 10; ++round) {
    const auto fetch = follower.NextFetch({"t", model::PartitionId(0)}, Incarnation(1));
    const auto verdict = leader.OnFollowerFetch(fetch, now_, effects_);
    ASSERT_EQ(verdict.error, ErrorCode::kNone);
    if (!verdict.diverging) break;
    transport::ReplicaFetchResponse response;
    response.diverging = {verdict.diverging->epoch, verdict.diverging->end_offset};
    const auto action = follower.OnFetchResponse(response, LeaderEpoch(5));
    ASSERT_EQ(action.kind, Kind::kTruncateSuffix);
    ends.push_back(action.offset.value());
    follower.Truncated({Offset(0), action.offset});
  }
  EXPECT_EQ(ends, (std::vector<int64_t>{15, 10}));
  EXPECT_EQ(follower.epochs().latest(), LeaderEpoch(0));
}

TEST_F(ReplicaCoreTest, Rule2_WithNoCommonEpochTheFollowerBeginsAnew) {
  ReplicaCore follower = MakeCore(2, 25, {{1, 0}});
  follower.Apply(Update({.epoch = 5}), now_, effects_);
  transport::ReplicaFetchResponse response;
  response.diverging = transport::ReplicaFetchResponse::EpochEnd();
  response.log_start_offset = Offset(4);
  const auto action = follower.OnFetchResponse(response, LeaderEpoch(5));
  EXPECT_EQ(action.kind, Kind::kRestartAt);
  EXPECT_EQ(action.offset, Offset(4));
}

TEST_F(ReplicaCoreTest, Rule3_ANewLeaderRecordsItsEpochAtOnce) {
  // KAFKA-7415: without a write in it.
  const ReplicaCore core = MakeLeader({.epoch = 3}, 10, {{0, 0}});
  ASSERT_EQ(core.epochs().entries().size(), 2u);
  EXPECT_EQ(core.epochs().latest(), LeaderEpoch(3));
  EXPECT_EQ(core.epochs().entries().back().start_offset, Offset(10));
}

TEST_F(ReplicaCoreTest, Rule3_AnEpochWithoutRecordsStillEndsTheOneBeforeIt) {
  // A follower with three uncommitted records of epoch 0 must lose them to a leader of epoch 1
  // that has written nothing yet.
  ReplicaCore core = MakeLeader({.epoch = 1}, 10, {{0, 0}});
  const auto verdict =
      core.OnFollowerFetch(Fetch({.offset = 13, .epoch = 1, .last_epoch = 0}), now_, effects_);
  EXPECT_EQ(verdict.diverging, (EpochEnd{LeaderEpoch(0), Offset(10)}));
}

TEST_F(ReplicaCoreTest, Rule3_ADethronedLeaderGivesUpAnEpochInWhichItWroteNothing) {
  ReplicaCore old = MakeLeader({.epoch = 3}, 10, {{0, 0}});
  ASSERT_EQ(old.Apply(Update({.leader = 2, .epoch = 4, .version = 1}), now_, effects_),
            Transition::kBecameFollower);
  const auto fetch = old.NextFetch({"t", model::PartitionId(0)}, Incarnation(1));
  EXPECT_EQ(fetch.last_fetched_epoch, LeaderEpoch(3));
  transport::ReplicaFetchResponse response;  // the new leader never heard of epoch 3
  response.diverging = {LeaderEpoch(0), Offset(10)};
  const auto action = old.OnFetchResponse(response, LeaderEpoch(4));
  EXPECT_EQ(action.kind, Kind::kTruncateSuffix);
  EXPECT_EQ(action.offset, Offset(10)) << "no record is lost";
  old.Truncated({Offset(0), Offset(10)});
  EXPECT_EQ(old.NextFetch({"t", model::PartitionId(0)}, Incarnation(1)).last_fetched_epoch,
            LeaderEpoch(0));
}

TEST_F(ReplicaCoreTest, Rule4_ANewEpochOfTheSameLeaderIsAChange) {
  ReplicaCore follower = MakeCore(2);
  ASSERT_EQ(follower.Apply(Update({.epoch = 1}), now_, effects_), Transition::kBecameFollower);
  EXPECT_EQ(follower.Apply(Update({.epoch = 2, .version = 1}), now_, effects_),
            Transition::kBecameFollower);
  EXPECT_EQ(follower.NextFetch({"t", model::PartitionId(0)}, Incarnation(1)).current_leader_epoch,
            LeaderEpoch(2));

  ReplicaCore leader = MakeLeader({.epoch = 1});
  Append(leader, 5);
  FetchOk(leader, {.replica = 2, .offset = 5, .epoch = 1});
  EXPECT_EQ(leader.Apply(Update({.epoch = 2, .version = 1}), now_, effects_),
            Transition::kBecameLeader);
  FetchOk(leader, {.replica = 3, .offset = 5, .epoch = 2, .last_epoch = 1});
  EXPECT_EQ(Hw(leader), 0) << "what 2 had in the last epoch does not count in this one";
  FetchOk(leader, {.replica = 2, .offset = 5, .epoch = 2, .last_epoch = 1});
  EXPECT_EQ(Hw(leader), 5);
}

TEST_F(ReplicaCoreTest, Rule4_AnAnswerFromBeforeAnEpochChangeIsIgnored) {
  // KAFKA-7786.
  ReplicaCore follower = MakeCore(2, 10, {{0, 0}});
  follower.Apply(Update({.epoch = 2, .version = 1}), now_, effects_);
  transport::ReplicaFetchResponse response;
  EXPECT_EQ(follower.OnFetchResponse(response, LeaderEpoch(1)).kind, Kind::kRetry);
  response.diverging = {LeaderEpoch(0), Offset(3)};
  EXPECT_EQ(follower.OnFetchResponse(response, LeaderEpoch(1)).kind, Kind::kRetry);
  response.error = ErrorCode::kOffsetOutOfRange;
  EXPECT_EQ(follower.OnFetchResponse(response, LeaderEpoch(1)).kind, Kind::kRetry);
  EXPECT_EQ(follower.OnFetchResponse(transport::ReplicaFetchResponse(), LeaderEpoch(2)).kind,
            Kind::kAppend);
  // Nor does one count that finds the follower leading.
  follower.Apply(Update({.leader = 2, .epoch = 3, .version = 2}), now_, effects_);
  EXPECT_EQ(follower.OnFetchResponse(response, LeaderEpoch(3)).kind, Kind::kRetry);
}

// --- Rules 5 to 7: fetches
// ------------------------------------------------------------------------

TEST_F(ReplicaCoreTest, Rule5_FetchesOfOtherEpochsAreRefusedAndCountForNothing) {
  ReplicaCore core = MakeLeader({.epoch = 5, .isr = {1, 2}});
  Append(core, 10);
  EXPECT_EQ(FetchError(core, {.offset = 10, .epoch = 4, .last_epoch = 5}),
            ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(FetchError(core, {.offset = 10, .epoch = 6, .last_epoch = 5}),
            ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(FetchError(core, {.replica = 3, .offset = 10, .epoch = 4, .last_epoch = 5}),
            ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(Hw(core), 0);
  EXPECT_EQ(TakeProposal(), Ints());
}

TEST_F(ReplicaCoreTest, Rule5_AStrangerIsRefused) {
  ReplicaCore core = MakeLeader();
  EXPECT_EQ(FetchError(core, {.replica = 9}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(FetchError(core, {.replica = 1}), ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(ReplicaCoreTest, Rule6_ADivergingFetchIsNoProgress) {
  // KAFKA-14704, KAFKA-13141. The leader has 0:[0,5) and 2:[5,10).
  ReplicaCore core = MakeLeader({.epoch = 2, .isr = {1, 2}}, 5, {{0, 0}});
  Append(core, 10);
  now_ += kLag;
  const auto verdict =
      core.OnFollowerFetch(Fetch({.offset = 10, .epoch = 2, .last_epoch = 1}), now_, effects_);
  ASSERT_TRUE(verdict.diverging.has_value());
  EXPECT_EQ(Hw(core), 0) << "counted as progress towards the HW";
  now_ += milliseconds(1);
  Tick(core);
  EXPECT_EQ(TakeProposal(), (Ints{1})) << "counted as being caught up";
}

TEST_F(ReplicaCoreTest, Rule6_ADivergingFetchOfAnOutsiderDoesNotLetItIn) {
  ReplicaCore core = MakeLeader({.epoch = 2, .isr = {1}}, 5, {{0, 0}});
  Append(core, 10);
  core.OnFollowerFetch(Fetch({.offset = 10, .epoch = 2, .last_epoch = 1}), now_, effects_);
  EXPECT_EQ(TakeProposal(), Ints());
}

TEST_F(ReplicaCoreTest, Rule6_ADivergingReplyTruncatesAndDoesNotMoveTheHighWatermark) {
  ReplicaCore core = MakeCore(2, 10, {{0, 0}, {1, 5}});
  core.Apply(Update({.epoch = 2}), now_, effects_);
  core.Fetched(Offset(10), Offset(3), effects_);
  transport::ReplicaFetchResponse response;
  response.high_watermark = Offset(9);
  response.diverging = {LeaderEpoch(0), Offset(5)};
  EXPECT_EQ(core.OnFetchResponse(response, LeaderEpoch(2)).kind, Kind::kTruncateSuffix);
  EXPECT_EQ(Hw(core), 3);
  core.Truncated({Offset(0), Offset(5)});
  EXPECT_EQ(Hw(core), 3);
}

TEST_F(ReplicaCoreTest, Rule7_AFullTruncationMovesTheHighWatermarkToTheNewStart) {
  // KAFKA-9491: a HW left outside of the log breaks whatever reads by it.
  ReplicaCore core = MakeCore(2, 10, {{0, 0}});
  core.Apply(Update({.epoch = 2}), now_, effects_);
  core.Fetched(Offset(10), Offset(8), effects_);
  core.Truncated({Offset(50), Offset(50)});
  EXPECT_EQ(Hw(core), 50);
  EXPECT_EQ(core.NextFetch({"t", model::PartitionId(0)}, Incarnation(1)).fetch_offset, Offset(50));
  EXPECT_EQ(core.NextFetch({"t", model::PartitionId(0)}, Incarnation(1)).last_fetched_epoch,
            model::kNoEpoch);
  core.Truncated({Offset(4), Offset(4)});
  EXPECT_EQ(Hw(core), 4);
}

TEST_F(ReplicaCoreTest, Rule7_OutOfRangeIsAnsweredAndAFollowerBeginsAtTheLeadersStart) {
  // KAFKA-7414.
  ReplicaCore leader = MakeLeader();
  Append(leader, 20);
  leader.StartMoved(Offset(10));
  EXPECT_EQ(FetchError(leader, {.offset = 3}), ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(FetchError(leader, {.offset = 21}), ErrorCode::kOffsetOutOfRange);
  FetchOk(leader, {.offset = 10, .last_epoch = 0});

  ReplicaCore follower = MakeCore(2, 3, {{0, 0}});
  follower.Apply(Update({}), now_, effects_);
  transport::ReplicaFetchResponse response;
  response.error = ErrorCode::kOffsetOutOfRange;
  response.log_start_offset = Offset(10);
  const auto action = follower.OnFetchResponse(response, LeaderEpoch(0));
  EXPECT_EQ(action.kind, Kind::kRestartAt);
  EXPECT_EQ(action.offset, Offset(10));
}

TEST_F(ReplicaCoreTest, OtherErrorsMakeAFollowerTryAgain) {
  ReplicaCore follower = MakeCore(2);
  follower.Apply(Update({}), now_, effects_);
  transport::ReplicaFetchResponse response;
  for (const ErrorCode error : {ErrorCode::kFencedLeaderEpoch, ErrorCode::kUnknownLeaderEpoch,
                                ErrorCode::kNotLeaderOrFollower, ErrorCode::kStaleBrokerEpoch}) {
    response.error = error;
    EXPECT_EQ(follower.OnFetchResponse(response, LeaderEpoch(0)).kind, Kind::kRetry);
  }
}

TEST_F(ReplicaCoreTest, AFollowersHighWatermarkIsTheLeadersAsFarAsItsLogGoes) {
  ReplicaCore core = MakeCore(2);
  core.Apply(Update({}), now_, effects_);
  core.Fetched(Offset(10), Offset(4), effects_);
  EXPECT_EQ(Hw(core), 4);
  EXPECT_TRUE(effects_.high_watermark_advanced);
  core.Fetched(Offset(12), Offset(30), effects_);
  EXPECT_EQ(Hw(core), 12);
  effects_ = {};
  core.Fetched(Offset(12), Offset(7), effects_);  // a fresh leader's may be behind
  EXPECT_EQ(Hw(core), 12);
  EXPECT_FALSE(effects_.high_watermark_advanced);
}

// --- Rule 8: the maximal ISR
// ----------------------------------------------------------------------

TEST_F(ReplicaCoreTest, TheHighWatermarkIsTheLowestEndOfTheIsr) {
  ReplicaCore core = MakeLeader();
  Append(core, 10);
  EXPECT_EQ(Hw(core), 0);
  FetchOk(core, {.replica = 2, .offset = 10});
  EXPECT_EQ(Hw(core), 0);
  EXPECT_FALSE(effects_.high_watermark_advanced);
  FetchOk(core, {.replica = 3, .offset = 6});
  EXPECT_EQ(Hw(core), 6);
  EXPECT_TRUE(effects_.high_watermark_advanced);
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(Hw(core), 10);
  FetchOk(core, {.replica = 3, .offset = 2});  // as after a restart: it never goes back
  EXPECT_EQ(Hw(core), 10);
}

TEST_F(ReplicaCoreTest, WhatTheLeaderItselfHasNotSecuredIsNotCommitted) {
  ReplicaCore core = MakeLeader();
  core.Appended(Offset(10), effects_);
  FetchOk(core, {.replica = 2, .offset = 10});
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(Hw(core), 0);
  core.Secured(Offset(4), effects_);
  EXPECT_EQ(Hw(core), 4);
  core.Secured(Offset(3), effects_);  // late news
  core.Secured(Offset(12), effects_);
  EXPECT_EQ(core.secured(), Offset(10));
  EXPECT_EQ(Hw(core), 10);
}

TEST_F(ReplicaCoreTest, ATruncationTakesBackWhatWasSecured) {
  ReplicaCore core = MakeCore(1, 10, {{0, 0}});
  EXPECT_EQ(core.secured(), Offset(10)) << "what was recovered is on the device";
  EXPECT_EQ(core.Apply(Update({.leader = 2, .epoch = 1}), now_, effects_),
            Transition::kBecameFollower);
  core.Truncated({Offset(0), Offset(6)});
  core.Fetched(Offset(9), Offset(0), effects_);
  EXPECT_EQ(core.secured(), Offset(6));
}

TEST_F(ReplicaCoreTest, ALeaderThatIsAloneInTheIsrCommitsAtOnce) {
  ReplicaCore core = MakeLeader({.isr = {1}}, 7, {{0, 0}});
  EXPECT_EQ(Hw(core), 7);
  Append(core, 12);
  EXPECT_EQ(Hw(core), 12);
}

TEST_F(ReplicaCoreTest, Rule8_AnExpansionBindsAtOnce) {
  ReplicaCore core = MakeLeaderProposingThree();
  Append(core, 15);
  FetchOk(core, {.replica = 2, .offset = 15});
  EXPECT_EQ(Hw(core), 10) << "3 may be a member already, and has not got it";
  FetchOk(core, {.replica = 3, .offset = 15});
  EXPECT_EQ(Hw(core), 15);
}

TEST_F(ReplicaCoreTest, Rule8_AShrinkHelpsOnlyOnceConfirmed) {
  ReplicaCore core = MakeLeaderDroppingThree();
  FetchOk(core, {.replica = 2, .offset = 10});
  EXPECT_EQ(Hw(core), 0) << "3 may still be elected";
  core.IsrConfirmed(0, 1, effects_);
  EXPECT_EQ(Hw(core), 10);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2}));
  EXPECT_EQ(core.state_version(), 1);
  EXPECT_FALSE(core.isr_write_pending());
}

TEST_F(ReplicaCoreTest, Rule8_HighWatermarkWaitsForTheMaximalIsr) {
  // One proposal at a time; until its fate is known both sets have to have the record.
  ReplicaCore core = MakeLeaderDroppingThree();
  Append(core, 20);
  FetchOk(core, {.replica = 2, .offset = 20});
  FetchOk(core, {.replica = 3, .offset = 5});
  EXPECT_EQ(Hw(core), 5);
  Tick(core);
  EXPECT_EQ(TakeProposal(), Ints()) << "a second proposal while the first is pending";
}

TEST_F(ReplicaCoreTest, Rule8_ARefusedExpansionBindsNoLonger) {
  ReplicaCore core = MakeLeaderProposingThree();
  Append(core, 15);
  FetchOk(core, {.replica = 2, .offset = 15});
  core.IsrRefused(0, effects_);
  EXPECT_EQ(Hw(core), 15);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2}));
}

// --- Rule 9: who may join
// -------------------------------------------------------------------------

TEST_F(ReplicaCoreTest, Rule9_OnlyAFollowerAtTheHighWatermarkJoins) {
  ReplicaCore core = MakeLeaderOfTwo();
  FetchOk(core, {.replica = 3, .offset = 9});
  EXPECT_EQ(TakeProposal(), Ints());
  Append(core, 20);  // it need not be at the end
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  EXPECT_EQ(proposal_.expected_version, 0);
}

TEST_F(ReplicaCoreTest, Rule9_OnlyAFollowerAtTheStartOfTheLeadersEpochJoins) {
  // A fresh leader's HW is stale: what was committed before lies anywhere below its epoch's start.
  ReplicaCore core = MakeLeader({.epoch = 4, .isr = {1, 2}}, 10, {{0, 0}});
  ASSERT_EQ(Hw(core), 0);
  FetchOk(core, {.replica = 3, .offset = 9, .epoch = 4, .last_epoch = 0});
  EXPECT_EQ(TakeProposal(), Ints());
  FetchOk(core, {.replica = 3, .offset = 10, .epoch = 4, .last_epoch = 0});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, Rule9_WhatWasFetchedInAnEarlierEpochDoesNotCount) {
  ReplicaCore core = MakeLeader({.epoch = 1});
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10, .epoch = 1});
  FetchOk(core, {.replica = 3, .offset = 10, .epoch = 1});
  // 3 is taken out and the leader stays: nothing may bring 3 back but a fetch of its own.
  ASSERT_EQ(core.Apply(Update({.epoch = 2, .isr = {1, 2}, .version = 1}), now_, effects_),
            Transition::kBecameLeader);
  FetchOk(core, {.replica = 2, .offset = 10, .epoch = 2, .last_epoch = 1});
  Tick(core);
  EXPECT_EQ(TakeProposal(), Ints());
  EXPECT_EQ(FetchError(core, {.replica = 3, .offset = 10, .epoch = 1, .last_epoch = 1}),
            ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(TakeProposal(), Ints());
  FetchOk(core, {.replica = 3, .offset = 10, .epoch = 2, .last_epoch = 1});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, Rule9_AMemberIsNotProposedAgain) {
  ReplicaCore core = MakeLeader();
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10});
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), Ints());
}

// --- Rules 10 and 11
// ------------------------------------------------------------------------------

TEST_F(ReplicaCoreTest, Rule10_TheLatestOffsetIsNotAvailableUntilTheHwReachesTheEpochsStart) {
  ReplicaCore core = MakeLeader({.epoch = 4, .isr = {1, 2}}, 10, {{0, 0}});
  EXPECT_EQ(core.CheckLatestOffset(), ErrorCode::kOffsetNotAvailable);
  FetchOk(core, {.replica = 2, .offset = 9, .epoch = 4, .last_epoch = 0});
  EXPECT_EQ(core.CheckLatestOffset(), ErrorCode::kOffsetNotAvailable);
  FetchOk(core, {.replica = 2, .offset = 10, .epoch = 4, .last_epoch = 0});
  EXPECT_EQ(core.CheckLatestOffset(), ErrorCode::kNone);
  EXPECT_EQ(MakeLeader({.isr = {1}}).CheckLatestOffset(), ErrorCode::kNone);
}

TEST_F(ReplicaCoreTest, Rule11_AppendsWithAcksAllNeedEnoughInSyncReplicas) {
  const ReplicaCore two = MakeLeader({.isr = {1, 2}, .min_insync_replicas = 2});
  EXPECT_EQ(two.CheckAppend(true), ErrorCode::kNone) << "the leader counts";
  const ReplicaCore one = MakeLeader({.isr = {1}, .min_insync_replicas = 2});
  EXPECT_EQ(one.CheckAppend(true), ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(one.CheckAppend(false), ErrorCode::kNone) << "acks 0 and 1 are not checked";
  EXPECT_EQ(MakeCore(1).CheckAppend(false), ErrorCode::kNotLeaderOrFollower);
}

TEST_F(ReplicaCoreTest, Rule11_TheCheckIsRepeatedAtCompletion) {
  ReplicaCore core = MakeLeader({.isr = {1, 2}, .min_insync_replicas = 2});
  Append(core, 10);
  now_ += kLag + milliseconds(1);
  Tick(core);
  ASSERT_EQ(TakeProposal(), (Ints{1}));
  EXPECT_EQ(core.CheckCompletion(), ErrorCode::kNone) << "not confirmed: 2 still counts";
  core.IsrConfirmed(0, 1, effects_);
  EXPECT_EQ(core.CheckCompletion(), ErrorCode::kNotEnoughReplicasAfterAppend);
  EXPECT_EQ(Hw(core), 10) << "the HW advances all the same";
}

TEST_F(ReplicaCoreTest, Rule11_CompletionCountsTheMaximalIsr) {
  ReplicaCore core = MakeLeader({.isr = {1}, .min_insync_replicas = 2});
  Append(core, 10);
  EXPECT_EQ(core.CheckCompletion(), ErrorCode::kNotEnoughReplicasAfterAppend);
  FetchOk(core, {.replica = 2, .offset = 10});
  ASSERT_EQ(TakeProposal(), (Ints{1, 2}));
  EXPECT_EQ(core.CheckCompletion(), ErrorCode::kNone) << "2 has it, and binds already";
  EXPECT_EQ(core.CheckAppend(true), ErrorCode::kNotEnoughReplicas);
}

// --- Shrinking
// ------------------------------------------------------------------------------------

TEST_F(ReplicaCoreTest, AFollowerIsDroppedAfterTheLagTimeNotBefore) {
  ReplicaCore core = MakeLeader();
  Append(core, 10);
  now_ += kLag;
  Tick(core);
  EXPECT_EQ(TakeProposal(), Ints());
  now_ += milliseconds(1);
  Tick(core);
  EXPECT_EQ(TakeProposal(), (Ints{1}));
  EXPECT_TRUE(proposal_.registrations.empty());
}

TEST_F(ReplicaCoreTest, ACaughtUpFollowerStaysHoweverLongItIsSilent) {
  ReplicaCore core = MakeLeader();
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10});
  FetchOk(core, {.replica = 3, .offset = 10});
  now_ += 10 * kLag;
  Tick(core);
  EXPECT_EQ(TakeProposal(), Ints());
}

TEST_F(ReplicaCoreTest, AFollowerThatAlwaysReachesWhatWasTheEndIsNotDropped) {
  // Under a steady stream it never is at the end, but it never is far behind either.
  ReplicaCore core = MakeLeader({.isr = {1, 2}});
  for (int64_t end = 10; end < 200; end += 10) {
    Append(core, end);
    FetchOk(core, {.replica = 2, .offset = end - 10});
    now_ += kLag / 2 - milliseconds(1);
    Tick(core);
    ASSERT_EQ(TakeProposal(), Ints()) << end;
  }
}

TEST_F(ReplicaCoreTest, AFollowerThatFetchesButFallsBehindIsDropped) {
  ReplicaCore core = MakeLeader({.isr = {1, 2}});
  for (int64_t i = 1; i < 10; ++i) {
    Append(core, i * 100);
    FetchOk(core, {.replica = 2, .offset = i});
    now_ += kLag / 4;
    Tick(core);
    if (effects_.propose_isr) break;
  }
  EXPECT_EQ(TakeProposal(), (Ints{1}));
}

TEST_F(ReplicaCoreTest, OnlyLeadersTick) {
  ReplicaCore core = MakeCore(2);
  core.Apply(Update({}), now_, effects_);
  now_ += 10 * kLag;
  Tick(core);
  EXPECT_EQ(TakeProposal(), Ints());
}

// --- Rules 15 and 16: what becomes of a proposal
// --------------------------------------------------

TEST_F(ReplicaCoreTest, Rule15_AnExpansionNamesTheRegistrationThatFetched) {
  ReplicaCore core = MakeLeaderOfTwo();
  FetchOk(core, {.replica = 3, .offset = 10, .incarnation = 7});
  ASSERT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  const std::vector<std::pair<BrokerId, Incarnation>> expected = {{BrokerId(3), Incarnation(7)}};
  EXPECT_EQ(proposal_.registrations, expected);
}

TEST_F(ReplicaCoreTest, Rule15_ARefusedFollowerHasToFetchUnderANewRegistration) {
  ReplicaCore core = MakeLeaderProposingThree();
  core.IsrRefused(0, effects_);
  EXPECT_FALSE(core.isr_write_pending());
  EXPECT_EQ(core.state_version(), 0);
  EXPECT_EQ(FetchError(core, {.replica = 3, .offset = 10, .last_epoch = 0}),
            ErrorCode::kStaleBrokerEpoch)
      << "an echo of the dead registration";
  EXPECT_EQ(TakeProposal(), Ints());
  FetchOk(core, {.replica = 3, .offset = 0, .incarnation = 2});
  EXPECT_EQ(TakeProposal(), Ints()) << "it came back empty";
  FetchOk(core, {.replica = 3, .offset = 10, .incarnation = 2});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  EXPECT_EQ(proposal_.registrations.front().second, Incarnation(2));
}

TEST_F(ReplicaCoreTest, Rule15_WhatARefusedMemberFetchedNoLongerCounts) {
  // A member came back with another log, caught up, and is gone again.
  ReplicaCore core = MakeLeader();
  Append(core, 20);
  FetchOk(core, {.replica = 3, .offset = 20, .incarnation = 2, .log = LogId(77)});
  ASSERT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  core.IsrRefused(0, effects_);
  FetchOk(core, {.replica = 2, .offset = 20});
  EXPECT_EQ(Hw(core), 0) << "3 is a member and may have lost everything";
  FetchOk(core, {.replica = 3, .offset = 15, .incarnation = 3, .log = LogId(78)});
  EXPECT_EQ(Hw(core), 15);
}

TEST_F(ReplicaCoreTest, WhoBecameReadyDuringAProposalIsProposedNext) {
  ReplicaCore core = MakeLeader({.isr = {1}});
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2}));
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), Ints());
  core.IsrConfirmed(proposal_.expected_version, proposal_.expected_version + 1, effects_);
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, OneProposalAtATime) {
  ReplicaCore core = MakeLeader({.isr = {1}});
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 10});
  ASSERT_EQ(TakeProposal(), (Ints{1, 2}));
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), Ints());
  core.IsrConfirmed(0, 1, effects_);
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, Rule15_AFetchOfAnEarlierRegistrationIsRefused) {
  ReplicaCore core = MakeLeader({.isr = {1, 2}});
  Append(core, 10);
  FetchOk(core, {.replica = 2, .offset = 0, .incarnation = 2});
  EXPECT_EQ(FetchError(core, {.replica = 2, .offset = 10, .last_epoch = 0, .incarnation = 1}),
            ErrorCode::kStaleBrokerEpoch);
  EXPECT_EQ(Hw(core), 0);
}

TEST_F(ReplicaCoreTest, Rule16_AfterARereadTheStoredStateCounts) {
  // KAFKA-2729: the leader used to say "skip updating ISR" for ever.
  ReplicaCore core = MakeLeaderDroppingThree();
  core.IsrReread(0, {.isr = Members({1, 2}), .leader_epoch = LeaderEpoch(0), .version = 8},
                 effects_);
  EXPECT_FALSE(core.isr_write_pending());
  EXPECT_EQ(core.state_version(), 8);
  EXPECT_EQ(Hw(core), 10) << "it was written after all";
  FetchOk(core, {.replica = 3, .offset = 10});
  EXPECT_EQ(TakeProposal(), (Ints{1, 2, 3}));
  EXPECT_EQ(proposal_.expected_version, 8);
}

TEST_F(ReplicaCoreTest, Rule16_AWriteThatWasLostIsTriedAgain) {
  ReplicaCore core = MakeLeaderDroppingThree();
  core.IsrReread(0, {.isr = Members({1, 2, 3}), .leader_epoch = LeaderEpoch(0), .version = 0},
                 effects_);
  EXPECT_EQ(Hw(core), 0);
  Tick(core);
  EXPECT_EQ(TakeProposal(), (Ints{1, 2}));
}

TEST_F(ReplicaCoreTest, Rule16_AStateOfALargerEpochIsLeftToTheController) {
  ReplicaCore core = MakeLeaderDroppingThree();
  core.IsrReread(0, {.isr = Members({2}), .leader_epoch = LeaderEpoch(1), .version = 3}, effects_);
  EXPECT_TRUE(core.isr_write_pending()) << "nothing may be proposed by a leader of the past";
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2, 3}));
  EXPECT_EQ(Hw(core), 0);
}

TEST_F(ReplicaCoreTest, TheControllersNewsOutdateAProposal) {
  // The leader's own write comes back by way of the controller before its result does.
  ReplicaCore core = MakeLeaderDroppingThree();
  ASSERT_EQ(core.Apply(Update({.isr = {1, 2}, .version = 1}), now_, effects_),
            Transition::kUnchanged);
  EXPECT_FALSE(core.isr_write_pending());
  EXPECT_EQ(Hw(core), 10);
  core.IsrConfirmed(0, 1, effects_);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2}));
  EXPECT_EQ(core.state_version(), 1);
}

TEST_F(ReplicaCoreTest, ResultsOfAnOutdatedProposalAreIgnored) {
  ReplicaCore core = MakeLeaderDroppingThree();
  core.Apply(Update({.isr = {1, 2}, .version = 1}), now_, effects_);
  FetchOk(core, {.replica = 3, .offset = 10});
  ASSERT_EQ(TakeProposal(), (Ints{1, 2, 3}));  // over version 1
  core.IsrConfirmed(0, 1, effects_);
  core.IsrRefused(0, effects_);
  core.IsrReread(0, {.isr = Members({1}), .leader_epoch = LeaderEpoch(0), .version = 9}, effects_);
  EXPECT_TRUE(core.isr_write_pending());
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2}));
  core.IsrConfirmed(1, 2, effects_);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2, 3}));
}

TEST_F(ReplicaCoreTest, AProposalOfAnEarlierReignIsIgnored) {
  ReplicaCore core = MakeLeaderProposingThree();
  ASSERT_EQ(core.Apply(Update({.epoch = 1, .isr = {1, 2}, .version = 1}), now_, effects_),
            Transition::kBecameLeader);
  EXPECT_FALSE(core.isr_write_pending());
  core.IsrConfirmed(0, 1, effects_);
  EXPECT_EQ(Brokers(core.isr()), (Ints{1, 2}));
}

// --- Divergence, by chance
// ------------------------------------------------------------------------

// A broker with a log of small batches; each record knows which one it is.
class Replica {
 public:
  struct Batch {
    int64_t base;
    int32_t count;
    LeaderEpoch epoch;
    uint64_t number;  // never used twice
    bool operator==(const Batch&) const = default;
  };

  explicit Replica(int32_t id) : id_(id), core_(std::make_unique<ReplicaCore>(MakeCore(id))) {}

  ReplicaCore& core() { return *core_; }
  const std::vector<Batch>& log() const { return log_; }
  int64_t start() const { return start_; }
  int64_t end() const { return end_; }

  void Apply(const State& state) {
    Effects effects;
    core_->Apply(Update(state), kStart, effects);
  }
  void Append(int32_t count, uint64_t number) {
    log_.push_back({end_, count, core_->leader_epoch(), number});
    end_ += count;
    Effects effects;
    core_->Appended(Offset(end_), effects);
    core_->Secured(Offset(end_), effects);
  }
  void Restart() {
    EpochCache epochs;
    for (const Batch& batch : log_) epochs.Assign(batch.epoch, Offset(batch.base));
    core_ = std::make_unique<ReplicaCore>(
        ReplicaCore::Config{.self = BrokerId(id_), .lag_time_max = kLag}, LogOf(id_),
        ReplicaCore::LogEnds{Offset(start_), Offset(end_)}, std::move(epochs));
  }
  void Retain(int64_t start) {
    while (!log_.empty() && log_.front().base + log_.front().count <= start) {
      start_ = log_.front().base + log_.front().count;
      log_.erase(log_.begin());
    }
    if (Offset(start_) > core_->log_start()) core_->StartMoved(Offset(start_));
  }

  // One fetch from `leader` and what comes of it. False when there was nothing left to do.
  bool FetchFrom(Replica& leader) {
    const auto request = core_->NextFetch({"t", model::PartitionId(0)}, Incarnation(1));
    Effects effects;
    const auto verdict = leader.core_->OnFollowerFetch(request, kStart, effects);
    transport::ReplicaFetchResponse response;
    response.error = verdict.error;
    response.log_start_offset = Offset(leader.start_);
    response.high_watermark = leader.core_->high_watermark();
    if (verdict.diverging) {
      response.diverging = {verdict.diverging->epoch, verdict.diverging->end_offset};
    }
    const auto action = core_->OnFetchResponse(response, request.current_leader_epoch);
    switch (action.kind) {
      case Kind::kRetry:
        return false;
      case Kind::kTruncateSuffix:
        TruncateSuffix(action.offset.value());
        return true;
      case Kind::kRestartAt:
        log_.clear();
        start_ = end_ = action.offset.value();
        core_->Truncated({Offset(start_), Offset(end_)});
        return true;
      case Kind::kAppend:
        return AppendNext(leader);
    }
    return false;
  }

 private:
  void TruncateSuffix(int64_t end) {
    int64_t new_end = std::min(end, end_);
    while (!log_.empty() && log_.back().base + log_.back().count > end) {
      new_end = std::min(new_end, log_.back().base);
      log_.pop_back();
    }
    end_ = new_end;
    start_ = std::min(start_, end_);
    core_->Truncated({Offset(start_), Offset(end_)});
  }
  bool AppendNext(const Replica& leader) {
    for (const Batch& batch : leader.log_) {
      if (batch.base + batch.count <= end_) continue;
      if (batch.base < end_) {
        // An emptied log may end amid a batch of the leader's: it begins anew with that batch.
        EXPECT_EQ(start_, end_) << "the leader's batch at " << batch.base << " overlaps the log";
        if (start_ != end_) return false;
        start_ = end_ = batch.base;
        core_->Truncated({Offset(start_), Offset(end_)});
      }
      log_.push_back(batch);
      end_ = batch.base + batch.count;
      core_->ObserveEpoch(batch.epoch, Offset(batch.base));
      Effects effects;
      core_->Fetched(Offset(end_), leader.core_->high_watermark(), effects);
      core_->Secured(Offset(end_), effects);
      return true;
    }
    Effects effects;
    core_->Fetched(Offset(end_), leader.core_->high_watermark(), effects);
    return false;
  }

  const int32_t id_;
  int64_t start_ = 0, end_ = 0;
  std::vector<Batch> log_;
  std::unique_ptr<ReplicaCore> core_;
};

void ExpectSound(Replica& replica) {
  const auto& entries = replica.core().epochs().entries();
  for (size_t i = 1; i < entries.size(); ++i) {
    ASSERT_LT(entries[i - 1].epoch, entries[i].epoch);
    ASSERT_LT(entries[i - 1].start_offset, entries[i].start_offset);
  }
  ASSERT_EQ(replica.core().log_end(), Offset(replica.end()));
  ASSERT_EQ(replica.core().log_start(), Offset(replica.start()));
  ASSERT_GE(replica.core().high_watermark(), Offset(replica.start()));
  ASSERT_LE(replica.core().high_watermark(), Offset(replica.end()));
}

// Elections of whoever (uncleanly: whatever it has), fetches that end anywhere, restarts and
// retention; afterwards the follower's log has to become the leader's.
void RunDivergence(uint64_t seed, bool retention) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  base::Random random(seed);
  Replica replicas[] = {Replica(1), Replica(2)};
  uint64_t number = 0;
  const auto epochs = static_cast<int32_t>(random.Between(1, 10));
  for (int32_t epoch = 0; epoch <= epochs; ++epoch) {
    const size_t leads = random.Below(2);
    Replica& leader = replicas[leads];
    Replica& follower = replicas[1 - leads];
    for (Replica& replica : replicas) {
      if (random.OneIn(4)) replica.Restart();
    }
    const State state{.leader = static_cast<int32_t>(leads) + 1,
                      .epoch = epoch,
                      .isr = {static_cast<int32_t>(leads) + 1},
                      .version = epoch};
    leader.Apply(state);
    ASSERT_EQ(leader.core().role(), Role::kLeader);
    // Often the other one hears nothing of it.
    const bool heard = epoch == epochs || random.OneIn(2);
    if (heard) follower.Apply(state);
    for (int64_t steps = random.Between(0, 6); steps > 0; --steps) {
      if (random.OneIn(2)) leader.Append(static_cast<int32_t>(random.Between(1, 4)), ++number);
      if (heard && random.OneIn(2)) follower.FetchFrom(leader);
      if (retention && random.OneIn(6)) {
        leader.Retain(random.Between(leader.start(), leader.end()));
      }
      ASSERT_NO_FATAL_FAILURE(ExpectSound(leader));
      ASSERT_NO_FATAL_FAILURE(ExpectSound(follower));
    }
    if (epoch < epochs) continue;

    int rounds = 0;
    while (follower.FetchFrom(leader)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSound(follower));
      ASSERT_LT(++rounds, 1000) << "the follower makes no progress";
    }
    EXPECT_EQ(follower.end(), leader.end());
    // Where retention let one begin later, the rest has to agree.
    size_t from_leader = leader.log().size(), from_follower = follower.log().size();
    while (from_leader > 0 && from_follower > 0) {
      ASSERT_EQ(follower.log()[--from_follower], leader.log()[--from_leader]);
    }
    if (!retention) {
      EXPECT_EQ(follower.log(), leader.log());
    }
    EXPECT_LE(follower.core().high_watermark(), leader.core().high_watermark());
  }
}

TEST(ReplicaDivergenceTest, AFollowersLogBecomesTheLeadersWhateverHappenedBefore) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    RunDivergence(seed, /*retention=*/false);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ReplicaDivergenceTest, AlsoWhereRetentionDropsTheOldest) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    RunDivergence(seed, /*retention=*/true);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kafkalite::replication
