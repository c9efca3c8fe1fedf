// File: runtime_of.h
//
// How Producer::Create and Consumer::Create get from the public Cluster to what its clients share,
// and testing/ to which client is whose.

#ifndef KAFKALITE_CLIENT_RUNTIME_OF_H_
#define KAFKALITE_CLIENT_RUNTIME_OF_H_

#include <cstdint>
#include <memory>

namespace kafkalite {

class Cluster;
class Consumer;
class Producer;

namespace client {
struct ClientRuntime;
}  // namespace client

// Defined beside Cluster.
std::shared_ptr<client::ClientRuntime> RuntimeOf(Cluster& cluster);

// A client's node in the network. Defined beside each.
int32_t ClientIdOf(const Producer& producer);
int32_t ClientIdOf(const Consumer& consumer);

}  // namespace kafkalite

#endif  // KAFKALITE_CLIENT_RUNTIME_OF_H_
