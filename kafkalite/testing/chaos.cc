#include "kafkalite/testing/chaos.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "kafkalite/base/budget.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/storage/memory/memory_storage.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/simulation.h"
#include "kafkalite/testing/slow_storage.h"

namespace kafkalite::testing {

using base::Cat;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr char kTopic[] = "chaos";

class Chaos {
 public:
  Chaos(uint64_t seed, const ChaosOptions& options)
      : options_(options), random_(seed * 2 + 1), simulation_(seed) {
    report_.seed = seed;
  }

  ChaosReport Run() {
    if (!SetUp()) return Finish();
    for (int step = 0; step < options_.steps; ++step) {
      Send();
      Disturb();
      simulation_.RunFor(milliseconds(random_.Between(1, 400)));
      WatchLeaders();
    }
    Heal();
    Check();
    return Finish();
  }

 private:
  bool SetUp() {
    ClusterOptions options{.brokers = options_.brokers,
                           .session_timeout = seconds(2),
                           .kill_detection = milliseconds(random_.Between(0, 300)),
                           .replica_lag_time_max = seconds(1),
                           .simulation = simulation_.executor()};
    if (options_.logs == ChaosOptions::Logs::kSlow) options.storage = SlowStorages();
    if (options_.logs == ChaosOptions::Logs::kFiles) {
      options.data_dir = "/data";
      options.file_system = std::make_shared<files::MemoryFileSystem>();
    }
    auto cluster = Cluster::Start(options);
    if (!cluster.ok()) return Violation(Cat("start: ", cluster.status().ToString()));
    cluster_ = *std::move(cluster);
    faults_ = std::make_unique<Faults>(*cluster_);
    const auto topic = cluster_->CreateTopic(
        kTopic,
        {.partitions = options_.partitions, .replication_factor = 3, .min_insync_replicas = 2});
    if (!topic.ok()) return Violation(Cat("create: ", topic.status().ToString()));
    topic_ = std::make_unique<Topic>(*topic);
    auto producer = Producer::Create(*cluster_, {.delivery_timeout = seconds(120),
                                                 .request_timeout = seconds(1),
                                                 .linger = milliseconds(random_.Between(0, 5)),
                                                 .batch_size_bytes = 256});
    if (!producer.ok()) return Violation(Cat("producer: ", producer.status().ToString()));
    producer_ = *std::move(producer);
    histories_.resize(static_cast<size_t>(options_.partitions));
    return true;
  }

  StorageFactory SlowStorages() {
    return [this, budget = std::make_shared<base::Budget>(int64_t{1} << 30)](int32_t broker) {
      auto& memory = memories_[broker];
      if (memory == nullptr) memory = std::make_shared<storage::MemoryStorage>(budget);
      return MakeSlowStorage(*simulation_.executor(), memory,
                             {.seed = report_.seed * 100 + static_cast<uint64_t>(broker)});
    };
  }

  void Send() {
    for (int i = 0; i < options_.records_per_step; ++i) {
      const auto p = static_cast<int32_t>(random_.Below(histories_.size()));
      auto& sent = histories_[static_cast<size_t>(p)].sent;
      const size_t n = sent.size();
      sent.push_back({Cat("p", p, "-", n)});
      const std::string value = sent.back().value;
      ++report_.sent;
      producer_->Send({.topic = kTopic, .partition = p, .value = value},
                      [this, p, n](const absl::StatusOr<RecordMetadata>& result) {
                        if (!result.ok()) return;
                        auto& record = histories_[static_cast<size_t>(p)].sent[n];
                        record.acknowledged = true;
                        record.offset = result->offset;
                        ++report_.acknowledged;
                      });
    }
  }

  // --- Faults -----------------------------------------------------------------------------------

  void Note(const std::string& fault, const std::string& what) {
    ++report_.faults[fault];
    const auto now = std::chrono::duration_cast<milliseconds>(simulation_.now()).count();
    report_.story.push_back(Cat(now, " ms: ", fault, " ", what));
  }
  void Must(const absl::Status& status) {
    if (!status.ok()) Violation(Cat("a fault was refused: ", status.ToString()));
  }
  int32_t AnyBroker() { return 1 + static_cast<int32_t>(random_.Below(options_.brokers)); }
  bool Is(int32_t broker, BrokerState state) {
    const auto now = cluster_->broker(broker).state();
    return now.ok() && *now == state;
  }

