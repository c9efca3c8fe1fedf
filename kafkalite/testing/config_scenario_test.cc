// Settings that are changed while the cluster runs, and the effect of each: told as stories. Those
// of logs in files on a file system in memory; those that take hours in virtual time.

#include <algorithm>

#include "absl/strings/match.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Configs : public ScenarioTest {
 protected:
  ClusterOptions InFiles() { return {.data_dir = "/data", .file_system = fs_}; }
  void StartAgain() {
    StopCluster();
    ASSERT_NO_FATAL_FAILURE(StartCluster(InFiles()));
    const auto topic = cluster_->FindTopic(kTopic);
    ASSERT_TRUE(topic.ok()) << topic.status();
    topic_ = *topic;
  }

  void Set(const std::string& key, const std::string& value) {
    const absl::Status status = topic_->AlterConfig({ConfigChange::Set(key, value)});
    ASSERT_TRUE(status.ok()) << key << "=" << value << ": " << status;
  }
  void Delete(const std::string& key) {
    const absl::Status status = topic_->AlterConfig({ConfigChange::Delete(key)});
    ASSERT_TRUE(status.ok()) << key << ": " << status;
  }
  void SetForAllBrokers(const std::string& key, const std::string& value) {
    const absl::Status status = cluster_->AlterBrokerDefaults({ConfigChange::Set(key, value)});
    ASSERT_TRUE(status.ok()) << key << "=" << value << ": " << status;
  }

  absl::StatusOr<RecordMetadata> SendAt(int64_t timestamp) {
    return MakeProducer(Acks::kAll)
        ->Send({.topic = kTopic, .partition = 0, .value = "v", .timestamp = timestamp})
        .Wait();
  }
  // Each in a batch of its own.
  void SendMany(int count, size_t size, Compression compression = Compression::kNone) {
    auto producer = *Producer::Create(*cluster_, {.compression = compression});
    for (int i = 0; i < count; ++i) MustSend(*producer, std::string(size, 'x'));
  }

  std::vector<std::string> Files(int32_t broker, const std::string& kind) {
    const std::string folder = "/data/broker-" + std::to_string(broker) + "/first-test-0/";
    std::vector<std::string> files;
    for (const std::string& name : fs_->List(folder).value_or(std::vector<std::string>())) {
      if (absl::EndsWith(name, kind)) files.push_back(folder + name);
    }
    return files;
  }
  size_t Segments(int32_t broker) { return Files(broker, ".log").size(); }
  int64_t Bytes(int32_t broker, const std::string& kind) {
    int64_t bytes = 0;
    for (const std::string& path : Files(broker, kind)) {
      const auto file = fs_->Open(path, files::FileSystem::Mode::kRead);
      if (file.ok()) bytes += *(*file)->Size();
    }
    return bytes;
  }
  int64_t LogBytes(int32_t broker) { return Bytes(broker, ".log"); }
  // Of every replica, once all have written what was sent: the leader has when it acknowledges.
  int64_t SettledLogBytes() {
    EXPECT_TRUE(Eventually([&] {
      return LogBytes(2) == LogBytes(1) && LogBytes(3) == LogBytes(1);
    })) << LogBytes(1)
        << " " << LogBytes(2) << " " << LogBytes(3);
    return LogBytes(1);
  }
  bool AwaitLogStart(int64_t offset) {
    return Eventually([&] {
      for (const int32_t id : {1, 2, 3}) {
        if (ReadReplica(id).log_start_offset < offset) return false;
      }
      return true;
    });
  }

  const std::shared_ptr<files::MemoryFileSystem> fs_ = std::make_shared<files::MemoryFileSystem>();
};

INSTANTIATE_TEST_SUITE_P(Executors, Configs, ::testing::Values(kRealTime, 1, 2, 3), ScenarioName);

// --- What is accepted, and as what --------------------------------------------------------------

TEST_P(Configs, MessageTimestampType) {
  Start();
  ASSERT_TRUE(SendAt(1000).ok());
  Set("message.timestamp.type", "LogAppendTime");
  ASSERT_TRUE(SendAt(1000).ok());
  Set("message.timestamp.type", "CreateTime");
  ASSERT_TRUE(SendAt(2000).ok());
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  const auto records = ReadReplica(3).records;
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].timestamp, 1000);
  EXPECT_GT(records[1].timestamp, 1'000'000'000'000) << "the leader's clock";
  EXPECT_EQ(records[2].timestamp, 2000);
}

