#include "kafkalite/client/producer_engine.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/batch_result.h"
#include "kafkalite/client/producer_settings.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::client {
namespace {

// How long Close waits for callbacks of other threads.
constexpr std::chrono::seconds kCloseTimeout{10};

// Waits for the first producer id.
absl::Status AcquireIdentity(ProducerContext& context) {
  struct Wait {
    base::Completion done;
    absl::Status status;
  };
  const auto wait = std::make_shared<Wait>();
  context.ids().Acquire([wait](const absl::StatusOr<ProducerIdentity>& identity) {
    wait->status = identity.status();
    wait->done.Signal();
  });
  if (!wait->done.signalled()) {
    const base::Time deadline =
        DeadlineAfter(context.executor().clock().Now(), context.options().max_block);
    const absl::Status waited = PublicCall::Block(context.executor(), wait->done, deadline);
    if (!waited.ok()) {
      const absl::Status why = context.ids().last_error();
      context.ids().Stop(absl::CancelledError("given up"));
      if (!absl::IsDeadlineExceeded(waited)) return waited;
      return absl::UnavailableError(base::Cat("no producer id within ",
                                              context.options().max_block.count(),
                                              " ms (max_block): ", base::ToStd(why.message())));
    }
  }
  if (wait->status.ok() || absl::IsFailedPrecondition(wait->status)) return wait->status;
  return absl::UnavailableError(base::Cat("no producer id: ", base::ToStd(wait->status.message())));
}

size_t BodyLimit(const ProducerContext& context, int32_t batch_size_bytes,
                 const TopicMetadata& topic) {
  // A batch that the topic refuses would take records with it that fit.
  const auto size =
      static_cast<size_t>(std::clamp(batch_size_bytes, 0, std::max(topic.max_message_bytes, 0)));
  const size_t body = size > format::kBatchHeaderBytes ? size - format::kBatchHeaderBytes : 0;
  return std::min(body, static_cast<size_t>(context.options().max_request_size_bytes));
}

// Names are short: this is quicker than a call of memcmp.
inline bool Equal(std::string_view a, std::string_view b) {
  const size_t size = a.size();
  if (size != b.size()) return false;
  if (size < 8 || size > 16) return a == b;
  uint64_t a_first, a_last, b_first, b_last;
  std::memcpy(&a_first, a.data(), 8);
  std::memcpy(&b_first, b.data(), 8);
  std::memcpy(&a_last, a.data() + size - 8, 8);
  std::memcpy(&b_last, b.data() + size - 8, 8);
  return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
}

// What the pool makes of a request for so many bytes.
int64_t CapacityOf(size_t bytes) {
  return static_cast<int64_t>(std::max<size_t>(std::bit_ceil(bytes), 256));
}

// Equal names put different producers of a cluster into different places, equal runs into equal.
uint64_t SeedOf(std::string_view topic, int32_t client) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(client)) << 32) |
         static_cast<uint32_t>(Murmur2(topic));
}

}  // namespace

absl::StatusOr<std::shared_ptr<ProducerEngine>> ProducerEngine::Create(
    std::shared_ptr<ClientRuntime> runtime, const ProducerOptions& options) {
  PublicCall call;
  KL_RETURN_IF_ERROR(ValidateOptions(options));
  if (runtime->closed.load()) return ShutDownError();
  auto context =
      std::make_shared<ProducerContext>(ClusterClient::Create(std::move(runtime)), options);
  if (context->idempotent()) KL_RETURN_IF_ERROR(AcquireIdentity(*context));
  context->runtime().AddClosedListener(context);
  return std::shared_ptr<ProducerEngine>(new ProducerEngine(std::move(context)));
}

ProducerEngine::ProducerEngine(std::shared_ptr<ProducerContext> context)
    : context_(std::move(context)),
      shut_down_(context_->runtime().closed),
      max_record_bytes_(static_cast<size_t>(context_->options().max_request_size_bytes)) {}

