#include "kafkalite/client/partitioner.h"

#include <cstddef>

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

void StickyPartition::Leave(int32_t partition) {
  if (single_.load(std::memory_order_relaxed) || current() != partition) return;
  base::MutexLock lock(mu_);
  if (current() != partition) return;
  // Any but this one.
  const auto step = 1 + static_cast<int32_t>(random_.Below(static_cast<uint64_t>(count_ - 1)));
  current_.store((partition + step) % count_, std::memory_order_relaxed);
}

void StickyPartition::SetCount(int32_t partitions) {
  base::MutexLock lock(mu_);
  count_ = partitions;
  single_.store(partitions == 1, std::memory_order_relaxed);
  if (current() < 0 || current() >= partitions) {
    const auto first = random_.Below(static_cast<uint64_t>(partitions));
    current_.store(static_cast<int32_t>(first), std::memory_order_relaxed);
  }
}

}  // namespace kafkalite::client
