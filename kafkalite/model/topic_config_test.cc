#include "kafkalite/model/topic_config.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::model {
namespace {

std::string Refusal(const std::string& key, const std::string& value) {
  return std::string(ValidateTopicConfig({{key, value}}).message());
}

ConfigEntry EntryOf(const std::vector<ConfigEntry>& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const ConfigEntry& entry) { return entry.name == name; });
  EXPECT_NE(found, entries.end()) << name;
  return found == entries.end() ? ConfigEntry() : *found;
}

// "DYNAMIC_TOPIC_CONFIG:retention.ms=1 DEFAULT_CONFIG:log.retention.hours=168"
std::string SynonymsOf(const ConfigEntry& entry) {
  std::string text;
  for (const ConfigSynonym& synonym : entry.synonyms) {
    text += (text.empty() ? "" : " ") + std::string(ToString(synonym.source)) + ":" + synonym.name +
            "=" + synonym.value;
  }
  return text;
}

// --- The table ----------------------------------------------------------------------------------

TEST(TopicSettingsTest, AreThoseOfKafka) {
  std::set<std::string_view> keys;
  for (const TopicSetting& setting : TopicSettings()) keys.insert(setting.key);
  EXPECT_EQ(keys, (std::set<std::string_view>{"cleanup.policy",
                                              "compression.type",
                                              "delete.retention.ms",
                                              "file.delete.delay.ms",
                                              "flush.messages",
                                              "flush.ms",
                                              "follower.replication.throttled.replicas",
                                              "index.interval.bytes",
                                              "leader.replication.throttled.replicas",
                                              "max.message.bytes",
                                              "message.downconversion.enable",
                                              "message.format.version",
                                              "message.timestamp.difference.max.ms",
                                              "message.timestamp.type",
                                              "min.cleanable.dirty.ratio",
                                              "min.compaction.lag.ms",
                                              "min.insync.replicas",
                                              "preallocate",
                                              "retention.bytes",
                                              "retention.ms",
                                              "segment.bytes",
                                              "segment.index.bytes",
                                              "segment.jitter.ms",
                                              "segment.ms",
                                              "unclean.leader.election.enable"}));
}

// The defaults are said three times: by the table for topics and for brokers, and by the struct.
TEST(TopicSettingsTest, DefaultsAgree) {
  EXPECT_EQ(DefaultTopicConfig({}), TopicConfig());
  for (const TopicSetting& setting : TopicSettings()) {
    EXPECT_TRUE(
        ValidateTopicConfig({{std::string(setting.key), std::string(setting.default_value)}}).ok())
        << setting.key;
    EXPECT_FALSE(setting.documentation.empty()) << setting.key;
    if (std::holds_alternative<std::monostate>(setting.field)) {
      EXPECT_EQ(setting.in_force, TopicSetting::InForce::kNotYet) << setting.key;
    }
  }
  for (const ConfigEntry& entry : DescribeTopic({}, {})) {
    EXPECT_EQ(entry.value, FindTopicSetting(entry.name)->default_value) << entry.name;
    EXPECT_TRUE(entry.is_default()) << entry.name;
  }
}

// --- Values -------------------------------------------------------------------------------------

TEST(TopicConfigTest, TakesOverrides) {
  const TopicConfig config = WithOverrides({}, {{"min.insync.replicas", "2"},
                                                {"retention.ms", " -1 "},
                                                {"unclean.leader.election.enable", "TRUE"},
                                                {"compression.type", "gzip"},
                                                {"message.timestamp.type", "LogAppendTime"},
                                                {"segment.bytes", "+100"}});
  EXPECT_EQ(config.min_insync_replicas, 2);
  EXPECT_EQ(config.retention_ms, -1);
  EXPECT_TRUE(config.unclean_leader_election);
  EXPECT_EQ(config.compression_type, CompressionType::kGzip);
  EXPECT_EQ(config.message_timestamp_type, TimestampType::kLogAppendTime);
  EXPECT_EQ(config.segment_bytes, 100);
}

