#include "kafkalite/storage/file/segment.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/file_names.h"

namespace kafkalite::storage {

using format::Batch;
using format::BatchHeader;
using format::OffsetIndexEntry;
using format::TimeIndexEntry;
using model::Offset;
using Found = BatchScanner::Found;

namespace {

// Positions and relative offsets are 31 bits.
constexpr int64_t kMaxRelative = std::numeric_limits<int32_t>::max();
// How much of a log's end a start in order reads to find out whether its time index is whole.
constexpr int64_t kCheckedBytes = 64 << 10;
constexpr int64_t kRewriteWindowBytes = 1 << 20;

std::string PathOf(const SegmentOptions& options, format::LogFileKind kind) {
  return base::Cat(options.folder, "/", format::ToString({options.base_offset, kind}));
}

}  // namespace

// --- Making one ----------------------------------------------------------------------------------

Segment::Segment(SegmentOptions options)
    : options_(std::move(options)),
      path_(PathOf(options_, format::LogFileKind::kLog)),
      offsets_(*options_.fs, PathOf(options_, format::LogFileKind::kOffsetIndex)),
      times_(*options_.fs, PathOf(options_, format::LogFileKind::kTimeIndex)),
      next_offset_(options_.base_offset),
      batches_end_(options_.base_offset),
      index_interval_bytes_(options_.index_interval_bytes),
      max_timestamp_offset_(options_.base_offset) {}

absl::Status Segment::OpenLog(files::FileSystem::Mode mode) {
  KL_ASSIGN_OR_RETURN(log_, options_.fs->Open(path_, mode));
  KL_ASSIGN_OR_RETURN(size_, log_->Size());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Segment>> Segment::Create(SegmentOptions options) {
  std::unique_ptr<Segment> segment(new Segment(std::move(options)));
  KL_RETURN_IF_ERROR(segment->OpenLog(files::FileSystem::Mode::kCreate));
  if (segment->size_ > 0) {
    return absl::AlreadyExistsError(base::ToAbsl(
        base::Cat("'", segment->path_, "' is there already and has ", segment->size_, " bytes")));
  }
  KL_RETURN_IF_ERROR(segment->Seal());  // makes the indexes
  const SegmentOptions& made = segment->options_;
  KL_RETURN_IF_ERROR(made.fs->SyncDirectory(made.folder));
  segment->name_is_durable_ = true;
  return segment;
}

absl::StatusOr<std::unique_ptr<Segment>> Segment::Open(SegmentOptions options) {
  std::unique_ptr<Segment> segment(new Segment(std::move(options)));
  KL_RETURN_IF_ERROR(segment->OpenLog(files::FileSystem::Mode::kWrite));
  if (segment->size_ > kMaxRelative) {
    return absl::DataLossError(base::ToAbsl(base::Cat("'", segment->path_, "' has ", segment->size_,
                                                      " bytes, more than a segment can have")));
  }
  KL_ASSIGN_OR_RETURN(const bool fit, segment->LoadIndexes());
  // An entry that is not true shows when the log is read from there on, at the latest.
  if (fit && segment->LearnTail().ok()) {
    const auto& last = segment->times_.last();
    if (!last.has_value()) return segment;
    KL_ASSIGN_OR_RETURN(const bool is_true, segment->IsTrue(*last));
    if (is_true) return segment;
  }
  KL_RETURN_IF_ERROR(segment->RebuildIndexes());
  // The next Open trusts them, too.
  KL_RETURN_IF_ERROR(segment->SyncIndexes());
  return segment;
}

// Whether there are indexes, and their ends may be of this log.
absl::StatusOr<bool> Segment::LoadIndexes() {
  KL_ASSIGN_OR_RETURN(const bool offsets_whole, offsets_.Load());
  KL_ASSIGN_OR_RETURN(const bool times_whole, times_.Load());
  if (!offsets_whole || !times_whole) return false;
  if (times_.size() > 1) {
    // Kafka makes its indexes large, of zeros, and cuts them when it stops.
    KL_ASSIGN_OR_RETURN(const TimeIndexEntry first, times_.At(0));
    if (first.timestamp >= times_.last()->timestamp) return false;
  }
  if (!offsets_.last().has_value()) return true;
  // Without a first entry where an index must have one, what is before offsets_ would have to be
  // read for its timestamps.
  if (!times_.last().has_value()) return false;
  return IsTrue(*offsets_.last());
}

// Whether the entry's offset is in a batch at its position, or in one that follows there: Kafka has
// one entry for all batches of an append. Then a search for that offset, or a later one, can begin
// there, whatever else is in the index.
absl::StatusOr<bool> Segment::IsTrue(const OffsetIndexEntry& entry) const {
  if (entry.relative_offset <= 0 || entry.position <= 0 || entry.position >= size_) return false;
  const Offset offset = options_.base_offset + entry.relative_offset;
  BatchScanner scanner = ScanTo(OffsetLimit(), entry.position, kSearchWindowBytes);
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Look());
    if (!found.wrong.empty()) return false;
    if (found.header.next_offset() > offset) return found.header.base_offset <= offset;
    scanner.Skip(found);
  }
  return false;
}

