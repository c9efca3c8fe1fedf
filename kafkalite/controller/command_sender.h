// File: command_sender.h
//
// Tells brokers what the controller decided: to each the news since its last acknowledgement, one
// command at a time, repeated until acknowledged or superseded; everything to a broker that has
// just come (back) (rule 23). Part of one controller's term; everything runs in the term's strand.

#ifndef KAFKALITE_CONTROLLER_COMMAND_SENDER_H_
#define KAFKALITE_CONTROLLER_COMMAND_SENDER_H_

#include <map>
#include <memory>
#include <set>

#include "absl/functional/any_invocable.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/controller/cluster_view.h"
#include "kafkalite/controller/controller_host.h"

namespace kafkalite::controller {

class CommandSender : public std::enable_shared_from_this<CommandSender> {
 public:
  enum class Outcome {
    kAcknowledged,
    kStaleBroker,      // it has registered anew
    kStaleController,  // it has heard of a later controller
  };
  // `outcome` is called in the strand after each answer.
  CommandSender(std::shared_ptr<base::Strand> strand, std::shared_ptr<ControllerHost> host,
                ClusterView& view, model::ControllerEpoch epoch,
                absl::AnyInvocable<void(Outcome)> outcome);

  // Starts whatever is due.
  void SendNews();

  // Whether every live broker has acknowledged everything up to `revision`.
  bool AcknowledgedByAll(uint64_t revision) const;

  void Stop() { stopped_ = true; }

 private:
  struct Receiver {
    model::Incarnation incarnation;
    bool told_all = false;      // it has acknowledged a full update
    uint64_t acknowledged = 0;  // revision
    uint64_t number = 0;        // of the command under way
    bool under_way = false;
    base::Duration pause{};  // before the next try; grows from failure to failure
  };

  void Send(model::BrokerId broker, Receiver& receiver);
  transport::ClusterStateUpdate MakeUpdate(model::BrokerId broker, const Receiver& receiver) const;
  void OnAnswer(model::BrokerId broker, uint64_t number, uint64_t revision,
                absl::StatusOr<transport::ClusterStateAck>& answer);
  void RetryLater(model::BrokerId broker, uint64_t number, base::Duration pause);
  void NoteLogs(BrokerView& broker, const std::map<model::TopicPartition, model::LogId>& logs);
  void NoteOffline(BrokerView& broker, std::set<model::TopicPartition> offline);
  void TellOfflineLater();

  const std::shared_ptr<base::Strand> strand_;
  const std::shared_ptr<ControllerHost> host_;
  ClusterView& view_;
  const model::ControllerEpoch epoch_;
  absl::AnyInvocable<void(Outcome)> outcome_;
  bool stopped_ = false;
  bool tells_offline_ = false;  // a timer runs
  std::map<model::BrokerId, Receiver> receivers_;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_COMMAND_SENDER_H_
