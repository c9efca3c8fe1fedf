#include "kafkalite/client/admin.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"

namespace kafkalite::client {

using model::ErrorCode;

namespace {

constexpr base::Duration kPause = std::chrono::milliseconds(2);

}  // namespace

absl::StatusOr<protocol::MetadataResponse> Admin::Metadata(protocol::MetadataRequest request) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  base::Executor& executor = *client_->runtime().executor;
  const base::Duration timeout = client_->runtime().call_timeout;
  auto metadata = Await<protocol::MetadataResponse>(
      executor, executor.clock().Now() + timeout,
      [&](auto reply) { client_->FetchMetadata(std::move(request), timeout, std::move(reply)); });
  if (!absl::IsDeadlineExceeded(metadata.status()) && !absl::IsUnavailable(metadata.status())) {
    return metadata;
  }
  return TimedOut("no broker answered");
}

absl::Status Admin::TimedOut(std::string_view what) const {
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(client_->runtime().call_timeout);
  return absl::DeadlineExceededError(
      base::Cat(what, " within ", timeout.count(), " ms (call_timeout)"));
}

template <class Request, class Response, class Part>
absl::Status Admin::AskController(
    void (transport::ClientService::*method)(Request, transport::Reply<Response>),
    std::vector<Part> Response::*parts, const Request& request) {
  base::Executor& executor = *client_->runtime().executor;
  const base::Time deadline = executor.clock().Now() + client_->runtime().call_timeout;
  std::string_view last = "the cluster had no controller";
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
        last = "the controller did not answer";
      }
    }
    KL_RETURN_IF_ERROR(Sleep(executor, kPause));
  }
  return TimedOut(last);
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
