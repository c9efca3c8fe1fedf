#include "kafkalite/cluster_core.h"

#include <algorithm>
#include <random>
#include <utility>

#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"
#include "kafkalite/coordination/znodes.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/transport/inprocess/inprocess_transport.h"

namespace kafkalite {

using base::Cat;

namespace {

// Free buffers that wait for their next use: enough for a few producers at full speed.
constexpr size_t kPoolCacheBytes = size_t{64} << 20;
// A simulated message takes up to this long.
constexpr base::Duration kSimulatedJitter = std::chrono::microseconds(500);

base::NodeId Node(int32_t broker) { return base::NodeId{broker}; }

uint64_t SeedOf(const ClusterOptions& options) {
  if (options.simulation != nullptr) return options.simulation->ForkRandom().Next();
  std::random_device device;
  return (uint64_t{device()} << 32) ^ device();
}

// The brokers share the process's files, and leave some to the application.
size_t MaxOpenFilesOf(const ClusterOptions& options) {
  const size_t quarter = files::MaxOpenFiles() / 4;
  const auto brokers = static_cast<size_t>(std::max(options.brokers, 3));
  return std::max<size_t>(1, 3 * quarter / brokers);
}

std::shared_ptr<base::Executor> MakeExecutor(const ClusterOptions& options) {
  if (options.simulation != nullptr) return options.simulation;
  return std::make_shared<base::RealExecutor>();
}

// Kafka's cluster ids are 16 random bytes in url-safe base64: 22 characters.
std::string MakeClusterId(uint64_t seed) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  base::Random random(seed);
  std::string id;
  for (int i = 0; i < 22; ++i) id += kAlphabet[random.Below(kAlphabet.size())];
  return id;
}

std::shared_ptr<client::ClientRuntime> MakeRuntime(
    const ClusterOptions& options, std::shared_ptr<base::Executor> executor,
    std::shared_ptr<base::Network> network, std::shared_ptr<transport::Transport> transport) {
  auto runtime = std::make_shared<client::ClientRuntime>();
  runtime->executor = std::move(executor);
  runtime->network = std::move(network);
  runtime->transport = std::move(transport);
  runtime->call_timeout = options.call_timeout;
  runtime->pool = base::BufferPool::Create(kPoolCacheBytes);
  runtime->reader_budget = std::make_shared<base::Budget>(options.reader_memory_bytes);
  for (int32_t id = 1; id <= options.brokers; ++id) {
    runtime->bootstrap.push_back(model::BrokerId(id));
  }
  return runtime;
}

}  // namespace

ClusterCore::ClusterCore(const ClusterOptions& options, std::unique_ptr<ClusterFiles> files)
    : options_(options),
      executor_(MakeExecutor(options)),
      network_(std::make_shared<base::Network>(
          *executor_, base::Network::Options{options.simulation == nullptr ? base::Duration::zero()
                                                                           : kSimulatedJitter,
                                             SeedOf(options)})),
      transport_(std::make_shared<transport::InProcessTransport>(*network_)),
      files_(std::move(files)),
      log_budget_(std::make_shared<base::Budget>(options.log_memory_bytes)),
      runtime_(MakeRuntime(options, executor_, network_, transport_)),
      admin_(std::make_unique<client::Admin>(client::ClusterClient::Create(runtime_))) {
  base::MutexLock lock(mu_);
  for (int32_t id = 1; id <= options.brokers; ++id) brokers_[id];
}

absl::StatusOr<std::shared_ptr<ClusterCore>> ClusterCore::Create(const ClusterOptions& options) {
  std::unique_ptr<ClusterFiles> files;
  if (!options.data_dir.empty()) {
    KL_ASSIGN_OR_RETURN(files, ClusterFiles::Open(options));
  }
  std::shared_ptr<ClusterCore> core(new ClusterCore(options, std::move(files)));
  KL_RETURN_IF_ERROR(core->OpenCoordination());
  return core;
}

