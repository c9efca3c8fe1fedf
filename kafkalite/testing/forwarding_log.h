// File: forwarding_log.h
//
// A log that hands every call to another one. For logs that do one thing otherwise.

#ifndef KAFKALITE_TESTING_FORWARDING_LOG_H_
#define KAFKALITE_TESTING_FORWARDING_LOG_H_

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "kafkalite/storage/log.h"

namespace kafkalite::testing {

class ForwardingLog : public storage::Log {
 public:
  explicit ForwardingLog(std::unique_ptr<Log> log) : log_(std::move(log)) {}

  model::LogId id() const override { return log_->id(); }
  model::Offset start_offset() const override { return log_->start_offset(); }
  model::Offset end_offset() const override { return log_->end_offset(); }
  int64_t size_bytes() const override { return log_->size_bytes(); }
  void Configure(const model::TopicConfig& config) override { log_->Configure(config); }
  storage::Progress progress() const override { return log_->progress(); }
  void SetListener(Listener listener) override { log_->SetListener(std::move(listener)); }
  absl::Status Append(std::span<const format::Batch> batches) override {
    return log_->Append(batches);
  }
  void Sync() override { log_->Sync(); }
  absl::StatusOr<storage::ReadResult> Read(model::Offset from,
                                           const storage::ReadLimits& limits) const override {
    return log_->Read(from, limits);
  }
  void FindByTimestamp(int64_t timestamp, model::Offset max_offset,
                       FindCallback callback) const override {
    log_->FindByTimestamp(timestamp, max_offset, std::move(callback));
  }
  void VisitHeaders(model::Offset from, HeaderVisitor visit, DoneCallback done) const override {
    log_->VisitHeaders(from, std::move(visit), std::move(done));
  }
  absl::Status TruncateSuffix(model::Offset end) override { return log_->TruncateSuffix(end); }
  absl::Status TruncatePrefix(model::Offset start) override { return log_->TruncatePrefix(start); }
  absl::Status Retain(const Retention& retention) override { return log_->Retain(retention); }
  void WriteMetadata(std::string_view name, std::string_view bytes) override {
    log_->WriteMetadata(name, bytes);
  }
  void DeleteMetadata(std::string_view name) override { log_->DeleteMetadata(name); }
  void ReadMetadata(MetadataCallback callback) const override {
    log_->ReadMetadata(std::move(callback));
  }
  model::Offset metadata_end() const override { return log_->metadata_end(); }
  void KeepHighWatermark(model::Offset high_watermark) override {
    log_->KeepHighWatermark(high_watermark);
  }
  model::Offset kept_high_watermark() const override { return log_->kept_high_watermark(); }

 private:
  const std::unique_ptr<Log> log_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FORWARDING_LOG_H_
