#include "kafkalite/client/fetched_batches.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {
namespace {

using model::Offset;

class FetchedBatchesTest : public testing::Test {
 protected:
  // With values as long as the record's number in the batch.
  format::Batch Batch(int64_t base_offset, int records) {
    format::BatchBuilder builder(pool_->Allocate(4096), 4096, 1000);
    for (int i = 0; i < records; ++i) {
      builder.TryAppend(1000 + i, {}, std::string(static_cast<size_t>(i), 'x'), {});
    }
    format::Batch batch = std::move(builder).Build({}, nullptr);
    batch.header.base_offset = Offset(base_offset);
    return batch;
  }
  format::Batch Control(int64_t base_offset) {
    format::Batch batch = Batch(base_offset, 1);
    batch.header.attributes |= format::kControlBit;
    return batch;
  }

  static size_t BytesBefore(const format::Batch& batch, int32_t record) {
    RecordCursor cursor;
    Offset offset;
    while (cursor.records < record) EXPECT_TRUE(cursor.Pass(batch, offset));
    return cursor.bytes;
  }

  base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(1 << 20);
  FetchedBatches fetched_;
};

TEST_F(FetchedBatchesTest, AllAtOnce) {
  fetched_.Assign(Offset(0), {Batch(0, 3), Batch(3, 2)});
  EXPECT_EQ(fetched_.count(), 5);
  const auto slice = fetched_.Front(5);
  EXPECT_EQ(slice.records, 5);
  EXPECT_TRUE(slice.whole);
  EXPECT_EQ(slice.next, Offset(5));
  EXPECT_EQ(fetched_.Take(slice).batches.size(), 2u);
  EXPECT_TRUE(fetched_.empty());
}

TEST_F(FetchedBatchesTest, PieceByPieceTheSumIsTheSame) {
  for (const int64_t piece : {1, 2, 3, 4, 7, 8, 100}) {
    fetched_.Assign(Offset(1), {Batch(0, 3), Batch(3, 1), Batch(4, 5)});
    const int64_t bytes = fetched_.Front(std::numeric_limits<int64_t>::max()).bytes;
    int64_t records = 0, sum = 0;
    Offset next(1);
    while (!fetched_.empty()) {
      const auto slice = fetched_.Front(piece);
      ASSERT_GT(slice.records, 0);
      ASSERT_LE(slice.records, piece);
      ASSERT_EQ(slice.next.value(), next.value() + slice.records);
      next = slice.next;
      records += slice.records;
      sum += slice.bytes;
      const auto taken = fetched_.Take(slice);
      ASSERT_EQ(taken.batches.size(), slice.batches);
      ASSERT_EQ(taken.begin.bytes, BytesBefore(taken.batches[0], taken.begin.records));
    }
    EXPECT_EQ(records, 8) << piece;
    EXPECT_EQ(sum, bytes) << piece;
    EXPECT_EQ(next, Offset(9)) << piece;
  }
}

TEST_F(FetchedBatchesTest, ControlBatchesArePassedAndDoNotCount) {
  fetched_.Assign(Offset(0), {Control(0), Batch(1, 2), Control(3)});
  EXPECT_EQ(fetched_.count(), 2);
  const auto first = fetched_.Front(1);
  EXPECT_EQ(first.next, Offset(2));
  fetched_.Take(first);
  const auto rest = fetched_.Front(1);
  EXPECT_EQ(rest.next, Offset(4));
  fetched_.Take(rest);
  fetched_.Assign(Offset(4), {Control(4)});
  EXPECT_TRUE(fetched_.empty());
}

TEST_F(FetchedBatchesTest, OffsetsThatCompactionTookAreNotCounted) {
  // Offsets 10 and 11 of a batch that once went to 14; a position in the gap.
  format::Batch batch = Batch(10, 2);
  batch.header.last_offset_delta = 4;
  fetched_.Assign(Offset(12), {batch, Batch(15, 1)});
  EXPECT_EQ(fetched_.count(), 1);
  EXPECT_EQ(fetched_.Front(9).next, Offset(16));
  fetched_.Assign(Offset(11), {batch});
  EXPECT_EQ(fetched_.count(), 1);
  EXPECT_EQ(fetched_.Front(1).next, Offset(15));
  fetched_.Assign(Offset(10), {batch});
  EXPECT_EQ(fetched_.Front(1).next, Offset(11));
}

TEST_F(FetchedBatchesTest, BytesThatAreNoRecordsGoWithTheirBatch) {
  format::Batch broken = Batch(0, 3);
  broken.header.last_offset_delta = 3;
  broken.body = base::Slice(broken.body.buffer(), 0, 1);
  fetched_.Assign(Offset(0), {broken, Batch(4, 1)});
  for (int64_t left = 4; left > 0; --left) {
    ASSERT_EQ(fetched_.count(), left);
    fetched_.Take(fetched_.Front(1));
  }
  EXPECT_TRUE(fetched_.empty());
}

}  // namespace
}  // namespace kafkalite::client
