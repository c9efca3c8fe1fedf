// What is left of a tree in files when its process has ended, or its disk has failed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/embedded/embedded_coordination.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::coordination {
namespace {

using absl::StatusCode;
using files::MemoryFileSystem;
using Call = MemoryFileSystem::Operation;
using Verdict = MemoryFileSystem::Verdict;
using Mode = Operation::Mode;
using std::chrono::milliseconds;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kFolder[] = "data/tree";
constexpr char kJournal[] = "data/tree/tree.journal";

constexpr Code kLoss = Code::kConnectionLoss;

// A session and what it was told.
struct Client {
  explicit Client(Coordination& coordination)
      : session(coordination.Connect({.client = 1},
                                     [this](SessionEvent event) { events.push_back(event); })) {}
  explicit Client(SimTree& tree) : Client(tree.coordination()) {}

  template <class Result>
  auto Note() {
    return [this](const Result& result) { codes.push_back(result.code); };
  }
  void Append(int nodes) {
    for (; nodes > 0; --nodes) {
      session->Commit({Operation::Create("/n", "", Mode::kPersistentSequential)},
                      Note<CommitResult>());
    }
  }

  std::vector<SessionEvent> events;
  std::vector<Code> codes;
  const std::unique_ptr<Session> session;
};

class DurableTreeTest : public testing::Test {
 protected:
  EmbeddedCoordination::Files Files() const { return {fs_, kFolder}; }
  // How opening the folder goes.
  absl::Status Open() const {
    base::SimExecutor executor(1);
    base::Network network(executor, {});
    return EmbeddedCoordination::Open(executor, network, Files()).status();
  }
  void FailAll(Call::Kind kind) {
    fs_->SetFault([kind](const Call& call) {
      return call.kind == kind ? Verdict{absl::DataLossError("EIO")} : Verdict{};
    });
  }
  void CountSyncs() {
    fs_->SetFault([this](const Call& call) {
      if (call.kind == Call::Kind::kSync) ++syncs_;
      return Verdict{};
    });
  }

