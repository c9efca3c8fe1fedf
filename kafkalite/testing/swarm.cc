#include "kafkalite/testing/swarm.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/fault_atlas.h"
#include "kafkalite/testing/history.h"
#include "kafkalite/testing/sim_cluster.h"
#include "kafkalite/testing/state.h"

namespace kafkalite::testing {

using base::Cat;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr char kTopic[] = "swarm";
constexpr int kConsumers = 2;
constexpr seconds kTimeToHeal{60};

class Swarm {
 public:
  Swarm(const SwarmOptions& options, const std::optional<FaultScript>& script)
      : options_(options),
        script_(script),
        random_(options.seed * 2 + 1),
        histories_(static_cast<size_t>(options.partitions)) {
    report_.options = options;
  }

  SwarmReport Run() {
    if (SetUp()) {
      Storm();
      if (!broken()) Heal();
      if (!broken()) CheckEnd();
    }
    return Finish();
  }

 private:
  bool broken() const { return !report_.violations.empty() || !invariants_->violations().empty(); }
  bool Wrong(std::string line) {
    report_.violations.push_back(std::move(line));
    return false;
  }
  milliseconds now() const { return std::chrono::duration_cast<milliseconds>(sim_->now()); }

  bool SetUp() {
    auto sim =
        SimCluster::Start({.seed = options_.seed,
                           .cluster = {.brokers = options_.brokers,
                                       .session_timeout = seconds(2),
                                       .kill_detection = milliseconds(random_.Between(0, 300)),
                                       .replica_lag_time_max = seconds(1),
                                       .call_timeout = seconds(3)}});
    if (!sim.ok()) return Wrong(Cat("start: ", sim.status().ToString()));
    sim_ = *std::move(sim);
    TopicOptions topic{.partitions = options_.partitions,
                       .replication_factor = 3,
                       .min_insync_replicas = options_.min_insync_replicas};
    if (options_.flush_each) topic.config["flush.messages"] = "1";
    const auto created = sim_->cluster().CreateTopic(kTopic, topic);
    if (!created.ok()) return Wrong(Cat("create: ", created.status().ToString()));
    invariants_ = std::make_unique<Invariants>(sim_->cluster(), kTopic, options_.partitions);
    sim_->simulation().executor()->SetObserver([this] {
      if (invariants_->violations().empty()) invariants_->Check();
    });
    atlas_ =
        std::make_unique<FaultAtlas>(*sim_, kTopic, base::Random(options_.seed ^ 0x5eed0f0fau));
    return SetUpClients();
  }

  bool SetUpClients() {
    for (PartitionHistory& history : histories_) {
      history.sent.resize(static_cast<size_t>(options_.producers));
      history.polls.resize(kConsumers);
    }
    for (int i = 0; i < options_.producers; ++i) {
      auto producer =
          Producer::Create(sim_->cluster(), {.delivery_timeout = seconds(120),
                                             .request_timeout = seconds(1),
                                             .max_block = seconds(1),
                                             .linger = milliseconds(random_.Between(0, 5)),
                                             .batch_size_bytes = 256});
      if (!producer.ok()) return Wrong(Cat("producer: ", producer.status().ToString()));
      producers_.push_back(*std::move(producer));
    }
    for (int i = 0; i < kConsumers; ++i) {
      auto consumer = Consumer::Create(sim_->cluster(), {.request_timeout = seconds(1)});
      if (!consumer.ok() || !(*consumer)->AssignTopic(kTopic).ok()) return Wrong("no consumer");
      consumers_.push_back(*std::move(consumer));
    }
    return true;
  }

  // --- Load and faults --------------------------------------------------------------------------

  void Storm() {
    while (now() < seconds(options_.seconds) && !broken()) {
      Send();
      Poll();
      if (script_) {
        Replay();
      } else if (random_fault_.OneIn(2)) {
        Apply(atlas_->Draw());
      }
      sim_->RunFor(milliseconds(random_.Between(1, 400)));
      if (random_.OneIn(20)) invariants_->CheckLogs(sim_->cluster());
    }
  }

  void Apply(ScriptedFault fault) {
    fault.at_ms = now().count();
    if (atlas_->Apply(fault)) report_.script.push_back(fault);
  }

  void Replay() {
    for (; next_ < script_->size() && (*script_)[next_].at_ms <= now().count(); ++next_) {
      Apply((*script_)[next_]);
    }
  }

