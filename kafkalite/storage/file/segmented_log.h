// File: segmented_log.h
//
// A log as it lies in its folder: segments that follow each other, the last of which grows. The
// blocking half of a FileLog.
//
//   std::vector<std::string> repairs;
//   auto log = SegmentedLog::Open({.fs = &fs, .folder = "data/orders-0", ...}, {}, repairs);
//   (*log)->Append(batches, config);     // begins a new segment where the config says so
//   (*log)->Sync();                      // everything appended so far is durable
//   (*log)->Seal();                      // so that the next Open may be told that all is clean
//
// Every call may take as long as a disk does.
//
// Thread safety: what changes the log, one call at a time; Sync and reading, any thread, beside
// that. Whoever reads while the log is truncated or loses segments may get an error, or batches
// that are gone by now.
// Errors: as Segment's. After a write or sync that failed every change fails as that did: nobody
// knows what the disk holds. It can be read.
// What survives a crash: of the process, what was appended; of the machine, what was synced.

#ifndef KAFKALITE_STORAGE_FILE_SEGMENTED_LOG_H_
#define KAFKALITE_STORAGE_FILE_SEGMENTED_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/storage/file/segment.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

struct SegmentedLogOptions {
  files::FileSystem* fs = nullptr;  // outlives the log
  std::string folder;               // made if it is not there
  base::Ref<base::BufferPool> pool;
  std::function<int64_t()> now_millis;  // of the wall clock
};

// What retention decides by.
struct SegmentInfo {
  model::Offset base_offset;
  model::Offset next_offset;
  int64_t bytes = 0;
  int64_t max_timestamp = format::kNoTimestamp;
};

class SegmentedLog {
 public:
  struct Start {
    bool clean = false;            // it was sealed and synced when it was last used
    model::Offset recovery_point;  // what comes before it was durable in any case
    model::Offset log_start;       // segments that end before it were let go
    bool rewrite = false;          // what comes after recovery_point is to be made durable anew
  };
  // What had to be cut off or thrown away is said in `repairs`, which may be of several logs.
  static absl::StatusOr<std::unique_ptr<SegmentedLog>> Open(SegmentedLogOptions options,
                                                            const Start& start,
                                                            std::vector<std::string>& repairs);

  // Whether Open has cut off or thrown away what somebody may have been told is there: more than a
  // write at the very end that had not come to its own.
  bool lost_some() const;

  // Of the segments that begin at `first` or later, in order.
  std::vector<SegmentInfo> segments(model::Offset first = model::Offset()) const;
  model::Offset next_offset() const;

  // --- Changing it ------------------------------------------------------------------------------

  // REQUIRES: the batches follow each other and the log's end, gaps allowed.
  absl::Status Append(std::span<const format::Batch> batches, const model::TopicConfig& config);
  // Drops batches from the end until the log ends at or before `end`, which may be before its
  // start. Durable at once.
  absl::Status TruncateSuffix(model::Offset end);
  // Drops the segments that end at or before `start`; the last one, too, if it has batches. A
  // `start` beyond the end empties the log and moves its end there. What a crash brings back of
  // them is deleted by an Open that is told of `start`, which therefore has to be kept before.
  absl::Status TruncatePrefix(model::Offset start);

  // What was appended before the call is durable: everything before the offset returned.
  absl::StatusOr<model::Offset> Sync();
  // After a Sync, Open may take the log for clean. REQUIRES: no change follows.
  absl::Status Seal();

  // --- Reading it -------------------------------------------------------------------------------

  // As Segment's, over all segments.
  absl::StatusOr<std::vector<format::Batch>> Read(model::Offset from,
                                                  const ReadLimits& limits) const;
  // Within one segment.
  absl::StatusOr<FileRegion> Locate(model::Offset from, const ReadLimits& limits) const;
  absl::StatusOr<std::optional<TimestampAndOffset>> FindByTimestamp(int64_t timestamp,
                                                                    model::Offset start,
                                                                    model::Offset max_offset) const;
  absl::Status VisitHeaders(model::Offset from, Segment::HeaderVisitor visit) const;

 private:
  struct Entry {
    std::shared_ptr<Segment> segment;
    bool dirty = false;    // has what was not synced
    bool indexes = false;  // are durable: it is sealed and was synced
  };

  explicit SegmentedLog(SegmentedLogOptions options) : options_(std::move(options)) {}

  SegmentOptions OptionsOf(model::Offset base_offset) const;
  absl::StatusOr<std::vector<model::Offset>> ListSegments();
  bool Follows(model::Offset base_offset, const Start& start) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Load(const Start& start, std::vector<std::string>& repairs);
  absl::Status AddSegment(model::Offset base_offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Begins a segment for the batch.
  absl::Status Roll(const format::Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RollAt(model::Offset base_offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<bool> IsFull(const format::Batch& batch, const model::TopicConfig& config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RestartAt(model::Offset offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Segment& active() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return *segments_.back().segment; }
  absl::Status Break(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // The segments from the one on that may hold `from`. The last one, if it is among them, is the
  // active one, to be read under mu_.
  std::vector<std::shared_ptr<Segment>> From(model::Offset from) const;
  // Calls read(segment), under the lock if that is the active one.
  template <class F>
  auto With(const std::shared_ptr<Segment>& segment, F read) const;

  const SegmentedLogOptions options_;

  mutable base::Mutex mu_;
  // Those before the last are sealed: they do not change any more, so they are read without mu_. To
  // be truncated, one is opened anew.
  std::vector<Entry> segments_ ABSL_GUARDED_BY(mu_);
  bool lost_some_ ABSL_GUARDED_BY(mu_) = false;
  bool folder_is_durable_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status broken_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_SEGMENTED_LOG_H_
