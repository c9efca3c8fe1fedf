// Logs in files, one broker's, each beside the bare system calls that do the same:
//
//   BM_Append          batches of 16 KiB, no sync             | pwrite of the same bytes
//   BM_GroupCommit     flush.messages=1, 64 appends under way | one under way
//   BM_CatchUp         warm reads of 1 MiB                    | pread of the same, and its CRC
//   BM_Recover         a start after a kill, nothing synced   | pread and CRC of the same
//   BM_OpenPartitions  a start after a stop in order
//
//   ./bazelw run --config=release //benchmarks:storage_benchmark
//
// Every figure is a median of rounds, with the least and the largest beside it; the peer runs right
// after each round. What is measured is a disk's, so TMPDIR should be on the one that is meant.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "benchmarks/harness.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/storage/file/file_storage.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::benchmarks {
namespace {

constexpr int kBatches = 8192;  // 128 MiB
constexpr int kRecordsPerBatch = 10;
constexpr size_t kReadBytes = size_t{1} << 20;
constexpr int kPartitions = 2000;
constexpr int kWriters = 64;

// Ends the program: what follows would be worth nothing.
void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

template <class T>
T Require(absl::StatusOr<T> value) {
  Require(value.status());
  return *std::move(value);
}

void RequireCall(bool ok, const char* what) {
  if (!ok) Require(absl::ErrnoToStatus(errno, what));
}

// --- What is measured ---------------------------------------------------------------------------

// A batch of `bytes`, header and all.
format::Batch MakeBatch(size_t bytes) {
  const base::Ref<base::BufferPool> pool = base::BufferPool::Create(0);
  const size_t limit = bytes - format::kBatchHeaderBytes;
  format::BatchBuilder builder(pool->Allocate(limit), limit, 1000);
  const std::string value(limit / kRecordsPerBatch - 16, 'v');
  for (int i = 1; i < kRecordsPerBatch; ++i) builder.TryAppend(1000, std::nullopt, value, {});
  // The last record takes what is left: its size and its other fields have so many bytes.
  constexpr size_t kRecordOverhead = 9;
  const std::string rest(limit - builder.body_bytes() - kRecordOverhead, 'r');
  builder.TryAppend(1000, std::nullopt, rest, {});
  format::Batch batch = std::move(builder).Build({}, nullptr);
  batch.header.leader_epoch = model::LeaderEpoch(0);
  if (batch.size_bytes() != bytes) Require(absl::InternalError("the batch has not the size meant"));
  return batch;
}

std::string BytesOf(const format::Batch& batch) {
  std::string bytes(format::kBatchHeaderBytes, '\0');
  format::EncodeHeader(batch.header, bytes.data());
  return bytes.append(batch.body.view());
}

// A folder of this process, without anything in it.
std::string EmptyFolder() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("kafkalite_storage_benchmark." + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string();
}

// One broker's storage, in an empty folder that goes with it.
class Disk {
 public:
  Disk() { Start(); }
  ~Disk() {
    Kill();
    executor_.Shutdown();
    std::filesystem::remove_all(folder_);
  }

  const std::string& folder() const { return folder_; }
  void Start() {
    storage_ = Require(storage::FileStorage::Open(
        executor_,
        {.directories = {folder_}, .broker = model::BrokerId(1), .cluster_id = "benchmark"}));
  }
  void Kill() { storage_ = nullptr; }
  void Stop() {
    Require(storage_->Close());
    storage_ = nullptr;
  }
  std::unique_ptr<storage::Log> OpenLog(int partition = 0) {
    return Require(storage_->Open({"benchmark", model::PartitionId(partition)}, model::LogId(1)));
  }
  std::string LogFile() const { return folder_ + "/benchmark-0/00000000000000000000.log"; }

 private:
  const std::string folder_ = EmptyFolder();
  base::RealExecutor executor_;
  std::shared_ptr<storage::FileStorage> storage_;
};

// A log that appends one batch over and over, and waits for what becomes of it.
class Appender {
 public:
  Appender(std::unique_ptr<storage::Log> log, format::Batch batch)
      : log_(std::move(log)), batch_(std::move(batch)) {
    log_->SetListener([this] {
      changes_.fetch_add(1, std::memory_order_release);
      changes_.notify_one();
    });
  }

