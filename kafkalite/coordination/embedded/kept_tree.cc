#include "kafkalite/coordination/embedded/kept_tree.h"

#include <limits>
#include <string_view>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/embedded/tree_path.h"

namespace kafkalite::coordination {
namespace {

using Nodes = std::map<std::string, KeptNode, std::less<>>;

absl::Status Unfit(std::string_view verb, const KeptChange& change, std::string_view why) {
  return absl::DataLossError(
      base::ToAbsl(base::Cat("it ", verb, " '", std::string_view(change.path), "', ", why)));
}

bool HasChildren(const Nodes& nodes, const std::string& path) {
  const std::string below = base::Cat(path, "/");
  const auto first = nodes.lower_bound(below);
  return first != nodes.end() && first->first.starts_with(below);
}

absl::Status CountChild(Nodes& nodes, std::string_view parent, const KeptChange& change) {
  const auto found = nodes.find(parent);
  if (found == nodes.end()) return Unfit("creates", change, "whose parent is not there");
  if (found->second.children_made != change.number - 1) {
    return Unfit("creates", change, "and other children made before that are not there");
  }
  found->second.children_made = change.number;
  return absl::OkStatus();
}

absl::Status Create(Nodes& nodes, KeptChange& change, int64_t transaction) {
  if (change.path == "/" || nodes.contains(change.path)) {
    return Unfit("creates", change, "which is there");
  }
  KL_RETURN_IF_ERROR(CountChild(nodes, ParentOf(change.path), change));
  nodes.emplace(std::move(change.path),
                KeptNode{.data = std::move(change.data), .creation_id = transaction});
  return absl::OkStatus();
}

absl::Status Set(Nodes& nodes, KeptChange& change) {
  const auto found = nodes.find(change.path);
  if (found == nodes.end()) return Unfit("sets", change, "which is not there");
  KeptNode& node = found->second;
  if (change.number > std::numeric_limits<int32_t>::max() || node.version != change.number - 1) {
    return Unfit("sets", change, base::Cat("which has version ", node.version));
  }
  node.version = static_cast<int32_t>(change.number);
  node.data = std::move(change.data);
  return absl::OkStatus();
}

absl::Status Delete(Nodes& nodes, const KeptChange& change) {
  const auto found = nodes.find(change.path);
  if (found == nodes.end() || change.path == "/") {
    return Unfit("deletes", change, "which is not there");
  }
  if (HasChildren(nodes, change.path)) return Unfit("deletes", change, "which has children");
  nodes.erase(found);
  return absl::OkStatus();
}

absl::Status ApplyChange(Nodes& nodes, KeptChange& change, int64_t transaction) {
  if (!IsPath(change.path)) return Unfit("names", change, "which is no path");
  switch (change.kind) {
    case KeptChange::Kind::kCreate:
      return Create(nodes, change, transaction);
    case KeptChange::Kind::kSet:
      return Set(nodes, change);
    case KeptChange::Kind::kDelete:
      return Delete(nodes, change);
    case KeptChange::Kind::kChild:
      return CountChild(nodes, change.path, change);
  }
  return Unfit("changes", change, "in a way that is not known");
}

}  // namespace

absl::Status KeptTree::Apply(KeptCommit commit) {
  if (commit.transaction <= last_transaction) {
    return absl::DataLossError(base::ToAbsl(base::Cat(
        "transaction ", commit.transaction, " comes after transaction ", last_transaction)));
  }
  for (KeptChange& change : commit.changes) {
    if (change.number < 0) return Unfit("numbers", change, "below 0");
    KL_RETURN_IF_ERROR(ApplyChange(nodes, change, commit.transaction));
  }
  last_transaction = commit.transaction;
  return absl::OkStatus();
}

}  // namespace kafkalite::coordination
