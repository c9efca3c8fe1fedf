// The leader appends what clients send, and answers when it is as safe as they asked for.

#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/replication/batch_preparation.h"
#include "kafkalite/replication/mutants.h"
#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::ErrorCode;
using model::Offset;

void Partition::Append(format::Batch batch, bool acks_all, base::Duration timeout,
                       AppendCallback callback) {
  strand_.Run([self = shared_from_this(), batch = std::move(batch), acks_all, timeout,
               callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    if (self->incoming_.empty() && !NeedsPreparation(batch.header, self->config_)) [[likely]] {
      return self->DoAppend(batch, acks_all, timeout, callback);
    }
    self->incoming_.push_back(std::make_shared<Incoming>(
        Incoming{std::move(batch), acks_all, timeout, std::move(callback), {}, {}}));
    self->AppendPrepared();
  });
}

void Partition::Prepare(std::shared_ptr<Incoming> incoming) {
  incoming->state = Incoming::State::kInPreparation;
  // Weak: what is queued must not keep the host that owns the queue.
  host_->preparation().Post([weak = weak_from_this(), incoming = std::move(incoming),
                             config = config_] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const int64_t now = self->host_->executor().clock().WallMillis();
    const absl::Status prepared =
        PrepareBatch(incoming->batch, config, now, self->host_->pool(), incoming->refusal.error);
    incoming->refusal.message = std::string(prepared.message());
    self->host_->After({}, [self, incoming] { self->OnPrepared(incoming); });
  });
}

void Partition::OnPrepared(const std::shared_ptr<Incoming>& incoming) {
  strand_.Run([self = shared_from_this(), incoming] {
    self->strand_.AssertInside();
    incoming->state = Incoming::State::kPrepared;
    self->AppendPrepared();
  });
}

void Partition::AppendPrepared() {
  while (!incoming_.empty()) {
    const std::shared_ptr<Incoming> next = incoming_.front();
    if (next->state == Incoming::State::kInPreparation) return;
    const bool arrived = next->state == Incoming::State::kArrived;
    if (arrived && NeedsPreparation(next->batch.header, config_)) {
      next->refusal = CheckBatch(next->batch, next->acks_all);  // before any work is done for it
      if (next->refusal.error == ErrorCode::kNone) return Prepare(next);
    }
    incoming_.pop_front();
    if (next->refusal.error != ErrorCode::kNone) {
      next->callback(std::move(next->refusal));
    } else {
      DoAppend(next->batch, next->acks_all, next->timeout, next->callback);
    }
  }
}

void Partition::DoAppend(format::Batch& batch, bool acks_all, base::Duration timeout,
                         AppendCallback& callback) {
  Offset end;
  AppendResult result = TryAppend(batch, acks_all, end);
  if (result.error != ErrorCode::kNone) {
    callback(std::move(result));
    return;
  }
  const bool waits = acks_all && !kMutantAcknowledgeAtLeaderAppend;
  const Offset safe = SafeEnd();
  if (!waits && end <= safe) {
    callback(std::move(result));
  } else {
    (waits ? waiting_for_isr_ : waiting_for_leader_)
        .Add({end, base::SaturatingAdd(Now(), timeout), std::move(result), std::move(callback)});
  }
  Effects effects;
  core_.Appended(log_->end_offset(), effects);
  core_.Secured(safe, effects);
  effects.high_watermark_advanced |= waits && end <= core_.high_watermark();
  CarryOut(effects);
  AnswerFollowers();
  Retain(/*by_time=*/false);
}

AppendResult Partition::CheckBatch(const format::Batch& batch, bool acks_all) const {
  if (log_ == nullptr) return {.error = ErrorCode::kNotLeaderOrFollower};
  if (rebuilding_) return {.error = ErrorCode::kLeaderNotAvailable};
  const ErrorCode error = core_.CheckAppend(acks_all);
  if (error != ErrorCode::kNone) return {.error = error};
  if (batch.size_bytes() > static_cast<size_t>(config_.max_message_bytes)) {
    return {.error = ErrorCode::kMessageTooLarge,
            .message = base::Cat("a batch of ", batch.size_bytes(),
                                 " bytes is larger than the topic's max.message.bytes, ",
                                 config_.max_message_bytes)};
  }
  if ((batch.header.attributes & format::kLogAppendTimeBit) != 0) {
    return {.error = ErrorCode::kInvalidTimestamp,
            .message = "a producer should not set the timestamp type to LogAppendTime"};
  }
  return {};
}

AppendResult Partition::TryAppend(format::Batch& batch, bool acks_all, Offset& end) {
  AppendResult refusal = CheckBatch(batch, acks_all);
  if (refusal.error != ErrorCode::kNone) return refusal;
  const ProducerState::Verdict verdict = producers_.Check(batch.header);
  if (verdict.error != ErrorCode::kNone) return {.error = verdict.error};
  if (verdict.duplicate) {
    end = verdict.duplicate->last_offset + 1;
    return {.base_offset = verdict.duplicate->base_offset,
            .log_start_offset = log_->start_offset(),
            .append_time = verdict.duplicate->append_time};
  }
  if (config_.message_timestamp_type == model::TimestampType::kLogAppendTime) {
    format::StampAppendTime(batch, host_->executor().clock().WallMillis());
  }
  batch.header.base_offset = log_->end_offset();
  batch.header.leader_epoch = core_.leader_epoch();
  const absl::Status appended = log_->Append({&batch, 1});
  if (!appended.ok()) {
    return {.error = ErrorCode::kStorageError, .message = std::string(appended.message())};
  }
  producers_.Appended(batch.header, Now());
  CountForSnapshot(batch.size_bytes());
  end = batch.header.next_offset();
  return {.base_offset = batch.header.base_offset,
          .log_start_offset = log_->start_offset(),
          .append_time = batch.header.append_time()};
}

void Partition::CompleteAppends() {
  while (auto append = waiting_for_isr_.TakeUpTo(core_.high_watermark())) {
    const ErrorCode error = core_.CheckCompletion();
    if (error != ErrorCode::kNone) append->result = {.error = error};
    append->callback(std::move(append->result));
  }
}

}  // namespace kafkalite::replication
