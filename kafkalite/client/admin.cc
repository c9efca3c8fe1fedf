#include "kafkalite/client/admin.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"

namespace kafkalite::client {

using model::ErrorCode;

namespace {

constexpr base::Duration kTimeout = std::chrono::seconds(30);
constexpr base::Duration kPause = std::chrono::milliseconds(2);

}  // namespace

absl::StatusOr<protocol::MetadataResponse> Admin::Metadata(protocol::MetadataRequest request) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  base::Executor& executor = *client_->runtime().executor;
  return Await<protocol::MetadataResponse>(
      executor, executor.clock().Now() + kTimeout,
      [&](auto reply) { client_->FetchMetadata(std::move(request), kTimeout, std::move(reply)); });
}

template <class Request, class Response, class Part>
absl::Status Admin::AskController(
    void (transport::ClientService::*method)(Request, transport::Reply<Response>),
    std::vector<Part> Response::*parts, const Request& request) {
  base::Executor& executor = *client_->runtime().executor;
  const base::Time deadline = executor.clock().Now() + kTimeout;
  absl::Status last = absl::UnavailableError("the cluster has no controller");
  while (executor.clock().Now() < deadline) {
    KL_ASSIGN_OR_RETURN(const protocol::MetadataResponse metadata,
                        Metadata({.topics = std::vector<std::string>()}));
    if (metadata.controller != model::kNoBroker) {
      const auto channel = client_->Channel(metadata.controller);
      // A controller that does not answer may be gone without anybody having noticed yet.
      const base::Time patience =
          std::min(deadline, executor.clock().Now() + base::Duration(std::chrono::seconds(10)));
      absl::StatusOr<Response> response = Await<Response>(
          executor, patience, [&](auto reply) { ((*channel).*method)(request, std::move(reply)); });
      KL_RETURN_IF_ERROR(client_->CheckOpen());
      if (response.ok()) {
        const Part& part = ((*response).*parts).front();
        if (part.error != ErrorCode::kNotController) {
          return model::ToStatus(part.error, part.message);
        }
      } else if (absl::IsFailedPrecondition(response.status())) {
        return response.status();
      } else {
        last = response.status();
      }
    }
    KL_RETURN_IF_ERROR(Sleep(executor, kPause));
  }
  return last;
}

absl::Status Admin::CreateTopic(protocol::CreateTopicsRequest::Topic topic) {
  return AskController(&transport::ClientService::CreateTopics,
                       &protocol::CreateTopicsResponse::topics,
                       protocol::CreateTopicsRequest{.topics = {std::move(topic)}});
}

absl::Status Admin::DeleteTopic(std::string topic) {
  return AskController(&transport::ClientService::DeleteTopics,
                       &protocol::DeleteTopicsResponse::topics,
                       protocol::DeleteTopicsRequest{.topics = {std::move(topic)}});
}

absl::Status Admin::CreatePartitions(protocol::CreatePartitionsRequest::Topic topic) {
  return AskController(&transport::ClientService::CreatePartitions,
                       &protocol::CreatePartitionsResponse::topics,
                       protocol::CreatePartitionsRequest{.topics = {std::move(topic)}});
}

absl::Status Admin::ElectLeader(const model::TopicPartition& tp, protocol::ElectionType type) {
  return AskController(&transport::ClientService::ElectLeaders,
                       &protocol::ElectLeadersResponse::partitions,
                       protocol::ElectLeadersRequest{.type = type, .partitions = {tp}});
}

}  // namespace kafkalite::client
