#include "kafkalite/testing/sim_cluster.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/reset.h"

namespace kafkalite::testing {
namespace {

constexpr char kDataDir[] = "/data";

absl::Status CheckOptions(const ClusterOptions& options) {
  const auto refuse = [](std::string_view option) {
    return absl::InvalidArgumentError(base::Cat(
        "ClusterOptions::", option, " is set: a simulated cluster has its own, leave it empty"));
  };
  if (!options.data_dir.empty()) return refuse("data_dir");
  if (options.file_system != nullptr) return refuse("file_system");
  if (options.simulation != nullptr) return refuse("simulation");
  return absl::OkStatus();
}

}  // namespace

SimCluster::SimCluster(uint64_t seed, const ClusterOptions& options, std::shared_ptr<Disks> disks)
    : simulation_(seed), options_(options), disks_(std::move(disks)) {}

SimCluster::~SimCluster() = default;

absl::Status SimCluster::StartCluster() {
  ClusterOptions options = options_;
  options.simulation = simulation_.executor();
  options.data_dir = kDataDir;
  options.file_system = disks_;
  KL_ASSIGN_OR_RETURN(cluster_, Cluster::Start(options));
  faults_ = std::make_unique<Faults>(*cluster_);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SimCluster>> SimCluster::Start(const SimOptions& options) {
  KL_RETURN_IF_ERROR(CheckOptions(options.cluster));
  std::unique_ptr<SimCluster> sim(
      new SimCluster(options.seed, options.cluster, std::make_shared<Disks>()));
  KL_RETURN_IF_ERROR(sim->StartCluster());
  return sim;
}

absl::StatusOr<std::unique_ptr<SimCluster>> SimCluster::Fork(const SimSnapshot& snapshot,
                                                             uint64_t seed) {
  if (snapshot.disks_ == nullptr) return absl::InvalidArgumentError("the snapshot is of nothing");
  std::unique_ptr<SimCluster> sim(
      new SimCluster(seed, snapshot.options_, snapshot.disks_->Clone()));
  base::Clock& clock = sim->simulation_.executor()->clock();
  clock.JumpWall(std::chrono::milliseconds(snapshot.wall_millis_ - clock.WallMillis()));
  KL_RETURN_IF_ERROR(sim->StartCluster());
  return sim;
}

void SimCluster::After(std::chrono::nanoseconds virtual_time, std::function<void()> what) {
  base::Executor& executor = *simulation_.executor();
  executor.PostAt(base::SaturatingAdd(executor.clock().Now(), virtual_time), std::move(what));
}

absl::Status SimCluster::Reset() { return testing::Reset(*cluster_); }

absl::StatusOr<SimSnapshot> SimCluster::TakeSnapshot() {
  if (options_.storage) {
    return absl::FailedPreconditionError(
        "the cluster has a storage of its own (ClusterOptions::storage), of which nobody but it "
        "can "
        "make a copy");
  }
  const absl::Status rest = AwaitRest(*cluster_, std::chrono::milliseconds(0));
  if (!rest.ok()) {
    return absl::FailedPreconditionError(
        base::Cat("a snapshot is of a cluster at rest; ", base::ToStd(rest.message())));
  }
  SimSnapshot snapshot;
  snapshot.options_ = options_;
  snapshot.disks_ = disks_->Clone();
  snapshot.wall_millis_ = simulation_.executor()->clock().WallMillis();
  // What is copied is as a kill would leave it: the copies would have to look through their logs.
  // So the first one is shut down in order.
  KL_ASSIGN_OR_RETURN(const auto first, Fork(snapshot, /*seed=*/0));
  first->cluster().Shutdown();
  snapshot.disks_ = first->disks_;
  return snapshot;
}

}  // namespace kafkalite::testing
