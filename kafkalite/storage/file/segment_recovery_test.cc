// Segments after stops of every kind, over a file system that loses and fails what it is told to.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/storage/file/segment.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using format::Batch;
using format::BatchHeader;
using model::LeaderEpoch;
using Recovered = Segment::Recovered;
using Operation = files::MemoryFileSystem::Operation;
using Kind = Operation::Kind;
using Verdict = files::MemoryFileSystem::Verdict;

const std::string kFolder = "t-0";

// What a test did to a segment, and what has to be there after a crash.
struct Story {
  // What the segment held, one after the other: after each truncation and at the end.
  std::vector<Batches> pasts = {{}};
  size_t synced = 0;    // batches of the last one that are durable
  bool exists = false;  // durably

  Batches& now() { return pasts.back(); }
};

class SegmentRecoveryTest : public SegmentFixture {
 protected:
  static SegmentOptions Options(files::FileSystem& fs) {
    SegmentOptions options = SegmentFixture::Options(fs, kFolder);
    options.index_interval_bytes = 200;  // some entries in a few batches
    return options;
  }
  static std::unique_ptr<files::MemoryFileSystem> NewFileSystem() {
    auto fs = std::make_unique<files::MemoryFileSystem>();
    EXPECT_TRUE(fs->CreateDirectories(kFolder).ok());
    EXPECT_TRUE(fs->SyncDirectory("/").ok());
    return fs;
  }
  static std::string Contents(files::FileSystem& fs, const std::string& suffix) {
    return files::ReadFile(fs, PathOf(kFolder, suffix)).value_or("(absent)");
  }
  // A sealed segment, all of it durable.
  static void Make(files::FileSystem& fs, const Batches& batches) {
    const SegmentPtr segment = Segment::Create(Options(fs)).value();
    ASSERT_TRUE(segment->Append(batches).ok());
    ASSERT_TRUE(segment->Sync().ok());
    ASSERT_TRUE(segment->Seal().ok());
    ASSERT_TRUE(segment->SyncIndexes().ok());
  }
  static absl::StatusOr<Recovered> Recover(files::FileSystem& fs, int64_t synced_before = 0) {
    return Segment::Recover(Options(fs), {.synced_before = Offset(synced_before)},
                            [](const auto&) {});
  }
  // A life of a segment, with all that can happen to one. Ends at the first error.
  static absl::Status Live(files::FileSystem& fs, Story& story);
  static absl::Status Append(Segment& segment, Story& story, int count, size_t bytes, int epoch);
  static absl::Status Sync(Segment& segment, Story& story);

  // The file system stands still from its n-th call on, for good.
  static void FailFrom(files::MemoryFileSystem& fs, int64_t n, absl::Status status,
                       size_t torn = 0) {
    fs.SetFault([n, status = std::move(status), torn,
                 calls = int64_t{0}](const Operation&) mutable -> Verdict {
      return calls++ < n ? Verdict{} : Verdict{status, torn};
    });
  }
  static int64_t CountCalls() {
    const auto fs = NewFileSystem();
    int64_t calls = 0;
    fs->SetFault([&calls](const Operation&) {
      ++calls;
      return Verdict{};
    });
    Story story;
    EXPECT_TRUE(Live(*fs, story).ok());
    return calls;
  }