TEST_P(Configs, MessageTimestampDifferenceMaxMs) {
  Start();
  ASSERT_TRUE(SendAt(1000).ok());
  Set("message.timestamp.difference.max.ms", "3600000");
  const auto refused = SendAt(1000);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  EXPECT_TRUE(absl::StrContains(refused.status().message(), "Timestamp 1000 of message"))
      << refused.status();
  Set("message.timestamp.type", "LogAppendTime");
  EXPECT_TRUE(SendAt(1000).ok()) << "the clock is the leader's anyway";
  Delete("message.timestamp.type");
  Delete("message.timestamp.difference.max.ms");
  EXPECT_TRUE(SendAt(1000).ok());
}

TEST_P(Configs, CompressionType) {
  constexpr int64_t kSize = 50'000;
  Start(InFiles());
  SendMany(1, kSize);
  const int64_t plain = SettledLogBytes();
  EXPECT_GE(plain, kSize);
  for (const char* codec : {"gzip", "snappy", "lz4", "zstd"}) {
    Set("compression.type", codec);
    const int64_t before = SettledLogBytes();
    SendMany(1, kSize);
    EXPECT_LT(SettledLogBytes() - before, kSize / 10) << codec;
  }
  Set("compression.type", "uncompressed");
  const int64_t before = SettledLogBytes();
  SendMany(1, kSize, Compression::kZstd);
  EXPECT_GE(SettledLogBytes() - before, kSize);
  Set("compression.type", "producer");
  SendMany(1, kSize, Compression::kZstd);
  EXPECT_LT(SettledLogBytes() - before - kSize, kSize / 10);
  EXPECT_EQ(Consume(), std::vector<std::string>(7, std::string(kSize, 'x')));
}

TEST_P(Configs, MaxMessageBytes) {
  Start();
  auto producer = MakeProducer(Acks::kAll);
  const std::string value(5000, 'x');
  MustSend(*producer, value);
  Set("max.message.bytes", "1000");
  const auto refused = Send(*producer, value);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  MustSend(*producer, "small");
  SetForAllBrokers("message.max.bytes", "2000");
  EXPECT_FALSE(Send(*producer, value).ok());
  Delete("max.message.bytes");
  EXPECT_FALSE(Send(*MakeProducer(Acks::kAll), value).ok()) << "the brokers' default is 2000";
  Set("max.message.bytes", "10000");
  MustSend(*MakeProducer(Acks::kAll), value);
}

TEST_P(Configs, MinInsyncReplicas) {
  Start();
  ASSERT_TRUE(cluster_->Shutdown(3).ok());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  MustSend(*MakeProducer(Acks::kAll), "a");
  Set("min.insync.replicas", "3");
  const auto refused = Send(*MakeProducer(Acks::kAll, seconds(1)), "b");
  EXPECT_TRUE(absl::IsUnavailable(refused.status()) || absl::IsDeadlineExceeded(refused.status()))
      << refused.status();
  MustSend(*MakeProducer(Acks::kLeader), "c");
  SetForAllBrokers("min.insync.replicas", "2");
  EXPECT_FALSE(Send(*MakeProducer(Acks::kAll, seconds(1)), "d").ok()) << "its own goes first";
  Delete("min.insync.replicas");
  MustSend(*MakeProducer(Acks::kAll), "e");
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "c", "e"}));
}

// A leader that is gone for good leaves one replica, which misses a record.
class Unclean : public Configs {
 protected:
  void LoseTheLeader() {
    Start({}, {.assignment = {{1, 2}}});
    MustSend(*MakeProducer(Acks::kAll), "a");
    ASSERT_TRUE(cluster_->Shutdown(2).ok());
    ASSERT_TRUE(AwaitIsr({1})) << State();
    MustSend(*MakeProducer(Acks::kAll), "b");
    ASSERT_TRUE(cluster_->Kill(1).ok());
    ASSERT_TRUE(AwaitNoLeader()) << State();
    ASSERT_TRUE(cluster_->Restart(2).ok());
    Wait(milliseconds(300));
    ASSERT_EQ(Describe().leader, -1) << State();
  }
};

INSTANTIATE_TEST_SUITE_P(Executors, Unclean, ::testing::Values(kRealTime, 1, 2, 3), ScenarioName);

TEST_P(Unclean, LeaderElectionEnableOfTheTopic) {
  ASSERT_NO_FATAL_FAILURE(LoseTheLeader());
  Set("unclean.leader.election.enable", "true");
  ASSERT_TRUE(AwaitLeader(2)) << State();
  EXPECT_EQ(Consume(), std::vector<std::string>{"a"});
}

