#include "kafkalite/storage/file/segmented_log.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/file_names.h"

namespace kafkalite::storage {

using format::Batch;
using model::Offset;

namespace {

// So that the logs of a topic do not all begin a segment at once: up to `most`, the same for a
// segment each time.
int64_t Jitter(std::string_view folder, Offset base_offset, int64_t most) {
  if (most <= 0) return 0;
  const uint32_t hash = base::Crc32c(folder) ^ static_cast<uint32_t>(base_offset.value());
  return static_cast<int64_t>(hash) % most;
}

}  // namespace

// --- Opening -------------------------------------------------------------------------------------

SegmentOptions SegmentedLog::OptionsOf(Offset base_offset) const {
  return {.fs = options_.fs,
          .folder = options_.folder,
          .base_offset = base_offset,
          .created_millis = options_.now_millis(),
          .pool = options_.pool};
}

absl::StatusOr<std::unique_ptr<SegmentedLog>> SegmentedLog::Open(
    SegmentedLogOptions options, const Start& start, std::vector<std::string>& repairs) {
  std::unique_ptr<SegmentedLog> log(new SegmentedLog(std::move(options)));
  KL_RETURN_IF_ERROR(log->options_.fs->CreateDirectories(log->options_.folder));
  KL_RETURN_IF_ERROR(log->Load(start, repairs));
  return log;
}

// The base offsets, rising. Removes what a broker was about to remove, or had begun to.
absl::StatusOr<std::vector<Offset>> SegmentedLog::ListSegments() {
  KL_ASSIGN_OR_RETURN(const auto names, options_.fs->List(options_.folder));
  std::vector<Offset> offsets;
  for (const std::string& name : names) {
    if (name.ends_with(format::kDeletedSuffix) || name.ends_with(format::kCleanedSuffix)) {
      KL_RETURN_IF_ERROR(options_.fs->Remove(base::Cat(options_.folder, "/", name)));
    } else if (name.ends_with(format::kSwapSuffix)) {
      return absl::FailedPreconditionError(base::ToAbsl(
          base::Cat("'", options_.folder, "/", name,
                    "': Kafka was stopped while it compacted this log; start it once and stop it "
                    "in order, or remove the folder")));
    } else if (const auto parsed = format::ParseLogFileName(name)) {
      if (parsed->kind == format::LogFileKind::kLog) offsets.push_back(parsed->offset);
    }
  }
  // The names are sorted, and all have 20 digits.
  for (const std::string& name : names) {
    const auto parsed = format::ParseLogFileName(name);
    const bool is_index =
        parsed.has_value() && (parsed->kind == format::LogFileKind::kOffsetIndex ||
                               parsed->kind == format::LogFileKind::kTimeIndex);
    if (is_index && !std::binary_search(offsets.begin(), offsets.end(), parsed->offset)) {
      KL_RETURN_IF_ERROR(options_.fs->Remove(base::Cat(options_.folder, "/", name)));
    }
  }
  return offsets;
}

// Whether a segment that begins there can be the next one. What was not durable may be lost to its
// last batch, and then no byte tells: but for what compaction left behind, which is durable, a
// segment begins where the one before it ends (see Roll).
bool SegmentedLog::Follows(Offset base_offset, const Start& start) const {
  if (segments_.empty() || active().next_offset() == base_offset) return true;
  return active().next_offset() < base_offset &&
         (start.clean || base_offset <= start.recovery_point);
}

absl::Status SegmentedLog::Load(const Start& start, std::vector<std::string>& repairs) {
  KL_ASSIGN_OR_RETURN(const std::vector<Offset> bases, ListSegments());
  base::MutexLock lock(mu_);
  model::LeaderEpoch epoch = model::kNoEpoch;
  bool cut = false;  // nothing can follow any more
  for (size_t i = 0; i < bases.size(); ++i) {
    const SegmentOptions options = OptionsOf(bases[i]);
    const bool last = i + 1 == bases.size();
    if (!last && bases[i + 1] <= start.log_start) {
      KL_RETURN_IF_ERROR(Segment::Delete(options));  // a crash has brought it back
      continue;
    }
    if (!cut) cut = !Follows(bases[i], start);
    if (cut) {
      lost_some_ = true;
      repairs.push_back(base::Cat("'", options_.folder, "/",
                                  format::ToString({bases[i], format::LogFileKind::kLog}),
                                  "' is dropped, as what comes before it is damaged or lost"));
      KL_RETURN_IF_ERROR(Segment::Delete(options));
      continue;
    }
    // A sync beyond a segment's end was one of its indexes, too; one up to there may have been made
    // when they were not complete.
    if (start.clean || (!last && bases[i + 1] < start.recovery_point)) {
      auto segment = Segment::Open(options);
      if (segment.ok()) {
        segments_.push_back({*std::move(segment), false, start.clean || !last});
        continue;
      }
      if (!absl::IsDataLoss(segment.status())) return segment.status();
      repairs.push_back(std::string(segment.status().message()));
    }
    KL_ASSIGN_OR_RETURN(
        auto recovered,
        Segment::Recover(options, {.synced_before = start.recovery_point, .epoch_before = epoch},
                         [&epoch](const format::BatchHeader& h) { epoch = h.leader_epoch; }));
    if (recovered.cut.has_value()) {
      const bool unfinished = recovered.cut->unfinished && last;
      if (!unfinished || recovered.segment->next_offset() < start.recovery_point) lost_some_ = true;
      repairs.push_back(
          base::Cat(recovered.cut->bytes, " bytes are cut off: ", recovered.cut->reason));
      cut = true;
    }
    if (start.rewrite) KL_RETURN_IF_ERROR(recovered.segment->Rewrite(start.recovery_point));
    segments_.push_back({std::move(recovered.segment), /*dirty=*/true, /*indexes=*/false});
  }
  // Those that are dropped must not come back without what was before them.
  if (cut) KL_RETURN_IF_ERROR(options_.fs->SyncDirectory(options_.folder));
  if (segments_.empty()) return AddSegment(start.log_start);
  if (start.log_start <= active().next_offset()) return absl::OkStatus();
  lost_some_ = true;
  repairs.push_back(base::Cat("'", options_.folder, "' ends at offset ",
                              active().next_offset().value(), ", before its start at ",
                              start.log_start.value(), ": it is emptied"));
  return RestartAt(start.log_start);
}

bool SegmentedLog::lost_some() const {
  base::MutexLock lock(mu_);
  return lost_some_;
}

// --- Facts ---------------------------------------------------------------------------------------

std::vector<SegmentInfo> SegmentedLog::segments(Offset first) const {
  std::vector<SegmentInfo> infos;
  base::MutexLock lock(mu_);
  auto it = segments_.end();
  while (it != segments_.begin() && std::prev(it)->segment->base_offset() >= first) --it;
  for (; it != segments_.end(); ++it) {
    const Segment& segment = *it->segment;
    infos.push_back({segment.base_offset(), segment.next_offset(), segment.size_bytes(),
                     segment.max_timestamp()});
  }
  return infos;
}

Offset SegmentedLog::next_offset() const {
  base::MutexLock lock(mu_);
  return active().next_offset();
}

// --- Changing it ---------------------------------------------------------------------------------

absl::Status SegmentedLog::Break(absl::Status status) {
  if (!status.ok() && broken_.ok()) broken_ = status;
  return status;
}

absl::Status SegmentedLog::AddSegment(Offset base_offset) {
  KL_ASSIGN_OR_RETURN(auto segment, Segment::Create(OptionsOf(base_offset)));
  segments_.push_back({std::move(segment), /*dirty=*/true, /*indexes=*/false});
  return absl::OkStatus();
}

absl::Status SegmentedLog::Roll(const Batch& batch) {
  const Offset end = active().batches_end();
  // At the end of the one before it, unless a gap is larger than a segment can hold.
  const bool fits = batch.header.last_offset() - end <= std::numeric_limits<int32_t>::max();
  if (active().size_bytes() > 0) return RollAt(fits ? end : batch.header.base_offset);
  KL_RETURN_IF_ERROR(active().Delete());
  segments_.pop_back();
  return AddSegment(batch.header.base_offset);
}

absl::Status SegmentedLog::RollAt(Offset base_offset) {
  KL_RETURN_IF_ERROR(active().Seal());
  return AddSegment(base_offset);
}

// As Kafka's LogSegment.shouldRoll.
absl::StatusOr<bool> SegmentedLog::IsFull(const Batch& batch, const model::TopicConfig& config) {
  Segment& segment = active();
  if (!segment.HasRoomFor({&batch, 1})) return true;
  if (segment.size_bytes() == 0) return false;
  if (segment.IndexIsFull(config.segment_index_bytes)) return true;
  if (segment.size_bytes() + static_cast<int64_t>(batch.size_bytes()) > config.segment_bytes) {
    return true;
  }
  KL_ASSIGN_OR_RETURN(const int64_t first, segment.FirstTimestamp());
  const int64_t age = first == format::kNoTimestamp
                          ? options_.now_millis() - segment.created_millis()
                          : batch.header.max_timestamp - first;
  const int64_t jitter = Jitter(options_.folder, segment.base_offset(), config.segment_jitter_ms);
  return age > config.segment_ms - jitter;
}

absl::Status SegmentedLog::Append(std::span<const Batch> batches,
                                  const model::TopicConfig& config) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(broken_);
  size_t done = 0;  // of the batches
  const auto append_until = [&](size_t end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (done == end) return absl::OkStatus();
    segments_.back().dirty = true;
    segments_.back().indexes = false;
    const auto part = batches.subspan(done, end - done);
    done = end;
    active().set_index_interval_bytes(config.index_interval_bytes);
    return Break(active().Append(part));
  };
  int64_t bytes = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    // What is not appended yet does not count for IsFull, so it must not become much.
    const auto batch_bytes = static_cast<int64_t>(batches[i].size_bytes());
    bytes += batch_bytes;
    if (active().size_bytes() == 0 || active().size_bytes() + bytes > config.segment_bytes) {
      KL_RETURN_IF_ERROR(append_until(i));
      bytes = batch_bytes;
    }
    const auto full = IsFull(batches[i], config);
    KL_RETURN_IF_ERROR(Break(full.status()));
    if (!*full) continue;
    KL_RETURN_IF_ERROR(append_until(i));
    KL_RETURN_IF_ERROR(Break(Roll(batches[i])));
    bytes = batch_bytes;
  }
  return append_until(batches.size());
}