absl::Status ClusterCore::OpenCoordination() {
  using coordination::EmbeddedCoordination;
  if (files_ == nullptr) {
    coordination_ = std::make_shared<EmbeddedCoordination>(*executor_, *network_);
    return absl::OkStatus();
  }
  KL_ASSIGN_OR_RETURN(
      coordination_,
      EmbeddedCoordination::Open(*executor_, *network_,
                                 {.fs = files_->fs(), .folder = files_->coordination_folder()}));
  return absl::OkStatus();
}

absl::Status ClusterCore::ReadClusterId() {
  const auto session = coordination_->Connect({}, [](coordination::SessionEvent) {});
  KL_ASSIGN_OR_RETURN(
      const auto found,
      client::Await<coordination::GetResult>(
          *executor_, executor_->clock().Now() + options_.call_timeout, [&](auto reply) {
            session->Get(coordination::paths::kClusterId, {}, std::move(reply));
          }));
  if (found.code == coordination::Code::kOk) {
    KL_ASSIGN_OR_RETURN(const auto node, coordination::ClusterId::Parse(
                                             coordination::paths::kClusterId, found.data));
    cluster_id_ = node.id;
  } else if (found.code == coordination::Code::kNoNode) {
    cluster_id_ = MakeClusterId(SeedOf(options_));
    if (files_ != nullptr) return KeepClusterId(*session);
  } else {
    return coordination_->status();
  }
  return absl::OkStatus();
}

absl::Status ClusterCore::KeepClusterId(coordination::Session& session) {
  using coordination::Operation;
  namespace paths = coordination::paths;
  const std::string id = coordination::ClusterId{cluster_id_}.Format();
  for (const Operation& node :
       {Operation::Create(paths::kCluster, ""), Operation::Create(paths::kClusterId, id)}) {
    KL_ASSIGN_OR_RETURN(const auto made,
                        client::Await<coordination::CommitResult>(
                            *executor_, executor_->clock().Now() + options_.call_timeout,
                            [&](auto reply) { session.Commit({node}, std::move(reply)); }));
    const bool there =
        made.code == coordination::Code::kOk || made.code == coordination::Code::kNodeExists;
    if (there) continue;
    KL_RETURN_IF_ERROR(coordination_->status());
    return absl::UnavailableError("the cluster's id could not be kept");
  }
  return absl::OkStatus();
}

ClusterCore::~ClusterCore() { Stop(); }

absl::Status ClusterCore::CheckOpen() const {
  KL_RETURN_IF_ERROR(executor_->CheckCaller());
  if (!runtime_->closed.load(std::memory_order_acquire)) return absl::OkStatus();
  return absl::FailedPreconditionError("the cluster is shut down");
}

absl::Status ClusterCore::CheckCoordination() const {
  KL_RETURN_IF_ERROR(CheckOpen());
  const absl::Status status = coordination_->status();
  if (status.ok()) return status;
  return absl::Status(
      status.code(), Cat("the cluster's coordination has failed, and topics stay as they are until "
                         "the cluster is started again: ",
                         status.message()));
}

