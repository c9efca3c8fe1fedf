// Clients read what is committed, find offsets, and wait for more.

#include <utility>

#include "kafkalite/protocol/list_offsets.h"
#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::ErrorCode;
using model::Offset;

ErrorCode Partition::CheckReader(model::LeaderEpoch epoch) const {
  return log_ == nullptr ? ErrorCode::kNotLeaderOrFollower : core_.CheckReader(epoch);
}

void Partition::Read(const ReadRequest& request, ReadCallback callback) {
  strand_.Run([self = shared_from_this(), request, callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    ReadResult result;
    result.error = self->CheckReader(request.current_leader_epoch);
    if (result.error == ErrorCode::kNone) {
      result.high_watermark = self->core_.high_watermark();
      result.log_start_offset = self->log_->start_offset();
      const Offset end = self->log_->end_offset();
      if (request.fetch_offset < result.log_start_offset || request.fetch_offset > end) {
        result.error = ErrorCode::kOffsetOutOfRange;
      } else if (request.fetch_offset < result.high_watermark) {
        auto read = self->log_->Read(request.fetch_offset, {.max_offset = result.high_watermark,
                                                            .max_bytes = request.max_bytes});
        if (read.ok()) {
          result.batches = std::move(read->batches);
          result.cold = std::move(read->cold);
        } else {
          result.error = ErrorCode::kStorageError;
        }
      }
    }
    callback(std::move(result));
  });
}

void Partition::Listen(Offset offset, std::weak_ptr<HighWatermarkListener> listener) {
  strand_.Run([self = shared_from_this(), offset, listener = std::move(listener)]() mutable {
    self->strand_.AssertInside();
    const bool waits = self->log_ != nullptr && self->core_.role() == Role::kLeader &&
                       self->core_.high_watermark() <= offset;
    if (waits) {
      // Readers that gave up leave their places here until something passes by.
      std::erase_if(self->waiting_readers_,
                    [](const WaitingReader& reader) { return reader.listener.expired(); });
      self->waiting_readers_.push_back({offset, std::move(listener)});
    } else if (const auto reader = listener.lock()) {
      reader->OnHighWatermark();
    }
  });
}

void Partition::WakeReaders(bool all) {
  if (waiting_readers_.empty()) return;
  const Offset high_watermark = core_.high_watermark();
  auto readers = std::exchange(waiting_readers_, {});
  for (WaitingReader& reader : readers) {
    if (!all && reader.offset >= high_watermark) {
      waiting_readers_.push_back(std::move(reader));
    } else if (const auto listener = reader.listener.lock()) {
      listener->OnHighWatermark();
    }
  }
}

void Partition::FindOffset(int64_t timestamp, model::LeaderEpoch current_leader_epoch,
                           absl::AnyInvocable<void(OffsetResult)> callback) {
  strand_.Run([self = shared_from_this(), timestamp, current_leader_epoch,
               callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    OffsetResult result;
    result.error = self->CheckReader(current_leader_epoch);
    if (result.error != ErrorCode::kNone) {
      // No more to say.
    } else if (timestamp == protocol::kEarliestTimestamp) {
      result.offset = self->log_->start_offset();
    } else if (result.error = self->core_.CheckLatestOffset(); result.error != ErrorCode::kNone) {
      // The HW is not known yet: neither is what lies below it (rule 10).
    } else if (timestamp == protocol::kLatestTimestamp) {
      result.offset = self->core_.high_watermark();
    } else {
      return self->log_->FindByTimestamp(
          timestamp, self->core_.high_watermark(),
          [callback = std::move(callback)](
              absl::StatusOr<std::optional<storage::TimestampAndOffset>> found) mutable {
            OffsetResult result;
            if (!found.ok()) {
              result.error = ErrorCode::kStorageError;
            } else if (found->has_value()) {
              result.timestamp = (*found)->timestamp;
              result.offset = (*found)->offset;
            }
            callback(result);
          });
    }
    callback(result);
  });
}

}  // namespace kafkalite::replication
