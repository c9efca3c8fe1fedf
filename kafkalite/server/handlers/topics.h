// CreateTopics, DeleteTopics, CreatePartitions, ElectLeaders: passed on to the controller's term,
// if it is this broker's; kNotController otherwise.

#ifndef KAFKALITE_SERVER_HANDLERS_TOPICS_H_
#define KAFKALITE_SERVER_HANDLERS_TOPICS_H_

#include "kafkalite/controller/controller.h"
#include "kafkalite/protocol/topics.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

void HandleCreateTopics(controller::Controller& controller, protocol::CreateTopicsRequest request,
                        transport::Reply<protocol::CreateTopicsResponse> reply);
void HandleDeleteTopics(controller::Controller& controller, protocol::DeleteTopicsRequest request,
                        transport::Reply<protocol::DeleteTopicsResponse> reply);
void HandleCreatePartitions(controller::Controller& controller,
                            protocol::CreatePartitionsRequest request,
                            transport::Reply<protocol::CreatePartitionsResponse> reply);
void HandleElectLeaders(controller::Controller& controller, protocol::ElectLeadersRequest request,
                        transport::Reply<protocol::ElectLeadersResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_TOPICS_H_
