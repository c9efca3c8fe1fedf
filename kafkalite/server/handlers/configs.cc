#include "kafkalite/server/handlers/configs.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/base/strings.h"

namespace kafkalite::server {

using base::Cat;
using model::ErrorCode;
using protocol::ConfigResource;

namespace {

using Result = protocol::DescribeConfigsResponse::Result;

void DescribeResource(const MetadataCache& metadata, model::BrokerId self, Result& result) {
  const ConfigResource& resource = result.resource;
  const model::BrokerDefaults defaults = metadata.defaults();
  if (resource.type == ConfigResource::Type::kTopic) {
    const auto overrides = metadata.OverridesOf(resource.name);
    if (overrides) {
      result.entries = model::DescribeTopic(*overrides, defaults);
    } else {
      result.error = ErrorCode::kUnknownTopicOrPartition;
      result.message = Cat("Topic '", resource.name, "' does not exist.");
    }
  } else if (resource.name.empty()) {
    result.entries = model::DescribeBrokerDefault(defaults);
  } else if (resource.name == std::to_string(self.value())) {
    result.entries = model::DescribeBroker(defaults);
  } else {
    result.error = ErrorCode::kInvalidRequest;
    result.message = Cat("Unexpected broker id, expected ", self.value(),
                         " or empty string, but received ", resource.name);
  }
}

template <class Request>
protocol::AlterConfigsResponse NotController(const Request& request) {
  protocol::AlterConfigsResponse response;
  for (const auto& resource : request.resources) {
    response.results.push_back(
        {.resource = resource.resource, .error = ErrorCode::kNotController, .message = {}});
  }
  return response;
}

}  // namespace

protocol::DescribeConfigsResponse HandleDescribeConfigs(
    const MetadataCache& metadata, model::BrokerId self,
    const protocol::DescribeConfigsRequest& request) {
  protocol::DescribeConfigsResponse response;
  for (const auto& wanted : request.resources) {
    Result& result = response.results.emplace_back(Result{.resource = wanted.resource});
    DescribeResource(metadata, self, result);
    std::erase_if(result.entries, [&](const model::ConfigEntry& entry) {
      return wanted.keys &&
             std::find(wanted.keys->begin(), wanted.keys->end(), entry.name) == wanted.keys->end();
    });
    for (model::ConfigEntry& entry : result.entries) {
      if (!request.include_synonyms) entry.synonyms.clear();
      if (!request.include_documentation) entry.documentation.clear();
    }
  }
  return response;
}

void HandleAlterConfigs(controller::Controller& controller, protocol::AlterConfigsRequest request,
                        transport::Reply<protocol::AlterConfigsResponse> reply) {
  if (const auto term = controller.term()) {
    return term->AlterConfigs(std::move(request), std::move(reply));
  }
  reply(NotController(request));
}

void HandleIncrementalAlterConfigs(controller::Controller& controller,
                                   protocol::IncrementalAlterConfigsRequest request,
                                   transport::Reply<protocol::AlterConfigsResponse> reply) {
  if (const auto term = controller.term()) {
    return term->IncrementalAlterConfigs(std::move(request), std::move(reply));
  }
  reply(NotController(request));
}

}  // namespace kafkalite::server
