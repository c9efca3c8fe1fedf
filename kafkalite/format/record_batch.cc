#include "kafkalite/format/record_batch.h"

#include <array>
#include <cassert>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/endian.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::format {
namespace {

using base::LoadBig;
using base::StoreBig;

// Where the fields begin.
constexpr size_t kBaseOffsetAt = 0;
constexpr size_t kBatchLengthAt = 8;
constexpr size_t kLeaderEpochAt = 12;
constexpr size_t kMagicAt = 16;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;
constexpr size_t kLastOffsetDeltaAt = 23;
constexpr size_t kBaseTimestampAt = 27;
constexpr size_t kMaxTimestampAt = 35;
constexpr size_t kProducerIdAt = 43;
constexpr size_t kProducerEpochAt = 51;
constexpr size_t kBaseSequenceAt = 53;
constexpr size_t kRecordCountAt = 57;
static_assert(kRecordCountAt + sizeof(int32_t) == kBatchHeaderBytes);

// What batch_length does not count: itself and the base offset.
constexpr size_t kBytesBeforeLengthEnds = kLeaderEpochAt;

// The pool's smallest buffer: there is no smaller one to move to.
constexpr size_t kSmallestBufferBytes = 256;

const char* CompressionName(int16_t attributes) {
  static constexpr std::array<const char*, 8> kNames = {"none", "gzip",     "snappy",   "lz4",
                                                        "zstd", "unknown5", "unknown6", "unknown7"};
  return kNames[static_cast<size_t>(attributes & kCompressionMask)];
}

absl::Status Invalid(const std::string& what) {
  return absl::InvalidArgumentError(base::ToAbsl("record batch: " + what));
}

absl::Status ValidateRecords(const Batch& batch) {
  RecordIterator it(batch);
  RecordView record;
  int32_t index = 0;
  model::Offset least = batch.header.base_offset;
  for (; it.Next(record); ++index) {
    if (record.offset < least || record.offset > batch.header.last_offset()) {
      return Invalid(base::Cat("record ", index, " has offset ", record.offset.value(),
                               ", which is not in [", least.value(), ", ",
                               batch.header.next_offset().value(), ")"));
    }
    least = record.offset + 1;
    HeaderIterator headers(record);
    Header header;
    while (headers.Next(header)) {
    }
    if (!headers.ok())
      return Invalid(base::Cat("record ", index, " has headers that make no sense"));
  }
  if (it.ok()) return absl::OkStatus();
  if (index == batch.header.record_count) {
    return Invalid(base::Cat("bytes are left over after ", index, " records"));
  }
  return Invalid(base::Cat("record ", index, " of ", batch.header.record_count,
                           " is cut off or makes no sense"));
}

}  // namespace

void EncodeHeader(const BatchHeader& header, char* out) {
  StoreBig<int64_t>(out + kBaseOffsetAt, header.base_offset.value());
  StoreBig<int32_t>(out + kBatchLengthAt, header.batch_length);
  StoreBig<int32_t>(out + kLeaderEpochAt, header.leader_epoch.value());
  StoreBig<int8_t>(out + kMagicAt, header.magic);
  StoreBig<uint32_t>(out + kCrcAt, header.crc);
  StoreBig<int16_t>(out + kAttributesAt, header.attributes);
  StoreBig<int32_t>(out + kLastOffsetDeltaAt, header.last_offset_delta);
  StoreBig<int64_t>(out + kBaseTimestampAt, header.base_timestamp);
  StoreBig<int64_t>(out + kMaxTimestampAt, header.max_timestamp);
  StoreBig<int64_t>(out + kProducerIdAt, header.producer_id.value());
  StoreBig<int16_t>(out + kProducerEpochAt, header.producer_epoch);
  StoreBig<int32_t>(out + kBaseSequenceAt, header.base_sequence);
  StoreBig<int32_t>(out + kRecordCountAt, header.record_count);
}

BatchHeader DecodeHeader(const char* in) {
  return {.base_offset = model::Offset(LoadBig<int64_t>(in + kBaseOffsetAt)),
          .batch_length = LoadBig<int32_t>(in + kBatchLengthAt),
          .leader_epoch = model::LeaderEpoch(LoadBig<int32_t>(in + kLeaderEpochAt)),
          .magic = LoadBig<int8_t>(in + kMagicAt),
          .crc = LoadBig<uint32_t>(in + kCrcAt),
          .attributes = LoadBig<int16_t>(in + kAttributesAt),
          .last_offset_delta = LoadBig<int32_t>(in + kLastOffsetDeltaAt),
          .base_timestamp = LoadBig<int64_t>(in + kBaseTimestampAt),
          .max_timestamp = LoadBig<int64_t>(in + kMaxTimestampAt),
          .producer_id = model::ProducerId(LoadBig<int64_t>(in + kProducerIdAt)),
          .producer_epoch = LoadBig<int16_t>(in + kProducerEpochAt),
          .base_sequence = LoadBig<int32_t>(in + kBaseSequenceAt),
          .record_count = LoadBig<int32_t>(in + kRecordCountAt)};
}