// Whether the entry's timestamp is the largest of the batch that has its offset. That nothing
// before it is younger, nobody can tell without reading it.
absl::StatusOr<bool> Segment::IsTrue(const TimeIndexEntry& entry) const {
  const Offset offset = options_.base_offset + entry.relative_offset;
  if (entry.relative_offset < 0 || offset >= next_offset_) return false;
  KL_ASSIGN_OR_RETURN(const int64_t position, PositionOf(offset));
  BatchScanner scanner = Scan(position, format::kBatchHeaderBytes);
  if (scanner.AtEnd()) return false;
  KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
  return found.header.base_offset <= offset && found.header.max_timestamp == entry.timestamp;
}

// Learns next_offset_ and max_timestamp_ from the indexes' last entries and the log behind them:
// behind both, or a time index that lacks its end would hide the youngest record. But not far
// behind: where the clock stood still, or a record was far ahead of it, the entry is an old one.
absl::Status Segment::LearnTail() {
  const auto& last = offsets_.last();
  indexed_position_ = last.has_value() ? last->position : 0;
  int64_t position = indexed_position_;
  max_timestamp_ = format::kNoTimestamp;
  max_timestamp_offset_ = options_.base_offset;
  if (times_.last().has_value()) {
    max_timestamp_ = times_.last()->timestamp;
    max_timestamp_offset_ = options_.base_offset + times_.last()->relative_offset;
    next_offset_ = OffsetLimit();  // until it is known
    KL_ASSIGN_OR_RETURN(const int64_t timed, PositionOf(max_timestamp_offset_));
    if (position - timed <= kCheckedBytes) position = std::min(position, timed);
  }
  next_offset_ = batches_end_ = options_.base_offset;
  BatchScanner scanner = ScanTo(OffsetLimit(), position, kSearchWindowBytes);
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    NoteTimestamp(found.header);
    next_offset_ = batches_end_ = found.header.next_offset();
    scanner.Skip(found);
  }
  if (max_timestamp_ != format::kNoTimestamp && max_timestamp_offset_ >= next_offset_) {
    return scanner.Lost(size_, "the time index goes beyond the end of the log");
  }
  if (last.has_value() && options_.base_offset + last->relative_offset >= next_offset_) {
    return scanner.Lost(size_, "the offset index goes beyond the end of the log");
  }
  return absl::OkStatus();
}

// Makes the indexes again from the headers of a log that is in order.
absl::Status Segment::RebuildIndexes() {
  BatchScanner scanner = ScanTo(OffsetLimit(), 0, kSearchWindowBytes);
  KL_RETURN_IF_ERROR(offsets_.Truncate(0));
  KL_RETURN_IF_ERROR(times_.Truncate(0));
  max_timestamp_ = format::kNoTimestamp;
  next_offset_ = batches_end_ = options_.base_offset;
  size_ = indexed_position_ = 0;
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    Note(found.header, found.bytes);
    KL_RETURN_IF_ERROR(FlushFullIndexes());
    scanner.Skip(found);
  }
  return Seal();
}

