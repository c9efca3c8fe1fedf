#include "kafkalite/format/producer_snapshot.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/endian.h"
#include "kafkalite/format/test_bytes.h"

namespace kafkalite::format {
namespace {

using absl::StatusCode;
using model::Offset;
using model::ProducerId;
using std::literals::string_view_literals::operator""sv;

std::vector<ProducerSnapshotEntry> Example() {
  return {{.producer_id = ProducerId(4242),
           .epoch = 7,
           .last_sequence = 102,
           .last_offset = Offset(1499),
           .offset_delta = 2,
           .timestamp = 1700000000000},
          {.producer_id = ProducerId(0),
           .epoch = 0,
           .coordinator_epoch = 3,
           .current_txn_first_offset = Offset(5)}};
}

// With a CRC that fits whatever is there.
std::string Sealed(std::string bytes) {
  base::StoreBig<uint32_t>(bytes.data() + 2, base::Crc32c(std::string_view(bytes).substr(6)));
  return bytes;
}

testing::AssertionResult Refused(std::string_view bytes, StatusCode code, std::string_view words) {
  return IsError(ParseProducerSnapshot(bytes).status(), code, words);
}

TEST(ProducerSnapshotTest, GoldenBytes) {
  const std::string bytes = EncodeProducerSnapshot(Example());
  ASSERT_EQ(bytes.size(), 10u + 2 * 46);
  // The CRC is by a program of ten lines that shares nothing with the library.
  EXPECT_EQ(std::string_view(bytes).substr(0, 2), "\x00\x01"sv);
  EXPECT_EQ(std::string_view(bytes).substr(2, 4), "\xe5\xfb\xed\x6f"sv);
  EXPECT_EQ(std::string_view(bytes).substr(6, 50),
            "\x00\x00\x00\x02"                  // two producers
            "\x00\x00\x00\x00\x00\x00\x10\x92"  // 4242
            "\x00\x07"                          // epoch
            "\x00\x00\x00\x66"                  // last sequence
            "\x00\x00\x00\x00\x00\x00\x05\xdb"  // last offset
            "\x00\x00\x00\x02"                  // offset delta
            "\x00\x00\x01\x8b\xcf\xe5\x68\x00"  // timestamp
            "\xff\xff\xff\xff"                  // no coordinator
            "\xff\xff\xff\xff\xff\xff\xff\xff"sv);
}

TEST(ProducerSnapshotTest, ComesBack) {
  EXPECT_EQ(ParseProducerSnapshot(EncodeProducerSnapshot(Example())).value(), Example());
  EXPECT_TRUE(ParseProducerSnapshot(EncodeProducerSnapshot({})).value().empty());
}

TEST(ProducerSnapshotTest, EveryTruncationAndFlipIsNoticed) {
  const std::string bytes = EncodeProducerSnapshot(Example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(Refused(bytes.substr(0, size), StatusCode::kDataLoss, "producer snapshot")) << size;
  }
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(ParseProducerSnapshot(flipped).ok()) << bit;
  }
  EXPECT_TRUE(Refused(bytes + "x", StatusCode::kDataLoss, "CRC"));
}

TEST(ProducerSnapshotTest, SaysWhatIsWrong) {
  const auto kInvalid = StatusCode::kInvalidArgument;
  std::string bytes = EncodeProducerSnapshot(Example());
  EXPECT_TRUE(Refused("123456789", StatusCode::kDataLoss, "it has 9 bytes, its head alone 10"));
  base::StoreBig<int16_t>(bytes.data(), 2);
  EXPECT_TRUE(Refused(bytes, kInvalid, "version is 2, not 1"));
  for (const int32_t count : {-1, 0, 1, 3, INT32_MIN, INT32_MAX}) {
    bytes = EncodeProducerSnapshot(Example());
    base::StoreBig<int32_t>(bytes.data() + 6, count);
    EXPECT_TRUE(Refused(bytes, StatusCode::kDataLoss, "CRC is"));
    EXPECT_TRUE(Refused(Sealed(bytes), kInvalid, "producers in 102 bytes"));
  }
  bytes = EncodeProducerSnapshot(Example());
  EXPECT_TRUE(Refused(Sealed(bytes + "x"), kInvalid, "it counts 2 producers in 103 bytes"));
  bytes[10] = '\xff';
  EXPECT_TRUE(Refused(Sealed(bytes), kInvalid, "entry 0 has producer id -72057594037923694"));
}

TEST(ProducerSnapshotTest, TakesAnyBytes) {
  FeedVariations(EncodeProducerSnapshot(Example()), [](std::string_view bytes) {
    static_cast<void>(ParseProducerSnapshot(bytes));
    if (bytes.size() >= 6) static_cast<void>(ParseProducerSnapshot(Sealed(std::string(bytes))));
  });
}

}  // namespace
}  // namespace kafkalite::format
