#include "kafkalite/testing/invariants.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "kafkalite/base/strings.h"

namespace kafkalite::testing {

using base::Cat;
using replication::ReplicaGlimpse;
using replication::Role;
namespace paths = coordination::paths;

namespace {

// Enough to tell logs apart; the last byte counts losses.
uint64_t ShortId(model::LogId id) { return id.value() & 0xffffff; }

std::string_view InWords(Role role) {
  switch (role) {
    case Role::kLeader:
      return "leads";
    case Role::kFollower:
      return "follows";
    default:
      return "is idle";
  }
}

}  // namespace

Invariants::Invariants(Cluster& cluster, std::string topic, int32_t partitions)
    : core_(CoreOf(cluster)), topic_(std::move(topic)) {
  for (int32_t p = 0; p < partitions; ++p) {
    partitions_.emplace_back().tp = {topic_, model::PartitionId(p)};
  }
}

template <class... Parts>
void Invariants::Violated(Parts... parts) {
  std::string line = Cat(parts...);
  if (std::find(violations_.begin(), violations_.end(), line) != violations_.end()) return;
  violations_.push_back(std::move(line));
}

template <class... Parts>
void Invariants::Note(Parts... parts) {
  constexpr size_t kMost = 1000;
  trace_.emplace_back(core_.executor().clock().Now(), Cat(parts...));
  if (trace_.size() > kMost) trace_.pop_front();
}

void Invariants::Acknowledged(int32_t partition, int64_t offset) {
  int64_t& end = partitions_[static_cast<size_t>(partition)].acknowledged_end;
  end = std::max(end, offset + 1);
}

// --- What coordination holds --------------------------------------------------------------------

void Invariants::ReadController() {
  const auto node = core_.coordination().Peek(paths::kController);
  if (node.code != coordination::Code::kOk) return;
  const auto registration = coordination::ControllerRegistration::Parse("controller", node.data);
  if (!registration.ok() || registration->broker.value() == controller_) return;
  const int32_t before = std::exchange(controller_, registration->broker.value());
  Note("broker ", controller_, " is the controller");
  if (before == 0) return;
  ++counters_.controller_changes;
  if (core_.server(before) != nullptr) ++counters_.zombie_controllers;
}

void Invariants::ReadStored(Partition& partition) {
  const auto node = core_.coordination().Peek(paths::PartitionState(partition.tp));
  if (node.code != coordination::Code::kOk || node.stat.version == partition.stored_version) return;
  const auto parsed = coordination::PartitionState::Parse("state", node.data);
  if (!parsed.ok()) return Violated("I9: ", parsed.status().ToString());
  const auto& before = partition.stored;
  const auto& now = *parsed;
  const std::string name = Cat("partition ", partition.tp.partition.value());
  if (partition.stored_version >= 0) {
    if (now.controller_epoch < before.controller_epoch) {
      Violated("I9: ", name, " was written by a controller of epoch ", now.controller_epoch.value(),
               " after one of ", before.controller_epoch.value());
    }
    if (now.leader_epoch < before.leader_epoch) {
      Violated("I9: ", name, " went back from epoch ", before.leader_epoch.value(), " to ",
               now.leader_epoch.value());
    }
    if (now.leader != before.leader && now.leader_epoch == before.leader_epoch) {
      Violated("I9: ", name, " has another leader in epoch ", now.leader_epoch.value());
    }
    if (now.leader != before.leader && now.leader != model::kNoBroker) ++counters_.leader_changes;
    if (now.isr.size() == 1 && before.isr.size() > 1) ++counters_.shrinks_to_one;
  }
  std::string members;
  for (const model::BrokerId id : now.isr) {
    const auto log_id = now.log_ids.find(id);
    members += Cat(" ", id.value());
    if (log_id != now.log_ids.end()) members += Cat(" (log ", ShortId(log_id->second), ")");
  }
  Note(name, " is stored: leader ", now.leader.value(), ", epoch ", now.leader_epoch.value(),
       ", isr", members);
  partition.stored = now;
  partition.stored_version = node.stat.version;
}

void Invariants::ReadTree() {
  const int64_t transaction = core_.coordination().last_transaction();
  if (transaction == transaction_) return;
  transaction_ = transaction;
  ReadController();
  for (Partition& partition : partitions_) ReadStored(partition);
}

// --- What replicas say --------------------------------------------------------------------------

void Invariants::CheckReplica(Partition& partition, int32_t broker, const void* server,
                              const ReplicaGlimpse& now) {
  Seen& seen = partition.replicas[broker];
  const auto who = [&] {
    return Cat("broker ", broker, ", partition ", partition.tp.partition.value());
  };
  if (seen.server == server && seen.last.log_id == now.log_id) {
    if (now.leader_epoch < seen.last.leader_epoch) {
      Violated("I4: ", who(), ": from epoch ", seen.last.leader_epoch.value(), " back to ",
               now.leader_epoch.value());
    }
    if (now.high_watermark < seen.last.high_watermark) {
      Violated("I4: ", who(), ": the high watermark went from ", seen.last.high_watermark.value(),
               " back to ", now.high_watermark.value());
    }
    if (now.log_end < seen.last.log_end) ++counters_.truncations;
  }
  const bool begins_to_lead =
      now.role == Role::kLeader && (seen.server != server || seen.last.role != Role::kLeader ||
                                    seen.last.leader_epoch != now.leader_epoch);
  if (seen.server != server || seen.last.role != now.role ||
      seen.last.leader_epoch != now.leader_epoch || seen.last.log_id != now.log_id) {
    Note(who(), ": ", InWords(now.role), " in epoch ", now.leader_epoch.value(), ", log ",
         ShortId(now.log_id), " [", now.log_start.value(), ", ", now.log_end.value(),
         "), high watermark ", now.high_watermark.value());
  }
  seen = {server, now};
  if (now.role != Role::kLeader) return;
  const auto [leader, is_new] = partition.leaders.emplace(now.leader_epoch.value(), broker);
  if (leader->second != broker) {
    Violated("I3: brokers ", leader->second, " and ", broker, " lead partition ",
             partition.tp.partition.value(), " in epoch ", now.leader_epoch.value());
  }
  if (begins_to_lead && now.high_watermark.value() < partition.committed_end) {
    ++counters_.elections_behind;
  }
  partition.committed_end = std::max(partition.committed_end, now.high_watermark.value());
}

void Invariants::CheckMembers(Partition& partition) {
  for (const auto& [member, log_id] : partition.stored.log_ids) {
    const int32_t broker = member.value();
    const auto seen = partition.replicas.find(broker);
    if (seen == partition.replicas.end() || seen->second.server == nullptr) continue;
    const ReplicaGlimpse& now = seen->second.last;
    if (now.log_id != log_id || now.role == Role::kOffline) continue;
    const auto missing = [&](std::string_view rule, int64_t end, std::string_view what) {
      if (now.log_end.value() >= end) return;
      Violated(rule, ": ", what, " up to ", end, ", and broker ", broker,
               ", in the ISR of partition ", partition.tp.partition.value(), ", ends at ",
               now.log_end.value());
    };
    missing("I1", partition.committed_end, "records are committed");
    missing("I5", partition.acknowledged_end, "records are acknowledged");
  }
}

void Invariants::Check() {
  ++counters_.events;
  ReadTree();
  for (const int32_t broker : core_.broker_ids()) {
    const auto server = core_.server(broker);
    for (Partition& partition : partitions_) {
      const auto replica = server == nullptr ? nullptr : server->replicas().Find(partition.tp);
      if (replica == nullptr) {
        Seen& seen = partition.replicas[broker];
        if (seen.server != nullptr) {
          Note("broker ", broker, ", partition ", partition.tp.partition.value(), ": gone");
        }
        seen.server = nullptr;
      } else {
        CheckReplica(partition, broker, server.get(), replica->Glimpse());
      }
    }
  }
  for (Partition& partition : partitions_) CheckMembers(partition);
}

// --- What logs hold -----------------------------------------------------------------------------

namespace {

// I6, of what was read of one replica.
std::optional<std::string> CheckEpochs(const Replica& replica) {
  std::map<int32_t, int64_t> first;  // of each epoch
  int32_t last = -1;
  for (const ReplicaRecord& record : replica.records) {
    if (record.leader_epoch < last) {
      return Cat("epoch ", record.leader_epoch, " at ", record.offset, " comes after ", last);
    }
    last = record.leader_epoch;
    first.emplace(record.leader_epoch, record.offset);
  }
  for (const auto& [epoch, offset] : replica.epochs) {
    const auto found = first.find(epoch);
    // An epoch may have begun, and have no record yet; or have lost its first ones to retention.
    if (found == first.end() || found->second == offset) continue;
    if (offset <= replica.log_start_offset && found->second == replica.log_start_offset) continue;
    return Cat("epoch ", epoch, " begins at ", found->second, ", and is said to begin at ", offset);
  }
  for (const auto& [epoch, offset] : first) {
    const auto has = [&epoch = epoch](const auto& entry) { return entry.first == epoch; };
    if (std::none_of(replica.epochs.begin(), replica.epochs.end(), has)) {
      return Cat("nobody wrote down that epoch ", epoch, " begins at ", offset);
    }
  }
  return std::nullopt;
}

}  // namespace

void Invariants::CheckLogs(Cluster& cluster) {
  for (const Partition& partition : partitions_) {
    const int32_t p = partition.tp.partition.value();
    std::map<int64_t, std::pair<int32_t, ReplicaRecord>> committed;  // by offset: who has it
    for (const int32_t broker : core_.broker_ids()) {
      const auto replica = cluster.broker(broker).ReadReplica(topic_, p);
      if (!replica.ok()) continue;
      if (const auto wrong = CheckEpochs(*replica)) {
        Violated("I6: broker ", broker, ", partition ", p, ": ", *wrong);
      }
      for (const ReplicaRecord& record : replica->records) {
        if (record.offset >= replica->high_watermark) break;
        const auto [at, is_new] = committed.try_emplace(record.offset, broker, record);
        if (at->second.second == record) continue;
        Violated("I2: partition ", p, ": brokers ", at->second.first, " and ", broker,
                 " have different records at ", record.offset);
        break;
      }
    }
  }
}

}  // namespace kafkalite::testing