  void Disturb() {
    const int32_t a = AnyBroker();
    const int32_t b = AnyBroker();
    switch (random_.Below(13)) {
      case 0:
        return MaybeKill(a);
      case 1:
        if (Is(a, BrokerState::kRunning) && Down() == 0) {
          Note("shutdown", Cat(a));
          (void)cluster_->Shutdown(a);
        }
        return;
      case 2:
      case 3:
        return RestartOne();
      case 4:
        if (Is(a, BrokerState::kRunning)) {
          Note("pause", Cat(a));
          (void)cluster_->Pause(a);
        }
        return;
      case 5:
      case 6:
        if (Is(a, BrokerState::kPaused)) {
          Note("resume", Cat(a));
          (void)cluster_->Resume(a);
        }
        return;
      case 7:
        if (a == b) return;
        Note("cut", Cat(a, " - ", b));
        return Must(random_.OneIn(2) ? faults_->Cut(a, b) : faults_->CutOneWay(a, b));
      case 8:
        Note("cut_coordination", Cat(a));
        return Must(faults_->Cut(a, Node::Coordination()));
      case 9:
        if (a == b) return;
        Note("delay", Cat(a, " -> ", b));
        return Must(faults_->DisturbOneWay(a, b, {.delay = milliseconds(random_.Between(1, 200))}));
      case 10:
        Note("expire_session", Cat(a));
        return Must(faults_->ExpireSession(a));
      case 11:
        Note("cut_answers", Cat(a, " -> clients"));
        return Must(faults_->CutOneWay(a, Node::Clients()));
      default:
        Note("heal", "all links");
        return faults_->HealAll();
    }
  }

  int Down() {
    int down = 0;
    for (const int32_t id : cluster_->broker_ids()) {
      down += Is(id, BrokerState::kKilled) || Is(id, BrokerState::kShutDown) ? 1 : 0;
    }
    return down;
  }

  void MaybeKill(int32_t broker) {
    if (options_.logs == ChaosOptions::Logs::kFiles) {
      if (!Is(broker, BrokerState::kRunning) && !Is(broker, BrokerState::kPaused)) return;
      Note("kill", Cat(broker));
      (void)cluster_->Kill(broker);
    } else {
      MaybeKillAndEmpty(broker);
    }
  }

  // Only when every replica has everything and is in sync: see the header.
  void MaybeKillAndEmpty(int32_t broker) {
    if (Down() > 0 || !Is(broker, BrokerState::kRunning)) return;
    faults_->HealAll();
    for (const int32_t id : cluster_->broker_ids()) (void)cluster_->Resume(id);
    // Longer than a session and the lag allowed: what expires has expired, what shrinks has shrunk,
    // and everybody has heard of it. Only then is a full ISR what coordination holds, too.
    simulation_.RunFor(seconds(5));
    if (!AwaitFullIsr(seconds(10))) return;
    if (random_.OneIn(2)) Send();  // in the midst of it
    Note("kill", Cat(broker));
    (void)cluster_->Kill(broker);
    memories_.erase(broker);
  }

  void RestartOne() {
    for (const int32_t id : cluster_->broker_ids()) {
      if (!Is(id, BrokerState::kKilled) && !Is(id, BrokerState::kShutDown)) continue;
      Note("restart", Cat(id));
      Must(faults_->Heal(id, Node::Coordination()));
      (void)cluster_->Restart(id);  // it starts, even if nobody tells it of the cluster in time
      return;
    }
  }

  bool AwaitFullIsr(std::chrono::nanoseconds limit) {
    const auto deadline = simulation_.now() + limit;
    while (simulation_.now() < deadline) {
      const auto description = topic_->Describe();
      bool full = description.ok();
      if (full) {
        for (const auto& partition : description->partitions) full &= IsFull(partition);
      }
      if (full) return true;
      simulation_.RunFor(milliseconds(20));
    }
    return false;
  }

  // By the leader's own word: what metadata says may be old.
  bool IsFull(const PartitionDescription& partition) {
    if (partition.isr.size() != 3 || partition.leader < 0) return false;
    const auto leader = cluster_->broker(partition.leader).ReadReplica(kTopic, partition.partition);
    return leader.ok() && leader->is_leader && leader->isr.size() == 3;
  }

  void WatchLeaders() {
    const auto description = topic_->Describe();
    if (!description.ok()) return;
    for (const auto& partition : description->partitions) {
      int32_t& last = leaders_[partition.partition];
      if (partition.leader != last && partition.leader > 0) ++report_.leader_changes;
      if (partition.leader > 0) last = partition.leader;
    }
  }

  // --- The end ----------------------------------------------------------------------------------

  void Heal() {
    report_.story.push_back("heal everything");
    faults_->HealAll();
    for (const int32_t id : cluster_->broker_ids()) {
      (void)cluster_->Resume(id);
      if (Is(id, BrokerState::kKilled) || Is(id, BrokerState::kShutDown)) {
        (void)cluster_->Restart(id);
      }
    }
    if (!AwaitFullIsr(seconds(60))) {
      const auto description = topic_->Describe();
      Violation(Cat("the cluster did not heal: ",
                    description.ok() ? ToString(*description) : description.status().ToString()));
    }
    const absl::Status flushed = producer_->Flush(seconds(150));
    if (!flushed.ok()) Violation(Cat("flush: ", flushed.ToString()));
  }

