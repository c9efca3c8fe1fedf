#include "kafkalite/client/partition_sender.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/model/error_code.h"

namespace kafkalite::client {
namespace {

// As many as brokers remember of a producer: a sixth could not be recognised when sent again.
constexpr size_t kMaxInFlight = 5;
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

protocol::Acks ToProtocol(Acks acks) {
  switch (acks) {
    case Acks::kNone:
      return protocol::Acks::kNone;
    case Acks::kLeader:
      return protocol::Acks::kLeader;
    case Acks::kAll:
      break;
  }
  return protocol::Acks::kAll;
}

// Calls the callbacks of a settled batch, then lets its memory go.
void Report(std::unique_ptr<SendBatch> batch) {
  const BatchResult& result = *batch->result;
  absl::StatusOr<RecordMetadata> outcome = RecordMetadata{};
  if (!result.status().ok()) outcome = result.status();
  for (size_t i = 0; i < batch->callbacks.size(); ++i) {
    if (outcome.ok()) *outcome = result.Metadata(batch->callback_indexes[i]);
    batch->callbacks[i](outcome);
  }
  const std::shared_ptr<ProducerContext> context = std::move(batch->context);
  context->Recycle(std::move(batch));
}

}  // namespace

PartitionSender::PartitionSender(std::shared_ptr<ProducerContext> context,
                                 const TopicSettings& settings,
                                 std::shared_ptr<StickyPartition> sticky, model::TopicPartition tp,
                                 model::BrokerId leader)
    : context_(std::move(context)),
      settings_(settings),
      linger_timer_(context_->TimerOf(settings)),
      sticky_(std::move(sticky)),
      tp_(std::move(tp)),
      load_(sticky_->LoadOf(tp_.partition.value())),
      seals_at_once_(settings_.linger <= std::chrono::milliseconds::zero()),
      strand_(context_->executor()),
      leader_(leader),
      identity_(context_->ids().current()) {
  if (leader != model::kNoBroker) channel_ = context_->cluster().Channel(leader);
  if (!settings_.idempotent) window_ = kMaxInFlight;
}

// --- Open and sealed batches: under the mutex ---------------------------------------------------

PartitionSender::Appended PartitionSender::Append(const Record& record,
                                                  std::span<const format::Header> headers,
                                                  std::unique_ptr<SendBatch>& prepared,
                                                  DeliveryCallback* callback, bool want_ticket) {
  Appended appended;
  base::SpinLockHolder lock(mu_);
  const int64_t timestamp = record.timestamp.value_or(format::kNoTimestamp);
  if (open_ != nullptr) [[likely]] {
    appended.index = open_->builder->TryAppend(timestamp, record.key, record.value, headers);
    if (appended.index < 0) {
      SealOpen(/*full=*/true);
      appended.sealed = true;
    }
  }
  if (appended.index < 0) {
    if (closed_) {
      appended.outcome = Appended::Outcome::kClosed;
      return appended;
    }
    if (prepared == nullptr) return appended;
    open_ = std::move(prepared);
    open_->result->SetSender(weak_from_this(), partition());
    appended.opened = true;
    appended.index = open_->builder->TryAppend(timestamp, record.key, record.value, headers);
    assert(appended.index >= 0);
  }
  appended.outcome = Appended::Outcome::kDone;
  SendBatch& batch = *open_;
  if (record.timestamp.has_value()) [[unlikely]] {
    batch.result->SetTimestamp(appended.index, timestamp);
  }
  if (callback != nullptr) {
    batch.callbacks.push_back(std::move(*callback));
    batch.callback_indexes.push_back(appended.index);
  }
  if (want_ticket) {
    ++batch.tickets;
    appended.result = batch.result.get();
  }
  if (batch.own_size || (seals_at_once_ && !under_way())) [[unlikely]] {
    SealOpen();
    appended.sealed = true;
  }
  return appended;
}

void PartitionSender::SealOpen(bool full) {
  SendBatch& batch = *open_;
  sticky_->Count(partition(), batch.builder->body_bytes(), full);
  // Tickets already given out hold theirs.
  batch.result->DropRef(SendBatch::kTicketReferences - batch.tickets);
  sealed_records_ += batch.builder->record_count();
  sealed_.push_back(std::move(open_));
  ++sealed_count_;
  seal_when_idle_ = false;
}

void PartitionSender::AfterSeal() {
  sticky_->LeaveIfDone(partition(), executor().clock());
  context_->ArmTick();
  Drain();
}

void PartitionSender::Seal() {
  {
    base::SpinLockHolder lock(mu_);
    if (open_ == nullptr) return;
    SealOpen();
  }
  AfterSeal();
}

void PartitionSender::SealIfOpen(const BatchResult& result) {
  {
    base::SpinLockHolder lock(mu_);
    if (open_ == nullptr || open_->result.get() != &result) return;
    SealOpen();
  }
  AfterSeal();
}

std::shared_ptr<base::Completion> PartitionSender::SealAndAwait() {
  Seal();
  auto done = std::make_shared<base::Completion>();
  base::SpinLockHolder lock(mu_);
  if (!under_way()) return nullptr;
  waiters_.push_back({sealed_count_, done});
  return done;
}

base::Time PartitionSender::SealIfOpenedBefore(base::Time limit) {
  {
    base::SpinLockHolder lock(mu_);
    if (open_ == nullptr) return base::Time::max();
    if (open_->opened_at > limit) return open_->opened_at;
    if (backed_up_) {
      // It would only wait in the queue: let it grow instead.
      seal_when_idle_ = true;
      return base::Time::max();
    }
    SealOpen();
  }
  AfterSeal();
  return base::Time::max();
}

// --- Sending: in the strand ---------------------------------------------------------------------

void PartitionSender::Drain() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->TakeSealed();
    self->PackNext();
    self->Pump();
  });
}

