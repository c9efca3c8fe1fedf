// File: faults.h
//
// Faults between the nodes of an in-process cluster, real or simulated.
//
//   kafkalite::testing::Faults faults(*cluster);
//   faults.Isolate(1, Faults::Scope::kEverything);   // broker 1 is alone
//   ...
//   faults.HealAll();
//
// A link that is cut delivers nothing, silently: callers find out by their timeouts, or when it is
// healed. Links are one-way; the verbs here work on both directions unless they say otherwise.
// Killing, pausing and restarting brokers are verbs of Cluster.
//
// Thread safety: any thread. Lifetime: not beyond its cluster.

#ifndef KAFKALITE_TESTING_FAULTS_H_
#define KAFKALITE_TESTING_FAULTS_H_

#include <chrono>
#include <cstdint>

#include "kafkalite/cluster.h"

namespace kafkalite::testing {

class Faults {
 public:
  explicit Faults(Cluster& cluster);

  // Between two brokers.
  void Cut(int32_t a, int32_t b);
  void CutOneWay(int32_t from, int32_t to);
  void Heal(int32_t a, int32_t b);
  // Every message from `from` to `to` takes this much longer.
  void Delay(int32_t from, int32_t to, std::chrono::nanoseconds delay);

  // Between a broker and coordination: it stays reachable for everybody else.
  void CutFromCoordination(int32_t broker);
  void HealToCoordination(int32_t broker);

  enum class Scope {
    kBrokers,                 // clients and coordination still reach it
    kBrokersAndCoordination,  // clients still reach it
    kClients,                 // brokers and coordination still reach it
    kEverything,
  };
  // Cuts a broker from all others in the scope. Clients are those made before this call.
  void Isolate(int32_t broker, Scope scope);

  // One way: the broker still gets what clients (made before this call) ask, its answers are lost.
  void CutAnswersToClients(int32_t broker);

  // Ends the broker's session, as if it had been silent for its timeout.
  void ExpireSession(int32_t broker);

  // Undoes every cut and delay.
  void HealAll();

 private:
  void SetCut(int32_t from, int32_t to, bool cut);

  Cluster& cluster_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FAULTS_H_
