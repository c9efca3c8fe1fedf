// File: machine_fixture.h
//
// What the tests of file storage share: a broker's storage on a simulated machine that is stopped,
// killed, loses power and starts again.
//
//   Machine machine({.seed = 7});
//   ASSERT_TRUE(machine.Start().ok());
//   auto log = machine.OpenLog();
//   ... log->Append(...), machine.Run() ...
//   log.reset();
//   machine.Crash({.seed = 7});
//   ASSERT_TRUE(machine.Start().ok());
//
// Thread safety: none.

#ifndef KAFKALITE_STORAGE_FILE_MACHINE_FIXTURE_H_
#define KAFKALITE_STORAGE_FILE_MACHINE_FIXTURE_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

class Machine {
 public:
  struct Options {
    uint64_t seed = 1;
    int64_t cached_bytes = 0;  // so that reads come from files, once they are written
    int32_t broker = 1;
    std::string cluster = "cluster";
    size_t max_open_files = 0;
  };

  explicit Machine(Options options)
      : options_(std::move(options)),
        executor_(options_.seed),
        fs_(std::make_shared<files::MemoryFileSystem>()) {}
  ~Machine() {
    storage_ = nullptr;
    executor_.Shutdown();
  }

  static constexpr const char* kFolder = "/data";
  static model::TopicPartition Tp(int32_t partition = 0) {
    return {"orders", model::PartitionId(partition)};
  }

  files::MemoryFileSystem& fs() { return *fs_; }
  base::SimExecutor& executor() { return executor_; }
  FileStorage& storage() { return *storage_; }
  bool is_running() const { return storage_ != nullptr; }

  absl::Status Start() {
    KL_ASSIGN_OR_RETURN(
        storage_,
        FileStorage::Open(executor_, {.directories = {kFolder},
                                      .broker = model::BrokerId(options_.broker),
                                      .cluster_id = options_.cluster,
                                      .fs = fs_,
                                      .limits = {.cached_bytes = options_.cached_bytes}}));
    return absl::OkStatus();
  }
  // In all three no log may be open.
  absl::Status Stop() {
    const absl::Status closed = storage_->Close();
    storage_ = nullptr;
    return closed;
  }
  void Kill() {
    fs_->Kill();
    storage_ = nullptr;
  }
  void Crash(const files::MemoryFileSystem::CrashOptions& options) {
    fs_->Crash(options);
    storage_ = nullptr;
  }

  std::unique_ptr<Log> OpenLog(int32_t partition = 0, uint64_t new_id = 7) {
    auto log = storage_->Open(Tp(partition), model::LogId(new_id));
    return log.ok() ? *std::move(log) : nullptr;
  }
  void Run(std::chrono::milliseconds time = std::chrono::milliseconds(500)) {
    executor_.RunFor(time);
  }

  using Batches = absl::StatusOr<std::vector<format::Batch>>;
  // What one read brings, from wherever it is.
  Batches Read(Log& log, int64_t from, size_t max_bytes = std::numeric_limits<size_t>::max()) {
    auto read =
        log.Read(model::Offset(from), {.max_offset = log.end_offset(), .max_bytes = max_bytes});
    if (!read.ok()) return read.status();
    if (read->cold == nullptr) return std::move(read->batches);
    return Await<Batches>([&](auto callback) { read->cold->Load(std::move(callback)); });
  }
  // Everything from `from` on, until an error: what came before that is in `batches`.
  absl::Status ReadAll(Log& log, int64_t from, std::vector<format::Batch>& batches) {
    while (from < log.end_offset().value()) {
      KL_ASSIGN_OR_RETURN(auto more, Read(log, from));
      if (more.empty()) return absl::OkStatus();
      from = more.back().header.next_offset().value();
      for (format::Batch& batch : more) batches.push_back(std::move(batch));
    }
    return absl::OkStatus();
  }
  using Found = absl::StatusOr<std::optional<TimestampAndOffset>>;
  Found Find(const Log& log, int64_t timestamp) {
    return Await<Found>([&](auto callback) {
      log.FindByTimestamp(timestamp, log.end_offset(), std::move(callback));
    });
  }
  absl::StatusOr<Log::Metadata> Metadata(const Log& log) {
    return Await<absl::StatusOr<Log::Metadata>>(
        [&](auto callback) { log.ReadMetadata(std::move(callback)); });
  }
  absl::Status Delete(int32_t partition) {
    return Await<absl::Status>(
        [&](auto callback) { storage_->Delete(Tp(partition), std::move(callback)); });
  }

 private:
  // What a callback is given, in virtual time.
  template <class T, class Start>
  T Await(Start start) {
    const auto answer = std::make_shared<std::optional<T>>();
    start([answer](T value) { *answer = std::move(value); });
    for (int i = 0; i < 10'000 && !answer->has_value(); ++i) Run(std::chrono::milliseconds(1));
    if (!answer->has_value()) return absl::DeadlineExceededError("no answer has come");
    return **std::move(answer);
  }

  const Options options_;
  base::SimExecutor executor_;
  const std::shared_ptr<files::MemoryFileSystem> fs_;
  std::shared_ptr<FileStorage> storage_;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_MACHINE_FIXTURE_H_
