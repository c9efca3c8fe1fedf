// File: simulation.h
//
// Virtual time for a whole cluster: one thread, one seed. The same test with the same seed makes
// the same run, and hours pass in milliseconds.
//
//   kafkalite::testing::Simulation simulation(/*seed=*/7);
//   auto cluster = kafkalite::Cluster::Start({.brokers = 3, .simulation = simulation.executor()});
//   ...                                    // as with any cluster, on this thread alone
//   simulation.RunFor(std::chrono::minutes(5));
//
// Nothing runs but inside the library's blocking calls and RunFor. Calls from another thread get
// FAILED_PRECONDITION. One simulation serves one cluster; it outlives the cluster and its clients.

#ifndef KAFKALITE_TESTING_SIMULATION_H_
#define KAFKALITE_TESTING_SIMULATION_H_

#include <chrono>
#include <cstdint>
#include <memory>

#include "kafkalite/base/sim_executor.h"

namespace kafkalite::testing {

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : executor_(std::make_shared<base::SimExecutor>(seed)) {}

  // For ClusterOptions::simulation.
  const std::shared_ptr<base::SimExecutor>& executor() const { return executor_; }

  void RunFor(std::chrono::nanoseconds virtual_time) { executor_->RunFor(virtual_time); }

  // Virtual time since the simulation began.
  std::chrono::nanoseconds now() const {
    return executor_->clock().Now().time_since_epoch() - std::chrono::seconds(1);
  }
  // Equal for two runs only if everything happened in the same order at the same time.
  uint64_t trace_hash() const { return executor_->trace_hash(); }

 private:
  const std::shared_ptr<base::SimExecutor> executor_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_SIMULATION_H_