// --- Facts ---------------------------------------------------------------------------------------

absl::StatusOr<int64_t> Segment::FirstTimestamp() {
  if (size_ == 0) return format::kNoTimestamp;
  if (!first_timestamp_.has_value()) {
    BatchScanner scanner = Scan(0, format::kBatchHeaderBytes);
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    first_timestamp_ = found.header.max_timestamp;
  }
  return *first_timestamp_;
}

Offset Segment::OffsetLimit() const {
  const int64_t base = options_.base_offset.value();
  return Offset(base + std::min(kMaxRelative + 1, std::numeric_limits<int64_t>::max() - base));
}

void Segment::Note(const BatchHeader& header, int64_t bytes) {
  if (size_ == 0) first_timestamp_ = header.max_timestamp;
  NoteTimestamp(header);
  if (size_ - indexed_position_ > index_interval_bytes_) {
    offsets_.Append({Relative(header.last_offset()), static_cast<int32_t>(size_)});
    NoteTimeEntry();
    indexed_position_ = size_;
  }
  size_ += bytes;
  next_offset_ = batches_end_ = header.next_offset();
}

void Segment::NoteTimestamp(const BatchHeader& header) {
  if (header.max_timestamp <= max_timestamp_) return;
  max_timestamp_ = header.max_timestamp;
  max_timestamp_offset_ = header.last_offset();
}

void Segment::NoteTimeEntry() {
  const int64_t indexed =
      times_.last().has_value() ? times_.last()->timestamp : format::kNoTimestamp;
  if (max_timestamp_ > indexed) times_.Append({max_timestamp_, Relative(max_timestamp_offset_)});
}

// --- Changing it ---------------------------------------------------------------------------------

bool Segment::HasRoomFor(std::span<const Batch> batches) const {
  int64_t bytes = 0;
  for (const Batch& batch : batches) bytes += static_cast<int64_t>(batch.size_bytes());
  return bytes <= kMaxRelative - size_ &&
         (batches.empty() || batches.back().header.next_offset() <= OffsetLimit());
}

absl::Status Segment::Append(std::span<const Batch> batches) {
  KL_RETURN_IF_ERROR(broken_);
  if (batches.empty()) return absl::OkStatus();
  if (!HasRoomFor(batches)) {
    return absl::OutOfRangeError(base::ToAbsl(base::Cat("'", path_, "' has no room for offset ",
                                                        batches.back().header.last_offset().value(),
                                                        " after ", size_, " bytes")));
  }
  // Before the batches are written: after that, nothing may fail that could not be undone.
  KL_RETURN_IF_ERROR(FlushFullIndexes());
  KL_RETURN_IF_ERROR(WriteBatches(batches));
  for (const Batch& batch : batches) {
    assert(batch.header.base_offset >= next_offset_);
    Note(batch.header, static_cast<int64_t>(batch.size_bytes()));
  }
  return absl::OkStatus();
}

absl::Status Segment::WriteBatches(std::span<const Batch> batches) {
  std::vector<char> headers(batches.size() * format::kBatchHeaderBytes);
  std::vector<std::string_view> pieces;
  pieces.reserve(2 * batches.size());
  char* at = headers.data();
  for (const Batch& batch : batches) {
    format::EncodeHeader(batch.header, at);
    pieces.emplace_back(at, format::kBatchHeaderBytes);
    pieces.push_back(batch.body.view());
    at += format::kBatchHeaderBytes;
  }
  const absl::Status status = log_->WriteAt(size_, pieces);
  if (status.ok()) return status;
  // Whole batches may have been written, and must not come back behind others in their place.
  const bool undone = log_->Truncate(size_).ok();
  return undone && absl::IsResourceExhausted(status) ? status : Break(status);
}