  void Send() {
    for (int i = 0; i < 4; ++i) {
      const auto who = random_.Below(producers_.size());
      const auto p = static_cast<int32_t>(random_.Below(histories_.size()));
      auto& sent = histories_[static_cast<size_t>(p)].sent[who];
      const size_t n = sent.size();
      sent.push_back({Cat("p", p, "-", who, "-", n)});
      const std::string value = sent.back().value;
      ++report_.sent;
      producers_[who]->Send({.topic = kTopic, .partition = p, .value = value},
                            [this, who, p, n](const absl::StatusOr<RecordMetadata>& result) {
                              if (result.ok()) OnAcknowledged(who, p, n, result->offset);
                            });
    }
  }

  void OnAcknowledged(size_t who, int32_t p, size_t n, int64_t offset) {
    auto& record = histories_[static_cast<size_t>(p)].sent[who][n];
    record.acknowledged = true;
    record.offset = offset;
    ++report_.acknowledged;
    invariants_->Acknowledged(p, offset);
  }

  void Poll() {
    const size_t who = random_.Below(consumers_.size());
    const auto records = consumers_[who]->Poll(milliseconds(1));
    if (!records.ok()) return (void)Wrong(Cat("poll: ", records.status().ToString()));
    for (const ConsumedRecord& record : *records) {
      ++report_.polled;
      histories_[static_cast<size_t>(record.partition)].polls[who].emplace_back(
          record.offset, std::string(record.value.value_or("")));
    }
  }

  // --- The end ----------------------------------------------------------------------------------

  // Every partition has a leader, the live replicas are all in sync, and hold the same.
  bool Healthy(int32_t spared) {
    const auto partitions = StoredPartitions(sim_->cluster(), kTopic);
    if (!partitions.ok()) return false;
    for (const PartitionDescription& each : *partitions) {
      std::vector<int32_t> live = each.replicas, isr = each.isr;
      std::erase(live, spared);
      std::sort(live.begin(), live.end());
      std::sort(isr.begin(), isr.end());
      if (each.leader < 0 || isr != live) return false;
      int64_t end = -1;
      for (const int32_t broker : live) {
        const auto replica = sim_->cluster().broker(broker).ReadReplica(kTopic, each.partition);
        if (!replica.ok() || replica->high_watermark != replica->log_end_offset) return false;
        if (std::exchange(end, replica->log_end_offset) != -1 && end != replica->log_end_offset) {
          return false;
        }
      }
    }
    return true;
  }

  void Sabotage() {
    for (const int32_t id : sim_->cluster().broker_ids()) {
      sim_->cluster().Kill(id).IgnoreError();  // of those that run
      sim_->faults().Wipe(id).IgnoreError();
    }
  }

  void Heal() {
    if (options_.sabotage) Sabotage();
    int32_t spared = 0;
    const auto candidate = 1 + static_cast<int32_t>(random_.Below(options_.brokers));
    if (random_.OneIn(2) && options_.min_insync_replicas < 3 && atlas_->KillForGood(candidate)) {
      spared = candidate;
    }
    atlas_->HealAll(spared);
    sim_->RunFor(seconds(1));
    atlas_->HealAll(spared);  // of what went wrong on disks, some is noticed later
    const absl::Status healed = AwaitThat(
        sim_->cluster(), "the cluster to heal", [&] { return broken() || Healthy(spared); },
        kTimeToHeal);
    if (!healed.ok()) return (void)Wrong(Cat("liveness: ", healed.ToString()));
    for (const auto& producer : producers_) {
      const absl::Status flushed = producer->Flush(seconds(150));
      if (!flushed.ok()) Wrong(Cat("liveness: flush: ", flushed.ToString()));
    }
  }

  void CheckEnd() {
    auto consumer = Consumer::Create(sim_->cluster(), {});
    if (!consumer.ok() || !(*consumer)->AssignTopic(kTopic).ok()) return (void)Wrong("no consumer");
    while (true) {
      const auto records = (*consumer)->Poll(seconds(5));
      if (!records.ok()) return (void)Wrong(Cat("last poll: ", records.status().ToString()));
      if (records->empty()) break;
      for (const ConsumedRecord& record : *records) {
        histories_[static_cast<size_t>(record.partition)].found.emplace_back(
            record.offset, std::string(record.value.value_or("")));
      }
    }
    for (int32_t p = 0; p < options_.partitions; ++p) {
      PartitionHistory& history = histories_[static_cast<size_t>(p)];
      const auto ends = (*consumer)->EndOffsets({{kTopic, p}});
      if (!ends.ok()) {
        Wrong(Cat("end offsets: ", ends.status().ToString()));
      } else {
        history.end_offset = ends->begin()->second;
      }
      for (const std::string& line : CheckHistory(history)) Wrong(Cat("partition ", p, ": ", line));
    }
    sim_->RunFor(seconds(2));  // followers hear of the last high watermark
    invariants_->CheckLogs(sim_->cluster());
  }