  // Whether what was recovered is the beginning of what once was, with all that was durable.
  static void Check(const Segment& segment, const Story& story) {
    const auto batches = segment.Read(Offset(kBase), kNoLimits);
    ASSERT_TRUE(batches.ok()) << batches.status();
    const std::string bytes = BytesOf(*batches);
    const bool known =
        std::any_of(story.pasts.begin(), story.pasts.end(), [&](const Batches& past) {
          return batches->size() <= past.size() &&
                 BytesOf(Batches(past.begin(),
                                 past.begin() + static_cast<int64_t>(batches->size()))) == bytes;
        });
    ASSERT_TRUE(known) << batches->size() << " batches that never were";
    const Batches& last = story.pasts.back();
    const Batches synced(last.begin(), last.begin() + static_cast<int64_t>(story.synced));
    ASSERT_TRUE(bytes.starts_with(BytesOf(synced))) << "lost what was synced";
    ASSERT_EQ(segment.size_bytes(), static_cast<int64_t>(bytes.size()));
    if (!batches->empty()) {
      ASSERT_EQ(segment.next_offset(), batches->back().header.next_offset());
    }
  }
  // Recovers, checks, and does both again: nothing is left to do.
  static void RecoverAndCheck(files::MemoryFileSystem& fs, const Story& story, bool trust_synced) {
    const int64_t synced_before =
        trust_synced && story.synced > 0
            ? story.pasts.back()[story.synced - 1].header.next_offset().value()
            : 0;
    const auto first = Recover(fs, synced_before);
    if (absl::IsNotFound(first.status())) {
      ASSERT_FALSE(story.exists) << first.status();
      return;
    }
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_NO_FATAL_FAILURE(Check(*first->segment, story));
    const std::string log = Contents(fs, ".log");
    const std::string index = Contents(fs, ".index");
    const std::string times = Contents(fs, ".timeindex");
    const auto second = Recover(fs, synced_before);
    ASSERT_TRUE(second.ok()) << second.status();
    ASSERT_FALSE(second->cut.has_value()) << second->cut->reason;
    ASSERT_EQ(Contents(fs, ".log"), log);
    ASSERT_EQ(Contents(fs, ".index"), index);
    ASSERT_EQ(Contents(fs, ".timeindex"), times);
    const auto opened = Segment::Open(Options(fs));
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_EQ((*opened)->next_offset(), second->segment->next_offset());
    ASSERT_EQ((*opened)->max_timestamp(), second->segment->max_timestamp());
  }
};

absl::Status SegmentRecoveryTest::Append(Segment& segment, Story& story, int count, size_t bytes,
                                         int epoch) {
  const Batches batches = Sequence(segment.next_offset().value(), count, bytes, epoch);
  // Before it is done: some of it may be found, or all.
  const Batches before = story.now();
  story.now().insert(story.now().end(), batches.begin(), batches.end());
  const absl::Status status = segment.Append(batches);
  if (!status.ok()) story.pasts.push_back(before);
  return status;
}

absl::Status SegmentRecoveryTest::Sync(Segment& segment, Story& story) {
  const absl::Status status = segment.Sync();
  if (!status.ok()) return status;
  story.synced = story.now().size();
  story.exists = true;
  return status;
}

absl::Status SegmentRecoveryTest::Live(files::FileSystem& fs, Story& story) {
  auto created = Segment::Create(Options(fs));
  if (!created.ok()) return created.status();
  Segment& segment = **created;
  absl::Status status = Append(segment, story, 2, 10, 0);
  if (status.ok()) status = Append(segment, story, 3, 80, 1);
  if (status.ok()) status = Sync(segment, story);
  if (status.ok()) status = Append(segment, story, 1, 300, 1);
  if (status.ok()) status = Append(segment, story, 4, 20, 2);
  if (status.ok()) status = Sync(segment, story);
  if (status.ok()) status = Append(segment, story, 3, 40, 2);
  if (!status.ok()) return status;

  // Another leader's log goes on elsewhere. From here on nobody relies on what goes.
  constexpr size_t kKept = 7;
  const Batches old = story.now();
  story.pasts.emplace_back(old.begin(), old.begin() + kKept);
  story.synced = kKept;
  status = segment.TruncateSuffix(old[kKept].header.base_offset);
  if (status.ok()) status = Append(segment, story, 2, 70, 3);
  if (status.ok()) status = Append(segment, story, 2, 20, 3);
  if (status.ok()) status = segment.Seal();
  if (status.ok()) status = Sync(segment, story);
  if (status.ok()) status = segment.SyncIndexes();
  if (status.ok()) status = Append(segment, story, 2, 30, 4);
  if (status.ok()) status = segment.Seal();
  return status;
}

