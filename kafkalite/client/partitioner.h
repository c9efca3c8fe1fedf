// File: partitioner.h
//
// What the producer's own partitioners (see kafkalite/partitioner.h) are made of.

#ifndef KAFKALITE_CLIENT_PARTITIONER_H_
#define KAFKALITE_CLIENT_PARTITIONER_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"

namespace kafkalite::client {

// Java's Utils.murmur2.
int32_t Murmur2(std::string_view bytes);

// The next partition after `turn`, of those that have a leader, or of all if none has one.
// REQUIRES: there is a partition.
int32_t NextInTurn(std::atomic<uint32_t>& turn, std::span<const std::atomic<bool>> has_leader);

// The partition of one topic's records without a key (KIP-480). Thread safety: any thread.
class StickyPartition {
 public:
  // No partition yet: SetLeaders first.
  explicit StickyPartition(uint64_t seed) : random_(seed) {}

  int32_t current() const { return current_.load(std::memory_order_relaxed); }

  // A batch of `partition` was sealed: if it is the current one, it is another one's turn.
  void Leave(int32_t partition);

  // Which partitions there are, and whether each has a leader: only those have a turn, or all if
  // none has one. REQUIRES: not empty.
  void SetLeaders(const std::vector<bool>& has_leader);

 private:
  std::atomic<int32_t> current_{-1};
  base::Mutex mu_;
  base::Random random_ ABSL_GUARDED_BY(mu_);
  std::vector<int32_t> candidates_ ABSL_GUARDED_BY(mu_);  // sorted
  std::atomic<bool> single_{true};
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PARTITIONER_H_
