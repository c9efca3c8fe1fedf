// What a log makes of its segments: where one ends and the next begins, what a read finds across
// them, and what a crash leaves of several.

#include "kafkalite/storage/file/segmented_log.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Offset = model::Offset;

const std::string kFolder = "/data/t-0";

class SegmentedLogTest : public testing::Test {
 protected:
  using Bases = std::vector<int64_t>;

  SegmentedLogTest() {
    EXPECT_TRUE(fs_.CreateDirectories(kFolder).ok());
    EXPECT_TRUE(fs_.SyncDirectory("/").ok());
    EXPECT_TRUE(fs_.SyncDirectory("/data").ok());
    Open();
  }

  void Open(const SegmentedLog::Start& start = {}) {
    repairs_.clear();
    log_ = nullptr;
    auto log = SegmentedLog::Open(
        {.fs = &fs_, .folder = kFolder, .pool = SegmentPool(), .now_millis = [] { return 5000; }},
        start, repairs_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  // One record.
  absl::Status Append(int64_t offset, size_t value_bytes = 10, int32_t epoch = 0) {
    const format::Batch batch = MakeBatch(
        {.offset = offset, .timestamps = {offset}, .epoch = epoch, .value_bytes = value_bytes});
    return log_->Append({&batch, 1}, config_);
  }
  // A segment for each.
  void AppendApart(const Bases& offsets) {
    config_.segment_bytes = 1;
    for (const int64_t offset : offsets) ASSERT_TRUE(Append(offset).ok());
  }
  Bases Read(int64_t from, size_t max_bytes = std::numeric_limits<size_t>::max()) {
    const auto read =
        log_->Read(Offset(from), {.max_offset = log_->next_offset(), .max_bytes = max_bytes});
    EXPECT_TRUE(read.ok()) << read.status();
    Bases bases;
    for (const auto& batch : *read) bases.push_back(batch.header.base_offset.value());
    return bases;
  }
  Bases Segments() {
    Bases bases;
    for (const SegmentInfo& segment : log_->segments())
      bases.push_back(segment.base_offset.value());
    return bases;
  }
  std::string PathOf(int64_t base, const std::string& suffix) {
    const std::string digits = std::to_string(base);
    return kFolder + "/" + std::string(20 - digits.size(), '0') + digits + suffix;
  }
  void LoseTail(int64_t base) {
    const auto file = fs_.Open(PathOf(base, ".log"), files::FileSystem::Mode::kWrite);
    ASSERT_TRUE((*file)->Truncate(0).ok());
  }

  files::MemoryFileSystem fs_;
  model::TopicConfig config_;
  std::vector<std::string> repairs_;
  std::unique_ptr<SegmentedLog> log_;
};

TEST_F(SegmentedLogTest, AReadDoesNotLeaveOutWhatDidNotFitForSomethingSmallerInTheNextSegment) {
  config_.segment_bytes = 1000;
  ASSERT_TRUE(Append(0, 100).ok());
  ASSERT_TRUE(Append(1, 700).ok());
  ASSERT_TRUE(Append(2, 100).ok());
  ASSERT_THAT(Segments(), ElementsAre(0, 2));
  EXPECT_THAT(Read(0, 600), ElementsAre(0));
  EXPECT_THAT(Read(0, 1000), ElementsAre(0, 1));
  EXPECT_THAT(Read(0), ElementsAre(0, 1, 2));
}

TEST_F(SegmentedLogTest, ASegmentBeginsWhereTheOneBeforeItEnds) {
  AppendApart({0, 10, 20});
  EXPECT_THAT(Segments(), ElementsAre(0, 1, 11));
  // Where a truncation left a gap, too.
  ASSERT_TRUE(log_->TruncateSuffix(Offset(20)).ok());
  ASSERT_TRUE(Append(20, 10, 1).ok());
  ASSERT_TRUE(Append(30, 10, 1).ok());
  EXPECT_THAT(Segments(), ElementsAre(0, 1, 11, 21));
  Open();
  EXPECT_THAT(repairs_, IsEmpty());
  EXPECT_THAT(Read(0), ElementsAre(0, 10, 20, 30));
}

TEST_F(SegmentedLogTest, AGapThatNoSegmentCanHoldIsBetweenTwo) {
  const int64_t far = int64_t{1} << 40;
  ASSERT_TRUE(Append(0).ok());
  ASSERT_TRUE(Append(far).ok());
  EXPECT_THAT(Segments(), ElementsAre(0, far));
  ASSERT_TRUE(log_->TruncateSuffix(Offset(far)).ok());
  ASSERT_TRUE(Append(2 * far, 10, 1).ok());
  EXPECT_THAT(Segments(), ElementsAre(0, 2 * far));
  EXPECT_THAT(Read(0), ElementsAre(0, 2 * far));
}

TEST_F(SegmentedLogTest, AnIndexThatIsTooSmallForAnEntryMakesSegmentsOfOneAppend) {
  config_.segment_index_bytes = 1;
  ASSERT_TRUE(Append(0).ok());
  ASSERT_TRUE(Append(1).ok());
  EXPECT_THAT(Segments(), ElementsAre(0, 1));
  EXPECT_THAT(Read(0), ElementsAre(0, 1));
}

TEST_F(SegmentedLogTest, WhatFollowsALostTailIsDroppedThoughNoByteOfItIsWrong) {
  AppendApart({0, 1, 2, 3});
  LoseTail(1);
  Open();
  EXPECT_THAT(repairs_, ElementsAre(HasSubstr("00000000000000000002.log' is dropped"),
                                    HasSubstr("00000000000000000003.log' is dropped")));
  EXPECT_THAT(Read(0), ElementsAre(0));
  EXPECT_EQ(log_->next_offset(), Offset(1));
  Open();
  EXPECT_THAT(repairs_, IsEmpty());
}

TEST_F(SegmentedLogTest, WhatCompactionLeftOutIsNoDamage) {
  AppendApart({0, 1, 2, 3});
  ASSERT_TRUE(log_->Sync().ok());
  LoseTail(1);
  Open({.recovery_point = Offset(2)});
  EXPECT_THAT(repairs_, IsEmpty());
  EXPECT_THAT(Read(0), ElementsAre(0, 2, 3));
  Open({.clean = true});
  EXPECT_THAT(Read(0), ElementsAre(0, 2, 3));
}

// docs/internals/storage.md has these bytes.
TEST_F(SegmentedLogTest, GoldenBytes) {
  ASSERT_TRUE(log_->TruncatePrefix(Offset(368)).ok());
  config_.index_interval_bytes = 60;
  for (int64_t i = 0; i < 2; ++i) {
    const format::Batch batch = MakeBatch({.offset = 368 + i,
                                           .timestamps = {1700000000000 + 1000 * i},
                                           .epoch = 3,
                                           .value_bytes = 1});
    ASSERT_TRUE(log_->Append({&batch, 1}, config_).ok());
  }
  ASSERT_TRUE(log_->Seal().ok());
  const auto hex = [this](const std::string& suffix) {
    const std::string bytes = *files::ReadFile(fs_, PathOf(368, suffix));
    return std::string(absl::BytesToHexString(bytes));
  };
  EXPECT_EQ(hex(".log"),
            "0000000000000170000000390000000302d8d0f56d"
            "0000000000000000018bcfe568000000018bcfe56800ffffffffffff"
            "ffffffffffffffff000000010e00000001026500"
            "0000000000000171000000390000000302dc2f1dc9"
            "0000000000000000018bcfe56be80000018bcfe56be8ffffffffffff"
            "ffffffffffffffff000000010e00000001026600");
  EXPECT_EQ(hex(".index"), "0000000100000045");
  EXPECT_EQ(hex(".timeindex"), "0000018bcfe56be800000001");
}

TEST_F(SegmentedLogTest, SegmentsBeforeTheStartThatACrashBroughtBackAreDeleted) {
  AppendApart({0, 1, 2, 3});
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->TruncatePrefix(Offset(2)).ok());
  fs_.Crash({.keep_some = false});
  Open({.recovery_point = Offset(3), .log_start = Offset(2)});
  EXPECT_THAT(Segments(), ElementsAre(2, 3));
  EXPECT_FALSE(fs_.Open(PathOf(1, ".index"), files::FileSystem::Mode::kRead).ok());
}

TEST_F(SegmentedLogTest, IndexesWithoutALogAreDeleted) {
  AppendApart({0, 1});
  ASSERT_TRUE(fs_.Remove(PathOf(1, ".log")).ok());
  Open();
  EXPECT_THAT(Segments(), ElementsAre(0));
  EXPECT_FALSE(fs_.Open(PathOf(1, ".index"), files::FileSystem::Mode::kRead).ok());
  EXPECT_FALSE(fs_.Open(PathOf(1, ".timeindex"), files::FileSystem::Mode::kRead).ok());
}

TEST_F(SegmentedLogTest, TheNameOfASegmentIsDurableBeforeItsBatches) {
  AppendApart({0, 1});
  fs_.Crash({.keep_some = false});
  Open();
  EXPECT_THAT(Segments(), ElementsAre(0));  // an empty one, so that the next is known to be too far
  EXPECT_THAT(repairs_, ElementsAre(HasSubstr("00000000000000000001.log' is dropped")));
}

TEST_F(SegmentedLogTest, ATruncationIsDurableAtOnce) {
  for (int64_t offset = 0; offset < 4; ++offset) ASSERT_TRUE(Append(offset).ok());
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->TruncateSuffix(Offset(2)).ok());
  ASSERT_TRUE(Append(2, 10, 1).ok());
  fs_.Crash({.keep_some = false});
  Open();
  EXPECT_THAT(Read(0), ElementsAre(0, 1));
}

