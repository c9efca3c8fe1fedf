#include "kafkalite/coordination/embedded/tree_files.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/embedded/kept_tree.h"
#include "kafkalite/coordination/embedded/random_commits.h"
#include "kafkalite/coordination/embedded/tree_log.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::coordination {
namespace {

using absl::StatusCode;
using files::MemoryFileSystem;
using Call = MemoryFileSystem::Operation;
using Verdict = MemoryFileSystem::Verdict;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr char kFolder[] = "data/tree";
constexpr char kSnapshot[] = "data/tree/tree.snapshot";
constexpr char kJournal[] = "data/tree/tree.journal";

// One process: opens the folder, and appends what a tree in it commits.
class Process {
 public:
  Process(std::shared_ptr<MemoryFileSystem> fs, uint64_t seed, int64_t journal_bytes = 1 << 20)
      : executor_(seed) {
    absl::StatusOr<TreeFiles::Opened> opened =
        TreeFiles::Open(executor_, {std::move(fs), kFolder, journal_bytes});
    status_ = opened.status();
    if (!opened.ok()) return;
    files_ = std::move(opened->files);
    states_.push_back(opened->tree);
    durable_ = opened->tree.last_transaction;
    commits_ = std::make_unique<RandomCommits>(seed, std::move(opened->tree));
    files_->Listen([this](int64_t transaction, const absl::Status& status) {
      status_.Update(status);
      heard_.push_back(status.code());
      if (status.ok()) durable_ = transaction;
    });
  }
  ~Process() { Close(); }

  void Append() {
    KeptCommit commit = commits_->Next();
    KeptTree next = states_.back();
    ASSERT_TRUE(next.Apply(commit).ok());
    states_.push_back(std::move(next));
    files_->Append(commit);
  }
  void RunFor(base::Duration time) { executor_.RunFor(time); }
  void Close() {
    files_ = nullptr;
    executor_.Shutdown();
  }

  // How opening it went, and since then what was heard of a failure.
  const absl::Status& status() const { return status_; }
  const std::vector<StatusCode>& heard() const { return heard_; }
  TreeFiles& files() { return *files_; }
  // What the folder held, and after each commit.
  const std::vector<KeptTree>& states() const { return states_; }
  const KeptTree& first() const { return states_.front(); }
  const KeptTree& last() const { return states_.back(); }
  int64_t durable() const { return durable_; }

 private:
  base::SimExecutor executor_;
  absl::Status status_;
  std::vector<StatusCode> heard_;
  std::unique_ptr<TreeFiles> files_;
  std::unique_ptr<RandomCommits> commits_;
  std::vector<KeptTree> states_;
  int64_t durable_ = 0;
};

class TreeFilesTest : public testing::Test {
 protected:
  Process Start(int64_t journal_bytes = 1 << 20) { return Process(fs_, 1, journal_bytes); }
  // A process that appended this many commits, one by one, and ended. What it made.
  KeptTree AppendAndClose(int commits, int64_t journal_bytes = 1 << 20) {
    Process process(fs_, 1, journal_bytes);
    EXPECT_TRUE(process.status().ok()) << process.status();
    for (int i = 0; i < commits; ++i) {
      process.Append();
      process.RunFor(milliseconds(50));
    }
    EXPECT_EQ(process.durable(), process.last().last_transaction);
    return process.last();
  }
  std::string Bytes(const std::string& path) {
    return files::ReadFile(*fs_, path).value_or("(absent)");
  }
  void Overwrite(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(files::ReplaceFile(*fs_, path, bytes).ok());
  }
  // The calls of this kind fail from now on.
  void FailAll(Call::Kind kind, size_t torn = 0) {
    fs_->SetFault([kind, torn](const Call& call) {
      return call.kind == kind ? Verdict{absl::DataLossError("EIO"), torn} : Verdict{};
    });
  }

