#include "kafkalite/server/broker_host.h"

#include <utility>

namespace kafkalite::server {

void BrokerHost::After(base::Duration delay, base::Task task) {
  if (stopped()) return;
  network_.PostAt(node(), base::SaturatingAdd(executor_.clock().Now(), delay),
                  [weak = weak_from_this(), task = std::move(task)]() mutable {
                    const auto self = weak.lock();
                    if (self != nullptr && !self->stopped()) task();
                  });
}

std::shared_ptr<transport::PeerService> BrokerHost::Peer(model::BrokerId broker) {
  base::MutexLock lock(mu_);
  auto& peer = peers_[broker];
  if (peer == nullptr) peer = transport_.ConnectPeer(self_, broker);
  return peer;
}

std::shared_ptr<coordination::Session> BrokerHost::session() {
  base::MutexLock lock(mu_);
  return session_;
}

void BrokerHost::SetRegistered(std::shared_ptr<coordination::Session> session,
                               model::Incarnation incarnation) {
  incarnation_.store(incarnation.value(), std::memory_order_release);
  base::MutexLock lock(mu_);
  if (!stopped()) session_ = std::move(session);
}

void BrokerHost::SetUnregistered() {
  std::shared_ptr<coordination::Session> dropped;  // destroyed outside of the lock
  base::MutexLock lock(mu_);
  dropped.swap(session_);
}

void BrokerHost::Stop() {
  stopped_.store(true, std::memory_order_release);
  SetUnregistered();
}

}  // namespace kafkalite::server
