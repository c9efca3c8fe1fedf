// What Faults does to disks, power and clocks, on a real and on a simulated cluster.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/testing/disks.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Strings = std::vector<std::string>;

class DiskFaultsTest : public ScenarioTest {
 protected:
  void SetUp() override {
    Start({.data_dir = "/data", .file_system = disks_}, {.min_insync_replicas = 2});
    producer_ = MakeProducer(Acks::kAll);
    MustSend(*producer_, "a");
  }
  void TearDown() override { producer_.reset(); }

  // While the leader's disk is broken, another broker takes over, and nothing is lost.
  void BreakTheLeader(Faults::DiskFault fault) {
    ASSERT_THAT(faults_->BreakDisk(1, fault), IsOk());
    MustSend(*producer_, "b");
    ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
    ASSERT_THAT(faults_->MendDisk(1), IsOk());
    ASSERT_THAT(cluster_->Kill(1), IsOk());
    ASSERT_THAT(cluster_->Restart(1), IsOk());
    ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
    ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
    EXPECT_EQ(Consume(), (Strings{"a", "b"}));
  }

  const std::shared_ptr<Disks> disks_ = std::make_shared<Disks>();
  std::unique_ptr<Producer> producer_;
};

INSTANTIATE_TEST_SUITE_P(Executors, DiskFaultsTest, ::testing::Values(kRealTime, 1, 2, 3),
                         ScenarioName);

TEST_P(DiskFaultsTest, AFullDiskMovesTheLeader) { BreakTheLeader(Faults::DiskFault::kFull); }

TEST_P(DiskFaultsTest, ADiskThatCannotWriteMovesTheLeader) {
  BreakTheLeader(Faults::DiskFault::kWriteError);
}

TEST_P(DiskFaultsTest, ADiskThatCannotSyncMovesTheLeader) {
  ASSERT_THAT(topic_->AlterConfig({ConfigChange::Set("flush.messages", "1")}), IsOk());
  BreakTheLeader(Faults::DiskFault::kSyncError);
}

TEST_P(DiskFaultsTest, ASlowDiskHoldsItsOwnAcknowledgementsUp) {
  ASSERT_THAT(topic_->AlterConfig({ConfigChange::Set("min.insync.replicas", "3")}), IsOk());
  ASSERT_THAT(faults_->SlowDisk(3, milliseconds(30)), IsOk());
  const Ticket ticket = producer_->Send({.topic = kTopic, .partition = 0, .value = "b"});
  EXPECT_THAT(ticket.Wait(milliseconds(20)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ticket.Wait(), IsOk());
  ASSERT_THAT(faults_->SlowDisk(3, milliseconds(0)), IsOk());
}

TEST_P(DiskFaultsTest, OneMachineLosesPowerAndTheOthersGoOn) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    MustSend(*producer_, "b");
    ASSERT_THAT(faults_->PowerOff(1, {.seed = seed, .in_order = false}), IsOk());
    MustSend(*producer_, "c");
    ASSERT_THAT(cluster_->Restart(1), IsOk());
    ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  }
  EXPECT_EQ(Consume(), (Strings{"a", "b", "c", "b", "c", "b", "c", "b", "c"}));
}

TEST_P(DiskFaultsTest, ANewDiskIsFilledAgain) {
  EXPECT_THAT(faults_->Wipe(3), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         HasSubstr("broker 3 is up: kill it first")));
  ASSERT_THAT(cluster_->Kill(3), IsOk());
  ASSERT_THAT(faults_->Wipe(3), IsOk());
  const uint64_t log_id = ReadReplica(1).log_id;
  ASSERT_THAT(cluster_->Restart(3), IsOk());
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_NE(ReadReplica(3).log_id, log_id);
  EXPECT_EQ(Values(3), Strings{"a"});
}

TEST_P(DiskFaultsTest, RecordsAreStampedByAClockThatJumps) {
  const auto stamp = [&] { return ReadReplica(1).records.back().timestamp; };
  const int64_t before = stamp();
  ASSERT_THAT(faults_->JumpWallClock(std::chrono::hours(-24)), IsOk());
  Wait(milliseconds(200));
  MustSend(*producer_, "b");
  EXPECT_LT(stamp(), before - 23 * 3600 * 1000);
  ASSERT_THAT(faults_->JumpWallClock(std::chrono::hours(48)), IsOk());
  Wait(milliseconds(200));
  MustSend(*producer_, "c");
  EXPECT_GT(stamp(), before + 23 * 3600 * 1000);
  EXPECT_EQ(Consume(), (Strings{"a", "b", "c"}));
}

// The leader wants broker 3 out, coordination carries that out and keeps it to itself.
TEST_P(DiskFaultsTest, ALeaderFindsOutHowItsChangeEnded) {
  ASSERT_THAT(faults_->LoseCoordinationAnswers(1, 2), IsOk());
  ASSERT_THAT(cluster_->Kill(3), IsOk());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  MustSend(*producer_, "b");
  ASSERT_THAT(cluster_->Restart(3), IsOk());
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
}

TEST(DiskFaultsWithoutDisks, AreRefused) {
  Simulation simulation(1);
  const auto cluster = Cluster::Start({.brokers = 1, .simulation = simulation.executor()}).value();
  Faults faults(*cluster);
  const auto refused = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kFailedPrecondition,
                    AllOf(HasSubstr(why), HasSubstr("broker 1: running")));
  };
  EXPECT_THAT(faults.BreakDisk(1, Faults::DiskFault::kFull), refused("testing::Disks"));
  EXPECT_THAT(faults.PowerOff(1), refused("testing::Disks"));
  EXPECT_THAT(faults.SlowDisk(1, milliseconds(1)), refused("in memory"));
  EXPECT_THAT(faults.BreakDisk(2, Faults::DiskFault::kFull), Not(IsOk()));
  ASSERT_THAT(cluster->Shutdown(1), IsOk());
  EXPECT_THAT(faults.Wipe(1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("before it is shut down")));
}

}  // namespace
}  // namespace kafkalite::testing
