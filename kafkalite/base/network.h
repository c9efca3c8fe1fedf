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
//   - The messages of one link arrive in order (as TCP's do), but for those that a Disturbance lets
//     others overtake.
//   - A link that is cut delivers nothing; what was sent over it is destroyed when it is healed or
//     the network closed, or minutes later, so a caller whose message dies with it learns then, or
//     by its timeout. So is a message that was lost.
//   - What is sent to a paused node waits until it is resumed.
//
// Thread safety: any thread. Lifetime: links live as long as the network.

#ifndef KAFKALITE_BASE_NETWORK_H_
#define KAFKALITE_BASE_NETWORK_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"

namespace kafkalite::base {

// Brokers have their own ids (0 and up); the rest of the numbers is below.
enum class NodeId : int32_t {
  kCoordination = -1,
  kFirstClient = -2,
  // For faults: every client, those that come later, too.
  kAllClients = std::numeric_limits<int32_t>::min(),
};

// What may happen to the messages of a link; drawn for each of them, by the network's seed.
struct Disturbance {
  Duration delay = Duration::zero();   // it takes this much longer,
  Duration jitter = Duration::zero();  // and up to this much on top
  double loss = 0;                     // probability that it never arrives
  double duplication = 0;              // that it arrives twice: for who can send it twice
  double reordering = 0;  // that it takes up to four times `delay` + `jitter` on top of all that,
                          // and others overtake it

  friend bool operator==(const Disturbance&, const Disturbance&) = default;
};

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

  // Whether the next message should be sent twice: the link cannot, as messages are not copied.
  bool DrawDuplicate() { return !plain_.load(std::memory_order_acquire) && DrawDuplicateSlowly(); }

 private:
  friend class Network;
  struct Held {
    Time due;  // of one that is lost: when it was sent
    Task message;
  };
  explicit Link(Executor& executor) : executor_(executor) {}

  void SendThroughFaults(Task message);
  bool DrawDuplicateSlowly();
  void SetCut(bool cut);
  void SetDisturbance(const Disturbance& disturbance);
  // Those that were lost long ago, to be destroyed outside of the lock.
  std::deque<Held> TakeForgotten(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Time DrawDue(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
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
  Disturbance disturbance_ ABSL_GUARDED_BY(mu_);
  // Simulation only: every message takes a random part of this on top.
  Duration jitter_ ABSL_GUARDED_BY(mu_) = Duration::zero();
  Random random_ ABSL_GUARDED_BY(mu_){0};
  Time last_due_ ABSL_GUARDED_BY(mu_);
  std::deque<Held> held_ ABSL_GUARDED_BY(mu_);  // by when they are due
  std::deque<Held> lost_ ABSL_GUARDED_BY(mu_);
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

  // One way: from -> to, either of which may be kAllClients. Messages under way are lost.
  void Cut(NodeId from, NodeId to);
  void Heal(NodeId from, NodeId to);
  // In the place of an earlier one. REQUIRES: probabilities are 0 to 1, and there is a delay or
  // jitter if there is reordering.
  void Disturb(NodeId from, NodeId to, const Disturbance& disturbance);
  // Undoes every cut and disturbance.
  void HealAll();

  // A paused node gets no message and runs no timer until it is resumed.
  void Pause(NodeId node);
  void Resume(NodeId node);

  // A timer of `node`: waits, beyond its time, while the node is paused.
  TimerId PostAt(NodeId node, Time when, Task task);

  // Every link destroys what it holds and whatever is sent from now on. Idempotent.
  void Close();

 private:
  struct Conditions {
    bool cut = false;
    Disturbance disturbance;
  };
  using Ends = std::pair<NodeId, NodeId>;

  void ForLinksTo(NodeId node, bool paused);
  // The links between the two that exist. Those that come later to all clients have what `change`
  // leaves.
  template <class Change>
  std::vector<Link*> Between(NodeId from, NodeId to, Change change);
  std::unique_ptr<Link> MakeLink(Ends ends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Executor& executor_;
  const Options options_;
  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<Ends, std::unique_ptr<Link>> links_ ABSL_GUARDED_BY(mu_);
  std::map<Ends, Conditions> for_all_clients_ ABSL_GUARDED_BY(mu_);
  std::set<NodeId> paused_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_NETWORK_H_
