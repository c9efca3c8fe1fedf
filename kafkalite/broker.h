// File: broker.h
//
// One broker of a cluster, and a way to look at one replica's log.
//
//   auto replica = (*cluster)->broker(2).ReadReplica("first-test", 0);
//   for (const auto& record : replica->records) std::cout << record.offset << '\n';
//
// Thread safety: any thread. Lifetime: a handle by number; it may outlive the broker and the
// cluster, its calls then fail.

#ifndef KAFKALITE_BROKER_H_
#define KAFKALITE_BROKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/config.h"
#include "kafkalite/topic_partition.h"

namespace kafkalite {

class ClusterCore;

enum class BrokerState {
  kRunning,
  kPaused,    // it holds everything and answers nothing
  kShutDown,  // it left in order; its logs are kept
  kKilled,    // it vanished, with what it had in memory
};

// A record as one replica has it, committed or not.
struct ReplicaRecord {
  int64_t offset = -1;
  int32_t leader_epoch = -1;
  int64_t timestamp = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  bool operator==(const ReplicaRecord&) const = default;
};

// One replica at one moment.
struct Replica {
  bool is_leader = false;
  int32_t leader = -1;  // as this broker was told
  int32_t leader_epoch = -1;
  uint64_t log_id = 0;  // names the log's contents; another one after they were lost
  int64_t log_start_offset = 0;
  int64_t log_end_offset = 0;
  int64_t high_watermark = 0;
  std::vector<int32_t> isr;  // as this broker knows it
  // (leader epoch, its first offset)
  std::vector<std::pair<int32_t, int64_t>> epochs;
  std::vector<ReplicaRecord> records;
};

class Broker {
 public:
  int32_t id() const { return id_; }

  // NOT_FOUND if the cluster has no such broker.
  absl::StatusOr<BrokerState> state() const;
  absl::StatusOr<bool> is_controller() const;

  // What its last start found damaged in its files and cut off or did without, in words.
  absl::StatusOr<std::vector<std::string>> repairs() const;
  // Its replicas whose logs cannot be used any more, and why: a disk that failed or is full. Others
  // lead them until the broker is started again. Those of a broker that is down are not known.
  absl::StatusOr<std::map<TopicPartition, absl::Status>> offline() const;

  // Reads what this broker's log holds, committed or not, without asking any other broker. Works
  // while the broker runs or is paused; NOT_FOUND if it has no such replica.
  absl::StatusOr<Replica> ReadReplica(std::string_view topic, int32_t partition) const;

  // Every setting of this broker that is a default of topics' settings, by name. UNAVAILABLE while
  // it does not run.
  absl::StatusOr<std::vector<ConfigEntry>> DescribeConfig() const;
  // Changes settings of this broker while the cluster runs, also while this broker does not; as
  // Topic::AlterConfig. Settings of all brokers: Cluster::AlterBrokerDefaults.
  absl::Status AlterConfig(const std::vector<ConfigChange>& changes,
                           const AlterConfigOptions& options = {});

 private:
  friend class Cluster;
  Broker(std::shared_ptr<ClusterCore> core, int32_t id) : core_(std::move(core)), id_(id) {}

  std::shared_ptr<ClusterCore> core_;
  int32_t id_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_BROKER_H_
