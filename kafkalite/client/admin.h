// File: admin.h
//
// The verbs on topics: finds the controller, asks it, and asks again while leadership of the
// cluster changes. Blocking. Thread safety: any thread.

#ifndef KAFKALITE_CLIENT_ADMIN_H_
#define KAFKALITE_CLIENT_ADMIN_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/protocol/topics.h"

namespace kafkalite::client {

class Admin {
 public:
  explicit Admin(std::shared_ptr<ClusterClient> client) : client_(std::move(client)) {}

  absl::Status CreateTopic(protocol::CreateTopicsRequest::Topic topic);
  absl::Status DeleteTopic(std::string topic);
  absl::Status CreatePartitions(protocol::CreatePartitionsRequest::Topic topic);
  absl::Status ElectLeader(const model::TopicPartition& tp, protocol::ElectionType type);
  absl::StatusOr<protocol::MetadataResponse> Metadata(protocol::MetadataRequest request);

 private:
  // Sends the request to the controller until it, or time, has decided.
  template <class Request, class Response, class Part>
  absl::Status AskController(void (transport::ClientService::*method)(Request,
                                                                      transport::Reply<Response>),
                             std::vector<Part> Response::*parts, const Request& request);

  absl::Status TimedOut(std::string_view what) const;

  const std::shared_ptr<ClusterClient> client_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_ADMIN_H_
