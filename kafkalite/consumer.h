// File: consumer.h
//
// Consumer reads the committed records of partitions that it is assigned.
//
//   auto consumer = kafkalite::Consumer::Create(*cluster, {});
//   (*consumer)->Assign({{"first-test", 0}, {"first-test", 1}});
//   auto records = (*consumer)->Poll(std::chrono::seconds(1));
//   if (!records.ok()) return records.status();
//   for (const kafkalite::ConsumedRecord& record : *records) Use(record.value);
//
// A consumer never sees a record that could still be lost: nothing at or above the high watermark.
//
// Thread safety: one thread at a time.
// Lifetime: may outlive its cluster; Poll then fails with FAILED_PRECONDITION. Records may outlive
// consumer and cluster.

#ifndef KAFKALITE_CONSUMER_H_
#define KAFKALITE_CONSUMER_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/consumed_records.h"  // IWYU pragma: export
#include "kafkalite/metrics.h"
#include "kafkalite/topic_partition.h"  // IWYU pragma: export

namespace kafkalite {

namespace client {
class ConsumerEngine;
}  // namespace client

class Cluster;

// What to do where there is no position, or where it has fallen out of the log.
enum class OffsetReset { kEarliest, kLatest, kError };

struct ConsumerOptions {
  // Behaviour.
  OffsetReset auto_offset_reset = OffsetReset::kEarliest;
  std::chrono::milliseconds request_timeout{30000};

  // Performance.
  // A leader answers a fetch when it has so many bytes for it, or after fetch_max_wait.
  int32_t fetch_min_bytes = 1;
  std::chrono::milliseconds fetch_max_wait{500};
  // Of one answer, and of one partition in it; the first batch of an answer is whole, however
  // large.
  int32_t fetch_max_bytes = 50 << 20;
  int32_t max_partition_fetch_bytes = 1 << 20;
  // Of one Poll. What was fetched beyond it is returned by the next ones, without another fetch.
  // Not Java's 500, which is there for max.poll.interval.ms: a record costs nothing before it is
  // iterated over, and Polls of 500 small records read some 15 % less per second.
  int32_t max_poll_records = std::numeric_limits<int32_t>::max();
};

class Consumer {
 public:
  // INVALID_ARGUMENT names the option and its value.
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(Cluster& cluster,
                                                          const ConsumerOptions& options);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Replaces the assignment. Partitions that stay keep their position, and are paused if they were.
  // NOT_FOUND for an unknown topic or partition, INVALID_ARGUMENT for one named twice: nothing
  // changes then.
  absl::Status Assign(const std::vector<TopicPartition>& partitions);
  // All partitions that the topics have now; call it again for those that are added later.
  absl::Status AssignTopic(std::string_view topic);
  absl::Status AssignTopics(const std::vector<std::string>& topics);
  std::vector<TopicPartition> assignment() const;

  // Paused partitions are not fetched, and Poll returns none of their records until they are
  // resumed; it then goes on where it was. A Seek leaves them paused. FAILED_PRECONDITION unless
  // all are assigned: nothing changes then.
  absl::Status Pause(const std::vector<TopicPartition>& partitions);
  absl::Status Resume(const std::vector<TopicPartition>& partitions);
  std::vector<TopicPartition> paused() const;

  // Where the next Poll reads. FAILED_PRECONDITION unless assigned; INVALID_ARGUMENT if negative.
  absl::Status Seek(const TopicPartition& partition, int64_t offset);
  // None named: all assigned partitions. The end is the high watermark. These and Position ask the
  // leaders: DEADLINE_EXCEEDED if they did not answer within request_timeout; a later Poll then
  // asks again.
  absl::Status SeekToBeginning(const std::vector<TopicPartition>& partitions = {});
  absl::Status SeekToEnd(const std::vector<TopicPartition>& partitions = {});
  // All assigned partitions, to the first record at or after the time (milliseconds since 1970),
  // else to the end.
  absl::Status SeekToTimestamp(int64_t timestamp_ms);
  // The offset of the next record; waits if it is not known yet.
  absl::StatusOr<int64_t> Position(const TopicPartition& partition);
  // How many records of the partition the next Polls can return: high watermark less position, as
  // the last fetch saw it, or the last EndOffsets. Asks nobody: absent as long as it is not known.
  // FAILED_PRECONDITION unless assigned.
  absl::StatusOr<std::optional<int64_t>> CurrentLag(const TopicPartition& partition) const;

  // Offsets of any partitions, assigned or not; no position changes. The end is the high watermark.
  // Wait for the leaders' answers, request_timeout long unless said otherwise: DEADLINE_EXCEEDED;
  // NOT_FOUND for an unknown topic or partition. Both name the partition.
  using Timeout = std::optional<std::chrono::milliseconds>;
  absl::StatusOr<std::map<TopicPartition, int64_t>> BeginningOffsets(
      const std::vector<TopicPartition>& partitions, Timeout timeout = std::nullopt);
  absl::StatusOr<std::map<TopicPartition, int64_t>> EndOffsets(
      const std::vector<TopicPartition>& partitions, Timeout timeout = std::nullopt);
  // Of the first record at or after the time; absent where there is none. INVALID_ARGUMENT for a
  // negative time.
  absl::StatusOr<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> OffsetsForTimes(
      const std::map<TopicPartition, int64_t>& timestamps_ms, Timeout timeout = std::nullopt);

  // Returns as soon as there is a record, with what is there, max_poll_records at most; nothing
  // after `timeout`. Partitions take turns: one that is full does not hold up the others.
  //   OUT_OF_RANGE          a position is outside of the log and auto_offset_reset is kError
  //   NOT_FOUND             an assigned topic is gone; one that was made anew under its name is
  //                         taken for it, and read from the present position on
  //   RESOURCE_EXHAUSTED    Records that are still held fill the reader budget
  //   FAILED_PRECONDITION   the cluster is shut down, or nothing is assigned
  // Changes of leaders are waited out.
  absl::StatusOr<Records> Poll(std::chrono::milliseconds timeout);

  ConsumerMetrics metrics() const;

 private:
  friend int32_t ClientIdOf(const Consumer& consumer);
  explicit Consumer(std::unique_ptr<client::ConsumerEngine> engine);
  const std::unique_ptr<client::ConsumerEngine> engine_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_CONSUMER_H_