  storage::Log& log() { return *log_; }
  void Append() {
    Require(log_->Append({&batch_, 1}));
    batch_.header.base_offset = batch_.header.next_offset();
  }
  // Until `safe`, of the progress, is at least `end`. The progress.
  template <class Offset>
  storage::Progress Await(Offset safe, model::Offset end) {
    while (true) {
      const uint64_t seen = changes_.load(std::memory_order_acquire);
      const storage::Progress progress = log_->progress();
      if (progress.failed) Require(absl::DataLossError("the log has failed"));
      if (progress.*safe >= end) return progress;
      changes_.wait(seen, std::memory_order_acquire);
    }
  }
  void Fill() {
    for (int i = 0; i < kBatches; ++i) Append();
    Await(&storage::Progress::written, log_->end_offset());
  }

 private:
  const std::unique_ptr<storage::Log> log_;
  format::Batch batch_;
  std::atomic<uint64_t> changes_{0};
};

// --- Figures ------------------------------------------------------------------------------------

class Samples {
 public:
  void Add(double sample) { samples_.push_back(sample); }
  void Report(benchmark::State& state, const std::string& name) const {
    state.counters[name] = Median(samples_);
    state.counters[name + "_min"] = *std::min_element(samples_.begin(), samples_.end());
    state.counters[name + "_max"] = *std::max_element(samples_.begin(), samples_.end());
  }

 private:
  std::vector<double> samples_;
};

// Rates beside those of a peer that ran right after.
class Comparison {
 public:
  void Add(double ours, double peers) {
    ours_.Add(ours);
    peers_.Add(peers);
    shares_.Add(ours / peers);
  }
  void Report(benchmark::State& state) const {
    ours_.Report(state, "rate");
    peers_.Report(state, "peer");
    shares_.Report(state, "of_peer");
    WarnUnlessRelease(state);
  }

 private:
  Samples ours_;
  Samples peers_;
  Samples shares_;
};

constexpr double kLogBytes = double{kBatches} * kBatchBytes;

// A file descriptor of the bare peer's.
class BareFile {
 public:
  BareFile(const std::string& path, int flags) : fd_(::open(path.c_str(), flags, 0666)) {
    RequireCall(fd_ >= 0, path.c_str());
  }
  ~BareFile() { ::close(fd_); }
  int get() const { return fd_; }

