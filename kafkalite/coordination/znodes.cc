#include "kafkalite/coordination/znodes.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "nlohmann/json.hpp"

namespace kafkalite::coordination {

namespace paths {

const std::vector<std::string>& Persistent() {
  static const auto* const all = new std::vector<std::string>{
      "/consumers",   kBrokers,      kBrokerIds,        kTopics,         kBrokerSequence,
      "/config",      kTopicConfigs, "/config/clients", "/config/users", kBrokerConfigs,
      kConfigChanges, "/admin",      kDeleteTopics,     kIsrChanges,     kLogDirEvents,
      kCluster,       "/kafkalite",  kIncarnations};
  return *all;
}

std::string Broker(model::BrokerId broker) { return base::Cat(kBrokerIds, "/", broker.value()); }
std::string Topic(std::string_view topic) { return base::Cat(kTopics, "/", topic); }
std::string Partitions(std::string_view topic) {
  return base::Cat(kTopics, "/", topic, "/partitions");
}
std::string Partition(const model::TopicPartition& partition) {
  return base::Cat(Partitions(partition.topic), "/", partition.partition.value());
}
std::string PartitionState(const model::TopicPartition& partition) {
  return base::Cat(Partition(partition), "/state");
}
std::string TopicConfig(std::string_view topic) { return base::Cat(kTopicConfigs, "/", topic); }
std::string BrokerConfig(std::string_view broker) { return base::Cat(kBrokerConfigs, "/", broker); }
std::string DeleteTopic(std::string_view topic) { return base::Cat(kDeleteTopics, "/", topic); }
std::string Incarnation(model::BrokerId broker) {
  return base::Cat(kIncarnations, "/", broker.value());
}

}  // namespace paths

namespace {

using Json = nlohmann::json;

// --- writing: by hand, because the library's ordered objects are slow for many keys

// Writes one line of JSON, members in the order of the calls.
class Writer {
 public:
  Writer& Open(char bracket) { return Punctuate(bracket, /*fresh=*/true); }
  Writer& Close(char bracket) { return Punctuate(bracket, /*fresh=*/false); }
  Writer& Key(std::string_view key) {
    Text(key);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  Writer& Number(int64_t number) {
    Separate();
    text_ += base::Cat(number);
    return *this;
  }
  Writer& Text(std::string_view text) {
    Separate();
    text_ += '"';
    AppendEscaped(text);
    text_ += '"';
    return *this;
  }
  // Numbers that Kafka writes as strings.
  Writer& NumberText(int64_t number) { return Text(base::Cat(number)); }
  Writer& Numbers(const std::vector<model::BrokerId>& brokers) {
    Open('[');
    for (const model::BrokerId broker : brokers) Number(broker.value());
    return Close(']');
  }
  Writer& Texts(const std::map<std::string, std::string>& texts) {
    Open('{');
    for (const auto& [key, value] : texts) Key(key).Text(value);
    return Close('}');
  }
  std::string Take() { return std::move(text_); }

 private:
  Writer& Punctuate(char bracket, bool fresh) {
    if (fresh) Separate();
    text_ += bracket;
    fresh_ = fresh;
    return *this;
  }
  void Separate() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }
  void AppendEscaped(std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
        // Seldom, so leave it to the library; what is not UTF-8 is replaced.
        const std::string quoted =
            Json(std::string(text))
                .dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
        text_.append(quoted, 1, quoted.size() - 2);
        return;
      }
    }
    text_ += text;
  }

  std::string text_;
  bool fresh_ = true;  // no comma before what comes next
};

// --- reading

std::string Shown(const Json& value) {
  constexpr size_t kLimit = 60;
  // Printing recurses, and data may be nested without limit.
  const auto nested = [](const Json& child) { return child.is_structured(); };
  if (value.size() > kLimit || std::any_of(value.begin(), value.end(), nested)) {
    return base::Cat("an ", value.type_name(), " of ", value.size());
  }
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  if (text.size() > kLimit) text = text.substr(0, kLimit) + "...";
  return text;
}

// Reads fields of one JSON object. `where` names it in errors: the path, then the outer field.
class Reader {
 public:
  Reader(std::string where, const Json& object) : where_(std::move(where)), object_(object) {}

