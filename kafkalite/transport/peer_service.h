// File: peer_service.h
//
// The peer plane: what a broker answers to other brokers. Replica fetches, and the controller's
// commands. In process it is a call; across machines it will be gRPC.
//
// Thread safety: any thread. Calls never block; see reply.h for answers.

#ifndef KAFKALITE_TRANSPORT_PEER_SERVICE_H_
#define KAFKALITE_TRANSPORT_PEER_SERVICE_H_

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::transport {

// A follower asks for what comes after its log, and thereby acknowledges what it has.
struct ReplicaFetchRequest {
  model::TopicPartition tp;
  model::BrokerId replica;
  model::Incarnation incarnation;  // the registration under which the follower runs (KIP-903)
  model::LogId log_id;             // of the follower's log
  model::LeaderEpoch current_leader_epoch;                  // KIP-320
  model::Offset log_start_offset;                           // the follower's
  model::Offset fetch_offset;                               // the follower's log end
  model::LeaderEpoch last_fetched_epoch = model::kNoEpoch;  // of the record before it
  int32_t max_bytes = 1 << 20;
  std::chrono::milliseconds max_wait{500};
};

struct ReplicaFetchResponse {
  struct EpochEnd {
    model::LeaderEpoch epoch = model::kNoEpoch;
    model::Offset end_offset{-1};
  };
  model::ErrorCode error = model::ErrorCode::kNone;
  model::Offset high_watermark{-1};
  model::Offset log_start_offset{-1};
  model::Offset log_end_offset{-1};
  // The logs differ before fetch_offset: the largest epoch that both may know, and where it ends
  // in the leader's log (KIP-595, KIP-279). Nothing else of the response counts then.
  std::optional<EpochEnd> diverging;
  std::vector<format::Batch> batches;
};

// What the controller decided about one partition.
struct PartitionUpdate {
  model::TopicPartition tp;
  int64_t topic_creation_id = 0;  // tells a topic from an earlier one of the same name
  model::BrokerId leader = model::kNoBroker;
  model::LeaderEpoch leader_epoch = model::kNoEpoch;
  model::ControllerEpoch controller_epoch;  // of the controller that chose the leader
  std::vector<model::BrokerId> replicas;
  std::vector<model::BrokerId> isr;
  std::map<model::BrokerId, model::LogId> log_ids;  // with which the members joined the ISR
  int32_t state_version = -1;                       // of the partition's node in coordination
  model::ConfigMap overrides;                       // the topic's own settings
  // In force at the broker that applies the update, which fills it in: not sent.
  model::TopicConfig config;
};

// What was set for a broker at run time (KIP-226).
struct BrokerSettings {
  model::ConfigMap own;        // for this broker
  model::ConfigMap defaulted;  // for every broker
};

// The controller's one command: the news since the last one that this broker acknowledged.
// Idempotent; repeated until acknowledged or superseded.
struct ClusterStateUpdate {
  model::BrokerId controller;
  model::ControllerEpoch controller_epoch;
  model::Incarnation broker_incarnation;  // of the broker addressed: an older one is refused
  bool full = false;                      // everything, not only news: forget the rest
  std::vector<model::BrokerId> live_brokers;
  std::vector<PartitionUpdate> partitions;
  std::vector<std::string> deleted_topics;  // stop the replicas and delete their logs
  std::optional<BrokerSettings> settings;   // of the broker addressed; absent: as before
};

struct ClusterStateAck {
  model::ErrorCode error = model::ErrorCode::kNone;
  // To a full update: the logs that this broker has, by partition. Else, those of the partitions
  // that it was told of.
  std::map<model::TopicPartition, model::LogId> log_ids;
  // All replicas that it should have and could not open so far. Told again, it tries again.
  std::set<model::TopicPartition> offline;
};

class PeerService {
 public:
  virtual ~PeerService() = default;

  virtual void FetchReplica(ReplicaFetchRequest request, Reply<ReplicaFetchResponse> reply) = 0;
  virtual void UpdateClusterState(ClusterStateUpdate update, Reply<ClusterStateAck> reply) = 0;
};

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_PEER_SERVICE_H_
