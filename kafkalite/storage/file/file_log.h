// File: file_log.h
//
// A log in files, apart from who has it open: what a FileStorage keeps of each log.
//
// An append goes into memory and is visible; the directory's writer takes whatever has collected
// and writes it in one go (SegmentedLog); its syncer makes it durable when somebody asked for that,
// so that all who ask meanwhile share the next sync (group commit). The youngest batches stay in
// memory for followers and readers that keep up; older ones are read from the files.
//
// Thread safety: any thread. What changes the log is called by who has it open only.
// Lifetime: shared with the tasks that it has posted.

#ifndef KAFKALITE_STORAGE_FILE_FILE_LOG_H_
#define KAFKALITE_STORAGE_FILE_FILE_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/storage/file/data_directory.h"
#include "kafkalite/storage/file/log_tail.h"
#include "kafkalite/storage/file/metadata_files.h"
#include "kafkalite/storage/file/segmented_log.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

struct FileLogLimits {
  // Of batches that are written, kept in memory: for one log; for one directory, beyond which logs
  // keep less.
  int64_t cached_bytes = 1 << 20;
  int64_t directory_cached_bytes = int64_t{256} << 20;
  // Of batches that are not written yet: an append beyond it is RESOURCE_EXHAUSTED.
  int64_t directory_unwritten_bytes = int64_t{256} << 20;
};

class FileLog : public std::enable_shared_from_this<FileLog> {
 public:
  struct Options {
    model::TopicPartition tp;
    std::shared_ptr<DataDirectory> directory;
    base::Ref<base::BufferPool> pool;
    FileLogLimits limits;
    std::function<void()> directory_cache_full;  // logs of the directory should DropCache
  };
  // What a directory's checkpoints say of a log.
  struct Checkpoint {
    model::Offset recovery_point;
    model::Offset log_start;
    model::Offset high_watermark;
  };

  ~FileLog();
  // A new log: made by the directory's writer, which has not begun yet on return.
  static std::shared_ptr<FileLog> Create(Options options, model::LogId id);
  // One that is there. Blocks.
  struct LastUse {
    bool clean = false;          // it was closed in order
    bool may_have_lost = false;  // the machine crashed: its id says so from now on
  };
  static absl::StatusOr<std::shared_ptr<FileLog>> Load(Options options,
                                                       const Checkpoint& checkpoint, LastUse last,
                                                       std::vector<std::string>& repairs);

  // REQUIRES: nobody has it open.
  std::unique_ptr<Log> Open();

  const std::shared_ptr<DataDirectory>& directory() const { return options_.directory; }
  // 0 for a log that another program wrote, until it is given one.
  model::LogId id() const;
  void SetId(model::LogId id);
  // Its folder is there, and durable.
  bool is_made() const;
  // Why nothing can be written any more.
  absl::Status failure() const;
  Checkpoint checkpoint() const;
  // Lets go of what is written.
  void DropCache();
  // Makes everything durable; blocks, so for the directory's syncer. REQUIRES: nobody has it open,
  // and the writer is done.
  absl::Status Close();

  // --- For who has it open: see Log -------------------------------------------------------------

  LogTail::Range range() const;
  int64_t size_bytes() const;
  void Configure(const model::TopicConfig& config);
  Progress progress() const;
  void SetListener(std::shared_ptr<const Log::Listener> listener);
  absl::Status Append(std::span<const format::Batch> batches);
  void RequestSync();
  absl::StatusOr<ReadResult> Read(model::Offset from, const ReadLimits& limits);
  void FindByTimestamp(int64_t timestamp, model::Offset max_offset, Log::FindCallback callback);
  void VisitHeaders(model::Offset from, Log::HeaderVisitor visit, Log::DoneCallback done);
  absl::Status TruncateSuffix(model::Offset end);
  absl::Status TruncatePrefix(model::Offset start);
  absl::Status Retain(const Log::Retention& retention);
  // Without bytes: deletes it.
  void WriteMetadata(std::string_view name, std::optional<std::string> bytes);
  void ReadMetadata(Log::MetadataCallback callback);
  model::Offset metadata_end() const;
  void KeepHighWatermark(model::Offset high_watermark);

 private:
  class ColdFileRead;
  using Queue = DataDirectory::Queue;

  explicit FileLog(Options options);