 private:
  const int fd_;
};

// --- Appending ----------------------------------------------------------------------------------

double BareAppend(const std::string& path, const std::string& bytes) {
  const BareFile file(path, O_CREAT | O_TRUNC | O_RDWR);
  const auto start = SteadyClock::now();
  for (int i = 0; i < kBatches; ++i) {
    const auto size = static_cast<ssize_t>(bytes.size());
    RequireCall(::pwrite(file.get(), bytes.data(), bytes.size(), i * size) == size, "pwrite");
  }
  const double rate = kLogBytes / SecondsSince(start);
  RequireCall(::unlink(path.c_str()) == 0, "unlink");
  return rate;
}

void BM_Append(benchmark::State& state) {
  const format::Batch batch = MakeBatch(kBatchBytes);
  const std::string bytes = BytesOf(batch);
  Comparison comparison;
  for (auto _ : state) {
    Disk disk;
    double rate = 0;
    {
      Appender appender(disk.OpenLog(), batch);
      const auto start = SteadyClock::now();
      appender.Fill();
      rate = kLogBytes / SecondsSince(start);
    }
    disk.Kill();
    std::filesystem::remove_all(disk.folder() + "/benchmark-0");
    comparison.Add(rate, BareAppend(disk.folder() + "/bare", bytes));
  }
  comparison.Report(state);
}
BENCHMARK(BM_Append)->Iterations(15)->Unit(benchmark::kMillisecond);

// Appends with flush.messages=1, `writers` of them under way at all times; acknowledged per second.
double Commit(int writers, const format::Batch& batch) {
  constexpr double kSeconds = 0.5;
  Disk disk;
  Appender appender(disk.OpenLog(), batch);
  model::TopicConfig config;
  config.flush_messages = 1;
  appender.log().Configure(config);
  const int64_t records = batch.header.last_offset_delta + 1;
  int64_t acknowledged = 0;
  for (int i = 0; i < writers; ++i) appender.Append();
  const auto start = SteadyClock::now();
  double seconds = 0;
  do {
    const model::Offset next((acknowledged + 1) * records);
    const auto progress = appender.Await(&storage::Progress::synced, next);
    const int64_t now = progress.synced.value() / records;
    for (; acknowledged < now; ++acknowledged) appender.Append();
    seconds = SecondsSince(start);
  } while (seconds < kSeconds);
  appender.Await(&storage::Progress::synced, appender.log().end_offset());
  return static_cast<double>(acknowledged) / seconds;
}

void BM_GroupCommit(benchmark::State& state) {
  const format::Batch batch = MakeBatch(1024);
  Comparison comparison;
  for (auto _ : state) {
    const double many = Commit(kWriters, batch);
    comparison.Add(many, Commit(1, batch));
  }
  comparison.Report(state);
}
BENCHMARK(BM_GroupCommit)->Iterations(7)->Unit(benchmark::kMillisecond);

// --- Reading ------------------------------------------------------------------------------------

// Everything that the log has, from the file.
double ReadLog(storage::Log& log) {
  const auto start = SteadyClock::now();
  const model::Offset end = log.end_offset();
  size_t bytes = 0;
  for (model::Offset from; from < end;) {
    auto read = Require(log.Read(from, {.max_offset = end, .max_bytes = kReadBytes}));
    if (read.cold != nullptr) {
      std::promise<absl::StatusOr<std::vector<format::Batch>>> loaded;
      read.cold->Load([&loaded](auto batches) { loaded.set_value(std::move(batches)); });
      read.batches = Require(loaded.get_future().get());
    }
    for (const format::Batch& batch : read.batches) bytes += batch.size_bytes();
    from = read.batches.back().header.next_offset();
  }
  if (static_cast<double>(bytes) != kLogBytes) Require(absl::DataLossError("too few bytes read"));
  return kLogBytes / SecondsSince(start);
}

double BareRead(const std::string& path) {
  const BareFile file(path, O_RDONLY);
  std::string buffer(kReadBytes, '\0');
  const auto start = SteadyClock::now();
  int64_t position = 0;
  while (true) {
    const ssize_t n = ::pread(file.get(), buffer.data(), buffer.size(), position);
    RequireCall(n >= 0, "pread");
    if (n == 0) break;
    benchmark::DoNotOptimize(base::Crc32c(std::string_view(buffer.data(), static_cast<size_t>(n))));
    position += n;
  }
  return static_cast<double>(position) / SecondsSince(start);
}

void BM_CatchUp(benchmark::State& state) {
  Disk disk;
  Appender appender(disk.OpenLog(), MakeBatch(kBatchBytes));
  appender.Fill();
  ReadLog(appender.log());
  Comparison comparison;
  for (auto _ : state) {
    const double rate = ReadLog(appender.log());
    comparison.Add(rate, BareRead(disk.LogFile()));
  }
  comparison.Report(state);
}
BENCHMARK(BM_CatchUp)->Iterations(15)->Unit(benchmark::kMillisecond);

// --- Starting -----------------------------------------------------------------------------------

void BM_Recover(benchmark::State& state) {
  Disk disk;
  Appender(disk.OpenLog(), MakeBatch(kBatchBytes)).Fill();
  Comparison comparison;
  for (auto _ : state) {
    disk.Kill();
    const auto start = SteadyClock::now();
    disk.Start();
    const double rate = kLogBytes / SecondsSince(start);
    if (disk.OpenLog()->end_offset() != model::Offset(int64_t{kBatches} * kRecordsPerBatch)) {
      Require(absl::DataLossError("the log was cut"));
    }
    comparison.Add(rate, BareRead(disk.LogFile()));
  }
  comparison.Report(state);
}
BENCHMARK(BM_Recover)->Iterations(9)->Unit(benchmark::kMillisecond);

void BM_OpenPartitions(benchmark::State& state) {
  Disk disk;
  for (int i = 0; i < kPartitions; ++i) {
    Appender appender(disk.OpenLog(i), MakeBatch(1024));
    for (int batch = 0; batch < 10; ++batch) appender.Append();
  }
  Samples seconds;
  for (auto _ : state) {
    disk.Stop();
    const auto start = SteadyClock::now();
    disk.Start();
    seconds.Add(SecondsSince(start));
  }
  seconds.Report(state, "open_s");
  WarnUnlessRelease(state);
}
BENCHMARK(BM_OpenPartitions)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kafkalite::benchmarks

BENCHMARK_MAIN();
