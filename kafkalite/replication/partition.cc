// What both roles share: what the controller says, time. The rest is beside it: partition_open.cc,
// partition_append.cc, _followers.cc, _isr.cc and _delete.cc (leader), _read.cc (clients),
// _fetch.cc (follower).

#include "kafkalite/replication/partition.h"

#include <algorithm>
#include <utility>

#include "kafkalite/replication/mutants.h"

namespace kafkalite::replication {

using model::ErrorCode;

namespace {

// A producer that has not appended for this long is forgotten (Kafka's producer.id.expiration.ms).
constexpr base::Duration kProducerExpiration = std::chrono::hours(24);
constexpr base::Duration kExpiryInterval = std::chrono::minutes(1);

}  // namespace

void Partition::CarryOut(Effects& effects) {
  if (effects.propose_isr) WriteIsr(*effects.propose_isr);
  if (effects.high_watermark_advanced) {
    CompleteAppends();
    WakeReaders(/*all=*/false);
  }
  if (!waiting_deletions_.empty()) CompleteDeletions();
}

void Partition::OnProgress() {
  if (log_->progress().failed) log_failed_.store(true, std::memory_order_relaxed);
  Effects effects;
  core_.Secured(SafeEnd(), effects);
  CarryOut(effects);
  while (auto append = waiting_for_leader_.TakeUpTo(core_.secured())) {
    append->callback(std::move(append->result));
  }
  if (!busy()) Fetch();
}

// --- Controller ---------------------------------------------------------------------------------

void Partition::Apply(transport::PartitionUpdate update, std::shared_ptr<void> until_applied) {
  strand_.Run([self = shared_from_this(), update = std::move(update),
               until_applied = std::move(until_applied)]() mutable {
    self->strand_.AssertInside();
    if (self->log_ != nullptr) self->DoApply(std::move(update));
  });
}

void Partition::DoApply(transport::PartitionUpdate update) {
  if (core_.leader_epoch() == model::kNoEpoch) {
    config_ = update.config;
    core_.FoundSecured(SafeEnd());
  }
  Effects effects;
  const auto transition = core_.Apply(update, Now(), effects);
  if (transition == ReplicaCore::Transition::kStale) return;
  DoConfigure(update.config);
  controller_epoch_ = update.controller_epoch;
  SaveEpochs();  // a new leader has begun one
  switch (transition) {
    case ReplicaCore::Transition::kStale:
    case ReplicaCore::Transition::kUnchanged:
      break;
    case ReplicaCore::Transition::kBecameLeader: {
      // Followers that wait here did so in an earlier epoch; they have to come again.
      auto fetches = std::exchange(waiting_fetches_, {});
      for (auto& [replica, fetch] : fetches) {
        fetch.reply(EmptyResponse(ErrorCode::kFencedLeaderEpoch));
      }
      fetching_ = false;
      break;
    }
    case ReplicaCore::Transition::kBecameFollower:
      StopLeading();
      if (kMutantTruncateToHighWatermark) {
        Truncate({ReplicaCore::FetchAction::Kind::kTruncateSuffix, core_.high_watermark()})
            .IgnoreError();
      }
      leader_channel_ = host_->Peer(core_.leader());
      fetch_pause_ = base::Duration::zero();
      fetching_ = false;
      Fetch();
      break;
    case ReplicaCore::Transition::kBecameOffline:
      StopLeading();
      fetching_ = false;
      break;
  }
  CarryOut(effects);
}

void Partition::Configure(model::TopicConfig config, std::shared_ptr<void> until_applied) {
  strand_.Run([self = shared_from_this(), config, until_applied = std::move(until_applied)] {
    self->strand_.AssertInside();
    if (self->log_ != nullptr) self->DoConfigure(config);
  });
}

void Partition::DoConfigure(model::TopicConfig config) {
  config_ = config;
  // As in Kafka: no segment is closed earlier than at once.
  config_.segment_jitter_ms = std::min(config_.segment_jitter_ms, config_.segment_ms);
  core_.SetMinInsyncReplicas(config_.min_insync_replicas);
  log_->Configure(config_);
  // What was written under other settings, or found by a start, is waited for, too.
  if (config_.flush_messages <= 1 && SafeEnd() < log_->end_offset()) log_->Sync();
}

void Partition::StopLeading() {
  for (WaitingAppends* waiting : {&waiting_for_isr_, &waiting_for_leader_}) {
    for (WaitingAppend& append : waiting->TakeAll()) {
      append.callback({.error = ErrorCode::kNotLeaderOrFollower});
    }
  }
  EndDeletions(ErrorCode::kNotLeaderOrFollower, base::Time::max());
  auto fetches = std::exchange(waiting_fetches_, {});
  for (auto& [replica, fetch] : fetches) {
    fetch.reply(EmptyResponse(ErrorCode::kNotLeaderOrFollower));
  }
  WakeReaders(/*all=*/true);
}

// --- Time, inspection, the end
// --------------------------------------------------------------------

void Partition::Retain(bool by_time) {
  storage::Log::Retention retention{.keep_from = core_.high_watermark()};
  if (config_.retention_bytes >= 0 && log_->size_bytes() > config_.retention_bytes) {
    retention.retained_bytes = config_.retention_bytes;
  }
  if (by_time && config_.retention_ms >= 0) {
    retention.oldest_timestamp =
        std::max<int64_t>(0, host_->executor().clock().WallMillis() - config_.retention_ms);
  }
  if (retention.retained_bytes < 0 && retention.oldest_timestamp < 0) return;
  if (!log_->Retain(retention).ok()) return;
  if (log_->start_offset() > core_.log_start()) core_.StartMoved(log_->start_offset());
}

void Partition::Tick() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    if (self->log_ == nullptr) return;
    // The listener hears of it, unless it came of a call.
    if (self->log_->progress().failed) self->log_failed_.store(true, std::memory_order_relaxed);
    const base::Time now = self->Now();
    Effects effects;
    self->core_.Tick(now, effects);
    self->CarryOut(effects);
    self->ExpireWaits(now);
    if (self->fetching_ && now >= self->fetch_deadline_) {
      self->fetching_ = false;  // lost on a link
      self->Fetch();
    }
    self->Retain(/*by_time=*/true);
    self->log_->KeepHighWatermark(self->core_.high_watermark());
    if (now >= self->next_expiry_) {
      self->next_expiry_ = now + kExpiryInterval;
      self->producers_.Expire(now - kProducerExpiration);
    }
  });
}

