// Directories that a broker cannot have: each is refused with what is wrong and what to do, and
// left as it was.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Storage = absl::StatusOr<std::shared_ptr<FileStorage>>;
using Kind = files::MemoryFileSystem::Operation::Kind;

class FileStorageStartTest : public testing::Test {
 protected:
  ~FileStorageStartTest() override { executor_.Shutdown(); }

  Storage Open(std::vector<std::string> directories = {"/data"}, int32_t broker = 1,
               const std::string& cluster = "c1", std::shared_ptr<files::FileSystem> fs = nullptr) {
    return FileStorage::Open(executor_, {.directories = std::move(directories),
                                         .broker = model::BrokerId(broker),
                                         .cluster_id = cluster,
                                         .fs = fs == nullptr ? fs_ : fs});
  }
  // A log of one batch.
  void MakeLog(const std::string& directory) {
    const auto storage = Open({directory}).value();
    auto log = storage->Open({"orders", model::PartitionId(0)}, model::LogId(7)).value();
    const format::Batch batch = MakeBatch({});
    EXPECT_TRUE(log->Append({&batch, 1}).ok());
    executor_.RunFor(std::chrono::seconds(1));
    log.reset();
    EXPECT_TRUE(storage->Close().ok());
  }
  // The code and all parts of the message.
  template <class... Part>
  static void ExpectRefusal(const absl::Status& status, absl::StatusCode code, Part... parts) {
    EXPECT_EQ(status.code(), code);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(parts)...));
  }
  static constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
  static constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

  base::SimExecutor executor_{1};
  const std::shared_ptr<files::MemoryFileSystem> fs_ = std::make_shared<files::MemoryFileSystem>();
};

TEST_F(FileStorageStartTest, ADirectoryInUse) {
  auto first = Open();
  ASSERT_TRUE(first.ok());
  ExpectRefusal(Open().status(), kFailedPrecondition, "'/data' is in use by another broker",
                "stop that one");
  *first = nullptr;
  EXPECT_TRUE(Open().ok());
}

TEST_F(FileStorageStartTest, ADirectoryOfAnotherBroker) {
  MakeLog("/data");
  ExpectRefusal(Open({"/data"}, 2).status(), kFailedPrecondition,
                "'/data/meta.properties' says that the directory is broker 1's",
                "but this is broker 2");
  EXPECT_EQ((*Open())->List().size(), 1u);
}

TEST_F(FileStorageStartTest, ADirectoryOfAnotherCluster) {
  MakeLog("/data");
  ExpectRefusal(Open({"/data"}, 1, "c2").status(), kFailedPrecondition,
                "'/data/meta.properties' says that the directory belongs to cluster 'c1'",
                "this cluster is 'c2'");
  EXPECT_EQ((*Open())->List().size(), 1u);
}

TEST_F(FileStorageStartTest, ADirectoryWhoseOwnerCannotBeRead) {
  MakeLog("/data");
  ASSERT_TRUE(files::ReplaceFile(*fs_, "/data/meta.properties", "version=0\nbroker.id=x\n").ok());
  ExpectRefusal(Open().status(), kInvalidArgument, "'/data/meta.properties'", "x");
}

TEST_F(FileStorageStartTest, NoDirectoryAndTheSameTwice) {
  ExpectRefusal(Open({}).status(), kInvalidArgument, "log.dirs");
  ExpectRefusal(Open({"/a", "/a"}).status(), kInvalidArgument, "'/a' is named twice");
  EXPECT_TRUE(Open({"/a"}).ok());
}

TEST_F(FileStorageStartTest, TheSameLogInTwoDirectories) {
  MakeLog("/a");
  MakeLog("/b");
  ExpectRefusal(Open({"/a", "/b"}).status(), kFailedPrecondition, "'/a/orders-0'", "'/b/orders-0'");
  EXPECT_TRUE(Open({"/a"}).ok());
}

TEST_F(FileStorageStartTest, ADirectoryThatNobodyMayWrite) {
  for (const Kind kind : {Kind::kCreateDirectories, Kind::kLock, Kind::kOpen, Kind::kList}) {
    const auto fs = std::make_shared<files::MemoryFileSystem>();
    fs->SetFault([kind](const auto& operation) -> files::MemoryFileSystem::Verdict {
      if (operation.kind != kind) return {};
      return {absl::InternalError("open '" + operation.path + "': Permission denied")};
    });
    ExpectRefusal(Open({"/data"}, 1, "c1", fs).status(), absl::StatusCode::kInternal, "'/data",
                  "Permission denied");
    fs->SetFault(nullptr);
    EXPECT_TRUE(Open({"/data"}, 1, "c1", fs).ok());
  }
}

TEST_F(FileStorageStartTest, AFileInsteadOfADirectory) {
  const auto fs = std::shared_ptr<files::FileSystem>(files::MakePosixFileSystem());
  const std::string path = testing::TempDir() + "/file_instead";
  ASSERT_TRUE(files::ReplaceFile(*fs, path, "").ok());
  const auto opened = Open({path}, 1, "c1", fs);
  ExpectRefusal(opened.status(), opened.status().code(), path);
  EXPECT_TRUE(fs->Remove(path).ok());
}

TEST_F(FileStorageStartTest, AFullDisk) {
  fs_->SetCapacity(10);
  ExpectRefusal(Open().status(), absl::StatusCode::kResourceExhausted, "'/data/meta.properties");
  fs_->SetCapacity(-1);
  MakeLog("/data");
  // After a stop in order there is nothing to write.
  fs_->SetCapacity(0);
  const auto storage = Open();
  ASSERT_TRUE(storage.ok()) << storage.status();
  const auto log = (*storage)->Open({"orders", model::PartitionId(0)}, model::LogId(8));
  EXPECT_EQ((*log)->end_offset(), model::Offset(1));
}

}  // namespace
}  // namespace kafkalite::storage