  absl::Status Wrong(std::string_view field, std::string_view wanted) const {
    const auto found = object_.find(std::string(field));
    if (found == object_.end()) {
      return absl::InvalidArgumentError(base::Cat(where_, ": field '", field, "' is missing"));
    }
    return absl::InvalidArgumentError(
        base::Cat(where_, ": field '", field, "' should be ", wanted, ", but is ", Shown(*found)));
  }

  bool Has(const char* field) const { return object_.contains(field); }

  // Null unless the field is there and has that type.
  const Json* Find(const char* field, Json::value_t type) const {
    const auto found = object_.find(field);
    return found == object_.end() || found->type() != type ? nullptr : &*found;
  }

  absl::StatusOr<int64_t> Number(const char* field, int64_t low, int64_t high) const {
    const auto found = object_.find(field);
    int64_t number = 0;
    if (found == object_.end() || !IntegerOf(*found, &number) || number < low || number > high) {
      return Wrong(field, base::Cat("a number in [", low, ", ", high, "]"));
    }
    return number;
  }
  absl::StatusOr<int32_t> Int32(const char* field, int32_t low) const {
    KL_ASSIGN_OR_RETURN(const int64_t number,
                        Number(field, low, std::numeric_limits<int32_t>::max()));
    return static_cast<int32_t>(number);
  }
  absl::StatusOr<std::string> Text(const char* field) const {
    const Json* const text = Find(field, Json::value_t::string);
    if (text == nullptr) return Wrong(field, "a string");
    return text->get_ref<const std::string&>();
  }
  // Which version it is, so that what a later Kafka changed beyond recognition is refused.
  absl::StatusOr<int32_t> Version(int32_t low, int32_t high) const {
    KL_ASSIGN_OR_RETURN(const int64_t version, Number("version", low, high));
    return static_cast<int32_t>(version);
  }
  absl::StatusOr<std::vector<model::BrokerId>> Brokers(const char* field) const {
    const Json* const list = Find(field, Json::value_t::array);
    if (list == nullptr) return Wrong(field, "a list of broker ids");
    std::vector<model::BrokerId> brokers;
    brokers.reserve(list->size());
    for (const Json& element : *list) {
      int64_t id = 0;
      if (!element.is_number() || !IntegerOf(element, &id) || id < 0 ||
          id > std::numeric_limits<int32_t>::max()) {
        return Wrong(field, "a list of broker ids");
      }
      brokers.emplace_back(static_cast<int32_t>(id));
    }
    return brokers;
  }
  absl::StatusOr<std::map<std::string, std::string>> Texts(const char* field) const {
    const Json* const object = Find(field, Json::value_t::object);
    if (object == nullptr) return Wrong(field, "an object of strings");
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : object->items()) {
      const auto* const text = value.get_ptr<const std::string*>();
      if (text == nullptr) return Wrong(field, "an object of strings");
      texts.emplace(key, *text);
    }
    return texts;
  }
  absl::StatusOr<model::TopicPartition> TopicPartition() const {
    KL_ASSIGN_OR_RETURN(std::string topic, Text("topic"));
    KL_ASSIGN_OR_RETURN(const int32_t partition, Int32("partition", 0));
    return model::TopicPartition{std::move(topic), model::PartitionId(partition)};
  }
  // Calls `read(Reader)` for each object of the list.
  template <class Read>
  absl::Status ForEach(const char* field, Read read) const {
    const Json* const list = Find(field, Json::value_t::array);
    if (list == nullptr) return Wrong(field, "a list of objects");
    for (size_t i = 0; i < list->size(); ++i) {
      if (!(*list)[i].is_object()) return Wrong(field, "a list of objects");
      KL_RETURN_IF_ERROR(read(Reader(base::Cat(where_, ": ", field, "[", i, "]"), (*list)[i])));
    }
    return absl::OkStatus();
  }

  // Parses text as a whole number. Nothing may surround it.
  static bool IntegerIn(std::string_view text, int64_t* number, int base = 10) {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), *number, base);
    return error == std::errc() && end == text.data() + text.size();
  }

 private:
  // Kafka writes some numbers as strings, and not always the same ones: both are read.
  static bool IntegerOf(const Json& value, int64_t* number) {
    if (const auto* const text = value.get_ptr<const std::string*>()) {
      return IntegerIn(*text, number);
    }
    if (value.is_number_unsigned()) {
      const auto large = value.get<uint64_t>();
      *number = static_cast<int64_t>(large);
      return large <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    }
    if (!value.is_number_integer()) return false;
    *number = value.get<int64_t>();
    return true;
  }

  const std::string where_;
  const Json& object_;
};

