#include "kafkalite/cluster.h"

#include <limits>
#include <set>
#include <utility>

#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/runtime_of.h"
#include "kafkalite/cluster_core.h"
#include "kafkalite/config_conversion.h"
#include "kafkalite/model/topic.h"

namespace kafkalite {

using base::Cat;

namespace {

// Of a time among the options: Kafka's are int32 milliseconds.
constexpr std::chrono::milliseconds kLongest{std::numeric_limits<int32_t>::max()};

absl::Status ValidateStorage(const ClusterOptions& options) {
  if (options.log_dirs.empty()) return absl::OkStatus();
  if (options.storage) {
    return absl::InvalidArgumentError(
        "ClusterOptions::log_dirs and ClusterOptions::storage both say where the logs are: set "
        "one");
  }
  if (options.data_dir.empty()) {
    return absl::InvalidArgumentError(
        "ClusterOptions::log_dirs need a ClusterOptions::data_dir, for what is not a log");
  }
  std::set<std::string_view> seen;
  for (const std::string& directory : options.log_dirs) {
    if (directory.empty() || !seen.insert(directory).second) {
      return absl::InvalidArgumentError(
          Cat("ClusterOptions::log_dirs has '", directory, "' ",
              directory.empty() ? "in it: a path is needed" : "twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status Validate(const ClusterOptions& options) {
  const auto refuse = [](std::string_view option, int64_t value, std::string_view reason) {
    return absl::InvalidArgumentError(Cat("ClusterOptions::", option, " is ", value, ": ", reason));
  };
  if (options.brokers < 1) return refuse("brokers", options.brokers, "at least 1");
  if (options.brokers > 1000) return refuse("brokers", options.brokers, "at most 1000");
  const auto check_time = [&](std::string_view option, std::chrono::milliseconds value,
                              int64_t least) -> absl::Status {
    if (value.count() >= least && value <= kLongest) return absl::OkStatus();
    return refuse(option, value.count(), Cat("from ", least, " to ", kLongest.count(), " ms"));
  };
  KL_RETURN_IF_ERROR(check_time("session_timeout", options.session_timeout, 10));
  KL_RETURN_IF_ERROR(check_time("kill_detection", options.kill_detection, 0));
  KL_RETURN_IF_ERROR(check_time("replica_lag_time_max", options.replica_lag_time_max, 1));
  KL_RETURN_IF_ERROR(check_time("call_timeout", options.call_timeout, 1));
  KL_RETURN_IF_ERROR(ValidateStorage(options));
  if (options.log_memory_bytes < 1) {
    return refuse("log_memory_bytes", options.log_memory_bytes, "at least 1");
  }
  if (options.reader_memory_bytes < 1) {
    return refuse("reader_memory_bytes", options.reader_memory_bytes, "at least 1");
  }
  return absl::OkStatus();
}

// What the options set. INVALID_ARGUMENT for what they set twice.
absl::StatusOr<model::ConfigMap> ConfigOf(const TopicOptions& options) {
  model::ConfigMap config = options.config;
  absl::Status status;
  const auto set = [&](const char* key, std::string_view option, std::string value) {
    if (config.emplace(key, std::move(value)).second) return;
    status.Update(absl::InvalidArgumentError(
        Cat("TopicOptions::", option, " and TopicOptions::config both set ", key)));
  };
  if (options.min_insync_replicas) {
    set("min.insync.replicas", "min_insync_replicas", std::to_string(*options.min_insync_replicas));
  }
  if (options.unclean_leader_election) {
    set("unclean.leader.election.enable", "unclean_leader_election",
        *options.unclean_leader_election ? "true" : "false");
  }
  if (options.retention) {
    set("retention.ms", "retention", std::to_string(options.retention->count()));
  }
  if (options.retention_bytes) {
    set("retention.bytes", "retention_bytes", std::to_string(*options.retention_bytes));
  }
  if (options.max_message_bytes) {
    set("max.message.bytes", "max_message_bytes", std::to_string(*options.max_message_bytes));
  }
  if (!status.ok()) return status;
  return config;
}

// Of numbers beside an assignment, which decides; 1 is what they are if nobody sets them.
absl::Status CheckAssignment(const TopicOptions& options) {
  const auto& assignment = options.assignment;
  if (assignment.empty()) return absl::OkStatus();
  const auto agrees = [](int32_t number, size_t assigned) {
    return number == 1 || static_cast<size_t>(number) == assigned;
  };
  if (agrees(options.partitions, assignment.size()) &&
      agrees(options.replication_factor, assignment.front().size())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be "
      "used at the same time.");
}

std::vector<model::BrokerId> BrokerIds(const std::vector<int32_t>& numbers) {
  std::vector<model::BrokerId> ids;
  for (const int32_t number : numbers) ids.push_back(model::BrokerId(number));
  return ids;
}

protocol::ElectionType ToModel(Election election) {
  return election == Election::kPreferred ? protocol::ElectionType::kPreferred
                                          : protocol::ElectionType::kUnclean;
}

absl::StatusOr<std::map<TopicPartition, absl::Status>> ElectLeaders(
    ClusterCore& core, Election election,
    std::optional<std::vector<model::TopicPartition>> partitions) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core.CheckCoordination());
  KL_ASSIGN_OR_RETURN(
      const auto elections,
      core.admin().ElectLeaders({.type = ToModel(election), .partitions = std::move(partitions)}));
  std::map<TopicPartition, absl::Status> results;
  for (const auto& [tp, status] : elections) results[{tp.topic, tp.partition.value()}] = status;
  return results;
}

// The public messages are Kafka's texts alone: the status code says which error it is.
absl::Status WithoutErrorName(const absl::Status& status) {
  const std::string message(status.message());
  const size_t colon = message.find(": ");
  if (status.ok() || colon == std::string::npos) return status;
  const bool named = message.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == colon &&
                     colon + 2 < message.size();
  return named ? absl::Status(status.code(), message.substr(colon + 2)) : status;
}

using ResourceType = protocol::ConfigResource::Type;

absl::StatusOr<std::vector<ConfigEntry>> DescribeConfig(ClusterCore& core,
                                                        const protocol::ConfigResource& resource) {
  client::PublicCall call;
  auto entries = core.admin().DescribeConfig(resource);
  if (!entries.ok()) return WithoutErrorName(entries.status());
  return FromModel(*std::move(entries));
}

absl::Status AlterConfig(ClusterCore& core, const protocol::ConfigResource& resource,
                         const std::vector<ConfigChange>& changes,
                         const AlterConfigOptions& options) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core.CheckCoordination());
  return WithoutErrorName(core.admin().AlterConfig(
      protocol::IncrementalAlterConfigsRequest::Resource{resource, ToModel(changes)},
      options.validate_only));
}

}  // namespace

ClusterCore& CoreOf(Cluster& cluster) { return *cluster.core_; }

std::shared_ptr<client::ClientRuntime> RuntimeOf(Cluster& cluster) {
  return CoreOf(cluster).runtime();
}

Cluster::Cluster(std::shared_ptr<ClusterCore> core) : core_(std::move(core)) {}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const ClusterOptions& options) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(Validate(options));
  if (options.simulation != nullptr) {
    KL_RETURN_IF_ERROR(options.simulation->CheckCaller());
    if (!options.simulation->Claim()) {
      return absl::FailedPreconditionError(
          "ClusterOptions::simulation has served a cluster already: a simulation is for one");
    }
  }
  KL_ASSIGN_OR_RETURN(const auto core, ClusterCore::Create(options));
  const absl::Status started = core->Start();
  if (!started.ok()) {
    core->Stop();
    return started;
  }
  return std::unique_ptr<Cluster>(new Cluster(std::move(core)));
}

