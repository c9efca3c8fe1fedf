// File: batch_preparation.h
//
// What a leader does with a batch before it may be appended, where its topic asks for it: compares
// the records' timestamps with the clock (message.timestamp.difference.max.ms), and packs the
// records anew (compression.type). That is work for each record: it is done outside of the
// partition's strand.
//
// Thread safety: pure functions.

#ifndef KAFKALITE_REPLICATION_BATCH_PREPARATION_H_
#define KAFKALITE_REPLICATION_BATCH_PREPARATION_H_

#include "absl/status/status.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite::replication {

// What a leader unpacks of one batch at most: as much as Kafka's brokers take in one request
// (socket.request.max.bytes).
inline constexpr size_t kMaxUnpackedBytes = 100 << 20;

// Whether PrepareBatch has anything to do.
bool NeedsPreparation(const format::BatchHeader& header, const model::TopicConfig& config);

// Checks and repacks the batch. Not OK: it is refused, and `error` says by which of Kafka's errors:
//   kInvalidTimestamp  a record's timestamp is too far from `now_millis`
//   kMessageTooLarge   more than kMaxUnpackedBytes would come out
//   kCorruptMessage    the records cannot be unpacked, or do not make sense
absl::Status PrepareBatch(format::Batch& batch, const model::TopicConfig& config,
                          int64_t now_millis, base::BufferPool& pool, model::ErrorCode& error);

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_BATCH_PREPARATION_H_
