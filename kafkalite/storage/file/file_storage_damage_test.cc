// A small data directory with one log, of which one file is damaged: every byte flipped, every
// length cut down to, every file missing. Whatever comes of it, nothing is served that is not what
// was appended, and what is refused or lost is said with the file's name.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/storage/file/machine_fixture.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using testing::HasSubstr;
using Image = std::map<std::string, std::string>;  // files by path

constexpr int64_t kBatches = 12;
constexpr int64_t kRecords = 2;  // of each

class FileStorageDamageTest : public testing::Test {
 protected:
  FileStorageDamageTest() {
    for (int64_t i = 0; i < kBatches; ++i) {
      batches_.push_back(MakeBatch({.offset = i * kRecords,
                                    .timestamps = {TimestampOf(i), TimestampOf(i)},
                                    .epoch = 3,
                                    .value_bytes = 20}));
    }
  }

  // Not in order, so that an index that is believed too much shows.
  static int64_t TimestampOf(int64_t batch) { return 1000 + 10 * (batch ^ 1); }

  static bool IsLog(const std::string& path) { return path.ends_with(".log"); }
  static bool IsIndex(const std::string& path) { return path.ends_with("index"); }

  // What a life leaves in the data directory. Unless it is `clean`, the process was killed after it
  // had synced half.
  Image Live(bool clean) {
    Machine machine({});
    EXPECT_TRUE(machine.Start().ok());
    auto log = machine.OpenLog();
    model::TopicConfig config;
    config.segment_bytes = static_cast<int32_t>(5 * batches_.front().size_bytes());
    config.index_interval_bytes = 150;  // an entry for most batches
    log->Configure(config);
    log->WriteMetadata("leader-epoch-checkpoint", "0\n1\n3 0\n");
    for (int64_t i = 0; i < kBatches; ++i) {
      EXPECT_TRUE(log->Append({&batches_[static_cast<size_t>(i)], 1}).ok());
      if (i != kBatches / 2) continue;
      log->Sync();
      machine.Run(std::chrono::seconds(61));
    }
    EXPECT_TRUE(log->TruncatePrefix(model::Offset(1)).ok());
    machine.Run();
    log.reset();
    if (clean) {
      EXPECT_TRUE(machine.Stop().ok());
    } else {
      machine.Kill();
    }
    Image image;
    for (const std::string folder : {"/data", "/data/orders-0"}) {
      const auto names = machine.fs().List(folder).value();
      for (const std::string& name : names) {
        const std::string path = folder + "/" + name;
        if (!machine.fs().IsDirectory(path).value())
          image[path] = *files::ReadFile(machine.fs(), path);
      }
    }
    return image;
  }

  // A start on what there is.
  static absl::Status Start(Machine& machine, const Image& image) {
    EXPECT_TRUE(machine.fs().CreateDirectories("/data/orders-0").ok());
    for (const auto& [path, bytes] : image) {
      EXPECT_TRUE(files::ReplaceFileUnsynced(machine.fs(), path, bytes).ok());
    }
    return machine.Start();
  }

  // `path` is what was damaged, at `position` if that is known.
  void Check(const Image& image, const std::string& path, std::optional<size_t> position) {
    Machine machine({});
    const absl::Status started = Start(machine, image);
    if (!started.ok()) {
      ASSERT_THAT(std::string(started.message()), HasSubstr(path));
      ASSERT_EQ(path, "/data/meta.properties") << started;
      return;
    }
    const auto log = machine.OpenLog();
    std::vector<format::Batch> read;
    const absl::Status status = machine.ReadAll(*log, log->start_offset().value(), read);
    if (!status.ok()) {
      ASSERT_TRUE(absl::IsDataLoss(status)) << status;
      ASSERT_THAT(std::string(status.message()), HasSubstr(base::Cat("'", path, "' at ")));
    }
    CheckBatches(read, IsLog(path) ? position : std::nullopt);
    if (!IsLog(path)) CheckFind(machine, *log);
  }

  // Offset and epoch of a batch have no checksum: where they are flipped, they may be served.
  void CheckBatches(const std::vector<format::Batch>& read, std::optional<size_t> flipped) {
    const size_t at = flipped.value_or(16) % batches_.front().size_bytes();
    const bool may_differ = at < 8 || (at >= 12 && at < 16);
    int differ = 0;
    for (const format::Batch& batch : read) {
      const bool is_known = std::any_of(
          batches_.begin(), batches_.end(),
          [&batch](const format::Batch& known) { return BytesOf(known) == BytesOf(batch); });
      if (is_known) continue;
      ++differ;
      ASSERT_TRUE(std::any_of(batches_.begin(), batches_.end(), [&](const auto& known) {
        return BytesOf(known).substr(16) == BytesOf(batch).substr(16);
      }));
    }
    ASSERT_LE(differ, may_differ ? 1 : 0);
  }

