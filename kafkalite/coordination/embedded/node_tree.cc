#include "kafkalite/coordination/embedded/node_tree.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "kafkalite/coordination/embedded/tree_path.h"

namespace kafkalite::coordination {
namespace {

bool IsSequential(Operation::Mode mode) {
  return mode == Operation::Mode::kPersistentSequential ||
         mode == Operation::Mode::kEphemeralSequential;
}

bool IsEphemeral(Operation::Mode mode) {
  return mode == Operation::Mode::kEphemeral || mode == Operation::Mode::kEphemeralSequential;
}

bool Matches(int32_t wanted, int32_t version) { return wanted == kAnyVersion || wanted == version; }

OperationResult Failure(Code code) { return {.code = code, .path = {}, .version = 0}; }

}  // namespace

Stat NodeTree::Node::MakeStat() const {
  return {.creation_id = creation_id,
          .version = version,
          // Counts what came and what went: what ever came, plus what is no longer here.
          .children_version =
              static_cast<int32_t>(2 * children_made - static_cast<int64_t>(children.size())),
          .ephemeral_owner = ephemeral_owner};
}

NodeTree::NodeTree() = default;

NodeTree::NodeTree(KeptTree kept) : keeps_(true), last_transaction_(kept.last_transaction) {
  for (auto& [path, kept_node] : kept.nodes) {
    Node* node = &root_;
    if (path != "/") {
      std::unique_ptr<Node>& slot = Find(ParentOf(path))->children[std::string(NameOf(path))];
      slot = std::make_unique<Node>();
      node = slot.get();
    }
    node->data = std::move(kept_node.data);
    node->creation_id = kept_node.creation_id;
    node->version = kept_node.version;
    node->children_made = kept_node.children_made;
  }
}

NodeTree::Node* NodeTree::Find(std::string_view path) {
  Node* node = &root_;
  for (size_t start = 1; start < path.size();) {
    const size_t slash = std::min(path.find('/', start), path.size());
    const auto child = node->children.find(path.substr(start, slash - start));
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
    start = slash + 1;
  }
  return node;
}

OperationResult NodeTree::Create(Transaction& transaction, Operation& operation) {
  std::string& path = operation.path;
  const bool sequential = IsSequential(operation.mode);
  // A sequential node's name may consist of its number alone.
  if (!IsPath(sequential ? path + "0" : path)) return Failure(Code::kBadArguments);
  if (path == "/" && !sequential) return Failure(Code::kNodeExists);
  Node* const parent = Find(ParentOf(path));
  if (parent == nullptr) return Failure(Code::kNoNode);
  if (parent->ephemeral_owner != 0) return Failure(Code::kNoChildrenForEphemerals);
  if (sequential) path += absl::StrFormat("%010d", parent->children_made);

  const auto [child, is_new] = parent->children.try_emplace(std::string(NameOf(path)));
  if (!is_new) return Failure(Code::kNodeExists);
  child->second = std::make_unique<Node>();
  child->second->data = std::move(operation.data);
  child->second->creation_id = transaction.id;
  ++parent->children_made;
  if (IsEphemeral(operation.mode)) {
    child->second->ephemeral_owner = transaction.session;
    ephemerals_[transaction.session].insert(path);
  }
  if (keeps_ && !IsEphemeral(operation.mode)) {
    transaction.kept.push_back({.kind = KeptChange::Kind::kCreate,
                                .path = path,
                                .data = child->second->data,
                                .number = parent->children_made});
  } else if (keeps_) {
    transaction.kept.push_back({.kind = KeptChange::Kind::kChild,
                                .path = std::string(ParentOf(path)),
                                .data = {},
                                .number = parent->children_made});
  }
  transaction.undo.push_back({Operation::Kind::kCreate, parent, path, {}, nullptr});
  transaction.changes.push_back({ChangeKind::kData, path});
  transaction.changes.push_back({ChangeKind::kChildren, std::string(ParentOf(path))});
  return {.code = Code::kOk, .path = path, .version = 0};
}

OperationResult NodeTree::Set(Transaction& transaction, Operation& operation) {
  Node* const node = Find(operation.path);
  if (node == nullptr) return Failure(Code::kNoNode);
  if (!Matches(operation.version, node->version)) return Failure(Code::kBadVersion);
  std::swap(node->data, operation.data);
  ++node->version;
  if (keeps_ && node->ephemeral_owner == 0) {
    transaction.kept.push_back({.kind = KeptChange::Kind::kSet,
                                .path = operation.path,
                                .data = node->data,
                                .number = node->version});
  }
  transaction.undo.push_back({Operation::Kind::kSet, node, {}, std::move(operation.data), nullptr});
  transaction.changes.push_back({ChangeKind::kData, operation.path});
  return {.code = Code::kOk, .path = {}, .version = node->version};
}

OperationResult NodeTree::Delete(Transaction& transaction, const Operation& operation) {
  const std::string& path = operation.path;
  if (path == "/") return Failure(Code::kBadArguments);
  Node* const parent = Find(ParentOf(path));
  if (parent == nullptr) return Failure(Code::kNoNode);
  const auto child = parent->children.find(NameOf(path));
  if (child == parent->children.end()) return Failure(Code::kNoNode);
  if (!Matches(operation.version, child->second->version)) return Failure(Code::kBadVersion);
  if (!child->second->children.empty()) return Failure(Code::kNotEmpty);

  std::unique_ptr<Node> node = std::move(child->second);
  parent->children.erase(child);
  if (node->ephemeral_owner != 0) {
    ephemerals_[node->ephemeral_owner].erase(path);
  } else if (keeps_) {
    transaction.kept.push_back(
        {.kind = KeptChange::Kind::kDelete, .path = path, .data = {}, .number = 0});
  }
  transaction.undo.push_back({Operation::Kind::kDelete, parent, path, {}, std::move(node)});
  transaction.changes.push_back({ChangeKind::kData, path});
  transaction.changes.push_back({ChangeKind::kChildren, path});
  transaction.changes.push_back({ChangeKind::kChildren, std::string(ParentOf(path))});
  return {.code = Code::kOk, .path = {}, .version = 0};
}

OperationResult NodeTree::Apply(Transaction& transaction, Operation& operation) {
  if (operation.kind == Operation::Kind::kCreate) return Create(transaction, operation);
  if (!IsPath(operation.path)) return Failure(Code::kBadArguments);
  if (operation.kind == Operation::Kind::kSet) return Set(transaction, operation);
  if (operation.kind == Operation::Kind::kDelete) return Delete(transaction, operation);
  const Node* const node = Find(operation.path);
  if (node == nullptr) return Failure(Code::kNoNode);
  return Failure(Matches(operation.version, node->version) ? Code::kOk : Code::kBadVersion);
}

void NodeTree::TakeBack(Undo undo) {
  const std::string_view name = NameOf(undo.path);
  if (undo.kind == Operation::Kind::kCreate) {
    const auto child = undo.node->children.find(name);
    if (child->second->ephemeral_owner != 0) {
      ephemerals_[child->second->ephemeral_owner].erase(undo.path);
    }
    undo.node->children.erase(child);
    --undo.node->children_made;
  } else if (undo.kind == Operation::Kind::kDelete) {
    const uint64_t owner = undo.deleted_node->ephemeral_owner;
    if (owner != 0) ephemerals_[owner].insert(undo.path);
    undo.node->children.emplace(name, std::move(undo.deleted_node));
  } else {
    undo.node->data = std::move(undo.old_data);
    --undo.node->version;
  }
}

NodeTree::Outcome NodeTree::Commit(uint64_t session, std::vector<Operation> operations) {
  Outcome outcome;
  CommitResult& result = outcome.result;
  if (operations.empty()) return outcome;
  Transaction transaction{
      .session = session, .id = last_transaction_ + 1, .undo = {}, .changes = {}, .kept = {}};
  result.results.reserve(operations.size());
  for (Operation& operation : operations) {
    result.results.push_back(Apply(transaction, operation));
    result.code = result.results.back().code;
    if (result.code != Code::kOk) break;
  }
  if (result.code == Code::kOk) {
    last_transaction_ = transaction.id;
    outcome.fired = Fire(transaction.changes);
    outcome.kept = std::move(transaction.kept);
    return outcome;
  }
  while (!transaction.undo.empty()) {
    TakeBack(std::move(transaction.undo.back()));
    transaction.undo.pop_back();
  }
  OperationResult failed = std::move(result.results.back());
  const size_t position = result.results.size() - 1;
  result.results.assign(operations.size(), Failure(Code::kRolledBack));
  result.results[position] = std::move(failed);
  return outcome;
}

GetResult NodeTree::Get(std::string_view path, std::optional<Watcher> watcher) {
  if (!IsPath(path)) return {.code = Code::kBadArguments, .data = {}, .stat = {}};
  if (watcher.has_value()) data_watches_[std::string(path)].push_back(*watcher);
  const Node* const node = Find(path);
  if (node == nullptr) return {.code = Code::kNoNode, .data = {}, .stat = {}};
  return {.code = Code::kOk, .data = node->data, .stat = node->MakeStat()};
}

ChildrenResult NodeTree::Children(std::string_view path, std::optional<Watcher> watcher) {
  if (!IsPath(path)) return {.code = Code::kBadArguments, .names = {}};
  const Node* const node = Find(path);
  if (node == nullptr) return {.code = Code::kNoNode, .names = {}};
  if (watcher.has_value()) child_watches_[std::string(path)].push_back(*watcher);
  ChildrenResult result;
  result.names.reserve(node->children.size());
  for (const auto& [name, child] : node->children) result.names.push_back(name);
  return result;
}

std::vector<NodeTree::Watcher> NodeTree::Fire(const std::vector<Change>& changes) {
  std::vector<Watcher> fired;
  for (const Change& change : changes) {
    Watches& watches = change.kind == ChangeKind::kData ? data_watches_ : child_watches_;
    const auto found = watches.find(change.path);
    if (found == watches.end()) continue;
    std::move(found->second.begin(), found->second.end(), std::back_inserter(fired));
    watches.erase(found);
  }
  return fired;
}

std::vector<NodeTree::Watcher> NodeTree::EndSession(uint64_t session) {
  for (Watches* watches : {&data_watches_, &child_watches_}) {
    for (auto entry = watches->begin(); entry != watches->end();) {
      std::erase_if(entry->second, [session](const Watcher& w) { return w.session == session; });
      entry = entry->second.empty() ? watches->erase(entry) : std::next(entry);
    }
  }
  const auto owned = ephemerals_.extract(session);
  if (owned.empty()) return {};
  std::vector<Operation> deletions;
  for (const std::string& path : owned.mapped()) deletions.push_back(Operation::Delete(path));
  std::vector<Watcher> fired = Commit(session, std::move(deletions)).fired;
  ephemerals_.erase(session);
  return fired;
}

}  // namespace kafkalite::coordination
