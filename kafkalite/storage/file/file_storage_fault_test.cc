// Disks that fail, fill up or take their time, under one log of two.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/machine_fixture.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using testing::HasSubstr;
using Offset = model::Offset;
using Operation = files::MemoryFileSystem::Operation;
using Kind = Operation::Kind;
using Verdict = files::MemoryFileSystem::Verdict;

class FileStorageFaultTest : public testing::Test {
 protected:
  FileStorageFaultTest() { Start(); }

  void Start() {
    const absl::Status started = machine_.Start();
    ASSERT_TRUE(started.ok()) << started;
    log_ = machine_.OpenLog(0);
    other_ = machine_.OpenLog(1);
    ASSERT_TRUE(log_ != nullptr && other_ != nullptr);
    log_->SetListener([this] { ++told_; });
  }
  void Restart() {
    machine_.fs().SetFault(nullptr);
    machine_.fs().SetCapacity(-1);
    log_.reset();
    other_.reset();
    machine_.Crash({.keep_some = false});
    Start();
  }
  static absl::Status Append(Log& log, int64_t offset) {
    const format::Batch batch = MakeBatch({.offset = offset});
    return log.Append({&batch, 1});
  }
  // The log has [0, 3), all of it durable.
  void MakeDurable() {
    for (int64_t offset = 0; offset < 3; ++offset) ASSERT_TRUE(Append(*log_, offset).ok());
    log_->Sync();
    machine_.Run();
    ASSERT_EQ(log_->progress().synced, Offset(3));
  }
  // Operations of a kind on files of the first log whose names end so.
  void Fail(Kind kind, const std::string& suffix, absl::Status status, size_t torn = 0) {
    machine_.fs().SetFault([=, this](const Operation& operation) -> Verdict {
      const bool hit = operation.kind == kind && operation.path.ends_with(suffix) &&
                       operation.path.find("orders-0") != std::string::npos;
      if (!hit) return {};
      ++hits_;
      return {status, torn};
    });
  }
  // It is offline, and says why; the other one goes on.
  void ExpectFailed(absl::StatusCode code, const std::string& message) {
    EXPECT_TRUE(log_->progress().failed);
    EXPECT_EQ(log_->progress().synced, Offset(3));
    const Offset end = log_->end_offset();
    for (const absl::Status& status :
         {Append(*log_, log_->end_offset().value()), log_->TruncateSuffix(Offset(1)),
          log_->TruncatePrefix(Offset(1)), log_->Retain({})}) {
      EXPECT_EQ(status.code(), code) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    }
    log_->Sync();
    machine_.Run();
    EXPECT_EQ(log_->progress().synced, Offset(3));
    EXPECT_EQ(log_->start_offset(), Offset(0));
    EXPECT_EQ(log_->end_offset(), end);
    log_.reset();
    EXPECT_EQ(machine_.storage().Open(Machine::Tp(0), model::LogId(9)).status().code(), code);

    ASSERT_TRUE(Append(*other_, 0).ok());
    other_->Sync();
    machine_.Run();
    EXPECT_EQ(other_->progress().synced, Offset(1));
  }
  // After a loss of power and a new start it has what was durable.
  void ExpectDurable() {
    Restart();
    EXPECT_GE(log_->end_offset(), Offset(3));
    EXPECT_FALSE(log_->progress().failed);
    EXPECT_TRUE(Append(*log_, log_->end_offset().value()).ok());
    log_->Sync();
    machine_.Run();
    EXPECT_EQ(log_->progress().synced, log_->end_offset());
  }

  Machine machine_{{}};
  std::unique_ptr<Log> log_;
  std::unique_ptr<Log> other_;
  int told_ = 0;
  int hits_ = 0;
};

const absl::Status& Eio() {
  static const auto& status = *new absl::Status(absl::DataLossError("EIO"));
  return status;
}

// --- Writes -------------------------------------------------------------------------------------

