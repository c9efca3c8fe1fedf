// File: history.h
//
// What the clients of one partition did and saw, and what may not be: the classes of Jepsen's Kafka
// workload that apply without transactions. Pure.
//
// Allowed: a record that nobody acknowledged, there or not; offsets without a record.

#ifndef KAFKALITE_TESTING_HISTORY_H_
#define KAFKALITE_TESTING_HISTORY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kafkalite::testing {

// (offset, value)
using Observed = std::pair<int64_t, std::string>;

struct PartitionHistory {
  struct Sent {
    std::string value;  // no other record has it
    bool acknowledged = false;
    int64_t offset = -1;  // where, if it was
  };
  // In the order of their Sends, by one idempotent producer each.
  std::vector<std::vector<Sent>> sent;
  // What each consumer was handed while the cluster ran, in that order, from the beginning.
  std::vector<std::vector<Observed>> polls;
  // All there is at the end, as a new consumer reads it.
  std::vector<Observed> found;
  // What the cluster said at the end of how many there are: -1 if nobody asked.
  int64_t end_offset = -1;
};

// One line for each thing that is wrong, which begins with its class:
//   lost          acknowledged, and not there
//   unseen        handed to a consumer once, and not there
//   moved         acknowledged at another offset than it is at
//   duplicate     there twice
//   reordered     a producer's records in another order than it sent them
//   altered       nobody sent it
//   inconsistent  two values at one offset, at different times or to different consumers
//   backwards     a consumer was handed an offset again, or an earlier one
//   skipped       a consumer was not handed a record that is before one that it was
//   stale         the cluster says that there is less than was acknowledged
std::vector<std::string> CheckHistory(const PartitionHistory& history);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_HISTORY_H_
