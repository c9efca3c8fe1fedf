// File: partition.h
//
// One replica at work: a ReplicaCore, the log that it decides about, and everything that waits for
// either. The object that carries out the core's effects: it owns a strand, and everything in it
// runs there.
//
// Thread safety: any thread. Callbacks come on any thread, also before the call returns, possibly
// inside the partition's strand: they must not block.
// Lifetime: shared; Close() ends it, and drops what waits (which breaks those connections).

#ifndef KAFKALITE_REPLICATION_PARTITION_H_
#define KAFKALITE_REPLICATION_PARTITION_H_

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/base/work_queue.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/znodes.h"
#include "kafkalite/replication/log_state.h"
#include "kafkalite/replication/producer_state.h"
#include "kafkalite/replication/replica_core.h"
#include "kafkalite/replication/waiting_appends.h"
#include "kafkalite/storage/log.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::replication {

// What a partition needs of its broker. Thread safety: any thread.
class PartitionHost {
 public:
  virtual ~PartitionHost() = default;
  virtual base::Executor& executor() = 0;
  // Runs the task later, not while the broker is paused, not after it stopped.
  virtual void After(base::Duration delay, base::Task task) = 0;
  virtual model::BrokerId self() const = 0;
  // For batches that a leader packs anew. It outlives the host.
  virtual base::BufferPool& pool() = 0;
  // Where they are packed: not on a worker, which timers and strands wait for.
  virtual base::WorkQueue& preparation() = 0;
  virtual model::Incarnation incarnation() const = 0;
  virtual std::shared_ptr<transport::PeerService> Peer(model::BrokerId broker) = 0;
  // The present session; null while there is none.
  virtual std::shared_ptr<coordination::Session> session() = 0;
};

struct ReadRequest {
  model::LeaderEpoch current_leader_epoch = model::kNoEpoch;
  model::Offset fetch_offset;
  size_t max_bytes = 0;
};
struct ReadResult {
  model::ErrorCode error = model::ErrorCode::kNone;
  model::Offset high_watermark{-1};
  model::Offset log_start_offset{-1};
  std::vector<format::Batch> batches;
  // Committed batches that lie on a device; null if `batches` is the answer.
  std::shared_ptr<storage::ColdRead> cold;
};
using ReadCallback = absl::AnyInvocable<void(ReadResult)>;

// Called once, when the high watermark has passed the offset that it waits at, or the partition is
// no longer led here.
class HighWatermarkListener {
 public:
  virtual ~HighWatermarkListener() = default;
  virtual void OnHighWatermark() = 0;
};

struct OffsetResult {
  model::ErrorCode error = model::ErrorCode::kNone;
  int64_t timestamp = -1;
  model::Offset offset{-1};
};

struct DeleteResult {
  model::ErrorCode error = model::ErrorCode::kNone;
  model::Offset low_watermark{-1};
  std::string message;
};
using DeleteCallback = absl::AnyInvocable<void(DeleteResult)>;

// One replica as it is, for tests and inspection.
struct ReplicaSnapshot {
  Role role = Role::kOffline;
  model::BrokerId leader = model::kNoBroker;
  model::LeaderEpoch leader_epoch = model::kNoEpoch;
  model::LogId log_id;
  model::Offset log_start;
  model::Offset log_end;
  model::Offset high_watermark;
  std::vector<model::BrokerId> isr;
  std::vector<EpochCache::Entry> epochs;
  std::vector<format::Batch> batches;
};

// The same in numbers.
struct ReplicaGlimpse {
  Role role = Role::kOffline;
  model::LeaderEpoch leader_epoch = model::kNoEpoch;
  model::LogId log_id;
  model::Offset log_start;
  model::Offset log_end;
  model::Offset high_watermark;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  struct Options {
    base::Duration lag_time_max{};
    base::Duration fetch_max_wait{};
  };

