// File: cluster_view.h
//
// The cluster as the controller sees it: what coordination holds and what brokers reported. Plain
// data; everything is in ordered maps, so that every decision is the same in every run.

#ifndef KAFKALITE_CONTROLLER_CLUSTER_VIEW_H_
#define KAFKALITE_CONTROLLER_CLUSTER_VIEW_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kafkalite/coordination/znodes.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::controller {

struct BrokerView {
  model::Incarnation incarnation;
  // What it said of its logs after its first full update; until then nobody knows.
  bool reported = false;
  std::map<model::TopicPartition, model::LogId> logs;
  // The replicas that it could not open, as of its last acknowledgement.
  std::set<model::TopicPartition> offline;
};

struct PartitionView {
  std::vector<model::BrokerId> replicas;  // the preferred leader first
  std::optional<coordination::PartitionState> state;
  int32_t version = -1;  // of the state's node
  // ISR members that registered anew without having been missed: they count as failed, and come
  // back by fetching (KAFKA-7235).
  std::set<model::BrokerId> bounced;
  uint64_t revision = 0;  // when brokers last had news of it
};

struct TopicView {
  int64_t creation_id = 0;
  int32_t assignment_version = -1;
  model::ConfigMap overrides;   // its own settings
  int32_t config_version = -1;  // of their node; -1: there is none
  model::TopicConfig config;    // in force at the controller's broker
  std::map<model::PartitionId, PartitionView> partitions;
};

// What was set for one broker, or for all, at run time.
struct BrokerConfigView {
  model::ConfigMap config;
  int32_t version = -1;  // of its node
};

struct ClusterView {
  std::map<model::BrokerId, BrokerView> brokers;  // those that live
  std::map<std::string, TopicView> topics;
  // By the names of their nodes: a broker's number, or paths::kBrokerConfigDefault.
  std::map<std::string, BrokerConfigView> broker_configs;
  uint64_t broker_configs_revision = 0;  // when brokers last had news of them
  // What topics have that set nothing themselves, at the controller's broker.
  model::TopicConfig topic_defaults;
  // The topics that are being deleted, and the revision that told the brokers.
  std::map<std::string, uint64_t> deletions;
  // Counts the news that brokers have to hear of.
  uint64_t revision = 0;
  // Each partition by its revision, so that what is new is found without a look at what is not.
  std::map<uint64_t, model::TopicPartition> news;
  // What the next plan looks at: some partitions, or every one because a broker came or went.
  std::set<model::TopicPartition> unplanned;
  bool all_unplanned = true;

  // `partition`, which is `tp`, has changed: brokers have to hear of it, and the plan may differ.
  void Touch(const model::TopicPartition& tp, PartitionView& partition) {
    news.erase(partition.revision);
    partition.revision = ++revision;
    news.emplace(revision, tp);
    unplanned.insert(tp);
  }
  // What is set in the node of this name; nothing if there is none.
  BrokerConfigView BrokerConfigOf(const std::string& name) const {
    const auto found = broker_configs.find(name);
    return found == broker_configs.end() ? BrokerConfigView() : found->second;
  }
  void TouchIfKnown(const model::TopicPartition& tp) {
    const auto topic = topics.find(tp.topic);
    if (topic == topics.end()) return;
    const auto partition = topic->second.partitions.find(tp.partition);
    if (partition != topic->second.partitions.end()) Touch(tp, partition->second);
  }
  // The topic is no longer in coordination, and its logs are deleted: another one of its name has
  // logs of its own.
  void Erase(const std::string& topic) {
    for (const auto& [number, partition] : topics[topic].partitions) {
      news.erase(partition.revision);
      for (auto& [id, broker] : brokers) broker.logs.erase({topic, number});
    }
    topics.erase(topic);
    deletions.erase(topic);
  }
};

// The name of the log that a broker makes for a partition: one registration makes a log of one
// topic once, so this names the log's contents (rule 24).
model::LogId NewLogId(model::Incarnation incarnation, int64_t topic_creation_id);
// The log that a broker has of a partition, or will make when it is told of it.
model::LogId LogOf(const BrokerView& broker, const model::TopicPartition& tp,
                   const TopicView& topic);

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_CLUSTER_VIEW_H_
