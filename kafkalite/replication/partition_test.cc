// The rules of replication on one replica at work: broker 1's, with its log, a session of its own
// and the tree, as the test plays the controller and the other replicas. The numbers are those of
// docs/internals/replication.md.

#include "kafkalite/replication/partition.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/coordination/znodes.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/storage/memory/memory_storage.h"

namespace kafkalite::replication {
namespace {

using coordination::Operation;
using model::BrokerId;
using model::ErrorCode;
using model::Incarnation;
using model::LeaderEpoch;
using model::LogId;
using model::Offset;
using std::chrono::hours;
using std::chrono::seconds;
using Ints = std::vector<int32_t>;
using FetchResponse = transport::ReplicaFetchResponse;
namespace paths = coordination::paths;

constexpr base::NodeId kSelf{1};
constexpr base::NodeId kTree = base::NodeId::kCoordination;
constexpr base::Duration kLag = seconds(10);
const model::TopicPartition kTp{"t", model::PartitionId(0)};

LogId LogOf(int32_t broker) { return LogId(static_cast<uint64_t>(broker) * 10); }

// Another broker, whose answers the test gives.
class FakePeer final : public transport::PeerService {
 public:
  struct Fetch {
    transport::ReplicaFetchRequest request;
    transport::Reply<FetchResponse> reply;
  };
  void FetchReplica(transport::ReplicaFetchRequest request,
                    transport::Reply<FetchResponse> reply) override {
    fetches.push_back({std::move(request), std::move(reply)});
  }
  void UpdateClusterState(transport::ClusterStateUpdate,
                          transport::Reply<transport::ClusterStateAck>) override {}

  std::deque<Fetch> fetches;
};

// Runs what is posted when the test says so.
class HeldQueue final : public base::WorkQueue {
 public:
  void Post(base::Task task) override { tasks.push_back(std::move(task)); }
  void SlowDown(base::Duration) override {}
  void RunOne() {
    ASSERT_FALSE(tasks.empty());
    base::Task task = std::move(tasks.front());
    tasks.pop_front();
    task();
  }
  std::deque<base::Task> tasks;
};

// A log in memory on a disk whose progress the test decides.
class HeldLog final : public storage::Log {
 public:
  explicit HeldLog(std::unique_ptr<Log> log) : log_(std::move(log)) {}

  // What the disk has come to; the listener hears of it by Notify().
  storage::Progress now;
  bool is_held = false;
  int syncs = 0;
  void Notify() { listener_(); }

  LogId id() const override { return log_->id(); }
  Offset start_offset() const override { return log_->start_offset(); }
  Offset end_offset() const override { return log_->end_offset(); }
  int64_t size_bytes() const override { return log_->size_bytes(); }
  void Configure(const model::TopicConfig& config) override { log_->Configure(config); }
  storage::Progress progress() const override { return is_held ? now : log_->progress(); }
  void SetListener(Listener listener) override { listener_ = std::move(listener); }
  absl::Status Append(std::span<const format::Batch> batches) override {
    if (now.failed) return absl::DataLossError("EIO");
    return log_->Append(batches);
  }
  void Sync() override { ++syncs; }
  absl::StatusOr<storage::ReadResult> Read(Offset from,
                                           const storage::ReadLimits& limits) const override {
    return log_->Read(from, limits);
  }
  void FindByTimestamp(int64_t timestamp, Offset max_offset, FindCallback callback) const override {
    log_->FindByTimestamp(timestamp, max_offset, std::move(callback));
  }
  void VisitHeaders(Offset from, HeaderVisitor visit, DoneCallback done) const override {
    log_->VisitHeaders(from, std::move(visit), std::move(done));
  }
  absl::Status TruncateSuffix(Offset end) override { return log_->TruncateSuffix(end); }
  absl::Status TruncatePrefix(Offset start) override { return log_->TruncatePrefix(start); }
  absl::Status Retain(const Retention& retention) override { return log_->Retain(retention); }
  void WriteMetadata(std::string_view name, std::string_view bytes) override {
    log_->WriteMetadata(name, bytes);
  }
  void DeleteMetadata(std::string_view name) override { log_->DeleteMetadata(name); }
  void ReadMetadata(MetadataCallback callback) const override {
    log_->ReadMetadata(std::move(callback));
  }
  Offset metadata_end() const override { return log_->metadata_end(); }
  void KeepHighWatermark(Offset high_watermark) override {
    log_->KeepHighWatermark(high_watermark);
  }
  Offset kept_high_watermark() const override { return log_->kept_high_watermark(); }

