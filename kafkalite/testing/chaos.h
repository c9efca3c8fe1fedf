// File: chaos.h
//
// One simulated run of random kills, pauses, shutdowns and cut links under load, and what it shows.
// The plan of faults always leaves one replica that holds everything acknowledged: a broker is
// killed (and wiped) only while all replicas of every partition are in sync.
//
// After the faults everything is healed; then all that was acknowledged has to be there once, in
// order, at the offset that was said, on every replica.

#ifndef KAFKALITE_TESTING_CHAOS_H_
#define KAFKALITE_TESTING_CHAOS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kafkalite::testing {

struct ChaosOptions {
  int steps = 60;
  int brokers = 3;
  int partitions = 2;
  int records_per_step = 5;
  // Logs whose disk takes its time; otherwise in memory, at once.
  bool slow_storage = false;
};

struct ChaosReport {
  uint64_t seed = 0;
  uint64_t trace_hash = 0;
  int64_t sent = 0;
  int64_t acknowledged = 0;
  std::map<std::string, int> faults;  // how often each was injected
  int leader_changes = 0;
  // What is wrong, one line each: empty is good.
  std::vector<std::string> violations;
  // What happened when, for people.
  std::vector<std::string> story;
};

ChaosReport RunChaos(uint64_t seed, const ChaosOptions& options);

// What one partition was asked to keep, and what a consumer found in it.
struct PartitionHistory {
  struct Sent {
    std::string value;
    bool acknowledged = false;
    int64_t offset = -1;
  };
  std::vector<Sent> sent;                              // in the order of their Sends
  std::vector<std::pair<int64_t, std::string>> found;  // (offset, value) in the order of reading
};
// Lost, altered, duplicated, reordered or unknown records, one line each.
std::vector<std::string> CheckHistory(const PartitionHistory& history);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_CHAOS_H_
