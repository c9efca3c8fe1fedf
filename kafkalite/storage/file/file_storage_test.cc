// Logs in files, by the contract of all storage: on the machine's file system and on one in memory,
// with batches read from memory, from files, and while they are still under way.

#include "kafkalite/storage/file/file_storage.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/storage/contract_test.h"

namespace kafkalite::storage {
namespace {

struct Variant {
  bool simulated = true;  // on a file system in memory
  bool settles = true;    // an append is written when a test goes on
  int64_t cached_bytes = 1 << 20;
};

class FileFixture final : public StorageFixture {
 public:
  explicit FileFixture(const Variant& variant) : variant_(variant) {
    if (variant.simulated) {
      simulation_ = new base::SimExecutor(1);
      executor_.reset(simulation_);
      fs_ = std::make_shared<files::MemoryFileSystem>();
      folder_ = "/data";
    } else {
      executor_ = std::make_unique<base::RealExecutor>();
      fs_ = files::MakePosixFileSystem();
      folder_ = testing::TempDir() + "/file_storage_test";
      EXPECT_TRUE(files::RemoveAll(*fs_, folder_).ok());
    }
    Start();
  }
  ~FileFixture() override {
    storage_ = nullptr;
    executor_->Shutdown();
    EXPECT_TRUE(files::RemoveAll(*fs_, folder_).ok());
  }

  Storage& storage() override { return *storage_; }
  void Restart() override {
    const absl::Status closed = storage_->Close();
    EXPECT_TRUE(closed.ok()) << closed;
    storage_ = nullptr;
    Start();
  }
  model::TopicConfig config() override {
    model::TopicConfig config;
    if (variant_.settles) config.segment_bytes = 1;
    return config;
  }
  bool drops_batch_by_batch() override { return variant_.settles; }
  void Settle(Log& log) override {
    while (variant_.settles && log.progress().written < log.end_offset()) Proceed();
  }
  void Proceed() override {
    if (simulation_ != nullptr) return simulation_->RunFor(std::chrono::milliseconds(1));
    StorageFixture::Proceed();
  }

 private:
  void Start() {
    auto storage =
        FileStorage::Open(*executor_, {.directories = {folder_},
                                       .broker = model::BrokerId(1),
                                       .cluster_id = "cluster",
                                       .fs = fs_,
                                       .limits = {.cached_bytes = variant_.cached_bytes}});
    ASSERT_TRUE(storage.ok()) << storage.status();
    storage_ = *std::move(storage);
    EXPECT_TRUE(storage_->repairs().empty()) << storage_->repairs().front();
  }

  const Variant variant_;
  base::SimExecutor* simulation_ = nullptr;
  std::unique_ptr<base::Executor> executor_;
  std::shared_ptr<files::FileSystem> fs_;
  std::string folder_;
  std::shared_ptr<FileStorage> storage_;
};

StorageFixtureFactory Make(const std::string& name, const Variant& variant) {
  return {name, [variant] { return std::make_unique<FileFixture>(variant); }};
}

INSTANTIATE_TEST_SUITE_P(File, StorageContractTest,
                         testing::Values(Make("PosixWarm", {.simulated = false}),
                                         Make("PosixCold", {.simulated = false, .cached_bytes = 0}),
                                         Make("PosixBusy", {.simulated = false, .settles = false}),
                                         Make("MemoryWarm", {}),
                                         Make("MemoryCold", {.cached_bytes = 0}),
                                         Make("MemoryBusy", {.settles = false})),
                         StorageFixtureName);

}  // namespace
}  // namespace kafkalite::storage
