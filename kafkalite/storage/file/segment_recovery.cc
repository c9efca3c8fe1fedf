// Recovery of a segment: what to keep of a log whose last bytes may be anything.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/storage/file/segment.h"

namespace kafkalite::storage {

using format::Batch;
using format::BatchHeader;
using model::LeaderEpoch;
using model::Offset;
using Found = BatchScanner::Found;

// The CRC covers neither a batch's offset nor its epoch, so those are judged by their neighbours. A
// batch is taken only once the one after it has been seen: where an offset or an epoch was raised
// by mistake, it is the next batch that no longer fits.
class Segment::Recoverer {
 public:
  Recoverer(Segment& segment, const Recovery& recovery, HeaderVisitor visit)
      : segment_(segment),
        recovery_(recovery),
        visit_(visit),
        file_bytes_(segment.size_),
        epoch_(recovery.epoch_before),
        scanner_(*segment.log_, segment.path_, *segment.options_.pool,
                 {.end = std::min<int64_t>(file_bytes_, kMaxBytes),
                  .least_offset = segment.options_.base_offset,
                  .end_offset = segment.OffsetLimit()}) {}

  absl::Status Run();
  std::optional<SegmentCut>& cut() { return cut_; }

 private:
  static constexpr int64_t kMaxBytes = std::numeric_limits<int32_t>::max();
  static constexpr size_t kWindowBytes = 1 << 20;

  // A batch that is good by itself, and what came before it.
  struct Candidate {
    Found found;
    bool is_checked;  // its CRC and records, too
    Offset expected_offset;
    LeaderEpoch epoch_before;
  };

  // What is wrong with it; empty if nothing is.
  absl::StatusOr<std::string> Examine(const Found& found);
  absl::StatusOr<std::string> CheckBytes(const Found& found);
  bool IsSynced(const BatchHeader& header) const {
    return header.next_offset() <= recovery_.synced_before;
  }
  // Whether the candidate, rather than the batch after it, has what makes them not fit.
  absl::StatusOr<bool> IsToBlame(const Found& next);
  absl::Status Take();
  absl::Status CutAt(const Found& found, std::string wrong);

  Segment& segment_;
  const Recovery& recovery_;
  const HeaderVisitor visit_;
  const int64_t file_bytes_;
  LeaderEpoch epoch_;  // of the last batch that was looked at
  BatchScanner scanner_;
  std::optional<Candidate> candidate_;
  std::optional<SegmentCut> cut_;
};

absl::Status Segment::Recoverer::Run() {
  segment_.size_ = 0;
  while (!scanner_.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner_.Look());
    KL_ASSIGN_OR_RETURN(std::string wrong, Examine(found));
    if (!wrong.empty()) return CutAt(found, std::move(wrong));
    KL_RETURN_IF_ERROR(Take());
    candidate_ = {found, !IsSynced(found.header), scanner_.least_offset(), epoch_};
    epoch_ = found.header.leader_epoch;
    scanner_.Skip(found);
  }
  KL_RETURN_IF_ERROR(Take());
  if (file_bytes_ > segment_.size_) {
    cut_ = {segment_.size_, file_bytes_ - segment_.size_,
            base::Cat("'", segment_.path_, "' is larger than a segment can be")};
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Segment::Recoverer::Examine(const Found& found) {
  if (!found.wrong.empty()) return found.wrong;
  if (found.header.leader_epoch < epoch_) {
    return base::Cat("leader epoch is ", found.header.leader_epoch.value(), " after ",
                     epoch_.value());
  }
  if (IsSynced(found.header)) return std::string();
  return CheckBytes(found);
}

absl::StatusOr<std::string> Segment::Recoverer::CheckBytes(const Found& found) {
  scanner_.set_window_bytes(kWindowBytes);
  KL_ASSIGN_OR_RETURN(const Batch batch, scanner_.Load(found));
  // Records that are compressed were checked before they were appended; they are not unpacked here.
  const bool compressed = (batch.header.attributes & format::kCompressionMask) != 0;
  const absl::Status status = compressed ? format::ValidateCrc(batch) : format::Validate(batch);
  return std::string(base::ToStd(status.message()));
}

absl::StatusOr<bool> Segment::Recoverer::IsToBlame(const Found& next) {
  if (!candidate_.has_value()) return false;
  const Found& suspect = candidate_->found;
  if (!candidate_->is_checked) {
    KL_ASSIGN_OR_RETURN(const std::string wrong, CheckBytes(suspect));
    if (!wrong.empty()) return true;
  }
  if (!next.is_batch) return false;
  // With the offset that was expected of the suspect, the next batch would follow it exactly.
  const bool offset_was_raised =
      suspect.header.base_offset > candidate_->expected_offset &&
      next.header.base_offset == candidate_->expected_offset + suspect.header.last_offset_delta + 1;
  const bool epoch_was_raised = suspect.header.leader_epoch > candidate_->epoch_before &&
                                next.header.leader_epoch < suspect.header.leader_epoch &&
                                next.header.leader_epoch >= candidate_->epoch_before;
  if (!offset_was_raised && !epoch_was_raised) return false;
  KL_ASSIGN_OR_RETURN(const std::string wrong, CheckBytes(next));
  return wrong.empty();
}

absl::Status Segment::Recoverer::Take() {
  if (!candidate_.has_value()) return absl::OkStatus();
  segment_.Note(candidate_->found.header, candidate_->found.bytes);
  visit_(candidate_->found.header);
  candidate_.reset();
  return segment_.FlushFullIndexes();
}

absl::Status Segment::Recoverer::CutAt(const Found& found, std::string wrong) {
  KL_ASSIGN_OR_RETURN(const bool earlier, IsToBlame(found));
  if (!earlier) KL_RETURN_IF_ERROR(Take());
  const std::string reason(base::ToStd(scanner_.Lost(found.position, wrong).message()));
  cut_ = {segment_.size_, file_bytes_ - segment_.size_,
          earlier ? base::Cat(reason, "; the batch before it is damaged") : reason,
          found.unfinished && !earlier};
  return absl::OkStatus();
}

absl::StatusOr<Segment::Recovered> Segment::Recover(SegmentOptions options,
                                                    const Recovery& recovery, HeaderVisitor visit) {
  std::unique_ptr<Segment> segment(new Segment(std::move(options)));
  KL_RETURN_IF_ERROR(segment->OpenLog(files::FileSystem::Mode::kWrite));
  Recoverer recoverer(*segment, recovery, visit);
  KL_RETURN_IF_ERROR(recoverer.Run());
  if (recoverer.cut().has_value()) {
    // Durable before anything is appended: what was cut off must not come back behind that.
    KL_RETURN_IF_ERROR(segment->log_->Truncate(segment->size_));
    KL_RETURN_IF_ERROR(segment->Sync());
  }
  KL_RETURN_IF_ERROR(segment->Seal());
  return Recovered{std::move(segment), std::move(recoverer.cut())};
}

}  // namespace kafkalite::storage
