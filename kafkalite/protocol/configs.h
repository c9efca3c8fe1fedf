// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs (KIP-133, KIP-226, KIP-339).
//
// Any broker describes topics and the brokers' default, each broker itself. Alterations are asked
// of the controller; any other broker answers kNotController. An answer of kNone means done: in
// force at every live broker.

#ifndef KAFKALITE_PROTOCOL_CONFIGS_H_
#define KAFKALITE_PROTOCOL_CONFIGS_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite::protocol {

// What has settings.
struct ConfigResource {
  enum class Type : int8_t { kTopic = 2, kBroker = 4 };
  Type type = Type::kTopic;
  // The topic's name; or the broker's number, empty for what all brokers have by default.
  std::string name;
  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

struct DescribeConfigsRequest {
  struct Resource {
    ConfigResource resource;
    std::optional<std::vector<std::string>> keys;  // absent: all
  };
  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;
};
struct DescribeConfigsResponse {
  struct Result {
    ConfigResource resource;
    model::ErrorCode error = model::ErrorCode::kNone;
    std::string message;
    std::vector<model::ConfigEntry> entries;
  };
  std::vector<Result> results;  // in the order of the request
};

struct AlterConfigsResponse {
  struct Result {
    ConfigResource resource;
    model::ErrorCode error = model::ErrorCode::kNone;
    std::string message;
  };
  std::vector<Result> results;  // in the order of the request
};

// Replaces all that is set for a resource.
struct AlterConfigsRequest {
  struct Resource {
    ConfigResource resource;
    model::ConfigMap config;
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  std::chrono::milliseconds timeout{30000};
};

// Changes some of what is set, and leaves the rest.
struct IncrementalAlterConfigsRequest {
  struct Resource {
    ConfigResource resource;
    std::vector<model::ConfigChange> changes;
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  std::chrono::milliseconds timeout{30000};
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_CONFIGS_H_
