#include "kafkalite/client/consumer_engine.h"

#include <algorithm>
#include <set>
#include <utility>

#include "kafkalite/base/budget.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/await.h"
#include "kafkalite/client/records.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/protocol/list_offsets.h"

namespace kafkalite::client {
namespace {

using std::chrono::milliseconds;

model::TopicPartition ToModel(const TopicPartition& partition) {
  return {partition.topic, model::PartitionId(partition.partition)};
}
TopicPartition ToPublic(const model::TopicPartition& tp) {
  return {tp.topic, tp.partition.value()};
}

std::string Describe(const TopicPartition& tp) {
  return base::Cat("partition ", tp.partition, " of topic '", tp.topic, "'");
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
  KL_RETURN_IF_ERROR(CheckAtLeast("max_poll_records", options.max_poll_records, 1, ""));
  return CheckAtLeast("max_partition_fetch_bytes", options.max_partition_fetch_bytes, 0, "");
}

}  // namespace

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
      requests_(client_, options) {}

ConsumerEngine::~ConsumerEngine() = default;

// --- The assignment ------------------------------------------------------------------------------

absl::StatusOr<ConsumerEngine::Metadata> ConsumerEngine::AwaitTopic(const std::string& topic) {
  auto metadata = Await<Metadata>(
      *client_->runtime().executor, DeadlineAfter(requests_.Now(), options_.request_timeout),
      [&](auto reply) {
        client_->Refresh(topic, ToDuration(options_.request_timeout), std::move(reply));
      });
  if (absl::IsDeadlineExceeded(metadata.status())) {
    return absl::UnavailableError(
        base::Cat("topic '", topic, "': no broker answered a metadata request in time"));
  }
  return metadata;
}

absl::Status ConsumerEngine::Assign(const std::vector<TopicPartition>& partitions) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  std::map<std::string, Metadata> topics;
  std::map<model::TopicPartition, TopicMetadata::Partition> assignment;
  for (const TopicPartition& partition : partitions) {
    if (!assignment.try_emplace(ToModel(partition)).second) {
      return absl::InvalidArgumentError(base::ToAbsl(Describe(partition) + " is assigned twice"));
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
      return absl::NotFoundError(base::ToAbsl(
          base::Cat("there is no ", Describe(ToPublic(tp)), ", which has ", known.size())));
    }
    partition = known[static_cast<size_t>(number)];
  }
  Replace(assignment, partitions);
  return absl::OkStatus();
}

absl::Status ConsumerEngine::AssignTopics(const std::vector<std::string>& topics) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  std::map<model::TopicPartition, TopicMetadata::Partition> assignment;
  std::vector<TopicPartition> names;
  std::set<std::string> seen;
  for (const std::string& topic : topics) {
    if (!seen.insert(topic).second) {
      return absl::InvalidArgumentError(base::Cat("topic '", topic, "' is assigned twice"));
    }
    KL_ASSIGN_OR_RETURN(const Metadata metadata, AwaitTopic(topic));
    for (size_t i = 0; i < metadata->partitions.size(); ++i) {
      names.push_back({metadata->name, static_cast<int32_t>(i)});
      assignment.emplace(ToModel(names.back()), metadata->partitions[i]);
    }
  }
  Replace(assignment, std::move(names));
  return absl::OkStatus();
}