uint32_t ComputeCrc(const BatchHeader& header, std::string_view body) {
  char encoded[kBatchHeaderBytes];
  EncodeHeader(header, encoded);
  const std::string_view covered(encoded + kAttributesAt, kBatchHeaderBytes - kAttributesAt);
  return base::ExtendCrc32c(base::Crc32c(covered), body);
}

void StampAppendTime(Batch& batch, int64_t now_millis) {
  const auto covered = [&](char* encoded) {
    EncodeHeader(batch.header, encoded);
    return std::string_view(encoded + kAttributesAt, kBatchHeaderBytes - kAttributesAt);
  };
  char before[kBatchHeaderBytes];
  char after[kBatchHeaderBytes];
  const std::string_view covered_before = covered(before);
  batch.header.attributes = static_cast<int16_t>(batch.header.attributes | kLogAppendTimeBit);
  batch.header.max_timestamp = now_millis;
  batch.header.crc = base::ReplaceCrc32cPrefix(batch.header.crc, covered_before, covered(after),
                                               batch.body.size());
}

absl::Status ValidateHeader(const BatchHeader& header, size_t body_bytes) {
  if (header.magic != kMagic) return Invalid(base::Cat("magic is ", header.magic, ", not 2"));
  const size_t length = kBatchHeaderBytes - kBytesBeforeLengthEnds + body_bytes;
  if (header.batch_length < 0 || static_cast<size_t>(header.batch_length) != length) {
    return Invalid(
        base::Cat("length is ", header.batch_length, ", but ", length, " bytes are here"));
  }
  if (header.base_offset < model::Offset(0)) {
    return Invalid(base::Cat("base offset is ", header.base_offset.value()));
  }
  // next_offset() has to be an offset, too.
  if (header.last_offset_delta < 0 ||
      header.base_offset.value() >=
          std::numeric_limits<int64_t>::max() - header.last_offset_delta) {
    return Invalid(base::Cat("last offset delta is ", header.last_offset_delta, " at base offset ",
                             header.base_offset.value()));
  }
  if (header.record_count < 0 || header.record_count - 1 > header.last_offset_delta) {
    return Invalid(base::Cat("record count is ", header.record_count, ", last offset delta ",
                             header.last_offset_delta));
  }
  return absl::OkStatus();
}

absl::Status ValidateCrc(const Batch& batch) {
  const uint32_t crc = ComputeCrc(batch.header, batch.body.view());
  if (crc == batch.header.crc) return absl::OkStatus();
  return absl::DataLossError(
      base::ToAbsl(base::Cat("record batch: CRC is ", absl::Hex(batch.header.crc, absl::kZeroPad8),
                             ", but the bytes have ", absl::Hex(crc, absl::kZeroPad8))));
}

absl::Status Validate(const Batch& batch) {
  if (absl::Status status = ValidateHeader(batch.header, batch.body.size()); !status.ok()) {
    return status;
  }
  // Before anything that the CRC covers is called invalid, know that it is what was sent.
  if (absl::Status status = ValidateCrc(batch); !status.ok()) return status;
  if ((batch.header.attributes & kCompressionMask) != 0) {
    return Invalid(
        base::Cat("compression ", CompressionName(batch.header.attributes), " is not supported"));
  }
  return ValidateRecords(batch);
}

absl::Status ValidateProduced(const Batch& batch) {
  if (absl::Status status = Validate(batch); !status.ok()) return status;
  const BatchHeader& header = batch.header;
  // Offsets rise, start at 0 or later and end at last_offset_delta at the latest: with as many
  // records as offsets there is no gap.
  if (header.record_count == 0 || header.last_offset_delta != header.record_count - 1) {
    return Invalid(base::Cat("a producer sent ", header.record_count,
                             " records with a last offset delta of ", header.last_offset_delta));
  }
  if (header.is_control()) return Invalid("a producer sent control records");
  if (header.producer_id >= model::ProducerId(0) &&
      (header.producer_epoch < 0 || header.base_sequence < 0)) {
    return Invalid(base::Cat("producer ", header.producer_id.value(), " sent epoch ",
                             header.producer_epoch, ", sequence ", header.base_sequence));
  }
  return absl::OkStatus();
}

