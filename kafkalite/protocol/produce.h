// Produce: append batches to the leaders of their partitions.
// Deviation: one request may name partitions in any order; each is answered on its own.

#ifndef KAFKALITE_PROTOCOL_PRODUCE_H_
#define KAFKALITE_PROTOCOL_PRODUCE_H_

#include <chrono>
#include <string>
#include <vector>

#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::protocol {

// How many replicas must have a batch before it is acknowledged.
enum class Acks : int16_t { kAll = -1, kNone = 0, kLeader = 1 };

struct ProduceRequest {
  struct Partition {
    model::TopicPartition tp;
    format::Batch batch;
  };
  Acks acks = Acks::kAll;
  std::chrono::milliseconds timeout{30000};  // for the replicas, counted at the leader
  std::vector<Partition> partitions;
};

struct ProduceResponse {
  struct Partition {
    model::TopicPartition tp;
    model::ErrorCode error = model::ErrorCode::kNone;
    model::Offset base_offset{-1};
    int64_t log_append_time_ms = -1;  // -1: the timestamps are the producer's
    model::Offset log_start_offset{-1};
    std::string message;  // on an error: why, for people; may be empty
  };
  std::vector<Partition> partitions;  // in the order of the request
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_PRODUCE_H_