void ConsumerEngine::Replace(
    const std::map<model::TopicPartition, TopicMetadata::Partition>& assignment,
    std::vector<TopicPartition> names) {
  // Answers for those that go must not meet them if they come again.
  for (const auto& [tp, partition] : partitions_) {
    if (!assignment.contains(tp)) partition->Detach();
  }
  std::map<model::TopicPartition, ConsumerPartitionRef> partitions;
  for (const TopicPartition& name : names) {
    const model::TopicPartition tp = ToModel(name);
    ConsumerPartitionRef& partition = partitions[tp];
    if (const auto known = partitions_.find(tp); known != partitions_.end()) {
      partition = known->second;
      continue;
    }
    partition = std::make_shared<ConsumerPartition>(tp);
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

absl::StatusOr<ConsumerPartitionRef> ConsumerEngine::Assigned(
    const TopicPartition& partition) const {
  const auto found = partitions_.find(ToModel(partition));
  if (found != partitions_.end()) return found->second;
  return absl::FailedPreconditionError(base::ToAbsl(Describe(partition) + " is not assigned"));
}

absl::StatusOr<ConsumerPartitions> ConsumerEngine::AllAssigned(
    const std::vector<TopicPartition>& partitions, bool empty_is_all) const {
  if (partitions.empty() && empty_is_all) return queue_;
  ConsumerPartitions found;
  for (const TopicPartition& name : partitions) {
    KL_ASSIGN_OR_RETURN(ConsumerPartitionRef partition, Assigned(name));
    found.push_back(std::move(partition));
  }
  return found;
}

absl::Status ConsumerEngine::CheckAssigned() const {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  if (!partitions_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError("no partition is assigned");
}

absl::Status ConsumerEngine::Pause(const std::vector<TopicPartition>& partitions) {
  return SetPaused(partitions, true);
}
absl::Status ConsumerEngine::Resume(const std::vector<TopicPartition>& partitions) {
  return SetPaused(partitions, false);
}

absl::Status ConsumerEngine::SetPaused(const std::vector<TopicPartition>& partitions, bool paused) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const ConsumerPartitions found, AllAssigned(partitions, false));
  for (const ConsumerPartitionRef& partition : found) partition->paused = paused;
  return absl::OkStatus();
}

std::vector<TopicPartition> ConsumerEngine::paused() const {
  std::vector<TopicPartition> paused;
  for (const TopicPartition& name : assignment_) {
    if (partitions_.at(ToModel(name))->paused) paused.push_back(name);
  }
  return paused;
}

// --- Positions -----------------------------------------------------------------------------------

absl::Status ConsumerEngine::Seek(const TopicPartition& partition, int64_t offset) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const ConsumerPartitionRef found, Assigned(partition));
  if (offset < 0) {
    return absl::InvalidArgumentError(
        base::ToAbsl(base::Cat("cannot seek to offset ", offset, " of ", Describe(partition))));
  }
  found->SeekTo(model::Offset(offset));
  return absl::OkStatus();
}

absl::Status ConsumerEngine::SeekToBeginning(const std::vector<TopicPartition>& partitions) {
  return SeekTo(partitions, protocol::kEarliestTimestamp);
}
absl::Status ConsumerEngine::SeekToEnd(const std::vector<TopicPartition>& partitions) {
  return SeekTo(partitions, protocol::kLatestTimestamp);
}

absl::Status ConsumerEngine::SeekToTimestamp(int64_t timestamp_ms) {
  if (timestamp_ms < 0) {
    return absl::InvalidArgumentError(
        base::ToAbsl(base::Cat("cannot seek to the timestamp ", timestamp_ms)));
  }
  return SeekTo({}, timestamp_ms);
}

absl::Status ConsumerEngine::SeekTo(const std::vector<TopicPartition>& partitions,
                                    int64_t timestamp) {
  KL_RETURN_IF_ERROR(CheckAssigned());
  KL_ASSIGN_OR_RETURN(const ConsumerPartitions found, AllAssigned(partitions, true));
  for (const ConsumerPartitionRef& partition : found) partition->LookUp(timestamp);
  return AwaitPositions(found, std::nullopt);
}

absl::StatusOr<int64_t> ConsumerEngine::Position(const TopicPartition& partition) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const ConsumerPartitionRef found, Assigned(partition));
  KL_RETURN_IF_ERROR(AwaitPositions({found}, std::nullopt));
  return found->position->value();
}

absl::StatusOr<std::optional<int64_t>> ConsumerEngine::CurrentLag(
    const TopicPartition& partition) const {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  KL_ASSIGN_OR_RETURN(const ConsumerPartitionRef found, Assigned(partition));
  return found->lag();
}