absl::Status SegmentedLog::TruncateSuffix(Offset end) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(broken_);
  if (end >= active().next_offset()) return absl::OkStatus();
  if (end < segments_.front().segment->base_offset()) return Break(RestartAt(end));
  bool was_sealed = false;
  while (segments_.size() > 1 && active().base_offset() >= end) {
    KL_RETURN_IF_ERROR(Break(active().Delete()));
    segments_.pop_back();
    was_sealed = true;
  }
  if (was_sealed) {
    auto again = Segment::Open(OptionsOf(active().base_offset()));
    KL_RETURN_IF_ERROR(Break(again.status()));
    segments_.back().segment = *std::move(again);
  }
  segments_.back().dirty = segments_.back().indexes = false;
  KL_RETURN_IF_ERROR(Break(active().TruncateSuffix(end)));
  // Before anything is appended: what was cut off must not come back before or behind that, as if
  // it belonged there.
  return Break(active().Sync());
}

absl::Status SegmentedLog::TruncatePrefix(Offset start) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(broken_);
  if (start > active().next_offset()) return Break(RestartAt(start));
  if (start == active().next_offset() && active().size_bytes() > 0) {
    KL_RETURN_IF_ERROR(Break(RollAt(start)));
  }
  while (segments_.size() > 1 && segments_[1].segment->base_offset() <= start) {
    KL_RETURN_IF_ERROR(Break(segments_.front().segment->Delete()));
    segments_.erase(segments_.begin());
  }
  return absl::OkStatus();
}

