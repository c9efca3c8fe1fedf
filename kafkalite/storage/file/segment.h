// File: segment.h
//
// A piece of a log in Kafka's three files: <base offset>.log with the batches and nothing else, and
// .index and .timeindex beside it (format/log_index.h).
//
//   auto segment = Segment::Create({.fs = &fs, .folder = "data/orders-0", .pool = pool});
//   segment->Append(batches);       // can be read
//   segment->Sync();                // is durable
//   segment->Read(from, {.max_offset = end, .max_bytes = 1 << 20});
//   segment->Seal();                // before the next segment begins, and before a clean stop
//
// Every call may take as long as a disk does.
//
// Thread safety: one call at a time. Lifetime: destroying a segment closes its files, no more; only
// after Seal do the indexes have everything, and Open finds what it needs.
// Errors: DATA_LOSS for bytes that are not what was written, with file and place, and for a device
// that failed; RESOURCE_EXHAUSTED for a full disk, with nothing changed; OUT_OF_RANGE where it says
// so; else what the file system says. After any other failure to write the segment is broken: all
// that would change it fails as that did, until it is made again by Recover. It can be read.
// What survives a crash: of the process, what was appended; of the machine, what was synced. Both
// are found by Recover, by Open only after Seal, and after a crash of the machine only if
// SyncIndexes has followed Seal and Sync.

#ifndef KAFKALITE_STORAGE_FILE_SEGMENT_H_
#define KAFKALITE_STORAGE_FILE_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/log_index.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/file/batch_scanner.h"
#include "kafkalite/storage/file/index_file.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

struct SegmentOptions {
  files::FileSystem* fs = nullptr;  // outlives the segment
  std::string folder;               // exists
  model::Offset base_offset;
  int64_t created_millis = 0;  // kept for who rolls by time
  int64_t index_interval_bytes = 4096;
  base::Ref<base::BufferPool> pool;  // of what is read
};

// What Recover took away, from the first batch on that was not whole, valid or continuous.
struct SegmentCut {
  int64_t position = 0;
  int64_t bytes = 0;
  std::string reason;  // names the file and the place
  // A write that did not come to its end: nobody was told that it had.
  bool unfinished = false;
};

class Segment {
 public:
  using HeaderVisitor = absl::FunctionRef<void(const format::BatchHeader&)>;

  // Its name is durable before it has anything, so that no crash leaves the segments after it
  // without it. ALREADY_EXISTS if there is such a log file with bytes in it.
  static absl::StatusOr<std::unique_ptr<Segment>> Create(SegmentOptions options);

  // After Seal and a clean stop. Reads the log from the last entry of its index on; all headers if
  // the indexes are missing or do not fit the log, and makes them again. DATA_LOSS for a log that
  // needs Recover.
  static absl::StatusOr<std::unique_ptr<Segment>> Open(SegmentOptions options);

  struct Recovery {
    // Batches that end at or before it were durable: their headers have to make sense, as they have
    // to all over the segment, but their CRC and records are not looked at.
    model::Offset synced_before;
    // Of the last batch before the segment: epochs do not fall.
    model::LeaderEpoch epoch_before = model::kNoEpoch;
  };
  struct Recovered {
    std::unique_ptr<Segment> segment;
    std::optional<SegmentCut> cut;
  };
  // After any other stop: keeps what is whole, valid and continuous from the start, makes that
  // durable if something had to go, makes the indexes again and seals. Calls `visit` with the
  // header of every batch that is kept, in order.
  static absl::StatusOr<Recovered> Recover(SegmentOptions options, const Recovery& recovery,
                                           HeaderVisitor visit);

  model::Offset base_offset() const { return options_.base_offset; }
  // After the last batch, if the segment was opened; where it was truncated, if it was.
  model::Offset next_offset() const { return next_offset_; }
  // After the last batch in any case: what Open and Recover will say next_offset() is.
  model::Offset batches_end() const { return batches_end_; }
  int64_t size_bytes() const { return size_; }
  int64_t max_timestamp() const { return max_timestamp_; }
  int64_t created_millis() const { return options_.created_millis; }
  // The largest timestamp of the first batch, kNoTimestamp if there is none: Kafka rolls a segment
  // when a record is so much younger.
  absl::StatusOr<int64_t> FirstTimestamp();

  // An entry after so many bytes, from the next append on; indexes that are made again have those
  // of the options.
  void set_index_interval_bytes(int64_t bytes) { index_interval_bytes_ = bytes; }
  // Whether the offset index cannot have another entry within `max_bytes`.
  bool IndexIsFull(int64_t max_bytes) const {
    const auto entries = static_cast<int64_t>(offsets_.size());
    return (entries + 1) * static_cast<int64_t>(format::OffsetIndexEntry::kBytes) > max_bytes;
  }
  // Whether the batches' offsets and positions still fit the format, which has 31 bits for each.
  bool HasRoomFor(std::span<const format::Batch> batches) const;
  // All or an error. REQUIRES: the batches follow each other and the segment's end, gaps allowed.
  // OUT_OF_RANGE unless HasRoomFor(batches).
  absl::Status Append(std::span<const format::Batch> batches);