absl::Status ClusterCore::MakeStorage(int32_t broker, Parts& parts) {
  if (options_.storage) {
    KL_ASSIGN_OR_RETURN(parts.storage, options_.storage(broker));
    if (parts.storage != nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(Cat("ClusterOptions::storage made none for broker ", broker));
  }
  if (files_ != nullptr) {
    KL_ASSIGN_OR_RETURN(parts.files, storage::FileStorage::Open(
                                         *executor_, {.directories = files_->BrokerFolders(broker),
                                                      .broker = model::BrokerId(broker),
                                                      .cluster_id = cluster_id_,
                                                      .fs = files_->fs(),
                                                      .pool = runtime_->pool,
                                                      .max_open_files = MaxOpenFilesOf(options_)}));
    parts.storage = parts.files;
    return absl::OkStatus();
  }
  if (parts.memory == nullptr) {
    parts.memory = std::make_shared<storage::MemoryStorage>(log_budget_);
  }
  parts.storage = parts.memory;
  return absl::OkStatus();
}

std::string_view ClusterCore::StateInWords(const Slot& slot) {
  if (slot.changing) return " is being started or stopped";
  switch (slot.state) {
    case BrokerState::kRunning:
      return " is running";
    case BrokerState::kPaused:
      return " is paused";
    case BrokerState::kShutDown:
      return " is shut down";
    case BrokerState::kKilled:
      return " is killed";
  }
  return "";
}

absl::StatusOr<std::shared_ptr<server::BrokerServer>> ClusterCore::StartServer(int32_t broker) {
  Parts parts;
  {
    base::MutexLock lock(mu_);
    KL_RETURN_IF_ERROR(CheckOpen());  // Stop() takes the lock after saying that it is closed
    Slot& slot = brokers_[broker];
    if (slot.changing || slot.parts.server != nullptr) {
      return absl::FailedPreconditionError(Cat("broker ", broker, StateInWords(slot)));
    }
    slot.changing = true;
    parts = slot.parts;
  }
  const absl::Status made = MakeStorage(broker, parts);
  base::MutexLock lock(mu_);
  Slot& slot = brokers_[broker];
  slot.changing = false;
  KL_RETURN_IF_ERROR(made);
  KL_RETURN_IF_ERROR(CheckOpen());
  parts.server = server::BrokerServer::Start(
      {*executor_, *network_, *transport_, *coordination_, parts.storage, runtime_->pool},
      {.id = model::BrokerId(broker),
       .cluster_id = cluster_id_,
       .session_timeout = options_.session_timeout,
       .replica_lag_time_max = options_.replica_lag_time_max});
  slot.parts = parts;
  slot.state = BrokerState::kRunning;
  return parts.server;
}

absl::Status ClusterCore::Await(const std::function<bool()>& reached, std::string_view what) {
  const base::Time deadline = executor_->clock().Now() + options_.call_timeout;
  base::Duration pause = std::chrono::microseconds(20);
  while (!reached()) {
    KL_RETURN_IF_ERROR(CheckCoordination());
    if (executor_->clock().Now() > deadline) {
      return absl::DeadlineExceededError(
          Cat(what, " took more than ", options_.call_timeout.count(), " ms (call_timeout)"));
    }
    KL_RETURN_IF_ERROR(client::Sleep(*executor_, pause));
    pause = std::min<base::Duration>(pause * 2, std::chrono::milliseconds(5));
  }
  return absl::OkStatus();
}

absl::Status ClusterCore::Start() {
  KL_RETURN_IF_ERROR(ReadClusterId());
  for (const int32_t id : broker_ids()) KL_RETURN_IF_ERROR(StartServer(id).status());
  const auto size = static_cast<size_t>(options_.brokers);
  return Await(
      [&] {
        for (const int32_t id : broker_ids()) {
          const auto server = this->server(id);
          if (server == nullptr || server->metadata().live_brokers().size() != size) return false;
        }
        return true;
      },
      "starting the cluster");
}

void ClusterCore::Stop() {
  if (runtime_->closed.exchange(true)) return;
  std::vector<Parts> running;
  {
    base::MutexLock lock(mu_);
    for (auto& [id, slot] : brokers_) {
      if (slot.parts.server != nullptr) running.push_back(std::move(slot.parts));
      slot.parts = Parts();
    }
  }
  // First, so that those who stop later write nothing of those who stopped: the next start finds
  // the leaders and the ISRs as they are now.
  if (coordination_ != nullptr) coordination_->Close();
  // What cannot be made durable is repaired by the next start: nobody would hear of it here.
  CloseInOrder(std::move(running)).IgnoreError();
  if (files_ != nullptr) files_->Release();
  runtime_->NotifyClosed();
  transport_->SetInterceptor(nullptr);  // it may hold calls, which hold clients, which hold this
  network_->Close();
  executor_->Shutdown();
}

std::vector<int32_t> ClusterCore::broker_ids() const {
  std::vector<int32_t> ids;
  base::MutexLock lock(mu_);
  for (const auto& [id, slot] : brokers_) ids.push_back(id);
  return ids;
}

absl::StatusOr<BrokerState> ClusterCore::state(int32_t broker) const {
  KL_RETURN_IF_ERROR(CheckOpen());
  base::MutexLock lock(mu_);
  const auto found = brokers_.find(broker);
  if (found == brokers_.end()) {
    return absl::NotFoundError(
        Cat("there is no broker ", broker, ": the brokers are 1 to ", brokers_.size()));
  }
  return found->second.state;
}

std::shared_ptr<server::BrokerServer> ClusterCore::server(int32_t broker) const {
  base::MutexLock lock(mu_);
  const auto found = brokers_.find(broker);
  return found == brokers_.end() ? nullptr : found->second.parts.server;
}

std::shared_ptr<storage::FileStorage> ClusterCore::file_storage(int32_t broker) const {
  base::MutexLock lock(mu_);
  const auto found = brokers_.find(broker);
  return found == brokers_.end() ? nullptr : found->second.parts.files;
}

absl::StatusOr<std::vector<std::string>> ClusterCore::repairs(int32_t broker) const {
  KL_RETURN_IF_ERROR(state(broker).status());
  base::MutexLock lock(mu_);
  const auto& files = brokers_.at(broker).parts.files;
  return files == nullptr ? std::vector<std::string>() : files->repairs();
}

absl::StatusOr<std::map<TopicPartition, absl::Status>> ClusterCore::offline(int32_t broker) const {
  KL_RETURN_IF_ERROR(state(broker).status());
  std::map<TopicPartition, absl::Status> offline;
  const auto server = this->server(broker);
  if (server == nullptr) return offline;
  for (const auto& [tp, reason] : server->replicas().OfflineReasons()) {
    offline[{tp.topic, tp.partition.value()}] = reason;
  }
  return offline;
}

absl::StatusOr<int32_t> ClusterCore::controller() const {
  KL_RETURN_IF_ERROR(CheckOpen());
  for (const int32_t id : broker_ids()) {
    const auto server = this->server(id);
    if (server != nullptr && server->is_controller()) return id;
  }
  return absl::UnavailableError("no broker is the controller at the moment");
}

absl::StatusOr<ClusterCore::Parts> ClusterCore::Take(int32_t broker, BrokerState next) {
  KL_RETURN_IF_ERROR(this->state(broker).status());
  base::MutexLock lock(mu_);
  Slot& slot = brokers_[broker];
  if (slot.changing || slot.parts.server == nullptr) {
    return absl::FailedPreconditionError(Cat("broker ", broker, StateInWords(slot)));
  }
  slot.state = next;
  Parts taken = std::exchange(slot.parts, Parts());
  slot.changing = next == BrokerState::kShutDown;
  if (slot.changing) slot.parts.memory = taken.memory;
  return taken;
}

absl::Status ClusterCore::CloseInOrder(std::vector<Parts> stopping) {
  const auto closed = std::make_shared<base::Completion>();
  {
    const std::shared_ptr<void> until_closed(nullptr, [closed](void*) { closed->Signal(); });
    for (const Parts& parts : stopping) parts.server->Stop(until_closed);
  }
  absl::Status status = client::PublicCall::Block(*executor_, *closed, base::Time::max());
  for (Parts& parts : stopping) {
    parts.server.reset();
    status.Update(parts.storage->Close());
  }
  return status;
}

absl::Status ClusterCore::Kill(int32_t broker) {
  KL_ASSIGN_OR_RETURN(const Parts taken, Take(broker, BrokerState::kKilled));
  const auto& server = taken.server;
  if (taken.files != nullptr) taken.files->Kill();
  network_->Resume(Node(broker));  // a dead process is not a paused one
  if (options_.kill_detection.count() > 0) {
    executor_->PostAt(
        executor_->clock().Now() + options_.kill_detection,
        [coordination = coordination_, sessions = coordination_->DisownClient(broker)] {
          for (const uint64_t session : sessions) coordination->ExpireSession(session);
        });
    server->Stop();
  } else {
    server->Stop();
    coordination_->ExpireClient(broker);  // where its own goodbye was lost on a link
  }
  return absl::OkStatus();
}

absl::Status ClusterCore::Shutdown(int32_t broker) {
  KL_ASSIGN_OR_RETURN(const BrokerState state, this->state(broker));
  if (state == BrokerState::kPaused) {
    return absl::FailedPreconditionError(
        Cat("broker ", broker, " is paused: resume it, or kill it"));
  }
  KL_ASSIGN_OR_RETURN(Parts taken, Take(broker, BrokerState::kShutDown));
  std::vector<Parts> stopping;
  stopping.push_back(std::move(taken));
  const absl::Status closed = CloseInOrder(std::move(stopping));
  base::MutexLock lock(mu_);
  brokers_[broker].changing = false;
  return closed;
}

absl::Status ClusterCore::Restart(int32_t broker) {
  KL_RETURN_IF_ERROR(state(broker).status());
  KL_ASSIGN_OR_RETURN(const auto server, StartServer(broker));
  KL_RETURN_IF_ERROR(Await(
      [&] {
        return server->metadata().live_brokers().contains(model::BrokerId(broker)) ||
               this->server(broker) != server;
      },
      Cat("restarting broker ", broker)));
  if (this->server(broker) == server) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Cat("broker ", broker, " was stopped again before it was up"));
}

