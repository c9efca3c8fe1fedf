// The checker has teeth, and no false alarms: a good and a bad history of each class.

#include "kafkalite/testing/history.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kafkalite::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

PartitionHistory Good() {
  return {.sent = {{{"a", true, 0}, {"b", true, 1}, {"c", false, -1}, {"d", true, 3}},
                   {{"x", true, 2}}},
          .polls = {{{0, "a"}, {1, "b"}, {2, "x"}, {3, "d"}}, {{0, "a"}}, {}},
          .found = {{0, "a"}, {1, "b"}, {2, "x"}, {3, "d"}},
          .end_offset = 4};
}

TEST(CheckHistoryTest, AcceptsWhatIsRight) { EXPECT_THAT(CheckHistory(Good()), IsEmpty()); }

TEST(CheckHistoryTest, AcceptsWhatIsOddAndLegal) {
  PartitionHistory appeared = Good();  // not acknowledged, and there
  appeared.found.insert(appeared.found.begin() + 3, {3, "c"});
  appeared.found[4].first = appeared.sent[0][3].offset = 4;
  appeared.polls = {{{0, "a"}, {1, "b"}, {2, "x"}, {3, "c"}, {4, "d"}}};
  appeared.end_offset = 5;
  EXPECT_THAT(CheckHistory(appeared), IsEmpty());

  PartitionHistory gaps = Good();  // offsets without a record
  for (auto* list : {&gaps.found, &gaps.polls[0]}) (*list)[3].first = 9;
  gaps.sent[0][3].offset = 9;
  gaps.end_offset = 12;
  EXPECT_THAT(CheckHistory(gaps), IsEmpty());

  PartitionHistory nothing;
  EXPECT_THAT(CheckHistory(nothing), IsEmpty());

  PartitionHistory interleaved = Good();  // producers among each other
  interleaved.found = {{0, "x"}, {1, "a"}, {2, "b"}, {3, "d"}};
  interleaved.sent = {{{"a", true, 1}, {"b", true, 2}, {"d", true, 3}}, {{"x", true, 0}}};
  interleaved.polls = {};
  EXPECT_THAT(CheckHistory(interleaved), IsEmpty());
}

TEST(CheckHistoryTest, FindsALostRecord) {
  PartitionHistory history = Good();
  history.found.pop_back();
  history.polls = {};
  EXPECT_THAT(CheckHistory(history), ElementsAre("lost: d, acknowledged at 3"));
}

TEST(CheckHistoryTest, FindsARecordThatOnlyAConsumerHasSeen) {
  PartitionHistory history = Good();
  history.sent[0].push_back({"e", false, -1});
  history.polls[0].push_back({4, "e"});
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("unseen: consumer 0")));
}

TEST(CheckHistoryTest, FindsAMovedRecord) {
  PartitionHistory history = Good();
  history.sent[0][3].offset = 2;
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("moved: d")));
}

TEST(CheckHistoryTest, FindsADuplicate) {
  PartitionHistory history = Good();
  history.found.emplace_back(4, "b");
  EXPECT_THAT(CheckHistory(history), ElementsAre("duplicate: b at 1 and 4"));
}

TEST(CheckHistoryTest, FindsAReorderedRecord) {
  PartitionHistory history = Good();
  history.sent[0][0].offset = 1;
  history.sent[0][1].offset = 0;
  history.found = {{0, "b"}, {1, "a"}, {2, "x"}, {3, "d"}};
  history.polls = {};
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("reordered: b at 0")));
}

TEST(CheckHistoryTest, FindsAnAlteredRecord) {
  PartitionHistory history = Good();
  history.sent[0][2].value = "C";
  history.found.emplace_back(4, "c");
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("altered: nobody sent 'c'")));
}

TEST(CheckHistoryTest, FindsTwoValuesAtOneOffset) {
  PartitionHistory history = Good();
  history.polls[1] = {{0, "a"}, {1, "x"}};
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("inconsistent: at 1 there is 'b'")));
}

TEST(CheckHistoryTest, FindsAConsumerThatGoesBack) {
  PartitionHistory history = Good();
  history.polls[1] = {{0, "a"}, {1, "b"}, {0, "a"}};
  EXPECT_THAT(CheckHistory(history), ElementsAre("backwards: consumer 1 was handed 0 after 1"));
}

TEST(CheckHistoryTest, FindsAConsumerThatSkips) {
  PartitionHistory history = Good();
  history.polls[1] = {{0, "a"}, {2, "x"}};
  EXPECT_THAT(CheckHistory(history),
              ElementsAre(StartsWith("skipped: consumer 1 went from 0 to 2")));
}

TEST(CheckHistoryTest, FindsAnEndThatIsOld) {
  PartitionHistory history = Good();
  history.end_offset = 3;
  EXPECT_THAT(CheckHistory(history), ElementsAre(StartsWith("stale: d was acknowledged at 3")));
}

}  // namespace
}  // namespace kafkalite::testing