void Partition::ExpireWaits(base::Time now) {
  for (WaitingAppends* waiting : {&waiting_for_isr_, &waiting_for_leader_}) {
    for (AppendCallback& callback : waiting->TakeExpired(now)) {
      callback({.error = ErrorCode::kRequestTimedOut});
    }
  }
  EndDeletions(ErrorCode::kRequestTimedOut, now);
  for (auto it = waiting_fetches_.begin(); it != waiting_fetches_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    WaitingFetch fetch = std::move(it->second);
    it = waiting_fetches_.erase(it);
    fetch.reply(EmptyResponse(ErrorCode::kNone));
  }
}

void Partition::Inspect(absl::AnyInvocable<void(ReplicaSnapshot)> callback) {
  strand_.Run([self = shared_from_this(), callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    ReplicaSnapshot snapshot = self->TakeSnapshot();
    if (self->log_ == nullptr) return callback(std::move(snapshot));
    auto read = self->log_->Read(snapshot.log_start,
                                 {.max_offset = snapshot.log_end, .max_bytes = SIZE_MAX});
    if (read.ok() && read->cold != nullptr) {
      return read->cold->Load([snapshot = std::move(snapshot), callback = std::move(callback)](
                                  absl::StatusOr<std::vector<format::Batch>> batches) mutable {
        if (batches.ok()) snapshot.batches = *std::move(batches);
        callback(std::move(snapshot));
      });
    }
    if (read.ok()) snapshot.batches = std::move(read->batches);
    callback(std::move(snapshot));
  });
}

ReplicaGlimpse Partition::Glimpse() const {
  if (log_ == nullptr) return {};
  return {.role = core_.role(),
          .leader_epoch = core_.leader_epoch(),
          .log_id = log_id_,
          .log_start = log_->start_offset(),
          .log_end = log_->end_offset(),
          .high_watermark = core_.high_watermark()};
}

ReplicaSnapshot Partition::TakeSnapshot() const {
  ReplicaSnapshot snapshot;
  if (log_ == nullptr) return snapshot;
  snapshot.role = core_.role();
  snapshot.leader = core_.leader();
  snapshot.leader_epoch = core_.leader_epoch();
  snapshot.log_id = core_.log_id();
  snapshot.log_start = log_->start_offset();
  snapshot.log_end = log_->end_offset();
  snapshot.high_watermark = core_.high_watermark();
  for (const auto& [member, log_id] : core_.isr().members) snapshot.isr.push_back(member);
  snapshot.epochs = core_.epochs().entries();
  return snapshot;
}

void Partition::Close(base::Task closed) {
  strand_.Run([self = shared_from_this(), closed = std::move(closed)]() mutable {
    self->strand_.AssertInside();
    // What waits is destroyed unanswered: its callers see a broken connection.
    const auto for_isr = self->waiting_for_isr_.TakeAll();
    const auto for_leader = self->waiting_for_leader_.TakeAll();
    const auto incoming = std::exchange(self->incoming_, {});
    const auto deletions = std::exchange(self->waiting_deletions_, {});
    const auto fetches = std::exchange(self->waiting_fetches_, {});
    if (self->log_ != nullptr) {
      self->WakeReaders(/*all=*/true);
      self->log_->KeepHighWatermark(self->core_.high_watermark());
      if (!self->rebuilding_) self->SaveProducers();
    }
    self->log_.reset();
    self->fetching_ = false;
    self->leader_channel_.reset();
    closed();
  });
}

}  // namespace kafkalite::replication
