// What a crash of the machine leaves in a MemoryFileSystem.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/memory_file_system_fixture.h"

namespace kafkalite::files {
namespace {

class MemoryCrashTest : public MemoryFileSystemFixture {
 protected:
  // What is in "f" after a crash, over many seeds of it: `play` makes "f" on an empty disk.
  template <class Play>
  static std::set<std::string> Outcomes(Play play, bool in_order) {
    std::set<std::string> outcomes;
    for (uint64_t seed = 0; seed < 500; ++seed) {
      MemoryFileSystem fs;
      play(fs);
      fs.Crash({.seed = seed, .in_order = in_order});
      outcomes.insert(ReadFile(fs, "f").value_or("(absent)"));
    }
    return outcomes;
  }
};

// --- Bytes ---------------------------------------------------------------------------------------

TEST_F(MemoryCrashTest, ACrashLosesWhatWasNotSynced) {
  MakeDurable("f", "abc");
  const auto file = Open("f");
  ASSERT_TRUE(Write(*file, 1, "XYZ").ok());
  EXPECT_EQ(Contents("f"), "aXYZ");
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_F(MemoryCrashTest, ATruncationIsLostTooUntilItIsSynced) {
  MakeDurable("f", "abcdef");
  ASSERT_TRUE(Open("f")->Truncate(2).ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "abcdef");
  Open("f", Mode::kTruncate);
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "abcdef");
  const auto file = Open("f");
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Sync().ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "ab");
}

TEST_F(MemoryCrashTest, ACrashNeverLosesWhatWasSynced) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MakeDurable("f", "abc");
    const auto file = Open("f");
    ASSERT_TRUE(Write(*file, 3, "def").ok());
    fs_.Crash({.seed = seed, .in_order = seed % 2 == 0});
    ASSERT_EQ(Contents("f").substr(0, 3), "abc") << seed;
  }
}

TEST_F(MemoryCrashTest, KeepsAPrefixOfTheWritesTheLastOneTorn) {
  const auto play = [](MemoryFileSystem& fs) {
    const auto file = fs.Open("f", Mode::kCreate).value();
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    ASSERT_TRUE(Write(*file, 0, "ab").ok());
    ASSERT_TRUE(Write(*file, 2, "cd").ok());
    ASSERT_TRUE(file->Truncate(1).ok());
    ASSERT_TRUE(Write(*file, 1, "xy").ok());
  };
  EXPECT_EQ(Outcomes(play, true),
            (std::set<std::string>{"", "a", "ab", "abc", "abcd", "ax", "axy"}));
}

TEST_F(MemoryCrashTest, OutOfOrderLaterWritesSurviveEarlierOnes) {
  const auto play = [](MemoryFileSystem& fs) {
    const auto file = fs.Open("f", Mode::kCreate).value();
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    ASSERT_TRUE(Write(*file, 0, "ab").ok());
    ASSERT_TRUE(Write(*file, 2, "c").ok());
  };
  using std::string_literals::operator""s;
  EXPECT_EQ(Outcomes(play, true), (std::set<std::string>{"", "a", "ab", "abc"}));
  EXPECT_EQ(Outcomes(play, false),
            (std::set<std::string>{"", "a", "ab", "abc", "\0\0c"s, "a\0c"s}));
}

TEST_F(MemoryCrashTest, TheSameSeedLeavesTheSameBytes) {
  const auto play = [](uint64_t seed) {
    MemoryFileSystem fs;
    base::Random random(7);
    for (int i = 0; i < 20; ++i) {
      const auto file = fs.Open(base::Cat("f", random.Below(5)), Mode::kCreate).value();
      EXPECT_TRUE(Write(*file, random.Between(0, 9), std::string(9, 'a' + i)).ok());
      if (random.OneIn(3)) {
        EXPECT_TRUE(fs.SyncDirectory("/").ok());
      }
    }
    fs.Crash({.seed = seed});
    std::string all;
    const Names names = fs.List("/").value();
    for (const std::string& name : names) {
      all += base::Cat(name, "=", ReadFile(fs, name).value(), ";");
    }
    return all;
  };
  EXPECT_EQ(play(1), play(1));
  EXPECT_NE(play(1), play(2));
}

// --- Names ---------------------------------------------------------------------------------------

TEST_F(MemoryCrashTest, ASyncedFileInAFolderThatWasNotIsLost) {
  const auto file = Open("f");
  ASSERT_TRUE(Write(*file, 0, "abc").ok());
  ASSERT_TRUE(file->Sync().ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names());
}