 private:
  const std::unique_ptr<Log> log_;
  Listener listener_;
};

class FakeHost final : public PartitionHost {
 public:
  explicit FakeHost(coordination::SimTree& tree) : tree_(tree) {}

  base::Executor& executor() override { return tree_.executor(); }
  void After(base::Duration delay, base::Task task) override {
    tree_.After(kSelf, delay, std::move(task));
  }
  BrokerId self() const override { return BrokerId(1); }
  base::BufferPool& pool() override { return *pool_; }
  HeldQueue& preparation() override { return preparation_; }
  Incarnation incarnation() const override { return Incarnation(1); }
  std::shared_ptr<transport::PeerService> Peer(BrokerId) override { return peer; }
  std::shared_ptr<coordination::Session> session() override { return present_session; }

  const std::shared_ptr<FakePeer> peer = std::make_shared<FakePeer>();
  std::shared_ptr<coordination::Session> present_session;

 private:
  coordination::SimTree& tree_;
  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(0);
  HeldQueue preparation_;
};

// The answer to a call, once it has come.
template <class T>
using Answer = std::shared_ptr<std::optional<T>>;

class PartitionTest : public testing::TestWithParam<uint64_t> {
 protected:
  PartitionTest() {
    host_->present_session =
        tree_.coordination().Connect({.client = 1, .timeout = seconds(6)}, nullptr);
    for (const std::string& path : paths::Persistent()) {
      tree_.MustCommit({Operation::Create(path, "")});
    }
    tree_.MustCommit({Operation::Create(paths::Topic("t"), ""),
                      Operation::Create(paths::Partitions("t"), ""),
                      Operation::Create(paths::Partition(kTp), ""),
                      Operation::Create(paths::PartitionState(kTp), "")});
    for (const int32_t broker : {1, 2, 3}) {
      tree_.MustCommit({Operation::Create(paths::Incarnation(BrokerId(broker)), "")});
      Register(broker);
    }
    OpenLog();
    Open();
  }
  ~PartitionTest() override {
    partition_->Close([] {});
    host_->present_session = nullptr;
    host_->peer->fetches.clear();
    tree_.Settle();
  }

  void OpenLog() {
    auto log = storage_.Open(kTp, LogOf(1));
    ASSERT_TRUE(log.ok()) << log.status();
    opening_ = std::make_unique<HeldLog>(*std::move(log));
    log_ = opening_.get();
  }
  void Open() {
    Partition::Open(host_, kTp, {.lag_time_max = kLag, .fetch_max_wait = hours(10)},
                    std::move(opening_), [this](absl::StatusOr<std::shared_ptr<Partition>> opened) {
                      EXPECT_TRUE(opened.ok()) << opened.status();
                      if (opened.ok()) partition_ = *std::move(opened);
                    });
  }

  // --- The controller and the tree ---

