#include "kafkalite/client/consumer_requests.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/transport/client_service.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;

// A broker that answers sooner than this that it has nothing is not asked again before.
constexpr base::Duration kEmptyPause = std::chrono::milliseconds(1);

}  // namespace

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

ConsumerRequests::ConsumerRequests(std::shared_ptr<ClusterClient> client,
                                   const ConsumerOptions& options)
    : client_(std::move(client)), options_(options), inbox_(std::make_shared<ConsumerInbox>()) {
  client_->runtime().AddClosedListener(inbox_);
}

ConsumerRequests::~ConsumerRequests() { inbox_->Close(); }

void ConsumerRequests::Count(ConsumerMetrics& metrics) const {
  metrics.fetches = fetches_.value();
  metrics.bytes_fetched = fetched_bytes_.value();
  LatencyHistogram latency;
  latency.Add(fetch_latency_);
  metrics.fetch_latency = latency.Summary();
}

absl::Status ConsumerRequests::Wait(base::Time deadline) {
  KL_RETURN_IF_ERROR(client_->CheckOpen());
  if (const std::shared_ptr<base::Completion> answered = inbox_->AwaitAnswer()) {
    const absl::Status waited =
        PublicCall::Block(*client_->runtime().executor, *answered, std::min(deadline, wake_at_));
    // To wake for the next thing to do is no failure; the deadline is.
    if (!waited.ok() && !(absl::IsDeadlineExceeded(waited) && wake_at_ < deadline)) return waited;
  }
  return client_->CheckOpen();
}

base::Time ConsumerRequests::Hear(const ConsumerPartitions& partitions) {
  const base::Time now = Now();
  ConsumerInbox::Answers answers = inbox_->Take();
  for (const auto& [topic, result] : answers.topics) OnTopic(topic, result, partitions, now);
  for (const auto& answer : answers.offsets) OnOffsets(answer.id, answer.response, now);
  for (auto& answer : answers.batches) OnFetched(std::move(answer), now);
  Expire(now);
  return now;
}

void ConsumerRequests::OnTopic(const std::string& topic, const absl::StatusOr<Metadata>& result,
                               const ConsumerPartitions& partitions, base::Time now) {
  refreshing_.erase(topic);
  for (const ConsumerPartitionRef& partition : partitions) {
    if (partition->tp.topic != topic || partition->leader != model::kNoBroker) continue;
    const auto number = static_cast<size_t>(partition->tp.partition.value());
    if (result.ok() && number < (*result)->partitions.size()) {
      partition->leader = (*result)->partitions[number].leader;
      partition->leader_epoch = (*result)->partitions[number].leader_epoch;
      if (partition->leader == model::kNoBroker) partition->Fail(now);
      continue;
    }
    partition->Fail(now);
    if (result.ok() || absl::IsNotFound(result.status())) {
      partition->error = absl::NotFoundError(base::ToAbsl("there is no " + partition->Describe()));
    } else if (!absl::IsUnavailable(result.status())) {
      partition->error = result.status();
    }
  }
}

void ConsumerRequests::OnOffsets(uint64_t id,
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
      partition->Fail(now);
    }
  }
}

void ConsumerRequests::OnOffset(ConsumerPartition& partition,
                                const protocol::ListOffsetsResponse::Partition& answer,
                                base::Time now) {
  if (answer.error != ErrorCode::kNone) return OnError(partition, answer.error, now);
  const bool none_is_an_answer = partition.lookup_only && *partition.lookup >= 0;
  if (answer.offset >= model::Offset(0) || none_is_an_answer) {
    if (partition.lookup == protocol::kLatestTimestamp) partition.high_watermark = answer.offset;
    partition.position = answer.offset;
    partition.found_timestamp = answer.timestamp;
    partition.lookup.reset();
  } else if (partition.lookup != protocol::kLatestTimestamp) {
    partition.lookup = protocol::kLatestTimestamp;  // no record is that young
  } else {
    partition.Fail(now);
  }
}

