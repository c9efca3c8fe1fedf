// Our side of KafkaFiles.java: writes a data directory for Kafka's tools, and opens one of Kafka's.
//
//   kafka_files_main write <directory> <records>     as log.dirs: <directory>/broker-1
//   kafka_files_main read <log.dirs> <records>
//
// The records are those of KafkaFiles.java.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/format/checkpoint.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/format/meta_properties.h"
#include "kafkalite/format/producer_snapshot.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/file/file_storage.h"

namespace kafkalite::testing {
namespace {

using base::Cat;

constexpr std::string_view kTopic = "orders";
constexpr int64_t kPartitions = 2;
constexpr int64_t kFirstTimestamp = 1700000000000;
constexpr size_t kMaxRecordsBytes = 1 << 20;

absl::Status Expect(bool ok, const std::string& otherwise) {
  return ok ? absl::OkStatus() : absl::DataLossError(otherwise);
}

// --- Writing ------------------------------------------------------------------------------------

absl::Status Send(Cluster& cluster, Compression compression, int64_t begin, int64_t end) {
  KL_ASSIGN_OR_RETURN(const auto producer, Producer::Create(cluster, {.compression = compression,
                                                                      .batch_size_bytes = 1000}));
  for (int64_t i = begin; i < end; ++i) {
    const std::string key = Cat("key-", i);
    const std::string value = Cat("value-", i);
    producer->Send({.topic = kTopic,
                    .partition = static_cast<int32_t>(i % kPartitions),
                    .key = key,
                    .value = value,
                    .timestamp = kFirstTimestamp + i});
  }
  return producer->Flush();
}

// A part of them in each life of the cluster, so that there are some leader epochs.
absl::Status Write(const std::string& directory, int64_t records) {
  constexpr Compression kCodecs[] = {Compression::kNone, Compression::kGzip, Compression::kSnappy,
                                     Compression::kLz4, Compression::kZstd};
  constexpr int64_t kLives = std::size(kCodecs);
  for (int64_t life = 0; life < kLives; ++life) {
    KL_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start({.brokers = 1, .data_dir = directory}));
    if (life == 0) {
      KL_RETURN_IF_ERROR(cluster
                             ->CreateTopic(kTopic, {.partitions = kPartitions,
                                                    .config = {{"segment.bytes", "5000"},
                                                               {"index.interval.bytes", "500"}}})
                             .status());
    }
    KL_RETURN_IF_ERROR(
        Send(*cluster, kCodecs[life], life * records / kLives, (life + 1) * records / kLives));
  }
  return absl::OkStatus();
}

// --- Reading ------------------------------------------------------------------------------------

// What a call hands to its callback.
template <class T, class Start>
T Await(Start start) {
  std::promise<T> answer;
  start([&answer](T value) { answer.set_value(std::move(value)); });
  return answer.get_future().get();
}

// Whether it is the one that belongs there. Not inlined: gcc would take a key and a value that are
// absent for some that nobody has set.
ABSL_ATTRIBUTE_NOINLINE absl::Status CheckRecord(const format::RecordView& record,
                                                 int64_t partition, int64_t offset) {
  const int64_t i = kPartitions * offset + partition;
  const bool ok = record.offset.value() == offset && record.timestamp == kFirstTimestamp + i &&
                  record.key == Cat("key-", i) && record.value == Cat("value-", i);
  return Expect(ok, Cat("the record at ", offset, " of partition ", partition, " is another one"));
}

absl::Status ReadBatches(storage::Log& log, int64_t partition, int64_t records,
                         base::BufferPool& pool) {
  using Batches = absl::StatusOr<std::vector<format::Batch>>;
  int64_t next = 0;
  while (next < log.end_offset().value()) {
    KL_ASSIGN_OR_RETURN(auto read, log.Read(model::Offset(next), {.max_offset = log.end_offset(),
                                                                  .max_bytes = 100'000}));
    KL_ASSIGN_OR_RETURN(const auto batches, Await<Batches>([&read](auto callback) {
                          read.cold->Load(std::move(callback));
                        }));
    for (const format::Batch& stored : batches) {
      KL_ASSIGN_OR_RETURN(const format::Batch batch,
                          format::DecompressBatch(stored, kMaxRecordsBytes, pool));
      format::RecordIterator it(batch);
      format::RecordView record;
      while (it.Next(record)) KL_RETURN_IF_ERROR(CheckRecord(record, partition, next++));
      KL_RETURN_IF_ERROR(Expect(it.ok(), "a batch cannot be decoded"));
    }
  }
  return Expect(next == records, Cat("there are ", next, " records instead of ", records));
}

absl::Status FindMiddle(const storage::Log& log, int64_t partition, int64_t records) {
  const int64_t middle = records / 2;
  const int64_t timestamp = kFirstTimestamp + kPartitions * middle + partition;
  using Found = absl::StatusOr<std::optional<storage::TimestampAndOffset>>;
  KL_ASSIGN_OR_RETURN(const auto found, Await<Found>([&](auto callback) {
                        log.FindByTimestamp(timestamp, log.end_offset(), std::move(callback));
                      }));
  return Expect(found.has_value() && found->offset.value() == middle,
                Cat("timestamp ", timestamp, " is not found at ", middle));
}

absl::Status ReadMetadata(const storage::Log& log) {
  using Metadata = absl::StatusOr<storage::Log::Metadata>;
  KL_ASSIGN_OR_RETURN(const auto metadata, Await<Metadata>([&log](auto callback) {
                        log.ReadMetadata(std::move(callback));
                      }));
  int snapshots = 0;
  for (const auto& [name, bytes] : metadata) {
    if (name.ends_with(".snapshot")) {
      KL_ASSIGN_OR_RETURN(const auto entries, format::ParseProducerSnapshot(bytes));
      if (!entries.empty()) ++snapshots;
    } else if (name == "leader-epoch-checkpoint") {
      KL_ASSIGN_OR_RETURN(const auto epochs, format::ParseEpochCheckpoint(bytes));
      KL_RETURN_IF_ERROR(Expect(!epochs.empty(), "there is no leader epoch"));
    }
  }
  KL_RETURN_IF_ERROR(Expect(metadata.contains("leader-epoch-checkpoint"), "no leader epochs"));
  return Expect(snapshots > 0, "there is no producer snapshot");
}

absl::Status Read(const std::string& directory, int64_t records) {
  base::RealExecutor executor;
  const auto pool = base::BufferPool::Create(1 << 20);
  const auto fs = files::MakePosixFileSystem();
  KL_ASSIGN_OR_RETURN(const std::string bytes,
                      files::ReadFile(*fs, Cat(directory, "/meta.properties")));
  KL_ASSIGN_OR_RETURN(const format::MetaProperties owner, format::ParseMetaProperties(bytes));
  KL_ASSIGN_OR_RETURN(
      const auto storage,
      storage::FileStorage::Open(executor, {.directories = {directory},
                                            .broker = owner.broker_id,
                                            .cluster_id = owner.cluster_id.value_or("none")}));
  for (const std::string& repair : storage->repairs()) {
    return absl::DataLossError(base::ToAbsl(repair));
  }
  for (int64_t partition = 0; partition < kPartitions; ++partition) {
    KL_ASSIGN_OR_RETURN(
        const auto log,
        storage->Open({std::string(kTopic), model::PartitionId(static_cast<int32_t>(partition))},
                      model::LogId(1)));
    KL_RETURN_IF_ERROR(ReadBatches(*log, partition, records / kPartitions, *pool));
    KL_RETURN_IF_ERROR(FindMiddle(*log, partition, records / kPartitions));
    KL_RETURN_IF_ERROR(ReadMetadata(*log));
  }
  KL_RETURN_IF_ERROR(storage->Close());
  std::printf("kafkalite has read all %lld records\n", static_cast<long long>(records));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kafka_files_main write|read <directory> <records>\n");
    return 2;
  }
  const std::string_view command = argv[1];
  const int64_t records = std::atoll(argv[3]);
  const absl::Status status = command == "write" ? Write(argv[2], records) : Read(argv[2], records);
  if (status.ok()) return 0;
  std::fprintf(stderr, "kafka_files_main: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace
}  // namespace kafkalite::testing

int main(int argc, char** argv) { return kafkalite::testing::Main(argc, argv); }
