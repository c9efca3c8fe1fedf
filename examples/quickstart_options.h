// File: quickstart_options.h
//
// The command line of the quick start.

#ifndef EXAMPLES_QUICKSTART_OPTIONS_H_
#define EXAMPLES_QUICKSTART_OPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kafkalite::examples {

struct QuickstartOptions {
  int32_t brokers = 3;
  int32_t partitions = 3;
  int32_t replication_factor = 3;  // not given: 3, or `brokers` if that is less
  std::string data_dir;            // empty: in memory
  bool help = false;
  std::vector<std::string> files;  // "-" is standard input; none: the built-in sample
};

// INVALID_ARGUMENT names the flag and its value. Flags and files may be mixed; after "--"
// everything is a file.
absl::StatusOr<QuickstartOptions> ParseArguments(const std::vector<std::string>& arguments);

std::string_view HelpText();

}  // namespace kafkalite::examples

#endif  // EXAMPLES_QUICKSTART_OPTIONS_H_
