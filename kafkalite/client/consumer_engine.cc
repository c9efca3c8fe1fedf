#include "kafkalite/client/consumer_engine.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/client/await.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/records.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/transport/client_service.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;
using std::chrono::milliseconds;

constexpr base::Duration kFirstPause = milliseconds(5);
constexpr base::Duration kLongestPause = milliseconds(100);
// A broker that answers sooner than this that it has nothing is not asked again before.
constexpr base::Duration kEmptyPause = milliseconds(1);
// Timeouts beyond this are for ever: they would not fit into nanoseconds.
constexpr milliseconds kForEver = std::chrono::hours(24 * 365 * 10);

model::TopicPartition ToModel(const TopicPartition& partition) {
  return {partition.topic, model::PartitionId(partition.partition)};
}

std::string Describe(const model::TopicPartition& tp) {
  return base::Cat("partition ", tp.partition.value(), " of topic '", tp.topic, "'");
}

template <class T>
absl::Status CheckAtLeast(std::string_view name, T value, T least, std::string_view unit) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(base::ToAbsl(base::Cat(
      "ConsumerOptions::", name, " is ", value, unit, "; it must be at least ", least, unit)));
}

absl::Status Validate(const ConsumerOptions& options) {
  switch (options.auto_offset_reset) {
    case OffsetReset::kEarliest:
    case OffsetReset::kLatest:
    case OffsetReset::kError:
      break;
    default:
      return absl::InvalidArgumentError(base::ToAbsl(base::Cat(
          "ConsumerOptions::auto_offset_reset is ", static_cast<int>(options.auto_offset_reset))));
  }
  KL_RETURN_IF_ERROR(
      CheckAtLeast<int64_t>("request_timeout", options.request_timeout.count(), 1, " ms"));
  KL_RETURN_IF_ERROR(
      CheckAtLeast<int64_t>("fetch_max_wait", options.fetch_max_wait.count(), 0, " ms"));
  KL_RETURN_IF_ERROR(CheckAtLeast("fetch_min_bytes", options.fetch_min_bytes, 0, ""));
  KL_RETURN_IF_ERROR(CheckAtLeast("fetch_max_bytes", options.fetch_max_bytes, 0, ""));
  return CheckAtLeast("max_partition_fetch_bytes", options.max_partition_fetch_bytes, 0, "");
}

// The timestamp to look up where there is no position; none if that is an error.
std::optional<int64_t> ResetTimestamp(OffsetReset reset) {
  switch (reset) {
    case OffsetReset::kEarliest:
      return protocol::kEarliestTimestamp;
    case OffsetReset::kLatest:
      return protocol::kLatestTimestamp;
    case OffsetReset::kError:
      break;
  }
  return std::nullopt;
}

base::Time DeadlineAfter(base::Time now, milliseconds timeout) {
  if (timeout >= kForEver) return base::Time::max();
  return base::SaturatingAdd(now, std::max(timeout, milliseconds(0)));
}

base::Duration ToDuration(milliseconds timeout) { return std::min(timeout, kForEver); }

}  // namespace

// Where answers go. Thread safety: any thread. Lifetime: as long as the engine or an answer that is
// still to come.
class ConsumerEngine::Inbox final : public ClosedListener {
 public:
  template <class Response>
  struct Answer {
    uint64_t id;
    absl::StatusOr<Response> response;
  };
  struct TopicAnswer {
    std::string topic;
    absl::StatusOr<std::shared_ptr<const TopicMetadata>> result;
  };
  struct Answers {
    std::vector<TopicAnswer> topics;
    std::vector<Answer<protocol::ListOffsetsResponse>> offsets;
    std::vector<Answer<protocol::FetchResponse>> batches;

    bool empty() const { return topics.empty() && offsets.empty() && batches.empty(); }
  };

