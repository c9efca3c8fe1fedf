// File: znodes.h
//
// Kafka's tree: where its nodes are and what their data says, as Kafka 2.0 leaves it. kafkalite
// adds fields of its own, which Kafka's tools ignore, and nodes below /kafkalite.
//
//   const std::string path = paths::Topic("t");
//   session->Get(path, {}, [path](GetResult result) {
//     absl::StatusOr<TopicAssignment> topic = TopicAssignment::Parse(path, result.data);
//   });
//
// Each struct has
//
//   Format()           the node's data, with the fields in the order in which Kafka 2.0 writes them
//   Parse(path, data)  INVALID_ARGUMENT if it is not such data: the message names the path, the
//                      field and what is wrong with it. Fields that are not known are ignored.
//
// Thread safety: none needed, these are values.

#ifndef KAFKALITE_COORDINATION_ZNODES_H_
#define KAFKALITE_COORDINATION_ZNODES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::coordination {

namespace paths {

inline constexpr char kBrokers[] = "/brokers";
inline constexpr char kBrokerIds[] = "/brokers/ids";
inline constexpr char kBrokerSequence[] = "/brokers/seqid";
inline constexpr char kTopics[] = "/brokers/topics";
inline constexpr char kController[] = "/controller";
inline constexpr char kControllerEpoch[] = "/controller_epoch";
inline constexpr char kTopicConfigs[] = "/config/topics";
inline constexpr char kBrokerConfigs[] = "/config/brokers";
// What every broker has unless it has its own (KIP-226).
inline constexpr char kBrokerConfigDefault[] = "<default>";
inline constexpr char kConfigChanges[] = "/config/changes";
inline constexpr char kDeleteTopics[] = "/admin/delete_topics";
inline constexpr char kPreferredReplicaElection[] = "/admin/preferred_replica_election";
inline constexpr char kReassignPartitions[] = "/admin/reassign_partitions";
inline constexpr char kIsrChanges[] = "/isr_change_notification";
inline constexpr char kLogDirEvents[] = "/log_dir_event_notification";
inline constexpr char kCluster[] = "/cluster";
inline constexpr char kClusterId[] = "/cluster/id";
inline constexpr char kProducerIdBlock[] = "/latest_producer_id_block";
inline constexpr char kIncarnations[] = "/kafkalite/incarnations";

// What sequential nodes are created with; the tree adds the number.
inline constexpr char kConfigChangePrefix[] = "/config/changes/config_change_";
inline constexpr char kIsrChangePrefix[] = "/isr_change_notification/isr_change_";
inline constexpr char kLogDirEventPrefix[] = "/log_dir_event_notification/log_dir_event_";

// The persistent nodes that the first broker makes, parents before children. All are empty.
const std::vector<std::string>& Persistent();

std::string Broker(model::BrokerId broker);
std::string Topic(std::string_view topic);
std::string Partitions(std::string_view topic);
std::string Partition(const model::TopicPartition& partition);
std::string PartitionState(const model::TopicPartition& partition);
std::string TopicConfig(std::string_view topic);
// Of a broker's number, or of kBrokerConfigDefault.
std::string BrokerConfig(std::string_view broker);
std::string DeleteTopic(std::string_view topic);
// A persistent node whose data version is the broker's incarnation: the commit that registers a
// broker also sets it, so that a check of its version notices a bounce (Check of the registration
// does not: that starts at version 0 each time).
std::string Incarnation(model::BrokerId broker);

}  // namespace paths

// /brokers/ids/N
struct BrokerRegistration {
  std::map<std::string, std::string> security_protocols;  // by listener name
  std::vector<std::string> endpoints;                     // "PLAINTEXT://host:9092"
  int32_t jmx_port = -1;
  std::string host;  // of the first plaintext endpoint, for old readers
  int32_t port = -1;
  int64_t timestamp_ms = 0;
  std::optional<std::string> rack;
  // Ours: 0 and empty are left out.
  model::Incarnation incarnation;
  std::string replication_address;

