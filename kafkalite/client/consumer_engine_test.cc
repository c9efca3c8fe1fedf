#include "kafkalite/client/consumer_engine.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/client/consumer_engine_fixture.h"
#include "kafkalite/client/fake_broker.h"
#include "kafkalite/consumer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/record.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;
using model::Offset;
using std::chrono::milliseconds;
using std::chrono::seconds;

// --- Assignment and positions --------------------------------------------------------------------

TEST_P(ConsumerEngineTest, OptionsAreChecked) {
  Start();
  const auto message = [this](const ConsumerOptions& options) {
    const auto result = ConsumerEngine::Create(cluster_->runtime(), options);
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    return std::string(result.status().message());
  };
  EXPECT_EQ(message({.request_timeout = milliseconds(0)}),
            "ConsumerOptions::request_timeout is 0 ms; it must be at least 1 ms");
  EXPECT_EQ(message({.fetch_max_bytes = -1}),
            "ConsumerOptions::fetch_max_bytes is -1; it must be at least 0");
}

TEST_P(ConsumerEngineTest, AssignsAllOrNothing) {
  Start().CreateTopic("t", 2);
  Create();
  EXPECT_TRUE(absl::IsFailedPrecondition(PollError()));
  ASSERT_TRUE(consumer_->Assign({kT1}).ok());
  EXPECT_TRUE(absl::IsNotFound(consumer_->Assign({kT0, {"other", 0}})));
  EXPECT_TRUE(absl::IsNotFound(consumer_->Assign({kT0, {"t", 2}})));
  EXPECT_TRUE(absl::IsNotFound(consumer_->Assign({{"t", -1}})));
  EXPECT_TRUE(absl::IsInvalidArgument(consumer_->Assign({kT0, kT0})));
  EXPECT_TRUE(absl::IsNotFound(consumer_->AssignTopics({"other"})));
  EXPECT_EQ(consumer_->assignment(), std::vector<TopicPartition>{kT1});
  ASSERT_TRUE(consumer_->AssignTopics({"t"}).ok());
  EXPECT_EQ(consumer_->assignment(), (std::vector<TopicPartition>{kT0, kT1}));
}

TEST_P(ConsumerEngineTest, PartitionsThatStayKeepTheirPosition) {
  Start();
  Consume(2);
  ASSERT_TRUE(consumer_->Seek(kT0, 7).ok());
  ASSERT_TRUE(consumer_->Seek(kT1, 8).ok());
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  ASSERT_TRUE(consumer_->Assign({kT1, kT0}).ok());
  EXPECT_EQ(Position(kT0), 7);
  EXPECT_EQ(Position(kT1), 0);
}

TEST_P(ConsumerEngineTest, SeekChecksItsArguments) {
  Start();
  Consume(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Seek(kT1, 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(consumer_->Seek(kT0, -1)));
  EXPECT_TRUE(absl::IsInvalidArgument(consumer_->SeekToTimestamp(-1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Position(kT1).status()));
}

TEST_P(ConsumerEngineTest, SeeksToTheEndsAndToTimestamps) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b"});
  Append(kT0, {"c", "d"});
  ASSERT_TRUE(consumer_->SeekToEnd().ok());
  EXPECT_EQ(Position(kT0), 4);
  ASSERT_TRUE(consumer_->SeekToBeginning().ok());
  EXPECT_EQ(Position(kT0), 0);
  ASSERT_TRUE(consumer_->SeekToTimestamp(1003).ok());
  EXPECT_EQ(Position(kT0), 3);
  EXPECT_EQ(Poll(), Values{"d"});
  ASSERT_TRUE(consumer_->SeekToTimestamp(5000).ok());
  EXPECT_EQ(Position(kT0), 4);
}

TEST_P(ConsumerEngineTest, LookUpsAreRepeated) {
  Start();
  Consume(1);
  Change(kT0, [](FakeState::Partition& partition) {
    partition.offsets_errors = {ErrorCode::kOffsetNotAvailable, ErrorCode::kOffsetNotAvailable,
                                ErrorCode::kNotLeaderOrFollower};
    partition.log_start = partition.high_watermark = Offset(5);
  });
  ASSERT_TRUE(consumer_->SeekToEnd().ok());
  EXPECT_EQ(Position(kT0), 5);
}

TEST_P(ConsumerEngineTest, LookUpsEndWithTheRequestTimeout) {
  Start();
  Consume(1, {.request_timeout = milliseconds(50)});
  cluster_->Stop(1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(consumer_->SeekToEnd()));
}

// --- Poll ----------------------------------------------------------------------------------------

TEST_P(ConsumerEngineTest, ReturnsWhatIsThere) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b"});
  Append(kT0, {"c"});
  EXPECT_EQ(Poll(), (Values{"a", "b", "c"}));
  EXPECT_EQ(Position(kT0), 3);
  Append(kT0, {"d"});
  EXPECT_EQ(Poll(), Values{"d"});
}

