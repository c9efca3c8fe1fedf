// File: topic.h
//
// What a topic is called and how it may be configured. Names, keys, defaults and messages are
// Kafka's (`org.apache.kafka.common.internals.Topic`, `TopicConfig`).

#ifndef KAFKALITE_MODEL_TOPIC_H_
#define KAFKALITE_MODEL_TOPIC_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kafkalite::model {

inline constexpr size_t kMaxTopicNameLength = 249;

// Of one topic. Kafka has no such limit but memory; a slip of the finger should not find it.
inline constexpr int32_t kMaxPartitions = 100'000;

// INVALID_ARGUMENT, in Kafka's words, for an empty, dotted, too long or illegal name.
absl::Status ValidateTopicName(std::string_view name);

// Whether the two names would be one metric: equal once every '.' is a '_'.
bool TopicNamesCollide(std::string_view a, std::string_view b);

// A topic's settings in force; -1 is "no limit" where a limit is meant.
struct TopicConfig {
  int32_t min_insync_replicas = 1;
  int64_t retention_ms = 7 * 24 * 3600 * 1000LL;
  int64_t retention_bytes = -1;
  int32_t max_message_bytes = 1048588;  // of a batch, as Kafka's default
  bool unclean_leader_election = false;

  // Of logs in files. A segment is closed when it is so large, or its first record so old.
  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = 7 * 24 * 3600 * 1000LL;
  int64_t segment_jitter_ms = 0;  // up to so much earlier, so that not all close at once
  int32_t segment_index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  int64_t file_delete_delay_ms = 60000;
  // A sync after so many records, and so long after the first one that is not durable.
  int64_t flush_messages = std::numeric_limits<int64_t>::max();
  int64_t flush_ms = std::numeric_limits<int64_t>::max();

  bool operator==(const TopicConfig&) const = default;
};

// What was set for one topic, under Kafka's keys ("retention.ms"), sorted.
using ConfigMap = std::map<std::string, std::string>;

// The defaults with `overrides` applied. INVALID_ARGUMENT names the key and the value that is
// unknown, malformed or out of range.
absl::StatusOr<TopicConfig> ParseTopicConfig(const ConfigMap& overrides);

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_TOPIC_H_