  std::string Format() const;
  static absl::StatusOr<BrokerRegistration> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const BrokerRegistration&, const BrokerRegistration&) = default;
};

// /brokers/topics/T
struct TopicAssignment {
  std::map<model::PartitionId, std::vector<model::BrokerId>> replicas;  // preferred leader first

  std::string Format() const;
  static absl::StatusOr<TopicAssignment> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const TopicAssignment&, const TopicAssignment&) = default;
};

// /brokers/topics/T/partitions/P/state
struct PartitionState {
  model::ControllerEpoch controller_epoch;
  model::BrokerId leader = model::kNoBroker;
  model::LeaderEpoch leader_epoch;
  std::vector<model::BrokerId> isr;
  // Ours: the log with which a member joined the ISR. Left out when empty.
  std::map<model::BrokerId, model::LogId> log_ids;
  // Ours: under which the leader was registered. A later one leads in a later epoch only: what it
  // had not written when it died may be with its followers. Left out when 0.
  model::Incarnation leader_incarnation;

  std::string Format() const;
  static absl::StatusOr<PartitionState> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const PartitionState&, const PartitionState&) = default;
};

// /controller
struct ControllerRegistration {
  model::BrokerId broker = model::kNoBroker;
  int64_t timestamp_ms = 0;

  std::string Format() const;
  static absl::StatusOr<ControllerRegistration> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const ControllerRegistration&, const ControllerRegistration&) = default;
};

// /controller_epoch: the number alone.
std::string FormatControllerEpoch(model::ControllerEpoch epoch);
absl::StatusOr<model::ControllerEpoch> ParseControllerEpoch(std::string_view path,
                                                            std::string_view data);

// /config/topics/T and its siblings
struct ConfigNode {
  std::map<std::string, std::string> config;

  std::string Format() const;
  static absl::StatusOr<ConfigNode> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const ConfigNode&, const ConfigNode&) = default;
};

// /config/changes/config_change_NNNNNNNNNN. Version 1, which names type and entity apart, is read
// too.
struct ConfigChange {
  std::string entity_path;  // "topics/T", "brokers/N", "brokers/<default>"

  std::string Format() const;
  static absl::StatusOr<ConfigChange> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

// /admin/preferred_replica_election and /isr_change_notification/isr_change_NNNNNNNNNN
struct PartitionSet {
  std::vector<model::TopicPartition> partitions;

  std::string Format() const;
  static absl::StatusOr<PartitionSet> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const PartitionSet&, const PartitionSet&) = default;
};

// /admin/reassign_partitions
struct Reassignment {
  struct Partition {
    model::TopicPartition partition;
    std::vector<model::BrokerId> replicas;
    friend bool operator==(const Partition&, const Partition&) = default;
  };
  std::vector<Partition> partitions;

  std::string Format() const;
  static absl::StatusOr<Reassignment> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const Reassignment&, const Reassignment&) = default;
};

// /log_dir_event_notification/log_dir_event_NNNNNNNNNN
struct LogDirEvent {
  model::BrokerId broker = model::kNoBroker;

  std::string Format() const;
  static absl::StatusOr<LogDirEvent> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const LogDirEvent&, const LogDirEvent&) = default;
};

// /latest_producer_id_block. The end belongs to the block, as in Kafka.
struct ProducerIdBlock {
  model::BrokerId broker = model::kNoBroker;
  model::ProducerId first;
  model::ProducerId last;

  std::string Format() const;
  static absl::StatusOr<ProducerIdBlock> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const ProducerIdBlock&, const ProducerIdBlock&) = default;
};

// /cluster/id
struct ClusterId {
  std::string id;

  std::string Format() const;
  static absl::StatusOr<ClusterId> Parse(std::string_view path, std::string_view data);
  friend bool operator==(const ClusterId&, const ClusterId&) = default;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_ZNODES_H_
