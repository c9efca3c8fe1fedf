// A cluster that lives in a directory: what it finds when it is started there again.

#include <algorithm>
#include <atomic>
#include <map>

#include "absl/strings/match.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using files::MemoryFileSystem;
using std::chrono::milliseconds;
using Kind = MemoryFileSystem::Operation::Kind;

class DataDir : public ScenarioTest {
 protected:
  ClusterOptions InFiles() { return {.data_dir = "/data", .file_system = fs_}; }
  // As a user who starts his program again.
  void StartAgain() {
    StopCluster();
    ASSERT_NO_FATAL_FAILURE(StartCluster(InFiles()));
    const auto topic = cluster_->FindTopic(kTopic);
    ASSERT_TRUE(topic.ok()) << topic.status();
    topic_ = *topic;
  }
  static std::vector<std::string> Numbers(int from, int to) {
    std::vector<std::string> numbers;
    for (int i = from; i < to; ++i) numbers.push_back(std::to_string(i));
    return numbers;
  }
  void SendNumbers(int from, int to) {
    const auto producer = MakeProducer(Acks::kAll);
    ASSERT_NE(producer, nullptr);
    for (const std::string& value : Numbers(from, to)) MustSend(*producer, value);
  }
  std::string StartError(ClusterOptions options) {
    std::unique_ptr<Simulation> simulation;
    if (GetParam() != kRealTime) {
      simulation = std::make_unique<Simulation>(static_cast<uint64_t>(GetParam()) + 1000);
      options.simulation = simulation->executor();
    }
    const auto cluster = Cluster::Start(options);
    return cluster.ok() ? "started" : std::string(cluster.status().message());
  }

  const std::shared_ptr<MemoryFileSystem> fs_ = std::make_shared<MemoryFileSystem>();
};

INSTANTIATE_TEST_SUITE_P(Executors, DataDir, ::testing::Values(kRealTime, 1, 2, 3), ScenarioName);

TEST_P(DataDir, AClusterStartedAgainHasItsTopicsItsRecordsItsEpochsAndItsId) {
  Start(InFiles(), {.min_insync_replicas = 2});
  SendNumbers(0, 5);
  ASSERT_TRUE(cluster_->Shutdown(1).ok());
  ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
  SendNumbers(5, 10);
  ASSERT_TRUE(cluster_->Restart(1).ok());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  const std::string id = cluster_->id();
  const auto before = ReadReplica(3);
  const int32_t epoch = Describe().leader_epoch;

  StartAgain();
  EXPECT_EQ(Describe().isr.size(), 3u) << "a stop is no reason to leave: " << State();
  EXPECT_EQ(cluster_->id(), id);
  EXPECT_EQ(*cluster_->ListTopics(), std::vector<std::string>{kTopic});
  EXPECT_EQ(Consume(), Numbers(0, 10));
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  EXPECT_GT(Describe().leader_epoch, epoch) << "those who led before the stop are fenced";
  const auto after = ReadReplica(3);
  EXPECT_EQ(after.log_id, before.log_id);
  EXPECT_EQ(after.records, before.records);
  EXPECT_TRUE(std::equal(before.epochs.begin(), before.epochs.end(), after.epochs.begin()));
  SendNumbers(10, 15);
  EXPECT_EQ(Consume(), Numbers(0, 15));
}

TEST_P(DataDir, AfterAStopInOrderOnlyTheEndsOfLogsAreRead) {
  constexpr size_t kEnd = 80 << 10;
  Start(InFiles());
  {
    const auto producer = MakeProducer(Acks::kAll);
    for (int i = 0; i < 50; ++i) MustSend(*producer, std::string(20000, 'x'));
  }
  StopCluster();
  std::atomic<size_t> read = 0;
  fs_->SetFault([&](const MemoryFileSystem::Operation& operation) {
    if (operation.kind == Kind::kRead && absl::EndsWith(operation.path, ".log")) {
      read += operation.bytes;
    }
    return MemoryFileSystem::Verdict();
  });
  StartCluster(InFiles());
  EXPECT_LE(read, 3 * kEnd);
  for (const int32_t id : cluster_->broker_ids()) {
    EXPECT_TRUE(cluster_->broker(id).repairs()->empty()) << cluster_->broker(id).repairs()->front();
  }
  EXPECT_EQ(Consume().size(), 50u);
  EXPECT_GT(read, 50 * 20000);
  fs_->SetFault({});
}

