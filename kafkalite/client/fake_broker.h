// File: fake_broker.h
//
// A cluster for tests of client engines: brokers that keep partitions in memory and answer as they
// are told to, behind a real in-process transport, on a real or a simulated executor.

#ifndef KAFKALITE_CLIENT_FAKE_BROKER_H_
#define KAFKALITE_CLIENT_FAKE_BROKER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/inprocess/inprocess_transport.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::client {

// What all brokers of a FakeCluster know: partitions, their leaders and their records.
class FakeState {
 public:
  struct Partition {
    model::BrokerId leader;
    model::LeaderEpoch leader_epoch{0};
    model::Offset log_start;
    model::Offset high_watermark;
    std::vector<format::Batch> batches;
    std::deque<model::ErrorCode> fetch_errors;    // of the next fetches
    std::deque<model::ErrorCode> offsets_errors;  // of the next look-ups
  };
  struct WaitingFetch {
    model::BrokerId broker;
    protocol::FetchRequest request;
    transport::Reply<protocol::FetchResponse> reply;
  };

  explicit FakeState(base::Executor& executor) : executor_(executor) {}

  // Changes a partition; fetches that wait see it.
  template <class Change>
  void With(const model::TopicPartition& tp, Change change) {
    {
      base::MutexLock lock(mu_);
      change(partitions_[tp]);
    }
    ServeWaiting();
  }
  void DeleteTopic(const std::string& topic);
  int fetches() const;
  // How many of the requests' partitions were asked for, by topic and partition.
  std::vector<protocol::FetchRequest> TakeFetches();
  int metadata_requests() const;
  // Drops the fetches that wait at a broker, which breaks their connections.
  void DropWaiting(model::BrokerId broker);

  void Fetch(model::BrokerId broker, protocol::FetchRequest request,
             transport::Reply<protocol::FetchResponse> reply);
  void ListOffsets(model::BrokerId broker, const protocol::ListOffsetsRequest& request,
                   transport::Reply<protocol::ListOffsetsResponse> reply);
  void Metadata(const std::vector<model::BrokerId>& brokers,
                const protocol::MetadataRequest& request,
                transport::Reply<protocol::MetadataResponse> reply);

 private:
  void ServeWaiting();
  model::ErrorCode CheckLeader(model::BrokerId broker, const model::TopicPartition& tp,
                               model::LeaderEpoch epoch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether there is something to answer.
  bool Read(model::BrokerId broker, const protocol::FetchRequest& request,
            protocol::FetchResponse& response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  base::Executor& executor_;
  mutable base::Mutex mu_;
  std::map<model::TopicPartition, Partition> partitions_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, WaitingFetch> waiting_ ABSL_GUARDED_BY(mu_);
  uint64_t next_waiting_ ABSL_GUARDED_BY(mu_) = 0;
  int fetches_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<protocol::FetchRequest> seen_ ABSL_GUARDED_BY(mu_);
  int metadata_requests_ ABSL_GUARDED_BY(mu_) = 0;
};

// Brokers 1, 2, ... and the runtime of their clients.
class FakeCluster {
 public:
  struct Options {
    bool simulated = false;
    uint64_t seed = 1;
    int brokers = 1;
    int64_t reader_memory_bytes = 64 << 20;
  };
  explicit FakeCluster(const Options& options);
  ~FakeCluster();

  const std::shared_ptr<ClientRuntime>& runtime() { return runtime_; }
  base::Executor& executor() { return *runtime_->executor; }
  base::Network& network() { return *runtime_->network; }
  FakeState& state() { return *state_; }

  // Nobody listens there any more.
  void Stop(int broker);
  // As Cluster::Shutdown does.
  void Shutdown();

  // Partitions 0 to `partitions` - 1, led by brokers 1, 2, ... in turn.
  void CreateTopic(const std::string& topic, int partitions);
  void SetLeader(const model::TopicPartition& tp, int broker);
  // Appends one batch, a record per value; committed unless said otherwise.
  void Append(const model::TopicPartition& tp, const std::vector<std::string>& values,
              bool committed = true);

 private:
  class Broker;

  std::shared_ptr<FakeState> state_;
  std::shared_ptr<ClientRuntime> runtime_;
  std::vector<model::BrokerId> ids_;
  std::map<int, std::shared_ptr<Broker>> brokers_;
  std::map<int, std::unique_ptr<transport::Listener>> listeners_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_FAKE_BROKER_H_
