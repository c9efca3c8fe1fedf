#include "kafkalite/server/replica_manager.h"

#include <algorithm>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/controller/cluster_view.h"

namespace kafkalite::server {

using replication::Partition;

ReplicaManager::ReplicaManager(std::shared_ptr<storage::Storage> storage,
                               const Partition::Options& options, model::ConfigMap static_config)
    : storage_(std::move(storage)),
      options_(options),
      static_config_(std::move(static_config)),
      topic_defaults_(model::DefaultTopicConfig(
          {.dynamic_broker = {}, .dynamic_default = {}, .static_broker = static_config_})) {}

std::shared_ptr<Partition> ReplicaManager::Find(const model::TopicPartition& tp) const {
  base::MutexLock lock(mu_);
  const auto found = partitions_.find(tp);
  return found == partitions_.end() ? nullptr : found->second;
}

namespace {

// Calls back when its last reference is gone, with the first error that was noted.
class Finish {
 public:
  explicit Finish(absl::AnyInvocable<void(absl::Status)> done) : done_(std::move(done)) {}
  ~Finish() { done_(std::move(status_)); }
  void Note(const absl::Status& status) {
    base::MutexLock lock(mu_);
    status_.Update(status);
  }

 private:
  base::Mutex mu_;
  absl::Status status_;
  absl::AnyInvocable<void(absl::Status)> done_;
};

// What the deletion of one log came to. A storage that is killed drops it unsaid: that counts as
// failed, for nobody would delete the log any more.
class Deletion {
 public:
  explicit Deletion(std::shared_ptr<Finish> all) : all_(std::move(all)) {}
  Deletion(Deletion&&) = default;
  Deletion& operator=(Deletion&&) = delete;
  ~Deletion() {
    if (all_ != nullptr) all_->Note(absl::AbortedError("the storage was killed"));
  }
  void operator()(const absl::Status& status) { std::exchange(all_, nullptr)->Note(status); }

