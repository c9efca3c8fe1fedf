// File: partitioner.h
//
// Which partition a record goes to that names none. Included by producer_options.h.
//
//   options.partitioner = kafkalite::Partitioner::RoundRobin();
//   options.partitioner = kafkalite::Partitioner::Custom([](const kafkalite::PartitionerInput& in)
//   {
//     if (in.key == "urgent") return 0;
//     return 1 + kafkalite::PartitionOfKey(in.key.value_or(""), in.partitions - 1);
//   });

#ifndef KAFKALITE_PARTITIONER_H_
#define KAFKALITE_PARTITIONER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace kafkalite {

// What a partitioner of the user's own decides by. The views live as long as the call.
struct PartitionerInput {
  std::string_view topic;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int32_t partitions = 0;  // of the topic: 0 to partitions - 1
  // By partition: whether it has a leader, as far as known. Records for one that has none wait.
  std::span<const std::atomic<bool>> has_leader;
};

// By hash, as Java's producer does for records with a key (murmur2), so that both put equal keys
// into one place. REQUIRES: partitions > 0.
int32_t PartitionOfKey(std::string_view key, int32_t partitions);

// What Java's default may be told. Kafka's names are beside each.
struct DefaultPartitionerOptions {
  // Keys decide nothing.
  bool ignore_keys = false;  // partitioner.ignore.keys
  // The more batches wait in a partition, the more seldom it has a turn.
  bool adaptive = true;  // partitioner.adaptive.partitioning.enable
  // A partition where batches wait and none was sent for so long has none. Zero: for however long.
  // Only if `adaptive`.
  std::chrono::milliseconds availability_timeout{0};  // partitioner.availability.timeout.ms
};

class Partitioner {
 public:
  // A partition. Another number than 0 to partitions - 1 refuses the record: INVALID_ARGUMENT.
  // Called once for each record, inside Send, with no lock held. Thread safety: it must bear to be
  // called by several threads at once. It must not wait for anything.
  using Function = std::function<int32_t(const PartitionerInput&)>;

  // As Java's default (KIP-480, KIP-794): records with a key by PartitionOfKey; those without stay
  // in one partition until a full batch, or batch_size_bytes in several, went there, and then go to
  // another one that has a leader.
  Partitioner() = default;
  static Partitioner Default(const DefaultPartitionerOptions& options = {}) {
    Partitioner partitioner;
    partitioner.default_options_ = options;
    return partitioner;
  }
  // As Java's RoundRobinPartitioner: all records in turn, those with keys too, over the partitions
  // that have a leader. A new batch skips no partition (KAFKA-9965).
  static Partitioner RoundRobin() { return Partitioner(Kind::kRoundRobin, nullptr); }
  static Partitioner Custom(Function function) {
    return Partitioner(Kind::kCustom, std::move(function));
  }

  enum class Kind { kDefault, kRoundRobin, kCustom };
  Kind kind() const { return kind_; }
  const Function& function() const { return function_; }
  const DefaultPartitionerOptions& default_options() const { return default_options_; }

 private:
  Partitioner(Kind kind, Function function) : kind_(kind), function_(std::move(function)) {}

  Kind kind_ = Kind::kDefault;
  Function function_;
  DefaultPartitionerOptions default_options_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_PARTITIONER_H_
