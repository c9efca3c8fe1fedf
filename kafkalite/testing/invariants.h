// File: invariants.h
//
// What is true of a simulated cluster at every moment, whatever fails. Checked after each event,
// so that the event that broke it is the last one.
//
//   I1  What is below any leader's high watermark is on every member of the stored ISR.
//   I2  Replicas agree below the lower of their high watermarks. (CheckLogs)
//   I3  There is one leader at most for a partition and an epoch.
//   I4  Leader epochs never go back, nor does a running replica's high watermark.
//   I5  What was acknowledged is on every member of the stored ISR.
//   I6  A replica's epochs rise, and are those of its records. (CheckLogs)
//   I9  In coordination the epochs of controllers and leaders never go back, and another leader
//       has a later epoch.
//
// A member is a replica whose log is the one with which it joined; one that lost its log meanwhile,
// or does not run, is looked at when it does. (I7, producers, by history.h; I8 waits for
// transactions; I10 by I1.)

#ifndef KAFKALITE_TESTING_INVARIANTS_H_
#define KAFKALITE_TESTING_INVARIANTS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/base/clock.h"
#include "kafkalite/cluster_core.h"
#include "kafkalite/coordination/znodes.h"
#include "kafkalite/replication/partition.h"

namespace kafkalite::testing {

// What a run came through.
struct RunCounters {
  int64_t events = 0;
  int leader_changes = 0;
  int controller_changes = 0;
  int zombie_controllers = 0;  // a change while the old one still ran
  int truncations = 0;         // of a record at least
  int elections_behind = 0;    // the new leader's high watermark was below the old one's
  int shrinks_to_one = 0;      // of the ISR
};

class Invariants {
 public:
  // Of one topic, whose partitions are there. REQUIRES: a simulated cluster, which outlives this.
  Invariants(Cluster& cluster, std::string topic, int32_t partitions);

  // Between two events; quick.
  void Check();
  // Reads all logs: lets virtual time pass.
  void CheckLogs(Cluster& cluster);
  // The record at `offset`, with acks=all.
  void Acknowledged(int32_t partition, int64_t offset);

  // Each once.
  const std::vector<std::string>& violations() const { return violations_; }
  const RunCounters& counters() const { return counters_; }
  // What happened when, for people: (virtual time, one line), the last thousand.
  using Trace = std::deque<std::pair<base::Time, std::string>>;
  const Trace& trace() const { return trace_; }

 private:
  struct Seen {  // of one replica, as long as its broker runs
    const void* server = nullptr;
    replication::ReplicaGlimpse last;
  };
  struct Partition {
    model::TopicPartition tp;
    coordination::PartitionState stored;
    int32_t stored_version = -1;
    int64_t acknowledged_end = 0;
    int64_t committed_end = 0;           // by any leader
    std::map<int32_t, int32_t> leaders;  // by epoch
    std::map<int32_t, Seen> replicas;
  };

  template <class... Parts>
  void Violated(Parts... parts);
  template <class... Parts>
  void Note(Parts... parts);
  void ReadTree();
  void ReadStored(Partition& partition);
  void ReadController();
  void CheckReplica(Partition& partition, int32_t broker, const void* server,
                    const replication::ReplicaGlimpse& now);
  void CheckMembers(Partition& partition);

  ClusterCore& core_;
  const std::string topic_;
  int64_t transaction_ = -1;
  int32_t controller_ = 0;
  std::vector<Partition> partitions_;
  RunCounters counters_;
  Trace trace_;
  std::vector<std::string> violations_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_INVARIANTS_H_