  // The broker has registered (anew): its incarnation rises.
  void Register(int32_t broker) {
    tree_.MustCommit({Operation::Set(paths::Incarnation(BrokerId(broker)), "")});
  }
  // A new leader epoch: written to the tree, told to the partition.
  void Elect(int32_t leader, const Ints& isr) {
    update_.tp = kTp;
    update_.leader = BrokerId(leader);
    update_.leader_epoch = LeaderEpoch(++epoch_);
    update_.replicas = {BrokerId(1), BrokerId(2), BrokerId(3)};
    update_.isr.clear();
    update_.log_ids.clear();
    for (const int32_t member : isr) {
      update_.isr.push_back(BrokerId(member));
      update_.log_ids[BrokerId(member)] = LogOf(member);
    }
    coordination::PartitionState state{.controller_epoch = update_.controller_epoch,
                                       .leader = update_.leader,
                                       .leader_epoch = update_.leader_epoch,
                                       .isr = update_.isr,
                                       .log_ids = update_.log_ids};
    tree_.MustCommit({Operation::Set(paths::PartitionState(kTp), state.Format())});
    update_.state_version = tree_.VersionOf(paths::PartitionState(kTp));
    partition_->Apply(update_);
    tree_.Settle();
  }
  coordination::PartitionState Stored() {
    const auto node = tree_.Get(paths::PartitionState(kTp));
    const auto state = coordination::PartitionState::Parse("state", node.data);
    EXPECT_TRUE(state.ok()) << state.status();
    return state.value_or(coordination::PartitionState());
  }
  Ints StoredIsr() {
    Ints isr;
    for (const BrokerId member : Stored().isr) isr.push_back(member.value());
    return isr;
  }

  // --- Clients ---

  // A batch of one record; with a sequence, of an idempotent producer.
  format::Batch MakeBatch(int32_t sequence) {
    format::BatchBuilder builder(pool_->Allocate(256), 256, /*base_timestamp=*/1000);
    EXPECT_EQ(builder.TryAppend(format::kNoTimestamp, std::nullopt, "value", {}), 0);
    format::BatchBuilder::Stamp stamp;
    if (sequence >= 0) {
      stamp = {.producer_id = model::ProducerId(7), .producer_epoch = 0, .base_sequence = sequence};
    }
    return std::move(builder).Build(stamp, nullptr);
  }
  Answer<AppendResult> Append(bool acks_all, int32_t sequence = -1) {
    auto answer = std::make_shared<std::optional<AppendResult>>();
    partition_->Append(MakeBatch(sequence), acks_all, hours(1),
                       [answer](AppendResult result) { *answer = std::move(result); });
    tree_.Settle();
    return answer;
  }
  // acks=1: the offset, or minus the error.
  int64_t AppendAtLeader(int32_t sequence = -1) {
    const auto answer = Append(/*acks_all=*/false, sequence);
    EXPECT_TRUE(answer->has_value());
    if (!answer->has_value()) return INT64_MIN;
    return (*answer)->error == ErrorCode::kNone ? (*answer)->base_offset.value()
                                                : -static_cast<int64_t>((*answer)->error);
  }
  OffsetResult FindOffset(int64_t timestamp, LeaderEpoch epoch = model::kNoEpoch) {
    std::optional<OffsetResult> found;
    partition_->FindOffset(timestamp, epoch, [&](OffsetResult result) { found = result; });
    EXPECT_TRUE(tree_.Eventually([&] { return found.has_value(); }));
    return found.value_or(OffsetResult());
  }
  ReadResult Read(int64_t offset, int32_t epoch) {
    std::optional<ReadResult> read;
    partition_->Read({LeaderEpoch(epoch), Offset(offset), 1 << 20},
                     [&](ReadResult result) { read = std::move(result); });
    EXPECT_TRUE(tree_.Eventually([&] { return read.has_value(); }));
    return read.value_or(ReadResult());
  }

  // --- The other replicas ---

