// Metadata: who lives, and who leads what. Any broker answers, from what the controller told it.

#ifndef KAFKALITE_PROTOCOL_METADATA_H_
#define KAFKALITE_PROTOCOL_METADATA_H_

#include <optional>
#include <string>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::protocol {

struct MetadataRequest {
  // Absent: all topics. Empty: none.
  std::optional<std::vector<std::string>> topics;
};

struct MetadataResponse {
  struct Partition {
    model::ErrorCode error = model::ErrorCode::kNone;  // kLeaderNotAvailable without a leader
    model::PartitionId partition;
    model::BrokerId leader = model::kNoBroker;
    model::LeaderEpoch leader_epoch = model::kNoEpoch;
    std::vector<model::BrokerId> replicas;  // the preferred leader first
    std::vector<model::BrokerId> isr;
  };
  struct Topic {
    model::ErrorCode error = model::ErrorCode::kNone;
    std::string name;
    // Tells it from an earlier topic of the same name: a later one has a larger one (KIP-516's
    // place; 0: not known).
    int64_t creation_id = 0;
    std::vector<Partition> partitions;  // by number
    model::ConfigMap overrides;         // what was configured for this topic
    int32_t max_message_bytes = model::TopicConfig().max_message_bytes;  // in force
  };
  std::vector<model::BrokerId> brokers;  // sorted
  model::BrokerId controller = model::kNoBroker;
  std::vector<Topic> topics;  // sorted if all were asked for, else in the order of the request
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_METADATA_H_