  void Add(TopicAnswer answer) { Add(&Answers::topics, std::move(answer)); }
  void Add(Answer<protocol::ListOffsetsResponse> answer) {
    Add(&Answers::offsets, std::move(answer));
  }
  void Add(Answer<protocol::FetchResponse> answer) { Add(&Answers::batches, std::move(answer)); }

  Answers Take() {
    base::MutexLock lock(mu_);
    return std::exchange(answers_, {});
  }

  // Signalled with the next answer; null if there is one already. A delivery report that runs while
  // a call waits may call the consumer, too: both then wait for the same.
  std::shared_ptr<base::Completion> AwaitAnswer() {
    base::MutexLock lock(mu_);
    if (!answers_.empty() || cluster_closed_) return nullptr;
    if (waiter_ == nullptr) waiter_ = std::make_shared<base::Completion>();
    return waiter_;
  }

  void OnClusterClosed() override {
    base::MutexLock lock(mu_);
    cluster_closed_ = true;
    Wake();
  }

  // Nobody will take answers any more: those to come must not keep batches alive.
  void Close() {
    Answers dropped;
    base::MutexLock lock(mu_);
    closed_ = true;
    dropped = std::exchange(answers_, {});
  }

 private:
  template <class T>
  void Add(std::vector<T> Answers::*list, T answer) {
    base::MutexLock lock(mu_);
    if (closed_) return;  // the answer is destroyed outside of the lock
    (answers_.*list).push_back(std::move(answer));
    Wake();
  }

  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (waiter_ == nullptr) return;
    waiter_->Signal();
    waiter_ = nullptr;
  }

  base::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool cluster_closed_ ABSL_GUARDED_BY(mu_) = false;
  Answers answers_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<base::Completion> waiter_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<std::unique_ptr<ConsumerEngine>> ConsumerEngine::Create(
    std::shared_ptr<ClientRuntime> runtime, const ConsumerOptions& options) {
  KL_RETURN_IF_ERROR(Validate(options));
  std::unique_ptr<ConsumerEngine> engine(new ConsumerEngine(std::move(runtime), options));
  KL_RETURN_IF_ERROR(engine->client_->CheckOpen());
  return engine;
}

ConsumerEngine::ConsumerEngine(std::shared_ptr<ClientRuntime> runtime,
                               const ConsumerOptions& options)
    : client_(ClusterClient::Create(std::move(runtime))),
      options_(options),
      inbox_(std::make_shared<Inbox>()) {
  client_->runtime().AddClosedListener(inbox_);
}

ConsumerEngine::~ConsumerEngine() { inbox_->Close(); }

// --- The assignment ------------------------------------------------------------------------------

absl::StatusOr<std::shared_ptr<const TopicMetadata>> ConsumerEngine::AwaitTopic(
    const std::string& topic) {
  auto metadata = Await<std::shared_ptr<const TopicMetadata>>(
      executor(), DeadlineAfter(Now(), options_.request_timeout), [&](auto reply) {
        client_->Refresh(topic, ToDuration(options_.request_timeout), std::move(reply));
      });
  if (absl::IsDeadlineExceeded(metadata.status())) {
    return absl::UnavailableError("no broker answered a metadata request in time");
  }
  return metadata;
}

absl::Status ConsumerEngine::Assign(const std::vector<TopicPartition>& partitions) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  std::map<std::string, std::shared_ptr<const TopicMetadata>> topics;
  std::map<model::TopicPartition, TopicMetadata::Partition> assignment;
  for (const TopicPartition& partition : partitions) {
    const model::TopicPartition tp = ToModel(partition);
    if (!assignment.try_emplace(tp).second) {
      return absl::InvalidArgumentError(base::ToAbsl(Describe(tp) + " is assigned twice"));
    }
    topics.try_emplace(partition.topic);
  }
  for (auto& [topic, metadata] : topics) {
    KL_ASSIGN_OR_RETURN(metadata, AwaitTopic(topic));
  }
  for (auto& [tp, partition] : assignment) {
    const auto& known = topics[tp.topic]->partitions;
    const int32_t number = tp.partition.value();
    if (number < 0 || static_cast<size_t>(number) >= known.size()) {
      return absl::NotFoundError(
          base::ToAbsl(base::Cat("there is no ", Describe(tp), ", which has ", known.size())));
    }
    partition = known[static_cast<size_t>(number)];
  }
  Replace(assignment, partitions);
  return absl::OkStatus();
}

