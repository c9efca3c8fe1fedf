#include "kafkalite/controller/plan.h"

#include <algorithm>

#include "kafkalite/base/strings.h"
#include "kafkalite/replication/mutants.h"

namespace kafkalite::controller {

using coordination::PartitionState;
using model::BrokerId;
using model::ErrorCode;
using model::LogId;
using model::TopicPartition;

model::LogId NewLogId(model::Incarnation incarnation, int64_t topic_creation_id) {
  // splitmix64's finisher over both numbers; the lowest byte counts losses, and 0 is "no log".
  uint64_t z = static_cast<uint64_t>(incarnation.value()) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(topic_creation_id);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  z &= ~uint64_t{0xff};
  return LogId(z == 0 ? 0x100 : z);
}

model::LogId LogOf(const BrokerView& broker, const TopicPartition& tp, const TopicView& topic) {
  const auto found = broker.logs.find(tp);
  return found != broker.logs.end() ? found->second
                                    : NewLogId(broker.incarnation, topic.creation_id);
}

namespace {

// What a broker can be to a partition.
enum class Standing {
  kDead,     // or without this replica: it could not open it
  kUnknown,  // it lives, but has not said yet what logs it has
  kForeign,  // it lives, with another log than it joined the ISR with
  kTorn,     // it lives, with that log, but a crash may have cost it some of its end
  kGood,
};

// One partition in its surroundings.
class Case {
 public:
  Case(const ClusterView& view, const TopicPartition& tp, const TopicView& topic,
       const PartitionView& partition)
      : view_(view), tp_(tp), topic_(topic), partition_(partition) {}

  bool Lives(BrokerId broker) const {
    const auto found = view_.brokers.find(broker);
    return found != view_.brokers.end() && !found->second.offline.contains(tp_);
  }

  // REQUIRES: Lives(broker).
  LogId LogOf(BrokerId broker) const {
    return controller::LogOf(view_.brokers.at(broker), tp_, topic_);
  }

  Standing StandingOf(BrokerId broker) const {
    if (!Lives(broker)) return Standing::kDead;
    if (!view_.brokers.at(broker).reported) return Standing::kUnknown;
    const auto joined = partition_.state->log_ids.find(broker);
    if (joined == partition_.state->log_ids.end()) return Standing::kForeign;
    if (joined->second == LogOf(broker)) return Standing::kGood;
    return SameOrigin(joined->second, LogOf(broker)) ? Standing::kTorn : Standing::kForeign;
  }

  bool InIsr(BrokerId broker) const {
    const auto& isr = partition_.state->isr;
    return std::find(isr.begin(), isr.end(), broker) != isr.end();
  }

  const PartitionState& state() const { return *partition_.state; }
  const PartitionView& partition() const { return partition_; }
  const TopicView& topic() const { return topic_; }
  const TopicPartition& tp() const { return tp_; }

  // REQUIRES: Lives(broker).
  model::Incarnation IncarnationOf(BrokerId broker) const {
    return view_.brokers.at(broker).incarnation;
  }

  bool Bounced(BrokerId broker) const { return partition_.bounced.contains(broker); }

  // The ISR without those that are dead, bounced, or came back with another log; with `leader`.
  std::vector<BrokerId> RemainingIsr(BrokerId leader) const {
    std::vector<BrokerId> remaining;
    for (const BrokerId member : state().isr) {
      const Standing standing = StandingOf(member);
      const bool there = standing == Standing::kGood || standing == Standing::kUnknown;
      if (member == leader || (there && !Bounced(member))) remaining.push_back(member);
    }
    return remaining;
  }

  StateWrite Write(BrokerId leader, const std::vector<BrokerId>& isr,
                   model::ControllerEpoch controller_epoch) const {
    StateWrite write{tp_, state(), partition_.version};
    write.state.controller_epoch = controller_epoch;
    write.state.leader = leader;
    write.state.leader_epoch = model::LeaderEpoch(state().leader_epoch.value() + 1);
    write.state.leader_incarnation =
        leader == model::kNoBroker ? model::Incarnation() : IncarnationOf(leader);
    write.state.isr = isr;
    std::erase_if(write.state.log_ids, [&](const auto& entry) {
      return std::find(isr.begin(), isr.end(), entry.first) == isr.end();
    });
    return write;
  }