absl::Status SegmentedLog::RestartAt(Offset offset) {
  std::vector<Entry> old = std::exchange(segments_, {});
  absl::Status status;
  for (const Entry& entry : old) status.Update(entry.segment->Delete());
  if (status.ok()) status = AddSegment(offset);
  if (!status.ok()) segments_ = std::move(old);
  return status;
}

absl::StatusOr<Offset> SegmentedLog::Sync() {
  struct Work {
    std::shared_ptr<Segment> segment;
    Segment::PendingSync sync;
  };
  std::vector<Work> work;
  Offset end;
  bool folder;
  {
    base::MutexLock lock(mu_);
    KL_RETURN_IF_ERROR(broken_);
    end = active().next_offset();
    folder = !folder_is_durable_;
    for (Entry& entry : segments_) {
      if (!std::exchange(entry.dirty, false)) continue;
      work.push_back({entry.segment, entry.segment->StartSync()});
    }
  }
  absl::Status status;
  if (folder) status = options_.fs->SyncDirectory(files::FolderOf(options_.folder));
  std::vector<absl::Status> results;
  for (const Work& item : work) results.push_back(item.sync.Run());
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(Break(std::move(status)));
  folder_is_durable_ = true;
  for (size_t i = 0; i < work.size(); ++i) {
    KL_RETURN_IF_ERROR(Break(work[i].segment->FinishSync(std::move(results[i]))));
  }
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    if (segments_[i].dirty || segments_[i].indexes) continue;
    KL_RETURN_IF_ERROR(Break(segments_[i].segment->SyncIndexes()));
    segments_[i].indexes = true;
  }
  return end;
}