TEST_P(DataDir, AKilledBrokerComesBackWithWhatItHadWritten) {
  Start(InFiles());
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  const uint64_t log = ReadReplica(1).log_id;
  ASSERT_TRUE(cluster_->Kill(1).ok());
  ASSERT_TRUE(AwaitLeaderOtherThan(1)) << State();
  SendNumbers(20, 40);
  ASSERT_TRUE(cluster_->Restart(1).ok());
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(ReadReplica(1).log_id, log) << "its log is the one that it had";
  EXPECT_EQ(Consume(), Numbers(0, 40));
}

TEST_P(DataDir, AMachineThatLosesItsPowerHasWhatWasSyncedBeforeItsAcknowledgement) {
  Start(InFiles(), {.config = {{"flush.messages", "1"}}});
  SendNumbers(0, 20);
  fs_->Crash({.seed = static_cast<uint64_t>(GetParam()), .keep_some = false});
  StartAgain();
  EXPECT_EQ(Consume(), Numbers(0, 20));
  SendNumbers(20, 30);
  ASSERT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
}

TEST_P(DataDir, AProcessThatIsKilledKeepsEverythingThatItsFollowersHad) {
  Start(InFiles());
  SendNumbers(0, 20);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  for (const int32_t id : {1, 2, 3}) ASSERT_TRUE(cluster_->Kill(id).ok());
  StartAgain();
  EXPECT_EQ(Consume(), Numbers(0, 20));
}

TEST_P(DataDir, ATopicThatWasDeletedIsNotThereAgain) {
  Start(InFiles());
  SendNumbers(0, 5);
  ASSERT_TRUE(cluster_->DeleteTopic(kTopic).ok());
  StopCluster();
  StartCluster(InFiles());
  EXPECT_TRUE(cluster_->ListTopics()->empty());
  ASSERT_TRUE(cluster_->CreateTopic(kTopic, {.assignment = {{1, 2, 3}}}).ok());
  EXPECT_TRUE(Consume().empty());
}

// As Kafka writes them.
TEST_P(DataDir, LogsWithoutANameBelongToTheTopicThatIsMadeForThem) {
  Start(InFiles());
  SendNumbers(0, 5);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  StopCluster();
  for (const std::string broker : {"1", "2", "3"}) {
    const std::string folder = "/data/broker-" + broker;
    ASSERT_TRUE(fs_->Rename(folder + "/first-test-0", folder + "/other-0").ok());
    ASSERT_TRUE(fs_->Remove(folder + "/other-0/log-id").ok());
  }
  StartCluster(InFiles());
  const auto topic = cluster_->CreateTopic("other", {.assignment = {{1, 2, 3}}});
  ASSERT_TRUE(topic.ok()) << topic.status();
  const auto producer = MakeProducer(Acks::kAll, std::chrono::seconds(2));
  const auto sent = producer->Send({.topic = "other", .partition = 0, .value = "5"}).Wait();
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->offset, 5);
}

// At each of the first operations on its logs.
TEST_P(DataDir, ATopicThatWasBeingMadeWhenTheProcessWasKilledHasALeader) {
  const int last = GetParam() == kRealTime ? 1 : 30;
  for (int kill_at = 0; kill_at < last; ++kill_at) {
    SCOPED_TRACE(kill_at);
    ClusterOptions options = InFiles();
    options.call_timeout = milliseconds(500);
    ASSERT_NO_FATAL_FAILURE(StartCluster(options));
    std::atomic<int> operations = 0;
    fs_->SetFault([&](const MemoryFileSystem::Operation& operation) {
      if (!absl::StrContains(operation.path, kTopic) && operations <= kill_at) {
        return MemoryFileSystem::Verdict();
      }
      const int before = operations++;
      if (before == kill_at) fs_->Kill();
      return MemoryFileSystem::Verdict{before < kill_at ? absl::OkStatus()
                                                        : absl::InternalError("killed")};
    });
    (void)cluster_->CreateTopic(kTopic, {.assignment = {{1, 2, 3}}}).ok();
    Wait(milliseconds(500));
    StopCluster();
    fs_->SetFault({});
    ASSERT_GT(operations, kill_at);
    ASSERT_NO_FATAL_FAILURE(StartCluster(InFiles()));
    const auto topic = cluster_->FindTopic(kTopic);
    if (topic.ok()) {
      topic_ = *topic;
      EXPECT_TRUE(Eventually([&] { return Describe().leader > 0; })) << State();
      SendNumbers(0, 5);
    }
    StopCluster();
    ASSERT_TRUE(files::RemoveAll(*fs_, "/data").ok());
  }
}

