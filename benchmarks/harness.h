// File: harness.h
//
// What the benchmarks have in common: a cluster with one topic, values that can be verified, and
// figures for the table.
//
// Every value opens with its number, so that whoever reads a record can tell whether it is the one
// that belongs at its offset.

#ifndef BENCHMARKS_HARNESS_H_
#define BENCHMARKS_HARNESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "benchmark/benchmark.h"
#include "benchmarks/limit.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {

inline constexpr std::string_view kTopic = "benchmark";
// Of each partition, so that a run of any length comes to a steady state.
inline constexpr int64_t kRetentionBytes = int64_t{64} << 20;

using SteadyClock = std::chrono::steady_clock;

inline double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Three brokers and kTopic, with a replica on each. Ends the program if that fails.
std::unique_ptr<Cluster> StartCluster(int32_t partitions, std::optional<int64_t> retention_bytes);
// With the defaults. Ends the program if that fails.
std::unique_ptr<Producer> MakeProducer(Cluster& cluster);

// Values 0, 1, 2, ... of one size.
class Values {
 public:
  explicit Values(size_t value_bytes);

  std::string_view Next() {
    std::memcpy(bytes_.data(), &next_, sizeof(next_));
    ++next_;
    return bytes_;
  }

 private:
  std::string bytes_;
  int64_t next_ = 0;
};

// The number that a value opens with.
inline int64_t NumberOf(std::string_view value) {
  int64_t number = -1;
  if (value.size() >= sizeof(number)) std::memcpy(&number, value.data(), sizeof(number));
  return number;
}

// All bytes of a value, added up as fast as the bare loop of limit.h does it.
uint64_t SumBytes(std::string_view value);
// Of values 0 to `count` - 1.
uint64_t SumOfValues(size_t value_bytes, int64_t count);

// DATA_LOSS unless the partition has committed exactly `sent` records, and all that retention has
// kept are there: without a gap, each with the number of its offset and the right size and bytes.
absl::Status VerifyPartition(Cluster& cluster, int32_t partition, int64_t sent, size_t value_bytes);

// The records per second that all of `threads` threads reach together with a loop of limit.h.
double LimitOf(LoopRate (*loop)(size_t, double), size_t value_bytes, int threads = 1);

double Median(std::vector<double> numbers);

// Rates, each with that of the bare loop right after it: what else runs on the machine then slows
// down both.
class Rates {
 public:
  void Add(double records_per_second, double limit);

  // Adds the medians to the row: "records/s", "value_B/s", beside them the bare loop's "limit/s",
  // and the share of it that was reached, "of_limit".
  void Report(benchmark::State& state, size_t value_bytes) const;

 private:
  std::vector<double> rates_;
  std::vector<double> limits_;
  std::vector<double> shares_;
};

// Marks rows that say nothing about the library as users build it.
void WarnUnlessRelease(benchmark::State& state);

// How long single operations took.
class Latencies {
 public:
  void Add(std::chrono::nanoseconds duration);
  // The duration, in seconds, that `share` of all operations did not exceed, to 10 ns.
  double Percentile(double share) const;

 private:
  static constexpr int64_t kBucketNanoseconds = 10;

  std::vector<int64_t> buckets_ = std::vector<int64_t>(100000);  // up to one millisecond
  std::vector<int64_t> longer_;                                  // nanoseconds
  int64_t count_ = 0;
};

// Resident memory of this process.
int64_t ResidentBytes();

}  // namespace kafkalite::benchmarks

#endif  // BENCHMARKS_HARNESS_H_