TEST_F(FileStorageFaultTest, AWriteThatFailsEndsTheLog) {
  MakeDurable();
  Fail(Kind::kWrite, ".log", Eio(), 30);
  ASSERT_TRUE(Append(*log_, 3).ok());
  told_ = 0;
  machine_.Run();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(log_->progress().written, Offset(3));
  machine_.fs().SetFault(nullptr);
  ExpectFailed(absl::StatusCode::kDataLoss, "EIO");
  ExpectDurable();
}

TEST_F(FileStorageFaultTest, AFullDiskEndsTheLog) {
  MakeDurable();
  machine_.fs().SetCapacity(0);
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  machine_.fs().SetCapacity(-1);
  ExpectFailed(absl::StatusCode::kResourceExhausted, "orders-0/00000000000000000000.log'");
  ExpectDurable();
}

TEST_F(FileStorageFaultTest, WhatAFailedLogHasCanBeRead) {
  MakeDurable();
  Fail(Kind::kWrite, ".log", Eio());
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  ASSERT_TRUE(log_->progress().failed);
  std::vector<format::Batch> batches;
  EXPECT_TRUE(machine_.ReadAll(*log_, 0, batches).ok());
  EXPECT_EQ(batches.size(), 4u);  // the last one from memory
}

TEST_F(FileStorageFaultTest, ASegmentThatCannotBeMadeEndsTheLog) {
  MakeDurable();
  model::TopicConfig config;
  config.segment_bytes = 1;
  log_->Configure(config);
  Fail(Kind::kOpen, ".log", Eio());
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  machine_.fs().SetFault(nullptr);
  ExpectFailed(absl::StatusCode::kDataLoss, "EIO");
  ExpectDurable();
}

TEST_F(FileStorageFaultTest, MetadataThatCannotBeWrittenEndsTheLog) {
  MakeDurable();
  Fail(Kind::kWrite, "x.tmp", Eio());
  log_->WriteMetadata("x", "bytes");
  machine_.Run();
  machine_.fs().SetFault(nullptr);
  ExpectFailed(absl::StatusCode::kDataLoss, "EIO");
  ExpectDurable();
}

TEST_F(FileStorageFaultTest, ALogThatCannotBeMadeIsFailed) {
  log_.reset();
  ASSERT_TRUE(machine_.Delete(0).ok());
  Fail(Kind::kCreateDirectories, "", Eio());
  log_ = machine_.OpenLog(0);
  ASSERT_TRUE(Append(*log_, 0).ok());
  log_->Sync();
  machine_.Run();
  EXPECT_TRUE(log_->progress().failed);
  EXPECT_EQ(log_->progress().written, Offset(0));
  EXPECT_FALSE(Append(*log_, 1).ok());
  EXPECT_EQ(machine_.Read(*log_, 0)->size(), 1u);
}

// --- Syncs --------------------------------------------------------------------------------------

// Never tried again: the kernel forgets what it could not write, and says that all is well.
TEST_F(FileStorageFaultTest, AfterASyncThatFailedNothingIsAcknowledged) {
  MakeDurable();
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  Fail(Kind::kSync, ".log", Eio());
  log_->Sync();
  told_ = 0;
  machine_.Run();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(hits_, 1);
  machine_.fs().SetFault(nullptr);
  machine_.Run(std::chrono::seconds(61));  // a checkpoint claims nothing more, either
  ExpectFailed(absl::StatusCode::kDataLoss, "EIO");
  ExpectDurable();
}

TEST_F(FileStorageFaultTest, ASyncOfIndexesMetadataOrAFolderThatFailsEndsTheLogAsWell) {
  struct Case {
    Kind kind;
    std::string suffix;
  };
  for (const Case& c :
       {Case{Kind::kSync, ".timeindex"}, Case{Kind::kSync, "/x"}, Case{Kind::kSyncDirectory, ""}}) {
    SCOPED_TRACE(c.suffix);
    log_.reset();
    ASSERT_TRUE(machine_.Delete(0).ok());
    other_.reset();
    ASSERT_TRUE(machine_.Delete(1).ok());
    Restart();
    MakeDurable();
    model::TopicConfig config;
    config.segment_bytes = 1;
    log_->Configure(config);
    log_->WriteMetadata("x", "bytes");
    hits_ = 0;
    Fail(c.kind, c.suffix, Eio());
    ASSERT_TRUE(Append(*log_, 3).ok());
    log_->Sync();
    machine_.Run();
    EXPECT_EQ(hits_, 1);
    machine_.fs().SetFault(nullptr);
    ExpectFailed(absl::StatusCode::kDataLoss, "EIO");
    ExpectDurable();
  }
}