// --- Crashes -------------------------------------------------------------------------------------

TEST_F(SegmentRecoveryTest, ACrashOfTheMachineAtEveryCall) {
  const int64_t calls = CountCalls();
  ASSERT_GT(calls, 25);
  std::set<size_t> sizes;
  for (int64_t n = 0; n <= calls; ++n) {
    for (uint64_t seed = 0; seed < 24; ++seed) {
      const auto fs = NewFileSystem();
      FailFrom(*fs, n, absl::InternalError("the machine is off"), seed % 3 * 50);
      Story story;
      Live(*fs, story).IgnoreError();
      fs->SetFault(nullptr);
      fs->Crash({.seed = seed, .in_order = seed % 2 == 0});
      ASSERT_NO_FATAL_FAILURE(RecoverAndCheck(*fs, story, seed % 4 < 2)) << n << " seed " << seed;
      sizes.insert(Contents(*fs, ".log").size());
    }
  }
  EXPECT_GT(sizes.size(), 8u) << "the crashes are all alike";
}

TEST_F(SegmentRecoveryTest, ACrashOfTheProcessAtEveryCallLosesNothing) {
  const int64_t calls = CountCalls();
  for (int64_t n = 0; n <= calls; ++n) {
    const auto fs = NewFileSystem();
    FailFrom(*fs, n, absl::InternalError("the process is gone"));
    Story story;
    Live(*fs, story).IgnoreError();
    fs->SetFault(nullptr);
    fs->Kill();
    // What was written is as safe as what is synced after a crash of the machine.
    story.synced = story.pasts.back().size();
    ASSERT_NO_FATAL_FAILURE(RecoverAndCheck(*fs, story, false)) << n;
  }
}

TEST_F(SegmentRecoveryTest, ACrashInRecoveryIsRecoveredFrom) {
  const int64_t calls = CountCalls();
  for (uint64_t seed = 0; seed < 150; ++seed) {
    const auto fs = NewFileSystem();
    base::Random random(seed);
    FailFrom(*fs, random.Between(10, calls), absl::InternalError("the machine is off"));
    Story story;
    Live(*fs, story).IgnoreError();
    for (int64_t n = 0; n < 12; ++n) {
      fs->SetFault(nullptr);
      fs->Crash({.seed = random.Next(), .in_order = seed % 2 == 0});
      FailFrom(*fs, n, absl::InternalError("the machine is off again"));
      Recover(*fs).IgnoreError();
    }
    fs->SetFault(nullptr);
    fs->Crash({.seed = seed});
    ASSERT_NO_FATAL_FAILURE(RecoverAndCheck(*fs, story, true)) << seed;
  }
}

TEST_F(SegmentRecoveryTest, WhatWasCutDoesNotComeBackBehindWhatIsAppended) {
  // The third batch is torn, the fourth is whole and would follow another third one.
  const Batches batches = Sequence(kBase, 4);
  const size_t size = batches[0].size_bytes();
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto fs = NewFileSystem();
    Make(*fs, batches);
    ASSERT_TRUE(fs->Corrupt(PathOf(kFolder, ".log"), static_cast<int64_t>(3 * size - 1), "?").ok());
    const Recovered recovered = Recover(*fs).value();
    ASSERT_EQ(recovered.cut->position, static_cast<int64_t>(2 * size));
    ASSERT_TRUE(recovered.segment->Append(std::span(batches).subspan(2, 1)).ok());
    fs->Crash({.seed = seed, .in_order = seed % 2 == 0});
    ASSERT_LE(ReadAll(*Recover(*fs)->segment).size(), 3 * size);
  }
  const auto fs = NewFileSystem();
  Make(*fs, batches);
  ASSERT_TRUE(fs->Corrupt(PathOf(kFolder, ".log"), static_cast<int64_t>(3 * size - 1), "?").ok());
  ASSERT_TRUE(Recover(*fs).ok());
  fs->Crash({.keep_some = false});
  EXPECT_EQ(Contents(*fs, ".log").size(), 2 * size) << "what was cut has to be gone for good";
}

