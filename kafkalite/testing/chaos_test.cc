#include "kafkalite/testing/chaos.h"

#include <string>

#include "gtest/gtest.h"

namespace kafkalite::testing {
namespace {

std::string Describe(const ChaosReport& report) {
  std::string text = "seed " + std::to_string(report.seed) + "\n";
  for (const std::string& line : report.violations) text += "  violation: " + line + "\n";
  for (const std::string& line : report.story) text += "  " + line + "\n";
  return text;
}

// Sharded by the build: each seed is one case.
class Chaos : public ::testing::TestWithParam<int> {};

TEST_P(Chaos, LosesNothingAndRunsTheSameTwice) {
  const auto seed = static_cast<uint64_t>(GetParam());
  const ChaosOptions options{.logs = LogsOfSeed(seed)};
  const ChaosReport first = RunChaos(seed, options);
  EXPECT_TRUE(first.violations.empty()) << Describe(first);
  EXPECT_GT(first.acknowledged, 0) << Describe(first);
  const ChaosReport second = RunChaos(seed, options);
  EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed << " is not deterministic";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, ::testing::Range(0, 100));

TEST(ChaosTest, DifferentSeedsMakeDifferentRuns) {
  EXPECT_NE(RunChaos(1, {.steps = 5}).trace_hash, RunChaos(2, {.steps = 5}).trace_hash);
}

TEST(ChaosTest, TheFaultsDoHappen) {
  int kills = 0, cuts = 0, pauses = 0, changes = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ChaosReport report = RunChaos(seed, {});
    kills += report.faults["kill"];
    cuts += report.faults["cut"];
    pauses += report.faults["pause"];
    changes += report.leader_changes;
  }
  EXPECT_GT(kills, 10);
  EXPECT_GT(cuts, 20);
  EXPECT_GT(pauses, 20);
  EXPECT_GT(changes, 50);
}

// --- The checker has teeth ----------------------------------------------------------------------

PartitionHistory Good() {
  return {.sent = {{"a", true, 0}, {"b", true, 1}, {"c", false, -1}, {"d", true, 2}},
          .found = {{0, "a"}, {1, "b"}, {2, "d"}}};
}

TEST(CheckHistoryTest, AcceptsWhatIsRight) {
  EXPECT_TRUE(CheckHistory(Good()).empty());
  PartitionHistory unknown_fate = Good();  // not acknowledged, but there
  unknown_fate.found = {{0, "a"}, {1, "b"}, {2, "c"}, {3, "d"}};
  unknown_fate.sent[3].offset = 3;
  EXPECT_TRUE(CheckHistory(unknown_fate).empty());
}

TEST(CheckHistoryTest, FindsALostRecord) {
  PartitionHistory history = Good();
  history.found.pop_back();
  ASSERT_EQ(CheckHistory(history).size(), 1u);
  EXPECT_EQ(CheckHistory(history)[0], "lost: d, acknowledged at 2");
}

TEST(CheckHistoryTest, FindsADuplicate) {
  PartitionHistory history = Good();
  history.found.emplace_back(3, "b");
  ASSERT_EQ(CheckHistory(history).size(), 1u);
}

TEST(CheckHistoryTest, FindsAReorderedRecord) {
  PartitionHistory history = Good();
  history.sent[0].offset = 1;
  history.sent[1].offset = 0;
  history.found = {{0, "b"}, {1, "a"}, {2, "d"}};
  EXPECT_FALSE(CheckHistory(history).empty());
}

TEST(CheckHistoryTest, FindsAnAlteredAndAMovedRecord) {
  PartitionHistory history = Good();
  history.found[1].second = "B";
  EXPECT_EQ(CheckHistory(history).size(), 2u);  // b is lost, B nobody sent
  history = Good();
  history.sent[3].offset = 7;
  EXPECT_EQ(CheckHistory(history).size(), 1u);
}

}  // namespace
}  // namespace kafkalite::testing