TEST_F(MemoryCrashTest, AFileThatWasNotSyncedInAFolderThatWasIsEmpty) {
  ASSERT_TRUE(Write(*Open("f"), 0, "abc").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "");
}

TEST_F(MemoryCrashTest, AFolderIsDurableOnceTheOneAboveItIsSynced) {
  ASSERT_TRUE(fs_.CreateDirectories("a/b").ok());
  Open("a/b/f");
  ASSERT_TRUE(fs_.SyncDirectory("a/b").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names{"a"});
  EXPECT_EQ(List("a"), Names()) << "nobody synced a";
  ASSERT_TRUE(fs_.CreateDirectories("a/b").ok());
  Open("a/b/f");
  for (const char* folder : {"a/b", "a"}) ASSERT_TRUE(fs_.SyncDirectory(folder).ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List("a/b"), Names{"f"});
}

TEST_F(MemoryCrashTest, ARenameThatWasNotSyncedIsLost) {
  MakeDurable("old", "1");
  MakeDurable("new", "2");
  ASSERT_TRUE(fs_.Rename("new", "old").ok());
  EXPECT_EQ(List(), Names{"old"});
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("old"), "1");
  EXPECT_EQ(Contents("new"), "2");
  ASSERT_TRUE(fs_.Rename("new", "old").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names{"old"});
  EXPECT_EQ(Contents("old"), "2");
}

TEST_F(MemoryCrashTest, ARemovalThatWasNotSyncedIsUndone) {
  MakeDurable("f", "abc");
  ASSERT_TRUE(fs_.Remove("f").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(Contents("f"), "abc");
  ASSERT_TRUE(fs_.Remove("f").ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names());
}

TEST_F(MemoryCrashTest, ARenameBetweenFoldersIsOneStepWhicheverIsSynced) {
  for (const char* synced : {"a", "b"}) {
    MemoryFileSystem fs;
    ASSERT_TRUE(fs.CreateDirectories("a").ok());
    ASSERT_TRUE(fs.CreateDirectories("b").ok());
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    // Not even the file's first name is durable.
    ASSERT_TRUE(fs.Open("a/f", Mode::kCreate).ok());
    ASSERT_TRUE(fs.Rename("a/f", "b/f").ok());
    ASSERT_TRUE(fs.SyncDirectory(synced).ok());
    for (const char* later : {"a", "b"}) ASSERT_TRUE(fs.SyncDirectory(later).ok());
    fs.Crash(kLoseAll);
    EXPECT_EQ(fs.List("a").value(), Names()) << synced;
    EXPECT_EQ(fs.List("b").value(), Names{"f"}) << synced;
  }
}

TEST_F(MemoryCrashTest, KeepsSomeOfTheNamesAndNoFileTwice) {
  std::set<Names> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFileSystem fs;
    ASSERT_TRUE(fs.Open("a", Mode::kCreate).ok());
    ASSERT_TRUE(fs.Open("x", Mode::kCreate).ok());
    ASSERT_TRUE(fs.Rename("a", "b").ok());
    ASSERT_TRUE(fs.Rename("b", "c").ok());
    fs.Crash({.seed = seed});
    outcomes.insert(fs.List("/").value());
  }
  EXPECT_EQ(outcomes,
            (std::set<Names>{{}, {"a"}, {"b"}, {"c"}, {"x"}, {"a", "x"}, {"b", "x"}, {"c", "x"}}));
}

TEST_F(MemoryCrashTest, WhatIsLostDoesNotComeBackWithALaterSync) {
  MakeDurable("f", "abc");
  ASSERT_TRUE(Write(*Open("f"), 0, "XYZ").ok());
  Open("g");
  ASSERT_TRUE(fs_.Rename("f", "h").ok());
  fs_.Crash(kLoseAll);
  ASSERT_TRUE(Open("f")->Sync().ok());
  ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  fs_.Crash(kLoseAll);
  EXPECT_EQ(List(), Names{"f"});
  EXPECT_EQ(Contents("f"), "abc");
}

TEST_F(MemoryCrashTest, RefusesToMoveAFolderIntoAnother) {
  ASSERT_TRUE(fs_.CreateDirectories("a/b").ok());
  ASSERT_TRUE(fs_.CreateDirectories("c").ok());
  EXPECT_EQ(fs_.Rename("a/b", "c/b").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(fs_.Rename("a", "a/b/a").code(), absl::StatusCode::kInternal) << "nor into itself";
  EXPECT_EQ(List("a"), Names{"b"});
}

}  // namespace
}  // namespace kafkalite::files
