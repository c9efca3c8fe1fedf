// File: session_client.h
//
// The client's side of a session of the embedded coordination: numbers requests, matches answers,
// keeps the session alive, and notices when the server is out of reach.
//
// What the user gave (callbacks, watches, the listener) runs inside this session's strand, so no
// two of them overlap, and nothing that they call here runs before they return.
//
// Thread safety: any thread. Lifetime: shared with its own timers and calls under way.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_SESSION_CLIENT_H_
#define KAFKALITE_COORDINATION_EMBEDDED_SESSION_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/coordination/embedded/messages.h"
#include "kafkalite/coordination/embedded/tree_server.h"

namespace kafkalite::coordination {

class SessionClient final : public ReplyReceiver,
                            public std::enable_shared_from_this<SessionClient> {
 public:
  static std::shared_ptr<SessionClient> Open(base::Executor& executor, base::Network& network,
                                             std::shared_ptr<TreeServer> server,
                                             const SessionOptions& options,
                                             SessionListener listener);

  uint64_t id() const { return address_->session; }
  void Commit(std::vector<Operation> operations, CommitCallback callback);
  void Get(std::string path, Watch watch, GetCallback callback);
  void Children(std::string path, Watch watch, ChildrenCallback callback);

  // Ends the session. From now on callbacks get kSessionExpired, and nothing else is called.
  void Close();

  // For the server.
  void Receive(Reply reply) override;

 private:
  enum class State { kConnected, kDisconnected, kOver };
  using Callback = std::variant<CommitCallback, GetCallback, ChildrenCallback>;
  struct Outstanding {
    base::Time made;
    Call call;  // until it is sent
    Watch watch;
    Callback callback;
  };

  SessionClient(base::Executor& executor, base::Network& network,
                std::shared_ptr<TreeServer> server, const SessionOptions& options,
                SessionListener listener);

  void Begin(Outstanding outstanding);
  void Start(Outstanding outstanding) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Transmit(Outstanding outstanding) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Send(uint64_t number, Call call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  void DrainInbox() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Handle(Reply reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void HandleEvents(const std::vector<Event>& events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void HandleAnswer(Reply reply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Fail(Outstanding outstanding, Code code) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Tick(uint64_t timer_number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Disconnect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Reconnect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  // Forgets and fails everything, then tells the listener that the session has expired.
  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Tell(SessionEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  // Constant after Open().
  base::Executor& executor_;
  base::Network& network_;
  const std::shared_ptr<TreeServer> server_;
  const base::NodeId node_;
  base::Link& to_server_;
  const base::Duration timeout_;
  const base::Duration patience_;  // for an answer, before we count as disconnected
  std::shared_ptr<const ReturnAddress> address_;

  std::atomic<bool> closed_{false};

  // Replies in the order of their arrival, which calls of a strand need not keep: they come from
  // the frames of many other strands.
  base::Mutex inbox_mu_;
  std::deque<Reply> inbox_ ABSL_GUARDED_BY(inbox_mu_);

  base::Strand strand_;
  SessionListener listener_ ABSL_GUARDED_BY(strand_);
  State state_ ABSL_GUARDED_BY(strand_) = State::kConnected;
  uint64_t last_number_ ABSL_GUARDED_BY(strand_) = 0;
  uint64_t last_event_ ABSL_GUARDED_BY(strand_) = 0;
  // When the youngest request was sent that the server has answered.
  base::Time heard_ ABSL_GUARDED_BY(strand_);
  base::Time next_ping_ ABSL_GUARDED_BY(strand_);
  base::TimerId timer_ ABSL_GUARDED_BY(strand_) = base::TimerId::kNone;
  uint64_t timer_number_ ABSL_GUARDED_BY(strand_) = 0;
  std::map<uint64_t, Outstanding> pending_ ABSL_GUARDED_BY(strand_);  // sent, by number
  std::deque<Outstanding> waiting_ ABSL_GUARDED_BY(strand_);          // for the reconnection
  std::map<uint64_t, Watch> watches_ ABSL_GUARDED_BY(strand_);        // by the Get's number
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_SESSION_CLIENT_H_
