// File: cluster_client.h
//
// What every client engine needs of a cluster: channels to its brokers, and who leads what.
//
// Thread safety: any thread. Callbacks come on any thread, also before the call returns; they must
// not block. Lifetime: shared; calls under way keep it alive.

#ifndef KAFKALITE_CLIENT_CLUSTER_CLIENT_H_
#define KAFKALITE_CLIENT_CLUSTER_CLIENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::client {

// Told once when the cluster is shut down, on any thread, outside of every strand: whoever waits
// for brokers has to give up then.
class ClosedListener {
 public:
  virtual ~ClosedListener() = default;
  virtual void OnClusterClosed() = 0;
};

// What the clients of one cluster share. It outlives the Cluster object as long as a client holds
// it; `closed` says that the cluster is shut down, and every call then fails.
struct ClientRuntime {
  std::shared_ptr<base::Executor> executor;
  std::shared_ptr<base::Network> network;  // timers and links of the clients
  std::shared_ptr<transport::Transport> transport;
  base::Ref<base::BufferPool> pool;
  std::shared_ptr<base::Budget> reader_budget;
  std::vector<model::BrokerId> bootstrap;
  base::Duration call_timeout = std::chrono::seconds(30);  // of Admin's calls
  std::atomic<int32_t> next_client{static_cast<int32_t>(base::NodeId::kFirstClient)};  // downwards
  std::atomic<bool> closed{false};

  // At once if the cluster is shut down already.
  void AddClosedListener(std::weak_ptr<ClosedListener> listener);
  // Tells them all. For whoever set `closed`.
  void NotifyClosed();

 private:
  base::Mutex listeners_mu_;
  std::vector<std::weak_ptr<ClosedListener>> closed_listeners_ ABSL_GUARDED_BY(listeners_mu_);
};

// A topic as metadata described it last.
struct TopicMetadata {
  struct Partition {
    model::BrokerId leader = model::kNoBroker;
    model::LeaderEpoch leader_epoch = model::kNoEpoch;
  };
  std::string name;
  int64_t creation_id = 0;
  std::vector<Partition> partitions;  // by number
  int32_t max_message_bytes = model::TopicConfig().max_message_bytes;
};

class ClusterClient : public std::enable_shared_from_this<ClusterClient> {
 public:
  // Takes the runtime's next client number.
  static std::shared_ptr<ClusterClient> Create(std::shared_ptr<ClientRuntime> runtime);

  ClientRuntime& runtime() { return *runtime_; }
  int32_t client_id() const { return client_id_; }

  // FAILED_PRECONDITION once the cluster is shut down.
  absl::Status CheckOpen() const;

  std::shared_ptr<transport::ClientService> Channel(model::BrokerId broker);

  // What is known; null if nothing. Never asks.
  std::shared_ptr<const TopicMetadata> Find(std::string_view topic);

  // Asks brokers, one after the other, until one answers, and remembers the answer. Per topic there
  // is at most one request at a time, which all callers share if it began after they called; who
  // calls while one is under way waits for its end first, also beyond `timeout`. NOT_FOUND: there
  // is no such topic. UNAVAILABLE: no broker answered within `timeout`. FAILED_PRECONDITION: the
  // cluster is shut down. The callback is always called.
  using TopicCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const TopicMetadata>>)>;
  void Refresh(std::string topic, base::Duration timeout, TopicCallback callback);

  // The whole picture, from the first broker that answers; each request begins with another one.
  using MetadataCallback = absl::AnyInvocable<void(absl::StatusOr<protocol::MetadataResponse>)>;
  void FetchMetadata(protocol::MetadataRequest request, base::Duration timeout,
                     MetadataCallback callback);

  // Runs later, as a timer of this client. kNone, with the task dropped, when the executor has
  // shut down.
  base::TimerId After(base::Duration delay, base::Task task);

 private:
  class MetadataFetch;
  struct Waiter {
    base::Time deadline;
    TopicCallback callback;
  };
  struct TopicRefresh {
    std::vector<Waiter> current;  // served by the request that is under way
    std::vector<Waiter> next;     // called after it had begun
  };

  ClusterClient(std::shared_ptr<ClientRuntime> runtime, int32_t client_id);

  // The brokers to ask, in order: a further one first each time.
  std::vector<model::BrokerId> NextRound();
  void RememberBrokers(const std::vector<model::BrokerId>& brokers);
  void StartRefresh(const std::string& topic, base::Time deadline);
  void OnRefreshed(const std::string& topic, absl::StatusOr<protocol::MetadataResponse> answer);

  const std::shared_ptr<ClientRuntime> runtime_;
  const int32_t client_id_;
  mutable base::Mutex mu_;
  std::map<model::BrokerId, std::shared_ptr<transport::ClientService>> channels_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<const TopicMetadata>, std::less<>> topics_
      ABSL_GUARDED_BY(mu_);
  std::map<std::string, TopicRefresh> refreshes_ ABSL_GUARDED_BY(mu_);
  std::vector<model::BrokerId> brokers_ ABSL_GUARDED_BY(mu_);  // bootstrap, then others as learnt
  size_t rounds_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CLUSTER_CLIENT_H_
