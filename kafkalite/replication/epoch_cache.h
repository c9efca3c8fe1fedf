// File: epoch_cache.h
//
// Which leader epoch began at which offset of a log: what followers truncate by (KIP-101).
// Invariant: epochs and offsets both rise strictly. Pure; thread safety: none.

#ifndef KAFKALITE_REPLICATION_EPOCH_CACHE_H_
#define KAFKALITE_REPLICATION_EPOCH_CACHE_H_

#include <cstdint>
#include <vector>

#include "kafkalite/model/ids.h"

namespace kafkalite::replication {

struct EpochEnd {
  model::LeaderEpoch epoch = model::kNoEpoch;
  model::Offset end_offset{-1};
  bool operator==(const EpochEnd&) const = default;
};

class EpochCache {
 public:
  struct Entry {
    model::LeaderEpoch epoch;
    model::Offset start_offset;
    bool operator==(const Entry&) const = default;
  };

  // `epoch` begins at `start`. Entries that it contradicts (a larger epoch before, or one that
  // begins at the same offset or later: it never had a record) go (KAFKA-7415).
  void Assign(model::LeaderEpoch epoch, model::Offset start);

  // The largest epoch at or below `asked`, and where it ends in a log that ends at `log_end`
  // (KIP-279). Below the first entry: `asked` itself and the first entry's start. Above the last
  // one, or with no entries: kNoEpoch, -1.
  EpochEnd EndOf(model::LeaderEpoch asked, model::Offset log_end) const;

  // After the log was truncated to [start, end). An epoch that began exactly at `end` goes too: a
  // leader assigns its own anew.
  void TruncateSuffix(model::Offset end);
  void TruncatePrefix(model::Offset start);

  // The epoch of the log's last record, kNoEpoch if it never had one.
  model::LeaderEpoch latest() const {
    return entries_.empty() ? model::kNoEpoch : entries_.back().epoch;
  }
  const std::vector<Entry>& entries() const { return entries_; }
  // Rises whenever the entries change.
  uint64_t changes() const { return changes_; }

 private:
  std::vector<Entry> entries_;
  uint64_t changes_ = 0;
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_EPOCH_CACHE_H_