 private:
  const ClusterView& view_;
  const TopicPartition& tp_;
  const TopicView& topic_;
  const PartitionView& partition_;
};

std::optional<StateWrite> FirstState(const Case& c, model::ControllerEpoch controller_epoch) {
  PartitionState state;
  state.controller_epoch = controller_epoch;
  state.leader_epoch = model::LeaderEpoch(0);
  for (const BrokerId replica : c.partition().replicas) {
    if (!c.Lives(replica)) continue;
    if (state.isr.empty()) {
      state.leader = replica;
      state.leader_incarnation = c.IncarnationOf(replica);
    }
    state.isr.push_back(replica);
    state.log_ids[replica] = c.LogOf(replica);
  }
  if (state.isr.empty()) return std::nullopt;
  return StateWrite{c.tp(), std::move(state), -1};
}

// Leads with nobody beside it, with the log that it has.
StateWrite LeadAlone(const Case& c, BrokerId leader, model::ControllerEpoch controller_epoch) {
  StateWrite write = c.Write(leader, {leader}, controller_epoch);
  write.state.log_ids = {{leader, c.LogOf(leader)}};
  return write;
}

std::optional<StateWrite> ElectFromIsr(const Case& c, model::ControllerEpoch controller_epoch) {
  for (const BrokerId replica : c.partition().replicas) {
    if (replication::kMutantElectOutsideIsr && c.Lives(replica) &&
        c.StandingOf(replica) != Standing::kUnknown) {
      return LeadAlone(c, replica, controller_epoch);
    }
    if (c.InIsr(replica) && c.StandingOf(replica) == Standing::kGood && !c.Bounced(replica)) {
      return c.Write(replica, c.RemainingIsr(replica), controller_epoch);
    }
  }
  // One that bounced and lost nothing is better than none.
  for (const BrokerId replica : c.partition().replicas) {
    if (c.InIsr(replica) && c.StandingOf(replica) == Standing::kGood) {
      return c.Write(replica, c.RemainingIsr(replica), controller_epoch);
    }
  }
  return std::nullopt;
}

// Where a crash took all members of the ISR at once, nobody has more than they have, and one of
// them leads, as in Kafka. A smaller ISR than min.insync.replicas was not the only one to have what
// was acknowledged: that is for an unclean election to decide (the last replica standing of
// KIP-966).
std::optional<StateWrite> ElectTorn(const Case& c, model::ControllerEpoch controller_epoch) {
  const auto& isr = c.state().isr;
  if (static_cast<int64_t>(isr.size()) < c.topic().config.min_insync_replicas) return std::nullopt;
  for (const BrokerId member : isr) {
    if (c.StandingOf(member) != Standing::kTorn) return std::nullopt;
  }
  for (const BrokerId replica : c.partition().replicas) {
    if (c.InIsr(replica)) return LeadAlone(c, replica, controller_epoch);
  }
  return std::nullopt;
}

std::optional<StateWrite> ElectUnclean(const Case& c, model::ControllerEpoch controller_epoch) {
  // One that was in sync until a crash took some of its end has more than one that was not.
  for (const BrokerId replica : c.partition().replicas) {
    const Standing standing = c.InIsr(replica) ? c.StandingOf(replica) : Standing::kDead;
    if (standing == Standing::kGood || standing == Standing::kTorn) {
      return LeadAlone(c, replica, controller_epoch);
    }
  }
  for (const BrokerId replica : c.partition().replicas) {
    if (!c.Lives(replica) || c.StandingOf(replica) == Standing::kUnknown) continue;
    return LeadAlone(c, replica, controller_epoch);
  }
  return std::nullopt;
}

std::optional<StateWrite> Mend(const Case& c, model::ControllerEpoch controller_epoch) {
  if (!c.partition().state) return FirstState(c, controller_epoch);
  const BrokerId leader = c.state().leader;
  const Standing standing = leader == model::kNoBroker ? Standing::kDead : c.StandingOf(leader);
  if (standing == Standing::kUnknown && !c.Bounced(leader)) return std::nullopt;  // it will say
  if (standing == Standing::kGood && !c.Bounced(leader)) {
    const std::vector<BrokerId> remaining = c.RemainingIsr(leader);
    const bool same_reign = c.state().leader_incarnation == c.IncarnationOf(leader);
    if (same_reign && remaining == c.state().isr) return std::nullopt;
    return c.Write(leader, remaining, controller_epoch);
  }
  if (auto elected = ElectFromIsr(c, controller_epoch)) return elected;
  const bool may_say =
      std::any_of(c.state().isr.begin(), c.state().isr.end(),
                  [&](BrokerId member) { return c.StandingOf(member) == Standing::kUnknown; });
  if (may_say) return std::nullopt;
  if (auto elected = ElectTorn(c, controller_epoch)) return elected;
  if (c.topic().config.unclean_leader_election) {
    if (auto elected = ElectUnclean(c, controller_epoch)) return elected;
  }
  if (leader == model::kNoBroker) return std::nullopt;
  return c.Write(model::kNoBroker, c.state().isr, controller_epoch);
}

}  // namespace

std::vector<StateWrite> Plan(const ClusterView& view, model::ControllerEpoch controller_epoch) {
  std::vector<StateWrite> writes;
  const auto plan = [&](const TopicPartition& tp, const TopicView& topic,
                        const PartitionView& partition) {
    if (auto write = Mend(Case(view, tp, topic, partition), controller_epoch)) {
      writes.push_back(*std::move(write));
    }
  };
  if (view.all_unplanned) {
    for (const auto& [name, topic] : view.topics) {
      if (view.deletions.contains(name)) continue;
      for (const auto& [number, partition] : topic.partitions) {
        plan({name, number}, topic, partition);
      }
    }
    return writes;
  }
  for (const TopicPartition& tp : view.unplanned) {
    const auto topic = view.topics.find(tp.topic);
    if (topic == view.topics.end() || view.deletions.contains(tp.topic)) continue;
    const auto partition = topic->second.partitions.find(tp.partition);
    if (partition == topic->second.partitions.end()) continue;
    plan(tp, topic->second, partition->second);
  }
  return writes;
}

ElectionPlan PlanElection(const ClusterView& view, const TopicPartition& tp,
                          protocol::ElectionType type, model::ControllerEpoch controller_epoch) {
  const auto topic = view.topics.find(tp.topic);
  if (topic == view.topics.end() || view.deletions.contains(tp.topic)) {
    return {ErrorCode::kUnknownTopicOrPartition, {}};
  }
  const auto partition = topic->second.partitions.find(tp.partition);
  if (partition == topic->second.partitions.end() || !partition->second.state) {
    return {ErrorCode::kUnknownTopicOrPartition, {}};
  }
  const Case c(view, tp, topic->second, partition->second);
  if (type == protocol::ElectionType::kPreferred) {
    const BrokerId preferred = c.partition().replicas.front();
    if (c.state().leader == preferred) return {ErrorCode::kElectionNotNeeded, {}};
    if (!c.InIsr(preferred) || c.StandingOf(preferred) != Standing::kGood) {
      return {ErrorCode::kPreferredLeaderNotAvailable, {}};
    }
    return {ErrorCode::kNone, c.Write(preferred, c.RemainingIsr(preferred), controller_epoch)};
  }
  if (c.state().leader != model::kNoBroker) return {ErrorCode::kElectionNotNeeded, {}};
  auto write = ElectUnclean(c, controller_epoch);
  if (!write) return {ErrorCode::kEligibleLeadersNotAvailable, {}};
  return {ErrorCode::kNone, *std::move(write)};
}

absl::Status CheckPartitionCount(int64_t partitions) {
  if (partitions < 1) {
    return absl::InvalidArgumentError("Number of partitions must be larger than 0.");
  }
  if (partitions > model::kMaxPartitions) {
    return absl::InvalidArgumentError(
        base::Cat("Number of partitions: ", partitions,
                  " larger than a topic may have: ", model::kMaxPartitions, "."));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<BrokerId>>> AssignReplicas(
    const std::vector<BrokerId>& brokers, const AssignmentRequest& request) {
  const absl::Status valid = CheckPartitionCount(request.partitions);
  if (!valid.ok()) return valid;
  if (request.replication_factor < 1) {
    return absl::InvalidArgumentError("Replication factor must be larger than 0.");
  }
  const auto count = static_cast<int32_t>(brokers.size());
  if (request.replication_factor > count) {
    return absl::InvalidArgumentError(base::Cat("Replication factor: ", request.replication_factor,
                                                " larger than available brokers: ", count, "."));
  }
  std::vector<std::vector<BrokerId>> assignment;
  for (int32_t i = 0; i < request.partitions; ++i) {
    const int32_t p = request.first_partition + i;
    const int32_t first = (request.start + p) % count;
    std::vector<BrokerId> replicas = {brokers[static_cast<size_t>(first)]};
    for (int32_t r = 0; r + 1 < request.replication_factor; ++r) {
      const int32_t shift = 1 + (p / count + r) % (count - 1);
      replicas.push_back(brokers[static_cast<size_t>((first + shift) % count)]);
    }
    assignment.push_back(std::move(replicas));
  }
  return assignment;
}

}  // namespace kafkalite::controller