  struct FetchSpec {
    std::optional<int32_t> epoch;  // the leader's, as the follower knows it; none: the present
    int32_t last_epoch = -1;       // of the record before the offset
    int64_t incarnation = 1;
    std::optional<LogId> log;  // none: LogOf
  };
  // As a follower, which has everything before `offset`.
  Answer<FetchResponse> Fetch(int32_t replica, int64_t offset, const FetchSpec& spec) {
    auto answer = std::make_shared<std::optional<FetchResponse>>();
    partition_->FetchReplica({.tp = kTp,
                              .replica = BrokerId(replica),
                              .incarnation = Incarnation(spec.incarnation),
                              .log_id = spec.log.value_or(LogOf(replica)),
                              .current_leader_epoch = LeaderEpoch(spec.epoch.value_or(epoch_)),
                              .fetch_offset = Offset(offset),
                              .last_fetched_epoch = LeaderEpoch(spec.last_epoch)},
                             [answer](absl::StatusOr<FetchResponse> response) {
                               if (response.ok()) *answer = *std::move(response);
                             });
    tree_.Settle();
    return answer;
  }
  Answer<FetchResponse> Fetch(int32_t replica, int64_t offset) {
    return Fetch(replica, offset, {});
  }
  static ErrorCode ErrorOf(const Answer<FetchResponse>& answer) {
    EXPECT_TRUE(answer->has_value()) << "the fetch waits";
    return answer->has_value() ? (*answer)->error : ErrorCode::kUnknownServerError;
  }
  // As the leader: answers the fetch that waits.
  void AnswerFetch(FetchResponse response) {
    ASSERT_FALSE(host_->peer->fetches.empty());
    FakePeer::Fetch fetch = std::move(host_->peer->fetches.back());
    host_->peer->fetches.clear();
    fetch.reply(std::move(response));
    tree_.Settle();
  }
  // Where the follower under test goes on.
  int64_t NextFetchOffset() {
    EXPECT_EQ(host_->peer->fetches.size(), 1u);
    return host_->peer->fetches.empty() ? -1
                                        : host_->peer->fetches.back().request.fetch_offset.value();
  }

  // --- Time, and what came of it ---

  void Tick() {
    partition_->Tick();
    tree_.Settle();
  }
  // Long enough for a follower that has not caught up to count as lost.
  void WaitForLag() { tree_.RunFor(kLag + seconds(1)); }
  ReplicaSnapshot Inspect() {
    std::optional<ReplicaSnapshot> now;
    partition_->Inspect([&](ReplicaSnapshot snapshot) { now = std::move(snapshot); });
    EXPECT_TRUE(tree_.Eventually([&] { return now.has_value(); }));
    return now.value_or(ReplicaSnapshot());
  }
  int64_t HighWatermark() { return Inspect().high_watermark.value(); }
  int64_t LogEnd() { return Inspect().log_end.value(); }

