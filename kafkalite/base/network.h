// File: network.h
//
// The links between the nodes of one process: brokers, clients, the coordination engine. In real
// life a healthy link is a call on the caller's thread; in a simulation every message takes a
// while. Tests cut, delay and heal links and pause nodes; what travels does not know.
//
//   Link& link = network.link(from, to);       // look up once, keep
//   link.Send([service, request] { ... });     // runs now, later, or never
//
// Rules:
//   - The messages of one link arrive in order (as TCP's do).
//   - A link that is cut delivers nothing; what was sent over it is destroyed when it is healed or
//     the network closed, so a caller whose message dies with it learns then, or by its timeout.
//   - What is sent to a paused node waits until it is resumed.
//
// Thread safety: any thread. Lifetime: links live as long as the network.

#ifndef KAFKALITE_BASE_NETWORK_H_
#define KAFKALITE_BASE_NETWORK_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"

namespace kafkalite::base {

// Brokers have their own ids (0 and up); the rest of the numbers is below.
enum class NodeId : int32_t { kCoordination = -1, kFirstClient = -2 };

class Link {
 public:
  // Runs `message` at once if the link is plain, otherwise when it arrives; destroys it unrun if
  // it never does.
  template <class Message>
  void Send(Message message) {
    if (plain_.load(std::memory_order_acquire)) {
      message();
    } else {
      SendThroughFaults(std::move(message));
    }
  }

 private:
  friend class Network;
  struct Held {
    Time due;
    Task message;
  };
  explicit Link(Executor& executor) : executor_(executor) {}

  void SendThroughFaults(Task message);
  // Delivers what is due, in order; one thread at a time does it.
  void Pump();
  void UpdatePlain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Executor& executor_;
  // No fault, no delay, nothing waiting: messages run on the sender's thread.
  std::atomic<bool> plain_{true};
  Mutex mu_;
  bool cut_ ABSL_GUARDED_BY(mu_) = false;
  bool paused_ ABSL_GUARDED_BY(mu_) = false;  // the receiving node is
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool pumping_ ABSL_GUARDED_BY(mu_) = false;
  Duration delay_ ABSL_GUARDED_BY(mu_) = Duration::zero();
  // Simulation only: every message takes a random part of this on top.
  Duration jitter_ ABSL_GUARDED_BY(mu_) = Duration::zero();
  Random random_ ABSL_GUARDED_BY(mu_){0};
  Time last_due_ ABSL_GUARDED_BY(mu_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mu_);
  std::deque<Task> lost_ ABSL_GUARDED_BY(mu_);
};

class Network {
 public:
  struct Options {
    // Every message takes up to this long; 0 on a real executor, whose links are calls.
    Duration jitter = Duration::zero();
    uint64_t seed = 0;
  };
  // REQUIRES: the executor outlives the network.
  Network(Executor& executor, Options options);

  Link& link(NodeId from, NodeId to);

  // One way: from -> to. Messages under way are lost.
  void Cut(NodeId from, NodeId to);
  void Heal(NodeId from, NodeId to);
  void HealAll();
  void SetDelay(NodeId from, NodeId to, Duration delay);

  // A paused node gets no message and runs no timer until it is resumed.
  void Pause(NodeId node);
  void Resume(NodeId node);

  // A timer of `node`: waits, beyond its time, while the node is paused.
  TimerId PostAt(NodeId node, Time when, Task task);

  // Every link destroys what it holds and whatever is sent from now on. Idempotent.
  void Close();

 private:
  void ForLinksTo(NodeId node, bool paused);

  Executor& executor_;
  const Options options_;
  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::pair<NodeId, NodeId>, std::unique_ptr<Link>> links_ ABSL_GUARDED_BY(mu_);
  std::set<NodeId> paused_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_NETWORK_H_
