#include "kafkalite/testing/requests.h"

#include <algorithm>

#include "kafkalite/base/strings.h"

namespace kafkalite::testing {

using base::Cat;

std::string_view ToString(Api api) {
  switch (api) {
    case Api::kProduce:
      return "Produce";
    case Api::kFetch:
      return "Fetch";
    case Api::kListOffsets:
      return "ListOffsets";
    case Api::kMetadata:
      return "Metadata";
    case Api::kInitProducerId:
      return "InitProducerId";
    case Api::kCreateTopics:
      return "CreateTopics";
    case Api::kDeleteTopics:
      return "DeleteTopics";
    case Api::kCreatePartitions:
      return "CreatePartitions";
    case Api::kElectLeaders:
      return "ElectLeaders";
    case Api::kDescribeConfigs:
      return "DescribeConfigs";
    case Api::kAlterConfigs:
      return "AlterConfigs";
    case Api::kIncrementalAlterConfigs:
      return "IncrementalAlterConfigs";
    case Api::kDeleteRecords:
      return "DeleteRecords";
    case Api::kReplicaFetch:
      return "ReplicaFetch";
    case Api::kClusterState:
      return "ClusterState";
  }
  return "?";
}

bool Fits(const RequestFilter& filter, const RecordedRequest& request) {
  if (filter.api && *filter.api != request.api) return false;
  if (filter.broker && *filter.broker != request.broker) return false;
  if (filter.from && !filter.from->Covers(static_cast<int32_t>(request.from.id()))) return false;
  if (filter.topic.empty() && !filter.partition) return true;
  return std::any_of(request.partitions.begin(), request.partitions.end(),
                     [&](const RequestedPartition& about) {
                       return (filter.topic.empty() || filter.topic == about.topic) &&
                              (!filter.partition || *filter.partition == about.partition);
                     });
}

std::string ToString(const RequestFilter& filter) {
  std::string text(filter.api ? ToString(*filter.api) : "any request");
  if (filter.from) text += Cat(" of ", filter.from->ToString());
  if (filter.broker) text += Cat(" to broker ", *filter.broker);
  if (!filter.topic.empty()) text += Cat(" about ", filter.topic);
  if (filter.partition) text += Cat(filter.topic.empty() ? " about -" : "-", *filter.partition);
  return text;
}

std::string RecordedRequest::ToString() const {
  std::string text = Cat(testing::ToString(api), " of ", from.ToString(), " to broker ", broker);
  const char* between = ": ";
  for (const RequestedPartition& about : partitions) {
    text += between + about.topic;
    if (about.partition >= 0) text += Cat("-", about.partition);
    if (about.offset >= 0) text += Cat(" at ", about.offset);
    if (about.records > 0) text += Cat(" (", about.records, " records)");
    between = ", ";
  }
  return text;
}

}  // namespace kafkalite::testing
