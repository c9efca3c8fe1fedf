// The public surface as a user meets it: topics, brokers, bad input, lifetimes.

#include "kafkalite/cluster.h"

#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Cluster> StartCluster(ClusterOptions options = {}) {
  auto cluster = Cluster::Start(options);
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  return cluster.ok() ? *std::move(cluster) : nullptr;
}

// --- Topics -------------------------------------------------------------------------------------

TEST(ClusterTest, CreatesListsDescribesAndDeletesTopics) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("first-test", {.partitions = 3, .replication_factor = 3});
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ(ToString(*topic->Describe()),
            "Topic:first-test\tPartitionCount:3\tReplicationFactor:3\tConfigs:\n"
            "\tTopic: first-test\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n"
            "\tTopic: first-test\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1\n"
            "\tTopic: first-test\tPartition: 2\tLeader: 3\tReplicas: 3,1,2\tIsr: 3,1,2\n");
  ASSERT_TRUE(cluster->CreateTopic("another", {}).ok());
  EXPECT_EQ(*cluster->ListTopics(), (std::vector<std::string>{"another", "first-test"}));
  EXPECT_TRUE(cluster->FindTopic("another").ok());
  ASSERT_TRUE(cluster->DeleteTopic("first-test").ok());
  EXPECT_EQ(*cluster->ListTopics(), std::vector<std::string>{"another"});
  EXPECT_EQ(topic->Describe().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cluster->FindTopic("first-test").status().message(),
            "Topic 'first-test' does not exist.");
}

TEST(ClusterTest, ADeletedTopicsNameIsFreeAndItsRecordsAreGone) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = Producer::Create(*cluster, {});
  ASSERT_TRUE((*producer)->Send({.topic = "t", .value = "old"}).Wait().ok());
  ASSERT_TRUE(cluster->DeleteTopic("t").ok());
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto again = Producer::Create(*cluster, {});
  const auto where = (*again)->Send({.topic = "t", .value = "new"}).Wait();
  ASSERT_TRUE(where.ok()) << where.status();
  EXPECT_EQ(where->offset, 0);
}

TEST(ClusterTest, ShowsWhatWasConfigured) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("t", {.min_insync_replicas = 1,
                                          .unclean_leader_election = true,
                                          .retention = kForever,
                                          .retention_bytes = 1000});
  ASSERT_TRUE(topic.ok()) << topic.status();
  const auto description = topic->Describe();
  EXPECT_EQ(description->config,
            (std::map<std::string, std::string>{{"min.insync.replicas", "1"},
                                                {"retention.bytes", "1000"},
                                                {"retention.ms", "-1"},
                                                {"unclean.leader.election.enable", "true"}}));
}

TEST(ClusterTest, TakesAnExplicitAssignment) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("t", {.assignment = {{3, 1}, {2, 3}}});
  ASSERT_TRUE(topic.ok()) << topic.status();
  const auto description = topic->Describe();
  EXPECT_EQ(description->partitions[0].replicas, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(description->partitions[0].leader, 3);
  EXPECT_EQ(description->partitions[1].replicas, (std::vector<int32_t>{2, 3}));
}

// --- Bad input ----------------------------------------------------------------------------------

struct Refusal {
  std::string name;
  TopicOptions options;
  absl::StatusCode code;
  std::string message;
};

