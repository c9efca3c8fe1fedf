// What a test pays for a cluster of its own: a simulated one that is started, taken back to empty,
// or copied with what is in it.
//
//   ./bazelw run --config=release //benchmarks:sim_benchmark

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "benchmark/benchmark.h"
#include "benchmarks/harness.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/reset.h"
#include "kafkalite/testing/sim_cluster.h"

namespace kafkalite::benchmarks {
namespace {

using testing::SimCluster;

// Three partitions of three replicas, and so many records.
absl::Status Fill(Cluster& cluster, int records) {
  auto topic = cluster.CreateTopic(kTopic, {.partitions = 3, .replication_factor = 3});
  if (!topic.ok()) return topic.status();
  auto producer = Producer::Create(cluster, {});
  if (!producer.ok()) return producer.status();
  Values values(100);
  for (int i = 0; i < records; ++i) (*producer)->Send({.topic = kTopic, .value = values.Next()});
  return (*producer)->Flush();
}

// Runs one iteration of what is measured, and says how long it took.
template <class Run>
void Measure(benchmark::State& state, Run run) {
  Latencies latencies;
  for (auto _ : state) {
    absl::Status status;
    const auto duration = run(status);
    state.SetIterationTime(std::chrono::duration<double>(duration).count());
    latencies.Add(duration);
    if (!status.ok()) {
      state.SkipWithError(status.ToString().c_str());
      break;
    }
  }
  state.counters["p50_s"] = latencies.Percentile(0.5);
  state.counters["p99_s"] = latencies.Percentile(0.99);
  WarnUnlessRelease(state);
}

void BM_Start(benchmark::State& state) {
  uint64_t seed = 0;
  Measure(state, [&](absl::Status& status) {
    const auto start = SteadyClock::now();
    const auto sim = SimCluster::Start({.seed = ++seed});
    status = sim.status();
    return SteadyClock::now() - start;
  });
}
BENCHMARK(BM_Start)->UseManualTime()->Iterations(300)->Unit(benchmark::kMicrosecond);

// Of a cluster with a topic and 1,000 records.
template <class Started>
void ResetOf(benchmark::State& state, Started& cluster) {
  Measure(state, [&](absl::Status& status) {
    status = Fill(cluster, 1000);
    if (!status.ok()) return SteadyClock::duration();
    const auto start = SteadyClock::now();
    status = testing::Reset(cluster);
    const auto duration = SteadyClock::now() - start;
    if (status.ok() && !cluster.ListTopics()->empty()) status = absl::InternalError("not empty");
    return duration;
  });
}

void BM_Reset(benchmark::State& state) {
  const auto sim = SimCluster::Start({.seed = 1}).value();
  ResetOf(state, sim->cluster());
}
BENCHMARK(BM_Reset)->UseManualTime()->Iterations(300)->Unit(benchmark::kMicrosecond);

void BM_ResetReal(benchmark::State& state) {
  const auto cluster = Cluster::Start({.brokers = 3}).value();
  ResetOf(state, *cluster);
}
BENCHMARK(BM_ResetReal)->UseManualTime()->Iterations(300)->Unit(benchmark::kMicrosecond);

// Of a cluster with that many records.
void BM_Fork(benchmark::State& state) {
  const auto records = static_cast<int>(state.range(0));
  const auto sim = SimCluster::Start({.seed = 1}).value();
  absl::Status status = Fill(sim->cluster(), records);
  if (status.ok()) status = testing::AwaitRest(sim->cluster());
  const auto snapshot = sim->TakeSnapshot();
  if (status.ok()) status = snapshot.status();
  if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
  uint64_t seed = 0;
  Measure(state, [&](absl::Status& forked) {
    const auto start = SteadyClock::now();
    const auto fork = SimCluster::Fork(*snapshot, ++seed);
    const auto duration = SteadyClock::now() - start;
    forked = fork.status();
    if (forked.ok()) {
      forked = testing::AwaitRecords((*fork)->cluster(), kTopic, records).status();
    }
    return duration;
  });
}
BENCHMARK(BM_Fork)->Arg(1000)->Arg(100000)->UseManualTime()->Iterations(100)->Unit(
    benchmark::kMicrosecond);

}  // namespace
}  // namespace kafkalite::benchmarks

BENCHMARK_MAIN();
