// File: producer_context.h
//
// What the partitions of one producer share: options, memory, timers, identity, reports. It knows
// its partitions weakly and they own it, so that each lives as long as a request of it is under
// way.
//
// Thread safety: any thread.

#ifndef KAFKALITE_CLIENT_PRODUCER_CONTEXT_H_
#define KAFKALITE_CLIENT_PRODUCER_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/spin_lock.h"
#include "kafkalite/base/work_queue.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/producer_ids.h"
#include "kafkalite/client/producer_settings.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/send_batch.h"
#include "kafkalite/metrics.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {

class PartitionSender;

class ProducerContext final : public ClosedListener,
                              public std::enable_shared_from_this<ProducerContext> {
 public:
  ProducerContext(std::shared_ptr<ClusterClient> cluster, const ProducerOptions& options);

  const ProducerOptions& options() const { return options_; }
  // Constant, as long as the context.
  const TopicSettings& SettingsOf(std::string_view topic) const;
  // Whether any topic needs a producer id.
  bool idempotent() const { return idempotent_; }
  ClusterClient& cluster() { return *cluster_; }
  ClientRuntime& runtime() { return cluster_->runtime(); }
  base::Executor& executor() { return *cluster_->runtime().executor; }
  ReportQueue& reports() { return *reports_; }
  ProducerIds& ids() { return *ids_; }
  // Where batches are compressed: neither by whoever sends, or brings the answer of an earlier
  // batch, and has other partitions to see to, nor by a worker, which timers and strands wait for.
  base::WorkQueue& packing() { return *packing_; }
  bool shut_down() { return runtime().closed.load(std::memory_order_relaxed); }

  // Those that live, in the order in which they were added.
  void AddSender(std::weak_ptr<PartitionSender> sender);
  std::vector<std::shared_ptr<PartitionSender>> Senders();

  // A batch for PartitionSender::Append, with room for `limit_bytes` of records. What is charged
  // for it was charged before.
  std::unique_ptr<SendBatch> Prepare(size_t limit_bytes, int64_t charged_bytes, bool own_size);
  // Of a batch that was prepared and not needed.
  void Discard(std::unique_ptr<SendBatch> batch);
  // Releases a batch's memory and keeps the rest for Prepare. Not under a lock: it destroys the
  // callbacks.
  void Recycle(std::unique_ptr<SendBatch> batch);

  // Waits for room until *deadline (set by the first wait of a call, to max_block from then),
  // after sealing everything that is open. RESOURCE_EXHAUSTED.
  bool TryCharge(int64_t bytes) { return budget_.TryCharge(bytes); }
  absl::Status Charge(int64_t bytes, std::optional<base::Time>& deadline);
  void Release(int64_t bytes);

  // One for each linger that a topic has: an open batch is sealed when its linger is over.
  struct LingerTimer {
    explicit LingerTimer(base::Duration linger_in) : linger(linger_in) {}
    const base::Duration linger;
    std::atomic<bool> pending{false};
  };
  LingerTimer& TimerOf(const TopicSettings& settings);
  // A batch was opened.
  void ArmLinger(LingerTimer& timer);
  // A batch was sealed: PartitionSender::Tick comes regularly until nothing is under way.
  void ArmTick();
  uint64_t tick() const { return tick_.load(std::memory_order_relaxed); }
  // After so many ticks more than one request_timeout has passed.
  uint64_t request_timeout_ticks() const { return request_timeout_ticks_; }

  // Fails everything.
  void OnClusterClosed() override;

  // Of all partitions.
  ProducerMetrics metrics();
  void CountRefused() { refused_.fetch_add(1, std::memory_order_relaxed); }

  // Topics may have grown since.
  uint64_t metadata_version() const { return metadata_version_.load(std::memory_order_relaxed); }
  void MetadataChanged() { metadata_version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void PostLinger(LingerTimer& timer, base::Duration delay);
  void OnLinger(LingerTimer& timer);
  void OnTick();

  const std::shared_ptr<ClusterClient> cluster_;
  const ProducerOptions options_;
  const TopicSettings settings_;
  const std::map<std::string, TopicSettings, std::less<>> topic_settings_;
  const bool idempotent_;
  const base::Duration tick_period_;
  const uint64_t request_timeout_ticks_;
  const std::shared_ptr<ReportQueue> reports_;
  const std::shared_ptr<ProducerIds> ids_;

  std::map<base::Duration, LingerTimer> linger_timers_;  // all that there will be
  std::atomic<bool> tick_pending_{false};
  std::atomic<uint64_t> tick_{0};
  std::atomic<uint64_t> metadata_version_{0};

  base::Budget budget_;
  std::atomic<int32_t> waiting_for_memory_{0};
  std::atomic<int64_t> refused_{0};
  std::atomic<int64_t> buffer_full_waits_{0};
  std::atomic<int64_t> buffer_exhausted_{0};

  base::SpinLock batch_mu_;
  std::vector<std::unique_ptr<SendBatch>> spare_ ABSL_GUARDED_BY(batch_mu_);
  // When the wall clock was read last, and what it said: reading two clocks per batch is too much.
  base::Time wall_read_ ABSL_GUARDED_BY(batch_mu_);
  int64_t wall_millis_ ABSL_GUARDED_BY(batch_mu_) = -1;

  base::Mutex mu_;
  std::vector<std::weak_ptr<PartitionSender>> senders_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<base::Completion>> memory_waiters_ ABSL_GUARDED_BY(mu_);

  const std::unique_ptr<base::WorkQueue> packing_;  // goes first
};

// FAILED_PRECONDITION.
absl::Status ShutDownError();

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCER_CONTEXT_H_