TEST_P(ConsumerEngineTest, AnEmptyPollTakesItsTime) {
  Start();
  Consume(1);
  const base::Time start = Now();
  EXPECT_EQ(Poll(milliseconds(50)), Values());
  EXPECT_GE(Now() - start, milliseconds(50));
  EXPECT_EQ(Poll(milliseconds(0)), Values());
}

TEST_P(ConsumerEngineTest, WakesWhenARecordComes) {
  Start();
  Consume(1);
  const base::Time start = Now();
  After(milliseconds(20), [this] { Append(kT0, {"a"}); });
  EXPECT_EQ(Poll(), Values{"a"});
  EXPECT_LT(Now() - start, seconds(5));
}

TEST_P(ConsumerEngineTest, ARequestOutlivesThePollThatSentIt) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(10)), Values());
  EXPECT_EQ(Poll(milliseconds(10)), Values());
  EXPECT_EQ(cluster_->state().fetches(), 1);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
  EXPECT_EQ(cluster_->state().fetches(), 1);
}

TEST_P(ConsumerEngineTest, PollsPastTheWaitOfOneRequest) {
  Start();
  Consume(1, {.fetch_max_wait = milliseconds(10)});
  After(milliseconds(60), [this] { Append(kT0, {"a"}); });
  EXPECT_EQ(Poll(), Values{"a"});
  EXPECT_GE(cluster_->state().fetches(), 3);
}

TEST_P(ConsumerEngineTest, ABrokerThatDoesNotWaitKeepsNobodyBusy) {
  Start();
  Consume(1, {.fetch_max_wait = milliseconds(0)});
  EXPECT_EQ(Poll(milliseconds(50)), Values());
  EXPECT_LE(cluster_->state().fetches(), 60);
}

TEST_P(ConsumerEngineTest, SkipsRecordsBelowThePosition) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b", "c"});
  ASSERT_TRUE(consumer_->Seek(kT0, 2).ok());
  const absl::StatusOr<Records> records = consumer_->Poll(seconds(10));
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(ValuesOf(*records), Values{"c"});
  EXPECT_EQ(records->begin()->offset, 2);
  EXPECT_EQ(records->begin()->timestamp, 1002);
}

TEST_P(ConsumerEngineTest, PassesBatchesWithoutRecordsForUsers) {
  Start();
  Consume(1);
  Append(kT0, {"control"});
  Change(kT0, [](FakeState::Partition& partition) {
    partition.batches[0].header.attributes |= format::kControlBit;
  });
  EXPECT_EQ(Poll(milliseconds(20)), Values());
  EXPECT_EQ(Position(kT0), 1);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, ReadsTheLeadersOfAllPartitions) {
  Start({.brokers = 3});
  Consume(3);
  Append(kT0, {"a"});
  Append(kT1, {"b"});
  Append({"t", 2}, {"c"});
  Values values;
  while (values.size() < 3) {
    for (std::string& value : Poll()) values.push_back(std::move(value));
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (Values{"a", "b", "c"}));
}

TEST_P(ConsumerEngineTest, ASilentBrokerDoesNotHoldUpTheOthers) {
  Start({.brokers = 2});
  Consume(2);
  for (int i = 0; i < 5; ++i) {
    Append(kT0, {"a"});
    EXPECT_EQ(Poll(), Values{"a"});
  }
  Append(kT1, {"b"});
  EXPECT_EQ(Poll(), Values{"b"});
}

