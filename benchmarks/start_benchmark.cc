// From nothing to the first acknowledged record: three brokers, a topic with a replica on each, a
// producer, one record with acks=all.
//
//   ./bazelw run --config=release //benchmarks:start_benchmark

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "benchmark/benchmark.h"
#include "benchmarks/harness.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {
namespace {

void BM_StartToFirstRecord(benchmark::State& state) {
  Latencies latencies;
  for (auto _ : state) {
    const auto start = SteadyClock::now();
    const auto cluster = StartCluster(1, kRetentionBytes);
    const auto producer = MakeProducer(*cluster);
    const auto where = producer->Send({.topic = kTopic, .value = Values(100).Next()}).Wait();
    const auto duration = SteadyClock::now() - start;
    // What follows, the end of the cluster included, is not measured.
    state.SetIterationTime(std::chrono::duration<double>(duration).count());
    latencies.Add(duration);
    absl::Status status = where.status();
    if (status.ok()) status = VerifyPartition(*cluster, 0, 1, 100);
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
      break;
    }
  }
  state.counters["p50_s"] = latencies.Percentile(0.5);
  state.counters["p99_s"] = latencies.Percentile(0.99);
  WarnUnlessRelease(state);
}
BENCHMARK(BM_StartToFirstRecord)->UseManualTime()->Iterations(500)->Unit(benchmark::kMicrosecond);

// How long it takes to get rid of one.
void BM_Stop(benchmark::State& state) {
  for (auto _ : state) {
    auto cluster = StartCluster(1, kRetentionBytes);
    const auto start = SteadyClock::now();
    cluster.reset();
    state.SetIterationTime(SecondsSince(start));
  }
}
BENCHMARK(BM_Stop)->UseManualTime()->Iterations(500)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace kafkalite::benchmarks

BENCHMARK_MAIN();