absl::Status ConsumerEngine::AssignTopic(std::string_view topic) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const auto metadata, AwaitTopic(std::string(topic)));
  std::map<model::TopicPartition, TopicMetadata::Partition> assignment;
  std::vector<TopicPartition> names;
  for (const TopicMetadata::Partition& partition : metadata->partitions) {
    names.push_back({metadata->name, static_cast<int32_t>(names.size())});
    assignment.emplace(ToModel(names.back()), partition);
  }
  Replace(assignment, std::move(names));
  return absl::OkStatus();
}

void ConsumerEngine::Replace(
    const std::map<model::TopicPartition, TopicMetadata::Partition>& assignment,
    std::vector<TopicPartition> names) {
  // Answers for those that go must not meet them if they come again.
  for (const auto& [tp, partition] : partitions_) {
    if (!assignment.contains(tp)) Detach(*partition);
  }
  std::map<model::TopicPartition, PartitionRef> partitions;
  for (const TopicPartition& name : names) {
    const model::TopicPartition tp = ToModel(name);
    PartitionRef& partition = partitions[tp];
    if (const auto known = partitions_.find(tp); known != partitions_.end()) {
      partition = known->second;
      continue;
    }
    partition = std::make_shared<Partition>();
    partition->tp = tp;
    partition->leader = assignment.at(tp).leader;
    partition->leader_epoch = assignment.at(tp).leader_epoch;
    partition->lookup = ResetTimestamp(options_.auto_offset_reset);
  }
  assignment_ = std::move(names);
  partitions_ = std::move(partitions);
  queue_.clear();
  for (const TopicPartition& name : assignment_) queue_.push_back(partitions_.at(ToModel(name)));
}

std::vector<TopicPartition> ConsumerEngine::assignment() const { return assignment_; }

absl::StatusOr<ConsumerEngine::PartitionRef> ConsumerEngine::Assigned(
    const TopicPartition& partition) const {
  const model::TopicPartition tp = ToModel(partition);
  const auto found = partitions_.find(tp);
  if (found != partitions_.end()) return found->second;
  return absl::FailedPreconditionError(base::ToAbsl(Describe(tp) + " is not assigned"));
}

absl::Status ConsumerEngine::CheckAssigned() const {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  if (!partitions_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError("no partition is assigned");
}

// --- Positions -----------------------------------------------------------------------------------

void ConsumerEngine::Detach(Partition& partition) {
  ++partition.generation;
  partition.asked = false;
  partition.batches.clear();
  partition.error = absl::OkStatus();
}

void ConsumerEngine::LookUp(Partition& partition, int64_t timestamp) {
  Detach(partition);
  partition.position.reset();
  partition.lookup = timestamp;
}

absl::Status ConsumerEngine::Seek(const TopicPartition& partition, int64_t offset) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const PartitionRef found, Assigned(partition));
  if (offset < 0) {
    return absl::InvalidArgumentError(
        base::ToAbsl(base::Cat("cannot seek to offset ", offset, " of ", Describe(found->tp))));
  }
  Detach(*found);
  found->position = model::Offset(offset);
  found->lookup.reset();
  return absl::OkStatus();
}

absl::Status ConsumerEngine::SeekToBeginning() { return SeekTo(protocol::kEarliestTimestamp); }
absl::Status ConsumerEngine::SeekToEnd() { return SeekTo(protocol::kLatestTimestamp); }