  const std::shared_ptr<MemoryFileSystem> fs_ = std::make_shared<MemoryFileSystem>();
  int syncs_ = 0;
};

// --- Another process on the same folder ----------------------------------------------------------

TEST_F(DurableTreeTest, NodesAreThereAgainWithDataVersionsAndCreationIds) {
  GetResult before;
  {
    SimTree tree(1, Files());
    tree.MustCommit({Operation::Create("/a", "one"), Operation::Create("/a/b", "")});
    tree.MustCommit({Operation::Set("/a", "two")});
    tree.MustCommit({Operation::Create("/gone", "")});
    tree.MustCommit({Operation::Delete("/gone")});
    EXPECT_EQ(tree.Commit({Operation::Set("/a", "three"), Operation::Check("/a", 7)}),
              Code::kBadVersion);
    before = tree.Get("/a");
  }
  SimTree tree(2, Files());
  const GetResult after = tree.Get("/a");
  EXPECT_EQ(after.data, "two");
  EXPECT_EQ(after.stat, before.stat);
  EXPECT_EQ(tree.VersionOf("/a/b"), 0);
  EXPECT_THAT(tree.Children("/"), ElementsAre("a"));
  EXPECT_EQ(tree.Commit({Operation::Set("/a", "three", 1)}), Code::kOk);
}

TEST_F(DurableTreeTest, EphemeralsAreGoneAndTheirNumbersDoNotComeAgain) {
  int64_t newest = 0;
  {
    SimTree tree(1, Files());
    tree.MustCommit({Operation::Create("/ids", "")});
    for (const Mode mode : {Mode::kPersistentSequential, Mode::kEphemeralSequential}) {
      tree.MustCommit({Operation::Create("/ids/n", "", mode)});
    }
    tree.MustCommit({Operation::Create("/ids/1", "", Mode::kEphemeral)});
    newest = tree.Get("/ids/1").stat.creation_id;
  }
  SimTree tree(2, Files());
  EXPECT_THAT(tree.Children("/ids"), ElementsAre("n0000000000"));
  EXPECT_EQ(tree.Ask({Operation::Create("/ids/n", "", Mode::kEphemeralSequential)}).results[0].path,
            "/ids/n0000000003");
  tree.MustCommit({Operation::Create("/ids/1", "", Mode::kEphemeral)});
  EXPECT_GT(tree.Get("/ids/1").stat.creation_id, newest) << "a broker's next epoch";
}

TEST_F(DurableTreeTest, TheNumbersOfARefusedCommitAreNotUsedUp) {
  {
    SimTree tree(1, Files());
    EXPECT_EQ(tree.Commit({Operation::Create("/n", "", Mode::kPersistentSequential),
                           Operation::Check("/none", 0)}),
              Code::kNoNode);
    tree.MustCommit({Operation::Create("/n", "", Mode::kPersistentSequential)});
  }
  EXPECT_THAT(SimTree(2, Files()).Children("/"), ElementsAre("n0000000000"));
}

// --- Answers wait for the disk, and nothing else does --------------------------------------------

TEST_F(DurableTreeTest, NobodySeesACommitBeforeItIsDurable) {
  SimTree tree(1, Files());
  const auto writer = tree.coordination().Connect({.client = 1}, nullptr);
  const auto reader = tree.coordination().Connect({.client = 2}, nullptr);
  tree.Settle();
  CountSyncs();
  std::vector<std::string> seen;
  const auto see = [&](const char* what) {
    EXPECT_EQ(syncs_, 1) << what;
    seen.push_back(what);
  };
  reader->Get(
      "/a", [&] { see("watch"); }, nullptr);
  tree.Settle();
  writer->Commit({Operation::Create("/a", "")}, [&](CommitResult) { see("commit"); });
  for (int i = 0; i < 20; ++i) {
    reader->Get("/a", nullptr, [&](GetResult got) {
      if (got.code == Code::kOk) see("read");
    });
    tree.RunFor(std::chrono::microseconds(20));
  }
  tree.RunFor(milliseconds(50));
  EXPECT_THAT(seen, testing::Contains("watch"));
  EXPECT_THAT(seen, testing::Contains("commit"));
  EXPECT_THAT(seen, testing::Contains("read"));
}

TEST_F(DurableTreeTest, CommitsThatComeDuringASyncShareTheNext) {
  SimTree tree(1, Files());
  Client client(tree);
  CountSyncs();
  client.Append(200);
  ASSERT_TRUE(tree.Eventually([&] { return client.codes.size() == 200; }));
  EXPECT_THAT(client.codes, testing::Each(Code::kOk));
  EXPECT_LT(syncs_, 20);
}

TEST_F(DurableTreeTest, ReadsOfATreeThatDoesNotChangeNeedNoDisk) {
  SimTree tree(1, Files());
  tree.MustCommit({Operation::Create("/a", "")});
  fs_->SetFault([](const Call&) { return Verdict{absl::DataLossError("EIO")}; });
  EXPECT_TRUE(tree.Exists("/a"));
  EXPECT_EQ(tree.Commit({Operation::Check("/a", 0)}), Code::kOk);
  EXPECT_TRUE(tree.coordination().status().ok());
}

// On threads: a disk that answers when it is told to.
TEST_F(DurableTreeTest, NobodyWaitsForTheDiskButAnswers) {
  base::RealExecutor executor;
  base::Network network(executor, {});
  base::Completion let_go, answered;
  const auto deadline = executor.clock().Now() + std::chrono::seconds(60);
  {
    const auto coordination = EmbeddedCoordination::Open(executor, network, Files()).value();
    fs_->SetFault([&](const Call&) { return Verdict{executor.BlockUntil(let_go, deadline)}; });
    const auto session = coordination->Connect({.client = 1}, nullptr);
    session->Commit({Operation::Create("/a", "")}, [&](CommitResult result) {
      EXPECT_EQ(result.code, Code::kOk);
      answered.Signal();
    });
    auto other = coordination->Connect({.client = 2}, nullptr);
    other->Commit({Operation::Create("/b", "", Mode::kEphemeral)}, nullptr);
    EXPECT_EQ(coordination->session_count(), 2u);
    coordination->ExpireClient(2);
    other = nullptr;
    EXPECT_TRUE(coordination->status().ok());
    EXPECT_FALSE(answered.signalled());
    let_go.Signal();
    EXPECT_TRUE(executor.BlockUntil(answered, deadline).ok());
  }
  executor.Shutdown();
}

// --- A disk that fails ---------------------------------------------------------------------------

TEST_F(DurableTreeTest, AfterAFailureEveryCallGetsConnectionLoss) {
  for (const Call::Kind kind : {Call::Kind::kWrite, Call::Kind::kSync}) {
    const size_t from = SimTree(1, Files()).Children("/").size();
    {
      SimTree tree(1, Files());
      Client client(tree);
      client.Append(1);
      ASSERT_TRUE(tree.Eventually([&] { return client.codes == std::vector{Code::kOk}; }));
      FailAll(kind);
      client.Append(3);
      ASSERT_TRUE(tree.Eventually([&] { return client.codes.size() == 4; }));
      EXPECT_EQ(tree.coordination().status().code(), StatusCode::kDataLoss);
      EXPECT_THAT(tree.coordination().status().message(), HasSubstr("EIO"));

      fs_->SetFault(nullptr);  // it works again, and is not trusted
      client.Append(2);
      client.session->Get("/", nullptr, client.Note<GetResult>());  // may show what is not durable
      tree.coordination().ExpireClient(1);
      tree.RunFor(std::chrono::seconds(2));
      EXPECT_THAT(client.codes, ElementsAre(Code::kOk, kLoss, kLoss, kLoss, kLoss, kLoss, kLoss));
      tree.RunFor(std::chrono::minutes(1));
      EXPECT_THAT(client.events, ElementsAre(SessionEvent::kDisconnected)) << "it cannot know more";
    }
    SimTree tree(2, Files());
    EXPECT_TRUE(tree.coordination().status().ok());
    const size_t found = tree.Children("/").size() - from;
    EXPECT_GE(found, 1u);
    EXPECT_LE(found, 4u) << "those that came afterwards were not even tried";
  }
}

TEST_F(DurableTreeTest, ASessionThatBeginsAfterTheFailureIsToldAtOnce) {
  SimTree tree(1, Files());
  FailAll(Call::Kind::kSync);
  Client early(tree);
  early.Append(1);
  ASSERT_TRUE(tree.Eventually([&] { return !early.events.empty(); }));
  Client late(tree);
  late.Append(1);
  tree.Settle();
  EXPECT_THAT(late.codes, ElementsAre(kLoss));
  EXPECT_THAT(late.events, ElementsAre(SessionEvent::kDisconnected));
}

TEST_F(DurableTreeTest, AFullDiskIsSaidToBeFullAndNeedsASpaciousOneAndARestart) {
  {
    SimTree tree(1, Files());
    tree.MustCommit({Operation::Create("/a", "")});
    fs_->SetCapacity(static_cast<int64_t>(files::ReadFile(*fs_, kJournal)->size()) + 100);
    EXPECT_EQ(tree.Commit({Operation::Create("/b", std::string(1000, 'b'))}), kLoss);
    EXPECT_EQ(tree.coordination().status().code(), StatusCode::kResourceExhausted);
    EXPECT_THAT(tree.coordination().status().message(), HasSubstr(kJournal));
    EXPECT_THAT(tree.coordination().status().message(), HasSubstr("started again"));
  }
  fs_->SetCapacity(-1);
  SimTree tree(2, Files());
  EXPECT_THAT(tree.Children("/"), ElementsAre("a"));
  tree.MustCommit({Operation::Create("/b", std::string(1000, 'b'))});
}

TEST_F(DurableTreeTest, ASessionThatOutlivesItsEngineHearsOfIt) {
  base::SimExecutor executor(1);
  base::Network network(executor, {});
  auto coordination = EmbeddedCoordination::Open(executor, network, Files()).value();
  {
    Client client(*coordination);
    client.Append(1);
    executor.RunFor(base::Duration::zero());
    coordination = nullptr;  // writes what was committed
    executor.RunFor(milliseconds(50));
    client.Append(1);
    executor.RunFor(milliseconds(50));
    EXPECT_THAT(client.codes, ElementsAre(Code::kOk, kLoss));
    EXPECT_THAT(client.events, ElementsAre(SessionEvent::kDisconnected));
  }
  executor.Shutdown();
  EXPECT_THAT(SimTree(2, Files()).Children("/"), ElementsAre("n0000000000"));
}

TEST_F(DurableTreeTest, WhatCannotBeWrittenAtTheEndIsSaid) {
  base::SimExecutor executor(1);
  base::Network network(executor, {});
  const auto coordination = EmbeddedCoordination::Open(executor, network, Files()).value();
  {
    FailAll(Call::Kind::kSync);
    Client client(*coordination);
    client.Append(1);
    executor.RunFor(base::Duration::zero());
    coordination->Close();
    EXPECT_EQ(coordination->status().code(), StatusCode::kDataLoss);
    client.Append(1);
    executor.RunFor(milliseconds(50));
    EXPECT_THAT(client.codes, ElementsAre(kLoss, kLoss));
  }
  coordination->Close();
  EXPECT_EQ(coordination->status().code(), StatusCode::kDataLoss);
  executor.Shutdown();
}

// --- Files that are not as they were left --------------------------------------------------------

// A journal of commits, each of which makes a node, and where each begins.
class DamagedTreeTest : public DurableTreeTest {
 protected:
  void SetUp() override {
    SimTree tree(1, Files());
    for (int i = 0; i < 4; ++i) {
      begins_.push_back(Journal().size());
      tree.MustCommit({Operation::Create("/n", "data", Mode::kPersistentSequential)});
    }
    journal_ = Journal();
  }
  std::string Journal() const { return files::ReadFile(*fs_, kJournal).value(); }
  void Write(const std::string& journal) {
    EXPECT_TRUE(files::RemoveAll(*fs_, kFolder).ok());
    EXPECT_TRUE(fs_->CreateDirectories(kFolder).ok());
    EXPECT_TRUE(files::ReplaceFile(*fs_, kJournal, journal).ok());
  }
  size_t CommitsFound() const { return SimTree(1, Files()).Children("/").size(); }
  // Those that end before this byte.
  size_t CommitsBefore(size_t position) const {
    size_t commits = 0;
    while (commits + 1 < begins_.size() && begins_[commits + 1] <= position) ++commits;
    return position >= journal_.size() ? begins_.size() : commits;
  }

