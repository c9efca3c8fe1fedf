// Runs many seeds of RunChaos and says what they did.
//
//   ./bazelw run --config=release //kafkalite/testing:swarm -- --seeds 1000 --base 0
//
// Exits 1, after the first seed with a violation and its story, if there is one.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "kafkalite/testing/chaos.h"

namespace {

int Usage() {
  std::fprintf(stderr, "usage: swarm [--seeds N] [--base B]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 1000, base = 0;
  for (int i = 1; i + 1 < argc + 1; i += 2) {
    if (i + 1 >= argc) return Usage();
    char* end = nullptr;
    const uint64_t value = std::strtoull(argv[i + 1], &end, 10);
    if (end == argv[i + 1] || *end != '\0') return Usage();
    if (std::string_view(argv[i]) == "--seeds") {
      seeds = value;
    } else if (std::string_view(argv[i]) == "--base") {
      base = value;
    } else {
      return Usage();
    }
  }
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(base),
              static_cast<unsigned long long>(base + seeds - 1));
  std::map<std::string, int64_t> faults;
  int64_t sent = 0, acknowledged = 0, changes = 0;
  for (uint64_t seed = base; seed < base + seeds; ++seed) {
    const auto report =
        kafkalite::testing::RunChaos(seed, {.logs = kafkalite::testing::LogsOfSeed(seed)});
    if (!report.violations.empty()) {
      std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
      for (const auto& line : report.violations) std::printf("  violation: %s\n", line.c_str());
      for (const auto& line : report.story) std::printf("  %s\n", line.c_str());
      return 1;
    }
    sent += report.sent;
    acknowledged += report.acknowledged;
    changes += report.leader_changes;
    for (const auto& [fault, count] : report.faults) faults[fault] += count;
  }
  std::printf("no violation. %lld records sent, %lld acknowledged, %lld leader changes\n",
              static_cast<long long>(sent), static_cast<long long>(acknowledged),
              static_cast<long long>(changes));
  for (const auto& [fault, count] : faults) {
    std::printf("  %-16s %lld\n", fault.c_str(), static_cast<long long>(count));
  }
  return 0;
}