absl::Status ConsumerEngine::SeekToTimestamp(int64_t timestamp_ms) {
  if (timestamp_ms < 0) {
    return absl::InvalidArgumentError(
        base::ToAbsl(base::Cat("cannot seek to the timestamp ", timestamp_ms)));
  }
  return SeekTo(timestamp_ms);
}

absl::Status ConsumerEngine::SeekTo(int64_t timestamp) {
  KL_RETURN_IF_ERROR(CheckAssigned());
  for (const PartitionRef& partition : queue_) LookUp(*partition, timestamp);
  return AwaitPositions(queue_);
}

absl::StatusOr<int64_t> ConsumerEngine::Position(const TopicPartition& partition) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const PartitionRef found, Assigned(partition));
  KL_RETURN_IF_ERROR(AwaitPositions({found}));
  return found->position->value();
}

absl::Status ConsumerEngine::AwaitPositions(const std::vector<PartitionRef>& partitions) {
  const base::Time deadline = DeadlineAfter(Now(), options_.request_timeout);
  while (true) {
    const base::Time now = Hear();
    bool known = true;
    for (const PartitionRef& partition : partitions) {
      if (partition->position.has_value()) continue;
      if (!partition->error.ok()) return std::exchange(partition->error, absl::OkStatus());
      known = false;
    }
    if (known) return absl::OkStatus();
    if (Ask(/*fetch=*/false, now)) continue;
    if (absl::Status waited = Wait(deadline); !waited.ok()) {
      if (!absl::IsDeadlineExceeded(waited)) return waited;
      return absl::DeadlineExceededError(
          "the position is not known yet: no leader told the offset");
    }
  }
}

// --- Poll ----------------------------------------------------------------------------------------

absl::StatusOr<Records> ConsumerEngine::Poll(milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckAssigned());
  base::Time now = Hear();
  const base::Time deadline = DeadlineAfter(now, timeout);
  while (true) {
    if (std::optional<absl::Status> error = TakeError()) return *std::move(error);
    absl::StatusOr<Records> records = TakeRecords();
    if (!records.ok() || !records->empty()) return records;
    // Within a process the answers are there as soon as we have asked.
    if (!Ask(/*fetch=*/true, now)) {
      if (absl::Status waited = Wait(deadline); !waited.ok()) {
        if (absl::IsDeadlineExceeded(waited)) return Records();
        return waited;
      }
    }
    now = Hear();
  }
}

std::optional<absl::Status> ConsumerEngine::TakeError() {
  for (const PartitionRef& partition : queue_) {
    if (!partition->error.ok()) return std::exchange(partition->error, absl::OkStatus());
  }
  return std::nullopt;
}

absl::StatusOr<Records> ConsumerEngine::TakeRecords() {
  std::shared_ptr<RecordsData> data;
  for (const PartitionRef& partition : queue_) {
    if (partition->batches.empty()) continue;
    if (data == nullptr) data = std::make_shared<RecordsData>(client_->runtime().reader_budget);
    const model::Offset next = partition->batches.back().header.next_offset();
    RecordsData::Part part{.tp = partition->tp,
                           .position = *partition->position,
                           .batches = std::move(partition->batches)};
    if (!data->TryAdd(part)) {
      partition->batches = std::move(part.batches);
      break;
    }
    partition->batches.clear();
    partition->position = next;
  }
  if (data == nullptr) return Records();
  if (data->count() == 0) {
    const base::Budget& budget = *client_->runtime().reader_budget;
    return absl::ResourceExhaustedError(base::ToAbsl(
        base::Cat("Records that are still held take ", budget.used_bytes(), " of ",
                  budget.limit_bytes(), " bytes (ClusterOptions::reader_memory_bytes)")));
  }
  // Who was not served goes first next time.
  std::stable_partition(queue_.begin(), queue_.end(), [&data](const PartitionRef& partition) {
    return std::none_of(data->parts().begin(), data->parts().end(),
                        [&](const RecordsData::Part& part) { return part.tp == partition->tp; });
  });
  return Records(std::move(data));
}

