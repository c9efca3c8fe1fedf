// The part of PartitionSender that is needed when something fails, or takes too long.

#include <algorithm>
#include <memory>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/client/partition_sender.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/model/error_code.h"

namespace kafkalite::client {

// --- Time ---------------------------------------------------------------------------------------

bool PartitionSender::Tick(base::Time now, uint64_t tick) {
  bool under_way;
  {
    base::SpinLockHolder lock(mu_);
    under_way = this->under_way();
  }
  if (under_way) {
    strand_.Run([self = shared_from_this(), now, tick] {
      self->strand_.AssertInside();
      self->ExpireFlights(tick);
      self->ExpireBatches(now);
      self->Proceed();
    });
  }
  return under_way;
}

void PartitionSender::ExpireFlights(uint64_t tick) {
  for (auto it = flights_.begin(); it != flights_.end();) {
    if (tick - it->tick <= context_->request_timeout_ticks()) {
      ++it;
      continue;
    }
    SendBatch* const batch = it->batch;
    it = flights_.erase(it);
    CountFlights();
    if (batch == nullptr) continue;
    batch->last_error = last_error_ = absl::DeadlineExceededError(
        base::Cat("broker ", leader_.value(), " did not answer within ",
                  context_->options().request_timeout.count(), " ms (request_timeout)"));
    batch->maybe_appended = true;
    SendAgain(*batch);
  }
}

void PartitionSender::ExpireBatches(base::Time now) {
  const base::Duration timeout = ToDuration(settings_.delivery_timeout);
  for (const std::unique_ptr<SendBatch>& batch : queue_) {
    if (now - batch->opened_at < timeout) break;  // the others are younger
    if (batch->state == SendBatch::State::kSettled) continue;
    const absl::Status& why = batch->last_error.ok() ? last_error_ : batch->last_error;
    const std::string message = base::Cat(
        base::ToStd(why.message()), why.ok() ? "" : "; ", "partition ", model::ToString(tp_),
        ": not acknowledged within ", settings_.delivery_timeout.count(), " ms (delivery_timeout)");
    GiveUp(*batch, absl::IsUnavailable(why) ? absl::UnavailableError(message)
                                            : absl::DeadlineExceededError(message));
  }
}

// --- After a failure ----------------------------------------------------------------------------

void PartitionSender::Interrupt() {
  if (phase_ == Phase::kReady) phase_ = Phase::kSettling;
  if (settings_.idempotent) window_ = 1;
}

void PartitionSender::Proceed() {
  CompleteSettled();
  if (phase_ == Phase::kSettling && flights_.empty()) {
    if (queue_.empty()) {
      phase_ = Phase::kReady;  // what is needed is got when there is something to send
    } else if (needs_identity_) {
      RenewIdentity();
    } else if (needs_leader_) {
      FindLeader();
    } else {
      phase_ = Phase::kReady;
    }
  }
  Pump();
}

void PartitionSender::RenewIdentity() {
  phase_ = Phase::kWaiting;
  context_->ids().Renew(identity_,
                        [self = shared_from_this()](absl::StatusOr<ProducerIdentity> identity) {
                          self->strand_.Run([self, identity = std::move(identity)] {
                            self->strand_.AssertInside();
                            self->OnIdentity(identity);
                          });
                        });
}

void PartitionSender::OnIdentity(absl::StatusOr<ProducerIdentity> identity) {
  if (phase_ != Phase::kWaiting) return;
  phase_ = Phase::kSettling;
  if (!identity.ok()) {
    GiveUpAll(identity.status());
    Proceed();
    return;
  }
  needs_identity_ = false;
  identity_ = *identity;
  next_sequence_ = 0;
  for (const std::unique_ptr<SendBatch>& batch : queue_) {
    if (batch->state == SendBatch::State::kSettled) continue;
    if (batch->maybe_appended) {
      Settle(*batch,
             absl::AbortedError("an earlier record of this partition was given up; this one may "
                                "be in the log, and could be there twice if it were sent again"),
             -1);
    } else {
      batch->stamped = false;
    }
  }
  Proceed();
}

void PartitionSender::FindLeader() {
  phase_ = Phase::kWaiting;
  const base::Duration pause = RetryPause(attempts_++);
  if (pause == base::Duration::zero()) {
    AskForLeader();
    return;
  }
  context_->cluster().After(pause, TimerOnce([self = shared_from_this()](bool in_time) {
                              self->strand_.Run([self, in_time] {
                                self->strand_.AssertInside();
                                if (self->phase_ != Phase::kWaiting) return;
                                if (in_time) {
                                  self->AskForLeader();
                                } else {
                                  self->OnMetadata(ShutDownError());
                                }
                              });
                            }));
}

void PartitionSender::AskForLeader() {
  auto on_metadata = ReplyOnce([self = shared_from_this()](absl::StatusOr<Metadata> metadata) {
    self->strand_.Run([self, metadata = std::move(metadata)] {
      self->strand_.AssertInside();
      self->OnMetadata(metadata);
    });
  });
  context_->cluster().Refresh(tp_.topic, ToDuration(context_->options().request_timeout),
                              std::move(on_metadata));
}

void PartitionSender::OnMetadata(const absl::StatusOr<Metadata>& metadata) {
  if (phase_ != Phase::kWaiting) return;
  phase_ = Phase::kSettling;
  const auto number = static_cast<size_t>(partition());
  absl::Status gone = metadata.status();
  if (metadata.ok() && number >= (*metadata)->partitions.size()) {
    gone = absl::NotFoundError(base::Cat("topic '", tp_.topic, "' has no partition ", number,
                                         " any more: it has ", (*metadata)->partitions.size()));
  }
  const bool no_answer = absl::IsUnavailable(gone) || absl::IsDeadlineExceeded(gone);
  if (no_answer && !context_->shut_down()) {
    last_error_ = gone;  // and try again
  } else if (!gone.ok()) {
    needs_leader_ = false;
    attempts_ = 0;
    channel_ = nullptr;
    leader_ = model::kNoBroker;
    GiveUpAll(context_->shut_down() ? ShutDownError() : gone);
  } else {
    context_->MetadataChanged();
    const model::BrokerId leader = (*metadata)->partitions[number].leader;
    if (leader == model::kNoBroker) {
      last_error_ =
          model::ToStatus(model::ErrorCode::kLeaderNotAvailable,
                          base::Cat("partition ", model::ToString(tp_),
                                    " has no leader; where all in-sync replicas are lost, "
                                    "Topic::ElectLeader(partition, kUnclean) takes "
                                    "another one"));
    } else {
      needs_leader_ = false;
      if (leader != leader_ || channel_ == nullptr) {
        leader_ = leader;
        channel_ = context_->cluster().Channel(leader);
      }
    }
  }
  Proceed();
}

}  // namespace kafkalite::client
