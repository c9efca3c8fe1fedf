// Runs under faults: some by seed every day, and those that found something, each named after the
// rule that was broken.

#include "kafkalite/testing/swarm.h"

#include <cstdint>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kafkalite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kSeedsOfACase = 20;

class SwarmSeeds : public ::testing::TestWithParam<int> {};

TEST_P(SwarmSeeds, NothingIsLost) {
  for (int i = 0; i < kSeedsOfACase; ++i) {
    const auto seed = static_cast<uint64_t>(GetParam() * kSeedsOfACase + i);
    const SwarmReport report = RunSwarm(SwarmOptions::OfSeed(seed));
    ASSERT_THAT(report.violations, IsEmpty()) << report.Story();
    EXPECT_GT(report.acknowledged, 0) << report.options.ToString();
  }
}

// 200 seeds; sharded by the build.
INSTANTIATE_TEST_SUITE_P(Days, SwarmSeeds, ::testing::Range(0, 10));

// --- What earlier runs found ---------------------------------------------------------------------

SwarmReport RunWithScript(uint64_t seed, const FaultScript& script) {
  return RunSwarm(SwarmOptions::OfSeed(seed), script);
}

// KIP-320: a broker that had been cut off named itself the leader, and a consumer that believed it
// was sent back to the beginning.
TEST(SwarmFindings, ConsumersDoNotFollowOldMetadata) {
  const SwarmReport report = RunWithScript(858, {
                                                    {182, FaultKind::kPause, 1},
                                                    {282, FaultKind::kKill, 2},
                                                    {9709, FaultKind::kCutCoordination, 1},
                                                    {10477, FaultKind::kResume, 1},
                                                    {37919, FaultKind::kKill, 3},
                                                    {45302, FaultKind::kHealLinks},
                                                    {47147, FaultKind::kRestart, 3},
                                                });
  EXPECT_THAT(report.violations, IsEmpty()) << report.Story();
}

// The last in-sync replica has everything though its disk cut its last write short.
TEST(SwarmFindings, AWriteThatWasCutShortIsNoLoss) {
  const SwarmReport report = RunWithScript(899, {
                                                    {1136, FaultKind::kPause, 2},
                                                    {3417, FaultKind::kKill, 3},
                                                    {4729, FaultKind::kWriteErrors, 1},
                                                    {6506, FaultKind::kRestart, 3},
                                                    {6743, FaultKind::kPowerOff, 3, 0, 611},
                                                });
  EXPECT_THAT(report.violations, IsEmpty()) << report.Story();
}

// A leader that was started again while no command reached it led in the epoch of its former self.
TEST(SwarmFindings, ALeaderThatCameBackLeadsInALaterEpoch) {
  const SwarmReport report = RunWithScript(278, {
                                                    {75, FaultKind::kSlowDisk, 3, 0, 22},
                                                    {702, FaultKind::kExpireSession, 3},
                                                    {1084, FaultKind::kCutOneWay, 2, 4},
                                                    {3851, FaultKind::kCutOneWay, 4, 3},
                                                    {4392, FaultKind::kWriteErrors, 2},
                                                    {7094, FaultKind::kCutClients, 2},
                                                    {8118, FaultKind::kCutOneWay, 3, 5},
                                                    {8353, FaultKind::kExpireSession, 2},
                                                    {9909, FaultKind::kKill, 3},
                                                    {10833, FaultKind::kRestart, 3},
                                                    {11732, FaultKind::kCutOneWay, 5, 1},
                                                    {13493, FaultKind::kWriteErrors, 1},
                                                    {16234, FaultKind::kMendDisk, 1},
                                                    {19642, FaultKind::kHealLinks},
                                                });
  EXPECT_THAT(report.violations, IsEmpty()) << report.Story();
}

// A batch that overtook an earlier one was sent under a new identity, and a copy of it accepted.
TEST(SwarmFindings, ABatchThatOvertookAnotherKeepsItsNumbers) {
  const SwarmReport report = RunSwarm(SwarmOptions::OfSeed(1289));
  EXPECT_THAT(report.violations, IsEmpty()) << report.Story();
}

// --- The swarm itself ----------------------------------------------------------------------------

TEST(SwarmTest, TheSameSeedMakesTheSameRunAndSoDoesItsScript) {
  for (uint64_t seed = 500; seed < 505; ++seed) {
    SwarmOptions options = SwarmOptions::OfSeed(seed);
    options.seconds = 20;
    const SwarmReport first = RunSwarm(options);
    EXPECT_THAT(first.script, Not(IsEmpty()));
    EXPECT_EQ(RunSwarm(options).trace_hash, first.trace_hash) << options.ToString();
    const SwarmReport replayed = RunSwarm(options, first.script);
    EXPECT_EQ(replayed.trace_hash, first.trace_hash) << options.ToString();
    EXPECT_EQ(replayed.script, first.script);
  }
}

TEST(SwarmTest, ChecksAreMade) {
  SwarmOptions options = SwarmOptions::OfSeed(3);
  options.seconds = 20;
  const SwarmReport report = RunSwarm(options);
  EXPECT_GT(report.counters.events, 1000);
  EXPECT_GT(report.polled, 0);
  EXPECT_GT(report.sent, 100);
}

// The canary: what no protocol survives has to be seen.
TEST(SwarmTest, ALossIsFoundAndItsScriptMadeSmall) {
  SwarmOptions options = SwarmOptions::OfSeed(11);
  options.seconds = 20;
  options.sabotage = true;
  const SwarmReport report = RunSwarm(options);
  ASSERT_THAT(report.violations, Not(IsEmpty()));
  EXPECT_THAT(report.Story(), HasSubstr("seed 11"));
  const FaultScript smallest = Shrink(report, /*runs=*/60);
  EXPECT_LT(smallest.size(), report.script.size());
  EXPECT_THAT(RunSwarm(options, smallest).violations, Not(IsEmpty()));
}

TEST(FaultScriptTest, ReadsAsCode) {
  EXPECT_EQ(ToCode({{1200, FaultKind::kKill, 1}, {1300, FaultKind::kCut, 1, 2}}),
            "{\n    {1200, FaultKind::kKill, 1, 0, 0},\n    {1300, FaultKind::kCut, 1, 2, 0},\n}");
}

}  // namespace
}  // namespace kafkalite::testing