// --- Files that fail -----------------------------------------------------------------------------

TEST_F(SegmentRecoveryTest, AnyCallMayFail) {
  const int64_t calls = CountCalls();
  for (const absl::Status& error :
       {absl::DataLossError("EIO"), absl::ResourceExhaustedError("ENOSPC")}) {
    for (int64_t n = 0; n < calls; ++n) {
      const auto fs = NewFileSystem();
      // This call alone: the disk has its moments.
      fs->SetFault([n, &error, at = int64_t{0}](const Operation&) mutable -> Verdict {
        return at++ == n ? Verdict{error, static_cast<size_t>(n % 3 * 60)} : Verdict{};
      });
      Story story;
      const absl::Status status = Live(*fs, story);
      ASSERT_EQ(status, error) << n << " of " << calls << " was not noticed";
      fs->SetFault(nullptr);
      fs->Crash({.seed = static_cast<uint64_t>(n)});
      ASSERT_NO_FATAL_FAILURE(RecoverAndCheck(*fs, story, n % 2 == 0)) << n;
    }
  }
}

TEST_F(SegmentRecoveryTest, RecoveryAndOpeningMayFail) {
  const Batches batches = Sequence(kBase, 20, 50);
  for (const bool recover : {true, false}) {
    for (int64_t n = 0;; ++n) {
      const auto fs = NewFileSystem();
      Make(*fs, batches);
      if (recover) {
        const auto file =
            fs->Open(PathOf(kFolder, ".log"), files::FileSystem::Mode::kWrite).value();
        ASSERT_TRUE(file->Truncate(file->Size().value() - 3).ok());
      } else {
        ASSERT_TRUE(fs->Remove(PathOf(kFolder, ".index")).ok());
      }
      bool failed = false;
      fs->SetFault([n, &failed, at = int64_t{0}](const Operation&) mutable -> Verdict {
        if (at++ != n) return {};
        failed = true;
        return {absl::DataLossError("EIO")};
      });
      const absl::Status status =
          recover ? Recover(*fs).status() : Segment::Open(Options(*fs)).status();
      fs->SetFault(nullptr);
      if (!failed) break;
      ASSERT_FALSE(status.ok()) << n;
      const Recovered again = Recover(*fs).value();
      ASSERT_EQ(ReadAll(*again.segment),
                BytesOf(Batches(batches.begin(), batches.end() - (recover ? 1 : 0))));
    }
  }
}

TEST_F(SegmentRecoveryTest, AFullDiskChangesNothing) {
  const auto fs = NewFileSystem();
  const SegmentPtr segment = Segment::Create(Options(*fs)).value();
  const Batches batches = Sequence(kBase, 300, 20);
  ASSERT_TRUE(segment->Append(std::span(batches).first(10)).ok());
  const std::string before = Contents(*fs, ".log");
  for (int64_t room = 0; room < 400; room += 7) {
    fs->SetCapacity(static_cast<int64_t>(before.size()) + room);
    const absl::Status status = segment->Append(std::span(batches).subspan(10));
    ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    ASSERT_EQ(Contents(*fs, ".log"), before);
    ASSERT_EQ(ReadAll(*segment), before);
  }
  fs->SetCapacity(-1);
  ASSERT_TRUE(segment->Append(std::span(batches).subspan(10)).ok());
  EXPECT_EQ(ReadAll(*segment), BytesOf(batches));
  EXPECT_TRUE(segment->Seal().ok());
  EXPECT_EQ(ReadAll(*Segment::Open(Options(*fs)).value()), BytesOf(batches));
}

