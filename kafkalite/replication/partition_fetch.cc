// The follower fetches from its leader, appends and truncates.

#include <algorithm>
#include <utility>

#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::Offset;

namespace {

// Between tries to reach a leader, growing: it may be about to learn of its leadership.
constexpr base::Duration kFirstPause = std::chrono::microseconds(100);
constexpr base::Duration kLongestPause = std::chrono::milliseconds(50);
// A fetch is given up this long after its max_wait.
constexpr base::Duration kFetchGrace = std::chrono::milliseconds(500);

}  // namespace

void Partition::Fetch() {
  if (fetching_ || busy() || core_.role() != Role::kFollower) return;
  fetching_ = true;
  const uint64_t number = ++fetch_number_;
  transport::ReplicaFetchRequest request = core_.NextFetch(tp_, host_->incarnation());
  request.max_wait = std::chrono::duration_cast<std::chrono::milliseconds>(options_.fetch_max_wait);
  fetch_deadline_ = Now() + options_.fetch_max_wait + kFetchGrace;
  leader_channel_->FetchReplica(
      std::move(request), [self = shared_from_this(), number, epoch = core_.leader_epoch()](
                              absl::StatusOr<transport::ReplicaFetchResponse> response) mutable {
        Partition& partition = *self;
        partition.strand_.Run(
            [self = std::move(self), number, epoch, response = std::move(response)]() mutable {
              self->strand_.AssertInside();
              self->OnFetched(number, epoch, response);
            });
      });
}

void Partition::FetchLater() {
  fetch_pause_ = std::clamp(fetch_pause_ * 2, kFirstPause, kLongestPause);
  // A fetch that has begun meanwhile, for whatever reason, makes this one idle.
  host_->After(fetch_pause_, [self = shared_from_this(), number = fetch_number_] {
    self->strand_.Run([self, number] {
      self->strand_.AssertInside();
      if (self->log_ != nullptr && self->fetch_number_ == number) self->Fetch();
    });
  });
}

void Partition::OnFetched(uint64_t number, model::LeaderEpoch epoch,
                          absl::StatusOr<transport::ReplicaFetchResponse>& response) {
  if (log_ == nullptr || !fetching_ || number != fetch_number_) return;
  fetching_ = false;
  if (!response.ok()) {
    FetchLater();
    return;
  }
  using Kind = ReplicaCore::FetchAction::Kind;
  const ReplicaCore::FetchAction action = core_.OnFetchResponse(*response, epoch);
  switch (action.kind) {
    case Kind::kRetry:
      FetchLater();
      return;
    case Kind::kTruncateSuffix:
    case Kind::kRestartAt:
      if (!Truncate(action).ok()) {
        FetchLater();
        return;
      }
      break;
    case Kind::kAppend:
      if (!AppendFetched(*response)) {
        FetchLater();
        return;
      }
      break;
  }
  fetch_pause_ = base::Duration::zero();
  Fetch();
}

bool Partition::AppendFetched(const transport::ReplicaFetchResponse& response) {
  if (!response.batches.empty()) {
    const Offset first = response.batches.front().header.base_offset;
    if (first < log_->end_offset()) {
      // An emptied log may end amid a batch of the leader's: it begins anew with that batch
      // (KAFKA-6975).
      if (log_->start_offset() < log_->end_offset()) return false;
      // Fetched again once that is done.
      return Truncate({ReplicaCore::FetchAction::Kind::kRestartAt, first}).ok();
    }
    size_t bytes = 0;
    for (const format::Batch& batch : response.batches) {
      core_.ObserveEpoch(batch.header.leader_epoch, batch.header.base_offset);
      bytes += batch.size_bytes();
    }
    SaveEpochs();
    if (!log_->Append(response.batches).ok()) {
      core_.Truncated({log_->start_offset(), log_->end_offset()});  // those epochs did not begin
      SaveEpochs();
      return false;
    }
    const base::Time now = Now();
    for (const format::Batch& batch : response.batches) producers_.Appended(batch.header, now);
    CountForSnapshot(bytes);
  }
  Effects effects;
  core_.Fetched(log_->end_offset(), response.high_watermark, effects);
  core_.Secured(SafeEnd(), effects);
  CarryOut(effects);
  if (!FollowStart(response.log_start_offset)) return false;
  Retain(/*by_time=*/false);
  return true;
}

bool Partition::FollowStart(Offset leaders) {
  const Offset start = std::min(leaders, core_.high_watermark());
  if (start <= core_.log_start()) return true;
  if (!log_->TruncatePrefix(start).ok()) return false;  // the next answer says it again
  core_.StartMoved(log_->start_offset());
  return true;
}

absl::Status Partition::Truncate(const ReplicaCore::FetchAction& action) {
  absl::Status status;
  if (action.kind == ReplicaCore::FetchAction::Kind::kRestartAt) {
    status.Update(log_->TruncateSuffix(log_->start_offset()));
    status.Update(log_->TruncatePrefix(action.offset));
    status.Update(log_->TruncateSuffix(action.offset));
  } else {
    status.Update(log_->TruncateSuffix(action.offset));
  }
  // Whatever was done of it: the rest agrees with what the log holds now.
  core_.Truncated({log_->start_offset(), log_->end_offset()});
  SaveEpochs();
  DropSnapshotsAfter(log_->end_offset());
  RebuildProducers();
  return status;
}

void Partition::RebuildProducers() {
  rebuilding_ = true;
  log_->ReadMetadata([self = shared_from_this(), number = ++rebuild_number_](
                         absl::StatusOr<storage::Log::Metadata> metadata) mutable {
    Partition& partition = *self;
    partition.strand_.Run(
        [self = std::move(self), number, metadata = std::move(metadata)]() mutable {
          self->strand_.AssertInside();
          if (self->log_ == nullptr || number != self->rebuild_number_) return;
          self->RebuildFrom(number, std::move(metadata));
        });
  });
}

void Partition::RebuildFrom(uint64_t number, absl::StatusOr<storage::Log::Metadata> metadata) {
  if (!metadata.ok()) return RebuildLater();
  const auto builder = std::make_shared<LogStateBuilder>(
      *metadata, LogStateBuilder::Range{log_->start_offset(), log_->end_offset()}, Both());
  log_->VisitHeaders(
      builder->visit_from(),
      [builder](const format::BatchHeader& header) { builder->Visit(header); },
      [self = shared_from_this(), builder, number](const absl::Status& status) mutable {
        Partition& partition = *self;
        partition.strand_.Run([self = std::move(self), builder, number, status] {
          self->strand_.AssertInside();
          if (self->log_ == nullptr || number != self->rebuild_number_) return;
          if (!status.ok()) return self->RebuildLater();
          self->rebuilding_ = false;
          self->producers_ = std::move(*builder).Take().producers;
          self->Fetch();
        });
      });
}

void Partition::RebuildLater() {
  host_->After(kLongestPause, [self = shared_from_this(), number = rebuild_number_] {
    self->strand_.Run([self, number] {
      self->strand_.AssertInside();
      if (self->log_ != nullptr && number == self->rebuild_number_) self->RebuildProducers();
    });
  });
}

}  // namespace kafkalite::replication
