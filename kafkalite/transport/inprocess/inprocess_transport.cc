#include "kafkalite/transport/inprocess/inprocess_transport.h"

#include <utility>

#include "absl/status/status.h"

namespace kafkalite::transport {
namespace {

// An answer on its way back. One that the link loses tells the caller that the connection broke.
template <class Response>
class Answer {
 public:
  Answer(Reply<Response> reply, absl::StatusOr<Response> result)
      : reply_(std::move(reply)), result_(std::move(result)) {}
  Answer(Answer&& other) noexcept
      : reply_(std::exchange(other.reply_, nullptr)), result_(std::move(other.result_)) {}
  Answer& operator=(Answer&&) = delete;
  ~Answer() {
    if (reply_) reply_(absl::UnavailableError("the connection to the broker broke"));
  }

  void operator()() { std::exchange(reply_, nullptr)(std::move(result_)); }

 private:
  Reply<Response> reply_;
  absl::StatusOr<Response> result_;
};

// Carries the answer back over the caller's side of the link; destroyed without an answer, it says
// that the connection broke.
template <class Response>
class PendingReply {
 public:
  PendingReply(base::Link& back, Reply<Response> reply) : back_(&back), reply_(std::move(reply)) {}
  PendingReply(PendingReply&& other) noexcept
      : back_(std::exchange(other.back_, nullptr)), reply_(std::move(other.reply_)) {}
  PendingReply& operator=(PendingReply&&) = delete;
  ~PendingReply() {
    if (back_ != nullptr) (*this)(absl::UnavailableError("the connection to the broker broke"));
  }

  void operator()(absl::StatusOr<Response> result) {
    std::exchange(back_, nullptr)->Send(Answer<Response>(std::move(reply_), std::move(result)));
  }

 private:
  base::Link* back_;
  Reply<Response> reply_;
};

// One direction between two nodes, and the way back.
template <class Service>
class Channel {
 public:
  Channel(base::NodeId from, base::Link& there, base::Link& back,
          std::shared_ptr<InProcessTransport::Endpoint> endpoint)
      : from_(from), there_(there), back_(back), endpoint_(std::move(endpoint)) {}

  template <class Request, class Response>
  void Call(void (Service::*method)(Request, Reply<Response>), Request request,
            Reply<Response> reply) {
    if (there_.DrawDuplicate()) [[unlikely]] {
      Request twin = request;
      Send(method, std::move(request), std::move(reply));
      return Send(method, std::move(twin), Reply<Response>([](absl::StatusOr<Response>) {}));
    }
    Send(method, std::move(request), std::move(reply));
  }

 private:
  template <class Request, class Response>
  void Send(void (Service::*method)(Request, Reply<Response>), Request request,
            Reply<Response> reply) {
    there_.Send([endpoint = endpoint_, from = from_, method, request = std::move(request),
                 pending = PendingReply<Response>(back_, std::move(reply))]() mutable {
      if (const auto service = endpoint->Lock(from, static_cast<Service*>(nullptr))) {
        ((*service).*method)(std::move(request), std::move(pending));
      }
    });
  }

  const base::NodeId from_;
  base::Link& there_;
  base::Link& back_;
  const std::shared_ptr<InProcessTransport::Endpoint> endpoint_;
};

class PeerChannel final : public PeerService {
 public:
  explicit PeerChannel(Channel<PeerService> channel) : channel_(std::move(channel)) {}
  void FetchReplica(ReplicaFetchRequest request, Reply<ReplicaFetchResponse> reply) override {
    channel_.Call(&PeerService::FetchReplica, std::move(request), std::move(reply));
  }
  void UpdateClusterState(ClusterStateUpdate update, Reply<ClusterStateAck> reply) override {
    channel_.Call(&PeerService::UpdateClusterState, std::move(update), std::move(reply));
  }

 private:
  Channel<PeerService> channel_;
};

class ClientChannel final : public ClientService {
 public:
  explicit ClientChannel(Channel<ClientService> channel) : channel_(std::move(channel)) {}
  void Produce(protocol::ProduceRequest request, Reply<protocol::ProduceResponse> reply) override {
    channel_.Call(&ClientService::Produce, std::move(request), std::move(reply));
  }
  void Fetch(protocol::FetchRequest request, Reply<protocol::FetchResponse> reply) override {
    channel_.Call(&ClientService::Fetch, std::move(request), std::move(reply));
  }
  void ListOffsets(protocol::ListOffsetsRequest request,
                   Reply<protocol::ListOffsetsResponse> reply) override {
    channel_.Call(&ClientService::ListOffsets, std::move(request), std::move(reply));
  }
  void Metadata(protocol::MetadataRequest request,
                Reply<protocol::MetadataResponse> reply) override {
    channel_.Call(&ClientService::Metadata, std::move(request), std::move(reply));
  }
  void InitProducerId(protocol::InitProducerIdRequest request,
                      Reply<protocol::InitProducerIdResponse> reply) override {
    channel_.Call(&ClientService::InitProducerId, std::move(request), std::move(reply));
  }
  void CreateTopics(protocol::CreateTopicsRequest request,
                    Reply<protocol::CreateTopicsResponse> reply) override {
    channel_.Call(&ClientService::CreateTopics, std::move(request), std::move(reply));
  }
  void DeleteTopics(protocol::DeleteTopicsRequest request,
                    Reply<protocol::DeleteTopicsResponse> reply) override {
    channel_.Call(&ClientService::DeleteTopics, std::move(request), std::move(reply));
  }
  void CreatePartitions(protocol::CreatePartitionsRequest request,
                        Reply<protocol::CreatePartitionsResponse> reply) override {
    channel_.Call(&ClientService::CreatePartitions, std::move(request), std::move(reply));
  }
  void ElectLeaders(protocol::ElectLeadersRequest request,
                    Reply<protocol::ElectLeadersResponse> reply) override {
    channel_.Call(&ClientService::ElectLeaders, std::move(request), std::move(reply));
  }
  void DescribeConfigs(protocol::DescribeConfigsRequest request,
                       Reply<protocol::DescribeConfigsResponse> reply) override {
    channel_.Call(&ClientService::DescribeConfigs, std::move(request), std::move(reply));
  }
  void AlterConfigs(protocol::AlterConfigsRequest request,
                    Reply<protocol::AlterConfigsResponse> reply) override {
    channel_.Call(&ClientService::AlterConfigs, std::move(request), std::move(reply));
  }
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                               Reply<protocol::AlterConfigsResponse> reply) override {
    channel_.Call(&ClientService::IncrementalAlterConfigs, std::move(request), std::move(reply));
  }
  void DeleteRecords(protocol::DeleteRecordsRequest request,
                     Reply<protocol::DeleteRecordsResponse> reply) override {
    channel_.Call(&ClientService::DeleteRecords, std::move(request), std::move(reply));
  }

