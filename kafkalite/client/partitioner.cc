#include "kafkalite/client/partitioner.h"

#include <algorithm>
#include <limits>

#include "kafkalite/client/timeouts.h"

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

StickyPartition::StickyPartition(uint64_t seed, const DefaultPartitionerOptions& options)
    : adaptive_(options.adaptive),
      availability_timeout_(options.adaptive ? ToDuration(options.availability_timeout)
                                             : base::Duration::zero()),
      random_(seed) {}

void StickyPartition::Count(int32_t partition, size_t bytes, bool full) {
  if (current() != partition) return;
  if (full) bytes = turn_bytes_.load(std::memory_order_relaxed);
  counted_.fetch_add(bytes, std::memory_order_relaxed);
}

void StickyPartition::LeaveIfDone(int32_t partition, const base::Clock& clock) {
  const auto stays = [&] {
    return current() != partition ||
           counted_.load(std::memory_order_relaxed) < turn_bytes_.load(std::memory_order_relaxed);
  };
  if (single_.load(std::memory_order_relaxed) || stays()) return;
  base::MutexLock lock(mu_);
  if (single_.load(std::memory_order_relaxed) || stays()) return;
  Turn(adaptive_ ? ChooseByLoad(clock) : ChooseAnother());
}

void StickyPartition::Turn(int32_t partition) {
  counted_.store(0, std::memory_order_relaxed);
  current_.store(partition, std::memory_order_relaxed);
}

int32_t StickyPartition::ChooseAnother() {
  const size_t others = candidates_.size() - 1;
  const size_t next = random_.Below(others);
  return candidates_[candidates_[next] == current() ? others : next];
}

int32_t StickyPartition::ChooseByLoad(const base::Clock& clock) {
  constexpr int32_t kStuck = -1;
  const base::Time now = times_availability() ? clock.Now() : base::Time();
  int32_t least = std::numeric_limits<int32_t>::max(), most = 0;
  bool stuck = false;
  weights_.clear();  // queue lengths at first
  for (const int32_t candidate : candidates_) {
    const PartitionLoad& load = loads_[static_cast<size_t>(candidate)];
    const int32_t queued = load.queued.load(std::memory_order_relaxed);
    if (times_availability() && queued > 0 &&
        now - load.progress_at.load(std::memory_order_relaxed) > availability_timeout_) {
      stuck = true;
      weights_.push_back(kStuck);
      continue;
    }
    least = std::min(least, queued);
    most = std::max(most, queued);
    weights_.push_back(queued);
  }
  if (least > most || (!stuck && least == most)) return ChooseAnother();
  uint64_t total = 0;
  for (int32_t& weight : weights_) {
    weight = weight == kStuck ? 0 : most + 1 - weight;
    total += static_cast<uint64_t>(weight);
  }
  auto at = static_cast<int64_t>(random_.Below(total));
  size_t next = 0;
  while (at >= weights_[next]) at -= weights_[next++];
  return candidates_[next];
}

PartitionLoad& StickyPartition::LoadOf(int32_t partition) {
  base::MutexLock lock(mu_);
  while (loads_.size() <= static_cast<size_t>(partition)) loads_.emplace_back();
  return loads_[static_cast<size_t>(partition)];
}

void StickyPartition::SetLeaders(const std::vector<bool>& has_leader) {
  const bool any = std::find(has_leader.begin(), has_leader.end(), true) != has_leader.end();
  base::MutexLock lock(mu_);
  while (loads_.size() < has_leader.size()) loads_.emplace_back();
  candidates_.clear();
  for (size_t i = 0; i < has_leader.size(); ++i) {
    if (has_leader[i] || !any) candidates_.push_back(static_cast<int32_t>(i));
  }
  single_.store(candidates_.size() == 1, std::memory_order_relaxed);
  if (!std::binary_search(candidates_.begin(), candidates_.end(), current())) {
    Turn(candidates_[random_.Below(candidates_.size())]);
  }
}

}  // namespace kafkalite::client

namespace kafkalite {

int32_t PartitionOfKey(std::string_view key, int32_t partitions) {
  return (client::Murmur2(key) & 0x7fffffff) % partitions;  // Java's toPositive
}

}  // namespace kafkalite
