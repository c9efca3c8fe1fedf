// More logs and segments than a process may have open files.

#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

constexpr int kLogs = 100;
constexpr int kSegments = 3;
constexpr rlim_t kOpenFiles = 100;

class FileStorageLimitTest : public testing::Test {
 protected:
  FileStorageLimitTest() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    struct rlimit few = before_;
    few.rlim_cur = kOpenFiles;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_TRUE(files::RemoveAll(*fs_, folder_).ok());
    Start();
  }
  ~FileStorageLimitTest() override {
    logs_.clear();
    storage_ = nullptr;
    executor_.Shutdown();
    EXPECT_TRUE(files::RemoveAll(*fs_, folder_).ok());
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
  }

  void Start() {
    auto storage = FileStorage::Open(executor_, {.directories = {folder_},
                                                 .broker = model::BrokerId(1),
                                                 .cluster_id = "c",
                                                 .limits = {.cached_bytes = 0}});
    ASSERT_TRUE(storage.ok()) << storage.status();
    storage_ = *std::move(storage);
    EXPECT_TRUE(storage_->repairs().empty());
    for (int i = 0; i < kLogs; ++i) {
      auto log = storage_->Open({"t", model::PartitionId(i)}, model::LogId(1));
      ASSERT_TRUE(log.ok()) << log.status();
      model::TopicConfig config;
      config.segment_bytes = 1;
      (*log)->Configure(config);
      logs_.push_back(*std::move(log));
    }
  }
  void ExpectWritten(model::Offset end) {
    for (const auto& log : logs_) {
      while (log->progress().written < end) {
        ASSERT_FALSE(log->progress().failed);
        std::this_thread::yield();
      }
    }
  }

  struct rlimit before_ = {};
  const std::shared_ptr<files::FileSystem> fs_ = files::MakePosixFileSystem();
  const std::string folder_ = testing::TempDir() + "/file_storage_limit_test";
  base::RealExecutor executor_;
  std::shared_ptr<FileStorage> storage_;
  std::vector<std::unique_ptr<Log>> logs_;
};

TEST_F(FileStorageLimitTest, ManyLogsNeedFewOpenFiles) {
  for (int64_t offset = 0; offset < kSegments; ++offset) {
    const format::Batch batch = MakeBatch({.offset = offset});
    for (const auto& log : logs_) ASSERT_TRUE(log->Append({&batch, 1}).ok());
    ExpectWritten(model::Offset(offset + 1));
  }
  const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                  std::filesystem::directory_iterator());
  EXPECT_LT(open, static_cast<std::ptrdiff_t>(kOpenFiles / 2));

  logs_.clear();
  ASSERT_TRUE(storage_->Close().ok());
  storage_ = nullptr;
  Start();
  for (const auto& log : logs_) EXPECT_EQ(log->end_offset(), model::Offset(kSegments));
  const format::Batch batch = MakeBatch({.offset = kSegments});
  for (const auto& log : logs_) ASSERT_TRUE(log->Append({&batch, 1}).ok());
  ExpectWritten(model::Offset(kSegments + 1));
}

}  // namespace
}  // namespace kafkalite::storage
