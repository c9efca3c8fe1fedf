#include "kafkalite/testing/request_tap.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "kafkalite/testing/request_parts.h"

namespace kafkalite::testing {
namespace {

using transport::Reply;

// So many are remembered, the youngest ones.
constexpr size_t kMostRecorded = 100'000;

// One call: where it goes, and how it is answered.
template <class Service, class Request, class Response>
struct Call {
  std::shared_ptr<Service> service;
  void (Service::*method)(Request, Reply<Response>);
  Request request;
  Reply<Response> reply;

  void Go() { ((*service).*method)(std::move(request), std::move(reply)); }
};

// The parts that fit are in error, the others are carried out.
template <class Service, class Request, class Response>
void FailParts(Call<Service, Request, Response> call, RequestRule rule) {
  constexpr auto kRequestParts = kParts<Request>.first;
  constexpr auto kResponseParts = kParts<Request>.second;
  using ResponsePart = typename std::decay_t<decltype(Response().*kResponseParts)>::value_type;
  const RequestFilter filter{.topic = rule.filter.topic, .partition = rule.filter.partition};
  std::vector<std::optional<ResponsePart>> errors;  // nothing: as the broker says
  auto parts = std::exchange(call.request.*kRequestParts, {});
  for (auto& part : parts) {
    if (Fits(filter, {.partitions = {About(part)}})) {
      errors.push_back(ErrorFor<ResponsePart>(part, rule.error));
    } else {
      errors.emplace_back();
      (call.request.*kRequestParts).push_back(std::move(part));
    }
  }
  auto merge = [errors = std::move(errors)](Response response) mutable {
    auto answered = std::exchange(response.*kResponseParts, {});
    auto next = answered.begin();
    for (std::optional<ResponsePart>& error : errors) {
      if (!error && next == answered.end()) break;
      (response.*kResponseParts).push_back(error ? *std::move(error) : std::move(*next++));
    }
    return response;
  };
  if ((call.request.*kRequestParts).empty()) return call.reply(merge(Response()));
  call.reply = [reply = std::move(call.reply),
                merge = std::move(merge)](absl::StatusOr<Response> response) mutable {
    if (!response.ok()) return reply(std::move(response));
    reply(merge(*std::move(response)));
  };
  call.Go();
}

void FailTopics(protocol::MetadataResponse& response, const RequestRule& rule) {
  for (auto& topic : response.topics) {
    if (rule.filter.topic.empty() || rule.filter.topic == topic.name) {
      topic = {.error = rule.error, .name = topic.name};
    }
  }
}

template <class Service, class Request, class Response>
void Fail(Call<Service, Request, Response> call, const RequestRule& rule) {
  if constexpr (kHasParts<Request>) {
    FailParts(std::move(call), rule);
  } else if constexpr (std::is_same_v<Request, protocol::MetadataRequest>) {
    call.reply = [reply = std::move(call.reply), rule](absl::StatusOr<Response> response) mutable {
      if (response.ok()) FailTopics(*response, rule);
      reply(std::move(response));
    };
    call.Go();
  } else {
    Response response;
    response.error = rule.error;
    call.reply(std::move(response));
  }
}

absl::Status Broken() { return absl::UnavailableError("the connection broke within the answer"); }

template <class Batches>
void Halve(Batches& batches) {
  batches.resize(batches.size() / 2);
}

// What comes before the end of the connection: of records, the first ones; of anything else,
// nothing that could be understood.
template <class Response>
absl::StatusOr<Response> Truncated(Response) {
  return Broken();
}
absl::StatusOr<protocol::FetchResponse> Truncated(protocol::FetchResponse response) {
  for (auto& partition : response.partitions) Halve(partition.batches);
  return response;
}
absl::StatusOr<transport::ReplicaFetchResponse> Truncated(
    transport::ReplicaFetchResponse response) {
  Halve(response.batches);
  return response;
}

// Between a caller and one service of a broker.
template <class Service>
class Tapped : public Service {
 public:
  Tapped(std::shared_ptr<RequestTap> tap, int32_t from, model::BrokerId broker,
         std::shared_ptr<Service> service)
      : tap_(std::move(tap)), from_(from), broker_(broker), service_(std::move(service)) {}

