#include "kafkalite/coordination/embedded/tree_log.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/embedded/kept_tree.h"
#include "kafkalite/coordination/embedded/node_tree.h"
#include "kafkalite/coordination/embedded/random_commits.h"

namespace kafkalite::coordination {
namespace {

using absl::StatusCode;
using Kind = KeptChange::Kind;
using ::testing::HasSubstr;

std::string Record(const std::vector<KeptCommit>& commits) {
  std::string payload;
  for (const KeptCommit& commit : commits) EncodeCommit(commit, payload);
  return base::Cat(EncodeRecordHeader(payload), payload);
}

absl::StatusOr<KeptTree> Replay(std::string_view journal, KeptTree tree = {}) {
  const absl::Status status = ReplayJournal(journal, tree);
  if (!status.ok()) return status;
  return tree;
}

// A journal of random commits, and the trees that its first records make.
struct Journal {
  Journal(uint64_t seed, int records) : commits(seed) {
    base::Random random(seed);
    for (int i = 0; i < records; ++i) {
      std::vector<KeptCommit> record;
      for (int64_t left = random.Between(1, 3); left > 0; --left) record.push_back(commits.Next());
      bytes += Record(record);
      KeptTree tree = trees.back();
      for (KeptCommit& commit : record) EXPECT_TRUE(tree.Apply(std::move(commit)).ok());
      trees.push_back(std::move(tree));
      ends.push_back(bytes.size());
    }
  }
  // The record with byte `position`.
  size_t RecordAt(size_t position) const {
    size_t record = 0;
    while (ends[record + 1] <= position) ++record;
    return record;
  }

  RandomCommits commits;
  std::string bytes = EncodeJournalHeader(0);
  std::vector<KeptTree> trees{KeptTree()};
  std::vector<size_t> ends{bytes.size()};
};

// A file whose payload fits its checksums, whatever is in it.
std::string SnapshotOf(std::string_view payload) {
  return base::Cat(EncodeSnapshot({}).substr(0, kTreeFileHeaderBytes), EncodeRecordHeader(payload),
                   payload);
}

// --- The format, byte by byte: tree_log.h explains the journal -----------------------------------

const KeptCommit kFirst = {1, {{Kind::kCreate, "/ids", "", 1}, {Kind::kCreate, "/epoch", "0", 2}}};
const KeptCommit kSecond = {2, {{Kind::kChild, "/ids", "", 1}}};
const KeptCommit kThird = {4, {{Kind::kSet, "/epoch", "1", 1}}};

TEST(TreeLogTest, GoldenBytesOfAJournal) {
  const std::string journal =
      base::Cat(EncodeJournalHeader(0), Record({kFirst}), Record({kSecond, kThird}));
  EXPECT_EQ(absl::BytesToHexString(journal),
            "4b4c544a000000010000000000000000eebb474b"
            "00000000000000156d1cc445b84f0587"
            "020402082f6964730002020c2f65706f6368023004"
            "00000000000000165b0cd54645ede53f"
            "040208082f69647302"
            "0802040c2f65706f6368023102");
}

TEST(TreeLogTest, GoldenBytesOfASnapshot) {
  KeptTree tree;
  for (const KeptCommit& commit : {kFirst, kSecond, kThird}) ASSERT_TRUE(tree.Apply(commit).ok());
  EXPECT_EQ(absl::BytesToHexString(EncodeSnapshot(tree)),
            "4b4c5453000000010000000000000004999940ab"
            "000000000000001b4dd262b692719075"
            "022f00000004"
            "0c2f65706f63680231020200"
            "082f6964730002"
            "0002");
}

// --- Back and forth ------------------------------------------------------------------------------

TEST(TreeLogTest, WhatIsReadBackIsTheTreeWithoutItsSessions) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Journal journal(seed, 60);
    const absl::StatusOr<KeptTree> replayed = Replay(journal.bytes);
    ASSERT_TRUE(replayed.ok()) << replayed.status();
    ASSERT_EQ(*replayed, journal.trees.back()) << seed;
    const absl::StatusOr<KeptTree> snapshot = DecodeSnapshot(EncodeSnapshot(*replayed));
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    ASSERT_EQ(*snapshot, *replayed) << seed;
    NodeTree restored(*snapshot);
    EXPECT_EQ(restored.last_transaction(), snapshot->last_transaction);
    ASSERT_EQ(Describe(restored), journal.commits.DescribeWithoutSessions()) << seed;
  }
}

