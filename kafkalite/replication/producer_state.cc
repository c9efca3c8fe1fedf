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
      return {.duplicate = Verdict::Duplicate{batch.base_offset, batch.last_offset}};
    }
  }
  const Remembered& last = producer.window[(producer.count - 1) % kWindow];
  if (header.base_sequence == NextSequence(last.last_sequence)) return {};
  return {.error = model::ErrorCode::kOutOfOrderSequenceNumber};
}

void ProducerState::Appended(const format::BatchHeader& header, base::Time now) {
  if (header.producer_id == model::kNoProducerId) return;
  Producer& producer = producers_[header.producer_id];
  if (header.producer_epoch != producer.epoch) {
    producer.epoch = header.producer_epoch;
    producer.count = 0;
  }
  producer.last_append = now;
  producer.window[producer.count % kWindow] = {header.base_sequence, header.last_sequence(),
                                               header.base_offset, header.last_offset()};
  // Keep the count small for ever without losing "how many are in the window".
  if (++producer.count >= 2 * kWindow * 1000) producer.count -= kWindow * 1000;
}

void ProducerState::Expire(base::Time time) {
  absl::erase_if(producers_, [&](const auto& entry) { return entry.second.last_append < time; });
}

}  // namespace kafkalite::replication
