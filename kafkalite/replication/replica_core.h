// File: replica_core.h
//
// One replica's part in Kafka's replication, as a pure state machine: no IO, no clock, no thread.
// Inputs come as calls; what has to be done comes back as return values and as Effects. Time is a
// parameter. The rules that it keeps are listed, by number, in docs/internals/replication.md.
//
// LEO: log end offset. HW: high watermark. ISR: the in-sync replicas as coordination holds them.
// Maximal ISR: the ISR and every replica of a proposal that is not confirmed yet (rule 8).
//
// Thread safety: none; the partition's strand owns it.

#ifndef KAFKALITE_REPLICATION_REPLICA_CORE_H_
#define KAFKALITE_REPLICATION_REPLICA_CORE_H_

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "kafkalite/base/clock.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/replication/epoch_cache.h"
#include "kafkalite/transport/peer_service.h"

namespace kafkalite::replication {

enum class Role { kOffline, kFollower, kLeader };

// An ISR that a leader wants, or that coordination holds.
struct Isr {
  // The members and the logs with which they joined (rule 24).
  std::map<model::BrokerId, model::LogId> members;
  bool operator==(const Isr&) const = default;
};

// A write that the leader asks for: the new ISR over the state's `expected_version`, valid only
// while each of `registrations` is still a broker's present one (rule 15).
struct IsrProposal {
  Isr isr;
  int32_t expected_version = -1;
  std::vector<std::pair<model::BrokerId, model::Incarnation>> registrations;
};

// What the owner of a core has to do after a call.
struct Effects {
  bool high_watermark_advanced = false;
  std::optional<IsrProposal> propose_isr;
};

class ReplicaCore {
 public:
  struct Config {
    model::BrokerId self;
    base::Duration lag_time_max{};  // Kafka's replica.lag.time.max.ms
  };
  struct LogEnds {
    model::Offset start;
    model::Offset end;
  };

  // `epochs` as rebuilt from the log, which is secured, but see FoundSecured. The HW starts where
  // it was last known to be, within the log: it is a hint (rule 19).
  ReplicaCore(const Config& config, model::LogId log_id, LogEnds log, EpochCache epochs,
              model::Offset high_watermark = model::Offset());

  // --- Controller -------------------------------------------------------------------------------

  enum class Transition { kStale, kUnchanged, kBecameLeader, kBecameFollower, kBecameOffline };
  // A state older than what is known changes nothing (rule 13). A leader whose log is not the one
  // with which it joined the ISR refuses to lead (rule 24). A new leader records its epoch at once,
  // even without a write (rule 3).
  Transition Apply(const transport::PartitionUpdate& update, base::Time now, Effects& effects);

  // --- Leader -----------------------------------------------------------------------------------

  // Whether a client's batch may be appended now: leadership, and for acks=all enough in-sync
  // replicas (rule 11; the leader counts).
  model::ErrorCode CheckAppend(bool acks_all) const;
  // The same once the batch is replicated.
  model::ErrorCode CheckCompletion() const;

  // The leader's log has grown to `end`.
  void Appended(model::Offset end, Effects& effects);
  // What comes before `end` in this replica's log is as safe as the topic demands: only that counts
  // towards the HW, and only that may be acknowledged. Moves up only; a truncation lowers it.
  void Secured(model::Offset end, Effects& effects);
  // Of what the log was found with, only what comes before `end` is. REQUIRES: before the first
  // Apply.
  void FoundSecured(model::Offset end) { secured_ = std::clamp(end, log_.start, log_.end); }

  // Up to where every replica of the maximal ISR has dropped its records (KIP-107); -1 while one of
  // them has not said.
  model::Offset low_watermark() const;
  // Which followers hold it down.
  std::vector<model::BrokerId> StartingBefore(model::Offset offset) const;

  struct FetchVerdict {
    model::ErrorCode error = model::ErrorCode::kNone;
    std::optional<EpochEnd> diverging;
  };
  // Judges a follower's fetch and counts it as progress if it is sound (rules 5, 6, 9, 15).
  FetchVerdict OnFollowerFetch(const transport::ReplicaFetchRequest& fetch, base::Time now,
                               Effects& effects);

  // What became of the proposal over `expected_version`; ignored if that is no longer pending.
  // Confirmed: it stands, as `version` of the state.
  void IsrConfirmed(int32_t expected_version, int32_t version, Effects& effects);
  // Not written: a registration in it is stale. Those followers have to fetch anew.
  void IsrRefused(int32_t expected_version, Effects& effects);
  // Unknown, or the state had changed: this is what it holds now (rule 16). A state of a larger
  // epoch changes nothing: the controller will say more.
  struct StoredState {
    Isr isr;
    model::LeaderEpoch leader_epoch;
    int32_t version = -1;
  };
  void IsrReread(int32_t expected_version, const StoredState& stored, Effects& effects);

