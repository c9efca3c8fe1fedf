#include "kafkalite/base/crc32c.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::base {
namespace {

// The definition, bit by bit.
uint32_t SlowCrc32c(std::string_view data) {
  uint32_t state = 0xffffffff;
  for (const char c : data) {
    state ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) ? 0x82f63b78 : 0);
  }
  return ~state;
}

std::string RandomBytes(size_t size) {
  std::mt19937 random(20180728);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

struct Implementation {
  const char* name;
  uint32_t (*extend)(uint32_t crc, std::string_view data);
};

std::vector<Implementation> Implementations() {
  std::vector<Implementation> all = {{"dispatched", ExtendCrc32c},
                                     {"portable", internal::ExtendCrc32cPortable}};
  if (internal::HasCrc32cInstructions()) {
    all.push_back({"hardware", internal::ExtendCrc32cHardware});
  }
  return all;
}

TEST(Crc32cTest, KnownValues) {
  std::string rising, falling;
  for (int i = 0; i < 32; ++i) {
    rising.push_back(static_cast<char>(i));
    falling.push_back(static_cast<char>(31 - i));
  }
  // An iSCSI read command, the last example of RFC 3720, B.4.
  std::string command(48, '\0');
  command[0] = 0x01;
  command[1] = static_cast<char>(0xc0);
  command[16] = 0x14;
  command[22] = 0x04;
  command[27] = 0x14;
  command[31] = 0x18;
  command[32] = 0x28;
  command[40] = 0x02;
  for (const auto& [name, extend] : Implementations()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(extend(0, ""), 0u);
    EXPECT_EQ(extend(0, "123456789"), 0xe3069283u);
    EXPECT_EQ(extend(0, std::string(32, '\0')), 0x8a9136aau);
    EXPECT_EQ(extend(0, std::string(32, '\xff')), 0x62a8ab43u);
    EXPECT_EQ(extend(0, rising), 0x46dd794eu);
    EXPECT_EQ(extend(0, falling), 0x113fdb5cu);
    EXPECT_EQ(extend(0, command), 0xd9963a56u);
  }
}

TEST(Crc32cTest, AllImplementationsAgreeAtAllLengths) {
  const std::string bytes = RandomBytes(21000);
  std::vector<size_t> lengths;
  for (size_t n = 0; n <= 1300; ++n) lengths.push_back(n);  // all tails and small blocks
  for (size_t n = 1301; n < 20000; n += 377) lengths.push_back(n);
  for (size_t n = 1; n <= 4; ++n) {  // around the edges of triples
    for (size_t d = 0; d < 18; ++d) lengths.push_back(n * 3 * 1288 - 9 + d);
  }
  for (size_t i = 0; i < lengths.size(); ++i) {
    const auto data = std::string_view(bytes).substr(i % 9, lengths[i]);  // any alignment
    const uint32_t expected = SlowCrc32c(data);
    for (const auto& [name, extend] : Implementations()) {
      ASSERT_EQ(extend(0, data), expected) << name << ", " << data.size() << " bytes";
    }
  }
}

TEST(Crc32cTest, ExtendingIsConcatenation) {
  const std::string bytes = RandomBytes(8000);
  const uint32_t whole = SlowCrc32c(bytes);
  for (const auto& [name, extend] : Implementations()) {
    for (size_t cut = 0; cut <= bytes.size(); cut += cut < 200 ? 1 : 97) {
      const auto data = std::string_view(bytes);
      ASSERT_EQ(extend(extend(0, data.substr(0, cut)), data.substr(cut)), whole)
          << name << ", cut at " << cut;
    }
  }
}

TEST(Crc32cTest, APrefixIsReplacedWithoutTheRest) {
  for (const size_t rest_bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{16384}, size_t{70001}}) {
    const std::string rest(rest_bytes, 'r');
    const std::string before = "the prefix that was there";
    const std::string after = "another one, of that size";
    ASSERT_EQ(before.size(), after.size());
    EXPECT_EQ(ReplaceCrc32cPrefix(Crc32c(before + rest), before, after, rest_bytes),
              Crc32c(after + rest))
        << rest_bytes;
  }
}

}  // namespace
}  // namespace kafkalite::base
