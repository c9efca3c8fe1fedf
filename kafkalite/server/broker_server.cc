#include "kafkalite/server/broker_server.h"

#include <utility>

#include "kafkalite/coordination/znodes.h"
#include "kafkalite/server/handlers/configs.h"
#include "kafkalite/server/handlers/delete_records.h"
#include "kafkalite/server/handlers/fetch.h"
#include "kafkalite/server/handlers/list_offsets.h"
#include "kafkalite/server/handlers/produce.h"
#include "kafkalite/server/handlers/topics.h"

namespace kafkalite::server {

using model::ErrorCode;

namespace {

constexpr base::Duration kTick = std::chrono::milliseconds(100);
constexpr base::Duration kReplicaFetchMaxWait = std::chrono::milliseconds(500);

}  // namespace

BrokerServer::BrokerServer(const BrokerSurroundings& surroundings,
                           const BrokerServerOptions& options)
    : host_(std::make_shared<BrokerHost>(surroundings.executor, surroundings.network,
                                         surroundings.transport, options.id, surroundings.pool)),
      metadata_(options.config),
      replicas_(
          surroundings.storage,
          {.lag_time_max = options.replica_lag_time_max, .fetch_max_wait = kReplicaFetchMaxWait},
          options.config),
      controller_(std::make_shared<controller::Controller>(host_, options.config)),
      producer_ids_(std::make_shared<ProducerIds>(surroundings.executor, options.id,
                                                  [host = host_] { return host->session(); })),
      registration_(std::make_shared<Registration>(
          surroundings.executor,
          [host = host_](base::Duration delay, base::Task task) {
            host->After(delay, std::move(task));
          },
          surroundings.coordination,
          Registration::Options{options.id, options.session_timeout, options.cluster_id},
          Registration::Listener{
              [host = host_, controller = controller_, storage = surroundings.storage](
                  std::shared_ptr<coordination::Session> session, model::Incarnation incarnation) {
                storage->SetIncarnation(incarnation);  // before a log is opened under it
                host->SetRegistered(session, incarnation);
                controller->Start(std::move(session));
              },
              [host = host_, controller = controller_] {
                controller->Stop();
                host->SetUnregistered();
              }})),
      updates_(surroundings.executor) {}

std::shared_ptr<BrokerServer> BrokerServer::Start(const BrokerSurroundings& surroundings,
                                                  const BrokerServerOptions& options) {
  auto server = std::shared_ptr<BrokerServer>(new BrokerServer(surroundings, options));
  server->Run(surroundings.transport);
  return server;
}

void BrokerServer::Run(transport::Transport& transport) {
  const auto self = shared_from_this();
  {
    base::MutexLock lock(mu_);
    listener_ = transport.Listen(host_->self(), self, self);
  }
  registration_->Start();
  ScheduleTick();
}

void BrokerServer::Stop(std::shared_ptr<void> until_closed) {
  if (host_->stopped()) return;
  std::unique_ptr<transport::Listener> listener;
  {
    base::MutexLock lock(mu_);
    listener = std::move(listener_);
  }
  listener.reset();
  host_->Stop();
  controller_->Close();
  producer_ids_->Stop();
  registration_->Stop();
  replicas_.Close(std::move(until_closed));
}

void BrokerServer::ScheduleTick() {
  host_->After(kTick, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->replicas_.Tick([self] { self->TellLogDirEvent(); });
    self->ScheduleTick();
  });
}

void BrokerServer::TellLogDirEvent() {
  const auto again = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->TellLogDirEvent();
  };
  const auto session = host_->session();
  // A broker that registers is asked for what is offline.
  if (session == nullptr) return;
  session->Commit(
      {coordination::Operation::Create(coordination::paths::kLogDirEventPrefix,
                                       coordination::LogDirEvent{.broker = host_->self()}.Format(),
                                       coordination::Operation::Mode::kPersistentSequential)},
      [host = host_, again](const coordination::CommitResult& result) {
        if (result.code == coordination::Code::kConnectionLoss) {
          host->After(kTick, again);
        }
      });
}

// --- Clients ------------------------------------------------------------------------------------

void BrokerServer::Produce(protocol::ProduceRequest request,
                           transport::Reply<protocol::ProduceResponse> reply) {
  HandleProduce(replicas_, std::move(request), std::move(reply));
}

void BrokerServer::Fetch(protocol::FetchRequest request,
                         transport::Reply<protocol::FetchResponse> reply) {
  HandleFetch(replicas_, {host_->executor(), host_->network(), host_->node()}, std::move(request),
              std::move(reply));
}

void BrokerServer::ListOffsets(protocol::ListOffsetsRequest request,
                               transport::Reply<protocol::ListOffsetsResponse> reply) {
  HandleListOffsets(replicas_, request, std::move(reply));
}

