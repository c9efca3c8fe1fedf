#include "kafkalite/storage/memory/memory_storage.h"

#include <algorithm>
#include <deque>
#include <string>

#include "kafkalite/base/buffer.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/storage/find_record.h"

namespace kafkalite::storage {

using format::Batch;
using format::BatchHeader;
using model::Offset;

// What a log holds, apart from who has it open.
struct MemoryLogData {
  MemoryLogData(model::LogId id_in, std::shared_ptr<base::Budget> budget_in)
      : id(id_in), budget(std::move(budget_in)) {}
  ~MemoryLogData() {
    while (!batches.empty()) DropFront();
  }

  bool Add(const Batch& batch);
  void DropFront() {
    Discharge(batches.front());
    batches.pop_front();
  }
  void DropBack() {
    Discharge(batches.back());
    batches.pop_back();
  }
  void Discharge(const Batch& batch);

  const model::LogId id;
  const std::shared_ptr<base::Budget> budget;
  std::deque<Batch> batches;
  Offset start;
  Offset end;
  int64_t size_bytes = 0;
  Offset high_watermark;
  Log::Metadata metadata;
};

bool MemoryLogData::Add(const Batch& batch) {
  if (base::Buffer* buffer = batch.body.buffer().get()) {
    const auto capacity = static_cast<int64_t>(buffer->capacity());
    if (buffer->log_references().fetch_add(1, std::memory_order_relaxed) == 0 &&
        !budget->TryCharge(capacity)) {
      buffer->log_references().fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
  }
  size_bytes += static_cast<int64_t>(batch.size_bytes());
  batches.push_back(batch);
  return true;
}

void MemoryLogData::Discharge(const Batch& batch) {
  size_bytes -= static_cast<int64_t>(batch.size_bytes());
  base::Buffer* buffer = batch.body.buffer().get();
  if (buffer != nullptr && buffer->log_references().fetch_sub(1, std::memory_order_relaxed) == 1) {
    budget->Release(static_cast<int64_t>(buffer->capacity()));
  }
}

namespace {

class MemoryLog final : public Log {
 public:
  explicit MemoryLog(std::shared_ptr<MemoryLogData> data) : data_(std::move(data)) {}

  model::LogId id() const override { return data_->id; }
  Offset start_offset() const override { return data_->start; }
  Offset end_offset() const override { return data_->end; }
  int64_t size_bytes() const override { return data_->size_bytes; }

  void Configure(const model::TopicConfig&) override {}
  // Nothing is under way, ever: what is appended is as safe as it will be.
  Progress progress() const override { return {.written = data_->end, .synced = data_->end}; }
  void SetListener(Listener) override {}
  absl::Status Append(std::span<const Batch> batches) override;
  void Sync() override {}
  absl::StatusOr<ReadResult> Read(Offset from, const ReadLimits& limits) const override;
  void FindByTimestamp(int64_t timestamp, Offset max_offset, FindCallback callback) const override {
    callback(FindRecord(timestamp, max_offset));
  }
  void VisitHeaders(Offset from, HeaderVisitor visit, DoneCallback done) const override {
    for (auto it = Find(from); it != data_->batches.end(); ++it) visit(it->header);
    done(absl::OkStatus());
  }
  absl::Status TruncateSuffix(Offset end) override;
  absl::Status TruncatePrefix(Offset start) override;
  absl::Status Retain(const Retention& retention) override;
  void WriteMetadata(std::string_view name, std::string_view bytes) override {
    data_->metadata.insert_or_assign(std::string(name), std::string(bytes));
  }
  void DeleteMetadata(std::string_view name) override { data_->metadata.erase(std::string(name)); }
  void ReadMetadata(MetadataCallback callback) const override { callback(data_->metadata); }
  Offset metadata_end() const override { return data_->end; }
  void KeepHighWatermark(Offset high_watermark) override { data_->high_watermark = high_watermark; }
  Offset kept_high_watermark() const override {
    return std::clamp(data_->high_watermark, data_->start, data_->end);
  }

 private:
  // The first batch that ends after `offset`.
  std::deque<Batch>::const_iterator Find(Offset offset) const {
    // Followers and tailing readers ask for the last batch: no search then.
    if (data_->batches.empty() || data_->batches.back().header.next_offset() <= offset) {
      return data_->batches.end();
    }
    if (data_->batches.back().header.base_offset <= offset) return data_->batches.end() - 1;
    return std::partition_point(
        data_->batches.begin(), data_->batches.end(),
        [offset](const Batch& batch) { return batch.header.next_offset() <= offset; });
  }

  std::optional<TimestampAndOffset> FindRecord(int64_t timestamp, Offset max_offset) const;

  const std::shared_ptr<MemoryLogData> data_;
};

absl::Status MemoryLog::Append(std::span<const Batch> batches) {
  for (size_t i = 0; i < batches.size(); ++i) {
    if (data_->Add(batches[i])) continue;
    for (; i > 0; --i) data_->DropBack();
    return absl::ResourceExhaustedError(
        base::Cat("the in-memory logs hold ", data_->budget->used_bytes(), " of ",
                  data_->budget->limit_bytes(),
                  " bytes: raise ClusterOptions::log_memory_bytes or bound the retention"));
  }
  if (!batches.empty()) data_->end = batches.back().header.next_offset();
  return absl::OkStatus();
}

absl::StatusOr<ReadResult> MemoryLog::Read(Offset from, const ReadLimits& limits) const {
  if (from < data_->start || from > data_->end) {
    return absl::OutOfRangeError(base::Cat("offset ", from.value(), " is outside of the log's [",
                                           data_->start.value(), ", ", data_->end.value(), "]"));
  }
  ReadResult result;
  size_t bytes = 0;
  for (auto it = Find(from); it != data_->batches.end(); ++it) {
    if (it->header.next_offset() > limits.max_offset) break;
    if (!result.batches.empty() && bytes + it->size_bytes() > limits.max_bytes) break;
    bytes += it->size_bytes();
    result.batches.push_back(*it);
  }
  return result;
}

std::optional<TimestampAndOffset> MemoryLog::FindRecord(int64_t timestamp,
                                                        Offset max_offset) const {
  const auto pool = base::BufferPool::Create(0);  // for what is unpacked
  for (const Batch& batch : data_->batches) {
    if (batch.header.base_offset >= max_offset) break;
    if (batch.header.max_timestamp < timestamp) continue;
    const auto record = storage::FindRecord(batch, timestamp, data_->start, max_offset, *pool);
    if (record.ok() && record->has_value()) return *record;
  }
  return std::nullopt;
}

absl::Status MemoryLog::TruncateSuffix(Offset end) {
  if (end >= data_->end) return absl::OkStatus();
  // A batch that straddles `end` goes whole, so the log may end before it.
  Offset new_end = end;
  while (!data_->batches.empty() && data_->batches.back().header.next_offset() > end) {
    new_end = std::min(new_end, data_->batches.back().header.base_offset);
    data_->DropBack();
  }
  data_->end = new_end;
  data_->start = std::min(data_->start, new_end);
  return absl::OkStatus();
}

absl::Status MemoryLog::TruncatePrefix(Offset start) {
  if (start <= data_->start) return absl::OkStatus();
  while (!data_->batches.empty() && data_->batches.front().header.next_offset() <= start) {
    data_->DropFront();
  }
  data_->start = start;
  data_->end = std::max(data_->end, start);
  return absl::OkStatus();
}

absl::Status MemoryLog::Retain(const Retention& retention) {
  auto& batches = data_->batches;
  const auto droppable = [&](const Batch& batch) {
    if (batch.header.next_offset() > retention.keep_from) return false;
    if (retention.oldest_timestamp >= 0 &&
        batch.header.max_timestamp < retention.oldest_timestamp) {
      return true;
    }
    return retention.retained_bytes >= 0 &&
           data_->size_bytes - static_cast<int64_t>(batch.size_bytes()) >= retention.retained_bytes;
  };
  while (!batches.empty() && droppable(batches.front())) {
    data_->start = std::max(data_->start, batches.front().header.next_offset());
    data_->DropFront();
  }
  return absl::OkStatus();
}

}  // namespace

MemoryStorage::MemoryStorage(std::shared_ptr<base::Budget> budget) : budget_(std::move(budget)) {}
MemoryStorage::~MemoryStorage() = default;

absl::StatusOr<std::unique_ptr<Log>> MemoryStorage::Open(const model::TopicPartition& tp,
                                                         model::LogId new_id) {
  base::MutexLock lock(mu_);
  std::shared_ptr<MemoryLogData>& data = logs_[tp];
  if (data == nullptr) data = std::make_shared<MemoryLogData>(new_id, budget_);
  return std::make_unique<MemoryLog>(data);
}

std::vector<std::pair<model::TopicPartition, model::LogId>> MemoryStorage::List() const {
  base::MutexLock lock(mu_);
  std::vector<std::pair<model::TopicPartition, model::LogId>> list;
  for (const auto& [tp, data] : logs_) list.emplace_back(tp, data->id);
  return list;
}

void MemoryStorage::Delete(const model::TopicPartition& tp, Log::DoneCallback done) {
  {
    base::MutexLock lock(mu_);
    logs_.erase(tp);
  }
  done(absl::OkStatus());
}

}  // namespace kafkalite::storage
