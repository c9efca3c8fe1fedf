// File: replica_manager.h
//
// The partitions of one broker. Thread safety: any thread.

#ifndef KAFKALITE_SERVER_REPLICA_MANAGER_H_
#define KAFKALITE_SERVER_REPLICA_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/replication/partition.h"
#include "kafkalite/storage/storage.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::server {

class ReplicaManager {
 public:
  // `static_config`: the broker's settings, as it was started.
  ReplicaManager(std::shared_ptr<storage::Storage> storage,
                 const replication::Partition::Options& options,
                 model::ConfigMap static_config = {});

  // Null if this broker has no replica of it.
  std::shared_ptr<replication::Partition> Find(const model::TopicPartition& tp) const;

  // Carries out the controller's decisions about this broker's replicas, then calls back: not OK
  // if a log could not be deleted. REQUIRES: the last call has called back, and `done` keeps this
  // alive.
  void Apply(const std::shared_ptr<replication::PartitionHost>& host,
             const transport::ClusterStateUpdate& update,
             absl::AnyInvocable<void(absl::Status)> done);

  std::map<model::TopicPartition, model::LogId> LogIds() const;
  // Of those partitions, if they are open.
  std::map<model::TopicPartition, model::LogId> LogIdsOf(
      const std::vector<transport::PartitionUpdate>& partitions) const;
  // What has no log that works, and has not been told to go since.
  std::set<model::TopicPartition> Offline() const;
  std::map<model::TopicPartition, absl::Status> OfflineReasons() const;
  // Calls back for each partition that is closed because its log failed: it is among Offline().
  void Tick(const std::function<void()>& went_offline);
  // Closes every partition; none is opened afterwards. Lets go of `until_closed` when it is done.
  void Close(std::shared_ptr<void> until_closed);

 private:
  // Takes it out of the broker.
  void CloseFailed(const std::shared_ptr<replication::Partition>& partition,
                   std::function<void()> went_offline);
  struct InUse {
    std::shared_ptr<void> until_closed;
  };

  std::vector<std::shared_ptr<replication::Partition>> All() const;
  using Host = std::shared_ptr<replication::PartitionHost>;
  // The settings in force of a topic.
  model::TopicConfig ConfigOf(const std::string& topic) const;
  // Takes over the brokers' settings; `finish` goes when they are in force in every partition.
  void Configure(const transport::BrokerSettings& settings, const std::shared_ptr<void>& finish);
  // Hands the news to its partition, which is opened if need be; then lets go of `finish`.
  void Tell(const Host& host, transport::PartitionUpdate news, std::shared_ptr<void> finish);
  void Open(const Host& host, transport::PartitionUpdate news, std::shared_ptr<void> finish);
  // The name of the partition's log if there is none yet.
  model::LogId NameOfNew(const Host& host, const transport::PartitionUpdate& news) const;
  // Deletes what the topics have here, also logs of which no partition was opened.
  void Delete(const std::vector<std::string>& topics, absl::AnyInvocable<void(absl::Status)> done);

  const std::shared_ptr<storage::Storage> storage_;
  const replication::Partition::Options options_;
  const model::ConfigMap static_config_;
  mutable base::Mutex mu_;
  // Shared by whatever has a log open, or is about to; null once closed.
  std::shared_ptr<InUse> in_use_ ABSL_GUARDED_BY(mu_) = std::make_shared<InUse>();
  std::map<model::TopicPartition, std::shared_ptr<replication::Partition>> partitions_
      ABSL_GUARDED_BY(mu_);
  std::map<model::TopicPartition, absl::Status> offline_ ABSL_GUARDED_BY(mu_);  // and why
  // The last epoch in which this broker led, and that of them in which the log failed.
  std::map<model::TopicPartition, model::LeaderEpoch> led_ ABSL_GUARDED_BY(mu_);
  std::map<model::TopicPartition, model::LeaderEpoch> failed_ ABSL_GUARDED_BY(mu_);
  model::TopicConfig topic_defaults_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, model::ConfigMap> overrides_ ABSL_GUARDED_BY(mu_);  // by topic
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_REPLICA_MANAGER_H_
