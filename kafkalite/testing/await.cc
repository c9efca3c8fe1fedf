#include "kafkalite/testing/await.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"
#include "kafkalite/cluster_core.h"
#include "kafkalite/testing/state.h"

namespace kafkalite::testing {

using base::Cat;
using std::chrono::milliseconds;

namespace {

constexpr base::Duration kPause = std::chrono::milliseconds(1);

std::string Name(std::string_view topic, int32_t partition) { return Cat(topic, "-", partition); }

// Nothing if the broker is down or has no such replica.
std::optional<replication::ReplicaSnapshot> Inspect(ClusterCore& core, std::string_view topic,
                                                    int32_t partition, int32_t broker) {
  const auto server = core.server(broker);
  if (server == nullptr) return std::nullopt;
  const auto found = server->replicas().Find({std::string(topic), model::PartitionId(partition)});
  if (found == nullptr) return std::nullopt;
  auto replica = client::Await<replication::ReplicaSnapshot>(
      core.executor(), core.executor().clock().Now() + std::chrono::seconds(5),
      [&](auto reply) { found->Inspect(std::move(reply)); });
  if (!replica.ok()) return std::nullopt;
  return *std::move(replica);
}

// The stored leader, if it runs and knows.
std::optional<int32_t> Leader(Cluster& cluster, std::string_view topic, int32_t partition) {
  const auto stored = StoredPartition(cluster, topic, partition);
  if (!stored.ok() || stored->leader < 0) return std::nullopt;
  ClusterCore& core = CoreOf(cluster);
  const auto state = core.state(stored->leader);
  if (!state.ok() || *state != BrokerState::kRunning) return std::nullopt;
  const auto replica = Inspect(core, topic, partition, stored->leader);
  if (!replica || replica->role != replication::Role::kLeader ||
      replica->leader_epoch.value() != stored->leader_epoch) {
    return std::nullopt;
  }
  return stored->leader;
}

// That the partition exists, and the brokers have replicas of it.
absl::Status CheckReplicas(Cluster& cluster, std::string_view topic, int32_t partition,
                           const std::vector<int32_t>& brokers) {
  KL_RETURN_IF_ERROR(CoreOf(cluster).CheckOpen());
  KL_ASSIGN_OR_RETURN(const PartitionDescription stored,
                      StoredPartition(cluster, topic, partition));
  for (const int32_t broker : brokers) {
    const auto& replicas = stored.replicas;
    if (std::find(replicas.begin(), replicas.end(), broker) != replicas.end()) continue;
    std::string those;
    for (const int32_t replica : replicas) those += Cat(" ", replica);
    return absl::InvalidArgumentError(Cat("broker ", broker, " has no replica of ",
                                          Name(topic, partition), ": its brokers are", those));
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> AwaitSomeLeader(Cluster& cluster, std::string_view topic, int32_t partition,
                                        std::string_view what,
                                        const std::function<bool(int32_t)>& suits,
                                        milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckReplicas(cluster, topic, partition, {}));
  std::optional<int32_t> leader;
  KL_RETURN_IF_ERROR(AwaitThat(
      cluster, what,
      [&] {
        leader = Leader(cluster, topic, partition);
        return leader.has_value() && suits(*leader);
      },
      timeout));
  return *leader;
}

bool AtRest(Cluster& cluster) {
  ClusterCore& core = CoreOf(cluster);
  for (const std::string& topic :
       core.coordination().PeekChildren(coordination::paths::kTopics).names) {
    const auto partitions = StoredPartitions(cluster, topic);
    if (!partitions.ok()) return false;
    for (const PartitionDescription& each : *partitions) {
      if (!Leader(cluster, topic, each.partition)) return false;
      if (each.isr.size() != each.replicas.size()) return false;
      const auto leads = Inspect(core, topic, each.partition, each.leader);
      const auto agrees = [&](int32_t broker) {
        const auto replica = Inspect(core, topic, each.partition, broker);
        return replica && leads && replica->log_end == leads->log_end &&
               replica->high_watermark == leads->log_end;
      };
      if (!std::all_of(each.replicas.begin(), each.replicas.end(), agrees)) return false;
    }
  }
  return true;
}

// Of committed records in all partitions, as far as offsets tell.
int64_t Committed(Cluster& cluster, std::string_view topic,
                  const std::vector<PartitionDescription>& partitions) {
  int64_t committed = 0;
  for (const PartitionDescription& each : partitions) {
    const auto leader = Leader(cluster, topic, each.partition);
    if (!leader) continue;
    const auto replica = Inspect(CoreOf(cluster), topic, each.partition, *leader);
    if (replica) committed += replica->high_watermark.value() - replica->log_start.value();
  }
  return committed;
}

std::vector<ReplicaRecord> CommittedRecords(Cluster& cluster, std::string_view topic,
                                            const std::vector<PartitionDescription>& partitions) {
  std::vector<ReplicaRecord> records;
  for (const PartitionDescription& each : partitions) {
    const auto leader = Leader(cluster, topic, each.partition);
    if (!leader) continue;
    auto replica = cluster.broker(*leader).ReadReplica(topic, each.partition);
    if (!replica.ok()) continue;
    for (ReplicaRecord& record : replica->records) {
      if (record.offset < replica->high_watermark) records.push_back(std::move(record));
    }
  }
  return records;
}

}  // namespace

absl::Status AwaitThat(Cluster& cluster, std::string_view what,
                       const std::function<bool()>& reached, milliseconds timeout) {
  client::PublicCall call;
  ClusterCore& core = CoreOf(cluster);
  const base::Time deadline = base::SaturatingAdd(core.executor().clock().Now(), timeout);
  while (true) {
    KL_RETURN_IF_ERROR(core.CheckOpen());
    if (reached()) return absl::OkStatus();
    if (core.executor().clock().Now() >= deadline) break;
    KL_RETURN_IF_ERROR(client::Sleep(core.executor(), kPause));
  }
  return absl::DeadlineExceededError(Cat("still waiting for ", what, " after ", timeout.count(),
                                         " ms. The cluster:\n", DescribeState(cluster)));
}

absl::StatusOr<int32_t> AwaitLeader(Cluster& cluster, std::string_view topic, int32_t partition,
                                    milliseconds timeout) {
  return AwaitSomeLeader(
      cluster, topic, partition, Cat("a leader of ", Name(topic, partition)),
      [](int32_t) { return true; }, timeout);
}

absl::Status AwaitLeaderIs(Cluster& cluster, std::string_view topic, int32_t partition,
                           int32_t broker, milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckReplicas(cluster, topic, partition, {broker}));
  return AwaitSomeLeader(
             cluster, topic, partition, Cat("broker ", broker, " to lead ", Name(topic, partition)),
             [&](int32_t leader) { return leader == broker; }, timeout)
      .status();
}

absl::StatusOr<int32_t> AwaitLeaderOtherThan(Cluster& cluster, std::string_view topic,
                                             int32_t partition, int32_t broker,
                                             milliseconds timeout) {
  return AwaitSomeLeader(
      cluster, topic, partition,
      Cat("another broker than ", broker, " to lead ", Name(topic, partition)),
      [&](int32_t leader) { return leader != broker; }, timeout);
}

absl::Status AwaitNoLeader(Cluster& cluster, std::string_view topic, int32_t partition,
                           milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckReplicas(cluster, topic, partition, {}));
  return AwaitThat(
      cluster, Cat(Name(topic, partition), " to be without a leader"),
      [&] {
        const auto stored = StoredPartition(cluster, topic, partition);
        return stored.ok() && stored->leader < 0;
      },
      timeout);
}

