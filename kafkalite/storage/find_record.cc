#include "kafkalite/storage/find_record.h"

#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/compressed_batch.h"

namespace kafkalite::storage {

absl::StatusOr<std::optional<TimestampAndOffset>> FindRecord(const format::Batch& batch,
                                                             int64_t timestamp, model::Offset start,
                                                             model::Offset max_offset,
                                                             base::BufferPool& pool) {
  KL_ASSIGN_OR_RETURN(const format::Batch plain,
                      format::DecompressBatch(batch, format::kMaxRecordsBytes, pool));
  format::RecordIterator records(plain);
  format::RecordView record;
  while (records.Next(record) && record.offset < max_offset) {
    if (record.timestamp >= timestamp && record.offset >= start) {
      return TimestampAndOffset{record.timestamp, record.offset};
    }
  }
  return std::nullopt;
}

}  // namespace kafkalite::storage
