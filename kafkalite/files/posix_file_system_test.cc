// What only a real system can show: errors of devices, other processes, symbolic links.

#include "kafkalite/files/posix_file_system.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/files/file_system.h"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;

class PosixFileSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(RemoveAll(*fs_, folder_).ok());
    ASSERT_TRUE(fs_->CreateDirectories(folder_).ok());
  }
  void TearDown() override { EXPECT_TRUE(RemoveAll(*fs_, folder_).ok()); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // What `body` returns in another process.
  static int InChild(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int result = 0;
    EXPECT_EQ(::waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
  }

  const std::shared_ptr<FileSystem> fs_ = MakePosixFileSystem();
  const std::string folder_ = testing::TempDir() + "/posix_file_system";
};

TEST_F(PosixFileSystemTest, AnotherProcessIsRefusedTheLock) {
  const auto lock_of_child = [this] {
    return static_cast<int>(fs_->Lock(Path("lock")).status().code());
  };
  {
    const auto lock = fs_->Lock(Path("lock"));
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(InChild(lock_of_child), static_cast<int>(absl::StatusCode::kAlreadyExists));
  }
  EXPECT_EQ(InChild(lock_of_child), static_cast<int>(absl::StatusCode::kOk));
  EXPECT_TRUE(fs_->Lock(Path("lock")).ok()) << "the child is gone, and its lock with it";
}

TEST_F(PosixFileSystemTest, AForkedChildDoesNotKeepTheLock) {
  auto lock = fs_->Lock(Path("lock"));
  ASSERT_TRUE(lock.ok());
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[1]);
    char end;
    ::_exit(::read(pipe[0], &end, 1) == 0 ? 0 : 1);  // until the parent closes its side
  }
  lock->reset();
  EXPECT_TRUE(fs_->Lock(Path("lock")).ok());
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(PosixFileSystemTest, AFullDeviceIsResourceExhausted) {
  const auto file = fs_->Open("/dev/full", Mode::kWrite);
  if (!file.ok()) GTEST_SKIP() << file.status();
  const std::string_view pieces[] = {"abc"};
  const absl::Status status = (*file)->WriteAt(0, pieces);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "write '/dev/full': No space left on device");
}

TEST_F(PosixFileSystemTest, AFailedDeviceIsDataLoss) {
  // Reading what is not mapped is the one EIO that needs no broken disk.
  const auto file = fs_->Open("/proc/self/mem", Mode::kRead);
  if (!file.ok()) GTEST_SKIP() << file.status();
  std::string out(1, '?');
  EXPECT_EQ((*file)->ReadAt(0, out).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(PosixFileSystemTest, DescriptorsAreThereAndNotForOtherPrograms) {
  const auto file = fs_->Open(Path("f"), Mode::kCreate).value();
  EXPECT_GE(file->descriptor().number, 0);
  EXPECT_NE(::fcntl(file->descriptor().number, F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(PosixFileSystemTest, ClosesEveryDescriptor) {
  const auto open_descriptors = [this] { return fs_->List("/proc/self/fd")->size(); };
  const auto everything = [this] {
    EXPECT_TRUE(ReplaceFile(*fs_, Path("f"), "1").ok());
    EXPECT_TRUE(fs_->Lock(Path("lock")).ok());
    const auto lock = fs_->Lock(Path("lock"));
    EXPECT_FALSE(fs_->Lock(Path("lock")).ok());
    EXPECT_FALSE(fs_->Open(folder_, Mode::kRead).ok());
    EXPECT_FALSE(fs_->SyncDirectory(Path("f")).ok());
    EXPECT_TRUE(fs_->List(folder_).ok());
    EXPECT_NE(fs_->BootId("/"), "");
  };
  const size_t before = open_descriptors();
  everything();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(PosixFileSystemTest, RemoveAllDoesNotFollowSymbolicLinks) {
  ASSERT_TRUE(fs_->CreateDirectories(Path("kept")).ok());
  ASSERT_TRUE(ReplaceFile(*fs_, Path("kept/f"), "1").ok());
  ASSERT_TRUE(fs_->CreateDirectories(Path("gone")).ok());
  ASSERT_EQ(::symlink(Path("kept").c_str(), Path("gone/link").c_str()), 0);
  ASSERT_EQ(::symlink(Path("kept").c_str(), Path("link").c_str()), 0);
  EXPECT_TRUE(fs_->IsDirectory(Path("link")).value()) << "but others do";
  EXPECT_TRUE(RemoveAll(*fs_, Path("gone")).ok());
  EXPECT_TRUE(RemoveAll(*fs_, Path("link")).ok());
  EXPECT_EQ(fs_->List(folder_).value(), std::vector<std::string>{"kept"});
  EXPECT_EQ(ReadFile(*fs_, Path("kept/f")).value(), "1");
}

}  // namespace
}  // namespace kafkalite::files
