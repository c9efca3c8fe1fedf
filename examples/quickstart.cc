// The classical Kafka tutorial in one process: start three brokers, create a topic, say hello, send
// many lines, kill a leader half-way, and check that nothing was lost.
//
//   ./bazelw run //examples:quickstart
//   ./bazelw run //examples:quickstart -- --partitions 6 README.md
//   ./bazelw run //examples:quickstart -- --data-dir /tmp/quickstart    (and once more)

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "examples/cat.h"
#include "examples/input.h"
#include "examples/quickstart_options.h"
#include "examples/verifier.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::examples {
namespace {

constexpr std::string_view kTopic = "first-test";
constexpr std::string_view kHello = "Hello Kafka !";

using SteadyClock = std::chrono::steady_clock;

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// One line that is overwritten, on a terminal only.
class Progress {
 public:
  Progress(std::string_view verb, size_t total)
      : verb_(verb), total_(total), enabled_(isatty(STDOUT_FILENO) == 1) {}
  ~Progress() { Clear(); }

  void Update(size_t done) {
    // Asking for the time costs more than sending a record.
    if (!enabled_ || done % 4096 != 0 || SecondsSince(shown_) < 0.1) return;
    shown_ = SteadyClock::now();
    std::printf("\r%s %zu of %zu", verb_.c_str(), done, total_);
    std::fflush(stdout);
    dirty_ = true;
  }

  void Clear() {
    if (dirty_) Print("\r\033[K");
    dirty_ = false;
  }

 private:
  const std::string verb_;
  const size_t total_;
  const bool enabled_;
  bool dirty_ = false;
  SteadyClock::time_point shown_ = SteadyClock::now();
};

class Quickstart {
 public:
  Quickstart(const QuickstartOptions& options, const Input& input)
      : options_(options), input_(input), verifier_(AllRecords(input)) {}

  absl::Status Run() {
    for (const auto step :
         {&Quickstart::StartBrokers, &Quickstart::FindOrCreateTopic, &Quickstart::SayHello,
          &Quickstart::ProduceLines, &Quickstart::RestartBroker, &Quickstart::ReadBack}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
      std::fflush(stdout);
    }
    PrintRate("Produced", input_.lines().size(), input_.bytes(), produce_seconds_);
    PrintRate("Consumed", static_cast<size_t>(verifier_.records_read()), bytes_read_,
              consume_seconds_);
    return absl::OkStatus();
  }

 private:
  // The greeting is record 0, line i of the input is record i + 1.
  static std::vector<std::string_view> AllRecords(const Input& input) {
    std::vector<std::string_view> records = {kHello};
    records.insert(records.end(), input.lines().begin(), input.lines().end());
    return records;
  }

  absl::Status StartBrokers() {
    ClusterOptions options{.brokers = options_.brokers, .data_dir = options_.data_dir};
    // Room for the whole input, however large: a record takes some bytes more than its line.
    options.log_memory_bytes =
        std::max(options.log_memory_bytes,
                 2 * input_.bytes() + 64 * static_cast<int64_t>(input_.lines().size()));
    auto cluster = Cluster::Start(options);
    if (!cluster.ok()) return cluster.status();
    cluster_ = *std::move(cluster);
    const std::vector<int32_t> ids = cluster_->broker_ids();
    Print(Cat(ids.size() == 1 ? "Started broker " : "Started brokers ", absl::StrJoin(ids, ", "),
              ".\n"));
    return absl::OkStatus();
  }

  absl::Status FindOrCreateTopic() {
    auto topic = cluster_->FindTopic(kTopic);
    const bool found = topic.ok();
    if (absl::IsNotFound(topic.status())) {
      topic = cluster_->CreateTopic(kTopic, {.partitions = options_.partitions,
                                             .replication_factor = options_.replication_factor});
    }
    if (!topic.ok()) return topic.status();
    topic_ = *topic;
    Print(Cat(found ? "Found" : "Created", " topic \"", kTopic, "\".\n"));
    const auto description = topic_->Describe();
    if (!description.ok()) return description.status();
    Print(ToString(*description));
    for (const PartitionDescription& partition : description->partitions) {
      partitions_.push_back({std::string(kTopic), partition.partition});
      replicas_ = partition.replicas.size();
      const int32_t last = *std::max_element(partition.replicas.begin(), partition.replicas.end());
      if (last <= options_.brokers) continue;
      return absl::FailedPreconditionError(
          Cat("partition ", partition.partition, " has a replica on broker ", last,
              ": start as many brokers as the run that made the topic (--brokers)"));
    }
    return found ? ReadEarlierRuns() : absl::OkStatus();
  }

  // Everything that is there before this run sends anything.
  absl::Status ReadEarlierRuns() {
    auto consumer = Consumer::Create(*cluster_, {});
    if (!consumer.ok()) return consumer.status();
    if (auto status = (*consumer)->Assign(partitions_); !status.ok()) return status;
    auto ends = (*consumer)->EndOffsets(partitions_);
    if (!ends.ok()) return ends.status();
    starts_ = *std::move(ends);
    int64_t count = 0;
    int64_t greetings = 0;
    const absl::Status status = ReadUpTo(**consumer, starts_, [&](const ConsumedRecord& record) {
      ++count;
      greetings += record.value == kHello ? 1 : 0;
    });
    if (!status.ok()) return status;
    Print(Cat("Read ", count, " records of earlier runs, ", greetings, " of them greetings.\n"));
    return absl::OkStatus();
  }

