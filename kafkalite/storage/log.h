// File: log.h
//
// One replica's log: a sequence of record batches, and small named metadata beside it. Public, so
// that a user can bring storage of their own; one contract suite (storage/contract_test.h) runs
// over every implementation.
//
// A log assigns nothing: batches arrive with their offsets and epochs. What is appended is visible
// at once; how far it is safe, `progress` says later. No call waits for a device: what one has to
// bring is described by the answer (ColdRead) or comes through a callback.
//
// Thread safety: one call at a time, from the partition's strand. Callbacks come on any thread,
// several at once, also before the call returns, and must not call the log. Lifetime: destroying a
// log keeps what it holds in its storage. What was asked for may still be under way then; its
// callbacks come all the same. What survives a crash: of the process, what is written; of the
// machine, what is synced. Errors: OUT_OF_RANGE and RESOURCE_EXHAUSTED as each call says, and
// nothing has changed. Any other one is the storage's own failure, which clients and followers hear
// as KAFKA_STORAGE_ERROR, and try again. A log whose writes fail is `failed` for good: nothing is
// acknowledged by it any more, as nobody knows what its device holds.

#ifndef KAFKALITE_STORAGE_LOG_H_
#define KAFKALITE_STORAGE_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::storage {

// Everything before `written` survives the end of the process, everything before `synced` that of
// the machine, on storage that can promise it; in memory both are the log's end. Neither moves back
// but by truncation.
struct Progress {
  model::Offset written;
  model::Offset synced;
  bool failed = false;
};

// Bytes of whole batches in a file, for who can send them from there. The first batch may end
// before the offset that was asked for.
struct FileRegion {
  std::shared_ptr<const void> file;  // keeps the descriptor open
  int descriptor = -1;
  int64_t position = 0;
  int64_t bytes = 0;
};

// A read that has to wait for a device. Thread safety: any thread, one of the calls, once.
class ColdRead {
 public:
  using LoadCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<format::Batch>>)>;
  using LocateCallback = absl::AnyInvocable<void(absl::StatusOr<FileRegion>)>;

  virtual ~ColdRead() = default;
  // Brings the batches into memory. They may be gone by then, truncated or deleted: an error, or
  // batches that the caller has to compare with what it knows (offsets, epochs).
  virtual void Load(LoadCallback callback) = 0;
  // Says where they are. UNIMPLEMENTED for storage without files.
  virtual void Locate(LocateCallback callback) = 0;
};

// Whole batches, the first one containing the offset that was asked for; or a way to get them.
struct ReadResult {
  std::vector<format::Batch> batches;
  std::shared_ptr<ColdRead> cold;  // null if `batches` is the answer
};

struct ReadLimits {
  model::Offset max_offset;  // only batches that end at or before it
  size_t max_bytes = 0;      // the first batch is returned even if it is larger
};

struct TimestampAndOffset {
  int64_t timestamp = -1;
  model::Offset offset;
};

class Log {
 public:
  using FindCallback = absl::AnyInvocable<void(absl::StatusOr<std::optional<TimestampAndOffset>>)>;
  using HeaderVisitor = absl::AnyInvocable<void(const format::BatchHeader&)>;
  using DoneCallback = absl::AnyInvocable<void(absl::Status)>;
  using Listener = absl::AnyInvocable<void() const>;
  using Metadata = std::map<std::string, std::string>;
  using MetadataCallback = absl::AnyInvocable<void(absl::StatusOr<Metadata>)>;

  virtual ~Log() = default;

  // Names the contents; see replication rule 24.
  virtual model::LogId id() const = 0;
  // The log holds [start, end); the first batch may begin before start.
  virtual model::Offset start_offset() const = 0;
  virtual model::Offset end_offset() const = 0;
  virtual int64_t size_bytes() const = 0;

  // The topic's settings, in force from the next append on.
  virtual void Configure(const model::TopicConfig& config) = 0;

  virtual Progress progress() const = 0;
  // `listener` is called when progress() has changed other than by a call of this interface, which
  // may change it before it returns. REQUIRES: before the first append.
  virtual void SetListener(Listener listener) = 0;

  // Visible at once. REQUIRES: the batches follow each other and the log's end, gaps allowed.
  // RESOURCE_EXHAUSTED, with nothing appended, when the storage's space is used up.
  virtual absl::Status Append(std::span<const format::Batch> batches) = 0;
  // Makes everything before the log's present end durable.
  virtual void Sync() = 0;

  // Batches from the one that contains `from`; fewer than the limits allow where the others lie
  // elsewhere. OUT_OF_RANGE unless start <= from <= end.
  virtual absl::StatusOr<ReadResult> Read(model::Offset from, const ReadLimits& limits) const = 0;

  // The first record whose timestamp is at least `timestamp`, below `max_offset`.
  virtual void FindByTimestamp(int64_t timestamp, model::Offset max_offset,
                               FindCallback callback) const = 0;

  // Calls `visit` with the headers of all batches that end after `from`, in order, from one thread
  // at a time, and then `done`: how epochs and producers are rebuilt.
  virtual void VisitHeaders(model::Offset from, HeaderVisitor visit, DoneCallback done) const = 0;

  // Drops batches from the end until the log ends at or before `end`.
  virtual absl::Status TruncateSuffix(model::Offset end) = 0;
  // Moves the start up to `start`, dropping batches that end before it; a start beyond the end
  // empties the log and moves its end there.
  virtual absl::Status TruncatePrefix(model::Offset start) = 0;

  // Drops old batches, but none that ends after `keep_from`: those whose records are all older than
  // `oldest_timestamp` (-1: none), and those without which the log still holds `retained_bytes`
  // (-1: no limit). Storage may drop in coarser pieces, and so less: a file log drops segments.
  struct Retention {
    int64_t oldest_timestamp = -1;
    int64_t retained_bytes = -1;
    model::Offset keep_from;
  };
  virtual absl::Status Retain(const Retention& retention) = 0;

  // Small files beside the log, by name: letters, digits, '.', '-'. Written in the order of these
  // calls and of the appends, and durable when the log has been synced after that. Those that fail
  // make the log `failed`.
  virtual void WriteMetadata(std::string_view name, std::string_view bytes) = 0;
  virtual void DeleteMetadata(std::string_view name) = 0;
  // All there are, those of others (the storage's own, Kafka's) among them. After a crash of the
  // machine they may be older than what is in the log from metadata_end() on, or damaged.
  virtual void ReadMetadata(MetadataCallback callback) const = 0;
  // What was written of the log before that offset, when it was opened, is as the last calls left
  // it: later batches, and only they, have to be visited for what they say.
  virtual model::Offset metadata_end() const = 0;

  // Kept by the storage with its own checkpoints, when it comes to that: a hint for the next start,
  // never beyond the log's end. Its start if there is none.
  virtual void KeepHighWatermark(model::Offset high_watermark) = 0;
  virtual model::Offset kept_high_watermark() const = 0;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_LOG_H_
