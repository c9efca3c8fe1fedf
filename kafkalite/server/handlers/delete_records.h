// DeleteRecords, at the leaders of the partitions.

#ifndef KAFKALITE_SERVER_HANDLERS_DELETE_RECORDS_H_
#define KAFKALITE_SERVER_HANDLERS_DELETE_RECORDS_H_

#include "kafkalite/protocol/delete_records.h"
#include "kafkalite/server/replica_manager.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

void HandleDeleteRecords(const ReplicaManager& replicas, protocol::DeleteRecordsRequest request,
                         transport::Reply<protocol::DeleteRecordsResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_DELETE_RECORDS_H_