absl::Status ConsumerEngine::AwaitPositions(const ConsumerPartitions& partitions, Timeout timeout) {
  const milliseconds patience = timeout.value_or(options_.request_timeout);
  const base::Time deadline = DeadlineAfter(requests_.Now(), patience);
  while (true) {
    const base::Time now = requests_.Hear(partitions);
    const ConsumerPartition* unknown = nullptr;
    for (const ConsumerPartitionRef& partition : partitions) {
      if (partition->position.has_value()) continue;
      if (!partition->error.ok()) return std::exchange(partition->error, absl::OkStatus());
      if (unknown == nullptr) unknown = partition.get();
    }
    if (unknown == nullptr) return absl::OkStatus();
    if (requests_.Ask(partitions, /*fetch=*/false, now)) continue;
    const absl::Status waited = requests_.Wait(deadline);
    if (absl::IsDeadlineExceeded(waited)) {
      return absl::DeadlineExceededError(base::Cat(
          unknown->Describe(), ": no leader told the offset within ", patience.count(), " ms"));
    }
    KL_RETURN_IF_ERROR(waited);
  }
}

// --- Offsets of any partition --------------------------------------------------------------------

absl::StatusOr<ConsumerEngine::Offsets> ConsumerEngine::BeginningOffsets(
    const std::vector<TopicPartition>& partitions, Timeout timeout) {
  return LookUpEnds(partitions, protocol::kEarliestTimestamp, timeout);
}

absl::StatusOr<ConsumerEngine::Offsets> ConsumerEngine::EndOffsets(
    const std::vector<TopicPartition>& partitions, Timeout timeout) {
  return LookUpEnds(partitions, protocol::kLatestTimestamp, timeout);
}

absl::StatusOr<ConsumerEngine::Offsets> ConsumerEngine::LookUpEnds(
    const std::vector<TopicPartition>& partitions, int64_t timestamp, Timeout timeout) {
  std::map<TopicPartition, int64_t> timestamps;
  for (const TopicPartition& partition : partitions) timestamps.emplace(partition, timestamp);
  KL_ASSIGN_OR_RETURN(const ConsumerPartitions found, LookUp(timestamps, timeout));
  Offsets offsets;
  for (const ConsumerPartitionRef& partition : found) {
    offsets.emplace(ToPublic(partition->tp), partition->position->value());
    const auto assigned = partitions_.find(partition->tp);
    if (assigned == partitions_.end() || !partition->high_watermark.has_value()) continue;
    assigned->second->high_watermark = partition->high_watermark;
  }
  return offsets;
}

absl::StatusOr<ConsumerEngine::OffsetsByTime> ConsumerEngine::OffsetsForTimes(
    const std::map<TopicPartition, int64_t>& timestamps_ms, Timeout timeout) {
  for (const auto& [partition, timestamp] : timestamps_ms) {
    if (timestamp >= 0) continue;
    return absl::InvalidArgumentError(base::ToAbsl(base::Cat(
        "the timestamp to look up in ", Describe(partition), " is negative: ", timestamp)));
  }
  KL_ASSIGN_OR_RETURN(const ConsumerPartitions found, LookUp(timestamps_ms, timeout));
  OffsetsByTime offsets;
  for (const ConsumerPartitionRef& partition : found) {
    std::optional<OffsetAndTimestamp>& offset = offsets[ToPublic(partition->tp)];
    if (*partition->position < model::Offset(0)) continue;
    offset = {.offset = partition->position->value(), .timestamp = partition->found_timestamp};
  }
  return offsets;
}

