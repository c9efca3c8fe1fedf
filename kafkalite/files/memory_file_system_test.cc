#include "kafkalite/files/memory_file_system.h"

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system_fixture.h"

namespace kafkalite::files {
namespace {

using Kind = MemoryFileSystem::Operation::Kind;
using Operation = MemoryFileSystem::Operation;
using Verdict = MemoryFileSystem::Verdict;

class MemoryFileSystemTest : public MemoryFileSystemFixture {
 protected:
  void FailOn(Kind kind, absl::Status status, size_t torn = 0) {
    fs_.SetFault([=](const Operation& operation) {
      return operation.kind == kind ? Verdict{status, torn} : Verdict{};
    });
  }
};

// --- Faults --------------------------------------------------------------------------------------

TEST_F(MemoryFileSystemTest, AFailedSyncLosesTheDataEvenIfALaterOneSucceeds) {
  MakeDurable("f", "");
  const auto file = Open("f");
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  FailOn(Kind::kSync, absl::DataLossError("EIO"));
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kDataLoss);
  fs_.SetFault(nullptr);
  ASSERT_TRUE(Write(*file, 3, "def").ok());
  EXPECT_TRUE(file->Sync().ok()) << "the kernel has forgotten";
  EXPECT_EQ(Contents("f"), "abcdef") << "still in the page cache";
  fs_.Crash({});
  EXPECT_EQ(Contents("f"), std::string("\0\0\0def", 6));
}

TEST_F(MemoryFileSystemTest, AFailedSyncOfAFolderMakesNothingDurable) {
  MakeDurable("old", "");
  ASSERT_TRUE(fs_.Rename("old", "new").ok());
  FailOn(Kind::kSyncDirectory, absl::DataLossError("EIO"));
  EXPECT_EQ(fs_.SyncDirectory("/").code(), absl::StatusCode::kDataLoss);
  fs_.SetFault(nullptr);
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names{"old"});
}

TEST_F(MemoryFileSystemTest, AFailedWriteLeavesItsFirstBytes) {
  const auto file = Open("f");
  FailOn(Kind::kWrite, absl::DataLossError("EIO"), 2);
  EXPECT_EQ(Write(*file, 0, "abc").message(), "EIO");
  EXPECT_EQ(Write(*file, 5, "x").message(), "EIO");
  fs_.SetFault(nullptr);
  EXPECT_EQ(Contents("f"), std::string("ab\0\0\0x", 6)) << "torn beyond its end is all of it";
}