// --- The machine ---------------------------------------------------------------------------------

absl::Status ConsumerEngine::Wait(base::Time deadline) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  if (const std::shared_ptr<base::Completion> answered = inbox_->AwaitAnswer()) {
    const absl::Status waited =
        PublicCall::Block(executor(), *answered, std::min(deadline, wake_at_));
    // To wake for the next thing to do is no failure; the deadline is.
    if (!waited.ok() && !(absl::IsDeadlineExceeded(waited) && wake_at_ < deadline)) return waited;
  }
  return client_->CheckOpen();
}

base::Time ConsumerEngine::Hear() {
  const base::Time now = Now();
  Inbox::Answers answers = inbox_->Take();
  for (const auto& [topic, result] : answers.topics) OnTopic(topic, result, now);
  for (const auto& [id, answer] : answers.offsets) OnOffsets(id, answer, now);
  for (auto& [id, answer] : answers.batches) OnFetched(id, std::move(answer), now);
  Expire(now);
  return now;
}

void ConsumerEngine::OnTopic(const std::string& topic,
                             const absl::StatusOr<std::shared_ptr<const TopicMetadata>>& result,
                             base::Time now) {
  refreshing_.erase(topic);
  for (const PartitionRef& partition : queue_) {
    if (partition->tp.topic != topic || partition->leader != model::kNoBroker) continue;
    const auto number = static_cast<size_t>(partition->tp.partition.value());
    if (result.ok() && number < (*result)->partitions.size()) {
      partition->leader = (*result)->partitions[number].leader;
      partition->leader_epoch = (*result)->partitions[number].leader_epoch;
      if (partition->leader == model::kNoBroker) Fail(*partition, now);
      continue;
    }
    Fail(*partition, now);
    if (result.ok() || absl::IsNotFound(result.status())) {
      partition->error = absl::NotFoundError(
          base::ToAbsl(base::Cat("there is no ", Describe(partition->tp), " any more")));
    } else if (!absl::IsUnavailable(result.status())) {
      partition->error = result.status();
    }
  }
}

void ConsumerEngine::OnOffsets(uint64_t id,
                               const absl::StatusOr<protocol::ListOffsetsResponse>& answer,
                               base::Time now) {
  const auto request = pending_.extract(id);
  if (request.empty()) return;
  const auto& asked = request.mapped().partitions;
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto& [partition, generation] = asked[i];
    if (partition->generation != generation) continue;
    partition->asked = false;
    if (answer.ok() && i < answer->partitions.size()) {
      OnOffset(*partition, answer->partitions[i], now);
    } else {
      Fail(*partition, now);
    }
  }
}

void ConsumerEngine::OnOffset(Partition& partition,
                              const protocol::ListOffsetsResponse::Partition& answer,
                              base::Time now) {
  if (answer.error != ErrorCode::kNone) return OnError(partition, answer.error, now);
  if (answer.offset >= model::Offset(0)) {
    partition.position = answer.offset;
    partition.lookup.reset();
  } else if (partition.lookup != protocol::kLatestTimestamp) {
    partition.lookup = protocol::kLatestTimestamp;  // no record is that young
  } else {
    Fail(partition, now);
  }
}

void ConsumerEngine::OnFetched(uint64_t id, absl::StatusOr<protocol::FetchResponse> answer,
                               base::Time now) {
  const auto request = pending_.extract(id);
  if (request.empty()) return;
  const Pending& pending = request.mapped();
  bool nothing = answer.ok();
  for (size_t i = 0; i < pending.partitions.size(); ++i) {
    const auto& [partition, generation] = pending.partitions[i];
    if (answer.ok() && i < answer->partitions.size()) {
      nothing = nothing && answer->partitions[i].error == ErrorCode::kNone &&
                answer->partitions[i].batches.empty();
    }
    if (partition->generation != generation) continue;
    partition->asked = false;
    if (answer.ok() && i < answer->partitions.size()) {
      OnBatches(*partition, answer->partitions[i], now);
    } else {
      Fail(*partition, now);
    }
  }
  // Somebody who does not wait for records, though asked to, must not keep us busy.
  if (!nothing || now - pending.sent >= kEmptyPause) return;
  for (const auto& [partition, generation] : pending.partitions) {
    partition->retry_at = std::max(partition->retry_at, pending.sent + kEmptyPause);
  }
}

