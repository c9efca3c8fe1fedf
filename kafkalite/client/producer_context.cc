#include "kafkalite/client/producer_context.h"

#include <algorithm>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/client/partition_sender.h"
#include "kafkalite/client/timeouts.h"

namespace kafkalite::client {
namespace {

constexpr size_t kSpareBatches = 64;
// How far the wall clock may be carried on by the other one.
constexpr base::Duration kWallClockAge = std::chrono::milliseconds(100);

std::map<std::string, TopicSettings, std::less<>> SettingsOfTopics(const ProducerOptions& options) {
  std::map<std::string, TopicSettings, std::less<>> settings;
  for (const auto& [name, topic] : options.topics) {
    settings.emplace(name, TopicSettings::Of(options, topic));
  }
  return settings;
}

base::Duration TickPeriod(const ProducerOptions& options) {
  auto timeout = std::min(options.request_timeout, options.delivery_timeout);
  for (const auto& [name, topic] : options.topics) {
    timeout = std::min(timeout, topic.delivery_timeout.value_or(timeout));
  }
  const base::Duration shortest = ToDuration(timeout);
  return std::clamp<base::Duration>(shortest / 4, std::chrono::milliseconds(5),
                                    std::chrono::seconds(1));
}

}  // namespace

absl::Status ShutDownError() { return absl::FailedPreconditionError("the cluster is shut down"); }

ProducerContext::ProducerContext(std::shared_ptr<ClusterClient> cluster,
                                 const ProducerOptions& options)
    : cluster_(std::move(cluster)),
      options_(options),
      settings_(TopicSettings::Of(options)),
      topic_settings_(SettingsOfTopics(options)),
      idempotent_(settings_.idempotent ||
                  std::any_of(topic_settings_.begin(), topic_settings_.end(),
                              [](const auto& topic) { return topic.second.idempotent; })),
      tick_period_(TickPeriod(options)),
      request_timeout_ticks_(
          static_cast<uint64_t>(ToDuration(options.request_timeout) / tick_period_) + 1),
      reports_(std::make_shared<ReportQueue>(cluster_->runtime().executor)),
      ids_(std::make_shared<ProducerIds>(cluster_, ToDuration(options.request_timeout))),
      budget_(options.buffer_memory_bytes),
      packing_(cluster_->runtime().executor->MakeWorkQueue()) {
  const auto add = [this](const TopicSettings& settings) {
    const base::Duration linger = ToDuration(settings.linger);
    linger_timers_.try_emplace(linger, linger);
  };
  add(settings_);
  for (const auto& [name, settings] : topic_settings_) add(settings);
}

const TopicSettings& ProducerContext::SettingsOf(std::string_view topic) const {
  const auto found = topic_settings_.find(topic);
  return found == topic_settings_.end() ? settings_ : found->second;
}

ProducerContext::LingerTimer& ProducerContext::TimerOf(const TopicSettings& settings) {
  return linger_timers_.at(ToDuration(settings.linger));
}

void ProducerContext::AddSender(std::weak_ptr<PartitionSender> sender) {
  base::MutexLock lock(mu_);
  senders_.push_back(std::move(sender));
}

std::vector<std::shared_ptr<PartitionSender>> ProducerContext::Senders() {
  std::vector<std::shared_ptr<PartitionSender>> senders;
  base::MutexLock lock(mu_);
  senders.reserve(senders_.size());
  for (const std::weak_ptr<PartitionSender>& weak : senders_) {
    if (auto sender = weak.lock()) senders.push_back(std::move(sender));
  }
  return senders;
}

std::unique_ptr<SendBatch> ProducerContext::Prepare(size_t limit_bytes, int64_t charged_bytes,
                                                    bool own_size) {
  const base::Clock& clock = executor().clock();
  const base::Time now = clock.Now();
  int64_t wall_millis;
  std::unique_ptr<SendBatch> batch;
  {
    base::SpinLockHolder lock(batch_mu_);
    if (!spare_.empty()) {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
    if (wall_millis_ < 0 || now - wall_read_ > kWallClockAge) {
      wall_read_ = now;
      wall_millis_ = clock.WallMillis();
    }
    wall_millis = wall_millis_ + (now - wall_read_) / std::chrono::milliseconds(1);
  }
  if (batch == nullptr) batch = std::make_unique<SendBatch>();
  base::Ref<base::Buffer> buffer = runtime().pool->Allocate(limit_bytes);
  batch->bytes = buffer->data();
  batch->builder.emplace(std::move(buffer), limit_bytes, wall_millis);
  batch->result = base::MakeRef<BatchResult>(wall_millis);
  batch->result->AddRef(SendBatch::kTicketReferences);
  batch->own_size = own_size;
  batch->charged_bytes = charged_bytes;
  batch->opened_at = now;
  return batch;
}

void ProducerContext::Discard(std::unique_ptr<SendBatch> batch) {
  batch->result->DropRef(SendBatch::kTicketReferences);
  Recycle(std::move(batch));
}

void ProducerContext::Recycle(std::unique_ptr<SendBatch> batch) {
  const int64_t charged = batch->charged_bytes;
  batch->Clear();
  {
    base::SpinLockHolder lock(batch_mu_);
    if (spare_.size() < kSpareBatches) spare_.push_back(std::move(batch));
  }
  Release(charged);
}

// --- Memory -------------------------------------------------------------------------------------

absl::Status ProducerContext::Charge(int64_t bytes, std::optional<base::Time>& deadline) {
  for (const auto& sender : Senders()) sender->Seal();
  if (budget_.TryCharge(bytes)) return absl::OkStatus();
  const auto exhausted = [&](std::string_view when) {
    buffer_exhausted_.fetch_add(1, std::memory_order_relaxed);
    return absl::ResourceExhaustedError(base::Cat("buffer_memory_bytes: ", budget_.used_bytes(),
                                                  " of ", budget_.limit_bytes(),
                                                  " bytes are in use", when));
  };
  if (PublicCall::InCallback()) return exhausted(", and a callback does not wait");
  if (!deadline) deadline = DeadlineAfter(executor().clock().Now(), options_.max_block);
  buffer_full_waits_.fetch_add(1, std::memory_order_relaxed);
  while (true) {
    const auto released = std::make_shared<base::Completion>();
    {
      base::MutexLock lock(mu_);
      memory_waiters_.push_back(released);
    }
    // In one order with what Release does: either we see what was released, or we are woken.
    waiting_for_memory_.fetch_add(1);
    const bool charged = budget_.TryCharge(bytes);
    absl::Status waited;
    if (!charged) waited = PublicCall::Block(executor(), *released, *deadline);
    waiting_for_memory_.fetch_sub(1);
    if (charged || budget_.TryCharge(bytes)) return absl::OkStatus();
    if (shut_down()) return ShutDownError();
    if (absl::IsDeadlineExceeded(waited)) {
      return exhausted(base::Cat(" after ", options_.max_block.count(), " ms (max_block)"));
    }
    if (!waited.ok()) return waited;
  }
}

void ProducerContext::Release(int64_t bytes) {
  budget_.Release(bytes);
  if (waiting_for_memory_.load() == 0) return;
  std::vector<std::shared_ptr<base::Completion>> waiters;
  {
    base::MutexLock lock(mu_);
    waiters.swap(memory_waiters_);
  }
  for (const auto& waiter : waiters) waiter->Signal();
}

// --- Timers -------------------------------------------------------------------------------------

void ProducerContext::ArmLinger(LingerTimer& timer) {
  if (timer.linger == base::Duration::zero()) return;
  if (timer.pending.load(std::memory_order_seq_cst) || timer.pending.exchange(true)) return;
  PostLinger(timer, timer.linger);
}

void ProducerContext::PostLinger(LingerTimer& timer, base::Duration delay) {
  cluster_->After(delay, TimerOnce([weak = weak_from_this(), &timer](bool in_time) {
                    const auto self = weak.lock();
                    if (self == nullptr) return;
                    in_time ? self->OnLinger(timer) : self->OnClusterClosed();
                  }));
}

void ProducerContext::OnLinger(LingerTimer& timer) {
  // First the flag: whoever opens a batch from here on arms the timer itself.
  timer.pending.store(false);
  const base::Time now = executor().clock().Now();
  base::Time oldest = base::Time::max();
  for (const auto& sender : Senders()) {
    if (&sender->linger_timer() != &timer) continue;
    oldest = std::min(oldest, sender->SealIfOpenedBefore(now - timer.linger));
  }
  if (oldest == base::Time::max() || timer.pending.exchange(true)) return;
  PostLinger(timer, oldest + timer.linger - now);
}

void ProducerContext::ArmTick() {
  if (tick_pending_.load(std::memory_order_seq_cst) || tick_pending_.exchange(true)) return;
  cluster_->After(tick_period_, TimerOnce([weak = weak_from_this()](bool in_time) {
                    const auto self = weak.lock();
                    if (self == nullptr) return;
                    in_time ? self->OnTick() : self->OnClusterClosed();
                  }));
}

void ProducerContext::OnTick() {
  tick_pending_.store(false);
  const uint64_t tick = tick_.fetch_add(1, std::memory_order_relaxed) + 1;
  const base::Time now = executor().clock().Now();
  bool under_way = false;
  for (const auto& sender : Senders()) under_way |= sender->Tick(now, tick);
  if (under_way) ArmTick();
}

ProducerMetrics ProducerContext::metrics() {
  ProducerMetrics metrics;
  LatencyHistogram latencies;
  for (const auto& sender : Senders()) sender->Count(metrics, latencies);
  metrics.request_latency = latencies.Summary();
  metrics.records_failed += refused_.load(std::memory_order_relaxed);
  metrics.buffer_used_bytes = budget_.used_bytes();
  metrics.buffer_total_bytes = budget_.limit_bytes();
  metrics.buffer_full_waits = buffer_full_waits_.load(std::memory_order_relaxed);
  metrics.buffer_exhausted = buffer_exhausted_.load(std::memory_order_relaxed);
  return metrics;
}

void ProducerContext::OnClusterClosed() {
  ids_->Stop(ShutDownError());
  for (const auto& sender : Senders()) sender->Fail(ShutDownError());
}

}  // namespace kafkalite::client
