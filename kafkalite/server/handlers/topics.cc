#include "kafkalite/server/handlers/topics.h"

#include <memory>
#include <utility>

namespace kafkalite::server {

using model::ErrorCode;

void HandleCreateTopics(controller::Controller& controller, protocol::CreateTopicsRequest request,
                        transport::Reply<protocol::CreateTopicsResponse> reply) {
  if (const auto term = controller.term()) {
    return term->CreateTopics(std::move(request), std::move(reply));
  }
  protocol::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    response.topics.push_back({.name = topic.name, .error = ErrorCode::kNotController});
  }
  reply(std::move(response));
}

void HandleDeleteTopics(controller::Controller& controller, protocol::DeleteTopicsRequest request,
                        transport::Reply<protocol::DeleteTopicsResponse> reply) {
  if (const auto term = controller.term()) {
    return term->DeleteTopics(std::move(request), std::move(reply));
  }
  protocol::DeleteTopicsResponse response;
  for (const std::string& topic : request.topics) {
    response.topics.push_back({.name = topic, .error = ErrorCode::kNotController});
  }
  reply(std::move(response));
}

void HandleCreatePartitions(controller::Controller& controller,
                            protocol::CreatePartitionsRequest request,
                            transport::Reply<protocol::CreatePartitionsResponse> reply) {
  if (const auto term = controller.term()) {
    return term->CreatePartitions(std::move(request), std::move(reply));
  }
  protocol::CreatePartitionsResponse response;
  for (const auto& topic : request.topics) {
    response.topics.push_back({.name = topic.name, .error = ErrorCode::kNotController});
  }
  reply(std::move(response));
}

void HandleElectLeaders(controller::Controller& controller, protocol::ElectLeadersRequest request,
                        transport::Reply<protocol::ElectLeadersResponse> reply) {
  if (const auto term = controller.term()) {
    return term->ElectLeaders(std::move(request), std::move(reply));
  }
  reply(protocol::ElectLeadersResponse{.error = ErrorCode::kNotController, .partitions = {}});
}

}  // namespace kafkalite::server
