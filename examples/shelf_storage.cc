#include "examples/shelf_storage.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "examples/cat.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/storage/find_record.h"

namespace kafkalite::examples {

using format::Batch;
using model::Offset;
using storage::ReadLimits;
using storage::ReadResult;

std::shared_ptr<ShelvedLog> Shelf::Take(const Name& name, model::LogId new_id) {
  const std::lock_guard lock(mu_);
  std::shared_ptr<ShelvedLog>& log = logs_[name];
  if (log == nullptr) {
    log = std::make_shared<ShelvedLog>();
    log->id = new_id;
  }
  return log;
}

std::vector<std::pair<model::TopicPartition, model::LogId>> Shelf::List(int32_t broker) const {
  std::vector<std::pair<model::TopicPartition, model::LogId>> list;
  const std::lock_guard lock(mu_);
  for (const auto& [name, log] : logs_) {
    if (name.first == broker) list.emplace_back(name.second, log->id);
  }
  return list;
}

void Shelf::Remove(const Name& name) {
  const std::lock_guard lock(mu_);
  logs_.erase(name);
}

namespace {

class ShelfLog final : public storage::Log {
 public:
  explicit ShelfLog(std::shared_ptr<ShelvedLog> log) : log_(std::move(log)) {}

  model::LogId id() const override { return log_->id; }
  Offset start_offset() const override { return log_->start; }
  Offset end_offset() const override { return log_->end; }
  int64_t size_bytes() const override { return log_->size_bytes; }
  void Configure(const model::TopicConfig&) override {}

  storage::Progress progress() const override {
    return {.written = log_->end, .synced = log_->end};
  }
  void SetListener(Listener) override {}
  void Sync() override {}

  absl::Status Append(std::span<const Batch> batches) override {
    for (const Batch& batch : batches) {
      log_->batches.emplace(batch.header.base_offset, batch);
      log_->size_bytes += static_cast<int64_t>(batch.size_bytes());
      log_->end = batch.header.next_offset();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ReadResult> Read(Offset from, const ReadLimits& limits) const override {
    if (from < log_->start || from > log_->end) {
      return absl::OutOfRangeError(Cat("offset ", from.value(), " is outside of the log's [",
                                       log_->start.value(), ", ", log_->end.value(), "]"));
    }
    ReadResult result;
    size_t bytes = 0;
    for (auto it = Find(from); it != log_->batches.end(); ++it) {
      const Batch& batch = it->second;
      if (batch.header.next_offset() > limits.max_offset) break;
      if (!result.batches.empty() && bytes + batch.size_bytes() > limits.max_bytes) break;
      bytes += batch.size_bytes();
      result.batches.push_back(batch);
    }
    return result;
  }

  void FindByTimestamp(int64_t timestamp, Offset max_offset, FindCallback callback) const override {
    const auto pool = base::BufferPool::Create(0);  // for what is unpacked
    for (const auto& [base_offset, batch] : log_->batches) {
      if (base_offset >= max_offset) break;
      if (batch.header.max_timestamp < timestamp) continue;
      auto found = storage::FindRecord(batch, timestamp, log_->start, max_offset, *pool);
      if (!found.ok() || found->has_value()) return callback(std::move(found));
    }
    callback(std::nullopt);
  }

  void VisitHeaders(Offset from, HeaderVisitor visit, DoneCallback done) const override {
    for (auto it = Find(from); it != log_->batches.end(); ++it) visit(it->second.header);
    done(absl::OkStatus());
  }

  absl::Status TruncateSuffix(Offset end) override {
    if (end >= log_->end) return absl::OkStatus();
    log_->end = end;
    for (auto it = Find(end); it != log_->batches.end(); it = Erase(it)) {
      log_->end = std::min(log_->end, it->first);  // one that straddles `end` goes whole
    }
    log_->start = std::min(log_->start, log_->end);
    return absl::OkStatus();
  }

  absl::Status TruncatePrefix(Offset start) override {
    if (start <= log_->start) return absl::OkStatus();
    auto& batches = log_->batches;
    while (!batches.empty() && batches.begin()->second.header.next_offset() <= start) {
      Erase(batches.begin());
    }
    log_->start = start;
    log_->end = std::max(log_->end, start);
    return absl::OkStatus();
  }

  absl::Status Retain(const Retention& retention) override {
    const auto goes = [&](const Batch& batch) {
      if (batch.header.next_offset() > retention.keep_from) return false;
      const int64_t left = log_->size_bytes - static_cast<int64_t>(batch.size_bytes());
      return batch.header.max_timestamp < retention.oldest_timestamp ||
             (retention.retained_bytes >= 0 && left >= retention.retained_bytes);
    };
    auto& batches = log_->batches;
    while (!batches.empty() && goes(batches.begin()->second)) {
      log_->start = std::max(log_->start, batches.begin()->second.header.next_offset());
      Erase(batches.begin());
    }
    return absl::OkStatus();
  }

  void WriteMetadata(std::string_view name, std::string_view bytes) override {
    log_->metadata.insert_or_assign(std::string(name), std::string(bytes));
  }
  void DeleteMetadata(std::string_view name) override { log_->metadata.erase(std::string(name)); }
  void ReadMetadata(MetadataCallback callback) const override { callback(log_->metadata); }
  Offset metadata_end() const override { return log_->end; }  // it is never behind
  void KeepHighWatermark(Offset high_watermark) override { log_->high_watermark = high_watermark; }
  Offset kept_high_watermark() const override {
    return std::clamp(log_->high_watermark, log_->start, log_->end);
  }

 private:
  using Position = std::map<Offset, Batch>::iterator;

  // The first batch that ends after `offset`.
  Position Find(Offset offset) const {
    const auto after = log_->batches.upper_bound(offset);
    if (after == log_->batches.begin()) return after;
    const auto before = std::prev(after);
    return before->second.header.next_offset() > offset ? before : after;
  }
  Position Erase(Position position) {
    log_->size_bytes -= static_cast<int64_t>(position->second.size_bytes());
    return log_->batches.erase(position);
  }

  const std::shared_ptr<ShelvedLog> log_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<storage::Log>> ShelfStorage::Open(const model::TopicPartition& tp,
                                                                 model::LogId new_id) {
  return std::make_unique<ShelfLog>(shelf_->Take({broker_, tp}, new_id));
}

}  // namespace kafkalite::examples