absl::StatusOr<ConsumerPartitions> ConsumerEngine::LookUp(
    const std::map<TopicPartition, int64_t>& timestamps, Timeout timeout) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  ConsumerPartitions partitions;
  for (const auto& [name, timestamp] : timestamps) {
    auto partition = std::make_shared<ConsumerPartition>(ToModel(name));
    partition->lookup_only = true;
    partition->LookUp(timestamp);
    partitions.push_back(std::move(partition));
  }
  KL_RETURN_IF_ERROR(AwaitPositions(partitions, timeout));
  return partitions;
}

// --- Poll ----------------------------------------------------------------------------------------

absl::StatusOr<Records> ConsumerEngine::Poll(milliseconds timeout) {
  KL_RETURN_IF_ERROR(CheckAssigned());
  base::Time now = requests_.Hear(queue_);
  const base::Time deadline = DeadlineAfter(now, timeout);
  // What one partition has left must not keep the others from being asked.
  if (HasBuffered() && requests_.Ask(queue_, /*fetch=*/true, now)) now = requests_.Hear(queue_);
  while (true) {
    if (std::optional<absl::Status> error = TakeError()) return *std::move(error);
    absl::StatusOr<Records> records = TakeRecords();
    if (!records.ok() || !records->empty()) return records;
    // Within a process the answers are there as soon as we have asked.
    if (!requests_.Ask(queue_, /*fetch=*/true, now)) {
      if (absl::Status waited = requests_.Wait(deadline); !waited.ok()) {
        if (absl::IsDeadlineExceeded(waited)) return Records();
        return waited;
      }
    }
    now = requests_.Hear(queue_);
  }
}

bool ConsumerEngine::HasBuffered() const {
  return std::any_of(queue_.begin(), queue_.end(), [](const ConsumerPartitionRef& partition) {
    return !partition->fetched.empty();
  });
}

std::optional<absl::Status> ConsumerEngine::TakeError() {
  for (const ConsumerPartitionRef& partition : queue_) {
    // What became of fetching a paused partition is told when it is resumed.
    if (partition->paused && partition->position.has_value()) continue;
    if (!partition->error.ok()) return std::exchange(partition->error, absl::OkStatus());
  }
  return std::nullopt;
}

absl::StatusOr<Records> ConsumerEngine::TakeRecords() {
  std::shared_ptr<RecordsData> data;
  for (const ConsumerPartitionRef& partition : queue_) {
    FetchedBatches& fetched = partition->fetched;
    if (fetched.empty() || partition->paused) continue;
    if (data == nullptr) data = std::make_shared<RecordsData>(client_->runtime().reader_budget);
    const int64_t room = options_.max_poll_records - data->count();
    if (room <= 0) break;
    const FetchedBatches::Slice slice = fetched.Front(room);
    if (!data->TryCharge(fetched.batches(slice))) break;
    data->Add(partition->tp, slice, fetched.Take(slice));
    partition->position = slice.next;
    records_consumed_ += slice.records;
    bytes_consumed_ += slice.bytes;
  }
  if (data == nullptr) return Records();
  if (data->count() == 0) {
    const base::Budget& budget = *client_->runtime().reader_budget;
    return absl::ResourceExhaustedError(base::ToAbsl(
        base::Cat("Records that are still held take ", budget.used_bytes(), " of ",
                  budget.limit_bytes(), " bytes (ClusterOptions::reader_memory_bytes)")));
  }
  // Who was not served goes first next time.
  std::stable_partition(queue_.begin(), queue_.end(), [&data](const ConsumerPartitionRef& p) {
    return std::none_of(data->parts().begin(), data->parts().end(),
                        [&p](const RecordsData::Part& part) { return part.tp == p->tp; });
  });
  return Records(std::move(data));
}

ConsumerMetrics ConsumerEngine::metrics() const {
  ConsumerMetrics metrics;
  metrics.records_consumed = records_consumed_;
  metrics.bytes_consumed = bytes_consumed_;
  requests_.Count(metrics);
  for (const ConsumerPartitionRef& partition : queue_) {
    metrics.records_lag_max = std::max(metrics.records_lag_max, partition->lag());
  }
  return metrics;
}

}  // namespace kafkalite::client
