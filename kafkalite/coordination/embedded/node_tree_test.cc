#include "kafkalite/coordination/embedded/node_tree.h"

#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kafkalite::coordination {

void PrintTo(Code code, std::ostream* out) { *out << ToString(code); }
void PrintTo(const NodeTree::Watcher& watcher, std::ostream* out) {
  *out << watcher.session << ":" << watcher.number;
}

namespace {

using Mode = Operation::Mode;
using Watcher = NodeTree::Watcher;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMe = 1;
constexpr uint64_t kOther = 2;

class NodeTreeTest : public testing::Test {
 protected:
  // One operation, and whose watches fired.
  Code Do(Operation operation, uint64_t session = kMe) {
    std::vector<Operation> operations;
    operations.push_back(std::move(operation));
    NodeTree::Outcome outcome = tree_.Commit(session, std::move(operations));
    fired_ = std::move(outcome.fired);
    return outcome.result.code;
  }
  std::vector<std::string> Children(const std::string& path) {
    return tree_.Children(path, std::nullopt).names;
  }
  Stat StatOf(const std::string& path) { return tree_.Get(path, std::nullopt).stat; }
  void WatchData(const std::string& path, uint64_t number, uint64_t session = kMe) {
    tree_.Get(path, Watcher{session, number});
  }
  void WatchChildren(const std::string& path, uint64_t number, uint64_t session = kMe) {
    tree_.Children(path, Watcher{session, number});
  }

  NodeTree tree_;
  std::vector<Watcher> fired_;
};

TEST_F(NodeTreeTest, TheRootIsAlwaysThere) {
  EXPECT_EQ(tree_.Get("/", std::nullopt).code, Code::kOk);
  EXPECT_THAT(Children("/"), IsEmpty());
  EXPECT_EQ(Do(Operation::Create("/", "")), Code::kNodeExists);
  EXPECT_EQ(Do(Operation::Delete("/")), Code::kBadArguments);
  EXPECT_EQ(Do(Operation::Set("/", "x")), Code::kOk);
  EXPECT_EQ(tree_.Get("/", std::nullopt).data, "x");
}

TEST_F(NodeTreeTest, BadPathsAreRefusedEverywhere) {
  for (const std::string path : {"", "a", "a/b", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/./b",
                                 "/a/../b", "/a\n", "/a\x7f"}) {
    EXPECT_EQ(Do(Operation::Create(path, "")), Code::kBadArguments) << path;
    EXPECT_EQ(Do(Operation::Set(path, "")), Code::kBadArguments) << path;
    EXPECT_EQ(Do(Operation::Delete(path)), Code::kBadArguments) << path;
    EXPECT_EQ(Do(Operation::Check(path, 0)), Code::kBadArguments) << path;
    EXPECT_EQ(tree_.Get(path, Watcher{kMe, 1}).code, Code::kBadArguments) << path;
    EXPECT_EQ(tree_.Children(path, Watcher{kMe, 1}).code, Code::kBadArguments) << path;
  }
  EXPECT_EQ(Do(Operation::Create(std::string("/a\0b", 4), "")), Code::kBadArguments);
  EXPECT_EQ(Do(Operation::Create("/a.b", "")), Code::kOk);
  EXPECT_EQ(Do(Operation::Create("/...", "")), Code::kOk);
  EXPECT_EQ(Do(Operation::Create("/\xc3\xa9", "")), Code::kOk);
}

TEST_F(NodeTreeTest, EachSuccessfulCommitHasOneTransactionId) {
  EXPECT_EQ(Do(Operation::Create("/a", "")), Code::kOk);
  EXPECT_EQ(tree_.last_transaction(), 1);
  EXPECT_EQ(Do(Operation::Create("/a", "")), Code::kNodeExists);
  EXPECT_EQ(tree_.last_transaction(), 1);
  tree_.Commit(kMe, {Operation::Create("/b", ""), Operation::Create("/b/c", "")});
  EXPECT_EQ(StatOf("/b").creation_id, 2);
  EXPECT_EQ(StatOf("/b/c").creation_id, 2);
  tree_.Commit(kMe, {});
  EXPECT_EQ(tree_.last_transaction(), 2);
}

TEST_F(NodeTreeTest, ChildrenVersionCountsComingAndGoing) {
  Do(Operation::Create("/a", ""));
  EXPECT_EQ(StatOf("/a").children_version, 0);
  Do(Operation::Create("/a/b", ""));
  EXPECT_EQ(StatOf("/a").children_version, 1);
  Do(Operation::Delete("/a/b"));
  EXPECT_EQ(StatOf("/a").children_version, 2);
  Do(Operation::Create("/a/b", ""));
  EXPECT_EQ(StatOf("/a").children_version, 3);
  EXPECT_EQ(StatOf("/a").version, 0);
}

TEST_F(NodeTreeTest, SequentialNamesCountAllChildrenEverMade) {
  Do(Operation::Create("/a", ""));
  Do(Operation::Create("/a/plain", ""));
  const auto made = [&](const std::string& prefix) {
    return tree_.Commit(kMe, {Operation::Create(prefix, "", Mode::kPersistentSequential)})
        .result.results[0]
        .path;
  };
  EXPECT_EQ(made("/a/n"), "/a/n0000000001");
  EXPECT_EQ(made("/a/"), "/a/0000000002");
  EXPECT_EQ(made("/"), "/0000000001");
  Do(Operation::Delete("/a/n0000000001"));
  EXPECT_EQ(made("/a/n"), "/a/n0000000003");
}

TEST_F(NodeTreeTest, AFailedCommitRestoresEverything) {
  Do(Operation::Create("/a", "a"));
  Do(Operation::Create("/a/b", "b"));
  Do(Operation::Create("/a/e", "e", Mode::kEphemeral), kOther);
  const Stat a = StatOf("/a"), b = StatOf("/a/b"), e = StatOf("/a/e");
  WatchData("/a", 1);
  WatchChildren("/a", 2);
  WatchData("/a/b", 3);

  const CommitResult result =
      tree_
          .Commit(kMe, {Operation::Set("/a/b", "changed"), Operation::Set("/a/b", "twice", 1),
                        Operation::Delete("/a/b"), Operation::Delete("/a/e"),
                        Operation::Create("/a/b", "other"), Operation::Create("/a/b/c", ""),
                        Operation::Create("/a/s", "", Mode::kEphemeralSequential),
                        Operation::Delete("/none"), Operation::Create("/z", "")})
          .result;
  EXPECT_EQ(result.code, Code::kNoNode);
  ASSERT_EQ(result.results.size(), 9u);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(result.results[i].code, i == 7 ? Code::kNoNode : Code::kRolledBack) << i;
  }
  EXPECT_EQ(StatOf("/a"), a);
  EXPECT_EQ(StatOf("/a/b"), b);
  EXPECT_EQ(StatOf("/a/e"), e);
  EXPECT_EQ(tree_.Get("/a/b", std::nullopt).data, "b");
  EXPECT_THAT(Children("/a"), ElementsAre("b", "e"));
  EXPECT_THAT(Children("/a/b"), IsEmpty());
  // Ephemerals are known as before, and the watches still wait.
  EXPECT_THAT(tree_.EndSession(kOther), ElementsAre(Watcher{kMe, 2}));
  EXPECT_THAT(Children("/a"), ElementsAre("b"));
  Do(Operation::Set("/a/b", ""));
  EXPECT_THAT(fired_, ElementsAre(Watcher{kMe, 3}));
}

