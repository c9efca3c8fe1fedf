#include "kafkalite/replication/producer_state.h"

#include <algorithm>
#include <limits>

#include "kafkalite/replication/mutants.h"

namespace kafkalite::replication {
namespace {

// Sequences wrap from 2147483647 to 0.
int32_t NextSequence(int32_t sequence) {
  return sequence == std::numeric_limits<int32_t>::max() ? 0 : sequence + 1;
}

int32_t SequenceBefore(int32_t sequence, int32_t distance) {
  return static_cast<int32_t>((int64_t{sequence} - distance) & std::numeric_limits<int32_t>::max());
}

// By less than half of the way around.
bool IsBefore(int32_t a, int32_t b) {
  const int32_t distance = SequenceBefore(b, a);
  return distance > 0 && distance < (1 << 30);
}

}  // namespace

ProducerState::Verdict ProducerState::Check(const format::BatchHeader& header) const {
  if (header.producer_id == model::kNoProducerId) return {};
  const auto found = producers_.find(header.producer_id);
  if (found == producers_.end()) {
    // Nothing is known: after retention or expiry dropped what was. Kafka accepts any sequence
    // then.
    return {};
  }
  const Producer& producer = found->second;
  if (header.producer_epoch < producer.epoch) {
    return {.error = model::ErrorCode::kInvalidProducerEpoch};
  }
  if (header.producer_epoch > producer.epoch) {
    if (header.base_sequence == 0) return {};
    return {.error = model::ErrorCode::kOutOfOrderSequenceNumber};
  }
  const size_t window = kMutantDedupWindowOfOne ? 1 : kWindow;
  const size_t kept = std::min<size_t>(producer.count, window);
  for (size_t back = 1; back <= kept; ++back) {
    const Remembered& batch = producer.window[(producer.count - back) % kWindow];
    if (batch.first_sequence == header.base_sequence &&
        batch.last_sequence == header.last_sequence()) {
      return {.duplicate =
                  Verdict::Duplicate{batch.base_offset, batch.last_offset, batch.append_time}};
    }
  }
  const Remembered& last = producer.window[(producer.count - 1) % kWindow];
  if (header.base_sequence == NextSequence(last.last_sequence)) return {};
  // A sequence is used once: one of the batches that the snapshot did not have.
  if (producer.restored && producer.count < kWindow &&
      IsBefore(header.last_sequence(), last.last_sequence)) {
    return {.error = model::ErrorCode::kDuplicateSequenceNumber};
  }
  return {.error = model::ErrorCode::kOutOfOrderSequenceNumber};
}

void ProducerState::Appended(const format::BatchHeader& header, base::Time now) {
  if (header.producer_id == model::kNoProducerId) return;
  Producer& producer = producers_[header.producer_id];
  if (header.producer_epoch != producer.epoch) {
    producer.epoch = header.producer_epoch;
    producer.count = 0;
    producer.restored = false;
  }
  producer.last_append = now;
  producer.window[producer.count % kWindow] = {header.base_sequence, header.last_sequence(),
                                               header.base_offset, header.last_offset(),
                                               header.append_time()};
  // Keep the count small for ever without losing "how many are in the window".
  if (++producer.count >= 2 * kWindow * 1000) producer.count -= kWindow * 1000;
}

std::vector<format::ProducerSnapshotEntry> ProducerState::Snapshot(const Clocks& now) const {
  std::vector<model::ProducerId> ids;
  for (const auto& [id, producer] : producers_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  std::vector<format::ProducerSnapshotEntry> entries;
  for (const model::ProducerId id : ids) {
    const Producer& producer = producers_.at(id);
    const auto age =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.steady - producer.last_append);
    for (size_t back = std::min<size_t>(producer.count, kWindow); back > 0; --back) {
      const Remembered& batch = producer.window[(producer.count - back) % kWindow];
      entries.push_back(
          {.producer_id = id,
           .epoch = producer.epoch,
           .last_sequence = batch.last_sequence,
           .last_offset = batch.last_offset,
           .offset_delta = static_cast<int32_t>(batch.last_offset - batch.base_offset),
           .timestamp = now.wall_millis - age.count()});
    }
  }
  return entries;
}

void ProducerState::Restore(std::span<const format::ProducerSnapshotEntry> snapshot,
                            const Clocks& now) {
  for (const format::ProducerSnapshotEntry& entry : snapshot) {
    if (entry.last_sequence < 0) continue;  // the end of a transaction only: any sequence is right
    Producer& producer = producers_[entry.producer_id];
    if (producer.epoch != entry.epoch) producer.count = 0;
    producer.epoch = entry.epoch;
    producer.restored = true;
    producer.window[producer.count++ % kWindow] = {
        SequenceBefore(entry.last_sequence, entry.offset_delta), entry.last_sequence,
        entry.last_offset - entry.offset_delta, entry.last_offset,
        /*append_time=*/-1};  // a snapshot does not say
    // Of clocks that were set meanwhile no more is believed than a day.
    constexpr int64_t kDay = 24 * 3600 * 1000;
    const int64_t age = std::clamp<int64_t>(now.wall_millis - entry.timestamp, 0, kDay);
    producer.last_append = now.steady - std::chrono::milliseconds(age);
  }
}

void ProducerState::Expire(base::Time time) {
  absl::erase_if(producers_, [&](const auto& entry) { return entry.second.last_append < time; });
}

}  // namespace kafkalite::replication
