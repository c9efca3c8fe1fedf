#include "kafkalite/config.h"

#include "kafkalite/config_conversion.h"

namespace kafkalite {
namespace {

struct SourcePair {
  ConfigSource ours;
  model::ConfigSource models;
};
constexpr SourcePair kSources[] = {
    {ConfigSource::kTopic, model::ConfigSource::kTopic},
    {ConfigSource::kDynamicBroker, model::ConfigSource::kDynamicBroker},
    {ConfigSource::kDynamicDefaultBroker, model::ConfigSource::kDynamicDefaultBroker},
    {ConfigSource::kStaticBroker, model::ConfigSource::kStaticBroker},
    {ConfigSource::kDefault, model::ConfigSource::kDefault},
};

ConfigSource FromModel(model::ConfigSource source) {
  for (const SourcePair& pair : kSources) {
    if (pair.models == source) return pair.ours;
  }
  return ConfigSource::kDefault;
}

model::AlterOperation ToModel(ConfigChange::Operation operation) {
  switch (operation) {
    case ConfigChange::Operation::kSet:
      return model::AlterOperation::kSet;
    case ConfigChange::Operation::kDelete:
      return model::AlterOperation::kDelete;
    case ConfigChange::Operation::kAppend:
      return model::AlterOperation::kAppend;
    case ConfigChange::Operation::kSubtract:
      return model::AlterOperation::kSubtract;
  }
  return model::AlterOperation::kSet;
}

}  // namespace

std::string_view ToString(ConfigSource source) {
  for (const SourcePair& pair : kSources) {
    if (pair.ours == source) return model::ToString(pair.models);
  }
  return model::ToString(model::ConfigSource::kUnknown);
}

std::vector<ConfigEntry> FromModel(std::vector<model::ConfigEntry> entries) {
  std::vector<ConfigEntry> converted;
  converted.reserve(entries.size());
  for (model::ConfigEntry& entry : entries) {
    ConfigEntry& to = converted.emplace_back();
    to.name = std::move(entry.name);
    to.value = std::move(entry.value);
    to.source = FromModel(entry.source);
    to.is_default = entry.is_default();
    to.read_only = entry.read_only;
    to.sensitive = entry.sensitive;
    for (model::ConfigSynonym& synonym : entry.synonyms) {
      to.synonyms.push_back(
          {std::move(synonym.name), std::move(synonym.value), FromModel(synonym.source)});
    }
    to.documentation = std::move(entry.documentation);
  }
  return converted;
}

std::vector<model::ConfigChange> ToModel(const std::vector<ConfigChange>& changes) {
  std::vector<model::ConfigChange> converted;
  converted.reserve(changes.size());
  for (const ConfigChange& change : changes) {
    converted.push_back({change.name, ToModel(change.operation), change.value});
  }
  return converted;
}

}  // namespace kafkalite
