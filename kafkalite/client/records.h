// File: records.h
//
// What is behind the public Records: batches by reference, and what they are charged for.

#ifndef KAFKALITE_CLIENT_RECORDS_H_
#define KAFKALITE_CLIENT_RECORDS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

// Thread safety: none while it is filled; immutable afterwards, so any thread.
class RecordsData {
 public:
  // Batches of one partition, in order.
  struct Part {
    model::TopicPartition tp;
    model::Offset position;  // the first batch may have records below, which do not count
    std::vector<format::Batch> batches;
  };

  explicit RecordsData(std::shared_ptr<base::Budget> budget);
  ~RecordsData();
  RecordsData(const RecordsData&) = delete;
  RecordsData& operator=(const RecordsData&) = delete;

  // Charges the budget for the capacity of the buffers that are not here yet. False, with `part`
  // left untouched, if that is more than there is.
  bool TryAdd(Part& part);

  const std::vector<Part>& parts() const { return parts_; }
  int64_t count() const { return count_; }

  // How many records of the batches a consumer at `position` sees.
  static int64_t CountRecords(model::Offset position, const std::vector<format::Batch>& batches);

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
