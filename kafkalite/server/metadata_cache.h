// File: metadata_cache.h
//
// What one broker knows of the cluster, from the controller. Thread safety: any thread.

#ifndef KAFKALITE_SERVER_METADATA_CACHE_H_
#define KAFKALITE_SERVER_METADATA_CACHE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::server {

class MetadataCache {
 public:
  // `static_config`: the broker's settings, as it was started.
  explicit MetadataCache(model::ConfigMap static_config = {});

  void Apply(const transport::ClusterStateUpdate& update);
  // False before the first update: nothing is known then, not even that a topic does not exist.
  bool told() const;
  protocol::MetadataResponse Answer(const protocol::MetadataRequest& request) const;
  std::set<model::BrokerId> live_brokers() const;
  // What was set for the topic; nothing if it is not known.
  std::optional<model::ConfigMap> OverridesOf(const std::string& topic) const;
  // What this broker's topics have by default.
  model::BrokerDefaults defaults() const;

 private:
  using Partitions = std::map<model::PartitionId, transport::PartitionUpdate>;

  protocol::MetadataResponse::Topic Describe(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable base::Mutex mu_;
  bool told_ ABSL_GUARDED_BY(mu_) = false;
  model::BrokerId controller_ ABSL_GUARDED_BY(mu_) = model::kNoBroker;
  std::set<model::BrokerId> live_brokers_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Partitions> topics_ ABSL_GUARDED_BY(mu_);
  model::BrokerDefaults defaults_ ABSL_GUARDED_BY(mu_);
  model::TopicConfig topic_defaults_ ABSL_GUARDED_BY(mu_);  // what they amount to
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_METADATA_CACHE_H_
