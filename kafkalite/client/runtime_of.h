// File: runtime_of.h
//
// How Producer::Create and Consumer::Create get from the public Cluster to what its clients share.

#ifndef KAFKALITE_CLIENT_RUNTIME_OF_H_
#define KAFKALITE_CLIENT_RUNTIME_OF_H_

#include <memory>

namespace kafkalite {

class Cluster;

namespace client {
struct ClientRuntime;
}  // namespace client

// Defined beside Cluster.
std::shared_ptr<client::ClientRuntime> RuntimeOf(Cluster& cluster);

}  // namespace kafkalite

#endif  // KAFKALITE_CLIENT_RUNTIME_OF_H_