// It may hold what was acknowledged: it is waited for, and has it when it is back.
TEST_P(DataDir, ALogThatWasTakenAwayIsNotMadeAnew) {
  for (const std::string path : {"/data/broker-1/first-test-0", "/data/broker-1"}) {
    SCOPED_TRACE(path);
    Start(InFiles(), {.assignment = {{1}}});
    SendNumbers(0, 5);
    ASSERT_TRUE(cluster_->Kill(1).ok());
    StopCluster();
    ASSERT_TRUE(fs_->Rename(path, path + ".kept").ok());
    for (int i = 0; i < 2; ++i) {
      StartAgain();
      Wait(milliseconds(500));
      EXPECT_LE(Describe().leader, 0) << State();
      StopCluster();
    }
    ASSERT_TRUE(files::RemoveAll(*fs_, path).ok());
    ASSERT_TRUE(fs_->Rename(path + ".kept", path).ok());
    StartAgain();
    EXPECT_TRUE(AwaitLeader(1)) << State();
    EXPECT_EQ(Consume(), Numbers(0, 5));
    StopCluster();
    ASSERT_TRUE(files::RemoveAll(*fs_, "/data").ok());
  }
}

TEST_P(DataDir, ATopicMadeAgainHasNothingOfTheOneBefore) {
  Start(InFiles(), {.assignment = {{1}}});
  SendNumbers(0, 5);
  ASSERT_TRUE(cluster_->DeleteTopic(kTopic).ok());
  ASSERT_TRUE(cluster_->CreateTopic(kTopic, {.assignment = {{1}}}).ok());
  const uint64_t log = ReadReplica(1).log_id;
  ASSERT_TRUE(cluster_->Kill(1).ok());
  StartAgain();
  ASSERT_TRUE(AwaitLeader(1)) << State();
  EXPECT_EQ(ReadReplica(1).log_id, log);
  EXPECT_TRUE(Consume().empty());
}

struct Failure {
  std::string name;
  Kind kind;
  absl::Status status;
};

