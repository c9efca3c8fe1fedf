#include "kafkalite/server/handlers/produce.h"

#include <memory>
#include <utility>
#include <vector>

#include "kafkalite/server/handlers/gather.h"

namespace kafkalite::server {

using Part = protocol::ProduceResponse::Partition;

void HandleProduce(const ReplicaManager& replicas, protocol::ProduceRequest request,
                   transport::Reply<protocol::ProduceResponse> reply) {
  std::vector<Part> parts(request.partitions.size());
  auto gather = std::make_shared<Gather<Part>>(
      std::move(parts), [reply = std::move(reply)](std::vector<Part> parts) mutable {
        reply(protocol::ProduceResponse{std::move(parts)});
      });
  for (size_t i = 0; i < request.partitions.size(); ++i) {
    auto& wanted = request.partitions[i];
    const auto partition = replicas.Find(wanted.tp);
    gather->part(i).tp = std::move(wanted.tp);
    if (partition == nullptr) {
      gather->part(i).error = model::ErrorCode::kUnknownTopicOrPartition;
      gather->Release();
      continue;
    }
    partition->Append(std::move(wanted.batch), request.acks == protocol::Acks::kAll,
                      request.timeout, [gather, i](replication::AppendResult result) {
                        Part& part = gather->part(i);
                        part.error = result.error;
                        part.base_offset = result.base_offset;
                        part.log_append_time_ms = result.append_time;
                        part.log_start_offset = result.log_start_offset;
                        part.message = std::move(result.message);
                        gather->Release();
                      });
  }
  gather->Release();
}

}  // namespace kafkalite::server