absl::StatusOr<Json> ParseObject(std::string_view path, std::string_view data) {
  Json json = Json::parse(data, /*callback=*/nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  return absl::InvalidArgumentError(
      base::Cat(path, ": not a JSON object: ", Shown(Json(std::string(data.substr(0, 60))))));
}

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

}  // namespace

// --- /brokers/ids/N

std::string BrokerRegistration::Format() const {
  Writer json;
  json.Open('{').Key("listener_security_protocol_map").Texts(security_protocols);
  json.Key("endpoints").Open('[');
  for (const std::string& endpoint : endpoints) json.Text(endpoint);
  json.Close(']').Key("jmx_port").Number(jmx_port);
  if (rack.has_value()) json.Key("rack").Text(*rack);
  json.Key("host").Text(host).Key("timestamp").NumberText(timestamp_ms);
  json.Key("port").Number(port).Key("version").Number(4);
  if (incarnation.value() != 0) json.Key("incarnation").Number(incarnation.value());
  if (!replication_address.empty()) json.Key("replication_address").Text(replication_address);
  return json.Close('}').Take();
}

absl::StatusOr<BrokerRegistration> BrokerRegistration::Parse(std::string_view path,
                                                             std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  // 5 is 2.7's, with features besides.
  KL_ASSIGN_OR_RETURN(const int32_t version, json.Version(1, 5));
  BrokerRegistration result;
  if (json.Has("host")) {
    KL_ASSIGN_OR_RETURN(result.host, json.Text("host"));
  }
  KL_ASSIGN_OR_RETURN(result.port, json.Int32("port", -1));
  if (version == 1) {
    result.endpoints.push_back(base::Cat("PLAINTEXT://", result.host, ":", result.port));
  } else {
    const Json* const endpoints = json.Find("endpoints", Json::value_t::array);
    if (endpoints == nullptr) return json.Wrong("endpoints", "a list of strings");
    for (const Json& endpoint : *endpoints) {
      const auto* const text = endpoint.get_ptr<const std::string*>();
      if (text == nullptr) return json.Wrong("endpoints", "a list of strings");
      result.endpoints.push_back(*text);
    }
  }
  if (json.Has("listener_security_protocol_map")) {
    KL_ASSIGN_OR_RETURN(result.security_protocols, json.Texts("listener_security_protocol_map"));
  }
  if (json.Has("jmx_port")) {
    KL_ASSIGN_OR_RETURN(result.jmx_port, json.Int32("jmx_port", -1));
  }
  if (json.Has("timestamp")) {
    KL_ASSIGN_OR_RETURN(result.timestamp_ms, json.Number("timestamp", -1, kMaxInt64));
  }
  if (json.Has("rack") && !json.Find("rack", Json::value_t::null)) {
    KL_ASSIGN_OR_RETURN(result.rack, json.Text("rack"));
  }
  if (json.Has("incarnation")) {
    KL_ASSIGN_OR_RETURN(const int64_t number, json.Number("incarnation", 0, kMaxInt64));
    result.incarnation = model::Incarnation(number);
  }
  if (json.Has("replication_address")) {
    KL_ASSIGN_OR_RETURN(result.replication_address, json.Text("replication_address"));
  }
  return result;
}

// --- /brokers/topics/T

std::string TopicAssignment::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("partitions").Open('{');
  for (const auto& [partition, brokers] : replicas) {
    json.Key(base::Cat(partition.value())).Numbers(brokers);
  }
  return json.Close('}').Close('}').Take();
}

absl::StatusOr<TopicAssignment> TopicAssignment::Parse(std::string_view path,
                                                       std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  // 2 and 3 add fields on reassignments and the topic's id.
  KL_RETURN_IF_ERROR(json.Version(1, 3).status());
  const Json* const partitions = json.Find("partitions", Json::value_t::object);
  if (partitions == nullptr) return json.Wrong("partitions", "an object");
  const Reader lists(base::Cat(path, ": partitions"), *partitions);
  TopicAssignment result;
  for (const auto& [key, value] : partitions->items()) {
    int64_t number = 0;
    if (!Reader::IntegerIn(key, &number) || number < 0 ||
        number > std::numeric_limits<int32_t>::max()) {
      return lists.Wrong(key, "named by a partition number");
    }
    KL_ASSIGN_OR_RETURN(result.replicas[model::PartitionId(static_cast<int32_t>(number))],
                        lists.Brokers(key.c_str()));
  }
  return result;
}

