// File: log.h
//
// One replica's log: a sequence of record batches, and small named metadata beside it. Public, so
// that a user can bring storage of their own; one contract suite (storage/contract_test.h) runs
// over every implementation.
//
// A log separates *append* (visible to Read) from *sync* (durable). It assigns nothing: batches
// arrive with their offsets and epochs.
//
// Thread safety: one call at a time, from the partition's strand. Callbacks may come on any thread,
// also before the call returns; they complete in the order of their calls.
// Lifetime: destroying a log keeps what it holds in its storage.
// What survives a crash: what the storage says; after Sync's callback with OK, everything before
// its offset, on storage that outlives the process.
// Errors: OUT_OF_RANGE and RESOURCE_EXHAUSTED as each call says, and nothing has changed. Any other
// one is the storage's own failure, which clients and followers hear as KAFKA_STORAGE_ERROR, and
// try again.

#ifndef KAFKALITE_STORAGE_LOG_H_
#define KAFKALITE_STORAGE_LOG_H_

#include <cstdint>
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

namespace kafkalite::storage {

// Whole batches, the first one containing the offset that was asked for.
using ReadResult = std::vector<format::Batch>;

using DoneCallback = absl::AnyInvocable<void(absl::Status)>;

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
  virtual ~Log() = default;

  // Names the contents; see replication rule 24.
  virtual model::LogId id() const = 0;
  // The log holds [start, end); the first batch may begin before start.
  virtual model::Offset start_offset() const = 0;
  virtual model::Offset end_offset() const = 0;
  virtual int64_t size_bytes() const = 0;

  // Visible at once. REQUIRES: the batches follow each other and the log's end, gaps allowed.
  // RESOURCE_EXHAUSTED, with nothing appended, when the storage's memory is used up.
  virtual absl::Status Append(std::span<const format::Batch> batches) = 0;

  // Calls back when everything before the log's present end is durable.
  virtual void Sync(DoneCallback done) = 0;

  // Batches from the one that contains `from`. OUT_OF_RANGE unless start <= from <= end.
  virtual absl::StatusOr<ReadResult> Read(model::Offset from, const ReadLimits& limits) const = 0;

  // The first record whose timestamp is at least `timestamp`, below `max_offset`.
  virtual std::optional<TimestampAndOffset> FindByTimestamp(int64_t timestamp,
                                                            model::Offset max_offset) const = 0;

  // Drops batches from the end until the log ends at or before `end`.
  virtual absl::Status TruncateSuffix(model::Offset end) = 0;
  // Moves the start up to `start`, dropping batches that end before it; a start beyond the end
  // empties the log and moves its end there.
  virtual absl::Status TruncatePrefix(model::Offset start) = 0;

  // Drops old batches, but none that ends after `keep_from`: those whose records are all older than
  // `oldest_timestamp` (-1: none), and those without which the log still holds `retained_bytes`
  // (-1: no limit).
  struct Retention {
    int64_t oldest_timestamp = -1;
    int64_t retained_bytes = -1;
    model::Offset keep_from;
  };
  virtual absl::Status Retain(const Retention& retention) = 0;

  // Visits every header in order: how epochs and producers are rebuilt.
  virtual void ForEachHeader(absl::AnyInvocable<void(const format::BatchHeader&)> visit) const = 0;

  // Small checkpoints by name. NOT_FOUND if never written.
  virtual absl::Status WriteMetadata(std::string_view name, std::string_view bytes) = 0;
  virtual absl::StatusOr<std::string> ReadMetadata(std::string_view name) const = 0;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_LOG_H_