Ticket ProducerEngine::Send(const Record& record) {
  PublicCall call;
  Ticket ticket;
  ticket.index_ = TryAppend(record, nullptr, &ticket.result_);
  if (ticket.index_ >= 0) [[likely]]
    return ticket;
  const bool needs_batch = ticket.index_ == PartitionSender::kNoBatch;
  Patience patience;
  if (absl::Status status = Append(record, nullptr, &ticket, needs_batch, patience); !status.ok())
      [[unlikely]] {
    context_->CountRefused();
    ticket.result_ = new BatchResult(std::move(status));
    ticket.result_->AddRef();
  }
  return ticket;
}

void ProducerEngine::Send(const Record& record, DeliveryCallback callback) {
  PublicCall call;
  DeliveryCallback* const wanted = callback ? &callback : nullptr;
  const int32_t index = TryAppend(record, wanted, nullptr);
  if (index >= 0) [[likely]]
    return;
  const bool needs_batch = index == PartitionSender::kNoBatch;
  Patience patience;
  absl::Status status = Append(record, wanted, nullptr, needs_batch, patience);
  if (status.ok()) [[likely]]
    return;
  context_->CountRefused();
  if (wanted == nullptr) return;
  context_->reports().Add([callback = std::move(callback), status = std::move(status)]() mutable {
    callback(absl::StatusOr<RecordMetadata>(std::move(status)));
  });
}

ProducerEngine::Topic* ProducerEngine::FindTopic(std::string_view name) const {
  Topic* const topic = recent_[SlotOf(name)].load(std::memory_order_acquire);
  return topic != nullptr && Equal(topic->name, name) ? topic : nullptr;
}

int32_t ProducerEngine::TryAppend(const Record& record, DeliveryCallback* callback,
                                  BatchResult** result) const {
  if (shut_down_.load(std::memory_order_relaxed) || !record.headers.empty() ||
      record.timestamp.has_value()) [[unlikely]] {
    return PartitionSender::kUncommon;
  }
  const Topic* const topic = FindTopic(record.topic);
  if (topic == nullptr || !topic->by_default) [[unlikely]]
    return PartitionSender::kUncommon;
  PartitionSender* const sender = ChooseSender(*topic, record, std::nullopt);
  if (sender == nullptr) [[unlikely]]
    return PartitionSender::kUncommon;
  return sender->TryAppend(record, callback, result);
}

absl::Status ProducerEngine::Append(const Record& record, DeliveryCallback* callback,
                                    Ticket* ticket, bool needs_batch, Patience& patience) {
  if (context_->shut_down()) [[unlikely]]
    return ShutDownError();
  if (record.timestamp.value_or(0) < 0) [[unlikely]] {
    return absl::InvalidArgumentError(
        base::Cat("the record's timestamp is negative: ", *record.timestamp));
  }
  Topic* topic = FindTopic(record.topic);
  if (topic == nullptr) [[unlikely]] {
    KL_ASSIGN_OR_RETURN(topic, FindTopicSlowly(record.topic, patience));
  }
  absl::InlinedVector<format::Header, 4> copied;
  for (const Header& header : record.headers) copied.push_back({header.key, header.value});
  const std::span<const format::Header> headers(copied.data(), copied.size());

  std::optional<int32_t> asked;
  if (!topic->by_default && !record.partition.has_value()) {
    KL_ASSIGN_OR_RETURN(asked, AskPartitioner(*topic, record));
  }
  std::unique_ptr<SendBatch> batch;
  while (true) {
    if (std::exchange(needs_batch, false)) {
      RefreshIfOld(*topic);
      UpdateIfChanged(*topic);
      KL_ASSIGN_OR_RETURN(batch, OpenBatch(*topic, record, headers, patience));
    }
    PartitionSender* const sender = ChooseSender(*topic, record, asked);
    if (sender == nullptr) [[unlikely]] {
      const int32_t partition = asked.value_or(record.partition.value_or(0));
      KL_RETURN_IF_ERROR(FindPartition(*topic, partition, patience));
      continue;
    }
    const PartitionSender::Appended appended =
        sender->Append(record, headers, batch, callback, ticket != nullptr);
    // First what is full: its memory may serve for the next one.
    if (appended.sealed) sender->AfterSeal();
    using Outcome = PartitionSender::Appended::Outcome;
    if (appended.outcome == Outcome::kNeedsBatch) {
      // The full batch may have made it another partition's turn, which may have an open batch.
      needs_batch = !appended.sealed || ChooseSender(*topic, record, asked) == sender;
      continue;
    }
    if (batch != nullptr) context_->Discard(std::move(batch));
    if (appended.outcome == Outcome::kClosed) {
      return absl::CancelledError("the producer is closed");
    }
    if (appended.opened) sender->ArmLinger();
    if (ticket != nullptr) {
      ticket->result_ = appended.result;
      ticket->index_ = appended.index;
    }
    return absl::OkStatus();
  }
}

