// File: controller_host.h
//
// What the controller needs of the broker that it runs in. Thread safety: any thread.

#ifndef KAFKALITE_CONTROLLER_CONTROLLER_HOST_H_
#define KAFKALITE_CONTROLLER_CONTROLLER_HOST_H_

#include <memory>

#include "kafkalite/base/executor.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::controller {

class ControllerHost {
 public:
  virtual ~ControllerHost() = default;
  virtual base::Executor& executor() = 0;
  // Runs the task later, not while the broker is paused, not after it stopped.
  virtual void After(base::Duration delay, base::Task task) = 0;
  virtual model::BrokerId self() const = 0;
  // Itself included.
  virtual std::shared_ptr<transport::PeerService> Peer(model::BrokerId broker) = 0;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_CONTROLLER_HOST_H_