void PartitionSender::TakeSealed() {
  {
    base::SpinLockHolder lock(mu_);
    incoming_.swap(sealed_);
  }
  for (std::unique_ptr<SendBatch>& batch : incoming_) queue_.push_back(std::move(batch));
  incoming_.clear();
}

SendBatch* PartitionSender::NextQueued(size_t limit) {
  for (size_t i = 0; i < std::min(limit, queue_.size()); ++i) {
    if (queue_[i]->state == SendBatch::State::kQueued) return queue_[i].get();
  }
  return nullptr;
}

void PartitionSender::Pump() {
  // Counted from the oldest one without an answer, not by those in flight: if that one has to be
  // sent again, the broker must not have forgotten it for five later ones.
  const bool unanswered = settings_.acks == Acks::kNone;
  while (phase_ == Phase::kReady && flights_.size() < window_) {
    SendBatch* const next = NextQueued(unanswered ? kNoLimit : window_);
    if (next == nullptr || !packed(*next)) break;
    if (channel_ == nullptr || needs_leader_ || needs_identity_) {
      needs_leader_ |= channel_ == nullptr;
      Interrupt();
      Proceed();
      return;
    }
    SendOne(*next);
    if (inline_answers_.empty()) continue;
    TakeInlineAnswers();
    CompleteSettled();
    if (phase_ != Phase::kReady) {
      Proceed();
      return;
    }
  }
  if (unanswered) CompleteSettled();
  TellBackedUp();
}

void PartitionSender::TakeInlineAnswers() {
  for (const InlineAnswer& inline_answer : inline_answers_) {
    OnAnswer(inline_answer.flight, inline_answer.answer);
  }
  inline_answers_.clear();
}

void PartitionSender::TellBackedUp() {
  // Of a batch that was given up, the flight may be left.
  const auto queued =
      static_cast<int32_t>(queue_.size() - std::min(queue_.size(), flights_.size()));
  if (load_.queued.load(std::memory_order_relaxed) != queued) {
    load_.queued.store(queued, std::memory_order_relaxed);
  }
  const bool backed_up = NextQueued(kNoLimit) != nullptr;
  if (backed_up == told_backed_up_) return;
  told_backed_up_ = backed_up;
  if (backed_up) NoteProgress();
  bool sealed = false;
  {
    base::SpinLockHolder lock(mu_);
    backed_up_ = backed_up;
    sealed = !backed_up && seal_when_idle_ && open_ != nullptr;
    if (sealed) SealOpen();
  }
  if (sealed) AfterSeal();
}