absl::Status SegmentedLog::Seal() {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(broken_);
  for (Entry& entry : segments_) {
    if (std::exchange(entry.indexes, true)) continue;
    KL_RETURN_IF_ERROR(Break(entry.segment->Seal()));
    KL_RETURN_IF_ERROR(Break(entry.segment->SyncIndexes()));
  }
  return absl::OkStatus();
}

// --- Reading it ----------------------------------------------------------------------------------

std::vector<std::shared_ptr<Segment>> SegmentedLog::From(Offset from) const {
  base::MutexLock lock(mu_);
  auto it = std::upper_bound(
      segments_.begin(), segments_.end(), from,
      [](Offset offset, const Entry& e) { return offset < e.segment->base_offset(); });
  if (it != segments_.begin()) --it;
  std::vector<std::shared_ptr<Segment>> found;
  for (; it != segments_.end(); ++it) found.push_back(it->segment);
  return found;
}

template <class F>
auto SegmentedLog::With(const std::shared_ptr<Segment>& segment, F read) const {
  {
    base::MutexLock lock(mu_);
    if (segment == segments_.back().segment) return read(*segment);
  }
  return read(*segment);
}

absl::StatusOr<std::vector<Batch>> SegmentedLog::Read(Offset from, const ReadLimits& limits) const {
  std::vector<Batch> batches;
  size_t bytes = 0;
  for (const auto& segment : From(from)) {
    if (segment->base_offset() >= limits.max_offset) break;
    ReadLimits rest = limits;
    rest.max_bytes = limits.max_bytes - bytes;
    Offset end;
    KL_ASSIGN_OR_RETURN(std::vector<Batch> more, With(segment, [&](const Segment& s) {
                          end = s.batches_end();
                          return s.Read(from, rest);
                        }));
    for (Batch& batch : more) {
      // A segment's first batch comes whatever its size: here only if it is the first of all.
      if (!batches.empty() && bytes + batch.size_bytes() > limits.max_bytes) return batches;
      bytes += batch.size_bytes();
      batches.push_back(std::move(batch));
    }
    // What did not fit is not to be left out for something smaller behind it.
    if (!batches.empty() && batches.back().header.next_offset() < end) break;
    if (bytes >= limits.max_bytes) break;
  }
  return batches;
}

absl::StatusOr<FileRegion> SegmentedLog::Locate(Offset from, const ReadLimits& limits) const {
  FileRegion region;
  for (const auto& segment : From(from)) {
    if (segment->base_offset() >= limits.max_offset) break;
    KL_ASSIGN_OR_RETURN(region,
                        With(segment, [&](const Segment& s) { return s.Locate(from, limits); }));
    if (region.bytes > 0) break;
  }
  return region;
}

absl::StatusOr<std::optional<TimestampAndOffset>> SegmentedLog::FindByTimestamp(
    int64_t timestamp, Offset start, Offset max_offset) const {
  for (const auto& segment : From(start)) {
    if (segment->base_offset() >= max_offset) break;
    KL_ASSIGN_OR_RETURN(const auto found, With(segment, [&](const Segment& s) {
                          return s.FindByTimestamp(timestamp, start, max_offset);
                        }));
    if (found.has_value()) return found;
  }
  return std::nullopt;
}

absl::Status SegmentedLog::VisitHeaders(Offset from, Segment::HeaderVisitor visit) const {
  for (const auto& segment : From(from)) {
    KL_RETURN_IF_ERROR(
        With(segment, [&](const Segment& s) { return s.VisitHeaders(from, visit); }));
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::storage
