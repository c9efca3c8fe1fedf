// File: chaos.h
//
// One simulated run of random kills, pauses, shutdowns and cut links under load, and what it shows.
// The plan of faults always leaves one replica that holds everything acknowledged: where a kill
// loses a broker's logs, one is killed only while all replicas of every partition are in sync;
// where it does not, all may be killed at any time.
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
  enum class Logs {
    kMemory,  // at once; a kill loses them
    kSlow,    // the same with a disk that takes its time
    kFiles,   // with the rest of the cluster, in a file system in memory; a kill loses what was not
              // written yet
  };
  Logs logs = Logs::kMemory;
};
// By seed, so that a campaign has all three kinds.
ChaosOptions::Logs LogsOfSeed(uint64_t seed);

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
