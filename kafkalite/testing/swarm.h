// File: swarm.h
//
// One simulated run: a cluster under load, while faults are drawn and invariants are checked after
// each event; then everything is healed, and has to work again, and what clients saw has to be
// consistent. All by one seed: the cluster, the load, which faults there are and how probable.
//
//   const SwarmReport report = RunSwarm(SwarmOptions::OfSeed(7));
//   EXPECT_THAT(report.violations, IsEmpty()) << report.Story();
//
// The same run, with other faults:
//
//   RunSwarm(SwarmOptions::OfSeed(7), FaultScript{{1200, FaultKind::kKill, 1}});

#ifndef KAFKALITE_TESTING_SWARM_H_
#define KAFKALITE_TESTING_SWARM_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/testing/fault_script.h"
#include "kafkalite/testing/invariants.h"

namespace kafkalite::testing {

struct SwarmOptions {
  uint64_t seed = 0;
  int32_t brokers = 3;     // 3 to 5
  int32_t partitions = 1;  // 1 to 4, of three replicas each
  int32_t min_insync_replicas = 2;
  bool flush_each = false;  // flush.messages=1
  int32_t producers = 1;
  int32_t seconds = 60;  // of virtual time, with faults
  // For a canary that must fail: in the end all brokers lose their disks, whatever they hold.
  bool sabotage = false;

  // What the seed draws.
  static SwarmOptions OfSeed(uint64_t seed);
  // "seed 7: 3 brokers, ...".
  std::string ToString() const;
};

struct SwarmReport {
  SwarmOptions options;
  uint64_t trace_hash = 0;
  int64_t sent = 0;
  int64_t acknowledged = 0;
  int64_t polled = 0;
  std::map<FaultKind, int> faults;  // how often each was carried out
  RunCounters counters;
  FaultScript script;  // what was carried out
  // What is wrong, one line each: empty is good.
  std::vector<std::string> violations;
  // What else happened, at which millisecond.
  std::vector<std::pair<int64_t, std::string>> trace;

  // For people: options, violations, and what happened when.
  std::string Story() const;
};

// Draws the faults, unless there is a script. Ends at the first violation of an invariant.
SwarmReport RunSwarm(const SwarmOptions& options,
                     const std::optional<FaultScript>& script = std::nullopt);

// The smallest script that it comes to by leaving out faults, and with which something is still
// wrong. `runs`: at most so many tries.
FaultScript Shrink(const SwarmReport& failed, int runs = 200);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_SWARM_H_
