// Fetch: read committed batches from the leaders of partitions.

#ifndef KAFKALITE_PROTOCOL_FETCH_H_
#define KAFKALITE_PROTOCOL_FETCH_H_

#include <chrono>
#include <vector>

#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::protocol {

struct FetchRequest {
  struct Partition {
    model::TopicPartition tp;
    // kNoEpoch: not checked (KIP-320).
    model::LeaderEpoch current_leader_epoch = model::kNoEpoch;
    model::Offset fetch_offset;
    int32_t max_bytes = 1 << 20;
  };
  // The answer comes when min_bytes are there or one partition is in error, or after max_wait.
  std::chrono::milliseconds max_wait{500};
  int32_t min_bytes = 1;
  int32_t max_bytes = 50 << 20;
  std::vector<Partition> partitions;
};

struct FetchResponse {
  struct Partition {
    model::TopicPartition tp;
    model::ErrorCode error = model::ErrorCode::kNone;
    model::Offset high_watermark{-1};
    model::Offset log_start_offset{-1};
    // The first one may begin before the fetch offset; the first one is whole, however large.
    std::vector<format::Batch> batches;
  };
  std::vector<Partition> partitions;  // in the order of the request
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_FETCH_H_
