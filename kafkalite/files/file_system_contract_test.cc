// What file_system.h promises, of every file system.

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/bounded_file_system.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;
using Names = std::vector<std::string>;

struct FileSystemFactory {
  std::string name;
  std::function<std::shared_ptr<FileSystem>()> make;
  std::string folder;  // where a test may work

  friend void PrintTo(const FileSystemFactory& factory, std::ostream* out) { *out << factory.name; }
};

class FileSystemContractTest : public testing::TestWithParam<FileSystemFactory> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RemoveAll(fs_, folder_).ok()) << "left by an earlier run";
    ASSERT_TRUE(fs_.CreateDirectories(folder_).ok());
  }
  void TearDown() override { EXPECT_TRUE(RemoveAll(fs_, folder_).ok()); }

  std::string Path(std::string_view name) const { return base::Cat(folder_, "/", name); }
  std::unique_ptr<File> Open(std::string_view name, Mode mode) {
    return fs_.Open(Path(name), mode).value();
  }
  void Write(std::string_view name, std::string_view bytes) {
    ASSERT_TRUE(WriteTo(*Open(name, Mode::kTruncate), 0, {bytes}).ok());
  }
  static absl::Status WriteTo(File& file, int64_t position, std::vector<std::string_view> pieces) {
    return file.WriteAt(position, pieces);
  }
  static std::string Read(const File& file, int64_t position, size_t bytes) {
    std::string out(bytes, '?');
    out.resize(file.ReadAt(position, out).value());
    return out;
  }
  std::string Contents(std::string_view name) { return ReadFile(fs_, Path(name)).value(); }
  Names List() { return fs_.List(folder_).value(); }
  absl::StatusCode OpenError(std::string_view name, Mode mode) {
    return fs_.Open(Path(name), mode).status().code();
  }

  const std::shared_ptr<FileSystem> owner_ = GetParam().make();
  FileSystem& fs_ = *owner_;
  const std::string folder_ = base::Cat(GetParam().folder, "/file_system_contract");
};

INSTANTIATE_TEST_SUITE_P(
    All, FileSystemContractTest,
    testing::Values(FileSystemFactory{"Posix", MakePosixFileSystem, testing::TempDir()},
                    FileSystemFactory{"Memory", [] { return std::make_shared<MemoryFileSystem>(); },
                                      "/somewhere"},
                    // Every use of a file opens it again.
                    FileSystemFactory{
                        "BoundedPosix",
                        [] { return MakeBoundedFileSystem(MakePosixFileSystem(), 0); },
                        testing::TempDir()},
                    FileSystemFactory{"BoundedMemory",
                                      [] {
                                        return MakeBoundedFileSystem(
                                            std::make_shared<MemoryFileSystem>(), 0);
                                      },
                                      "/somewhere"}),
    [](const testing::TestParamInfo<FileSystemFactory>& info) { return info.param.name; });

// --- Bytes ---------------------------------------------------------------------------------------

TEST_P(FileSystemContractTest, ReadsWhatWasWritten) {
  const auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(WriteTo(*file, 0, {"abc", "", "de"}).ok());
  EXPECT_EQ(Read(*file, 0, 5), "abcde");
  EXPECT_EQ(Read(*file, 1, 3), "bcd");
  EXPECT_EQ(file->Size().value(), 5);
  ASSERT_TRUE(WriteTo(*file, 1, {"XY"}).ok());
  EXPECT_EQ(Read(*file, 0, 5), "aXYde");
}

TEST_P(FileSystemContractTest, ReadsFewerBytesOnlyAtTheEnd) {
  Write("f", "abc");
  const auto file = Open("f", Mode::kRead);
  EXPECT_EQ(Read(*file, 1, 100), "bc");
  EXPECT_EQ(Read(*file, 3, 1), "");
  EXPECT_EQ(Read(*file, 1000, 1), "");
  EXPECT_EQ(Read(*file, 0, 0), "");
}

TEST_P(FileSystemContractTest, WritesMorePiecesThanTheSystemTakesAtOnce) {
  std::vector<std::string> owners;
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    // Every third one is empty, among them the first and those around a thousand.
    owners.push_back(i % 3 == 0 ? "" : base::Cat("piece ", i, ";"));
    all += owners.back();
  }
  const std::vector<std::string_view> pieces(owners.begin(), owners.end());
  const auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(file->WriteAt(2, pieces).ok());
  EXPECT_EQ(Read(*file, 0, all.size() + 10), std::string(2, '\0') + all);
}

