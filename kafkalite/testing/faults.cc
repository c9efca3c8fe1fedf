#include "kafkalite/testing/faults.h"

#include "kafkalite/cluster_core.h"

namespace kafkalite::testing {
namespace {

constexpr int32_t kCoordination = static_cast<int32_t>(base::NodeId::kCoordination);
constexpr int32_t kFirstClient = static_cast<int32_t>(base::NodeId::kFirstClient);

}  // namespace

Faults::Faults(Cluster& cluster) : cluster_(cluster) {}

void Faults::SetCut(int32_t from, int32_t to, bool cut) {
  base::Network& network = CoreOf(cluster_).network();
  if (cut) {
    network.Cut(base::NodeId{from}, base::NodeId{to});
  } else {
    network.Heal(base::NodeId{from}, base::NodeId{to});
  }
}

void Faults::CutOneWay(int32_t from, int32_t to) { SetCut(from, to, true); }

void Faults::Cut(int32_t a, int32_t b) {
  SetCut(a, b, true);
  SetCut(b, a, true);
}

void Faults::Heal(int32_t a, int32_t b) {
  SetCut(a, b, false);
  SetCut(b, a, false);
}

void Faults::Delay(int32_t from, int32_t to, std::chrono::nanoseconds delay) {
  CoreOf(cluster_).network().Disturb(base::NodeId{from}, base::NodeId{to}, {.delay = delay});
}

void Faults::CutFromCoordination(int32_t broker) { Cut(broker, kCoordination); }
void Faults::HealToCoordination(int32_t broker) { Heal(broker, kCoordination); }

void Faults::Isolate(int32_t broker, Scope scope) {
  ClusterCore& core = CoreOf(cluster_);
  if (scope != Scope::kClients) {
    for (const int32_t other : core.broker_ids()) {
      if (other != broker) Cut(broker, other);
    }
  }
  if (scope == Scope::kBrokersAndCoordination || scope == Scope::kEverything) {
    CutFromCoordination(broker);
  }
  if (scope == Scope::kClients || scope == Scope::kEverything) {
    for (int32_t client = kFirstClient; client > core.runtime()->next_client; --client) {
      Cut(broker, client);
    }
  }
}

void Faults::CutAnswersToClients(int32_t broker) {
  const int32_t next = CoreOf(cluster_).runtime()->next_client;
  for (int32_t client = kFirstClient; client > next; --client) CutOneWay(broker, client);
}

void Faults::ExpireSession(int32_t broker) { CoreOf(cluster_).coordination().ExpireClient(broker); }

void Faults::HealAll() { CoreOf(cluster_).network().HealAll(); }

}  // namespace kafkalite::testing
