// File: record_batch.h
//
// Kafka's record batch, version 2 (KIP-98): a header of 61 bytes and a body of encoded records.
//
// In memory a batch is a header by value and a shared, immutable body. Every log keeps a header of
// its own, so that a retry on a new leader cannot rewrite an offset under another replica; leader,
// in-process followers and consumers share the one body.
//
// Layout of the header, big endian; the CRC-32C covers everything from `attributes` on, records
// included, and nothing before it (see docs/internals/format.md):
//
//   0 baseOffset:8  8 batchLength:4  12 partitionLeaderEpoch:4  16 magic:1  17 crc:4
//   21 attributes:2  23 lastOffsetDelta:4  27 baseTimestamp:8  35 maxTimestamp:8
//   43 producerId:8  51 producerEpoch:2  53 baseSequence:4  57 recordCount:4

#ifndef KAFKALITE_FORMAT_RECORD_BATCH_H_
#define KAFKALITE_FORMAT_RECORD_BATCH_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/varint.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::format {

inline constexpr size_t kBatchHeaderBytes = 61;
inline constexpr int8_t kMagic = 2;
inline constexpr int64_t kNoTimestamp = -1;
inline constexpr int32_t kNoSequence = -1;

// Bits of `attributes`.
inline constexpr int16_t kCompressionMask = 0x07;
inline constexpr int16_t kLogAppendTimeBit = 0x08;
inline constexpr int16_t kTransactionalBit = 0x10;
inline constexpr int16_t kControlBit = 0x20;

// The sequence number `count` records after `sequence`: 0 follows 2147483647.
// REQUIRES: sequence >= 0, count >= 0.
constexpr int32_t AdvanceSequence(int32_t sequence, int32_t count) {
  return static_cast<int32_t>((static_cast<uint32_t>(sequence) + static_cast<uint32_t>(count)) &
                              0x7fffffff);
}

struct BatchHeader {
  model::Offset base_offset = {};
  int32_t batch_length = 0;  // bytes after this field: header and body less 12
  model::LeaderEpoch leader_epoch = model::kNoEpoch;
  int8_t magic = kMagic;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = -1;
  int64_t base_timestamp = kNoTimestamp;
  int64_t max_timestamp = kNoTimestamp;
  model::ProducerId producer_id = model::kNoProducerId;
  int16_t producer_epoch = -1;
  int32_t base_sequence = kNoSequence;
  int32_t record_count = 0;

  // REQUIRES: a header that Validate accepts; others may overflow.
  model::Offset last_offset() const { return base_offset + last_offset_delta; }
  model::Offset next_offset() const { return base_offset + last_offset_delta + 1; }
  // The sequence number of the last record; kNoSequence if the records have none.
  int32_t last_sequence() const {
    return base_sequence == kNoSequence ? kNoSequence
                                        : AdvanceSequence(base_sequence, last_offset_delta);
  }
  // When the leader appended it, if that is what its timestamps are; else kNoTimestamp.
  int64_t append_time() const {
    return (attributes & kLogAppendTimeBit) != 0 ? max_timestamp : kNoTimestamp;
  }
  bool is_control() const { return (attributes & kControlBit) != 0; }
  bool operator==(const BatchHeader&) const = default;
};

// Writes / reads the 61 bytes. Decoding checks nothing.
void EncodeHeader(const BatchHeader& header, char* out);
BatchHeader DecodeHeader(const char* in);

struct Batch {
  BatchHeader header;
  base::Slice body;

  size_t size_bytes() const { return kBatchHeaderBytes + body.size(); }
};

// The CRC that `header.crc` has to hold, over header and body.
uint32_t ComputeCrc(const BatchHeader& header, std::string_view body);

// Whether a batch from an untrusted source is whole and valid: magic, length, CRC, counts and every
// record decodable, with offsets that rise and stay within the header's range. Gaps are valid:
// compaction leaves them, down to a batch with no record. `max_timestamp` is not compared with the
// records. INVALID_ARGUMENT says what is wrong, DATA_LOSS that the CRC does not match.
absl::Status Validate(const Batch& batch);

// Two parts of that, for a batch that was validated before it was stored, compressed or not: what
// its header says by itself, with a body of `body_bytes`; and the CRC, which covers the rest of it.
absl::Status ValidateHeader(const BatchHeader& header, size_t body_bytes);
absl::Status ValidateCrc(const Batch& batch);

// What a producer's batch has to satisfy as well: records at all, offsets without gaps, no control
// records, and sequence numbers if it names a producer id.
absl::Status ValidateProduced(const Batch& batch);

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
};

