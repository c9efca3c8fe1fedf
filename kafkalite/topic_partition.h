// File: topic_partition.h
//
// Names of partitions, and what is said of their offsets. Included by consumer.h.

#ifndef KAFKALITE_TOPIC_PARTITION_H_
#define KAFKALITE_TOPIC_PARTITION_H_

#include <compare>
#include <cstdint>
#include <string>

namespace kafkalite {

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// A record found by its time.
struct OffsetAndTimestamp {
  int64_t offset = -1;
  int64_t timestamp = -1;  // the record's own: milliseconds since 1970
  friend bool operator==(const OffsetAndTimestamp&, const OffsetAndTimestamp&) = default;
};

}  // namespace kafkalite

#endif  // KAFKALITE_TOPIC_PARTITION_H_