  coordination::SimTree tree_{GetParam()};
  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(1 << 20);
  const std::shared_ptr<base::Budget> budget_ = std::make_shared<base::Budget>(1 << 20);
  storage::MemoryStorage storage_{budget_};
  const std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>(tree_);
  std::unique_ptr<HeldLog> opening_;
  HeldLog* log_ = nullptr;  // until the partition is closed
  std::shared_ptr<Partition> partition_;
  transport::PartitionUpdate update_;
  int32_t epoch_ = -1;
};

INSTANTIATE_TEST_SUITE_P(Seeds, PartitionTest, testing::Range<uint64_t>(1, 6));

// --- Other epochs -------------------------------------------------------------------------------

TEST_P(PartitionTest, Rule5_AFetchOfAnotherEpochIsRefusedAndCountsForNothing) {
  Elect(1, {1, 2});
  Elect(1, {1, 2});
  AppendAtLeader();
  EXPECT_EQ(ErrorOf(Fetch(2, 1, {.epoch = 0})), ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(ErrorOf(Fetch(2, 1, {.epoch = 2})), ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(HighWatermark(), 0);
  Fetch(2, 1);
  EXPECT_EQ(HighWatermark(), 1);
}

TEST_P(PartitionTest, Rule5_AFetchThatWaitsIsRefusedWhenANewEpochBegins) {
  Elect(1, {1, 2});
  const auto waiting = Fetch(2, 0);
  EXPECT_FALSE(waiting->has_value());
  Elect(1, {1, 2});
  EXPECT_EQ(ErrorOf(waiting), ErrorCode::kFencedLeaderEpoch);
  const auto deposed = Fetch(2, 0);
  Elect(2, {1, 2});
  EXPECT_EQ(ErrorOf(deposed), ErrorCode::kNotLeaderOrFollower);
}

TEST_P(PartitionTest, Rule5_AClientOfAnotherEpochIsRefused) {
  Elect(1, {1});
  Elect(1, {1});
  AppendAtLeader();
  EXPECT_EQ(Read(0, 0).error, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(Read(0, 2).error, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(Read(0, 1).batches.size(), 1u);
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp, LeaderEpoch(0)).error,
            ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp, LeaderEpoch(2)).error,
            ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp, LeaderEpoch(1)).offset, Offset(1));
}

TEST_P(PartitionTest, Rule6_ADivergingFetchIsToldWhereAndCountsForNothing) {
  Elect(1, {1, 2});
  AppendAtLeader();
  Elect(1, {1, 2});
  AppendAtLeader();
  const auto diverging = Fetch(2, 2, {.last_epoch = 0});  // its second record is of a dead epoch
  ASSERT_TRUE(diverging->has_value());
  ASSERT_TRUE((*diverging)->diverging.has_value());
  EXPECT_EQ((*diverging)->diverging->epoch, LeaderEpoch(0));
  EXPECT_EQ((*diverging)->diverging->end_offset, Offset(1));
  EXPECT_TRUE((*diverging)->batches.empty());
  EXPECT_EQ(HighWatermark(), 0);
  Fetch(2, 1, {.last_epoch = 0});
  EXPECT_EQ(HighWatermark(), 1);
}

TEST_P(PartitionTest, Rule6_AFollowerToldToTruncateDoesSoFirstAndItsHighWatermarkStays) {
  Elect(1, {1, 2});
  AppendAtLeader();
  AppendAtLeader();
  Elect(2, {1, 2});
  AnswerFetch({.high_watermark = Offset(2), .diverging = {{LeaderEpoch(0), Offset(1)}}});
  EXPECT_EQ(LogEnd(), 1);
  EXPECT_EQ(HighWatermark(), 0);
  EXPECT_EQ(NextFetchOffset(), 1);
}

TEST_P(PartitionTest, Rule13_ADecisionOfAnOlderEpochChangesNothing) {
  Elect(2, {1, 2});
  transport::PartitionUpdate old = update_;
  old.config.max_message_bytes = 1;
  Elect(1, {1, 2});
  const auto append = Append(/*acks_all=*/true);
  partition_->Apply(old);
  tree_.Settle();
  EXPECT_EQ(Inspect().role, Role::kLeader);
  EXPECT_EQ(Inspect().leader_epoch, LeaderEpoch(1));
  EXPECT_FALSE(append->has_value());
  EXPECT_EQ(AppendAtLeader(), 1);
}

// --- Promises to clients ------------------------------------------------------------------------

TEST_P(PartitionTest, Rule10_TheEndIsNotToldBeforeTheHighWatermarkHasReachedTheEpochsStart) {
  Elect(1, {1, 2});
  AppendAtLeader();
  AppendAtLeader();
  Elect(1, {1, 2});
  for (const int64_t timestamp : {protocol::kLatestTimestamp, int64_t{1000}}) {
    EXPECT_EQ(FindOffset(timestamp).error, ErrorCode::kOffsetNotAvailable);
    EXPECT_EQ(FindOffset(timestamp).offset, Offset(-1));
  }
  EXPECT_EQ(FindOffset(protocol::kEarliestTimestamp).offset, Offset(0));
  Fetch(2, 1, {.last_epoch = 0});
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp).error, ErrorCode::kOffsetNotAvailable);
  Fetch(2, 2, {.last_epoch = 0});
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp).error, ErrorCode::kNone);
  EXPECT_EQ(FindOffset(protocol::kLatestTimestamp).offset, Offset(2));
  EXPECT_EQ(FindOffset(1000).offset, Offset(0));
}

TEST_P(PartitionTest, Rule11_AnAppendThatOutlivesItsReplicasIsNotAcknowledged) {
  update_.config.min_insync_replicas = 2;
  Elect(1, {1, 2});
  const auto replicated = Append(/*acks_all=*/true);
  Fetch(2, 1);
  ASSERT_TRUE(replicated->has_value());
  EXPECT_EQ((*replicated)->error, ErrorCode::kNone);

  const auto alone = Append(/*acks_all=*/true);
  WaitForLag();
  EXPECT_FALSE(alone->has_value());
  Tick();
  EXPECT_EQ(StoredIsr(), Ints{1});
  EXPECT_EQ(HighWatermark(), 2);
  ASSERT_TRUE(alone->has_value());
  EXPECT_EQ((*alone)->error, ErrorCode::kNotEnoughReplicasAfterAppend);
}

