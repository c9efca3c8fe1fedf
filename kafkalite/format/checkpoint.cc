#include "kafkalite/format/checkpoint.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/text.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::format {
namespace {

constexpr std::string_view kSpace = " \t\v\f\r";

// The fields of a line, as Java's split("\\s+") has them: none is empty but one before a space that
// opens the line.
std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!line.empty()) {
    const size_t end = std::min(line.find_first_of(kSpace), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(std::min(line.find_first_not_of(kSpace, end), line.size()));
  }
  return fields;
}

// Takes a checkpoint apart, line by line.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : rest_(bytes) {}

  bool AtEnd() const { return rest_.empty(); }

  // The next line, without its end. Nothing that Kafka wrote lacks the last one: without it, a
  // number may have lost digits.
  absl::StatusOr<std::string_view> Next() {
    ++number_;
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) {
      return absl::DataLossError(base::ToAbsl(
          base::Cat("checkpoint: line ", number_, " is ", rest_.empty() ? "missing" : "cut off")));
    }
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.remove_suffix(1);  // Kafka on Windows
    return line_;
  }

  // Of the line that Next returned.
  absl::Status Wrong(std::string_view what) const {
    return absl::InvalidArgumentError(
        base::ToAbsl(base::Cat("checkpoint: line ", number_, " is ", Quoted(line_), ", ", what)));
  }

  // The version and the count that open every checkpoint.
  absl::StatusOr<uint32_t> ReadHead() {
    KL_ASSIGN_OR_RETURN(const std::string_view version, Next());
    if (version != "0") return Wrong("but the only version that there is, is 0");
    KL_ASSIGN_OR_RETURN(const std::string_view text, Next());
    const std::optional<uint32_t> count = ParseDecimal<uint32_t>(text);
    if (!count.has_value()) return Wrong("which is not a number of entries");
    return *count;
  }

 private:
  std::string_view rest_;
  std::string_view line_;
  int64_t number_ = 0;
};

// Calls `add` for every entry with its fields and the lines, for errors.
template <class Add>
absl::Status ParseEntries(std::string_view bytes, Add add) {
  if (bytes.empty()) return absl::OkStatus();
  Lines lines(bytes);
  KL_ASSIGN_OR_RETURN(const uint32_t count, lines.ReadHead());
  for (uint32_t i = 0; i < count; ++i) {
    KL_ASSIGN_OR_RETURN(const std::string_view line, lines.Next());
    KL_RETURN_IF_ERROR(add(Split(line), lines));
  }
  if (lines.AtEnd()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::ToAbsl(base::Cat("checkpoint: there is more after its ", count, " entries")));
}

}  // namespace

std::string EncodeOffsetCheckpoint(const OffsetCheckpoint& checkpoint) {
  std::string out = base::Cat("0\n", checkpoint.size(), "\n");
  for (const auto& [tp, offset] : checkpoint) {
    out += base::Cat(tp.topic, " ", tp.partition.value(), " ", offset.value(), "\n");
  }
  return out;
}

absl::StatusOr<OffsetCheckpoint> ParseOffsetCheckpoint(std::string_view bytes) {
  OffsetCheckpoint checkpoint;
  KL_RETURN_IF_ERROR(ParseEntries(
      bytes, [&checkpoint](const std::vector<std::string_view>& fields, const Lines& lines) {
        if (fields.size() != 3) return lines.Wrong("not topic, partition and offset");
        if (!model::ValidateTopicName(fields[0]).ok()) return lines.Wrong("with an illegal topic");
        const auto partition = ParseDecimal<int32_t>(fields[1]);
        if (partition.value_or(-1) < 0) return lines.Wrong("whose partition is not a number");
        const auto offset = ParseDecimal<int64_t>(fields[2]);
        if (offset.value_or(-1) < 0) return lines.Wrong("whose offset is not a number");
        model::TopicPartition tp{std::string(fields[0]), model::PartitionId(*partition)};
        if (!checkpoint.emplace(std::move(tp), *offset).second) {
          return lines.Wrong("a partition that was there before");
        }
        return absl::OkStatus();
      }));
  return checkpoint;
}

std::string EncodeEpochCheckpoint(std::span<const EpochStart> epochs) {
  std::string out = base::Cat("0\n", epochs.size(), "\n");
  for (const EpochStart& entry : epochs) {
    out += base::Cat(entry.epoch.value(), " ", entry.start_offset.value(), "\n");
  }
  return out;
}

absl::StatusOr<std::vector<EpochStart>> ParseEpochCheckpoint(std::string_view bytes) {
  std::vector<EpochStart> epochs;
  KL_RETURN_IF_ERROR(ParseEntries(
      bytes, [&epochs](const std::vector<std::string_view>& fields, const Lines& lines) {
        if (fields.size() != 2) return lines.Wrong("not epoch and offset");
        const auto epoch = ParseDecimal<int32_t>(fields[0]);
        if (epoch.value_or(-1) < 0) return lines.Wrong("whose epoch is not a number");
        const auto offset = ParseDecimal<int64_t>(fields[1]);
        if (offset.value_or(-1) < 0) return lines.Wrong("whose offset is not a number");
        const EpochStart entry{model::LeaderEpoch(*epoch), model::Offset(*offset)};
        if (!epochs.empty() && (entry.epoch <= epochs.back().epoch ||
                                entry.start_offset < epochs.back().start_offset)) {
          return lines.Wrong("which does not follow the line before it");
        }
        epochs.push_back(entry);
        return absl::OkStatus();
      }));
  return epochs;
}

}  // namespace kafkalite::format
