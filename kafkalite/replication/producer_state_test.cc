#include "kafkalite/replication/producer_state.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::replication {
namespace {

using model::ErrorCode;
using model::Offset;
using model::ProducerId;

constexpr int32_t kMaxSequence = std::numeric_limits<int32_t>::max();

format::BatchHeader Make(int32_t sequence, int32_t count, int64_t offset = 0, int16_t epoch = 0,
                         int64_t producer = 1) {
  format::BatchHeader header;
  header.base_offset = Offset(offset);
  header.last_offset_delta = count - 1;
  header.record_count = count;
  header.producer_id = ProducerId(producer);
  header.producer_epoch = epoch;
  header.base_sequence = sequence;
  header.max_timestamp = 1000;
  return header;
}

ErrorCode Error(const ProducerState& state, const format::BatchHeader& header) {
  const ProducerState::Verdict verdict = state.Check(header);
  EXPECT_TRUE(verdict.error == ErrorCode::kNone || !verdict.duplicate);
  return verdict.error;
}

bool IsNew(const ProducerState& state, const format::BatchHeader& header) {
  const ProducerState::Verdict verdict = state.Check(header);
  return verdict.error == ErrorCode::kNone && !verdict.duplicate;
}

// The offset at which a batch lies already, -1 if it does not.
int64_t DuplicateAt(const ProducerState& state, const format::BatchHeader& header) {
  const ProducerState::Verdict verdict = state.Check(header);
  return verdict.duplicate ? verdict.duplicate->base_offset.value() : -1;
}

base::Time At(int64_t seconds) { return base::Time(std::chrono::seconds(seconds)); }

// One batch of one record after another, sequences and offsets from 0 on.
ProducerState AfterBatches(int count) {
  ProducerState state;
  for (int i = 0; i < count; ++i) state.Appended(Make(i, 1, i), At(0));
  return state;
}

TEST(ProducerStateTest, BatchesWithoutAProducerIdAreAlwaysNew) {
  ProducerState state;
  const auto plain = Make(-1, 3, 0, -1, -1);
  state.Appended(plain, At(0));
  EXPECT_TRUE(IsNew(state, plain));
  EXPECT_EQ(state.size(), 0u);
}

TEST(ProducerStateTest, TheNextSequenceIsNewAndGapsAreRefused) {
  ProducerState state;
  state.Appended(Make(0, 3), At(0));
  EXPECT_TRUE(IsNew(state, Make(3, 2)));
  EXPECT_EQ(Error(state, Make(4, 2)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(Error(state, Make(1, 2)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(Error(state, Make(0, 2)), ErrorCode::kOutOfOrderSequenceNumber)
      << "the first sequence alone does not make a duplicate";
}

TEST(ProducerStateTest, ADuplicateIsAnsweredWithTheFirstOnesOffsets) {
  ProducerState state;
  state.Appended(Make(0, 3, 100), At(0));
  state.Appended(Make(3, 2, 103), At(0));
  const auto verdict = state.Check(Make(0, 3));
  ASSERT_TRUE(verdict.duplicate.has_value());
  EXPECT_EQ(verdict.error, ErrorCode::kNone);
  EXPECT_EQ(verdict.duplicate->base_offset, Offset(100));
  EXPECT_EQ(verdict.duplicate->last_offset, Offset(102));
  EXPECT_EQ(DuplicateAt(state, Make(3, 2)), 103);
}

TEST(ProducerStateTest, TheLastFiveBatchesAreRememberedAndNoMore) {
  // At every fill of the ring, and far beyond where its counter is cut down.
  for (const int batches : {5, 6, 7, 8, 9, 10, 11, 9999, 10000, 10001, 14999, 15000, 15001}) {
    const ProducerState state = AfterBatches(batches);
    for (int back = 1; back <= 5; ++back) {
      EXPECT_EQ(DuplicateAt(state, Make(batches - back, 1)), batches - back) << batches;
    }
    if (batches > 5) {
      EXPECT_EQ(Error(state, Make(batches - 6, 1)), ErrorCode::kOutOfOrderSequenceNumber);
    }
    EXPECT_TRUE(IsNew(state, Make(batches, 1)));
  }
}

TEST(ProducerStateTest, FewerThanFiveBatchesAreAllRemembered) {
  const ProducerState state = AfterBatches(2);
  EXPECT_EQ(DuplicateAt(state, Make(0, 1)), 0);
  EXPECT_EQ(DuplicateAt(state, Make(1, 1)), 1);
  EXPECT_TRUE(IsNew(state, Make(2, 1)));
}

TEST(ProducerStateTest, SequencesWrapToZero) {
  ProducerState state;
  state.Appended(Make(kMaxSequence - 1, 2), At(0));  // ends at the largest
  EXPECT_TRUE(IsNew(state, Make(0, 1)));
  EXPECT_EQ(Error(state, Make(1, 1)), ErrorCode::kOutOfOrderSequenceNumber);
}

TEST(ProducerStateTest, ABatchMayWrapWithinItself) {
  ProducerState state;
  state.Appended(Make(kMaxSequence - 1, 5, 70), At(0));  // max-1, max, 0, 1, 2
  EXPECT_EQ(DuplicateAt(state, Make(kMaxSequence - 1, 5)), 70);
  EXPECT_TRUE(IsNew(state, Make(3, 1)));
  EXPECT_EQ(Error(state, Make(0, 1)), ErrorCode::kOutOfOrderSequenceNumber);
}

TEST(ProducerStateTest, AnOldEpochIsFenced) {
  ProducerState state;
  state.Appended(Make(0, 1, 0, /*epoch=*/3), At(0));
  EXPECT_EQ(Error(state, Make(1, 1, 0, /*epoch=*/2)), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(Error(state, Make(0, 1, 0, /*epoch=*/2)), ErrorCode::kInvalidProducerEpoch);
}

TEST(ProducerStateTest, ANewEpochBeginsAtZeroAndForgetsTheOldOnesBatches) {
  ProducerState state;
  state.Appended(Make(0, 1, 10), At(0));
  state.Appended(Make(1, 1, 11), At(0));
  EXPECT_EQ(Error(state, Make(2, 1, 0, /*epoch=*/1)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_TRUE(IsNew(state, Make(0, 1, 0, /*epoch=*/1))) << "no duplicate of the old epoch's";
  state.Appended(Make(0, 1, 12, /*epoch=*/1), At(0));
  EXPECT_EQ(DuplicateAt(state, Make(0, 1, 0, /*epoch=*/1)), 12);
  EXPECT_TRUE(IsNew(state, Make(1, 1, 0, /*epoch=*/1))) << "the old epoch had that one too";
  EXPECT_EQ(Error(state, Make(2, 1, 0, /*epoch=*/1)), ErrorCode::kOutOfOrderSequenceNumber);
}

TEST(ProducerStateTest, Rule21_CheckingChangesNothing) {
  // KAFKA-6683: the append may still fail.
  ProducerState state;
  EXPECT_TRUE(IsNew(state, Make(0, 1)));
  EXPECT_EQ(state.size(), 0u);
  state.Appended(Make(0, 1), At(0));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsNew(state, Make(1, 1)));
  EXPECT_TRUE(IsNew(state, Make(0, 1, 0, /*epoch=*/5)));
  EXPECT_TRUE(IsNew(state, Make(1, 1))) << "the new epoch was only looked at";
}

TEST(ProducerStateTest, Rule21_AFollowerTakesWhatTheLeaderSendsWithoutKnowingThePast) {
  // KAFKA-6003: retention dropped the batches before it, or they came while it was away.
  ProducerState state;
  state.Appended(Make(500, 2, 30, /*epoch=*/4), At(0));
  EXPECT_EQ(DuplicateAt(state, Make(500, 2, 0, /*epoch=*/4)), 30);
  EXPECT_TRUE(IsNew(state, Make(502, 1, 0, /*epoch=*/4)));
  state.Appended(Make(900, 1, 40, /*epoch=*/4), At(0));  // a gap, but the leader accepted it
  EXPECT_TRUE(IsNew(state, Make(901, 1, 0, /*epoch=*/4)));
}

TEST(ProducerStateTest, AProducerThatIsNotKnownMayBeginAnywhere) {
  EXPECT_TRUE(IsNew(ProducerState(), Make(77, 1)));
}

TEST(ProducerStateTest, ProducersDoNotMeet) {
  ProducerState state;
  state.Appended(Make(0, 1, 0, 0, /*producer=*/1), At(0));
  state.Appended(Make(0, 2, 1, 0, /*producer=*/2), At(0));
  EXPECT_TRUE(IsNew(state, Make(1, 1, 0, 0, 1)));
  EXPECT_TRUE(IsNew(state, Make(2, 1, 0, 0, 2)));
  EXPECT_EQ(state.size(), 2u);
}

TEST(ProducerStateTest, ExpiryForgetsByTheLastAppendWhateverTheRecordsSay) {
  ProducerState state;
  auto young = Make(0, 1, 1, 0, 2);
  young.max_timestamp = 5;  // long past
  state.Appended(Make(0, 1, 0, 0, 1), At(100));
  state.Appended(young, At(150));
  state.Appended(Make(1, 1, 2, 0, 2), At(200));
  state.Expire(At(100));
  EXPECT_EQ(state.size(), 2u);
  state.Expire(At(200));
  EXPECT_EQ(state.size(), 1u);
  EXPECT_TRUE(IsNew(state, Make(9, 1, 0, 0, 1)));
  EXPECT_FALSE(IsNew(state, Make(9, 1, 0, 0, 2)));
}

TEST(ProducerStateTest, RebuildingFromTheLogGivesTheSameVerdicts) {
  const ProducerState first = AfterBatches(12);
  ProducerState rebuilt;
  for (int i = 7; i < 12; ++i)
    rebuilt.Appended(Make(i, 1, i), At(0));  // only the log's tail is left
  for (int i = 0; i < 15; ++i) {
    EXPECT_EQ(first.Check(Make(i, 1)).error, rebuilt.Check(Make(i, 1)).error) << i;
    EXPECT_EQ(DuplicateAt(first, Make(i, 1)), DuplicateAt(rebuilt, Make(i, 1))) << i;
  }
}

constexpr int64_t kWall = 1'700'000'000'000;
Clocks ClocksAt(int seconds) { return {At(seconds), kWall + seconds * 1000}; }

TEST(ProducerStateTest, ASnapshotKeepsEachProducersLastFiveBatchesInOrder) {
  ProducerState state;
  for (int i = 0; i < 7; ++i) state.Appended(Make(10 * i, 10, 100 + 10 * i, 3, 5), At(i));
  state.Appended(Make(0, 1, 170, 0, 2), At(50));
  const auto snapshot = state.Snapshot(ClocksAt(60));
  ASSERT_EQ(snapshot.size(), 6u);
  EXPECT_EQ(snapshot[0].producer_id, model::ProducerId(2));
  EXPECT_EQ(snapshot[0].timestamp, kWall + 50'000);
  const format::ProducerSnapshotEntry expected = {.producer_id = model::ProducerId(5),
                                                  .epoch = 3,
                                                  .last_sequence = 69,
                                                  .last_offset = model::Offset(169),
                                                  .offset_delta = 9,
                                                  .timestamp = kWall + 6'000};
  EXPECT_EQ(snapshot[5], expected);
  EXPECT_EQ(snapshot[1].last_offset, model::Offset(129));
}

TEST(ProducerStateTest, ARestoredProducerGoesOnAndIsNotAppendedTwice) {
  ProducerState before;
  for (int i = 0; i < 7; ++i) before.Appended(Make(10 * i, 10, 10 * i), At(i));
  ProducerState state;
  auto snapshot = before.Snapshot(ClocksAt(10));
  ProducerState ours;
  ours.Restore(snapshot, ClocksAt(1000));
  for (int i = 2; i < 7; ++i) EXPECT_EQ(DuplicateAt(ours, Make(10 * i, 10)), 10 * i);
  EXPECT_EQ(ours.Check(Make(10, 10)).error, model::ErrorCode::kOutOfOrderSequenceNumber);

  snapshot.erase(snapshot.begin(), snapshot.end() - 1);  // as Kafka writes it
  state.Restore(snapshot, ClocksAt(1000));
  EXPECT_EQ(DuplicateAt(state, Make(60, 10)), 60);
  EXPECT_TRUE(IsNew(state, Make(70, 10)));
  EXPECT_EQ(state.Check(Make(80, 10)).error, model::ErrorCode::kOutOfOrderSequenceNumber);
  // Those before the last one are in the log, but nobody knows where.
  EXPECT_EQ(state.Check(Make(50, 10)).error, model::ErrorCode::kDuplicateSequenceNumber);
  EXPECT_EQ(state.Check(Make(0, 10)).error, model::ErrorCode::kDuplicateSequenceNumber);
  // Once five are known, older ones are what they always were.
  for (int i = 7; i < 11; ++i) state.Appended(Make(10 * i, 10, 10 * i), At(1000));
  EXPECT_EQ(DuplicateAt(state, Make(60, 10)), 60);
  EXPECT_EQ(state.Check(Make(50, 10)).error, model::ErrorCode::kOutOfOrderSequenceNumber);
}

TEST(ProducerStateTest, ARestoredSequenceMayHaveWrapped) {
  ProducerState before;
  before.Appended(Make(kMaxSequence - 1, 5, 70), At(0));
  ProducerState state;
  state.Restore(before.Snapshot(ClocksAt(0)), ClocksAt(0));
  EXPECT_EQ(DuplicateAt(state, Make(kMaxSequence - 1, 5)), 70);
  EXPECT_EQ(state.Check(Make(kMaxSequence - 3, 2)).error,
            model::ErrorCode::kDuplicateSequenceNumber);
  EXPECT_TRUE(IsNew(state, Make(3, 1)));
}

TEST(ProducerStateTest, ARestoredProducerExpiresByItsLastAppend) {
  ProducerState before;
  before.Appended(Make(0, 1, 0), At(100));
  ProducerState state;
  state.Restore(before.Snapshot(ClocksAt(150)), ClocksAt(500));
  state.Expire(At(100));
  EXPECT_EQ(state.size(), 1u);
  state.Expire(At(101));
  EXPECT_EQ(state.size(), 0u);
}

}  // namespace
}  // namespace kafkalite::replication
