// File: budget.h
//
// A bound on bytes in use. Thread safety: any thread.

#ifndef KAFKALITE_BASE_BUDGET_H_
#define KAFKALITE_BASE_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace kafkalite::base {

class Budget {
 public:
  explicit Budget(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // False, with nothing charged, if it would pass the limit. An unused budget takes anything, so
  // that one item larger than the limit does not wait for ever.
  bool TryCharge(int64_t bytes) {
    int64_t used = used_bytes_.load();
    do {
      if (used > 0 && used + bytes > limit_bytes_) return false;
    } while (!used_bytes_.compare_exchange_weak(used, used + bytes));
    return true;
  }
  // In one order with TryCharge and with other sequentially consistent operations, so that who
  // waits for a release can be found by a flag.
  void Charge(int64_t bytes) { used_bytes_.fetch_add(bytes); }
  void Release(int64_t bytes) { used_bytes_.fetch_sub(bytes); }

  int64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  int64_t limit_bytes() const { return limit_bytes_; }

 private:
  const int64_t limit_bytes_;
  std::atomic<int64_t> used_bytes_{0};
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_BUDGET_H_