Cluster::~Cluster() { Shutdown(); }

void Cluster::Shutdown() {
  client::PublicCall call;
  core_->Stop();
}

absl::StatusOr<Topic> Cluster::CreateTopic(std::string_view name, const TopicOptions& options) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core_->CheckCoordination());
  KL_RETURN_IF_ERROR(CheckAssignment(options));
  KL_ASSIGN_OR_RETURN(model::ConfigMap config, ConfigOf(options));
  protocol::CreateTopicsRequest::Topic request{.name = std::string(name),
                                               .partitions = options.partitions,
                                               .replication_factor = options.replication_factor,
                                               .assignment = {},
                                               .config = std::move(config)};
  for (size_t p = 0; p < options.assignment.size(); ++p) {
    request.assignment[model::PartitionId(static_cast<int32_t>(p))] =
        BrokerIds(options.assignment[p]);
  }
  KL_RETURN_IF_ERROR(WithoutErrorName(core_->admin().CreateTopic(std::move(request))));
  return Topic(core_, std::string(name));
}

absl::StatusOr<Topic> Cluster::FindTopic(std::string_view name) {
  Topic topic(core_, std::string(name));
  KL_RETURN_IF_ERROR(topic.Describe().status());
  return topic;
}

absl::StatusOr<std::vector<std::string>> Cluster::ListTopics() {
  client::PublicCall call;
  KL_ASSIGN_OR_RETURN(const protocol::MetadataResponse metadata, core_->admin().Metadata({}));
  std::vector<std::string> names;
  for (const auto& topic : metadata.topics) names.push_back(topic.name);
  return names;
}