// --- The ISR in coordination --------------------------------------------------------------------

// KIP-903: broker 3 lost everything and registered anew, as a fetch of its former self arrives.
TEST_P(PartitionTest, Rule15_AFetchOfABrokersFormerSelfDoesNotAdmitItsEmptiedSelf) {
  Elect(1, {1, 2});
  AppendAtLeader();
  Fetch(2, 1);
  const int32_t before = tree_.VersionOf(paths::PartitionState(kTp));
  Register(3);
  Fetch(3, 1, {.incarnation = 1});
  EXPECT_EQ(StoredIsr(), (Ints{1, 2}));
  EXPECT_EQ(tree_.VersionOf(paths::PartitionState(kTp)), before);
  EXPECT_EQ(ErrorOf(Fetch(3, 1, {.incarnation = 1})), ErrorCode::kStaleBrokerEpoch);

  const FetchSpec emptied{.incarnation = 2, .log = LogId(31)};
  Fetch(3, 0, emptied);
  EXPECT_EQ(StoredIsr(), (Ints{1, 2}));
  Fetch(3, 1, emptied);
  EXPECT_EQ(StoredIsr(), (Ints{1, 2, 3}));
  EXPECT_EQ(Stored().log_ids[BrokerId(3)], LogId(31));
}

// KAFKA-14144, KAFKA-2729.
TEST_P(PartitionTest, Rule16_AnIsrWriteThatWasLostIsReadAgainAndRepeated) {
  Elect(1, {1, 2, 3});
  AppendAtLeader();
  Fetch(2, 1);
  WaitForLag();
  tree_.network().Cut(kSelf, kTree);
  Tick();  // broker 3 has never fetched
  tree_.network().HealAll();
  EXPECT_EQ(StoredIsr(), (Ints{1, 2, 3}));
  tree_.RunFor(seconds(3));  // by then the session has noticed
  EXPECT_EQ(HighWatermark(), 0);
  Tick();
  EXPECT_EQ(StoredIsr(), (Ints{1, 2}));
  EXPECT_EQ(HighWatermark(), 1);
}

TEST_P(PartitionTest, Rule16_AnIsrWriteWhoseAnswerWasLostIsFoundWritten) {
  Elect(1, {1, 2, 3});
  AppendAtLeader();
  Fetch(2, 1);
  WaitForLag();
  tree_.network().Cut(kTree, kSelf);
  Tick();
  tree_.network().HealAll();
  EXPECT_EQ(StoredIsr(), (Ints{1, 2}));
  EXPECT_EQ(HighWatermark(), 0);
  tree_.RunFor(seconds(3));
  EXPECT_EQ(HighWatermark(), 1);
  Fetch(3, 1);  // and the next write is over the version that was found
  EXPECT_EQ(StoredIsr(), (Ints{1, 2, 3}));
}

TEST_P(PartitionTest, Rule16_AnIsrWriteWithoutASessionIsMadeUpFor) {
  Elect(1, {1, 2, 3});
  AppendAtLeader();
  Fetch(2, 1);
  WaitForLag();
  const auto session = std::exchange(host_->present_session, nullptr);
  Tick();
  tree_.RunFor(seconds(3));
  EXPECT_EQ(HighWatermark(), 0);
  host_->present_session = session;
  tree_.RunFor(seconds(1));
  Tick();
  EXPECT_EQ(StoredIsr(), (Ints{1, 2}));
  EXPECT_EQ(HighWatermark(), 1);
}

// --- Idempotent producers -----------------------------------------------------------------------