absl::Status ConsumerEngine::Unpack(std::vector<format::Batch>& batches) {
  for (format::Batch& batch : batches) {
    if (format::CodecOf(batch.header) == format::Codec::kNone) continue;
    KL_ASSIGN_OR_RETURN(
        batch, format::DecompressBatch(batch, format::kMaxRecordsBytes, *client_->runtime().pool));
  }
  return absl::OkStatus();
}

void ConsumerEngine::OnBatches(Partition& partition, protocol::FetchResponse::Partition& answer,
                               base::Time now) {
  if (answer.error == ErrorCode::kOffsetOutOfRange) {
    const std::optional<int64_t> reset = ResetTimestamp(options_.auto_offset_reset);
    if (!reset.has_value()) {
      partition.error = absl::OutOfRangeError(base::ToAbsl(
          base::Cat("position ", partition.position->value(), " of ", Describe(partition.tp),
                    " is outside of the log, and auto_offset_reset is kError")));
      return;
    }
    Fail(partition, now);  // a broker that says so again and again must not keep us busy
    LookUp(partition, *reset);
    return;
  }
  if (answer.error != ErrorCode::kNone) return OnError(partition, answer.error, now);
  partition.pause = base::Duration::zero();
  // What ends below the position was not asked for.
  std::vector<format::Batch>& batches = answer.batches;
  const auto first =
      std::find_if(batches.begin(), batches.end(), [&partition](const format::Batch& batch) {
        return batch.header.next_offset() > *partition.position;
      });
  batches.erase(batches.begin(), first);
  if (batches.empty()) return;
  if (absl::Status unpacked = Unpack(batches); !unpacked.ok()) {
    partition.error = absl::DataLossError(base::Cat(Describe(partition.tp), " at offset ",
                                                    partition.position->value(), ": ",
                                                    base::ToStd(unpacked.message())));
    return;
  }
  if (RecordsData::CountRecords(*partition.position, batches) > 0) {
    partition.batches = std::move(batches);
  } else {
    partition.position = batches.back().header.next_offset();  // nothing there that users see
  }
}

void ConsumerEngine::OnError(Partition& partition, ErrorCode error, base::Time now) {
  Fail(partition, now);
  // That a record is corrupt is no better at another time.
  if (!model::IsRetriable(error) || error == ErrorCode::kCorruptMessage) {
    partition.error = model::ToStatus(error, Describe(partition.tp));
  }
}

void ConsumerEngine::Fail(Partition& partition, base::Time now) {
  partition.leader = model::kNoBroker;
  partition.retry_at = now + partition.pause;
  partition.pause = std::clamp(2 * partition.pause, kFirstPause, kLongestPause);
}

void ConsumerEngine::Expire(base::Time now) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    for (const auto& [partition, generation] : it->second.partitions) {
      if (partition->generation != generation) continue;
      partition->asked = false;
      Fail(*partition, now);
    }
    it = pending_.erase(it);
  }
}

