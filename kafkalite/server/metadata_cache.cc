#include "kafkalite/server/metadata_cache.h"

#include <utility>

namespace kafkalite::server {

using model::ErrorCode;

MetadataCache::MetadataCache(model::ConfigMap static_config)
    : defaults_{.dynamic_broker = {},
                .dynamic_default = {},
                .static_broker = std::move(static_config)},
      topic_defaults_(model::DefaultTopicConfig(defaults_)) {}

void MetadataCache::Apply(const transport::ClusterStateUpdate& update) {
  base::MutexLock lock(mu_);
  told_ |= update.full;
  controller_ = update.controller;
  live_brokers_ = {update.live_brokers.begin(), update.live_brokers.end()};
  if (update.settings) {
    defaults_.dynamic_broker = update.settings->own;
    defaults_.dynamic_default = update.settings->defaulted;
    topic_defaults_ = model::DefaultTopicConfig(defaults_);
  }
  if (update.full) topics_.clear();
  for (const transport::PartitionUpdate& partition : update.partitions) {
    topics_[partition.tp.topic].insert_or_assign(partition.tp.partition, partition);
  }
  for (const std::string& topic : update.deleted_topics) topics_.erase(topic);
}

bool MetadataCache::told() const {
  base::MutexLock lock(mu_);
  return told_;
}

std::set<model::BrokerId> MetadataCache::live_brokers() const {
  base::MutexLock lock(mu_);
  return live_brokers_;
}

std::optional<model::ConfigMap> MetadataCache::OverridesOf(const std::string& topic) const {
  base::MutexLock lock(mu_);
  const auto found = topics_.find(topic);
  if (found == topics_.end() || found->second.empty()) return std::nullopt;
  return found->second.begin()->second.overrides;
}

model::BrokerDefaults MetadataCache::defaults() const {
  base::MutexLock lock(mu_);
  return defaults_;
}

protocol::MetadataResponse::Topic MetadataCache::Describe(const std::string& name) const {
  protocol::MetadataResponse::Topic topic{.name = name};
  const auto found = topics_.find(name);
  if (found == topics_.end()) {
    topic.error = model::ValidateTopicName(name).ok() ? ErrorCode::kUnknownTopicOrPartition
                                                      : ErrorCode::kInvalidTopic;
    return topic;
  }
  for (const auto& [number, update] : found->second) {
    const bool led = live_brokers_.contains(update.leader);
    topic.partitions.push_back({.error = led ? ErrorCode::kNone : ErrorCode::kLeaderNotAvailable,
                                .partition = number,
                                .leader = led ? update.leader : model::kNoBroker,
                                .leader_epoch = update.leader_epoch,
                                .replicas = update.replicas,
                                .isr = update.isr});
  }
  if (!found->second.empty()) {
    topic.overrides = found->second.begin()->second.overrides;
    topic.creation_id = found->second.begin()->second.topic_creation_id;
  }
  topic.max_message_bytes =
      model::WithOverrides(topic_defaults_, topic.overrides).max_message_bytes;
  return topic;
}

protocol::MetadataResponse MetadataCache::Answer(const protocol::MetadataRequest& request) const {
  base::MutexLock lock(mu_);
  protocol::MetadataResponse response;
  response.brokers = {live_brokers_.begin(), live_brokers_.end()};
  response.controller = controller_;
  if (request.topics) {
    for (const std::string& name : *request.topics) response.topics.push_back(Describe(name));
  } else {
    for (const auto& [name, partitions] : topics_) response.topics.push_back(Describe(name));
  }
  return response;
}

}  // namespace kafkalite::server
