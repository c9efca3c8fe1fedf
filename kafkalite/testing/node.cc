#include "kafkalite/testing/node.h"

#include "kafkalite/base/strings.h"
#include "kafkalite/client/runtime_of.h"

namespace kafkalite::testing {

Node Node::Of(const Producer& producer) { return Node(base::NodeId{ClientIdOf(producer)}); }
Node Node::Of(const Consumer& consumer) { return Node(base::NodeId{ClientIdOf(consumer)}); }

bool Node::Covers(int32_t from) const {
  return from == id_ || (*this == Clients() && Node(base::NodeId{from}).is_client());
}

std::string Node::ToString() const {
  if (is_broker()) return base::Cat("broker ", id_);
  if (is_coordination()) return "coordination";
  if (*this == Clients()) return "all clients";
  return base::Cat("client ", static_cast<int32_t>(base::NodeId::kFirstClient) - id_ + 1);
}

}  // namespace kafkalite::testing
