// Reading of segments: whatever the index says, and whatever is in the log, only batches are served
// that are where they should be.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/storage/file/segment.h"
#include "kafkalite/storage/find_record.h"

namespace kafkalite::storage {

using format::Batch;
using model::Offset;
using Found = BatchScanner::Found;

namespace {

constexpr size_t kReadWindowBytes = 128 << 10;

}  // namespace

BatchScanner Segment::ScanTo(Offset end_offset, int64_t position, size_t window_bytes) const {
  return {*log_,
          path_,
          *options_.pool,
          {.position = position,
           .end = size_,
           .least_offset = options_.base_offset,
           .end_offset = end_offset,
           .window_bytes = window_bytes}};
}

absl::StatusOr<int64_t> Segment::PositionOf(Offset from) const {
  if (from >= next_offset_) return size_;
  int64_t position = 0;
  if (from > options_.base_offset) {
    KL_ASSIGN_OR_RETURN(const auto entry, offsets_.Find(Relative(from)));
    // A search from the start finds it, too, so nothing depends on the index but speed.
    if (entry.has_value()) {
      KL_ASSIGN_OR_RETURN(const bool is_true, IsTrue(*entry));
      if (is_true) position = entry->position;
    }
  }
  BatchScanner scanner = Scan(position, kSearchWindowBytes);
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    if (found.header.next_offset() > from) break;
    scanner.Skip(found);
  }
  return scanner.position();
}

template <class Take>
absl::Status Segment::Select(Offset from, const ReadLimits& limits, size_t window_bytes,
                             Take take) const {
  KL_ASSIGN_OR_RETURN(const int64_t start, PositionOf(from));
  BatchScanner scanner = Scan(start, window_bytes);
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    if (found.header.next_offset() > limits.max_offset) break;
    const int64_t bytes = found.position - start + found.bytes;
    if (found.position > start && static_cast<size_t>(bytes) > limits.max_bytes) break;
    KL_RETURN_IF_ERROR(take(scanner, found));
    scanner.Skip(found);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Batch>> Segment::Read(Offset from, const ReadLimits& limits) const {
  std::vector<Batch> batches;
  const size_t window = std::clamp(limits.max_bytes, kSearchWindowBytes, kReadWindowBytes);
  KL_RETURN_IF_ERROR(
      Select(from, limits, window, [&batches](BatchScanner& scanner, const Found& found) {
        KL_ASSIGN_OR_RETURN(Batch batch, scanner.Load(found));
        if (const absl::Status status = format::ValidateCrc(batch); !status.ok()) {
          return scanner.Lost(found.position, base::ToStd(status.message()));
        }
        batches.push_back(std::move(batch));
        return absl::OkStatus();
      }));
  CopyOutOfLargeBuffers(batches, *options_.pool);
  return batches;
}

absl::StatusOr<FileRegion> Segment::Locate(Offset from, const ReadLimits& limits) const {
  files::FileDescriptor file = log_->descriptor();
  FileRegion region{.file = std::move(file.owner), .descriptor = file.number, .position = size_};
  KL_RETURN_IF_ERROR(
      Select(from, limits, kSearchWindowBytes, [&region](BatchScanner&, const Found& found) {
        if (region.bytes == 0) region.position = found.position;
        region.bytes += found.bytes;
        return absl::OkStatus();
      }));
  return region;
}

absl::StatusOr<std::optional<TimestampAndOffset>> Segment::FindByTimestamp(
    int64_t timestamp, Offset start, Offset max_offset) const {
  if (timestamp > max_timestamp_) return std::nullopt;
  // All batches before the one that the entry names are older than the entry. As in PositionOf, one
  // that is not true costs speed, and nothing else.
  Offset first = options_.base_offset;
  KL_ASSIGN_OR_RETURN(const auto entry, times_.Find(timestamp));
  if (entry.has_value()) {
    KL_ASSIGN_OR_RETURN(const bool is_true, IsTrue(*entry));
    if (is_true) first = options_.base_offset + entry->relative_offset;
  }
  KL_ASSIGN_OR_RETURN(const int64_t position, PositionOf(std::max(start, first)));
  BatchScanner scanner = Scan(position, kSearchWindowBytes);
  while (!scanner.AtEnd()) {
    KL_ASSIGN_OR_RETURN(const Found found, scanner.Next());
    if (found.header.base_offset >= max_offset) break;
    if (found.header.max_timestamp >= timestamp) {
      KL_ASSIGN_OR_RETURN(const Batch batch, scanner.Load(found));
      if (const absl::Status status = format::ValidateCrc(batch); !status.ok()) {
        return scanner.Lost(found.position, base::ToStd(status.message()));
      }
      KL_ASSIGN_OR_RETURN(const auto record,
                          FindRecord(batch, timestamp, start, max_offset, *options_.pool));
      if (record.has_value()) return record;
    }
    scanner.Skip(found);
  }
  return std::nullopt;
}

absl::Status Segment::VisitHeaders(Offset from, HeaderVisitor visit) const {
  return Select(from, {.max_offset = next_offset_, .max_bytes = std::numeric_limits<size_t>::max()},
                kSearchWindowBytes, [&visit](BatchScanner&, const Found& found) {
                  visit(found.header);
                  return absl::OkStatus();
                });
}

}  // namespace kafkalite::storage
