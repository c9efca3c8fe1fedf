// What an administrator does to a topic that is there: more partitions, other leaders, settings,
// records that have to go. And what is refused, in whose words.

#include "kafkalite/topic.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
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

class TopicTest : public testing::Test {
 protected:
  void Start(const TopicOptions& options = {}, const ClusterOptions& cluster = {}) {
    cluster_ = *Cluster::Start(cluster);
    auto topic = cluster_->CreateTopic("t", options);
    ASSERT_TRUE(topic.ok()) << topic.status();
    topic_ = *topic;
  }
  void Send(int32_t partition, int count) {
    auto producer = *Producer::Create(*cluster_, {});
    for (int i = 0; i < count; ++i) {
      const auto where =
          producer->Send({.topic = "t", .partition = partition, .value = "v"}).Wait();
      ASSERT_TRUE(where.ok()) << where.status();
    }
  }
  PartitionDescription Describe(size_t partition) {
    const auto description = topic_->Describe();
    EXPECT_TRUE(description.ok()) << description.status();
    return description.ok() ? description->partitions.at(partition) : PartitionDescription();
  }
  // Brokers learn of the world at their own pace.
  template <class F>
  static bool Eventually(F reached) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!reached()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }
  ConfigEntry Setting(const std::string& name) {
    const auto entries = topic_->DescribeConfig();
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.ok() ? Find(*entries, name) : ConfigEntry();
  }
  static ConfigEntry Find(const std::vector<ConfigEntry>& entries, const std::string& name) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const ConfigEntry& entry) { return entry.name == name; });
    EXPECT_NE(found, entries.end()) << name;
    return found == entries.end() ? ConfigEntry() : *found;
  }
  static std::string SynonymsOf(const ConfigEntry& entry) {
    std::string text;
    for (const ConfigSynonym& synonym : entry.synonyms) {
      text += (text.empty() ? "" : ", ") + std::string(ToString(synonym.source)) + ":" +
              synonym.name + "=" + synonym.value;
    }
    return "{" + text + "}";
  }

  std::unique_ptr<Cluster> cluster_;
  std::optional<Topic> topic_;
};

// --- More partitions ----------------------------------------------------------------------------

TEST_F(TopicTest, GetsMorePartitions) {
  Start({.partitions = 2, .replication_factor = 2});
  ASSERT_TRUE(topic_->AddPartitions(5).ok());
  EXPECT_EQ(topic_->Describe()->partitions.size(), 5u);
  Send(4, 1);
}

