// File: kept_tree.h
//
// What of a tree outlives its process: the persistent nodes, and what a commit did to them. Pure.
//
// Ephemeral nodes are not kept, for their sessions end with the process. One thing of them is: that
// they were made. It counts among the children of their parent, whose sequential names must not
// come again, and it uses up a transaction id, by which Kafka tells a broker's registrations apart.
//
// Thread safety: none.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_KEPT_TREE_H_
#define KAFKALITE_COORDINATION_EMBEDDED_KEPT_TREE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace kafkalite::coordination {

// One effect of a commit.
struct KeptChange {
  enum class Kind {
    kCreate = 1,
    kSet = 2,
    kDelete = 3,
    kChild = 4,  // the node at `path` had an ephemeral child made
  };

  Kind kind = Kind::kCreate;
  std::string path;
  std::string data;  // kCreate, kSet
  // kSet: the version that it made. kCreate, kChild: how many children the parent has had by then.
  // Both follow from what was before, so they tell when something is missing.
  int64_t number = 0;

  friend bool operator==(const KeptChange&, const KeptChange&) = default;
};

struct KeptCommit {
  int64_t transaction = 0;
  std::vector<KeptChange> changes;  // in the order of the operations; never empty

  friend bool operator==(const KeptCommit&, const KeptCommit&) = default;
};

struct KeptNode {
  std::string data;
  int64_t creation_id = 0;
  int32_t version = 0;
  int64_t children_made = 0;

  friend bool operator==(const KeptNode&, const KeptNode&) = default;
};

struct KeptTree {
  // DATA_LOSS, with the tree spoilt, for a commit that does not follow from what is there.
  absl::Status Apply(KeptCommit commit);

  // The id of the last commit that is in it.
  int64_t last_transaction = 0;
  // By path, so a parent comes before its children.
  std::map<std::string, KeptNode, std::less<>> nodes = {{"/", {}}};

  friend bool operator==(const KeptTree&, const KeptTree&) = default;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_KEPT_TREE_H_
