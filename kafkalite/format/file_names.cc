#include "kafkalite/format/file_names.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/format/text.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::format {
namespace {

constexpr size_t kOffsetDigits = 20;
constexpr size_t kMaxFolderNameBytes = 255;
constexpr std::string_view kDeleteEnding = "-delete";
constexpr std::string_view kFutureEnding = "-future";

constexpr std::array<std::pair<LogFileKind, std::string_view>, 5> kSuffixes = {{
    {LogFileKind::kLog, ".log"},
    {LogFileKind::kOffsetIndex, ".index"},
    {LogFileKind::kTimeIndex, ".timeindex"},
    {LogFileKind::kTransactionIndex, ".txnindex"},
    {LogFileKind::kProducerSnapshot, ".snapshot"},
}};

// "<topic>-<partition>", as ToString would have it and in no other way: two folders are not one
// log.
std::optional<model::TopicPartition> ParseTopicPartition(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto partition = ParseDecimal<int32_t>(name.substr(dash + 1));
  if (partition.value_or(-1) < 0) return std::nullopt;
  if (!model::ValidateTopicName(name.substr(0, dash)).ok()) return std::nullopt;
  model::TopicPartition tp{std::string(name.substr(0, dash)), model::PartitionId(*partition)};
  if (model::ToString(tp) != name) return std::nullopt;
  return tp;
}

// "<topic>-<partition>.<unique>", an ending already taken away.
std::optional<LogFolderName> ParseMovedFolder(std::string_view name, LogFolderName::State state) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  std::optional<model::TopicPartition> tp = ParseTopicPartition(name.substr(0, dot));
  if (!tp.has_value()) return std::nullopt;
  return LogFolderName{*std::move(tp), state};
}

}  // namespace

std::string ToString(const LogFileName& name) {
  assert(name.offset >= model::Offset(0));
  const std::string digits = base::Cat(name.offset.value());
  const auto* const suffix = std::find_if(kSuffixes.begin(), kSuffixes.end(),
                                          [&name](const auto& s) { return s.first == name.kind; });
  return base::Cat(std::string(kOffsetDigits - digits.size(), '0'), digits, suffix->second);
}

std::optional<LogFileName> ParseLogFileName(std::string_view name) {
  if (name.size() < kOffsetDigits) return std::nullopt;
  const std::string_view ending = name.substr(kOffsetDigits);
  const auto* const suffix = std::find_if(kSuffixes.begin(), kSuffixes.end(),
                                          [ending](const auto& s) { return s.second == ending; });
  if (suffix == kSuffixes.end() || name.front() == '-') return std::nullopt;
  const auto offset = ParseDecimal<int64_t>(name.substr(0, kOffsetDigits));
  if (!offset.has_value()) return std::nullopt;
  return LogFileName{model::Offset(*offset), suffix->first};
}

std::string DeletedFolderName(const model::TopicPartition& tp, std::string_view unique) {
  const std::string ending = base::Cat("-", tp.partition.value(), ".", unique, kDeleteEnding);
  assert(ending.size() < kMaxFolderNameBytes);
  return base::Cat(tp.topic.substr(0, kMaxFolderNameBytes - ending.size()), ending);
}

std::optional<LogFolderName> ParseLogFolderName(std::string_view name) {
  using State = LogFolderName::State;
  // A topic may be called "x-delete", but then the name ends in its partition.
  if (name.ends_with(kDeleteEnding)) {
    return ParseMovedFolder(name.substr(0, name.size() - kDeleteEnding.size()), State::kDeleted);
  }
  if (name.ends_with(kFutureEnding)) {
    return ParseMovedFolder(name.substr(0, name.size() - kFutureEnding.size()), State::kFuture);
  }
  std::optional<model::TopicPartition> tp = ParseTopicPartition(name);
  if (!tp.has_value()) return std::nullopt;
  return LogFolderName{*std::move(tp), State::kInUse};
}

}  // namespace kafkalite::format
