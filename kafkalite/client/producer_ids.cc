#include "kafkalite/client/producer_ids.h"

#include <algorithm>
#include <limits>

#include "kafkalite/client/always_called.h"
#include "kafkalite/model/error_code.h"

namespace kafkalite::client {

base::Duration RetryPause(uint64_t attempt) {
  if (attempt == 0) return base::Duration::zero();
  const uint64_t doublings = std::min<uint64_t>(attempt - 1, 7);
  return std::chrono::milliseconds(std::min(1 << doublings, 100));
}

ProducerIdentity ProducerIds::current() const {
  base::MutexLock lock(mu_);
  return identity_;
}

absl::Status ProducerIds::last_error() const {
  base::MutexLock lock(mu_);
  return last_error_;
}

void ProducerIds::Acquire(Callback callback) {
  absl::Status stopped;
  {
    base::MutexLock lock(mu_);
    stopped = stopped_;
    if (stopped.ok()) {
      waiting_.push_back(std::move(callback));
      if (waiting_.size() > 1) return;  // one is asking already
      attempts_ = 0;
    }
  }
  if (stopped.ok()) {
    Ask();
  } else {
    callback(stopped);
  }
}

void ProducerIds::Renew(const ProducerIdentity& broken, Callback callback) {
  ProducerIdentity newer;
  bool exhausted = false;
  {
    base::MutexLock lock(mu_);
    if (identity_ == broken) {
      exhausted = identity_.epoch == std::numeric_limits<int16_t>::max();
      if (!exhausted) ++identity_.epoch;
    }
    newer = identity_;
  }
  if (exhausted) {
    Acquire(std::move(callback));
  } else {
    callback(newer);
  }
}

void ProducerIds::Stop(absl::Status status) {
  {
    base::MutexLock lock(mu_);
    stopped_ = status;
  }
  Finish(std::move(status));
}

void ProducerIds::Ask() {
  if (const absl::Status open = cluster_->CheckOpen(); !open.ok()) {
    Finish(open);
    return;
  }
  const std::vector<model::BrokerId>& brokers = cluster_->runtime().bootstrap;
  if (brokers.empty()) {
    Finish(absl::UnavailableError("the cluster has no brokers"));
    return;
  }
  uint64_t attempt;
  {
    base::MutexLock lock(mu_);
    if (waiting_.empty()) return;
    attempt = asking_ = ++attempts_;
  }
  const model::BrokerId broker = brokers[(attempt - 1) % brokers.size()];
  cluster_->Channel(broker)->InitProducerId(
      {}, ReplyOnce([self = shared_from_this(),
                     attempt](absl::StatusOr<protocol::InitProducerIdResponse> answer) {
        self->OnAnswer(attempt, std::move(answer));
      }));
  {
    base::MutexLock lock(mu_);
    if (asking_ != attempt) return;  // answered at once: no timer is needed
  }
  cluster_->After(request_timeout_, TimerOnce([self = shared_from_this(), attempt](bool in_time) {
                    self->OnAnswer(attempt,
                                   in_time
                                       ? absl::UnavailableError("a broker does not answer")
                                       : absl::FailedPreconditionError("the cluster is shut down"));
                  }));
}

void ProducerIds::OnAnswer(uint64_t attempt,
                           absl::StatusOr<protocol::InitProducerIdResponse> answer) {
  absl::Status error = answer.status();
  if (answer.ok()) error = model::ToStatus(answer->error, "no producer id");
  const bool retry = answer.ok() ? model::IsRetriable(answer->error)
                                 : !absl::IsFailedPrecondition(answer.status());
  {
    base::MutexLock lock(mu_);
    if (asking_ != attempt) return;  // answered already, or given up
    asking_ = 0;
    last_error_ = error;
  }
  if (error.ok()) {
    Finish(ProducerIdentity{answer->producer_id, answer->producer_epoch});
  } else if (retry) {
    Retry(attempt);
  } else {
    Finish(error);
  }
}

void ProducerIds::Retry(uint64_t attempt) {
  const uint64_t brokers = cluster_->runtime().bootstrap.size();
  if (attempt % brokers != 0) {
    Ask();
    return;
  }
  // All were asked: let some time pass before the next round.
  cluster_->After(RetryPause(attempt / brokers),
                  TimerOnce([self = shared_from_this()](bool in_time) {
                    if (in_time) {
                      self->Ask();
                    } else {
                      self->Finish(absl::FailedPreconditionError("the cluster is shut down"));
                    }
                  }));
}

void ProducerIds::Finish(absl::StatusOr<ProducerIdentity> result) {
  std::vector<Callback> waiting;
  {
    base::MutexLock lock(mu_);
    if (result.ok()) identity_ = *result;
    asking_ = 0;
    waiting.swap(waiting_);
  }
  for (Callback& callback : waiting) callback(result);
}

}  // namespace kafkalite::client
