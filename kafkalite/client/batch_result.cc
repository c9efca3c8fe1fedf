#include "kafkalite/client/batch_result.h"

#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/client/partition_sender.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/timeouts.h"
#include "kafkalite/producer.h"

namespace kafkalite {

Ticket::Ticket(const Ticket& other) : result_(other.result_), index_(other.index_) {
  if (result_ != nullptr) result_->AddRef();
}

Ticket::Ticket(Ticket&& other) noexcept
    : result_(std::exchange(other.result_, nullptr)), index_(other.index_) {}

Ticket& Ticket::operator=(Ticket other) noexcept {
  std::swap(result_, other.result_);
  std::swap(index_, other.index_);
  return *this;
}

void Ticket::Drop() { client::BatchResult::DropTicket(result_); }

absl::StatusOr<RecordMetadata> Ticket::Wait(std::chrono::milliseconds timeout) const {
  if (result_ == nullptr) return absl::FailedPreconditionError("the ticket is of no record");
  return result_->Wait(index_, timeout);
}

bool Ticket::done() const { return result_ == nullptr || result_->done(); }

namespace client {

// Tickets that a thread drops in a row mostly belong to one batch. They are counted here, without
// an atomic operation, and returned together when one of another batch is dropped, or the thread
// ends. What this keeps longer than needed is one small block per thread.
struct BatchResult::Dropped {
  static inline constinit thread_local BatchResult* result = nullptr;
  static inline constinit thread_local uint32_t count = 0;

  static void Return() {
    if (result != nullptr) std::exchange(result, nullptr)->DropRef(std::exchange(count, 0));
  }
  static void ReturnWhenThreadEnds() {
    struct AtEnd {
      ~AtEnd() {
        Return();
        ended = true;
      }
    };
    static thread_local AtEnd at_end;
    (void)at_end;
  }
  static inline constinit thread_local bool ended = false;
};

void BatchResult::DropTicket(BatchResult* result) {
  if (Dropped::result != result) [[unlikely]] {
    Dropped::Return();
    if (Dropped::ended) {
      result->DropRef();
      return;
    }
    Dropped::ReturnWhenThreadEnds();
    Dropped::result = result;
  }
  ++Dropped::count;
}

void BatchResult::SetTimestamp(int32_t index, int64_t timestamp) {
  timestamps_.resize(static_cast<size_t>(index) + 1, base_timestamp_);
  timestamps_.back() = timestamp;
}

absl::StatusOr<RecordMetadata> BatchResult::Wait(int32_t index, std::chrono::milliseconds timeout) {
  PublicCall call;
  base::Ref<BatchResult> keep;  // callbacks that run meanwhile may destroy the ticket
  std::shared_ptr<PartitionSender> sender;
  if (!done()) {
    keep = base::Ref<BatchResult>(this);
    sender = sender_.lock();
    if (sender != nullptr) sender->SealIfOpen(*this);
  }
  if (!done()) {
    // A sender completes all of its batches before it goes.
    if (sender == nullptr) return absl::CancelledError("the producer is gone");
    base::Executor& executor = sender->executor();
    const base::Time deadline = DeadlineAfter(executor.clock().Now(), timeout);
    const absl::Status waited = PublicCall::Block(executor, done_, deadline);
    if (absl::IsDeadlineExceeded(waited)) {
      return absl::DeadlineExceededError(
          base::Cat("the record is still under way after ", timeout.count(), " ms"));
    }
    if (!waited.ok()) return waited;
  }
  if (!status_.ok()) return status_;
  return Metadata(index);
}

}  // namespace client
}  // namespace kafkalite
