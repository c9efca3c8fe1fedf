// What the reader learns of settings: those of topics and brokers, and the notifications that say
// which have changed. Whoever changes settings writes a notification (Kafka's tools, too), so the
// nodes themselves are not watched.

#include <algorithm>
#include <string_view>
#include <utility>

#include "kafkalite/controller/cluster_reader.h"

namespace kafkalite::controller {

using coordination::ChildrenResult;
using coordination::Code;
using coordination::GetResult;
namespace paths = coordination::paths;

namespace {

// How long a notification stays, as in Kafka: for whoever else reads them.
constexpr base::Duration kConfigChangeLifetime = std::chrono::minutes(15);

constexpr std::string_view kTopicsPrefix = "topics/";
constexpr std::string_view kBrokersPrefix = "brokers/";

}  // namespace

void ClusterReader::ReadConfig(const std::string& topic) {
  Begin();
  session_->Get(paths::TopicConfig(topic), {},
                InStrand([topic](ClusterReader& self, const GetResult& result) {
                  self.OnConfig(topic, result);
                  self.End();
                }));
}

void ClusterReader::OnConfig(const std::string& topic, const GetResult& result) {
  if (Unreachable(result.code)) {
    dirty_.config.insert(topic);
    ok_ = false;
    return;
  }
  const auto found = view_.topics.find(topic);
  if (found == view_.topics.end()) return;
  TopicView& view = found->second;
  coordination::ConfigNode node;
  if (result.code == Code::kOk) {
    auto parsed = coordination::ConfigNode::Parse(paths::TopicConfig(topic), result.data);
    if (!parsed.ok()) return;  // the settings stay as they were
    node = *std::move(parsed);
  }
  view.config_version = result.code == Code::kOk ? result.stat.version : -1;
  const model::TopicConfig config = model::WithOverrides(view_.topic_defaults, node.config);
  if (view.overrides == node.config && view.config == config) return;
  view.overrides = std::move(node.config);
  view.config = config;
  for (auto& [number, partition] : view.partitions) view_.Touch({topic, number}, partition);
}

// --- Notifications ------------------------------------------------------------------------------

void ClusterReader::ReadConfigChanges() {
  Begin();
  session_->Children(
      paths::kConfigChanges,
      WatchFor([](Dirty& dirty, const std::string&) { dirty.config_changes = true; }, ""),
      InStrand([](ClusterReader& self, const ChildrenResult& result) {
        if (result.code == Code::kOk) {
          self.OnConfigChanges(result.names);
        } else {
          self.dirty_.config_changes = true;
          self.ok_ = false;
        }
        self.End();
      }));
}

void ClusterReader::OnConfigChanges(const std::vector<std::string>& names) {
  std::erase_if(config_changes_, [&](const auto& seen) {
    return !std::binary_search(names.begin(), names.end(), seen.first);
  });
  const base::Time now = clock_.Now();
  for (const std::string& name : names) {
    const auto [seen, fresh] = config_changes_.try_emplace(name, now);
    if (fresh) {
      ReadConfigChange(name);
    } else if (now - seen->second > kConfigChangeLifetime) {
      session_->Commit(
          {coordination::Operation::Delete(std::string(paths::kConfigChanges) + "/" + name)},
          [](const coordination::CommitResult&) {});
    }
  }
}

void ClusterReader::ReadConfigChange(const std::string& name) {
  Begin();
  session_->Get(std::string(paths::kConfigChanges) + "/" + name, {},
                InStrand([name](ClusterReader& self, const GetResult& result) {
                  self.OnConfigChange(name, result);
                  self.End();
                }));
}

void ClusterReader::OnConfigChange(const std::string& name, const GetResult& result) {
  if (Unreachable(result.code)) {
    config_changes_.erase(name);
    dirty_.config_changes = true;
    ok_ = false;
    return;
  }
  const auto change = coordination::ConfigChange::Parse(name, result.data);
  if (result.code != Code::kOk || !change.ok()) return;
  const std::string& entity = change->entity_path;
  if (entity.starts_with(kTopicsPrefix)) {
    // One that is not known yet is read when it is.
    const std::string topic = entity.substr(kTopicsPrefix.size());
    if (view_.topics.contains(topic)) ReadConfig(topic);
  } else if (entity.starts_with(kBrokersPrefix)) {
    ReadBrokerConfig(entity.substr(kBrokersPrefix.size()));
  }
}

// --- Brokers ------------------------------------------------------------------------------------

void ClusterReader::ReadBrokerConfigs() {
  Begin();
  session_->Children(paths::kBrokerConfigs, {},
                     InStrand([](ClusterReader& self, const ChildrenResult& result) {
                       if (Unreachable(result.code)) {
                         self.dirty_.broker_configs = true;
                         self.ok_ = false;
                       }
                       for (const std::string& name : result.names) self.ReadBrokerConfig(name);
                       self.End();
                     }));
}

void ClusterReader::ReadBrokerConfig(const std::string& name) {
  Begin();
  session_->Get(paths::BrokerConfig(name), {},
                InStrand([name](ClusterReader& self, const GetResult& result) {
                  self.OnBrokerConfig(name, result);
                  self.End();
                }));
}

void ClusterReader::OnBrokerConfig(const std::string& name, const GetResult& result) {
  if (Unreachable(result.code)) {
    dirty_.broker_configs = true;
    ok_ = false;
    return;
  }
  BrokerConfigView fresh;
  if (result.code == Code::kOk) {
    auto parsed = coordination::ConfigNode::Parse(paths::BrokerConfig(name), result.data);
    if (!parsed.ok()) return;  // the settings stay as they were
    fresh = {std::move(parsed->config), result.stat.version};
  }
  BrokerConfigView& known = view_.broker_configs[name];
  const bool changed = known.config != fresh.config;
  known = std::move(fresh);
  if (changed) OnBrokerConfigsChanged();
}

void ClusterReader::OnBrokerConfigsChanged() {
  view_.broker_configs_revision = ++view_.revision;
  view_.topic_defaults = model::DefaultTopicConfig(
      {.dynamic_broker = view_.BrokerConfigOf(std::to_string(options_.self.value())).config,
       .dynamic_default = view_.BrokerConfigOf(paths::kBrokerConfigDefault).config,
       .static_broker = options_.static_config});
  for (auto& [name, topic] : view_.topics) {
    topic.config = model::WithOverrides(view_.topic_defaults, topic.overrides);
  }
  view_.all_unplanned = true;  // whether an unclean leader may be elected
}

}  // namespace kafkalite::controller
