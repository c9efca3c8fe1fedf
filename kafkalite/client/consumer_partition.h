// File: consumer_partition.h
//
// What a consumer knows of one partition that it reads, or whose offset it looks up.
//
// Thread safety: none; it belongs to whoever is inside a call of the consumer.

#ifndef KAFKALITE_CLIENT_CONSUMER_PARTITION_H_
#define KAFKALITE_CLIENT_CONSUMER_PARTITION_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/fetched_batches.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

struct ConsumerPartition {
  explicit ConsumerPartition(model::TopicPartition a_tp) : tp(std::move(a_tp)) {}

  const model::TopicPartition tp;
  // Only an offset is wanted: there may be none, then `position` becomes -1.
  bool lookup_only = false;
  // Raised by whatever makes an answer that is under way meaningless.
  uint64_t generation = 0;
  bool asked = false;   // an answer of this generation is under way
  bool paused = false;  // nothing is fetched or returned

  std::optional<model::Offset> position;
  // While there is no position: the timestamp whose offset it will be; and, once it has been found,
  // the record's own.
  std::optional<int64_t> lookup;
  int64_t found_timestamp = -1;
  std::optional<model::Offset> high_watermark;  // as a leader told last

  model::BrokerId leader = model::kNoBroker;  // as far as known
  model::LeaderEpoch leader_epoch = model::kNoEpoch;
  // Nothing is asked before; after each failure in a row the pause is longer.
  base::Time retry_at = base::Time::min();
  base::Duration pause = base::Duration::zero();

  FetchedBatches fetched;  // not yet returned
  absl::Status error;      // not yet returned

  std::string Describe() const {
    return base::Cat("partition ", tp.partition.value(), " of topic '", tp.topic, "'");
  }

  // Forgets the answers under way, what is buffered and the error.
  void Detach() {
    ++generation;
    asked = false;
    fetched.Clear();
    error = absl::OkStatus();
  }
  void SeekTo(model::Offset offset) {
    Detach();
    position = offset;
    lookup.reset();
  }
  void LookUp(int64_t timestamp) {
    Detach();
    position.reset();
    lookup = timestamp;
  }
  // Finds the leader again, after a pause from the second failure on.
  void Fail(base::Time now) {
    constexpr base::Duration kFirstPause = std::chrono::milliseconds(5);
    constexpr base::Duration kLongestPause = std::chrono::milliseconds(100);
    leader = model::kNoBroker;
    retry_at = now + pause;
    pause = std::clamp(2 * pause, kFirstPause, kLongestPause);
  }
  // How many records are before it up to the high watermark, as far as known.
  std::optional<int64_t> lag() const {
    if (!position.has_value() || !high_watermark.has_value()) return std::nullopt;
    return std::max<int64_t>(high_watermark->value() - position->value(), 0);
  }
};

using ConsumerPartitionRef = std::shared_ptr<ConsumerPartition>;
using ConsumerPartitions = std::vector<ConsumerPartitionRef>;

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_PARTITION_H_