TEST_P(FileSystemContractTest, WritesNothing) {
  const auto file = Open("f", Mode::kCreate);
  EXPECT_TRUE(WriteTo(*file, 10, {}).ok());
  EXPECT_TRUE(WriteTo(*file, 10, {"", ""}).ok());
  EXPECT_EQ(file->Size().value(), 0) << "a write of nothing extends nothing";
}

TEST_P(FileSystemContractTest, KeepsEveryByteValue) {
  std::string bytes;
  for (int i = 0; i < 70000; ++i) bytes.push_back(static_cast<char>(i % 251));
  Write("f", bytes);
  EXPECT_EQ(Contents("f"), bytes);
}

TEST_P(FileSystemContractTest, AGapReadsAsZeros) {
  const auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(WriteTo(*file, 3, {"x"}).ok());
  EXPECT_EQ(Read(*file, 0, 9), std::string("\0\0\0x", 4));
}

TEST_P(FileSystemContractTest, TruncateCutsAndExtends) {
  const auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(WriteTo(*file, 0, {"abcdef"}).ok());
  ASSERT_TRUE(file->Truncate(2).ok());
  EXPECT_EQ(Read(*file, 0, 9), "ab");
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_EQ(Read(*file, 0, 9), std::string("ab\0\0", 4)) << "not what was there once";
  EXPECT_EQ(file->Size().value(), 4);
}

