// File: partition_sender.h
//
// The way of one partition's records from Send to the leader's answer.
//
//   Append (any thread)    copies a record into the open batch, under the partition's mutex
//   Seal   (any thread)    the batch enters the queue, under the same mutex: order is decided here
//   Pack   (queue)         compresses sealed batches where that is wanted, outside of the strand
//   Pump   (strand)        stamps sequence numbers in the queue's order, sends, a few at a time
//   Judge  (strand)        what an answer means
//   Recover (strand)       after any failure: lets what is in flight come back, gets a new epoch
//                          and a new leader if that is needed, sends again from the oldest
//
// Invariants:
//   (1) Batches are sent, sent again, and completed, in the order in which they were sealed.
//   (2) A batch keeps its sequence numbers from its first sending on, unless it certainly was not
//       appended. Therefore it is appended once at most.
//   (3) Sequence numbers have no gap within an epoch: when a batch that has its numbers is given
//       up, the later ones get a new epoch, after nothing is in flight.
//
// Thread safety: any thread. Lifetime: what is under way keeps it alive.

#ifndef KAFKALITE_CLIENT_PARTITION_SENDER_H_
#define KAFKALITE_CLIENT_PARTITION_SENDER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/base/spin_lock.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/client/batch_result.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/partitioner.h"
#include "kafkalite/client/produce_answer.h"
#include "kafkalite/client/producer_context.h"
#include "kafkalite/client/producer_ids.h"
#include "kafkalite/client/producer_settings.h"
#include "kafkalite/client/send_batch.h"
#include "kafkalite/client/sender_counters.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/metrics.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/producer.h"
#include "kafkalite/protocol/produce.h"
#include "kafkalite/record.h"
#include "kafkalite/transport/client_service.h"

namespace kafkalite::client {

class PartitionSender : public std::enable_shared_from_this<PartitionSender> {
 public:
  PartitionSender(std::shared_ptr<ProducerContext> context, const TopicSettings& settings,
                  std::shared_ptr<StickyPartition> sticky, model::TopicPartition tp,
                  model::BrokerId leader);

  base::Executor& executor() const { return context_->executor(); }
  int32_t partition() const { return tp_.partition.value(); }
  const ProducerContext::LingerTimer& linger_timer() const { return linger_timer_; }
  // A batch was opened.
  void ArmLinger() { context_->ArmLinger(linger_timer_); }

  // The common case of Append, in line: a record without headers or timestamp, an open batch with
  // room. Returns the record's index; or, having done nothing, kNoBatch if no batch is open, or
  // kUncommon: then call Append. `result`, if not null, becomes one reference.
  static constexpr int32_t kUncommon = -1;
  static constexpr int32_t kNoBatch = -2;
  int32_t TryAppend(const Record& record, DeliveryCallback* callback, BatchResult** result) {
    base::SpinLockHolder lock(mu_);
    SendBatch* const batch = open_.get();
    if (batch == nullptr) [[unlikely]]
      return kNoBatch;
    if (seals_at_once_) [[unlikely]]
      return kUncommon;
    const size_t begin = batch->builder->body_bytes();
    const int32_t index =
        batch->builder->TryAppend(format::kNoTimestamp, record.key, record.value, {});
    if (index < 0) [[unlikely]]
      return kUncommon;
    PrefetchAhead(*batch, begin);
    if (callback != nullptr) {
      batch->callbacks.push_back(std::move(*callback));
      batch->callback_indexes.push_back(index);
    }
    if (result != nullptr) {
      ++batch->tickets;
      *result = batch->result.get();
    }
    return index;
  }

  struct Appended {
    enum class Outcome { kDone, kNeedsBatch, kClosed };
    Outcome outcome = Outcome::kNeedsBatch;
    int32_t index = -1;
    BatchResult* result = nullptr;  // with one reference, if it was asked for
    bool opened = false;            // `prepared` is in use now
    bool sealed = false;            // call AfterSeal
  };
  // Copies the record into the open batch. Where there is none with room, opens `prepared`, or, if
  // that is null, says kNeedsBatch. REQUIRES: `prepared` has room for the record.
  Appended Append(const Record& record, std::span<const format::Header> headers,
                  std::unique_ptr<SendBatch>& prepared, DeliveryCallback* callback,
                  bool want_ticket);