  // Batches from the one on that contains `from`, or the next one if that is in a gap; every CRC is
  // checked. None if `from` is next_offset() or later.
  absl::StatusOr<std::vector<format::Batch>> Read(model::Offset from,
                                                  const ReadLimits& limits) const;
  // Where the same batches are; only their headers are read. descriptor is -1 if files have none.
  absl::StatusOr<FileRegion> Locate(model::Offset from, const ReadLimits& limits) const;
  // The first record in [start, max_offset) whose timestamp is at least `timestamp`.
  absl::StatusOr<std::optional<TimestampAndOffset>> FindByTimestamp(int64_t timestamp,
                                                                    model::Offset start,
                                                                    model::Offset max_offset) const;
  // The headers of all batches that end after `from`, in order.
  absl::Status VisitHeaders(model::Offset from, HeaderVisitor visit) const;

  // Drops batches from the end until the segment ends at or before `end`, in memory and file; a
  // crash may bring them back until Sync. REQUIRES: end >= base_offset().
  absl::Status TruncateSuffix(model::Offset end);

  // Writes the batches from the one on that contains `from` once more, as they are, and syncs them:
  // after a sync that failed the kernel would pass over those that it takes for written.
  absl::Status Rewrite(model::Offset from);
  // The log is durable, its name included; not that of its folder.
  absl::Status Sync() { return FinishSync(StartSync().Run()); }
  // The same in three steps, of which the second, which takes its time, may run on another thread
  // while the segment is used: what was appended before the first is durable after the third.
  struct PendingSync {
    absl::Status Run() const;

    files::FileSystem* fs;
    std::shared_ptr<files::File> log;
    std::string folder;  // empty if the log's name is durable
    absl::Status refused;
  };
  PendingSync StartSync() const;
  absl::Status FinishSync(absl::Status status);
  // Writes down what the indexes lack: the entry for the largest timestamp ends them, as in Kafka.
  // Appending may go on.
  absl::Status Seal();
  // The indexes are durable as of the last Seal, so that Open may follow a crash of the machine.
  absl::Status SyncIndexes();

  // Removes the files; those that are open or in a FileRegion keep their bytes.
  absl::Status Delete() { return Delete(options_); }
  // The same for one that nobody has opened; OK if there is none.
  static absl::Status Delete(const SegmentOptions& options);

 private:
  class Recoverer;

  // A search goes through about an index interval of headers.
  static constexpr size_t kSearchWindowBytes = 4096;

  explicit Segment(SegmentOptions options);
  absl::Status OpenLog(files::FileSystem::Mode mode);
  absl::StatusOr<bool> LoadIndexes();
  absl::Status LearnTail();
  absl::Status RebuildIndexes();

  int32_t Relative(model::Offset offset) const {
    return static_cast<int32_t>(offset - options_.base_offset);
  }
  // Where offsets end that the indexes can hold.
  model::Offset OffsetLimit() const;
  // A scanner of what is in the segment, from a batch on.
  BatchScanner Scan(int64_t position, size_t window_bytes) const {
    return ScanTo(next_offset_, position, window_bytes);
  }
  // Where next_offset_ is not known yet.
  BatchScanner ScanTo(model::Offset end_offset, int64_t position, size_t window_bytes) const;
  // Where the first batch begins that ends after `from`; size_ if none does.
  absl::StatusOr<int64_t> PositionOf(model::Offset from) const;
  absl::StatusOr<bool> IsTrue(const format::OffsetIndexEntry& entry) const;
  absl::StatusOr<bool> IsTrue(const format::TimeIndexEntry& entry) const;
  // Calls `take` with a scanner and each batch that is to be read.
  template <class Take>
  absl::Status Select(model::Offset from, const ReadLimits& limits, size_t window_bytes,
                      Take take) const;

  absl::Status WriteBatches(std::span<const format::Batch> batches);
  // Counts a batch that is in the log at size_.
  void Note(const format::BatchHeader& header, int64_t bytes);
  void NoteTimestamp(const format::BatchHeader& header);
  void NoteTimeEntry();
  absl::Status FlushFullIndexes();
  absl::Status Break(absl::Status status);

  const SegmentOptions options_;
  const std::string path_;  // of the log
  std::shared_ptr<files::File> log_;
  IndexFile<format::OffsetIndexEntry> offsets_;
  IndexFile<format::TimeIndexEntry> times_;

  model::Offset next_offset_;
  model::Offset batches_end_;
  int64_t index_interval_bytes_;
  int64_t size_ = 0;
  int64_t max_timestamp_ = format::kNoTimestamp;
  model::Offset max_timestamp_offset_;  // the last offset of its batch
  std::optional<int64_t> first_timestamp_;
  int64_t indexed_position_ = 0;  // of the last entry of the offset index
  bool name_is_durable_ = false;
  absl::Status broken_;  // why nothing can change any more
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_SEGMENT_H_