TEST_P(PartitionTest, Rule21_WhatWasTruncatedIsForgottenAndWhatWasNotIsRemembered) {
  Elect(1, {1, 2});
  EXPECT_EQ(AppendAtLeader(/*sequence=*/0), 0);
  EXPECT_EQ(AppendAtLeader(/*sequence=*/1), 1);
  Elect(2, {1, 2});
  AnswerFetch({.diverging = {{LeaderEpoch(0), Offset(1)}}});
  ASSERT_EQ(LogEnd(), 1);
  Elect(1, {1, 2});
  EXPECT_EQ(AppendAtLeader(/*sequence=*/0), 0);
  EXPECT_EQ(LogEnd(), 1) << "a duplicate";
  EXPECT_EQ(AppendAtLeader(/*sequence=*/1), 1);
  EXPECT_EQ(LogEnd(), 2) << "appended again";
}

// KAFKA-6003: it remembers what its leader accepted, whatever came before.
TEST_P(PartitionTest, Rule21_AFollowerRemembersWhatItFetched) {
  Elect(2, {1, 2});
  FetchResponse response{.log_start_offset = Offset(0), .log_end_offset = Offset(1)};
  response.batches.push_back(MakeBatch(/*sequence=*/5));
  response.batches.back().header.leader_epoch = LeaderEpoch(0);
  AnswerFetch(std::move(response));
  ASSERT_EQ(LogEnd(), 1);
  Elect(1, {1, 2});
  EXPECT_EQ(AppendAtLeader(/*sequence=*/5), 0);
  EXPECT_EQ(LogEnd(), 1);
  EXPECT_EQ(AppendAtLeader(/*sequence=*/6), 1);
}

// KAFKA-6683.
TEST_P(PartitionTest, Rule21_ABatchThatCouldNotBeAppendedIsNotRemembered) {
  Elect(1, {1, 2});
  EXPECT_EQ(AppendAtLeader(/*sequence=*/0), 0);
  budget_->Charge(budget_->limit_bytes());
  EXPECT_EQ(AppendAtLeader(/*sequence=*/1), -static_cast<int64_t>(ErrorCode::kStorageError));
  budget_->Release(budget_->limit_bytes());
  EXPECT_EQ(AppendAtLeader(/*sequence=*/1), 1);
  EXPECT_EQ(LogEnd(), 2);
}

// --- Batches that are packed anew ---------------------------------------------------------------

// --- Disks --------------------------------------------------------------------------------------

// What was written just before is to be synced, too: nobody else would ask for it, as a follower
// that waits for it fetches nothing that a sync would be for.
TEST_P(PartitionTest, WhereASyncIsAskedForFromNowOnWhatWasWrittenBeforeIsSynced) {
  Elect(2, {1, 2});
  log_->is_held = true;
  format::Batch batch = MakeBatch(-1);
  batch.header.leader_epoch = LeaderEpoch(0);
  AnswerFetch({.log_end_offset = Offset(1), .diverging = std::nullopt, .batches = {batch}});
  EXPECT_TRUE(host_->peer->fetches.empty()) << "nothing is written yet";
  log_->now.written = Offset(1);  // news of which are on their way
  model::TopicConfig config;
  config.flush_messages = 1;
  partition_->Configure(config);
  tree_.Settle();
  log_->Notify();
  tree_.Settle();
  EXPECT_GE(log_->syncs, 1);
  log_->now.synced = Offset(1);
  log_->Notify();
  tree_.Settle();
  EXPECT_EQ(NextFetchOffset(), 1);
}

// What a killed process had written, it had not acknowledged yet: nor does its successor before the
// device has it.
TEST_P(PartitionTest, WhereASyncIsAskedForWhatAStartFoundIsSyncedBeforeItCounts) {
  tree_.Settle();
  std::exchange(partition_, nullptr)->Close([] {});
  tree_.Settle();
  OpenLog();
  const format::Batch batch = MakeBatch(-1);
  ASSERT_TRUE(log_->Append({&batch, 1}).ok());
  log_->is_held = true;
  log_->now = {.written = Offset(1), .synced = Offset(0)};
  Open();
  ASSERT_TRUE(tree_.Eventually([this] { return partition_ != nullptr; }));
  update_.config.flush_messages = 1;
  Elect(1, {1});
  EXPECT_EQ(HighWatermark(), 0);
  EXPECT_GE(log_->syncs, 1);
  log_->now.synced = Offset(1);
  log_->Notify();
  tree_.Settle();
  EXPECT_EQ(HighWatermark(), 1);
}

