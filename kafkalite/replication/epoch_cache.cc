#include "kafkalite/replication/epoch_cache.h"

#include <algorithm>

namespace kafkalite::replication {

using model::LeaderEpoch;
using model::Offset;

void EpochCache::Assign(LeaderEpoch epoch, Offset start) {
  if (!entries_.empty() && entries_.back().epoch == epoch &&
      entries_.back().start_offset <= start) {
    return;
  }
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start_offset >= start)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start});
  ++changes_;
}

EpochEnd EpochCache::EndOf(LeaderEpoch asked, Offset log_end) const {
  if (entries_.empty() || asked > entries_.back().epoch || asked == model::kNoEpoch) return {};
  if (asked == entries_.back().epoch) return {asked, log_end};
  const auto higher = std::partition_point(entries_.begin(), entries_.end(),
                                           [&](const Entry& e) { return e.epoch <= asked; });
  if (higher == entries_.begin()) return {asked, higher->start_offset};
  return {std::prev(higher)->epoch, higher->start_offset};
}

void EpochCache::TruncateSuffix(Offset end) {
  for (; !entries_.empty() && entries_.back().start_offset >= end; ++changes_) entries_.pop_back();
}

void EpochCache::TruncatePrefix(Offset start) {
  // The epoch in force at `start` now begins there.
  size_t covering = 0;
  while (covering + 1 < entries_.size() && entries_[covering + 1].start_offset <= start) ++covering;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(covering));
  if (!entries_.empty() && entries_.front().start_offset < start) {
    entries_.front().start_offset = start;
    ++changes_;
  }
}

}  // namespace kafkalite::replication