TEST_P(ConsumerEngineTest, WhoWasServedIsAskedForLast) {
  Start();
  Consume(2);
  Append(kT0, {"a"});
  Append(kT1, {"b"});
  EXPECT_EQ(Poll().size(), 2u);
  Append(kT0, {"c"});
  EXPECT_EQ(Poll(), Values{"c"});
  cluster_->state().TakeFetches();
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  const auto fetches = cluster_->state().TakeFetches();
  ASSERT_EQ(fetches.size(), 1u);
  ASSERT_EQ(fetches[0].partitions.size(), 2u);
  EXPECT_EQ(fetches[0].partitions[0].tp, ToModel(kT1));
}

TEST_P(ConsumerEngineTest, SeekDiscardsWhatIsUnderWay) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b", "c"});
  EXPECT_EQ(Poll(), (Values{"a", "b", "c"}));
  EXPECT_EQ(Poll(milliseconds(5)), Values());  // leaves a request for offset 3 at the broker
  ASSERT_TRUE(consumer_->Seek(kT0, 1).ok());
  Append(kT0, {"d"});  // which is answered now
  EXPECT_EQ(Poll(), (Values{"b", "c", "d"}));
  EXPECT_EQ(Position(kT0), 4);
}

TEST_P(ConsumerEngineTest, SeekDoesNotWaitForWhatIsUnderWay) {
  Start();
  Consume(1);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  ASSERT_TRUE(consumer_->SeekToBeginning().ok());
  const base::Time start = Now();
  EXPECT_EQ(Poll(), Values{"a"});
  EXPECT_LT(Now() - start, milliseconds(400));
}

TEST_P(ConsumerEngineTest, AssignDiscardsWhatIsUnderWay) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  ASSERT_TRUE(consumer_->Assign({}).ok());
  Append(kT0, {"a"});
  EXPECT_TRUE(absl::IsFailedPrecondition(PollError()));
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  EXPECT_EQ(Poll(), Values{"a"});
}

// --- Failures ------------------------------------------------------------------------------------

TEST_P(ConsumerEngineTest, FollowsTheLeader) {
  Start({.brokers = 2});
  Consume(1);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
  cluster_->SetLeader(ToModel(kT0), 2);
  Append(kT0, {"b"});
  EXPECT_EQ(Poll(), Values{"b"});
}

TEST_P(ConsumerEngineTest, FollowsTheLeaderOutOfALongPoll) {
  Start({.brokers = 2});
  Consume(1);
  After(milliseconds(10), [this] { cluster_->SetLeader(ToModel(kT0), 2); });
  After(milliseconds(20), [this] { Append(kT0, {"a"}); });
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, WaitsOutADeadLeader) {
  Start({.brokers = 2});
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  cluster_->Stop(1);
  EXPECT_EQ(Poll(milliseconds(50)), Values());
  const int requests = cluster_->state().metadata_requests();
  EXPECT_LE(requests, 12);  // with pauses between them
  After(milliseconds(20), [this] {
    cluster_->SetLeader(ToModel(kT0), 2);
    Append(kT0, {"a"});
  });
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, WaitsForALeader) {
  Start().CreateTopic("t", 1);
  Change(kT0, [](FakeState::Partition& partition) { partition.leader = model::kNoBroker; });
  Create();
  ASSERT_TRUE(consumer_->Assign({kT0}).ok());
  EXPECT_EQ(Poll(milliseconds(50)), Values());
  cluster_->SetLeader(ToModel(kT0), 1);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, RetriesWhatMayPass) {
  Start();
  Consume(1);
  Append(kT0, {"a"});
  Change(kT0, [](FakeState::Partition& partition) {
    partition.fetch_errors = {ErrorCode::kFencedLeaderEpoch,       ErrorCode::kUnknownLeaderEpoch,
                              ErrorCode::kLeaderNotAvailable,      ErrorCode::kStorageError,
                              ErrorCode::kUnknownTopicOrPartition, ErrorCode::kOffsetNotAvailable};
  });
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, ReportsWhatWillNotPass) {
  Start();
  Consume(2);
  Append(kT0, {"a"});
  Append(kT1, {"b"});
  Change(kT0, [](FakeState::Partition& partition) {
    partition.fetch_errors = {ErrorCode::kCorruptMessage};
  });
  const absl::Status status = PollError();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "partition 0 of topic 't'")) << status;
  Values values = Poll();  // what the other partition brought has been kept
  EXPECT_EQ(values[0], "b");
}

