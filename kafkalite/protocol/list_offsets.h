// ListOffsets: the first offset at or after a timestamp, or the log's ends.

#ifndef KAFKALITE_PROTOCOL_LIST_OFFSETS_H_
#define KAFKALITE_PROTOCOL_LIST_OFFSETS_H_

#include <cstdint>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::protocol {

// In place of a timestamp.
inline constexpr int64_t kLatestTimestamp = -1;  // the high watermark
inline constexpr int64_t kEarliestTimestamp = -2;

struct ListOffsetsRequest {
  struct Partition {
    model::TopicPartition tp;
    model::LeaderEpoch current_leader_epoch = model::kNoEpoch;
    int64_t timestamp = kLatestTimestamp;
  };
  std::vector<Partition> partitions;
};

struct ListOffsetsResponse {
  struct Partition {
    model::TopicPartition tp;
    model::ErrorCode error = model::ErrorCode::kNone;
    int64_t timestamp = -1;
    model::Offset offset{-1};  // -1: no record is that young
  };
  std::vector<Partition> partitions;  // in the order of the request
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_LIST_OFFSETS_H_
