// What clients may ask of a controller's term.

#include <algorithm>
#include <set>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/controller/collector.h"
#include "kafkalite/controller/term.h"

namespace kafkalite::controller {

using base::Cat;
using coordination::Code;
using coordination::CommitResult;
using coordination::Operation;
using model::BrokerId;
using model::ErrorCode;
using model::PartitionId;
namespace paths = coordination::paths;

namespace {

std::string Join(const std::vector<int32_t>& numbers) {
  std::string text;
  for (const int32_t number : numbers) text += Cat(text.empty() ? "" : ", ", number);
  return text;
}

std::vector<int32_t> Numbers(const std::vector<BrokerId>& brokers) {
  std::vector<int32_t> numbers;
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

absl::Status CheckReplicas(PartitionId partition, const std::vector<BrokerId>& replicas) {
  if (replicas.empty()) {
    return absl::InvalidArgumentError(
        Cat("Cannot have replication factor of 0 for partition id ", partition.value(), "."));
  }
  if (std::set(replicas.begin(), replicas.end()).size() != replicas.size()) {
    return absl::InvalidArgumentError(
        Cat("Duplicate brokers not allowed in replica assignment: ", Join(Numbers(replicas)),
            " for partition id ", partition.value(), "."));
  }
  return absl::OkStatus();
}

// In the words of Kafka's AdminManager and AdminZkClient. `factor`: of partition 0.
absl::Status ValidateAssignment(const protocol::Assignment& assignment, size_t factor,
                                const std::vector<BrokerId>& live) {
  std::set<BrokerId> unknown;
  std::vector<int32_t> partitions;
  std::vector<int32_t> factors;
  for (const auto& [partition, replicas] : assignment) {
    for (const BrokerId replica : replicas) {
      if (std::find(live.begin(), live.end(), replica) == live.end()) unknown.insert(replica);
    }
    if (replicas.size() == factor) continue;
    partitions.push_back(partition.value());
    factors.push_back(static_cast<int32_t>(replicas.size()));
  }
  if (!unknown.empty()) {
    return absl::InvalidArgumentError(Cat("Unknown broker(s) in replica assignment: ",
                                          Join(Numbers({unknown.begin(), unknown.end()})), "."));
  }
  for (const auto& [partition, replicas] : assignment) {
    const absl::Status valid = CheckReplicas(partition, replicas);
    if (!valid.ok()) return valid;
  }
  if (partitions.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat("Inconsistent replication factor between partitions, partition 0 has ", factor,
          " while partitions [", Join(partitions), "] have replication factors [", Join(factors),
          "], respectively."));
}

}  // namespace

std::vector<BrokerId> Term::LiveBrokers() const {
  std::vector<BrokerId> live;
  for (const auto& [id, broker] : view_.brokers) live.push_back(id);
  return live;
}

bool Term::TopicIsReady(const std::string& topic, size_t partitions) const {
  const auto found = view_.topics.find(topic);
  // Deleted meanwhile: there is nothing more to wait for.
  if (found == view_.topics.end() || view_.deletions.contains(topic)) return true;
  if (found->second.partitions.size() < partitions) return false;
  uint64_t revision = 0;
  for (const auto& [number, partition] : found->second.partitions) {
    if (!partition.state) return false;
    revision = std::max(revision, partition.revision);
  }
  return sender_->AcknowledgedByAll(revision);
}

void Term::CommitAndWait(Change change, base::Duration timeout, ResultCallback callback) {
  std::vector<Operation> operations = std::move(change.operations);
  operations.insert(operations.begin(),
                    Operation::Check(paths::kControllerEpoch, options_.epoch_version));
  session_->Commit(
      std::move(operations),
      OnAnswer([timeout, change = std::move(change), callback = std::move(callback)](
                   Term& self, const CommitResult& result) mutable {
        if (result.code == Code::kBadVersion && result.results[0].code == Code::kBadVersion) {
          callback(ErrorCode::kNotController, "");
          return self.Depose();
        }
        change.look();  // also if nobody knows whether it was written
        switch (result.code) {
          case Code::kOk:
            self.WaitFor(std::move(change.done), timeout, std::move(callback));
            break;
          case Code::kNodeExists:
          case Code::kNoNode:
          case Code::kBadVersion:
            change.on_conflict(std::move(callback));
            break;
          default:
            callback(ErrorCode::kRequestTimedOut,
                     Cat("coordination answered ", coordination::ToString(result.code)));
        }
        self.Kick();
      }));
}

void Term::AfterReading(base::Duration timeout, std::function<void()> f, ResultCallback callback) {
  WaitFor([] { return true; }, timeout,
          [f = std::move(f), callback = std::move(callback)](ErrorCode error, std::string message) {
            if (error == ErrorCode::kNone) {
              f();
            } else {
              callback(error, std::move(message));
            }
          });
}

// --- Create -------------------------------------------------------------------------------------

void Term::CreateTopics(protocol::CreateTopicsRequest request,
                        transport::Reply<protocol::CreateTopicsResponse> reply) {
  InStrand([request = std::move(request), reply = std::move(reply)](Term& self) mutable {
    std::vector<Result> results;
    for (const auto& topic : request.topics) results.push_back({.name = topic.name});
    auto collector = std::make_shared<Collector<protocol::CreateTopicsResponse, Result>>(
        std::move(results), &protocol::CreateTopicsResponse::topics, std::move(reply));
    for (size_t i = 0; i < request.topics.size(); ++i) {
      self.CreateTopic(request.topics[i], request.timeout,
                       [collector, i](ErrorCode error, std::string message) {
                         collector->Set(i, error, std::move(message));
                       });
    }
  });
}

absl::StatusOr<coordination::TopicAssignment> Term::AssignmentFor(
    const protocol::CreateTopicsRequest::Topic& topic) const {
  coordination::TopicAssignment assignment;
  if (topic.assignment.empty()) {
    // Later topics start where the earlier ones ended, so that small topics spread.
    size_t existing = 0;
    for (const auto& [name, view] : view_.topics) existing += view.partitions.size();
    const std::vector<BrokerId> live = LiveBrokers();
    auto chosen = AssignReplicas(
        live, {.partitions = topic.partitions,
               .replication_factor = topic.replication_factor,
               .start = live.empty() ? 0 : static_cast<int32_t>(existing % live.size())});
    if (!chosen.ok()) return chosen.status();
    for (size_t p = 0; p < chosen->size(); ++p) {
      assignment.replicas[PartitionId(static_cast<int32_t>(p))] = std::move((*chosen)[p]);
    }
    return assignment;
  }
  const absl::Status count = CheckPartitionCount(static_cast<int64_t>(topic.assignment.size()));
  if (!count.ok()) return count;
  int32_t expected = 0;
  for (const auto& [partition, replicas] : topic.assignment) {
    if (partition.value() != expected) {
      return absl::InvalidArgumentError(Cat("The assignment names no partition ", expected,
                                            ": partitions are numbered from 0 without gaps."));
    }
    ++expected;
  }
  const size_t factor = topic.assignment.begin()->second.size();
  const absl::Status valid = ValidateAssignment(topic.assignment, factor, LiveBrokers());
  if (!valid.ok()) return valid;
  assignment.replicas = topic.assignment;
  return assignment;
}

void Term::CreateTopic(const protocol::CreateTopicsRequest::Topic& topic, base::Duration timeout,
                       ResultCallback callback) {
  const absl::Status name = model::ValidateTopicName(topic.name);
  if (!name.ok()) return callback(ErrorCode::kInvalidTopic, std::string(name.message()));
  if (view_.topics.contains(topic.name) || creating_.contains(topic.name)) {
    return callback(
        ErrorCode::kTopicAlreadyExists,
        view_.deletions.contains(topic.name)
            ? Cat("Topic '", topic.name, "' is marked for deletion", Missing(topic.name))
            : Cat("Topic '", topic.name, "' already exists."));
  }
  if (const auto collides = NameCollidingWith(topic.name)) {
    return callback(ErrorCode::kInvalidTopic,
                    Cat("Topic '", topic.name, "' collides with existing topics: ", *collides));
  }
  if (const absl::Status valid = model::ValidateTopicConfig(topic.config); !valid.ok()) {
    return callback(ErrorCode::kInvalidConfig, std::string(valid.message()));
  }
  const auto assignment = AssignmentFor(topic);
  if (!assignment.ok()) {
    const ErrorCode error = !topic.assignment.empty() ? ErrorCode::kInvalidReplicaAssignment
                            : !CheckPartitionCount(topic.partitions).ok()
                                ? ErrorCode::kInvalidPartitions
                                : ErrorCode::kInvalidReplicationFactor;
    return callback(error, std::string(assignment.status().message()));
  }
  const coordination::ConfigNode node{topic.config};
  const size_t partitions = assignment->replicas.size();
  creating_.insert(topic.name);
  CommitAndWait(
      {.operations = {Operation::Create(paths::TopicConfig(topic.name), node.Format()),
                      Operation::Create(paths::Topic(topic.name), assignment->Format())},
       .look = [this] { reader_->dirty().topics = true; },
       .done = [this, name = topic.name, partitions] { return TopicIsReady(name, partitions); },
       // Created by somebody who does not ask the controller.
       .on_conflict =
           [name = topic.name](const ResultCallback& callback) {
             callback(ErrorCode::kTopicAlreadyExists, Cat("Topic '", name, "' already exists."));
           }},
      timeout,
      [this, name = topic.name, callback = std::move(callback)](ErrorCode error,
                                                                std::string message) {
        creating_.erase(name);
        callback(error, std::move(message));
      });
}

std::string Term::Missing(const std::string& topic) const {
  std::set<BrokerId> missing;
  for (const auto& [number, partition] : view_.topics.at(topic).partitions) {
    for (const BrokerId replica : partition.replicas) {
      if (!view_.brokers.contains(replica)) missing.insert(replica);
    }
  }
  if (missing.empty()) return ".";
  std::string text = ", which waits for replicas on brokers that are down:";
  for (const BrokerId broker : missing) text += Cat(" ", broker.value());
  return text + ".";
}

std::optional<std::string> Term::NameCollidingWith(const std::string& topic) const {
  for (const auto& [existing, view] : view_.topics) {
    if (model::TopicNamesCollide(existing, topic)) return existing;
  }
  for (const std::string& name : creating_) {
    if (model::TopicNamesCollide(name, topic)) return name;
  }
  return std::nullopt;
}

// --- Delete -------------------------------------------------------------------------------------

void Term::DeleteTopics(protocol::DeleteTopicsRequest request,
                        transport::Reply<protocol::DeleteTopicsResponse> reply) {
  InStrand([request = std::move(request), reply = std::move(reply)](Term& self) mutable {
    std::vector<Result> results;
    for (const std::string& topic : request.topics) results.push_back({.name = topic});
    auto collector = std::make_shared<Collector<protocol::DeleteTopicsResponse, Result>>(
        std::move(results), &protocol::DeleteTopicsResponse::topics, std::move(reply));
    for (size_t i = 0; i < request.topics.size(); ++i) {
      self.DeleteTopic(request.topics[i], request.timeout,
                       [collector, i](ErrorCode error, std::string message) {
                         collector->Set(i, error, std::move(message));
                       });
    }
  });
}

void Term::DeleteTopic(const std::string& topic, base::Duration timeout, ResultCallback callback) {
  if (!view_.topics.contains(topic)) {
    return callback(ErrorCode::kUnknownTopicOrPartition,
                    Cat("Topic '", topic, "' does not exist."));
  }
  // Done, too, when only dead brokers still have to delete their replicas.
  auto gone = [this, topic] {
    if (!view_.topics.contains(topic)) return true;
    const auto deletion = view_.deletions.find(topic);
    return deletion != view_.deletions.end() && sender_->AcknowledgedByAll(deletion->second);
  };
  if (view_.deletions.contains(topic)) {
    WaitFor(std::move(gone), timeout, std::move(callback));
    return Kick();
  }
  CommitAndWait({.operations = {Operation::Create(paths::DeleteTopic(topic), "")},
                 .look = [this] { reader_->dirty().deletions = true; },
                 .done = gone,
                 // Somebody else has asked for the same.
                 .on_conflict =
                     [this, gone, timeout](ResultCallback callback) {
                       WaitFor(gone, timeout, std::move(callback));
                     }},
                timeout, std::move(callback));
}

// --- More partitions ----------------------------------------------------------------------------

void Term::CreatePartitions(protocol::CreatePartitionsRequest request,
                            transport::Reply<protocol::CreatePartitionsResponse> reply) {
  InStrand([request = std::move(request), reply = std::move(reply)](Term& self) mutable {
    std::vector<Result> results;
    for (const auto& topic : request.topics) results.push_back({.name = topic.name});
    auto collector = std::make_shared<Collector<protocol::CreatePartitionsResponse, Result>>(
        std::move(results), &protocol::CreatePartitionsResponse::topics, std::move(reply));
    for (size_t i = 0; i < request.topics.size(); ++i) {
      self.AddPartitions(request.topics[i], request.timeout,
                         [collector, i](ErrorCode error, std::string message) {
                           collector->Set(i, error, std::move(message));
                         });
    }
  });
}

void Term::AddPartitions(const protocol::CreatePartitionsRequest::Topic& topic,
                         base::Duration timeout, ResultCallback callback) {
  const auto found = view_.topics.find(topic.name);
  if (found == view_.topics.end() || view_.deletions.contains(topic.name)) {
    return callback(ErrorCode::kUnknownTopicOrPartition,
                    Cat("Topic '", topic.name, "' does not exist."));
  }
  const TopicView& view = found->second;
  const auto existing = static_cast<int32_t>(view.partitions.size());
  if (topic.total <= existing) {
    return callback(
        ErrorCode::kInvalidPartitions,
        topic.total == existing
            ? Cat("Topic already has ", existing, " partitions.")
            : Cat("Topic currently has ", existing,
                  " partitions, which is higher than the requested ", topic.total, "."));
  }
  if (const absl::Status count = CheckPartitionCount(topic.total); !count.ok()) {
    return callback(ErrorCode::kInvalidPartitions, std::string(count.message()));
  }
  const std::vector<BrokerId> live = LiveBrokers();
  const std::vector<BrokerId>& first = view.partitions.begin()->second.replicas;
  protocol::Assignment added;
  const auto add = [&](const std::vector<std::vector<BrokerId>>& assignment) {
    for (const auto& replicas : assignment) {
      added[PartitionId(existing + static_cast<int32_t>(added.size()))] = replicas;
    }
  };
  if (!topic.assignment.empty()) {
    add(topic.assignment);
  } else {
    const auto place = std::find(live.begin(), live.end(), first.front());
    auto chosen = AssignReplicas(
        live, {.partitions = topic.total - existing,
               .replication_factor = static_cast<int32_t>(first.size()),
               .first_partition = existing,
               .start = place == live.end() ? 0 : static_cast<int32_t>(place - live.begin())});
    if (!chosen.ok()) {
      return callback(ErrorCode::kInvalidReplicationFactor, std::string(chosen.status().message()));
    }
    add(*chosen);
  }
  const absl::Status valid = ValidateAssignment(added, first.size(), live);
  if (!valid.ok()) {
    return callback(ErrorCode::kInvalidReplicaAssignment, std::string(valid.message()));
  }
  if (added.size() != static_cast<size_t>(topic.total - existing)) {
    return callback(ErrorCode::kInvalidReplicaAssignment,
                    Cat("Increasing the number of partitions by ", topic.total - existing, " but ",
                        added.size(), " assignments provided."));
  }
  coordination::TopicAssignment assignment{added};
  for (const auto& [number, partition] : view.partitions) {
    assignment.replicas[number] = partition.replicas;
  }
  const auto total = static_cast<size_t>(topic.total);
  CommitAndWait(
      {.operations = {Operation::Set(paths::Topic(topic.name), assignment.Format(),
                                     view.assignment_version)},
       .look = [this, name = topic.name] { reader_->dirty().topic.insert(name); },
       .done = [this, name = topic.name, total] { return TopicIsReady(name, total); },
       .on_conflict =
           [this, topic, timeout](const ResultCallback& callback) {
             AfterReading(
                 timeout,
                 [this, topic, timeout, callback] { AddPartitions(topic, timeout, callback); },
                 callback);
           }},
      timeout, std::move(callback));
}

// --- Elections ----------------------------------------------------------------------------------

std::vector<model::TopicPartition> Term::AllThatNeed(protocol::ElectionType type) const {
  std::vector<model::TopicPartition> needy;
  for (const auto& [name, topic] : view_.topics) {
    if (view_.deletions.contains(name)) continue;
    for (const auto& [number, partition] : topic.partitions) {
      const model::TopicPartition tp{name, number};
      const ErrorCode error = PlanElection(view_, tp, type, options_.epoch).error;
      if (error != ErrorCode::kElectionNotNeeded) needy.push_back(tp);
    }
  }
  return needy;
}

void Term::ElectLeaders(protocol::ElectLeadersRequest request,
                        transport::Reply<protocol::ElectLeadersResponse> reply) {
  InStrand([request = std::move(request), reply = std::move(reply)](Term& self) mutable {
    using Part = protocol::ElectLeadersResponse::Partition;
    const auto partitions =
        request.partitions ? *request.partitions : self.AllThatNeed(request.type);
    std::vector<Part> parts;
    for (const model::TopicPartition& tp : partitions) parts.push_back({.tp = tp});
    auto collector = std::make_shared<Collector<protocol::ElectLeadersResponse, Part>>(
        std::move(parts), &protocol::ElectLeadersResponse::partitions, std::move(reply));
    for (size_t i = 0; i < partitions.size(); ++i) {
      self.Elect(partitions[i], request.type, request.timeout,
                 [collector, i](ErrorCode error, std::string message) {
                   collector->Set(i, error, std::move(message));
                 });
    }
  });
}

namespace {

std::string WhyNoElection(const model::TopicPartition& tp, ErrorCode error) {
  const std::string what = Cat("partition ", tp.partition.value(), " of topic '", tp.topic, "' ");
  switch (error) {
    case ErrorCode::kElectionNotNeeded:
      return what + "is led by the broker that such an election would choose.";
    case ErrorCode::kPreferredLeaderNotAvailable:
      return what + "has a preferred leader that is down or not in sync.";
    case ErrorCode::kEligibleLeadersNotAvailable:
      return what + "has no replica that is alive.";
    default:
      return what + "does not exist.";
  }
}

}  // namespace

void Term::Elect(const model::TopicPartition& tp, protocol::ElectionType type,
                 base::Duration timeout, ResultCallback callback) {
  ElectionPlan plan = PlanElection(view_, tp, type, options_.epoch);
  if (plan.error != ErrorCode::kNone) {
    return callback(plan.error, WhyNoElection(tp, plan.error));
  }
  std::vector<Operation> operations;
  AppendOperations(plan.write, operations);
  const model::LeaderEpoch epoch = plan.write.state.leader_epoch;
  CommitAndWait(
      {.operations = std::move(operations),
       .look = [this, tp] { reader_->dirty().state.insert(tp); },
       .done =
           [this, tp, epoch] {
             const auto topic = view_.topics.find(tp.topic);
             if (topic == view_.topics.end()) return true;
             const PartitionView& partition = topic->second.partitions[tp.partition];
             return partition.state && partition.state->leader_epoch >= epoch &&
                    sender_->AcknowledgedByAll(partition.revision);
           },
       .on_conflict =
           [this, tp, type, timeout](const ResultCallback& callback) {
             AfterReading(
                 timeout,
                 [this, tp, type, timeout, callback] { Elect(tp, type, timeout, callback); },
                 callback);
           }},
      timeout, std::move(callback));
}

}  // namespace kafkalite::controller
