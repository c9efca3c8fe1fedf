// Which logs are certain never to have been made, after disks were wiped, taken away, mixed, and
// after logs were.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using model::Incarnation;
using Kind = files::MemoryFileSystem::Operation::Kind;
using Verdict = files::MemoryFileSystem::Verdict;

constexpr const char* kNames = "/a/recovery-point-offset-checkpoint";

class FileStorageUseTest : public testing::Test {
 protected:
  ~FileStorageUseTest() override {
    storage_ = nullptr;
    executor_.Shutdown();
  }

  static model::TopicPartition Tp(int32_t partition = 0) {
    return {"orders", model::PartitionId(partition)};
  }
  // A broker's process, from its start to a kill.
  void Start(int64_t incarnation, std::vector<std::string> directories = {"/a"}) {
    Open(std::move(directories));
    storage_->SetIncarnation(Incarnation(incarnation));
    Run();
  }
  void Open(std::vector<std::string> directories) {
    const auto opened = FileStorage::Open(executor_, {.directories = std::move(directories),
                                                      .broker = model::BrokerId(1),
                                                      .cluster_id = "c1",
                                                      .fs = fs_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    storage_ = *opened;
  }
  void Kill() {
    fs_->Kill();
    storage_ = nullptr;
    fs_->SetFault(nullptr);
  }
  void Run() { executor_.RunFor(std::chrono::seconds(1)); }
  // A log of one batch, well before the checkpoints are written by themselves.
  void MakeLog(int32_t partition = 0) {
    auto log = storage_->Open(Tp(partition), model::LogId(7));
    ASSERT_TRUE(log.ok()) << log.status();
    const format::Batch batch = MakeBatch({});
    ASSERT_TRUE((*log)->Append({&batch, 1}).ok());
    Run();
    ASSERT_EQ((*log)->progress().written, model::Offset(1));
  }
  bool NeverMade(int64_t incarnation, int32_t partition = 0) {
    return storage_->NeverMade(Tp(partition), Incarnation(incarnation));
  }
  void Remove(const std::string& path) { ASSERT_TRUE(files::RemoveAll(*fs_, path).ok()); }

  base::SimExecutor executor_{1};
  const std::shared_ptr<files::MemoryFileSystem> fs_ = std::make_shared<files::MemoryFileSystem>();
  std::shared_ptr<FileStorage> storage_;
};

TEST_F(FileStorageUseTest, SinceTheFirstUseOfTheDirectory) {
  Start(3);
  EXPECT_TRUE(NeverMade(3));
  EXPECT_FALSE(NeverMade(2));
  for (const int64_t incarnation : {4, 5}) {
    Kill();
    Start(incarnation);
    EXPECT_TRUE(NeverMade(3));
    EXPECT_FALSE(NeverMade(2));
  }
  // Of one process, whose session expired.
  storage_->SetIncarnation(Incarnation(6));
  EXPECT_TRUE(NeverMade(3));
  EXPECT_TRUE(storage_->Close().ok());
  storage_ = nullptr;
  Start(7);
  EXPECT_TRUE(NeverMade(3));
  fs_->Crash({.keep_some = false});
  storage_ = nullptr;
  Start(8);
  EXPECT_TRUE(NeverMade(3));
}

TEST_F(FileStorageUseTest, ALogThatIsThereWasMade) {
  Start(3);
  MakeLog();
  EXPECT_FALSE(NeverMade(3));
  Kill();
  Start(4);
  EXPECT_FALSE(NeverMade(3));
  EXPECT_TRUE(NeverMade(3, 1));
}

TEST_F(FileStorageUseTest, ALogThatCouldNotBeMadeIsNotMadeAgain) {
  Start(3);
  fs_->SetFault([](const auto& operation) -> Verdict {
    if (operation.kind != Kind::kCreateDirectories) return {};
    return {absl::DataLossError("EIO")};
  });
  EXPECT_TRUE(storage_->Open(Tp(), model::LogId(7)).ok());
  Run();
  EXPECT_FALSE(NeverMade(3));
  Kill();
  Start(4);
  EXPECT_TRUE(NeverMade(3)) << "it has not been";
}

// Who was registered in between may have made logs elsewhere.
TEST_F(FileStorageUseTest, WhereAnIncarnationIsMissingItBeginsAnew) {
  Start(3);
  Kill();
  Start(5);
  EXPECT_FALSE(NeverMade(4));
  EXPECT_TRUE(NeverMade(5));
  // Not registered: nothing was made, and nothing is known of that incarnation.
  Kill();
  Open({"/a"});
  Kill();
  Start(6);
  EXPECT_TRUE(NeverMade(5));
  // A tree that counts from the start again.
  Kill();
  Start(2);
  EXPECT_FALSE(NeverMade(1));
}

TEST_F(FileStorageUseTest, ALogThatSomebodyTookAwayIsMissed) {
  Start(3);
  MakeLog(0);
  MakeLog(1);
  Kill();
  Remove("/a/orders-0");
  Start(4);
  EXPECT_FALSE(NeverMade(3));
  EXPECT_FALSE(NeverMade(3, 2)) << "who knows what else is missing";
  Kill();
  Start(5);
  EXPECT_FALSE(NeverMade(3)) << "though no checkpoint has its name any more";
  EXPECT_TRUE(NeverMade(4));
}

// Of a follower whose leader has nothing left: a log without a batch, that does not begin at 0.
TEST_F(FileStorageUseTest, ALogThatSomebodyTookAwayBeforeItsFirstBatch) {
  Start(3);
  auto log = storage_->Open(Tp(), model::LogId(7)).value();
  EXPECT_TRUE(log->TruncatePrefix(model::Offset(1000)).ok());
  Run();
  ASSERT_EQ(log->progress().written, model::Offset(1000));
  log.reset();
  Kill();
  Remove("/a/orders-0");
  Start(4);
  EXPECT_FALSE(NeverMade(3));
}

// The start that missed it was cut short.
TEST_F(FileStorageUseTest, WhatWasMissedOnceStaysMissed) {
  Start(3);
  MakeLog();
  Kill();
  Remove("/a/orders-0");
  Open({"/a"});
  fs_->Crash({.keep_some = false});
  storage_ = nullptr;
  Start(4);
  EXPECT_FALSE(NeverMade(3));
}

TEST_F(FileStorageUseTest, WhereTheNamesAreLostNothingIsCertain) {
  for (const bool damaged : {false, true}) {
    Start(3);
    MakeLog();
    Kill();
    Remove("/a/orders-0");
    Remove(kNames);
    if (damaged) {
      ASSERT_TRUE(files::ReplaceFile(*fs_, kNames, "0\n1\nord").ok());
    }
    Start(4);
    EXPECT_FALSE(NeverMade(3));
    Kill();
    Remove("/a");
  }
}

TEST_F(FileStorageUseTest, ADamagedFileProvesNothing) {
  for (const std::string text : {"", "1", "1 3 1", "1 3 1 \n", "1 3\n", "x 3 1\n", "1 3 2\n"}) {
    Start(3);
    Kill();
    ASSERT_TRUE(files::ReplaceFile(*fs_, "/a/used-since", text).ok());
    Start(4);
    EXPECT_FALSE(NeverMade(3)) << text;
    EXPECT_TRUE(NeverMade(4));
    Kill();
    Remove("/a");
  }
}

TEST_F(FileStorageUseTest, AWipedDirectory) {
  Start(3);
  Kill();
  Remove("/a");
  Start(4);
  EXPECT_FALSE(NeverMade(3));
}

TEST_F(FileStorageUseTest, ADirectoryThatIsAddedTakenAwayWipedOrPutBack) {
  Start(3);
  Kill();
  Start(4, {"/a", "/b"});
  EXPECT_FALSE(NeverMade(3));
  Kill();
  Start(5, {"/b", "/a"});
  EXPECT_TRUE(NeverMade(4));
  Kill();
  Start(6, {"/a"});
  EXPECT_FALSE(NeverMade(5));
  Kill();
  Start(7, {"/a", "/b"});
  EXPECT_FALSE(NeverMade(6)) << "it may have been made while the other one was away, or before";
  Kill();
  Remove("/b");
  Start(8, {"/a", "/b"});
  EXPECT_FALSE(NeverMade(7));
  // One that was elsewhere meanwhile, in the place of the other.
  Kill();
  ASSERT_TRUE(fs_->Rename("/b", "/kept").ok());
  Start(9, {"/a", "/b"});
  Kill();
  Remove("/b");
  ASSERT_TRUE(fs_->Rename("/kept", "/b").ok());
  Start(10, {"/a", "/b"});
  EXPECT_FALSE(NeverMade(8));
  EXPECT_FALSE(NeverMade(9));
}

// Whenever its making is cut short: it is there with its name, or it was never made.
TEST_F(FileStorageUseTest, AMakingThatIsCutShort) {
  for (const bool power : {false, true}) {
    bool finished = false;
    for (int last = 0; !finished; ++last) {
      SCOPED_TRACE(last);
      Start(3);
      int operations = 0;
      fs_->SetFault([&](const auto&) -> Verdict {
        if (++operations <= last) return {};
        if (operations == last + 1) {
          power ? fs_->Crash({.seed = static_cast<uint64_t>(last)}) : fs_->Kill();
        }
        return {absl::InternalError("killed")};
      });
      EXPECT_TRUE(storage_->Open(Tp(), model::LogId(7 << 8)).ok());
      Run();
      finished = operations <= last;
      Kill();
      Start(4);
      const auto logs = storage_->List();
      if (NeverMade(3)) {
        EXPECT_TRUE(logs.empty());
        EXPECT_FALSE(finished);
      } else {
        ASSERT_EQ(logs.size(), 1u);
        EXPECT_TRUE(SameOrigin(logs[0].second, model::LogId(7 << 8)));
      }
      Kill();
      Remove("/a");
    }
  }
}

}  // namespace
}  // namespace kafkalite::storage
