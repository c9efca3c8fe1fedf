#include "benchmarks/harness.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <sstream>
#include <thread>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kafkalite::benchmarks {
namespace {

constexpr double kLimitSeconds = 0.2;

template <class T>
T ValueOrDie(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "benchmark: %s\n", result.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(result);
}

template <class... Parts>
absl::Status DataLoss(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return absl::DataLossError(out.str());
}

}  // namespace

std::unique_ptr<Cluster> StartCluster(int32_t partitions, std::optional<int64_t> retention_bytes) {
  auto cluster = ValueOrDie(Cluster::Start({.brokers = 3}));
  ValueOrDie(cluster->CreateTopic(
      kTopic,
      {.partitions = partitions, .replication_factor = 3, .retention_bytes = retention_bytes}));
  return cluster;
}

std::unique_ptr<Producer> MakeProducer(Cluster& cluster) {
  return ValueOrDie(Producer::Create(cluster, {}));
}

Values::Values(size_t value_bytes) : bytes_(std::max(value_bytes, sizeof(next_)), '\0') {
  for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i);
}

uint64_t SumBytes(std::string_view value) {
  uint64_t sum = 0;
  const char* in = value.data();
  size_t size = value.size();
#if defined(__SSE2__)
  // One instruction adds up eight bytes, twice.
  __m128i sums = _mm_setzero_si128();
  for (; size >= 16; size -= 16, in += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    sums = _mm_add_epi64(sums, _mm_sad_epu8(bytes, _mm_setzero_si128()));
  }
  sum = static_cast<uint64_t>(_mm_cvtsi128_si64(sums)) +
        static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
#endif
  for (; size > 0; --size, ++in) sum += static_cast<uint8_t>(*in);
  return sum;
}

uint64_t SumOfValues(size_t value_bytes, int64_t count) {
  Values values(value_bytes);
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += SumBytes(values.Next());
  return sum;
}

absl::Status VerifyPartition(Cluster& cluster, int32_t partition, int64_t sent,
                             size_t value_bytes) {
  const auto consumer = ValueOrDie(Consumer::Create(cluster, {}));
  const TopicPartition where{std::string(kTopic), partition};
  if (absl::Status status = consumer->Assign({where}); !status.ok()) return status;
  if (absl::Status status = consumer->SeekToEnd(); !status.ok()) return status;
  const auto end = consumer->Position(where);
  if (!end.ok()) return end.status();
  if (*end != sent) return DataLoss("sent ", sent, " records, but ", *end, " are committed");
  if (sent == 0) return absl::OkStatus();

  if (absl::Status status = consumer->SeekToBeginning(); !status.ok()) return status;
  int64_t next = -1;
  const std::string expected(Values(value_bytes).Next());
  while (next < sent) {
    const auto records = consumer->Poll(std::chrono::seconds(10));
    if (!records.ok()) return records.status();
    if (records->empty()) return DataLoss("nothing to read at offset ", next, " of ", sent);
    for (const ConsumedRecord& record : *records) {
      if (next == -1) next = record.offset;
      if (record.offset != next) return DataLoss("offset ", record.offset, " follows ", next - 1);
      const std::string_view value = record.value.value_or("");
      if (NumberOf(value) != next || value.size() != expected.size() ||
          value.substr(8) != std::string_view(expected).substr(8)) {
        return DataLoss("offset ", next, " holds another value than was sent");
      }
      ++next;
    }
  }
  if (next != sent) return DataLoss("read up to offset ", next, " of ", sent);
  return absl::OkStatus();
}

double LimitOf(LoopRate (*loop)(size_t, double), size_t value_bytes, int threads) {
  std::vector<double> rates(static_cast<size_t>(threads));
  const auto run = [&](double& rate) {
    rate = loop(value_bytes, kLimitSeconds).records_per_second;
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < rates.size(); ++i) others.emplace_back(run, std::ref(rates[i]));
  run(rates[0]);
  for (std::thread& other : others) other.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double Median(std::vector<double> numbers) {
  if (numbers.empty()) return 0;
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

void Rates::Add(double records_per_second, double limit) {
  rates_.push_back(records_per_second);
  limits_.push_back(limit);
  shares_.push_back(records_per_second / limit);
}

void Rates::Report(benchmark::State& state, size_t value_bytes) const {
  state.counters["records/s"] = Median(rates_);
  state.counters["value_B/s"] = Median(rates_) * static_cast<double>(value_bytes);
  state.counters["limit/s"] = Median(limits_);
  state.counters["of_limit"] = Median(shares_);
  WarnUnlessRelease(state);
}

void WarnUnlessRelease([[maybe_unused]] benchmark::State& state) {
#if !defined(NDEBUG)
  state.SetLabel("not a release build: use --config=release");
#endif
}

void Latencies::Add(std::chrono::nanoseconds duration) {
  const auto bucket = static_cast<size_t>(duration.count() / kBucketNanoseconds);
  if (bucket < buckets_.size()) {
    ++buckets_[bucket];
  } else {
    longer_.push_back(duration.count());
  }
  ++count_;
}

double Latencies::Percentile(double share) const {
  auto left = static_cast<int64_t>(share * static_cast<double>(count_));
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    if (buckets_[bucket] > left) {
      return static_cast<double>((static_cast<int64_t>(bucket) + 1) * kBucketNanoseconds) / 1e9;
    }
    left -= buckets_[bucket];
  }
  std::vector<int64_t> sorted = longer_;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.empty()) return 0;
  return static_cast<double>(sorted[std::min(static_cast<size_t>(left), sorted.size() - 1)]) / 1e9;
}

int64_t ResidentBytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return -1;
  long long total = 0;
  long long resident = -1;
  if (std::fscanf(file, "%lld %lld", &total, &resident) != 2) resident = -1;
  std::fclose(file);
  return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

}  // namespace kafkalite::benchmarks
