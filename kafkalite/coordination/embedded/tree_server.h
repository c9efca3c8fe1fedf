// File: tree_server.h
//
// The server's side of the embedded coordination: one tree, the sessions, their watch events.
//
// It is a mutex and not a strand that guards the tree, because replies run callbacks on the
// caller's thread: they must leave after the tree was left, and in order. So they queue per session
// under the mutex, and whoever queued some delivers them outside of it.
//
// Thread safety: any thread. Lifetime: shared with the sessions.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_TREE_SERVER_H_
#define KAFKALITE_COORDINATION_EMBEDDED_TREE_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/embedded/messages.h"
#include "kafkalite/coordination/embedded/node_tree.h"
#include "kafkalite/coordination/embedded/tree_files.h"

namespace kafkalite::coordination {

class TreeServer : public std::enable_shared_from_this<TreeServer> {
 public:
  // REQUIRES: both outlive the server.
  TreeServer(base::Executor& executor, base::Network& network);
  ~TreeServer();
  // With a tree that is kept.
  static std::shared_ptr<TreeServer> Restore(base::Executor& executor, base::Network& network,
                                             TreeFiles::Opened kept);

  // A session whose time runs from now on. Its messages carry the address returned.
  std::shared_ptr<const ReturnAddress> Open(int32_t client, base::Duration timeout,
                                            std::weak_ptr<ReplyReceiver> receiver);

  void Receive(const std::shared_ptr<const ReturnAddress>& from, Request request);

  // End sessions as if they had been silent for too long. Their ephemerals are gone on return.
  void ExpireSession(uint64_t session);
  std::vector<uint64_t> DisownClient(int32_t client);
  void ExpireClient(int32_t client);

  size_t session_count() const;
  // See EmbeddedCoordination.
  void LoseCommitAnswers(int32_t client, int times);
  GetResult Peek(std::string_view path);
  ChildrenResult PeekChildren(std::string_view path);
  int64_t last_transaction() const;

  // Why the server is down, if its files failed.
  absl::Status status() const;
  // Makes durable what was committed, and closes the files, if there are any: the server is down
  // then. Blocks.
  void CloseFiles();

 private:
  struct SessionState {
    std::shared_ptr<const ReturnAddress> address;
    base::Duration timeout;
    base::Time heard;
    uint64_t last_event = 0;
    std::deque<Event> unacknowledged;
    bool disowned = false;  // its process is dead: a last word of it does not count
  };
  using Sessions = std::map<uint64_t, SessionState>;
  struct HeldReply {
    int64_t transaction;  // to be durable first
    std::shared_ptr<const ReturnAddress> to;
    Reply reply;
  };

  TreeServer(base::Executor& executor, base::Network& network, TreeFiles::Opened kept);
  void ListenToFiles() ABSL_LOCKS_EXCLUDED(mu_);
  // Everything up to `transaction` is durable.
  void Release(int64_t transaction) ABSL_LOCKS_EXCLUDED(mu_);
  void Fail() ABSL_LOCKS_EXCLUDED(mu_);

  void Answer(SessionState& session, Request request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool LosesAnswer(const SessionState& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndSession(Sessions::iterator position, bool tell) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds events to their sessions; those other than `answered` get a reply of their own for it.
  void Notify(const std::vector<NodeTree::Watcher>& fired, uint64_t answered)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A reply that may show every commit so far.
  void Enqueue(const std::shared_ptr<const ReturnAddress>& to, Reply reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One that need not wait.
  void EnqueueNow(const std::shared_ptr<const ReturnAddress>& to, Reply reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Delivers what is queued. One thread at a time serves one session.
  void Deliver() ABSL_LOCKS_EXCLUDED(mu_);

  void ArmSweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Sweep(base::Time due);

  base::Executor& executor_;
  base::Network& network_;

  mutable base::Mutex mu_;
  NodeTree tree_ ABSL_GUARDED_BY(mu_);
  // Null where the tree is in memory only.
  const std::unique_ptr<TreeFiles> files_;
  bool down_ ABSL_GUARDED_BY(mu_) = false;  // nothing more is given to the files
  // The last commit given to the files, and the last one that is durable.
  int64_t written_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t durable_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<HeldReply> held_ ABSL_GUARDED_BY(mu_);              // transactions never fall
  std::map<int32_t, int> answers_to_lose_ ABSL_GUARDED_BY(mu_);  // by client
  uint64_t last_session_ ABSL_GUARDED_BY(mu_) = 0;
  Sessions sessions_ ABSL_GUARDED_BY(mu_);
  // An entry exists while replies are queued or one is being delivered.
  std::map<uint64_t, std::deque<Reply>> outboxes_ ABSL_GUARDED_BY(mu_);
  // The sessions of outboxes_ that nobody is serving.
  std::deque<std::shared_ptr<const ReturnAddress>> ready_ ABSL_GUARDED_BY(mu_);
  base::TimerId sweep_timer_ ABSL_GUARDED_BY(mu_) = base::TimerId::kNone;
  base::Time sweep_due_ ABSL_GUARDED_BY(mu_) = base::Time::max();
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_TREE_SERVER_H_