TEST_F(FileStorageFaultTest, AStopThatCannotSyncIsNoCleanOne) {
  MakeDurable();
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  log_.reset();
  other_.reset();
  Fail(Kind::kSync, ".log", Eio());
  EXPECT_EQ(machine_.Stop(), Eio());
  machine_.fs().SetFault(nullptr);
  EXPECT_FALSE(
      machine_.fs().Open("/data/.kafka_cleanshutdown", files::FileSystem::Mode::kRead).ok());
  machine_.Crash({.keep_some = false});
  Start();
  EXPECT_EQ(log_->end_offset(), Offset(3));
}

// After a failed sync the kernel takes the pages for written. A start of the broker finds them in
// its cache, where later syncs pass over them: they are written again.
TEST_F(FileStorageFaultTest, ASyncAfterANewStartCoversWhatTheKernelForgot) {
  struct Case {
    const char* suffix;  // of the file whose sync fails
    bool stops;          // when the broker stops in order
  };
  for (const auto& [suffix, stops] : {Case{".log", false}, {".log", true}, {"/x", false}}) {
    SCOPED_TRACE(suffix);
    MakeDurable();
    log_->WriteMetadata("x", "bytes");
    ASSERT_TRUE(Append(*log_, 3).ok());
    machine_.Run();
    Fail(Kind::kSync, suffix, Eio());
    if (!stops) {
      log_->Sync();
      machine_.Run();
      EXPECT_TRUE(log_->progress().failed);
      machine_.fs().SetFault(nullptr);
    }
    log_.reset();
    other_.reset();
    if (stops) {
      EXPECT_EQ(machine_.Stop(), Eio());
    } else {
      machine_.Kill();
    }
    machine_.fs().SetFault(nullptr);
    Start();
    ASSERT_EQ(log_->end_offset(), Offset(4));
    EXPECT_FALSE(machine_.Metadata(*log_)->contains("sync-failed"));
    ASSERT_TRUE(Append(*log_, 4).ok());
    log_->Sync();
    machine_.Run();
    ASSERT_EQ(log_->progress().synced, Offset(5));
    Restart();
    EXPECT_EQ(log_->end_offset(), Offset(5));
    EXPECT_EQ(machine_.Metadata(*log_)->at("x"), "bytes");
    log_.reset();
    ASSERT_TRUE(machine_.Delete(0).ok());
    other_.reset();
    Restart();
  }
}

// A start that is cut short, or fails, in the middle of that leaves the note for the next one.
TEST_F(FileStorageFaultTest, AStartThatCannotWriteItAgainIsNoStart) {
  for (const Kind kind : {Kind::kRead, Kind::kWrite, Kind::kSync}) {
    MakeDurable();
    ASSERT_TRUE(Append(*log_, 3).ok());
    machine_.Run();
    Fail(Kind::kSync, ".log", Eio());
    log_->Sync();
    machine_.Run();
    EXPECT_TRUE(log_->progress().failed);
    log_.reset();
    other_.reset();
    machine_.Kill();
    Fail(kind, ".log", Eio());
    EXPECT_EQ(machine_.Start(), Eio());
    machine_.Kill();
    machine_.fs().SetFault(nullptr);
    Start();
    ASSERT_TRUE(Append(*log_, 4).ok());
    log_->Sync();
    machine_.Run();
    Restart();
    EXPECT_EQ(log_->end_offset(), Offset(5));
    log_.reset();
    ASSERT_TRUE(machine_.Delete(0).ok());
    other_.reset();
    Restart();
  }
}

// --- Checkpoints, deletion ----------------------------------------------------------------------

