// File: producer_settings.h
//
// What a producer's options come to for one topic.

#ifndef KAFKALITE_CLIENT_PRODUCER_SETTINGS_H_
#define KAFKALITE_CLIENT_PRODUCER_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "kafkalite/partitioner.h"
#include "kafkalite/producer_options.h"

namespace kafkalite::client {

struct TopicSettings {
  Acks acks = Acks::kAll;
  bool idempotent = true;
  std::chrono::milliseconds delivery_timeout{0};
  Partitioner partitioner;
  Compression compression = Compression::kNone;
  std::optional<int> compression_level;
  std::chrono::milliseconds linger{0};
  int32_t batch_size_bytes = 0;

  // Of the producer, and of one topic among its exceptions.
  static TopicSettings Of(const ProducerOptions& options);
  static TopicSettings Of(const ProducerOptions& options, const ProducerTopicOptions& topic);
};

// INVALID_ARGUMENT names the option, as ProducerOptions::topics["orders"].linger, and its value.
absl::Status ValidateOptions(const ProducerOptions& options);

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCER_SETTINGS_H_
