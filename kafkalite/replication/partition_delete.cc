// The leader drops records that a client wants gone, and answers when its followers have, too: they
// learn the leader's start from its answers, and say their own when they fetch.

#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/protocol/delete_records.h"
#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::ErrorCode;
using model::Offset;

void Partition::DeleteRecords(Offset before, base::Duration timeout, DeleteCallback callback) {
  strand_.Run(
      [self = shared_from_this(), before, timeout, callback = std::move(callback)]() mutable {
        self->strand_.AssertInside();
        self->DoDeleteRecords(before, timeout, callback);
      });
}

void Partition::DoDeleteRecords(Offset before, base::Duration timeout, DeleteCallback& callback) {
  if (log_ == nullptr || core_.role() != Role::kLeader) {
    return callback({.error = ErrorCode::kNotLeaderOrFollower});
  }
  const Offset high_watermark = core_.high_watermark();
  if (before == protocol::kHighWatermark) before = high_watermark;
  const auto name = [this] { return base::Cat(tp_.topic, "-", tp_.partition.value()); };
  if (before < Offset(0)) {
    return callback({.error = ErrorCode::kOffsetOutOfRange,
                     .message = base::Cat("The offset ", before.value(), " for partition ", name(),
                                          " is not valid")});
  }
  if (before > high_watermark) {
    return callback({.error = ErrorCode::kOffsetOutOfRange,
                     .message = base::Cat("Cannot increment the log start offset to ",
                                          before.value(), " of partition ", name(),
                                          " since it is larger than the high watermark ",
                                          high_watermark.value())});
  }
  if (const absl::Status dropped = log_->TruncatePrefix(before); !dropped.ok()) {
    return callback({.error = ErrorCode::kStorageError, .message = std::string(dropped.message())});
  }
  if (log_->start_offset() > core_.log_start()) core_.StartMoved(log_->start_offset());
  waiting_deletions_.push_back({before, base::SaturatingAdd(Now(), timeout), std::move(callback)});
  // Followers that wait for records have to hear of it at once.
  auto fetches = std::exchange(waiting_fetches_, {});
  for (auto& [replica, fetch] : fetches) fetch.reply(EmptyResponse(ErrorCode::kNone));
  CompleteDeletions();
}

void Partition::CompleteDeletions() {
  const Offset low_watermark = core_.low_watermark();
  auto waiting = std::exchange(waiting_deletions_, {});
  for (WaitingDeletion& deletion : waiting) {
    if (deletion.before <= low_watermark) {
      deletion.callback({.low_watermark = low_watermark});
    } else {
      waiting_deletions_.push_back(std::move(deletion));
    }
  }
}

std::string Partition::WhyNotDeleted(Offset before) const {
  std::string text = base::Cat("the records of ", tp_.topic, "-", tp_.partition.value(), " before ",
                               before.value(), " are gone at the leader, not yet at");
  for (const model::BrokerId replica : core_.StartingBefore(before)) {
    text += base::Cat(" ", replica.value());
  }
  return text;
}

void Partition::EndDeletions(ErrorCode error, base::Time before) {
  auto waiting = std::exchange(waiting_deletions_, {});
  for (WaitingDeletion& deletion : waiting) {
    if (deletion.deadline <= before) {
      deletion.callback({.error = error, .message = WhyNotDeleted(deletion.before)});
    } else {
      waiting_deletions_.push_back(std::move(deletion));
    }
  }
}

}  // namespace kafkalite::replication
