// File: record.h
//
// What travels: a record to send, and what comes of sending it. Included by producer.h and
// consumer.h.

#ifndef KAFKALITE_RECORD_H_
#define KAFKALITE_RECORD_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kafkalite {

// A name and bytes beside a record's value; no value is different from an empty one.
struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
};

// A record to send. Everything is copied before Send returns.
//
//   producer->Send({.topic = "first-test", .key = "a", .value = "Hello Kafka !"});
struct Record {
  std::string_view topic;
  // Absent: chosen by the producer's partitioner; by default by the key (murmur2, as Java's
  // producer), or, without a key, a partition that changes with each batch.
  std::optional<int32_t> partition = std::nullopt;
  std::optional<std::string_view> key = std::nullopt;
  // Absent: a tombstone.
  std::optional<std::string_view> value = std::nullopt;
  std::span<const Header> headers = {};
  // Milliseconds since 1970. Absent: the time when the record's batch was opened.
  std::optional<int64_t> timestamp = std::nullopt;
};

// Where a record went.
struct RecordMetadata {
  int32_t partition = -1;
  int64_t offset = -1;     // -1 with acks=0: nobody knows
  int64_t timestamp = -1;  // milliseconds since 1970
};

}  // namespace kafkalite

#endif  // KAFKALITE_RECORD_H_
