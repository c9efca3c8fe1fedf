// File: consumed_records.h
//
// What Consumer::Poll returns. Included by consumer.h.
//
//   for (const kafkalite::ConsumedRecord& record : records) Use(record.key, record.value);
//
// Lifetime: Records may outlive consumer and cluster.

#ifndef KAFKALITE_CONSUMED_RECORDS_H_
#define KAFKALITE_CONSUMED_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "kafkalite/record.h"

namespace kafkalite {

namespace client {
class ConsumerEngine;
class RecordsData;
}  // namespace client

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
// Thread safety: any thread, while none moves or destroys it.
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

}  // namespace kafkalite

#endif  // KAFKALITE_CONSUMED_RECORDS_H_