void PartitionSender::NoteProgress() {
  if (!sticky_->times_availability()) return;
  load_.progress_at.store(executor().clock().Now(), std::memory_order_relaxed);
}

void PartitionSender::Stamp(SendBatch& batch) {
  format::BatchBuilder::Stamp stamp;
  if (settings_.idempotent) {
    stamp.producer_id = identity_.id;
    stamp.producer_epoch = identity_.epoch;
    stamp.base_sequence = next_sequence_;
  }
  batch.stamped = true;
  if (!batch.builder) {
    stamp.attributes = batch.batch.header.attributes;
    format::Restamp(batch.batch, stamp);
  } else {
    Build(batch, stamp);
  }
  next_sequence_ = format::AdvanceSequence(next_sequence_, batch.batch.header.record_count);
}

void PartitionSender::Build(SendBatch& batch, const format::BatchBuilder::Stamp& stamp) {
  batch.batch = (*std::move(batch.builder)).Build(stamp, context_->runtime().pool.get());
  batch.builder.reset();
  batch.uncompressed_bytes = static_cast<int64_t>(batch.batch.size_bytes());
  ReleaseSpare(batch);  // a small batch has moved to a smaller buffer
}

void PartitionSender::ReleaseSpare(SendBatch& batch) {
  const auto capacity = static_cast<int64_t>(batch.batch.body.buffer()->capacity());
  if (capacity >= batch.charged_bytes) return;
  context_->Release(batch.charged_bytes - capacity);
  batch.charged_bytes = capacity;
}

// --- Compression: beside the strand -------------------------------------------------------------

void PartitionSender::PackNext() {
  if (settings_.compression == Compression::kNone || in_packing_) return;
  const auto next = std::find_if(queue_.begin(), queue_.end(), [](const auto& batch) {
    return batch->state == SendBatch::State::kQueued && batch->builder.has_value();
  });
  if (next == queue_.end()) return;
  Build(**next, {});
  in_packing_ = true;
  packing_ = next->get();
  // Weak: what is queued must not keep the context that owns the queue.
  context_->packing().Post([weak = weak_from_this(), batch = (*next)->batch]() mutable {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->Compress(batch);
    self->strand_.Run([self, batch = std::move(batch)]() mutable {
      self->strand_.AssertInside();
      self->OnPacked(std::move(batch));
    });
  });
}

void PartitionSender::Compress(format::Batch& batch) const {
  auto compressed = format::CompressBatch(batch, static_cast<format::Codec>(settings_.compression),
                                          settings_.compression_level, *context_->runtime().pool);
  // What cannot be compressed, for want of memory, is sent as it is.
  if (compressed.ok()) batch = *std::move(compressed);
}

void PartitionSender::OnPacked(format::Batch batch) {
  in_packing_ = false;
  if (SendBatch* const target = std::exchange(packing_, nullptr)) {
    target->batch = std::move(batch);
    target->packed = true;
    ReleaseSpare(*target);
  }
  PackNext();
  Pump();
}

void PartitionSender::SendOne(SendBatch& batch) {
  if (!batch.stamped) Stamp(batch);
  CountSent(batch);
  NoteProgress();
  protocol::ProduceRequest request;
  request.acks = ToProtocol(settings_.acks);
  request.timeout = context_->options().request_timeout;
  request.partitions.push_back({tp_, batch.batch});
  uint64_t flight = 0;  // none, where no answer is waited for
  if (settings_.acks == Acks::kNone) {
    Settle(batch, absl::OkStatus(), -1);
  } else {
    flight = ++last_flight_;
    batch.state = SendBatch::State::kInFlight;
    flights_.push_back(
        {flight, &batch, context_->tick(), executor().clock().Now(), flights_.empty()});
    CountFlights();
  }
  auto reply = [self = shared_from_this(),
                flight](absl::StatusOr<protocol::ProduceResponse> response) mutable {
    OnReply(std::move(self), flight, std::move(response));
  };
  const PartitionSender* const outer = std::exchange(sending_, this);
  channel_->Produce(std::move(request), ReplyOnce(std::move(reply)));
  sending_ = outer;
}

