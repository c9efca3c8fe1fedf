// File: plan.h
//
// The controller's decisions, as pure functions of its view: who leads, who is in the ISR, where
// replicas go. Called again after every change until there is nothing left to decide.

#ifndef KAFKALITE_CONTROLLER_PLAN_H_
#define KAFKALITE_CONTROLLER_PLAN_H_

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kafkalite/controller/cluster_view.h"
#include "kafkalite/protocol/topics.h"

namespace kafkalite::controller {

// A partition's next state, to be written over `expected_version` (-1: created).
struct StateWrite {
  model::TopicPartition tp;
  coordination::PartitionState state;
  int32_t expected_version = -1;
};

// What is wrong with the states of the view's unplanned partitions, mended: new partitions get
// their first state, partitions whose leader is gone a new one from the ISR, dead members leave the
// ISR. Nobody is elected whose log is not the one with which it joined (rule 24), nor before it has
// said what logs it has; the last member of an ISR stays in it. Every write raises the leader
// epoch.
std::vector<StateWrite> Plan(const ClusterView& view, model::ControllerEpoch controller_epoch);

// An election somebody asked for. The error, or kNone with the write.
struct ElectionPlan {
  model::ErrorCode error = model::ErrorCode::kNone;
  StateWrite write;
};
ElectionPlan PlanElection(const ClusterView& view, const model::TopicPartition& tp,
                          protocol::ElectionType type, model::ControllerEpoch controller_epoch);

// INVALID_ARGUMENT for a number of partitions that no topic can have.
absl::Status CheckPartitionCount(int64_t partitions);

// Kafka's rotation: partition p's first replica is broker start + p modulo the number of brokers,
// and the distance to the others grows by one with each round. INVALID_ARGUMENT in Kafka's words.
struct AssignmentRequest {
  int32_t partitions = 1;
  int32_t replication_factor = 1;
  int32_t first_partition = 0;  // the number of the first one to assign
  int32_t start = 0;            // an index into the brokers
};
absl::StatusOr<std::vector<std::vector<model::BrokerId>>> AssignReplicas(
    const std::vector<model::BrokerId>& brokers, const AssignmentRequest& request);

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_PLAN_H_
