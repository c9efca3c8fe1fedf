// File storage against a model: random operations on one log, stops, kills and losses of power, by
// seed. The model knows every batch that was ever appended, and which one was before it.
//
//   KAFKALITE_SEED=17 file_storage_model_test       runs one seed, and tells what it does
//   KAFKALITE_SEEDS=10000 file_storage_model_test   runs so many
//
// What is checked, whenever the log is opened again:
//   - It is a piece of one history: each batch follows the one that it was appended after.
//   - After a loss of power it has what was synced, after a kill what was written, after a stop
//     everything.
//   - No byte of it differs from what was appended.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/storage/file/machine_fixture.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using Kind = files::MemoryFileSystem::Operation::Kind;
using std::chrono::milliseconds;

// A batch that was appended once.
struct Appended {
  int64_t base = 0;
  int64_t next = 0;
  int64_t timestamp = 0;  // of all of its records
  uint64_t log_id = 0;
  std::string bytes;
  const Appended* before = nullptr;  // what the log ended with then; null: nothing
  int64_t end_before = 0;            // where it ended then
};

// What the log should hold.
struct Model {
  int64_t start = 0;
  int64_t end = 0;
  // Also those that end before the start: a crash may bring them back.
  std::vector<const Appended*> batches;

  void DropBefore(int64_t new_start) {
    start = std::max(start, new_start);
    if (start <= end) return;
    end = start;
    batches.clear();
  }
  bool Has(const Appended& batch) const { return batch.next > start; }
  void DropFrom(int64_t new_end) {
    std::erase_if(batches, [new_end](const Appended* batch) { return batch->next > new_end; });
    end = std::min(end, new_end);
    start = std::min(start, end);
  }
};

// What was written under a name, and whether that is durable for certain.
struct MetadataModel {
  std::optional<std::string> last;       // none: deleted
  std::optional<int64_t> durable_after;  // once the log is synced so far; none: never for certain
};

class Run {
 public:
  Run(uint64_t seed, bool verbose)
      : random_(seed),
        verbose_(verbose),
        machine_({.seed = seed, .cached_bytes = CachedBytes(), .max_open_files = MaxOpenFiles()}) {}