TEST_P(ConsumerEngineTest, GivesUpASilentBrokerAfterTheRequestTimeout) {
  Start({.brokers = 2});
  Consume(1, {.request_timeout = milliseconds(100), .fetch_max_wait = milliseconds(20)});
  ASSERT_EQ(Position(kT0), 0);
  // The first consumer is the first client.
  cluster_->network().Cut(base::NodeId::kFirstClient, base::NodeId{1});
  EXPECT_EQ(Poll(milliseconds(10)), Values());
  cluster_->SetLeader(ToModel(kT0), 2);
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(), Values{"a"});
}

TEST_P(ConsumerEngineTest, ADeletedTopicIsNotFound) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  cluster_->state().DeleteTopic("t");
  EXPECT_TRUE(absl::IsNotFound(PollError()));
  EXPECT_TRUE(absl::IsNotFound(PollError()));
}

// --- Positions outside of the log ----------------------------------------------------------------

// The log is [5, 7); it holds "f" and "g".
void CutStart(FakeState::Partition& partition) {
  partition.batches.erase(partition.batches.begin());
  partition.log_start = partition.batches[0].header.base_offset;
}

TEST_P(ConsumerEngineTest, ResetsToTheEarliest) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b", "c", "d", "e"});
  Append(kT0, {"f", "g"});
  ASSERT_EQ(Position(kT0), 0);
  Change(kT0, CutStart);
  EXPECT_EQ(Poll(), (Values{"f", "g"}));
  ASSERT_TRUE(consumer_->Seek(kT0, 100).ok());
  EXPECT_EQ(Poll(), (Values{"f", "g"}));
}

TEST_P(ConsumerEngineTest, ResetsToTheLatest) {
  Start();
  Consume(1, {.auto_offset_reset = OffsetReset::kLatest});
  Append(kT0, {"a", "b", "c", "d", "e"});
  Append(kT0, {"f", "g"});
  ASSERT_TRUE(consumer_->Seek(kT0, 0).ok());
  Change(kT0, CutStart);
  EXPECT_EQ(Poll(milliseconds(20)), Values());
  EXPECT_EQ(Position(kT0), 7);
  Append(kT0, {"h"});
  EXPECT_EQ(Poll(), Values{"h"});
}

TEST_P(ConsumerEngineTest, StartsAtTheLatest) {
  Start();
  Consume(1, {.auto_offset_reset = OffsetReset::kLatest});
  Append(kT0, {"a"});
  EXPECT_EQ(Poll(milliseconds(20)), Values());
  Append(kT0, {"b"});
  EXPECT_EQ(Poll(), Values{"b"});
}

TEST_P(ConsumerEngineTest, ReportsAPositionOutsideOfTheLog) {
  Start();
  Consume(1, {.auto_offset_reset = OffsetReset::kError});
  Append(kT0, {"a"});
  EXPECT_TRUE(absl::IsOutOfRange(PollError()));  // no position at all
  EXPECT_TRUE(absl::IsOutOfRange(consumer_->Position(kT0).status()));
  ASSERT_TRUE(consumer_->Seek(kT0, 100).ok());
  const absl::Status status = PollError();
  EXPECT_TRUE(absl::IsOutOfRange(status));
  EXPECT_EQ(status.message(),
            "position 100 of partition 0 of topic 't' is outside of the log, and "
            "auto_offset_reset is kError");
  ASSERT_TRUE(consumer_->SeekToBeginning().ok());
  EXPECT_EQ(Poll(), Values{"a"});
}

// --- Memory and lifetime -------------------------------------------------------------------------