absl::Status Segment::FlushFullIndexes() {
  if (!offsets_.has_page()) return absl::OkStatus();
  // In this order: whatever the offset index in the file has passed, the time index knows.
  KL_RETURN_IF_ERROR(times_.Flush());
  return offsets_.Flush();
}

absl::Status Segment::Break(absl::Status status) {
  if (!status.ok() && broken_.ok()) broken_ = status;
  return status;
}

absl::Status Segment::TruncateSuffix(Offset end) {
  assert(end >= options_.base_offset);
  KL_RETURN_IF_ERROR(broken_);
  if (end >= next_offset_) return absl::OkStatus();
  KL_ASSIGN_OR_RETURN(const int64_t position, PositionOf(end));
  BatchScanner scanner = Scan(position, format::kBatchHeaderBytes);
  if (!scanner.AtEnd()) {
    // A batch that straddles `end` goes whole.
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    end = std::min(end, found.header.base_offset);
  }
  const auto before = [last = Relative(end)](const auto& entry) {
    return entry.relative_offset < last;
  };
  KL_ASSIGN_OR_RETURN(const size_t offsets, offsets_.CountWhile(before));
  KL_ASSIGN_OR_RETURN(const size_t times, times_.CountWhile(before));
  KL_RETURN_IF_ERROR(Break(log_->Truncate(position)));
  size_ = position;
  if (size_ == 0) first_timestamp_.reset();
  KL_RETURN_IF_ERROR(Break(offsets_.Truncate(offsets)));
  KL_RETURN_IF_ERROR(Break(times_.Truncate(times)));
  KL_RETURN_IF_ERROR(Break(LearnTail()));
  next_offset_ = end;
  return absl::OkStatus();
}

absl::Status Segment::Rewrite(Offset from) {
  KL_RETURN_IF_ERROR(broken_);
  KL_ASSIGN_OR_RETURN(int64_t position, PositionOf(from));
  std::vector<char> window(std::min<int64_t>(kRewriteWindowBytes, size_ - position));
  while (position < size_) {
    const auto bytes = std::min(window.size(), static_cast<size_t>(size_ - position));
    KL_ASSIGN_OR_RETURN(const size_t read, log_->ReadAt(position, {window.data(), bytes}));
    if (read != bytes) return Break(Scan(position, kSearchWindowBytes).Lost(position, "it ends"));
    const std::string_view piece(window.data(), bytes);
    KL_RETURN_IF_ERROR(Break(log_->WriteAt(position, {&piece, 1})));
    position += static_cast<int64_t>(bytes);
  }
  return Sync();
}

Segment::PendingSync Segment::StartSync() const {
  return {options_.fs, log_, name_is_durable_ ? "" : options_.folder, broken_};
}

absl::Status Segment::PendingSync::Run() const {
  KL_RETURN_IF_ERROR(refused);
  KL_RETURN_IF_ERROR(log->Sync());
  return folder.empty() ? absl::OkStatus() : fs->SyncDirectory(folder);
}

absl::Status Segment::FinishSync(absl::Status status) {
  if (status.ok()) name_is_durable_ = true;
  return Break(std::move(status));
}

absl::Status Segment::Seal() {
  KL_RETURN_IF_ERROR(broken_);
  NoteTimeEntry();
  KL_RETURN_IF_ERROR(times_.Flush());
  return offsets_.Flush();
}

absl::Status Segment::SyncIndexes() {
  KL_RETURN_IF_ERROR(broken_);
  KL_RETURN_IF_ERROR(Break(times_.Sync()));
  return Break(offsets_.Sync());
}

absl::Status Segment::Delete(const SegmentOptions& options) {
  // The log first: without it, the others are nobody's.
  for (const auto kind : {format::LogFileKind::kLog, format::LogFileKind::kOffsetIndex,
                          format::LogFileKind::kTimeIndex}) {
    const absl::Status status = options.fs->Remove(PathOf(options, kind));
    if (!status.ok() && !absl::IsNotFound(status)) return status;
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::storage
