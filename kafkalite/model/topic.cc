#include "kafkalite/model/topic.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::model {
namespace {

bool IsLegal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

absl::Status BadValue(std::string_view key, std::string_view value, std::string_view reason) {
  return absl::InvalidArgumentError(
      base::Cat("Invalid value ", value, " for configuration ", key, ": ", reason));
}

template <class T>
absl::Status ParseNumber(std::string_view key, std::string_view value, T least, T& out) {
  T number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return BadValue(key, value, base::Cat("Not a number of ", sizeof(T) * 8, " bits"));
  }
  if (number < least) return BadValue(key, value, base::Cat("Value must be at least ", least));
  out = number;
  return absl::OkStatus();
}

absl::Status ParseBool(std::string_view key, std::string_view value, bool& out) {
  if (value != "true" && value != "false") {
    return BadValue(key, value, "Expected value to be either true or false");
  }
  out = value == "true";
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTopicName(std::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError("Topic name is illegal, it can't be empty");
  }
  if (name == "." || name == "..") {
    return absl::InvalidArgumentError("Topic name cannot be \".\" or \"..\"");
  }
  if (name.size() > kMaxTopicNameLength) {
    return absl::InvalidArgumentError(base::Cat("Topic name is illegal, it can't be longer than ",
                                                kMaxTopicNameLength,
                                                " characters, topic name: ", name));
  }
  if (!std::all_of(name.begin(), name.end(), IsLegal)) {
    return absl::InvalidArgumentError(
        base::Cat("Topic name \"", name,
                  "\" is illegal, it contains a character other than ASCII alphanumerics, "
                  "'.', '_' and '-'"));
  }
  return absl::OkStatus();
}

bool TopicNamesCollide(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return (x == '.' ? '_' : x) == (y == '.' ? '_' : y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

absl::StatusOr<TopicConfig> ParseTopicConfig(const ConfigMap& overrides) {
  TopicConfig config;
  for (const auto& [key, value] : overrides) {
    if (key == "min.insync.replicas") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, 1, config.min_insync_replicas));
    } else if (key == "retention.ms") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{-1}, config.retention_ms));
    } else if (key == "retention.bytes") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{-1}, config.retention_bytes));
    } else if (key == "max.message.bytes") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, 0, config.max_message_bytes));
    } else if (key == "unclean.leader.election.enable") {
      KL_RETURN_IF_ERROR(ParseBool(key, value, config.unclean_leader_election));
    } else if (key == "segment.bytes") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, 14, config.segment_bytes));
    } else if (key == "segment.ms") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{1}, config.segment_ms));
    } else if (key == "segment.jitter.ms") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{0}, config.segment_jitter_ms));
    } else if (key == "segment.index.bytes") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, 0, config.segment_index_bytes));
    } else if (key == "index.interval.bytes") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, 0, config.index_interval_bytes));
    } else if (key == "file.delete.delay.ms") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{0}, config.file_delete_delay_ms));
    } else if (key == "flush.messages") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{0}, config.flush_messages));
    } else if (key == "flush.ms") {
      KL_RETURN_IF_ERROR(ParseNumber(key, value, int64_t{0}, config.flush_ms));
    } else {
      return absl::InvalidArgumentError(base::Cat("Unknown topic config name: ", key));
    }
  }
  return config;
}

}  // namespace kafkalite::model