  // From where the consumer is.
  static absl::Status ReadUpTo(Consumer& consumer, const std::map<TopicPartition, int64_t>& ends,
                               const std::function<void(const ConsumedRecord&)>& read) {
    int64_t left = 0;
    for (const auto& [partition, end] : ends) {
      const auto position = consumer.Position(partition);
      if (!position.ok()) return position.status();
      left += end - *position;
    }
    while (left > 0) {
      const auto records = consumer.Poll(std::chrono::seconds(10));
      if (!records.ok()) return records.status();
      if (records->empty()) break;  // the caller counts what is missing
      left -= records->count();
      for (const ConsumedRecord& record : *records) read(record);
    }
    return absl::OkStatus();
  }

  // A consumer of what this run sends.
  absl::StatusOr<std::unique_ptr<Consumer>> ConsumeThisRun() {
    auto consumer = Consumer::Create(*cluster_, {});
    if (!consumer.ok()) return consumer.status();
    if (auto status = (*consumer)->Assign(partitions_); !status.ok()) return status;
    for (const auto& [partition, start] : starts_) {
      if (auto status = (*consumer)->Seek(partition, start); !status.ok()) return status;
    }
    return consumer;
  }

  absl::Status SayHello() {
    auto producer = Producer::Create(*cluster_, {});
    if (!producer.ok()) return producer.status();
    producer_ = *std::move(producer);
    const auto where = producer_->Send({.topic = kTopic, .value = kHello}).Wait();
    if (!where.ok()) return where.status();
    verifier_.Acknowledged(0, *where);
    Print(Cat("Sent a record to partition ", where->partition, ", offset ", where->offset,
              ". Read back:\n"));

    const auto consumer = ConsumeThisRun();
    if (!consumer.ok()) return consumer.status();
    const auto records = (*consumer)->Poll(std::chrono::seconds(10));
    if (!records.ok()) return records.status();
    if (records->empty()) return absl::DataLossError("the record cannot be read");
    for (const ConsumedRecord& record : *records) {
      Print(Cat(record.value.value_or("(no value)"), "\n"));
    }
    return absl::OkStatus();
  }

  absl::Status ProduceLines() {
    const size_t count = input_.lines().size();
    Print(Cat("Sending ", count, " lines.\n"));
    std::fflush(stdout);
    const auto start = SteadyClock::now();
    absl::Status status = SendLines(0, count / 2);
    if (status.ok()) status = KillLeader();
    if (status.ok()) status = SendLines(count / 2, count);
    const absl::Status flushed = producer_->Flush();
    produce_seconds_ = SecondsSince(start);
    // The first record that failed says more than what followed from it.
    if (failed_) {
      return absl::Status(failure_.code(),
                          Cat(input_.Where(failed_line_), ": cannot send this line of ",
                              input_.lines()[failed_line_].size(), " bytes: ", failure_.message(),
                              WhatIsOffline()));
    }
    return status.ok() ? flushed : status;
  }

  // A line for each log that failed.
  std::string WhatIsOffline() const {
    std::string lines;
    for (const int32_t id : cluster_->broker_ids()) {
      const auto offline = cluster_->broker(id).offline();
      if (!offline.ok()) continue;
      for (const auto& [partition, why] : *offline) {
        lines += Cat("\nbroker ", id, ", partition ", partition.partition, ": ", why.message());
      }
    }
    return lines;
  }

  // Stops at the first line that failed.
  absl::Status SendLines(size_t begin, size_t end) {
    Progress progress("Sending line", input_.lines().size());
    for (size_t line = begin; line < end && !failed_.load(std::memory_order_relaxed); ++line) {
      producer_->Send(
          {.topic = kTopic, .value = input_.lines()[line]},
          [this, line](const absl::StatusOr<RecordMetadata>& where) { Delivered(line, where); });
      progress.Update(line + 1);
    }
    return absl::OkStatus();
  }

  // The delivery report of a line. One at a time, maybe on another thread.
  void Delivered(size_t line, const absl::StatusOr<RecordMetadata>& where) {
    if (where.ok()) {
      verifier_.Acknowledged(line + 1, *where);
    } else if (!failed_) {
      failed_line_ = line;
      failure_ = where.status();
      failed_ = true;
    }
  }

  // While records are under way: those that the leader has not acknowledged are sent again, to the
  // next leader.
  absl::Status KillLeader() {
    if (replicas_ == 1) {
      Print(
          "Killing no broker: with one replica of each partition there is no other to take "
          "over.\n");
      return absl::OkStatus();
    }
    const auto description = topic_->Describe();
    if (!description.ok()) return description.status();
    killed_ = description->partitions[0].leader;
    if (absl::Status status = cluster_->Kill(*killed_); !status.ok()) return status;
    Print(Cat("Half-way: killed broker ", *killed_, ", the leader of partition 0.\n"));
    std::fflush(stdout);
    return absl::OkStatus();
  }

