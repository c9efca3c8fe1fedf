// Many simulated runs under faults, by seeds; each is reproduced by its own.
//
//   bazel run --config=release //kafkalite/testing:swarm -- --seeds 10000 --base 1000
//   ... --seconds 60          of virtual time for each, with faults
//   ... --keep-going          counts failures instead of stopping at the first
//   ... --no-shrink           does not look for the smallest script
//   ... --trace-hash          prints that of each run
//
// Prints what it is about to do first; of a failure what happened when, and the smallest script of
// faults that still fails, as a test. Exits 1 if anything was wrong.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>

#include "kafkalite/testing/swarm.h"

namespace {

using namespace kafkalite::testing;

struct Flags {
  uint64_t seeds = 100;
  uint64_t base = 0;
  int32_t seconds = 60;
  bool keep_going = false;
  bool shrink = true;
  bool trace_hash = false;
};

bool Parse(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--seeds") == 0 && has_value) {
      flags.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--base") == 0 && has_value) {
      flags.base = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--seconds") == 0 && has_value) {
      flags.seconds = static_cast<int32_t>(std::strtol(argv[++i], nullptr, 10));
    } else if (std::strcmp(argv[i], "--keep-going") == 0) {
      flags.keep_going = true;
    } else if (std::strcmp(argv[i], "--no-shrink") == 0) {
      flags.shrink = false;
    } else if (std::strcmp(argv[i], "--trace-hash") == 0) {
      flags.trace_hash = true;
    } else {
      std::fprintf(stderr, "unknown: %s\n", argv[i]);
      return false;
    }
  }
  return flags.seeds > 0 && flags.seconds > 0;
}

struct Totals {
  uint64_t runs = 0, failed = 0;
  int64_t sent = 0, acknowledged = 0, polled = 0;
  RunCounters counters;
  std::map<FaultKind, int64_t> faults;  // how often
  std::map<FaultKind, int64_t> seeds;   // in how many runs
};

void Count(const SwarmReport& report, Totals& totals) {
  ++totals.runs;
  totals.sent += report.sent;
  totals.acknowledged += report.acknowledged;
  totals.polled += report.polled;
  totals.counters.events += report.counters.events;
  totals.counters.leader_changes += report.counters.leader_changes;
  totals.counters.controller_changes += report.counters.controller_changes;
  totals.counters.zombie_controllers += report.counters.zombie_controllers;
  totals.counters.truncations += report.counters.truncations;
  totals.counters.elections_behind += report.counters.elections_behind;
  totals.counters.shrinks_to_one += report.counters.shrinks_to_one;
  for (const auto& [kind, count] : report.faults) {
    totals.faults[kind] += count;
    ++totals.seeds[kind];
  }
}

void PrintFailure(const SwarmReport& report) {
  const FaultScript smallest = Shrink(report);
  const SwarmReport again = RunSwarm(report.options, smallest);
  std::printf("The smallest script that fails, %zu of %zu faults:\n\n", smallest.size(),
              report.script.size());
  std::printf("TEST(Swarm, Seed%llu) {\n  SwarmOptions options = SwarmOptions::OfSeed(%llu);\n",
              static_cast<unsigned long long>(report.options.seed),
              static_cast<unsigned long long>(report.options.seed));
  std::printf("  options.seconds = %d;\n", report.options.seconds);
  std::printf("  const SwarmReport report = RunSwarm(options, FaultScript%s);\n",
              ToCode(smallest).c_str());
  std::printf("  EXPECT_THAT(report.violations, IsEmpty()) << report.Story();\n}\n\n");
  std::printf("%s", again.Story().c_str());
}

void PrintTotals(const Totals& totals, const Flags& flags, double cpu_seconds) {
  const auto print = [](const char* name, int64_t number) {
    std::printf("  %-28s %12lld\n", name, static_cast<long long>(number));
  };
  std::printf("%llu runs, %llu failed\n", static_cast<unsigned long long>(totals.runs),
              static_cast<unsigned long long>(totals.failed));
  print("records sent", totals.sent);
  print("acknowledged", totals.acknowledged);
  print("polled", totals.polled);
  print("events checked", totals.counters.events);
  print("leader changes", totals.counters.leader_changes);
  print("controller changes", totals.counters.controller_changes);
  print("  with the old one alive", totals.counters.zombie_controllers);
  print("truncations", totals.counters.truncations);
  print("elections of one behind", totals.counters.elections_behind);
  print("ISRs that shrank to one", totals.counters.shrinks_to_one);
  for (const auto& [kind, count] : totals.faults) {
    std::printf(
        "  %-28s %12lld  in %lld %% of the runs\n", std::string(ToString(kind)).c_str(),
        static_cast<long long>(count),
        static_cast<long long>(100 * totals.seeds.at(kind) / static_cast<int64_t>(totals.runs)));
  }
  const double simulated = static_cast<double>(totals.runs) * flags.seconds;
  std::printf("%.1f CPU seconds, %.0f simulated seconds in each\n", cpu_seconds,
              simulated / cpu_seconds);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, flags)) {
    std::fprintf(stderr,
                 "usage: swarm [--seeds N] [--base B] [--seconds S] [--keep-going] "
                 "[--no-shrink] [--trace-hash]\n");
    return 2;
  }
  std::printf("%llu seeds from %llu, %d simulated seconds each\n",
              static_cast<unsigned long long>(flags.seeds),
              static_cast<unsigned long long>(flags.base), flags.seconds);
  std::fflush(stdout);
  const std::clock_t start = std::clock();
  Totals totals;
  for (uint64_t seed = flags.base; seed < flags.base + flags.seeds; ++seed) {
    SwarmOptions options = SwarmOptions::OfSeed(seed);
    options.seconds = flags.seconds;
    const SwarmReport report = RunSwarm(options);
    Count(report, totals);
    if (flags.trace_hash) {
      std::printf("seed %llu: %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(report.trace_hash));
    }
    if (report.violations.empty()) continue;
    ++totals.failed;
    if (flags.keep_going) {
      std::printf("%s: %s\n", options.ToString().c_str(), report.violations.front().c_str());
      std::fflush(stdout);
      continue;
    }
    std::printf("%s: %s\n", options.ToString().c_str(), report.violations.front().c_str());
    if (flags.shrink) PrintFailure(report);
    break;
  }
  PrintTotals(totals, flags,
              static_cast<double>(std::clock() - start) / static_cast<double>(CLOCKS_PER_SEC));
  return totals.failed == 0 ? 0 : 1;
}
