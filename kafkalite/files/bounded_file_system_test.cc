// Few open files for many: that they are few, and that nobody is told of a sync that was not.

#include "kafkalite/files/bounded_file_system.h"

#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;
using Operation = MemoryFileSystem::Operation;
using Kind = Operation::Kind;

absl::Status Write(File& file, std::string_view bytes) {
  const std::string_view pieces[] = {bytes};
  return file.WriteAt(0, pieces);
}

std::string Read(const File& file) {
  std::string bytes(100, '?');
  bytes.resize(file.ReadAt(0, bytes).value());
  return bytes;
}

class BoundedFileSystemTest : public testing::Test {
 protected:
  std::shared_ptr<FileSystem> Make(size_t limit) { return MakeBoundedFileSystem(memory_, limit); }
  // Counts what is done to the file system behind.
  void Count(Kind kind) {
    count_ = 0;
    memory_->SetFault([this, kind](const Operation& operation) -> MemoryFileSystem::Verdict {
      if (operation.kind == kind) ++count_;
      return {};
    });
  }

  const std::shared_ptr<MemoryFileSystem> memory_ = std::make_shared<MemoryFileSystem>();
  int count_ = 0;
};

int OpenDescriptors() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                        std::filesystem::directory_iterator()));
}

TEST_F(BoundedFileSystemTest, NoMoreAreOpenThanTheLimit) {
  constexpr int kLimit = 5;
  const auto fs = MakeBoundedFileSystem(MakePosixFileSystem(), kLimit);
  const std::string folder = testing::TempDir() + "/bounded_file_system_test";
  ASSERT_TRUE(RemoveAll(*fs, folder).ok());
  ASSERT_TRUE(fs->CreateDirectories(folder).ok());
  const int before = OpenDescriptors();
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 50; ++i) {
    files.push_back(fs->Open(folder + "/" + std::to_string(i), Mode::kCreate).value());
    ASSERT_TRUE(Write(*files.back(), std::to_string(i)).ok());
    EXPECT_LE(OpenDescriptors(), before + kLimit);
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(Read(*files[static_cast<size_t>(i)]), std::to_string(i));
    EXPECT_LE(OpenDescriptors(), before + kLimit);
  }
  // What is to be sent from a file stays open on its own account.
  const FileDescriptor descriptor = files[0]->descriptor();
  for (const auto& file : files) EXPECT_TRUE(file->Size().ok());
  char first = '?';
  EXPECT_EQ(::pread(descriptor.number, &first, 1, 0), 1);
  EXPECT_EQ(first, '0');
  files.clear();
  EXPECT_EQ(OpenDescriptors(), before + 1);
  EXPECT_TRUE(RemoveAll(*fs, folder).ok());
}

TEST_F(BoundedFileSystemTest, TheOneThatWasUsedLastStaysOpen) {
  const auto fs = Make(2);
  const auto a = fs->Open("a", Mode::kCreate).value();
  const auto b = fs->Open("b", Mode::kCreate).value();
  EXPECT_TRUE(a->Size().ok());
  const auto c = fs->Open("c", Mode::kCreate).value();  // closes b
  Count(Kind::kOpen);
  Read(*a);
  Read(*c);
  EXPECT_EQ(count_, 0);
  Read(*b);
  EXPECT_EQ(count_, 1);
}

TEST_F(BoundedFileSystemTest, WhatIsNotSyncedIsClosedLast) {
  const auto fs = Make(2);
  const auto written = fs->Open("written", Mode::kCreate).value();
  ASSERT_TRUE(Write(*written, "1").ok());
  const auto synced = fs->Open("synced", Mode::kCreate).value();
  ASSERT_TRUE(Write(*synced, "2").ok());
  ASSERT_TRUE(synced->Sync().ok());
  Count(Kind::kSync);
  const auto other = fs->Open("other", Mode::kCreate).value();
  EXPECT_EQ(count_, 0);
  ASSERT_TRUE(Write(*other, "3").ok());
  Read(*synced);
  EXPECT_EQ(count_, 1) << "of the one that was used longest ago";
}

