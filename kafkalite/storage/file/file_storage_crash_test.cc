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
constexpr std::chrono::seconds kUntilCheckpoint{61};

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

// --- What a log leaves to the next one of its name ----------------------------------------------

TEST_F(FileStorageCrashTest, ALogThatIsMadeAgainInheritsNoCheckpoints) {
  Append(0, 100);
  ASSERT_TRUE(log_->TruncatePrefix(Offset(80)).ok());
  log_->KeepHighWatermark(Offset(90));
  Sync();
  machine_.Run(kUntilCheckpoint);
  log_.reset();
  ASSERT_TRUE(machine_.Delete(0).ok());
  Open(8);
  Append(0, 50);
  machine_.Run();
  Kill();
  EXPECT_EQ(log_->id(), model::LogId(8));
  EXPECT_EQ(log_->start_offset(), Offset(0));
  EXPECT_EQ(log_->end_offset(), Offset(50));
  EXPECT_EQ(log_->progress().synced, Offset(0));
  EXPECT_EQ(log_->kept_high_watermark(), Offset(0));
}

TEST_F(FileStorageCrashTest, ATruncatedLogKeepsNoCheckpointBeyondItsEnd) {
  Append(0, 100);
  ASSERT_TRUE(log_->TruncatePrefix(Offset(80)).ok());
  log_->KeepHighWatermark(Offset(90));
  Sync();
  machine_.Run(kUntilCheckpoint);
  ASSERT_TRUE(log_->TruncateSuffix(Offset(40)).ok());
  Append(40, 60, 1);
  machine_.Run();
  Kill();
  EXPECT_EQ(log_->start_offset(), Offset(40));
  EXPECT_EQ(log_->end_offset(), Offset(60));
  EXPECT_EQ(log_->progress().synced, Offset(40));
  EXPECT_EQ(log_->kept_high_watermark(), Offset(40));
}

TEST_F(FileStorageCrashTest, WhatComesWhereDurableBatchesWereLostIsNotDurable) {
  Append(0, 10);
  Sync();
  machine_.Run(kUntilCheckpoint);
  log_.reset();
  machine_.Kill();
  {
    const auto file = machine_.fs().Open("/data/orders-0/00000000000000000000.log",
                                         files::FileSystem::Mode::kWrite);
    ASSERT_TRUE((*file)->Truncate(100).ok());  // the disk did not keep its word
    ASSERT_TRUE((*file)->Sync().ok());
  }
  Start();
  EXPECT_THAT(Read(), ElementsAre(0));
  Append(1, 5, 1);
  machine_.Run();
  Kill();
  EXPECT_EQ(log_->progress().synced, Offset(1));
}

TEST_F(FileStorageCrashTest, ADeletionIsWholeOrNotAtAll) {
  config_.segment_bytes = 1;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Open();
    Append(0, 5);
    Sync();
    log_.reset();
    machine_.storage().Delete(Machine::Tp(), [](const absl::Status&) {});
    machine_.Run(std::chrono::milliseconds(20));
    Crash({.seed = seed});
    const auto all = Read();
    ASSERT_TRUE(all.empty() || all.size() == 5) << seed;
    if (!all.empty()) {
      ASSERT_EQ(log_->id(), model::AfterLoss(model::LogId(7))) << seed;
    }
    log_.reset();
    ASSERT_TRUE(machine_.Delete(0).ok());
    machine_.Run();
  }
}

// --- What is durable before it is said ----------------------------------------------------------

TEST_F(FileStorageCrashTest, TheDataDirectoryAndItsFoldersKeepTheirNames) {
  Append(0, 3);
  Sync();
  Crash();
  EXPECT_THAT(Read(), ElementsAre(0, 1, 2));
}

TEST_F(FileStorageCrashTest, ALogHasItsIdBeforeItHasAnything) {
  Append(0, 3);
  machine_.Run();
  log_.reset();
  machine_.Crash(kLoseAll);
  ASSERT_TRUE(machine_.Start().ok());
  EXPECT_THAT(machine_.storage().List(),
              ElementsAre(Pair(Machine::Tp(), model::AfterLoss(model::LogId(7)))));
}

