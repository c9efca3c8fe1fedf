#include "kafkalite/testing/sim_cluster.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/reset.h"
#include "kafkalite/testing/state.h"

namespace kafkalite::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Ne;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kTopic[] = "first-test";

void Send(Cluster& cluster, const std::string& value) {
  auto producer = Producer::Create(cluster, {});
  ASSERT_THAT(producer, IsOk());
  EXPECT_THAT((*producer)->Send({.topic = kTopic, .partition = 0, .value = value}).Wait(), IsOk());
}

std::unique_ptr<SimCluster> StartWithTopic(uint64_t seed, int32_t partitions = 1) {
  auto sim = SimCluster::Start({.seed = seed});
  EXPECT_THAT(sim, IsOk());
  EXPECT_THAT(
      (*sim)->cluster().CreateTopic(kTopic, {.partitions = partitions, .replication_factor = 3}),
      IsOk());
  return *std::move(sim);
}

TEST(SimClusterTest, TheSameSeedMakesTheSameRun) {
  const auto run = [](uint64_t seed) {
    const auto sim = StartWithTopic(seed);
    Send(sim->cluster(), "a");
    EXPECT_THAT(sim->cluster().Kill(1), IsOk());
    Send(sim->cluster(), "b");
    sim->RunFor(seconds(10));
    return sim->trace_hash();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(SimClusterTest, ADayPassesAtOnce) {
  const auto sim = StartWithTopic(1);
  Send(sim->cluster(), "a");
  sim->RunFor(hours(24));
  EXPECT_GE(sim->now(), hours(24));
  Send(sim->cluster(), "b");
  EXPECT_THAT(AwaitRecords(sim->cluster(), kTopic, 2),
              IsOkAndHolds(ElementsAre(HasValue("a"), HasValue("b"))));
}

// The broker that leads dies while its producer waits.
TEST(SimClusterTest, SomethingMayHappenDuringAWait) {
  const auto sim = StartWithTopic(1);
  const int32_t leader = AwaitLeader(sim->cluster(), kTopic, 0).value();
  ASSERT_THAT(sim->faults().Cut(leader, Node::Clients()), IsOk());
  bool killed = false;
  sim->After(milliseconds(700), [&] {
    EXPECT_THAT(sim->cluster().Kill(leader), IsOk());
    killed = true;
  });
  Send(sim->cluster(), "a");
  EXPECT_TRUE(killed);
  EXPECT_THAT(AwaitLeader(sim->cluster(), kTopic, 0), IsOkAndHolds(Ne(leader)));
}

TEST(SimClusterTest, AnotherThreadIsRefused) {
  const auto sim = StartWithTopic(1);
  std::thread([&] {
    EXPECT_THAT(sim->cluster().CreateTopic("other", {}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("on the one thread")));
    EXPECT_THAT(sim->cluster().Kill(1), StatusIs(absl::StatusCode::kFailedPrecondition));
  }).join();
}

TEST(SimClusterTest, WhatIsTheSimulationsOwnIsRefused) {
  EXPECT_THAT(SimCluster::Start({.cluster = {.data_dir = "/tmp/x"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ClusterOptions::data_dir")));
  Simulation simulation(1);
  EXPECT_THAT(SimCluster::Start({.cluster = {.simulation = simulation.executor()}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SimCluster::Start({.cluster = {.brokers = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// --- Reset --------------------------------------------------------------------------------------

void ExpectEmptied(Cluster& cluster) {
  auto producer = Producer::Create(cluster, {.request_timeout = milliseconds(300)}).value();
  const auto send = [&] {
    return producer->Send({.topic = kTopic, .partition = 0, .value = "a"}).Wait();
  };
  ASSERT_THAT(cluster.CreateTopic(kTopic, {.replication_factor = 3}), IsOk());
  ASSERT_THAT(send(), IsOk());
  ASSERT_THAT(cluster.AlterBrokerDefaults({ConfigChange::Set("log.retention.ms", "1000")}), IsOk());
  ASSERT_THAT(cluster.broker(2).AlterConfig({ConfigChange::Set("log.segment.bytes", "100000")}),
              IsOk());
  Faults faults(cluster);
  ASSERT_THAT(faults.Isolate(1), IsOk());
  ASSERT_THAT(faults.DropRequests({}, Faults::kForEver), IsOk());
  ASSERT_THAT(cluster.Kill(2), IsOk());
  ASSERT_THAT(cluster.Pause(3), IsOk());

  ASSERT_THAT(Reset(cluster), IsOk());
  EXPECT_THAT(cluster.ListTopics(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(cluster.DescribeBrokerDefaults(), IsOkAndHolds(IsEmpty()));
  const auto settings = cluster.broker(2).DescribeConfig();
  for (const ConfigEntry& entry : *settings) {
    EXPECT_EQ(entry.source, ConfigSource::kDefault) << entry.name;
  }
  ASSERT_THAT(cluster.CreateTopic(kTopic, {.replication_factor = 3}), IsOk());
  EXPECT_THAT(send(), IsOk()) << "the old client goes on";
  EXPECT_THAT(AwaitRecords(cluster, kTopic, 1), IsOkAndHolds(SizeIs(1)));
  EXPECT_THAT(AwaitRest(cluster), IsOk());
}

TEST(ResetTest, EmptiesASimulatedCluster) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto sim = SimCluster::Start({.seed = seed}).value();
    ExpectEmptied(sim->cluster());
    EXPECT_THAT(sim->Reset(), IsOk());
  }
}

TEST(ResetTest, EmptiesARealCluster) {
  const auto cluster = Cluster::Start({.session_timeout = milliseconds(500)}).value();
  ExpectEmptied(*cluster);
}

// --- Snapshots ----------------------------------------------------------------------------------

TEST(SnapshotTest, CopiesHaveWhatWasThereAndGoTheirOwnWays) {
  const auto sim = StartWithTopic(1, 3);
  ASSERT_THAT(
      sim->cluster().AlterBrokerDefaults({ConfigChange::Set("log.retention.ms", "1000000")}),
      IsOk());
  for (const char* value : {"a", "b", "c"}) Send(sim->cluster(), value);
  ASSERT_THAT(AwaitRest(sim->cluster()), IsOk());
  const auto snapshot = sim->TakeSnapshot();
  ASSERT_THAT(snapshot, IsOk());
  Send(sim->cluster(), "of the original");

  const auto one = SimCluster::Fork(*snapshot, 7).value();
  const auto other = SimCluster::Fork(*snapshot, 8).value();
  Send(one->cluster(), "of one");
  EXPECT_THAT(
      AwaitRecords(one->cluster(), kTopic, 4),
      IsOkAndHolds(ElementsAre(HasValue("a"), HasValue("b"), HasValue("c"), HasValue("of one"))));
  EXPECT_THAT(AwaitRecords(other->cluster(), kTopic, 3), IsOkAndHolds(SizeIs(3)));
  EXPECT_THAT(AwaitRecords(sim->cluster(), kTopic, 4), IsOkAndHolds(SizeIs(4)));
  EXPECT_THAT(other->cluster().DescribeBrokerDefaults(), IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ(one->cluster().id(), sim->cluster().id());
  EXPECT_THAT(AwaitRest(other->cluster()), IsOk());
  EXPECT_THAT(other->TakeSnapshot(), IsOk());
}

TEST(SnapshotTest, TheWallClockGoesOn) {
  const auto sim = StartWithTopic(1);
  sim->RunFor(hours(10));
  Send(sim->cluster(), "a");
  ASSERT_THAT(AwaitRest(sim->cluster()), IsOk());
  const auto fork = SimCluster::Fork(sim->TakeSnapshot().value(), 2).value();
  Send(fork->cluster(), "b");
  const auto records = AwaitRecords(fork->cluster(), kTopic, 2).value();
  EXPECT_GE(records[1].timestamp, records[0].timestamp);
}

TEST(SnapshotTest, IsOfAClusterAtRest) {
  const auto sim = StartWithTopic(1);
  ASSERT_THAT(sim->cluster().Kill(3), IsOk());
  EXPECT_THAT(sim->TakeSnapshot(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("broker 3: killed")));
  EXPECT_THAT(SimCluster::Fork({}, 1), Not(IsOk()));
}

}  // namespace
}  // namespace kafkalite::testing
