// File: topic_config.h
//
// The settings of topics, and the settings of brokers that are their defaults: one table of keys,
// types, defaults, limits and synonyms, which are Kafka 2.0's (`LogConfig`, `KafkaConfig`; KIP-226
// for what may be changed at run time). Parsing, validating and describing all come from it.
//
// A topic's setting in force at a broker is the first of these that is there:
//
//   the topic's own       "retention.ms" of /config/topics/T
//   the broker's dynamic  "log.retention.ms" of /config/brokers/N
//   the dynamic default   "log.retention.ms" of /config/brokers/<default>
//   the static one        "log.retention.ms", else .minutes, else .hours, as the broker was started
//   Kafka's default
//
// Thread safety: none needed, these are values and pure functions.

#ifndef KAFKALITE_MODEL_TOPIC_CONFIG_H_
#define KAFKALITE_MODEL_TOPIC_CONFIG_H_

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kafkalite::model {

enum class TimestampType { kCreateTime, kLogAppendTime };

// What a leader stores; the values but the first are those of a batch's attributes.
enum class CompressionType : int8_t {
  kProducer = -1,  // whatever the producer chose
  kUncompressed = 0,
  kGzip = 1,
  kSnappy = 2,
  kLz4 = 3,
  kZstd = 4,
};

inline constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

// A topic's settings in force; -1 is "no limit" where a limit is meant.
struct TopicConfig {
  int32_t min_insync_replicas = 1;
  int64_t retention_ms = 7 * 24 * 3600 * 1000LL;
  int64_t retention_bytes = -1;
  int32_t max_message_bytes = 1048588;  // of a batch, as Kafka's default
  bool unclean_leader_election = false;
  CompressionType compression_type = CompressionType::kProducer;
  TimestampType message_timestamp_type = TimestampType::kCreateTime;
  // How far from the leader's clock a producer's timestamps may be.
  int64_t message_timestamp_difference_max_ms = kMaxLong;

  // Of logs in files. A segment is closed when it is so large, or its first record so old.
  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = 7 * 24 * 3600 * 1000LL;
  int64_t segment_jitter_ms = 0;  // up to so much earlier, so that not all close at once
  int32_t segment_index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  int64_t file_delete_delay_ms = 60000;
  // A sync after so many records, and so long after the first one that is not durable.
  int64_t flush_messages = kMaxLong;
  int64_t flush_ms = kMaxLong;

  bool operator==(const TopicConfig&) const = default;
};

// Settings by Kafka's keys ("retention.ms"), sorted.
using ConfigMap = std::map<std::string, std::string>;

// Kafka's `ConfigDef.Type`, as far as it occurs here.
enum class ConfigType { kBoolean, kString, kInt, kLong, kDouble, kList };

// A broker's setting that is a topic's default.
struct BrokerSetting {
  std::string_view key;
  std::string_view default_value = {};  // empty: none, a later synonym has it
  int64_t unit = 1;                     // how many of the topic's units are one of this one's
  bool dynamic = true;                  // can be changed while the broker runs
};

// One row of the table.
struct TopicSetting {
  std::string_view key;
  ConfigType type;
  std::string_view default_value;
  std::string_view documentation;
  // By precedence; those without a key are none.
  std::array<BrokerSetting, 3> synonyms = {};
  int64_t least = std::numeric_limits<int64_t>::min();
  // What a string, or each element of a list, may be; empty: anything.
  std::span<const std::string_view> choices = {};
  // What else it has to be.
  enum class Format { kAny, kRatio, kVersion, kReplicas, kDeleteOnly };
  Format format = Format::kAny;
  // From when a change counts, once AlterConfigs has answered.
  enum class InForce { kNotYet, kNextRecord, kAtOnce };
  InForce in_force = InForce::kNotYet;  // kNotYet: accepted and described, without an effect here
  // Where the value goes; nowhere if it has no effect here (yet).
  std::variant<std::monostate, int32_t TopicConfig::*, int64_t TopicConfig::*, bool TopicConfig::*,
               TimestampType TopicConfig::*, CompressionType TopicConfig::*>
      field = {};
};

// Sorted by key.
std::span<const TopicSetting> TopicSettings();
// Null for a key that is none of a topic's.
const TopicSetting* FindTopicSetting(std::string_view key);

// A broker's setting and the row that it belongs to; null for a key that is none.
struct BrokerSettingRow {
  const TopicSetting* topic = nullptr;
  const BrokerSetting* broker = nullptr;
};
BrokerSettingRow FindBrokerSetting(std::string_view key);

// INVALID_ARGUMENT, in Kafka's words, names the key that is unknown or the value that is malformed
// or out of range.
absl::Status ValidateTopicConfig(const ConfigMap& config);
// The same for a broker's settings; `dynamic`: only those that may be changed while it runs.
absl::Status ValidateBrokerConfig(const ConfigMap& config, bool dynamic);

// What one broker takes topics' settings from, beside the topics' own.
struct BrokerDefaults {
  ConfigMap dynamic_broker;   // /config/brokers/N
  ConfigMap dynamic_default;  // /config/brokers/<default>
  ConfigMap static_broker;    // as it was started
  bool operator==(const BrokerDefaults&) const = default;
};

// The settings of a topic that has none of its own. What is not valid counts as not there: others
// write to the tree, too.
TopicConfig DefaultTopicConfig(const BrokerDefaults& defaults);
// The same with a topic's own.
TopicConfig WithOverrides(TopicConfig defaults, const ConfigMap& overrides);

// Where a value comes from (KIP-133, KIP-226); the numbers are the protocol's.
enum class ConfigSource : int8_t {
  kUnknown = 0,
  kTopic = 1,                 // DYNAMIC_TOPIC_CONFIG
  kDynamicBroker = 2,         // DYNAMIC_BROKER_CONFIG
  kDynamicDefaultBroker = 3,  // DYNAMIC_DEFAULT_BROKER_CONFIG
  kStaticBroker = 4,          // STATIC_BROKER_CONFIG
  kDefault = 5,               // DEFAULT_CONFIG
};
std::string_view ToString(ConfigSource source);

struct ConfigSynonym {
  std::string name;
  std::string value;
  ConfigSource source = ConfigSource::kUnknown;
  bool operator==(const ConfigSynonym&) const = default;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // absent: not set, and without a default
  ConfigSource source = ConfigSource::kUnknown;
  bool is_default() const { return source == ConfigSource::kDefault; }
  bool read_only = false;
  bool sensitive = false;
  ConfigType type = ConfigType::kString;
  // What is set for it, the one in force first, as Kafka tells it: of a topic's "retention.ms"
  // those from "log.retention.ms" on, so that one in force as "log.retention.hours" alone has none.
  // (Its source is told all the same, where Kafka says DEFAULT_CONFIG.)
  std::vector<ConfigSynonym> synonyms;
  std::string documentation;
};

// Every setting of a topic with these overrides at this broker, by key.
std::vector<ConfigEntry> DescribeTopic(const ConfigMap& overrides, const BrokerDefaults& defaults);
// Every setting of a broker, by key.
std::vector<ConfigEntry> DescribeBroker(const BrokerDefaults& defaults);
// What is set in /config/brokers/<default>.
std::vector<ConfigEntry> DescribeBrokerDefault(const BrokerDefaults& defaults);

// KIP-339.
enum class AlterOperation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

struct ConfigChange {
  std::string key;
  AlterOperation operation = AlterOperation::kSet;
  std::string value;  // not for kDelete
};

// `config` with the changes, which is not validated as a whole. `is_topic`: or of a broker.
// INVALID_ARGUMENT for a key that is named twice, and for kAppend and kSubtract of what is no list.
absl::StatusOr<ConfigMap> ApplyChanges(ConfigMap config, std::span<const ConfigChange> changes,
                                       bool is_topic);

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_TOPIC_CONFIG_H_