  const std::shared_ptr<MemoryFileSystem> fs_ = std::make_shared<MemoryFileSystem>();
};

TEST_F(TreeFilesTest, AnEmptyFolderIsAnEmptyTree) {
  Process process = Start();
  ASSERT_TRUE(process.status().ok()) << process.status();
  EXPECT_EQ(process.first(), KeptTree());
  EXPECT_EQ(Bytes(kJournal), EncodeJournalHeader(0));
}

TEST_F(TreeFilesTest, ANewFolderSurvivesACrashWithAllAboveIt) {
  { Process process = Start(); }
  fs_->Crash({.keep_some = false});
  EXPECT_EQ(Bytes(kJournal), EncodeJournalHeader(0));
}

TEST_F(TreeFilesTest, AFolderThatSomebodyMadeAndDidNotSyncSurvivesACrashFromThenOn) {
  ASSERT_TRUE(fs_->CreateDirectories("data").ok());
  { Process process = Start(); }
  fs_->Crash({.keep_some = false});
  EXPECT_EQ(Bytes(kJournal), EncodeJournalHeader(0));
}

TEST_F(TreeFilesTest, AFolderAboveThatMayNotBeReadIsNoObstacle) {
  ASSERT_TRUE(fs_->CreateDirectories("data").ok());
  fs_->SetFault([](const Call& call) {
    const bool above = call.kind == Call::Kind::kSyncDirectory && call.path != "data" &&
                       !call.path.starts_with("data/");
    return above ? Verdict{absl::InternalError("EACCES")} : Verdict{};
  });
  EXPECT_TRUE(Start().status().ok());
}

TEST_F(TreeFilesTest, CommitsOfOneSyncShareARecord) {
  Process process = Start();
  for (int i = 0; i < 10; ++i) process.Append();
  process.RunFor(milliseconds(100));
  EXPECT_EQ(process.heard(), std::vector{StatusCode::kOk});
  EXPECT_EQ(process.durable(), process.last().last_transaction);
}

TEST_F(TreeFilesTest, WhatWasAppendedIsWrittenAtTheEnd) {
  KeptTree tree;
  {
    Process process = Start();
    for (int i = 0; i < 10; ++i) process.Append();
    tree = process.last();
  }
  fs_->Crash({.keep_some = false});
  EXPECT_EQ(Start().first(), tree);
}

TEST_F(TreeFilesTest, AJournalIsFoldedWhenItIsLargeEnough) {
  const KeptTree tree = AppendAndClose(300, 500);
  EXPECT_EQ(Bytes(kSnapshot).substr(0, 4), "KLTS");
  EXPECT_LT(Bytes(kJournal).size(), 500 + 4 * Bytes(kSnapshot).size());
  EXPECT_EQ(Start().first(), tree);
}

TEST_F(TreeFilesTest, ASmallJournalStaysAndIsFoldedAtTheNextStart) {
  const KeptTree tree = AppendAndClose(20);
  EXPECT_EQ(Bytes(kSnapshot), "(absent)");
  EXPECT_EQ(Start().first(), tree);
  EXPECT_EQ(Bytes(kSnapshot), EncodeSnapshot(tree));
  EXPECT_EQ(Bytes(kJournal), EncodeJournalHeader(tree.last_transaction));
  EXPECT_EQ(Start().first(), tree);
}

TEST_F(TreeFilesTest, AMissingFileIsNotAnEmptyOne) {
  AppendAndClose(5);
  Start().Close();  // folds
  const std::string journal = Bytes(kJournal), snapshot = Bytes(kSnapshot);
  ASSERT_TRUE(fs_->Remove(kJournal).ok());
  absl::Status status = Start().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' is missing"));
  EXPECT_EQ(Bytes(kJournal), "(absent)");

  Overwrite(kJournal, journal);
  ASSERT_TRUE(fs_->Remove(kSnapshot).ok());
  status = Start().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' at byte 8"));

  Overwrite(kSnapshot, snapshot);
  EXPECT_TRUE(Start().status().ok());
}

TEST_F(TreeFilesTest, DamageIsNamedAndLeftAlone) {
  AppendAndClose(5);
  std::string journal = Bytes(kJournal);
  journal[50] ^= 1;
  Overwrite(kJournal, journal);
  absl::Status status = Start().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' at byte 20: a checksum"));
  EXPECT_THAT(status.message(), HasSubstr("Restore both files"));
  EXPECT_EQ(Bytes(kJournal), journal);

  journal[50] ^= 1;
  Overwrite(kJournal, journal);
  ASSERT_TRUE(Start().status().ok());
  ASSERT_TRUE(fs_->Corrupt(kSnapshot, 40, "!").ok());
  status = Start().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("'data/tree/tree.snapshot' at byte 20"));
}