TEST(TopicConfigTest, RefusesInKafkasWords) {
  EXPECT_EQ(Refusal("foo", "1"), "Unknown topic config name: foo");
  EXPECT_EQ(Refusal("retention.ms", "abc"),
            "Invalid value abc for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(Refusal("max.message.bytes", "99999999999"),
            "Invalid value 99999999999 for configuration max.message.bytes: "
            "Not a number of type INT");
  EXPECT_EQ(Refusal("min.insync.replicas", "0"),
            "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1");
  EXPECT_EQ(Refusal("preallocate", "yes"),
            "Invalid value yes for configuration preallocate: "
            "Expected value to be either true or false");
  EXPECT_EQ(Refusal("message.timestamp.type", "Never"),
            "Invalid value Never for configuration message.timestamp.type: "
            "String must be one of: CreateTime, LogAppendTime");
  EXPECT_EQ(Refusal("min.cleanable.dirty.ratio", "1.5"),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: "
            "Value must be no more than 1");
  EXPECT_EQ(Refusal("min.cleanable.dirty.ratio", "half"),
            "Invalid value half for configuration min.cleanable.dirty.ratio: "
            "Not a number of type DOUBLE");
  EXPECT_EQ(Refusal("message.format.version", "9.9"),
            "Invalid value 9.9 for configuration message.format.version: "
            "Version `9.9` is not a valid version");
  EXPECT_EQ(Refusal("leader.replication.throttled.replicas", "1,2"),
            "Invalid value 1,2 for configuration leader.replication.throttled.replicas: "
            "leader.replication.throttled.replicas must be the literal '*' or a list of replicas "
            "in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...");
}

TEST(TopicConfigTest, SaysThatCompactionIsNotSupportedYet) {
  for (const char* policy : {"compact", "compact,delete"}) {
    EXPECT_NE(Refusal("cleanup.policy", policy).find("compaction is not supported yet"),
              std::string::npos)
        << policy;
  }
  EXPECT_EQ(Refusal("cleanup.policy", "shred"),
            "Invalid value shred for configuration cleanup.policy: "
            "String must be one of: compact, delete");
  EXPECT_NE(Refusal("cleanup.policy", ""), "");
  EXPECT_EQ(Refusal("cleanup.policy", "delete"), "");
}

TEST(TopicConfigTest, AcceptsWhatKafkaAccepts) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"message.format.version", "2.0"},
           {"message.format.version", "0.10.2.1"},
           {"message.format.version", "2.0-IV1"},
           {"leader.replication.throttled.replicas", "*"},
           {"leader.replication.throttled.replicas", "0:1, 1:2"},
           {"follower.replication.throttled.replicas", ""},
           {"min.cleanable.dirty.ratio", "1"},
           {"compression.type", "zstd"},
           {"retention.bytes", "-1"}}) {
    EXPECT_EQ(Refusal(key, value), "") << key << "=" << value;
  }
}

// --- Layers -------------------------------------------------------------------------------------

