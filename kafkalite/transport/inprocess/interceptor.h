// File: interceptor.h
//
// For tests: stands between callers and a broker, where the broker is, so behind every fault of the
// links.
//
// Thread safety: any thread. Lifetime: shared; calls under way keep it alive.

#ifndef KAFKALITE_TRANSPORT_INPROCESS_INTERCEPTOR_H_
#define KAFKALITE_TRANSPORT_INPROCESS_INTERCEPTOR_H_

#include <cstdint>
#include <memory>

#include "kafkalite/model/ids.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::transport {

class Interceptor {
 public:
  virtual ~Interceptor() = default;

  // A call of `client` has reached `broker`: what answers it, as a rule something around `service`.
  // Asked for each call. Never null.
  virtual std::shared_ptr<ClientService> Intercept(int32_t client, model::BrokerId broker,
                                                   std::shared_ptr<ClientService> service) = 0;
  virtual std::shared_ptr<PeerService> Intercept(int32_t from, model::BrokerId broker,
                                                 std::shared_ptr<PeerService> service) = 0;
};

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_INPROCESS_INTERCEPTOR_H_