  SwarmReport Finish() {
    if (sim_ != nullptr) sim_->simulation().executor()->SetObserver(nullptr);
    if (invariants_ != nullptr) {
      for (const std::string& line : invariants_->violations()) Wrong(line);
      report_.counters = invariants_->counters();
      const base::Time start = sim_->simulation().executor()->clock().Now() - sim_->now();
      for (const auto& [when, line] : invariants_->trace()) {
        report_.trace.emplace_back((when - start) / milliseconds(1), line);
      }
    }
    if (atlas_ != nullptr) report_.faults = atlas_->counts();
    if (sim_ != nullptr) report_.trace_hash = sim_->trace_hash();
    producers_.clear();
    consumers_.clear();
    return std::move(report_);
  }

  const SwarmOptions options_;
  const std::optional<FaultScript>& script_;
  size_t next_ = 0;  // of the script
  // Apart, so that a script finds the same load.
  base::Random random_;
  base::Random random_fault_{options_.seed ^ 0xfa017u};
  SwarmReport report_;
  std::vector<PartitionHistory> histories_;
  std::unique_ptr<SimCluster> sim_;
  std::unique_ptr<Invariants> invariants_;
  std::unique_ptr<FaultAtlas> atlas_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
};

}  // namespace

SwarmOptions SwarmOptions::OfSeed(uint64_t seed) {
  base::Random random(seed);
  return {.seed = seed,
          .brokers = static_cast<int32_t>(random.Between(3, 5)),
          .partitions = static_cast<int32_t>(random.Between(1, 4)),
          .min_insync_replicas = static_cast<int32_t>(random.Between(1, 3)),
          .flush_each = random.OneIn(4),
          .producers = static_cast<int32_t>(random.Between(1, 2))};
}

std::string SwarmOptions::ToString() const {
  return Cat("seed ", seed, ": ", brokers, " brokers, ", partitions, " partitions, min.insync ",
             min_insync_replicas, flush_each ? ", each record flushed, " : ", ", producers,
             " producers, ", seconds, " s");
}

std::string SwarmReport::Story() const {
  std::string text = options.ToString() + "\n";
  constexpr size_t kMostViolations = 10;
  for (size_t i = 0; i < std::min(violations.size(), kMostViolations); ++i) {
    text += Cat("  violation: ", violations[i], "\n");
  }
  if (violations.size() > kMostViolations) {
    text += Cat("  and ", violations.size() - kMostViolations, " more\n");
  }
  auto fault = script.begin();
  const auto print_faults = [&](int64_t until_ms) {
    for (; fault != script.end() && fault->at_ms <= until_ms; ++fault) {
      text += Cat("  ", fault->ToString(), "\n");
    }
  };
  for (const auto& [ms, line] : trace) {
    print_faults(ms);
    text += Cat("    ", ms, " ms: ", line, "\n");
  }
  print_faults(INT64_MAX);
  return text;
}

SwarmReport RunSwarm(const SwarmOptions& options, const std::optional<FaultScript>& script) {
  return Swarm(options, script).Run();
}

FaultScript Shrink(const SwarmReport& failed, int runs) {
  FaultScript smallest = failed.script;
  // Leaves out half of it, quarters, and so on to single faults; from the beginning again whenever
  // something could go.
  for (size_t size = (smallest.size() + 1) / 2; size > 0; size /= 2) {
    for (size_t begin = 0; begin < smallest.size() && runs > 0;) {
      FaultScript tried = smallest;
      const auto from = tried.begin() + static_cast<std::ptrdiff_t>(begin);
      tried.erase(from, from + static_cast<std::ptrdiff_t>(std::min(size, tried.size() - begin)));
      --runs;
      if (RunSwarm(failed.options, tried).violations.empty()) {
        begin += size;
      } else {
        smallest = std::move(tried);
      }
    }
  }
  return smallest;
}

}  // namespace kafkalite::testing
