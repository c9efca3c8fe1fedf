// DescribeConfigs, from what this broker was told; AlterConfigs and IncrementalAlterConfigs, passed
// on to the controller's term, if it is this broker's; kNotController otherwise.

#ifndef KAFKALITE_SERVER_HANDLERS_CONFIGS_H_
#define KAFKALITE_SERVER_HANDLERS_CONFIGS_H_

#include "kafkalite/controller/controller.h"
#include "kafkalite/protocol/configs.h"
#include "kafkalite/server/metadata_cache.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::server {

protocol::DescribeConfigsResponse HandleDescribeConfigs(
    const MetadataCache& metadata, model::BrokerId self,
    const protocol::DescribeConfigsRequest& request);
void HandleAlterConfigs(controller::Controller& controller, protocol::AlterConfigsRequest request,
                        transport::Reply<protocol::AlterConfigsResponse> reply);
void HandleIncrementalAlterConfigs(controller::Controller& controller,
                                   protocol::IncrementalAlterConfigsRequest request,
                                   transport::Reply<protocol::AlterConfigsResponse> reply);

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_CONFIGS_H_
