// File: fetched_batches.h
//
// The batches of one partition that were fetched and not yet returned. A Poll takes as many records
// as it may return; what remains, possibly from the middle of a batch on, waits for the next one.
//
// Thread safety: none.

#ifndef KAFKALITE_CLIENT_FETCHED_BATCHES_H_
#define KAFKALITE_CLIENT_FETCHED_BATCHES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

// A place between two records of a batch.
struct RecordCursor {
  size_t bytes = 0;     // of the body before it
  int32_t records = 0;  // before it

  // Steps over the record behind it. False at the end, and at bytes that are no record.
  bool Pass(const format::Batch& batch, model::Offset& offset);
};

class FetchedBatches {
 public:
  // Some of the oldest records.
  struct Slice {
    size_t batches = 0;  // they are in so many
    int64_t records = 0;
    int64_t bytes = 0;       // of the records, in shares of their batches
    bool whole = true;       // includes the rest of its last batch; else it ends before
    int32_t end_record = 0;  // this one of them
    model::Offset next;      // where a consumer goes on
  };
  struct Taken {
    RecordCursor begin;  // in the first batch
    std::vector<format::Batch> batches;
  };

  // Replaces everything. Records below `position` do not count. REQUIRES: uncompressed batches.
  void Assign(model::Offset position, std::vector<format::Batch> batches);
  void Clear();

  // How many records are left; nothing else is here when there are none.
  int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // At most `max_records`. REQUIRES: !empty(), max_records > 0.
  Slice Front(int64_t max_records) const;
  std::span<const format::Batch> batches(const Slice& slice) const {
    return std::span(batches_).subspan(first_, slice.batches);
  }
  // Removes the slice that Front returned last.
  Taken Take(const Slice& slice);

 private:
  // Of batch i: how many records come before the slices to come, and how many there are.
  int32_t BeginOf(size_t i) const { return i == first_ ? begin_record_ : 0; }
  int32_t RecordsOf(size_t i) const {
    const format::BatchHeader& header = batches_[i].header;
    return header.is_control() ? 0 : header.record_count - BeginOf(i);
  }
  model::Offset OffsetAfter(size_t i, int32_t record) const;

  std::vector<format::Batch> batches_;
  size_t first_ = 0;  // those before it were taken
  // Of the first one, so many records were taken. To find where they end, the bytes have to be
  // read: that is left to the next Take, when the user has just read them, too.
  int32_t begin_record_ = 0;
  RecordCursor cursor_;  // at begin_record_ or before
  int64_t count_ = 0;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_FETCHED_BATCHES_H_
