// File: find_record.h
//
// The last step of a log's search by timestamp, for every implementation: within one batch.

#ifndef KAFKALITE_STORAGE_FIND_RECORD_H_
#define KAFKALITE_STORAGE_FIND_RECORD_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

// The first record in [start, max_offset) whose timestamp is at least `timestamp`. Unpacks the
// batch if it is compressed, into a buffer of `pool`; errors as format::DecompressBatch.
absl::StatusOr<std::optional<TimestampAndOffset>> FindRecord(const format::Batch& batch,
                                                             int64_t timestamp, model::Offset start,
                                                             model::Offset max_offset,
                                                             base::BufferPool& pool);

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FIND_RECORD_H_
