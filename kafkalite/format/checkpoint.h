// File: checkpoint.h
//
// Kafka's checkpoint files: text, a version, the number of entries, an entry a line.
//
//   0                  0
//   2                  2
//   orders 0 1500      4 0        leader-epoch-checkpoint, beside one log: epoch, its first offset
//   orders 1 720       7 1200
//
// on the left recovery-point-offset-checkpoint, replication-offset-checkpoint and
// log-start-offset-checkpoint, one of each in a data directory: topic, partition, offset.
//
// A file without a byte holds no entries: Kafka makes it so before the first checkpoint.
//
// Errors: DATA_LOSS for a file that is cut off, INVALID_ARGUMENT for one that Kafka would not have
// written; both say in which line. Who reads names the file.

#ifndef KAFKALITE_FORMAT_CHECKPOINT_H_
#define KAFKALITE_FORMAT_CHECKPOINT_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::format {

using OffsetCheckpoint = std::map<model::TopicPartition, model::Offset>;

std::string EncodeOffsetCheckpoint(const OffsetCheckpoint& checkpoint);
// Every topic name is legal, every partition and offset at least 0, no partition twice.
absl::StatusOr<OffsetCheckpoint> ParseOffsetCheckpoint(std::string_view bytes);

struct EpochStart {
  model::LeaderEpoch epoch;
  model::Offset start_offset;
  bool operator==(const EpochStart&) const = default;
};

std::string EncodeEpochCheckpoint(std::span<const EpochStart> epochs);
// Epochs rise; offsets do not fall, but may be equal: Kafka 2.0 kept epochs that wrote nothing.
absl::StatusOr<std::vector<EpochStart>> ParseEpochCheckpoint(std::string_view bytes);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_CHECKPOINT_H_
