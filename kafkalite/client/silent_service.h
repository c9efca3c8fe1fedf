// File: silent_service.h
//
// For fakes of a broker: drops every request, which breaks the connection of whoever asked. A fake
// overrides what its tests ask for.

#ifndef KAFKALITE_CLIENT_SILENT_SERVICE_H_
#define KAFKALITE_CLIENT_SILENT_SERVICE_H_

#include "kafkalite/transport/client_service.h"

namespace kafkalite::client {

class SilentService : public transport::ClientService {
 public:
  void Produce(protocol::ProduceRequest, transport::Reply<protocol::ProduceResponse>) override {}
  void Fetch(protocol::FetchRequest, transport::Reply<protocol::FetchResponse>) override {}
  void ListOffsets(protocol::ListOffsetsRequest,
                   transport::Reply<protocol::ListOffsetsResponse>) override {}
  void Metadata(protocol::MetadataRequest, transport::Reply<protocol::MetadataResponse>) override {}
  void InitProducerId(protocol::InitProducerIdRequest,
                      transport::Reply<protocol::InitProducerIdResponse>) override {}
  void CreateTopics(protocol::CreateTopicsRequest,
                    transport::Reply<protocol::CreateTopicsResponse>) override {}
  void DeleteTopics(protocol::DeleteTopicsRequest,
                    transport::Reply<protocol::DeleteTopicsResponse>) override {}
  void CreatePartitions(protocol::CreatePartitionsRequest,
                        transport::Reply<protocol::CreatePartitionsResponse>) override {}
  void ElectLeaders(protocol::ElectLeadersRequest,
                    transport::Reply<protocol::ElectLeadersResponse>) override {}
  void DescribeConfigs(protocol::DescribeConfigsRequest,
                       transport::Reply<protocol::DescribeConfigsResponse>) override {}
  void AlterConfigs(protocol::AlterConfigsRequest,
                    transport::Reply<protocol::AlterConfigsResponse>) override {}
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest,
                               transport::Reply<protocol::AlterConfigsResponse>) override {}
  void DeleteRecords(protocol::DeleteRecordsRequest,
                     transport::Reply<protocol::DeleteRecordsResponse>) override {}
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_SILENT_SERVICE_H_