 protected:
  template <class Request, class Response>
  void Handle(Api api, void (Service::*method)(Request, Reply<Response>), Request request,
              Reply<Response> reply) {
    const auto rule = tap_->Judge({.api = api,
                                   .broker = broker_.value(),
                                   .from = Node(base::NodeId{from_}),
                                   .at = tap_->Now().time_since_epoch(),
                                   .partitions = PartitionsOf(request)});
    Call<Service, Request, Response> call{service_, method, std::move(request), std::move(reply)};
    if (!rule) return call.Go();
    switch (rule->kind) {
      case RequestRule::Kind::kFail:
        return Fail(std::move(call), *rule);
      case RequestRule::Kind::kDelay:
        return tap_->RunLater(rule->delay, [call = std::move(call)]() mutable { call.Go(); });
      case RequestRule::Kind::kDropRequest:
        return tap_->Keep([reply = std::move(call.reply)] {});
      case RequestRule::Kind::kDropAnswer:
        call.reply = [tap = tap_, reply = std::move(call.reply)](auto) mutable {
          tap->Keep([reply = std::move(reply)] {});
        };
        return call.Go();
      case RequestRule::Kind::kTruncateAnswer:
        call.reply = [reply = std::move(call.reply)](absl::StatusOr<Response> response) mutable {
          reply(response.ok() ? Truncated(*std::move(response)) : std::move(response));
        };
        return call.Go();
    }
  }

 private:
  const std::shared_ptr<RequestTap> tap_;
  const int32_t from_;
  const model::BrokerId broker_;
  const std::shared_ptr<Service> service_;
};

class TappedClientService final : public Tapped<transport::ClientService> {
 public:
  using Tapped::Tapped;

  void Produce(protocol::ProduceRequest request, Reply<protocol::ProduceResponse> reply) override {
    Handle(Api::kProduce, &ClientService::Produce, std::move(request), std::move(reply));
  }
  void Fetch(protocol::FetchRequest request, Reply<protocol::FetchResponse> reply) override {
    Handle(Api::kFetch, &ClientService::Fetch, std::move(request), std::move(reply));
  }
  void ListOffsets(protocol::ListOffsetsRequest request,
                   Reply<protocol::ListOffsetsResponse> reply) override {
    Handle(Api::kListOffsets, &ClientService::ListOffsets, std::move(request), std::move(reply));
  }
  void Metadata(protocol::MetadataRequest request,
                Reply<protocol::MetadataResponse> reply) override {
    Handle(Api::kMetadata, &ClientService::Metadata, std::move(request), std::move(reply));
  }
  void InitProducerId(protocol::InitProducerIdRequest request,
                      Reply<protocol::InitProducerIdResponse> reply) override {
    Handle(Api::kInitProducerId, &ClientService::InitProducerId, request, std::move(reply));
  }
  void CreateTopics(protocol::CreateTopicsRequest request,
                    Reply<protocol::CreateTopicsResponse> reply) override {
    Handle(Api::kCreateTopics, &ClientService::CreateTopics, std::move(request), std::move(reply));
  }
  void DeleteTopics(protocol::DeleteTopicsRequest request,
                    Reply<protocol::DeleteTopicsResponse> reply) override {
    Handle(Api::kDeleteTopics, &ClientService::DeleteTopics, std::move(request), std::move(reply));
  }
  void CreatePartitions(protocol::CreatePartitionsRequest request,
                        Reply<protocol::CreatePartitionsResponse> reply) override {
    Handle(Api::kCreatePartitions, &ClientService::CreatePartitions, std::move(request),
           std::move(reply));
  }
  void ElectLeaders(protocol::ElectLeadersRequest request,
                    Reply<protocol::ElectLeadersResponse> reply) override {
    Handle(Api::kElectLeaders, &ClientService::ElectLeaders, std::move(request), std::move(reply));
  }
  void DescribeConfigs(protocol::DescribeConfigsRequest request,
                       Reply<protocol::DescribeConfigsResponse> reply) override {
    Handle(Api::kDescribeConfigs, &ClientService::DescribeConfigs, std::move(request),
           std::move(reply));
  }
  void AlterConfigs(protocol::AlterConfigsRequest request,
                    Reply<protocol::AlterConfigsResponse> reply) override {
    Handle(Api::kAlterConfigs, &ClientService::AlterConfigs, std::move(request), std::move(reply));
  }
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                               Reply<protocol::AlterConfigsResponse> reply) override {
    Handle(Api::kIncrementalAlterConfigs, &ClientService::IncrementalAlterConfigs,
           std::move(request), std::move(reply));
  }
  void DeleteRecords(protocol::DeleteRecordsRequest request,
                     Reply<protocol::DeleteRecordsResponse> reply) override {
    Handle(Api::kDeleteRecords, &ClientService::DeleteRecords, std::move(request),
           std::move(reply));
  }
};

class TappedPeerService final : public Tapped<transport::PeerService> {
 public:
  using Tapped::Tapped;