// The segment that grows after a start in order is not different from a new one: its indexes are
// complete and durable when it is closed, or each start would read what was appended since the
// first one.
TEST_F(SegmentedLogTest, TheIndexesOfASegmentThatGrewAfterAStartInOrderAreSealedAgain) {
  config_.index_interval_bytes = 1;
  for (int64_t offset = 0; offset < 4; ++offset) ASSERT_TRUE(Append(offset).ok());
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->Seal().ok());
  Open({.clean = true});
  for (int64_t offset = 4; offset < 8; ++offset) ASSERT_TRUE(Append(offset).ok());
  ASSERT_TRUE(log_->Sync().ok());
  ASSERT_TRUE(log_->Seal().ok());
  fs_.Crash({.keep_some = false});
  EXPECT_EQ(files::ReadFile(fs_, PathOf(0, ".index"))->size(), 7u * 8);
  EXPECT_EQ(files::ReadFile(fs_, PathOf(0, ".timeindex"))->size(), 7u * 12);

  Open({.clean = true});
  for (int64_t offset = 8; offset < 10; ++offset) ASSERT_TRUE(Append(offset).ok());
  config_.segment_bytes = 1;
  ASSERT_TRUE(Append(10).ok());
  ASSERT_TRUE(log_->Sync().ok());
  fs_.Crash({.keep_some = false});
  EXPECT_EQ(files::ReadFile(fs_, PathOf(0, ".index"))->size(), 9u * 8);
  EXPECT_EQ(files::ReadFile(fs_, PathOf(0, ".timeindex"))->size(), 9u * 12);
}

TEST_F(SegmentedLogTest, IndexesAreTrustedOnlyWhereASyncHasPassedThem) {
  config_.segment_bytes = 300;
  for (int64_t offset = 0; offset < 8; ++offset) ASSERT_TRUE(Append(offset, 60).ok());
  ASSERT_THAT(Segments(), ElementsAre(0, 2, 4, 6));
  // An entry that says that no record before offset 3 is younger than -1.
  const std::string entry("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\3", 12);
  const auto file = fs_.Open(PathOf(0, ".timeindex"), files::FileSystem::Mode::kTruncate);
  const std::string_view pieces[] = {entry};
  ASSERT_TRUE((*file)->WriteAt(0, pieces).ok());
  Open({.recovery_point = Offset(2)});
  const auto found = log_->FindByTimestamp(0, Offset(0), Offset(8));
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->offset, Offset(0));
}

}  // namespace
}  // namespace kafkalite::storage
