#include "kafkalite/base/completion.h"

namespace kafkalite::base {

void Completion::Signal() {
  MutexLock lock(mu_);
  signalled_.store(true, std::memory_order_release);
  changed_.NotifyAll();  // under the lock: a waiter that wakes may destroy us
}

bool Completion::SleepUntil(Time deadline) {
  // Taking the lock even when already signalled makes sure that the signaller has left Signal().
  MutexLock lock(mu_);
  while (!signalled_.load(std::memory_order_relaxed)) {
    if (deadline == Time::max()) {
      changed_.Wait(mu_);
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    } else {
      changed_.WaitUntil(mu_, deadline);
    }
  }
  return true;
}

}  // namespace kafkalite::base