TEST(TreeLogTest, AJournalGoesOnWhereAnySnapshotEnds) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Journal journal(seed, 20);
    for (const KeptTree& tree : journal.trees) {
      const absl::StatusOr<KeptTree> replayed = Replay(journal.bytes, tree);
      ASSERT_TRUE(replayed.ok()) << replayed.status();
      ASSERT_EQ(*replayed, journal.trees.back()) << seed;
    }
  }
}

TEST(TreeLogTest, AJournalWithoutTheSnapshotThatItContinuesIsRefused) {
  KeptTree older;
  older.last_transaction = 6;
  const absl::Status alone = Replay(EncodeJournalHeader(7)).status();
  EXPECT_EQ(alone.code(), StatusCode::kDataLoss);
  EXPECT_THAT(alone.message(), HasSubstr("transaction 7, and it is not here"));
  EXPECT_THAT(Replay(EncodeJournalHeader(7), older).status().message(),
              HasSubstr("transaction 7, and here is one up to 6"));
  older.last_transaction = 7;
  EXPECT_TRUE(Replay(EncodeJournalHeader(7), older).ok());
}

// --- Damage --------------------------------------------------------------------------------------

TEST(TreeLogTest, AJournalCutAnywhereHasTheRecordsBeforeThat) {
  const Journal journal(1, 12);
  for (size_t size = 0; size < journal.bytes.size(); ++size) {
    const absl::StatusOr<KeptTree> replayed = Replay(journal.bytes.substr(0, size));
    if (size < kTreeFileHeaderBytes) {
      ASSERT_EQ(replayed.status().code(), StatusCode::kDataLoss) << size;
    } else {
      ASSERT_TRUE(replayed.ok()) << size << " " << replayed.status();
      ASSERT_EQ(*replayed, journal.trees[journal.RecordAt(size)]) << size;
    }
  }
}

TEST(TreeLogTest, ATornLastRecordIsPassedOver) {
  const Journal journal(2, 4);
  const size_t last = journal.ends[3];
  for (size_t torn = last; torn < journal.bytes.size(); ++torn) {
    // The file's size is there, its bytes are not.
    std::string bytes = journal.bytes;
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(torn), bytes.end(), '\0');
    if (bytes == journal.bytes) continue;
    const absl::StatusOr<KeptTree> replayed = Replay(bytes);
    ASSERT_TRUE(replayed.ok()) << torn << " " << replayed.status();
    ASSERT_EQ(*replayed, journal.trees[3]) << torn;
  }
}

TEST(TreeLogTest, EveryFlippedBitOfAJournalIsFoundOutOrEndsItBeforeItsLastRecord) {
  const Journal journal(3, 6);
  for (size_t bit = 0; bit < 8 * journal.bytes.size(); ++bit) {
    std::string bytes = journal.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const absl::StatusOr<KeptTree> replayed = Replay(bytes);
    if (bit / 8 >= journal.ends[5]) {
      ASSERT_TRUE(replayed.ok()) << bit << " " << replayed.status();
      ASSERT_EQ(*replayed, journal.trees[5]) << bit;
    } else {
      ASSERT_FALSE(replayed.ok()) << bit;
      const bool in_version = bit / 8 >= 4 && bit / 8 < 8;
      if (!in_version) {
        ASSERT_EQ(replayed.status().code(), StatusCode::kDataLoss) << bit;
      }
    }
  }
}

TEST(TreeLogTest, AnErrorSaysWhere) {
  const Journal journal(4, 3);
  std::string bytes = journal.bytes;
  bytes[journal.ends[1] + kTreeRecordHeaderBytes] ^= 1;
  EXPECT_THAT(Replay(bytes).status().message(),
              HasSubstr(base::Cat("at byte ", journal.ends[1], ":")));
}

TEST(TreeLogTest, EveryCutOrFlippedSnapshotIsRefused) {
  const std::string snapshot = EncodeSnapshot(Journal(5, 10).trees.back());
  for (size_t size = 0; size < snapshot.size(); ++size) {
    ASSERT_EQ(DecodeSnapshot(snapshot.substr(0, size)).status().code(), StatusCode::kDataLoss);
  }
  for (size_t bit = 0; bit < 8 * snapshot.size(); ++bit) {
    std::string bytes = snapshot;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    ASSERT_FALSE(DecodeSnapshot(bytes).ok()) << bit;
  }
  EXPECT_EQ(DecodeSnapshot(snapshot + '\0').status().code(), StatusCode::kDataLoss);
}

TEST(TreeLogTest, ANewerVersionIsNotDamage) {
  for (std::string file : {EncodeSnapshot({}), EncodeJournalHeader(0)}) {
    file[7] = 2;
    const absl::Status status =
        file[3] == 'S' ? DecodeSnapshot(file).status() : Replay(file).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("version 2"));
  }
}

