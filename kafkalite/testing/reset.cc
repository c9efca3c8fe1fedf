#include "kafkalite/testing/reset.h"

#include <string>
#include <vector>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/testing/faults.h"

namespace kafkalite::testing {
namespace {

absl::Status ReviveAll(Cluster& cluster) {
  for (const int32_t id : cluster.broker_ids()) {
    KL_ASSIGN_OR_RETURN(BrokerState state, cluster.broker(id).state());
    // A log that went offline works again after a start only.
    KL_ASSIGN_OR_RETURN(const auto offline, cluster.broker(id).offline());
    if (!offline.empty()) {
      KL_RETURN_IF_ERROR(cluster.Kill(id));
      state = BrokerState::kKilled;
    }
    if (state == BrokerState::kPaused) KL_RETURN_IF_ERROR(cluster.Resume(id));
    if (state == BrokerState::kKilled || state == BrokerState::kShutDown) {
      KL_RETURN_IF_ERROR(cluster.Restart(id));
    }
  }
  return absl::OkStatus();
}

// What is set at run time, by name.
std::vector<ConfigChange> Deletions(const std::vector<ConfigEntry>& entries, ConfigSource source) {
  std::vector<ConfigChange> changes;
  for (const ConfigEntry& entry : entries) {
    if (entry.source == source) changes.push_back(ConfigChange::Delete(entry.name));
  }
  return changes;
}

absl::Status ResetSettings(Cluster& cluster) {
  KL_ASSIGN_OR_RETURN(const auto defaults, cluster.DescribeBrokerDefaults());
  if (auto changes = Deletions(defaults, ConfigSource::kDynamicDefaultBroker); !changes.empty()) {
    KL_RETURN_IF_ERROR(cluster.AlterBrokerDefaults(changes));
  }
  for (const int32_t id : cluster.broker_ids()) {
    KL_ASSIGN_OR_RETURN(const auto entries, cluster.broker(id).DescribeConfig());
    if (auto changes = Deletions(entries, ConfigSource::kDynamicBroker); !changes.empty()) {
      KL_RETURN_IF_ERROR(cluster.broker(id).AlterConfig(changes));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Reset(Cluster& cluster) {
  Faults faults(cluster);
  faults.HealAll();
  faults.ForgetRequests();
  KL_RETURN_IF_ERROR(ReviveAll(cluster));
  KL_ASSIGN_OR_RETURN(const std::vector<std::string> topics, cluster.ListTopics());
  for (const std::string& topic : topics) KL_RETURN_IF_ERROR(cluster.DeleteTopic(topic));
  return ResetSettings(cluster);
}

}  // namespace kafkalite::testing
