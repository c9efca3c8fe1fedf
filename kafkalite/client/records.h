// File: records.h
//
// What is behind the public Records: batches by reference, and what they are charged for.

#ifndef KAFKALITE_CLIENT_RECORDS_H_
#define KAFKALITE_CLIENT_RECORDS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/client/fetched_batches.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

// Thread safety: none while it is filled; immutable afterwards, so any thread.
class RecordsData {
 public:
  // Batches of one partition, in order, from the middle of the first to the middle of the last.
  struct Part {
    model::TopicPartition tp;
    RecordCursor begin;      // in the first batch
    bool whole = true;       // the last batch is here to its end; else up to
    int32_t end_record = 0;  // this one, exclusively
    std::vector<format::Batch> batches;
  };

  explicit RecordsData(std::shared_ptr<base::Budget> budget);
  ~RecordsData();
  RecordsData(const RecordsData&) = delete;
  RecordsData& operator=(const RecordsData&) = delete;

  // Charges the budget for the capacity of the buffers that are not here yet. False, changing
  // nothing, if that is more than there is.
  bool TryCharge(std::span<const format::Batch> batches);
  // A slice whose batches were charged.
  void Add(const model::TopicPartition& tp, const FetchedBatches::Slice& slice,
           FetchedBatches::Taken taken);

  const std::vector<Part>& parts() const { return parts_; }
  int64_t count() const { return count_; }

 private:
  const std::shared_ptr<base::Budget> budget_;
  int64_t charged_bytes_ = 0;
  int64_t count_ = 0;
  std::vector<Part> parts_;
  // Sorted, only to tell whether a buffer is here already.
  std::vector<const base::Buffer*> buffers_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_RECORDS_H_