bool ConsumerEngine::Ask(bool fetch, base::Time now) {
  wake_at_ = base::Time::max();
  bool asked = false;
  std::set<std::string> topics;
  std::map<model::BrokerId, std::vector<PartitionRef>> offsets;
  std::map<model::BrokerId, std::vector<PartitionRef>> batches;
  for (const PartitionRef& partition : queue_) {
    if (partition->asked || !partition->error.ok() || !partition->batches.empty()) continue;
    if (partition->retry_at > now) {
      wake_at_ = std::min(wake_at_, partition->retry_at);
    } else if (!partition->position.has_value() && !partition->lookup.has_value()) {
      partition->error = absl::OutOfRangeError(
          base::ToAbsl(Describe(partition->tp) +
                       " has no position, and auto_offset_reset is kError: seek first"));
      asked = true;
    } else if (partition->leader == model::kNoBroker) {
      if (!refreshing_.contains(partition->tp.topic)) topics.insert(partition->tp.topic);
    } else if (!partition->position.has_value()) {
      offsets[partition->leader].push_back(partition);
    } else if (fetch) {
      batches[partition->leader].push_back(partition);
    }
  }
  AskForTopics(topics);
  for (const auto& [broker, partitions] : offsets) AskForOffsets(broker, partitions, now);
  for (const auto& [broker, partitions] : batches) AskForBatches(broker, partitions, now);
  for (const auto& [id, pending] : pending_) wake_at_ = std::min(wake_at_, pending.deadline);
  return asked || !topics.empty() || !offsets.empty() || !batches.empty();
}

void ConsumerEngine::AskForTopics(const std::set<std::string>& topics) {
  refreshing_.insert(topics.begin(), topics.end());
  for (const std::string& topic : topics) {
    client_->Refresh(
        topic, ToDuration(options_.request_timeout),
        [inbox = inbox_, topic](absl::StatusOr<std::shared_ptr<const TopicMetadata>> result) {
          inbox->Add({topic, std::move(result)});
        });
  }
}

uint64_t ConsumerEngine::AddPending(const std::vector<PartitionRef>& partitions, base::Time now,
                                    base::Duration timeout) {
  const uint64_t id = next_id_++;
  Pending& pending = pending_[id];
  pending.sent = now;
  pending.deadline = base::SaturatingAdd(now, timeout);
  pending.partitions.reserve(partitions.size());
  for (const PartitionRef& partition : partitions) {
    partition->asked = true;
    pending.partitions.emplace_back(partition, partition->generation);
  }
  return id;
}

void ConsumerEngine::AskForOffsets(model::BrokerId broker,
                                   const std::vector<PartitionRef>& partitions, base::Time now) {
  protocol::ListOffsetsRequest request;
  for (const PartitionRef& partition : partitions) {
    request.partitions.push_back({.tp = partition->tp,
                                  .current_leader_epoch = partition->leader_epoch,
                                  .timestamp = *partition->lookup});
  }
  const uint64_t id = AddPending(partitions, now, ToDuration(options_.request_timeout));
  client_->Channel(broker)->ListOffsets(
      std::move(request),
      ReplyOnce([inbox = inbox_, id](absl::StatusOr<protocol::ListOffsetsResponse> answer) {
        inbox->Add({id, std::move(answer)});
      }));
}

void ConsumerEngine::AskForBatches(model::BrokerId broker,
                                   const std::vector<PartitionRef>& partitions, base::Time now) {
  protocol::FetchRequest request{.max_wait = options_.fetch_max_wait,
                                 .min_bytes = options_.fetch_min_bytes,
                                 .max_bytes = options_.fetch_max_bytes,
                                 .partitions = {}};
  request.partitions.reserve(partitions.size());
  for (const PartitionRef& partition : partitions) {
    request.partitions.push_back({.tp = partition->tp,
                                  .current_leader_epoch = partition->leader_epoch,
                                  .fetch_offset = *partition->position,
                                  .max_bytes = options_.max_partition_fetch_bytes});
  }
  const uint64_t id = AddPending(
      partitions, now, ToDuration(options_.fetch_max_wait) + ToDuration(options_.request_timeout));
  client_->Channel(broker)->Fetch(
      std::move(request),
      ReplyOnce([inbox = inbox_, id](absl::StatusOr<protocol::FetchResponse> answer) {
        inbox->Add({id, std::move(answer)});
      }));
}

}  // namespace kafkalite::client
