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
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/record.h"

namespace kafkalite {

namespace client {
class ConsumerEngine;
class RecordsData;
}  // namespace client

class Cluster;

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// What to do where there is no position, or where it has fallen out of the log.
enum class OffsetReset { kEarliest, kLatest, kError };

struct ConsumerOptions {
  // Behaviour.
  OffsetReset auto_offset_reset = OffsetReset::kEarliest;
  std::chrono::milliseconds request_timeout{30000};

  // Performance.
  int32_t fetch_min_bytes = 1;
  std::chrono::milliseconds fetch_max_wait{500};
  int32_t fetch_max_bytes = 50 << 20;
  int32_t max_partition_fetch_bytes = 1 << 20;
};

// A record as it lies in the batch in which it was fetched. The views live as long as the Records
// from which it came.
struct ConsumedRecord {
  std::string_view topic;
  int32_t partition = -1;
  int64_t offset = -1;
  int64_t timestamp = -1;  // milliseconds since 1970
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;

  // Decoded on each call.
  std::vector<Header> headers() const;

  int32_t header_count = 0;
  std::string_view encoded_headers;  // as headers() reads them
};

// What one Poll returned: owns the batches that its records view, and decodes them as it is
// iterated. Its memory is charged to the cluster's reader budget until it is destroyed.
class Records {
 public:
  // Partition by partition, each in the order of its offsets.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = ConsumedRecord;
    using difference_type = std::ptrdiff_t;
    using pointer = const ConsumedRecord*;
    using reference = const ConsumedRecord&;

    Iterator() = default;
    reference operator*() const { return record_; }
    pointer operator->() const { return &record_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return position_ == other.position_; }

   private:
    friend class Records;

    explicit Iterator(const client::RecordsData* data);
    bool Decode();
    void NextBatch();

    ConsumedRecord record_;
    const char* position_ = nullptr;  // after record_ in its batch; null at the end
    const char* batch_end_ = nullptr;
    int64_t base_offset_ = 0;
    int64_t base_timestamp_ = 0;
    int64_t timestamp_delta_mask_ = 0;
    int32_t remaining_ = 0;  // records of the batch
    const client::RecordsData* data_ = nullptr;
    size_t part_ = 0;
    size_t next_batch_ = 0;  // of the part
  };

  Records();
  Records(Records&&) noexcept;
  Records& operator=(Records&&) noexcept;
  ~Records();

  Iterator begin() const;
  Iterator end() const { return Iterator(); }
  bool empty() const { return count() == 0; }
  int64_t count() const;

 private:
  friend class client::ConsumerEngine;
  explicit Records(std::shared_ptr<const client::RecordsData> data);

  std::shared_ptr<const client::RecordsData> data_;  // null: nothing
};

class Consumer {
 public:
  // INVALID_ARGUMENT names the option and its value.
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(Cluster& cluster,
                                                          const ConsumerOptions& options);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Replaces the assignment. Partitions that stay keep their position. NOT_FOUND for an unknown
  // topic or partition, INVALID_ARGUMENT for one named twice: nothing changes then.
  absl::Status Assign(const std::vector<TopicPartition>& partitions);
  // All partitions that the topic has now; call it again for those that are added later.
  absl::Status AssignTopic(std::string_view topic);
  std::vector<TopicPartition> assignment() const;

  // Where the next Poll reads. FAILED_PRECONDITION unless assigned; INVALID_ARGUMENT if negative.
  absl::Status Seek(const TopicPartition& partition, int64_t offset);
  // All assigned partitions. The end is the high watermark. These and Position ask the leaders:
  // DEADLINE_EXCEEDED if they did not answer within request_timeout; a later Poll then asks again.
  absl::Status SeekToBeginning();
  absl::Status SeekToEnd();
  // To the first record at or after the time (milliseconds since 1970), else to the end.
  absl::Status SeekToTimestamp(int64_t timestamp_ms);
  // The offset of the next record; waits if it is not known yet.
  absl::StatusOr<int64_t> Position(const TopicPartition& partition);

  // Returns as soon as there is a record, with what is there; nothing after `timeout`.
  //   OUT_OF_RANGE          a position is outside of the log and auto_offset_reset is kError
  //   NOT_FOUND             an assigned topic is gone; one that was made anew under its name is
  //                         taken for it, and read from the present position on
  //   RESOURCE_EXHAUSTED    Records that are still held fill the reader budget
  //   FAILED_PRECONDITION   the cluster is shut down, or nothing is assigned
  // Changes of leaders are waited out.
  absl::StatusOr<Records> Poll(std::chrono::milliseconds timeout);

 private:
  explicit Consumer(std::unique_ptr<client::ConsumerEngine> engine);
  const std::unique_ptr<client::ConsumerEngine> engine_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_CONSUMER_H_
