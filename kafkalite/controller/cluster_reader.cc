#include "kafkalite/controller/cluster_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace kafkalite::controller {

using coordination::ChildrenResult;
using coordination::Code;
using coordination::GetResult;
namespace paths = coordination::paths;
using model::BrokerId;
using model::TopicPartition;

namespace {

std::optional<BrokerId> ParseBrokerId(const std::string& name) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return BrokerId(id);
}

}  // namespace

ClusterReader::ClusterReader(std::shared_ptr<base::Strand> strand,
                             std::shared_ptr<coordination::Session> session, base::Clock& clock,
                             Options options, ClusterView& view, base::Task changed)
    : strand_(std::move(strand)),
      session_(std::move(session)),
      clock_(clock),
      options_(std::move(options)),
      view_(view),
      changed_(std::move(changed)) {
  view_.topic_defaults = model::DefaultTopicConfig(
      {.dynamic_broker = {}, .dynamic_default = {}, .static_broker = options_.static_config});
}

coordination::Watch ClusterReader::WatchFor(void (*mark)(Dirty&, const std::string&),
                                            std::string name) {
  return InStrand([mark, name = std::move(name)](ClusterReader& self) {
    mark(self.dirty_, name);
    self.changed_();
  });
}

void ClusterReader::End() {
  if (--pending_ > 0) return;
  auto done = std::exchange(done_, {});
  done(std::exchange(ok_, true));
}

void ClusterReader::Read(absl::AnyInvocable<void(bool)> done) {
  done_ = std::move(done);
  Begin();
  Dirty dirty = std::exchange(dirty_, {});
  if (dirty.brokers) ReadBrokers();
  if (dirty.config_changes) ReadConfigChanges();
  if (dirty.broker_configs) ReadBrokerConfigs();
  if (dirty.topics) ReadTopics();
  for (const std::string& topic : dirty.topic) ReadTopic(topic);
  for (const std::string& topic : dirty.config) ReadConfig(topic);
  for (const TopicPartition& tp : dirty.state) ReadState(tp);
  if (dirty.isr_changes) {
    ReadNotifications(paths::kIsrChanges, &Dirty::isr_changes, &ClusterReader::OnIsrChange);
  }
  if (dirty.log_dir_events) {
    ReadNotifications(paths::kLogDirEvents, &Dirty::log_dir_events, &ClusterReader::OnLogDirEvent);
  }
  // A deletion is of a topic that has been read: after the topics.
  if (dirty.deletions && (dirty.topics || !dirty.topic.empty())) {
    dirty_.deletions = true;
  } else if (dirty.deletions) {
    ReadDeletions();
  }
  End();
}

void ClusterReader::ReadBrokers() {
  Begin();
  session_->Children(paths::kBrokerIds,
                     WatchFor([](Dirty& dirty, const std::string&) { dirty.brokers = true; }, ""),
                     InStrand([](ClusterReader& self, const ChildrenResult& result) {
                       if (result.code != Code::kOk) {
                         self.dirty_.brokers = true;
                         self.ok_ = false;
                         return self.End();
                       }
                       const size_t before = self.view_.brokers.size();
                       std::erase_if(self.view_.brokers, [&](const auto& entry) {
                         const std::string name = std::to_string(entry.first.value());
                         return std::find(result.names.begin(), result.names.end(), name) ==
                                result.names.end();
                       });
                       if (self.view_.brokers.size() != before) self.OnBrokersChanged();
                       for (const std::string& name : result.names) {
                         if (const auto broker = ParseBrokerId(name)) self.ReadBroker(*broker);
                       }
                       self.End();
                     }));
}

void ClusterReader::OnBrokersChanged() {
  ++view_.revision;
  view_.all_unplanned = true;
}

void ClusterReader::ReadBroker(BrokerId broker) {
  Begin();
  session_->Get(paths::Broker(broker), {},
                InStrand([broker](ClusterReader& self, const GetResult& result) {
                  self.OnBroker(broker, result);
                  self.End();
                }));
}

void ClusterReader::OnBroker(BrokerId broker, const GetResult& result) {
  if (Unreachable(result.code)) {
    dirty_.brokers = true;
    ok_ = false;
    return;
  }
  if (result.code != Code::kOk) return;  // gone again: its watch will say
  const auto registration =
      coordination::BrokerRegistration::Parse(paths::Broker(broker), result.data);
  if (!registration.ok()) return;
  const auto found = view_.brokers.find(broker);
  if (found != view_.brokers.end() && found->second.incarnation == registration->incarnation) {
    return;
  }
  const bool bounced = found != view_.brokers.end();
  BrokerView& fresh = view_.brokers[broker];
  fresh = BrokerView();
  fresh.incarnation = registration->incarnation;
  OnBrokersChanged();
  if (!bounced) return;
  for (auto& [name, topic] : view_.topics) {
    for (auto& [number, partition] : topic.partitions) {
      if (!partition.state) continue;
      const auto& isr = partition.state->isr;
      if (std::find(isr.begin(), isr.end(), broker) != isr.end()) partition.bounced.insert(broker);
    }
  }
}

void ClusterReader::ReadTopics() {
  Begin();
  session_->Children(paths::kTopics,
                     WatchFor([](Dirty& dirty, const std::string&) { dirty.topics = true; }, ""),
                     InStrand([](ClusterReader& self, const ChildrenResult& result) {
                       if (result.code != Code::kOk) {
                         self.dirty_.topics = true;
                         self.ok_ = false;
                         return self.End();
                       }
                       for (const std::string& name : result.names) {
                         if (!self.view_.topics.contains(name)) self.ReadTopic(name);
                       }
                       self.End();
                     }));
}

