// Topics and brokers that come and go while others do, told as stories.

#include <atomic>
#include <thread>

#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Topics : public ScenarioTest {
 protected:
  void Recreate(const std::vector<std::vector<int32_t>>& assignment) {
    const absl::Status deleted = cluster_->DeleteTopic(kTopic);
    ASSERT_TRUE(deleted.ok()) << deleted;
    absl::Status created;
    ASSERT_TRUE(Eventually([&] {
      created = cluster_->CreateTopic(kTopic, {.assignment = assignment}).status();
      return created.ok();
    })) << created;
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, Topics, ::testing::Values(kRealTime, 1, 2, 3), ScenarioName);

TEST_P(Topics, OneOfADeletedOnesNameHasItsOwnLogsUnderALaterController) {
  Start();
  auto producer = MakeProducer(Acks::kAll);
  MustSend(*producer, "old");
  ASSERT_THAT(faults_->ExpireSession(AwaitController()), IsOk());
  Wait(milliseconds(200));
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  Recreate({{1, 2, 3}});
  MustSend(*MakeProducer(Acks::kAll), "new");
  EXPECT_EQ(Consume(), std::vector<std::string>{"new"}) << State();
  EXPECT_EQ(Describe().leader_epoch, 0) << "nothing had to be elected";
}

TEST_P(Topics, OneOfADeletedOnesNameHasItsOwnLogsOnABrokerThatWasDown) {
  Start();
  auto producer = MakeProducer(Acks::kAll);
  MustSend(*producer, "old");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_TRUE(cluster_->Shutdown(3).ok());
  ASSERT_TRUE(cluster_->DeleteTopic(kTopic).ok());
  ASSERT_TRUE(cluster_->Restart(3).ok());
  absl::Status created;
  ASSERT_TRUE(Eventually([&] {
    created = cluster_->CreateTopic(kTopic, {.assignment = {{3, 1, 2}}}).status();
    return created.ok();
  })) << created;
  Wait(milliseconds(300));
  EXPECT_EQ(Consume(), std::vector<std::string>()) << State();
  MustSend(*MakeProducer(Acks::kAll), "new");
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Values(3), std::vector<std::string>{"new"});
}

TEST_P(Topics, ALateKillDetectionDoesNotHitTheBrokerThatWasRestarted) {
  Start({.kill_detection = milliseconds(1000)});
  ASSERT_TRUE(cluster_->Kill(3).ok());
  ASSERT_TRUE(cluster_->Restart(3).ok());  // the session had timed out before
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  Wait(milliseconds(300));
  const int32_t epoch = Describe().leader_epoch;
  Wait(milliseconds(1500));
  EXPECT_EQ(Describe().leader_epoch, epoch);
}

// A producer counts as gone by when it last appended, not by what its records say.
TEST_P(Topics, ARetryOfRecordsFromLongAgoIsRecognised) {
  if (GetParam() == kRealTime) GTEST_SKIP() << "takes minutes, which only virtual time has";
  Start({}, {.retention = kForever});
  auto producer = MakeProducer(Acks::kAll, seconds(300));
  const auto send = [&](std::string_view value) {
    return producer->Send({.topic = kTopic, .partition = 0, .value = value, .timestamp = 1000});
  };
  ASSERT_TRUE(send("a").Wait().ok());
  ASSERT_THAT(faults_->CutOneWay(1, Node::Clients()), IsOk());
  Ticket ticket = send("b");
  Wait(seconds(70));
  faults_->HealAll();
  ASSERT_TRUE(ticket.Wait().ok());
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "b"}));
}

