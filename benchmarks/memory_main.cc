// Prints the resident memory of an idle cluster over that of the bare process, and then while it
// produces to a topic with bounded retention, which must stay flat. Exit code 1 if it does not.
//
//   memory_main [seconds]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "benchmarks/harness.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {
namespace {

constexpr double kMiB = 1024 * 1024;
// What the last third of the time may add to the second: less than a batch in a million records.
// The first third does not count: the pool keeps as many buffers as were ever needed at once, up to
// its bound, and by how far threads drift apart that peak is reached by and by.
constexpr double kAllowedGrowth = 4 * kMiB;

double Megabytes(int64_t bytes) { return static_cast<double>(bytes) / kMiB; }

int Main(int seconds) {
  const int64_t bare = ResidentBytes();
  const auto cluster = StartCluster(1, kRetentionBytes);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const int64_t idle = ResidentBytes();
  std::printf("bare process      %8.1f MiB\n", Megabytes(bare));
  std::printf("3 brokers, idle   %8.1f MiB   + %.1f MiB\n", Megabytes(idle),
              Megabytes(idle - bare));

  const auto producer = MakeProducer(*cluster);
  Values values(100);
  int64_t sent = 0;
  int64_t early = 0;
  int64_t late = 0;
  const auto start = SteadyClock::now();
  for (int second = 1; second <= seconds; ++second) {
    while (SecondsSince(start) < second) {
      for (int i = 0; i < 10000; ++i) producer->Send({.topic = kTopic, .value = values.Next()});
      sent += 10000;
    }
    const int64_t now = ResidentBytes();
    if (second > seconds / 3) {
      int64_t& period = second <= 2 * seconds / 3 ? early : late;
      period = std::max(period, now);
    }
    std::printf("producing, %3d s  %8.1f MiB   %lld records\n", second, Megabytes(now),
                static_cast<long long>(sent));
    std::fflush(stdout);
  }
  absl::Status status = producer->Flush();
  if (status.ok()) status = VerifyPartition(*cluster, 0, sent, 100);
  if (!status.ok()) {
    std::fprintf(stderr, "memory_main: %s\n", status.ToString().c_str());
    return 1;
  }
  if (static_cast<double>(late - early) > kAllowedGrowth) {
    std::fprintf(stderr, "memory_main: memory grew by %.1f MiB\n", Megabytes(late - early));
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace kafkalite::benchmarks

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 60;
  if (argc > 2 || seconds < 3) {
    std::fprintf(stderr, "usage: memory_main [seconds, at least 3]\n");
    return 2;
  }
  return kafkalite::benchmarks::Main(seconds);
}
