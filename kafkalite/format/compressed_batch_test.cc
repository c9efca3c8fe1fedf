#include "kafkalite/format/compressed_batch.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::format {
namespace {

class CompressedBatchTest : public ::testing::TestWithParam<Codec> {
 protected:
  Batch MakePlain(int records) {
    const size_t limit = 200 * static_cast<size_t>(records);
    BatchBuilder builder(pool_->Allocate(limit), limit, 1000);
    for (int i = 0; i < records; ++i) {
      EXPECT_GE(
          builder.TryAppend(1000 + i, "key", "value " + std::to_string(i) + " again again", {}), 0);
    }
    return std::move(builder).Build(
        {.producer_id = model::ProducerId(7), .producer_epoch = 1, .base_sequence = 5}, nullptr);
  }
  static std::vector<std::string> Values(const Batch& batch) {
    std::vector<std::string> values;
    RecordIterator it(batch);
    RecordView record;
    while (it.Next(record)) values.emplace_back(*record.value);
    EXPECT_TRUE(it.ok());
    return values;
  }

  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(1 << 20);
};

INSTANTIATE_TEST_SUITE_P(Codecs, CompressedBatchTest,
                         ::testing::Values(Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4,
                                           Codec::kZstd),
                         [](const auto& info) { return std::string(ToString(info.param)); });

TEST_P(CompressedBatchTest, ComesBackAsItWas) {
  const Batch plain = MakePlain(100);
  const auto batch = CompressBatch(plain, GetParam(), std::nullopt, *pool_);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(CodecOf(batch->header), GetParam());
  EXPECT_EQ(batch->header.crc, ComputeCrc(batch->header, batch->body.view()));
  EXPECT_EQ(batch->size_bytes(), static_cast<size_t>(batch->header.batch_length) + 12);
  EXPECT_EQ(batch->header.record_count, 100);
  EXPECT_EQ(batch->header.base_sequence, 5);
  EXPECT_EQ(batch->header.last_offset(), plain.header.last_offset());
  if (GetParam() != Codec::kNone) {
    EXPECT_LT(batch->size_bytes(), plain.size_bytes() / 2);
  }
  const auto back = DecompressBatch(*batch, kMaxRecordsBytes, *pool_);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->header, plain.header);
  EXPECT_EQ(back->body.view(), plain.body.view());
  EXPECT_EQ(Values(*back).size(), 100u);
}

TEST_P(CompressedBatchTest, RefusesWhatIsBeyondTheLimitOrBroken) {
  if (GetParam() == Codec::kNone) GTEST_SKIP() << "nothing is unpacked";
  auto batch = CompressBatch(MakePlain(100), GetParam(), std::nullopt, *pool_);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(DecompressBatch(*batch, 100, *pool_).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(CompressBatch(*batch, GetParam(), std::nullopt, *pool_).status()));
  batch->body = base::Slice(batch->body.buffer(), 0, batch->body.size() / 2);
  EXPECT_FALSE(DecompressBatch(*batch, kMaxRecordsBytes, *pool_).ok());
}

TEST(CompressedBatchCodecTest, AnUnknownCodecIsRefused) {
  const auto pool = base::BufferPool::Create(1 << 20);
  Batch batch;
  batch.header.attributes = 6;
  EXPECT_TRUE(absl::IsInvalidArgument(DecompressBatch(batch, 100, *pool).status()));
}

}  // namespace
}  // namespace kafkalite::format