// Two names, asked for at the same moment by two threads.
class Race : public ScenarioTest {
 protected:
  std::pair<absl::Status, absl::Status> CreateBoth(const std::string& one,
                                                   const std::string& other) {
    std::atomic<int> ready{0};
    const auto create = [&](const std::string& name, absl::Status& status) {
      ++ready;
      while (ready < 2) std::this_thread::yield();
      status = cluster_->CreateTopic(name, {.replication_factor = 3}).status();
    };
    std::pair<absl::Status, absl::Status> result;
    std::thread thread(create, other, std::ref(result.second));
    create(one, result.first);
    thread.join();
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, Race, ::testing::Values(kRealTime), ScenarioName);

TEST_P(Race, OfTwoThatCreateTheSameTopicOneHearsThatItExists) {
  Start();
  for (int i = 0; i < 50; ++i) {
    const std::string name = "same" + std::to_string(i);
    const auto [one, other] = CreateBoth(name, name);
    EXPECT_NE(one.ok(), other.ok());
    const absl::Status& loser = one.ok() ? other : one;
    EXPECT_TRUE(absl::IsAlreadyExists(loser)) << loser;
    EXPECT_EQ(loser.message(), "Topic '" + name + "' already exists.");
  }
}

TEST_P(Race, OfTwoCollidingNamesOneIsRefused) {
  Start();
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    const auto [one, other] = CreateBoth("a." + number, "a_" + number);
    EXPECT_NE(one.ok(), other.ok());
    EXPECT_TRUE(absl::IsInvalidArgument(one.ok() ? other : one)) << one << other;
  }
}

TEST_P(Race, OfTwoThatAddPartitionsBothHearWhatBecameOfIt) {
  Start();
  for (int i = 0; i < 20; ++i) {
    auto topic = cluster_->CreateTopic("grows" + std::to_string(i), {});
    ASSERT_TRUE(topic.ok());
    absl::Status other_status;
    std::thread other([&] { other_status = topic->AddPartitions(3); });
    const absl::Status status = topic->AddPartitions(2);
    other.join();
    EXPECT_TRUE(other_status.ok()) << other_status;
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(topic->Describe()->partitions.size(), 3u);
  }
}

// --- A simulation's contract --------------------------------------------------------------------

TEST(SimulationTest, AnotherThreadIsRefusedAndChangesNothing) {
  Simulation simulation(1);
  auto cluster = *Cluster::Start({.simulation = simulation.executor()});
  auto topic = *cluster->CreateTopic(kTopic, {});
  std::vector<absl::Status> refused;
  std::thread([&] {
    refused = {cluster->Kill(1),
               cluster->Shutdown(2),
               cluster->Restart(3),
               cluster->Pause(1),
               cluster->Resume(1),
               cluster->controller().status(),
               cluster->broker(1).ReadReplica(kTopic, 0).status(),
               cluster->CreateTopic("other", {}).status(),
               topic.Describe().status()};
  }).join();
  for (const absl::Status& status : refused) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  EXPECT_EQ(*cluster->ListTopics(), std::vector<std::string>{kTopic});
  for (const int32_t id : cluster->broker_ids()) {
    EXPECT_EQ(*cluster->broker(id).state(), BrokerState::kRunning);
  }
}

TEST(SimulationTest, IsForOneCluster) {
  Simulation simulation(1);
  auto cluster = *Cluster::Start({.simulation = simulation.executor()});
  EXPECT_TRUE(
      absl::IsFailedPrecondition(Cluster::Start({.simulation = simulation.executor()}).status()));
  EXPECT_TRUE(cluster->CreateTopic(kTopic, {}).ok());
}

// --- A restart that is overtaken ----------------------------------------------------------------

TEST(RestartTest, OfABrokerThatSomebodyStopsMeanwhileEndsAtOnce) {
  auto cluster = *Cluster::Start({});
  for (int i = 0; i < 30; ++i) {
    (void)cluster->Kill(2);
    const auto start = std::chrono::steady_clock::now();
    std::thread killer([&] { (void)cluster->Kill(2); });
    (void)cluster->Restart(2);
    killer.join();
    ASSERT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  }
}

}  // namespace
}  // namespace kafkalite::testing
