// What is left of acknowledged records where machines lose their power: each broker has a machine
// of its own, and nothing of what was not synced survives. Simulated only.

#include <map>

#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

class Power : public ScenarioTest {
 protected:
  struct Machine {
    std::shared_ptr<files::MemoryFileSystem> disk = std::make_shared<files::MemoryFileSystem>();
    std::shared_ptr<storage::FileStorage> storage;
  };

  void StartOnMachines(TopicOptions topic) {
    topic.min_insync_replicas = 2;
    const StorageFactory on_disk =
        [this](int32_t broker) -> absl::StatusOr<std::shared_ptr<storage::Storage>> {
      Machine& machine = machines_[broker];
      auto opened = storage::FileStorage::Open(
          *simulation_->executor(),
          {.directories = {"/data"}, .broker = model::BrokerId(broker), .fs = machine.disk});
      if (!opened.ok()) return opened.status();
      machine.storage = *std::move(opened);
      return machine.storage;
    };
    Start({.storage = on_disk}, std::move(topic));
  }
  void SendNumbers(int from, int to) {
    const auto producer = MakeProducer(Acks::kAll);
    for (int i = from; i < to; ++i) MustSend(*producer, std::to_string(i));
  }
  void Kill(int32_t broker) {
    ASSERT_TRUE(cluster_->Kill(broker).ok());
    machines_[broker].storage->Kill();
  }
  void LosePower(int32_t broker) {
    machines_[broker].disk->Crash({.seed = static_cast<uint64_t>(GetParam()), .keep_some = false});
  }
  void KillAll() {
    for (const int32_t broker : {1, 2, 3}) ASSERT_NO_FATAL_FAILURE(Kill(broker));
    Wait(std::chrono::milliseconds(500));  // until nobody knows of them
  }
  void RestartAll() {
    for (const int32_t broker : {1, 2, 3}) {
      machines_[broker].disk->Kill();  // frees the lock, as the end of a process does
      const absl::Status restarted = cluster_->Restart(broker);
      ASSERT_TRUE(restarted.ok()) << restarted;
    }
  }

  std::map<int32_t, Machine> machines_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, Power, ::testing::Range(1, 9), ScenarioName);

TEST_P(Power, ALeaderThatLostItsEndLeadsNoMoreWhereOthersHaveIt) {
  StartOnMachines({});
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_NO_FATAL_FAILURE(KillAll());
  LosePower(1);
  ASSERT_NO_FATAL_FAILURE(RestartAll());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  EXPECT_NE(Describe().leader, 1);
  EXPECT_EQ(Consume().size(), 20u) << State();
}

TEST_P(Power, AFollowerThatLostItsEndIsNotCountedOn) {
  StartOnMachines({});
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_NO_FATAL_FAILURE(KillAll());
  LosePower(2);
  ASSERT_NO_FATAL_FAILURE(RestartAll());
  ASSERT_NO_FATAL_FAILURE(Kill(1));  // and so would lead if it were in the ISR
  ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
  EXPECT_EQ(Consume().size(), 20u) << State();
}

TEST_P(Power, WhereAllMachinesLoseItTheTopicGoesOnWithWhatWasSynced) {
  StartOnMachines({});
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_NO_FATAL_FAILURE(KillAll());
  for (const int32_t broker : {1, 2, 3}) LosePower(broker);
  ASSERT_NO_FATAL_FAILURE(RestartAll());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  const size_t left = Consume().size();
  EXPECT_LE(left, 20u);
  SendNumbers(20, 25);
  EXPECT_EQ(Consume().size(), left + 5);
}

TEST_P(Power, WithASyncBeforeTheAcknowledgementNothingIsLostWhereAllMachinesLoseIt) {
  StartOnMachines({.config = {{"flush.messages", "1"}}});
  SendNumbers(0, 20);
  ASSERT_NO_FATAL_FAILURE(KillAll());
  for (const int32_t broker : {1, 2, 3}) LosePower(broker);
  ASSERT_NO_FATAL_FAILURE(RestartAll());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Consume().size(), 20u) << State();
}

TEST_P(Power, TheLastOfAnIsrThatLostItsEndLeadsOnlyIfSomebodySaysSo) {
  StartOnMachines({});
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_NO_FATAL_FAILURE(Kill(2));
  ASSERT_NO_FATAL_FAILURE(Kill(3));
  ASSERT_TRUE(AwaitIsr({1})) << State();
  ASSERT_NO_FATAL_FAILURE(Kill(1));
  Wait(std::chrono::milliseconds(500));
  LosePower(1);
  ASSERT_NO_FATAL_FAILURE(RestartAll());
  Wait(std::chrono::seconds(2));
  EXPECT_EQ(Describe().leader, -1) << "2 and 3 may have more: " << State();
  ASSERT_TRUE(topic_->ElectLeader(0, Election::kUnclean).ok());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
}

}  // namespace
}  // namespace kafkalite::testing
