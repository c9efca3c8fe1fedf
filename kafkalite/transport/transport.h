// File: transport.h
//
// How brokers and clients reach brokers. Public, so that a user can bring another way; one contract
// suite (transport/contract_test.h) runs over every implementation.

#ifndef KAFKALITE_TRANSPORT_TRANSPORT_H_
#define KAFKALITE_TRANSPORT_TRANSPORT_H_

#include <cstdint>
#include <memory>

#include "kafkalite/model/ids.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::transport {

// A broker's place to be called at. Destroying it ends that: later calls answer UNAVAILABLE.
class Listener {
 public:
  virtual ~Listener() = default;
};

// Thread safety: any thread. Lifetime: channels and listeners do not outlive their transport.
class Transport {
 public:
  virtual ~Transport() = default;

  // Calls to `broker` go to these services from now on, as long as they live; a broker that
  // listens again replaces its earlier self.
  virtual std::unique_ptr<Listener> Listen(model::BrokerId broker,
                                           std::weak_ptr<ClientService> client_service,
                                           std::weak_ptr<PeerService> peer_service) = 0;

  // Channels exist whether or not the other side lives; each call meets whoever listens then.
  virtual std::shared_ptr<PeerService> ConnectPeer(model::BrokerId from, model::BrokerId to) = 0;
  // `client` names the caller towards links that tests can cut; see base::NodeId.
  virtual std::shared_ptr<ClientService> ConnectClient(int32_t client, model::BrokerId to) = 0;
};

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_TRANSPORT_H_
