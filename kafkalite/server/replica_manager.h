// File: replica_manager.h
//
// The partitions of one broker. Thread safety: any thread.

#ifndef KAFKALITE_SERVER_REPLICA_MANAGER_H_
#define KAFKALITE_SERVER_REPLICA_MANAGER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/replication/partition.h"
#include "kafkalite/storage/storage.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::server {

class ReplicaManager {
 public:
  ReplicaManager(std::shared_ptr<storage::Storage> storage,
                 const replication::Partition::Options& options);

  // Null if this broker has no replica of it.
  std::shared_ptr<replication::Partition> Find(const model::TopicPartition& tp) const;

  // Carries out the controller's decisions about this broker's replicas, then calls back. Calls
  // must not overlap.
  void Apply(std::shared_ptr<replication::PartitionHost> host,
             const transport::ClusterStateUpdate& update, base::Task done);

  std::map<model::TopicPartition, model::LogId> LogIds() const;
  void Tick();
  // Closes every partition; none is opened afterwards.
  void Close();

 private:
  std::vector<std::shared_ptr<replication::Partition>> All() const;

  const std::shared_ptr<storage::Storage> storage_;
  const replication::Partition::Options options_;
  mutable base::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<model::TopicPartition, std::shared_ptr<replication::Partition>> partitions_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_REPLICA_MANAGER_H_
