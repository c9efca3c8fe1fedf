#include "kafkalite/client/partitioner.h"

#include <atomic>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/partitioner.h"

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
  StickyPartition sticky(1);
  sticky.SetLeaders({true, true, true});
  const int32_t first = sticky.current();
  sticky.Leave((first + 1) % 3);
  EXPECT_EQ(sticky.current(), first);
  sticky.Leave(first);
  EXPECT_NE(sticky.current(), first);
}

TEST(StickyPartitionTest, VisitsAllAndNewOnesToo) {
  StickyPartition sticky(1);
  sticky.SetLeaders({true, true, true});
  std::set<int32_t> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(sticky.current());
    sticky.Leave(sticky.current());
  }
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2}));
  sticky.SetLeaders({true, true, true, true});
  for (int i = 0; i < 100; ++i) {
    seen.insert(sticky.current());
    sticky.Leave(sticky.current());
  }
  EXPECT_EQ(seen, (std::set<int32_t>{0, 1, 2, 3}));
}

TEST(StickyPartitionTest, OnePartitionStays) {
  StickyPartition sticky(1);
  sticky.SetLeaders({true});
  sticky.Leave(0);
  EXPECT_EQ(sticky.current(), 0);
}

TEST(StickyPartitionTest, TheSeedDecides) {
  StickyPartition a(7), b(7), c(8);
  for (StickyPartition* sticky : {&a, &b, &c}) sticky->SetLeaders(std::vector<bool>(100, true));
  EXPECT_EQ(a.current(), b.current());
  EXPECT_NE(a.current(), c.current());
}

TEST(StickyPartitionTest, OnlyPartitionsWithALeaderHaveATurn) {
  StickyPartition sticky(1);
  sticky.SetLeaders({false, true, false, true});
  std::set<int32_t> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(sticky.current());
    sticky.Leave(sticky.current());
  }
  EXPECT_EQ(seen, (std::set<int32_t>{1, 3}));
  sticky.SetLeaders({true, false, false, false});
  EXPECT_EQ(sticky.current(), 0) << "the current one has lost its leader";
  sticky.SetLeaders({false, false});
  EXPECT_EQ(sticky.current(), 0) << "where none has one, all may wait for theirs";
}

std::vector<int32_t> Turns(int count, const std::vector<bool>& has_leader) {
  std::vector<std::atomic<bool>> leaders(has_leader.size());
  for (size_t i = 0; i < has_leader.size(); ++i) leaders[i] = has_leader[i];
  std::atomic<uint32_t> turn{0};
  std::vector<int32_t> turns;
  for (int i = 0; i < count; ++i) turns.push_back(NextInTurn(turn, leaders));
  return turns;
}

TEST(NextInTurnTest, EachHasItsTurn) {
  EXPECT_EQ(Turns(5, {true, true, true}), (std::vector<int32_t>{0, 1, 2, 0, 1}));
}

TEST(NextInTurnTest, WhoHasNoLeaderIsPassedOver) {
  EXPECT_EQ(Turns(6, {true, false, false, true}), (std::vector<int32_t>{0, 3, 0, 3, 0, 3}));
  EXPECT_EQ(Turns(3, {false, false}), (std::vector<int32_t>{0, 1, 0}));
}

}  // namespace
}  // namespace kafkalite::client
