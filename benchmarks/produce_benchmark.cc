// Produces to a topic with three replicas, acks=all, everything else by default.
//
//   ./bazelw run --config=release //benchmarks:produce_benchmark

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "benchmarks/harness.h"
#include "benchmarks/limit.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {
namespace {

// Until the log has come to its steady state.
constexpr double kWarmUpSeconds = 0.5;
constexpr double kSecondsPerRun = 1;
constexpr int64_t kRecordsPerClockRead = 10000;

// One thread's work: records to one partition.
struct Stream {
  Stream(Producer& a_producer, std::optional<int32_t> a_partition, size_t value_bytes)
      : producer(a_producer), partition(a_partition), values(value_bytes) {}

  // Sends for so long, waits for the acknowledgements, and returns the records per second.
  double Run(double seconds, bool with_callback) {
    const int64_t sent_before = sent;
    const auto start = SteadyClock::now();
    do {
      if (with_callback) {
        for (int64_t i = 0; i < kRecordsPerClockRead; ++i) SendWithCallback();
      } else {
        // The tickets but one are dropped, as by somebody who relies on Flush.
        for (int64_t i = 1; i < kRecordsPerClockRead; ++i) Send();
        last = Send();
      }
    } while (SecondsSince(start) < seconds);
    flushed = producer.Flush();
    return static_cast<double>(sent - sent_before) / SecondsSince(start);
  }

  // OK if everything was acknowledged and what retention kept can be read.
  absl::Status Verify(Cluster& cluster, size_t value_bytes, bool with_callback) {
    if (!flushed.ok()) return flushed;
    if (!failure.ok()) return failure;
    if (with_callback && acknowledged != sent) {
      return absl::DataLossError("sent " + std::to_string(sent) + " records, " +
                                 std::to_string(acknowledged) + " were acknowledged");
    }
    if (!with_callback) {
      const auto where = last.Wait();
      if (!where.ok()) return where.status();
      if (where->offset != sent - 1) return absl::DataLossError("the last record is not the last");
    }
    return VerifyPartition(cluster, partition.value_or(0), sent, value_bytes);
  }

  Ticket Send() {
    ++sent;
    return producer.Send({.topic = kTopic, .partition = partition, .value = values.Next()});
  }

  void SendWithCallback() {
    producer.Send({.topic = kTopic, .partition = partition, .value = values.Next()},
                  [this](const absl::StatusOr<RecordMetadata>& where) {
                    if (where.ok() && where->offset == acknowledged) {
                      ++acknowledged;
                    } else if (failure.ok()) {
                      failure = where.ok() ? absl::DataLossError("acknowledged out of order")
                                           : where.status();
                    }
                  });
    ++sent;
  }

  Producer& producer;
  const std::optional<int32_t> partition;
  Values values;
  int64_t sent = 0;
  Ticket last;
  absl::Status flushed;
  // Written by callbacks, which run one at a time.
  int64_t acknowledged = 0;
  absl::Status failure;
};

void Asynchronous(benchmark::State& state, bool with_callback) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  const auto cluster = StartCluster(1, kRetentionBytes);
  const auto producer = MakeProducer(*cluster);
  Stream stream(*producer, std::nullopt, value_bytes);
  Rates rates;
  stream.Run(kWarmUpSeconds, with_callback);
  for (auto _ : state) {
    const double rate = stream.Run(kSecondsPerRun, with_callback);
    rates.Add(rate, LimitOf(EncodeCrcLoop, value_bytes));
  }
  rates.Report(state, value_bytes);
  if (const absl::Status status = stream.Verify(*cluster, value_bytes, with_callback);
      !status.ok()) {
    state.SkipWithError(status.ToString().c_str());
  }
}

void BM_Asynchronous(benchmark::State& state) { Asynchronous(state, false); }
BENCHMARK(BM_Asynchronous)->Arg(100)->Arg(1024)->Iterations(5)->Unit(benchmark::kMillisecond);

void BM_AsynchronousWithCallback(benchmark::State& state) { Asynchronous(state, true); }
BENCHMARK(BM_AsynchronousWithCallback)
    ->Arg(100)
    ->Arg(1024)
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

