#include "kafkalite/server/handlers/delete_records.h"

#include <memory>
#include <utility>
#include <vector>

#include "kafkalite/server/handlers/gather.h"

namespace kafkalite::server {

using Part = protocol::DeleteRecordsResponse::Partition;

void HandleDeleteRecords(const ReplicaManager& replicas, protocol::DeleteRecordsRequest request,
                         transport::Reply<protocol::DeleteRecordsResponse> reply) {
  auto gather =
      std::make_shared<Gather<Part>>(std::vector<Part>(request.partitions.size()),
                                     [reply = std::move(reply)](std::vector<Part> parts) mutable {
                                       reply(protocol::DeleteRecordsResponse{std::move(parts)});
                                     });
  for (size_t i = 0; i < request.partitions.size(); ++i) {
    const auto& wanted = request.partitions[i];
    gather->part(i).tp = wanted.tp;
    const auto partition = replicas.Find(wanted.tp);
    if (partition == nullptr) {
      gather->part(i).error = model::ErrorCode::kUnknownTopicOrPartition;
      gather->Release();
      continue;
    }
    partition->DeleteRecords(wanted.before_offset, request.timeout,
                             [gather, i](replication::DeleteResult result) {
                               Part& part = gather->part(i);
                               part.error = result.error;
                               part.low_watermark = result.low_watermark;
                               part.message = std::move(result.message);
                               gather->Release();
                             });
  }
  gather->Release();
}

}  // namespace kafkalite::server
