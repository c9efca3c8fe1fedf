// File: file_storage.h
//
// One broker's logs in files, in Kafka's format to the letter (docs/internals/storage.md), in one
// data directory or in several.
//
//   auto storage = FileStorage::Open(executor, {.directories = {"/var/lib/kafka"},
//                                               .broker = BrokerId(1), .cluster_id = id});
//
// Open reads and repairs everything; afterwards no call waits for a disk but Close. After a clean
// stop nothing but the ends of the logs is read. After any other, the part of each log that was not
// durable for certain is checked batch by batch and cut at the first one that is not whole, valid
// and continuous.
//
// What survives a crash: see Log and docs/durability.md. A write or sync that fails ends the log
// for good (Progress::failed): it can be read, and is opened again by the next start only, which
// writes again what may not have reached the device.

#ifndef KAFKALITE_STORAGE_FILE_FILE_STORAGE_H_
#define KAFKALITE_STORAGE_FILE_FILE_STORAGE_H_

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/storage/file/data_directory.h"
#include "kafkalite/storage/file/file_log.h"
#include "kafkalite/storage/storage.h"

namespace kafkalite::storage {

struct FileStorageOptions {
  std::vector<std::string> directories;  // Kafka's log.dirs
  model::BrokerId broker;
  std::string cluster_id;
  std::shared_ptr<files::FileSystem> fs = {};  // empty: the machine's
  base::Ref<base::BufferPool> pool = {};       // of what is read; empty: one of its own
  // Kafka's log.flush.offset.checkpoint.interval.ms.
  std::chrono::milliseconds checkpoint_interval{60000};
  FileLogLimits limits = {};
  // At a time, of all logs together; a log beyond that costs a call more when it is used, and a
  // sync if it has any to be closed for it. 0: a quarter of what the process may have.
  size_t max_open_files = 0;
};

class FileStorage final : public Storage, public std::enable_shared_from_this<FileStorage> {
 public:
  // Blocks while it reads and repairs.
  //   INVALID_ARGUMENT     no directory, or one named twice
  //   FAILED_PRECONDITION  a directory is in use, or belongs to another broker or cluster, or two
  //                        of them have the same log
  //   other                a directory cannot be made, read or written
  // REQUIRES: executor outlives it.
  static absl::StatusOr<std::shared_ptr<FileStorage>> Open(base::Executor& executor,
                                                           FileStorageOptions options);
  // Without Close: Kill.
  ~FileStorage() override;

  absl::StatusOr<std::unique_ptr<Log>> Open(const model::TopicPartition& tp,
                                            model::LogId new_id) override;
  std::vector<std::pair<model::TopicPartition, model::LogId>> List() const override;
  void SetIncarnation(model::Incarnation incarnation) override;
  bool NeverMade(const model::TopicPartition& tp, model::Incarnation incarnation) const override;
  void Delete(const model::TopicPartition& tp, Log::DoneCallback done) override;
  absl::Status Close() override;

  // Stops as a killed process does: what is not written yet is not written any more, logs that are
  // open hear nothing more, and the directories are free for others. Waits for what is being
  // written.
  void Kill();

  // For tests: everything that its disks do takes so much longer from now on.
  void SlowDown(base::Duration each);

  // What Open found damaged and cut off or did without, in words.
  const std::vector<std::string>& repairs() const { return repairs_; }

 private:
  FileStorage(base::Executor& executor, FileStorageOptions options);

  absl::StatusOr<std::optional<DirectoryUse>> Load(const std::string& path);
  void JoinUses(const std::vector<std::optional<DirectoryUse>>& uses);
  absl::Status LoadLogs(DataDirectory::Found& found) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  FileLog::Options OptionsOf(const model::TopicPartition& tp,
                             const std::shared_ptr<DataDirectory>& directory);
  // Where a new log goes: back to where it was, else to the directory with the fewest logs.
  const std::shared_ptr<DataDirectory>& Place(const model::TopicPartition& tp)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepAfterAll(const model::TopicPartition& tp, std::shared_ptr<FileLog> log);
  std::vector<std::shared_ptr<FileLog>> LogsOf(const DataDirectory& directory) const;
  DirectoryCheckpoints Collect(const DataDirectory& directory) const;
  absl::Status CloseDirectory(DataDirectory& directory) const;
  void ScheduleCheckpoints();
  void DropCaches(DataDirectory& directory);

  base::Executor& executor_;
  const FileStorageOptions options_;
  std::vector<std::shared_ptr<DataDirectory>> directories_;  // constant after Open
  std::vector<std::string> repairs_;                         // constant after Open

  mutable base::Mutex mu_;
  std::map<model::TopicPartition, std::shared_ptr<FileLog>> logs_ ABSL_GUARDED_BY(mu_);
  // Of all directories together; nothing if it cannot be told.
  std::optional<DirectoryUse> use_ ABSL_GUARDED_BY(mu_);
  // Where logs that were deleted have been: what is left of one is deleted there before it is made
  // again.
  std::map<model::TopicPartition, std::shared_ptr<DataDirectory>> deleted_from_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_FILE_STORAGE_H_
