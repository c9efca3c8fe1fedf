// File: producer_snapshot.h
//
// Kafka's producer snapshot, version 1: what a log knew of its idempotent producers when it ended
// at the offset by which the file is named ("00000000000000001500.snapshot"). Big endian:
//
//   version:2 crc:4 count:4
//   count * (producerId:8 epoch:2 lastSequence:4 lastOffset:8 offsetDelta:4 timestamp:8
//            coordinatorEpoch:4 currentTxnFirstOffset:8)
//
// The CRC-32C covers what follows it. Kafka writes a producer's last batch only. We write an entry
// for each of the last five, in order, so that what is sent again after a restart is still found:
// Kafka, reading one after the other, ends up with the last one, as it should.

#ifndef KAFKALITE_FORMAT_PRODUCER_SNAPSHOT_H_
#define KAFKALITE_FORMAT_PRODUCER_SNAPSHOT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::format {

struct ProducerSnapshotEntry {
  model::ProducerId producer_id = model::kNoProducerId;
  int16_t epoch = -1;
  // Of the last batch; -1 if the log holds no batch of it any more, only the end of a transaction.
  int32_t last_sequence = -1;
  model::Offset last_offset{-1};
  int32_t offset_delta = 0;  // the batch begins that much before last_offset
  int64_t timestamp = -1;    // of the last append, for expiry
  int32_t coordinator_epoch = -1;
  model::Offset current_txn_first_offset{-1};  // -1: no transaction is open

  bool operator==(const ProducerSnapshotEntry&) const = default;
};

std::string EncodeProducerSnapshot(std::span<const ProducerSnapshotEntry> producers);

// DATA_LOSS for a snapshot that is cut off or whose CRC does not match, INVALID_ARGUMENT for
// another version and for entries that no broker writes. Its producers are in the log, too: who
// gets an error reads that, or an older snapshot.
absl::StatusOr<std::vector<ProducerSnapshotEntry>> ParseProducerSnapshot(std::string_view bytes);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_PRODUCER_SNAPSHOT_H_
