// Produce. The batches are the client's own memory here and need no validation; a listener that
// takes bytes from a socket validates them before they get here.

#ifndef KAFKALITE_SERVER_HANDLERS_PRODUCE_H_
#define KAFKALITE_SERVER_HANDLERS_PRODUCE_H_

#include "kafkalite/protocol/produce.h"
#include "kafkalite/server/replica_manager.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

void HandleProduce(const ReplicaManager& replicas, protocol::ProduceRequest request,
                   transport::Reply<protocol::ProduceResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_PRODUCE_H_