TEST(BrokerDefaultsTest, TheStrongestLayerCounts) {
  BrokerDefaults defaults{
      .dynamic_broker = {{"log.retention.ms", "2"}},
      .dynamic_default = {{"log.retention.ms", "3"}},
      .static_broker = {{"log.retention.minutes", "4"}, {"log.retention.hours", "5"}}};
  const auto retention = [&] { return DefaultTopicConfig(defaults).retention_ms; };
  EXPECT_EQ(WithOverrides(DefaultTopicConfig(defaults), {{"retention.ms", "1"}}).retention_ms, 1);
  EXPECT_EQ(retention(), 2);
  defaults.dynamic_broker.clear();
  EXPECT_EQ(retention(), 3);
  defaults.dynamic_default.clear();
  EXPECT_EQ(retention(), 4 * 60'000);
  defaults.static_broker.erase("log.retention.minutes");
  EXPECT_EQ(retention(), 5 * 3'600'000);
  defaults.static_broker["log.retention.hours"] = "-1";
  EXPECT_EQ(retention(), -1);
}

// Others write to the tree, too: Kafka's tools, of any version.
TEST(BrokerDefaultsTest, WhatIsNotValidCountsAsNotThere) {
  const TopicConfig config =
      WithOverrides(DefaultTopicConfig({.dynamic_broker = {{"log.retention.ms", "soon"}},
                                        .dynamic_default = {{"log.retention.ms", "3"}},
                                        .static_broker = {}}),
                    {{"retention.ms", "x"},
                     {"remote.storage.enable", "true"},
                     {"cleanup.policy", "compact"},
                     {"segment.ms", "7"}});
  EXPECT_EQ(config.retention_ms, 3);
  EXPECT_EQ(config.segment_ms, 7);
}

TEST(BrokerConfigTest, RefusesWhatIsUnknownFixedOrBad) {
  const auto refusal = [](const ConfigMap& config, bool dynamic) {
    return std::string(ValidateBrokerConfig(config, dynamic).message());
  };
  EXPECT_EQ(refusal({{"retention.ms", "1"}}, false), "Unknown broker config name: retention.ms");
  EXPECT_EQ(refusal({{"", "1"}}, false), "Unknown broker config name: ");
  EXPECT_EQ(refusal({{"log.retention.ms", "x"}}, true),
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG");
  EXPECT_EQ(refusal({{"log.retention.hours", "1"}, {"log.roll.hours", "1"}}, true),
            "Cannot update these configs dynamically: Set(log.retention.hours, log.roll.hours)");
  EXPECT_EQ(refusal({{"log.retention.hours", "1"}, {"log.roll.hours", "1"}}, false), "");
}

// --- Description --------------------------------------------------------------------------------

TEST(DescribeTest, ATopicsSettingNamesEverySource) {
  const BrokerDefaults defaults{.dynamic_broker = {{"log.retention.ms", "2"}},
                                .dynamic_default = {{"log.retention.ms", "3"}},
                                .static_broker = {{"log.retention.minutes", "4"}}};
  const ConfigEntry own =
      EntryOf(DescribeTopic({{"retention.ms", "01"}}, defaults), "retention.ms");
  EXPECT_EQ(own.value, "1");
  EXPECT_EQ(own.source, ConfigSource::kTopic);
  EXPECT_FALSE(own.is_default());
  EXPECT_FALSE(own.read_only);
  EXPECT_EQ(SynonymsOf(own),
            "DYNAMIC_TOPIC_CONFIG:retention.ms=1 DYNAMIC_BROKER_CONFIG:log.retention.ms=2 "
            "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=3 "
            "STATIC_BROKER_CONFIG:log.retention.minutes=4 DEFAULT_CONFIG:log.retention.hours=168");
  const ConfigEntry fallen =
      EntryOf(DescribeTopic({}, {{}, {}, defaults.static_broker}), "retention.ms");
  EXPECT_EQ(fallen.value, "240000");
  EXPECT_EQ(fallen.source, ConfigSource::kStaticBroker);
}

// As `kafka-configs --describe --all` prints them: "retention.ms=604800000 synonyms={}".
TEST(DescribeTest, ATopicsSynonymsBeginWithTheFirstOfTheBrokersNames) {
  const auto synonyms = [](const std::string& key, const ConfigMap& own,
                           const BrokerDefaults& defaults) {
    return SynonymsOf(EntryOf(DescribeTopic(own, defaults), key));
  };
  EXPECT_EQ(synonyms("retention.ms", {}, {}), "");
  EXPECT_EQ(synonyms("retention.ms", {{"retention.ms", "5"}}, {}),
            "DYNAMIC_TOPIC_CONFIG:retention.ms=5");
  EXPECT_EQ(synonyms("retention.ms", {},
                     {.dynamic_broker = {},
                      .dynamic_default = {},
                      .static_broker = {{"log.retention.hours", "1"}}}),
            "");
  EXPECT_EQ(synonyms("segment.bytes", {{"segment.bytes", "+99"}}, {}),
            "DYNAMIC_TOPIC_CONFIG:segment.bytes=99 DEFAULT_CONFIG:log.segment.bytes=1073741824");
  EXPECT_EQ(synonyms("leader.replication.throttled.replicas", {}, {}), "");
}

TEST(DescribeTest, ABrokersSettingHasItsOwnUnitAndSaysWhetherItIsFixed) {
  const BrokerDefaults defaults{.dynamic_broker = {},
                                .dynamic_default = {{"log.retention.ms", "3"}},
                                .static_broker = {{"log.retention.hours", "5"}}};
  const std::vector<ConfigEntry> entries = DescribeBroker(defaults);
  const ConfigEntry hours = EntryOf(entries, "log.retention.hours");
  EXPECT_EQ(hours.value, "5");
  EXPECT_EQ(hours.source, ConfigSource::kStaticBroker);
  EXPECT_TRUE(hours.read_only);
  EXPECT_EQ(SynonymsOf(hours),
            "STATIC_BROKER_CONFIG:log.retention.hours=5 DEFAULT_CONFIG:log.retention.hours=168");
  const ConfigEntry millis = EntryOf(entries, "log.retention.ms");
  EXPECT_EQ(millis.value, "3");
  EXPECT_FALSE(millis.read_only);
  EXPECT_EQ(EntryOf(entries, "log.retention.minutes").value, std::nullopt);
  EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
}

TEST(DescribeTest, TheBrokersDefaultIsWhatWasSetForAll) {
  const std::vector<ConfigEntry> entries =
      DescribeBrokerDefault({.dynamic_broker = {{"log.segment.bytes", "100"}},
                             .dynamic_default = {{"log.retention.ms", "3"}},
                             .static_broker = {}});
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].value, "3");
  EXPECT_EQ(SynonymsOf(entries[0]), "DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=3");
}

