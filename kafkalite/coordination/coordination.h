// File: coordination.h
//
// What brokers agree through: a small tree of versioned nodes with ZooKeeper's semantics. Public,
// so that a user can bring an engine of their own; one contract suite
// (coordination/contract_test.h) runs over every implementation.
//
// Semantics, as ZooKeeper's:
//   - Every node has data, a version that starts at 0 and rises by one with each Set (a node that
//   is
//     deleted and created anew starts at 0 again), and the id of the transaction that created it.
//   - An ephemeral node belongs to a session and goes when the session ends; it has no children.
//   - A sequential node's name gets ten digits, from a counter of its parent that never goes back.
//   - Commit applies all operations or none.
//   - A watch is set by a read and fires once: on the next change of that node's data or existence
//     (Get), or of its set of children (Children). Its event may arrive before or after the
//     answers to other reads, but always before an answer that shows the change to this session.
//   - After kConnectionLoss a Commit may or may not have happened: read again to learn which. A
//   read
//     that failed so, or by kSessionExpired, has set no watch.
//   - Sessions live while they are heard of; the engine ends one that was silent for its timeout.
//     Watches that fire while a client is cut off reach it when it is back.
//   - Calls made while disconnected wait for the reconnection, but not for ever (kConnectionLoss).
//
// Thread safety: any thread. Callbacks may arrive on any thread, also before the call returns, each
// exactly once; they must not block.
// What survives a crash: of a process, everything that the engine keeps elsewhere; ephemerals go.

#ifndef KAFKALITE_COORDINATION_COORDINATION_H_
#define KAFKALITE_COORDINATION_COORDINATION_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace kafkalite::coordination {

enum class Code {
  kOk,
  kNoNode,      // the node, or the parent of one to create, does not exist
  kNodeExists,  // Create of a node that exists
  kBadVersion,  // the node has another version than the operation names
  kNotEmpty,    // Delete of a node with children
  kNoChildrenForEphemerals,
  kBadArguments,    // no path: relative, with an empty or dotted element, a control character
  kConnectionLoss,  // no answer: a write may have happened (ambiguous); a read did not
  kSessionExpired,  // the session is over; open another
  kRolledBack,      // in a failed Commit: this operation was fine, another one was not
};
std::string_view ToString(Code code);

// Matches any version in Set, Delete and Check.
inline constexpr int32_t kAnyVersion = -1;

struct Stat {
  int64_t creation_id = 0;  // transaction that created the node (ZooKeeper's czxid)
  int32_t version = 0;      // of the data
  int32_t children_version = 0;
  uint64_t ephemeral_owner = 0;  // session id, 0 for a persistent node

  friend bool operator==(const Stat&, const Stat&) = default;
};

struct Operation {
  enum class Kind { kCreate, kSet, kDelete, kCheck };
  enum class Mode { kPersistent, kEphemeral, kPersistentSequential, kEphemeralSequential };

  Kind kind = Kind::kCheck;
  std::string path;
  std::string data;               // kCreate, kSet
  int32_t version = kAnyVersion;  // kSet, kDelete, kCheck
  Mode mode = Mode::kPersistent;  // kCreate

  static Operation Create(std::string path, std::string data, Mode mode = Mode::kPersistent);
  static Operation Set(std::string path, std::string data, int32_t version = kAnyVersion);
  static Operation Delete(std::string path, int32_t version = kAnyVersion);
  static Operation Check(std::string path, int32_t version);
};

struct OperationResult {
  Code code = Code::kOk;
  std::string path;     // kCreate: the name made, with its number if sequential
  int32_t version = 0;  // kCreate: 0; kSet: the new version
};

struct CommitResult {
  // kOk, or the first failing operation's code, or kConnectionLoss / kSessionExpired for all.
  Code code = Code::kOk;
  // One for each operation; empty after kConnectionLoss and kSessionExpired.
  std::vector<OperationResult> results;
};

struct GetResult {
  Code code = Code::kOk;  // kNoNode: the watch, if asked for, waits for the creation
  std::string data;
  Stat stat;
};

struct ChildrenResult {
  Code code = Code::kOk;           // kNoNode: no watch is set
  std::vector<std::string> names;  // sorted; names, not paths
};

using CommitCallback = absl::AnyInvocable<void(CommitResult)>;
using GetCallback = absl::AnyInvocable<void(GetResult)>;
using ChildrenCallback = absl::AnyInvocable<void(ChildrenResult)>;
// Empty: no watch. Fires at most once; never after its session has ended.
using Watch = absl::AnyInvocable<void()>;

// One client's connection to the tree.
class Session {
 public:
  // Ends the session: its ephemerals go, its watches do not fire. Callbacks of calls in flight get
  // kSessionExpired, if they have not run when the destructor returns.
  virtual ~Session() = default;

  virtual uint64_t id() const = 0;
  virtual void Commit(std::vector<Operation> operations, CommitCallback callback) = 0;
  virtual void Get(std::string path, Watch watch, GetCallback callback) = 0;
  virtual void Children(std::string path, Watch watch, ChildrenCallback callback) = 0;
};

enum class SessionEvent {
  kDisconnected,  // not heard of the engine for two thirds of the timeout: it may think us dead
  kReconnected,   // the session lives on; watches are still set
  kExpired,       // it is over, and its ephemerals are gone
};
using SessionListener = absl::AnyInvocable<void(SessionEvent)>;

struct SessionOptions {
  // Names the client towards links that tests can cut (a broker id), and in logs.
  int32_t client = -1;
  std::chrono::milliseconds timeout{6000};
};

// Where sessions come from.
class Coordination {
 public:
  virtual ~Coordination() = default;
  // Never null; calls made before the engine is reached wait, or fail by kConnectionLoss.
  virtual std::unique_ptr<Session> Connect(const SessionOptions& options,
                                           SessionListener listener) = 0;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_COORDINATION_H_