TEST_F(TopicTest, GetsMorePartitionsWhereTheyAreWanted) {
  Start({.assignment = {{1, 2}}});
  const absl::Status added = topic_->AddPartitions(3, {{3, 1}, {2, 3}});
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_EQ(Describe(0).replicas, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(Describe(1).replicas, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(Describe(1).leader, 3);
  EXPECT_EQ(Describe(2).replicas, (std::vector<int32_t>{2, 3}));
  Send(1, 1);
  Send(2, 1);
}

TEST_F(TopicTest, RefusesBadNumbersOfPartitionsAndAssignmentsInKafkasWords) {
  Start({.assignment = {{1, 2}, {2, 3}}});
  struct Refusal {
    int32_t total;
    std::vector<std::vector<int32_t>> assignment;
    std::string message;
  };
  for (const Refusal& refusal : std::vector<Refusal>{
           {2, {}, "Topic already has 2 partitions."},
           {1, {}, "Topic currently has 2 partitions, which is higher than the requested 1."},
           {-1, {}, "Topic currently has 2 partitions, which is higher than the requested -1."},
           {100'001, {}, "Number of partitions: 100001 larger than a topic may have: 100000."},
           {3, {{1, 12}}, "Unknown broker(s) in replica assignment: 12."},
           {4, {{1, 2}}, "Increasing the number of partitions by 2 but 1 assignments provided."},
           {3,
            {{1, 2}, {2, 3}},
            "Increasing the number of partitions by 1 but 2 assignments provided."},
           {3,
            {{1, 1}},
            "Duplicate brokers not allowed in replica assignment: 1, 1 for partition id 2."},
           {3, {{}}, "Cannot have replication factor of 0 for partition id 2."},
           {5,
            {{1, 2}, {1}, {1, 2, 3}},
            "Inconsistent replication factor between partitions, partition 0 has 2 while "
            "partitions [3, 4] have replication factors [1, 3], respectively."}}) {
    const absl::Status status = topic_->AddPartitions(refusal.total, refusal.assignment);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(std::string(status.message()), refusal.message);
  }
  EXPECT_EQ(topic_->Describe()->partitions.size(), 2u);
  ASSERT_TRUE(cluster_->DeleteTopic("t").ok());
  EXPECT_EQ(topic_->AddPartitions(5).message(), "Topic 't' does not exist.");
}

// --- Elections ----------------------------------------------------------------------------------

TEST_F(TopicTest, APreferredElectionPutsTheLeadersBackWhereTheyWere) {
  Start({.assignment = {{1, 2}, {2, 3}, {1, 3}}});
  ASSERT_TRUE(cluster_->Shutdown(1).ok());
  ASSERT_TRUE(Eventually([&] { return Describe(0).leader == 2 && Describe(2).leader == 3; }));
  ASSERT_TRUE(cluster_->Restart(1).ok());
  ASSERT_TRUE(
      Eventually([&] { return Describe(0).isr.size() == 2 && Describe(2).isr.size() == 2; }));

  const auto elected =
      cluster_->ElectLeaders(Election::kPreferred, {{"t", 0}, {"t", 1}, {"t", 9}, {"none", 0}});
  ASSERT_TRUE(elected.ok()) << elected.status();
  ASSERT_EQ(elected->size(), 4u);
  EXPECT_TRUE(elected->at({"t", 0}).ok()) << elected->at({"t", 0});
  EXPECT_TRUE(absl::IsFailedPrecondition(elected->at({"t", 1}))) << elected->at({"t", 1});
  EXPECT_TRUE(absl::IsNotFound(elected->at({"t", 9}))) << elected->at({"t", 9});
  EXPECT_TRUE(absl::IsNotFound(elected->at({"none", 0}))) << elected->at({"none", 0});
  EXPECT_EQ(Describe(0).leader, 1);
  EXPECT_EQ(Describe(2).leader, 3) << "nobody asked for it";

  const auto all = cluster_->ElectLeaders(Election::kPreferred);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(*all, (std::map<TopicPartition, absl::Status>{{{"t", 2}, absl::OkStatus()}}))
      << "only those that need it are told";
  EXPECT_EQ(Describe(2).leader, 1);
  EXPECT_TRUE(cluster_->ElectLeaders(Election::kPreferred)->empty());
  EXPECT_TRUE(cluster_->ElectLeaders(Election::kPreferred, {})->empty());
}

TEST_F(TopicTest, AnUncleanElectionMakesAReplicaLeadThatWasNotInSync) {
  Start({.assignment = {{1, 2}, {3, 2}}});
  Send(0, 3);
  ASSERT_TRUE(cluster_->Shutdown(2).ok());
  ASSERT_TRUE(Eventually([&] { return Describe(0).isr == std::vector<int32_t>{1}; }));
  Send(0, 1);
  ASSERT_TRUE(cluster_->Kill(1).ok());
  ASSERT_TRUE(Eventually([&] { return Describe(0).leader == -1; }));
  const auto nobody = cluster_->ElectLeaders(Election::kUnclean, {{"t", 0}});
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_TRUE(absl::IsUnavailable(nobody->at({"t", 0}))) << nobody->at({"t", 0});
  const absl::Status preferred = topic_->ElectLeader(0, Election::kPreferred);
  EXPECT_TRUE(absl::IsUnavailable(preferred)) << preferred;

  ASSERT_TRUE(cluster_->Restart(2).ok());
  EXPECT_EQ(Describe(0).leader, -1) << "it misses a record";
  // The controller counts on a broker once that has said what logs it has.
  const std::map<TopicPartition, absl::Status> done = {{{"t", 0}, absl::OkStatus()}};
  absl::StatusOr<std::map<TopicPartition, absl::Status>> elected;
  EXPECT_TRUE(Eventually([&] {
    elected = cluster_->ElectLeaders(Election::kUnclean);
    return elected.ok() && *elected == done;
  }));
  ASSERT_EQ(Describe(0).leader, 2);
  Send(0, 1);
}

TEST_F(TopicTest, ElectionsThatAreNotHeldSayWhy) {
  Start({.replication_factor = 3});
  const absl::Status needless = topic_->ElectLeader(0);
  EXPECT_TRUE(absl::IsFailedPrecondition(needless));
  EXPECT_NE(std::string(needless.message()).find("partition 0 of topic 't' is led by"),
            std::string::npos)
      << needless;
  const absl::Status unknown = topic_->ElectLeader(5);
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_NE(std::string(unknown.message()).find("partition 5 of topic 't' does not exist"),
            std::string::npos)
      << unknown;
  cluster_->Shutdown();
  EXPECT_TRUE(absl::IsFailedPrecondition(cluster_->ElectLeaders(Election::kPreferred).status()));
}

// --- Deletion of records ------------------------------------------------------------------------

TEST_F(TopicTest, DropsRecordsUpToAnOffsetOnEveryReplica) {
  Start({.replication_factor = 3});
  Send(0, 10);
  const auto low = topic_->DeleteRecords(0, 4);
  ASSERT_TRUE(low.ok()) << low.status();
  EXPECT_EQ(*low, 4);
  for (const int32_t id : cluster_->broker_ids()) {
    EXPECT_EQ(cluster_->broker(id).ReadReplica("t", 0)->log_start_offset, 4) << id;
  }
  EXPECT_EQ(*topic_->DeleteRecords(0, 2), 4) << "they are gone already";
  auto consumer = *Consumer::Create(*cluster_, {});
  ASSERT_TRUE(consumer->AssignTopic("t").ok());
  const auto records = consumer->Poll(std::chrono::seconds(5));
  ASSERT_TRUE(records.ok() && !records->empty()) << records.status();
  EXPECT_EQ(records->begin()->offset, 4);

  EXPECT_EQ(*topic_->DeleteRecords(0, kHighWatermark), 10);
  Send(0, 1);
  EXPECT_EQ(cluster_->broker(1).ReadReplica("t", 0)->log_end_offset, 11);
}

TEST_F(TopicTest, RefusesToDropRecordsThatAreNotThereInKafkasWords) {
  Start({.partitions = 2});
  Send(0, 3);
  const auto refusal = [&](int32_t partition, int64_t offset, absl::StatusCode code) {
    const absl::Status status = topic_->DeleteRecords(partition, offset).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  };
  EXPECT_EQ(refusal(0, 4, absl::StatusCode::kOutOfRange),
            "OFFSET_OUT_OF_RANGE: Cannot increment the log start offset to 4 of partition t-0 "
            "since it is larger than the high watermark 3");
  EXPECT_EQ(refusal(0, -2, absl::StatusCode::kOutOfRange),
            "OFFSET_OUT_OF_RANGE: The offset -2 for partition t-0 is not valid");
  EXPECT_EQ(refusal(2, 0, absl::StatusCode::kNotFound), "topic 't' has no partition 2, it has 2");
  EXPECT_EQ(refusal(-1, 0, absl::StatusCode::kNotFound), "topic 't' has no partition -1, it has 2");
  ASSERT_TRUE(cluster_->DeleteTopic("t").ok());
  EXPECT_EQ(refusal(0, 0, absl::StatusCode::kNotFound), "Topic 't' does not exist.");
}

// --- Settings -----------------------------------------------------------------------------------

TEST_F(TopicTest, DescribesItsSettingsWithTheirSources) {
  Start({.config = {{"segment.bytes", "1000"}}});
  EXPECT_EQ(topic_->DescribeConfig()->size(), 25u) << "every one of Kafka 2.0's";
  EXPECT_EQ(Setting("segment.bytes").value, "1000");
  EXPECT_EQ(Setting("segment.bytes").source, ConfigSource::kTopic);
  EXPECT_EQ(SynonymsOf(Setting("segment.bytes")),
            "{DYNAMIC_TOPIC_CONFIG:segment.bytes=1000, "
            "DEFAULT_CONFIG:log.segment.bytes=1073741824}");
  ConfigEntry retention = Setting("retention.ms");
  EXPECT_EQ(retention.value, "604800000");
  EXPECT_TRUE(retention.is_default);
  EXPECT_FALSE(retention.read_only || retention.sensitive);
  EXPECT_FALSE(retention.documentation.empty());
  EXPECT_EQ(SynonymsOf(retention), "{}");

  ASSERT_TRUE(cluster_->AlterBrokerDefaults({ConfigChange::Set("log.retention.ms", "7000")}).ok());
  for (const int32_t id : cluster_->broker_ids()) {
    ASSERT_TRUE(
        cluster_->broker(id).AlterConfig({ConfigChange::Set("log.retention.ms", "6000")}).ok());
  }
  ASSERT_TRUE(topic_->AlterConfig({ConfigChange::Set("retention.ms", "5000")}).ok());
  EXPECT_EQ(SynonymsOf(Setting("retention.ms")),
            "{DYNAMIC_TOPIC_CONFIG:retention.ms=5000, DYNAMIC_BROKER_CONFIG:log.retention.ms=6000, "
            "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000, "
            "DEFAULT_CONFIG:log.retention.hours=168}");
  ASSERT_TRUE(topic_->AlterConfig({ConfigChange::Delete("retention.ms")}).ok());
  retention = Setting("retention.ms");
  EXPECT_EQ(retention.value, "6000");
  EXPECT_EQ(retention.source, ConfigSource::kDynamicBroker);
}

TEST_F(TopicTest, ChangesSomeSettingsOrReplacesAll) {
  Start({.config = {{"segment.bytes", "1000"}, {"retention.bytes", "5"}}});
  using Map = std::map<std::string, std::string>;
  const std::string replicas = "leader.replication.throttled.replicas";
  ASSERT_TRUE(topic_
                  ->AlterConfig({ConfigChange::Set("retention.ms", "1000"),
                                 ConfigChange::Delete("segment.bytes"),
                                 ConfigChange::Append(replicas, "0:1,0:2")})
                  .ok());
  EXPECT_EQ(topic_->Describe()->config,
            (Map{{replicas, "0:1,0:2"}, {"retention.bytes", "5"}, {"retention.ms", "1000"}}));
  ASSERT_TRUE(topic_->AlterConfig({ConfigChange::Subtract(replicas, "0:1")}).ok());
  EXPECT_EQ(topic_->Describe()->config.at(replicas), "0:2");
  ASSERT_TRUE(topic_->ReplaceConfig({{"flush.ms", "10"}}, {.validate_only = true}).ok());
  EXPECT_EQ(topic_->Describe()->config.size(), 3u);
  ASSERT_TRUE(topic_->ReplaceConfig({{"flush.ms", "10"}}).ok());
  EXPECT_EQ(topic_->Describe()->config, (Map{{"flush.ms", "10"}}));
}

TEST_F(TopicTest, RefusesBadSettingsByNameAndChangesNothing) {
  Start();
  const std::string where =
      "Invalid config value for resource ConfigResource(type=TOPIC, name='t'): ";
  const std::vector<std::pair<std::vector<ConfigChange>, std::string>> refusals = {
      {{ConfigChange::Set("foo", "1")}, "Unknown topic config name: foo"},
      {{ConfigChange::Set("log.retention.ms", "1")}, "Unknown topic config name: log.retention.ms"},
      {{ConfigChange::Delete("")}, "Unknown topic config name: "},
      {{ConfigChange::Set("flush.ms", "1"), ConfigChange::Set("retention.ms", "soon")},
       where + "Invalid value soon for configuration retention.ms: Not a number of type LONG"},
      {{ConfigChange::Set("retention.ms", "-2")},
       where + "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
      {{ConfigChange::Set("compression.type", "rar")},
       where + "Invalid value rar for configuration compression.type: String must be one of: "
               "uncompressed, zstd, lz4, snappy, gzip, producer"},
      {{ConfigChange::Set("flush.ms", "1"), ConfigChange::Delete("flush.ms")},
       "Error due to duplicate config keys : flush.ms"},
      {{ConfigChange::Append("flush.ms", "1")},
       "Config value append is not allowed for config key: flush.ms"},
  };
  for (const auto& [changes, message] : refusals) {
    for (const bool validate_only : {true, false}) {
      const absl::Status status = topic_->AlterConfig(changes, {.validate_only = validate_only});
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
      EXPECT_EQ(std::string(status.message()), message);
    }
  }
  EXPECT_EQ(topic_->ReplaceConfig({{"foo", "1"}}).message(), "Unknown topic config name: foo");
  EXPECT_TRUE(topic_->Describe()->config.empty());
  ASSERT_TRUE(cluster_->DeleteTopic("t").ok());
  EXPECT_TRUE(absl::IsNotFound(topic_->AlterConfig({ConfigChange::Set("flush.ms", "1")})));
  EXPECT_TRUE(absl::IsNotFound(topic_->DescribeConfig().status()));
}

// --- Settings of brokers ------------------------------------------------------------------------

TEST_F(TopicTest, ABrokerDescribesItsSettings) {
  Start();
  ASSERT_TRUE(cluster_->AlterBrokerDefaults({ConfigChange::Set("log.retention.ms", "7000")}).ok());
  ASSERT_TRUE(
      cluster_->broker(2).AlterConfig({ConfigChange::Set("log.retention.ms", "6000")}).ok());
  const auto of = [&](int32_t broker, const std::string& name) {
    const auto entries = cluster_->broker(broker).DescribeConfig();
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.ok() ? Find(*entries, name) : ConfigEntry();
  };
  EXPECT_EQ(of(1, "log.retention.ms").value, "7000");
  EXPECT_EQ(of(1, "log.retention.ms").source, ConfigSource::kDynamicDefaultBroker);
  EXPECT_EQ(of(2, "log.retention.ms").value, "6000");
  EXPECT_EQ(SynonymsOf(of(2, "log.retention.ms")),
            "{DYNAMIC_BROKER_CONFIG:log.retention.ms=6000, "
            "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000, "
            "DEFAULT_CONFIG:log.retention.hours=168}");
  EXPECT_TRUE(of(2, "log.retention.hours").read_only);
  EXPECT_FALSE(of(2, "log.retention.ms").read_only);
  const auto defaults = cluster_->DescribeBrokerDefaults();
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  ASSERT_EQ(defaults->size(), 1u);
  EXPECT_EQ(SynonymsOf(defaults->front()), "{DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=7000}");
  ASSERT_TRUE(cluster_->Shutdown(2).ok());
  EXPECT_EQ(cluster_->broker(2).DescribeConfig().status().message(), "broker 2 does not run");
  EXPECT_TRUE(absl::IsNotFound(cluster_->broker(9).DescribeConfig().status()));
}

TEST_F(TopicTest, RefusesBadSettingsOfBrokersByName) {
  Start();
  Broker broker = cluster_->broker(2);
  EXPECT_EQ(broker.AlterConfig({ConfigChange::Set("foo", "1")}).message(),
            "Unknown broker config name: foo");
  EXPECT_EQ(broker.AlterConfig({ConfigChange::Set("log.retention.hours", "1")}).message(),
            "Invalid config value for resource ConfigResource(type=BROKER, name='2'): "
            "Cannot update these configs dynamically: Set(log.retention.hours)");
  EXPECT_EQ(cluster_->AlterBrokerDefaults({ConfigChange::Set("log.segment.bytes", "1")}).message(),
            "Invalid config value for resource ConfigResource(type=BROKER, name=''): "
            "Invalid value 1 for configuration log.segment.bytes: Value must be at least 14");
  EXPECT_TRUE(cluster_->DescribeBrokerDefaults()->empty());
  EXPECT_TRUE(absl::IsNotFound(cluster_->broker(9).AlterConfig({ConfigChange::Set("foo", "1")})));
}

}  // namespace
}  // namespace kafkalite