absl::Status ProducerEngine::Flush(std::chrono::milliseconds timeout) {
  PublicCall call;
  const std::shared_ptr<ProducerContext> context = context_;  // callbacks may destroy the producer
  if (context->shut_down()) return ShutDownError();
  const base::Time deadline = DeadlineAfter(context->executor().clock().Now(), timeout);
  const auto explain = [&](absl::Status status) {
    if (!absl::IsDeadlineExceeded(status)) return status;
    return absl::DeadlineExceededError(
        base::Cat("records are still under way after ", timeout.count(), " ms"));
  };
  std::vector<std::shared_ptr<base::Completion>> under_way;
  for (const auto& sender : context->Senders()) {
    if (auto done = sender->SealAndAwait()) under_way.push_back(std::move(done));
  }
  for (const auto& done : under_way) {
    KL_RETURN_IF_ERROR(explain(PublicCall::Block(context->executor(), *done, deadline)));
  }
  if (PublicCall::InCallback()) return absl::OkStatus();
  return explain(context->reports().AwaitReported(deadline));
}

void ProducerEngine::Close() {
  PublicCall call;
  context_->ids().Stop(absl::CancelledError("the producer is closed"));
  const auto senders = context_->Senders();
  for (const auto& sender : senders) sender->Close(absl::CancelledError("the producer is closed"));
  context_->reports().Adopt();
  if (PublicCall::InCallback() || base::Strand::InsideAny()) return;
  // Another thread may be inside a callback, or about to report what was cancelled. What callbacks
  // use goes when the producer is gone, so let them end.
  const base::Time deadline = DeadlineAfter(context_->executor().clock().Now(), kCloseTimeout);
  for (const auto& sender : senders) {
    const std::shared_ptr<base::Completion> done = sender->SealAndAwait();
    if (done == nullptr) continue;
    if (!PublicCall::Block(context_->executor(), *done, deadline).ok()) return;
  }
  context_->reports().AwaitReported(deadline).IgnoreError();
}

// --- Topics and partitions ----------------------------------------------------------------------

absl::StatusOr<ProducerEngine::Topic*> ProducerEngine::FindTopicSlowly(std::string_view name,
                                                                       Patience& patience) {
  const auto remember = [&](Topic* topic) {
    recent_[SlotOf(name)].store(topic, std::memory_order_release);
    return topic;
  };
  {
    base::MutexLock lock(mu_);
    const auto found = topics_.find(name);
    if (found != topics_.end()) return remember(found->second.get());
  }
  KL_RETURN_IF_ERROR(model::ValidateTopicName(name));
  std::shared_ptr<const TopicMetadata> metadata = context_->cluster().Find(name);
  if (metadata == nullptr || metadata->partitions.empty()) {
    KL_ASSIGN_OR_RETURN(metadata, AskForTopic(name, patience));
    if (metadata->partitions.empty()) {
      return absl::UnavailableError(base::Cat("topic '", name, "' has no partitions yet"));
    }
  }
  base::MutexLock lock(mu_);
  std::unique_ptr<Topic>& slot = topics_[std::string(name)];
  if (slot == nullptr) {
    slot = std::make_unique<Topic>(name, context_->SettingsOf(name),
                                   SeedOf(name, context_->cluster().client_id()));
    slot->refreshed = context_->executor().clock().Now();
    Update(*slot, *metadata);
  }
  return remember(slot.get());
}

