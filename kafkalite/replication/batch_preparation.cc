#include "kafkalite/replication/batch_preparation.h"

#include <limits>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/format/compressed_batch.h"

namespace kafkalite::replication {

using format::Codec;
using model::CompressionType;
using model::ErrorCode;

namespace {

bool ChecksTimestamps(const model::TopicConfig& config) {
  return config.message_timestamp_type == model::TimestampType::kCreateTime &&
         config.message_timestamp_difference_max_ms != model::kMaxLong;
}

bool Repacks(const format::BatchHeader& header, const model::TopicConfig& config) {
  return config.compression_type != CompressionType::kProducer &&
         static_cast<int8_t>(format::CodecOf(header)) !=
             static_cast<int8_t>(config.compression_type);
}

// Of clocks and settings, neither of which may wrap.
int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

absl::Status CheckTimestamps(const format::Batch& plain, int64_t difference_max, int64_t now_millis,
                             ErrorCode& error) {
  const int64_t earliest = SaturatingAdd(now_millis, -difference_max);
  const int64_t latest = SaturatingAdd(now_millis, difference_max);
  format::RecordIterator it(plain);
  format::RecordView record;
  while (it.Next(record)) {
    if (record.timestamp == format::kNoTimestamp) continue;
    if (record.timestamp >= earliest && record.timestamp <= latest) continue;
    error = ErrorCode::kInvalidTimestamp;
    return absl::InvalidArgumentError(base::ToAbsl(base::Cat(
        "Timestamp ", record.timestamp, " of message with offset ", record.offset.value(),
        " is out of range. The timestamp should be within [", earliest, ", ", latest, "]")));
  }
  if (it.ok()) return absl::OkStatus();
  error = ErrorCode::kCorruptMessage;
  return absl::InvalidArgumentError("the batch's records make no sense");
}

}  // namespace

bool NeedsPreparation(const format::BatchHeader& header, const model::TopicConfig& config) {
  return Repacks(header, config) || ChecksTimestamps(config);
}

absl::Status PrepareBatch(format::Batch& batch, const model::TopicConfig& config,
                          int64_t now_millis, base::BufferPool& pool, ErrorCode& error) {
  auto plain = format::DecompressBatch(batch, kMaxUnpackedBytes, pool);
  if (!plain.ok()) {
    error = absl::IsResourceExhausted(plain.status()) ? ErrorCode::kMessageTooLarge
                                                      : ErrorCode::kCorruptMessage;
    return plain.status();
  }
  if (ChecksTimestamps(config)) {
    const absl::Status checked =
        CheckTimestamps(*plain, config.message_timestamp_difference_max_ms, now_millis, error);
    if (!checked.ok()) return checked;
  }
  if (!Repacks(batch.header, config)) return absl::OkStatus();
  const auto codec = static_cast<Codec>(config.compression_type);
  auto packed = format::CompressBatch(*std::move(plain), codec, /*level=*/{}, pool);
  if (!packed.ok()) {
    error = ErrorCode::kUnknownServerError;
    return packed.status();
  }
  batch = *std::move(packed);
  return absl::OkStatus();
}

}  // namespace kafkalite::replication
