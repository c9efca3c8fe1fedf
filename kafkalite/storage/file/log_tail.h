// File: log_tail.h
//
// What a log in files has in memory: where it begins and ends, its youngest batches, and the
// borders of some more, so that a truncation knows where the log then ends. Pure; thread safety:
// none.

#ifndef KAFKALITE_STORAGE_FILE_LOG_TAIL_H_
#define KAFKALITE_STORAGE_FILE_LOG_TAIL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

class LogTail {
 public:
  // [start, end).
  struct Range {
    model::Offset start;
    model::Offset end;
  };

  // Nothing is in memory of what the log has.
  void Reset(Range range);

  const Range& range() const { return range_; }
  // Of what the batches pin, their buffers whole.
  int64_t memory_bytes() const { return memory_bytes_; }
  // Whether everything from `offset` on is here.
  bool Has(model::Offset offset) const { return offset >= begin_; }

  void Append(const format::Batch& batch);
  // As Log::Read. REQUIRES: Has(from).
  std::vector<format::Batch> Read(model::Offset from, const ReadLimits& limits) const;

  // Drops batches until the log ends at or before `end`: at the end of a batch if that is known,
  // else exactly there. Followers truncate at borders of batches only, as a leader's epoch ends at
  // one (KIP-101). The bytes that are known to go.
  int64_t TruncateSuffix(model::Offset end);
  // Moves the start up to `start`; a start beyond the end moves that, too.
  void TruncatePrefix(model::Offset start);
  // Lets go of the oldest batch. REQUIRES: there is one.
  void PopFront();
  bool empty() const { return batches_.empty(); }
  const format::Batch& front() const { return batches_.front(); }

 private:
  static constexpr size_t kMaxBorders = 256;

  struct Border {
    model::Offset base;
    model::Offset next;
    int64_t bytes;
  };

  static int64_t MemoryOf(const format::Batch& batch);

  Range range_;
  model::Offset begin_;
  std::deque<format::Batch> batches_;
  int64_t memory_bytes_ = 0;
  std::deque<Border> borders_;  // of the youngest batches, in memory or not
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_LOG_TAIL_H_