  // Sends what was sealed. Every function but Append does it by itself.
  void AfterSeal();

  // Seals the open batch, if there is one.
  void Seal();
  void SealIfOpen(const BatchResult& result);
  // And returns what is signalled when everything sealed so far is complete; null if it is.
  std::shared_ptr<base::Completion> SealAndAwait();
  // Returns when the batch was opened that is still open; Time::max() if none is.
  base::Time SealIfOpenedBefore(base::Time limit);

  // Gives up on what was in flight or in the queue for too long. False if nothing is under way.
  bool Tick(base::Time now, uint64_t tick);

  // Adds what happened here so far.
  void Count(ProducerMetrics& metrics, LatencyHistogram& latencies);

  // Completes everything with `status`.
  void Fail(absl::Status status);
  // And refuses everything from now on. Late answers are ignored.
  void Close(absl::Status status);

 private:
  struct InlineAnswer {
    uint64_t flight;
    ProduceAnswer answer;
  };
  struct Flight {
    uint64_t number;
    SendBatch* batch;  // null when the batch was given up meanwhile
    uint64_t tick;     // when it was sent
    base::Time sent;
    bool alone;  // nothing else was in flight then
  };
  struct Waiter {
    int64_t target;  // of completed_count_
    std::shared_ptr<base::Completion> done;
  };
  enum class Phase {
    kReady,
    kSettling,  // something failed: what is in flight comes back before anything is sent
    kWaiting,   // for metadata, a pause or an identity
    kClosed,
  };

  // The next lock waits until this record's bytes have reached the cache, so a buffer that has left
  // it would cost a trip to memory per record. Fetches, for writing, the bytes of a few records on.
  static void PrefetchAhead(const SendBatch& batch, size_t begin) {
    constexpr size_t kAhead = 1024, kLine = 64;
    // As numbers: a pointer may not be moved past the end of its buffer, an address may.
    const auto bytes = reinterpret_cast<uintptr_t>(batch.bytes) + kAhead;
    const uintptr_t end = bytes + batch.builder->body_bytes();
    for (uintptr_t at = bytes + begin; at < end; at += kLine) {
      __builtin_prefetch(reinterpret_cast<const char*>(at), /*write=*/1);
    }
  }