TEST(ClusterTest, RefusesBadTopicsInKafkasWordsAndChangesNothing) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("a.b", {}).ok());
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  const std::vector<Refusal> refusals = {
      {"t",
       {.replication_factor = 4},
       kInvalid,
       "Replication factor: 4 larger than available brokers: 3."},
      {"t", {.replication_factor = 0}, kInvalid, "Replication factor must be larger than 0."},
      {"t", {.replication_factor = -1}, kInvalid, "Replication factor must be larger than 0."},
      {"t", {.partitions = 0}, kInvalid, "Number of partitions must be larger than 0."},
      {"", {}, kInvalid, "Topic name is illegal, it can't be empty"},
      {".", {}, kInvalid, "Topic name cannot be \".\" or \"..\""},
      {"a/b",
       {},
       kInvalid,
       "Topic name \"a/b\" is illegal, it contains a character other than ASCII alphanumerics, "
       "'.', '_' and '-'"},
      {"a_b", {}, kInvalid, "Topic 'a_b' collides with existing topics: a.b"},
      {"a.b", {}, absl::StatusCode::kAlreadyExists, "Topic 'a.b' already exists."},
      {"t",
       {.assignment = {{1}, {2, 2}}},
       kInvalid,
       "Duplicate brokers not allowed in replica assignment: 2, 2 for partition id 1."},
      {"t",
       {.assignment = {{9, 1}, {0, 9}}},
       kInvalid,
       "Unknown broker(s) in replica assignment: 0, 9."},
      {"t",
       {.assignment = {{1, 2}, {3}}},
       kInvalid,
       "Inconsistent replication factor between partitions, partition 0 has 2 while partitions [1] "
       "have replication factors [1], respectively."},
      {"t",
       {.assignment = {{}}},
       kInvalid,
       "Cannot have replication factor of 0 for partition id 0."},
      {"t",
       {.partitions = 3, .assignment = {{1}, {2}}},
       kInvalid,
       "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be "
       "used at the same time."},
      {"t",
       {.replication_factor = 2, .assignment = {{1}}},
       kInvalid,
       "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be "
       "used at the same time."},
      {"t", {.config = {{"foo", "1"}}}, kInvalid, "Unknown topic config name: foo"},
      {"t",
       {.retention = kForever, .config = {{"retention.ms", "1"}}},
       kInvalid,
       "TopicOptions::retention and TopicOptions::config both set retention.ms"},
      {"t",
       {.min_insync_replicas = 0},
       kInvalid,
       "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
  };
  for (const Refusal& refusal : refusals) {
    const auto created = cluster->CreateTopic(refusal.name, refusal.options);
    EXPECT_EQ(created.status().code(), refusal.code) << refusal.name;
    EXPECT_EQ(created.status().message(), refusal.message);
  }
  const auto too_long = cluster->CreateTopic(std::string(250, 'x'), {});
  EXPECT_EQ(too_long.status().code(), kInvalid);
  EXPECT_EQ(*cluster->ListTopics(), std::vector<std::string>{"a.b"});
}