TEST_F(TreeFilesTest, ANewerVersionIsRefusedWithoutARestore) {
  AppendAndClose(1);
  std::string journal = Bytes(kJournal);
  journal[7] = 9;
  Overwrite(kJournal, journal);
  const absl::Status status = Start().status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' at byte 4"));
  EXPECT_THAT(status.message(), Not(HasSubstr("Restore")));
}

TEST_F(TreeFilesTest, AFailedSyncEndsIt) {
  for (const Call::Kind kind : {Call::Kind::kSync, Call::Kind::kWrite}) {
    Process process = Start();
    process.Append();
    process.RunFor(milliseconds(50));
    FailAll(kind);
    process.Append();
    process.RunFor(milliseconds(50));
    fs_->SetFault(nullptr);
    const std::string journal = Bytes(kJournal);
    process.Append();
    process.RunFor(milliseconds(50));
    EXPECT_EQ(process.heard(), (std::vector{StatusCode::kOk, StatusCode::kDataLoss}));
    EXPECT_EQ(process.durable(), process.states()[1].last_transaction);
    EXPECT_EQ(process.files().status().code(), StatusCode::kDataLoss);
    EXPECT_THAT(process.files().status().message(), HasSubstr("EIO"));
    EXPECT_EQ(Bytes(kJournal), journal) << "nothing is written behind what failed";
  }
}

