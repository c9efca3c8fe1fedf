#include "kafkalite/client/admin.h"

#include <algorithm>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"

namespace kafkalite::client {

using model::ErrorCode;

namespace {

constexpr base::Duration kPause = std::chrono::milliseconds(2);
constexpr base::Duration kPatience = std::chrono::seconds(10);

absl::Status Malformed() { return absl::InternalError("a broker's answer is malformed"); }

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

template <class Request, class Response>
absl::StatusOr<Response> Admin::Ask(
    model::BrokerId broker,
    void (transport::ClientService::*method)(Request, transport::Reply<Response>),
    const Request& request, base::Time deadline) {
  base::Executor& executor = *client_->runtime().executor;
  const auto channel = client_->Channel(broker);
  // One that does not answer may be gone without anybody having noticed yet.
  const base::Time patience = std::min(deadline, executor.clock().Now() + kPatience);
  absl::StatusOr<Response> response = Await<Response>(
      executor, patience, [&](auto reply) { ((*channel).*method)(request, std::move(reply)); });
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  return response;
}

template <class Request, class Response>
absl::Status Admin::AskController(
    void (transport::ClientService::*method)(Request, transport::Reply<Response>),
    const Request& request, const std::function<bool(const Response&)>& decided) {
  base::Executor& executor = *client_->runtime().executor;
  const base::Time deadline = executor.clock().Now() + client_->runtime().call_timeout;
  std::string_view last = "the cluster had no controller";
  while (executor.clock().Now() < deadline) {
    KL_ASSIGN_OR_RETURN(const protocol::MetadataResponse metadata,
                        Metadata({.topics = std::vector<std::string>()}));
    if (metadata.controller != model::kNoBroker) {
      const absl::StatusOr<Response> response = Ask(metadata.controller, method, request, deadline);
      if (response.ok()) {
        if (decided(*response)) return absl::OkStatus();
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

template <class Request, class Response, class Part>
absl::Status Admin::AskController(
    void (transport::ClientService::*method)(Request, transport::Reply<Response>),
    std::vector<Part> Response::*parts, const Request& request) {
  absl::Status status;
  const std::function<bool(const Response&)> decided = [&](const Response& response) {
    if ((response.*parts).size() != 1) {
      status = Malformed();
      return true;
    }
    const Part& part = (response.*parts).front();
    status = model::ToStatus(part.error, part.message);
    return part.error != ErrorCode::kNotController;
  };
  KL_RETURN_IF_ERROR(AskController(method, request, decided));
  return status;
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

absl::StatusOr<Admin::Elections> Admin::ElectLeaders(protocol::ElectLeadersRequest request) {
  Elections elections;
  absl::Status refused;
  using Response = protocol::ElectLeadersResponse;
  const std::function<bool(const Response&)> decided = [&](const Response& response) {
    if (response.error == ErrorCode::kNotController) return false;
    refused = model::ToStatus(response.error, "electing leaders");
    if (!refused.ok()) return true;
    // A controller that is deposed meanwhile has decided some.
    std::vector<model::TopicPartition> open;
    for (const auto& [tp, error, message] : response.partitions) {
      if (error == ErrorCode::kNotController) {
        open.push_back(tp);
      } else {
        elections[tp] = model::ToStatus(error, message);
      }
    }
    request.partitions = std::move(open);
    return request.partitions->empty();
  };
  const absl::Status asked =
      AskController(&transport::ClientService::ElectLeaders, request, decided);
  KL_RETURN_IF_ERROR(refused);
  if (!asked.ok() && (elections.empty() || !absl::IsDeadlineExceeded(asked))) return asked;
  if (!asked.ok()) {
    for (const model::TopicPartition& tp : *request.partitions) elections[tp] = asked;
  }
  return elections;
}

// --- Settings -----------------------------------------------------------------------------------

absl::Status Admin::AlterConfig(protocol::AlterConfigsRequest::Resource resource,
                                bool validate_only) {
  return AskController(&transport::ClientService::AlterConfigs,
                       &protocol::AlterConfigsResponse::results,
                       protocol::AlterConfigsRequest{.resources = {std::move(resource)},
                                                     .validate_only = validate_only});
}

absl::Status Admin::AlterConfig(protocol::IncrementalAlterConfigsRequest::Resource resource,
                                bool validate_only) {
  return AskController(&transport::ClientService::IncrementalAlterConfigs,
                       &protocol::AlterConfigsResponse::results,
                       protocol::IncrementalAlterConfigsRequest{.resources = {std::move(resource)},
                                                                .validate_only = validate_only});
}

absl::StatusOr<std::vector<model::ConfigEntry>> Admin::DescribeConfig(
    protocol::ConfigResource resource) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  base::Executor& executor = *client_->runtime().executor;
  const base::Time deadline = executor.clock().Now() + client_->runtime().call_timeout;
  const bool one_broker =
      resource.type == protocol::ConfigResource::Type::kBroker && !resource.name.empty();
  const protocol::DescribeConfigsRequest request{.resources = {{resource, std::nullopt}},
                                                 .include_synonyms = true,
                                                 .include_documentation = true};
  while (executor.clock().Now() < deadline) {
    KL_ASSIGN_OR_RETURN(const protocol::MetadataResponse metadata,
                        Metadata({.topics = std::vector<std::string>()}));
    std::vector<model::BrokerId> brokers = metadata.brokers;
    if (one_broker) {
      std::erase_if(
          brokers, [&](model::BrokerId id) { return std::to_string(id.value()) != resource.name; });
      if (brokers.empty()) {
        return absl::UnavailableError(
            base::ToAbsl(base::Cat("broker ", resource.name, " does not run")));
      }
    }
    for (const model::BrokerId broker : brokers) {
      auto response = Ask(broker, &transport::ClientService::DescribeConfigs, request, deadline);
      if (!response.ok() && absl::IsFailedPrecondition(response.status())) {
        return response.status();
      }
      if (!response.ok()) continue;
      if (response->results.size() != 1) return Malformed();
      auto& result = response->results.front();
      KL_RETURN_IF_ERROR(model::ToStatus(result.error, result.message));
      return std::move(result.entries);
    }
    KL_RETURN_IF_ERROR(Sleep(executor, kPause));
  }
  return TimedOut("no broker answered");
}

absl::StatusOr<protocol::MetadataResponse::Topic> Admin::DescribeTopic(const std::string& name) {
  KL_ASSIGN_OR_RETURN(protocol::MetadataResponse metadata,
                      Metadata({.topics = std::vector<std::string>{name}}));
  if (metadata.topics.size() != 1) return Malformed();
  protocol::MetadataResponse::Topic& topic = metadata.topics.front();
  switch (topic.error) {
    case ErrorCode::kNone:
    case ErrorCode::kLeaderNotAvailable:  // of some partitions
      return std::move(topic);
    case ErrorCode::kUnknownTopicOrPartition:
      return absl::NotFoundError(base::ToAbsl(base::Cat("Topic '", name, "' does not exist.")));
    case ErrorCode::kInvalidTopic:
      KL_RETURN_IF_ERROR(model::ValidateTopicName(name));
      [[fallthrough]];
    default:
      return model::ToStatus(topic.error, base::Cat("topic '", name, "'"));
  }
}

// --- Records ------------------------------------------------------------------------------------

absl::StatusOr<model::BrokerId> Admin::LeaderOf(const model::TopicPartition& tp) {
  KL_ASSIGN_OR_RETURN(const auto topic, DescribeTopic(tp.topic));
  const auto number = static_cast<size_t>(tp.partition.value());
  if (tp.partition < model::PartitionId(0) || number >= topic.partitions.size()) {
    return absl::NotFoundError(
        base::ToAbsl(base::Cat("topic '", tp.topic, "' has no partition ", tp.partition.value(),
                               ", it has ", topic.partitions.size())));
  }
  return topic.partitions[number].leader;
}

absl::StatusOr<model::Offset> Admin::DeleteRecords(const model::TopicPartition& tp,
                                                   model::Offset before) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  base::Executor& executor = *client_->runtime().executor;
  const base::Time deadline = executor.clock().Now() + client_->runtime().call_timeout;
  protocol::DeleteRecordsRequest request{.partitions = {{tp, before}}};
  std::string_view silence = "the partition had no leader";
  std::string said;
  while (executor.clock().Now() < deadline) {
    KL_ASSIGN_OR_RETURN(const model::BrokerId leader, LeaderOf(tp));
    if (leader != model::kNoBroker) {
      // The leader gives up first, and says whom it waited for.
      const base::Duration left = std::min(deadline - executor.clock().Now(), kPatience);
      request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(left * 9 / 10);
      const auto response =
          Ask(leader, &transport::ClientService::DeleteRecords, request, deadline);
      if (response.ok()) {
        if (response->partitions.size() != 1) return Malformed();
        const auto& part = response->partitions.front();
        if (part.error == ErrorCode::kNone) return part.low_watermark;
        const absl::Status error = model::ToStatus(part.error, part.message);
        if (!model::IsRetriable(part.error)) return error;
        said = std::string(error.message());
      } else if (absl::IsFailedPrecondition(response.status())) {
        return response.status();
      } else {
        silence = "the leader did not answer";
      }
    }
    KL_RETURN_IF_ERROR(Sleep(executor, kPause));
  }
  return TimedOut(said.empty() ? silence : std::string_view(said));
}

}  // namespace kafkalite::client