  // Rebuilds what a replica knows of its log, then calls back.
  using OpenCallback = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<Partition>>)>;
  static void Open(std::shared_ptr<PartitionHost> host, model::TopicPartition tp,
                   const Options& options, std::unique_ptr<storage::Log> log,
                   OpenCallback callback);

  const model::TopicPartition& tp() const { return tp_; }
  model::LogId log_id() const { return log_id_; }

  // What the controller decided; see ReplicaCore::Apply. Lets go of `until_applied` when it is
  // done.
  void Apply(transport::PartitionUpdate update, std::shared_ptr<void> until_applied = nullptr);

  // Settings that have changed without news of the partition.
  void Configure(model::TopicConfig config, std::shared_ptr<void> until_applied = nullptr);

  // Appends a client's batch at the leader; answers when it is as safe as asked for, or after
  // `timeout` with kRequestTimedOut (it may still become so). `acks_all`: wait for the ISR.
  void Append(format::Batch batch, bool acks_all, base::Duration timeout, AppendCallback callback);

  // Committed batches, at the leader.
  void Read(const ReadRequest& request, ReadCallback callback);
  // Tells `listener` when there is something to read at `offset`; at once if there is already.
  void Listen(model::Offset offset, std::weak_ptr<HighWatermarkListener> listener);
  // For a timestamp, or protocol::kLatestTimestamp, kEarliestTimestamp.
  void FindOffset(int64_t timestamp, model::LeaderEpoch current_leader_epoch,
                  absl::AnyInvocable<void(OffsetResult)> callback);

  // Drops what comes before `before` (protocol::kHighWatermark: all that is committed), at the
  // leader; answers when every in-sync replica has (KIP-107), or after `timeout` with
  // kRequestTimedOut (it is dropped here by then, and the others follow).
  void DeleteRecords(model::Offset before, base::Duration timeout, DeleteCallback callback);

  // A follower's fetch; waits up to its max_wait when there is nothing new.
  void FetchReplica(transport::ReplicaFetchRequest request,
                    transport::Reply<transport::ReplicaFetchResponse> reply);

  // Timeouts, ISR shrink, retention. The broker calls it about ten times a second.
  void Tick();

  // The log can take nothing more: the partition is to be closed, and led by another. Does not wait
  // for the strand.
  bool log_failed() const { return log_failed_.load(std::memory_order_relaxed); }

  void Inspect(absl::AnyInvocable<void(ReplicaSnapshot)> callback);
  // At once, without entering the strand.
  // REQUIRES: a simulation, between two of its events: nobody is inside.
  ReplicaGlimpse Glimpse() const ABSL_NO_THREAD_SAFETY_ANALYSIS;

  // Stops everything and lets go of the log, then calls back.
  void Close(base::Task closed);

 private:
  struct WaitingFetch {
    transport::ReplicaFetchRequest request;
    base::Time deadline;
    transport::Reply<transport::ReplicaFetchResponse> reply;
  };
  // A client's batch on its way to the log.
  struct Incoming {
    format::Batch batch;
    bool acks_all = false;
    base::Duration timeout{};
    AppendCallback callback;
    AppendResult refusal;  // if its preparation failed
    enum class State { kArrived, kInPreparation, kPrepared };
    State state = State::kArrived;
  };
  struct WaitingDeletion {
    model::Offset before;
    base::Time deadline;
    DeleteCallback callback;
  };
  struct WaitingReader {
    model::Offset offset;
    std::weak_ptr<HighWatermarkListener> listener;
  };

  struct Opening;
  Partition(Opening& opening, LogState state);

  void WatchProgress();
  base::Time Now() { return host_->executor().clock().Now(); }

  void DoApply(transport::PartitionUpdate update) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void DoConfigure(model::TopicConfig config) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void StopLeading() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CarryOut(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // The log is safer than it was.
  void OnProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Leader: appends.
  void DoAppend(format::Batch& batch, bool acks_all, base::Duration timeout,
                AppendCallback& callback) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // Has the batch prepared (batch_preparation.h) outside of the strand, and holds up those that
  // come after it until then. One at a time: the queue is shared with other partitions, and a batch
  // unpacked may be large.
  void Prepare(std::shared_ptr<Incoming> incoming) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void OnPrepared(const std::shared_ptr<Incoming>& incoming);
  void AppendPrepared() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // Why the batch may not be appended, as far as its header says.
  AppendResult CheckBatch(const format::Batch& batch, bool acks_all) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  AppendResult TryAppend(format::Batch& batch, bool acks_all, model::Offset& end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CompleteAppends() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  model::ErrorCode CheckReader(model::LeaderEpoch epoch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void WakeReaders(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void ExpireWaits(base::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Leader: deletion of records.
  void DoDeleteRecords(model::Offset before, base::Duration timeout, DeleteCallback& callback)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CompleteDeletions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void EndDeletions(model::ErrorCode error, base::Time before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  std::string WhyNotDeleted(model::Offset before) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Leader: followers.
  void DoFetchReplica(transport::ReplicaFetchRequest& request,
                      transport::Reply<transport::ReplicaFetchResponse>& reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void AnswerFollowers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void AnswerFetch(WaitingFetch fetch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void AnswerFetchWith(WaitingFetch fetch, absl::StatusOr<std::vector<format::Batch>> batches)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void AnswerFetchCold(WaitingFetch fetch, storage::ColdRead& cold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  transport::ReplicaFetchResponse EmptyResponse(model::ErrorCode error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Leader: the ISR in coordination.
  void WriteIsr(const IsrProposal& proposal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void OnIsrWritten(const IsrProposal& proposal, const coordination::CommitResult& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RereadIsr(int32_t expected_version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RereadIsrLater(int32_t expected_version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void OnIsrReread(int32_t expected_version, const coordination::GetResult& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Follower.
  void Fetch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void FetchLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void OnFetched(uint64_t number, model::LeaderEpoch epoch,
                 absl::StatusOr<transport::ReplicaFetchResponse>& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // Drops what the leader has dropped, of what is committed.
  bool FollowStart(model::Offset leaders) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  bool AppendFetched(const transport::ReplicaFetchResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  absl::Status Truncate(const ReplicaCore::FetchAction& action)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // What is beside the log.
  Clocks Both() { return {Now(), host_->executor().clock().WallMillis()}; }
  // Before the batches that it is about: see storage::Log::metadata_end.
  void SaveEpochs() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CountForSnapshot(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void SaveProducers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void DropSnapshotsAfter(model::Offset end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // What is as safe as the topic demands: written, or durable.
  model::Offset SafeEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  void RebuildLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RebuildProducers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RebuildFrom(uint64_t number, absl::StatusOr<storage::Log::Metadata> metadata)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // What holds the follower up until it is done: then Fetch().
  bool busy() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_) {
    return rebuilding_ || core_.secured() < core_.log_end();
  }

  ReplicaSnapshot TakeSnapshot() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Retain(bool by_time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Constant after construction.
  const std::shared_ptr<PartitionHost> host_;
  const model::TopicPartition tp_;
  const Options options_;
  const model::LogId log_id_;
  const std::string state_path_;

  std::atomic<bool> log_failed_{false};

  base::Strand strand_;
  // Null once closed.
  std::unique_ptr<storage::Log> log_ ABSL_GUARDED_BY(strand_);
  ReplicaCore core_ ABSL_GUARDED_BY(strand_);
  ProducerState producers_ ABSL_GUARDED_BY(strand_);
  uint64_t saved_epochs_ ABSL_GUARDED_BY(strand_) = 0;  // EpochCache::changes() then
  std::vector<model::Offset> snapshots_ ABSL_GUARDED_BY(strand_);
  size_t bytes_since_snapshot_ ABSL_GUARDED_BY(strand_) = 0;
  base::Time next_expiry_ ABSL_GUARDED_BY(strand_);  // when producers are looked through next
  model::TopicConfig config_ ABSL_GUARDED_BY(strand_);
  model::ControllerEpoch controller_epoch_ ABSL_GUARDED_BY(strand_);

  WaitingAppends waiting_for_isr_ ABSL_GUARDED_BY(strand_);     // at the high watermark
  WaitingAppends waiting_for_leader_ ABSL_GUARDED_BY(strand_);  // at what is secured here
  std::deque<std::shared_ptr<Incoming>> incoming_ ABSL_GUARDED_BY(strand_);
  std::vector<WaitingDeletion> waiting_deletions_ ABSL_GUARDED_BY(strand_);
  std::map<model::BrokerId, WaitingFetch> waiting_fetches_ ABSL_GUARDED_BY(strand_);
  std::vector<WaitingReader> waiting_readers_ ABSL_GUARDED_BY(strand_);

  // The producer state is behind the log, since a truncation: no append yet.
  bool rebuilding_ ABSL_GUARDED_BY(strand_) = false;
  uint64_t rebuild_number_ ABSL_GUARDED_BY(strand_) = 0;

  // The fetch under way: its number (0: none), and when it is given up.
  uint64_t fetch_number_ ABSL_GUARDED_BY(strand_) = 0;
  bool fetching_ ABSL_GUARDED_BY(strand_) = false;
  base::Time fetch_deadline_ ABSL_GUARDED_BY(strand_);
  base::Duration fetch_pause_ ABSL_GUARDED_BY(strand_){};
  std::shared_ptr<transport::PeerService> leader_channel_ ABSL_GUARDED_BY(strand_);
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_PARTITION_H_
