#include "kafkalite/format/checkpoint.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/test_bytes.h"

namespace kafkalite::format {
namespace {

using absl::StatusCode;
using model::LeaderEpoch;
using model::Offset;

model::TopicPartition Tp(const std::string& topic, int32_t partition) {
  return {topic, model::PartitionId(partition)};
}

OffsetCheckpoint Example() {
  return {{Tp("orders", 1), Offset(720)},
          {Tp("orders", 10), Offset(0)},
          {Tp("a.b_c-d", 0), Offset(INT64_MAX)}};
}
constexpr std::string_view kExample =
    "0\n3\na.b_c-d 0 9223372036854775807\norders 1 720\norders 10 0\n";

std::vector<EpochStart> Epochs() {
  return {{LeaderEpoch(0), Offset(0)}, {LeaderEpoch(4), Offset(7)}, {LeaderEpoch(5), Offset(7)}};
}
constexpr std::string_view kEpochs = "0\n3\n0 0\n4 7\n5 7\n";

testing::AssertionResult Refused(std::string_view bytes, StatusCode code, std::string_view words) {
  return IsError(ParseOffsetCheckpoint(bytes).status(), code, words);
}
testing::AssertionResult EpochsRefused(std::string_view bytes, StatusCode code,
                                       std::string_view words) {
  return IsError(ParseEpochCheckpoint(bytes).status(), code, words);
}

TEST(CheckpointTest, IsWhatKafkaWrites) {
  EXPECT_EQ(EncodeOffsetCheckpoint(Example()), kExample);
  EXPECT_EQ(EncodeOffsetCheckpoint({}), "0\n0\n");
  EXPECT_EQ(EncodeEpochCheckpoint(Epochs()), kEpochs);
  EXPECT_EQ(EncodeEpochCheckpoint({}), "0\n0\n");
}

TEST(CheckpointTest, ComesBack) {
  EXPECT_EQ(ParseOffsetCheckpoint(kExample).value(), Example());
  EXPECT_EQ(ParseEpochCheckpoint(kEpochs).value(), Epochs());
}

TEST(CheckpointTest, MayBeEmpty) {
  EXPECT_TRUE(ParseOffsetCheckpoint("").value().empty()) << "as Kafka makes it";
  EXPECT_TRUE(ParseOffsetCheckpoint("0\n0\n").value().empty());
  EXPECT_TRUE(ParseEpochCheckpoint("").value().empty());
  EXPECT_TRUE(ParseEpochCheckpoint("0\n0\n").value().empty());
}

TEST(CheckpointTest, ReadsWhatKafkaReads) {
  EXPECT_EQ(ParseOffsetCheckpoint("0\r\n1\r\nt 0 5\r\n").value().at(Tp("t", 0)), Offset(5));
  EXPECT_EQ(ParseOffsetCheckpoint("0\n1\nt\t0   5 \n").value().at(Tp("t", 0)), Offset(5));
}

TEST(CheckpointTest, EveryTruncationIsNoticed) {
  for (size_t size = 1; size < kExample.size(); ++size) {
    EXPECT_TRUE(Refused(kExample.substr(0, size), StatusCode::kDataLoss, "line")) << size;
  }
  for (size_t size = 1; size < kEpochs.size(); ++size) {
    EXPECT_TRUE(EpochsRefused(kEpochs.substr(0, size), StatusCode::kDataLoss, "line")) << size;
  }
}

TEST(CheckpointTest, SaysWhatIsWrong) {
  const auto kInvalid = StatusCode::kInvalidArgument;
  EXPECT_TRUE(Refused("1\n0\n", kInvalid, "line 1 is '1', but the only version"));
  EXPECT_TRUE(Refused("0\n-1\n", kInvalid, "line 2 is '-1', which is not a number of entries"));
  EXPECT_TRUE(Refused("0\n1\nt 0\n", kInvalid, "line 3 is 't 0', not topic, partition and offset"));
  EXPECT_TRUE(Refused("0\n1\nt 0 1 2\n", kInvalid, "not topic, partition and offset"));
  EXPECT_TRUE(Refused("0\n1\n t 0\n", kInvalid, "illegal topic"));
  EXPECT_TRUE(Refused("0\n1\n../x 0 1\n", kInvalid, "illegal topic"));
  EXPECT_TRUE(Refused("0\n1\nt -1 1\n", kInvalid, "partition is not a number"));
  EXPECT_TRUE(Refused("0\n1\nt 2147483648 1\n", kInvalid, "partition is not a number"));
  EXPECT_TRUE(Refused("0\n1\nt 0 1x\n", kInvalid, "offset is not a number"));
  EXPECT_TRUE(Refused("0\n1\nt 0 9223372036854775808\n", kInvalid, "offset is not a number"));
  EXPECT_TRUE(Refused("0\n2\nt 0 1\nt 0 2\n", kInvalid, "line 4 is 't 0 2', a partition that was"));
  EXPECT_TRUE(Refused("0\n1\nt 0 1\nt 1 1\n", kInvalid, "more after its 1 entries"));
  EXPECT_TRUE(Refused("0\n4000000000\nt 0 1\n", StatusCode::kDataLoss, "line 4 is missing"));
  EXPECT_TRUE(Refused("0\n1\nt 0 \x01\xff\n", kInvalid, R"('t 0 \x01\xff')")) << "escaped";
  EXPECT_TRUE(Refused(base::Cat(std::string(10000, 'x'), "\n"), kInvalid, "xxx...'"))
      << "shortened";

  EXPECT_TRUE(EpochsRefused("0\n1\n1\n", kInvalid, "line 3 is '1', not epoch and offset"));
  EXPECT_TRUE(EpochsRefused("0\n1\nx 1\n", kInvalid, "epoch is not a number"));
  EXPECT_TRUE(EpochsRefused("0\n1\n1 -1\n", kInvalid, "offset is not a number"));
  EXPECT_TRUE(EpochsRefused("0\n2\n4 5\n4 6\n", kInvalid, "does not follow the line before"));
  EXPECT_TRUE(EpochsRefused("0\n2\n4 5\n5 4\n", kInvalid, "does not follow the line before"));
}

TEST(CheckpointTest, TakesAnyBytes) {
  FeedVariations(kExample, [](std::string_view bytes) {
    const auto parsed = ParseOffsetCheckpoint(bytes);
    if (parsed.ok()) {
      ASSERT_EQ(ParseOffsetCheckpoint(EncodeOffsetCheckpoint(*parsed)).value(), *parsed);
    }
  });
  FeedVariations(kEpochs, [](std::string_view bytes) {
    const auto parsed = ParseEpochCheckpoint(bytes);
    if (parsed.ok()) {
      ASSERT_EQ(ParseEpochCheckpoint(EncodeEpochCheckpoint(*parsed)).value(), *parsed);
    }
  });
}

}  // namespace
}  // namespace kafkalite::format