  void Check() {
    auto consumer = Consumer::Create(*cluster_, {});
    if (!consumer.ok() || !(*consumer)->AssignTopic(kTopic).ok()) {
      Violation("no consumer");
      return;
    }
    while (true) {
      const auto records = (*consumer)->Poll(seconds(5));
      if (!records.ok()) {
        Violation(Cat("poll: ", records.status().ToString()));
        break;
      }
      if (records->empty()) break;
      for (const ConsumedRecord& record : *records) {
        histories_[static_cast<size_t>(record.partition)].found.emplace_back(
            record.offset, std::string(record.value.value_or("")));
      }
    }
    for (const PartitionHistory& history : histories_) {
      for (std::string& line : CheckHistory(history)) Violation(std::move(line));
    }
    CheckAgreement();
  }

  void CheckAgreement() {
    simulation_.RunFor(seconds(2));  // followers hear of the last high watermark
    for (int32_t p = 0; p < options_.partitions; ++p) {
      const auto description = topic_->Describe();
      if (!description.ok()) return;
      std::vector<ReplicaRecord> first;
      for (const int32_t broker : description->partitions[static_cast<size_t>(p)].replicas) {
        const auto replica = cluster_->broker(broker).ReadReplica(kTopic, p);
        if (!replica.ok()) {
          Violation(Cat("replica ", broker, ": ", replica.status().ToString()));
        } else if (first.empty()) {
          first = replica->records;
        } else if (replica->records != first) {
          Violation(Cat("the replicas of partition ", p, " differ"));
        }
      }
    }
  }

  bool Violation(std::string line) {
    report_.violations.push_back(std::move(line));
    return false;
  }

  ChaosReport Finish() {
    producer_.reset();
    if (cluster_ != nullptr) cluster_->Shutdown();
    report_.trace_hash = simulation_.trace_hash();
    return std::move(report_);
  }

  const ChaosOptions options_;
  base::Random random_;
  Simulation simulation_;
  ChaosReport report_;
  std::vector<PartitionHistory> histories_;
  std::map<int32_t, int32_t> leaders_;
  // What brokers with a slow disk have on it.
  std::map<int32_t, std::shared_ptr<storage::MemoryStorage>> memories_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<Topic> topic_;
  std::unique_ptr<Producer> producer_;
};

}  // namespace

ChaosReport RunChaos(uint64_t seed, const ChaosOptions& options) {
  return Chaos(seed, options).Run();
}

ChaosOptions::Logs LogsOfSeed(uint64_t seed) {
  using enum ChaosOptions::Logs;
  constexpr ChaosOptions::Logs kAll[] = {kMemory, kSlow, kFiles};
  return kAll[seed % std::size(kAll)];
}

std::vector<std::string> CheckHistory(const PartitionHistory& history) {
  std::vector<std::string> violations;
  std::map<std::string, size_t> order;  // value -> when it was sent
  for (size_t i = 0; i < history.sent.size(); ++i) order[history.sent[i].value] = i;
  std::map<std::string, int64_t> found_at;
  int64_t last_offset = -1;
  int64_t last_sent = -1;
  for (const auto& [offset, value] : history.found) {
    const auto known = order.find(value);
    if (known == order.end()) {
      violations.push_back(Cat("altered: nobody sent '", value, "', found at ", offset));
      continue;
    }
    if (!found_at.emplace(value, offset).second) {
      violations.push_back(Cat("duplicate: ", value, " at ", found_at[value], " and ", offset));
      continue;
    }
    if (offset <= last_offset) violations.push_back(Cat("offset ", offset, " after ", last_offset));
    if (static_cast<int64_t>(known->second) < last_sent) {
      violations.push_back(Cat("reordered: ", value, " at ", offset, " came after ",
                               history.sent[static_cast<size_t>(last_sent)].value));
    }
    last_offset = offset;
    last_sent = std::max(last_sent, static_cast<int64_t>(known->second));
  }
  for (const auto& sent : history.sent) {
    if (!sent.acknowledged) continue;
    const auto found = found_at.find(sent.value);
    if (found == found_at.end()) {
      violations.push_back(Cat("lost: ", sent.value, ", acknowledged at ", sent.offset));
    } else if (found->second != sent.offset) {
      violations.push_back(Cat("moved: ", sent.value, " was acknowledged at ", sent.offset,
                               " and found at ", found->second));
    }
  }
  return violations;
}

}  // namespace kafkalite::testing