void ConsumerRequests::OnFetched(ConsumerInbox::Answer<protocol::FetchResponse> answered,
                                 base::Time now) {
  const auto request = pending_.extract(answered.id);
  if (request.empty()) return;
  const Pending& pending = request.mapped();
  fetches_.Add(1);
  fetch_latency_.Add(answered.received - pending.sent);
  absl::StatusOr<protocol::FetchResponse>& answer = answered.response;
  bool nothing = answer.ok();
  for (size_t i = 0; i < pending.partitions.size(); ++i) {
    const auto& [partition, generation] = pending.partitions[i];
    const bool has_answer = answer.ok() && i < answer->partitions.size();
    if (has_answer) {
      nothing = nothing && answer->partitions[i].error == ErrorCode::kNone &&
                answer->partitions[i].batches.empty();
    }
    if (partition->generation != generation) continue;
    partition->asked = false;
    if (has_answer) {
      OnBatches(*partition, answer->partitions[i], now);
    } else {
      partition->Fail(now);
    }
  }
  // Somebody who does not wait for records, though asked to, must not keep us busy.
  if (!nothing || now - pending.sent >= kEmptyPause) return;
  for (const auto& [partition, generation] : pending.partitions) {
    partition->retry_at = std::max(partition->retry_at, pending.sent + kEmptyPause);
  }
}

absl::Status ConsumerRequests::Unpack(std::vector<format::Batch>& batches) {
  for (format::Batch& batch : batches) {
    if (format::CodecOf(batch.header) == format::Codec::kNone) continue;
    KL_ASSIGN_OR_RETURN(
        batch, format::DecompressBatch(batch, format::kMaxRecordsBytes, *client_->runtime().pool));
  }
  return absl::OkStatus();
}

void ConsumerRequests::OnBatches(ConsumerPartition& partition,
                                 protocol::FetchResponse::Partition& answer, base::Time now) {
  if (answer.error == ErrorCode::kOffsetOutOfRange) return OnOutOfRange(partition, now);
  if (answer.error != ErrorCode::kNone) return OnError(partition, answer.error, now);
  partition.pause = base::Duration::zero();
  partition.high_watermark = answer.high_watermark;
  // What ends below the position was not asked for.
  std::vector<format::Batch>& batches = answer.batches;
  const auto first =
      std::find_if(batches.begin(), batches.end(), [&partition](const format::Batch& batch) {
        return batch.header.next_offset() > *partition.position;
      });
  batches.erase(batches.begin(), first);
  if (batches.empty()) return;
  for (const format::Batch& batch : batches) {
    fetched_bytes_.Add(static_cast<int64_t>(batch.size_bytes()));
  }
  if (absl::Status unpacked = Unpack(batches); !unpacked.ok()) {
    partition.error = absl::DataLossError(base::Cat(partition.Describe(), " at offset ",
                                                    partition.position->value(), ": ",
                                                    base::ToStd(unpacked.message())));
    return;
  }
  const model::Offset next = batches.back().header.next_offset();
  partition.fetched.Assign(*partition.position, std::move(batches));
  if (partition.fetched.empty()) partition.position = next;  // nothing there that users see
}

void ConsumerRequests::OnOutOfRange(ConsumerPartition& partition, base::Time now) {
  const std::optional<int64_t> reset = ResetTimestamp(options_.auto_offset_reset);
  if (!reset.has_value()) {
    partition.error = absl::OutOfRangeError(base::ToAbsl(
        base::Cat("position ", partition.position->value(), " of ", partition.Describe(),
                  " is outside of the log, and auto_offset_reset is kError")));
    return;
  }
  partition.Fail(now);  // a broker that says so again and again must not keep us busy
  partition.LookUp(*reset);
}

void ConsumerRequests::OnError(ConsumerPartition& partition, ErrorCode error, base::Time now) {
  partition.Fail(now);
  // That a record is corrupt is no better at another time.
  if (!model::IsRetriable(error) || error == ErrorCode::kCorruptMessage) {
    partition.error = model::ToStatus(error, partition.Describe());
  }
}

void ConsumerRequests::Expire(base::Time now) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    for (const auto& [partition, generation] : it->second.partitions) {
      if (partition->generation != generation) continue;
      partition->asked = false;
      partition->Fail(now);
    }
    it = pending_.erase(it);
  }
}