absl::Status AwaitIsr(Cluster& cluster, std::string_view topic, int32_t partition,
                      std::vector<int32_t> isr, milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckReplicas(cluster, topic, partition, isr));
  std::sort(isr.begin(), isr.end());
  std::string those;
  for (const int32_t member : isr) those += Cat(" ", member);
  return AwaitThat(
      cluster, Cat("the ISR of ", Name(topic, partition), " to be", those),
      [&] {
        auto stored = StoredPartition(cluster, topic, partition);
        if (!stored.ok()) return false;
        std::sort(stored->isr.begin(), stored->isr.end());
        return stored->isr == isr;
      },
      timeout);
}

absl::Status AwaitRest(Cluster& cluster, milliseconds timeout) {
  return AwaitThat(
      cluster, "the cluster to come to rest", [&] { return AtRest(cluster); }, timeout);
}

absl::StatusOr<std::vector<ReplicaRecord>> AwaitRecords(Cluster& cluster, std::string_view topic,
                                                        size_t count, milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckReplicas(cluster, topic, 0, {}));
  std::vector<ReplicaRecord> records;
  KL_RETURN_IF_ERROR(AwaitThat(
      cluster, Cat(count, " records in ", topic),
      [&] {
        const auto partitions = StoredPartitions(cluster, topic);
        if (!partitions.ok()) return false;
        if (Committed(cluster, topic, *partitions) < static_cast<int64_t>(count)) return false;
        records = CommittedRecords(cluster, topic, *partitions);
        return records.size() >= count;
      },
      timeout));
  return records;
}

absl::StatusOr<int32_t> AwaitController(Cluster& cluster, milliseconds timeout) {
  absl::StatusOr<int32_t> controller = absl::UnavailableError("none yet");
  KL_RETURN_IF_ERROR(AwaitThat(
      cluster, "a controller",
      [&] {
        controller = cluster.controller();
        return controller.ok();
      },
      timeout));
  return controller;
}

}  // namespace kafkalite::testing