// It may fail in a call, of which no listener hears.
TEST_P(PartitionTest, ALogThatFailsInACallIsNoticed) {
  Elect(1, {1});
  log_->is_held = true;
  log_->now.failed = true;
  EXPECT_EQ(AppendAtLeader(), -static_cast<int64_t>(ErrorCode::kStorageError));
  Tick();
  EXPECT_TRUE(partition_->log_failed());
}

TEST_P(PartitionTest, WhileABatchIsPackedAnewOnlyAppendsWaitAndTheyKeepTheirOrder) {
  update_.config.compression_type = model::CompressionType::kGzip;
  Elect(1, {1, 2});
  const auto first = Append(/*acks_all=*/false, /*sequence=*/0);
  const auto second = Append(/*acks_all=*/false, /*sequence=*/1);
  update_.config.compression_type = model::CompressionType::kProducer;
  partition_->Configure(update_.config);
  const auto third = Append(/*acks_all=*/false, /*sequence=*/2);
  EXPECT_EQ(host_->preparation().tasks.size(), 1u) << "others have to have their turn";
  EXPECT_EQ(LogEnd(), 0);
  EXPECT_EQ(Read(0, 0).error, ErrorCode::kNone);
  Fetch(2, 0);
  EXPECT_FALSE(first->has_value());
  host_->preparation().RunOne();
  tree_.Settle();
  EXPECT_TRUE(host_->preparation().tasks.empty()) << "the settings are those of its turn";
  EXPECT_EQ(LogEnd(), 3);
  int64_t offset = 0;
  for (const auto& answer : {first, second, third}) {
    ASSERT_TRUE(answer->has_value());
    EXPECT_EQ((*answer)->base_offset.value(), offset++);
  }
  const auto batches = Inspect().batches;
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(format::CodecOf(batches[0].header), format::Codec::kGzip);
  EXPECT_EQ(format::CodecOf(batches[1].header), format::Codec::kNone);
}

TEST_P(PartitionTest, NoWorkIsDoneForABatchThatIsRefusedAnyway) {
  update_.config.compression_type = model::CompressionType::kGzip;
  update_.config.min_insync_replicas = 2;
  Elect(2, {1, 2});
  EXPECT_EQ(AppendAtLeader(), -static_cast<int64_t>(ErrorCode::kNotLeaderOrFollower));
  Elect(1, {1});
  const auto alone = Append(/*acks_all=*/true);
  ASSERT_TRUE(alone->has_value());
  EXPECT_EQ((*alone)->error, ErrorCode::kNotEnoughReplicas);
  update_.config.max_message_bytes = 10;  // of what comes, however small it would become
  partition_->Configure(update_.config);
  EXPECT_EQ(AppendAtLeader(), -static_cast<int64_t>(ErrorCode::kMessageTooLarge));
  EXPECT_TRUE(host_->preparation().tasks.empty());
}

TEST_P(PartitionTest, ABatchThatIsPackedAnewAsAnotherTakesTheLeadIsRefused) {
  update_.config.compression_type = model::CompressionType::kGzip;
  Elect(1, {1, 2});
  const auto answer = Append(/*acks_all=*/false);
  Elect(2, {1, 2});
  host_->preparation().RunOne();
  tree_.Settle();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(LogEnd(), 0);
}

TEST_P(PartitionTest, ABatchThatIsPackedAnewAsTheBrokerStopsIsNotAnswered) {
  update_.config.compression_type = model::CompressionType::kGzip;
  Elect(1, {1, 2});
  const auto answer = Append(/*acks_all=*/false);
  partition_->Close([] {});
  host_->preparation().RunOne();
  tree_.Settle();
  EXPECT_FALSE(answer->has_value());
}

}  // namespace
}  // namespace kafkalite::replication