absl::Status ClusterCore::Switch(int32_t broker, BrokerState from, BrokerState to) {
  KL_ASSIGN_OR_RETURN(const BrokerState state, this->state(broker));
  base::MutexLock lock(mu_);
  if (state != from) {
    return absl::FailedPreconditionError(Cat(
        "broker ", broker, from == BrokerState::kPaused ? " is not paused" : " is not running"));
  }
  brokers_[broker].state = to;
  return absl::OkStatus();
}

absl::Status ClusterCore::Pause(int32_t broker) {
  KL_RETURN_IF_ERROR(Switch(broker, BrokerState::kRunning, BrokerState::kPaused));
  network_->Pause(Node(broker));
  return absl::OkStatus();
}

absl::Status ClusterCore::Resume(int32_t broker) {
  KL_RETURN_IF_ERROR(Switch(broker, BrokerState::kPaused, BrokerState::kRunning));
  network_->Resume(Node(broker));
  return absl::OkStatus();
}

namespace {

Replica ToReplica(const replication::ReplicaSnapshot& snapshot, base::BufferPool& pool) {
  Replica replica;
  replica.is_leader = snapshot.role == replication::Role::kLeader;
  replica.leader = snapshot.leader.value();
  replica.leader_epoch = snapshot.leader_epoch.value();
  replica.log_id = snapshot.log_id.value();
  replica.log_start_offset = snapshot.log_start.value();
  replica.log_end_offset = snapshot.log_end.value();
  replica.high_watermark = snapshot.high_watermark.value();
  for (const model::BrokerId member : snapshot.isr) replica.isr.push_back(member.value());
  for (const auto& entry : snapshot.epochs) {
    replica.epochs.emplace_back(entry.epoch.value(), entry.start_offset.value());
  }
  const auto copy = [](const std::optional<std::string_view>& bytes) {
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  };
  for (const format::Batch& batch : snapshot.batches) {
    const auto plain = format::DecompressBatch(batch, format::kMaxRecordsBytes, pool);
    if (!plain.ok()) continue;
    format::RecordIterator records(*plain);
    format::RecordView record;
    while (records.Next(record)) {
      replica.records.push_back({record.offset.value(), batch.header.leader_epoch.value(),
                                 record.timestamp, copy(record.key), copy(record.value)});
    }
  }
  return replica;
}

}  // namespace

absl::StatusOr<Replica> ClusterCore::ReadReplica(int32_t broker, std::string_view topic,
                                                 int32_t partition) {
  KL_RETURN_IF_ERROR(state(broker).status());
  const auto server = this->server(broker);
  if (server == nullptr) return absl::FailedPreconditionError(Cat("broker ", broker, " is down"));
  const auto found = server->replicas().Find({std::string(topic), model::PartitionId(partition)});
  if (found == nullptr) {
    return absl::NotFoundError(
        Cat("broker ", broker, " has no replica of partition ", topic, "-", partition));
  }
  // Looked at from outside of the broker, so that a paused one can be read, too.
  const auto snapshot = client::Await<replication::ReplicaSnapshot>(
      *executor_, executor_->clock().Now() + options_.call_timeout,
      [&](auto reply) { found->Inspect(std::move(reply)); });
  if (!snapshot.ok()) return snapshot.status();
  return ToReplica(*snapshot, *runtime_->pool);
}

}  // namespace kafkalite