  void FetchReplica(transport::ReplicaFetchRequest request,
                    Reply<transport::ReplicaFetchResponse> reply) override {
    Handle(Api::kReplicaFetch, &PeerService::FetchReplica, std::move(request), std::move(reply));
  }
  void UpdateClusterState(transport::ClusterStateUpdate update,
                          Reply<transport::ClusterStateAck> reply) override {
    Handle(Api::kClusterState, &PeerService::UpdateClusterState, std::move(update),
           std::move(reply));
  }
};

}  // namespace

void RequestTap::Add(RequestRule rule) {
  base::MutexLock lock(mu_);
  rules_.push_back(std::move(rule));
}

void RequestTap::Clear() {
  std::vector<absl::AnyInvocable<void()>>
      kept;  // destroyed outside of the lock: callers hear of it
  base::MutexLock lock(mu_);
  rules_.clear();
  kept.swap(kept_);
}

void RequestTap::Record() {
  base::MutexLock lock(mu_);
  recording_ = true;
}

std::vector<RecordedRequest> RequestTap::Recorded(const RequestFilter& filter) const {
  std::vector<RecordedRequest> found;
  base::MutexLock lock(mu_);
  for (const RecordedRequest& request : recorded_) {
    if (Fits(filter, request)) found.push_back(request);
  }
  return found;
}

void RequestTap::Forget() {
  base::MutexLock lock(mu_);
  recording_ = false;
  recorded_.clear();
}

std::optional<RequestRule> RequestTap::Judge(RecordedRequest request) {
  base::MutexLock lock(mu_);
  std::optional<RequestRule> verdict;
  const auto rule = std::find_if(rules_.begin(), rules_.end(), [&](const RequestRule& each) {
    return Fits(each.filter, request);
  });
  if (rule != rules_.end()) {
    verdict = *rule;
    if (--rule->times == 0) rules_.erase(rule);
  }
  if (recording_) {
    recorded_.push_back(std::move(request));
    if (recorded_.size() > kMostRecorded) recorded_.pop_front();
  }
  return verdict;
}

void RequestTap::Keep(absl::AnyInvocable<void()> answer) {
  base::MutexLock lock(mu_);
  kept_.push_back(std::move(answer));
}

void RequestTap::RunLater(base::Duration delay, base::Task task) {
  executor_.PostAt(Now() + delay, std::move(task));
}

std::shared_ptr<transport::ClientService> RequestTap::Intercept(
    int32_t client, model::BrokerId broker, std::shared_ptr<transport::ClientService> service) {
  return std::make_shared<TappedClientService>(shared_from_this(), client, broker,
                                               std::move(service));
}

std::shared_ptr<transport::PeerService> RequestTap::Intercept(
    int32_t from, model::BrokerId broker, std::shared_ptr<transport::PeerService> service) {
  return std::make_shared<TappedPeerService>(shared_from_this(), from, broker, std::move(service));
}

}  // namespace kafkalite::testing
