// File: client_service.h
//
// The client plane: what a broker answers to clients. A broker implements it; a channel to a broker
// looks the same from the client's side, whatever lies between.
//
// Thread safety: any thread. Calls never block; see reply.h for answers. A channel never gives up
// by itself on a peer that is silent: callers keep their own deadlines.

#ifndef KAFKALITE_TRANSPORT_CLIENT_SERVICE_H_
#define KAFKALITE_TRANSPORT_CLIENT_SERVICE_H_

#include "kafkalite/protocol/configs.h"
#include "kafkalite/protocol/delete_records.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/protocol/init_producer_id.h"
#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/protocol/produce.h"
#include "kafkalite/protocol/topics.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::transport {

class ClientService {
 public:
  virtual ~ClientService() = default;

  virtual void Produce(protocol::ProduceRequest request,
                       Reply<protocol::ProduceResponse> reply) = 0;
  virtual void Fetch(protocol::FetchRequest request, Reply<protocol::FetchResponse> reply) = 0;
  virtual void ListOffsets(protocol::ListOffsetsRequest request,
                           Reply<protocol::ListOffsetsResponse> reply) = 0;
  virtual void Metadata(protocol::MetadataRequest request,
                        Reply<protocol::MetadataResponse> reply) = 0;
  virtual void InitProducerId(protocol::InitProducerIdRequest request,
                              Reply<protocol::InitProducerIdResponse> reply) = 0;
  virtual void CreateTopics(protocol::CreateTopicsRequest request,
                            Reply<protocol::CreateTopicsResponse> reply) = 0;
  virtual void DeleteTopics(protocol::DeleteTopicsRequest request,
                            Reply<protocol::DeleteTopicsResponse> reply) = 0;
  virtual void CreatePartitions(protocol::CreatePartitionsRequest request,
                                Reply<protocol::CreatePartitionsResponse> reply) = 0;
  virtual void ElectLeaders(protocol::ElectLeadersRequest request,
                            Reply<protocol::ElectLeadersResponse> reply) = 0;
  virtual void DescribeConfigs(protocol::DescribeConfigsRequest request,
                               Reply<protocol::DescribeConfigsResponse> reply) = 0;
  virtual void AlterConfigs(protocol::AlterConfigsRequest request,
                            Reply<protocol::AlterConfigsResponse> reply) = 0;
  virtual void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                                       Reply<protocol::AlterConfigsResponse> reply) = 0;
  virtual void DeleteRecords(protocol::DeleteRecordsRequest request,
                             Reply<protocol::DeleteRecordsResponse> reply) = 0;
};

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_CLIENT_SERVICE_H_