TEST_P(Unclean, LeaderElectionEnableOfAllBrokers) {
  ASSERT_NO_FATAL_FAILURE(LoseTheLeader());
  SetForAllBrokers("unclean.leader.election.enable", "true");
  ASSERT_TRUE(AwaitLeader(2)) << State();
}

TEST_P(Unclean, LeaderElectionDisabledByTheTopicGoesFirst) {
  ASSERT_NO_FATAL_FAILURE(LoseTheLeader());
  Set("unclean.leader.election.enable", "false");
  SetForAllBrokers("unclean.leader.election.enable", "true");
  Wait(milliseconds(500));
  EXPECT_EQ(Describe().leader, -1) << State();
}

// --- What is kept -------------------------------------------------------------------------------

TEST_P(Configs, RetentionBytes) {
  Start();
  SendMany(10, 1000);
  EXPECT_EQ(ReadReplica(1).log_start_offset, 0);
  Set("retention.bytes", "5000");
  ASSERT_TRUE(AwaitLogStart(5)) << State();
  EXPECT_EQ(ReadReplica(1).log_start_offset, 5) << "the rest fits";
  Set("retention.bytes", "-1");
  SendMany(10, 1000);
  Wait(milliseconds(300));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 5);
  SetForAllBrokers("log.retention.bytes", "3000");
  Wait(milliseconds(300));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 5) << "its own goes first";
  Delete("retention.bytes");
  EXPECT_TRUE(AwaitLogStart(17)) << State();
}

class ConfigsOfHours : public Configs {};

INSTANTIATE_TEST_SUITE_P(Seeds, ConfigsOfHours, ::testing::Values(1, 2, 3), ScenarioName);

TEST_P(ConfigsOfHours, RetentionMs) {
  Start();
  SendMany(2, 10);
  Wait(hours(1));
  SendMany(2, 10);
  EXPECT_EQ(ReadReplica(1).log_start_offset, 0);
  Set("retention.ms", "1800000");
  Wait(seconds(1));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 2) << State();
  EXPECT_TRUE(AwaitLogStart(2)) << State();
  SetForAllBrokers("log.retention.ms", "60000");
  Wait(minutes(5));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 2) << "its own goes first";
  Delete("retention.ms");
  Wait(seconds(1));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 4) << State();
  Set("retention.ms", "-1");
  SendMany(1, 10);
  Wait(minutes(5));
  EXPECT_EQ(ReadReplica(1).log_start_offset, 4);
}

TEST_P(ConfigsOfHours, ABrokerThatWasDownHasTheSettingsWhenItIsBack) {
  Start({}, {.assignment = {{1, 2}}});
  ASSERT_TRUE(cluster_->Shutdown(2).ok());
  Set("retention.ms", "60000");
  SetForAllBrokers("log.segment.bytes", "77777");
  ASSERT_TRUE(
      cluster_->broker(2).AlterConfig({ConfigChange::Set("log.flush.interval.ms", "9")}).ok());
  ASSERT_TRUE(cluster_->Restart(2).ok());
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  const auto settings = cluster_->broker(2).DescribeConfig();
  ASSERT_TRUE(settings.ok()) << settings.status();
  const auto value = [&](const std::string& name) {
    for (const ConfigEntry& entry : *settings) {
      if (entry.name == name) return entry.value.value_or("null");
    }
    return std::string("none");
  };
  EXPECT_EQ(value("log.segment.bytes"), "77777");
  EXPECT_EQ(value("log.flush.interval.ms"), "9");
  ASSERT_TRUE(cluster_->Shutdown(1).ok());
  ASSERT_TRUE(AwaitLeader(2)) << State();
  SendMany(1, 10);
  Wait(minutes(2));
  EXPECT_EQ(ReadReplica(2).log_start_offset, 1) << "the topic's are in force there, too";
}

TEST_P(ConfigsOfHours, AChangeGoesOnUnderTheNextController) {
  Start();
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(faults_->ExpireSession(AwaitController()), IsOk());
    Set("retention.ms", std::to_string(1000 + i));
    EXPECT_EQ(topic_->Describe()->config.at("retention.ms"), std::to_string(1000 + i));
  }
}

// --- Logs in files ------------------------------------------------------------------------------

TEST_P(Configs, SegmentBytes) {
  Start(InFiles());
  SendMany(5, 1000);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  for (const int32_t id : {1, 2, 3}) EXPECT_EQ(Segments(id), 1u);
  Set("segment.bytes", "1500");
  SendMany(3, 1000);
  for (const int32_t id : {1, 2, 3}) {
    EXPECT_TRUE(Eventually([&] { return Segments(id) == 4; })) << Segments(id);
  }
  SetForAllBrokers("log.segment.bytes", "1000000");
  Delete("segment.bytes");
  SendMany(3, 1000);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Segments(1), 4u);
}

