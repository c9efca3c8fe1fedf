// File: term.h
//
// One reign of one controller: from the commit that made this broker the controller until another
// one is, or until the session ends. Keeps a view of the cluster, decides (plan.h), writes what was
// decided, tells the brokers, and answers those who asked for a change.
//
// It works in rounds: read what is dirty, plan, write, until there is nothing left to write; then
// send the news. Every write checks that this reign still stands (rule 12).
//
// Thread safety: any thread. Lifetime: shared; Stop() ends it.

#ifndef KAFKALITE_CONTROLLER_TERM_H_
#define KAFKALITE_CONTROLLER_TERM_H_

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/base/strand.h"
#include "kafkalite/controller/cluster_reader.h"
#include "kafkalite/controller/cluster_view.h"
#include "kafkalite/controller/command_sender.h"
#include "kafkalite/controller/controller_host.h"
#include "kafkalite/controller/plan.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/protocol/configs.h"
#include "kafkalite/protocol/topics.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::controller {

struct TermOptions {
  model::ControllerEpoch epoch;
  int32_t epoch_version = 0;            // of the node /controller_epoch: what every write checks
  model::ConfigMap static_config = {};  // of this broker
};

class Term : public std::enable_shared_from_this<Term> {
 public:
  // `deposed` is called once, outside of the strand, if another controller was noticed.
  Term(std::shared_ptr<ControllerHost> host, std::shared_ptr<coordination::Session> session,
       const TermOptions& options, base::Task deposed);

  void Start();
  // Answers whoever waits that this is not the controller.
  void Stop();

  void CreateTopics(protocol::CreateTopicsRequest request,
                    transport::Reply<protocol::CreateTopicsResponse> reply);
  void DeleteTopics(protocol::DeleteTopicsRequest request,
                    transport::Reply<protocol::DeleteTopicsResponse> reply);
  void CreatePartitions(protocol::CreatePartitionsRequest request,
                        transport::Reply<protocol::CreatePartitionsResponse> reply);
  void ElectLeaders(protocol::ElectLeadersRequest request,
                    transport::Reply<protocol::ElectLeadersResponse> reply);
  void AlterConfigs(protocol::AlterConfigsRequest request,
                    transport::Reply<protocol::AlterConfigsResponse> reply);
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest request,
                               transport::Reply<protocol::AlterConfigsResponse> reply);

 private:
  using Result = protocol::TopicResult;
  // Gets the result of one topic (or partition) of a request.
  using ResultCallback = std::function<void(model::ErrorCode, std::string message)>;

  // Somebody waits until what they asked for is done and every live broker knows.
  struct Waiter {
    std::function<bool()> done;  // asked in the strand, when a round is over
    ResultCallback callback;
    uint64_t number = 0;
  };

  // Runs `f(*this)` in the strand unless the term is over.
  template <class F>
  void InStrand(F f) {
    strand_->Run([self = shared_from_this(), f = std::move(f)]() mutable {
      if (!self->stopped_) f(*self);
    });
  }
  // A callback that runs `f(*this, result)` in the strand unless the term is over by then.
  template <class F>
  auto OnAnswer(F f) {
    return [self = shared_from_this(), f = std::move(f)](auto result) mutable {
      self->strand_->Run([self, f = std::move(f), result = std::move(result)]() mutable {
        if (!self->stopped_) f(*self, result);
      });
    };
  }

  // Rounds.
  void Kick();
  void Round();
  void Write(std::vector<StateWrite> writes, base::Task done);
  void OnWritten(const std::vector<StateWrite>& writes, size_t creations,
                 const coordination::CommitResult& result);
  void AppendOperations(const StateWrite& write,
                        std::vector<coordination::Operation>& operations) const;
  bool FinishDeletion();
  void EndRound();
  void PauseRounds();
  void Depose();

  // Requests. Each checks one topic and calls back, at once or when done.
  void CreateTopic(const protocol::CreateTopicsRequest::Topic& topic, base::Duration timeout,
                   ResultCallback callback);
  absl::StatusOr<coordination::TopicAssignment> AssignmentFor(
      const protocol::CreateTopicsRequest::Topic& topic) const;
  void DeleteTopic(const std::string& topic, base::Duration timeout, ResultCallback callback);
  void AddPartitions(const protocol::CreatePartitionsRequest::Topic& topic, base::Duration timeout,
                     ResultCallback callback);
  std::vector<model::TopicPartition> AllThatNeed(protocol::ElectionType type) const;
  void Elect(const model::TopicPartition& tp, protocol::ElectionType type, base::Duration timeout,
             ResultCallback callback);
  // What is set, as it is to be, from what it is.
  using ConfigEdit = std::function<absl::StatusOr<model::ConfigMap>(const model::ConfigMap&)>;
  struct Alteration {
    protocol::ConfigResource resource;
    ConfigEdit edit;
    bool validate_only = false;
    base::Duration timeout{};
  };
  void Alter(std::vector<Alteration> alterations,
             transport::Reply<protocol::AlterConfigsResponse> reply);
  void AlterConfig(const Alteration& alteration, ResultCallback callback);
  // A resource's settings in the tree and in the view.
  struct ConfigNodeView {
    std::string path;
    std::string entity_path;
    model::ConfigMap config;
    int32_t version = -1;
  };
  absl::StatusOr<ConfigNodeView> FindConfig(const protocol::ConfigResource& resource) const;
  struct Change {
    std::vector<coordination::Operation> operations;
    std::function<void()> look;  // marks as dirty what it changes
    std::function<bool()> done;  // see Waiter
    // The tree was not what the view says; it is being looked at.
    std::function<void(ResultCallback)> on_conflict;
  };
  // Commits, guarded by the reign; on success waits until it is done.
  void CommitAndWait(Change change, base::Duration timeout, ResultCallback callback);
  // Runs `f` when the view is what the tree was at this call, or later.
  void AfterReading(base::Duration timeout, std::function<void()> f, ResultCallback callback);
  void WaitFor(std::function<bool()> done, base::Duration timeout, ResultCallback callback);
  void AnswerWaiters();
  // Which brokers a deletion waits for, to go on after "marked for deletion".
  std::string Missing(const std::string& topic) const;
  // A topic, or one that is being created.
  std::optional<std::string> NameCollidingWith(const std::string& topic) const;
  bool TopicIsReady(const std::string& topic, size_t partitions) const;
  std::vector<model::BrokerId> LiveBrokers() const;

  const std::shared_ptr<ControllerHost> host_;
  std::shared_ptr<coordination::Session> session_;  // until stopped: holding it keeps it alive
  const TermOptions options_;
  base::Task deposed_;

  const std::shared_ptr<base::Strand> strand_;
  // The rest is touched in the strand only.
  ClusterView view_;
  std::shared_ptr<ClusterReader> reader_;
  std::shared_ptr<CommandSender> sender_;
  bool stopped_ = false;
  bool in_round_ = false;
  uint64_t next_waiter_ = 1;
  std::list<Waiter> waiters_;
  // Topics whose creation is under way: they may not be in the view yet.
  std::set<std::string> creating_;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_TERM_H_