absl::StatusOr<std::shared_ptr<const TopicMetadata>> ProducerEngine::AskForTopic(
    std::string_view name, Patience& patience) {
  struct Wait {
    base::Completion done;
    absl::StatusOr<std::shared_ptr<const TopicMetadata>> metadata;
  };
  const base::Time now = context_->executor().clock().Now();
  patience.engine = shared_from_this();
  if (!patience.deadline) patience.deadline = DeadlineAfter(now, context_->options().max_block);
  const auto wait = std::make_shared<Wait>();
  context_->cluster().Refresh(
      std::string(name), std::max(*patience.deadline - now, base::Duration::zero()),
      [wait](absl::StatusOr<std::shared_ptr<const TopicMetadata>> metadata) {
        wait->metadata = std::move(metadata);
        wait->done.Signal();
      });
  if (!wait->done.signalled()) {
    if (PublicCall::InCallback()) {
      return absl::UnavailableError(
          base::Cat("topic '", name, "' is not known yet, and a callback does not wait for it"));
    }
    const absl::Status waited =
        PublicCall::Block(context_->executor(), wait->done, *patience.deadline);
    if (absl::IsDeadlineExceeded(waited)) {
      return absl::UnavailableError(base::Cat("no metadata of topic '", name, "' within ",
                                              context_->options().max_block.count(),
                                              " ms (max_block)"));
    }
    KL_RETURN_IF_ERROR(waited);
  }
  return wait->metadata;
}

void ProducerEngine::Update(Topic& topic, const TopicMetadata& metadata) {
  const size_t body_limit = BodyLimit(*context_, topic.settings.batch_size_bytes, metadata);
  topic.body_limit.store(body_limit, std::memory_order_relaxed);
  topic.sticky->SetTurnBytes(body_limit);
  const size_t count = metadata.partitions.size();
  if (count == 0) return;
  const Partitions* present = topic.partitions.load(std::memory_order_relaxed);
  if (present == nullptr || present->size() != count) present = Resize(topic, metadata);
  std::vector<bool> has_leader;
  for (size_t i = 0; i < count; ++i) {
    has_leader.push_back(metadata.partitions[i].leader != model::kNoBroker);
    present->has_leader[i].store(has_leader.back(), std::memory_order_relaxed);
  }
  topic.sticky->SetLeaders(has_leader);
}

const ProducerEngine::Partitions* ProducerEngine::Resize(Topic& topic,
                                                         const TopicMetadata& metadata) {
  const size_t count = metadata.partitions.size();
  for (size_t i = topic.all.size(); i < count; ++i) {
    topic.all.push_back(std::make_shared<PartitionSender>(
        context_, topic.settings, topic.sticky,
        model::TopicPartition{topic.name, model::PartitionId(static_cast<int32_t>(i))},
        metadata.partitions[i].leader));
    context_->AddSender(topic.all.back());
  }
  // Fewer than before: the topic was deleted and made anew.
  auto partitions = std::make_unique<Partitions>();
  partitions->senders.assign(topic.all.begin(), topic.all.begin() + static_cast<ptrdiff_t>(count));
  partitions->has_leader = std::make_unique<std::atomic<bool>[]>(count);
  topic.lists.push_back(std::move(partitions));
  topic.partitions.store(topic.lists.back().get(), std::memory_order_release);
  return topic.lists.back().get();
}

void ProducerEngine::RefreshIfOld(Topic& topic) {
  const base::Time now = context_->executor().clock().Now();
  base::Time refreshed = topic.refreshed.load(std::memory_order_relaxed);
  const base::Duration age = ToDuration(context_->options().metadata_max_age);
  if (now - refreshed < age || !topic.refreshed.compare_exchange_strong(refreshed, now)) return;
  context_->cluster().Refresh(topic.name, ToDuration(context_->options().max_block),
                              [context = context_](const auto&) { context->MetadataChanged(); });
}

void ProducerEngine::UpdateIfChanged(Topic& topic) {
  const uint64_t version = context_->metadata_version();
  if (topic.metadata_version.load(std::memory_order_relaxed) == version) return;
  topic.metadata_version.store(version, std::memory_order_relaxed);
  if (const auto metadata = context_->cluster().Find(topic.name)) {
    base::MutexLock lock(mu_);
    Update(topic, *metadata);
  }
}

