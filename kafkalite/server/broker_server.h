// File: broker_server.h
//
// One broker: its registration, its candidacy as controller, its replicas, and the services that
// it offers to clients and to other brokers. It decides nothing itself; it puts the parts together.
//
// Thread safety: any thread. Lifetime: shared; Stop() ends it for good (a restarted broker is
// another BrokerServer), and nothing of it runs on afterwards but calls that are under way.

#ifndef KAFKALITE_SERVER_BROKER_SERVER_H_
#define KAFKALITE_SERVER_BROKER_SERVER_H_

#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/controller/controller.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/server/broker_host.h"
#include "kafkalite/server/metadata_cache.h"
#include "kafkalite/server/producer_ids.h"
#include "kafkalite/server/registration.h"
#include "kafkalite/server/replica_manager.h"
#include "kafkalite/storage/storage.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::server {

// Where a broker lives. All outlive it.
struct BrokerSurroundings {
  base::Executor& executor;
  base::Network& network;
  transport::Transport& transport;
  coordination::Coordination& coordination;
  std::shared_ptr<storage::Storage> storage;
  base::Ref<base::BufferPool> pool = {};  // for batches that the broker packs anew; or its own
};

struct BrokerServerOptions {
  model::BrokerId id;
  std::string cluster_id;
  std::chrono::milliseconds session_timeout{6000};
  std::chrono::milliseconds replica_lag_time_max{30000};
  // Kafka's settings of brokers that are defaults of topics' settings ("log.retention.hours").
  // What is not valid counts as not there; see model::ValidateBrokerConfig.
  model::ConfigMap config = {};
};

class BrokerServer final : public transport::ClientService,
                           public transport::PeerService,
                           public std::enable_shared_from_this<BrokerServer> {
 public:
  static std::shared_ptr<BrokerServer> Start(const BrokerSurroundings& surroundings,
                                             const BrokerServerOptions& options);
  // Ends sessions and replicas. What waits here breaks off. Lets go of `until_closed` when no log
  // is open any more.
  void Stop(std::shared_ptr<void> until_closed = nullptr);

  const MetadataCache& metadata() const { return metadata_; }
  const ReplicaManager& replicas() const { return replicas_; }
  bool is_controller() const { return controller_->term() != nullptr; }

  // ClientService
  void Produce(protocol::ProduceRequest request,
               transport::Reply<protocol::ProduceResponse> reply) override;
  void Fetch(protocol::FetchRequest request,
             transport::Reply<protocol::FetchResponse> reply) override;
  void ListOffsets(protocol::ListOffsetsRequest request,
                   transport::Reply<protocol::ListOffsetsResponse> reply) override;
  void Metadata(protocol::MetadataRequest request,
                transport::Reply<protocol::MetadataResponse> reply) override;
  void InitProducerId(protocol::InitProducerIdRequest request,
                      transport::Reply<protocol::InitProducerIdResponse> reply) override;
  void CreateTopics(protocol::CreateTopicsRequest request,
                    transport::Reply<protocol::CreateTopicsResponse> reply) override;
  void DeleteTopics(protocol::DeleteTopicsRequest request,
                    transport::Reply<protocol::DeleteTopicsResponse> reply) override;
  void CreatePartitions(protocol::CreatePartitionsRequest request,
                        transport::Reply<protocol::CreatePartitionsResponse> reply) override;
  void ElectLeaders(protocol::ElectLeadersRequest request,
                    transport::Reply<protocol::ElectLeadersResponse> reply) override;
  void DescribeConfigs(protocol::DescribeConfigsRequest request,
                       transport::Reply<protocol::DescribeConfigsResponse> reply) override;
  void AlterConfigs(protocol::AlterConfigsRequest request,
                    transport::Reply<protocol::AlterConfigsResponse> reply) override;
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                               transport::Reply<protocol::AlterConfigsResponse> reply) override;
  void DeleteRecords(protocol::DeleteRecordsRequest request,
                     transport::Reply<protocol::DeleteRecordsResponse> reply) override;

  // PeerService
  void FetchReplica(transport::ReplicaFetchRequest request,
                    transport::Reply<transport::ReplicaFetchResponse> reply) override;
  void UpdateClusterState(transport::ClusterStateUpdate update,
                          transport::Reply<transport::ClusterStateAck> reply) override;

 private:
  BrokerServer(const BrokerSurroundings& surroundings, const BrokerServerOptions& options);

  void Run(transport::Transport& transport);
  void ScheduleTick();
  // A log has failed: the controller is told, as by Kafka's brokers (KIP-112), to ask which.
  void TellLogDirEvent();

  struct Update {
    transport::ClusterStateUpdate news;
    transport::Reply<transport::ClusterStateAck> reply;
  };
  void ApplyNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(updates_);
  void OnApplied(Update& update, const absl::Status& deleted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(updates_);

  const std::shared_ptr<BrokerHost> host_;
  MetadataCache metadata_;
  ReplicaManager replicas_;
  const std::shared_ptr<controller::Controller> controller_;
  const std::shared_ptr<ProducerIds> producer_ids_;
  const std::shared_ptr<Registration> registration_;

  // Updates are applied one at a time, and opening a log may take its time.
  base::Strand updates_;
  std::deque<Update> waiting_updates_ ABSL_GUARDED_BY(updates_);
  bool updating_ ABSL_GUARDED_BY(updates_) = false;
  model::ControllerEpoch controller_epoch_ ABSL_GUARDED_BY(updates_);

  base::Mutex mu_;
  std::unique_ptr<transport::Listener> listener_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_BROKER_SERVER_H_
