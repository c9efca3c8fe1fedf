// File: request_parts.h
//
// What each API's requests are about, and how they are answered with an error: as a whole, or part
// by part. Private to this folder.

#ifndef KAFKALITE_TESTING_REQUEST_PARTS_H_
#define KAFKALITE_TESTING_REQUEST_PARTS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/testing/requests.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::testing {

// Where the parts are: members of the request and of its response, in the same order. Null: it is
// carried out as a whole, and its response has an `error`.
template <class Request>
inline constexpr std::nullptr_t kParts = nullptr;
template <>
inline constexpr std::pair kParts<protocol::ProduceRequest> = {
    &protocol::ProduceRequest::partitions, &protocol::ProduceResponse::partitions};
template <>
inline constexpr std::pair kParts<protocol::FetchRequest> = {&protocol::FetchRequest::partitions,
                                                             &protocol::FetchResponse::partitions};
template <>
inline constexpr std::pair kParts<protocol::ListOffsetsRequest> = {
    &protocol::ListOffsetsRequest::partitions, &protocol::ListOffsetsResponse::partitions};
template <>
inline constexpr std::pair kParts<protocol::DeleteRecordsRequest> = {
    &protocol::DeleteRecordsRequest::partitions, &protocol::DeleteRecordsResponse::partitions};
template <>
inline constexpr std::pair kParts<protocol::CreateTopicsRequest> = {
    &protocol::CreateTopicsRequest::topics, &protocol::CreateTopicsResponse::topics};
template <>
inline constexpr std::pair kParts<protocol::DeleteTopicsRequest> = {
    &protocol::DeleteTopicsRequest::topics, &protocol::DeleteTopicsResponse::topics};
template <>
inline constexpr std::pair kParts<protocol::CreatePartitionsRequest> = {
    &protocol::CreatePartitionsRequest::topics, &protocol::CreatePartitionsResponse::topics};
template <>
inline constexpr std::pair kParts<protocol::DescribeConfigsRequest> = {
    &protocol::DescribeConfigsRequest::resources, &protocol::DescribeConfigsResponse::results};
template <>
inline constexpr std::pair kParts<protocol::AlterConfigsRequest> = {
    &protocol::AlterConfigsRequest::resources, &protocol::AlterConfigsResponse::results};
template <>
inline constexpr std::pair kParts<protocol::IncrementalAlterConfigsRequest> = {
    &protocol::IncrementalAlterConfigsRequest::resources, &protocol::AlterConfigsResponse::results};

template <class Request>
inline constexpr bool kHasParts = !std::is_same_v<decltype(kParts<Request>), const std::nullptr_t>;

// --- What a part is about ------------------------------------------------------------------------

inline RequestedPartition About(const model::TopicPartition& tp) {
  return {.topic = tp.topic, .partition = tp.partition.value()};
}
inline RequestedPartition About(const protocol::ProduceRequest::Partition& part) {
  RequestedPartition about = About(part.tp);
  about.records = part.batch.header.record_count;
  return about;
}
inline RequestedPartition About(const protocol::FetchRequest::Partition& part) {
  RequestedPartition about = About(part.tp);
  about.offset = part.fetch_offset.value();
  return about;
}
inline RequestedPartition About(const protocol::ListOffsetsRequest::Partition& part) {
  return About(part.tp);
}
inline RequestedPartition About(const protocol::DeleteRecordsRequest::Partition& part) {
  RequestedPartition about = About(part.tp);
  about.offset = part.before_offset.value();
  return about;
}
inline RequestedPartition About(const std::string& topic) { return {.topic = topic}; }
inline RequestedPartition About(const protocol::CreateTopicsRequest::Topic& part) {
  return About(part.name);
}
inline RequestedPartition About(const protocol::CreatePartitionsRequest::Topic& part) {
  return About(part.name);
}
template <class Part>
RequestedPartition AboutResource(const Part& part) {
  const bool is_topic = part.resource.type == protocol::ConfigResource::Type::kTopic;
  return About(is_topic ? part.resource.name : std::string());
}
inline RequestedPartition About(const protocol::DescribeConfigsRequest::Resource& part) {
  return AboutResource(part);
}
inline RequestedPartition About(const protocol::AlterConfigsRequest::Resource& part) {
  return AboutResource(part);
}
inline RequestedPartition About(const protocol::IncrementalAlterConfigsRequest::Resource& part) {
  return AboutResource(part);
}

template <class Parts>
std::vector<RequestedPartition> AboutAll(const Parts& parts) {
  std::vector<RequestedPartition> about;
  for (const auto& part : parts) about.push_back(About(part));
  return about;
}

// What the whole request is about.
template <class Request>
std::vector<RequestedPartition> PartitionsOf(const Request& request) {
  if constexpr (kHasParts<Request>) return AboutAll(request.*kParts<Request>.first);
  return {};
}
inline std::vector<RequestedPartition> PartitionsOf(const protocol::MetadataRequest& request) {
  if (!request.topics) return {};
  return AboutAll(*request.topics);
}
inline std::vector<RequestedPartition> PartitionsOf(const protocol::ElectLeadersRequest& request) {
  if (!request.partitions) return {};
  return AboutAll(*request.partitions);
}
inline std::vector<RequestedPartition> PartitionsOf(const transport::ReplicaFetchRequest& request) {
  RequestedPartition about = About(request.tp);
  about.offset = request.fetch_offset.value();
  return {about};
}
inline std::vector<RequestedPartition> PartitionsOf(const transport::ClusterStateUpdate& update) {
  std::vector<RequestedPartition> about = AboutAll(update.deleted_topics);
  for (const auto& partition : update.partitions) about.push_back(About(partition.tp));
  return about;
}

// --- How a part is answered with an error --------------------------------------------------------

template <class ResponsePart, class RequestPart>
ResponsePart ErrorFor(const RequestPart& part, model::ErrorCode error) {
  ResponsePart answer;
  if constexpr (requires { answer.tp = part.tp; }) {
    answer.tp = part.tp;
  } else if constexpr (requires { answer.resource = part.resource; }) {
    answer.resource = part.resource;
  } else if constexpr (requires { answer.name = part.name; }) {
    answer.name = part.name;
  } else {
    answer.name = part;
  }
  answer.error = error;
  return answer;
}

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_REQUEST_PARTS_H_
