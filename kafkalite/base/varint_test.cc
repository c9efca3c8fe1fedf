#include "kafkalite/base/varint.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/endian.h"

namespace kafkalite::base {
namespace {

std::string Encode(int64_t value) {
  char out[kMaxVarlongBytes];
  return std::string(out, WriteVarint(out, value));
}

// Whether `bytes` are exactly one number, and that number.
template <class T>
bool Decode(std::string_view bytes, T* value) {
  const char* end = bytes.data() + bytes.size();
  return ReadVarint(bytes.data(), end, value) == end;
}

// The numbers around each power of two, where lengths change.
std::vector<int64_t> InterestingNumbers() {
  std::vector<int64_t> numbers = {std::numeric_limits<int64_t>::min(),
                                  std::numeric_limits<int64_t>::max()};
  for (int shift = 0; shift < 63; ++shift) {
    const int64_t power = int64_t{1} << shift;
    for (const int64_t n : {power - 1, power, power + 1}) {
      numbers.push_back(n);
      numbers.push_back(-n);
    }
  }
  return numbers;
}

TEST(VarintTest, KnownBytes) {
  EXPECT_EQ(Encode(0), std::string(1, '\0'));
  EXPECT_EQ(Encode(-1), "\x01");
  EXPECT_EQ(Encode(1), "\x02");
  EXPECT_EQ(Encode(63), "\x7e");
  EXPECT_EQ(Encode(-64), "\x7f");
  EXPECT_EQ(Encode(64), "\x80\x01");
  EXPECT_EQ(Encode(100), "\xc8\x01");
  EXPECT_EQ(Encode(8191), "\xfe\x7f");
  EXPECT_EQ(Encode(-8193), "\x81\x80\x01");
  EXPECT_EQ(Encode(std::numeric_limits<int32_t>::max()), "\xfe\xff\xff\xff\x0f");
  EXPECT_EQ(Encode(std::numeric_limits<int32_t>::min()), "\xff\xff\xff\xff\x0f");
  EXPECT_EQ(Encode(std::numeric_limits<int64_t>::max()),
            "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(Encode(std::numeric_limits<int64_t>::min()),
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(VarintTest, RoundTrips) {
  for (const int64_t number : InterestingNumbers()) {
    const std::string bytes = Encode(number);
    EXPECT_EQ(static_cast<int>(bytes.size()), VarintBytes(number)) << number;

    int64_t wide = 0;
    EXPECT_TRUE(Decode(bytes, &wide)) << number;
    EXPECT_EQ(wide, number);

    int32_t narrow = 0;
    const bool fits = number == static_cast<int32_t>(number);
    EXPECT_EQ(Decode(bytes, &narrow), fits) << number;
    EXPECT_EQ(narrow, fits ? number : 0);
  }
}

TEST(VarintTest, EveryTruncationIsRejected) {
  for (const int64_t number : InterestingNumbers()) {
    const std::string bytes = Encode(number);
    for (size_t size = 0; size < bytes.size(); ++size) {
      // A copy of its own, so that a sanitizer sees a read past its end.
      const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<int64_t>(size));
      int64_t wide;
      int32_t narrow;
      EXPECT_EQ(ReadVarint(cut.data(), cut.data() + size, &wide), nullptr);
      EXPECT_EQ(ReadVarint(cut.data(), cut.data() + size, &narrow), nullptr);
    }
  }
}

TEST(VarintTest, OverlongIsRejected) {
  int64_t wide;
  int32_t narrow;
  // Eleven bytes and six: no number needs them.
  EXPECT_FALSE(Decode(std::string(10, '\x80') + '\x01', &wide));
  EXPECT_FALSE(Decode(std::string(5, '\x80') + '\x01', &narrow));
  // The last possible byte has bits beyond the 64th and the 32nd.
  EXPECT_FALSE(Decode(std::string(9, '\x80') + '\x02', &wide));
  EXPECT_FALSE(Decode(std::string(4, '\x80') + '\x10', &narrow));
  EXPECT_TRUE(Decode(std::string(9, '\x80') + '\x01', &wide));
  EXPECT_TRUE(Decode(std::string(4, '\x80') + '\x0f', &narrow));
}

// Java's reader takes them, and so do we.
TEST(VarintTest, PaddedZerosAreAccepted) {
  int32_t narrow = 7;
  EXPECT_TRUE(Decode(std::string_view("\x82\x80\x00", 3), &narrow));
  EXPECT_EQ(narrow, 1);
}

TEST(EndianTest, StoresTheHighestByteFirst) {
  char out[15];
  StoreBig<int8_t>(out, -2);
  StoreBig<int16_t>(out + 1, 0x0102);
  StoreBig<int32_t>(out + 3, -2);
  StoreBig<int64_t>(out + 7, 0x0102030405060708);
  EXPECT_EQ(std::string_view(out, sizeof(out)),
            std::string_view("\xfe\x01\x02\xff\xff\xff\xfe\x01\x02\x03\x04\x05\x06\x07\x08", 15));
  EXPECT_EQ(LoadBig<int8_t>(out), -2);
  EXPECT_EQ(LoadBig<int16_t>(out + 1), 0x0102);
  EXPECT_EQ(LoadBig<int32_t>(out + 3), -2);
  EXPECT_EQ(LoadBig<uint32_t>(out + 3), 0xfffffffeu);
  EXPECT_EQ(LoadBig<int64_t>(out + 7), 0x0102030405060708);
}

}  // namespace
}  // namespace kafkalite::base
