// File: segment_fixture.h
//
// What the tests of segments share.

#ifndef KAFKALITE_STORAGE_FILE_SEGMENT_FIXTURE_H_
#define KAFKALITE_STORAGE_FILE_SEGMENT_FIXTURE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/file/segment.h"

namespace kafkalite::storage {

using Batches = std::vector<format::Batch>;
using SegmentPtr = std::unique_ptr<Segment>;

// A batch to be made: `timestamps.size()` records from `offset` on.
struct SegmentBatch {
  int64_t offset = 0;
  std::vector<int64_t> timestamps = {1000};
  int32_t epoch = 0;
  size_t value_bytes = 10;
};

inline base::Ref<base::BufferPool> SegmentPool() {
  static const auto& pool = *new base::Ref<base::BufferPool>(base::BufferPool::Create(16 << 20));
  return pool;
}

inline format::Batch MakeBatch(const SegmentBatch& spec) {
  const size_t limit = (spec.value_bytes + 40) * spec.timestamps.size();
  format::BatchBuilder builder(SegmentPool()->Allocate(limit), limit, spec.timestamps.front());
  // Bytes of its own, so that one batch does not pass for another.
  const std::string value(spec.value_bytes, static_cast<char>('a' + spec.offset % 26));
  for (const int64_t timestamp : spec.timestamps) {
    EXPECT_GE(builder.TryAppend(timestamp, std::nullopt, value, {}), 0);
  }
  format::Batch batch = std::move(builder).Build({}, SegmentPool().get());
  batch.header.base_offset = model::Offset(spec.offset);
  batch.header.leader_epoch = model::LeaderEpoch(spec.epoch);
  return batch;
}

inline std::string BytesOf(const format::Batch& batch) {
  std::string bytes(format::kBatchHeaderBytes, '\0');
  format::EncodeHeader(batch.header, bytes.data());
  return base::Cat(bytes, batch.body.view());
}

inline std::string BytesOf(const Batches& batches) {
  std::string bytes;
  for (const format::Batch& batch : batches) bytes += BytesOf(batch);
  return bytes;
}

class SegmentFixture : public testing::Test {
 protected:
  using Offset = model::Offset;
  static constexpr int64_t kBase = 1000;
  static constexpr ReadLimits kNoLimits = {
      .max_offset = Offset(std::numeric_limits<int64_t>::max()),
      .max_bytes = std::numeric_limits<size_t>::max()};

  static SegmentOptions Options(files::FileSystem& fs, const std::string& folder) {
    return {.fs = &fs,
            .folder = folder,
            .base_offset = Offset(kBase),
            .created_millis = 77,
            .pool = SegmentPool()};
  }
  static std::string PathOf(const std::string& folder, const std::string& suffix) {
    return base::Cat(folder, "/00000000000000001000", suffix);
  }

  // `count` batches of three records that follow each other.
  static Batches Sequence(int64_t offset, int count, size_t value_bytes = 10, int32_t epoch = 0) {
    Batches batches;
    for (int i = 0; i < count; ++i, offset += 3) {
      batches.push_back(MakeBatch({.offset = offset,
                                   .timestamps = {offset, offset + 1, offset + 2},
                                   .epoch = epoch,
                                   .value_bytes = value_bytes}));
    }
    return batches;
  }
  static std::string ReadAll(const Segment& segment) {
    const auto batches = segment.Read(segment.base_offset(), kNoLimits);
    EXPECT_TRUE(batches.ok()) << batches.status();
    return batches.ok() ? BytesOf(*batches) : "";
  }
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_SEGMENT_FIXTURE_H_
