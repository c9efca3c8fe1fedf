#include "kafkalite/testing/fault_atlas.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kafkalite/cluster_core.h"
#include "kafkalite/coordination/znodes.h"

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;

// How much more probable some are than others, before the seed has its say: what ends faults keeps
// up with what begins them.
uint32_t BaseWeight(FaultKind kind) {
  switch (kind) {
    case FaultKind::kRestart:
      return 12;
    case FaultKind::kHealLinks:
    case FaultKind::kResume:
    case FaultKind::kMendDisk:
      return 5;
    case FaultKind::kKill:
    case FaultKind::kCut:
    case FaultKind::kPowerOff:
      return 3;
    default:
      return 2;
  }
}

bool EndsFaults(FaultKind kind) {
  return kind == FaultKind::kRestart || kind == FaultKind::kHealLinks ||
         kind == FaultKind::kResume || kind == FaultKind::kMendDisk;
}

}  // namespace

FaultAtlas::FaultAtlas(SimCluster& sim, std::string topic, base::Random random)
    : sim_(sim), topic_(std::move(topic)), random_(std::move(random)) {
  for (int i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    const bool happens = EndsFaults(kind) || !random_.OneIn(3);
    const uint32_t spread = EndsFaults(kind) ? 2 : static_cast<uint32_t>(1 + random_.Below(6));
    weights_.push_back(happens ? BaseWeight(kind) * spread : 0);
    total_weight_ += weights_.back();
  }
}

ScriptedFault FaultAtlas::Draw() {
  ScriptedFault fault;
  uint64_t at = random_.Below(total_weight_);
  size_t kind = 0;
  while (at >= weights_[kind]) at -= weights_[kind++];
  fault.kind = static_cast<FaultKind>(kind);
  const auto brokers = sim_.cluster().broker_ids().size();
  fault.a = 1 + static_cast<int32_t>(random_.Below(brokers));
  const auto other = 1 + static_cast<int32_t>(random_.Below(brokers - 1));
  switch (fault.kind) {
    case FaultKind::kCut:
    case FaultKind::kCutOneWay:
      fault.b = other == fault.a ? static_cast<int32_t>(brokers) : other;
      break;
    case FaultKind::kDisturb:
      fault.b = other == fault.a ? static_cast<int32_t>(brokers) : other;
      [[fallthrough]];
    case FaultKind::kDisturbClients:
      fault.value = static_cast<int64_t>(1 + random_.Below(30));
      break;
    case FaultKind::kPowerOff:
      fault.value = static_cast<int64_t>(random_.Below(1000));
      break;
    case FaultKind::kFailFetches:
    case FaultKind::kDropProduceAnswers:
      fault.value = static_cast<int64_t>(1 + random_.Below(5));
      break;
    case FaultKind::kSlowDisk:
      fault.value = static_cast<int64_t>(1 + random_.Below(100));
      break;
    case FaultKind::kJumpClock:
      fault.value = random_.Between(-3'600'000, 3'600'000);
      fault.a = 0;
      break;
    case FaultKind::kHealLinks:
      fault.a = 0;
      break;
    default:
      break;
  }
  return fault;
}

bool FaultAtlas::Apply(const ScriptedFault& fault) {
  if (!Do(fault)) return false;
  ++counts_[fault.kind];
  return true;
}

// A fault that is refused tells the state of the cluster, which takes time: what is drawn and not
// carried out must leave no trace, so it is not asked for.
bool FaultAtlas::Do(const ScriptedFault& fault) {
  switch (fault.kind) {
    case FaultKind::kKill:
    case FaultKind::kPowerOff:
    case FaultKind::kWipe:
    case FaultKind::kShutdown:
    case FaultKind::kRestart:
    case FaultKind::kPause:
    case FaultKind::kResume:
    case FaultKind::kExpireSession:
      return DoToProcess(fault);
    case FaultKind::kFullDisk:
    case FaultKind::kWriteErrors:
    case FaultKind::kSyncErrors:
    case FaultKind::kSlowDisk:
    case FaultKind::kMendDisk:
      return DoToDisks(fault);
    case FaultKind::kJumpClock:
      return sim_.faults().JumpWallClock(milliseconds(fault.value)).ok();
    default:
      return DoToLinks(fault);
  }
}