TEST_P(ConsumerEngineTest, HeldRecordsAreBounded) {
  Start({.reader_memory_bytes = 1000});
  Consume(2);
  Append(kT0, {std::string(600, 'a')});
  absl::StatusOr<Records> held = consumer_->Poll(seconds(10));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(cluster_->runtime()->reader_budget->used_bytes(), 1024);  // one item is always taken
  Append(kT0, {"b"});
  const absl::Status full = PollError();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(absl::StrContains(full.message(), "1024 of 1000")) << full;
  EXPECT_TRUE(absl::StrContains(full.message(), "reader_memory_bytes")) << full;
  EXPECT_TRUE(absl::IsResourceExhausted(PollError()));
  held = Records();
  EXPECT_EQ(cluster_->runtime()->reader_budget->used_bytes(), 0);
  EXPECT_EQ(Poll(), Values{"b"});
}

TEST_P(ConsumerEngineTest, ReturnsThePartitionsForWhichThereIsMemory) {
  Start({.reader_memory_bytes = 1500});
  Consume(2);
  Append(kT0, {std::string(600, 'a')});
  Append(kT1, {std::string(600, 'b')});
  EXPECT_EQ(Poll(), Values{std::string(600, 'a')});
  EXPECT_EQ(Poll(), Values{std::string(600, 'b')});
}

TEST_P(ConsumerEngineTest, ABufferIsChargedOnce) {
  Start();
  Consume(1);
  Append(kT0, {"a"});
  Change(kT0, [](FakeState::Partition& partition) {
    format::Batch copy = partition.batches[0];
    copy.header.base_offset = Offset(1);
    partition.batches.push_back(copy);
    partition.high_watermark = Offset(2);
  });
  const absl::StatusOr<Records> records = consumer_->Poll(seconds(10));
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(records->count(), 2);
  EXPECT_EQ(cluster_->runtime()->reader_budget->used_bytes(), 256);
}

TEST_P(ConsumerEngineTest, RecordsOutliveConsumerAndCluster) {
  Start();
  Consume(1);
  Append(kT0, {"a", "b"});
  absl::StatusOr<Records> records = consumer_->Poll(seconds(10));
  ASSERT_TRUE(records.ok()) << records.status();
  const Records moved = *std::move(records);
  consumer_.reset();
  cluster_.reset();
  EXPECT_EQ(ValuesOf(moved), (Values{"a", "b"}));
  EXPECT_EQ(moved.begin()->topic, "t");
}

TEST_P(ConsumerEngineTest, MayBeDestroyedWithRequestsUnderWay) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  const base::Time start = Now();
  consumer_.reset();
  Append(kT0, {"a"});  // answers the request
  EXPECT_LT(Now() - start, milliseconds(400));
}

TEST_P(ConsumerEngineTest, OutlivesTheCluster) {
  Start();
  Consume(1);
  EXPECT_EQ(Poll(milliseconds(5)), Values());
  cluster_->Shutdown();
  EXPECT_TRUE(absl::IsFailedPrecondition(PollError()));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Assign({kT0})));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Seek(kT0, 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->SeekToEnd()));
  EXPECT_TRUE(absl::IsFailedPrecondition(consumer_->Position(kT0).status()));
  cluster_.reset();
  EXPECT_EQ(PollError().message(), "the cluster is shut down");
}