  // Everything; stops at the first thing that is wrong, which is then in story().
  void Execute(int steps) {
    Start(/*crashed=*/false);
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      Step();
      if (log_ != nullptr) CheckFacts();
    }
  }
  const std::string& story() const { return story_; }

 private:
  int64_t CachedBytes() { return random_.OneIn(2) ? 0 : random_.Between(1, 4000); }

  size_t MaxOpenFiles() { return random_.OneIn(2) ? 0 : random_.Below(5) + 1; }

  template <class... T>
  void Say(const T&... parts) {
    story_ += base::Cat("  ", parts..., "\n");
    if (verbose_) std::cerr << base::Cat("  ", parts..., "\n");
  }

  // --- Operations -------------------------------------------------------------------------------

  void Step() {
    const uint64_t dice = random_.Below(100);
    if (dice < 30) return Append();
    if (dice < 45) return Pass();
    if (dice < 52) return Sync();
    if (dice < 57) return TruncateSuffix();
    if (dice < 61) return TruncatePrefix();
    if (dice < 65) return Retain();
    if (dice < 70) return WriteMetadata();
    if (dice < 73) return Configure();
    if (dice < 83) return Read();
    if (dice < 87) return Find();
    if (dice < 89) return Reopen();
    if (dice < 90) return DeleteLog();
    if (dice < 92) return Stop();
    if (dice < 95) return Kill();
    return Crash();
  }

  void Append() {
    std::vector<format::Batch> batches;
    for (int64_t i = random_.Between(1, 4); i > 0; --i) {
      const int64_t base = model_.end + (random_.OneIn(20) ? random_.Between(1, 50) : 0);
      batches.push_back(Make(base));
    }
    Say("append [", batches.front().header.base_offset.value(), ", ", model_.end, ")");
    const absl::Status status = log_->Append(batches);
    EXPECT_TRUE(status.ok()) << status;
  }

  format::Batch Make(int64_t base) {
    now_ += random_.Between(-20, 40);
    const auto records = static_cast<size_t>(random_.Between(1, 4));
    format::Batch batch = MakeBatch({.offset = base,
                                     .timestamps = std::vector<int64_t>(records, now_),
                                     .epoch = epoch_,
                                     .value_bytes = static_cast<size_t>(random_.Between(1, 200))});
    auto appended = std::make_unique<Appended>();
    *appended = {.base = base,
                 .next = batch.header.next_offset().value(),
                 .timestamp = now_,
                 .log_id = origin(),
                 .bytes = BytesOf(batch),
                 .before = model_.batches.empty() ? nullptr : model_.batches.back(),
                 .end_before = model_.end};
    model_.end = appended->next;
    model_.batches.push_back(appended.get());
    all_[{base, epoch_}] = std::move(appended);
    return batch;
  }

  // Mostly a part of what is under way; sometimes until the next checkpoint.
  void Pass() {
    const milliseconds time(random_.OneIn(10) ? 61'000 : random_.Between(1, 30));
    Say("pass ", time.count(), " ms");
    machine_.Run(time);
  }

  void Sync() {
    Say("sync");
    log_->Sync();
    for (auto& [name, written] : metadata_) {
      if (!written.durable_after.has_value()) continue;
      written.durable_after = std::min(*written.durable_after, model_.end + 1);
    }
  }

  // To a border between batches, as replication does, sometimes before the start.
  void TruncateSuffix() {
    const int64_t end = model_.batches.empty() ? model_.start : Any(model_.batches)->base;
    if (end < model_.start && !random_.OneIn(5)) return;
    Say("truncate to ", end);
    // All of it goes then, and a crash brings back anything.
    int64_t& start = starts_[origin()];
    if (end < model_.start) start = std::max(start, model_.end);
    EXPECT_TRUE(log_->TruncateSuffix(model::Offset(end)).ok());
    model_.DropFrom(end);
    ++epoch_;  // what comes next is another leader's
  }

  void TruncatePrefix() {
    const int64_t beyond = random_.OneIn(10) ? random_.Between(1, 30) : 0;
    const int64_t start = beyond > 0 ? model_.end + beyond : Between(model_.start, model_.end);
    Say("start at ", start);
    EXPECT_TRUE(log_->TruncatePrefix(model::Offset(start)).ok());
    model_.DropBefore(start);
  }

  void Retain() {
    const Log::Retention retention = {
        .oldest_timestamp = random_.OneIn(2) ? now_ - random_.Between(0, 500) : -1,
        .retained_bytes = random_.OneIn(2) ? random_.Between(0, 5000) : -1,
        .keep_from = model::Offset(Between(model_.start, model_.end))};
    EXPECT_TRUE(log_->Retain(retention).ok());
    const int64_t start = log_->start_offset().value();
    Say("retain bytes ", retention.retained_bytes, ", timestamps ", retention.oldest_timestamp,
        ", offsets ", retention.keep_from.value(), ": start at ", start);
    EXPECT_GE(start, model_.start);
    for (const Appended* batch : model_.batches) {
      if (batch->next > start) break;
      if (!model_.Has(*batch)) continue;
      EXPECT_LE(batch->next, retention.keep_from.value());
      EXPECT_TRUE(retention.retained_bytes >= 0 || batch->timestamp < retention.oldest_timestamp);
    }
    model_.DropBefore(start);
  }

  void WriteMetadata() {
    static constexpr const char* kNames[] = {"leader-epoch-checkpoint", "x", "y.z"};
    const std::string name = kNames[random_.Below(3)];
    MetadataModel& written = metadata_[name];
    written.durable_after = model_.end + 1;
    if (random_.OneIn(4)) {
      Say("delete ", name);
      written.last = std::nullopt;
      return log_->DeleteMetadata(name);
    }
    written.last = std::string(random_.Below(100), static_cast<char>('a' + random_.Below(26)));
    Say("write ", written.last->size(), " bytes to ", name);
    log_->WriteMetadata(name, *written.last);
  }

  void Configure() {
    model::TopicConfig config;
    config.segment_bytes = static_cast<int32_t>(random_.Between(1, 3000));
    config.index_interval_bytes = static_cast<int32_t>(random_.Between(1, 600));
    if (random_.OneIn(3)) config.segment_index_bytes = static_cast<int32_t>(random_.Between(8, 80));
    if (random_.OneIn(3)) config.segment_ms = random_.Between(0, 300);
    if (random_.OneIn(2)) config.flush_messages = random_.Between(1, 20);
    if (random_.OneIn(2)) config.flush_ms = random_.Between(0, 100);
    Say("segments of ", config.segment_bytes, " bytes, flush.messages ", config.flush_messages);
    log_->Configure(config);
  }

  // --- Reading ----------------------------------------------------------------------------------

  void Read() {
    const int64_t from = Between(model_.start, model_.end);
    const int64_t written = log_->progress().written.value();
    const auto read = machine_.Read(*log_, from, static_cast<size_t>(random_.Between(1, 3000)));
    Say("read from ", from);
    ASSERT_TRUE(read.ok()) << read.status();
    size_t i = 0;
    while (i < model_.batches.size() && model_.batches[i]->next <= from) ++i;
    // From within a gap, what follows is only found once it is written.
    const bool is_hidden = i < model_.batches.size() && model_.batches[i]->base > from &&
                           model_.batches[i]->next > written;
    EXPECT_TRUE(!read->empty() || is_hidden || i == model_.batches.size());
    for (const format::Batch& batch : *read) {
      ASSERT_LT(i, model_.batches.size());
      EXPECT_EQ(BytesOf(batch), model_.batches[i++]->bytes);
    }
  }

  void Find() {
    const int64_t timestamp = now_ - random_.Between(-10, 500);
    Say("find ", timestamp);
    const auto found = machine_.Find(*log_, timestamp);
    ASSERT_TRUE(found.ok()) << found.status();
    int64_t expected = -1;
    for (const Appended* batch : model_.batches) {
      if (!model_.Has(*batch) || batch->timestamp < timestamp) continue;
      expected = std::max(batch->base, model_.start);
      break;
    }
    EXPECT_EQ(found->has_value() ? (*found)->offset.value() : -1, expected);
  }

  // What holds at all times.
  void CheckFacts() {
    const Progress progress = log_->progress();
    int64_t& start = starts_[origin()];
    start = std::max(start, model_.start);
    EXPECT_EQ(log_->start_offset().value(), model_.start);
    EXPECT_EQ(log_->end_offset().value(), model_.end);
    EXPECT_FALSE(progress.failed);
    EXPECT_LE(progress.written.value(), model_.end);
    EXPECT_LE(progress.synced, progress.written);
  }

  // --- Ends and beginnings ----------------------------------------------------------------------

  void Reopen() {
    Say("close and open");
    log_.reset();
    Open();
  }

  void DeleteLog() {
    Say("delete");
    log_.reset();
    if (random_.OneIn(2)) {
      EXPECT_TRUE(machine_.Delete(0).ok());
    } else {
      machine_.storage().Delete(Machine::Tp(), [](const absl::Status&) {});
    }
    model_ = {};
    metadata_.clear();
    ++epoch_;
    Open();
  }

  void Stop() {
    Say("stop");
    log_.reset();
    const absl::Status stopped = machine_.Stop();
    ASSERT_TRUE(stopped.ok()) << stopped;
    required_ = model_.end;
    Start(/*crashed=*/false);
    if (testing::Test::HasFailure()) return;
    for (const std::string& repair : machine_.storage().repairs()) {
      // A start in a gap, and a truncation to the end of that.
      EXPECT_TRUE(repair.ends_with("it is emptied")) << repair;
    }
  }

  void Kill() {
    Say("kill");
    required_ = log_->progress().written.value();
    log_.reset();
    machine_.Kill();
    metadata_.clear();  // what of it was under way is not known
    Start(/*crashed=*/false);
  }

  // At once, or in the midst of what is under way: of its operations or of the next start's.
  void Crash() {
    if (random_.OneIn(3)) {
      Say("crash");
      Lose();
    } else {
      CrashAfter(random_.Below(30));
      machine_.Run(milliseconds(random_.Between(1, 30)));
      Say(is_down_ ? "crash under way" : "crash");
      if (!is_down_) Lose();
    }
    required_ = log_->progress().synced.value();
    Say("required: ", required_);
    for (auto it = metadata_.begin(); it != metadata_.end();) {
      const bool is_durable =
          it->second.durable_after.has_value() && required_ >= *it->second.durable_after;
      it = is_durable ? std::next(it) : metadata_.erase(it);
    }
    log_.reset();
    machine_.Crash({.keep_some = false});  // of what nothing is left: the process is gone
    machine_.fs().SetFault(nullptr);
    is_down_ = false;
    Start(/*crashed=*/true);
  }

  void Lose() {
    is_down_ = true;
    machine_.fs().Crash(
        {.seed = random_.Next(), .keep_some = !random_.OneIn(5), .in_order = random_.OneIn(2)});
  }

  // Loses power before so many operations have been done, and lets none pass from then on.
  void CrashAfter(uint64_t operations) {
    machine_.fs().SetFault([this, left = operations](const auto&) mutable {
      if (!is_down_ && left-- == 0) Lose();
      if (!is_down_) return files::MemoryFileSystem::Verdict{};
      return files::MemoryFileSystem::Verdict{absl::UnavailableError("no power")};
    });
  }

  void Start(bool crashed) {
    while (crashed && random_.OneIn(3)) {
      CrashAfter(random_.Below(40));
      const bool started = machine_.Start().ok();
      machine_.fs().SetFault(nullptr);
      if (!is_down_) Lose();
      Say(started ? "started, crash" : "crash while it starts");
      machine_.Crash({.keep_some = false});
      is_down_ = false;
    }
    const absl::Status started = machine_.Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const std::string& repair : machine_.storage().repairs()) Say(repair);
    Open();
    Adopt(crashed);
  }

  uint64_t origin() const { return log_->id().value() >> 8; }

  void Open() {
    log_ = machine_.OpenLog(0, ++last_log_id_ << 8);  // see model::LogId
    ASSERT_NE(log_, nullptr);
    Configure();
  }

  // Compares what is there with what may be, and goes on with it.
  void Adopt(bool crashed) {
    std::vector<format::Batch> batches;
    const absl::Status status = machine_.ReadAll(*log_, log_->start_offset().value(), batches);
    ASSERT_TRUE(status.ok()) << status;
    Model found{log_->start_offset().value(), log_->end_offset().value(), {}};
    for (const format::Batch& batch : batches) {
      const auto known =
          all_.find({batch.header.base_offset.value(), batch.header.leader_epoch.value()});
      ASSERT_NE(known, all_.end()) << batch.header.base_offset.value() << " was never appended";
      Appended* const appended = known->second.get();
      ASSERT_EQ(BytesOf(batch), appended->bytes) << batch.header.base_offset.value();
      if (!found.batches.empty()) {
        // Without one before it, it was appended to a log whose batches had been let go.
        const Appended* const last = found.batches.back();
        ASSERT_TRUE(appended->before == last ||
                    (appended->before == nullptr && appended->end_before == last->next))
            << appended->base << " is not what followed " << last->next;
      }
      found.batches.push_back(appended);
    }
    Say("found [", found.start, ", ", found.end, ")");
    EXPECT_LE(found.start, starts_[origin()]);
    for (const Appended* batch : model_.batches) {
      if (batch->next > required_) break;
      if (!model_.Has(*batch)) continue;
      EXPECT_NE(std::find(found.batches.begin(), found.batches.end(), batch), found.batches.end())
          << batch->base << " is lost";
    }
    if (!found.batches.empty()) {
      EXPECT_EQ(origin(), found.batches.front()->log_id);
    }
    if (model::SameOrigin(log_->id(), last_id_)) {
      EXPECT_EQ(log_->id() == last_id_, !crashed && machine_.storage().repairs().empty());
    }
    last_id_ = log_->id();
    CheckMetadata();
    model_ = std::move(found);
    ++epoch_;
  }

  void CheckMetadata() {
    const auto all = machine_.Metadata(*log_);
    ASSERT_TRUE(all.ok()) << all.status();
    for (auto& [name, written] : metadata_) {
      const auto present = all->find(name);
      if (!written.last.has_value()) {
        EXPECT_EQ(present, all->end()) << name;
        continue;
      }
      ASSERT_NE(present, all->end()) << name;
      EXPECT_EQ(present->second, *written.last) << name;
    }
  }

  // --- Chance -----------------------------------------------------------------------------------

  int64_t Between(int64_t low, int64_t high) { return random_.Between(low, high); }
  template <class T>
  const T& Any(const std::vector<T>& all) {
    return all[random_.Below(all.size())];
  }

  base::Random random_;
  const bool verbose_;
  Machine machine_;
  std::unique_ptr<Log> log_;
  std::string story_;

  std::map<std::pair<int64_t, int32_t>, std::unique_ptr<Appended>> all_;  // by base and epoch
  Model model_;
  std::map<uint64_t, int64_t> starts_;  // the last start of each log, by id
  std::map<std::string, MetadataModel> metadata_;
  int64_t required_ = 0;  // what ends before it has to be there
  int64_t now_ = 100'000;
  int32_t epoch_ = 0;
  uint64_t last_log_id_ = 1000;
  model::LogId last_id_;  // at the last start
  bool is_down_ = false;
};

void RunSeed(uint64_t seed, bool verbose) {
  Run run(seed, verbose);
  run.Execute(/*steps=*/120);
  if (testing::Test::HasFailure()) {
    ADD_FAILURE() << "with KAFKALITE_SEED=" << seed << ":\n" << run.story();
  }
}

uint64_t NumberOf(const char* variable, uint64_t otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(FileStorageModelTest, IsWhatWasAppendedAndKeepsWhatWasSynced) {
  if (const uint64_t seed = NumberOf("KAFKALITE_SEED", 0); seed != 0) {
    return RunSeed(seed, /*verbose=*/true);
  }
  const uint64_t seeds = NumberOf("KAFKALITE_SEEDS", 400);
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) RunSeed(seed, /*verbose=*/false);
}

}  // namespace
}  // namespace kafkalite::storage