// --- Answers ------------------------------------------------------------------------------------

void PartitionSender::OnReply(std::shared_ptr<PartitionSender> self, uint64_t flight,
                              absl::StatusOr<protocol::ProduceResponse> response) {
  ProduceAnswer answer = ProduceAnswer::Of(std::move(response));
  if (sending_ == self.get()) {
    // The answer came before Produce returned: this thread is inside the strand.
    self->strand_.AssertInside();
    self->inline_answers_.push_back({flight, std::move(answer)});
    return;
  }
  base::Strand& strand = self->strand_;
  strand.Run([self = std::move(self), flight, answer = std::move(answer)] {
    self->strand_.AssertInside();
    self->OnAnswer(flight, answer);
    self->Proceed();
  });
}

void PartitionSender::OnAnswer(uint64_t flight, const ProduceAnswer& answer) {
  if (flight == 0) {
    // acks=0: nobody waits for the answer, but the next batch should find the right broker.
    if (!answer.accepted()) channel_ = nullptr;
    return;
  }
  const auto found = std::find_if(flights_.begin(), flights_.end(),
                                  [&](const Flight& f) { return f.number == flight; });
  if (found == flights_.end()) return;  // given up meanwhile
  SendBatch* const batch = found->batch;
  const bool alone = found->alone;
  counters_.latency.Add(executor().clock().Now() - found->sent);
  flights_.erase(found);
  CountFlights();
  if (batch != nullptr) Judge(*batch, alone, answer);
}

void PartitionSender::Judge(SendBatch& batch, bool alone, const ProduceAnswer& answer) {
  if (answer.accepted()) {
    Settle(batch, absl::OkStatus(), answer.base_offset);
    attempts_ = 0;
    window_ = kMaxInFlight;
    return;
  }
  if (context_->shut_down()) {
    GiveUpAll(ShutDownError());
    return;
  }
  batch.last_error = last_error_ = answer.ToStatus();
  if (settings_.idempotent && answer.sequence_refused()) {
    if (alone && batch.maybe_appended) {
      GiveUp(batch, absl::AbortedError(base::Cat(base::ToStd(last_error_.message()),
                                                 "; sent again, the record could be in the log "
                                                 "twice; it may be there already")));
      return;
    }
    // Of a batch that was sent behind others this only says that it came before they did, if they
    // came at all. Under a new identity it could be there twice: it may have been sent twice, too.
    needs_identity_ |= alone;
    SendAgain(batch);
  } else if (answer.retriable()) {
    batch.maybe_appended |= !answer.certainly_not_appended();
    SendAgain(batch);
  } else {
    GiveUp(batch, last_error_);
  }
}

void PartitionSender::SendAgain(SendBatch& batch) {
  batch.state = SendBatch::State::kQueued;
  needs_leader_ = true;
  Interrupt();
}

void PartitionSender::Settle(SendBatch& batch, absl::Status status, int64_t base_offset) {
  if (packing_ == &batch) packing_ = nullptr;
  batch.state = SendBatch::State::kSettled;
  batch.status = std::move(status);
  batch.base_offset = base_offset;
}

void PartitionSender::GiveUp(SendBatch& batch, absl::Status status) {
  for (Flight& flight : flights_) {
    if (flight.batch == &batch) flight.batch = nullptr;
  }
  if (batch.stamped && settings_.idempotent) {
    // Later ones wait for this one's sequence numbers, which never come.
    needs_identity_ = true;
    Interrupt();
  }
  Settle(batch, std::move(status), -1);
}

void PartitionSender::GiveUpAll(const absl::Status& status) {
  TakeSealed();
  for (const std::unique_ptr<SendBatch>& batch : queue_) {
    if (batch->state != SendBatch::State::kSettled) GiveUp(*batch, status);
  }
}