TEST_P(Configs, SegmentIndexBytes) {
  Start(InFiles());
  SendMany(10, 5000);  // an index entry each
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  EXPECT_EQ(Segments(2), 1u);
  Set("segment.index.bytes", "24");
  SendMany(10, 5000);
  EXPECT_TRUE(Eventually([&] { return Segments(2) >= 4; })) << Segments(2);
}

TEST_P(Configs, IndexIntervalBytes) {
  Start(InFiles());
  SendMany(10, 200);           // less than an interval
  Set("segment.bytes", "14");  // closes that segment, so that its indexes are written
  SendMany(1, 200);
  ASSERT_TRUE(Eventually([&] { return Segments(2) == 2; }));
  EXPECT_EQ(Bytes(2, ".index"), 0);
  Delete("segment.bytes");
  Set("index.interval.bytes", "100");
  SendMany(10, 200);
  Set("segment.bytes", "14");
  SendMany(1, 200);
  EXPECT_TRUE(Eventually([&] { return Bytes(2, ".index") >= 9 * 8; })) << Bytes(2, ".index");
}

TEST_P(ConfigsOfHours, SegmentMs) {
  Start(InFiles());
  SendMany(1, 10);
  Wait(hours(2));
  SendMany(1, 10);
  Wait(seconds(1));
  EXPECT_EQ(Segments(1), 1u);
  Set("segment.ms", "3600000");
  SendMany(1, 10);
  Wait(seconds(1));
  EXPECT_EQ(Segments(1), 2u) << "what was open is two hours old";
  Wait(minutes(50));
  SendMany(1, 10);
  EXPECT_EQ(Segments(1), 2u);
  Wait(minutes(20));
  SendMany(1, 10);
  Wait(seconds(1));
  for (const int32_t id : {1, 2, 3}) EXPECT_EQ(Segments(id), 3u);
}

TEST_P(ConfigsOfHours, SegmentJitterMs) {
  Start(InFiles(), {.config = {{"segment.ms", "6000000"}}});
  const auto send_for_ninety_minutes = [&] {
    for (int i = 0; i < 90; ++i) {
      SendMany(1, 10);
      Wait(minutes(1));
    }
  };
  const auto segments = [&] { return Segments(1) + Segments(2) + Segments(3); };
  send_for_ninety_minutes();
  EXPECT_EQ(segments(), 3u);
  Set("segment.jitter.ms", "5900000");
  send_for_ninety_minutes();
  EXPECT_GT(segments(), 6u) << "some are early";
  Set("segment.jitter.ms", "600000000");
  const size_t before = segments();
  SendMany(10, 10);
  Wait(seconds(1));
  EXPECT_LE(segments(), before + 3) << "it is no more than segment.ms";
}

TEST_P(Configs, FlushMessages) {
  Start(InFiles());
  Set("flush.messages", "1");
  SendMany(5, 10);
  Delete("flush.messages");
  SendMany(5, 10);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  fs_->Crash({.seed = static_cast<uint64_t>(GetParam()), .keep_some = false});
  ASSERT_NO_FATAL_FAILURE(StartAgain());
  EXPECT_EQ(Consume().size(), 5u) << "what came later was not synced";
}

TEST_P(ConfigsOfHours, FlushMs) {
  Start(InFiles());
  SendMany(5, 10);
  Set("flush.ms", "60000");
  SendMany(5, 10);
  Wait(seconds(70));
  Delete("flush.ms");
  SendMany(5, 10);
  Wait(minutes(30));
  fs_->Crash({.seed = static_cast<uint64_t>(GetParam()), .keep_some = false});
  ASSERT_NO_FATAL_FAILURE(StartAgain());
  EXPECT_EQ(Consume().size(), 10u) << "what came last was not synced";
}

TEST_P(Configs, SettingsAndDeletionsOutliveTheCluster) {
  Start(InFiles());
  Set("retention.bytes", "123456");
  SetForAllBrokers("log.segment.bytes", "55555");
  SendMany(6, 10);
  ASSERT_EQ(*topic_->DeleteRecords(0, 4), 4);
  ASSERT_NO_FATAL_FAILURE(StartAgain());
  EXPECT_EQ(topic_->Describe()->config.at("retention.bytes"), "123456");
  const auto defaults = cluster_->DescribeBrokerDefaults();
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  ASSERT_EQ(defaults->size(), 1u);
  EXPECT_EQ(defaults->front().value, "55555");
  EXPECT_EQ(Consume().size(), 2u);
  for (const int32_t id : {1, 2, 3}) EXPECT_EQ(ReadReplica(id).log_start_offset, 4) << id;
}

