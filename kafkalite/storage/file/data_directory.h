// File: data_directory.h
//
// One data directory of a broker: whose it is, the lock on it, its checkpoints, and the queues that
// do its work. It knows nothing of the logs in it but their names; see file_log.h for those.
//
//   data/.lock                              held as long as the directory is in use
//   data/meta.properties                    the broker and the cluster that it belongs to
//   data/.kafka_cleanshutdown               nothing has to be repaired; gone once it is in use
//   data/recovery-point-offset-checkpoint   what was durable of each log
//   data/log-start-offset-checkpoint        where each log starts, unless that is 0
//   data/replication-offset-checkpoint      each log's high watermark
//   data/boot-id                            ours: the machine's start when it was last opened
//   data/used-since                         ours: by whom it was used with nothing taken away
//   data/orders-0/                          a log
//
// Thread safety: any thread. Lifetime: shared by the logs in it; Stop() ends it for good.
// Errors: see Open; afterwards, those of the file system.

#ifndef KAFKALITE_STORAGE_FILE_DATA_DIRECTORY_H_
#define KAFKALITE_STORAGE_FILE_DATA_DIRECTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/checkpoint.h"
#include "kafkalite/format/meta_properties.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::storage {

// The three checkpoints of a directory.
struct DirectoryCheckpoints {
  format::OffsetCheckpoint recovery_points;
  format::OffsetCheckpoint log_starts;
  format::OffsetCheckpoint high_watermarks;
  bool operator==(const DirectoryCheckpoints&) const = default;
};

// Under which incarnations of its broker, one after the other, a set of directories was used, with
// nothing taken out of it but what the broker deleted itself.
struct DirectoryUse {
  model::Incarnation since;
  model::Incarnation last;
  size_t directories = 0;
  bool operator==(const DirectoryUse&) const = default;
};

class DataDirectory : public std::enable_shared_from_this<DataDirectory> {
 public:
  struct Found {
    std::shared_ptr<DataDirectory> directory;
    bool clean = false;
    // The machine was started anew while the directory was in use: what was not synced may be gone,
    // also where nothing shows it.
    bool may_have_lost = false;
    DirectoryCheckpoints checkpoints;
    std::vector<model::TopicPartition> logs;
    std::optional<DirectoryUse> use;   // nothing if it cannot be told
    std::vector<std::string> repairs;  // what was damaged, and is done without
  };
  // Takes the directory, makes it if it is not there, and reads what it holds. Blocks.
  //   FAILED_PRECONDITION  another process has it, or it belongs to another broker or cluster
  //   other                it cannot be made, read or written: the status says what failed
  // REQUIRES: fs and executor outlive it.
  static absl::StatusOr<Found> Open(files::FileSystem& fs, base::Executor& executor,
                                    const std::string& path, const format::MetaProperties& owner);

  const std::string& path() const { return path_; }
  files::FileSystem& fs() const { return fs_; }
  base::Executor& executor() const { return executor_; }
  std::string FolderOf(const model::TopicPartition& tp) const;

  // Three queues, each of which does one thing after the other: what changes logs; what waits for
  // the device to have it; what reads. After Stop() a task is dropped.
  enum class Queue { kWrite, kSync, kRead };
  void Post(Queue queue, base::Task task);
  // For tests: each task takes so much longer.
  void SlowDown(base::Duration each);

  // Writes what `collect` finds of all logs; blocks.
  absl::Status SaveCheckpoints(absl::FunctionRef<DirectoryCheckpoints()> collect);
  // Before a log has its first batch, or begins beyond 0: the recovery points name it, so that it
  // is missed if somebody takes it away. Blocks, if they do not yet; then for all that were made by
  // then.
  absl::Status NameLog(const model::TopicPartition& tp);
  // A log was made, to be named with the next one that is.
  void NoteMade(const model::TopicPartition& tp);
  // Before a log is truncated, and before it is deleted: what is saved of it is true afterwards,
  // too, also of another log of that name. Blocks, if there is anything to do.
  absl::Status LowerCheckpoints(const model::TopicPartition& tp, model::Offset end);
  absl::Status ForgetCheckpoints(const model::TopicPartition& tp);
  // Before a log loses what it starts with: no crash brings that back. Blocks, likewise.
  absl::Status RaiseLogStart(const model::TopicPartition& tp, model::Offset start);
  // What there is has been looked through, and is known by its names: only another start of the
  // machine can lose any of it. Blocks.
  absl::Status SaveBootId();
  // Blocks.
  absl::Status SaveUse(const DirectoryUse& use);
  // Everything is durable: the next Open is clean. Blocks.
  absl::Status MarkClean();

  // Tasks that have not begun are dropped; on return none runs, unless it is the caller, and the
  // lock is free.
  void Stop();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  // Bytes of batches that are not written yet, and that are kept in memory though they are: for all
  // logs together.
  std::atomic<int64_t>& unwritten_bytes() { return unwritten_bytes_; }
  std::atomic<int64_t>& cached_bytes() { return cached_bytes_; }
  // Set while a task is on its way that lets go of what is cached.
  std::atomic<bool>& dropping_caches() { return dropping_caches_; }

 private:
  DataDirectory(files::FileSystem& fs, base::Executor& executor, std::string path);

  std::string PathOf(std::string_view name) const;
  absl::Status Take();
  absl::Status CheckOwner(const format::MetaProperties& owner);
  absl::StatusOr<bool> TakeCleanMark();
  bool IsBootOfLastOpen() const;
  // Nothing if there is none, or none that makes sense.
  absl::StatusOr<std::optional<format::OffsetCheckpoint>> ReadCheckpoint(
      std::string_view name, std::vector<std::string>& repairs) const;
  absl::Status ReadCheckpoints(Found& found);
  absl::StatusOr<std::optional<DirectoryUse>> ReadUse(const Found& found);
  absl::StatusOr<std::vector<model::TopicPartition>> ListLogs();
  // One of the three, if its file may say something else; that is so until it is saved, however
  // often that fails.
  absl::Status Save(std::string_view name, const format::OffsetCheckpoint& checkpoint,
                    bool& unsaved);
  absl::Status SaveChanged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoints_mu_);
  // Saves those of which edit(checkpoint) says that it has changed them.
  template <class Edit>
  absl::Status EditCheckpoints(Edit edit);

  files::FileSystem& fs_;
  base::Executor& executor_;
  const std::string path_;
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> unwritten_bytes_{0};
  std::atomic<int64_t> cached_bytes_{0};
  std::atomic<bool> dropping_caches_{false};

  base::Mutex checkpoints_mu_;  // held while they are collected and written
  DirectoryCheckpoints checkpoints_ ABSL_GUARDED_BY(checkpoints_mu_);
  // Whether the files may say something else.
  struct {
    bool recovery_points = false;
    bool log_starts = false;
    bool high_watermarks = false;
  } unsaved_ ABSL_GUARDED_BY(checkpoints_mu_);

  base::Mutex mu_;
  std::unique_ptr<base::WorkQueue> queues_[3] ABSL_GUARDED_BY(mu_);
  std::unique_ptr<files::FileLock> lock_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_DATA_DIRECTORY_H_