// --- Processes ----------------------------------------------------------------------------------

bool FaultAtlas::Is(int32_t broker, BrokerState state) {
  const auto now = sim_.cluster().broker(broker).state();
  return now.ok() && *now == state;
}

bool FaultAtlas::IsUp(int32_t broker) {
  return Is(broker, BrokerState::kRunning) || Is(broker, BrokerState::kPaused);
}

bool FaultAtlas::DoToProcess(const ScriptedFault& fault) {
  Cluster& cluster = sim_.cluster();
  switch (fault.kind) {
    case FaultKind::kKill:
      return IsUp(fault.a) && cluster.Kill(fault.a).ok();
    case FaultKind::kPowerOff: {
      if (!IsUp(fault.a) || !KillForGood(fault.a)) return false;
      lossy_.insert(fault.a);
      const auto seed = static_cast<uint64_t>(fault.value);
      sim_.faults()
          .PowerOff(fault.a, {.seed = seed, .keep_some = seed % 4 != 0, .in_order = seed % 3 == 0})
          .IgnoreError();
      return true;
    }
    case FaultKind::kWipe:
      if (!KillForGood(fault.a)) return false;
      lossy_.insert(fault.a);
      sim_.faults().Wipe(fault.a).IgnoreError();  // a disk that is broken may keep some of it
      return true;
    case FaultKind::kShutdown:
      if (!Is(fault.a, BrokerState::kRunning)) return false;
      cluster.Shutdown(fault.a).IgnoreError();  // a disk that is broken makes it less orderly
      return true;
    case FaultKind::kRestart:
      return Restart(fault.a);
    case FaultKind::kPause:
      return Is(fault.a, BrokerState::kRunning) && cluster.Pause(fault.a).ok();
    case FaultKind::kResume:
      return Is(fault.a, BrokerState::kPaused) && cluster.Resume(fault.a).ok();
    default:
      return sim_.faults().ExpireSession(fault.a).ok();
  }
}

bool FaultAtlas::Restart(int32_t broker) {
  if (!Is(broker, BrokerState::kKilled) && !Is(broker, BrokerState::kShutDown)) return false;
  // It starts, even if nobody tells it of the cluster in time; not from a disk that is broken.
  sim_.cluster().Restart(broker).IgnoreError();
  return true;
}

// --- Links --------------------------------------------------------------------------------------

bool FaultAtlas::DoToLinks(const ScriptedFault& fault) {
  Faults& faults = sim_.faults();
  const double share = static_cast<double>(fault.value) / 100;
  const Disturbance disturbance{.delay = milliseconds(fault.value % 7),
                                .jitter = milliseconds(1 + fault.value),
                                .loss = share / 3,
                                .duplication = share,
                                .reordering = share};
  switch (fault.kind) {
    case FaultKind::kCut:
      return faults.Cut(fault.a, fault.b).ok();
    case FaultKind::kCutOneWay:
      return faults.CutOneWay(fault.a, fault.b).ok();
    case FaultKind::kCutCoordination:
      return faults.Cut(fault.a, Node::Coordination()).ok();
    case FaultKind::kDeafToCoordination:
      return faults.CutOneWay(Node::Coordination(), fault.a).ok();
    case FaultKind::kCutClients:
      return faults.CutOneWay(fault.a, Node::Clients()).ok();
    case FaultKind::kDisturb:
      return faults.Disturb(fault.a, fault.b, disturbance).ok();
    case FaultKind::kDisturbClients:
      return faults.Disturb(fault.a, Node::Clients(), disturbance).ok();
    case FaultKind::kLoseAnswer:
      return faults.LoseCoordinationAnswers(fault.a).ok();
    case FaultKind::kFailFetches:
      return faults
          .FailRequests({.api = Api::kReplicaFetch, .from = fault.a},
                        model::ErrorCode::kUnknownServerError, static_cast<int>(fault.value))
          .ok();
    case FaultKind::kDropProduceAnswers:
      return faults
          .DropAnswers({.api = Api::kProduce, .broker = fault.a}, static_cast<int>(fault.value))
          .ok();
    default:
      CoreOf(sim_.cluster()).network().HealAll();
      return true;
  }
}

