// File: await.h
//
// Waits for what a cluster of this process is coming to, in real or in virtual time.
//
//   cluster->Kill(1);
//   absl::StatusOr<int32_t> leader = AwaitLeader(*cluster, "first-test", 0);
//
// Whatever the faults are, they see the truth: what is stored, and what the replicas themselves
// say.
//
// Errors: DEADLINE_EXCEEDED says what was waited for, and ends with the state of the cluster.
// NOT_FOUND and INVALID_ARGUMENT, at once, for what can never be: a topic that there is not, a
// broker that has no replica. FAILED_PRECONDITION once the cluster is shut down.
// Thread safety: any thread, but in a simulation its own.

#ifndef KAFKALITE_TESTING_AWAIT_H_
#define KAFKALITE_TESTING_AWAIT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/cluster.h"

namespace kafkalite::testing {

inline constexpr std::chrono::milliseconds kAwaitTimeout{30000};

// Any live broker that leads, and knows it.
absl::StatusOr<int32_t> AwaitLeader(Cluster& cluster, std::string_view topic, int32_t partition,
                                    std::chrono::milliseconds timeout = kAwaitTimeout);
// This one.
absl::Status AwaitLeaderIs(Cluster& cluster, std::string_view topic, int32_t partition,
                           int32_t broker, std::chrono::milliseconds timeout = kAwaitTimeout);
// Any but this one, which it returns.
absl::StatusOr<int32_t> AwaitLeaderOtherThan(Cluster& cluster, std::string_view topic,
                                             int32_t partition, int32_t broker,
                                             std::chrono::milliseconds timeout = kAwaitTimeout);

// Coordination says that there is none.
absl::Status AwaitNoLeader(Cluster& cluster, std::string_view topic, int32_t partition,
                           std::chrono::milliseconds timeout = kAwaitTimeout);

// Just these are in sync, in whatever order.
absl::Status AwaitIsr(Cluster& cluster, std::string_view topic, int32_t partition,
                      std::vector<int32_t> isr, std::chrono::milliseconds timeout = kAwaitTimeout);

// Every partition of every topic has a leader, all replicas in sync, and the same high watermark
// on all of them, which is their logs' end: the cluster is at rest.
absl::Status AwaitRest(Cluster& cluster, std::chrono::milliseconds timeout = kAwaitTimeout);

// At least so many committed records in all partitions together; all that there are then, by
// partition and offset.
absl::StatusOr<std::vector<ReplicaRecord>> AwaitRecords(
    Cluster& cluster, std::string_view topic, size_t count,
    std::chrono::milliseconds timeout = kAwaitTimeout);

absl::StatusOr<int32_t> AwaitController(Cluster& cluster,
                                        std::chrono::milliseconds timeout = kAwaitTimeout);

// Anything else: asked again and again. `what` completes the message "still waiting for ...".
absl::Status AwaitThat(Cluster& cluster, std::string_view what,
                       const std::function<bool()>& reached,
                       std::chrono::milliseconds timeout = kAwaitTimeout);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_AWAIT_H_