TEST_F(SegmentRecoveryTest, AfterAFailedWriteOrSyncNothingChangesAnyMore) {
  for (const Kind kind : {Kind::kWrite, Kind::kSync, Kind::kTruncate, Kind::kSyncDirectory}) {
    const auto fs = NewFileSystem();
    SegmentPtr segment = Segment::Create(Options(*fs)).value();
    const Batches batches = Sequence(kBase, 4);
    ASSERT_TRUE(segment->Append(std::span(batches).first(2)).ok());
    if (kind == Kind::kSyncDirectory) {
      // Nobody knows whether the name of one that is there already is durable.
      ASSERT_TRUE(segment->Seal().ok());
      segment = Segment::Open(Options(*fs)).value();
    }
    fs->SetFault([kind](const Operation& operation) -> Verdict {
      if (operation.kind == kind) return {absl::DataLossError("EIO"), 30};
      return {};
    });
    const auto change = [&] {
      if (kind == Kind::kWrite) return segment->Append(std::span(batches).subspan(2));
      if (kind == Kind::kTruncate) return segment->TruncateSuffix(Offset(kBase + 3));
      return segment->Sync();
    };
    ASSERT_EQ(change().message(), "EIO");
    fs->SetFault(nullptr);
    EXPECT_EQ(segment->Append(std::span(batches).subspan(2)).message(), "EIO");
    EXPECT_EQ(segment->Sync().message(), "EIO");
    EXPECT_EQ(segment->Seal().message(), "EIO");
    EXPECT_EQ(segment->SyncIndexes().message(), "EIO");
    EXPECT_EQ(segment->TruncateSuffix(Offset(kBase)).message(), "EIO");
    EXPECT_EQ(ReadAll(*segment), BytesOf(Batches(batches.begin(), batches.begin() + 2)));
  }
}

// --- Bytes that are not what they should be
// --------------------------------------------------------

TEST_F(SegmentRecoveryTest, EveryTruncationOfTheTail) {
  const Batches batches = Sequence(kBase, 6, 30);
  const std::string bytes = BytesOf(batches);
  const size_t size = batches[0].size_bytes();
  for (size_t length = 0; length <= bytes.size(); ++length) {
    const auto fs = NewFileSystem();
    ASSERT_TRUE(files::ReplaceFile(*fs, PathOf(kFolder, ".log"), bytes.substr(0, length)).ok());
    int visited = 0;
    const auto recovered = Segment::Recover(Options(*fs), {}, [&](const BatchHeader& header) {
      ASSERT_EQ(header, batches[static_cast<size_t>(visited)].header);
      ++visited;
    });
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    const size_t whole = length / size;
    ASSERT_EQ(visited, static_cast<int>(whole));
    ASSERT_EQ(Contents(*fs, ".log"), bytes.substr(0, whole * size));
    ASSERT_EQ(recovered->cut.has_value(), length % size != 0);
    if (!recovered->cut.has_value()) continue;
    ASSERT_EQ(recovered->cut->position, static_cast<int64_t>(whole * size));
    ASSERT_EQ(recovered->cut->bytes, static_cast<int64_t>(length % size));
    ASSERT_NE(recovered->cut->reason.find("1000.log' at "), std::string::npos);
  }
}

TEST_F(SegmentRecoveryTest, ALogThatWasMadeLargeOfZerosIsCut) {
  const auto fs = NewFileSystem();
  const Batches batches = Sequence(kBase, 6, 30);
  Make(*fs, batches);
  ASSERT_TRUE(
      files::ReplaceFile(*fs, PathOf(kFolder, ".log"), BytesOf(batches) + std::string(10000, '\0'))
          .ok());
  ASSERT_TRUE(files::ReplaceFile(*fs, PathOf(kFolder, ".index"), std::string(10000, '\0')).ok());
  ASSERT_TRUE(
      files::ReplaceFile(*fs, PathOf(kFolder, ".timeindex"), std::string(12000, '\0')).ok());
  const Recovered recovered = Recover(*fs).value();
  EXPECT_EQ(recovered.cut->bytes, 10000);
  EXPECT_EQ(ReadAll(*recovered.segment), BytesOf(batches));
  EXPECT_LT(Contents(*fs, ".index").size(), 100u);
}