// Two threads, each with a partition. "of_ideal" is the share reached of what one thread does
// alone, times the speed-up that the bare loop has from a second thread.
void TwoThreads(benchmark::State& state, bool one_producer) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  const auto cluster = StartCluster(2, kRetentionBytes);
  const auto first = MakeProducer(*cluster);
  const auto second = MakeProducer(*cluster);
  Stream streams[] = {{*first, 0, value_bytes}, {one_producer ? *first : *second, 1, value_bytes}};
  const auto run_both = [&](double seconds) {
    double other_rate = 0;
    std::thread other([&] { other_rate = streams[1].Run(seconds, false); });
    const double rate = streams[0].Run(seconds, false);
    other.join();
    return rate + other_rate;
  };
  Rates rates;
  std::vector<double> alone_rates;
  std::vector<double> shares_of_ideal;
  run_both(kWarmUpSeconds);
  for (auto _ : state) {
    const double alone = streams[0].Run(kSecondsPerRun, false);
    const double together = run_both(kSecondsPerRun);
    const double limit_of_one = LimitOf(EncodeCrcLoop, value_bytes);
    const double limit_of_two = LimitOf(EncodeCrcLoop, value_bytes, 2);
    rates.Add(together, limit_of_two);
    alone_rates.push_back(alone);
    shares_of_ideal.push_back(together / (alone * limit_of_two / limit_of_one));
  }
  rates.Report(state, value_bytes);
  state.counters["alone/s"] = Median(alone_rates);
  state.counters["of_ideal"] = Median(shares_of_ideal);
  for (Stream& stream : streams) {
    if (const absl::Status status = stream.Verify(*cluster, value_bytes, false); !status.ok()) {
      state.SkipWithError(status.ToString().c_str());
    }
  }
}

void BM_TwoThreads(benchmark::State& state) { TwoThreads(state, false); }
BENCHMARK(BM_TwoThreads)->Arg(100)->Arg(1024)->Iterations(5)->Unit(benchmark::kMillisecond);

void BM_TwoThreadsOneProducer(benchmark::State& state) { TwoThreads(state, true); }
BENCHMARK(BM_TwoThreadsOneProducer)->Arg(100)->Iterations(5)->Unit(benchmark::kMillisecond);

// Send and Wait, record by record. Reading the clock is included: some 25 ns.
void BM_Synchronous(benchmark::State& state) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  const auto cluster = StartCluster(1, kRetentionBytes);
  const auto producer = MakeProducer(*cluster);
  Stream stream(*producer, std::nullopt, value_bytes);
  // Until memory is warm.
  for (int i = 0; i < 100000; ++i) benchmark::DoNotOptimize(stream.Send().Wait());

  Latencies latencies;
  const auto start = SteadyClock::now();
  int64_t measured = 0;
  for (auto _ : state) {
    const auto before = SteadyClock::now();
    const auto where = stream.Send().Wait();
    latencies.Add(SteadyClock::now() - before);
    ++measured;
    if (!where.ok() || where->offset != stream.sent - 1) {
      state.SkipWithError(where.ok() ? "acknowledged at another offset"
                                     : where.status().ToString().c_str());
      break;
    }
  }
  const double rate = static_cast<double>(measured) / SecondsSince(start);
  state.counters["records/s"] = rate;
  state.counters["limit/s"] = LimitOf(EncodeCrcLoop, value_bytes);
  state.counters["p50_s"] = latencies.Percentile(0.5);
  state.counters["p99_s"] = latencies.Percentile(0.99);
  state.counters["p99.9_s"] = latencies.Percentile(0.999);
  WarnUnlessRelease(state);
  if (const absl::Status status = VerifyPartition(*cluster, 0, stream.sent, value_bytes);
      !status.ok()) {
    state.SkipWithError(status.ToString().c_str());
  }
}
BENCHMARK(BM_Synchronous)->Arg(100)->Arg(1024)->Iterations(1000000);

}  // namespace
}  // namespace kafkalite::benchmarks

BENCHMARK_MAIN();
