// ListOffsets.

#ifndef KAFKALITE_SERVER_HANDLERS_LIST_OFFSETS_H_
#define KAFKALITE_SERVER_HANDLERS_LIST_OFFSETS_H_

#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/server/replica_manager.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

void HandleListOffsets(const ReplicaManager& replicas, const protocol::ListOffsetsRequest& request,
                       transport::Reply<protocol::ListOffsetsResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_LIST_OFFSETS_H_