  absl::Status RestartBroker() {
    if (!killed_.has_value()) return absl::OkStatus();
    const auto is_in_sync = [this](const PartitionDescription& partition) {
      return std::count(partition.isr.begin(), partition.isr.end(), *killed_) > 0;
    };
    const auto is_complete = [](const PartitionDescription& partition) {
      return partition.isr.size() == partition.replicas.size();
    };
    if (auto status = AwaitAll(std::not_fn(is_in_sync), "still in sync"); !status.ok()) {
      return status;
    }
    const auto description = topic_->Describe();
    if (!description.ok()) return description.status();
    if (absl::Status status = cluster_->Restart(*killed_); !status.ok()) return status;
    // It copies from the new leaders what it does not have: in memory, everything.
    if (auto status = AwaitAll(is_complete, "not in sync yet"); !status.ok()) return status;
    Print(Cat("Broker ", description->partitions[0].leader,
              " leads partition 0 now. Restarted broker ", *killed_, ", it has caught up.\n"));
    return absl::OkStatus();
  }

  // Waits until a condition holds for all partitions. `otherwise` says what the killed broker is as
  // long as it does not.
  absl::Status AwaitAll(const std::function<bool(const PartitionDescription&)>& condition,
                        std::string_view otherwise) {
    const auto start = SteadyClock::now();
    while (true) {
      const auto description = topic_->Describe();
      if (!description.ok()) return description.status();
      if (std::all_of(description->partitions.begin(), description->partitions.end(), condition)) {
        return absl::OkStatus();
      }
      if (SecondsSince(start) > 60) {
        return absl::DeadlineExceededError(Cat("broker ", *killed_, " is ", otherwise,
                                               " after 60 seconds:\n", ToString(*description)));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  absl::Status ReadBack() {
    const auto consumer = ConsumeThisRun();
    if (!consumer.ok()) return consumer.status();
    // To the very end, not only until everything was seen: what was appended twice lies behind.
    const auto ends = (*consumer)->EndOffsets(partitions_);
    if (!ends.ok()) return ends.status();
    Progress progress("Reading record", input_.lines().size() + 1);
    const auto start = SteadyClock::now();
    const absl::Status read = ReadUpTo(**consumer, *ends, [&](const ConsumedRecord& record) {
      verifier_.Read(record.partition, record.offset, record.value);
      bytes_read_ += static_cast<int64_t>(record.value.value_or("").size());
      progress.Update(static_cast<size_t>(verifier_.records_read()));
    });
    if (!read.ok()) return read;
    consume_seconds_ = SecondsSince(start);
    progress.Clear();
    if (absl::Status status = verifier_.Finish(); !status.ok()) return status;
    Print(Cat("Read everything back: ", verifier_.records_read(),
              " records, the greeting included. None lost, duplicated, reordered or "
              "altered.\n"));
    return absl::OkStatus();
  }

  static void PrintRate(const char* verb, size_t records, int64_t bytes, double seconds) {
    seconds = std::max(seconds, 1e-9);
    std::printf("%s %zu records in %.1f ms: %.0f records/s, %.1f MB/s.\n", verb, records,
                seconds * 1e3, static_cast<double>(records) / seconds,
                static_cast<double>(bytes) / 1e6 / seconds);
  }

  const QuickstartOptions& options_;
  const Input& input_;

  std::unique_ptr<Cluster> cluster_;
  std::optional<Topic> topic_;
  std::unique_ptr<Producer> producer_;
  std::optional<int32_t> killed_;
  std::vector<TopicPartition> partitions_;
  size_t replicas_ = 0;
  std::map<TopicPartition, int64_t> starts_;  // where this run begins, if others were before

  Verifier verifier_;
  std::atomic<bool> failed_ = false;
  // Written before failed_.
  size_t failed_line_ = 0;
  absl::Status failure_;

  double produce_seconds_ = 0;
  double consume_seconds_ = 0;
  int64_t bytes_read_ = 0;
};

int Main(const std::vector<std::string>& arguments) {
  const auto fail = [](const absl::Status& status, int exit_code) {
    std::fflush(stdout);
    const std::string message = Cat("quickstart: ", status.message(), "\n");
    std::fwrite(message.data(), 1, message.size(), stderr);
    return exit_code;
  };
  const absl::StatusOr<QuickstartOptions> options = ParseArguments(arguments);
  if (!options.ok()) return fail(options.status(), 2);
  if (options->help) {
    Print(HelpText());
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  const absl::StatusOr<Input> input =
      options->files.empty() ? Input::Sample() : Input::Read(options->files);
  if (!input.ok()) return fail(input.status(), 1);
  Quickstart quickstart(*options, *input);
  if (const absl::Status status = quickstart.Run(); !status.ok()) return fail(status, 1);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return fail(absl::DataLossError("standard output cannot be written"), 1);
  }
  return 0;
}

}  // namespace
}  // namespace kafkalite::examples

int main(int argc, char** argv) {
  return kafkalite::examples::Main(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}
