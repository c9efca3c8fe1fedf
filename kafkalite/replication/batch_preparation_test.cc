#include "kafkalite/replication/batch_preparation.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/format/compressed_batch.h"

namespace kafkalite::replication {
namespace {

using format::Batch;
using format::Codec;
using model::CompressionType;
using model::ErrorCode;
using model::TopicConfig;

constexpr int64_t kNow = 1'000'000;

class BatchPreparationTest : public testing::Test {
 protected:
  Batch MakeBatch(const std::vector<int64_t>& timestamps, Codec codec = Codec::kNone) {
    format::BatchBuilder builder(pool_->Allocate(4096), 4096, timestamps.front());
    for (const int64_t timestamp : timestamps) {
      EXPECT_GE(builder.TryAppend(timestamp, std::nullopt, std::string(200, 'v'), {}), 0);
    }
    auto batch = format::CompressBatch(std::move(builder).Build({}, nullptr), codec, {}, *pool_);
    EXPECT_TRUE(batch.ok()) << batch.status();
    return *std::move(batch);
  }
  ErrorCode Prepare(Batch& batch, const TopicConfig& config) {
    ErrorCode error = ErrorCode::kNone;
    message_ = std::string(PrepareBatch(batch, config, kNow, *pool_, error).message());
    return error;
  }

  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(0);
  std::string message_;
};

TEST_F(BatchPreparationTest, IsNeededWhereTheTopicAsksForIt) {
  const Batch plain = MakeBatch({kNow});
  const Batch packed = MakeBatch({kNow}, Codec::kLz4);
  EXPECT_FALSE(NeedsPreparation(plain.header, {}));
  EXPECT_FALSE(NeedsPreparation(packed.header, {}));
  const TopicConfig lz4{.compression_type = CompressionType::kLz4};
  EXPECT_TRUE(NeedsPreparation(plain.header, lz4));
  EXPECT_FALSE(NeedsPreparation(packed.header, lz4));
  EXPECT_TRUE(
      NeedsPreparation(packed.header, {.compression_type = CompressionType::kUncompressed}));
  TopicConfig strict{.message_timestamp_difference_max_ms = 1000};
  EXPECT_TRUE(NeedsPreparation(plain.header, strict));
  strict.message_timestamp_type = model::TimestampType::kLogAppendTime;
  EXPECT_FALSE(NeedsPreparation(plain.header, strict)) << "the clock is the leader's anyway";
}

TEST_F(BatchPreparationTest, PacksTheSameRecordsByTheTopicsCodec) {
  const std::pair<CompressionType, Codec> pairs[] = {{CompressionType::kUncompressed, Codec::kNone},
                                                     {CompressionType::kGzip, Codec::kGzip},
                                                     {CompressionType::kSnappy, Codec::kSnappy},
                                                     {CompressionType::kLz4, Codec::kLz4},
                                                     {CompressionType::kZstd, Codec::kZstd}};
  const Batch original = MakeBatch({kNow, kNow + 1});
  for (const auto& [wanted, codec] : pairs) {
    for (const auto& [unused, from] : pairs) {
      Batch batch = MakeBatch({kNow, kNow + 1}, from);
      ASSERT_EQ(Prepare(batch, {.compression_type = wanted}), ErrorCode::kNone) << message_;
      EXPECT_EQ(format::CodecOf(batch.header), codec);
      EXPECT_TRUE(format::ValidateCrc(batch).ok());
      const auto plain = format::DecompressBatch(batch, 1 << 20, *pool_);
      ASSERT_TRUE(plain.ok()) << plain.status();
      EXPECT_EQ(plain->body.view(), original.body.view());
      EXPECT_EQ(plain->header, original.header);
    }
  }
}

TEST_F(BatchPreparationTest, TimestampsStayNearTheClock) {
  const TopicConfig config{.message_timestamp_difference_max_ms = 1000};
  for (const Codec codec : {Codec::kNone, Codec::kZstd}) {
    Batch near = MakeBatch({kNow, kNow - 1000, kNow + 1000}, codec);
    EXPECT_EQ(Prepare(near, config), ErrorCode::kNone) << message_;
    // Neither the first record nor the latest one.
    Batch old = MakeBatch({kNow, kNow - 1001, kNow + 5}, codec);
    EXPECT_EQ(Prepare(old, config), ErrorCode::kInvalidTimestamp);
    EXPECT_EQ(message_,
              "Timestamp 998999 of message with offset 1 is out of range. The timestamp should be "
              "within [999000, 1001000]");
    Batch early = MakeBatch({kNow + 1001}, codec);
    EXPECT_EQ(Prepare(early, config), ErrorCode::kInvalidTimestamp);
  }
}

TEST_F(BatchPreparationTest, WhatCannotBeUnpackedIsCorrupt) {
  Batch batch = MakeBatch({kNow}, Codec::kGzip);
  batch.body = base::Slice(batch.body.buffer(), 0, batch.body.size() / 2);
  EXPECT_EQ(Prepare(batch, {.compression_type = CompressionType::kLz4}),
            ErrorCode::kCorruptMessage);
}

TEST_F(BatchPreparationTest, WhatGrowsBeyondBoundsIsTooLarge) {
  Batch bomb = MakeBatch({kNow});
  const std::string zeros(kMaxUnpackedBytes + 1, '\0');
  auto body = format::Compress(Codec::kZstd, zeros, *pool_);
  ASSERT_TRUE(body.ok());
  bomb.body = *std::move(body);
  bomb.header.attributes = static_cast<int16_t>(Codec::kZstd);
  EXPECT_EQ(Prepare(bomb, {.compression_type = CompressionType::kUncompressed}),
            ErrorCode::kMessageTooLarge);
}

}  // namespace
}  // namespace kafkalite::replication
