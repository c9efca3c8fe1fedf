// File: sim_cluster.h
//
// A whole cluster in a simulation: the code that runs in production, on a clock, an executor, a
// network, disks and a coordination that are simulated, on one thread, by one seed. The same test
// with the same seed makes the same run, in any build mode, and hours pass in milliseconds.
//
//   auto sim = kafkalite::testing::SimCluster::Start({.seed = 7}).value();
//   auto topic = sim->cluster().CreateTopic("first-test", {.replication_factor = 3});
//   auto producer = kafkalite::Producer::Create(sim->cluster(), {}).value();
//   sim->After(50ms, [&] { sim->cluster().Kill(1).IgnoreError(); });  // during what follows
//   producer->Send({.topic = "first-test", .value = "Hello Kafka !"}).Wait();
//   sim->RunFor(std::chrono::hours(24));
//
// Nothing runs but inside the library's blocking calls and RunFor, on the thread that started it:
// calls from another thread get FAILED_PRECONDITION. Code that is to be driven by it asks the
// library for its timers (After) and waits by its calls (Poll, Wait, AwaitLeader, ...).
//
// A test that starts from a cluster with something in it prepares that once, and copies it:
//
//   const SimSnapshot loaded = sim->TakeSnapshot().value();
//   ...
//   auto copy = SimCluster::Fork(loaded, /*seed=*/8).value();   // by each test; some hundred µs
//
// Lifetime: Producers, Consumers and Topics may outlive it; their calls then fail.

#ifndef KAFKALITE_TESTING_SIM_CLUSTER_H_
#define KAFKALITE_TESTING_SIM_CLUSTER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/cluster.h"
#include "kafkalite/testing/disks.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/simulation.h"

namespace kafkalite::testing {

struct SimOptions {
  uint64_t seed = 0;
  // `data_dir`, `file_system` and `simulation` are the simulation's own. Each broker has a disk of
  // its own (see disks.h), unless there is a `storage`.
  ClusterOptions cluster = {};
};

// What a cluster at rest was like. A plain value, cheap to copy; any thread may fork it.
class SimSnapshot {
 private:
  friend class SimCluster;
  ClusterOptions options_;
  std::shared_ptr<const Disks> disks_;
  int64_t wall_millis_ = 0;
};

class SimCluster {
 public:
  // As Cluster::Start; INVALID_ARGUMENT, too, for options that are the simulation's own.
  static absl::StatusOr<std::unique_ptr<SimCluster>> Start(const SimOptions& options = {});
  // The same topics, settings and records, in another simulation: the brokers find their disks as
  // they were and elect leaders anew. The wall clock goes on from where it was.
  static absl::StatusOr<std::unique_ptr<SimCluster>> Fork(const SimSnapshot& snapshot,
                                                          uint64_t seed);
  ~SimCluster();

  Cluster& cluster() { return *cluster_; }
  Faults& faults() { return *faults_; }

  void RunFor(std::chrono::nanoseconds virtual_time) { simulation_.RunFor(virtual_time); }
  // Runs it when so much virtual time has passed, during a RunFor or a call that waits.
  void After(std::chrono::nanoseconds virtual_time, std::function<void()> what);
  // Virtual time since Start.
  std::chrono::nanoseconds now() const { return simulation_.now(); }
  // Equal for two runs only if everything happened in the same order at the same time.
  uint64_t trace_hash() const { return simulation_.trace_hash(); }
  // For whatever else is to be random, and the same for the same seed.
  Simulation& simulation() { return simulation_; }

  // Back to an empty cluster: see reset.h.
  absl::Status Reset();

  // FAILED_PRECONDITION if the cluster is not at rest (a broker is down, a replica behind, a log
  // offline): see AwaitRest; or if it has a storage of its own. Bytes are shared with the copies
  // until one of them changes.
  absl::StatusOr<SimSnapshot> TakeSnapshot();

 private:
  SimCluster(uint64_t seed, const ClusterOptions& options, std::shared_ptr<Disks> disks);
  absl::Status StartCluster();

  Simulation simulation_;
  ClusterOptions options_;  // without the simulation's own
  const std::shared_ptr<Disks> disks_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Faults> faults_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_SIM_CLUSTER_H_
