// File: cluster_reader.h
//
// Keeps a ClusterView like the tree in coordination: reads what is dirty, watches what may change.
// Part of one controller's term; everything runs in the term's strand.

#ifndef KAFKALITE_CONTROLLER_CLUSTER_READER_H_
#define KAFKALITE_CONTROLLER_CLUSTER_READER_H_

#include <memory>
#include <set>
#include <string>

#include "absl/functional/any_invocable.h"
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
  std::set<std::string> topic;   // its assignment
  std::set<std::string> config;  // of these topics
  std::set<model::TopicPartition> state;

  bool any() const {
    return brokers || topics || deletions || isr_changes || !topic.empty() || !config.empty() ||
           !state.empty();
  }
};

class ClusterReader : public std::enable_shared_from_this<ClusterReader> {
 public:
  // `changed` is called, in the strand, when a watch made something dirty.
  ClusterReader(std::shared_ptr<base::Strand> strand,
                std::shared_ptr<coordination::Session> session, ClusterView& view,
                base::Task changed);

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
  auto InStrand(F f);
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
  void ReadIsrChanges();

  void OnBrokersChanged();
  void OnBroker(model::BrokerId broker, const coordination::GetResult& result);
  void OnTopic(const std::string& topic, const coordination::GetResult& result);
  void OnConfig(const std::string& topic, const coordination::GetResult& result);
  void OnState(const model::TopicPartition& tp, const coordination::GetResult& result);

  const std::shared_ptr<base::Strand> strand_;
  std::shared_ptr<coordination::Session> session_;
  ClusterView& view_;
  base::Task changed_;
  bool stopped_ = false;
  bool ok_ = true;
  int pending_ = 0;
  Dirty dirty_;
  absl::AnyInvocable<void(bool)> done_;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_CLUSTER_READER_H_
