// The system calls that the file system makes, and what it does when they do half of what they are
// asked for. This program defines them itself, ahead of the C library's.

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/posix_file_system.h"

namespace {

// One thread makes all calls.
struct Calls {
  size_t most_bytes = 0;     // that a call moves; 0: as many as it is asked to
  bool interrupted = false;  // every other call is, by a signal
  int sync_error = 0;
  int made = 0;
  int data_syncs = 0;
  int syncs = 0;
};
Calls calls;

bool Interrupted() {
  if (++calls.made % 2 == 0 || !calls.interrupted) return false;
  errno = EINTR;
  return true;
}

size_t Shortened(size_t bytes) {
  return calls.most_bytes == 0 ? bytes : std::min(bytes, calls.most_bytes);
}

int SyncResult() {
  if (Interrupted()) return -1;
  errno = calls.sync_error;
  return errno == 0 ? 0 : -1;
}

}  // namespace

extern "C" {

ssize_t pread(int fd, void* out, size_t bytes, off_t position) {
  if (Interrupted()) return -1;
  const iovec vector = {out, Shortened(bytes)};
  return preadv(fd, &vector, 1, position);
}

ssize_t pwritev(int fd, const iovec* vectors, int count, off_t position) {
  if (Interrupted()) return -1;
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return pwrite(fd, bytes.data(), Shortened(bytes.size()), position);
}

int fdatasync(int) {
  ++calls.data_syncs;
  return SyncResult();
}

int fsync(int) {
  ++calls.syncs;
  return SyncResult();
}

}  // extern "C"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;

class PosixSystemCallsTest : public testing::Test {
 protected:
  void SetUp() override {
    calls = {};
    ASSERT_TRUE(RemoveAll(*fs_, folder_).ok());
    ASSERT_TRUE(fs_->CreateDirectories(folder_).ok());
  }
  void TearDown() override {
    calls = {};
    EXPECT_TRUE(RemoveAll(*fs_, folder_).ok());
  }

  const std::shared_ptr<FileSystem> fs_ = MakePosixFileSystem();
  const std::string folder_ = testing::TempDir() + "/posix_system_calls";
  const std::string path_ = folder_ + "/f";
};

TEST_F(PosixSystemCallsTest, WritesAndReadsAllInWhateverStepsTheSystemTakes) {
  for (size_t most_bytes = 1; most_bytes < 12; ++most_bytes) {
    calls = {.most_bytes = most_bytes, .interrupted = true};
    const auto file = fs_->Open(path_, Mode::kTruncate).value();
    const std::string_view pieces[] = {"", "abc", "", "", "d", "efghij"};
    ASSERT_TRUE(file->WriteAt(1, pieces).ok());
    std::string out(20, '?');
    out.resize(file->ReadAt(1, out).value());
    EXPECT_EQ(out, "abcdefghij") << "in steps of " << most_bytes;
    EXPECT_EQ(file->Size().value(), 11);
    EXPECT_GE(calls.made, 4) << "the calls of this program are not used";
  }
}

TEST_F(PosixSystemCallsTest, SyncMakesTheDataOfTheFileDurable) {
  const auto file = fs_->Open(path_, Mode::kCreate).value();
  calls.interrupted = true;
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(calls.data_syncs, 2) << "one of them interrupted";
  calls = {.sync_error = EIO};
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(calls.data_syncs, 1) << "what failed is not tried again";
  calls = {.sync_error = EDQUOT};
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(PosixSystemCallsTest, SyncDirectoryMakesItsNamesDurable) {
  EXPECT_TRUE(fs_->SyncDirectory(folder_).ok());
  EXPECT_EQ(calls.syncs, 1);
  calls = {.sync_error = EIO};
  EXPECT_EQ(fs_->SyncDirectory(folder_).code(), absl::StatusCode::kDataLoss);
}

TEST_F(PosixSystemCallsTest, ReplaceFileReportsASyncThatFailed) {
  ASSERT_TRUE(ReplaceFile(*fs_, path_, "old").ok());
  EXPECT_EQ(calls.data_syncs, 1);
  EXPECT_EQ(calls.syncs, 1);
  calls = {.sync_error = EIO};
  EXPECT_EQ(ReplaceFile(*fs_, path_, "new").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadFile(*fs_, path_).value(), "old");
  EXPECT_EQ(fs_->List(folder_).value(), std::vector<std::string>{"f"});
}

}  // namespace
}  // namespace kafkalite::files
