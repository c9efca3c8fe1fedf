// File: random_commits.h
//
// For tests of what keeps a tree: a tree that some sessions change at random, within few names, so
// that they meet.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_RANDOM_COMMITS_H_
#define KAFKALITE_COORDINATION_EMBEDDED_RANDOM_COMMITS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/embedded/kept_tree.h"
#include "kafkalite/coordination/embedded/node_tree.h"

namespace kafkalite::coordination {

// One line for each node, with all that a reader can see of it.
inline std::string Describe(NodeTree& tree, const std::string& path = "/") {
  const GetResult node = tree.Get(path, std::nullopt);
  std::string text =
      base::Cat(path, " ", node.stat.creation_id, " ", node.stat.version, " ",
                node.stat.children_version, " ", node.stat.ephemeral_owner, " ", node.data, "\n");
  for (const std::string& name : tree.Children(path, std::nullopt).names) {
    text += Describe(tree, base::Cat(path == "/" ? "" : path, "/", name));
  }
  return text;
}

class RandomCommits {
 public:
  explicit RandomCommits(uint64_t seed, KeptTree from = {})
      : random_(seed), tree_(std::move(from)) {}

  // What the next commit asks that is to be kept; others were made before it, and failed ones too.
  KeptCommit Next() {
    while (true) {
      std::vector<Operation> operations;
      for (int64_t left = random_.Between(1, 4); left > 0; --left) {
        operations.push_back(RandomOperation());
      }
      if (random_.OneIn(20)) tree_.EndSession(RandomSession());
      NodeTree::Outcome outcome = tree_.Commit(RandomSession(), std::move(operations));
      if (!outcome.kept.empty()) return {tree_.last_transaction(), std::move(outcome.kept)};
    }
  }

  // What is left of the tree when its process has ended.
  std::string DescribeWithoutSessions() {
    for (uint64_t session = 1; session <= kSessions; ++session) tree_.EndSession(session);
    return Describe(tree_);
  }

 private:
  static constexpr uint64_t kSessions = 3;

  uint64_t RandomSession() { return 1 + random_.Below(kSessions); }
  std::string RandomPath() {
    std::string path;
    for (int64_t depth = random_.Between(1, 3); depth > 0; --depth) {
      path += base::Cat("/", std::string(1, static_cast<char>('a' + random_.Below(3))));
    }
    // A name that sorts before "/", and the root.
    if (random_.OneIn(8)) path += "-x";
    return random_.OneIn(30) ? "/" : path;
  }
  std::string RandomData() {
    return std::string(random_.Below(40), static_cast<char>(random_.Below(256)));
  }
  Operation RandomOperation() {
    switch (random_.Below(8)) {
      case 0:
        return Operation::Delete(RandomPath());
      case 1:
      case 2:
        return Operation::Set(RandomPath(), RandomData());
      case 3:
        return Operation::Check(RandomPath(), kAnyVersion);
      default:
        return Operation::Create(RandomPath(), RandomData(),
                                 static_cast<Operation::Mode>(random_.Below(4)));
    }
  }

  base::Random random_;
  NodeTree tree_;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_RANDOM_COMMITS_H_
