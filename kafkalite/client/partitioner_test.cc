#include "kafkalite/client/partitioner.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/partitioner.h"

namespace kafkalite::client {
namespace {

using std::chrono::milliseconds;

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

class StickyPartitionTest : public ::testing::Test {
 protected:
  static constexpr size_t kTurn = 1000;

  StickyPartition& Make(const std::vector<bool>& has_leader,
                        const DefaultPartitionerOptions& options = {}, uint64_t seed = 1) {
    sticky_ = std::make_unique<StickyPartition>(seed, options);
    sticky_->SetTurnBytes(kTurn);
    sticky_->SetLeaders(has_leader);
    return *sticky_;
  }
  void Seal(int32_t partition, size_t bytes, bool full = false) {
    sticky_->Count(partition, bytes, full);
    sticky_->LeaveIfDone(partition, executor_.clock());
  }
  // How many turns each partition has.
  std::map<int32_t, int> Turns(int count) {
    std::map<int32_t, int> turns;
    for (int i = 0; i < count; ++i) {
      ++turns[sticky_->current()];
      Seal(sticky_->current(), kTurn);
    }
    return turns;
  }
  std::set<int32_t> Visited() {
    std::set<int32_t> visited;
    for (const auto& [partition, turns] : Turns(100)) visited.insert(partition);
    return visited;
  }

  base::SimExecutor executor_{1};  // for its clock
  std::unique_ptr<StickyPartition> sticky_;
};

TEST_F(StickyPartitionTest, StaysForTheBytesOfOneBatch) {
  Make({true, true, true});
  const int32_t first = sticky_->current();
  Seal(first, kTurn - 1);
  EXPECT_EQ(sticky_->current(), first);
  Seal((first + 1) % 3, kTurn);
  EXPECT_EQ(sticky_->current(), first) << "those of others do not count";
  Seal(first, 1);
  const int32_t second = sticky_->current();
  EXPECT_NE(second, first);
  Seal(second, kTurn - 1);
  EXPECT_EQ(sticky_->current(), second) << "each turn is counted from its beginning";
  Seal(second, 1);
  EXPECT_NE(sticky_->current(), second);
}

TEST_F(StickyPartitionTest, AFullBatchIsATurn) {
  Make({true, true, true});
  const int32_t first = sticky_->current();
  Seal(first, kTurn - 10, /*full=*/true);
  EXPECT_NE(sticky_->current(), first);
}

TEST_F(StickyPartitionTest, VisitsAllAndNewOnesToo) {
  Make({true, true, true});
  EXPECT_EQ(Visited(), (std::set<int32_t>{0, 1, 2}));
  sticky_->SetLeaders({true, true, true, true});
  EXPECT_EQ(Visited(), (std::set<int32_t>{0, 1, 2, 3}));
}

TEST_F(StickyPartitionTest, OnePartitionStays) {
  Make({true});
  Seal(0, kTurn);
  EXPECT_EQ(sticky_->current(), 0);
}

TEST_F(StickyPartitionTest, TheSeedDecides) {
  const std::vector<bool> many(100, true);
  const int32_t a = Make(many, {}, 7).current();
  EXPECT_EQ(Make(many, {}, 7).current(), a);
  EXPECT_NE(Make(many, {}, 8).current(), a);
}

TEST_F(StickyPartitionTest, OnlyPartitionsWithALeaderHaveATurn) {
  Make({false, true, false, true});
  EXPECT_EQ(Visited(), (std::set<int32_t>{1, 3}));
  sticky_->SetLeaders({true, false, false, false});
  EXPECT_EQ(sticky_->current(), 0) << "the current one has lost its leader";
  sticky_->SetLeaders({false, false});
  EXPECT_EQ(sticky_->current(), 0) << "where none has one, all may wait for theirs";
}

TEST_F(StickyPartitionTest, WhereMoreWaitsTurnsAreFewer) {
  Make({true, true, true});
  EXPECT_NEAR(Turns(3000)[0], 1000, 100);
  sticky_->LoadOf(0).queued = 9;
  sticky_->LoadOf(1).queued = 5;
  std::map<int32_t, int> turns = Turns(3200);  // by 1 : 5 : 10, as Java's
  EXPECT_NEAR(turns[0], 200, 60);
  EXPECT_NEAR(turns[1], 1000, 130);
  EXPECT_NEAR(turns[2], 2000, 130);
  Make({true, true, true}, {.adaptive = false});
  sticky_->LoadOf(0).queued = 9;
  EXPECT_NEAR(Turns(3000)[0], 1000, 100);
}

TEST_F(StickyPartitionTest, WhereNothingMovesThereIsNoTurn) {
  const DefaultPartitionerOptions options{.availability_timeout = milliseconds(100)};
  Make({true, true, true}, options);
  const base::Time now = executor_.clock().Now();
  sticky_->LoadOf(0).progress_at = now;
  sticky_->LoadOf(0).queued = 1;
  executor_.RunFor(milliseconds(100));
  EXPECT_GT(Turns(300)[0], 0) << "not yet";
  executor_.RunFor(milliseconds(1));
  EXPECT_EQ(Visited(), (std::set<int32_t>{1, 2}));
  sticky_->LoadOf(0).queued = 0;
  EXPECT_EQ(Visited(), (std::set<int32_t>{0, 1, 2}));
  for (int32_t p = 0; p < 3; ++p) {
    sticky_->LoadOf(p).progress_at = now;
    sticky_->LoadOf(p).queued = 1;
  }
  EXPECT_EQ(Visited(), (std::set<int32_t>{0, 1, 2})) << "where none moves, all may wait";
  Make({true, true, true});
  sticky_->LoadOf(0).queued = 1;
  executor_.RunFor(milliseconds(1000));
  EXPECT_GT(Turns(300)[0], 0) << "by default a partition may wait for however long";
}

std::vector<int32_t> TurnsOf(int count, const std::vector<bool>& has_leader) {
  std::vector<std::atomic<bool>> leaders(has_leader.size());
  for (size_t i = 0; i < has_leader.size(); ++i) leaders[i] = has_leader[i];
  std::atomic<uint32_t> turn{0};
  std::vector<int32_t> turns;
  for (int i = 0; i < count; ++i) turns.push_back(NextInTurn(turn, leaders));
  return turns;
}

TEST(NextInTurnTest, EachHasItsTurn) {
  EXPECT_EQ(TurnsOf(5, {true, true, true}), (std::vector<int32_t>{0, 1, 2, 0, 1}));
}

TEST(NextInTurnTest, WhoHasNoLeaderIsPassedOver) {
  EXPECT_EQ(TurnsOf(6, {true, false, false, true}), (std::vector<int32_t>{0, 3, 0, 3, 0, 3}));
  EXPECT_EQ(TurnsOf(3, {false, false}), (std::vector<int32_t>{0, 1, 0}));
}

}  // namespace
}  // namespace kafkalite::client
