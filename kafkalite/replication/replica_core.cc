#include "kafkalite/replication/replica_core.h"

#include <algorithm>
#include <cassert>

#include "kafkalite/replication/mutants.h"

namespace kafkalite::replication {

using model::BrokerId;
using model::ErrorCode;
using model::LeaderEpoch;
using model::Offset;

ReplicaCore::ReplicaCore(const Config& config, model::LogId log_id, LogEnds log, EpochCache epochs,
                         model::Offset high_watermark)
    : config_(config),
      log_id_(log_id),
      log_(log),
      epochs_(std::move(epochs)),
      secured_(log.end),
      high_watermark_(std::clamp(high_watermark, log.start, log.end)) {}

ReplicaCore::Transition ReplicaCore::Apply(const transport::PartitionUpdate& update, base::Time now,
                                           Effects& effects) {
  if (update.leader_epoch < leader_epoch_) return Transition::kStale;
  const bool same_epoch = update.leader_epoch == leader_epoch_ && role_ != Role::kOffline;
  if (same_epoch && update.state_version < state_version_) return Transition::kStale;

  replicas_ = update.replicas;
  min_insync_replicas_ = update.config.min_insync_replicas;
  if (same_epoch && update.state_version == state_version_) return Transition::kUnchanged;

  isr_.members.clear();
  for (const BrokerId member : update.isr) {
    const auto found = update.log_ids.find(member);
    isr_.members[member] = found == update.log_ids.end() ? model::LogId() : found->second;
  }
  state_version_ = update.state_version;
  if (same_epoch) {
    // The leader's own ISR write, come back by way of the controller.
    proposed_.reset();
    if (role_ == Role::kLeader) AdvanceHighWatermark(effects);
    return Transition::kUnchanged;
  }

  leader_epoch_ = update.leader_epoch;
  leader_ = update.leader;
  proposed_.reset();
  followers_.clear();
  const auto own = isr_.members.find(config_.self);
  if (leader_ == config_.self && own != isr_.members.end() && own->second == log_id_) {
    BecomeLeader(now, effects);
    return Transition::kBecameLeader;
  }
  if (leader_ == config_.self || leader_ == model::kNoBroker) {
    role_ = Role::kOffline;
    return Transition::kBecameOffline;
  }
  role_ = Role::kFollower;
  return Transition::kBecameFollower;
}

void ReplicaCore::BecomeLeader(base::Time now, Effects& effects) {
  role_ = Role::kLeader;
  epoch_start_ = log_.end;
  epochs_.Assign(leader_epoch_, log_.end);
  for (const BrokerId replica : replicas_) {
    if (replica == config_.self) continue;
    Progress& progress = followers_[replica];
    progress.last_fetch = progress.last_caught_up = now;
  }
  AdvanceHighWatermark(effects);
}

// --- Leader -------------------------------------------------------------------------------------

ErrorCode ReplicaCore::CheckAppend(bool acks_all) const {
  if (role_ != Role::kLeader) return ErrorCode::kNotLeaderOrFollower;
  if (acks_all && isr_.members.size() < static_cast<size_t>(min_insync_replicas_)) {
    return ErrorCode::kNotEnoughReplicas;
  }
  return ErrorCode::kNone;
}

ErrorCode ReplicaCore::CheckCompletion() const {
  // All of the maximal ISR has the batch by then.
  size_t replicas = isr_.members.size();
  if (proposed_) {
    for (const auto& [broker, log_id] : proposed_->isr.members) {
      if (!isr_.members.contains(broker)) ++replicas;
    }
  }
  return replicas < static_cast<size_t>(min_insync_replicas_)
             ? ErrorCode::kNotEnoughReplicasAfterAppend
             : ErrorCode::kNone;
}

void ReplicaCore::Appended(Offset end, Effects& effects) {
  log_.end = end;
  AdvanceHighWatermark(effects);
}

void ReplicaCore::Secured(Offset end, Effects& effects) {
  secured_ = std::max(secured_, std::min(end, log_.end));
  if (role_ == Role::kLeader) AdvanceHighWatermark(effects);
}

bool ReplicaCore::InMaximalIsr(BrokerId broker) const {
  if (proposed_ && kMutantHighWatermarkOverProposedIsr) {
    return proposed_->isr.members.contains(broker);
  }
  return isr_.members.contains(broker) || (proposed_ && proposed_->isr.members.contains(broker));
}

void ReplicaCore::AdvanceHighWatermark(Effects& effects) {
  Offset lowest = secured_;
  for (const auto& [broker, progress] : followers_) {
    if (InMaximalIsr(broker)) lowest = std::min(lowest, progress.end);
  }
  if (lowest <= high_watermark_) return;
  high_watermark_ = lowest;
  effects.high_watermark_advanced = true;
}

Offset ReplicaCore::low_watermark() const {
  Offset lowest = log_.start;
  for (const auto& [broker, progress] : followers_) {
    if (InMaximalIsr(broker)) lowest = std::min(lowest, progress.start);
  }
  return lowest;
}

std::vector<BrokerId> ReplicaCore::StartingBefore(Offset offset) const {
  std::vector<BrokerId> replicas;
  for (const auto& [broker, progress] : followers_) {
    if (InMaximalIsr(broker) && progress.start < offset) replicas.push_back(broker);
  }
  return replicas;
}

ReplicaCore::FetchVerdict ReplicaCore::OnFollowerFetch(const transport::ReplicaFetchRequest& fetch,
                                                       base::Time now, Effects& effects) {
  if (role_ != Role::kLeader) return {.error = ErrorCode::kNotLeaderOrFollower};
  if (!kMutantSkipFetchEpochCheck) {
    if (fetch.current_leader_epoch < leader_epoch_) return {.error = ErrorCode::kFencedLeaderEpoch};
    if (fetch.current_leader_epoch > leader_epoch_) {
      return {.error = ErrorCode::kUnknownLeaderEpoch};
    }
  }
  const auto found = followers_.find(fetch.replica);
  if (found == followers_.end()) return {.error = ErrorCode::kUnknownTopicOrPartition};
  Progress& progress = found->second;
  if (fetch.incarnation < progress.incarnation) return {.error = ErrorCode::kStaleBrokerEpoch};

  if (fetch.last_fetched_epoch != model::kNoEpoch && !kMutantTruncateToHighWatermark) {
    const EpochEnd end = epochs_.EndOf(fetch.last_fetched_epoch, log_.end);
    if (end.epoch < fetch.last_fetched_epoch || end.end_offset < fetch.fetch_offset) {
      return {.diverging = end};  // not progress (rule 6)
    }
  }
  if (fetch.fetch_offset < log_.start || fetch.fetch_offset > log_.end) {
    return {.error = ErrorCode::kOffsetOutOfRange};
  }

  progress.end = fetch.fetch_offset;
  progress.start = fetch.log_start_offset;
  progress.log_id = fetch.log_id;
  progress.incarnation = fetch.incarnation;
  if (fetch.fetch_offset >= log_.end) {
    progress.last_caught_up = now;
  } else if (fetch.fetch_offset >= progress.leader_end_at_last_fetch) {
    progress.last_caught_up = progress.last_fetch;
  }
  progress.last_fetch = now;
  progress.leader_end_at_last_fetch = log_.end;
  MaybeExpandIsr(fetch.replica, progress, effects);
  AdvanceHighWatermark(effects);
  return {};
}

void ReplicaCore::MaybeExpandIsr(BrokerId broker, const Progress& progress, Effects& effects) {
  if (proposed_) return;
  const auto member = isr_.members.find(broker);
  if (member != isr_.members.end() && member->second == progress.log_id) return;
  // Rule 9; that it fetched in this epoch is what progress.end says.
  if (progress.end < high_watermark_ || progress.end < epoch_start_) return;
  IsrProposal proposal{isr_, state_version_, {{broker, progress.incarnation}}};
  proposal.isr.members[broker] = progress.log_id;
  Propose(std::move(proposal), effects);
}

void ReplicaCore::ExpandIsr(Effects& effects) {
  for (const auto& [broker, progress] : followers_) {
    if (progress.end >= Offset(0)) MaybeExpandIsr(broker, progress, effects);
  }
}

void ReplicaCore::Propose(IsrProposal proposal, Effects& effects) {
  proposed_ = proposal;
  effects.propose_isr = std::move(proposal);
}

void ReplicaCore::IsrConfirmed(int32_t expected_version, int32_t version, Effects& effects) {
  if (!IsPending(expected_version)) return;
  isr_ = std::move(proposed_->isr);
  proposed_.reset();
  state_version_ = version;
  AdvanceHighWatermark(effects);
  ExpandIsr(effects);
}

void ReplicaCore::IsrRefused(int32_t expected_version, Effects& effects) {
  if (!IsPending(expected_version)) return;
  for (const auto& [broker, incarnation] : proposed_->registrations) {
    const auto found = followers_.find(broker);
    if (found == followers_.end()) continue;
    // Whatever fetched under this number is dead: only a later one counts.
    Progress& progress = found->second;
    progress.end = Offset(-1);
    progress.incarnation =
        std::max(progress.incarnation, model::Incarnation(incarnation.value() + 1));
  }
  proposed_.reset();
  AdvanceHighWatermark(effects);
  ExpandIsr(effects);
}

void ReplicaCore::IsrReread(int32_t expected_version, const StoredState& stored, Effects& effects) {
  if (!IsPending(expected_version) || stored.leader_epoch != leader_epoch_) return;
  proposed_.reset();
  isr_ = stored.isr;
  state_version_ = stored.version;
  AdvanceHighWatermark(effects);
  ExpandIsr(effects);
}

void ReplicaCore::Tick(base::Time now, Effects& effects) {
  if (role_ != Role::kLeader || proposed_) return;
  IsrProposal proposal{isr_, state_version_, {}};
  for (const auto& [broker, progress] : followers_) {
    const bool caught_up = progress.end == log_.end;
    if (!caught_up && now - progress.last_caught_up > config_.lag_time_max) {
      proposal.isr.members.erase(broker);
    }
  }
  if (proposal.isr == isr_) return;
  Propose(std::move(proposal), effects);
}

ErrorCode ReplicaCore::CheckReader(LeaderEpoch epoch) const {
  if (role_ != Role::kLeader) return ErrorCode::kNotLeaderOrFollower;
  if (epoch == model::kNoEpoch || epoch == leader_epoch_) return ErrorCode::kNone;
  return epoch < leader_epoch_ ? ErrorCode::kFencedLeaderEpoch : ErrorCode::kUnknownLeaderEpoch;
}

ErrorCode ReplicaCore::CheckLatestOffset() const {
  if (role_ != Role::kLeader) return ErrorCode::kNotLeaderOrFollower;
  return high_watermark_ < epoch_start_ ? ErrorCode::kOffsetNotAvailable : ErrorCode::kNone;
}

// --- Follower -----------------------------------------------------------------------------------

transport::ReplicaFetchRequest ReplicaCore::NextFetch(const model::TopicPartition& tp,
                                                      model::Incarnation incarnation) const {
  assert(role_ == Role::kFollower);
  return {.tp = tp,
          .replica = config_.self,
          .incarnation = incarnation,
          .log_id = log_id_,
          .current_leader_epoch = leader_epoch_,
          .log_start_offset = log_.start,
          .fetch_offset = log_.end,
          .last_fetched_epoch = epochs_.latest()};
}

ReplicaCore::FetchAction ReplicaCore::OnFetchResponse(
    const transport::ReplicaFetchResponse& response, LeaderEpoch fetch_epoch) {
  if (role_ != Role::kFollower || fetch_epoch != leader_epoch_) return {};
  if (response.error == ErrorCode::kOffsetOutOfRange) {
    return {FetchAction::Kind::kRestartAt, response.log_start_offset};
  }
  if (response.error != ErrorCode::kNone) return {};
  if (!response.diverging) return {FetchAction::Kind::kAppend, {}};

  const transport::ReplicaFetchResponse::EpochEnd& leaders = *response.diverging;
  if (leaders.epoch == model::kNoEpoch) {
    return {FetchAction::Kind::kRestartAt, response.log_start_offset};
  }
  const EpochEnd own = epochs_.EndOf(leaders.epoch, log_.end);
  // Where the epoch is known to both, at the lower of its two ends; where only the leader knows it,
  // at the end of our next lower one, and the next fetch looks further down (rule 2).
  Offset to =
      own.epoch == leaders.epoch ? std::min(own.end_offset, leaders.end_offset) : own.end_offset;
  if (own.epoch == model::kNoEpoch) to = log_.start;
  return {FetchAction::Kind::kTruncateSuffix, std::min(to, log_.end)};
}

void ReplicaCore::Fetched(Offset end, Offset leader_high_watermark, Effects& effects) {
  log_.end = end;
  const Offset high_watermark = std::min(leader_high_watermark, end);
  if (high_watermark <= high_watermark_) return;
  high_watermark_ = high_watermark;
  effects.high_watermark_advanced = true;
}

void ReplicaCore::Truncated(LogEnds log) {
  log_ = log;
  if (log.start == log.end) {
    epochs_ = EpochCache();  // no record is left whose epoch could be told
  } else {
    epochs_.TruncateSuffix(log.end);
    epochs_.TruncatePrefix(log.start);
  }
  secured_ = std::clamp(secured_, log.start, log.end);
  high_watermark_ = std::clamp(high_watermark_, log.start, log.end);
}

void ReplicaCore::StartMoved(Offset start) {
  log_.start = std::max(log_.start, start);
  epochs_.TruncatePrefix(log_.start);
  high_watermark_ = std::max(high_watermark_, log_.start);
}

}  // namespace kafkalite::replication