TEST_F(NodeTreeTest, CreateFiresWatchesOnTheNodeAndOnItsParent) {
  Do(Operation::Create("/a", ""));
  WatchData("/a", 1);
  WatchChildren("/a", 2);
  WatchData("/a/b", 3);
  WatchData("/a/c", 4);
  Do(Operation::Create("/a/b", ""));
  EXPECT_THAT(fired_, ElementsAre(Watcher{kMe, 3}, Watcher{kMe, 2}));
  Do(Operation::Create("/a/d", ""));
  EXPECT_THAT(fired_, IsEmpty());
}

TEST_F(NodeTreeTest, DeleteFiresWatchesOnTheNodeItsChildrenAndItsParent) {
  tree_.Commit(kMe, {Operation::Create("/a", ""), Operation::Create("/a/b", "")});
  WatchChildren("/a", 1);
  WatchChildren("/a/b", 2);
  WatchData("/a/b", 3, kOther);
  WatchData("/a", 4);
  Do(Operation::Delete("/a/b"));
  EXPECT_THAT(fired_, ElementsAre(Watcher{kOther, 3}, Watcher{kMe, 2}, Watcher{kMe, 1}));
  Do(Operation::Create("/a/b", ""));
  EXPECT_THAT(fired_, IsEmpty());
}

TEST_F(NodeTreeTest, AWatchFiresOnceForAllChangesOfACommit) {
  WatchData("/a", 1);
  WatchData("/a", 2);
  tree_.Commit(kMe, {Operation::Check("/", 0)});
  const auto fired = tree_
                         .Commit(kMe, {Operation::Create("/a", ""), Operation::Set("/a", "x"),
                                       Operation::Delete("/a")})
                         .fired;
  EXPECT_THAT(fired, ElementsAre(Watcher{kMe, 1}, Watcher{kMe, 2}));
}

TEST_F(NodeTreeTest, EndOfASessionRemovesItsEphemeralsAndItsWatchesOnly) {
  Do(Operation::Create("/p", "", Mode::kPersistent));
  Do(Operation::Create("/p/mine", "", Mode::kEphemeral));
  Do(Operation::Create("/p/also", "", Mode::kEphemeralSequential));
  Do(Operation::Create("/p/others", "", Mode::kEphemeral), kOther);
  Do(Operation::Create("/p/deleted", "", Mode::kEphemeral));
  Do(Operation::Delete("/p/deleted"), kOther);
  Do(Operation::Create("/p/deleted", ""), kOther);
  WatchData("/p/mine", 1);
  WatchData("/p/mine", 2, kOther);
  WatchChildren("/p", 3);
  const int64_t before = tree_.last_transaction();
  EXPECT_THAT(tree_.EndSession(kMe), ElementsAre(Watcher{kOther, 2}));
  EXPECT_EQ(tree_.last_transaction(), before + 1);
  EXPECT_THAT(Children("/p"), ElementsAre("deleted", "others"));
  EXPECT_THAT(tree_.EndSession(kMe), IsEmpty());
  EXPECT_EQ(tree_.last_transaction(), before + 1);
}

TEST_F(NodeTreeTest, AnEphemeralHasNoChildrenNotEvenSequentialOnes) {
  Do(Operation::Create("/e", "", Mode::kEphemeral));
  EXPECT_EQ(Do(Operation::Create("/e/c", "")), Code::kNoChildrenForEphemerals);
  EXPECT_EQ(Do(Operation::Create("/e/c", "", Mode::kEphemeralSequential)),
            Code::kNoChildrenForEphemerals);
}

}  // namespace
}  // namespace kafkalite::coordination
