// File: fault_atlas.h
//
// What may go wrong and still be survived. Nothing is done that no protocol could bear: of every
// partition one member of the stored ISR keeps all that was acknowledged. So a machine that loses
// what was not synced, or its disks, is one whose partitions all have another member of their ISR
// which has lost nothing since it joined. Whatever else fails, may fail for everybody at once.

#ifndef KAFKALITE_TESTING_FAULT_ATLAS_H_
#define KAFKALITE_TESTING_FAULT_ATLAS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kafkalite/base/random.h"
#include "kafkalite/testing/fault_script.h"
#include "kafkalite/testing/sim_cluster.h"

namespace kafkalite::testing {

class FaultAtlas {
 public:
  // Draws how probable each kind of fault is: some do not happen at all, so that others happen
  // more.
  FaultAtlas(SimCluster& sim, std::string topic, base::Random random);

  // A fault that would make sense now.
  ScriptedFault Draw();
  // Carries it out, if it may be; false, and nothing was done, if not.
  bool Apply(const ScriptedFault& fault);

  // Kills a broker without which all that was acknowledged survives; false if it is not one.
  bool KillForGood(int32_t broker);
  // Nothing is broken any more, and every broker runs, but for `spared` (0: none).
  void HealAll(int32_t spared);

  // How often each was carried out.
  const std::map<FaultKind, int>& counts() const { return counts_; }

 private:
  bool Do(const ScriptedFault& fault);
  bool DoToProcess(const ScriptedFault& fault);
  bool DoToLinks(const ScriptedFault& fault);
  bool DoToDisks(const ScriptedFault& fault);
  bool Mend(int32_t broker);
  bool Restart(int32_t broker);
  bool Is(int32_t broker, BrokerState state);
  bool IsUp(int32_t broker);
  // Whether all that was acknowledged survives if the broker loses everything now. What it was
  // about to tell coordination, it does not tell any more: it might be that the others are out.
  bool MaySpare(int32_t broker);
  bool OthersHaveEverything(int32_t broker);
  bool IsClean(int32_t broker, int32_t partition, uint64_t stored_log_id);

  SimCluster& sim_;
  const std::string topic_;
  base::Random random_;
  std::vector<uint32_t> weights_;  // by kind
  uint32_t total_weight_ = 0;
  // Brokers that lost something, until they are members with what they have now.
  std::set<int32_t> lossy_;
  std::map<FaultKind, int> counts_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FAULT_ATLAS_H_
