// File: topic.h
//
// What a topic may be called. Rules and messages are Kafka's
// (`org.apache.kafka.common.internals.Topic`). For its settings see topic_config.h.

#ifndef KAFKALITE_MODEL_TOPIC_H_
#define KAFKALITE_MODEL_TOPIC_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite::model {

inline constexpr size_t kMaxTopicNameLength = 249;

// Of one topic. Kafka has no such limit but memory; a slip of the finger should not find it.
inline constexpr int32_t kMaxPartitions = 100'000;

// INVALID_ARGUMENT, in Kafka's words, for an empty, dotted, too long or illegal name.
absl::Status ValidateTopicName(std::string_view name);

// Whether the two names would be one metric: equal once every '.' is a '_'.
bool TopicNamesCollide(std::string_view a, std::string_view b);

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_TOPIC_H_