// --- Deletion of records among replicas that come and go ----------------------------------------

TEST_P(Configs, ADeletionWaitsForAReplicaUntilThatIsNoLongerInSync) {
  Start();
  SendMany(5, 10);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Cut(1, 3), IsOk());
  MustSend(*MakeProducer(Acks::kLeader), "what 3 misses");
  const auto low = topic_->DeleteRecords(0, 5);
  ASSERT_TRUE(low.ok()) << low.status() << State();
  EXPECT_EQ(*low, 5);
  EXPECT_EQ(Describe().isr, (std::vector<int32_t>{1, 2}));
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  EXPECT_TRUE(AwaitLogStart(5)) << State();
}

TEST_P(Configs, ADeletionThatAReplicaInSyncDoesNotFollowSaysWhich) {
  Start({.call_timeout = milliseconds(2000)});
  SendMany(5, 10);
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Cut(1, 3), IsOk());  // which misses nothing, and so stays in sync
  const absl::Status late = topic_->DeleteRecords(0, kHighWatermark).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_TRUE(absl::StrContains(
      late.message(), "first-test-0 before 5 are gone at the leader, not yet at 3 within 2000 ms"))
      << late;
  EXPECT_EQ(ReadReplica(1).log_start_offset, 5);
  faults_->HealAll();
  EXPECT_TRUE(AwaitLogStart(5)) << State();
}

// --- Compression is nobody else's business ------------------------------------------------------

TEST(CompressionTest, OfSomePartitionsDoesNotHoldTheOthersUp) {
  auto cluster = *Cluster::Start({.brokers = 1});
  ASSERT_TRUE(cluster->CreateTopic("light", {}).ok());
  ASSERT_TRUE(cluster
                  ->CreateTopic("heavy", {.partitions = 4,
                                          .max_message_bytes = 64 << 20,
                                          .config = {{"compression.type", "gzip"}}})
                  .ok());
  constexpr size_t kSize = 2 << 20;
  std::string value;
  for (uint32_t i = 0; value.size() < kSize; ++i) value += std::to_string(i * 2654435761u);
  auto heavy = *Producer::Create(*cluster, {.linger = milliseconds(0),
                                            .buffer_memory_bytes = int64_t{256} << 20,
                                            .max_request_size_bytes = 32 << 20});
  std::vector<Ticket> tickets;
  for (int32_t p = 0; p < 4; ++p) {
    tickets.push_back(heavy->Send({.topic = "heavy", .partition = p, .value = value}));
  }
  // A record that nobody waits for is sent by a timer: on the workers.
  auto light = *Producer::Create(*cluster, {.linger = milliseconds(1)});
  const auto packing = [&] {
    return std::any_of(tickets.begin(), tickets.end(), [](const Ticket& t) { return !t.done(); });
  };
  int sent = 0;
  while (packing()) {
    const Ticket ticket = light->Send({.topic = "light", .value = "v"});
    while (!ticket.done()) std::this_thread::yield();
    ++sent;
  }
  EXPECT_GT(sent, 100);
  for (const Ticket& ticket : tickets) EXPECT_TRUE(ticket.Wait().ok()) << ticket.Wait().status();
}

TEST(CompressionTest, WhatUnpacksToMoreThanABrokerTakesIsRefused) {
  auto cluster = *Cluster::Start({.brokers = 1});
  constexpr int32_t kAbove = 101 << 20;
  auto topic = cluster->CreateTopic("t", {.max_message_bytes = 2 * kAbove});
  ASSERT_TRUE(topic.ok()) << topic.status();
  auto producer = *Producer::Create(*cluster, {.compression = Compression::kZstd,
                                               .buffer_memory_bytes = int64_t{8} * kAbove,
                                               .max_request_size_bytes = 2 * kAbove});
  const std::string zeros(kAbove, '\0');
  const auto send = [&] { return producer->Send({.topic = "t", .value = zeros}).Wait().status(); };
  EXPECT_TRUE(send().ok()) << "nobody has to unpack it";
  ASSERT_TRUE(topic->AlterConfig({ConfigChange::Set("compression.type", "gzip")}).ok());
  const absl::Status refused = send();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "MESSAGE_TOO_LARGE")) << refused;
  EXPECT_TRUE(producer->Send({.topic = "t", .value = "small"}).Wait().ok());
}

}  // namespace
}  // namespace kafkalite::testing
