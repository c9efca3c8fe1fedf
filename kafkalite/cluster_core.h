// File: cluster_core.h
//
// What is behind the public classes: the parts that the brokers of one process share, and the
// brokers. Private to this folder and to testing/.
//
// Thread safety: any thread. Lifetime: shared by Cluster, Topic and Broker handles; Stop() ends it.

#ifndef KAFKALITE_CLUSTER_CORE_H_
#define KAFKALITE_CLUSTER_CORE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/client/admin.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/cluster.h"
#include "kafkalite/cluster_files.h"
#include "kafkalite/coordination/embedded/embedded_coordination.h"
#include "kafkalite/server/broker_server.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/memory/memory_storage.h"
#include "kafkalite/transport/inprocess/inprocess_transport.h"

namespace kafkalite {

class ClusterCore : public std::enable_shared_from_this<ClusterCore> {
 public:
  // Opens what there is on disk.
  static absl::StatusOr<std::shared_ptr<ClusterCore>> Create(const ClusterOptions& options);
  ~ClusterCore();

  // Starts every broker, and waits until each knows of all.
  absl::Status Start();
  void Stop();
  absl::Status CheckOpen() const;
  // And that topics can be changed: not after the files of the coordination have failed.
  absl::Status CheckCoordination() const;
  const std::string& cluster_id() const { return cluster_id_; }

  client::Admin& admin() { return *admin_; }
  const std::shared_ptr<client::ClientRuntime>& runtime() const { return runtime_; }
  base::Network& network() { return *network_; }
  transport::InProcessTransport& transport() { return *transport_; }
  base::Executor& executor() { return *executor_; }
  coordination::EmbeddedCoordination& coordination() { return *coordination_; }

  // Null: in memory.
  const ClusterFiles* files() const { return files_.get(); }

  std::vector<int32_t> broker_ids() const;
  absl::StatusOr<BrokerState> state(int32_t broker) const;
  // Null unless it runs or is paused.
  std::shared_ptr<server::BrokerServer> server(int32_t broker) const;
  // Null, too, if it keeps its logs elsewhere.
  std::shared_ptr<storage::FileStorage> file_storage(int32_t broker) const;
  absl::StatusOr<int32_t> controller() const;
  // What the broker's start found damaged in its files, in words.
  absl::StatusOr<std::vector<std::string>> repairs(int32_t broker) const;
  // Replicas without a log that works, and what is wrong with it.
  absl::StatusOr<std::map<TopicPartition, absl::Status>> offline(int32_t broker) const;

  absl::Status Kill(int32_t broker);
  absl::Status Shutdown(int32_t broker);
  absl::Status Restart(int32_t broker);
  absl::Status Pause(int32_t broker);
  absl::Status Resume(int32_t broker);

  absl::StatusOr<Replica> ReadReplica(int32_t broker, std::string_view topic, int32_t partition);

 private:
  // A broker that runs or is paused. One that does not has none of it, but for `memory`.
  struct Parts {
    std::shared_ptr<server::BrokerServer> server;
    std::shared_ptr<storage::Storage> storage;
    std::shared_ptr<storage::FileStorage> files;     // the same, if it is of that kind
    std::shared_ptr<storage::MemoryStorage> memory;  // likewise; lost when it is killed
  };
  struct Slot {
    BrokerState state = BrokerState::kShutDown;
    // Somebody starts or stops it, and waits for files: nobody else may do so meanwhile.
    bool changing = false;
    Parts parts;
  };

  ClusterCore(const ClusterOptions& options, std::unique_ptr<ClusterFiles> files);

  // In memory; opened again from its files, if there are any, before the core is shown to others.
  absl::Status OpenCoordination();
  // Of the tree: a new one unless a cluster lived there.
  absl::Status ReadClusterId();
  // Durable before any broker's directory is said to be of this cluster.
  absl::Status KeepClusterId(coordination::Session& session);

  // Storage as the options want it. Blocks while files are read and repaired.
  absl::Status MakeStorage(int32_t broker, Parts& parts);
  absl::StatusOr<std::shared_ptr<server::BrokerServer>> StartServer(int32_t broker);
  static std::string_view StateInWords(const Slot& slot);
  // Takes a running broker out of its slot, which is `changing` from now on if it is to be closed
  // in order. FAILED_PRECONDITION if it does not run.
  absl::StatusOr<Parts> Take(int32_t broker, BrokerState next);
  absl::Status CloseInOrder(std::vector<Parts> stopping);
  absl::Status Switch(int32_t broker, BrokerState from, BrokerState to);
  // Waits until `reached` says so; asked again and again.
  absl::Status Await(const std::function<bool()>& reached, std::string_view what);

  const ClusterOptions options_;
  const std::shared_ptr<base::Executor> executor_;
  const std::shared_ptr<base::Network> network_;
  const std::shared_ptr<transport::InProcessTransport> transport_;
  const std::unique_ptr<ClusterFiles> files_;  // null: in memory
  std::shared_ptr<coordination::EmbeddedCoordination> coordination_;
  const std::shared_ptr<base::Budget> log_budget_;
  const std::shared_ptr<client::ClientRuntime> runtime_;
  const std::unique_ptr<client::Admin> admin_;
  std::string cluster_id_;

  mutable base::Mutex mu_;
  std::map<int32_t, Slot> brokers_ ABSL_GUARDED_BY(mu_);
};

// How testing/ reaches behind the public class.
ClusterCore& CoreOf(Cluster& cluster);

}  // namespace kafkalite

#endif  // KAFKALITE_CLUSTER_CORE_H_
