// File: reset.h
//
// Takes a cluster of this process, real or simulated, back to empty between two tests: some hundred
// microseconds, where a new cluster has threads to start.
//
//   void TearDown() override { ASSERT_THAT(kafkalite::testing::Reset(*cluster), IsOk()); }
//
// Thread safety: any thread, while no other one uses the cluster.

#ifndef KAFKALITE_TESTING_RESET_H_
#define KAFKALITE_TESTING_RESET_H_

#include "absl/status/status.h"
#include "kafkalite/cluster.h"

namespace kafkalite::testing {

// Heals every fault and forgets recorded requests; resumes and restarts brokers; deletes all
// topics, and what was set for brokers at run time. Clients stay as they are, and find no topic.
// Disks that were wiped and clocks that jumped stay so.
absl::Status Reset(Cluster& cluster);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_RESET_H_