void BrokerServer::Metadata(protocol::MetadataRequest request,
                            transport::Reply<protocol::MetadataResponse> reply) {
  if (!metadata_.told()) {
    return reply(absl::UnavailableError("this broker has not heard from the controller yet"));
  }
  reply(metadata_.Answer(request));
}

void BrokerServer::InitProducerId(protocol::InitProducerIdRequest,
                                  transport::Reply<protocol::InitProducerIdResponse> reply) {
  producer_ids_->Next([reply = std::move(reply)](absl::StatusOr<model::ProducerId> id) mutable {
    if (!id.ok()) return reply(id.status());
    reply(protocol::InitProducerIdResponse{.producer_id = *id, .producer_epoch = 0});
  });
}

void BrokerServer::CreateTopics(protocol::CreateTopicsRequest request,
                                transport::Reply<protocol::CreateTopicsResponse> reply) {
  HandleCreateTopics(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::DeleteTopics(protocol::DeleteTopicsRequest request,
                                transport::Reply<protocol::DeleteTopicsResponse> reply) {
  HandleDeleteTopics(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::CreatePartitions(protocol::CreatePartitionsRequest request,
                                    transport::Reply<protocol::CreatePartitionsResponse> reply) {
  HandleCreatePartitions(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::ElectLeaders(protocol::ElectLeadersRequest request,
                                transport::Reply<protocol::ElectLeadersResponse> reply) {
  HandleElectLeaders(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::DescribeConfigs(protocol::DescribeConfigsRequest request,
                                   transport::Reply<protocol::DescribeConfigsResponse> reply) {
  if (!metadata_.told()) {
    return reply(absl::UnavailableError("this broker has not heard from the controller yet"));
  }
  reply(HandleDescribeConfigs(metadata_, host_->self(), request));
}

void BrokerServer::AlterConfigs(protocol::AlterConfigsRequest request,
                                transport::Reply<protocol::AlterConfigsResponse> reply) {
  HandleAlterConfigs(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                                           transport::Reply<protocol::AlterConfigsResponse> reply) {
  HandleIncrementalAlterConfigs(*controller_, std::move(request), std::move(reply));
}

void BrokerServer::DeleteRecords(protocol::DeleteRecordsRequest request,
                                 transport::Reply<protocol::DeleteRecordsResponse> reply) {
  HandleDeleteRecords(replicas_, std::move(request), std::move(reply));
}

// --- Peers --------------------------------------------------------------------------------------

void BrokerServer::FetchReplica(transport::ReplicaFetchRequest request,
                                transport::Reply<transport::ReplicaFetchResponse> reply) {
  const auto partition = replicas_.Find(request.tp);
  if (partition == nullptr) {
    // The controller has told the follower first: it will try again.
    return reply(transport::ReplicaFetchResponse{.error = ErrorCode::kUnknownTopicOrPartition});
  }
  partition->FetchReplica(std::move(request), std::move(reply));
}

void BrokerServer::UpdateClusterState(transport::ClusterStateUpdate update,
                                      transport::Reply<transport::ClusterStateAck> reply) {
  updates_.Run(
      [self = shared_from_this(), update = std::move(update), reply = std::move(reply)]() mutable {
        self->updates_.AssertInside();
        self->waiting_updates_.push_back({std::move(update), std::move(reply)});
        self->ApplyNext();
      });
}

void BrokerServer::ApplyNext() {
  while (!updating_ && !waiting_updates_.empty()) {
    const auto update = std::make_shared<Update>(std::move(waiting_updates_.front()));
    waiting_updates_.pop_front();
    if (host_->stopped()) continue;
    const transport::ClusterStateUpdate& news = update->news;
    if (news.broker_incarnation != host_->incarnation()) {
      update->reply(transport::ClusterStateAck{.error = ErrorCode::kStaleBrokerEpoch});
      continue;
    }
    if (news.controller_epoch < controller_epoch_) {
      update->reply(transport::ClusterStateAck{.error = ErrorCode::kStaleControllerEpoch});
      continue;
    }
    controller_epoch_ = news.controller_epoch;
    metadata_.Apply(news);
    updating_ = true;
    replicas_.Apply(host_, news, [self = shared_from_this(), update](absl::Status deleted) {
      self->updates_.Run([self, update, deleted = std::move(deleted)] {
        self->updates_.AssertInside();
        self->OnApplied(*update, deleted);
      });
    });
  }
}

void BrokerServer::OnApplied(Update& update, const absl::Status& deleted) {
  updating_ = false;
  transport::ClusterStateAck ack;
  // To be told again: the topic's name stays taken until then.
  if (!deleted.ok()) ack.error = ErrorCode::kStorageError;
  ack.log_ids = update.news.full ? replicas_.LogIds() : replicas_.LogIdsOf(update.news.partitions);
  ack.offline = replicas_.Offline();
  update.reply(std::move(ack));
  ApplyNext();
}

}  // namespace kafkalite::server