class FailingDisk : public DataDir {
 protected:
  // From now on, for the log of one broker.
  void Fail(int32_t broker, const Failure& failure) {
    const std::string file = "/data/broker-" + std::to_string(broker) + "/first-test-0/";
    fs_->SetFault([=](const MemoryFileSystem::Operation& operation) {
      const bool fails = operation.kind == failure.kind && absl::StartsWith(operation.path, file) &&
                         absl::EndsWith(operation.path, ".log");
      return MemoryFileSystem::Verdict{fails ? failure.status : absl::OkStatus()};
    });
  }
  static std::vector<Failure> Failures() {
    return {{"a sync", Kind::kSync, absl::DataLossError("EIO")},
            {"a write", Kind::kWrite, absl::DataLossError("EIO")},
            {"a full disk", Kind::kWrite, absl::ResourceExhaustedError("ENOSPC")}};
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, FailingDisk, ::testing::Values(kRealTime, 1, 2, 3),
                         ScenarioName);

TEST_P(FailingDisk, WhereTheLeadersLogFailsAnotherLeadsAndNothingIsLost) {
  for (const Failure& failure : Failures()) {
    SCOPED_TRACE(failure.name);
    ASSERT_NO_FATAL_FAILURE(
        Start(InFiles(), {.min_insync_replicas = 2, .config = {{"flush.messages", "1"}}}));
    SendNumbers(0, 5);
    Fail(1, failure);
    SendNumbers(5, 10);
    EXPECT_NE(Describe().leader, 1) << State();
    EXPECT_EQ(Consume(), Numbers(0, 10));
    EXPECT_TRUE(AwaitIsr({2, 3})) << State();
    EXPECT_TRUE(Eventually([&] {
      const auto offline = cluster_->broker(1).offline();
      const auto found = offline->find({kTopic, 0});
      return found != offline->end() &&
             absl::StrContains(found->second.message(), failure.status.message());
    })) << "nobody says why";
    EXPECT_TRUE(cluster_->broker(2).offline()->empty());

    fs_->SetFault({});
    Wait(milliseconds(300));
    EXPECT_TRUE(AwaitIsr({2, 3})) << "nobody trusts that log again while the broker runs";
    EXPECT_FALSE(cluster_->Shutdown(1).ok()) << "it says what could not be made durable";
    ASSERT_TRUE(cluster_->Restart(1).ok());
    EXPECT_TRUE(AwaitIsr({1, 2, 3}) && AwaitAgreement({1, 2, 3})) << State();
    ASSERT_TRUE(cluster_->DeleteTopic(kTopic).ok());
    StopCluster();
  }
}

TEST_P(FailingDisk, AFollowerWhoseLogFailsLeavesTheIsr) {
  for (const Failure& failure : Failures()) {
    SCOPED_TRACE(failure.name);
    ASSERT_NO_FATAL_FAILURE(
        Start(InFiles(), {.min_insync_replicas = 2, .config = {{"flush.messages", "1"}}}));
    Fail(3, failure);
    SendNumbers(0, 5);
    EXPECT_EQ(Describe().leader, 1) << State();
    EXPECT_TRUE(AwaitIsr({1, 2})) << State();
    EXPECT_EQ(Consume(), Numbers(0, 5));
    fs_->SetFault({});
    ASSERT_TRUE(cluster_->DeleteTopic(kTopic).ok());
    StopCluster();
  }
}

TEST_P(FailingDisk, WhereTheTreeFailsTopicsStayAsTheyAre) {
  ClusterOptions options = InFiles();
  options.call_timeout = milliseconds(300);
  Start(options);
  SendNumbers(0, 5);
  fs_->SetFault([](const MemoryFileSystem::Operation& operation) {
    const bool fails = operation.kind == Kind::kSync &&
                       absl::EndsWith(operation.path, "coordination/tree.journal");
    return MemoryFileSystem::Verdict{fails ? absl::DataLossError("EIO on " + operation.path)
                                           : absl::OkStatus()};
  });
  EXPECT_FALSE(cluster_->CreateTopic("another", {}).ok());
  const absl::Status refused = cluster_->CreateTopic("yet-another", {}).status();
  EXPECT_TRUE(absl::StrContains(refused.message(), "coordination has failed")) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "tree.journal")) << refused;
  SendNumbers(5, 10);
  EXPECT_EQ(Consume(), Numbers(0, 10)) << "what needs no change goes on";
  fs_->SetFault({});
  ASSERT_NO_FATAL_FAILURE(StartAgain());
  EXPECT_EQ(Consume(), Numbers(0, 10));
  EXPECT_TRUE(cluster_->CreateTopic("another", {}).ok() ||
              cluster_->FindTopic("another").ok());  // it was not known to fail
}

TEST_P(FailingDisk, WhereTheOnlyLogFailsNothingMoreIsAcknowledged) {
  Start(InFiles(), {.assignment = {{1}}, .config = {{"flush.messages", "1"}}});
  SendNumbers(0, 5);
  Fail(1, Failures()[0]);
  const auto producer = MakeProducer(Acks::kAll, std::chrono::seconds(1));
  EXPECT_FALSE(Send(*producer, "5").ok());
  fs_->SetFault({});
  EXPECT_FALSE(Send(*producer, "6").ok()) << "the kernel may say that a later sync is fine";
}

