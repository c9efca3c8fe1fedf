// Consumes a topic with three replicas, and adds up every byte of every value.
//
//   ./bazelw run --config=release //benchmarks:consume_benchmark

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "benchmark/benchmark.h"
#include "benchmarks/harness.h"
#include "benchmarks/limit.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {
namespace {

// Reads partition 0 from its beginning.
class Reader {
 public:
  explicit Reader(Cluster& cluster) : consumer_(Consumer::Create(cluster, {}).value()) {
    status_ = consumer_->AssignTopic(kTopic);
  }

  void StartAgain(int64_t offset) {
    if (status_.ok()) status_ = consumer_->Seek({std::string(kTopic), 0}, offset);
    next_ = offset;
    sum_ = 0;
  }

  // Reads up to offset `end`, and checks that every offset is there.
  void ReadTo(int64_t end, std::atomic<int64_t>* progress = nullptr) {
    while (status_.ok() && next_ < end) {
      const auto records = consumer_->Poll(std::chrono::seconds(10));
      if (!records.ok()) {
        status_ = records.status();
        return;
      }
      if (records->empty()) {
        status_ = absl::DataLossError("nothing to read at offset " + std::to_string(next_));
        return;
      }
      bool continuous = true;
      int64_t next = next_;
      uint64_t sum = 0;
      for (const ConsumedRecord& record : *records) {
        continuous &= record.offset == next++;
        sum += SumBytes(*record.value);
      }
      if (!continuous) {
        status_ = absl::DataLossError("offsets are missing after " + std::to_string(next_));
      }
      next_ = next;
      sum_ += sum;
      if (progress != nullptr) progress->store(next_, std::memory_order_relaxed);
    }
  }

  const absl::Status& status() const { return status_; }
  uint64_t sum() const { return sum_; }
  int64_t next() const { return next_; }

 private:
  const std::unique_ptr<Consumer> consumer_;
  absl::Status status_;
  int64_t next_ = 0;
  uint64_t sum_ = 0;
};

// Sends values from where the last call left off. Waits while it is more than `max_lead` records
// ahead of `consumed`.
void Produce(Producer& producer, Values& values, int64_t& sent, int64_t count,
             const std::atomic<int64_t>* consumed = nullptr, int64_t max_lead = 0) {
  for (const int64_t end = sent + count; sent < end;) {
    producer.Send({.topic = kTopic, .value = values.Next()});
    if (++sent % 1024 == 0 && consumed != nullptr) {
      while (sent - consumed->load(std::memory_order_relaxed) > max_lead) std::this_thread::yield();
    }
  }
}

void BM_Consume(benchmark::State& state) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  const auto records = static_cast<int64_t>(kWorkingSetBytes / value_bytes) + 1;
  const auto cluster = StartCluster(1, std::nullopt);
  {
    const auto producer = MakeProducer(*cluster);
    Values values(value_bytes);
    int64_t sent = 0;
    Produce(*producer, values, sent, records);
    if (const absl::Status status = producer->Flush(); !status.ok()) {
      state.SkipWithError(status.ToString().c_str());
    }
  }
  if (const absl::Status status = VerifyPartition(*cluster, 0, records, value_bytes);
      !status.ok()) {
    state.SkipWithError(status.ToString().c_str());
  }

  const uint64_t expected_sum = SumOfValues(value_bytes, records);
  Reader reader(*cluster);
  Rates rates;
  for (auto _ : state) {
    reader.StartAgain(0);
    const auto start = SteadyClock::now();
    reader.ReadTo(records);
    const double seconds = SecondsSince(start);
    state.SetIterationTime(seconds);
    rates.Add(static_cast<double>(records) / seconds, LimitOf(DecodeSumLoop, value_bytes));
    if (!reader.status().ok() || reader.sum() != expected_sum || reader.next() != records) {
      state.SkipWithError(reader.status().ok() ? "the sum is not that of what was sent"
                                               : reader.status().ToString().c_str());
      break;
    }
  }
  rates.Report(state, value_bytes);
}
BENCHMARK(BM_Consume)
    ->Arg(100)
    ->Arg(1024)
    ->Iterations(15)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// A producer and a consumer on two threads. "of_slower" is the share reached of what the slower of
// the two does alone.
void BM_ProduceAndConsume(benchmark::State& state) {
  const auto value_bytes = static_cast<size_t>(state.range(0));
  const auto batch_of_work = static_cast<int64_t>((size_t{512} << 20) / value_bytes);
  // The consumer must not fall out of the log, or it could not check what it misses. So the log
  // keeps more than the producer may be ahead.
  const auto max_lead = static_cast<int64_t>((size_t{96} << 20) / value_bytes);
  const auto cluster = StartCluster(1, int64_t{384} << 20);
  const auto producer = MakeProducer(*cluster);
  Values values(value_bytes);
  int64_t sent = 0;
  Produce(*producer, values, sent, batch_of_work);  // memory is warm then

  const auto rate_of = [&](int64_t records, const std::function<void()>& work) {
    const auto start = SteadyClock::now();
    work();
    return static_cast<double>(records) / SecondsSince(start);
  };
  Reader reader(*cluster);
  std::vector<double> produce_rates;
  std::vector<double> consume_rates;
  std::vector<double> shares_of_slower;
  Rates rates;
  absl::Status flushed = producer->Flush();
  for (auto _ : state) {
    produce_rates.push_back(rate_of(batch_of_work, [&] {
      Produce(*producer, values, sent, batch_of_work);
      flushed.Update(producer->Flush());
    }));
    const int64_t alone = static_cast<int64_t>(kWorkingSetBytes / value_bytes);
    reader.StartAgain(sent - alone);
    consume_rates.push_back(rate_of(alone, [&] { reader.ReadTo(sent); }));

    std::atomic<int64_t> consumed = sent;
    const int64_t end = sent + batch_of_work;
    const double together = rate_of(batch_of_work, [&] {
      std::thread consuming([&] {
        reader.ReadTo(end, &consumed);
        // Whatever went wrong, the producer need not wait.
        consumed = end;
      });
      Produce(*producer, values, sent, batch_of_work, &consumed, max_lead);
      flushed.Update(producer->Flush());
      consuming.join();
    });
    rates.Add(together, LimitOf(DecodeSumLoop, value_bytes));
    shares_of_slower.push_back(together / std::min(produce_rates.back(), consume_rates.back()));
    // StartAgain began to count bytes `alone` records before the last batch of work.
    const uint64_t expected =
        SumOfValues(value_bytes, sent) - SumOfValues(value_bytes, end - batch_of_work - alone);
    if (!reader.status().ok() || reader.next() != end || reader.sum() != expected) {
      state.SkipWithError(reader.status().ok() ? "the sum is not that of what was sent"
                                               : reader.status().ToString().c_str());
      break;
    }
  }
  rates.Report(state, value_bytes);
  state.counters["produce/s"] = Median(produce_rates);
  state.counters["consume/s"] = Median(consume_rates);
  state.counters["of_slower"] = Median(shares_of_slower);
  if (flushed.ok()) flushed = VerifyPartition(*cluster, 0, sent, value_bytes);
  if (!flushed.ok()) state.SkipWithError(flushed.ToString().c_str());
}
BENCHMARK(BM_ProduceAndConsume)->Arg(100)->Arg(1024)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kafkalite::benchmarks

BENCHMARK_MAIN();
