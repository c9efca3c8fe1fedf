// File: inprocess_transport.h
//
// Brokers of one process call each other. A call on a healthy link runs on the caller's thread, and
// passes its request by move: nothing is encoded or copied.

#ifndef KAFKALITE_TRANSPORT_INPROCESS_INPROCESS_TRANSPORT_H_
#define KAFKALITE_TRANSPORT_INPROCESS_INPROCESS_TRANSPORT_H_

#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/transport/inprocess/interceptor.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::transport {

class InProcessTransport final : public Transport {
 public:
  // REQUIRES: the network outlives the transport.
  explicit InProcessTransport(base::Network& network) : network_(network) {}

  std::unique_ptr<Listener> Listen(model::BrokerId broker,
                                   std::weak_ptr<ClientService> client_service,
                                   std::weak_ptr<PeerService> peer_service) override;
  std::shared_ptr<PeerService> ConnectPeer(model::BrokerId from, model::BrokerId to) override;
  std::shared_ptr<ClientService> ConnectClient(int32_t client, model::BrokerId to) override;

  // Every call that reaches a broker goes through it from now on; null: none does.
  void SetInterceptor(std::shared_ptr<Interceptor> interceptor);
  std::shared_ptr<Interceptor> interceptor();

  // A broker's address: who listens there now, if anybody. (Public for the channels.)
  struct Endpoint {
    explicit Endpoint(model::BrokerId broker_in) : broker(broker_in) {}

    const model::BrokerId broker;
    base::Mutex mu;
    uint64_t listener ABSL_GUARDED_BY(mu) = 0;
    std::weak_ptr<ClientService> client_service ABSL_GUARDED_BY(mu);
    std::weak_ptr<PeerService> peer_service ABSL_GUARDED_BY(mu);
    std::shared_ptr<Interceptor> interceptor ABSL_GUARDED_BY(mu);

    // What answers a call from there. Null if nobody listens.
    std::shared_ptr<ClientService> Lock(base::NodeId from, ClientService*);
    std::shared_ptr<PeerService> Lock(base::NodeId from, PeerService*);
  };

 private:
  std::shared_ptr<Endpoint> EndpointOf(model::BrokerId broker);

  base::Network& network_;
  base::Mutex mu_;
  std::map<model::BrokerId, std::shared_ptr<Endpoint>> endpoints_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Interceptor> interceptor_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_INPROCESS_INPROCESS_TRANSPORT_H_