TEST_P(FileSystemContractTest, SyncsWhatItCanRead) {
  const auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(WriteTo(*file, 0, {"abc"}).ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(fs_.SyncDirectory(folder_).ok());
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_P(FileSystemContractTest, RefusesNegativePositions) {
  const auto file = Open("f", Mode::kCreate);
  std::string out(1, '?');
  EXPECT_EQ(file->ReadAt(-1, out).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(WriteTo(*file, -1, {"x"}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(file->Truncate(-1).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(file->Size().value(), 0);
}

// --- Modes ---------------------------------------------------------------------------------------

TEST_P(FileSystemContractTest, OnlyTwoModesMakeAFile) {
  EXPECT_EQ(OpenError("f", Mode::kRead), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenError("f", Mode::kWrite), absl::StatusCode::kNotFound);
  EXPECT_EQ(List(), Names());
  EXPECT_EQ(OpenError("f", Mode::kCreate), absl::StatusCode::kOk);
  EXPECT_EQ(OpenError("g", Mode::kTruncate), absl::StatusCode::kOk);
  EXPECT_EQ(List(), (Names{"f", "g"}));
}

TEST_P(FileSystemContractTest, OnlyOneModeEmptiesAFile) {
  Write("f", "abc");
  for (const Mode mode : {Mode::kRead, Mode::kWrite, Mode::kCreate}) {
    EXPECT_EQ(Read(*Open("f", mode), 0, 9), "abc");
  }
  EXPECT_EQ(Read(*Open("f", Mode::kTruncate), 0, 9), "");
}

TEST_P(FileSystemContractTest, AFileToBeReadIsNotWritten) {
  Write("f", "abc");
  const auto file = Open("f", Mode::kRead);
  EXPECT_EQ(WriteTo(*file, 0, {"x"}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(file->Truncate(0).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_P(FileSystemContractTest, AFolderIsNotOpened) {
  for (const Mode mode : {Mode::kRead, Mode::kWrite, Mode::kCreate, Mode::kTruncate}) {
    EXPECT_EQ(fs_.Open(folder_, mode).status().code(), absl::StatusCode::kInternal);
  }
}

TEST_P(FileSystemContractTest, ErrorsSayWhatWasDoneToWhichPathAndWhy) {
  const absl::Status status = fs_.Open(Path("absent"), Mode::kRead).status();
  EXPECT_EQ(base::ToStd(status.message()),
            base::Cat("open '", Path("absent"), "': No such file or directory"));
  EXPECT_EQ(base::ToStd(fs_.Rename(Path("a"), Path("b")).message()),
            base::Cat("rename '", Path("a"), "' to '", Path("b"), "': No such file or directory"));
}

// --- Names ---------------------------------------------------------------------------------------

TEST_P(FileSystemContractTest, ListsSortedNamesOfFilesAndFolders) {
  for (const char* name : {"b", "a10", "a9", "B", ".hidden"}) Write(name, "");
  ASSERT_TRUE(fs_.CreateDirectories(Path("aa/inner")).ok());
  EXPECT_EQ(List(), (Names{".hidden", "B", "a10", "a9", "aa", "b"}));
  EXPECT_EQ(fs_.List(Path("absent")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.List(Path("b")).status().code(), absl::StatusCode::kInternal);
}

TEST_P(FileSystemContractTest, MakesFoldersWithTheirParents) {
  EXPECT_TRUE(fs_.CreateDirectories(Path("a/b/c")).ok());
  EXPECT_TRUE(fs_.CreateDirectories(Path("a/b/c")).ok());
  EXPECT_TRUE(fs_.CreateDirectories(Path("a//d/")).ok());
  EXPECT_TRUE(fs_.IsDirectory(Path("a/b/c")).value());
  EXPECT_EQ(fs_.List(Path("a")).value(), (Names{"b", "d"}));
  Write("f", "");
  EXPECT_EQ(fs_.CreateDirectories(Path("f")).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.CreateDirectories(Path("f/g")).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.CreateDirectories("").code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContractTest, TellsFoldersFromFiles) {
  Write("f", "");
  EXPECT_TRUE(fs_.IsDirectory(folder_).value());
  EXPECT_FALSE(fs_.IsDirectory(Path("f")).value());
  EXPECT_EQ(fs_.IsDirectory(Path("absent")).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContractTest, NothingIsInAFolderThatIsNotThere) {
  EXPECT_EQ(OpenError("absent/f", Mode::kCreate), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.SyncDirectory(Path("absent")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.Lock(Path("absent/lock")).status().code(), absl::StatusCode::kNotFound);
  Write("f", "");
  EXPECT_EQ(OpenError("f/g", Mode::kCreate), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.SyncDirectory(Path("f")).code(), absl::StatusCode::kInternal);
}

TEST_P(FileSystemContractTest, RenamesOverWhatIsThere) {
  Write("old", "1");
  Write("new", "2");
  EXPECT_TRUE(fs_.Rename(Path("new"), Path("old")).ok());
  EXPECT_EQ(Contents("old"), "2");
  EXPECT_EQ(List(), Names{"old"});
  EXPECT_TRUE(fs_.Rename(Path("old"), Path("old")).ok());
  EXPECT_EQ(Contents("old"), "2");
}

TEST_P(FileSystemContractTest, RenamesFilesBetweenFoldersAndFoldersWithinOne) {
  ASSERT_TRUE(fs_.CreateDirectories(Path("a")).ok());
  Write("f", "1");
  EXPECT_TRUE(fs_.Rename(Path("f"), Path("a/g")).ok());
  EXPECT_TRUE(fs_.Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(Contents("b/g"), "1");
  EXPECT_EQ(List(), Names{"b"});
}

TEST_P(FileSystemContractTest, RenameRefusesWhatWouldNotFit) {
  ASSERT_TRUE(fs_.CreateDirectories(Path("empty")).ok());
  ASSERT_TRUE(fs_.CreateDirectories(Path("full/inner")).ok());
  Write("f", "1");
  EXPECT_EQ(fs_.Rename(Path("absent"), Path("f")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.Rename(Path("f"), Path("absent/f")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.Rename(Path("f"), Path("empty")).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.Rename(Path("empty"), Path("f")).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.Rename(Path("empty"), Path("full")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(List(), (Names{"empty", "f", "full"}));
  EXPECT_TRUE(fs_.Rename(Path("full"), Path("empty")).ok());
  EXPECT_EQ(fs_.List(Path("empty")).value(), Names{"inner"});
}

TEST_P(FileSystemContractTest, RemovesFilesAndEmptyFolders) {
  ASSERT_TRUE(fs_.CreateDirectories(Path("a/b")).ok());
  Write("a/f", "1");
  EXPECT_EQ(fs_.Remove(Path("a")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs_.Remove(Path("a/f")).ok());
  EXPECT_TRUE(fs_.Remove(Path("a/b")).ok());
  EXPECT_TRUE(fs_.Remove(Path("a")).ok());
  EXPECT_EQ(fs_.Remove(Path("a")).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(List(), Names());
}

TEST_P(FileSystemContractTest, AnOpenFileLivesOnWithoutItsName) {
  Write("removed", "1");
  Write("replaced", "2");
  Write("renamed", "3");
  Write("new", "new");
  const auto removed = Open("removed", Mode::kWrite);
  const auto replaced = Open("replaced", Mode::kWrite);
  const auto renamed = Open("renamed", Mode::kWrite);
  ASSERT_TRUE(fs_.Remove(Path("removed")).ok());
  ASSERT_TRUE(fs_.Rename(Path("new"), Path("replaced")).ok());
  ASSERT_TRUE(fs_.Rename(Path("renamed"), Path("other")).ok());
  for (File* file : {removed.get(), replaced.get(), renamed.get()}) {
    ASSERT_TRUE(WriteTo(*file, 1, {"+"}).ok());
    EXPECT_TRUE(file->Sync().ok());
  }
  EXPECT_EQ(Read(*removed, 0, 9), "1+");
  EXPECT_EQ(Read(*replaced, 0, 9), "2+");
  EXPECT_EQ(Contents("replaced"), "new");
  EXPECT_EQ(Contents("other"), "3+");
  Write("removed", "another");
  EXPECT_EQ(Read(*removed, 0, 9), "1+") << "not the one that has its name now";
}

// --- Locks and boots -----------------------------------------------------------------------------

TEST_P(FileSystemContractTest, ASecondLockIsRefused) {
  auto lock = fs_.Lock(Path("lock"));
  ASSERT_TRUE(lock.ok());
  const absl::Status second = fs_.Lock(Path("lock")).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(base::ToStd(second.message()).find(Path("lock")), std::string_view::npos);
  EXPECT_TRUE(fs_.Lock(Path("another")).ok());
  // To look into the file, as a tool may, does not free it.
  EXPECT_EQ(Contents("lock"), "");
  EXPECT_EQ(fs_.Lock(Path("lock")).status().code(), absl::StatusCode::kAlreadyExists);
  lock->reset();
  EXPECT_TRUE(fs_.Lock(Path("lock")).ok());
  EXPECT_TRUE(fs_.Lock(Path("lock")).ok()) << "the one before was never held";
}

TEST_P(FileSystemContractTest, TheBootIdStaysWhileTheMachineRuns) {
  EXPECT_EQ(fs_.BootId("/"), fs_.BootId("/"));
  EXPECT_EQ(fs_.BootId("/").find('\n'), std::string::npos);
  EXPECT_NE(fs_.BootId("/"), "");
}

// --- Made of the above ---------------------------------------------------------------------------

TEST_P(FileSystemContractTest, ReadFileReadsAllOfIt) {
  Write("f", std::string(100000, 'x'));
  EXPECT_EQ(Contents("f"), std::string(100000, 'x'));
  Write("empty", "");
  EXPECT_EQ(Contents("empty"), "");
  EXPECT_EQ(ReadFile(fs_, Path("absent")).status().code(), absl::StatusCode::kNotFound);
}

TEST_P(FileSystemContractTest, ReplaceFileLeavesNothingBehind) {
  ASSERT_TRUE(ReplaceFile(fs_, Path("f"), "a long one").ok());
  EXPECT_EQ(Contents("f"), "a long one");
  Write("f.tmp", "what a crash left, and longer than what comes");
  ASSERT_TRUE(ReplaceFile(fs_, Path("f"), "short").ok());
  EXPECT_EQ(Contents("f"), "short");
  EXPECT_EQ(List(), Names{"f"});
}

TEST_P(FileSystemContractTest, ReplaceFileThatFailsLeavesNothingBehind) {
  EXPECT_EQ(ReplaceFile(fs_, Path("absent/f"), "1").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(fs_.CreateDirectories(Path("folder")).ok());
  EXPECT_EQ(ReplaceFile(fs_, Path("folder"), "1").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(List(), Names{"folder"});
}

TEST_P(FileSystemContractTest, RemoveAllRemovesWhateverIsThere) {
  ASSERT_TRUE(fs_.CreateDirectories(Path("a/b/c")).ok());
  Write("a/f", "1");
  Write("a/b/g", "2");
  Write("beside", "3");
  EXPECT_TRUE(RemoveAll(fs_, Path("a")).ok());
  EXPECT_EQ(List(), Names{"beside"});
  EXPECT_TRUE(RemoveAll(fs_, Path("a")).ok());
  EXPECT_TRUE(RemoveAll(fs_, Path("beside")).ok());
  EXPECT_EQ(List(), Names());
}

}  // namespace
}  // namespace kafkalite::files
