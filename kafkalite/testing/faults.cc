#include "kafkalite/testing/faults.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/cluster_core.h"
#include "kafkalite/testing/disks.h"
#include "kafkalite/testing/request_tap.h"
#include "kafkalite/testing/state.h"

namespace kafkalite::testing {

using absl::StatusCode;
using base::Cat;

namespace {

// The one of the cluster, which stands before its brokers from the first Faults on.
std::shared_ptr<RequestTap> TapOf(ClusterCore& core) {
  const auto present = core.transport().interceptor();
  if (auto tap = std::dynamic_pointer_cast<RequestTap>(present)) return tap;
  auto tap = std::make_shared<RequestTap>(core.executor());
  core.transport().SetInterceptor(tap);
  return tap;
}

bool IsProbability(double value) { return value >= 0 && value <= 1; }

using Operation = files::MemoryFileSystem::Operation;

files::MemoryFileSystem::Verdict Judge(Faults::DiskFault fault, const Operation& operation) {
  using Kind = Operation::Kind;
  const auto is = [&](std::initializer_list<Kind> kinds) {
    return std::find(kinds.begin(), kinds.end(), operation.kind) != kinds.end();
  };
  const absl::Status io_error =
      absl::DataLossError(Cat("'", operation.path, "': Input/output error"));
  switch (fault) {
    case Faults::DiskFault::kFull:
      if (!is({Kind::kWrite, Kind::kCreateDirectories})) return {};
      return {absl::ResourceExhaustedError(
          Cat("write '", operation.path, "': No space left on device"))};
    case Faults::DiskFault::kWriteError:
      if (!is({Kind::kWrite, Kind::kTruncate, Kind::kRename, Kind::kCreateDirectories})) return {};
      return {io_error, operation.bytes / 2};
    case Faults::DiskFault::kReadError:
      if (!is({Kind::kRead, Kind::kList})) return {};
      return {io_error};
    case Faults::DiskFault::kSyncError:
      if (!is({Kind::kSync, Kind::kSyncDirectory})) return {};
      return {io_error};
  }
  return {};
}

// Null if the cluster has none that fail on demand.
files::MemoryFileSystem* FindDisk(ClusterCore& core, int32_t broker) {
  const ClusterFiles* const files = core.files();
  Disks* const disks = files == nullptr ? nullptr : dynamic_cast<Disks*>(files->fs().get());
  return disks == nullptr ? nullptr : &disks->machine(broker);
}

bool IsOfBrokers(Api api) { return api == Api::kReplicaFetch || api == Api::kClusterState; }

}  // namespace

Faults::Faults(Cluster& cluster) : cluster_(cluster), tap_(TapOf(CoreOf(cluster))) {}
Faults::~Faults() = default;

absl::Status Faults::Refuse(StatusCode code, std::string_view why) const {
  return absl::Status(code, Cat(why, ". The cluster:\n", DescribeState(cluster_)));
}

absl::Status Faults::CheckBroker(int32_t broker) const {
  const auto ids = CoreOf(cluster_).broker_ids();
  if (std::find(ids.begin(), ids.end(), broker) != ids.end()) return absl::OkStatus();
  return Refuse(StatusCode::kNotFound,
                Cat("there is no broker ", broker, ": the brokers are 1 to ", ids.size()));
}

// --- Links --------------------------------------------------------------------------------------

absl::Status Faults::CheckLink(Node a, Node b) const {
  KL_RETURN_IF_ERROR(CoreOf(cluster_).CheckOpen());
  for (const Node node : {a, b}) {
    if (node.is_broker()) KL_RETURN_IF_ERROR(CheckBroker(static_cast<int32_t>(node.id())));
  }
  if (a == b) {
    return Refuse(StatusCode::kInvalidArgument, Cat(a.ToString(), " has no link to itself"));
  }
  if (a.is_broker() || b.is_broker()) return absl::OkStatus();
  return Refuse(StatusCode::kInvalidArgument,
                Cat("there is no link between ", a.ToString(), " and ", b.ToString(),
                    ": one of the two has to be a broker"));
}

absl::Status Faults::Cut(Node a, Node b) {
  KL_RETURN_IF_ERROR(CutOneWay(a, b));
  return CutOneWay(b, a);
}

absl::Status Faults::CutOneWay(Node from, Node to) {
  KL_RETURN_IF_ERROR(CheckLink(from, to));
  CoreOf(cluster_).network().Cut(from.id(), to.id());
  return absl::OkStatus();
}

absl::Status Faults::Heal(Node a, Node b) {
  KL_RETURN_IF_ERROR(CheckLink(a, b));
  base::Network& network = CoreOf(cluster_).network();
  network.Heal(a.id(), b.id());
  network.Heal(b.id(), a.id());
  return absl::OkStatus();
}

absl::Status Faults::Isolate(int32_t broker, Scope scope) {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  if (scope != Scope::kClients) {
    for (const int32_t other : CoreOf(cluster_).broker_ids()) {
      if (other != broker) KL_RETURN_IF_ERROR(Cut(broker, other));
    }
  }
  if (scope == Scope::kBrokersAndCoordination || scope == Scope::kEverything) {
    KL_RETURN_IF_ERROR(Cut(broker, Node::Coordination()));
  }
  if (scope == Scope::kClients || scope == Scope::kEverything) {
    KL_RETURN_IF_ERROR(Cut(broker, Node::Clients()));
  }
  return absl::OkStatus();
}

absl::Status Faults::Disturb(Node a, Node b, const Disturbance& disturbance) {
  KL_RETURN_IF_ERROR(DisturbOneWay(a, b, disturbance));
  return DisturbOneWay(b, a, disturbance);
}

absl::Status Faults::DisturbOneWay(Node from, Node to, const Disturbance& disturbance) {
  KL_RETURN_IF_ERROR(CheckLink(from, to));
  const auto& [delay, jitter, loss, duplication, reordering] = disturbance;
  for (const auto& [name, value] : {std::pair("loss", loss), std::pair("duplication", duplication),
                                    std::pair("reordering", reordering)}) {
    if (IsProbability(value)) continue;
    return Refuse(StatusCode::kInvalidArgument,
                  Cat(name, " is ", value, ": a probability, from 0 to 1"));
  }
  if (delay < base::Duration::zero() || jitter < base::Duration::zero()) {
    return Refuse(StatusCode::kInvalidArgument, "delay and jitter cannot be negative");
  }
  if (reordering > 0 && delay + jitter == base::Duration::zero()) {
    return Refuse(StatusCode::kInvalidArgument,
                  "reordering needs a delay or a jitter: nothing is overtaken in no time");
  }
  if ((from.is_coordination() || to.is_coordination()) && (duplication > 0 || reordering > 0)) {
    return Refuse(
        StatusCode::kInvalidArgument,
        "what a session sends and hears is in order and comes once: no duplication and no "
        "reordering towards coordination");
  }
  CoreOf(cluster_).network().Disturb(from.id(), to.id(), disturbance);
  return absl::OkStatus();
}

// --- Coordination -------------------------------------------------------------------------------

absl::Status Faults::ExpireSession(int32_t broker) {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  CoreOf(cluster_).coordination().ExpireClient(broker);
  return absl::OkStatus();
}

absl::Status Faults::LoseCoordinationAnswers(int32_t broker, int times) {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  if (times < 1) {
    return Refuse(StatusCode::kInvalidArgument, Cat(times, " times never happens: 1 or more"));
  }
  CoreOf(cluster_).coordination().LoseCommitAnswers(broker, times);
  return absl::OkStatus();
}

// --- Requests -----------------------------------------------------------------------------------

absl::Status Faults::CheckFilter(const RequestFilter& filter, int times) const {
  KL_RETURN_IF_ERROR(CoreOf(cluster_).CheckOpen());
  const auto refuse = [&](std::string_view why) {
    return Refuse(StatusCode::kInvalidArgument, Cat(ToString(filter), ": ", why));
  };
  if (times != kForEver && times < 1) {
    return refuse(Cat(times, " times never happens: 1 or more, or kForEver"));
  }
  if (filter.broker) KL_RETURN_IF_ERROR(CheckBroker(*filter.broker));
  if (filter.from && filter.from->is_broker()) {
    KL_RETURN_IF_ERROR(CheckBroker(static_cast<int32_t>(filter.from->id())));
  }
  if (filter.from && filter.from->is_coordination()) return refuse("coordination asks no broker");
  if (filter.api && filter.from && IsOfBrokers(*filter.api) != filter.from->is_broker()) {
    return refuse(filter.from->is_broker() ? "brokers do not send it" : "clients do not send it");
  }
  if (!filter.partition) return absl::OkStatus();
  if (filter.topic.empty()) return refuse("of which topic? Set `topic`, too");
  const auto partition = StoredPartition(cluster_, filter.topic, *filter.partition);
  if (!partition.ok())
    return Refuse(partition.status().code(), base::ToStd(partition.status().message()));
  return absl::OkStatus();
}

absl::Status Faults::AddRule(RequestRule rule) {
  KL_RETURN_IF_ERROR(CheckFilter(rule.filter, rule.times));
  tap_->Add(std::move(rule));
  return absl::OkStatus();
}

absl::Status Faults::FailRequests(const RequestFilter& filter, model::ErrorCode error, int times) {
  if (error == model::ErrorCode::kNone) {
    return Refuse(StatusCode::kInvalidArgument, "NONE is no error");
  }
  return AddRule({.filter = filter, .error = error, .times = times});
}

absl::Status Faults::DelayRequests(const RequestFilter& filter, std::chrono::nanoseconds delay,
                                   int times) {
  if (delay <= base::Duration::zero()) {
    return Refuse(StatusCode::kInvalidArgument, "a delay has to be above 0");
  }
  return AddRule(
      {.filter = filter, .kind = RequestRule::Kind::kDelay, .delay = delay, .times = times});
}

absl::Status Faults::DropRequests(const RequestFilter& filter, int times) {
  return AddRule({.filter = filter, .kind = RequestRule::Kind::kDropRequest, .times = times});
}

absl::Status Faults::DropAnswers(const RequestFilter& filter, int times) {
  return AddRule({.filter = filter, .kind = RequestRule::Kind::kDropAnswer, .times = times});
}

absl::Status Faults::TruncateAnswers(const RequestFilter& filter, int times) {
  return AddRule({.filter = filter, .kind = RequestRule::Kind::kTruncateAnswer, .times = times});
}

void Faults::RecordRequests() { tap_->Record(); }

std::vector<RecordedRequest> Faults::Requests(const RequestFilter& filter) const {
  return tap_->Recorded(filter);
}

void Faults::ForgetRequests() { tap_->Forget(); }

// --- Disks --------------------------------------------------------------------------------------

absl::StatusOr<files::MemoryFileSystem*> Faults::DiskOf(int32_t broker) const {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  if (files::MemoryFileSystem* const disk = FindDisk(CoreOf(cluster_), broker)) return disk;
  return Refuse(StatusCode::kFailedPrecondition,
                "the cluster has no disks that fail on demand: start it with a data_dir, and "
                "testing::Disks for its file_system");
}

absl::Status Faults::BreakDisk(int32_t broker, DiskFault fault) {
  KL_ASSIGN_OR_RETURN(files::MemoryFileSystem* const disk, DiskOf(broker));
  disk->SetFault([fault](const Operation& operation) { return Judge(fault, operation); });
  return absl::OkStatus();
}

absl::Status Faults::MendDisk(int32_t broker) {
  KL_ASSIGN_OR_RETURN(files::MemoryFileSystem* const disk, DiskOf(broker));
  disk->SetFault(nullptr);
  return absl::OkStatus();
}

absl::Status Faults::SlowDisk(int32_t broker, std::chrono::nanoseconds delay) {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  const auto storage = CoreOf(cluster_).file_storage(broker);
  if (storage == nullptr) {
    return Refuse(StatusCode::kFailedPrecondition,
                  Cat("broker ", broker, " is down, or keeps its logs in memory"));
  }
  storage->SlowDown(delay);
  return absl::OkStatus();
}

absl::Status Faults::PowerOff(int32_t broker, const PowerLoss& loss) {
  KL_ASSIGN_OR_RETURN(files::MemoryFileSystem* const disk, DiskOf(broker));
  KL_ASSIGN_OR_RETURN(const BrokerState state, cluster_.broker(broker).state());
  if (state == BrokerState::kRunning || state == BrokerState::kPaused) {
    KL_RETURN_IF_ERROR(cluster_.Kill(broker));
  }
  disk->Crash(loss);
  return absl::OkStatus();
}

absl::Status Faults::Wipe(int32_t broker) {
  KL_RETURN_IF_ERROR(CheckBroker(broker));
  KL_ASSIGN_OR_RETURN(const BrokerState state, cluster_.broker(broker).state());
  if (state != BrokerState::kKilled && state != BrokerState::kShutDown) {
    return Refuse(StatusCode::kFailedPrecondition, Cat("broker ", broker, " is up: kill it first"));
  }
  const ClusterFiles* const files = CoreOf(cluster_).files();
  if (files == nullptr && state == BrokerState::kKilled) return absl::OkStatus();
  if (files == nullptr) {
    return Refuse(
        StatusCode::kFailedPrecondition,
        Cat("what broker ", broker, " has in memory goes by Kill, before it is shut down"));
  }
  for (const std::string& folder : files->BrokerFolders(broker)) {
    KL_RETURN_IF_ERROR(files::RemoveAll(*files->fs(), folder));
  }
  return absl::OkStatus();
}

// --- Clocks -------------------------------------------------------------------------------------

absl::Status Faults::JumpWallClock(std::chrono::milliseconds by) {
  KL_RETURN_IF_ERROR(CoreOf(cluster_).CheckOpen());
  CoreOf(cluster_).executor().clock().JumpWall(by);
  return absl::OkStatus();
}

// ------------------------------------------------------------------------------------------------

void Faults::HealAll() {
  ClusterCore& core = CoreOf(cluster_);
  core.network().HealAll();
  tap_->Clear();
  for (const int32_t id : core.broker_ids()) {
    core.coordination().LoseCommitAnswers(id, 0);
    if (const auto disk = FindDisk(core, id)) disk->SetFault(nullptr);
    if (const auto storage = core.file_storage(id)) storage->SlowDown(base::Duration::zero());
  }
}

}  // namespace kafkalite::testing