// A record as it lies in a batch; the views live as long as the batch's body.
struct RecordView {
  model::Offset offset;
  int64_t timestamp = kNoTimestamp;  // milliseconds since 1970
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int32_t header_count = 0;
  std::string_view encoded_headers;  // see HeaderIterator
};

// Reads the records of one batch in order, uncompressed batches only.
//
//   format::RecordIterator it(batch);
//   format::RecordView record;
//   while (it.Next(record)) Use(record);
//   if (!it.ok()) ...                       // the bytes ended, were left over or made no sense
//
// Never reads outside of the body, whatever the bytes are. REQUIRES: the batch outlives it.
class RecordIterator {
 public:
  explicit RecordIterator(const Batch& batch);

  // False at the end and at the first record that is not valid; `record` is then undefined.
  bool Next(RecordView& record);
  bool ok() const { return ok_; }

 private:
  // Ends the iteration, well if this is the end.
  bool Stop();

  const char* position_;
  const char* end_;
  int64_t base_offset_;
  int64_t base_timestamp_;
  // All ones, or zero where the log's append time replaces the timestamps of the records.
  int64_t timestamp_delta_mask_;
  int32_t remaining_;
  bool ok_ = true;
};

// Reads the headers of one record, as RecordIterator reads records.
class HeaderIterator {
 public:
  explicit HeaderIterator(const RecordView& record);
  bool Next(Header& header);
  bool ok() const { return ok_; }

 private:
  const char* position_;
  const char* end_;
  int32_t remaining_;
  bool ok_ = true;
};

// Encodes records into a buffer and makes a batch of it. Thread safety: none.
//
//   format::BatchBuilder builder(pool->Allocate(limit), limit, now_millis);
//   if (builder.TryAppend(format::kNoTimestamp, key, value, headers) < 0) ...     // full
//   format::Batch batch = std::move(builder).Build({.producer_id = id, ...}, pool);
class BatchBuilder {
 public:
  // Records go to buffer[0, limit_bytes); `base_timestamp` is what records that bring no timestamp
  // get. REQUIRES: limit_bytes <= buffer->capacity().
  BatchBuilder(base::Ref<base::Buffer> buffer, size_t limit_bytes, int64_t base_timestamp);

  // The most bytes that a record may take in any batch.
  static size_t MaxRecordBytes(const std::optional<std::string_view>& key,
                               const std::optional<std::string_view>& value,
                               std::span<const Header> headers);

  // Copies the record in and returns its index, or -1, changing nothing, if it does not fit.
  // A timestamp of kNoTimestamp means the base timestamp.
  int32_t TryAppend(int64_t timestamp, const std::optional<std::string_view>& key,
                    const std::optional<std::string_view>& value, std::span<const Header> headers);

  int32_t record_count() const { return record_count_; }
  size_t body_bytes() const { return static_cast<size_t>(position_ - begin_); }
  int64_t base_timestamp() const { return base_timestamp_; }
  // kNoTimestamp while there is no record.
  int64_t max_timestamp() const { return max_timestamp_; }

  struct Stamp {
    model::ProducerId producer_id = model::kNoProducerId;
    int16_t producer_epoch = -1;
    int32_t base_sequence = kNoSequence;
    int16_t attributes = 0;
  };
  // The batch at offset 0, epoch -1, with its CRC. `pool`: where a batch that fills less than half
  // of its buffer moves to one of its size; null to stay. REQUIRES: record_count() > 0.
  Batch Build(const Stamp& stamp, base::BufferPool* pool) &&;

 private:
  static size_t HeadersBytes(std::span<const Header> headers);
  static char* WriteHeaders(char* out, std::span<const Header> headers);

  base::Ref<base::Buffer> buffer_;
  char* begin_;
  char* position_;
  char* end_;
  int64_t base_timestamp_;
  int64_t max_timestamp_ = kNoTimestamp;
  int32_t record_count_ = 0;
};

// Replaces a batch's producer stamp, attributes included (after a producer's epoch was raised),
// and renews the CRC.
void Restamp(Batch& batch, const BatchBuilder::Stamp& stamp);

// Makes the leader's clock the timestamp of every record (message.timestamp.type LogAppendTime),
// and renews the CRC without a pass over the body.
void StampAppendTime(Batch& batch, int64_t now_millis);

// The rest is implementation: what runs once per record. It is inline, by force where clang would
// not, because a call with its arguments in memory costs up to half as much as the work itself.

