// File: forwarding_log.h
//
// A log that hands every call to another one. For logs that do one thing otherwise.

#ifndef KAFKALITE_TESTING_FORWARDING_LOG_H_
#define KAFKALITE_TESTING_FORWARDING_LOG_H_

#include <memory>
#include <span>
#include <string>
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
  void SetListener(absl::AnyInvocable<void()> listener) override {
    log_->SetListener(std::move(listener));
  }
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
  absl::Status WriteMetadata(std::string_view name, std::string_view bytes) override {
    return log_->WriteMetadata(name, bytes);
  }
  absl::StatusOr<std::string> ReadMetadata(std::string_view name) const override {
    return log_->ReadMetadata(name);
  }

 private:
  const std::unique_ptr<Log> log_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FORWARDING_LOG_H_
