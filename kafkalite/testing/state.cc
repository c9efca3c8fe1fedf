#include "kafkalite/testing/state.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"
#include "kafkalite/cluster_core.h"
#include "kafkalite/coordination/znodes.h"

namespace kafkalite::testing {

using base::Cat;
namespace paths = coordination::paths;

namespace {

std::vector<int32_t> Numbers(const std::vector<model::BrokerId>& brokers) {
  std::vector<int32_t> numbers;
  for (const model::BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

std::string Join(const std::vector<int32_t>& numbers) {
  std::string text;
  for (const int32_t number : numbers) text += Cat(text.empty() ? "" : " ", number);
  return text.empty() ? "none" : text;
}

std::string_view InWords(BrokerState state) {
  switch (state) {
    case BrokerState::kRunning:
      return "running";
    case BrokerState::kPaused:
      return "paused";
    case BrokerState::kShutDown:
      return "shut down";
    case BrokerState::kKilled:
      return "killed";
  }
  return "?";
}

std::string_view InWords(replication::Role role) {
  switch (role) {
    case replication::Role::kLeader:
      return "leads";
    case replication::Role::kFollower:
      return "follows";
    default:
      return "neither leads nor follows";
  }
}

std::string DescribeReplica(ClusterCore& core, const model::TopicPartition& tp, int32_t broker) {
  const auto server = core.server(broker);
  if (server == nullptr) return "is down";
  const auto found = server->replicas().Find(tp);
  if (found == nullptr) {
    const auto reasons = server->replicas().OfflineReasons();
    const auto reason = reasons.find(tp);
    return reason == reasons.end() ? "has none" : Cat("offline: ", reason->second.message());
  }
  const auto replica = client::Await<replication::ReplicaSnapshot>(
      core.executor(), core.executor().clock().Now() + std::chrono::seconds(5),
      [&](auto reply) { found->Inspect(std::move(reply)); });
  if (!replica.ok()) return std::string(replica.status().message());
  std::string text(InWords(replica->role));
  if (replica->role == replication::Role::kFollower) text += Cat(" ", replica->leader.value());
  return text + Cat(" in epoch ", replica->leader_epoch.value(), ", log [",
                    replica->log_start.value(), ", ", replica->log_end.value(),
                    "), high watermark ", replica->high_watermark.value());
}

}  // namespace

absl::StatusOr<std::vector<PartitionDescription>> StoredPartitions(Cluster& cluster,
                                                                   std::string_view topic) {
  const auto& tree = CoreOf(cluster).coordination();
  const std::string path = paths::Topic(topic);
  const coordination::GetResult node = tree.Peek(path);
  if (node.code != coordination::Code::kOk) {
    return absl::NotFoundError(Cat("there is no topic ", topic));
  }
  KL_ASSIGN_OR_RETURN(const auto assignment, coordination::TopicAssignment::Parse(path, node.data));
  std::vector<PartitionDescription> partitions;
  for (const auto& [partition, replicas] : assignment.replicas) {
    PartitionDescription now{.partition = partition.value(), .replicas = Numbers(replicas)};
    const std::string state_path = paths::PartitionState({std::string(topic), partition});
    const coordination::GetResult stored = tree.Peek(state_path);
    if (stored.code == coordination::Code::kOk) {
      KL_ASSIGN_OR_RETURN(const auto state,
                          coordination::PartitionState::Parse(state_path, stored.data));
      now.leader = state.leader.value();
      now.leader_epoch = state.leader_epoch.value();
      now.isr = Numbers(state.isr);
    }
    partitions.push_back(std::move(now));
  }
  return partitions;
}

absl::StatusOr<PartitionDescription> StoredPartition(Cluster& cluster, std::string_view topic,
                                                     int32_t partition) {
  KL_ASSIGN_OR_RETURN(const auto partitions, StoredPartitions(cluster, topic));
  for (const PartitionDescription& each : partitions) {
    if (each.partition == partition) return each;
  }
  return absl::NotFoundError(
      Cat("topic ", topic, " has ", partitions.size(), " partitions: there is no ", partition));
}

std::string DescribeState(Cluster& cluster) {
  client::PublicCall call;
  ClusterCore& core = CoreOf(cluster);
  if (const absl::Status open = core.CheckOpen(); !open.ok()) return std::string(open.message());
  std::string text;
  for (const int32_t id : core.broker_ids()) {
    const auto state = core.state(id);
    if (!state.ok()) continue;
    const auto server = core.server(id);
    const bool controls = server != nullptr && server->is_controller();
    text += Cat("broker ", id, ": ", InWords(*state), controls ? ", controller\n" : "\n");
  }
  for (const std::string& topic : core.coordination().PeekChildren(paths::kTopics).names) {
    const auto partitions = StoredPartitions(cluster, topic);
    if (!partitions.ok()) continue;
    for (const PartitionDescription& each : *partitions) {
      text +=
          Cat(topic, "-", each.partition, ": leader ", each.leader, ", epoch ", each.leader_epoch,
              ", isr ", Join(each.isr), ", replicas ", Join(each.replicas), "\n");
      for (const int32_t replica : each.replicas) {
        text +=
            Cat("  broker ", replica, ": ",
                DescribeReplica(core, {topic, model::PartitionId(each.partition)}, replica), "\n");
      }
    }
  }
  return text;
}

}  // namespace kafkalite::testing