 private:
  std::shared_ptr<Finish> all_;
};

}  // namespace

void ReplicaManager::Apply(const Host& host, const transport::ClusterStateUpdate& update,
                           absl::AnyInvocable<void(absl::Status)> done) {
  if (!update.deleted_topics.empty()) {
    done = [this, topics = update.deleted_topics, done = std::move(done)](
               const absl::Status&) mutable { Delete(topics, std::move(done)); };
  }
  const auto finish = std::make_shared<Finish>(std::move(done));
  if (update.settings) Configure(*update.settings, finish);
  for (const transport::PartitionUpdate& news : update.partitions) {
    const auto& replicas = news.replicas;
    if (std::find(replicas.begin(), replicas.end(), host->self()) == replicas.end()) continue;
    Tell(host, news, finish);
  }
}

model::TopicConfig ReplicaManager::ConfigOf(const std::string& topic) const {
  base::MutexLock lock(mu_);
  const auto own = overrides_.find(topic);
  return own == overrides_.end() ? topic_defaults_
                                 : model::WithOverrides(topic_defaults_, own->second);
}

void ReplicaManager::Configure(const transport::BrokerSettings& settings,
                               const std::shared_ptr<void>& finish) {
  const model::TopicConfig defaults =
      model::DefaultTopicConfig({.dynamic_broker = settings.own,
                                 .dynamic_default = settings.defaulted,
                                 .static_broker = static_config_});
  {
    base::MutexLock lock(mu_);
    if (topic_defaults_ == defaults) return;
    topic_defaults_ = defaults;
  }
  for (const auto& partition : All()) {
    partition->Configure(ConfigOf(partition->tp().topic), finish);
  }
}

void ReplicaManager::Tell(const Host& host, transport::PartitionUpdate news,
                          std::shared_ptr<void> finish) {
  {
    base::MutexLock lock(mu_);
    if (news.overrides.empty()) {
      overrides_.erase(news.tp.topic);
    } else {
      overrides_.insert_or_assign(news.tp.topic, news.overrides);
    }
    if (news.leader == host->self() && !offline_.contains(news.tp)) {
      led_[news.tp] = news.leader_epoch;
    }
  }
  news.config = ConfigOf(news.tp.topic);
  if (const auto partition = Find(news.tp)) {
    partition->Apply(std::move(news), std::move(finish));
  } else {
    Open(host, std::move(news), std::move(finish));
  }
}

void ReplicaManager::Open(const Host& host, transport::PartitionUpdate news,
                          std::shared_ptr<void> finish) {
  std::shared_ptr<InUse> in_use;
  {
    base::MutexLock lock(mu_);
    if (in_use_ == nullptr) return;
    in_use = in_use_;
    // Its followers may have what its log lost when it failed: in the same epoch there would be two
    // records at one offset.
    const auto failed = failed_.find(news.tp);
    if (failed != failed_.end() && news.leader == host->self() &&
        news.leader_epoch <= failed->second) {
      offline_[news.tp] = absl::FailedPreconditionError(
          base::ToAbsl(base::Cat("its log failed while it led in epoch ", failed->second.value(),
                                 ": it leads again in a later one only")));
      return;
    }
  }
  auto opened = [this, news, finish = std::move(finish),
                 in_use](absl::StatusOr<std::shared_ptr<Partition>> partition) {
    bool closed = false;
    {
      base::MutexLock lock(mu_);
      if (!partition.ok()) {
        offline_[news.tp] = partition.status();
        return;
      }
      offline_.erase(news.tp);
      closed = in_use_ == nullptr;
      if (!closed) partitions_[news.tp] = *partition;
    }
    if (closed) return (*partition)->Close([in_use] {});
    (*partition)->Apply(news, finish);
  };
  auto log = storage_->Open(news.tp, NameOfNew(host, news));
  if (!log.ok()) return opened(log.status());
  Partition::Open(host, news.tp, options_, *std::move(log), std::move(opened));
}

// The one that the controller expects: of this incarnation. But where it has recorded the name of a
// log that was to be made under an earlier one, and never was, the log is made now: nothing can
// have been acknowledged on its account, so it is what that one would be. Else all who were about
// to make a new topic's logs when they were killed would have others than its first state says.
model::LogId ReplicaManager::NameOfNew(const Host& host,
                                       const transport::PartitionUpdate& news) const {
  const model::LogId name = controller::NewLogId(host->incarnation(), news.topic_creation_id);
  const auto recorded = news.log_ids.find(host->self());
  if (recorded == news.log_ids.end() || recorded->second == name) return name;
  model::Incarnation earlier = host->incarnation();
  while (earlier.value() > 0) {
    earlier = model::Incarnation(earlier.value() - 1);
    if (!storage_->NeverMade(news.tp, earlier)) return name;
    if (controller::NewLogId(earlier, news.topic_creation_id) == recorded->second) {
      return recorded->second;
    }
  }
  return name;
}

void ReplicaManager::Delete(const std::vector<std::string>& topics,
                            absl::AnyInvocable<void(absl::Status)> done) {
  const auto finish = std::make_shared<Finish>(std::move(done));
  std::set<model::TopicPartition> closed_first;
  for (const std::string& topic : topics) {
    std::vector<std::shared_ptr<Partition>> open;
    {
      base::MutexLock lock(mu_);
      auto entry = partitions_.lower_bound({topic, model::PartitionId(0)});
      while (entry != partitions_.end() && entry->first.topic == topic) {
        open.push_back(entry->second);
        entry = partitions_.erase(entry);
      }
      const auto is_of_topic = [&](const auto& entry) { return entry.first.topic == topic; };
      std::erase_if(offline_, is_of_topic);
      std::erase_if(led_, is_of_topic);
      std::erase_if(failed_, is_of_topic);
      overrides_.erase(topic);
    }
    for (const auto& partition : open) {
      closed_first.insert(partition->tp());
      partition->Close(
          [storage = storage_, tp = partition->tp(), deletion = Deletion(finish)]() mutable {
            storage->Delete(tp, std::move(deletion));
          });
    }
  }
  for (const auto& [tp, id] : storage_->List()) {
    const bool goes = std::find(topics.begin(), topics.end(), tp.topic) != topics.end();
    if (!goes || closed_first.contains(tp)) continue;
    storage_->Delete(tp, Deletion(finish));
  }
}

std::vector<std::shared_ptr<Partition>> ReplicaManager::All() const {
  std::vector<std::shared_ptr<Partition>> all;
  base::MutexLock lock(mu_);
  for (const auto& [tp, partition] : partitions_) all.push_back(partition);
  return all;
}

std::map<model::TopicPartition, model::LogId> ReplicaManager::LogIds() const {
  std::map<model::TopicPartition, model::LogId> ids;
  for (const auto& [tp, id] : storage_->List()) {
    // One without a name will have that of a new one, when it is opened.
    if (id != model::LogId()) ids[tp] = id;
  }
  return ids;
}

std::map<model::TopicPartition, model::LogId> ReplicaManager::LogIdsOf(
    const std::vector<transport::PartitionUpdate>& partitions) const {
  std::map<model::TopicPartition, model::LogId> ids;
  for (const transport::PartitionUpdate& news : partitions) {
    if (const auto partition = Find(news.tp)) ids[news.tp] = partition->log_id();
  }
  return ids;
}

std::set<model::TopicPartition> ReplicaManager::Offline() const {
  base::MutexLock lock(mu_);
  std::set<model::TopicPartition> offline;
  for (const auto& [tp, reason] : offline_) offline.insert(tp);
  return offline;
}

std::map<model::TopicPartition, absl::Status> ReplicaManager::OfflineReasons() const {
  base::MutexLock lock(mu_);
  return offline_;
}

void ReplicaManager::Tick(const std::function<void()>& went_offline) {
  for (const auto& partition : All()) {
    if (partition->log_failed()) {
      CloseFailed(partition, went_offline);
    } else {
      partition->Tick();
    }
  }
}

void ReplicaManager::CloseFailed(const std::shared_ptr<Partition>& partition,
                                 std::function<void()> went_offline) {
  {
    base::MutexLock lock(mu_);
    // What it was, the storage says when it is asked to open it again.
    if (!offline_.emplace(partition->tp(), absl::DataLossError("its log has failed")).second) {
      return;  // under way
    }
    if (const auto led = led_.find(partition->tp()); led != led_.end()) {
      failed_[led->first] = led->second;
    }
  }
  // It stays where it is until its log is closed: nobody opens it again before.
  partition->Close([this, partition, went_offline = std::move(went_offline)] {
    {
      base::MutexLock lock(mu_);
      const auto found = partitions_.find(partition->tp());
      if (found != partitions_.end() && found->second == partition) partitions_.erase(found);
    }
    went_offline();
  });
}

void ReplicaManager::Close(std::shared_ptr<void> until_closed) {
  std::map<model::TopicPartition, std::shared_ptr<Partition>> all;
  std::shared_ptr<InUse> in_use;
  {
    base::MutexLock lock(mu_);
    all.swap(partitions_);
    in_use.swap(in_use_);
    if (in_use != nullptr) in_use->until_closed = std::move(until_closed);
  }
  for (const auto& [tp, partition] : all) partition->Close([in_use] {});
}

}  // namespace kafkalite::server
