#include "kafkalite/storage/file/batch_scanner.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::storage {

using format::Batch;
using format::BatchHeader;
using format::kBatchHeaderBytes;

namespace {

constexpr int64_t kHeaderBytes = kBatchHeaderBytes;
constexpr int64_t kBytesBeforeLengthEnds = 12;

size_t BodyBytes(const BatchHeader& header) {
  return static_cast<size_t>(
      std::max<int64_t>(header.batch_length + kBytesBeforeLengthEnds - kHeaderBytes, 0));
}

void CopyOut(std::span<Batch> batches, size_t bytes, base::BufferPool& pool) {
  const base::Ref<base::Buffer> buffer = pool.Allocate(bytes);
  size_t used = 0;
  for (Batch& batch : batches) {
    const size_t size = batch.body.size();
    if (size > 0) std::memcpy(buffer->data() + used, batch.body.data(), size);
    batch.body = base::Slice(buffer, used, size);
    used += size;
  }
}

}  // namespace

absl::Status BatchScanner::Lost(int64_t position, std::string_view what) const {
  return absl::DataLossError(base::ToAbsl(base::Cat("'", path_, "' at ", position, ": ", what)));
}

absl::StatusOr<size_t> BatchScanner::Bring(int64_t position, size_t bytes) {
  const auto window_end = window_position_ + static_cast<int64_t>(window_size_);
  if (window_ && position >= window_position_ &&
      position + static_cast<int64_t>(bytes) <= window_end) {
    return static_cast<size_t>(position - window_position_);
  }
  const auto rest = static_cast<size_t>(range_.end - position);
  const size_t wanted = std::max(bytes, std::min(range_.window_bytes, rest));
  window_ = {};  // so that the pool has it for this
  window_ = pool_.Allocate(wanted);
  window_position_ = position;
  window_size_ = 0;
  KL_ASSIGN_OR_RETURN(window_size_,
                      file_.ReadAt(position, std::span<char>(window_->data(), wanted)));
  if (window_size_ >= bytes) return 0;
  return Lost(position, base::Cat("the file ends after ", window_size_, " of ", bytes, " bytes"));
}

std::string BatchScanner::WhyNotNext(const BatchHeader& header) const {
  if (header.base_offset < range_.least_offset) {
    return base::Cat("base offset is ", header.base_offset.value(), ", but ",
                     range_.least_offset.value(), " comes next");
  }
  if (header.next_offset() > range_.end_offset) {
    return base::Cat("the batch ends at ", header.next_offset().value(), ", but the segment at ",
                     range_.end_offset.value());
  }
  return "";
}

absl::StatusOr<BatchScanner::Found> BatchScanner::Look() {
  Found found{.position = range_.position};
  const int64_t rest = range_.end - range_.position;
  if (rest < kHeaderBytes) {
    found.wrong = base::Cat("only ", rest, " bytes are left");
    found.unfinished = true;
    return found;
  }
  KL_ASSIGN_OR_RETURN(const size_t at, Bring(range_.position, kBatchHeaderBytes));
  found.header = format::DecodeHeader(window_->data() + at);
  const absl::Status valid = format::ValidateHeader(found.header, BodyBytes(found.header));
  found.bytes = kBytesBeforeLengthEnds + int64_t{found.header.batch_length};
  if (!valid.ok()) {
    found.wrong = std::string(base::ToStd(valid.message()));
  } else if (found.bytes > rest) {
    found.wrong = base::Cat("a batch of ", found.bytes, " bytes, of which ", rest, " are left");
    found.unfinished = WhyNotNext(found.header).empty();
  } else {
    found.is_batch = true;
    found.wrong = WhyNotNext(found.header);
  }
  return found;
}

absl::StatusOr<BatchScanner::Found> BatchScanner::Next() {
  KL_ASSIGN_OR_RETURN(Found found, Look());
  if (!found.wrong.empty()) return Lost(found.position, found.wrong);
  return found;
}

void BatchScanner::Skip(const Found& found) {
  range_.position = found.position + found.bytes;
  range_.least_offset = found.header.next_offset();
}

absl::StatusOr<Batch> BatchScanner::Load(const Found& found) {
  KL_ASSIGN_OR_RETURN(const size_t at, Bring(found.position, static_cast<size_t>(found.bytes)));
  return Batch{found.header, base::Slice(window_, at + kBatchHeaderBytes, BodyBytes(found.header))};
}

void CopyOutOfLargeBuffers(std::vector<Batch>& batches, base::BufferPool& pool) {
  for (auto begin = batches.begin(); begin != batches.end();) {
    const base::Buffer* const buffer = begin->body.buffer().get();
    size_t bytes = 0;
    auto end = begin;
    for (; end != batches.end() && end->body.buffer().get() == buffer; ++end) {
      bytes += end->body.size();
    }
    // The pool has no buffers below 256 bytes.
    if (buffer->capacity() > 256 && bytes < buffer->capacity() / 2) {
      CopyOut({begin, end}, bytes, pool);
    }
    begin = end;
  }
}

}  // namespace kafkalite::storage