namespace internal {

// Reads a length and the bytes that it counts; -1 means no bytes at all, null. Returns the
// position after them, or nullptr if there are less or the length is below -1.
inline const char* ReadBytes(const char* in, const char* end,
                             std::optional<std::string_view>* bytes) {
  int32_t length;
  in = base::ReadVarint(in, end, &length);
  if (in == nullptr) [[unlikely]] {
    return nullptr;
  }
  if (length < 0) {
    bytes->reset();
    return length == -1 ? in : nullptr;
  }
  if (length > end - in) [[unlikely]] {
    return nullptr;
  }
  bytes->emplace(in, static_cast<size_t>(length));
  return in + length;
}

// Timestamps and offsets from outside may be anything: sums and differences wrap, as Java's do,
// instead of being undefined.
constexpr int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int64_t WrappingSubtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

constexpr size_t BytesWithLength(const std::optional<std::string_view>& bytes) {
  if (!bytes.has_value()) return 1;
  return static_cast<size_t>(base::VarintBytes(static_cast<int64_t>(bytes->size()))) +
         bytes->size();
}

inline char* WriteBytes(char* out, const std::optional<std::string_view>& bytes) {
  if (!bytes.has_value()) return base::WriteVarint(out, -1);
  out = base::WriteVarint(out, static_cast<int64_t>(bytes->size()));
  // An empty view may point nowhere, which memcpy does not allow.
  if (!bytes->empty()) std::memcpy(out, bytes->data(), bytes->size());
  return out + bytes->size();
}

}  // namespace internal

[[gnu::always_inline]] inline bool RecordIterator::Next(RecordView& record) {
  if (remaining_ <= 0) [[unlikely]] {
    return Stop();
  }
  int32_t length;
  const char* in = base::ReadVarint(position_, end_, &length);
  // One byte of attributes, which have no meaning yet, opens the record.
  if (in == nullptr || length < 1 || length > end_ - in) [[unlikely]] {
    return Stop();
  }
  const char* const end = in + length;
  ++in;
  int64_t timestamp_delta;
  int32_t offset_delta;
  if ((in = base::ReadVarint(in, end, &timestamp_delta)) == nullptr ||
      (in = base::ReadVarint(in, end, &offset_delta)) == nullptr ||
      (in = internal::ReadBytes(in, end, &record.key)) == nullptr ||
      (in = internal::ReadBytes(in, end, &record.value)) == nullptr ||
      (in = base::ReadVarint(in, end, &record.header_count)) == nullptr) [[unlikely]] {
    return Stop();
  }
  // A header takes two bytes at least; without headers nothing may follow.
  if (record.header_count == 0 ? in != end
                               : record.header_count < 0 || record.header_count > (end - in) / 2)
      [[unlikely]] {
    return Stop();
  }
  record.offset = model::Offset(internal::WrappingAdd(base_offset_, offset_delta));
  record.timestamp =
      internal::WrappingAdd(base_timestamp_, timestamp_delta & timestamp_delta_mask_);
  record.encoded_headers = std::string_view(in, static_cast<size_t>(end - in));
  position_ = end;
  --remaining_;
  return true;
}

[[gnu::always_inline]] inline int32_t BatchBuilder::TryAppend(
    int64_t timestamp, const std::optional<std::string_view>& key,
    const std::optional<std::string_view>& value, std::span<const Header> headers) {
  if (timestamp == kNoTimestamp) timestamp = base_timestamp_;
  const int64_t timestamp_delta = internal::WrappingSubtract(timestamp, base_timestamp_);
  const size_t length = 1 + static_cast<size_t>(base::VarintBytes(timestamp_delta)) +
                        static_cast<size_t>(base::VarintBytes(record_count_)) +
                        internal::BytesWithLength(key) + internal::BytesWithLength(value) +
                        (headers.empty() ? 1 : HeadersBytes(headers));
  const size_t prefix = static_cast<size_t>(base::VarintBytes(static_cast<int64_t>(length)));
  if (prefix + length > static_cast<size_t>(end_ - position_)) [[unlikely]] {
    return -1;
  }

  char* out = base::WriteVarint(position_, static_cast<int64_t>(length));
  *out++ = 0;  // attributes
  out = base::WriteVarint(out, timestamp_delta);
  out = base::WriteVarint(out, record_count_);
  out = internal::WriteBytes(out, key);
  out = internal::WriteBytes(out, value);
  if (headers.empty()) {
    *out++ = 0;
  } else {
    out = WriteHeaders(out, headers);
  }
  position_ = out;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
  return record_count_++;
}

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_RECORD_BATCH_H_
