// How clients change the settings of topics and brokers: written to the tree with a notification,
// as Kafka 2.0's tools do, and taken from there.

#include <charconv>
#include <string_view>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/controller/collector.h"
#include "kafkalite/controller/term.h"

namespace kafkalite::controller {

using base::Cat;
using coordination::Operation;
using model::ErrorCode;
using protocol::ConfigResource;
namespace paths = coordination::paths;

namespace {

bool IsTopic(const ConfigResource& resource) {
  return resource.type == ConfigResource::Type::kTopic;
}

bool IsBrokerNumber(const std::string& name) {
  int32_t number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() && number >= 0;
}

bool IsUnknownName(std::string_view message) { return message.starts_with("Unknown "); }

// As Kafka says which resource a bad value was meant for; keys that it does not know it names
// without.
std::string Refusal(const ConfigResource& resource, const absl::Status& status) {
  const std::string message(status.message());
  if (IsUnknownName(message)) return message;
  return Cat("Invalid config value for resource ConfigResource(type=",
             IsTopic(resource) ? "TOPIC" : "BROKER", ", name='", resource.name, "'): ", message);
}

absl::Status Validate(const ConfigResource& resource, const model::ConfigMap& config) {
  return IsTopic(resource) ? model::ValidateTopicConfig(config)
                           : model::ValidateBrokerConfig(config, /*dynamic=*/true);
}

}  // namespace

void Term::AlterConfigs(protocol::AlterConfigsRequest request,
                        transport::Reply<protocol::AlterConfigsResponse> reply) {
  std::vector<Alteration> alterations;
  for (auto& [resource, config] : request.resources) {
    alterations.push_back({std::move(resource),
                           [config = std::move(config)](const model::ConfigMap&) { return config; },
                           request.validate_only, request.timeout});
  }
  Alter(std::move(alterations), std::move(reply));
}

void Term::IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                                   transport::Reply<protocol::AlterConfigsResponse> reply) {
  std::vector<Alteration> alterations;
  for (auto& [resource, changes] : request.resources) {
    const bool is_topic = IsTopic(resource);
    alterations.push_back({std::move(resource),
                           [changes = std::move(changes), is_topic](const model::ConfigMap& old) {
                             return model::ApplyChanges(old, changes, is_topic);
                           },
                           request.validate_only, request.timeout});
  }
  Alter(std::move(alterations), std::move(reply));
}

void Term::Alter(std::vector<Alteration> alterations,
                 transport::Reply<protocol::AlterConfigsResponse> reply) {
  InStrand([alterations = std::move(alterations), reply = std::move(reply)](Term& self) mutable {
    using Part = protocol::AlterConfigsResponse::Result;
    std::vector<Part> parts;
    for (const Alteration& alteration : alterations) {
      parts.push_back({.resource = alteration.resource});
    }
    auto collector = std::make_shared<Collector<protocol::AlterConfigsResponse, Part>>(
        std::move(parts), &protocol::AlterConfigsResponse::results, std::move(reply));
    for (size_t i = 0; i < alterations.size(); ++i) {
      self.AlterConfig(alterations[i], [collector, i](ErrorCode error, std::string message) {
        collector->Set(i, error, std::move(message));
      });
    }
  });
}

absl::StatusOr<Term::ConfigNodeView> Term::FindConfig(const ConfigResource& resource) const {
  if (IsTopic(resource)) {
    const auto found = view_.topics.find(resource.name);
    if (found == view_.topics.end() || view_.deletions.contains(resource.name)) {
      return absl::NotFoundError(Cat("Topic '", resource.name, "' does not exist."));
    }
    return ConfigNodeView{paths::TopicConfig(resource.name), Cat("topics/", resource.name),
                          found->second.overrides, found->second.config_version};
  }
  if (!resource.name.empty() && !IsBrokerNumber(resource.name)) {
    return absl::InvalidArgumentError(
        Cat("Broker id must be an integer, but it is: ", resource.name));
  }
  const std::string name = resource.name.empty() ? paths::kBrokerConfigDefault : resource.name;
  const BrokerConfigView view = view_.BrokerConfigOf(name);
  return ConfigNodeView{paths::BrokerConfig(name), Cat("brokers/", name), view.config,
                        view.version};
}

void Term::AlterConfig(const Alteration& alteration, ResultCallback callback) {
  const ConfigResource& resource = alteration.resource;
  const auto node = FindConfig(resource);
  if (!node.ok()) {
    return callback(absl::IsNotFound(node.status()) ? ErrorCode::kUnknownTopicOrPartition
                                                    : ErrorCode::kInvalidRequest,
                    std::string(node.status().message()));
  }
  const auto config = alteration.edit(node->config);
  if (!config.ok()) {
    const std::string message(config.status().message());
    return callback(IsUnknownName(message) ? ErrorCode::kInvalidConfig : ErrorCode::kInvalidRequest,
                    message);
  }
  if (const absl::Status valid = Validate(resource, *config); !valid.ok()) {
    return callback(ErrorCode::kInvalidConfig, Refusal(resource, valid));
  }
  if (alteration.validate_only) return callback(ErrorCode::kNone, "");

  const std::string data = coordination::ConfigNode{*config}.Format();
  CommitAndWait(
      {.operations = {node->version >= 0 ? Operation::Set(node->path, data, node->version)
                                         : Operation::Create(node->path, data),
                      Operation::Create(paths::kConfigChangePrefix,
                                        coordination::ConfigChange{node->entity_path}.Format(),
                                        Operation::Mode::kPersistentSequential)},
       .look =
           [this, resource] {
             if (IsTopic(resource)) {
               reader_->dirty().config.insert(resource.name);
             } else {
               reader_->dirty().broker_configs = true;
             }
           },
       .done =
           [this, resource] {
             return IsTopic(resource) ? TopicIsReady(resource.name, 0)
                                      : sender_->AcknowledgedByAll(view_.broker_configs_revision);
           },
       // Somebody else has changed it since: the edit is made anew, of what is there now.
       .on_conflict =
           [this, alteration](const ResultCallback& callback) {
             AfterReading(
                 alteration.timeout,
                 [this, alteration, callback] { AlterConfig(alteration, callback); }, callback);
           }},
      alteration.timeout, std::move(callback));
}

}  // namespace kafkalite::controller
