#include "kafkalite/client/records.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "kafkalite/base/varint.h"
#include "kafkalite/consumed_records.h"
#include "kafkalite/record.h"

namespace kafkalite {
namespace client {

RecordsData::RecordsData(std::shared_ptr<base::Budget> budget) : budget_(std::move(budget)) {}

RecordsData::~RecordsData() {
  parts_.clear();  // what is released may be charged again at once
  if (charged_bytes_ > 0) budget_->Release(charged_bytes_);
}

bool RecordsData::TryCharge(std::span<const format::Batch> batches) {
  std::vector<const base::Buffer*> fresh;
  fresh.reserve(batches.size());
  for (const format::Batch& batch : batches) {
    const base::Buffer* buffer = batch.body.buffer().get();
    if (buffer != nullptr && !std::binary_search(buffers_.begin(), buffers_.end(), buffer)) {
      fresh.push_back(buffer);
    }
  }
  std::sort(fresh.begin(), fresh.end());
  fresh.erase(std::unique(fresh.begin(), fresh.end()), fresh.end());
  int64_t bytes = 0;
  for (const base::Buffer* buffer : fresh) bytes += static_cast<int64_t>(buffer->capacity());

  if (bytes > 0 && !budget_->TryCharge(bytes)) return false;
  charged_bytes_ += bytes;
  const auto middle = static_cast<ptrdiff_t>(buffers_.size());
  buffers_.insert(buffers_.end(), fresh.begin(), fresh.end());
  std::inplace_merge(buffers_.begin(), buffers_.begin() + middle, buffers_.end());
  return true;
}

void RecordsData::Add(const model::TopicPartition& tp, const FetchedBatches::Slice& slice,
                      FetchedBatches::Taken taken) {
  count_ += slice.records;
  parts_.push_back({.tp = tp,
                    .begin = taken.begin,
                    .whole = slice.whole,
                    .end_record = slice.end_record,
                    .batches = std::move(taken.batches)});
}

}  // namespace client

std::vector<Header> ConsumedRecord::headers() const {
  std::vector<Header> headers;
  if (header_count == 0) return headers;
  headers.reserve(static_cast<size_t>(header_count));
  format::RecordView view;
  view.header_count = header_count;
  view.encoded_headers = encoded_headers;
  format::HeaderIterator it(view);
  format::Header header;
  while (it.Next(header)) headers.push_back({.key = header.key, .value = header.value});
  return headers;
}

Records::Records() = default;
Records::Records(Records&&) noexcept = default;
Records& Records::operator=(Records&&) noexcept = default;
Records::~Records() = default;
Records::Records(std::shared_ptr<const client::RecordsData> data) : data_(std::move(data)) {}

int64_t Records::count() const { return data_ == nullptr ? 0 : data_->count(); }

Records::Iterator Records::begin() const {
  return data_ == nullptr ? Iterator() : Iterator(data_.get());
}

Records::Iterator::Iterator(const client::RecordsData* data) : data_(data) { NextBatch(); }

// As format::RecordIterator::Next, straight into the record that the user sees. Bytes that are no
// record end their batch; channels that read from outside have validated their batches.
[[gnu::always_inline]] inline bool Records::Iterator::Decode() {
  using base::ReadVarint;
  int32_t length;
  const char* in;
  if (remaining_ <= 0 || (in = ReadVarint(position_, batch_end_, &length)) == nullptr ||
      length < 1 || length > batch_end_ - in) [[unlikely]] {
    return false;
  }
  const char* const end = in + length;
  ++in;  // attributes
  int64_t timestamp_delta;
  int32_t offset_delta;
  if ((in = ReadVarint(in, end, &timestamp_delta)) == nullptr ||
      (in = ReadVarint(in, end, &offset_delta)) == nullptr ||
      (in = format::internal::ReadBytes(in, end, &record_.key)) == nullptr ||
      (in = format::internal::ReadBytes(in, end, &record_.value)) == nullptr ||
      (in = ReadVarint(in, end, &record_.header_count)) == nullptr || record_.header_count < 0)
      [[unlikely]] {
    return false;
  }
  record_.offset = format::internal::WrappingAdd(base_offset_, offset_delta);
  record_.timestamp =
      format::internal::WrappingAdd(base_timestamp_, timestamp_delta & timestamp_delta_mask_);
  record_.encoded_headers = std::string_view(in, static_cast<size_t>(end - in));
  position_ = end;
  --remaining_;
  return true;
}

Records::Iterator& Records::Iterator::operator++() {
  if (!Decode()) [[unlikely]] {
    NextBatch();
  }
  return *this;
}

void Records::Iterator::NextBatch() {
  for (; part_ < data_->parts().size(); ++part_, next_batch_ = 0) {
    const client::RecordsData::Part& part = data_->parts()[part_];
    while (next_batch_ < part.batches.size()) {
      const bool first = next_batch_ == 0;
      const format::Batch& batch = part.batches[next_batch_++];
      const bool last = next_batch_ == part.batches.size();
      const format::BatchHeader& header = batch.header;
      if (header.is_control() || (header.attributes & format::kCompressionMask) != 0) continue;
      const bool append_time = (header.attributes & format::kLogAppendTimeBit) != 0;
      position_ = batch.body.data() + (first ? part.begin.bytes : 0);
      batch_end_ = batch.body.data() + batch.body.size();
      base_offset_ = header.base_offset.value();
      base_timestamp_ = append_time ? header.max_timestamp : header.base_timestamp;
      timestamp_delta_mask_ = append_time ? 0 : -1;
      remaining_ = last && !part.whole ? part.end_record : header.record_count;
      if (first) remaining_ -= part.begin.records;
      record_.topic = part.tp.topic;
      record_.partition = part.tp.partition.value();
      if (Decode()) return;
    }
  }
  *this = Iterator();
}

}  // namespace kafkalite
