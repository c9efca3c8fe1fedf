#include "examples/quickstart_options.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "examples/cat.h"

namespace kafkalite::examples {
namespace {

constexpr int32_t kDefaultReplicationFactor = 3;

// What one process reasonably holds. A typing error should not use up the machine's memory.
constexpr int32_t kMaxBrokers = 100;
constexpr int32_t kMaxPartitions = 10000;
// The library refuses what is more than the brokers, in its own words.
constexpr int32_t kMaxReplicationFactor = 1000000;

// The two flags that say where records are have to agree.
absl::Status CheckStorage(std::string_view storage, std::string_view data_dir) {
  if (storage == "file" && data_dir.empty()) {
    return absl::InvalidArgumentError("--storage file needs --data-dir DIR");
  }
  if (storage == "memory" && !data_dir.empty()) {
    return absl::InvalidArgumentError(
        Cat("--storage memory keeps nothing in --data-dir ", data_dir, ": leave one of them out"));
  }
  if (!storage.empty() && storage != "file" && storage != "memory") {
    return absl::InvalidArgumentError(
        Cat("--storage: \"", storage, "\" is neither \"memory\" nor \"file\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> ParseNumber(std::string_view flag, std::string_view value, int32_t most) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > most) {
    return absl::InvalidArgumentError(
        Cat(flag, ": \"", value, "\" is not a number from 1 to ", most));
  }
  return number;
}

}  // namespace

absl::StatusOr<QuickstartOptions> ParseArguments(const std::vector<std::string>& arguments) {
  QuickstartOptions options;
  std::optional<int32_t> replication_factor;
  std::string storage;
  bool flags_are_over = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (flags_are_over || argument == "-" || !argument.starts_with('-')) {
      options.files.emplace_back(argument);
      continue;
    }
    if (argument == "--") {
      flags_are_over = true;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);
    const bool is_number =
        flag == "--brokers" || flag == "--partitions" || flag == "--replication-factor";
    const bool is_text = flag == "--data-dir" || flag == "--storage";
    if (!is_number && !is_text) {
      if (argument != "--help") {
        return absl::InvalidArgumentError(
            Cat("unknown flag ", argument, "; --help lists the flags"));
      }
      options.help = true;
      continue;
    }

    std::string_view value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return absl::InvalidArgumentError(
          Cat(flag, is_number ? " needs a number" : " needs a value"));
    }
    if (is_text) {
      if (value.empty()) return absl::InvalidArgumentError(Cat(flag, " needs a value"));
      (flag == "--storage" ? storage : options.data_dir) = value;
      continue;
    }
    const int32_t most = flag == "--brokers"      ? kMaxBrokers
                         : flag == "--partitions" ? kMaxPartitions
                                                  : kMaxReplicationFactor;
    const absl::StatusOr<int32_t> number = ParseNumber(flag, value, most);
    if (!number.ok()) return number.status();
    if (flag == "--brokers") {
      options.brokers = *number;
    } else if (flag == "--partitions") {
      options.partitions = *number;
    } else {
      replication_factor = *number;
    }
  }
  if (absl::Status status = CheckStorage(storage, options.data_dir); !status.ok()) return status;
  options.replication_factor =
      replication_factor.value_or(std::min(kDefaultReplicationFactor, options.brokers));
  return options;
}

std::string_view HelpText() {
  return R"(Usage: quickstart [flags] [file ...]

Starts a Kafka cluster in this process, creates the topic "first-test", says hello, and sends
every line of the files through it. Half-way it kills a leader. Then it reads everything back and
checks that no line was lost, duplicated, reordered or altered. With a data directory, what earlier
runs have sent is there as well.

  file                    a file with one record per line; - is standard input
                          (default: a built-in sample)
  --brokers N             how many brokers to start, 1 to 100 (default: 3)
  --partitions N          of the topic, 1 to 10000 (default: 3)
  --replication-factor N  copies of each record (default: 3, or the brokers if there are fewer)
  --data-dir DIR          keep the cluster in this directory, in Kafka's format, and go on with what
                          is there (default: in memory, gone at the end)
  --storage memory|file   where records are (default: file if there is a --data-dir)
  --help                  print this

Exit code: 0 if every record was found exactly once and in order, 1 if not or if anything else
failed, 2 for a command line that makes no sense.
)";
}

}  // namespace kafkalite::examples