bool ConsumerRequests::Ask(const ConsumerPartitions& partitions, bool fetch, base::Time now) {
  wake_at_ = base::Time::max();
  bool asked = false;
  std::set<std::string> topics;
  std::map<model::BrokerId, ConsumerPartitions> offsets;
  std::map<model::BrokerId, ConsumerPartitions> batches;
  for (const ConsumerPartitionRef& partition : partitions) {
    if (partition->asked || !partition->error.ok() || !partition->fetched.empty()) continue;
    if (partition->retry_at > now) {
      wake_at_ = std::min(wake_at_, partition->retry_at);
    } else if (!partition->position.has_value() && !partition->lookup.has_value()) {
      partition->error = absl::OutOfRangeError(base::ToAbsl(
          partition->Describe() + " has no position, and auto_offset_reset is kError: seek first"));
      asked = true;
    } else if (partition->leader == model::kNoBroker) {
      if (!refreshing_.contains(partition->tp.topic)) topics.insert(partition->tp.topic);
    } else if (!partition->position.has_value()) {
      offsets[partition->leader].push_back(partition);
    } else if (fetch && !partition->paused) {
      batches[partition->leader].push_back(partition);
    }
  }
  AskForTopics(topics);
  for (const auto& [broker, wanted] : offsets) AskForOffsets(broker, wanted, now);
  for (const auto& [broker, wanted] : batches) AskForBatches(broker, wanted, now);
  for (const auto& [id, pending] : pending_) wake_at_ = std::min(wake_at_, pending.deadline);
  return asked || !topics.empty() || !offsets.empty() || !batches.empty();
}

void ConsumerRequests::AskForTopics(const std::set<std::string>& topics) {
  refreshing_.insert(topics.begin(), topics.end());
  for (const std::string& topic : topics) {
    client_->Refresh(topic, ToDuration(options_.request_timeout),
                     [inbox = inbox_, topic](absl::StatusOr<Metadata> result) {
                       inbox->Add({topic, std::move(result)});
                     });
  }
}

uint64_t ConsumerRequests::AddPending(const ConsumerPartitions& partitions, base::Time now,
                                      base::Duration timeout) {
  const uint64_t id = next_id_++;
  Pending& pending = pending_[id];
  pending.sent = now;
  pending.deadline = base::SaturatingAdd(now, timeout);
  pending.partitions.reserve(partitions.size());
  for (const ConsumerPartitionRef& partition : partitions) {
    partition->asked = true;
    pending.partitions.emplace_back(partition, partition->generation);
  }
  return id;
}

void ConsumerRequests::AskForOffsets(model::BrokerId broker, const ConsumerPartitions& partitions,
                                     base::Time now) {
  protocol::ListOffsetsRequest request;
  for (const ConsumerPartitionRef& partition : partitions) {
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

void ConsumerRequests::AskForBatches(model::BrokerId broker, const ConsumerPartitions& partitions,
                                     base::Time now) {
  protocol::FetchRequest request{.max_wait = options_.fetch_max_wait,
                                 .min_bytes = options_.fetch_min_bytes,
                                 .max_bytes = options_.fetch_max_bytes,
                                 .partitions = {}};
  request.partitions.reserve(partitions.size());
  for (const ConsumerPartitionRef& partition : partitions) {
    request.partitions.push_back({.tp = partition->tp,
                                  .current_leader_epoch = partition->leader_epoch,
                                  .fetch_offset = *partition->position,
                                  .max_bytes = options_.max_partition_fetch_bytes});
  }
  const uint64_t id = AddPending(
      partitions, now, ToDuration(options_.fetch_max_wait) + ToDuration(options_.request_timeout));
  client_->Channel(broker)->Fetch(
      std::move(request), ReplyOnce([inbox = inbox_, id, executor = client_->runtime().executor](
                                        absl::StatusOr<protocol::FetchResponse> answer) {
        inbox->Add({id, std::move(answer), executor->clock().Now()});
      }));
}

}  // namespace kafkalite::client
