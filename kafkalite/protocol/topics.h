// CreateTopics, DeleteTopics, CreatePartitions, ElectLeaders: asked of the controller; any other
// broker answers kNotController. An answer of kNone means done: every live broker knows of it.

#ifndef KAFKALITE_PROTOCOL_TOPICS_H_
#define KAFKALITE_PROTOCOL_TOPICS_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::protocol {

// partition -> replicas, the preferred leader first
using Assignment = std::map<model::PartitionId, std::vector<model::BrokerId>>;

struct TopicResult {
  std::string name;
  model::ErrorCode error = model::ErrorCode::kNone;
  std::string message;  // why not, for people
};

struct CreateTopicsRequest {
  struct Topic {
    std::string name;
    int32_t partitions = 1;
    int32_t replication_factor = 1;
    // If not empty, used instead of the two numbers.
    Assignment assignment;
    model::ConfigMap config;
  };
  std::vector<Topic> topics;
  std::chrono::milliseconds timeout{30000};
};
struct CreateTopicsResponse {
  std::vector<TopicResult> topics;
};

struct DeleteTopicsRequest {
  std::vector<std::string> topics;
  std::chrono::milliseconds timeout{30000};
};
struct DeleteTopicsResponse {
  std::vector<TopicResult> topics;
};

struct CreatePartitionsRequest {
  struct Topic {
    std::string name;
    int32_t total = 0;                                     // partitions afterwards
    std::vector<std::vector<model::BrokerId>> assignment;  // of the new ones; empty: chosen
  };
  std::vector<Topic> topics;
  std::chrono::milliseconds timeout{30000};
};
struct CreatePartitionsResponse {
  std::vector<TopicResult> topics;
};

enum class ElectionType { kPreferred, kUnclean };

// KIP-183, KIP-460.
struct ElectLeadersRequest {
  ElectionType type = ElectionType::kPreferred;
  // Absent: all of the cluster; those that need no election are not in the answer then.
  std::optional<std::vector<model::TopicPartition>> partitions;
  std::chrono::milliseconds timeout{30000};
};
struct ElectLeadersResponse {
  struct Partition {
    model::TopicPartition tp;
    model::ErrorCode error = model::ErrorCode::kNone;
    std::string message;
  };
  model::ErrorCode error = model::ErrorCode::kNone;  // of the request as a whole
  std::vector<Partition> partitions;
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_TOPICS_H_