  // `full`: the next record did not fit.
  void SealOpen(bool full = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // All below: in the strand.
  void Drain();
  void TakeSealed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // The first of the `limit` oldest ones that is not in flight.
  SendBatch* NextQueued(size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void SendOne(SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // Has the oldest batch compressed that is to be and is not. One at a time: the queue is shared
  // with other partitions, which have their turns between two batches of this one.
  void PackNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Compress(format::Batch& batch) const;  // outside of the strand
  void OnPacked(format::Batch batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  bool packed(const SendBatch& batch) const {
    return batch.packed || settings_.compression == Compression::kNone;
  }
  void Build(SendBatch& batch, const format::BatchBuilder::Stamp& stamp)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void ReleaseSpare(SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Stamp(SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CountSent(SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CountSettled(const SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CountFlights() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // What waits here: to whoever seals, or chooses a partition.
  void TellBackedUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void NoteProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  static void OnReply(std::shared_ptr<PartitionSender> self, uint64_t flight,
                      absl::StatusOr<protocol::ProduceResponse> response);
  // Settles the batch, or puts it back; then Proceed.
  void OnAnswer(uint64_t flight, const ProduceAnswer& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // `alone`: no batch before it can have been overtaken by it.
  void Judge(SendBatch& batch, bool alone, const ProduceAnswer& answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void SendAgain(SendBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void GiveUp(SendBatch& batch, absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void GiveUpAll(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Settle(SendBatch& batch, absl::Status status, int64_t base_offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  bool under_way() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return sealed_count_ > completed_count_;
  }
  void CompleteSettled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Complete(std::unique_ptr<SendBatch> batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  void ExpireFlights(uint64_t tick) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void ExpireBatches(base::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Goes on as far as the phase allows.
  void Proceed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Interrupt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RenewIdentity() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void OnIdentity(absl::StatusOr<ProducerIdentity> identity) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void FindLeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void AskForLeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  using Metadata = std::shared_ptr<const TopicMetadata>;
  void OnMetadata(const absl::StatusOr<Metadata>& metadata) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  void TakeInlineAnswers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Which sender is inside a call to its channel, on this thread.
  static inline constinit thread_local const PartitionSender* sending_ = nullptr;

  // Constant.
  const std::shared_ptr<ProducerContext> context_;
  const TopicSettings& settings_;  // the context's
  ProducerContext::LingerTimer& linger_timer_;
  const std::shared_ptr<StickyPartition> sticky_;
  const model::TopicPartition tp_;
  PartitionLoad& load_;       // written in the strand; sticky_'s
  const bool seals_at_once_;  // linger is 0

  // What Sends share, apart from what the strand writes.
  alignas(64) base::SpinLock mu_;
  std::unique_ptr<SendBatch> open_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<SendBatch>> sealed_ ABSL_GUARDED_BY(mu_);
  int64_t sealed_count_ ABSL_GUARDED_BY(mu_) = 0;     // of batches, ever
  int64_t completed_count_ ABSL_GUARDED_BY(mu_) = 0;  // the oldest ones first
  int64_t sealed_records_ ABSL_GUARDED_BY(mu_) = 0;   // in those that are not completed
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool backed_up_ ABSL_GUARDED_BY(mu_) = false;       // as told_backed_up_
  bool seal_when_idle_ ABSL_GUARDED_BY(mu_) = false;  // linger is over, but nothing can be sent

  alignas(64) base::Strand strand_;
  // Batches sealed and not completed, oldest first. Those in flight come before those never sent.
  std::deque<std::unique_ptr<SendBatch>> queue_ ABSL_GUARDED_BY(strand_);
  std::vector<std::unique_ptr<SendBatch>> incoming_ ABSL_GUARDED_BY(strand_);  // keeps its room
  std::vector<Flight> flights_ ABSL_GUARDED_BY(strand_);
  // What was answered before the call returned, within a process the normal case.
  std::vector<InlineAnswer> inline_answers_ ABSL_GUARDED_BY(strand_);
  uint64_t last_flight_ ABSL_GUARDED_BY(strand_) = 0;
  bool in_packing_ ABSL_GUARDED_BY(strand_) = false;
  SendBatch* packing_ ABSL_GUARDED_BY(strand_) = nullptr;  // null when it was given up meanwhile
  Phase phase_ ABSL_GUARDED_BY(strand_) = Phase::kReady;
  // How many may be under way, of the oldest: one, until the leader has accepted one. It then knows
  // our sequence numbers, and takes no batch before an earlier one that got lost.
  size_t window_ ABSL_GUARDED_BY(strand_) = 1;
  bool needs_leader_ ABSL_GUARDED_BY(strand_) = false;
  bool needs_identity_ ABSL_GUARDED_BY(strand_) = false;
  uint64_t attempts_ ABSL_GUARDED_BY(strand_) = 0;  // to find a leader that accepts
  bool told_backed_up_ ABSL_GUARDED_BY(strand_) = false;
  absl::Status last_error_ ABSL_GUARDED_BY(strand_);
  model::BrokerId leader_ ABSL_GUARDED_BY(strand_);
  std::shared_ptr<transport::ClientService> channel_ ABSL_GUARDED_BY(strand_);  // null: unknown
  ProducerIdentity identity_ ABSL_GUARDED_BY(strand_);
  int32_t next_sequence_ ABSL_GUARDED_BY(strand_) = 0;
  SenderCounters counters_;  // written in the strand
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PARTITION_SENDER_H_
