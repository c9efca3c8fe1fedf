// File: cluster_reader.h
//
// Keeps a ClusterView like the tree in coordination: reads what is dirty, watches what may change.
// Part of one controller's term; everything runs in the term's strand.

#ifndef KAFKALITE_CONTROLLER_CLUSTER_READER_H_
#define KAFKALITE_CONTROLLER_CLUSTER_READER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/controller/cluster_view.h"
#include "kafkalite/coordination/coordination.h"

namespace kafkalite::controller {

// What has to be read (again).
struct Dirty {
  bool brokers = false;
  bool topics = false;
  bool deletions = false;
  bool isr_changes = false;
  bool log_dir_events = false;
  bool config_changes = false;
  bool broker_configs = false;
  std::set<std::string> topic;   // its assignment
  std::set<std::string> config;  // of these topics
  std::set<model::TopicPartition> state;

  bool any() const {
    return brokers || topics || deletions || isr_changes || log_dir_events || config_changes ||
           broker_configs || !topic.empty() || !config.empty() || !state.empty();
  }
};

class ClusterReader : public std::enable_shared_from_this<ClusterReader> {
 public:
  // The broker whose settings are the defaults of the topics in the view.
  struct Options {
    model::BrokerId self;
    model::ConfigMap static_config;
  };
  // `changed` is called, in the strand, when a watch made something dirty.
  ClusterReader(std::shared_ptr<base::Strand> strand,
                std::shared_ptr<coordination::Session> session, base::Clock& clock, Options options,
                ClusterView& view, base::Task changed);

  Dirty& dirty() { return dirty_; }

  // Reads everything that is dirty into the view, then calls `done(ok)`, in the strand; not ok when
  // coordination could not be reached: what was not read is dirty again. One at a time.
  void Read(absl::AnyInvocable<void(bool ok)> done);

  // No callback comes any more, and the view is not touched. Lets go of the session, and of whoever
  // waits for a read: they hold us.
  void Stop() {
    stopped_ = true;
    session_.reset();
    done_ = nullptr;
  }

 private:
  // Runs `f` in the strand unless stopped.
  template <class F>
  auto InStrand(F f) {
    return [weak = weak_from_this(), strand = strand_, f = std::move(f)](auto... result) mutable {
      strand->Run([weak, f, ... result = std::move(result)]() mutable {
        const auto self = weak.lock();
        if (self != nullptr && !self->stopped_) f(*self, result...);
      });
    };
  }
  static bool Unreachable(coordination::Code code) {
    return code == coordination::Code::kConnectionLoss ||
           code == coordination::Code::kSessionExpired;
  }
  coordination::Watch WatchFor(void (*mark)(Dirty&, const std::string&), std::string name);
  void Begin() { ++pending_; }
  void End();

  void ReadBrokers();
  void ReadBroker(model::BrokerId broker);
  void ReadTopics();
  void ReadTopic(const std::string& topic);
  void ReadConfig(const std::string& topic);
  void ReadState(const model::TopicPartition& tp);
  void ReadDeletions();
  // Kafka's way of telling the controller something: a node that it reads and takes away.
  void ReadNotifications(const std::string& folder, bool Dirty::*mark,
                         void (ClusterReader::*heard)(const std::string& path,
                                                      const std::string& data));
  void ReadNotification(const std::string& path, bool Dirty::*mark,
                        void (ClusterReader::*heard)(const std::string& path,
                                                     const std::string& data));
  void OnIsrChange(const std::string& path, const std::string& data);
  void OnLogDirEvent(const std::string& path, const std::string& data);
  void ReadConfigChanges();
  void ReadConfigChange(const std::string& name);
  void ReadBrokerConfigs();
  void ReadBrokerConfig(const std::string& name);

  void OnBrokersChanged();
  void OnBroker(model::BrokerId broker, const coordination::GetResult& result);
  void OnTopic(const std::string& topic, const coordination::GetResult& result);
  void OnConfig(const std::string& topic, const coordination::GetResult& result);
  void OnConfigChanges(const std::vector<std::string>& names);
  void OnConfigChange(const std::string& name, const coordination::GetResult& result);
  void OnBrokerConfig(const std::string& name, const coordination::GetResult& result);
  void OnBrokerConfigsChanged();
  void OnState(const model::TopicPartition& tp, const coordination::GetResult& result);

  const std::shared_ptr<base::Strand> strand_;
  std::shared_ptr<coordination::Session> session_;
  base::Clock& clock_;
  const Options options_;
  ClusterView& view_;
  base::Task changed_;
  bool stopped_ = false;
  bool ok_ = true;
  int pending_ = 0;
  Dirty dirty_;
  // The notifications of changed settings, and when each was seen first.
  std::map<std::string, base::Time> config_changes_;
  absl::AnyInvocable<void(bool)> done_;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_CLUSTER_READER_H_