TEST_P(DataDir, LogsAreSpreadOverTheLogDirs) {
  ClusterOptions options = InFiles();
  options.log_dirs = {"/disk1", "/disk2"};
  Start(options, {.partitions = 1});
  ASSERT_TRUE(cluster_->CreateTopic("wide", {.partitions = 6, .replication_factor = 3}).ok());
  for (const std::string disk : {"/disk1", "/disk2"}) {
    const auto names = fs_->List(disk + "/broker-2");
    ASSERT_TRUE(names.ok()) << names.status();
    EXPECT_GE(std::count_if(names->begin(), names->end(),
                            [](const auto& name) { return absl::StartsWith(name, "wide-"); }),
              2)
        << disk;
  }
}

TEST_P(DataDir, OneClusterAtATime) {
  StartCluster(InFiles());
  const std::string error = StartError(InFiles());
  EXPECT_TRUE(absl::StrContains(error, "'/data' is in use by another cluster")) << error;
  cluster_->Shutdown();
  EXPECT_EQ(StartError(InFiles()), "started");
}

TEST_P(DataDir, LogsOfAnotherClusterAreNotTouched) {
  Start(InFiles());
  StopCluster();
  ASSERT_TRUE(fs_->Rename("/data/broker-2", "/data/kept").ok());
  for (const std::string name : {"coordination", "broker-1", "broker-3"}) {
    ASSERT_TRUE(files::RemoveAll(*fs_, "/data/" + name).ok());
  }
  ASSERT_EQ(StartError(InFiles()), "started") << "as another cluster";
  ASSERT_TRUE(files::RemoveAll(*fs_, "/data/broker-2").ok());
  ASSERT_TRUE(fs_->Rename("/data/kept", "/data/broker-2").ok());
  const std::string error = StartError(InFiles());
  EXPECT_TRUE(absl::StrContains(error, "/data/broker-2/meta.properties")) << error;
  EXPECT_TRUE(absl::StrContains(error, "belongs to cluster")) << error;
}

TEST_P(DataDir, ADamagedTreeIsRefusedByName) {
  Start(InFiles());
  StopCluster();
  const auto size = files::ReadFile(*fs_, "/data/coordination/tree.journal")->size();
  ASSERT_TRUE(
      fs_->Corrupt("/data/coordination/tree.journal", static_cast<int64_t>(size / 2), "X").ok());
  const std::string error = StartError(InFiles());
  EXPECT_TRUE(absl::StrContains(error, "/data/coordination/tree.journal")) << error;
}

TEST_P(DataDir, AStartThatFailsLeavesTheDirectoryToTheNext) {
  fs_->SetFault([&](const MemoryFileSystem::Operation& operation) {
    const bool fails =
        operation.kind == Kind::kRename && absl::StrContains(operation.path, "broker-2/meta");
    return MemoryFileSystem::Verdict{fails ? absl::DataLossError("EIO on " + operation.path)
                                           : absl::OkStatus()};
  });
  const std::string error = StartError(InFiles());
  EXPECT_TRUE(absl::StrContains(error, "EIO on /data/broker-2/meta.properties")) << error;
  fs_->SetFault({});
  EXPECT_EQ(StartError(InFiles()), "started");
}

// Its first start, that is: the brokers' directories and the tree name the same cluster, whenever
// it ends.
TEST_P(DataDir, AProcessThatIsKilledAsItStartsForTheFirstTimeCanBeStartedAgain) {
  for (const std::string when : {"/data/broker-1/meta.properties.tmp", "/data/broker-2/.lock",
                                 "/data/broker-3/meta.properties"}) {
    SCOPED_TRACE(when);
    std::atomic<bool> killed = false;
    fs_->SetFault([&](const MemoryFileSystem::Operation& operation) {
      if (operation.path == when && !killed.exchange(true)) fs_->Kill();
      return MemoryFileSystem::Verdict{killed ? absl::InternalError("killed") : absl::OkStatus()};
    });
    EXPECT_NE(StartError(InFiles()), "started");
    EXPECT_TRUE(killed);
    fs_->SetFault({});
    ASSERT_NO_FATAL_FAILURE(StartCluster(InFiles()));
    StopCluster();
    ASSERT_TRUE(files::RemoveAll(*fs_, "/data").ok());
  }
}

}  // namespace
}  // namespace kafkalite::testing