absl::StatusOr<int32_t> ProducerEngine::AskPartitioner(Topic& topic, const Record& record) {
  const Partitions& partitions = *topic.partitions.load(std::memory_order_acquire);
  const Partitioner& partitioner = topic.settings.partitioner;
  if (partitioner.kind() == Partitioner::Kind::kRoundRobin) {
    return NextInTurn(topic.turn, partitions.leaders());
  }
  const auto count = static_cast<int32_t>(partitions.size());
  const int32_t chosen = partitioner.function()({.topic = record.topic,
                                                 .key = record.key,
                                                 .value = record.value,
                                                 .partitions = count,
                                                 .has_leader = partitions.leaders()});
  if (chosen >= 0 && chosen < count) return chosen;
  return absl::InvalidArgumentError(base::Cat("the partitioner chose partition ", chosen,
                                              " of topic '", topic.name, "', which has ", count));
}

PartitionSender* ProducerEngine::ChooseSender(const Topic& topic, const Record& record,
                                              std::optional<int32_t> asked) {
  int32_t partition;
  if (record.partition.has_value()) {
    partition = *record.partition;
  } else if (asked.has_value()) [[unlikely]] {
    partition = *asked;
  } else if (!record.key.has_value() || topic.ignores_keys) {
    partition = topic.sticky->current();  // before the list, which then has it
  } else {
    partition = -1;
  }
  const Partitions& partitions = *topic.partitions.load(std::memory_order_acquire);
  if (!record.partition.has_value()) {
    const auto count = static_cast<int32_t>(partitions.size());
    if (partition < 0) {
      partition = PartitionOfKey(*record.key, count);
    } else if (partition >= count) [[unlikely]] {
      partition = 0;  // the topic has shrunk just now
    }
  }
  const auto index = static_cast<size_t>(static_cast<uint32_t>(partition));
  return index < partitions.size() ? partitions.senders[index].get() : nullptr;
}

absl::Status ProducerEngine::FindPartition(Topic& topic, int32_t partition, Patience& patience) {
  if (partition >= 0) {
    // The topic may have grown.
    KL_ASSIGN_OR_RETURN(const auto metadata, AskForTopic(topic.name, patience));
    base::MutexLock lock(mu_);
    Update(topic, *metadata);
  }
  const size_t count = topic.partitions.load(std::memory_order_acquire)->size();
  if (partition >= 0 && static_cast<size_t>(partition) < count) return absl::OkStatus();
  return absl::NotFoundError(
      base::Cat("topic '", topic.name, "' has no partition ", partition, ": it has ", count));
}

absl::StatusOr<std::unique_ptr<SendBatch>> ProducerEngine::OpenBatch(
    const Topic& topic, const Record& record, std::span<const format::Header> headers,
    Patience& patience) {
  const size_t needed = format::BatchBuilder::MaxRecordBytes(record.key, record.value, headers);
  if (needed > max_record_bytes_) {
    return absl::InvalidArgumentError(base::Cat("a record of up to ", needed,
                                                " bytes is larger than max_request_size_bytes, ",
                                                max_record_bytes_));
  }
  const size_t body_limit = topic.body_limit.load(std::memory_order_relaxed);
  const bool own_size = needed > body_limit;
  const size_t limit = own_size ? needed : body_limit;
  const int64_t charged = CapacityOf(limit);
  if (static_cast<int64_t>(needed) > context_->options().buffer_memory_bytes) {
    return absl::InvalidArgumentError(base::Cat("a record of up to ", needed,
                                                " bytes does not fit into buffer_memory_bytes, ",
                                                context_->options().buffer_memory_bytes));
  }
  if (!context_->TryCharge(charged)) {
    patience.engine = shared_from_this();
    KL_RETURN_IF_ERROR(context_->Charge(charged, patience.deadline));
  }
  return context_->Prepare(limit, charged, own_size);
}

}  // namespace kafkalite::client