TEST(ConsumerEngineThreadsTest, ShutdownWakesAPoll) {
  FakeCluster cluster({});
  cluster.CreateTopic("t", 1);
  auto consumer = ConsumerEngine::Create(cluster.runtime(), {});
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE((*consumer)->AssignTopics({"t"}).ok());
  std::thread closer([&cluster] {
    std::this_thread::sleep_for(milliseconds(20));
    cluster.Shutdown();
  });
  const base::Time start = std::chrono::steady_clock::now();
  EXPECT_TRUE(absl::IsFailedPrecondition((*consumer)->Poll(seconds(30)).status()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  closer.join();
}

TEST(ConsumerEngineThreadsTest, ReadsWhatAnotherThreadAppends) {
  FakeCluster cluster({});
  cluster.CreateTopic("t", 1);
  auto consumer = ConsumerEngine::Create(cluster.runtime(), {.fetch_max_wait = milliseconds(2)});
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE((*consumer)->AssignTopics({"t"}).ok());
  constexpr int kBatches = 2000;
  std::thread appender([&cluster] {
    for (int i = 0; i < kBatches; ++i) cluster.Append(ToModel(kT0), {"a", "b"});
  });
  int64_t next = 0;
  while (next < 2 * kBatches) {
    const absl::StatusOr<Records> records = (*consumer)->Poll(seconds(10));
    ASSERT_TRUE(records.ok()) << records.status();
    for (const ConsumedRecord& record : *records) EXPECT_EQ(record.offset, next++);
  }
  appender.join();
}

TEST(ConsumerEngineSimulationTest, SameSeedSameRun) {
  const auto run = [](uint64_t seed) {
    FakeCluster cluster({.simulated = true, .seed = seed, .brokers = 3});
    cluster.CreateTopic("t", 5);
    auto consumer = ConsumerEngine::Create(cluster.runtime(), {});
    EXPECT_TRUE(consumer.ok() && (*consumer)->AssignTopics({"t"}).ok());
    std::string seen;
    for (int i = 0; i < 50; ++i) {
      cluster.Append({"t", model::PartitionId(i % 5)}, {std::to_string(i)});
      if (i == 20) cluster.SetLeader({"t", model::PartitionId(1)}, 3);
      const Records records = (*consumer)->Poll(milliseconds(5)).value();
      for (const ConsumedRecord& record : records) seen += std::string(*record.value) + " ";
    }
    return std::make_pair(seen, static_cast<base::SimExecutor&>(cluster.executor()).trace_hash());
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

INSTANTIATE_TEST_SUITE_P(Executors, ConsumerEngineTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Simulated" : "Real"; });

// --- Records -------------------------------------------------------------------------------------

TEST(RecordsTest, NoneByDefault) {
  const Records records;
  EXPECT_TRUE(records.empty());
  EXPECT_TRUE(records.begin() == records.end());
}

TEST(RecordsTest, ShowsAllOfARecord) {
  FakeCluster cluster({});
  cluster.CreateTopic("t", 1);
  const std::vector<format::Header> headers = {{"h", "x"}, {"n", std::nullopt}};
  cluster.state().With(ToModel(kT0), [&](FakeState::Partition& partition) {
    format::BatchBuilder builder(cluster.runtime()->pool->Allocate(1024), 1024, 50);
    builder.TryAppend(49, "key", "value", headers);
    builder.TryAppend(51, {}, {}, {});
    partition.batches.push_back(std::move(builder).Build({}, nullptr));
    partition.high_watermark = Offset(2);
    partition.batches.push_back(partition.batches[0]);
    partition.batches[1].header.base_offset = Offset(2);
    partition.batches[1].header.attributes |= format::kLogAppendTimeBit;
    partition.high_watermark = Offset(4);
  });
  auto consumer = ConsumerEngine::Create(cluster.runtime(), {});
  ASSERT_TRUE(consumer.ok() && (*consumer)->AssignTopics({"t"}).ok());
  const absl::StatusOr<Records> records = (*consumer)->Poll(seconds(10));
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_EQ(records->count(), 4);

  Records::Iterator it = records->begin();
  EXPECT_EQ(it->topic, "t");
  EXPECT_EQ(it->partition, 0);
  EXPECT_EQ(it->offset, 0);
  EXPECT_EQ(it->timestamp, 49);
  EXPECT_EQ(it->key, "key");
  EXPECT_EQ(it->value, "value");
  const std::vector<Header> decoded = it->headers();
  ASSERT_EQ(decoded.size(), 2u);
  EXPECT_EQ(decoded[0].key, "h");
  EXPECT_EQ(decoded[0].value, "x");
  EXPECT_EQ(decoded[1].value, std::nullopt);
  const Records::Iterator first = it;
  ++it;
  EXPECT_FALSE(it == first);
  EXPECT_EQ(first->offset, 0);
  EXPECT_EQ(it->offset, 1);
  EXPECT_EQ(it->key, std::nullopt);
  EXPECT_EQ(it->value, std::nullopt);
  EXPECT_TRUE(it->headers().empty());
  ++it;
  EXPECT_EQ(it->timestamp, 51);  // the log's time, of all records
  ++it;
  EXPECT_EQ(it->offset, 3);
  ++it;
  EXPECT_TRUE(it == records->end());
}

}  // namespace
}  // namespace kafkalite::client