TEST(ClusterTest, RefusesBadOptionsByName) {
  EXPECT_EQ(Cluster::Start({.brokers = 0}).status().message(),
            "ClusterOptions::brokers is 0: at least 1");
  EXPECT_EQ(Cluster::Start({.session_timeout = milliseconds(1)}).status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto error_of = [](const ClusterOptions& options) {
    return std::string(Cluster::Start(options).status().message());
  };
  const StorageFactory none = [](int32_t) { return nullptr; };
  EXPECT_EQ(error_of({.log_dirs = {"a"}}),
            "ClusterOptions::log_dirs need a ClusterOptions::data_dir, for what is not a log");
  EXPECT_EQ(error_of({.data_dir = "d", .log_dirs = {"a", "a"}}),
            "ClusterOptions::log_dirs has 'a' twice");
  EXPECT_EQ(
      error_of({.data_dir = "d", .log_dirs = {"a"}, .storage = none}),
      "ClusterOptions::log_dirs and ClusterOptions::storage both say where the logs are: set one");
  EXPECT_EQ(error_of({.data_dir = "/dev/null/d"}), "create folder '/dev/null': Not a directory");
  EXPECT_EQ(Cluster::Start({.log_memory_bytes = 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ClusterTest, RefusesTimesThatNoClockCanAddUp) {
  for (const auto& options : {ClusterOptions{.session_timeout = milliseconds::max()},
                              ClusterOptions{.kill_detection = milliseconds::max()},
                              ClusterOptions{.replica_lag_time_max = milliseconds::max()},
                              ClusterOptions{.call_timeout = milliseconds(0)}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Cluster::Start(options).status()));
  }
}

TEST(ClusterTest, RefusesAStorageFactoryThatMakesNone) {
  const auto started = Cluster::Start({.storage = [](int32_t) { return nullptr; }});
  EXPECT_EQ(started.status().message(), "ClusterOptions::storage made none for broker 1");
}

TEST(ClusterTest, RefusesMorePartitionsThanATopicMayHave) {
  auto cluster = StartCluster();
  EXPECT_TRUE(
      absl::IsInvalidArgument(cluster->CreateTopic("t", {.partitions = 2'000'000'000}).status()));
  auto topic = cluster->CreateTopic("t", {});
  ASSERT_TRUE(topic.ok());
  EXPECT_EQ(topic->AddPartitions(2'000'000'000).message(),
            "Number of partitions: 2000000000 larger than a topic may have: 100000.");
  EXPECT_EQ(topic->Describe()->partitions.size(), 1u);
}

TEST(ClusterTest, CallsGiveUpWhenNoBrokerIsLeft) {
  auto cluster = StartCluster({.call_timeout = milliseconds(50)});
  auto topic = cluster->CreateTopic("t", {});
  for (const int32_t id : {1, 2, 3}) ASSERT_TRUE(cluster->Shutdown(id).ok());
  for (const absl::Status& status :
       {topic->Describe().status(), cluster->ListTopics().status(), cluster->DeleteTopic("t")}) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(status));
    EXPECT_EQ(status.message(), "no broker answered within 50 ms (call_timeout)");
  }
}

TEST(ClusterTest, ADeletionThatWaitsForABrokerSaysForWhich) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  ASSERT_TRUE(cluster->Shutdown(2).ok());
  EXPECT_TRUE(cluster->DeleteTopic("t").ok());
  const absl::Status taken = cluster->CreateTopic("t", {}).status();
  EXPECT_TRUE(absl::IsAlreadyExists(taken));
  EXPECT_EQ(taken.message(),
            "Topic 't' is marked for deletion, which waits for replicas on brokers that are down: "
            "2.");
  EXPECT_TRUE(cluster->DeleteTopic("t").ok()) << "is so already";
  ASSERT_TRUE(cluster->Restart(2).ok());
  for (int i = 0; i < 1000 && !cluster->CreateTopic("t", {}).ok(); ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(cluster->FindTopic("t").ok());
}

TEST(ClusterTest, CompressedRecordsAreReadAsTheyWereSent) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  std::vector<std::string> sent;
  for (const Compression compression :
       {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4,
        Compression::kZstd}) {
    auto producer = Producer::Create(*cluster, {.compression = compression});
    ASSERT_TRUE(producer.ok()) << producer.status();
    for (int i = 0; i < 500; ++i) {
      sent.push_back(std::to_string(sent.size()) + std::string(50, 'x'));
      (*producer)->Send({.topic = "t", .key = "k", .value = sent.back(), .timestamp = 1000 + i});
    }
    ASSERT_TRUE((*producer)->Flush().ok());
  }
  auto consumer = Consumer::Create(*cluster, {});
  ASSERT_TRUE((*consumer)->AssignTopic("t").ok());
  std::vector<std::string> read;
  while (read.size() < sent.size()) {
    const auto records = (*consumer)->Poll(seconds(5));
    ASSERT_TRUE(records.ok() && !records->empty()) << records.status();
    for (const ConsumedRecord& record : *records) read.emplace_back(*record.value);
  }
  EXPECT_EQ(read, sent);
  // The replicas keep what was sent, and say what is in it.
  const auto replica = cluster->broker(2).ReadReplica("t", 0);
  ASSERT_TRUE(replica.ok());
  ASSERT_EQ(replica->records.size(), sent.size());
  EXPECT_EQ(replica->records.back().value, sent.back());
  // Among the compressed records, too, a timestamp is found: 1499 is first of the last of a codec.
  ASSERT_TRUE((*consumer)->SeekToTimestamp(1499).ok());
  EXPECT_EQ(*(*consumer)->Position({"t", 0}), 499);
}

TEST(ClusterTest, CompressedBatchesAreFewerBytes) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("t", {.retention_bytes = 100'000});
  ASSERT_TRUE(topic.ok());
  auto producer = Producer::Create(*cluster, {.compression = Compression::kZstd});
  for (int i = 0; i < 10'000; ++i) {
    (*producer)->Send({.topic = "t", .value = std::string(100, 'x')});
  }
  ASSERT_TRUE((*producer)->Flush().ok());
  // A megabyte of records is still all there.
  EXPECT_EQ(cluster->broker(1).ReadReplica("t", 0)->log_start_offset, 0);
}

TEST(ClusterTest, BatchesFitTheTopicTheyGoTo) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("small", {.max_message_bytes = 1000}).ok());
  ASSERT_TRUE(cluster->CreateTopic("plain", {}).ok());
  auto producer = Producer::Create(*cluster, {.batch_size_bytes = 4 << 20});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 200; ++i) {
    tickets.push_back((*producer)->Send({.topic = "small", .value = std::string(40, 'x')}));
  }
  for (int i = 0; i < 3000; ++i) {
    tickets.push_back((*producer)->Send({.topic = "plain", .value = std::string(1000, 'x')}));
  }
  for (const Ticket& ticket : tickets) ASSERT_TRUE(ticket.Wait().ok()) << ticket.Wait().status();
}

TEST(ClusterTest, RefusesUnknownTopicsPartitionsAndBrokers) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {}).ok());
  auto producer = Producer::Create(*cluster, {.max_block = milliseconds(200)});
  EXPECT_EQ((*producer)->Send({.topic = "nobody", .value = "v"}).Wait().status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ((*producer)->Send({.topic = "t", .partition = 7, .value = "v"}).Wait().status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ((*producer)->Send({.topic = "a/b", .value = "v"}).Wait().status().code(),
            absl::StatusCode::kInvalidArgument);
  auto consumer = Consumer::Create(*cluster, {});
  EXPECT_EQ((*consumer)->Assign({{"nobody", 0}}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*consumer)->Assign({{"t", 7}}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cluster->DeleteTopic("nobody").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cluster->Kill(9).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cluster->Restart(1).message(), "broker 1 is running");
  EXPECT_EQ(cluster->Resume(1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(cluster->broker(2).ReadReplica("t", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST(ClusterTest, RefusesRecordsThatAreTooLarge) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.max_message_bytes = 1000}).ok());
  auto producer = Producer::Create(*cluster, {});
  const auto above_topic = (*producer)->Send({.topic = "t", .value = std::string(2000, 'x')});
  EXPECT_EQ(above_topic.Wait().status().code(), absl::StatusCode::kInvalidArgument);
  const std::string huge(2 << 20, 'x');
  const auto above_producer = (*producer)->Send({.topic = "t", .value = huge});
  EXPECT_EQ(above_producer.Wait().status().code(), absl::StatusCode::kInvalidArgument);
  // Neither stands in the way of the next one.
  EXPECT_TRUE((*producer)->Send({.topic = "t", .value = "small"}).Wait().ok());
}

TEST(ClusterTest, FullLogsAreAnErrorToTheWriter) {
  auto cluster = StartCluster({.log_memory_bytes = 200000});
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = Producer::Create(*cluster, {.delivery_timeout = seconds(2)});
  absl::Status last;
  for (int i = 0; i < 100 && last.ok(); ++i) {
    last = (*producer)->Send({.topic = "t", .value = std::string(5000, 'x')}).Wait().status();
  }
  EXPECT_EQ(last.code(), absl::StatusCode::kResourceExhausted) << last;
}

TEST(ClusterTest, AFetchThatCanReturnNoMoreDoesNotWaitForItsMinimum) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = *Producer::Create(*cluster, {});
  for (int i = 0; i < 200; ++i) producer->Send({.topic = "t", .value = std::string(5000, 'x')});
  ASSERT_TRUE(producer->Flush().ok());
  auto consumer = *Consumer::Create(*cluster, {.fetch_min_bytes = 8 << 20,
                                               .fetch_max_wait = seconds(30),
                                               .max_partition_fetch_bytes = 64 << 10});
  ASSERT_TRUE(consumer->AssignTopic("t").ok());
  const auto records = consumer->Poll(seconds(10));
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_GT(records->count(), 0);
  EXPECT_LT(records->count(), 200);
}

// --- Brokers ------------------------------------------------------------------------------------

TEST(ClusterTest, AKilledLeaderIsReplacedAndComesBackEmpty) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("t", {.replication_factor = 3, .min_insync_replicas = 2});
  auto producer = Producer::Create(*cluster, {});
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE((*producer)->Send({.topic = "t", .value = std::to_string(i)}).Wait().ok());
  }
  ASSERT_TRUE(cluster->Kill(1).ok());
  EXPECT_EQ(*cluster->broker(1).state(), BrokerState::kKilled);
  ASSERT_TRUE((*producer)->Send({.topic = "t", .value = "10"}).Wait().ok());
  ASSERT_TRUE(cluster->Restart(1).ok());
  for (int i = 0; i < 1000 && topic->Describe()->partitions[0].isr.size() < 3; ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(cluster->broker(1).ReadReplica("t", 0)->records.size(), 11u);
  EXPECT_TRUE(topic->ElectLeader(0).ok());
  EXPECT_EQ(topic->Describe()->partitions[0].leader, 1);
  EXPECT_EQ(topic->ElectLeader(0).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ClusterTest, EveryReplicaHasItsOwnLogAndSharesTheBodies) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = Producer::Create(*cluster, {});
  ASSERT_TRUE((*producer)->Send({.topic = "t", .key = "k", .value = "v"}).Wait().ok());
  const Replica leader = *cluster->broker(1).ReadReplica("t", 0);
  for (const int32_t id : {2, 3}) {
    const Replica follower = *cluster->broker(id).ReadReplica("t", 0);
    EXPECT_EQ(follower.records, leader.records);
    EXPECT_FALSE(follower.is_leader);
    EXPECT_NE(follower.log_id, 0u);
  }
}

// --- Lifetimes ----------------------------------------------------------------------------------

TEST(ClusterLifetimeTest, ClientsMayOutliveTheirCluster) {
  auto cluster = StartCluster();
  auto topic = cluster->CreateTopic("t", {.replication_factor = 3});
  auto producer = *Producer::Create(*cluster, {});
  auto consumer = *Consumer::Create(*cluster, {});
  ASSERT_TRUE(consumer->AssignTopic("t").ok());
  ASSERT_TRUE(producer->Send({.topic = "t", .value = "v"}).Wait().ok());
  auto records = consumer->Poll(seconds(1));
  ASSERT_TRUE(records.ok());
  Broker broker = cluster->broker(1);
  cluster.reset();
  for (const ConsumedRecord& record : *records) EXPECT_EQ(record.value, "v");
  EXPECT_EQ(producer->Send({.topic = "t", .value = "v"}).Wait().status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(consumer->Poll(seconds(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(topic->Describe().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(broker.state().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(broker.ReadReplica("t", 0).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ClusterLifetimeTest, ShutdownWakesWhoeverWaits) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = *Producer::Create(*cluster, {});
  auto consumer = *Consumer::Create(*cluster, {});
  ASSERT_TRUE(consumer->AssignTopic("t").ok());
  ASSERT_TRUE(cluster->Pause(1).ok());  // the leader: nothing is answered
  std::thread poller([&] { EXPECT_FALSE(consumer->Poll(seconds(60)).ok()); });
  std::thread waiter(
      [&] { EXPECT_FALSE(producer->Send({.topic = "t", .value = "v"}).Wait(seconds(60)).ok()); });
  std::this_thread::sleep_for(milliseconds(50));
  const auto before = std::chrono::steady_clock::now();
  cluster->Shutdown();
  poller.join();
  waiter.join();
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
}

TEST(ClusterLifetimeTest, EverythingMayGoInAnyOrderWithRequestsInFlight) {
  for (int order = 0; order < 6; ++order) {
    auto cluster = StartCluster();
    ASSERT_TRUE(cluster->CreateTopic("t", {.partitions = 3, .replication_factor = 3}).ok());
    auto producer = *Producer::Create(*cluster, {});
    auto consumer = *Consumer::Create(*cluster, {});
    ASSERT_TRUE(consumer->AssignTopic("t").ok());
    std::atomic<int> reports{0};
    for (int i = 0; i < 1000; ++i) {
      if (i == 500) {
        ASSERT_TRUE(cluster->Pause(2).ok());
      }
      producer->Send({.topic = "t", .value = "v"},
                     [&reports](const absl::StatusOr<RecordMetadata>&) { ++reports; });
    }
    (void)consumer->Poll(milliseconds(0));
    const auto drop = [&](int which) {
      if (which == 0) cluster.reset();
      if (which == 1) producer.reset();
      if (which == 2) consumer.reset();
    };
    static constexpr int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (const int which : kOrders[order]) drop(which);
    EXPECT_EQ(reports, 1000) << "order " << order;
  }
}

TEST(ClusterLifetimeTest, AClusterMayBeDestroyedInACallback) {
  auto cluster = StartCluster();
  ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
  auto producer = *Producer::Create(*cluster, {});
  std::atomic<bool> done{false};
  producer->Send({.topic = "t", .value = "v"}, [&](const absl::StatusOr<RecordMetadata>&) {
    cluster.reset();
    done = true;
  });
  for (int i = 0; i < 1000 && !done; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(done);
}

TEST(ClusterLifetimeTest, ManyClustersComeAndGoAndDoNotMeet) {
  auto other = StartCluster({.brokers = 1});
  for (int i = 0; i < 50; ++i) {
    auto cluster = StartCluster();
    ASSERT_TRUE(cluster->CreateTopic("t", {.replication_factor = 3}).ok());
    auto producer = *Producer::Create(*cluster, {});
    ASSERT_TRUE(producer->Send({.topic = "t", .value = "v"}).Wait().ok());
  }
  EXPECT_TRUE(other->ListTopics()->empty());
}

TEST(ClusterLifetimeTest, ManyThreadsUseOneClusterWhileBrokersComeAndGo) {
  auto cluster = StartCluster({.session_timeout = milliseconds(500)});
  ASSERT_TRUE(
      cluster
          ->CreateTopic("t", {.partitions = 2, .replication_factor = 3, .min_insync_replicas = 2})
          .ok());
  std::atomic<bool> stop{false};      // for the producers
  std::atomic<bool> complete{false};  // nothing more will be acknowledged
  std::atomic<int64_t> acknowledged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      auto producer = *Producer::Create(*cluster, {});
      while (!stop) {
        const auto where = producer->Send({.topic = "t", .partition = t, .value = "v"}).Wait();
        ASSERT_TRUE(where.ok()) << where.status();
        ++acknowledged;
      }
    });
  }
  std::atomic<int64_t> consumed{0};
  std::thread reader([&] {
    auto consumer = *Consumer::Create(*cluster, {});
    ASSERT_TRUE(consumer->AssignTopic("t").ok());
    while (!complete || consumed < acknowledged) {
      const auto records = consumer->Poll(milliseconds(100));
      ASSERT_TRUE(records.ok()) << records.status();
      consumed += records->count();
    }
  });
  for (int i = 0; i < 12; ++i) {
    const int32_t broker = 1 + i % 3;
    std::this_thread::sleep_for(milliseconds(20));
    ASSERT_TRUE(cluster->Kill(broker).ok());
    std::this_thread::sleep_for(milliseconds(20));
    ASSERT_TRUE(cluster->Restart(broker).ok());
    for (int p = 0; p < 2; ++p) {
      for (int n = 0; n < 1000; ++n) {
        const auto description = cluster->FindTopic("t")->Describe();
        if (description->partitions[static_cast<size_t>(p)].isr.size() == 3) break;
        std::this_thread::sleep_for(milliseconds(5));
      }
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  complete = true;
  reader.join();
  EXPECT_EQ(consumed, acknowledged);
  EXPECT_GT(acknowledged, 100);
}

// All brokers' files are one process's.
TEST(ClusterFilesTest, AsManyBrokersAsOneLikesHaveTheirLogsWithFewOpenFiles) {
  constexpr rlim_t kOpenFiles = 200;
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit few = before;
  few.rlim_cur = kOpenFiles;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const std::string folder = testing::TempDir() + "many-brokers";
  std::filesystem::remove_all(folder);
  {
    auto cluster = Cluster::Start({.brokers = 6, .data_dir = folder});
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    if (cluster.ok()) {
      const auto topic =
          (*cluster)->CreateTopic("wide", {.partitions = 40, .replication_factor = 6});
      EXPECT_TRUE(topic.ok()) << topic.status();
      for (const int32_t id : (*cluster)->broker_ids()) {
        const auto offline = (*cluster)->broker(id).offline();
        ASSERT_TRUE(offline.ok()) << offline.status();
        for (const auto& [tp, reason] : *offline) ADD_FAILURE() << id << ": " << reason;
      }
    }
  }
  std::filesystem::remove_all(folder);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace kafkalite
