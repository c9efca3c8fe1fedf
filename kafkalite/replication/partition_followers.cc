// The leader answers the fetches of its followers.

#include <algorithm>
#include <utility>

#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::ErrorCode;

void Partition::FetchReplica(transport::ReplicaFetchRequest request,
                             transport::Reply<transport::ReplicaFetchResponse> reply) {
  strand_.Run([self = shared_from_this(), request = std::move(request),
               reply = std::move(reply)]() mutable {
    self->strand_.AssertInside();
    if (self->log_ != nullptr) self->DoFetchReplica(request, reply);
  });
}

void Partition::DoFetchReplica(transport::ReplicaFetchRequest& request,
                               transport::Reply<transport::ReplicaFetchResponse>& reply) {
  Effects effects;
  const base::Time now = Now();
  const ReplicaCore::FetchVerdict verdict = core_.OnFollowerFetch(request, now, effects);
  if (verdict.error != ErrorCode::kNone || verdict.diverging) {
    transport::ReplicaFetchResponse response = EmptyResponse(verdict.error);
    if (verdict.diverging) {
      response.diverging = {verdict.diverging->epoch, verdict.diverging->end_offset};
    }
    reply(std::move(response));
    return;
  }
  const base::Time deadline = now + request.max_wait;
  const model::BrokerId replica = request.replica;
  WaitingFetch fetch{std::move(request), deadline, std::move(reply)};
  const bool has_news =
      fetch.request.fetch_offset < log_->end_offset() ||
      (!waiting_deletions_.empty() && fetch.request.log_start_offset < core_.log_start());
  if (has_news) {
    AnswerFetch(std::move(fetch));
  } else {
    // An earlier fetch of this follower is one that it has given up.
    waiting_fetches_.insert_or_assign(replica, std::move(fetch));
  }
  CarryOut(effects);
}

void Partition::AnswerFollowers() {
  if (waiting_fetches_.empty()) return;
  auto fetches = std::exchange(waiting_fetches_, {});
  for (auto& [replica, fetch] : fetches) {
    if (fetch.request.fetch_offset < log_->end_offset()) {
      AnswerFetch(std::move(fetch));
    } else {
      waiting_fetches_.emplace(replica, std::move(fetch));
    }
  }
}

void Partition::AnswerFetch(WaitingFetch fetch) {
  auto read = log_->Read(fetch.request.fetch_offset,
                         {.max_offset = log_->end_offset(),
                          .max_bytes = static_cast<size_t>(std::max(fetch.request.max_bytes, 0))});
  if (!read.ok()) {
    AnswerFetchWith(std::move(fetch), read.status());
  } else if (read->cold != nullptr) {
    AnswerFetchCold(std::move(fetch), *read->cold);
  } else {
    AnswerFetchWith(std::move(fetch), std::move(read->batches));
  }
}

void Partition::AnswerFetchCold(WaitingFetch fetch, storage::ColdRead& cold) {
  cold.Load([self = shared_from_this(), epoch = core_.leader_epoch(),
             fetch = std::move(fetch)](absl::StatusOr<std::vector<format::Batch>> batches) mutable {
    Partition& partition = *self;
    partition.strand_.Run([self = std::move(self), epoch, fetch = std::move(fetch),
                           batches = std::move(batches)]() mutable {
      self->strand_.AssertInside();
      if (self->log_ == nullptr) return;
      // What was read may have been truncated since, if this replica has followed meanwhile.
      if (self->core_.leader_epoch() != epoch || self->core_.role() != Role::kLeader) {
        return fetch.reply(self->EmptyResponse(ErrorCode::kNotLeaderOrFollower));
      }
      self->AnswerFetchWith(std::move(fetch), std::move(batches));
    });
  });
}

void Partition::AnswerFetchWith(WaitingFetch fetch,
                                absl::StatusOr<std::vector<format::Batch>> batches) {
  transport::ReplicaFetchResponse response = EmptyResponse(ErrorCode::kNone);
  if (batches.ok()) {
    response.batches = *std::move(batches);
  } else if (absl::IsOutOfRange(batches.status())) {
    response.error = ErrorCode::kOffsetOutOfRange;  // the log's start has moved meanwhile
  } else {
    // Not out of range: a follower would drop everything that it has.
    response.error = ErrorCode::kStorageError;
  }
  fetch.reply(std::move(response));
}

transport::ReplicaFetchResponse Partition::EmptyResponse(ErrorCode error) {
  return {.error = error,
          .high_watermark = core_.high_watermark(),
          .log_start_offset = log_->start_offset(),
          .log_end_offset = log_->end_offset(),
          .diverging = std::nullopt,
          .batches = {}};
}

}  // namespace kafkalite::replication