// What a checkpoint says in its file counts, not what it was to say.
TEST_F(FileStorageFaultTest, ACheckpointThatCouldNotBeSavedIsStillToBeSaved) {
  const model::TopicPartition tp = Machine::Tp();
  const format::MetaProperties owner{.broker_id = model::BrokerId(1), .cluster_id = "c"};
  files::MemoryFileSystem fs;
  const auto open = [&] { return DataDirectory::Open(fs, machine_.executor(), "/d", owner); };
  const auto of = [&](int64_t offset) {
    return [&, offset] {
      const format::OffsetCheckpoint at = {{tp, Offset(offset)}};
      return DirectoryCheckpoints{at, at, at};
    };
  };
  const auto fail = [&](const std::string& name) {
    fs.SetFault([name](const Operation& operation) -> Verdict {
      if (operation.kind != Kind::kWrite || !operation.path.ends_with(name + ".tmp")) return {};
      return {absl::ResourceExhaustedError("ENOSPC")};
    });
  };
  for (const std::string name : {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
                                 "replication-offset-checkpoint"}) {
    SCOPED_TRACE(name);
    {
      const auto found = open();
      ASSERT_TRUE(found.ok()) << found.status();
      DataDirectory& directory = *found->directory;
      ASSERT_TRUE(directory.SaveCheckpoints(of(5)).ok());
      fail(name);
      EXPECT_FALSE(directory.SaveCheckpoints(of(3)).ok());
      fs.SetFault(nullptr);
      EXPECT_TRUE(directory.LowerCheckpoints(tp, Offset(3)).ok());
      directory.Stop();
    }
    {
      const auto found = open();
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ(found->checkpoints, of(3)());
      DataDirectory& directory = *found->directory;
      fail(name);
      EXPECT_FALSE(directory.ForgetCheckpoints(tp).ok());
      fs.SetFault(nullptr);
      EXPECT_TRUE(directory.ForgetCheckpoints(tp).ok());
      directory.Stop();
    }
    const auto found = open();
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->checkpoints, DirectoryCheckpoints());
    found->directory->Stop();
  }
}

// Of a topic that was deleted when the disk was full, only the second time: nothing of it is left
// that could be taken for the next topic of that name.
TEST_F(FileStorageFaultTest, WhatADeletionCouldNotSaveIsNotTakenForTheNextLogs) {
  MakeDurable();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(3)).ok());
  machine_.Run();
  log_.reset();
  machine_.fs().SetFault([](const Operation& operation) -> Verdict {
    if (operation.kind != Kind::kWrite) return {};
    if (!operation.path.ends_with("log-start-offset-checkpoint.tmp")) return {};
    return {absl::ResourceExhaustedError("ENOSPC")};
  });
  EXPECT_FALSE(machine_.Delete(0).ok());
  machine_.fs().SetFault(nullptr);
  ASSERT_TRUE(machine_.Delete(0).ok());
  log_ = machine_.OpenLog(0, 0x100);
  for (int64_t offset = 0; offset < 2; ++offset) ASSERT_TRUE(Append(*log_, offset).ok());
  log_->Sync();
  machine_.Run();
  ASSERT_EQ(log_->progress().synced, Offset(2));
  Restart();
  EXPECT_EQ(log_->start_offset(), Offset(0));
  EXPECT_EQ(log_->end_offset(), Offset(2));
}

// Nobody else remembers that it was to go.
TEST_F(FileStorageFaultTest, ALogThatWasDeletedStaysDeletedAfterALossOfPower) {
  MakeDurable();
  log_.reset();
  other_.reset();
  bool deleted = false;
  machine_.storage().Delete(Machine::Tp(0), [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    deleted = true;
    machine_.fs().Crash({.keep_some = false});
  });
  machine_.Run();
  ASSERT_TRUE(deleted);
  machine_.Crash({.keep_some = false});
  ASSERT_TRUE(machine_.Start().ok());
  for (const auto& [tp, id] : machine_.storage().List()) EXPECT_NE(tp, Machine::Tp(0));
}