// Recovers a log of five batches of which the third has one bit flipped.
class FlippedHeaderTest : public SegmentRecoveryTest {
 protected:
  static constexpr size_t kMiddle = 2;

  // Batches of these epochs.
  static Batches Log(const std::vector<int32_t>& epochs) {
    Batches batches;
    for (const int32_t epoch : epochs) {
      const auto offset = kBase + 3 * static_cast<int64_t>(batches.size());
      batches.push_back(Sequence(offset, 1, 30, epoch).front());
    }
    return batches;
  }
  static Recovered Flipped(files::MemoryFileSystem& fs, const Batches& batches, size_t bit,
                           int64_t synced_before = 0) {
    std::string bytes = BytesOf(batches);
    char& byte = bytes[kMiddle * batches[0].size_bytes() + bit / 8];
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
    EXPECT_TRUE(files::ReplaceFile(fs, PathOf(kFolder, ".log"), bytes).ok());
    return Recover(fs, synced_before).value();
  }
  static bool IsEpoch(size_t bit) { return bit / 8 >= 12 && bit / 8 < 16; }
  static int64_t SizeBefore(const Batches& batches, size_t index) {
    return static_cast<int64_t>(index * batches[0].size_bytes());
  }
};

TEST_F(FlippedHeaderTest, EveryBitOfTheHeaderIsNoticed) {
  const Batches batches = Log({4, 4, 4, 4, 4});
  for (size_t bit = 0; bit < 8 * format::kBatchHeaderBytes; ++bit) {
    const auto fs = NewFileSystem();
    const Recovered recovered = Flipped(*fs, batches, bit);
    ASSERT_TRUE(recovered.cut.has_value()) << bit;
    ASSERT_EQ(recovered.cut->position, SizeBefore(batches, kMiddle)) << recovered.cut->reason;
    ASSERT_EQ(ReadAll(*recovered.segment), BytesOf(Batches(batches.begin(), batches.begin() + 2)));
  }
}

TEST_F(FlippedHeaderTest, EveryBitOfTheHeaderIsNoticedWhereAnEpochBegins) {
  // An epoch that becomes another one between its neighbours' cannot be told from a leader's: 4
  // that becomes 5, or 6. All that depends on it is where a follower begins to compare, and its
  // leader then says where the epoch really ended.
  const Batches batches = Log({2, 3, 4, 6, 6});
  std::set<size_t> unnoticed;
  for (size_t bit = 0; bit < 8 * format::kBatchHeaderBytes; ++bit) {
    const auto fs = NewFileSystem();
    const Recovered recovered = Flipped(*fs, batches, bit);
    if (!recovered.cut.has_value()) {
      ASSERT_TRUE(IsEpoch(bit)) << bit;
      unnoticed.insert(bit);
    } else {
      ASSERT_EQ(recovered.cut->position, SizeBefore(batches, kMiddle)) << recovered.cut->reason;
    }
  }
  EXPECT_EQ(unnoticed, (std::set<size_t>{8 * 15, 8 * 15 + 1}));
}

