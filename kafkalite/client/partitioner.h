// File: partitioner.h
//
// Which partition a record goes to that names none: by its key, as Java's producer does, so that
// both put equal keys into one place; or, without a key, one that changes with each batch.

#ifndef KAFKALITE_CLIENT_PARTITIONER_H_
#define KAFKALITE_CLIENT_PARTITIONER_H_

#include <atomic>
#include <cstdint>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"

namespace kafkalite::client {

// Java's Utils.murmur2.
int32_t Murmur2(std::string_view bytes);

// REQUIRES: partitions > 0.
inline int32_t PartitionOfKey(std::string_view key, int32_t partitions) {
  return (Murmur2(key) & 0x7fffffff) % partitions;  // Java's toPositive
}

// The partition of one topic's records without a key. Thread safety: any thread.
class StickyPartition {
 public:
  StickyPartition(uint64_t seed, int32_t partitions) : random_(seed) { SetCount(partitions); }

  int32_t current() const { return current_.load(std::memory_order_relaxed); }

  // A batch of `partition` was sealed: if it is the current one, it is another one's turn.
  void Leave(int32_t partition);

  // The topic has grown, or was made anew with fewer. REQUIRES: partitions > 0.
  void SetCount(int32_t partitions);

 private:
  std::atomic<int32_t> current_{-1};
  base::Mutex mu_;
  base::Random random_ ABSL_GUARDED_BY(mu_);
  int32_t count_ ABSL_GUARDED_BY(mu_) = 0;
  std::atomic<bool> single_{true};
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PARTITIONER_H_
