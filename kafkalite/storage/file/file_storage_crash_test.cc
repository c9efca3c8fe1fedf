// Stories of one log and its data directory, each of which once ended badly: what a truncation, a
// deletion or a stop leaves behind for those who come after it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/machine_fixture.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Offset = model::Offset;
using Kind = files::MemoryFileSystem::Operation::Kind;
using files::MemoryFileSystem;

constexpr MemoryFileSystem::CrashOptions kLoseAll = {.keep_some = false};

class FileStorageCrashTest : public testing::Test {
 protected:
  FileStorageCrashTest() { Start(); }

  void Start() {
    const absl::Status started = machine_.Start();
    ASSERT_TRUE(started.ok()) << started;
    Open();
  }
  void Open(uint64_t new_id = 7) {
    log_ = machine_.OpenLog(0, new_id);
    ASSERT_NE(log_, nullptr);
    log_->Configure(config_);
  }
  void Crash(const MemoryFileSystem::CrashOptions& options = kLoseAll) {
    log_.reset();
    machine_.Crash(options);
    Start();
  }
  void Kill() {
    log_.reset();
    machine_.Kill();
    Start();
  }
  // One record a batch.
  void Append(int64_t from, int64_t to, int32_t epoch = 0) {
    for (int64_t offset = from; offset < to; ++offset) {
      const format::Batch batch = MakeBatch({.offset = offset, .epoch = epoch});
      ASSERT_TRUE(log_->Append({&batch, 1}).ok());
    }
  }
  void Sync() {
    log_->Sync();
    machine_.Run();
    ASSERT_EQ(log_->progress().synced, log_->end_offset());
  }
  std::vector<int64_t> Read() {
    std::vector<format::Batch> batches;
    const auto status = machine_.ReadAll(*log_, log_->start_offset().value(), batches);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<int64_t> bases;
    for (const auto& batch : batches) bases.push_back(batch.header.base_offset.value());
    return bases;
  }

  Machine machine_{{}};
  model::TopicConfig config_;
  std::unique_ptr<Log> log_;
};

// --- Progress -----------------------------------------------------------------------------------

TEST_F(FileStorageCrashTest, WhatIsWrittenAfterATruncationWasAskedForIsNoProgress) {
  Append(0, 10);
  log_->WriteMetadata("x", "");  // takes the batches along to the writer
  ASSERT_TRUE(log_->TruncateSuffix(Offset(4)).ok());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_LE(log_->progress().written, Offset(4));
    machine_.Run(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(log_->progress().written, Offset(4));
}

TEST_F(FileStorageCrashTest, ASyncOfWhatIsAboutToBeTruncatedIsNoProgress) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Machine machine({.seed = seed});
    ASSERT_TRUE(machine.Start().ok());
    const auto log = machine.OpenLog();
    const Batches batches = {MakeBatch({.offset = 0}), MakeBatch({.offset = 1})};
    ASSERT_TRUE(log->Append(batches).ok());
    machine.Run();
    log->Sync();
    ASSERT_TRUE(log->TruncateSuffix(Offset(1)).ok());
    for (int i = 0; i < 50; ++i) {
      ASSERT_LE(log->progress().synced, Offset(1)) << seed;
      ASSERT_LE(log->progress().written, Offset(1)) << seed;
      machine.Run(std::chrono::milliseconds(1));
    }
    const format::Batch other = MakeBatch({.offset = 1, .epoch = 1});
    ASSERT_TRUE(log->Append({&other, 1}).ok());
    EXPECT_LE(log->progress().written, Offset(1)) << seed;
  }
}

TEST_F(FileStorageCrashTest, RetentionWaitsForATruncation) {
  config_.segment_bytes = 1;
  log_->Configure(config_);
  Append(0, 10);
  machine_.Run();
  ASSERT_TRUE(log_->TruncateSuffix(Offset(2)).ok());
  config_.segment_bytes = 1 << 30;
  log_->Configure(config_);
  Append(2, 6, 1);
  ASSERT_TRUE(log_->Retain({.retained_bytes = 0, .keep_from = Offset(5)}).ok());
  EXPECT_EQ(log_->start_offset(), Offset(0));
  machine_.Run();
  EXPECT_THAT(Read(), ElementsAre(0, 1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace kafkalite::storage
