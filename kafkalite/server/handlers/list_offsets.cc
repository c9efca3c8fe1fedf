#include "kafkalite/server/handlers/list_offsets.h"

#include <memory>
#include <utility>
#include <vector>

#include "kafkalite/server/handlers/gather.h"

namespace kafkalite::server {

using Part = protocol::ListOffsetsResponse::Partition;

void HandleListOffsets(const ReplicaManager& replicas, const protocol::ListOffsetsRequest& request,
                       transport::Reply<protocol::ListOffsetsResponse> reply) {
  auto gather =
      std::make_shared<Gather<Part>>(std::vector<Part>(request.partitions.size()),
                                     [reply = std::move(reply)](std::vector<Part> parts) mutable {
                                       reply(protocol::ListOffsetsResponse{std::move(parts)});
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
    partition->FindOffset(wanted.timestamp, wanted.current_leader_epoch,
                          [gather, i](replication::OffsetResult result) {
                            Part& part = gather->part(i);
                            part.error = result.error;
                            part.timestamp = result.timestamp;
                            part.offset = result.offset;
                            gather->Release();
                          });
  }
  gather->Release();
}

}  // namespace kafkalite::server
