// File: embedded_coordination.h
//
// Coordination within one process: the tree lives in memory, its clients are nodes of a
// base::Network, and the engine is its node NodeId::kCoordination. So tests may cut, delay and
// pause what lies between a broker and the engine.
//
//   EmbeddedCoordination coordination(executor, network);
//   auto session = coordination.Connect({.client = 1}, [](SessionEvent event) { ... });
//
// A session's callbacks, watches and listener run one at a time, outside of the engine, on whatever
// thread brings the answer; on a healthy network of a real executor that is the caller's own.
// A session that does not reach the engine within its timeout is expired from the start.
//
// Thread safety: any thread.
// Lifetime: executor and network outlive this object and its sessions; the end of a session may
// still be queued in the executor, so shut that down before the network goes. Sessions may outlive
// this object; the tree lives as long as either.
// What survives a crash: nothing.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_
#define KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kafkalite/base/executor.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/coordination.h"

namespace kafkalite::coordination {

class TreeServer;

class EmbeddedCoordination final : public Coordination {
 public:
  EmbeddedCoordination(base::Executor& executor, base::Network& network);
  ~EmbeddedCoordination() override;

  std::unique_ptr<Session> Connect(const SessionOptions& options,
                                   SessionListener listener) override;

  // End sessions as if they had been silent for their timeout: one, or all of a client that is
  // known to be dead. On return their ephemerals are gone; watches fire as links allow.
  void ExpireSession(uint64_t id);
  void ExpireClient(int32_t client);

  // The client's process is about to die: its sessions stay, until they expire, although letting go
  // of them in this process says goodbye. Which ones: a later process of the client has others.
  std::vector<uint64_t> DisownClient(int32_t client);

  size_t session_count() const;

 private:
  base::Executor& executor_;
  base::Network& network_;
  const std::shared_ptr<TreeServer> server_;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_