  std::string journal_;
  std::vector<size_t> begins_;
};

TEST_F(DamagedTreeTest, EveryTruncationOfAJournalLosesTheCommitsBehindItAndNoOther) {
  for (size_t size = 0; size <= journal_.size(); ++size) {
    Write(journal_.substr(0, size));
    if (size < begins_[0]) {
      const absl::Status status = Open();
      ASSERT_EQ(status.code(), StatusCode::kDataLoss) << size;
      ASSERT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' at byte "));
    } else {
      ASSERT_EQ(CommitsFound(), CommitsBefore(size)) << size;
    }
  }
}

TEST_F(DamagedTreeTest, EveryFlippedByteOfAJournalIsRefusedOrIsInTheLastRecord) {
  for (size_t position = 0; position < journal_.size(); ++position) {
    std::string bytes = journal_;
    bytes[position] = static_cast<char>(~bytes[position]);
    Write(bytes);
    if (position >= begins_.back()) {
      ASSERT_EQ(CommitsFound(), begins_.size() - 1) << position;
      continue;
    }
    const absl::Status status = Open();
    ASSERT_THAT(status.code(), AnyOf(StatusCode::kDataLoss, StatusCode::kFailedPrecondition));
    ASSERT_THAT(status.message(), HasSubstr("'data/tree/tree.journal' at byte ")) << position;
    if (position >= begins_[0]) {
      const size_t begin = begins_[CommitsBefore(position)];
      ASSERT_THAT(status.message(), HasSubstr(base::Cat("at byte ", begin, ":"))) << position;
    }
    ASSERT_EQ(Journal(), bytes) << "what is damaged is left to whoever can mend it";
  }
}

TEST_F(DamagedTreeTest, AFolderOfANewerFormatIsRefusedAndSaysByWhat) {
  std::string bytes = journal_;
  bytes[7] = 2;
  Write(bytes);
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("version 2"));
  EXPECT_THAT(status.message(), HasSubstr("use the program that wrote it"));
  EXPECT_EQ(Journal(), bytes);
}

TEST_F(DamagedTreeTest, AFolderOfSomebodyElseIsRefused) {
  Write("PK\3\4 whatever this is");
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("does not begin with 'KLTJ'"));
}

}  // namespace
}  // namespace kafkalite::coordination
