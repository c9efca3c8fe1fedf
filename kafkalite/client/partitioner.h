// File: partitioner.h
//
// What the producer's own partitioners (see kafkalite/partitioner.h) are made of.

#ifndef KAFKALITE_CLIENT_PARTITIONER_H_
#define KAFKALITE_CLIENT_PARTITIONER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"
#include "kafkalite/partitioner.h"

namespace kafkalite::client {

// Java's Utils.murmur2.
int32_t Murmur2(std::string_view bytes);

// The next partition after `turn`, of those that have a leader, or of all if none has one.
// REQUIRES: there is a partition.
int32_t NextInTurn(std::atomic<uint32_t>& turn, std::span<const std::atomic<bool>> has_leader);

// What waits in one partition, as its sender says. On a cache line of its own.
struct alignas(64) PartitionLoad {
  std::atomic<int32_t> queued{0};  // batches that are sealed and not in flight
  // When the first of those began to wait, or a batch was sent, whichever was later. Kept only
  // where there is an availability_timeout.
  std::atomic<base::Time> progress_at{};
};

// The partition of one topic's records without a key (KIP-794): each is the current one for as many
// bytes as a batch has, however many batches they are in. Were it another one's turn after each
// batch (KIP-480), partitions with a slow leader would get most: batches grow while they wait.
//
// Thread safety: any thread.
class StickyPartition {
 public:
  // No partition yet: SetLeaders first.
  StickyPartition(uint64_t seed, const DefaultPartitionerOptions& options);

  int32_t current() const { return current_.load(std::memory_order_relaxed); }

  // So many bytes of records make a turn.
  void SetTurnBytes(size_t bytes) { turn_bytes_.store(bytes, std::memory_order_relaxed); }
  // A batch of `partition` was sealed; a full one makes a turn. Takes no lock.
  void Count(int32_t partition, size_t bytes, bool full);
  // If `partition` is the current one and has had its turn, it is another one's.
  void LeaveIfDone(int32_t partition, const base::Clock& clock);

  // Which partitions there are, and whether each has a leader: only those have a turn, or all if
  // none has one. REQUIRES: not empty.
  void SetLeaders(const std::vector<bool>& has_leader);

  // Of one partition; lives as long as this.
  PartitionLoad& LoadOf(int32_t partition);
  bool times_availability() const { return availability_timeout_ > base::Duration::zero(); }

 private:
  void Turn(int32_t partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // By how little waits in each; the current one again if all of them are stuck but it.
  int32_t ChooseByLoad(const base::Clock& clock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int32_t ChooseAnother() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const bool adaptive_;
  const base::Duration availability_timeout_;
  std::atomic<int32_t> current_{-1};
  std::atomic<size_t> turn_bytes_{0};
  std::atomic<size_t> counted_{0};  // of the current one's turn
  std::atomic<bool> single_{true};

  base::Mutex mu_;
  base::Random random_ ABSL_GUARDED_BY(mu_);
  std::vector<int32_t> candidates_ ABSL_GUARDED_BY(mu_);  // sorted
  std::deque<PartitionLoad> loads_ ABSL_GUARDED_BY(mu_);  // by partition
  std::vector<int32_t> weights_ ABSL_GUARDED_BY(mu_);     // of candidates_; keeps its room
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PARTITIONER_H_