void PartitionSender::CompleteSettled() {
  int64_t completed = 0, records = 0;
  while (!queue_.empty() && queue_.front()->state == SendBatch::State::kSettled) {
    std::unique_ptr<SendBatch> batch = std::move(queue_.front());
    queue_.pop_front();
    CountSettled(*batch);
    records += batch->record_count();
    Complete(std::move(batch));
    ++completed;
  }
  if (completed == 0) return;
  bool sealed = false;
  std::vector<std::shared_ptr<base::Completion>> woken;
  {
    base::SpinLockHolder lock(mu_);
    completed_count_ += completed;
    sealed_records_ -= records;
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      if (it->target > completed_count_) {
        ++it;
      } else {
        woken.push_back(std::move(it->done));
        it = waiters_.erase(it);
      }
    }
    sealed = seals_at_once_ && !under_way() && open_ != nullptr;
    if (sealed) SealOpen();
  }
  for (const auto& done : woken) done->Signal();
  if (sealed) AfterSeal();
}

void PartitionSender::Complete(std::unique_ptr<SendBatch> batch) {
  batch->result->SetOutcome(std::move(batch->status), batch->base_offset);
  if (batch->callbacks.empty()) {
    const base::Ref<BatchResult> result = std::move(batch->result);
    context_->Recycle(std::move(batch));
    result->Signal();
  } else {
    const base::Ref<BatchResult> result = batch->result;
    // Its memory counts until the callbacks have run: a program whose callbacks are slower than
    // its Sends is slowed down, not filled up.
    batch->builder.reset();
    batch->batch.body = {};
    batch->context = context_;
    context_->reports().Add([batch = std::move(batch)]() mutable { Report(std::move(batch)); });
    result->Signal();
  }
}

// --- Counting -----------------------------------------------------------------------------------

void PartitionSender::CountSent(SendBatch& batch) {
  const int32_t records = batch.record_count();
  if (std::exchange(batch.sent, true)) {
    counters_.records_retried.Add(records);
    counters_.batches_retried.Add(1);
  } else {
    counters_.compressed_bytes.Add(static_cast<int64_t>(batch.batch.size_bytes()));
    counters_.uncompressed_bytes.Add(batch.uncompressed_bytes);
  }
  counters_.records_sent.Add(records);
  counters_.bytes_sent.Add(static_cast<int64_t>(batch.batch.size_bytes()));
  counters_.batches_sent.Add(1);
}

void PartitionSender::CountSettled(const SendBatch& batch) {
  if (!batch.status.ok()) {
    counters_.records_failed.Add(batch.record_count());
    return;
  }
  counters_.records_acknowledged.Add(batch.record_count());
  counters_.bytes_acknowledged.Add(static_cast<int64_t>(batch.batch.size_bytes()));
  counters_.batches_acknowledged.Add(1);
}

void PartitionSender::CountFlights() {
  counters_.in_flight.Set(static_cast<int64_t>(flights_.size()));
}

void PartitionSender::Count(ProducerMetrics& metrics, LatencyHistogram& latencies) {
  {
    base::SpinLockHolder lock(mu_);
    metrics.records_waiting += sealed_records_;
    if (open_ != nullptr) metrics.records_waiting += open_->builder->record_count();
  }
  counters_.AddTo(metrics, latencies);
}

// --- The end ------------------------------------------------------------------------------------

void PartitionSender::Fail(absl::Status status) {
  {
    base::SpinLockHolder lock(mu_);
    if (open_ != nullptr) SealOpen();
  }
  strand_.Run([self = shared_from_this(), status = std::move(status)] {
    self->strand_.AssertInside();
    self->GiveUpAll(status);
    self->Proceed();
  });
}

void PartitionSender::Close(absl::Status status) {
  {
    base::SpinLockHolder lock(mu_);
    closed_ = true;
    if (open_ != nullptr) SealOpen();
  }
  strand_.Run([self = shared_from_this(), status = std::move(status)] {
    self->strand_.AssertInside();
    self->phase_ = Phase::kClosed;
    self->flights_.clear();
    self->CountFlights();
    self->GiveUpAll(status);
    self->CompleteSettled();
  });
}

}  // namespace kafkalite::client