// The next one of that name must not take it for its own.
TEST_F(FileStorageFaultTest, ALogThatCouldNotBeDeletedIsNotInTheNextOneOfThatName) {
  MakeDurable();
  log_.reset();
  machine_.fs().SetFault([](const Operation& operation) -> Verdict {
    const bool hit = operation.kind == Kind::kRename && operation.path == "/data/orders-0";
    return {hit ? Eio() : absl::OkStatus()};
  });
  absl::Status deleted;
  machine_.storage().Delete(Machine::Tp(0),
                            [&deleted](const absl::Status& status) { deleted = status; });
  log_ = machine_.OpenLog(0, 0x100);
  ASSERT_TRUE(log_ != nullptr);
  ASSERT_TRUE(Append(*log_, 0).ok());
  log_->Sync();
  machine_.Run();
  EXPECT_EQ(deleted, Eio());
  EXPECT_TRUE(log_->progress().failed);
  EXPECT_EQ(log_->progress().synced, Offset(0));
  Restart();
  EXPECT_EQ(log_->id(), model::AfterLoss(model::LogId(7)));
  EXPECT_EQ(log_->end_offset(), Offset(3));
}

// --- Settings -----------------------------------------------------------------------------------

TEST_F(FileStorageFaultTest, AShorterFlushIntervalDoesNotWaitForTheLongerOneBeforeIt) {
  MakeDurable();
  model::TopicConfig config;
  config.flush_ms = 3'600'000;
  log_->Configure(config);
  ASSERT_TRUE(Append(*log_, 3).ok());
  machine_.Run();
  EXPECT_EQ(log_->progress().synced, Offset(3));
  config.flush_ms = 100;
  log_->Configure(config);
  ASSERT_TRUE(Append(*log_, 4).ok());
  machine_.Run(std::chrono::seconds(1));
  EXPECT_EQ(log_->progress().synced, Offset(5));
}

TEST_F(FileStorageFaultTest, WhatATruncationLeavesOfAnAppendIsFlushedAsConfigured) {
  MakeDurable();
  model::TopicConfig config;
  config.flush_messages = 1;
  log_->Configure(config);
  ASSERT_TRUE(Append(*log_, 3).ok());
  ASSERT_TRUE(Append(*log_, 4).ok());
  ASSERT_TRUE(log_->TruncateSuffix(Offset(4)).ok());
  machine_.Run();
  EXPECT_EQ(log_->progress().written, Offset(4));
  EXPECT_EQ(log_->progress().synced, Offset(4));
}

// --- Reads --------------------------------------------------------------------------------------

TEST_F(FileStorageFaultTest, AReadThatFailsSaysSoAndEndsNothing) {
  MakeDurable();
  Fail(Kind::kRead, ".log", absl::DataLossError("read '/data/orders-0/x.log': EIO"));
  const auto read = machine_.Read(*log_, 0);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("orders-0"));
  EXPECT_FALSE(machine_.Find(*log_, 0).ok());
  machine_.fs().SetFault(nullptr);
  EXPECT_FALSE(log_->progress().failed);
  EXPECT_EQ(machine_.Read(*log_, 0)->size(), 3u);
  EXPECT_TRUE(Append(*log_, 3).ok());
}

// --- Slow disks ---------------------------------------------------------------------------------