// --- /brokers/topics/T/partitions/P/state

std::string PartitionState::Format() const {
  Writer json;
  json.Open('{').Key("controller_epoch").Number(controller_epoch.value());
  json.Key("leader").Number(leader.value()).Key("version").Number(1);
  json.Key("leader_epoch").Number(leader_epoch.value()).Key("isr").Numbers(isr);
  if (!log_ids.empty()) {
    json.Key("log_ids").Open('{');
    for (const auto& [broker, log] : log_ids) {
      json.Key(base::Cat(broker.value())).Text(absl::StrFormat("%016x", log.value()));
    }
    json.Close('}');
  }
  if (leader_incarnation != model::Incarnation()) {
    json.Key("leader_incarnation").Number(leader_incarnation.value());
  }
  return json.Close('}').Take();
}

absl::StatusOr<PartitionState> PartitionState::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  PartitionState result;
  KL_ASSIGN_OR_RETURN(const int32_t controller_epoch, json.Int32("controller_epoch", 0));
  KL_ASSIGN_OR_RETURN(const int32_t leader, json.Int32("leader", -1));
  KL_ASSIGN_OR_RETURN(const int32_t leader_epoch, json.Int32("leader_epoch", 0));
  KL_ASSIGN_OR_RETURN(result.isr, json.Brokers("isr"));
  result.controller_epoch = model::ControllerEpoch(controller_epoch);
  result.leader = model::BrokerId(leader);
  result.leader_epoch = model::LeaderEpoch(leader_epoch);
  if (json.Has("leader_incarnation")) {
    KL_ASSIGN_OR_RETURN(const int64_t incarnation, json.Number("leader_incarnation", 0, kMaxInt64));
    result.leader_incarnation = model::Incarnation(incarnation);
  }
  if (!json.Has("log_ids")) return result;
  KL_ASSIGN_OR_RETURN(const auto log_ids, json.Texts("log_ids"));
  for (const auto& [broker, log] : log_ids) {
    int64_t id = 0;
    uint64_t number = 0;
    const char* const log_end = log.data() + log.size();
    const auto [end, error] = std::from_chars(log.data(), log_end, number, 16);
    if (!Reader::IntegerIn(broker, &id) || id < 0 || id > std::numeric_limits<int32_t>::max() ||
        log.size() != 16 || error != std::errc() || end != log_end) {
      return json.Wrong("log_ids", "an object of 16 hex digits by broker id");
    }
    result.log_ids.emplace(static_cast<int32_t>(id), number);
  }
  return result;
}

// --- /controller

std::string ControllerRegistration::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("brokerid").Number(broker.value());
  return json.Key("timestamp").NumberText(timestamp_ms).Close('}').Take();
}

absl::StatusOr<ControllerRegistration> ControllerRegistration::Parse(std::string_view path,
                                                                     std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  // 2 is 3.4's, during a migration.
  KL_RETURN_IF_ERROR(json.Version(1, 2).status());
  ControllerRegistration result;
  KL_ASSIGN_OR_RETURN(const int32_t broker, json.Int32("brokerid", 0));
  result.broker = model::BrokerId(broker);
  if (json.Has("timestamp")) {
    KL_ASSIGN_OR_RETURN(result.timestamp_ms, json.Number("timestamp", -1, kMaxInt64));
  }
  return result;
}

std::string FormatControllerEpoch(model::ControllerEpoch epoch) { return base::Cat(epoch.value()); }

absl::StatusOr<model::ControllerEpoch> ParseControllerEpoch(std::string_view path,
                                                            std::string_view data) {
  int64_t number = 0;
  if (!Reader::IntegerIn(data, &number) || number < 0 ||
      number > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(base::Cat(path, ": should be a controller epoch, but is ",
                                                Shown(Json(std::string(data.substr(0, 60))))));
  }
  return model::ControllerEpoch(static_cast<int32_t>(number));
}

// --- /config

std::string ConfigNode::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("config").Texts(config);
  return json.Close('}').Take();
}

