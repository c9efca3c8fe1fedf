// File: batch_result.h
//
// What became of one batch: small, shared by the tickets of its records, and alive as long as one
// of them is, also when producer and cluster are gone. The batch's bytes are not kept.
//
// Thread safety: what is said at each function; reading, any thread once done().

#ifndef KAFKALITE_CLIENT_BATCH_RESULT_H_
#define KAFKALITE_CLIENT_BATCH_RESULT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/record.h"

namespace kafkalite::client {

class PartitionSender;

class BatchResult : public base::RefCounted<BatchResult> {
 public:
  // Of a batch.
  explicit BatchResult(int64_t base_timestamp) : base_timestamp_(base_timestamp) {}
  // Of a record that was refused. REQUIRES: !status.ok().
  explicit BatchResult(absl::Status status) : status_(std::move(status)) { done_.Signal(); }

  // These two by who holds the partition's mutex. When the batch is opened:
  void SetSender(std::weak_ptr<PartitionSender> sender, int32_t partition) {
    sender_ = std::move(sender);
    partition_ = partition;
  }
  // While it is open: the record brought a timestamp.
  void SetTimestamp(int32_t index, int64_t timestamp);

  // Once. Offset -1: nobody knows.
  void SetOutcome(absl::Status status, int64_t base_offset) {
    status_ = std::move(status);
    base_offset_ = base_offset;
  }
  // REQUIRES: SetOutcome was called.
  void Signal() { done_.Signal(); }

  bool done() const { return done_.signalled(); }
  base::Completion& completion() { return done_; }

  // DropRef, for tickets.
  static void DropTicket(BatchResult* result);

  // Seals the batch if it is open, and waits.
  absl::StatusOr<RecordMetadata> Wait(int32_t index, std::chrono::milliseconds timeout);

  // REQUIRES: SetOutcome was called.
  const absl::Status& status() const { return status_; }
  // REQUIRES: status().ok().
  RecordMetadata Metadata(int32_t index) const {
    const auto i = static_cast<size_t>(index);
    return {.partition = partition_,
            .offset = base_offset_ < 0 ? -1 : base_offset_ + index,
            .timestamp = i < timestamps_.size() ? timestamps_[i] : base_timestamp_};
  }

 private:
  struct Dropped;

  const int64_t base_timestamp_ = -1;
  std::weak_ptr<PartitionSender> sender_;
  int32_t partition_ = -1;
  std::vector<int64_t> timestamps_;  // up to the last record that brought one
  absl::Status status_;
  int64_t base_offset_ = -1;
  base::Completion done_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_BATCH_RESULT_H_