// A disk that stands still in operations of a kind on a log, until it is let go on.
class StandStill {
 public:
  StandStill(files::MemoryFileSystem& fs, Kind kind) {
    fs.SetFault([state = state_, kind](const Operation& operation) -> Verdict {
      if (operation.kind != kind || !operation.path.ends_with(".log")) return {};
      std::unique_lock lock(state->mu);
      state->reached = true;
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return state->released; });
      return {};
    });
  }
  ~StandStill() { Release(); }
  void AwaitReached() {
    std::unique_lock lock(state_->mu);
    state_->changed.wait(lock, [this] { return state_->reached; });
  }
  void Release() {
    std::unique_lock lock(state_->mu);
    state_->released = true;
    state_->changed.notify_all();
  }

 private:
  struct State {
    std::mutex mu;
    std::condition_variable changed;
    bool reached = false;
    bool released = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

class SlowDiskTest : public testing::Test {
 protected:
  SlowDiskTest() {
    auto storage = FileStorage::Open(executor_, {.directories = {"/data"},
                                                 .broker = model::BrokerId(1),
                                                 .cluster_id = "c",
                                                 .fs = fs_,
                                                 .limits = {.directory_unwritten_bytes = 1000}});
    storage_ = *std::move(storage);
    log_ = *storage_->Open({"orders", model::PartitionId(0)}, model::LogId(1));
    EXPECT_TRUE(Append(0).ok());
    Await([this] { return log_->progress().written == Offset(1); });
  }
  ~SlowDiskTest() override {
    log_.reset();
    storage_ = nullptr;
    executor_.Shutdown();
  }

  static void Await(const std::function<bool()>& done) {
    while (!done()) std::this_thread::yield();
  }
  absl::Status Append(int64_t offset) {
    const format::Batch batch = MakeBatch({.offset = offset});
    return log_->Append({&batch, 1});
  }

  base::RealExecutor executor_;
  const std::shared_ptr<files::MemoryFileSystem> fs_ = std::make_shared<files::MemoryFileSystem>();
  std::shared_ptr<FileStorage> storage_;
  std::unique_ptr<Log> log_;
};

// Whatever the disk is in, every call returns: the test would not end.
TEST_F(SlowDiskTest, NoCallOfALogWaitsForTheDisk) {
  for (const Kind kind : {Kind::kWrite, Kind::kSync, Kind::kTruncate, Kind::kRead}) {
    StandStill disk(*fs_, kind);
    const int64_t end = log_->end_offset().value();
    ASSERT_TRUE(Append(end).ok());
    log_->Sync();
    if (kind == Kind::kTruncate) {
      Await([&] { return log_->progress().written > Offset(end); });
      ASSERT_TRUE(log_->TruncateSuffix(Offset(end)).ok());
    }
    if (kind == Kind::kRead) log_->FindByTimestamp(0, Offset(end), [](auto) {});
    disk.AwaitReached();

    const int64_t now = log_->end_offset().value();
    EXPECT_TRUE(Append(now).ok());
    EXPECT_TRUE(Append(now + 1).ok());
    log_->Sync();
    log_->Configure({});
    EXPECT_FALSE(log_->progress().failed);
    EXPECT_EQ(log_->end_offset(), Offset(now + 2));
    EXPECT_TRUE(log_->Read(Offset(0), {.max_offset = Offset(now), .max_bytes = 1}).ok());
    log_->FindByTimestamp(0, Offset(now), [](auto) {});
    log_->VisitHeaders(
        Offset(0), [](const auto&) {}, [](auto) {});
    log_->WriteMetadata("x", "");
    log_->ReadMetadata([](auto) {});
    log_->KeepHighWatermark(Offset(0));
    EXPECT_TRUE(log_->Retain({.retained_bytes = 0}).ok());
    EXPECT_TRUE(log_->TruncateSuffix(Offset(now + 1)).ok());
    EXPECT_TRUE(storage_->Open({"orders", model::PartitionId(1)}, model::LogId(2)).ok());
    EXPECT_GE(storage_->List().size(), 2u);

    disk.Release();
    log_->Sync();
    Await([this] { return log_->progress().synced == log_->end_offset(); });
    fs_->SetFault(nullptr);
  }
}

TEST_F(SlowDiskTest, WhatWaitsForTheDiskIsBounded) {
  StandStill disk(*fs_, Kind::kWrite);
  absl::Status status;
  int64_t end = 1;
  while (status.ok() && end < 1000) {
    status = Append(end);
    if (status.ok()) ++end;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the disk of '/data' is "));
  EXPECT_EQ(log_->end_offset(), Offset(end));
  disk.Release();
  Await([&] { return log_->progress().written == Offset(end); });
  EXPECT_TRUE(Append(end).ok());
}

}  // namespace
}  // namespace kafkalite::storage