// --- Changes ------------------------------------------------------------------------------------

TEST(ApplyChangesTest, SetsDeletesAppendsAndSubtracts) {
  const std::string key = "leader.replication.throttled.replicas";
  const auto config = ApplyChanges(
      {{"retention.ms", "1"}, {"segment.ms", "2"}},
      std::vector<ConfigChange>{{.key = "retention.ms", .value = "5"},
                                {.key = "segment.ms", .operation = AlterOperation::kDelete},
                                {.key = "flush.ms", .operation = AlterOperation::kDelete},
                                {key, AlterOperation::kAppend, "0:1,1:2"}},
      /*is_topic=*/true);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config, (ConfigMap{{"retention.ms", "5"}, {key, "0:1,1:2"}}));
  const auto appended = ApplyChanges(
      *config, std::vector<ConfigChange>{{key, AlterOperation::kAppend, "1:2,2:3"}}, true);
  EXPECT_EQ(appended->at(key), "0:1,1:2,2:3");
  const auto subtracted = ApplyChanges(
      *appended, std::vector<ConfigChange>{{key, AlterOperation::kSubtract, "1:2"}}, true);
  EXPECT_EQ(subtracted->at(key), "0:1,2:3");
}

TEST(ApplyChangesTest, RefusesInKafkasWords) {
  const auto refusal = [](std::vector<ConfigChange> changes, bool is_topic) {
    return std::string(ApplyChanges({}, changes, is_topic).status().message());
  };
  EXPECT_EQ(refusal({{"retention.ms", AlterOperation::kAppend, "1"}}, true),
            "Config value append is not allowed for config key: retention.ms");
  EXPECT_EQ(refusal({{"retention.ms", AlterOperation::kSubtract, "1"}}, true),
            "Config value subtract is not allowed for config key: retention.ms");
  EXPECT_EQ(refusal({{.key = "flush.ms", .value = "1"}, {.key = "flush.ms", .value = "2"}}, true),
            "Error due to duplicate config keys : flush.ms");
  EXPECT_EQ(refusal({{"foo", AlterOperation::kDelete, ""}}, true),
            "Unknown topic config name: foo");
  EXPECT_EQ(refusal({{.key = "flush.ms", .value = "1"}}, false),
            "Unknown broker config name: flush.ms");
}

}  // namespace
}  // namespace kafkalite::model
