// File: broker_host.h
//
// What the parts of one broker share: timers, channels to other brokers, the present session and
// incarnation. Holds none of those parts, so that they may all hold it.
//
// Thread safety: any thread. Lifetime: shared.

#ifndef KAFKALITE_SERVER_BROKER_HOST_H_
#define KAFKALITE_SERVER_BROKER_HOST_H_

#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/base/work_queue.h"
#include "kafkalite/controller/controller_host.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/replication/partition.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::server {

class BrokerHost final : public replication::PartitionHost,
                         public controller::ControllerHost,
                         public std::enable_shared_from_this<BrokerHost> {
 public:
  // REQUIRES: executor, network and transport outlive it and its timers.
  BrokerHost(base::Executor& executor, base::Network& network, transport::Transport& transport,
             model::BrokerId self, base::Ref<base::BufferPool> pool)
      : executor_(executor),
        network_(network),
        transport_(transport),
        self_(self),
        pool_(pool ? std::move(pool) : base::BufferPool::Create(0)),
        preparation_(executor.MakeWorkQueue()) {}

  base::Executor& executor() override { return executor_; }
  void After(base::Duration delay, base::Task task) override;
  model::BrokerId self() const override { return self_; }
  base::BufferPool& pool() override { return *pool_; }
  base::WorkQueue& preparation() override { return *preparation_; }
  model::Incarnation incarnation() const override {
    return model::Incarnation(incarnation_.load(std::memory_order_acquire));
  }
  std::shared_ptr<transport::PeerService> Peer(model::BrokerId broker) override;
  std::shared_ptr<coordination::Session> session() override;

  void SetRegistered(std::shared_ptr<coordination::Session> session,
                     model::Incarnation incarnation);
  void SetUnregistered();
  // No timer runs any more, and a session that comes late is not taken.
  void Stop();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

  base::Network& network() { return network_; }
  base::NodeId node() const { return base::NodeId{self_.value()}; }

 private:
  base::Executor& executor_;
  base::Network& network_;
  transport::Transport& transport_;
  const model::BrokerId self_;
  const base::Ref<base::BufferPool> pool_;
  const std::unique_ptr<base::WorkQueue> preparation_;
  std::atomic<int64_t> incarnation_{-1};
  std::atomic<bool> stopped_{false};
  base::Mutex mu_;
  std::shared_ptr<coordination::Session> session_ ABSL_GUARDED_BY(mu_);
  std::map<model::BrokerId, std::shared_ptr<transport::PeerService>> peers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_BROKER_HOST_H_
