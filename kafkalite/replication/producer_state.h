// File: producer_state.h
//
// What a replica remembers of idempotent producers: the last five batches of each (KIP-98), so that
// a batch that is sent again is recognised, on any replica that becomes leader. Rebuilt from the
// log's headers. Pure; thread safety: none.

#ifndef KAFKALITE_REPLICATION_PRODUCER_STATE_H_
#define KAFKALITE_REPLICATION_PRODUCER_STATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/format/producer_snapshot.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::replication {

// One moment, as the process measures time and as the world does.
struct Clocks {
  base::Time steady;
  int64_t wall_millis = 0;
};

class ProducerState {
 public:
  static constexpr size_t kWindow = 5;

  struct Verdict {
    // kNone: append it. kOutOfOrderSequenceNumber, kInvalidProducerEpoch: refuse it.
    // kDuplicateSequenceNumber: it is in the log, nobody knows where.
    model::ErrorCode error = model::ErrorCode::kNone;
    // It is in the log already: at these offsets. Answer with the first, append nothing.
    struct Duplicate {
      model::Offset base_offset;
      model::Offset last_offset;
      int64_t append_time;  // see BatchHeader
    };
    std::optional<Duplicate> duplicate;
  };

  // What a leader has to do with a batch from a client. Changes nothing (KAFKA-6683).
  Verdict Check(const format::BatchHeader& header) const;

  // After an append, at a leader or a follower; whatever the leader accepted counts (KAFKA-6003).
  // `now` counts for expiry, and not the records' timestamps, which are the application's: who
  // writes down what is long past has not stopped writing.
  void Appended(const format::BatchHeader& header, base::Time now);

  // Everything that is known: an entry for each batch, in order, sorted by producer.
  std::vector<format::ProducerSnapshotEntry> Snapshot(const Clocks& now) const;
  // Takes a snapshot over, as the first thing; Appended() follows for what comes after it. Kafka's
  // own have each producer's last batch only.
  void Restore(std::span<const format::ProducerSnapshotEntry> snapshot, const Clocks& now);

  // Forgets producers whose last batch was appended before `time`.
  void Expire(base::Time time);

  size_t size() const { return producers_.size(); }

 private:
  struct Remembered {
    int32_t first_sequence;
    int32_t last_sequence;
    model::Offset base_offset;
    model::Offset last_offset;
    int64_t append_time;
  };
  struct Producer {
    int16_t epoch = -1;
    base::Time last_append;
    uint32_t count = 0;     // of batches ever remembered; the window is the last kWindow of them
    bool restored = false;  // there were batches before the first one
    std::array<Remembered, kWindow> window;
  };

  absl::flat_hash_map<model::ProducerId, Producer> producers_;
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_PRODUCER_STATE_H_