TEST_F(FlippedHeaderTest, WhatWasSyncedIsNotReadAgainButNeverServedAsData) {
  const Batches batches = Log({4, 4, 4, 4, 4});
  for (size_t bit = 0; bit < 8 * format::kBatchHeaderBytes; ++bit) {
    const auto fs = NewFileSystem();
    const Recovered recovered = Flipped(*fs, batches, bit, kBase + 15);
    if (recovered.cut.has_value()) {
      ASSERT_EQ(recovered.cut->position, SizeBefore(batches, kMiddle)) << recovered.cut->reason;
      continue;
    }
    ASSERT_GE(bit / 8, 17u) << "only what the CRC covers goes unnoticed";
    const auto read = recovered.segment->Read(Offset(kBase + 6), kNoLimits);
    ASSERT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST_F(SegmentRecoveryTest, EveryFlippedByteOfASmallLog) {
  const Batches batches = Sequence(kBase, 4, 30, 7);
  const std::string bytes = BytesOf(batches);
  const size_t size = batches[0].size_bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto fs = NewFileSystem();
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(~flipped[i]);
    ASSERT_TRUE(files::ReplaceFile(*fs, PathOf(kFolder, ".log"), flipped).ok());
    const Recovered recovered = Recover(*fs).value();
    // After the last batch nobody comes to tell that its offset or epoch was raised: gaps are
    // legal, and so are new leaders.
    const size_t at = i % size;
    const bool may_be_raised = i >= 3 * size && (at < 8 || (at >= 12 && at < 16));
    if (may_be_raised && !recovered.cut.has_value()) continue;
    ASSERT_TRUE(recovered.cut.has_value()) << i;
    ASSERT_EQ(Contents(*fs, ".log"), bytes.substr(0, i / size * size)) << recovered.cut->reason;
  }
}

TEST_F(SegmentRecoveryTest, WhatDoesNotFollowIsCut) {
  struct Case {
    std::string name;
    Batches batches;
    size_t kept;
  };
  const std::vector<Case> cases = {
      {"an offset again", {MakeBatch({.offset = 1000}), MakeBatch({.offset = 1000})}, 1},
      {"before the segment", {MakeBatch({.offset = 999})}, 0},
      {"beyond the segment", {MakeBatch({.offset = kBase + INT32_MAX + int64_t{1}})}, 0},
      {"a gap", {MakeBatch({.offset = 1005}), MakeBatch({.offset = 2000})}, 2},
      {"an older epoch than before the segment", {MakeBatch({.offset = 1000, .epoch = 1})}, 0},
  };
  for (const Case& c : cases) {
    const auto fs = NewFileSystem();
    ASSERT_TRUE(files::ReplaceFile(*fs, PathOf(kFolder, ".log"), BytesOf(c.batches)).ok());
    const LeaderEpoch epoch_before(c.name.starts_with("an older epoch") ? 2 : 0);
    const auto recovered =
        Segment::Recover(Options(*fs), {.epoch_before = epoch_before}, [](const auto&) {});
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(ReadAll(*recovered->segment),
              BytesOf(Batches(c.batches.begin(), c.batches.begin() + static_cast<int64_t>(c.kept))))
        << c.name;
  }
}

TEST_F(SegmentRecoveryTest, TakesAnyBytes) {
  const std::string bytes = BytesOf(Sequence(kBase, 6, 30));
  base::Random random(9);
  for (int i = 0; i < 2000; ++i) {
    const auto fs = NewFileSystem();
    std::string damaged = bytes;
    for (int64_t n = random.Between(1, 20); n > 0; --n) {
      damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    }
    if (random.OneIn(3)) damaged += damaged;
    ASSERT_TRUE(files::ReplaceFile(*fs, PathOf(kFolder, ".log"), damaged).ok());
    const auto opened = Segment::Open(Options(*fs));
    if (opened.ok()) (*opened)->Read(Offset(kBase), kNoLimits).status().IgnoreError();
    const Recovered recovered = Recover(*fs).value();
    ASSERT_TRUE(damaged.starts_with(ReadAll(*recovered.segment)));
    ASSERT_EQ(ReadAll(*Segment::Open(Options(*fs)).value()), ReadAll(*recovered.segment));
  }
}

}  // namespace
}  // namespace kafkalite::storage
