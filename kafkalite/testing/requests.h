// File: requests.h
//
// The requests that reach brokers: which ones a fault is about, and what was asked.
//
//   faults.FailRequests({.api = Api::kProduce, .broker = 1}, model::ErrorCode::kNotEnoughReplicas,
//                       /*times=*/3);
//   faults.RecordRequests();
//   ...
//   EXPECT_EQ(faults.Requests({.api = Api::kMetadata, .from = Node::Of(*producer)}).size(), 1u);
//
// Plain values.

#ifndef KAFKALITE_TESTING_REQUESTS_H_
#define KAFKALITE_TESTING_REQUESTS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafkalite/testing/node.h"

namespace kafkalite::testing {

enum class Api {
  // Of clients, and of the cluster's own calls.
  kProduce,
  kFetch,
  kListOffsets,
  kMetadata,
  kInitProducerId,
  kCreateTopics,
  kDeleteTopics,
  kCreatePartitions,
  kElectLeaders,
  kDescribeConfigs,
  kAlterConfigs,
  kIncrementalAlterConfigs,
  kDeleteRecords,
  // Of brokers: a follower fetches; the controller says who leads what.
  kReplicaFetch,
  kClusterState,
};
// "Produce".
std::string_view ToString(Api api);

// Requests that fit in every field that is set.
struct RequestFilter {
  std::optional<Api> api = std::nullopt;
  std::optional<int32_t> broker = std::nullopt;  // that is asked
  std::optional<Node> from = std::nullopt;       // that asks
  // About this topic, or about this partition of it, maybe among others.
  std::string topic = {};
  std::optional<int32_t> partition = std::nullopt;
};

// What one request was about.
struct RequestedPartition {
  std::string topic;
  int32_t partition = -1;  // -1: the topic as a whole
  int64_t offset = -1;     // from which Fetch reads, before which DeleteRecords deletes
  int64_t records = 0;     // that Produce brings
  friend bool operator==(const RequestedPartition&, const RequestedPartition&) = default;
};

struct RecordedRequest {
  Api api = Api::kProduce;
  int32_t broker = 0;  // that was asked
  Node from{0};
  std::chrono::nanoseconds at{0};  // on the cluster's clock
  std::vector<RequestedPartition> partitions;

  // "Produce of client 2 to broker 1: first-test-0 (3 records)".
  std::string ToString() const;
};

bool Fits(const RequestFilter& filter, const RecordedRequest& request);
// "Produce to broker 1 about first-test-0".
std::string ToString(const RequestFilter& filter);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_REQUESTS_H_
