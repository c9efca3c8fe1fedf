// File: embedded_coordination.h
//
// Coordination within one process: the tree lives in memory, its clients are nodes of a
// base::Network, and the engine is its node NodeId::kCoordination. So tests may cut, delay and
// pause what lies between a broker and the engine.
//
//   EmbeddedCoordination coordination(executor, network);
//   auto session = coordination.Connect({.client = 1}, [](SessionEvent event) { ... });
//
// Open makes one whose tree is kept in a folder and is there again when it is opened again. A
// commit is then answered, and its effects shown to anybody, when a sync has made it durable;
// commits that come while one sync runs share the next.
//
// A session's callbacks, watches and listener run one at a time, outside of the engine, on whatever
// thread brings the answer; on a healthy network of a real executor that is the caller's own.
// A session that does not reach the engine within its timeout is expired from the start.
//
// Thread safety: any thread.
// Errors: Open says why a folder cannot be used. When a write to it or a sync fails, the engine is
// down for good, as a ZooKeeper server in its place: sessions hear kDisconnected, all calls get
// kConnectionLoss (a commit under way may be there after the next start, or not), and status()
// names the file. Lifetime: executor and network outlive this object and its sessions; the end of a
// session may still be queued in the executor, so shut that down before the network goes. Sessions
// may outlive this object; the tree lives as long as either. One that Open made must be destroyed
// before its executor is; the destructor waits for its disk, and leaves sessions behind without an
// engine. What survives a crash: nothing; with a folder, each commit that was answered, whole:
// persistent nodes with data, versions and creation ids, and the numbers for sequential names. A
// commit that was not answered is there as a whole or not at all. Ephemeral nodes and sessions go.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_
#define KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/files/file_system.h"

namespace kafkalite::coordination {

class TreeServer;

class EmbeddedCoordination final : public Coordination {
 public:
  struct Files {
    std::shared_ptr<files::FileSystem> fs;
    // Made if it is not there. Nobody else may use it meanwhile: the caller sees to that.
    std::string folder;
    // The journal of commits is folded into a snapshot of the tree when it has this many bytes and
    // four times those of the snapshot.
    int64_t journal_bytes = int64_t{1} << 20;
  };

  // A tree in memory, empty.
  EmbeddedCoordination(base::Executor& executor, base::Network& network);
  // The tree that the folder holds. Blocks: it reads all of it.
  // DATA_LOSS          a file was damaged, or is missing: which one, where, and what to do
  // FAILED_PRECONDITION a newer version of the library wrote it
  // others             the file system's
  // Nothing is changed in the folder in the first two cases.
  static absl::StatusOr<std::unique_ptr<EmbeddedCoordination>> Open(base::Executor& executor,
                                                                    base::Network& network,
                                                                    const Files& files);
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

  // For tests: the next `times` commits of the client are carried out, and nobody hears how they
  // ended (kConnectionLoss). 0 ends that.
  void LoseCommitAnswers(int32_t client, int times);

  size_t session_count() const;

  // What the tree holds now, whoever has been told of it: for tests. Asks nobody, waits for
  // nothing.
  GetResult Peek(std::string_view path) const;
  ChildrenResult PeekChildren(std::string_view path) const;
  // The number of the last commit that changed it.
  int64_t last_transaction() const;

  // Why the engine is down: OK unless its files failed.
  absl::Status status() const;

  // Makes durable what was committed, or status() says why not, and lets go of the folder; the
  // engine is down afterwards, if there is a folder. Blocks; by one thread at a time. The
  // destructor does the same.
  void Close();

 private:
  EmbeddedCoordination(base::Executor& executor, base::Network& network,
                       std::shared_ptr<TreeServer> server);

  base::Executor& executor_;
  base::Network& network_;
  const std::shared_ptr<TreeServer> server_;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_EMBEDDED_COORDINATION_H_
