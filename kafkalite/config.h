// File: config.h
//
// The settings of topics and brokers, under Kafka's keys: docs/configuration.md lists them.
//
//   auto topic = (*cluster)->FindTopic("first-test");
//   topic->AlterConfig({kafkalite::ConfigChange::Set("retention.ms", "60000"),
//                       kafkalite::ConfigChange::Delete("segment.bytes")});
//   for (const auto& entry : *topic->DescribeConfig()) {
//     std::cout << entry.name << '=' << entry.value.value_or("null") << '\n';
//   }
//
// Thread safety: none needed, these are values.

#ifndef KAFKALITE_CONFIG_H_
#define KAFKALITE_CONFIG_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kafkalite {

// Where a value comes from, the strongest first.
enum class ConfigSource {
  kTopic,                 // set for the topic
  kDynamicBroker,         // set for the broker while it ran
  kDynamicDefaultBroker,  // set for all brokers while they ran
  kStaticBroker,          // given to the broker when it started
  kDefault,               // Kafka's
};
// As Kafka's tools print it: "DYNAMIC_TOPIC_CONFIG".
std::string_view ToString(ConfigSource source);

struct ConfigSynonym {
  std::string name;
  std::string value;
  ConfigSource source = ConfigSource::kDefault;
};

// One setting, as it is in force.
struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // absent: not set, and without a default
  ConfigSource source = ConfigSource::kDefault;
  bool is_default = true;  // source is kDefault
  bool read_only = false;  // cannot be changed at run time
  bool sensitive = false;  // a secret, whose value is not told
  // What is set for it, the one in force first, as Kafka tells it: for a topic's "retention.ms"
  // also the brokers' "log.retention.ms".
  std::vector<ConfigSynonym> synonyms;
  std::string documentation;
};

// A change of one setting, which leaves the others as they are.
struct ConfigChange {
  enum class Operation {
    kSet,
    kDelete,    // back to what is next in force
    kAppend,    // to a list, what it does not have
    kSubtract,  // from a list
  };
  std::string name;
  Operation operation = Operation::kSet;
  std::string value = {};

  static ConfigChange Set(std::string name, std::string value) {
    return {std::move(name), Operation::kSet, std::move(value)};
  }
  static ConfigChange Delete(std::string name) { return {std::move(name), Operation::kDelete}; }
  static ConfigChange Append(std::string name, std::string value) {
    return {std::move(name), Operation::kAppend, std::move(value)};
  }
  static ConfigChange Subtract(std::string name, std::string value) {
    return {std::move(name), Operation::kSubtract, std::move(value)};
  }
};

struct AlterConfigOptions {
  bool validate_only = false;  // says whether it would be accepted, and changes nothing
};

}  // namespace kafkalite

#endif  // KAFKALITE_CONFIG_H_
