// DeleteRecords (KIP-107): drops the records of partitions up to an offset, at their leaders; the
// answer comes when every in-sync replica has dropped them.

#ifndef KAFKALITE_PROTOCOL_DELETE_RECORDS_H_
#define KAFKALITE_PROTOCOL_DELETE_RECORDS_H_

#include <chrono>
#include <string>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::protocol {

// In place of an offset: all that is committed.
inline constexpr model::Offset kHighWatermark{-1};

struct DeleteRecordsRequest {
  struct Partition {
    model::TopicPartition tp;
    model::Offset before_offset;
  };
  std::vector<Partition> partitions;
  std::chrono::milliseconds timeout{30000};
};

struct DeleteRecordsResponse {
  struct Partition {
    model::TopicPartition tp;
    model::ErrorCode error = model::ErrorCode::kNone;
    model::Offset low_watermark{-1};  // no in-sync replica has anything before it
    std::string message;
  };
  std::vector<Partition> partitions;  // in the order of the request
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_DELETE_RECORDS_H_
