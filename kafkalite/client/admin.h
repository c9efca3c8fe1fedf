// File: admin.h
//
// The verbs on topics and settings: finds the controller, asks it, and asks again while leadership
// of the cluster changes. Blocking. Thread safety: any thread.

#ifndef KAFKALITE_CLIENT_ADMIN_H_
#define KAFKALITE_CLIENT_ADMIN_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/protocol/configs.h"
#include "kafkalite/protocol/delete_records.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/protocol/topics.h"

namespace kafkalite::client {

class Admin {
 public:
  explicit Admin(std::shared_ptr<ClusterClient> client) : client_(std::move(client)) {}

  absl::Status CreateTopic(protocol::CreateTopicsRequest::Topic topic);
  absl::Status DeleteTopic(std::string topic);
  absl::Status CreatePartitions(protocol::CreatePartitionsRequest::Topic topic);
  // What became of each partition.
  using Elections = std::map<model::TopicPartition, absl::Status>;
  absl::StatusOr<Elections> ElectLeaders(protocol::ElectLeadersRequest request);
  // From any broker, or from the one that is named. UNAVAILABLE if that one does not run.
  absl::StatusOr<std::vector<model::ConfigEntry>> DescribeConfig(protocol::ConfigResource resource);
  absl::Status AlterConfig(protocol::AlterConfigsRequest::Resource resource, bool validate_only);
  absl::Status AlterConfig(protocol::IncrementalAlterConfigsRequest::Resource resource,
                           bool validate_only);
  // The new low watermark. Asks the partition's leader.
  absl::StatusOr<model::Offset> DeleteRecords(const model::TopicPartition& tp,
                                              model::Offset before);
  absl::StatusOr<protocol::MetadataResponse> Metadata(protocol::MetadataRequest request);
  // As metadata describes it. NOT_FOUND if there is none.
  absl::StatusOr<protocol::MetadataResponse::Topic> DescribeTopic(const std::string& name);

 private:
  // Sends the request to the controller until `decided` takes an answer for one, or time is up.
  // `decided` may change the request.
  template <class Request, class Response>
  absl::Status AskController(void (transport::ClientService::*method)(Request,
                                                                      transport::Reply<Response>),
                             const Request& request,
                             const std::function<bool(const Response&)>& decided);
  // The same for a request of one part.
  template <class Request, class Response, class Part>
  absl::Status AskController(void (transport::ClientService::*method)(Request,
                                                                      transport::Reply<Response>),
                             std::vector<Part> Response::*parts, const Request& request);

  // Who leads the partition; kNoBroker: nobody does now.
  absl::StatusOr<model::BrokerId> LeaderOf(const model::TopicPartition& tp);
  // One call of one broker, within the deadline. DEADLINE_EXCEEDED and UNAVAILABLE: no answer came.
  template <class Request, class Response>
  absl::StatusOr<Response> Ask(model::BrokerId broker,
                               void (transport::ClientService::*method)(Request,
                                                                        transport::Reply<Response>),
                               const Request& request, base::Time deadline);

  absl::Status TimedOut(std::string_view what) const;

  const std::shared_ptr<ClusterClient> client_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_ADMIN_H_
