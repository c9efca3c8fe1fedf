#include "kafkalite/replication/partition.h"

#include <algorithm>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/replication/mutants.h"

namespace kafkalite::replication {

using model::ErrorCode;
using model::Offset;

namespace {

// Between tries to reach a leader, growing: it may be about to learn of its leadership.
constexpr base::Duration kFirstPause = std::chrono::microseconds(100);
constexpr base::Duration kLongestPause = std::chrono::milliseconds(50);
// A fetch is given up this long after its max_wait.
constexpr base::Duration kFetchGrace = std::chrono::milliseconds(500);
// Between tries to learn what became of an ISR write.
constexpr base::Duration kRereadPause = std::chrono::milliseconds(50);
// A producer that has not appended for this long is forgotten (Kafka's producer.id.expiration.ms).
constexpr base::Duration kProducerExpiration = std::chrono::hours(24);
constexpr base::Duration kExpiryInterval = std::chrono::minutes(1);

}  // namespace

void Partition::Open(std::shared_ptr<PartitionHost> host, model::TopicPartition tp,
                     const Options& options, std::unique_ptr<storage::Log> log,
                     OpenCallback callback) {
  struct Known {
    EpochCache epochs;
    ProducerState producers;
  };
  auto known = std::make_shared<Known>();
  const base::Time now = host->executor().clock().Now();
  storage::Log& visited = *log;
  visited.VisitHeaders(
      visited.start_offset(),
      [known, now](const format::BatchHeader& header) {
        known->epochs.Assign(header.leader_epoch, header.base_offset);
        known->producers.Appended(header, now);
      },
      [known, host = std::move(host), tp = std::move(tp), options, log = std::move(log),
       callback = std::move(callback)](const absl::Status& status) mutable {
        if (!status.ok()) return callback(status);
        ReplicaCore core({.self = host->self(), .lag_time_max = options.lag_time_max}, log->id(),
                         {log->start_offset(), log->end_offset()}, std::move(known->epochs));
        std::shared_ptr<Partition> partition(new Partition(std::move(host), std::move(tp), options,
                                                           std::move(log), std::move(core),
                                                           std::move(known->producers)));
        partition->WatchProgress();
        callback(std::move(partition));
      });
}

void Partition::WatchProgress() {
  // No strong reference: the log is the partition's.
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->log_->SetListener([weak = self->weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->strand_.Run([self] {
        self->strand_.AssertInside();
        if (self->log_ != nullptr) self->OnProgress();
      });
    });
  });
}

Partition::Partition(std::shared_ptr<PartitionHost> host, model::TopicPartition tp,
                     const Options& options, std::unique_ptr<storage::Log> log, ReplicaCore core,
                     ProducerState producers)
    : host_(std::move(host)),
      tp_(std::move(tp)),
      options_(options),
      log_id_(log->id()),
      state_path_(coordination::paths::PartitionState(tp_)),
      strand_(host_->executor()),
      log_(std::move(log)),
      core_(std::move(core)),
      producers_(std::move(producers)) {}

void Partition::CarryOut(Effects& effects) {
  if (effects.propose_isr) WriteIsr(*effects.propose_isr);
  if (effects.high_watermark_advanced) {
    CompleteAppends();
    WakeReaders(/*all=*/false);
  }
}