void ClusterReader::ReadTopic(const std::string& topic) {
  Begin();
  session_->Get(
      paths::Topic(topic),
      WatchFor([](Dirty& dirty, const std::string& name) { dirty.topic.insert(name); }, topic),
      InStrand([topic](ClusterReader& self, const GetResult& result) {
        self.OnTopic(topic, result);
        self.End();
      }));
}

void ClusterReader::OnTopic(const std::string& topic, const GetResult& result) {
  if (Unreachable(result.code)) {
    dirty_.topic.insert(topic);
    ok_ = false;
    return;
  }
  if (result.code != Code::kOk) return;  // deleted: whoever did it has taken it off the view
  const auto assignment = coordination::TopicAssignment::Parse(paths::Topic(topic), result.data);
  if (!assignment.ok()) return;
  if (!view_.topics.contains(topic)) ReadConfig(topic);
  TopicView& view = view_.topics[topic];
  view.creation_id = result.stat.creation_id;
  view.assignment_version = result.stat.version;
  for (const auto& [number, replicas] : assignment->replicas) {
    if (replicas.empty()) continue;
    PartitionView& partition = view.partitions[number];
    const bool is_new = partition.replicas.empty();
    if (partition.replicas != replicas) {
      partition.replicas = replicas;
      view_.Touch({topic, number}, partition);
    }
    if (is_new) ReadState({topic, number});
  }
}

void ClusterReader::ReadState(const TopicPartition& tp) {
  Begin();
  session_->Get(paths::PartitionState(tp), {},
                InStrand([tp](ClusterReader& self, const GetResult& result) {
                  self.OnState(tp, result);
                  self.End();
                }));
}

void ClusterReader::OnState(const TopicPartition& tp, const GetResult& result) {
  if (Unreachable(result.code)) {
    dirty_.state.insert(tp);
    ok_ = false;
    return;
  }
  const auto topic = view_.topics.find(tp.topic);
  if (result.code != Code::kOk || topic == view_.topics.end()) return;
  const auto state = coordination::PartitionState::Parse(paths::PartitionState(tp), result.data);
  if (!state.ok()) return;
  const auto partition = topic->second.partitions.find(tp.partition);
  if (partition == topic->second.partitions.end()) return;
  if (partition->second.version == result.stat.version) return;
  partition->second.state = *state;
  partition->second.version = result.stat.version;
  view_.Touch(tp, partition->second);
}

void ClusterReader::ReadDeletions() {
  Begin();
  session_->Children(paths::kDeleteTopics,
                     WatchFor([](Dirty& dirty, const std::string&) { dirty.deletions = true; }, ""),
                     InStrand([](ClusterReader& self, const ChildrenResult& result) {
                       if (result.code != Code::kOk) {
                         self.dirty_.deletions = true;
                         self.ok_ = false;
                         return self.End();
                       }
                       for (const std::string& name : result.names) {
                         if (!self.view_.topics.contains(name)) {
                           // Nothing to delete: take the request away.
                           self.session_->Commit(
                               {coordination::Operation::Delete(paths::DeleteTopic(name))},
                               [](const coordination::CommitResult&) {});
                         } else if (!self.view_.deletions.contains(name)) {
                           self.view_.deletions[name] = ++self.view_.revision;
                         }
                       }
                       self.End();
                     }));
}

// --- Notifications -------------------------------------------------------------------------------

void ClusterReader::ReadNotifications(const std::string& folder, bool Dirty::*mark,
                                      void (ClusterReader::*heard)(const std::string& path,
                                                                   const std::string& data)) {
  Begin();
  session_->Children(folder, InStrand([mark](ClusterReader& self) {
                       self.dirty_.*mark = true;
                       self.changed_();
                     }),
                     InStrand([=](ClusterReader& self, const ChildrenResult& result) {
                       if (result.code != Code::kOk) {
                         self.dirty_.*mark = true;
                         self.ok_ = false;
                       }
                       for (const std::string& name : result.names) {
                         self.ReadNotification(folder + "/" + name, mark, heard);
                       }
                       self.End();
                     }));
}

void ClusterReader::ReadNotification(const std::string& path, bool Dirty::*mark,
                                     void (ClusterReader::*heard)(const std::string& path,
                                                                  const std::string& data)) {
  Begin();
  session_->Get(path, {}, InStrand([=](ClusterReader& self, const GetResult& result) {
                  if (result.code == Code::kOk) (self.*heard)(path, result.data);
                  if (Unreachable(result.code)) {
                    self.dirty_.*mark = true;
                    self.ok_ = false;
                  } else {
                    self.session_->Commit({coordination::Operation::Delete(path)},
                                          [](const coordination::CommitResult&) {});
                  }
                  self.End();
                }));
}

void ClusterReader::OnIsrChange(const std::string& path, const std::string& data) {
  const auto changed = coordination::PartitionSet::Parse(path, data);
  if (!changed.ok()) return;
  for (const TopicPartition& tp : changed->partitions) ReadState(tp);
}

void ClusterReader::OnLogDirEvent(const std::string&, const std::string&) {
  // Which of its logs failed the broker says when it answers a command.
  ++view_.revision;
}

}  // namespace kafkalite::controller
