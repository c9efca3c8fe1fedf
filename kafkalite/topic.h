// File: topic.h
//
// A topic of a cluster: what it is made of, and what can be changed.
//
//   auto topic = (*cluster)->CreateTopic("first-test", {.partitions = 3, .replication_factor = 3});
//   auto description = topic->Describe();
//   std::cout << kafkalite::ToString(*description);
//   topic->AlterConfig({kafkalite::ConfigChange::Set("retention.ms", "60000")});
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
#include "kafkalite/config.h"

namespace kafkalite {

class ClusterCore;

// A retention without an end.
inline constexpr std::chrono::milliseconds kForever{-1};

struct TopicOptions {
  // Behaviour.
  int32_t partitions = 1;
  int32_t replication_factor = 1;
  // The replicas of each partition, the preferred leader first, instead of the two numbers above,
  // which may only repeat what it says.
  std::vector<std::vector<int32_t>> assignment = {};

  // Settings. What is absent is not set for the topic: it has what its brokers have by default,
  // which are the values named here unless they were changed (docs/configuration.md).

  // How many in-sync replicas an acks=all record must reach, or be refused. Default: 1.
  std::optional<int32_t> min_insync_replicas = {};
  // Whether a replica that may miss acknowledged records may lead when no other can: availability
  // for durability. Default: false.
  std::optional<bool> unclean_leader_election = {};
  // How old records may become, or kForever. Default: seven days.
  std::optional<std::chrono::milliseconds> retention = {};
  // How large each partition may become, or -1. Default: -1, no limit.
  std::optional<int64_t> retention_bytes = {};
  // The largest batch. Default: 1048588.
  std::optional<int32_t> max_message_bytes = {};
  // Any other setting, by Kafka's key: {{"message.timestamp.type", "LogAppendTime"}}.
  std::map<std::string, std::string> config = {};
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
  std::map<std::string, std::string> config;  // what is set for the topic, by Kafka's keys
};

// As Kafka 2.0's `kafka-topics --describe` prints it, with the line end.
std::string ToString(const TopicDescription& description);

// In place of an offset: all that is committed.
inline constexpr int64_t kHighWatermark = -1;

enum class Election {
  kPreferred,  // the first replica, if it is in sync
  kUnclean,    // any live replica, if there is no leader: acknowledged records may be lost
};

class Topic {
 public:
  const std::string& name() const { return name_; }

  // NOT_FOUND if it does not exist (any more).
  absl::StatusOr<TopicDescription> Describe() const;

  // Raises the number of partitions to `total`; returns when every live broker knows the new ones
  // and their leaders. `assignment`: the replicas of each new one, the preferred leader first, as
  // many as partition 0 has; empty: the cluster chooses. Records with keys go elsewhere from then
  // on. INVALID_ARGUMENT if `total` is no more than now, and for a bad assignment.
  absl::Status AddPartitions(int32_t total,
                             const std::vector<std::vector<int32_t>>& assignment = {});

  // Returns when the new leader is known to every live broker. FAILED_PRECONDITION if the partition
  // has the preferred leader (for kUnclean: a leader) already; UNAVAILABLE if no replica qualifies.
  absl::Status ElectLeader(int32_t partition, Election election = Election::kPreferred);

  // Every setting that a topic can have, by name, as one broker has it in force.
  absl::StatusOr<std::vector<ConfigEntry>> DescribeConfig() const;
  // Return when the settings are in force at every live broker; brokers that are down get them when
  // they are back. INVALID_ARGUMENT, and nothing has changed, for a name that is unknown and a
  // value that is malformed or out of range.
  absl::Status AlterConfig(const std::vector<ConfigChange>& changes,
                           const AlterConfigOptions& options = {});
  // Replaces all that is set for the topic.
  absl::Status ReplaceConfig(const std::map<std::string, std::string>& config,
                             const AlterConfigOptions& options = {});

  // Drops the partition's records before the offset, or kHighWatermark. Returns the offset before
  // which no in-sync replica has records any more. OUT_OF_RANGE beyond the high watermark;
  // DEADLINE_EXCEEDED if a replica has not followed: the records are gone at the leader then.
  absl::StatusOr<int64_t> DeleteRecords(int32_t partition, int64_t before_offset);

 private:
  friend class Cluster;
  Topic(std::shared_ptr<ClusterCore> core, std::string name)
      : core_(std::move(core)), name_(std::move(name)) {}

  std::shared_ptr<ClusterCore> core_;
  std::string name_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_TOPIC_H_