RecordIterator::RecordIterator(const Batch& batch)
    : position_(batch.body.data()),
      end_(position_ + batch.body.size()),
      base_offset_(batch.header.base_offset.value()),
      base_timestamp_(batch.header.base_timestamp),
      timestamp_delta_mask_(-1),
      remaining_(batch.header.record_count) {
  if ((batch.header.attributes & kLogAppendTimeBit) != 0) {
    base_timestamp_ = batch.header.max_timestamp;
    timestamp_delta_mask_ = 0;
  }
  // Compressed bytes are no records: no count fits them.
  if ((batch.header.attributes & kCompressionMask) != 0) remaining_ = -1;
}

bool RecordIterator::Stop() {
  if (remaining_ != 0 || position_ != end_) ok_ = false;
  return false;
}

HeaderIterator::HeaderIterator(const RecordView& record)
    : position_(record.encoded_headers.data()),
      end_(position_ + record.encoded_headers.size()),
      remaining_(record.header_count) {}

bool HeaderIterator::Next(Header& header) {
  if (remaining_ == 0) {
    if (position_ != end_) ok_ = false;
    return false;
  }
  std::optional<std::string_view> key;
  const char* in = internal::ReadBytes(position_, end_, &key);
  if (in != nullptr && key.has_value()) in = internal::ReadBytes(in, end_, &header.value);
  if (in == nullptr || !key.has_value()) {
    ok_ = false;
    return false;
  }
  header.key = *key;
  position_ = in;
  --remaining_;
  return true;
}

BatchBuilder::BatchBuilder(base::Ref<base::Buffer> buffer, size_t limit_bytes,
                           int64_t base_timestamp)
    : buffer_(std::move(buffer)),
      begin_(buffer_->data()),
      position_(begin_),
      end_(begin_ + limit_bytes),
      base_timestamp_(base_timestamp) {
  assert(limit_bytes <= buffer_->capacity());
  assert(limit_bytes <= std::numeric_limits<int32_t>::max() - kBatchHeaderBytes);
}

size_t BatchBuilder::MaxRecordBytes(const std::optional<std::string_view>& key,
                                    const std::optional<std::string_view>& value,
                                    std::span<const Header> headers) {
  // Length, attributes, timestamp delta, offset delta; then what does not depend on the batch.
  return base::kMaxVarintBytes + 1 + base::kMaxVarlongBytes + base::kMaxVarintBytes +
         internal::BytesWithLength(key) + internal::BytesWithLength(value) + HeadersBytes(headers);
}

size_t BatchBuilder::HeadersBytes(std::span<const Header> headers) {
  size_t bytes = static_cast<size_t>(base::VarintBytes(static_cast<int64_t>(headers.size())));
  for (const Header& header : headers) {
    bytes += internal::BytesWithLength(header.key) + internal::BytesWithLength(header.value);
  }
  return bytes;
}

char* BatchBuilder::WriteHeaders(char* out, std::span<const Header> headers) {
  out = base::WriteVarint(out, static_cast<int64_t>(headers.size()));
  for (const Header& header : headers) {
    out = internal::WriteBytes(out, header.key);
    out = internal::WriteBytes(out, header.value);
  }
  return out;
}

Batch BatchBuilder::Build(const Stamp& stamp, base::BufferPool* pool) && {
  assert(record_count_ > 0);
  const size_t size = body_bytes();
  if (pool != nullptr && size < buffer_->capacity() / 2 &&
      buffer_->capacity() > kSmallestBufferBytes) {
    base::Ref<base::Buffer> smaller = pool->Allocate(size);
    std::memcpy(smaller->data(), begin_, size);
    buffer_ = std::move(smaller);
  }
  Batch batch{.header = {.batch_length = static_cast<int32_t>(kBatchHeaderBytes -
                                                              kBytesBeforeLengthEnds + size),
                         .last_offset_delta = record_count_ - 1,
                         .base_timestamp = base_timestamp_,
                         .max_timestamp = max_timestamp_,
                         .record_count = record_count_},
              .body = base::Slice(std::move(buffer_), 0, size)};
  Restamp(batch, stamp);
  return batch;
}

void Restamp(Batch& batch, const BatchBuilder::Stamp& stamp) {
  batch.header.producer_id = stamp.producer_id;
  batch.header.producer_epoch = stamp.producer_epoch;
  batch.header.base_sequence = stamp.base_sequence;
  batch.header.attributes = stamp.attributes;
  batch.header.crc = ComputeCrc(batch.header, batch.body.view());
}

}  // namespace kafkalite::format