 private:
  Channel<ClientService> channel_;
};

class InProcessListener final : public Listener {
 public:
  InProcessListener(std::shared_ptr<InProcessTransport::Endpoint> endpoint, uint64_t number)
      : endpoint_(std::move(endpoint)), number_(number) {}
  ~InProcessListener() override {
    base::MutexLock lock(endpoint_->mu);
    if (endpoint_->listener != number_) return;  // a later one took the place
    endpoint_->client_service.reset();
    endpoint_->peer_service.reset();
  }

 private:
  const std::shared_ptr<InProcessTransport::Endpoint> endpoint_;
  const uint64_t number_;
};

template <class Service>
std::shared_ptr<Service> Intercepted(const std::shared_ptr<Interceptor>& interceptor,
                                     base::NodeId from, model::BrokerId broker,
                                     std::shared_ptr<Service> service) {
  if (interceptor == nullptr || service == nullptr) [[likely]]
    return service;
  return interceptor->Intercept(static_cast<int32_t>(from), broker, std::move(service));
}

base::NodeId Node(model::BrokerId broker) { return base::NodeId{broker.value()}; }

}  // namespace

std::shared_ptr<ClientService> InProcessTransport::Endpoint::Lock(base::NodeId from,
                                                                  ClientService*) {
  base::MutexLock lock(mu);
  return Intercepted(interceptor, from, broker, client_service.lock());
}

std::shared_ptr<PeerService> InProcessTransport::Endpoint::Lock(base::NodeId from, PeerService*) {
  base::MutexLock lock(mu);
  return Intercepted(interceptor, from, broker, peer_service.lock());
}

std::shared_ptr<InProcessTransport::Endpoint> InProcessTransport::EndpointOf(
    model::BrokerId broker) {
  base::MutexLock lock(mu_);
  std::shared_ptr<Endpoint>& slot = endpoints_[broker];
  if (slot == nullptr) {
    slot = std::make_shared<Endpoint>(broker);
    base::MutexLock endpoint_lock(slot->mu);
    slot->interceptor = interceptor_;
  }
  return slot;
}

std::shared_ptr<Interceptor> InProcessTransport::interceptor() {
  base::MutexLock lock(mu_);
  return interceptor_;
}

void InProcessTransport::SetInterceptor(std::shared_ptr<Interceptor> interceptor) {
  base::MutexLock lock(mu_);
  interceptor_ = interceptor;
  for (const auto& [broker, endpoint] : endpoints_) {
    base::MutexLock endpoint_lock(endpoint->mu);
    endpoint->interceptor = interceptor;
  }
}

std::unique_ptr<Listener> InProcessTransport::Listen(model::BrokerId broker,
                                                     std::weak_ptr<ClientService> client_service,
                                                     std::weak_ptr<PeerService> peer_service) {
  std::shared_ptr<Endpoint> endpoint = EndpointOf(broker);
  base::MutexLock lock(endpoint->mu);
  const uint64_t number = ++endpoint->listener;
  endpoint->client_service = std::move(client_service);
  endpoint->peer_service = std::move(peer_service);
  return std::make_unique<InProcessListener>(endpoint, number);
}

std::shared_ptr<PeerService> InProcessTransport::ConnectPeer(model::BrokerId from,
                                                             model::BrokerId to) {
  return std::make_shared<PeerChannel>(
      Channel<PeerService>(Node(from), network_.link(Node(from), Node(to)),
                           network_.link(Node(to), Node(from)), EndpointOf(to)));
}

std::shared_ptr<ClientService> InProcessTransport::ConnectClient(int32_t client,
                                                                 model::BrokerId to) {
  const base::NodeId from{client};
  return std::make_shared<ClientChannel>(Channel<ClientService>(
      from, network_.link(from, Node(to)), network_.link(Node(to), from), EndpointOf(to)));
}

}  // namespace kafkalite::transport
