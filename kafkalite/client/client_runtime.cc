#include <algorithm>
#include <utility>

#include "kafkalite/client/cluster_client.h"

namespace kafkalite::client {

void ClientRuntime::AddClosedListener(std::weak_ptr<ClosedListener> listener) {
  {
    base::MutexLock lock(listeners_mu_);
    if (!closed.load(std::memory_order_acquire)) {
      std::erase_if(closed_listeners_, [](const auto& known) { return known.expired(); });
      closed_listeners_.push_back(std::move(listener));
      return;
    }
  }
  if (const auto known = listener.lock()) known->OnClusterClosed();
}

void ClientRuntime::NotifyClosed() {
  std::vector<std::weak_ptr<ClosedListener>> listeners;
  {
    base::MutexLock lock(listeners_mu_);
    listeners.swap(closed_listeners_);
  }
  for (const auto& listener : listeners) {
    if (const auto known = listener.lock()) known->OnClusterClosed();
  }
}

}  // namespace kafkalite::client
