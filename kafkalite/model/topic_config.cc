#include "kafkalite/model/topic_config.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::model {

using base::Cat;

namespace {

using Format = TopicSetting::Format;
using InForce = TopicSetting::InForce;

constexpr std::string_view kLongMax = "9223372036854775807";
constexpr std::string_view kPolicies[] = {"compact", "delete"};
constexpr std::string_view kTimestampTypes[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view kCompressionTypes[] = {"uncompressed", "zstd", "lz4",
                                                  "snappy",       "gzip", "producer"};
constexpr CompressionType kCompressionValues[] = {
    CompressionType::kUncompressed, CompressionType::kZstd, CompressionType::kLz4,
    CompressionType::kSnappy,       CompressionType::kGzip, CompressionType::kProducer};

// The first words of the releases whose message formats a topic may name.
constexpr std::string_view kReleases[] = {
    "0.8.0", "0.8.1", "0.8.2", "0.9.0", "0.10.0", "0.10.1", "0.10.2", "0.11.0", "1.0", "1.1",
    "2.0",   "2.1",   "2.2",   "2.3",   "2.4",    "2.5",    "2.6",    "2.7",    "2.8", "3.0"};

constexpr BrokerSetting Milliseconds(std::string_view key) { return {.key = key}; }
constexpr BrokerSetting Minutes(std::string_view key) {
  return {.key = key, .unit = 60'000, .dynamic = false};
}
constexpr BrokerSetting Hours(std::string_view key, std::string_view default_value) {
  return {.key = key, .default_value = default_value, .unit = 3'600'000, .dynamic = false};
}

constexpr TopicSetting kSettings[] = {
    {.key = "cleanup.policy",
     .type = ConfigType::kList,
     .default_value = "delete",
     .documentation = "What becomes of old records: \"delete\" drops them by retention time or "
                      "size.",
     .synonyms = {{{.key = "log.cleanup.policy", .default_value = "delete"}}},
     .choices = kPolicies,
     .format = Format::kDeleteOnly},
    {.key = "compression.type",
     .type = ConfigType::kString,
     .default_value = "producer",
     .documentation = "The codec in which batches are stored; \"producer\" keeps the one chosen by "
                      "their producer.",
     .synonyms = {{{.key = "compression.type", .default_value = "producer"}}},
     .choices = kCompressionTypes,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::compression_type},
    {.key = "delete.retention.ms",
     .type = ConfigType::kLong,
     .default_value = "86400000",
     .documentation = "How long the tombstones of a compacted topic are kept.",
     .synonyms = {{{.key = "log.cleaner.delete.retention.ms", .default_value = "86400000"}}},
     .least = 0},
    {.key = "file.delete.delay.ms",
     .type = ConfigType::kLong,
     .default_value = "60000",
     .documentation = "How long a file that belongs to no log any more stays on disk.",
     .synonyms = {{{.key = "log.segment.delete.delay.ms", .default_value = "60000"}}},
     .least = 0,
     .field = &TopicConfig::file_delete_delay_ms},
    {.key = "flush.messages",
     .type = ConfigType::kLong,
     .default_value = kLongMax,
     .documentation = "After how many records the log is synced to its device.",
     .synonyms = {{{.key = "log.flush.interval.messages", .default_value = kLongMax}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::flush_messages},
    {.key = "flush.ms",
     .type = ConfigType::kLong,
     .default_value = kLongMax,
     .documentation = "After how long the log is synced to its device.",
     .synonyms = {{Milliseconds("log.flush.interval.ms"),
                   {.key = "log.flush.scheduler.interval.ms",
                    .default_value = kLongMax,
                    .dynamic = false}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::flush_ms},
    {.key = "follower.replication.throttled.replicas",
     .type = ConfigType::kList,
     .default_value = "",
     .documentation = "The replicas, as partition:broker pairs or \"*\", whose fetching is "
                      "throttled.",
     .format = Format::kReplicas},
    {.key = "index.interval.bytes",
     .type = ConfigType::kInt,
     .default_value = "4096",
     .documentation = "How many bytes of batches lie between two entries of the offset index.",
     .synonyms = {{{.key = "log.index.interval.bytes", .default_value = "4096"}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::index_interval_bytes},
    {.key = "leader.replication.throttled.replicas",
     .type = ConfigType::kList,
     .default_value = "",
     .documentation =
         "The replicas, as partition:broker pairs or \"*\", whose leaders' answers are "
         "throttled.",
     .format = Format::kReplicas},
    {.key = "max.message.bytes",
     .type = ConfigType::kInt,
     .default_value = "1048588",
     .documentation = "The largest batch that is accepted, as it comes and as it is stored.",
     .synonyms = {{{.key = "message.max.bytes", .default_value = "1048588"}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::max_message_bytes},
    {.key = "message.downconversion.enable",
     .type = ConfigType::kBoolean,
     .default_value = "true",
     .documentation = "Whether batches are converted for clients that read older formats only.",
     .synonyms = {{{.key = "log.message.downconversion.enable", .default_value = "true"}}}},
    {.key = "message.format.version",
     .type = ConfigType::kString,
     .default_value = "2.0-IV1",
     .documentation = "The release whose format batches are stored in.",
     .synonyms =
         {{{.key = "log.message.format.version", .default_value = "2.0-IV1", .dynamic = false}}},
     .format = Format::kVersion},
    {.key = "message.timestamp.difference.max.ms",
     .type = ConfigType::kLong,
     .default_value = kLongMax,
     .documentation = "How far a producer's timestamps may be from the leader's clock; not for "
                      "LogAppendTime.",
     .synonyms = {{{.key = "log.message.timestamp.difference.max.ms", .default_value = kLongMax}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::message_timestamp_difference_max_ms},
    {.key = "message.timestamp.type",
     .type = ConfigType::kString,
     .default_value = "CreateTime",
     .documentation = "Whose clock timestamps are of: \"CreateTime\" the producer's, "
                      "\"LogAppendTime\" the leader's.",
     .synonyms = {{{.key = "log.message.timestamp.type", .default_value = "CreateTime"}}},
     .choices = kTimestampTypes,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::message_timestamp_type},
    {.key = "min.cleanable.dirty.ratio",
     .type = ConfigType::kDouble,
     .default_value = "0.5",
     .documentation = "How much of a compacted log is not yet clean when the cleaner takes it up.",
     .synonyms = {{{.key = "log.cleaner.min.cleanable.ratio", .default_value = "0.5"}}},
     .format = Format::kRatio},
    {.key = "min.compaction.lag.ms",
     .type = ConfigType::kLong,
     .default_value = "0",
     .documentation = "How long a record stays in a compacted log at least.",
     .synonyms = {{{.key = "log.cleaner.min.compaction.lag.ms", .default_value = "0"}}},
     .least = 0},
    {.key = "min.insync.replicas",
     .type = ConfigType::kInt,
     .default_value = "1",
     .documentation = "How many replicas must be in sync for a produce with acks=all.",
     .synonyms = {{{.key = "min.insync.replicas", .default_value = "1"}}},
     .least = 1,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::min_insync_replicas},
    {.key = "preallocate",
     .type = ConfigType::kBoolean,
     .default_value = "false",
     .documentation = "Whether the file of a new segment takes its whole size at once.",
     .synonyms = {{{.key = "log.preallocate", .default_value = "false"}}}},
    {.key = "retention.bytes",
     .type = ConfigType::kLong,
     .default_value = "-1",
     .documentation =
         "How large a partition may become before its oldest batches go; -1: no limit.",
     .synonyms = {{{.key = "log.retention.bytes", .default_value = "-1"}}},
     .least = -1,
     .in_force = InForce::kAtOnce,
     .field = &TopicConfig::retention_bytes},
    {.key = "retention.ms",
     .type = ConfigType::kLong,
     .default_value = "604800000",
     .documentation = "How old a batch may become before it goes; -1: no limit.",
     .synonyms = {{Milliseconds("log.retention.ms"), Minutes("log.retention.minutes"),
                   Hours("log.retention.hours", "168")}},
     .least = -1,
     .in_force = InForce::kAtOnce,
     .field = &TopicConfig::retention_ms},
    {.key = "segment.bytes",
     .type = ConfigType::kInt,
     .default_value = "1073741824",
     .documentation = "How large a segment's file becomes before the next one is begun.",
     .synonyms = {{{.key = "log.segment.bytes", .default_value = "1073741824"}}},
     .least = 14,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::segment_bytes},
    {.key = "segment.index.bytes",
     .type = ConfigType::kInt,
     .default_value = "10485760",
     .documentation = "How large a segment's indexes may become.",
     .synonyms = {{{.key = "log.index.size.max.bytes", .default_value = "10485760"}}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::segment_index_bytes},
    {.key = "segment.jitter.ms",
     .type = ConfigType::kLong,
     .default_value = "0",
     .documentation = "Up to how much earlier than segment.ms a segment is closed, by chance.",
     .synonyms = {{Milliseconds("log.roll.jitter.ms"), Hours("log.roll.jitter.hours", "0")}},
     .least = 0,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::segment_jitter_ms},
    {.key = "segment.ms",
     .type = ConfigType::kLong,
     .default_value = "604800000",
     .documentation = "How old a segment becomes before the next one is begun.",
     .synonyms = {{Milliseconds("log.roll.ms"), Hours("log.roll.hours", "168")}},
     .least = 1,
     .in_force = InForce::kNextRecord,
     .field = &TopicConfig::segment_ms},
    {.key = "unclean.leader.election.enable",
     .type = ConfigType::kBoolean,
     .default_value = "false",
     .documentation = "Whether a replica that may miss acknowledged records may lead when no other "
                      "can.",
     .synonyms = {{{.key = "unclean.leader.election.enable", .default_value = "false"}}},
     .in_force = InForce::kAtOnce,
     .field = &TopicConfig::unclean_leader_election},
};
static_assert(std::is_sorted(std::begin(kSettings), std::end(kSettings),
                             [](const auto& a, const auto& b) { return a.key < b.key; }));

// --- One value ----------------------------------------------------------------------------------

// As it is shown, and as it is assigned.
struct Value {
  std::string text;
  int64_t number = 0;  // or the index of a choice
};

std::string_view Trim(std::string_view text) {
  return base::ToStd(absl::StripAsciiWhitespace(base::ToAbsl(text)));
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> elements;
  for (const absl::string_view element : absl::StrSplit(base::ToAbsl(text), ',')) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(element);
    if (!trimmed.empty()) elements.emplace_back(trimmed);
  }
  return elements;
}

// What is wrong with a value; empty if nothing is.
using Complaint = std::string;

template <class T>
bool ParseNumber(std::string_view text, int64_t& out) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  out = number;
  return error == std::errc() && end == text.data() + text.size();
}

Complaint CheckNumber(const TopicSetting& setting, std::string_view text, int64_t unit,
                      Value& value) {
  const bool is_int = setting.type == ConfigType::kInt;
  if (!(is_int ? ParseNumber<int32_t>(text, value.number)
               : ParseNumber<int64_t>(text, value.number))) {
    return is_int ? "Not a number of type INT" : "Not a number of type LONG";
  }
  value.text = std::to_string(value.number);
  if (unit != 1) {
    // Less than nothing is "no limit", in any unit.
    value.number = value.number < 0                 ? -1
                   : value.number > kMaxLong / unit ? kMaxLong
                                                    : value.number * unit;
  }
  if (value.number < setting.least) return Cat("Value must be at least ", setting.least);
  return "";
}

Complaint CheckRatio(std::string_view text) {
  double ratio = 0;
  if (!absl::SimpleAtod(base::ToAbsl(text), &ratio)) return "Not a number of type DOUBLE";
  if (!(ratio >= 0)) return "Value must be at least 0";
  if (ratio > 1) return "Value must be no more than 1";
  return "";
}

Complaint CheckVersion(std::string_view text) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(base::ToAbsl(text), absl::MaxSplits('-', 1));
  const std::vector<absl::string_view> numbers = absl::StrSplit(parts.front(), '.');
  const size_t significant = numbers.front() == "0" ? 3 : 2;
  const std::string release = absl::StrJoin(
      numbers.begin(),
      numbers.begin() + static_cast<ptrdiff_t>(std::min(significant, numbers.size())), ".");
  const bool known =
      std::find(std::begin(kReleases), std::end(kReleases), release) != std::end(kReleases);
  const bool revision =
      parts.size() == 1 || (parts[1].size() == 3 && parts[1].substr(0, 2) == "IV" &&
                            absl::ascii_isdigit(static_cast<unsigned char>(parts[1][2])));
  return known && revision ? "" : Cat("Version `", text, "` is not a valid version");
}

Complaint CheckReplicas(std::string_view key, const std::vector<std::string>& elements) {
  const bool all = elements.size() == 1 && elements.front() == "*";
  const bool pairs = std::all_of(elements.begin(), elements.end(), [](const std::string& element) {
    const std::vector<std::string> pair = absl::StrSplit(element, ':');
    int64_t number = 0;
    return pair.size() == 2 && ParseNumber<int32_t>(pair[0], number) && number >= 0 &&
           ParseNumber<int32_t>(pair[1], number) && number >= 0;
  });
  if (all || pairs) return "";
  return Cat(key,
             " must be the literal '*' or a list of replicas in the following format: "
             "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
}

Complaint CheckChoice(const TopicSetting& setting, std::string_view text, int64_t& index) {
  const auto found = std::find(setting.choices.begin(), setting.choices.end(), text);
  index = found - setting.choices.begin();
  if (found != setting.choices.end()) return "";
  return Cat("String must be one of: ",
             absl::StrJoin(setting.choices, ", ",
                           [](std::string* out, std::string_view choice) { out->append(choice); }));
}

Complaint CheckList(const TopicSetting& setting, std::string_view text, Value& value) {
  const std::vector<std::string> elements = SplitList(text);
  value.text = absl::StrJoin(elements, ",");
  if (setting.format == Format::kReplicas) return CheckReplicas(setting.key, elements);
  if (elements.empty()) return CheckChoice(setting, "", value.number);
  for (const std::string& element : elements) {
    if (auto complaint = CheckChoice(setting, element, value.number); !complaint.empty()) {
      return complaint;
    }
  }
  if (setting.format == Format::kDeleteOnly && value.text != "delete") {
    return "compaction is not supported yet; use delete";
  }
  return "";
}

Complaint Check(const TopicSetting& setting, std::string_view text, int64_t unit, Value& value) {
  value.text = std::string(text);
  switch (setting.type) {
    case ConfigType::kBoolean:
      value.text = absl::AsciiStrToLower(base::ToAbsl(text));
      value.number = value.text == "true" ? 1 : 0;
      if (value.text == "true" || value.text == "false") return "";
      return "Expected value to be either true or false";
    case ConfigType::kInt:
    case ConfigType::kLong:
      return CheckNumber(setting, text, unit, value);
    case ConfigType::kDouble:
      return CheckRatio(text);
    case ConfigType::kList:
      return CheckList(setting, text, value);
    case ConfigType::kString:
      if (setting.format == Format::kVersion) return CheckVersion(text);
      return CheckChoice(setting, text, value.number);
  }
  return "";
}

// `name` is the setting's key, or one of its synonyms'.
absl::StatusOr<Value> Parse(const TopicSetting& setting, std::string_view name,
                            std::string_view text, int64_t unit = 1) {
  Value value;
  const Complaint complaint = Check(setting, Trim(text), unit, value);
  if (complaint.empty()) return value;
  return absl::InvalidArgumentError(
      base::ToAbsl(Cat("Invalid value ", text, " for configuration ", name, ": ", complaint)));
}

void Assign(const TopicSetting& setting, int64_t number, TopicConfig& config) {
  struct Setter {
    int64_t number;
    TopicConfig& config;
    void operator()(std::monostate) const {}
    void operator()(int32_t TopicConfig::*field) const {
      config.*field = static_cast<int32_t>(number);
    }
    void operator()(int64_t TopicConfig::*field) const { config.*field = number; }
    void operator()(bool TopicConfig::*field) const { config.*field = number != 0; }
    void operator()(TimestampType TopicConfig::*field) const {
      config.*field = static_cast<TimestampType>(number);
    }
    void operator()(CompressionType TopicConfig::*field) const {
      config.*field = kCompressionValues[number];
    }
  };
  std::visit(Setter{number, config}, setting.field);
}

// --- Where a value comes from -------------------------------------------------------------------

struct Found {
  ConfigSynonym synonym;
  Value value;
};

// What is set for a topic's setting, the one in force first; what is not valid is left out.
std::vector<Found> FindAll(const TopicSetting& setting, const ConfigMap& overrides,
                           const BrokerDefaults& defaults) {
  std::vector<Found> all;
  const auto add = [&](std::string_view key, const std::string& text, int64_t unit,
                       ConfigSource source) {
    auto value = Parse(setting, key, text, unit);
    if (value.ok()) all.push_back({{std::string(key), text, source}, *std::move(value)});
  };
  const auto look = [&](const ConfigMap& map, ConfigSource source) {
    for (const BrokerSetting& broker : setting.synonyms) {
      if (broker.key.empty()) break;
      const auto found = map.find(std::string(broker.key));
      if (found != map.end()) add(broker.key, found->second, broker.unit, source);
    }
  };
  const auto own = overrides.find(std::string(setting.key));
  if (own != overrides.end()) add(setting.key, own->second, 1, ConfigSource::kTopic);
  look(defaults.dynamic_broker, ConfigSource::kDynamicBroker);
  look(defaults.dynamic_default, ConfigSource::kDynamicDefaultBroker);
  look(defaults.static_broker, ConfigSource::kStaticBroker);
  for (const BrokerSetting& broker : setting.synonyms) {
    if (broker.default_value.empty()) continue;
    add(broker.key, std::string(broker.default_value), broker.unit, ConfigSource::kDefault);
  }
  return all;
}

std::vector<ConfigSynonym> Synonyms(const std::vector<Found>& all) {
  std::vector<ConfigSynonym> synonyms;
  for (const Found& found : all) synonyms.push_back(found.synonym);
  return synonyms;
}

// As Kafka tells them: the topic's own as it is in force, then the broker's, but none that is
// stronger than all of the first name ("log.retention.ms"): what only "log.retention.hours" says
// is left out.
std::vector<ConfigSynonym> TopicSynonyms(const TopicSetting& setting, const ConfigEntry& entry,
                                         const std::vector<Found>& all) {
  std::vector<ConfigSynonym> synonyms;
  auto brokers = all.begin();
  if (brokers != all.end() && brokers->synonym.source == ConfigSource::kTopic) {
    synonyms.push_back({entry.name, *entry.value, ConfigSource::kTopic});
    ++brokers;
  }
  brokers = std::find_if(brokers, all.end(), [&](const Found& found) {
    return found.synonym.name == setting.synonyms.front().key;
  });
  for (; brokers != all.end(); ++brokers) synonyms.push_back(brokers->synonym);
  return synonyms;
}

// As Kafka prints a set of names.
std::string SetOf(const std::vector<std::string>& names) {
  return Cat("Set(", absl::StrJoin(names, ", "), ")");
}

}  // namespace

std::span<const TopicSetting> TopicSettings() { return kSettings; }

const TopicSetting* FindTopicSetting(std::string_view key) {
  const auto found = std::lower_bound(
      std::begin(kSettings), std::end(kSettings), key,
      [](const TopicSetting& setting, std::string_view k) { return setting.key < k; });
  return found != std::end(kSettings) && found->key == key ? found : nullptr;
}

BrokerSettingRow FindBrokerSetting(std::string_view key) {
  if (key.empty()) return {};
  for (const TopicSetting& setting : kSettings) {
    for (const BrokerSetting& broker : setting.synonyms) {
      if (broker.key == key) return {&setting, &broker};
    }
  }
  return {};
}

absl::Status ValidateTopicConfig(const ConfigMap& config) {
  for (const auto& [key, text] : config) {
    const TopicSetting* const setting = FindTopicSetting(key);
    if (setting == nullptr) {
      return absl::InvalidArgumentError(base::ToAbsl(Cat("Unknown topic config name: ", key)));
    }
    KL_RETURN_IF_ERROR(Parse(*setting, key, text).status());
  }
  return absl::OkStatus();
}

absl::Status ValidateBrokerConfig(const ConfigMap& config, bool dynamic) {
  std::vector<std::string> fixed;
  for (const auto& [key, text] : config) {
    const BrokerSettingRow row = FindBrokerSetting(key);
    if (row.broker == nullptr) {
      return absl::InvalidArgumentError(base::ToAbsl(Cat("Unknown broker config name: ", key)));
    }
    if (dynamic && !row.broker->dynamic) fixed.push_back(key);
    KL_RETURN_IF_ERROR(Parse(*row.topic, key, text, row.broker->unit).status());
  }
  if (fixed.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::ToAbsl(Cat("Cannot update these configs dynamically: ", SetOf(fixed))));
}

TopicConfig DefaultTopicConfig(const BrokerDefaults& defaults) {
  TopicConfig config;
  for (const TopicSetting& setting : kSettings) {
    const std::vector<Found> all = FindAll(setting, {}, defaults);
    if (!all.empty()) Assign(setting, all.front().value.number, config);
  }
  return config;
}

TopicConfig WithOverrides(TopicConfig defaults, const ConfigMap& overrides) {
  for (const auto& [key, text] : overrides) {
    const TopicSetting* const setting = FindTopicSetting(key);
    if (setting == nullptr) continue;
    const auto value = Parse(*setting, key, text);
    if (value.ok()) Assign(*setting, value->number, defaults);
  }
  return defaults;
}

// --- Description --------------------------------------------------------------------------------

std::string_view ToString(ConfigSource source) {
  switch (source) {
    case ConfigSource::kTopic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::kDynamicBroker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::kDynamicDefaultBroker:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::kStaticBroker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::kDefault:
      return "DEFAULT_CONFIG";
    case ConfigSource::kUnknown:
      break;
  }
  return "UNKNOWN";
}

std::vector<ConfigEntry> DescribeTopic(const ConfigMap& overrides, const BrokerDefaults& defaults) {
  std::vector<ConfigEntry> entries;
  for (const TopicSetting& setting : kSettings) {
    const std::vector<Found> all = FindAll(setting, overrides, defaults);
    ConfigEntry& entry = entries.emplace_back();
    entry.name = std::string(setting.key);
    entry.type = setting.type;
    entry.documentation = std::string(setting.documentation);
    entry.source = all.empty() ? ConfigSource::kDefault : all.front().synonym.source;
    if (all.empty()) {
      entry.value = std::string(setting.default_value);
    } else {
      const Found& first = all.front();
      const bool number = setting.type == ConfigType::kInt || setting.type == ConfigType::kLong;
      entry.value = number ? std::to_string(first.value.number) : first.value.text;
    }
    entry.synonyms = TopicSynonyms(setting, entry, all);
  }
  return entries;
}

std::vector<ConfigEntry> DescribeBroker(const BrokerDefaults& defaults) {
  std::vector<ConfigEntry> entries;
  for (const TopicSetting& setting : kSettings) {
    const std::vector<Found> all = FindAll(setting, {}, defaults);
    for (const BrokerSetting& broker : setting.synonyms) {
      if (broker.key.empty()) break;
      ConfigEntry& entry = entries.emplace_back();
      entry.name = std::string(broker.key);
      entry.type = setting.type;
      entry.documentation = std::string(setting.documentation);
      entry.read_only = !broker.dynamic;
      entry.source = ConfigSource::kDefault;
      // As Kafka: what is stronger under another name is left out.
      const auto own = std::find_if(all.begin(), all.end(), [&](const Found& found) {
        return found.synonym.name == broker.key;
      });
      if (own == all.end()) continue;
      entry.value = own->value.text;
      entry.source = own->synonym.source;
      entry.synonyms = Synonyms({own, all.end()});
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const ConfigEntry& a, const ConfigEntry& b) { return a.name < b.name; });
  return entries;
}

std::vector<ConfigEntry> DescribeBrokerDefault(const BrokerDefaults& defaults) {
  std::vector<ConfigEntry> entries = DescribeBroker(
      {.dynamic_broker = {}, .dynamic_default = defaults.dynamic_default, .static_broker = {}});
  std::erase_if(entries, [&](const ConfigEntry& entry) {
    return !defaults.dynamic_default.contains(entry.name);
  });
  for (ConfigEntry& entry : entries) {
    std::erase_if(entry.synonyms, [](const ConfigSynonym& synonym) {
      return synonym.source != ConfigSource::kDynamicDefaultBroker;
    });
  }
  return entries;
}

// --- Changes ------------------------------------------------------------------------------------

namespace {

// The list with `change` applied to it.
absl::StatusOr<std::string> ChangeList(const TopicSetting* setting, const ConfigMap& config,
                                       const ConfigChange& change) {
  const bool append = change.operation == AlterOperation::kAppend;
  if (setting == nullptr || setting->type != ConfigType::kList) {
    return absl::InvalidArgumentError(
        base::ToAbsl(Cat("Config value ", append ? "append" : "subtract",
                         " is not allowed for config key: ", change.key)));
  }
  const auto old = config.find(change.key);
  std::vector<std::string> elements =
      SplitList(old != config.end() ? std::string_view(old->second) : setting->default_value);
  for (const std::string& element : SplitList(change.value)) {
    const bool there = std::find(elements.begin(), elements.end(), element) != elements.end();
    if (append && !there) elements.push_back(element);
    if (!append) std::erase(elements, element);
  }
  return absl::StrJoin(elements, ",");
}

}  // namespace

absl::StatusOr<ConfigMap> ApplyChanges(ConfigMap config, std::span<const ConfigChange> changes,
                                       bool is_topic) {
  std::set<std::string_view> seen;
  for (const ConfigChange& change : changes) {
    if (!seen.insert(change.key).second) {
      return absl::InvalidArgumentError(
          base::ToAbsl(Cat("Error due to duplicate config keys : ", change.key)));
    }
    const TopicSetting* const setting =
        is_topic ? FindTopicSetting(change.key) : FindBrokerSetting(change.key).topic;
    if (setting == nullptr) {
      return absl::InvalidArgumentError(base::ToAbsl(
          Cat("Unknown ", is_topic ? "topic" : "broker", " config name: ", change.key)));
    }
    switch (change.operation) {
      case AlterOperation::kSet:
        config[change.key] = change.value;
        break;
      case AlterOperation::kDelete:
        config.erase(change.key);
        break;
      case AlterOperation::kAppend:
      case AlterOperation::kSubtract: {
        KL_ASSIGN_OR_RETURN(config[change.key], ChangeList(setting, config, change));
        break;
      }
    }
  }
  return config;
}

}  // namespace kafkalite::model
