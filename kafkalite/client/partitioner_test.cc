#include "kafkalite/client/partitioner.h"

#include <set>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"

namespace kafkalite::client {
namespace {

// From Java's UtilsTest.testMurmur2.
TEST(Murmur2Test, IsJavas) {
  constexpr std::pair<std::string_view, int32_t> kVectors[] = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  for (const auto& [text, hash] : kVectors) EXPECT_EQ(Murmur2(text), hash) << text;
}

TEST(Murmur2Test, PartitionsAreNeverNegative) {
  EXPECT_EQ(PartitionOfKey("21", 7), (-973932308 & 0x7fffffff) % 7);
  EXPECT_EQ(PartitionOfKey("abc", 1), 0);
  EXPECT_GE(PartitionOfKey("", 5), 0);
}

TEST(StickyPartitionTest, ChangesOnlyWhenTheCurrentOneIsLeft) {
  StickyPartition sticky(1, 3);
  const int32_t first = sticky.current();
  sticky.Leave((first + 1) % 3);
  EXPECT_EQ(sticky.current(), first);
  sticky.Leave(first);
  EXPECT_NE(sticky.current(), first);
}

TEST(StickyPartitionTest, VisitsAllAndNewOnesToo) {
  StickyPartition sticky(1, 3);
  std::set<int32_t> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(sticky.current());
    sticky.Leave(sticky.current());
  }
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2}));
  sticky.SetCount(4);
  for (int i = 0; i < 100; ++i) {
    seen.insert(sticky.current());
    sticky.Leave(sticky.current());
  }
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(StickyPartitionTest, OnePartitionStays) {
  StickyPartition sticky(1, 1);
  sticky.Leave(0);
  EXPECT_EQ(sticky.current(), 0);
}

TEST(StickyPartitionTest, TheSeedDecides) {
  StickyPartition a(7, 100), b(7, 100), c(8, 100);
  EXPECT_EQ(a.current(), b.current());
  EXPECT_NE(a.current(), c.current());
}

}  // namespace
}  // namespace kafkalite::client
