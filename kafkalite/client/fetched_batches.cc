#include "kafkalite/client/fetched_batches.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "kafkalite/base/varint.h"

namespace kafkalite::client {

// Reads no more of the record than its offset.
bool RecordCursor::Pass(const format::Batch& batch, model::Offset& offset) {
  const char* const end = batch.body.data() + batch.body.size();
  int32_t length, offset_delta;
  int64_t timestamp_delta;
  const char* const record = base::ReadVarint(batch.body.data() + bytes, end, &length);
  if (records >= batch.header.record_count || record == nullptr || length < 1 ||
      length > end - record) {
    return false;
  }
  const char* const record_end = record + length;
  const char* in = base::ReadVarint(record + 1, record_end, &timestamp_delta);
  if (in == nullptr || base::ReadVarint(in, record_end, &offset_delta) == nullptr) return false;
  offset =
      model::Offset(format::internal::WrappingAdd(batch.header.base_offset.value(), offset_delta));
  bytes = static_cast<size_t>(record_end - batch.body.data());
  ++records;
  return true;
}

void FetchedBatches::Assign(model::Offset position, std::vector<format::Batch> batches) {
  Clear();
  batches_ = std::move(batches);
  if (batches_.empty()) return;
  const format::Batch& oldest = batches_.front();
  if (oldest.header.base_offset < position && !oldest.header.is_control()) {
    model::Offset offset;
    for (RecordCursor next; next.Pass(oldest, offset) && offset < position;) cursor_ = next;
    begin_record_ = cursor_.records;
  }
  for (size_t i = 0; i < batches_.size(); ++i) count_ += RecordsOf(i);
  if (empty()) Clear();
}

void FetchedBatches::Clear() {
  batches_.clear();
  first_ = 0;
  begin_record_ = 0;
  cursor_ = {};
  count_ = 0;
}

FetchedBatches::Slice FetchedBatches::Front(int64_t max_records) const {
  Slice slice;
  for (size_t i = first_; i < batches_.size(); ++i) {
    const format::Batch& batch = batches_[i];
    const int32_t here = RecordsOf(i);
    const int64_t records = std::min<int64_t>(here, max_records - slice.records);
    if (records == 0 && here > 0) break;
    ++slice.batches;
    slice.records += records;
    slice.whole = records == here;
    slice.end_record = BeginOf(i) + static_cast<int32_t>(records);
    slice.next = slice.whole ? batch.header.next_offset() : OffsetAfter(i, slice.end_record - 1);
    if (records == 0) continue;
    const auto share = [&batch](int64_t record) {
      return static_cast<int64_t>(batch.body.size()) * record / batch.header.record_count;
    };
    slice.bytes += share(slice.end_record) - share(BeginOf(i));
    if (!slice.whole) break;
  }
  return slice;
}

model::Offset FetchedBatches::OffsetAfter(size_t i, int32_t record) const {
  const format::Batch& batch = batches_[i];
  if (batch.header.last_offset_delta == batch.header.record_count - 1) {
    return batch.header.base_offset + record + 1;
  }
  // Compaction has left gaps.
  RecordCursor cursor = i == first_ ? cursor_ : RecordCursor();
  model::Offset offset;
  while (cursor.records <= record) {
    if (!cursor.Pass(batch, offset)) return batch.header.next_offset();
  }
  return offset + 1;
}

FetchedBatches::Taken FetchedBatches::Take(const Slice& slice) {
  model::Offset offset;
  while (cursor_.records < begin_record_ && cursor_.Pass(batches_[first_], offset)) {
  }
  Taken taken{.begin = cursor_, .batches = {}};
  count_ -= slice.records;
  if (empty() && first_ == 0) {
    taken.batches = std::move(batches_);
    Clear();
    return taken;
  }
  const auto first = batches_.begin() + static_cast<ptrdiff_t>(first_);
  taken.batches.assign(std::make_move_iterator(first),
                       std::make_move_iterator(first + static_cast<ptrdiff_t>(slice.batches)));
  if (slice.whole || slice.batches > 1) cursor_ = {};
  first_ += slice.batches;
  begin_record_ = 0;
  if (!slice.whole) {
    batches_[--first_] = taken.batches.back();
    begin_record_ = slice.end_record;
  }
  if (empty()) Clear();
  return taken;
}

}  // namespace kafkalite::client