  void CheckFind(Machine& machine, const Log& log) {
    for (int64_t timestamp = 995; timestamp < 1130; timestamp += 10) {
      const auto found = machine.Find(log, timestamp);
      ASSERT_TRUE(found.ok()) << found.status();
      int64_t expected = -1;
      for (int64_t i = kBatches - 1; i >= 0; --i) {
        const int64_t first = std::max(i * kRecords, log.start_offset().value());
        const bool is_there = first < (i + 1) * kRecords && first < log.end_offset().value();
        if (is_there && TimestampOf(i) >= timestamp) expected = first;
      }
      ASSERT_EQ(found->has_value() ? (*found)->offset.value() : -1, expected) << timestamp;
    }
  }

  // Every file, damaged in each way that `damage` makes of its bytes.
  using Damage = std::function<void(const std::string& path, const std::string& bytes)>;
  static void ForEachFile(const Image& image, const Damage& damage) {
    for (const auto& [path, bytes] : image) {
      SCOPED_TRACE(path);
      damage(path, bytes);
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  Batches batches_;
};

TEST_F(FileStorageDamageTest, EveryFlippedByte) {
  for (const bool clean : {true, false}) {
    SCOPED_TRACE(clean ? "stopped" : "killed");
    const Image image = Live(clean);
    ForEachFile(image, [&](const std::string& path, const std::string& bytes) {
      for (size_t i = 0; i < bytes.size() && !HasFatalFailure(); ++i) {
        for (const char mask : {'\x01', '\xff'}) {
          SCOPED_TRACE(i);
          Image damaged = image;
          damaged[path][i] = static_cast<char>(bytes[i] ^ mask);
          Check(damaged, path, i);
        }
      }
    });
  }
}

TEST_F(FileStorageDamageTest, EveryTruncation) {
  for (const bool clean : {true, false}) {
    SCOPED_TRACE(clean ? "stopped" : "killed");
    const Image image = Live(clean);
    ForEachFile(image, [&](const std::string& path, const std::string& bytes) {
      for (size_t size = 0; size < bytes.size() && !HasFatalFailure(); ++size) {
        SCOPED_TRACE(size);
        Image damaged = image;
        damaged[path].resize(size);
        Check(damaged, path, std::nullopt);
      }
    });
  }
}

TEST_F(FileStorageDamageTest, EveryFileMissing) {
  for (const bool clean : {true, false}) {
    SCOPED_TRACE(clean ? "stopped" : "killed");
    const Image image = Live(clean);
    ForEachFile(image, [&](const std::string& path, const std::string&) {
      Image damaged = image;
      damaged.erase(path);
      Check(damaged, path, std::nullopt);
    });
  }
}

// Of what is beside the log, nothing is needed to have all of it.
TEST_F(FileStorageDamageTest, IndexesAreMadeAgain) {
  for (const bool clean : {true, false}) {
    const Image image = Live(clean);
    Image damaged = image;
    for (auto& [path, bytes] : damaged) {
      if (IsIndex(path)) bytes.assign(bytes.size(), '\x55');
    }
    Machine machine({});
    ASSERT_TRUE(Start(machine, damaged).ok());
    EXPECT_TRUE(machine.storage().repairs().empty());
    for (const auto& [path, bytes] : damaged) {
      if (!IsIndex(path) || bytes.empty()) continue;
      EXPECT_NE(*files::ReadFile(machine.fs(), path), bytes) << path;
    }
    const auto log = machine.OpenLog();
    EXPECT_EQ(log->end_offset(), model::Offset(kBatches * kRecords));
    CheckFind(machine, *log);
  }
}

TEST_F(FileStorageDamageTest, ACheckpointThatMakesNoSenseIsDoneWithoutAndNamed) {
  for (const char* const name : {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
                                 "replication-offset-checkpoint"}) {
    Image image = Live(/*clean=*/false);
    image[base::Cat("/data/", name)] = "0\n1\norders 0";
    Machine machine({});
    ASSERT_TRUE(Start(machine, image).ok());
    ASSERT_EQ(machine.storage().repairs().size(), 1u);
    EXPECT_THAT(machine.storage().repairs().front(), HasSubstr(name));
    EXPECT_EQ(machine.OpenLog()->end_offset(), model::Offset(kBatches * kRecords));
  }
}

}  // namespace
}  // namespace kafkalite::storage