TEST(TreeLogTest, OneFileIsNotTakenForTheOther) {
  EXPECT_EQ(DecodeSnapshot(EncodeJournalHeader(0)).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Replay(EncodeSnapshot({})).status().code(), StatusCode::kDataLoss);
}

// --- What fits its checksums and makes no sense --------------------------------------------------

TEST(TreeLogTest, ACommitThatDoesNotFollowIsRefusedAndSaysWhy) {
  KeptTree tree;
  ASSERT_TRUE(tree.Apply({1, {{Kind::kCreate, "/a", "", 1}, {Kind::kCreate, "/a/b", "", 1}}}).ok());
  const std::vector<std::pair<KeptCommit, const char*>> cases = {
      {{1, {{Kind::kSet, "/a", "", 1}}}, "transaction 1 comes after transaction 1"},
      {{2, {{Kind::kCreate, "/a", "", 2}}}, "creates '/a', which is there"},
      {{2, {{Kind::kCreate, "/", "", 2}}}, "creates '/', which is there"},
      {{2, {{Kind::kCreate, "/c/d", "", 1}}}, "creates '/c/d', whose parent is not there"},
      {{2, {{Kind::kCreate, "/c", "", 3}}}, "creates '/c', and other children"},
      {{2, {{Kind::kChild, "/a", "", 1}}}, "creates '/a', and other children"},
      {{2, {{Kind::kChild, "/c", "", 1}}}, "creates '/c', whose parent is not there"},
      {{2, {{Kind::kSet, "/c", "", 1}}}, "sets '/c', which is not there"},
      {{2, {{Kind::kSet, "/a", "", 2}}}, "sets '/a', which has version 0"},
      {{2, {{Kind::kSet, "/a", "", int64_t{1} << 32}}}, "sets '/a', which has version 0"},
      {{2, {{Kind::kSet, "/a", "", INT64_MIN}}}, "numbers '/a', below 0"},
      {{2, {{Kind::kDelete, "/c", "", 0}}}, "deletes '/c', which is not there"},
      {{2, {{Kind::kDelete, "/", "", 0}}}, "deletes '/', which is not there"},
      {{2, {{Kind::kDelete, "/a", "", 0}}}, "deletes '/a', which has children"},
      {{2, {{Kind::kCreate, "", "", 1}}}, "names '', which is no path"},
      {{2, {{Kind::kCreate, "/a//b", "", 1}}}, "names '/a//b', which is no path"},
  };
  for (const auto& [commit, why] : cases) {
    const absl::Status status =
        Replay(base::Cat(EncodeJournalHeader(0), Record({commit})), tree).status();
    if (commit.transaction == 1) {
      EXPECT_TRUE(status.ok()) << "the snapshot has it already";
      EXPECT_THAT(KeptTree(tree).Apply(commit).message(), HasSubstr(why));
    } else {
      EXPECT_EQ(status.code(), StatusCode::kDataLoss) << why;
      EXPECT_THAT(status.message(), HasSubstr(base::Cat("at byte 20: it ", why)));
    }
  }
}

TEST(TreeLogTest, AnyPayloadIsReadOrRefused) {
  const std::string node("\x02/\0\0\0\0", 6);
  ASSERT_TRUE(DecodeSnapshot(SnapshotOf(node)).ok());
  for (const std::string& payload :
       {std::string(), node + node, node.substr(0, 5), std::string("\x04/a\0\0\0\0", 7),
        node + std::string("\x08/a/b\0\0\0\0", 9), node + std::string("\x02/\0\0\0\0", 6),
        std::string("\x02/\0\0\x01\0", 6), std::string("\x02/\0\0\0\x01", 6),
        std::string("\x01/\0\0\0\0", 6),
        std::string("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01/")}) {
    EXPECT_EQ(DecodeSnapshot(SnapshotOf(payload)).status().code(), StatusCode::kDataLoss)
        << absl::BytesToHexString(payload);
  }
  base::Random random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string payload;
    EncodeCommit(kFirst, payload);
    EncodeCommit(kSecond, payload);
    for (int64_t flips = random.Between(1, 4); flips > 0; --flips) {
      payload[random.Below(payload.size())] = static_cast<char>(random.Below(256));
    }
    payload.resize(random.Below(payload.size() + 1));
    const absl::StatusOr<KeptTree> replayed =
        Replay(base::Cat(EncodeJournalHeader(0), EncodeRecordHeader(payload), payload));
    if (!replayed.ok()) {
      ASSERT_EQ(replayed.status().code(), StatusCode::kDataLoss);
    }
  }
}

}  // namespace
}  // namespace kafkalite::coordination