TEST_F(FileStorageCrashTest, AnIdTellsACrashThatMayHaveLostSomethingFromOneThatDidNot) {
  Append(0, 3);
  Sync();
  EXPECT_EQ(log_->id(), model::LogId(7));
  Kill();
  EXPECT_EQ(log_->id(), model::LogId(7)) << "the system has what the process had written";
  Crash();
  EXPECT_EQ(log_->id(), model::AfterLoss(model::LogId(7)));
  Kill();
  EXPECT_EQ(log_->id(), model::AfterLoss(model::LogId(7))) << "counted once";
  log_.reset();
  ASSERT_TRUE(machine_.Stop().ok());
  machine_.Crash(kLoseAll);
  ASSERT_TRUE(machine_.Start().ok());
  EXPECT_THAT(machine_.storage().List(),
              ElementsAre(Pair(Machine::Tp(), model::AfterLoss(model::LogId(7)))))
      << "what was stopped in order has nothing to lose";
}

// Nobody had been told that it was written.
TEST_F(FileStorageCrashTest, AWriteThatWasCutShortIsNoLoss) {
  Append(0, 3);
  machine_.Run();
  machine_.fs().SetFault([](const MemoryFileSystem::Operation& operation) {
    const bool changes = operation.kind == Kind::kWrite || operation.kind == Kind::kTruncate;
    if (!changes || !operation.path.ends_with(".log")) return MemoryFileSystem::Verdict{};
    return MemoryFileSystem::Verdict{absl::DataLossError("EIO"), operation.bytes / 2};
  });
  Append(3, 4);
  machine_.Run();
  machine_.fs().SetFault(nullptr);
  Kill();
  EXPECT_EQ(log_->end_offset(), Offset(3));
  EXPECT_THAT(machine_.storage().repairs(), testing::Not(IsEmpty()));
  EXPECT_EQ(log_->id(), model::LogId(7));
}

TEST_F(FileStorageCrashTest, ABatchThatWasDamagedIsOne) {
  Append(0, 3);
  machine_.Run();
  log_.reset();
  machine_.Kill();
  const std::string path = "/data/orders-0/00000000000000000000.log";
  const auto size = files::ReadFile(machine_.fs(), path).value().size();
  ASSERT_TRUE(machine_.fs().Corrupt(path, static_cast<int64_t>(size) - 1, "X").ok());
  Start();
  EXPECT_EQ(log_->end_offset(), Offset(2));
  EXPECT_EQ(log_->id(), model::AfterLoss(model::LogId(7)));
}

TEST_F(FileStorageCrashTest, AnIdThatLacksADigitIsNone) {
  Append(0, 3);
  machine_.Run();
  log_.reset();
  machine_.Kill();
  const auto file = machine_.fs().Open("/data/orders-0/log-id", files::FileSystem::Mode::kTruncate);
  const std::string_view pieces[] = {"12"};
  ASSERT_TRUE((*file)->WriteAt(0, pieces).ok());
  ASSERT_TRUE(machine_.Start().ok());
  EXPECT_THAT(machine_.storage().List(), ElementsAre(Pair(Machine::Tp(), model::LogId())));
  EXPECT_EQ(machine_.storage().repairs().size(), 1u);
}

TEST_F(FileStorageCrashTest, TheStartOfALogDoesNotMoveBack) {
  config_.segment_bytes = 1;
  log_->Configure(config_);
  Append(0, 10);
  Sync();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(5)).ok());
  machine_.Run();
  Crash();
  EXPECT_EQ(log_->start_offset(), Offset(5));
  EXPECT_THAT(Read(), ElementsAre(5, 6, 7, 8, 9));
}

TEST_F(FileStorageCrashTest, ASyncIsOfMetadataAlone) {
  Append(0, 1);
  Sync();
  log_->WriteMetadata("x", "kept");
  log_->Sync();
  machine_.Run();
  Crash();
  const auto metadata = machine_.Metadata(*log_);
  ASSERT_TRUE(metadata.ok());
  ASSERT_TRUE(metadata->contains("x"));
  EXPECT_EQ(metadata->at("x"), "kept");
}

TEST_F(FileStorageCrashTest, MetadataOfAProcessThatWasKilledBecomesDurableWithTheNextSync) {
  log_->WriteMetadata("x", "kept");
  machine_.Run();
  Kill();
  Append(0, 1);
  Sync();
  Crash();
  const auto metadata = machine_.Metadata(*log_);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->at("x"), "kept");
}

}  // namespace
}  // namespace kafkalite::storage
