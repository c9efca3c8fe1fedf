// Fetch, with long poll: waits until min_bytes can be had, an error is there, or max_wait is over.

#ifndef KAFKALITE_SERVER_HANDLERS_FETCH_H_
#define KAFKALITE_SERVER_HANDLERS_FETCH_H_

#include "kafkalite/base/executor.h"
#include "kafkalite/base/network.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/server/replica_manager.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

// Where a long poll's timer runs.
struct FetchTimers {
  base::Executor& executor;
  base::Network& network;
  base::NodeId node;
};

void HandleFetch(const ReplicaManager& replicas, const FetchTimers& timers,
                 protocol::FetchRequest request, transport::Reply<protocol::FetchResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_FETCH_H_