TEST_F(TreeFilesTest, AFullDiskEndsItAndANewStartAfterThatGoesOn) {
  Process process = Start();
  process.Append();
  process.RunFor(milliseconds(50));
  fs_->SetCapacity(static_cast<int64_t>(Bytes(kJournal).size()) + 7);
  process.Append();
  process.RunFor(milliseconds(50));
  EXPECT_EQ(process.files().status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(process.files().status().message(), HasSubstr(kJournal));
  fs_->SetCapacity(-1);
  process.Close();
  EXPECT_EQ(Start().first(), process.states()[1]);
}

TEST_F(TreeFilesTest, AFailedFoldEndsItAfterTheCommitThatCausedIt) {
  Process process = Start(1);
  FailAll(Call::Kind::kRename);
  process.Append();
  process.RunFor(milliseconds(50));
  EXPECT_EQ(process.heard(), (std::vector{StatusCode::kOk, StatusCode::kDataLoss}));
  fs_->SetFault(nullptr);
  process.Close();
  EXPECT_EQ(Start().first(), process.last());
}

// A fold reads back what was written before it throws the journal away.
TEST_F(TreeFilesTest, AJournalThatLostItsEndIsNotFolded) {
  Process process = Start(200);
  process.Append();
  process.RunFor(milliseconds(50));
  const std::string journal = Bytes(kJournal);
  ASSERT_TRUE(fs_->Corrupt(kJournal, static_cast<int64_t>(journal.size()) - 1, "?").ok());
  fs_->SetFault([&](const Call& call) {
    // The last write that fits: cut the file back, as if it had never been made.
    if (call.kind == Call::Kind::kRead && call.path == kJournal) {
      const auto file = fs_->Open(kJournal, files::FileSystem::Mode::kWrite);
      EXPECT_TRUE((*file)->Truncate(static_cast<int64_t>(journal.size())).ok());
    }
    return Verdict{};
  });
  while (process.heard().back() == StatusCode::kOk) {
    process.Append();
    process.RunFor(milliseconds(50));
  }
  EXPECT_EQ(process.files().status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(process.files().status().message(), HasSubstr("was written"));
}

// --- Every point at which it can fail ------------------------------------------------------------

struct Plan {
  uint64_t seed = 0;
  int call = 0;         // the one that fails, from 1
  bool machine = true;  // with the machine; else the rest goes on, and the crash comes after it
  bool only_process = false;  // the first crash leaves the machine running
  size_t torn = 0;
  MemoryFileSystem::CrashOptions crash;
};

// Three processes on one folder, one after the other; the first two write. What was wrong with what
// one of them found; empty if nothing was.
class Story {
 public:
  explicit Story(Plan plan) : plan_(plan) {}

  std::string Run() {
    fs_->SetFault([this](const Call&) { return Ask(); });
    for (int process = 0; process < 3; ++process) {
      Process running(fs_, plan_.seed + static_cast<uint64_t>(process), 250);
      const std::string fault = Judge(running);
      if (!fault.empty()) return base::Cat("process ", process, ": ", fault);
      if (running.status().ok() && process < 2) Work(running);
      running.Close();
      after_ = running.states();
      if (!after_.empty()) {
        allowed_ = after_;
        least_ = running.durable();
      }
      End(process);
    }
    return "";
  }
  int calls() const { return calls_; }

 private:
  Verdict Ask() {
    if (gone_) return {absl::UnavailableError("gone")};
    if (++calls_ != plan_.call) return {};
    if (plan_.machine) {
      gone_ = true;
      fs_->Crash(plan_.crash);
    }
    return {absl::DataLossError("EIO"), plan_.torn};
  }
  std::string Judge(const Process& process) {
    if (!process.status().ok()) {
      // It could not read or write. It must not take that for damage.
      const bool excused = plan_.call > 0 && calls_ >= plan_.call && !judged_fault_;
      judged_fault_ = true;
      return excused ? "" : process.status().ToString();
    }
    if (calls_ >= plan_.call) judged_fault_ = true;
    const auto found = std::find(allowed_.begin(), allowed_.end(), process.first());
    if (found == allowed_.end()) return "a tree that never was";
    if (found->last_transaction < least_) return "a commit that was durable is gone";
    return "";
  }
  void Work(Process& process) {
    for (uint64_t i = 0; i < 14; ++i) {
      process.Append();
      if ((plan_.seed + i) % 3 != 0) process.RunFor(microseconds(150 + 20 * i));
    }
  }
  void End(int process) {
    if (std::exchange(gone_, false)) return;
    if (plan_.only_process && process == 0) {
      fs_->Kill();
    } else {
      fs_->Crash(plan_.crash);
    }
  }

  const Plan plan_;
  const std::shared_ptr<MemoryFileSystem> fs_ = std::make_shared<MemoryFileSystem>();
  int calls_ = 0;
  bool gone_ = false;
  bool judged_fault_ = false;
  std::vector<KeptTree> after_;
  std::vector<KeptTree> allowed_{KeptTree()};
  int64_t least_ = 0;
};

TEST(TreeFilesCrashTest, WhatWasDurableIsThereAfterAFailureAtAnyPoint) {
  int calls = 0;
  {
    Story story({});
    ASSERT_EQ(story.Run(), "");
    calls = story.calls();
  }
  EXPECT_GT(calls, 60) << "opens, writes, syncs, folds";
  for (int call = 1; call <= calls + 5; ++call) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
      Story story({.seed = seed,
                   .call = call,
                   .machine = seed % 2 == 0,
                   .only_process = seed % 7 == 0,
                   .torn = seed % 5 * 11,
                   .crash = {.seed = seed, .keep_some = seed % 3 != 0, .in_order = seed % 4 != 0}});
      ASSERT_EQ(story.Run(), "") << "call " << call << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace kafkalite::coordination