  // Drops followers that were not caught up for lag_time_max.
  void Tick(base::Time now, Effects& effects);

  // Whether a client that takes `epoch` for the present one may read here (rule 5); kNoEpoch: it
  // does not say.
  model::ErrorCode CheckReader(model::LeaderEpoch epoch) const;
  // ListOffsets(latest): kOffsetNotAvailable until the HW reached the epoch's start (rule 10).
  model::ErrorCode CheckLatestOffset() const;

  // --- Follower ---------------------------------------------------------------------------------

  // REQUIRES: role() == kFollower and leader() is a broker.
  transport::ReplicaFetchRequest NextFetch(const model::TopicPartition& tp,
                                           model::Incarnation incarnation) const;

  struct FetchAction {
    enum class Kind {
      kAppend,          // the batches, then Fetched()
      kTruncateSuffix,  // to `offset`, then Truncated()
      kRestartAt,       // drop everything and begin at `offset`, then Truncated() (rule 7)
      kRetry,           // nothing: fetch again, after a pause
    };
    Kind kind = Kind::kRetry;
    model::Offset offset;
  };
  // What to do with the answer to a fetch made in `fetch_epoch`; kRetry if the epoch has changed
  // since (KAFKA-7786).
  FetchAction OnFetchResponse(const transport::ReplicaFetchResponse& response,
                              model::LeaderEpoch fetch_epoch);
  // The log now ends at `end`; `leader_high_watermark` as the response said.
  void Fetched(model::Offset end, model::Offset leader_high_watermark, Effects& effects);
  // A batch of `epoch` was appended at `offset`.
  void ObserveEpoch(model::LeaderEpoch epoch, model::Offset offset) {
    epochs_.Assign(epoch, offset);
  }
  void Truncated(LogEnds log);

  // --- Both -------------------------------------------------------------------------------------

  // The log's start moved up (retention, deletion).
  void StartMoved(model::Offset start);

  // The setting, without a change of state.
  void SetMinInsyncReplicas(int32_t count) { min_insync_replicas_ = count; }

  Role role() const { return role_; }
  model::BrokerId leader() const { return leader_; }
  model::LeaderEpoch leader_epoch() const { return leader_epoch_; }
  model::LogId log_id() const { return log_id_; }
  model::Offset high_watermark() const { return high_watermark_; }
  model::Offset log_start() const { return log_.start; }
  model::Offset log_end() const { return log_.end; }
  model::Offset secured() const { return secured_; }
  const EpochCache& epochs() const { return epochs_; }
  const Isr& isr() const { return isr_; }
  bool isr_write_pending() const { return proposed_.has_value(); }
  int32_t state_version() const { return state_version_; }

 private:
  // What a leader knows of a follower.
  struct Progress {
    model::Offset end{-1};  // -1: has not fetched in this epoch
    model::Offset start{-1};
    model::LogId log_id;
    model::Incarnation incarnation;
    base::Time last_fetch;
    model::Offset leader_end_at_last_fetch{-1};
    base::Time last_caught_up;
  };

  void BecomeLeader(base::Time now, Effects& effects);
  bool InMaximalIsr(model::BrokerId broker) const;
  void AdvanceHighWatermark(Effects& effects);
  void MaybeExpandIsr(model::BrokerId broker, const Progress& progress, Effects& effects);
  // After a proposal is settled: somebody else may have become ready meanwhile.
  void ExpandIsr(Effects& effects);
  void Propose(IsrProposal proposal, Effects& effects);
  bool IsPending(int32_t expected_version) const {
    return proposed_ && proposed_->expected_version == expected_version;
  }

  const Config config_;
  const model::LogId log_id_;
  LogEnds log_;
  EpochCache epochs_;
  model::Offset secured_;
  model::Offset high_watermark_;

  Role role_ = Role::kOffline;
  model::BrokerId leader_ = model::kNoBroker;
  model::LeaderEpoch leader_epoch_ = model::kNoEpoch;
  int32_t min_insync_replicas_ = 1;
  std::vector<model::BrokerId> replicas_;
  Isr isr_;
  int32_t state_version_ = -1;

  // Leader only.
  std::optional<IsrProposal> proposed_;
  model::Offset epoch_start_;
  std::map<model::BrokerId, Progress> followers_;
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_REPLICA_CORE_H_
