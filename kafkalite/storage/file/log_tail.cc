#include "kafkalite/storage/file/log_tail.h"

#include <algorithm>
#include <cassert>

#include "kafkalite/base/buffer.h"

namespace kafkalite::storage {

using format::Batch;
using model::Offset;

int64_t LogTail::MemoryOf(const Batch& batch) {
  const base::Buffer* buffer = batch.body.buffer().get();
  return static_cast<int64_t>(sizeof(Batch) + (buffer == nullptr ? 0 : buffer->capacity()));
}

void LogTail::Reset(Range range) {
  *this = LogTail();
  range_ = range;
  begin_ = range.end;
}

void LogTail::Append(const Batch& batch) {
  batches_.push_back(batch);
  memory_bytes_ += MemoryOf(batch);
  if (borders_.size() == kMaxBorders) borders_.pop_front();
  borders_.push_back({batch.header.base_offset, batch.header.next_offset(),
                      static_cast<int64_t>(batch.size_bytes())});
  range_.end = batch.header.next_offset();
}

std::vector<Batch> LogTail::Read(Offset from, const ReadLimits& limits) const {
  assert(Has(from));
  std::vector<Batch> read;
  size_t bytes = 0;
  auto it = batches_.end();
  // Followers and readers that keep up ask for the last one.
  if (!batches_.empty() && batches_.back().header.base_offset <= from) {
    if (batches_.back().header.next_offset() > from) --it;
  } else {
    it = std::partition_point(batches_.begin(), batches_.end(), [from](const Batch& batch) {
      return batch.header.next_offset() <= from;
    });
  }
  for (; it != batches_.end(); ++it) {
    if (it->header.next_offset() > limits.max_offset) break;
    if (!read.empty() && bytes + it->size_bytes() > limits.max_bytes) break;
    bytes += it->size_bytes();
    read.push_back(*it);
  }
  return read;
}

int64_t LogTail::TruncateSuffix(Offset end) {
  if (end >= range_.end) return 0;
  Offset new_end = end;
  int64_t bytes = 0;
  for (; !borders_.empty() && borders_.back().next > end; borders_.pop_back()) {
    new_end = std::min(new_end, borders_.back().base);
    bytes += borders_.back().bytes;
  }
  for (; !batches_.empty() && batches_.back().header.next_offset() > end; batches_.pop_back()) {
    memory_bytes_ -= MemoryOf(batches_.back());
  }
  range_.end = new_end;
  range_.start = std::min(range_.start, new_end);
  begin_ = std::min(begin_, new_end);
  return bytes;
}

void LogTail::TruncatePrefix(Offset start) {
  if (start > range_.end) return Reset({start, start});
  while (!batches_.empty() && batches_.front().header.next_offset() <= start) PopFront();
  while (!borders_.empty() && borders_.front().next <= start) borders_.pop_front();
  range_.start = std::max(range_.start, start);
}

void LogTail::PopFront() {
  assert(!batches_.empty());
  memory_bytes_ -= MemoryOf(batches_.front());
  begin_ = batches_.front().header.next_offset();
  batches_.pop_front();
}

}  // namespace kafkalite::storage