absl::Status Cluster::DeleteTopic(std::string_view name) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core_->CheckCoordination());
  return WithoutErrorName(core_->admin().DeleteTopic(std::string(name)));
}

absl::StatusOr<std::map<TopicPartition, absl::Status>> Cluster::ElectLeaders(
    Election election, const std::vector<TopicPartition>& partitions) {
  std::set<model::TopicPartition> wanted;
  for (const auto& [topic, partition] : partitions) {
    wanted.insert({topic, model::PartitionId(partition)});
  }
  return kafkalite::ElectLeaders(*core_, election,
                                 std::vector<model::TopicPartition>(wanted.begin(), wanted.end()));
}

absl::StatusOr<std::map<TopicPartition, absl::Status>> Cluster::ElectLeaders(Election election) {
  return kafkalite::ElectLeaders(*core_, election, std::nullopt);
}

const std::string& Cluster::id() const { return core_->cluster_id(); }
std::vector<int32_t> Cluster::broker_ids() const { return core_->broker_ids(); }
Broker Cluster::broker(int32_t id) const { return Broker(core_, id); }
absl::StatusOr<int32_t> Cluster::controller() const { return core_->controller(); }

absl::StatusOr<std::vector<ConfigEntry>> Cluster::DescribeBrokerDefaults() const {
  return DescribeConfig(*core_, {ResourceType::kBroker, ""});
}

absl::Status Cluster::AlterBrokerDefaults(const std::vector<ConfigChange>& changes,
                                          const AlterConfigOptions& options) {
  return AlterConfig(*core_, {ResourceType::kBroker, ""}, changes, options);
}

absl::Status Cluster::Kill(int32_t broker) {
  client::PublicCall call;
  return core_->Kill(broker);
}
absl::Status Cluster::Shutdown(int32_t broker) {
  client::PublicCall call;
  return core_->Shutdown(broker);
}
absl::Status Cluster::Restart(int32_t broker) {
  client::PublicCall call;
  return core_->Restart(broker);
}
absl::Status Cluster::Pause(int32_t broker) {
  client::PublicCall call;
  return core_->Pause(broker);
}
absl::Status Cluster::Resume(int32_t broker) {
  client::PublicCall call;
  return core_->Resume(broker);
}

// --- Topic --------------------------------------------------------------------------------------

absl::StatusOr<TopicDescription> Topic::Describe() const {
  client::PublicCall call;
  KL_ASSIGN_OR_RETURN(const auto topic, core_->admin().DescribeTopic(name_));
  const auto numbers = [](const std::vector<model::BrokerId>& brokers) {
    std::vector<int32_t> out;
    for (const model::BrokerId broker : brokers) out.push_back(broker.value());
    return out;
  };
  TopicDescription description{.name = name_, .partitions = {}, .config = topic.overrides};
  for (const auto& partition : topic.partitions) {
    description.partitions.push_back({partition.partition.value(), partition.leader.value(),
                                      partition.leader_epoch.value(), numbers(partition.replicas),
                                      numbers(partition.isr)});
  }
  return description;
}

