#include "kafkalite/server/replica_manager.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "kafkalite/controller/cluster_view.h"

namespace kafkalite::server {

using replication::Partition;

ReplicaManager::ReplicaManager(std::shared_ptr<storage::Storage> storage,
                               const Partition::Options& options)
    : storage_(std::move(storage)), options_(options) {}

std::shared_ptr<Partition> ReplicaManager::Find(const model::TopicPartition& tp) const {
  base::MutexLock lock(mu_);
  const auto found = partitions_.find(tp);
  return found == partitions_.end() ? nullptr : found->second;
}

void ReplicaManager::Apply(std::shared_ptr<replication::PartitionHost> host,
                           const transport::ClusterStateUpdate& update, base::Task done) {
  for (const transport::PartitionUpdate& news : update.partitions) {
    if (std::find(news.replicas.begin(), news.replicas.end(), host->self()) ==
        news.replicas.end()) {
      continue;
    }
    std::shared_ptr<Partition> partition;
    {
      base::MutexLock lock(mu_);
      if (closed_) break;
      std::shared_ptr<Partition>& slot = partitions_[news.tp];
      if (slot == nullptr) {
        auto log = storage_->Open(
            news.tp, controller::NewLogId(host->incarnation(), news.topic_creation_id));
        if (!log.ok()) {
          partitions_.erase(news.tp);
          continue;
        }
        slot = Partition::Open(host, news.tp, options_, *std::move(log));
      }
      partition = slot;
    }
    partition->Apply(news);
  }

  // Logs are deleted once their partitions have let go of them; the last one calls back.
  std::vector<std::shared_ptr<Partition>> deleted;
  {
    base::MutexLock lock(mu_);
    for (const std::string& topic : update.deleted_topics) {
      auto entry = partitions_.lower_bound({topic, model::PartitionId(0)});
      while (entry != partitions_.end() && entry->first.topic == topic) {
        deleted.push_back(entry->second);
        entry = partitions_.erase(entry);
      }
    }
  }
  auto left = std::make_shared<std::atomic<size_t>>(deleted.size() + 1);
  auto finish = [left, done = std::make_shared<base::Task>(std::move(done))] {
    if (left->fetch_sub(1) == 1) (*done)();
  };
  for (const auto& partition : deleted) {
    partition->Close([storage = storage_, tp = partition->tp(), finish] {
      (void)storage->Delete(tp);  // what cannot be deleted is found by the next full update
      finish();
    });
  }
  finish();
}

std::vector<std::shared_ptr<Partition>> ReplicaManager::All() const {
  std::vector<std::shared_ptr<Partition>> all;
  base::MutexLock lock(mu_);
  for (const auto& [tp, partition] : partitions_) all.push_back(partition);
  return all;
}

std::map<model::TopicPartition, model::LogId> ReplicaManager::LogIds() const {
  std::map<model::TopicPartition, model::LogId> ids;
  for (const auto& [tp, id] : storage_->List()) ids[tp] = id;
  return ids;
}

void ReplicaManager::Tick() {
  for (const auto& partition : All()) partition->Tick();
}

void ReplicaManager::Close() {
  std::vector<std::shared_ptr<Partition>> all = All();
  {
    base::MutexLock lock(mu_);
    closed_ = true;
    partitions_.clear();
  }
  for (const auto& partition : all) partition->Close([] {});
}

}  // namespace kafkalite::server
