// File: producer_options.h
//
// What a producer may be told, for all topics and for single ones. Included by producer.h.
//
//   kafkalite::ProducerOptions options{.linger = std::chrono::milliseconds(20)};
//   options.topics["audit"] = {.compression = kafkalite::Compression::kZstd};
//   options.topics["clicks"] = {.acks = kafkalite::Acks::kLeader};

#ifndef KAFKALITE_PRODUCER_OPTIONS_H_
#define KAFKALITE_PRODUCER_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "kafkalite/partitioner.h"  // IWYU pragma: export

namespace kafkalite {

// When a record counts as delivered, and what is lost when.
enum class Acks {
  kNone,    // when it is sent. Lost by any failure, unnoticed.
  kLeader,  // when the leader has it. Lost if the leader fails before a follower has it.
  kAll,     // when all in-sync replicas have it: min.insync.replicas of them at least. Lost only
            // if all of those fail.
};

// Of whole batches, by the producer; consumers find out by themselves.
enum class Compression { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// What one topic has otherwise than its producer; absent: as the producer has it.
struct ProducerTopicOptions {
  std::optional<Acks> acks = std::nullopt;
  std::optional<std::chrono::milliseconds> delivery_timeout = std::nullopt;
  std::optional<Partitioner> partitioner = std::nullopt;

  std::optional<Compression> compression = std::nullopt;
  // With a compression of the topic's own and no level: the codec's default.
  std::optional<int> compression_level = std::nullopt;
  std::optional<std::chrono::milliseconds> linger = std::nullopt;
  std::optional<int32_t> batch_size_bytes = std::nullopt;
};

struct ProducerOptions {
  // Behaviour.
  Acks acks = Acks::kAll;
  // In force with acks = kAll only, topic by topic; without it, a retry may append records twice,
  // and behind later ones.
  bool enable_idempotence = true;
  // From Send until a record is reported, retries included.
  std::chrono::milliseconds delivery_timeout{120000};
  // How long a request waits for its answer before it is sent again.
  std::chrono::milliseconds request_timeout{30000};
  // How long Send waits for metadata and for room in the buffer.
  std::chrono::milliseconds max_block{60000};
  // How soon partitions that were added are used, while nothing goes wrong.
  std::chrono::milliseconds metadata_max_age{300000};
  Partitioner partitioner = {};

  // Performance.
  Compression compression = Compression::kNone;
  // Of gzip, lz4 and zstd: their own scales. Absent: the codec's default.
  std::optional<int> compression_level = std::nullopt;
  std::chrono::milliseconds linger{5};
  // At most, before compression; less where the topic's max_message_bytes is less.
  int32_t batch_size_bytes = 16384;
  int64_t buffer_memory_bytes = 32 << 20;
  // Of one record, estimated from above: its key, value and headers, and some 26 bytes. A record
  // larger than batch_size_bytes has a batch of its own.
  int32_t max_request_size_bytes = 1 << 20;

  // By topic.
  std::map<std::string, ProducerTopicOptions, std::less<>> topics = {};
};

}  // namespace kafkalite

#endif  // KAFKALITE_PRODUCER_OPTIONS_H_
