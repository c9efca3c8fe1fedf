// The process that kill_test kills: a cluster in files under load, that tells its parent on
// standard output of each record that was acknowledged.
//
//   kill_child <data directory> <seed>
//
// A line is "<topic> <partition> <offset> <value>"; the first is "ready". It runs until it is
// killed.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::testing {
namespace {

using base::Cat;

// In one write: the pipe takes a line as a whole, or not at all.
void Tell(const std::string& line) {
  if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    std::_Exit(3);
  }
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "kill_child: %s\n", std::string(status.message()).c_str());
  return 1;
}

struct Load {
  std::string topic;
  std::unique_ptr<Producer> producer;
};

absl::StatusOr<std::vector<Load>> MakeLoads(Cluster& cluster) {
  const TopicOptions safe{.partitions = 3, .replication_factor = 3, .min_insync_replicas = 2};
  const TopicOptions synced{.replication_factor = 1, .config = {{"flush.messages", "1"}}};
  const std::vector<std::pair<std::string, TopicOptions>> topics = {{"replicated", safe},
                                                                    {"synced", synced}};
  std::vector<Load> loads;
  for (const auto& [name, options] : topics) {
    const auto created = cluster.CreateTopic(name, options);
    if (!created.ok() && !absl::IsAlreadyExists(created.status())) return created.status();
    auto producer = Producer::Create(cluster, {.linger = std::chrono::milliseconds(1)});
    if (!producer.ok()) return producer.status();
    loads.push_back({name, *std::move(producer)});
  }
  return loads;
}

int Run(const std::string& data_dir, uint64_t seed) {
  base::Random random(seed);
  auto cluster = Cluster::Start({.brokers = 3, .data_dir = data_dir});
  if (!cluster.ok()) return Fail(cluster.status());
  auto loads = MakeLoads(**cluster);
  if (!loads.ok()) return Fail(loads.status());
  Tell("ready\n");
  for (int64_t n = 0;; ++n) {
    for (const Load& load : *loads) {
      const std::string value =
          Cat(seed, "-", n, "-", std::string(random.Below(random.OneIn(50) ? 20000 : 100), 'x'));
      load.producer->Send({.topic = load.topic, .value = value},
                          [topic = load.topic, value](const absl::StatusOr<RecordMetadata>& where) {
                            if (!where.ok()) return;
                            Tell(Cat(topic, " ", where->partition, " ", where->offset, " ",
                                     value.substr(0, 60), "\n"));
                          });
    }
    // Between a full disk queue and an idle one.
    if (random.OneIn(20)) {
      std::this_thread::sleep_for(std::chrono::microseconds(random.Below(3000)));
    }
  }
}

}  // namespace
}  // namespace kafkalite::testing

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return kafkalite::testing::Run(argv[1], std::strtoull(argv[2], nullptr, 10));
}
