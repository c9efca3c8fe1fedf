// File: gather.h
//
// Collects the answers of a request's partitions, which come on any thread and in any order, and
// hands them on, in the request's order, when the last one is there.

#ifndef KAFKALITE_SERVER_HANDLERS_GATHER_H_
#define KAFKALITE_SERVER_HANDLERS_GATHER_H_

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace kafkalite::server {

template <class Part>
class Gather {
 public:
  using Done = absl::AnyInvocable<void(std::vector<Part>)>;

  // The maker holds one share, too: it calls Release() when all parts are on their way.
  Gather(std::vector<Part> parts, Done done)
      : parts_(std::move(parts)), left_(parts_.size() + 1), done_(std::move(done)) {}

  // Each part is written by one thread, then released.
  Part& part(size_t i) { return parts_[i]; }
  void Release() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) done_(std::move(parts_));
  }

 private:
  std::vector<Part> parts_;
  std::atomic<size_t> left_;
  Done done_;
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_HANDLERS_GATHER_H_
