// What a replica takes from the files beside its log, and what it has to learn from the headers.

#include "kafkalite/replication/log_state.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/format/producer_snapshot.h"

namespace kafkalite::replication {
namespace {

using model::LeaderEpoch;
using model::Offset;
using Metadata = std::map<std::string, std::string>;
using Entries = std::vector<EpochCache::Entry>;

const std::string kEpochs = "leader-epoch-checkpoint";

// One record at `offset`, its sequence the same number.
format::BatchHeader Header(int64_t offset, int32_t epoch = 1) {
  format::BatchHeader header;
  header.base_offset = Offset(offset);
  header.leader_epoch = LeaderEpoch(epoch);
  header.producer_id = model::ProducerId(7);
  header.producer_epoch = 0;
  header.base_sequence = static_cast<int32_t>(offset);
  header.last_offset_delta = 0;
  header.record_count = 1;
  return header;
}

std::string SnapshotAt(int64_t end) {
  ProducerState producers;
  if (end > 0) producers.Appended(Header(end - 1), base::Time());
  return format::EncodeProducerSnapshot(producers.Snapshot({}));
}

LogStateBuilder Build(const Metadata& metadata, int64_t start, int64_t metadata_end) {
  return LogStateBuilder(metadata, {Offset(start), Offset(metadata_end)}, {});
}

Entries EpochsOf(LogStateBuilder builder) { return std::move(builder).Take().epochs.entries(); }

TEST(LogStateTest, WithoutFilesEverythingIsLearnedFromTheHeaders) {
  LogStateBuilder builder = Build({}, 10, 30);
  EXPECT_EQ(builder.visit_from(), Offset(10));
  builder.Visit(Header(10, 2));
  builder.Visit(Header(11, 2));
  builder.Visit(Header(12, 4));
  const LogState state = std::move(builder).Take();
  EXPECT_EQ(state.epochs.entries(),
            (Entries{{LeaderEpoch(2), Offset(10)}, {LeaderEpoch(4), Offset(12)}}));
  EXPECT_EQ(state.producers.size(), 1u);
  EXPECT_FALSE(state.epochs_are_saved);
}

TEST(LogStateTest, AfterACleanStopNothingIsRead) {
  LogStateBuilder builder =
      Build({{kEpochs, "0\n2\n1 0\n3 20\n"}, {SnapshotName(Offset(30)), SnapshotAt(30)}}, 0, 30);
  EXPECT_EQ(builder.visit_from(), Offset(30));
  const LogState state = std::move(builder).Take();
  EXPECT_EQ(state.epochs.entries(),
            (Entries{{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(3), Offset(20)}}));
  EXPECT_TRUE(state.epochs_are_saved);
  EXPECT_EQ(state.snapshots, std::vector{Offset(30)});
  EXPECT_EQ(state.producers.Check(Header(30)).error, model::ErrorCode::kNone);
  EXPECT_EQ(state.producers.Check(Header(31)).error, model::ErrorCode::kOutOfOrderSequenceNumber);
}

TEST(LogStateTest, WhatTheFilesSayOfLaterOffsetsDoesNotCount) {
  const Metadata metadata = {{kEpochs, "0\n3\n1 0\n2 15\n3 20\n"},
                             {SnapshotName(Offset(10)), SnapshotAt(10)},
                             {SnapshotName(Offset(30)), SnapshotAt(30)}};
  LogStateBuilder builder = Build(metadata, 0, 20);
  EXPECT_EQ(builder.visit_from(), Offset(10));
  for (int64_t i = 10; i < 25; ++i) builder.Visit(Header(i, i < 15 ? 1 : i < 22 ? 2 : 9));
  const LogState state = std::move(builder).Take();
  EXPECT_EQ(state.epochs.entries(), (Entries{{LeaderEpoch(1), Offset(0)},
                                             {LeaderEpoch(2), Offset(15)},
                                             {LeaderEpoch(9), Offset(22)}}));
  EXPECT_EQ(state.producers.Check(Header(25)).error, model::ErrorCode::kNone);
  EXPECT_FALSE(state.epochs_are_saved);
}

TEST(LogStateTest, DamagedFilesAreDoneWithout) {
  std::string damaged = SnapshotAt(30);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  const Metadata metadata = {{SnapshotName(Offset(20)), SnapshotAt(20)},
                             {SnapshotName(Offset(30)), damaged},
                             {"something-else", "x"}};
  for (const char* epochs :
       {"", "0\n", "0\n2\n1 0\n", "1\n1\n1 0\n", "0\n1\nx y\n", "0\n1\n1 5\n"}) {
    Metadata all = metadata;
    all[kEpochs] = epochs;
    EXPECT_EQ(Build(all, 0, 30).visit_from(), Offset(0)) << epochs;
  }
  Metadata all = metadata;
  all[kEpochs] = "0\n1\n1 0\n";
  EXPECT_EQ(Build(all, 0, 30).visit_from(), Offset(20)) << "the older snapshot";
}

TEST(LogStateTest, EpochsThatEndBeforeTheLogStartsGo) {
  const Metadata metadata = {{kEpochs, "0\n3\n1 0\n2 10\n3 20\n"},
                             {SnapshotName(Offset(5)), SnapshotAt(5)}};
  LogStateBuilder builder = Build(metadata, 12, 30);
  EXPECT_EQ(builder.visit_from(), Offset(12)) << "the snapshot is of what is gone";
  EXPECT_EQ(EpochsOf(std::move(builder)),
            (Entries{{LeaderEpoch(2), Offset(12)}, {LeaderEpoch(3), Offset(20)}}));
}

}  // namespace
}  // namespace kafkalite::replication
