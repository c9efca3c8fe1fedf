#include "kafkalite/model/config_tables.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "kafkalite/base/strings.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite::model {

using base::Cat;

namespace {

std::string Code(std::string_view text) { return text.empty() ? "none" : Cat("`", text, "`"); }

std::string TypeOf(const TopicSetting& setting) {
  switch (setting.type) {
    case ConfigType::kBoolean:
      return "boolean";
    case ConfigType::kString:
      return "string";
    case ConfigType::kInt:
      return "int";
    case ConfigType::kLong:
      return "long";
    case ConfigType::kDouble:
      return "double";
    case ConfigType::kList:
      return "list";
  }
  return "";
}

std::string ValuesOf(const TopicSetting& setting) {
  using Format = TopicSetting::Format;
  if (setting.format == Format::kRatio) return "double, 0 to 1";
  if (setting.format == Format::kVersion) return "a release, as `2.0`";
  if (setting.format == Format::kReplicas) return "list of `partition:broker`, or `*`";
  if (setting.format == Format::kDeleteOnly) return "`delete` (not yet: `compact`)";
  if (setting.least != std::numeric_limits<int64_t>::min()) {
    return Cat(TypeOf(setting), ", from ", setting.least);
  }
  std::string choices;
  for (const std::string_view choice : setting.choices) {
    choices += Cat(choices.empty() ? "" : ", ", Code(choice));
  }
  return choices.empty() ? TypeOf(setting) : choices;
}

std::string_view InForceOf(const TopicSetting& setting) {
  switch (setting.in_force) {
    case TopicSetting::InForce::kNotYet:
      return "no effect yet";
    case TopicSetting::InForce::kNextRecord:
      return "next record";
    case TopicSetting::InForce::kAtOnce:
      return "at once";
  }
  return "";
}

std::string Line(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += Cat(" ", cell, " |");
  return line + "\n";
}

}  // namespace

std::string TopicSettingsTable() {
  std::string table = Line({"key", "default", "values", "a change counts from", "meaning"});
  table += "|---|---|---|---|---|\n";
  for (const TopicSetting& setting : TopicSettings()) {
    table += Line({Code(setting.key), Code(setting.default_value), ValuesOf(setting),
                   std::string(InForceOf(setting)), std::string(setting.documentation)});
  }
  return table;
}

std::string BrokerSettingsTable() {
  struct Row {
    std::string_view key;
    std::string line;
  };
  std::vector<Row> rows;
  for (const TopicSetting& setting : TopicSettings()) {
    for (const BrokerSetting& broker : setting.synonyms) {
      if (broker.key.empty()) break;
      rows.push_back({broker.key, Line({Code(broker.key), Code(broker.default_value),
                                        broker.dynamic ? "yes" : "no", Code(setting.key)})});
    }
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  std::string table = Line({"key", "default", "while it runs", "default of the topics'"});
  table += "|---|---|---|---|\n";
  for (const Row& row : rows) table += row.line;
  return table;
}

}  // namespace kafkalite::model
