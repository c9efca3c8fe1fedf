#include "kafkalite/replication/epoch_cache.h"

#include <initializer_list>
#include <ostream>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/random.h"

namespace kafkalite::replication {

void PrintTo(const EpochEnd& end, std::ostream* out) {
  *out << "epoch " << end.epoch.value() << " ends at " << end.end_offset.value();
}
void PrintTo(const EpochCache::Entry& entry, std::ostream* out) {
  *out << "(" << entry.epoch.value() << ", " << entry.start_offset.value() << ")";
}

namespace {

using model::LeaderEpoch;
using model::Offset;
using Entries = std::vector<EpochCache::Entry>;

Entries Of(std::initializer_list<std::pair<int32_t, int64_t>> pairs) {
  Entries entries;
  for (const auto& [epoch, start] : pairs) entries.push_back({LeaderEpoch(epoch), Offset(start)});
  return entries;
}

EpochCache Make(std::initializer_list<std::pair<int32_t, int64_t>> pairs) {
  EpochCache cache;
  for (const auto& [epoch, start] : pairs) cache.Assign(LeaderEpoch(epoch), Offset(start));
  return cache;
}

EpochEnd End(int32_t epoch, int64_t end) { return {LeaderEpoch(epoch), Offset(end)}; }

TEST(EpochCacheTest, AnEmptyCacheKnowsNothing) {
  const EpochCache cache;
  EXPECT_EQ(cache.latest(), model::kNoEpoch);
  EXPECT_EQ(cache.EndOf(LeaderEpoch(0), Offset(10)), EpochEnd());
  EXPECT_EQ(cache.EndOf(model::kNoEpoch, Offset(10)), EpochEnd());
}

TEST(EpochCacheTest, AnEpochBeginsWhereItWasFirstSeen) {
  const EpochCache cache = Make({{1, 0}, {1, 5}, {1, 9}, {3, 12}, {3, 12}});
  EXPECT_EQ(cache.entries(), Of({{1, 0}, {3, 12}}));
  EXPECT_EQ(cache.latest(), LeaderEpoch(3));
}

TEST(EpochCacheTest, Rule3_AnEpochThatNeverHadARecordGivesWay) {
  // KAFKA-7415: two elections without a write between them.
  EXPECT_EQ(Make({{1, 0}, {2, 10}, {3, 10}}).entries(), Of({{1, 0}, {3, 10}}));
}

TEST(EpochCacheTest, Rule3_EpochsAndOffsetsRiseStrictlyWhateverIsAssigned) {
  base::Random random(11);
  for (int run = 0; run < 200; ++run) {
    EpochCache cache;
    for (int i = 0; i < 30; ++i) {
      cache.Assign(LeaderEpoch(static_cast<int32_t>(random.Below(10))),
                   Offset(static_cast<int64_t>(random.Below(30))));
      const Entries& entries = cache.entries();
      for (size_t e = 1; e < entries.size(); ++e) {
        ASSERT_LT(entries[e - 1].epoch, entries[e].epoch);
        ASSERT_LT(entries[e - 1].start_offset, entries[e].start_offset);
      }
    }
  }
}

TEST(EpochCacheTest, ALowerEpochDropsTheHigherOnesThatItContradicts) {
  EXPECT_EQ(Make({{1, 0}, {5, 10}, {3, 12}}).entries(), Of({{1, 0}, {3, 12}}));
  EXPECT_EQ(Make({{1, 5}, {3, 10}, {2, 4}}).entries(), Of({{2, 4}}));
}

TEST(EpochCacheTest, Rule2_TheLatestEpochEndsAtTheLogsEnd) {
  EXPECT_EQ(Make({{1, 0}, {3, 10}}).EndOf(LeaderEpoch(3), Offset(25)), End(3, 25));
}

TEST(EpochCacheTest, Rule2_AnEarlierEpochEndsWhereTheNextBegins) {
  EXPECT_EQ(Make({{1, 0}, {3, 10}, {4, 20}}).EndOf(LeaderEpoch(3), Offset(25)), End(3, 20));
  EXPECT_EQ(Make({{1, 0}, {3, 10}, {4, 20}}).EndOf(LeaderEpoch(1), Offset(25)), End(1, 10));
}

TEST(EpochCacheTest, Rule2_AnUnknownEpochIsAnsweredWithTheLargestBelowIt) {
  const EpochCache cache = Make({{1, 0}, {4, 10}, {8, 20}});
  EXPECT_EQ(cache.EndOf(LeaderEpoch(2), Offset(25)), End(1, 10));
  EXPECT_EQ(cache.EndOf(LeaderEpoch(3), Offset(25)), End(1, 10));
  EXPECT_EQ(cache.EndOf(LeaderEpoch(7), Offset(25)), End(4, 20));
}

TEST(EpochCacheTest, Rule3_BelowTheFirstEntryTheSmallestOffsetIsTheAnswer) {
  EXPECT_EQ(Make({{4, 10}, {8, 20}}).EndOf(LeaderEpoch(2), Offset(25)), End(2, 10));
}

TEST(EpochCacheTest, AboveTheLastEntryNothingIsKnown) {
  EXPECT_EQ(Make({{1, 0}, {4, 10}}).EndOf(LeaderEpoch(5), Offset(25)), EpochEnd());
}

TEST(EpochCacheTest, TruncatingTheSuffixDropsWhatBeganThereOrLater) {
  EpochCache cache = Make({{1, 0}, {3, 10}, {4, 20}});
  cache.TruncateSuffix(Offset(21));
  EXPECT_EQ(cache.entries(), Of({{1, 0}, {3, 10}, {4, 20}}));
  cache.TruncateSuffix(Offset(20));
  EXPECT_EQ(cache.entries(), Of({{1, 0}, {3, 10}}));
  cache.TruncateSuffix(Offset(4));
  EXPECT_EQ(cache.entries(), Of({{1, 0}}));
  cache.TruncateSuffix(Offset(0));
  EXPECT_EQ(cache.entries(), Entries());
}

TEST(EpochCacheTest, TruncatingThePrefixKeepsTheEpochInForce) {
  EpochCache cache = Make({{1, 0}, {3, 10}, {4, 20}});
  cache.TruncatePrefix(Offset(5));
  EXPECT_EQ(cache.entries(), Of({{1, 5}, {3, 10}, {4, 20}}));
  cache.TruncatePrefix(Offset(10));
  EXPECT_EQ(cache.entries(), Of({{3, 10}, {4, 20}}));
  cache.TruncatePrefix(Offset(100));
  EXPECT_EQ(cache.entries(), Of({{4, 100}}));
  EpochCache empty;
  empty.TruncatePrefix(Offset(5));
  EXPECT_EQ(empty.entries(), Entries());
}

TEST(EpochCacheTest, TruncatingThePrefixBelowTheFirstEntryChangesNothing) {
  EpochCache cache = Make({{3, 10}});
  cache.TruncatePrefix(Offset(5));
  EXPECT_EQ(cache.entries(), Of({{3, 10}}));
}

}  // namespace
}  // namespace kafkalite::replication