TEST_F(MemoryFileSystemTest, EveryOperationCanFailAndThenDoesNothing) {
  MakeDurable("f", "abc");
  const auto file = Open("f");
  std::vector<Kind> asked;
  std::string path;
  fs_.SetFault([&](const Operation& operation) {
    asked.push_back(operation.kind);
    path = operation.path;
    return Verdict{absl::UnavailableError("fault")};
  });
  std::string out(1, '?');
  EXPECT_EQ(fs_.Open("g", Mode::kCreate).status().message(), "fault");
  EXPECT_EQ(path, "g");
  EXPECT_EQ(file->ReadAt(0, out).status().message(), "fault");
  EXPECT_EQ(path, "f");
  EXPECT_EQ(Write(*file, 0, "x").message(), "fault");
  EXPECT_EQ(file->Truncate(0).message(), "fault");
  EXPECT_EQ(file->Sync().message(), "fault");
  EXPECT_EQ(fs_.Rename("f", "g").message(), "fault");
  EXPECT_EQ(path, "f");
  EXPECT_EQ(fs_.Remove("f").message(), "fault");
  EXPECT_EQ(fs_.CreateDirectories("a").message(), "fault");
  EXPECT_EQ(fs_.List("/").status().message(), "fault");
  EXPECT_EQ(fs_.SyncDirectory("/").message(), "fault");
  EXPECT_EQ(fs_.Lock("lock").status().message(), "fault");
  EXPECT_TRUE(file->Size().ok() && fs_.IsDirectory("/").ok());
  EXPECT_EQ(asked,
            (std::vector<Kind>{Kind::kOpen, Kind::kRead, Kind::kWrite, Kind::kTruncate, Kind::kSync,
                               Kind::kRename, Kind::kRemove, Kind::kCreateDirectories, Kind::kList,
                               Kind::kSyncDirectory, Kind::kLock}));
  fs_.SetFault(nullptr);
  EXPECT_EQ(List(), Names{"f"});
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_F(MemoryFileSystemTest, AFullDiskWritesWhatFits) {
  const auto file = Open("f");
  fs_.SetCapacity(5);
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  EXPECT_EQ(Write(*Open("g"), 0, "defg").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Contents("g"), "de");
  EXPECT_TRUE(Write(*file, 0, "xyz").ok()) << "what takes no more room";
  EXPECT_EQ(Write(*file, 9, "z").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(file->Truncate(4).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Contents("f"), "xyz");
  ASSERT_TRUE(fs_.Remove("g").ok());
  EXPECT_TRUE(Write(*file, 3, "45").ok());
  EXPECT_FALSE(Write(*file, 5, "6").ok());
  fs_.SetCapacity(-1);
  EXPECT_TRUE(Write(*file, 5, "6").ok());
}

TEST_F(MemoryFileSystemTest, CorruptChangesBytesForGood) {
  MakeDurable("f", "abcdef");
  const auto file = Open("f");
  ASSERT_TRUE(Write(*file, 6, "ghi").ok());
  ASSERT_TRUE(fs_.Corrupt("f", 5, "XY").ok());
  EXPECT_EQ(Contents("f"), "abcdeXYhi");
  ASSERT_TRUE(file->Sync().ok());
  fs_.Crash({});
  EXPECT_EQ(Contents("f"), "abcdeXYhi");
  EXPECT_EQ(fs_.Corrupt("f", 8, "ZZ").code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(fs_.Corrupt("f", -1, "Z").code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(fs_.Corrupt("g", 0, "Z").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Contents("f"), "abcdeXYhi");
}

TEST_F(MemoryFileSystemTest, RemoveAllLooksIntoNothingButAFullFolder) {
  ASSERT_TRUE(fs_.CreateDirectories("folder").ok());
  MakeDurable("folder/f", "abc");
  fs_.SetFault([](const Operation& operation) {
    const bool fails = operation.kind == Kind::kRemove && operation.path == "folder";
    return Verdict{fails ? absl::InternalError("not allowed") : absl::OkStatus()};
  });
  EXPECT_EQ(RemoveAll(fs_, "folder").message(), "not allowed");
  EXPECT_EQ(Contents("folder/f"), "abc") << "what refuses to go may be a link to elsewhere";
}

// --- Processes and machines ----------------------------------------------------------------------

TEST_F(MemoryFileSystemTest, AKilledProcessLosesNothingThatItWrote) {
  ASSERT_TRUE(Write(*Open("f"), 0, "abc").ok());
  fs_.Kill();
  EXPECT_EQ(Contents("f"), "abc");
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names()) << "but it was never synced";
}

TEST_F(MemoryFileSystemTest, OpenFilesAndLocksEndWithTheirProcess) {
  for (const bool crash : {false, true}) {
    MakeDurable("f", "abc");
    const auto file = Open("f");
    auto lock = fs_.Lock("lock").value();
    const std::string boot = fs_.BootId("/");
    int asked = 0;
    fs_.SetFault([&asked](const Operation&) { return ++asked, Verdict{}; });
    crash ? fs_.Crash({}) : fs_.Kill();
    EXPECT_EQ(fs_.BootId("/") != boot, crash);
    std::string out(1, '?');
    EXPECT_EQ(file->ReadAt(0, out).status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(Write(*file, 0, "x").code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->Truncate(0).code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->Sync().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(file->Size().status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ(asked, 0) << "nobody is there to make these calls";
    fs_.SetFault(nullptr);
    EXPECT_EQ(Contents("f"), "abc");
    const auto next = fs_.Lock("lock");
    EXPECT_TRUE(next.ok());
    lock.reset();
    EXPECT_FALSE(fs_.Lock("lock").ok()) << "freed by one who no longer held it";
  }
}

TEST_F(MemoryFileSystemTest, AFaultMayCrashTheMachine) {
  MakeDurable("f", "");
  const auto file = Open("f");
  fs_.SetFault([this](const Operation& operation) {
    if (operation.kind == Kind::kSync) fs_.Crash(kLoseAll);
    return Verdict{};
  });
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Contents("f"), "");
}

TEST_F(MemoryFileSystemTest, FilesOutliveTheirFileSystem) {
  auto fs = std::make_unique<MemoryFileSystem>();
  const auto file = fs->Open("f", Mode::kCreate).value();
  const auto lock = fs->Lock("lock").value();
  fs.reset();
  EXPECT_TRUE(Write(*file, 0, "abc").ok());
  EXPECT_EQ(file->Size().value(), 3);
}

TEST_F(MemoryFileSystemTest, ACloneHasWhatIsWrittenAndGoesItsOwnWay) {
  ASSERT_TRUE(fs_.CreateDirectories("folder").ok());
  const auto file = Open("folder/f");
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  const auto lock = fs_.Lock("lock").value();
  const auto clone = fs_.Clone();
  EXPECT_TRUE(clone->Lock("lock").ok());
  ASSERT_TRUE(Write(*file, 1, "X").ok());
  EXPECT_EQ(ReadFile(*clone, "folder/f").value(), "abc");
  const auto other = clone->Open("folder/f", Mode::kWrite).value();
  ASSERT_TRUE(Write(*other, 3, "d").ok());
  EXPECT_EQ(Contents("folder/f"), "aXc");
  EXPECT_EQ(ReadFile(*clone, "folder/f").value(), "abcd");
  clone->Crash(kLoseAll);
  EXPECT_EQ(ReadFile(*clone, "folder/f").value(), "abc") << "what was written is durable there";
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names{});
  EXPECT_EQ(ReadFile(*clone, "folder/f").value(), "abc");
}

TEST_F(MemoryFileSystemTest, ManyThreadsUseIt) {
  const auto file = Open("f");
  std::thread reader([&] {
    std::string out(4, '?');
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(file->ReadAt(0, out).ok());
  });
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(ReplaceFile(fs_, "g", "abc").ok());
  });
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Write(*file, i, "x").ok());
    ASSERT_TRUE(file->Sync().ok());
  }
  reader.join();
  other.join();
  EXPECT_EQ(Contents("f"), std::string(200, 'x'));
}

}  // namespace
}  // namespace kafkalite::files