  // Making it.
  SegmentedLogOptions DiskOptions() const;
  absl::Status LoadDisk(const Checkpoint& checkpoint, LastUse last,
                        std::vector<std::string>& repairs);
  absl::Status LoadId(bool lost, std::vector<std::string>& repairs);
  absl::StatusOr<model::LogId> ReadId(std::vector<std::string>& repairs) const;
  void MakeFiles();
  absl::Status MakeDisk();
  absl::Status WriteId(const std::string& folder);
  absl::Status EnsureNamed();

  // Tasks. Each keeps the log alive.
  void Post(Queue queue, absl::AnyInvocable<void(FileLog&)> task);
  // On the write queue, after what has been appended and before what will be.
  void PostInOrder(absl::AnyInvocable<void(FileLog&)> task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // On the read queue, after everything that was asked of the write queue.
  void PostRead(absl::AnyInvocable<void(FileLog&)> task);
  void ScheduleWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ScheduleSync() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool IsCutting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return cuts_asked_ != cuts_done_; }
  void CutProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Discard(std::span<const format::Batch> unwritten) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountCache() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TrimCacheTo(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TrimCache() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How many of the oldest segments retention lets go. All of them: the last is to be closed first.
  size_t CountExpired(const Log::Retention& retention) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetSegments(size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // The writer's.
  void WritePending(uint64_t ticket);
  void WriteBatches(const std::vector<format::Batch>& batches);
  void AfterAppend(model::Offset end);
  void TruncateFiles(const LogTail::Range& range);
  void DropFiles(model::Offset start, bool cuts);
  void Learn(std::vector<SegmentInfo> segments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Relearn(std::vector<SegmentInfo> segments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FlushAsConfigured() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The syncer's.
  void SyncNow();
  absl::StatusOr<model::Offset> SyncFiles();

  // Leaves a note for the next start: the kernel may take for written what it has not.
  void MarkUnsynced();
  bool IsMarkedUnsynced() const;
  // What the note was about is durable: it goes.
  absl::Status ClearUnsyncedMark();
  void Fail(const absl::Status& status);
  void Notify();

  const Options options_;
  MetadataFiles metadata_;
  // Set before it is used: by Load, or by the writer's first task, before whatever comes after it.
  std::unique_ptr<SegmentedLog> disk_;
  bool named_ = false;  // by the directory's recovery points; the writer's

  mutable base::Mutex mu_;
  model::LogId id_ ABSL_GUARDED_BY(mu_);
  bool made_ ABSL_GUARDED_BY(mu_) = false;
  model::TopicConfig config_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const Log::Listener> listener_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);

  LogTail tail_ ABSL_GUARDED_BY(mu_);
  int64_t counted_cache_ ABSL_GUARDED_BY(mu_) = 0;  // of the directory's cached_bytes
  int64_t size_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  model::Offset written_ ABSL_GUARDED_BY(mu_);
  model::Offset synced_ ABSL_GUARDED_BY(mu_);
  model::Offset high_watermark_ ABSL_GUARDED_BY(mu_);
  model::Offset metadata_end_ ABSL_GUARDED_BY(mu_);
  // What takes progress back: truncations, and a start at or beyond the end. Until the writer has
  // done all that were asked for, what the files have says nothing of how far the log is safe.
  uint64_t cuts_asked_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t cuts_done_ ABSL_GUARDED_BY(mu_) = 0;

  std::vector<format::Batch> pending_ ABSL_GUARDED_BY(mu_);  // not taken by the writer yet
  int64_t unwritten_bytes_ ABSL_GUARDED_BY(mu_) = 0;         // of pending_ and what it has taken
  bool write_scheduled_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t write_ticket_ ABSL_GUARDED_BY(mu_) = 0;  // of the task that may take pending_
  model::Offset sync_wanted_ ABSL_GUARDED_BY(mu_);
  // Calls that write or delete metadata: made, done, to be durable, and durable.
  uint64_t metadata_asked_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t metadata_written_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t metadata_wanted_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t metadata_synced_ ABSL_GUARDED_BY(mu_) = 0;
  bool sync_scheduled_ ABSL_GUARDED_BY(mu_) = false;
  base::Time flush_due_ ABSL_GUARDED_BY(mu_) = base::Time::max();  // by the topic's flush.ms

  // As the writer last saw them, without those that were let go since.
  std::vector<SegmentInfo> segments_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_FILE_LOG_H_
