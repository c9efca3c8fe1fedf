// File: topic.h
//
// A topic of a cluster: what it is made of, and what can be changed.
//
//   auto topic = (*cluster)->CreateTopic("first-test", {.partitions = 3, .replication_factor = 3});
//   auto description = topic->Describe();
//   std::cout << kafkalite::ToString(*description);
//
// Thread safety: any thread. Lifetime: a handle by name; it may outlive topic and cluster, its
// calls then fail.

#ifndef KAFKALITE_TOPIC_H_
#define KAFKALITE_TOPIC_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kafkalite {

class ClusterCore;

struct TopicOptions {
  // Behaviour.
  int32_t partitions = 1;
  int32_t replication_factor = 1;
  // The replicas of each partition, the preferred leader first, instead of the two numbers above.
  std::vector<std::vector<int32_t>> assignment = {};
  // How many in-sync replicas an acks=all record must reach, or be refused.
  int32_t min_insync_replicas = 1;
  // Whether a replica that may miss acknowledged records may lead when no other can: availability
  // for durability.
  bool unclean_leader_election = false;

  // Limits. Absent: none.
  std::optional<std::chrono::milliseconds> retention = std::chrono::hours(7 * 24);
  std::optional<int64_t> retention_bytes = std::nullopt;  // of each partition
  int32_t max_message_bytes = 1048588;                    // of a batch
};

struct PartitionDescription {
  int32_t partition = -1;
  int32_t leader = -1;  // -1: none
  int32_t leader_epoch = -1;
  std::vector<int32_t> replicas;  // the preferred leader first
  std::vector<int32_t> isr;       // the in-sync ones
};

struct TopicDescription {
  std::string name;
  std::vector<PartitionDescription> partitions;
  std::map<std::string, std::string> config;  // what differs from the defaults, by Kafka's keys
};

// As Kafka 2.0's `kafka-topics --describe` prints it, with the line end.
std::string ToString(const TopicDescription& description);

enum class Election {
  kPreferred,  // the first replica, if it is in sync
  kUnclean,    // any live replica, if there is no leader: acknowledged records may be lost
};

class Topic {
 public:
  const std::string& name() const { return name_; }

  // NOT_FOUND if it does not exist (any more).
  absl::StatusOr<TopicDescription> Describe() const;

  // Raises the number of partitions to `total`. INVALID_ARGUMENT if that is no more than now.
  absl::Status AddPartitions(int32_t total);

  // Returns when the new leader is known to every live broker. FAILED_PRECONDITION if the partition
  // has the preferred leader (for kUnclean: a leader) already; UNAVAILABLE if no replica qualifies.
  absl::Status ElectLeader(int32_t partition, Election election = Election::kPreferred);

 private:
  friend class Cluster;
  Topic(std::shared_ptr<ClusterCore> core, std::string name)
      : core_(std::move(core)), name_(std::move(name)) {}

  std::shared_ptr<ClusterCore> core_;
  std::string name_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_TOPIC_H_
