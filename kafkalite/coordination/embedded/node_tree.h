// File: node_tree.h
//
// The tree of the embedded coordination: nodes, versions, atomic commits and watches, as
// ZooKeeper's. Pure: no thread, no clock, no IO; equal calls make equal trees.
//
// Thread safety: none. Its owner calls it from one place at a time.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_NODE_TREE_H_
#define KAFKALITE_COORDINATION_EMBEDDED_NODE_TREE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/embedded/kept_tree.h"

namespace kafkalite::coordination {

class NodeTree {
 public:
  // Who set a watch, and the name that it goes by there.
  struct Watcher {
    uint64_t session = 0;
    uint64_t number = 0;

    friend bool operator==(const Watcher&, const Watcher&) = default;
  };

  struct Outcome {
    CommitResult result;
    std::vector<Watcher> fired;  // in the order of the changes
    // For a tree that is kept: what to write of the commit. Empty if there is nothing.
    std::vector<KeptChange> kept;
  };

  // An empty tree that nobody keeps.
  NodeTree();
  // What was kept, and its commits will say what to keep of them.
  // REQUIRES: what KeptTree::Apply makes, so every node but "/" has a parent.
  explicit NodeTree(KeptTree kept);

  // Applies all operations or none; later ones see what earlier ones did. On failure the failing
  // operation has its code and all others have kRolledBack. `session` owns the ephemerals made.
  Outcome Commit(uint64_t session, std::vector<Operation> operations);

  // With a watcher: fires it once, on the next change of the data or of the existence.
  GetResult Get(std::string_view path, std::optional<Watcher> watcher);

  // With a watcher, and if the node exists: fires it once, when a child comes or goes, or when the
  // node itself goes.
  ChildrenResult Children(std::string_view path, std::optional<Watcher> watcher);

  // Drops the session's watches, then deletes its ephemerals. Returns whose watches that fired.
  std::vector<Watcher> EndSession(uint64_t session);

  // The id of the last commit that changed the tree.
  int64_t last_transaction() const { return last_transaction_; }

 private:
  struct Node {
    Stat MakeStat() const;

    std::string data;
    int64_t creation_id = 0;
    int32_t version = 0;
    uint64_t ephemeral_owner = 0;
    int64_t children_made = 0;  // ever; numbers the sequential ones
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  };
  enum class ChangeKind { kData, kChildren };
  struct Change {
    ChangeKind kind;
    std::string path;
  };
  // How to take one step back. Nodes keep their addresses, also outside of the tree.
  struct Undo {
    Operation::Kind kind;
    Node* node;                          // kCreate, kDelete: the parent
    std::string path;                    // kCreate, kDelete: the child's
    std::string old_data;                // kSet
    std::unique_ptr<Node> deleted_node;  // kDelete
  };
  // A commit on its way.
  struct Transaction {
    uint64_t session;
    int64_t id;
    std::vector<Undo> undo;
    std::vector<Change> changes;
    std::vector<KeptChange> kept;
  };
  using Watches = std::map<std::string, std::vector<Watcher>, std::less<>>;

  Node* Find(std::string_view path);
  OperationResult Apply(Transaction& transaction, Operation& operation);
  OperationResult Create(Transaction& transaction, Operation& operation);
  OperationResult Set(Transaction& transaction, Operation& operation);
  OperationResult Delete(Transaction& transaction, const Operation& operation);
  void TakeBack(Undo undo);
  std::vector<Watcher> Fire(const std::vector<Change>& changes);

  bool keeps_ = false;
  Node root_;
  int64_t last_transaction_ = 0;
  std::map<uint64_t, std::set<std::string>> ephemerals_;  // by session
  Watches data_watches_;
  Watches child_watches_;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_NODE_TREE_H_