absl::Status Topic::AddPartitions(int32_t total,
                                  const std::vector<std::vector<int32_t>>& assignment) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core_->CheckCoordination());
  protocol::CreatePartitionsRequest::Topic request{.name = name_, .total = total, .assignment = {}};
  for (const auto& replicas : assignment) request.assignment.push_back(BrokerIds(replicas));
  return WithoutErrorName(core_->admin().CreatePartitions(std::move(request)));
}

absl::Status Topic::ElectLeader(int32_t partition, Election election) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core_->CheckCoordination());
  const model::TopicPartition tp{name_, model::PartitionId(partition)};
  KL_ASSIGN_OR_RETURN(
      const auto elections,
      core_->admin().ElectLeaders({.type = ToModel(election), .partitions = std::vector{tp}}));
  return elections.at(tp);
}

absl::StatusOr<std::vector<ConfigEntry>> Topic::DescribeConfig() const {
  return kafkalite::DescribeConfig(*core_, {ResourceType::kTopic, name_});
}

absl::Status Topic::AlterConfig(const std::vector<ConfigChange>& changes,
                                const AlterConfigOptions& options) {
  return kafkalite::AlterConfig(*core_, {ResourceType::kTopic, name_}, changes, options);
}

absl::Status Topic::ReplaceConfig(const std::map<std::string, std::string>& config,
                                  const AlterConfigOptions& options) {
  client::PublicCall call;
  KL_RETURN_IF_ERROR(core_->CheckCoordination());
  return WithoutErrorName(core_->admin().AlterConfig(
      protocol::AlterConfigsRequest::Resource{{ResourceType::kTopic, name_}, config},
      options.validate_only));
}

absl::StatusOr<int64_t> Topic::DeleteRecords(int32_t partition, int64_t before_offset) {
  client::PublicCall call;
  KL_ASSIGN_OR_RETURN(const model::Offset low_watermark,
                      core_->admin().DeleteRecords({name_, model::PartitionId(partition)},
                                                   model::Offset(before_offset)));
  return low_watermark.value();
}

std::string ToString(const TopicDescription& description) {
  const auto join = [](const std::vector<int32_t>& numbers) {
    std::string text;
    for (const int32_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
    return text;
  };
  std::string config;
  for (const auto& [key, value] : description.config) {
    config += (config.empty() ? "" : ",") + key + "=" + value;
  }
  const size_t factor =
      description.partitions.empty() ? 0 : description.partitions.front().replicas.size();
  std::string text =
      Cat("Topic:", description.name, "\tPartitionCount:", description.partitions.size(),
          "\tReplicationFactor:", factor, "\tConfigs:", config, "\n");
  for (const PartitionDescription& partition : description.partitions) {
    text += Cat("\tTopic: ", description.name, "\tPartition: ", partition.partition,
                "\tLeader: ", partition.leader, "\tReplicas: ", join(partition.replicas),
                "\tIsr: ", join(partition.isr), "\n");
  }
  return text;
}

// --- Broker -------------------------------------------------------------------------------------

absl::StatusOr<BrokerState> Broker::state() const { return core_->state(id_); }

absl::StatusOr<std::vector<std::string>> Broker::repairs() const { return core_->repairs(id_); }

absl::StatusOr<std::map<TopicPartition, absl::Status>> Broker::offline() const {
  return core_->offline(id_);
}

absl::StatusOr<bool> Broker::is_controller() const {
  KL_RETURN_IF_ERROR(core_->state(id_).status());
  const auto server = core_->server(id_);
  return server != nullptr && server->is_controller();
}

absl::StatusOr<std::vector<ConfigEntry>> Broker::DescribeConfig() const {
  KL_RETURN_IF_ERROR(core_->state(id_).status());
  return kafkalite::DescribeConfig(*core_, {ResourceType::kBroker, std::to_string(id_)});
}

absl::Status Broker::AlterConfig(const std::vector<ConfigChange>& changes,
                                 const AlterConfigOptions& options) {
  KL_RETURN_IF_ERROR(core_->state(id_).status());
  return kafkalite::AlterConfig(*core_, {ResourceType::kBroker, std::to_string(id_)}, changes,
                                options);
}

absl::StatusOr<Replica> Broker::ReadReplica(std::string_view topic, int32_t partition) const {
  client::PublicCall call;
  return core_->ReadReplica(id_, topic, partition);
}

}  // namespace kafkalite
