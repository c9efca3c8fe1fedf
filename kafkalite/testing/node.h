// File: node.h
//
// The ends of links, for faults: brokers by their numbers, the coordination, and clients.
//
// A plain value.

#ifndef KAFKALITE_TESTING_NODE_H_
#define KAFKALITE_TESTING_NODE_H_

#include <cstdint>
#include <string>

#include "kafkalite/base/network.h"
#include "kafkalite/consumer.h"
#include "kafkalite/producer.h"

namespace kafkalite::testing {

class Node {
 public:
  // A broker. Implicit, so that faults.Cut(1, 2) reads as it does.
  constexpr Node(int32_t broker) : id_(broker) {}  // NOLINT(google-explicit-constructor)
  constexpr explicit Node(base::NodeId id) : id_(static_cast<int32_t>(id)) {}

  // What the brokers agree through: ZooKeeper's place.
  static Node Coordination() { return Node(base::NodeId::kCoordination); }
  static Node Of(const Producer& producer);
  static Node Of(const Consumer& consumer);
  // All of them, those that are made later, and the cluster's own calls (CreateTopic, ...).
  static Node Clients() { return Node(base::NodeId::kAllClients); }

  bool is_broker() const { return id_ >= 0; }
  bool is_coordination() const { return id() == base::NodeId::kCoordination; }
  bool is_client() const { return id_ <= static_cast<int32_t>(base::NodeId::kFirstClient); }
  base::NodeId id() const { return base::NodeId{id_}; }
  // Whether `from`, one node, is this, or one of these.
  bool Covers(int32_t from) const;

  // "broker 1", "coordination", "client 3", "all clients".
  std::string ToString() const;

  friend bool operator==(const Node&, const Node&) = default;

 private:
  int32_t id_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_NODE_H_
