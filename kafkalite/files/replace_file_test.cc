// ReplaceFile at every point where it can fail or the machine can crash: old or new, no mixture.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;
using Operation = MemoryFileSystem::Operation;
using Verdict = MemoryFileSystem::Verdict;

constexpr std::string_view kOld = "what was there before";
constexpr std::string_view kNew = "and what comes";
constexpr uint64_t kSeeds = 60;

using Replace = std::function<absl::Status(FileSystem&)>;

absl::Status Good(FileSystem& fs) { return ReplaceFile(fs, "folder/f", kNew); }

absl::Status Write(FileSystem& fs, const std::string& path, bool sync) {
  const auto file = fs.Open(path, Mode::kTruncate);
  if (!file.ok()) return file.status();
  const std::string_view pieces[] = {kNew};
  const absl::Status status = (*file)->WriteAt(0, pieces);
  return status.ok() && sync ? (*file)->Sync() : status;
}

// One failure in the life of a file, and a crash.
struct Plan {
  int operation = 0;    // the one that fails, from 1
  bool machine = true;  // with the machine; else the rest goes on, and the crash comes after it
  size_t torn = 0;      // of a write that fails
  MemoryFileSystem::CrashOptions crash;
};

struct Outcome {
  absl::Status status;
  std::string contents;
  int operations = 0;
};

Outcome Play(const Replace& replace, const Plan& plan) {
  MemoryFileSystem fs;
  EXPECT_TRUE(fs.CreateDirectories("folder").ok());
  EXPECT_TRUE(fs.SyncDirectory("/").ok());
  EXPECT_TRUE(ReplaceFile(fs, "folder/f", kOld).ok());
  Outcome outcome;
  fs.SetFault([&](const Operation&) {
    ++outcome.operations;
    if (plan.operation == 0 || outcome.operations < plan.operation) return Verdict{};
    if (outcome.operations == plan.operation) {
      if (plan.machine) fs.Crash(plan.crash);
      return Verdict{absl::DataLossError("EIO"), plan.torn};
    }
    return plan.machine ? Verdict{absl::UnavailableError("gone")} : Verdict{};
  });
  outcome.status = replace(fs);
  fs.SetFault(nullptr);
  fs.Crash(plan.crash);
  outcome.contents = ReadFile(fs, "folder/f").value_or("(absent)");
  return outcome;
}

// The first thing that is wrong with `replace`; empty if nothing is.
std::string Fault(const Replace& replace) {
  const int operations = Play(replace, {}).operations;
  // One more than there are: the crash after the last.
  for (int k = 1; k <= operations + 1; ++k) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const Plan plan = {
          .operation = k,
          .machine = seed % 2 == 0,
          .torn = seed % (kNew.size() + 1),
          .crash = {.seed = seed, .keep_some = seed % 3 != 0, .in_order = seed % 5 != 0}};
      const Outcome outcome = Play(replace, plan);
      if (outcome.contents == kNew) continue;
      if (outcome.status.ok()) return base::Cat("it said OK, there is: ", outcome.contents);
      if (outcome.contents != kOld) return base::Cat("a mixture: ", outcome.contents);
    }
  }
  return "";
}

TEST(ReplaceFileTest, TheOldOrTheNewIsThereAfterACrashAtAnyPoint) { EXPECT_EQ(Fault(Good), ""); }

TEST(ReplaceFileTest, EveryFailureIsReported) {
  const int operations = Play(Good, {}).operations;
  EXPECT_GE(operations, 5) << "open, write, sync, rename, sync the folder";
  for (int k = 1; k <= operations; ++k) {
    EXPECT_EQ(Play(Good, {.operation = k, .machine = false}).status.code(),
              absl::StatusCode::kDataLoss)
        << k;
  }
}

TEST(ReplaceFileTest, AfterAFailureTheNextOneSucceeds) {
  for (int k = 1; k <= 5; ++k) {
    MemoryFileSystem fs;
    int operations = 0;
    fs.SetFault([&](const Operation&) {
      return Verdict{++operations == k ? absl::DataLossError("EIO") : absl::OkStatus(), 3};
    });
    EXPECT_FALSE(ReplaceFile(fs, "f", kOld).ok());
    EXPECT_TRUE(ReplaceFile(fs, "f", kNew).ok());
    fs.Crash({.keep_some = false});
    EXPECT_EQ(ReadFile(fs, "f").value(), kNew) << k;
    EXPECT_EQ(fs.List("/").value(), std::vector<std::string>{"f"});
  }
}

TEST(ReplaceFileTest, AFullDiskKeepsTheOldAndGetsItsRoomBack) {
  MemoryFileSystem fs;
  ASSERT_TRUE(ReplaceFile(fs, "f", kOld).ok());
  fs.SetCapacity(static_cast<int64_t>(kOld.size()) + 4);
  EXPECT_EQ(ReplaceFile(fs, "f", kNew).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(fs, "f").value(), kOld);
  EXPECT_EQ(fs.List("/").value(), std::vector<std::string>{"f"});
}

// --- That the search above finds what it is for --------------------------------------------------

constexpr std::string_view kMixture = "a mixture";
constexpr std::string_view kNotDurable = "it said OK";

TEST(ReplaceFileTest, WritingInPlaceIsFoundOut) {
  const std::string fault = Fault([](FileSystem& fs) { return Write(fs, "folder/f", true); });
  EXPECT_TRUE(fault.starts_with(kMixture)) << fault;
}

TEST(ReplaceFileTest, RenamingWhatWasNotSyncedIsFoundOut) {
  const std::string fault = Fault([](FileSystem& fs) {
    absl::Status status = Write(fs, "folder/f.tmp", false);
    if (status.ok()) status = fs.Rename("folder/f.tmp", "folder/f");
    return status.ok() ? fs.SyncDirectory("folder") : status;
  });
  EXPECT_TRUE(fault.starts_with(kMixture)) << fault;
}

TEST(ReplaceFileTest, NotSyncingTheFolderIsFoundOut) {
  const std::string fault = Fault([](FileSystem& fs) {
    const absl::Status status = Write(fs, "folder/f.tmp", true);
    return status.ok() ? fs.Rename("folder/f.tmp", "folder/f") : status;
  });
  EXPECT_TRUE(fault.starts_with(kNotDurable)) << fault;
}

TEST(ReplaceFileTest, RemovingTheOldOneFirstIsFoundOut) {
  const std::string fault = Fault([](FileSystem& fs) {
    absl::Status status = Write(fs, "folder/f.tmp", true);
    if (status.ok()) status = fs.Remove("folder/f");
    if (status.ok()) status = fs.Rename("folder/f.tmp", "folder/f");
    return status.ok() ? fs.SyncDirectory("folder") : status;
  });
  EXPECT_TRUE(fault.starts_with(kMixture)) << fault;
}

}  // namespace
}  // namespace kafkalite::files