TEST_F(BoundedFileSystemTest, WhatIsClosedBehindItsUsersBackIsDurable) {
  const auto fs = Make(1);
  const auto a = fs->Open("a", Mode::kCreate).value();
  ASSERT_TRUE(fs->SyncDirectory("/").ok());
  ASSERT_TRUE(Write(*a, "bytes").ok());
  const auto b = fs->Open("b", Mode::kCreate).value();
  ASSERT_TRUE(Write(*b, "").ok());
  memory_->Crash({.keep_some = false});
  EXPECT_EQ(ReadFile(*memory_, "a").value(), "bytes");
}

TEST_F(BoundedFileSystemTest, ASyncThatFailedMeanwhileIsNotForgotten) {
  const auto fs = Make(1);
  const auto a = fs->Open("a", Mode::kCreate).value();
  ASSERT_TRUE(Write(*a, "bytes").ok());
  memory_->SetFault([](const Operation& operation) -> MemoryFileSystem::Verdict {
    if (operation.kind != Kind::kSync) return {};
    return {absl::DataLossError("EIO")};
  });
  const auto b = fs->Open("b", Mode::kCreate).value();
  ASSERT_TRUE(Write(*b, "").ok());
  memory_->SetFault(nullptr);
  EXPECT_EQ(a->Sync().message(), "EIO");
  EXPECT_EQ(a->Sync().message(), "EIO");
  EXPECT_EQ(Write(*a, "more").message(), "EIO");
  EXPECT_EQ(a->Truncate(0).message(), "EIO");
  EXPECT_EQ(Read(*a), "bytes");
  EXPECT_TRUE(b->Sync().ok());
}

TEST_F(BoundedFileSystemTest, AFileMovesWithTheFolderAboveIt) {
  const auto fs = Make(1);
  ASSERT_TRUE(fs->CreateDirectories("a").ok());
  ASSERT_TRUE(fs->CreateDirectories("ab").ok());
  const auto moved = fs->Open("a/f", Mode::kCreate).value();
  const auto stays = fs->Open("ab/f", Mode::kCreate).value();
  ASSERT_TRUE(Write(*moved, "moved").ok());
  ASSERT_TRUE(Write(*stays, "stays").ok());
  ASSERT_TRUE(fs->Rename("a", "c").ok());
  ASSERT_TRUE(fs->CreateDirectories("a").ok());
  ASSERT_TRUE(ReplaceFile(*fs, "a/f", "another").ok());
  EXPECT_EQ(Read(*stays), "stays");
  EXPECT_EQ(Read(*moved), "moved");
  ASSERT_TRUE(RemoveAll(*fs, "c").ok());
  EXPECT_EQ(Read(*stays), "stays");
  EXPECT_EQ(Read(*moved), "moved");
}

TEST_F(BoundedFileSystemTest, AFileThatIsGoneIsNotMadeAnew) {
  const auto fs = Make(0);
  const auto file = fs->Open("a", Mode::kCreate).value();
  ASSERT_TRUE(memory_->Remove("a").ok());  // by somebody else
  EXPECT_EQ(Write(*file, "x").code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(memory_->Open("a", Mode::kRead).ok());
}

TEST_F(BoundedFileSystemTest, AnyThreadUsesAnyFile) {
  const auto fs = Make(2);
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 6; ++i) {
    files.push_back(fs->Open(std::to_string(i), Mode::kCreate).value());
    ASSERT_TRUE(Write(*files.back(), std::to_string(i)).ok());
  }
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 500; ++i) {
        const size_t n = (t + i) % files.size();
        EXPECT_EQ(Read(*files[n]), std::to_string(n));
        // One thread writes to a file at a time.
        if (n % 4 == t) {
          EXPECT_TRUE(Write(*files[n], std::to_string(n)).ok());
        }
        if (i % 7 == 0) {
          EXPECT_TRUE(files[n]->Sync().ok());
        }
        const std::string own = "own" + std::to_string(t);
        if (i % 10 == 0) {
          EXPECT_TRUE(ReplaceFileUnsynced(*fs, own, own).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kafkalite::files