void Partition::OnProgress() {
  Effects effects;
  core_.Secured(log_->progress().written, effects);
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
  Effects effects;
  const auto transition = core_.Apply(update, Now(), effects);
  if (transition == ReplicaCore::Transition::kStale) return;
  config_ = update.config;
  log_->Configure(config_);
  controller_epoch_ = update.controller_epoch;
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

void Partition::StopLeading() {
  for (WaitingAppends* waiting : {&waiting_for_isr_, &waiting_for_leader_}) {
    for (WaitingAppend& append : waiting->TakeAll()) {
      append.callback({.error = ErrorCode::kNotLeaderOrFollower});
    }
  }
  auto fetches = std::exchange(waiting_fetches_, {});
  for (auto& [replica, fetch] : fetches) {
    fetch.reply(EmptyResponse(ErrorCode::kNotLeaderOrFollower));
  }
  WakeReaders(/*all=*/true);
}

// --- Leader: appends ----------------------------------------------------------------------------

void Partition::Append(format::Batch batch, bool acks_all, base::Duration timeout,
                       AppendCallback callback) {
  strand_.Run([self = shared_from_this(), batch = std::move(batch), acks_all, timeout,
               callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    self->DoAppend(batch, acks_all, timeout, callback);
  });
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
  const Offset written = log_->progress().written;
  if (!waits && end <= written) {
    callback(std::move(result));
  } else {
    (waits ? waiting_for_isr_ : waiting_for_leader_)
        .Add({end, base::SaturatingAdd(Now(), timeout), std::move(result), std::move(callback)});
  }
  Effects effects;
  core_.Appended(log_->end_offset(), effects);
  core_.Secured(written, effects);
  effects.high_watermark_advanced |= waits && end <= core_.high_watermark();
  CarryOut(effects);
  AnswerFollowers();
  Retain(/*by_time=*/false);
}

AppendResult Partition::TryAppend(format::Batch& batch, bool acks_all, Offset& end) {
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
  const ProducerState::Verdict verdict = producers_.Check(batch.header);
  if (verdict.error != ErrorCode::kNone) return {.error = verdict.error};
  if (verdict.duplicate) {
    end = verdict.duplicate->last_offset + 1;
    return {.base_offset = verdict.duplicate->base_offset,
            .log_start_offset = log_->start_offset()};
  }
  batch.header.base_offset = log_->end_offset();
  batch.header.leader_epoch = core_.leader_epoch();
  const absl::Status appended = log_->Append({&batch, 1});
  if (!appended.ok()) {
    return {.error = ErrorCode::kStorageError, .message = std::string(appended.message())};
  }
  producers_.Appended(batch.header, Now());
  end = batch.header.next_offset();
  return {.base_offset = batch.header.base_offset, .log_start_offset = log_->start_offset()};
}

void Partition::CompleteAppends() {
  while (auto append = waiting_for_isr_.TakeUpTo(core_.high_watermark())) {
    const ErrorCode error = core_.CheckCompletion();
    if (error != ErrorCode::kNone) append->result = {.error = error};
    append->callback(std::move(append->result));
  }
}

void Partition::ExpireWaits(base::Time now) {
  for (WaitingAppends* waiting : {&waiting_for_isr_, &waiting_for_leader_}) {
    for (AppendCallback& callback : waiting->TakeExpired(now)) {
      callback({.error = ErrorCode::kRequestTimedOut});
    }
  }
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

// --- Leader: followers --------------------------------------------------------------------------

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
  if (fetch.request.fetch_offset < log_->end_offset()) {
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

// --- Leader: the ISR in coordination ------------------------------------------------------------

void Partition::WriteIsr(const IsrProposal& proposal) {
  const std::shared_ptr<coordination::Session> session = host_->session();
  if (session == nullptr) {
    RereadIsrLater(proposal.expected_version);
    return;
  }
  coordination::PartitionState state;
  state.controller_epoch = controller_epoch_;
  state.leader = host_->self();
  state.leader_epoch = core_.leader_epoch();
  for (const auto& [member, log_id] : proposal.isr.members) {
    state.isr.push_back(member);
    state.log_ids[member] = log_id;
  }
  std::vector<coordination::Operation> operations;
  for (const auto& [broker, incarnation] : proposal.registrations) {
    operations.push_back(coordination::Operation::Check(coordination::paths::Incarnation(broker),
                                                        static_cast<int32_t>(incarnation.value())));
  }
  operations.push_back(
      coordination::Operation::Set(state_path_, state.Format(), proposal.expected_version));
  coordination::PartitionSet changed;
  changed.partitions.push_back(tp_);
  operations.push_back(
      coordination::Operation::Create(coordination::paths::kIsrChangePrefix, changed.Format(),
                                      coordination::Operation::Mode::kPersistentSequential));
  session->Commit(std::move(operations),
                  [self = shared_from_this(), proposal](coordination::CommitResult result) {
                    self->strand_.Run([self, proposal, result = std::move(result)] {
                      self->strand_.AssertInside();
                      if (self->log_ != nullptr) self->OnIsrWritten(proposal, result);
                    });
                  });
}

void Partition::OnIsrWritten(const IsrProposal& proposal,
                             const coordination::CommitResult& result) {
  Effects effects;
  const size_t set = proposal.registrations.size();
  if (result.code == coordination::Code::kOk) {
    core_.IsrConfirmed(proposal.expected_version, result.results[set].version, effects);
  } else if (result.code == coordination::Code::kBadVersion &&
             result.results[set].code != coordination::Code::kBadVersion) {
    core_.IsrRefused(proposal.expected_version, effects);
  } else {
    RereadIsr(proposal.expected_version);
  }
  CarryOut(effects);
}

void Partition::RereadIsr(int32_t expected_version) {
  const std::shared_ptr<coordination::Session> session = host_->session();
  if (session == nullptr) {
    RereadIsrLater(expected_version);
    return;
  }
  session->Get(state_path_, {},
               [self = shared_from_this(), expected_version](coordination::GetResult result) {
                 self->strand_.Run([self, expected_version, result = std::move(result)] {
                   self->strand_.AssertInside();
                   if (self->log_ != nullptr) self->OnIsrReread(expected_version, result);
                 });
               });
}

void Partition::RereadIsrLater(int32_t expected_version) {
  host_->After(kRereadPause, [self = shared_from_this(), expected_version] {
    self->strand_.Run([self, expected_version] {
      self->strand_.AssertInside();
      if (self->log_ != nullptr && self->core_.isr_write_pending()) {
        self->RereadIsr(expected_version);
      }
    });
  });
}

void Partition::OnIsrReread(int32_t expected_version, const coordination::GetResult& result) {
  if (result.code == coordination::Code::kNoNode) return;  // the topic is gone
  if (result.code != coordination::Code::kOk) {
    RereadIsrLater(expected_version);
    return;
  }
  const auto state = coordination::PartitionState::Parse(state_path_, result.data);
  if (!state.ok()) return;  // nobody can lead by a state that nobody can read
  ReplicaCore::StoredState stored{{}, state->leader_epoch, result.stat.version};
  for (const model::BrokerId member : state->isr) {
    const auto log_id = state->log_ids.find(member);
    stored.isr.members[member] = log_id == state->log_ids.end() ? model::LogId() : log_id->second;
  }
  Effects effects;
  core_.IsrReread(expected_version, stored, effects);
  CarryOut(effects);
}

// --- Readers ------------------------------------------------------------------------------------

ErrorCode Partition::CheckReader(model::LeaderEpoch epoch) const {
  return log_ == nullptr ? ErrorCode::kNotLeaderOrFollower : core_.CheckReader(epoch);
}

void Partition::Read(const ReadRequest& request, ReadCallback callback) {
  strand_.Run([self = shared_from_this(), request, callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    ReadResult result;
    result.error = self->CheckReader(request.current_leader_epoch);
    if (result.error == ErrorCode::kNone) {
      result.high_watermark = self->core_.high_watermark();
      result.log_start_offset = self->log_->start_offset();
      const Offset end = self->log_->end_offset();
      if (request.fetch_offset < result.log_start_offset || request.fetch_offset > end) {
        result.error = ErrorCode::kOffsetOutOfRange;
      } else if (request.fetch_offset < result.high_watermark) {
        auto read = self->log_->Read(request.fetch_offset, {.max_offset = result.high_watermark,
                                                            .max_bytes = request.max_bytes});
        if (read.ok()) {
          result.batches = std::move(read->batches);
          result.cold = std::move(read->cold);
        } else {
          result.error = ErrorCode::kStorageError;
        }
      }
    }
    callback(std::move(result));
  });
}

void Partition::Listen(Offset offset, std::weak_ptr<HighWatermarkListener> listener) {
  strand_.Run([self = shared_from_this(), offset, listener = std::move(listener)]() mutable {
    self->strand_.AssertInside();
    const bool waits = self->log_ != nullptr && self->core_.role() == Role::kLeader &&
                       self->core_.high_watermark() <= offset;
    if (waits) {
      // Readers that gave up leave their places here until something passes by.
      std::erase_if(self->waiting_readers_,
                    [](const WaitingReader& reader) { return reader.listener.expired(); });
      self->waiting_readers_.push_back({offset, std::move(listener)});
    } else if (const auto reader = listener.lock()) {
      reader->OnHighWatermark();
    }
  });
}

void Partition::WakeReaders(bool all) {
  if (waiting_readers_.empty()) return;
  const Offset high_watermark = core_.high_watermark();
  auto readers = std::exchange(waiting_readers_, {});
  for (WaitingReader& reader : readers) {
    if (!all && reader.offset >= high_watermark) {
      waiting_readers_.push_back(std::move(reader));
    } else if (const auto listener = reader.listener.lock()) {
      listener->OnHighWatermark();
    }
  }
}

void Partition::FindOffset(int64_t timestamp, model::LeaderEpoch current_leader_epoch,
                           absl::AnyInvocable<void(OffsetResult)> callback) {
  strand_.Run([self = shared_from_this(), timestamp, current_leader_epoch,
               callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    OffsetResult result;
    result.error = self->CheckReader(current_leader_epoch);
    if (result.error != ErrorCode::kNone) {
      // No more to say.
    } else if (timestamp == protocol::kEarliestTimestamp) {
      result.offset = self->log_->start_offset();
    } else if (result.error = self->core_.CheckLatestOffset(); result.error != ErrorCode::kNone) {
      // The HW is not known yet: neither is what lies below it (rule 10).
    } else if (timestamp == protocol::kLatestTimestamp) {
      result.offset = self->core_.high_watermark();
    } else {
      return self->log_->FindByTimestamp(
          timestamp, self->core_.high_watermark(),
          [callback = std::move(callback)](
              absl::StatusOr<std::optional<storage::TimestampAndOffset>> found) mutable {
            OffsetResult result;
            if (!found.ok()) {
              result.error = ErrorCode::kStorageError;
            } else if (found->has_value()) {
              result.timestamp = (*found)->timestamp;
              result.offset = (*found)->offset;
            }
            callback(result);
          });
    }
    callback(result);
  });
}

// --- Follower -----------------------------------------------------------------------------------

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
    if (!log_->Append(response.batches).ok()) return false;
    const base::Time now = Now();
    for (const format::Batch& batch : response.batches) {
      core_.ObserveEpoch(batch.header.leader_epoch, batch.header.base_offset);
      producers_.Appended(batch.header, now);
    }
  }
  Effects effects;
  core_.Fetched(log_->end_offset(), response.high_watermark, effects);
  core_.Secured(log_->progress().written, effects);
  CarryOut(effects);
  Retain(/*by_time=*/false);
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
  RebuildProducers();
  return status;
}

void Partition::RebuildProducers() {
  rebuilding_ = true;
  const auto rebuilt = std::make_shared<ProducerState>();
  log_->VisitHeaders(
      log_->start_offset(),
      [rebuilt, now = Now()](const format::BatchHeader& header) { rebuilt->Appended(header, now); },
      [self = shared_from_this(), rebuilt,
       number = ++rebuild_number_](const absl::Status& status) mutable {
        Partition& partition = *self;
        partition.strand_.Run([self = std::move(self), rebuilt, number, status] {
          self->strand_.AssertInside();
          if (self->log_ == nullptr || number != self->rebuild_number_) return;
          if (!status.ok()) return self->RebuildLater();
          self->rebuilding_ = false;
          self->producers_ = std::move(*rebuilt);
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

// --- Both ---------------------------------------------------------------------------------------

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
    if (now >= self->next_expiry_) {
      self->next_expiry_ = now + kExpiryInterval;
      self->producers_.Expire(now - kProducerExpiration);
    }
  });
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
    const auto fetches = std::exchange(self->waiting_fetches_, {});
    if (self->log_ != nullptr) self->WakeReaders(/*all=*/true);
    self->log_.reset();
    self->fetching_ = false;
    self->leader_channel_.reset();
    closed();
  });
}

}  // namespace kafkalite::replication
