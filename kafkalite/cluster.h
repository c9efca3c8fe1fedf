// File: cluster.h
//
// Kafka in your process: brokers 1 to N, replicating to each other.
//
//   auto cluster = kafkalite::Cluster::Start({.brokers = 3});
//   if (!cluster.ok()) return cluster.status();
//   auto topic = (*cluster)->CreateTopic("first-test", {.partitions = 3, .replication_factor = 3});
//   auto producer = kafkalite::Producer::Create(**cluster, {});
//   auto where = (*producer)->Send({.topic = "first-test", .value = "Hello Kafka !"}).Wait();
//
// Thread safety: any thread may call anything.
// Lifetime: clients, topics and brokers may outlive their cluster; their calls then fail with
// FAILED_PRECONDITION. Destruction stops everything at once, also from within a callback.
// Errors: an absl::Status that names the thing, the value and the remedy. Never an exception, an
// abort, or a line of output.
// What survives a crash of the process: nothing, in memory; with a data_dir, the topics, and of
// their records what docs/durability.md promises for each kind of crash.

#ifndef KAFKALITE_CLUSTER_H_
#define KAFKALITE_CLUSTER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/broker.h"
#include "kafkalite/config.h"
#include "kafkalite/topic.h"
#include "kafkalite/topic_partition.h"

namespace kafkalite {

namespace base {
class SimExecutor;
}
namespace files {
class FileSystem;
}
namespace storage {
class Storage;
}

class ClusterCore;

// Makes the storage of a broker each time that it starts; see storage/storage.h. What it had before
// has then been closed, if the broker was shut down, or let go of, if it was killed.
using StorageFactory =
    std::function<absl::StatusOr<std::shared_ptr<storage::Storage>>(int32_t broker)>;

struct ClusterOptions {
  // Behaviour.
  int32_t brokers = 3;
  // How long a broker may be silent (paused, cut off) before the others count it as dead.
  std::chrono::milliseconds session_timeout{6000};
  // How soon the others notice a Kill.
  std::chrono::milliseconds kill_detection{0};
  // How long a follower may lag before it leaves the in-sync replicas.
  std::chrono::milliseconds replica_lag_time_max{30000};
  // How long calls about topics and brokers wait for the cluster; then DEADLINE_EXCEEDED.
  std::chrono::milliseconds call_timeout{30000};
  // Where the cluster lives: its topics, and its logs in Kafka's format. A cluster that is started
  // there later finds all of it. One at a time. Empty: in memory.
  std::string data_dir = {};
  // Where the logs are instead, if they have disks of their own: each broker spreads its partitions
  // over them, as over Kafka's log.dirs.
  std::vector<std::string> log_dirs = {};
  // Logs of your own making instead.
  StorageFactory storage = {};
  // What data_dir and log_dirs are on: see files/memory_file_system.h for one that fails and
  // crashes on demand. Empty: the machine's.
  std::shared_ptr<files::FileSystem> file_system = {};
  // Runs the cluster in virtual time, on one thread: see testing/simulation.h. Empty: real time.
  std::shared_ptr<base::SimExecutor> simulation = {};

  // Performance.
  // What all in-memory logs may hold; a produce beyond it fails with RESOURCE_EXHAUSTED.
  int64_t log_memory_bytes = int64_t{2} << 30;
  // What Records that are held may pin. A Poll fails with RESOURCE_EXHAUSTED while it is used up;
  // the last one before may have gone beyond by what it fetched.
  int64_t reader_memory_bytes = int64_t{512} << 20;
};

class Cluster {
 public:
  // Returns when every broker knows of all others. After a crash, files are repaired before that.
  //   INVALID_ARGUMENT     names the option and its value
  //   FAILED_PRECONDITION  data_dir is in use, or holds another cluster's or broker's files
  //   DATA_LOSS            what the cluster cannot do without is damaged: the file and the offset
  //   others               what the file system says, with the path
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // --- Topics -----------------------------------------------------------------------------------

  // Returns when every live broker knows the topic and its leaders.
  //   ALREADY_EXISTS      there is such a topic
  //   INVALID_ARGUMENT    an illegal or colliding name, partitions or replication factor below 1,
  //                       more than 100,000 partitions, a replication factor above the number of
  //                       live brokers, a bad assignment, a setting that is unknown or bad
  absl::StatusOr<Topic> CreateTopic(std::string_view name, const TopicOptions& options);
  // NOT_FOUND if there is none.
  absl::StatusOr<Topic> FindTopic(std::string_view name);
  // Sorted.
  absl::StatusOr<std::vector<std::string>> ListTopics();
  // Returns when every live broker has deleted it. While a broker with one of its replicas is down
  // its name stays taken. NOT_FOUND if there is none. (An answer that is lost on the way is asked
  // for again, so that NOT_FOUND, and ALREADY_EXISTS above, may be about the call's own work.)
  absl::Status DeleteTopic(std::string_view name);

  // Elects leaders as Topic::ElectLeader, of many partitions at once, and says what became of each
  // (KIP-183, KIP-460): OK, or what Topic::ElectLeader would have returned.
  absl::StatusOr<std::map<TopicPartition, absl::Status>> ElectLeaders(
      Election election, const std::vector<TopicPartition>& partitions);
  // The same for all partitions that need it; the others are not in the answer.
  absl::StatusOr<std::map<TopicPartition, absl::Status>> ElectLeaders(Election election);

  // --- Brokers ----------------------------------------------------------------------------------

  // As Kafka's: 22 characters, kept in data_dir.
  const std::string& id() const;
  std::vector<int32_t> broker_ids() const;
  Broker broker(int32_t id) const;
  // The broker that is the controller now. UNAVAILABLE while none is.
  absl::StatusOr<int32_t> controller() const;

  // What was set for all brokers while they ran, by name.
  absl::StatusOr<std::vector<ConfigEntry>> DescribeBrokerDefaults() const;
  // Changes what every broker has unless it has its own (Broker::AlterConfig), and so what topics
  // have that set nothing themselves; as Topic::AlterConfig.
  absl::Status AlterBrokerDefaults(const std::vector<ConfigChange>& changes,
                                   const AlterConfigOptions& options = {});

  // NOT_FOUND for a broker that the cluster does not have, FAILED_PRECONDITION for one in a state
  // that does not allow it.

  // As kill -9: it answers nothing, and what it had in memory is gone. Its data_dir stays as it is.
  // The others notice after ClusterOptions::kill_detection, and elect afterwards: Describe may show
  // the old leaders for a while after this returned.
  absl::Status Kill(int32_t broker);
  // It leaves in order and keeps its logs for its restart. An error of its storage means that the
  // restart will have something to repair.
  absl::Status Shutdown(int32_t broker);
  // Starts one that was killed (with its files; without, empty) or shut down. Returns when it is
  // registered
  // and knows the cluster; its replicas catch up afterwards. FAILED_PRECONDITION, too, if somebody
  // stopped it meanwhile.
  absl::Status Restart(int32_t broker);
  // As SIGSTOP and SIGCONT: nothing of it runs, nothing is lost. Returns at once: after a pause
  // that was longer than its session, the resumed broker takes some milliseconds to register again.
  absl::Status Pause(int32_t broker);
  absl::Status Resume(int32_t broker);

  // Stops all brokers in order; every call of this cluster and its clients fails from now on.
  // Idempotent.
  void Shutdown();

 private:
  friend ClusterCore& CoreOf(Cluster& cluster);
  explicit Cluster(std::shared_ptr<ClusterCore> core);
  const std::shared_ptr<ClusterCore> core_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_CLUSTER_H_