// --- Disks --------------------------------------------------------------------------------------

bool FaultAtlas::DoToDisks(const ScriptedFault& fault) {
  Faults& faults = sim_.faults();
  switch (fault.kind) {
    case FaultKind::kFullDisk:
      return faults.BreakDisk(fault.a, Faults::DiskFault::kFull).ok();
    case FaultKind::kWriteErrors:
      return faults.BreakDisk(fault.a, Faults::DiskFault::kWriteError).ok();
    case FaultKind::kSyncErrors:
      return faults.BreakDisk(fault.a, Faults::DiskFault::kSyncError).ok();
    case FaultKind::kSlowDisk:
      return IsUp(fault.a) && faults.SlowDisk(fault.a, milliseconds(fault.value)).ok();
    default:
      return Mend(fault.a);
  }
}

bool FaultAtlas::Mend(int32_t broker) {
  if (!sim_.faults().MendDisk(broker).ok()) return false;
  if (IsUp(broker)) sim_.faults().SlowDisk(broker, milliseconds(0)).IgnoreError();
  const auto offline = sim_.cluster().broker(broker).offline();
  if (offline.ok() && !offline->empty() && sim_.cluster().Kill(broker).ok()) Restart(broker);
  return true;
}

// --- What has to stay ---------------------------------------------------------------------------

bool FaultAtlas::IsClean(int32_t broker, int32_t partition, uint64_t stored_log_id) {
  const auto registered = CoreOf(sim_.cluster())
                              .coordination()
                              .Peek(coordination::paths::Broker(model::BrokerId(broker)));
  if (registered.code != coordination::Code::kOk) return false;
  if (!lossy_.contains(broker)) return true;
  const auto server = CoreOf(sim_.cluster()).server(broker);
  if (server == nullptr) return false;
  const auto replica = server->replicas().Find({topic_, model::PartitionId(partition)});
  return replica != nullptr && replica->log_id().value() == stored_log_id;
}

bool FaultAtlas::KillForGood(int32_t broker) {
  // What is not done must leave no trace: a script does not have it.
  if (!OthersHaveEverything(broker)) return false;
  // What is under way is lost with the link.
  sim_.faults().CutOneWay(broker, Node::Coordination()).IgnoreError();
  if (IsUp(broker)) {
    // Before anybody else is gone: else a controller could leave the partition to this one, of
    // which it does not know yet that it has died.
    sim_.faults().ExpireSession(broker).IgnoreError();
    sim_.cluster().Kill(broker).IgnoreError();
  }
  CoreOf(sim_.cluster()).network().Heal(base::NodeId{broker}, base::NodeId::kCoordination);
  return true;
}

bool FaultAtlas::OthersHaveEverything(int32_t broker) {
  namespace paths = coordination::paths;
  const auto& tree = CoreOf(sim_.cluster()).coordination();
  const auto topic = tree.Peek(paths::Topic(topic_));
  const auto assignment = coordination::TopicAssignment::Parse("topic", topic.data);
  if (!assignment.ok()) return false;
  for (const auto& entry : assignment->replicas) {
    const model::PartitionId partition = entry.first;
    const auto node = tree.Peek(paths::PartitionState({topic_, partition}));
    const auto state = coordination::PartitionState::Parse("state", node.data);
    if (!state.ok()) return false;
    const bool kept = std::any_of(state->isr.begin(), state->isr.end(), [&](model::BrokerId id) {
      const auto log_id = state->log_ids.find(id);
      return id.value() != broker && log_id != state->log_ids.end() &&
             IsClean(id.value(), partition.value(), log_id->second.value());
    });
    if (!kept) return false;
  }
  return true;
}

void FaultAtlas::HealAll(int32_t spared) {
  sim_.faults().HealAll();
  Cluster& cluster = sim_.cluster();
  for (const int32_t id : cluster.broker_ids()) {
    if (id == spared) {
      if (IsUp(id)) cluster.Kill(id).IgnoreError();
      continue;
    }
    if (Is(id, BrokerState::kPaused)) cluster.Resume(id).IgnoreError();
    Mend(id);
    Restart(id);
  }
}

}  // namespace kafkalite::testing
