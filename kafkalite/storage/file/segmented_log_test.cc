// What a log makes of its segments: where one ends and the next begins, what a read finds across
// them, and what a crash leaves of several.

#include "kafkalite/storage/file/segmented_log.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
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

}  // namespace
}  // namespace kafkalite::storage