absl::StatusOr<ConfigNode> ConfigNode::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  ConfigNode result;
  KL_ASSIGN_OR_RETURN(result.config, json.Texts("config"));
  return result;
}

std::string ConfigChange::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(2).Key("entity_path").Text(entity_path);
  return json.Close('}').Take();
}

absl::StatusOr<ConfigChange> ConfigChange::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_ASSIGN_OR_RETURN(const int32_t version, json.Version(1, 2));
  ConfigChange result;
  if (version == 2) {
    KL_ASSIGN_OR_RETURN(result.entity_path, json.Text("entity_path"));
  } else {
    KL_ASSIGN_OR_RETURN(const std::string type, json.Text("entity_type"));
    KL_ASSIGN_OR_RETURN(const std::string name, json.Text("entity_name"));
    result.entity_path = base::Cat(type, "/", name);
  }
  return result;
}

// --- sets of partitions

std::string PartitionSet::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("partitions").Open('[');
  for (const model::TopicPartition& partition : partitions) {
    json.Open('{').Key("topic").Text(partition.topic);
    json.Key("partition").Number(partition.partition.value()).Close('}');
  }
  return json.Close(']').Close('}').Take();
}

absl::StatusOr<PartitionSet> PartitionSet::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  PartitionSet result;
  KL_RETURN_IF_ERROR(json.ForEach("partitions", [&](const Reader& element) -> absl::Status {
    KL_ASSIGN_OR_RETURN(model::TopicPartition partition, element.TopicPartition());
    result.partitions.push_back(std::move(partition));
    return absl::OkStatus();
  }));
  return result;
}

std::string Reassignment::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("partitions").Open('[');
  for (const Partition& moved : partitions) {
    json.Open('{').Key("topic").Text(moved.partition.topic);
    json.Key("partition").Number(moved.partition.partition.value());
    json.Key("replicas").Numbers(moved.replicas).Close('}');
  }
  return json.Close(']').Close('}').Take();
}

absl::StatusOr<Reassignment> Reassignment::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  Reassignment result;
  KL_RETURN_IF_ERROR(json.ForEach("partitions", [&](const Reader& element) -> absl::Status {
    Partition moved;
    KL_ASSIGN_OR_RETURN(moved.partition, element.TopicPartition());
    KL_ASSIGN_OR_RETURN(moved.replicas, element.Brokers("replicas"));
    result.partitions.push_back(std::move(moved));
    return absl::OkStatus();
  }));
  return result;
}

// --- /log_dir_event_notification

std::string LogDirEvent::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("broker").Number(broker.value());
  return json.Key("event").Number(1).Close('}').Take();
}

absl::StatusOr<LogDirEvent> LogDirEvent::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  KL_ASSIGN_OR_RETURN(const int32_t broker, json.Int32("broker", 0));
  return LogDirEvent{model::BrokerId(broker)};
}

// --- /latest_producer_id_block

std::string ProducerIdBlock::Format() const {
  Writer json;
  json.Open('{').Key("version").Number(1).Key("broker").Number(broker.value());
  json.Key("block_start").NumberText(first.value());
  return json.Key("block_end").NumberText(last.value()).Close('}').Take();
}

absl::StatusOr<ProducerIdBlock> ProducerIdBlock::Parse(std::string_view path,
                                                       std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  KL_ASSIGN_OR_RETURN(const int32_t broker, json.Int32("broker", 0));
  KL_ASSIGN_OR_RETURN(const int64_t first, json.Number("block_start", 0, kMaxInt64));
  KL_ASSIGN_OR_RETURN(const int64_t last, json.Number("block_end", first, kMaxInt64));
  return ProducerIdBlock{model::BrokerId(broker), model::ProducerId(first),
                         model::ProducerId(last)};
}

// --- /cluster/id

std::string ClusterId::Format() const {
  Writer json;
  json.Open('{').Key("version").Text("1").Key("id").Text(id);
  return json.Close('}').Take();
}

absl::StatusOr<ClusterId> ClusterId::Parse(std::string_view path, std::string_view data) {
  KL_ASSIGN_OR_RETURN(const Json object, ParseObject(path, data));
  const Reader json(std::string(path), object);
  KL_RETURN_IF_ERROR(json.Version(1, 1).status());
  ClusterId result;
  KL_ASSIGN_OR_RETURN(result.id, json.Text("id"));
  return result;
}

}  // namespace kafkalite::coordination
