#include "kafkalite/client/partitioner.h"

#include <algorithm>
#include <cstddef>

#include "kafkalite/partitioner.h"

namespace kafkalite::client {

int32_t Murmur2(std::string_view bytes) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kM = 0x5bd1e995;
  constexpr int kR = 24;

  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  uint32_t h = kSeed ^ static_cast<uint32_t>(bytes.size());
  const size_t whole = bytes.size() & ~size_t{3};
  for (size_t i = 0; i < whole; i += 4) {
    uint32_t k = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
    k *= kM;
    k ^= k >> kR;
    k *= kM;
    h *= kM;
    h ^= k;
  }
  const size_t rest = bytes.size() - whole;
  if (rest == 3) h ^= byte(whole + 2) << 16;
  if (rest >= 2) h ^= byte(whole + 1) << 8;
  if (rest >= 1) {
    h ^= byte(whole);
    h *= kM;
  }
  h ^= h >> 13;
  h *= kM;
  h ^= h >> 15;
  return static_cast<int32_t>(h);
}

int32_t NextInTurn(std::atomic<uint32_t>& turn, std::span<const std::atomic<bool>> has_leader) {
  const auto count = static_cast<uint32_t>(has_leader.size());
  const uint32_t first = turn.fetch_add(1, std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t partition = (first + i) % count;
    if (!has_leader[partition].load(std::memory_order_relaxed)) continue;
    // Whom a partition without a leader is passed over for does not have the next turn, too.
    if (i > 0) turn.fetch_add(i, std::memory_order_relaxed);
    return static_cast<int32_t>(partition);
  }
  return static_cast<int32_t>(first % count);
}

void StickyPartition::Leave(int32_t partition) {
  if (single_.load(std::memory_order_relaxed) || current() != partition) return;
  base::MutexLock lock(mu_);
  if (current() != partition) return;
  // Any but this one.
  const size_t others = candidates_.size() - 1;
  size_t next = random_.Below(others);
  if (candidates_[next] == partition) next = others;
  current_.store(candidates_[next], std::memory_order_relaxed);
}

void StickyPartition::SetLeaders(const std::vector<bool>& has_leader) {
  const bool any = std::find(has_leader.begin(), has_leader.end(), true) != has_leader.end();
  base::MutexLock lock(mu_);
  candidates_.clear();
  for (size_t i = 0; i < has_leader.size(); ++i) {
    if (has_leader[i] || !any) candidates_.push_back(static_cast<int32_t>(i));
  }
  single_.store(candidates_.size() == 1, std::memory_order_relaxed);
  if (!std::binary_search(candidates_.begin(), candidates_.end(), current())) {
    current_.store(candidates_[random_.Below(candidates_.size())], std::memory_order_relaxed);
  }
}

}  // namespace kafkalite::client

namespace kafkalite {

int32_t PartitionOfKey(std::string_view key, int32_t partitions) {
  return (client::Murmur2(key) & 0x7fffffff) % partitions;  // Java's toPositive
}

}  // namespace kafkalite
