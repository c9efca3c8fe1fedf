#include "kafkalite/controller/command_sender.h"

#include <algorithm>
#include <utility>

namespace kafkalite::controller {

using model::BrokerId;
using model::ErrorCode;

namespace {

// After a failed command, growing: a broker that has just registered may not know it yet.
constexpr base::Duration kFirstPause = std::chrono::microseconds(50);
constexpr base::Duration kLongestPause = std::chrono::milliseconds(20);
// A command that was not answered by then is lost on a link, or its broker is paused.
constexpr base::Duration kAnswerTimeout = std::chrono::seconds(1);
// Between tries to have a replica opened whose storage failed.
constexpr base::Duration kOfflinePause = std::chrono::seconds(1);

}  // namespace

CommandSender::CommandSender(std::shared_ptr<base::Strand> strand,
                             std::shared_ptr<ControllerHost> host, ClusterView& view,
                             model::ControllerEpoch epoch,
                             absl::AnyInvocable<void(Outcome)> outcome)
    : strand_(std::move(strand)),
      host_(std::move(host)),
      view_(view),
      epoch_(epoch),
      outcome_(std::move(outcome)) {}

void CommandSender::SendNews() {
  std::erase_if(receivers_,
                [&](const auto& entry) { return !view_.brokers.contains(entry.first); });
  for (const auto& [id, broker] : view_.brokers) {
    Receiver& receiver = receivers_[id];
    if (receiver.incarnation != broker.incarnation) {
      const uint64_t number = receiver.number;  // an answer to the earlier self does not count
      receiver = Receiver{.incarnation = broker.incarnation, .number = number};
    }
    const bool news = !receiver.told_all || receiver.acknowledged < view_.revision;
    if (news && !receiver.under_way) Send(id, receiver);
  }
}

bool CommandSender::AcknowledgedByAll(uint64_t revision) const {
  for (const auto& [id, broker] : view_.brokers) {
    const auto found = receivers_.find(id);
    if (found == receivers_.end() || !found->second.told_all ||
        found->second.acknowledged < revision) {
      return false;
    }
  }
  return true;
}

transport::ClusterStateUpdate CommandSender::MakeUpdate(BrokerId broker,
                                                        const Receiver& receiver) const {
  transport::ClusterStateUpdate update;
  update.controller = host_->self();
  update.controller_epoch = epoch_;
  update.broker_incarnation = receiver.incarnation;
  update.full = !receiver.told_all;
  for (const auto& [id, broker] : view_.brokers) update.live_brokers.push_back(id);
  for (const auto& [name, deleted_at] : view_.deletions) {
    if (update.full || deleted_at > receiver.acknowledged) update.deleted_topics.push_back(name);
  }
  if (update.full || view_.broker_configs_revision > receiver.acknowledged) {
    update.settings = transport::BrokerSettings{
        .own = view_.BrokerConfigOf(std::to_string(broker.value())).config,
        .defaulted = view_.BrokerConfigOf(coordination::paths::kBrokerConfigDefault).config};
  }
  auto news = update.full ? view_.news.begin() : view_.news.upper_bound(receiver.acknowledged);
  for (; news != view_.news.end(); ++news) {
    const model::TopicPartition& tp = news->second;
    const TopicView& topic = view_.topics.at(tp.topic);
    const PartitionView& partition = topic.partitions.at(tp.partition);
    if (!partition.state || view_.deletions.contains(tp.topic)) continue;
    // One that was elected before it died, and is told before another epoch has begun, must not
    // lead in the old one: its followers may have what it had not written then.
    const model::Incarnation elected = partition.state->leader_incarnation;
    const bool was_another = partition.state->leader == broker && elected != model::Incarnation() &&
                             elected != receiver.incarnation;
    update.partitions.push_back({.tp = tp,
                                 .topic_creation_id = topic.creation_id,
                                 .leader = was_another ? model::kNoBroker : partition.state->leader,
                                 .leader_epoch = partition.state->leader_epoch,
                                 .controller_epoch = partition.state->controller_epoch,
                                 .replicas = partition.replicas,
                                 .isr = partition.state->isr,
                                 .log_ids = partition.state->log_ids,
                                 .state_version = partition.version,
                                 .overrides = topic.overrides});
  }
  return update;
}

void CommandSender::Send(BrokerId broker, Receiver& receiver) {
  receiver.under_way = true;
  const uint64_t number = ++receiver.number;
  RetryLater(broker, number, kAnswerTimeout);
  host_->Peer(broker)->UpdateClusterState(
      MakeUpdate(broker, receiver),
      [weak = weak_from_this(), strand = strand_, broker, number,
       revision = view_.revision](absl::StatusOr<transport::ClusterStateAck> answer) mutable {
        strand->Run([weak, broker, number, revision, answer = std::move(answer)]() mutable {
          if (const auto self = weak.lock()) self->OnAnswer(broker, number, revision, answer);
        });
      });
}

void CommandSender::RetryLater(BrokerId broker, uint64_t number, base::Duration pause) {
  host_->After(pause, [weak = weak_from_this(), strand = strand_, broker, number] {
    strand->Run([weak, broker, number] {
      const auto self = weak.lock();
      if (self == nullptr || self->stopped_) return;
      const auto found = self->receivers_.find(broker);
      if (found == self->receivers_.end()) return;
      Receiver& receiver = found->second;
      if (!receiver.under_way || receiver.number != number) return;
      receiver.under_way = false;
      self->SendNews();
    });
  });
}

void CommandSender::OnAnswer(BrokerId broker, uint64_t number, uint64_t revision,
                             absl::StatusOr<transport::ClusterStateAck>& answer) {
  const auto found = receivers_.find(broker);
  if (stopped_ || found == receivers_.end()) return;
  Receiver& receiver = found->second;
  if (!receiver.under_way || receiver.number != number) return;
  if (!answer.ok()) {
    receiver.pause = std::clamp(receiver.pause * 2, kFirstPause, kLongestPause);
    RetryLater(broker, number, receiver.pause);
    return;
  }
  if (answer->error == ErrorCode::kStaleControllerEpoch) {
    outcome_(Outcome::kStaleController);
    return;
  }
  if (answer->error != ErrorCode::kNone) {
    receiver.pause = std::clamp(receiver.pause * 2, kFirstPause, kLongestPause);
    RetryLater(broker, number, receiver.pause);
    if (answer->error == ErrorCode::kStaleBrokerEpoch) outcome_(Outcome::kStaleBroker);
    return;
  }
  receiver.under_way = false;
  receiver.pause = base::Duration::zero();
  receiver.acknowledged = revision;
  const bool first = !std::exchange(receiver.told_all, true);
  const auto viewed = view_.brokers.find(broker);
  if (viewed != view_.brokers.end() && viewed->second.incarnation == receiver.incarnation) {
    if (first) {
      viewed->second.reported = true;
      viewed->second.logs = std::move(answer->log_ids);
      view_.all_unplanned = true;
    } else {
      NoteLogs(viewed->second, answer->log_ids);
    }
    NoteOffline(viewed->second, std::move(answer->offline));
  }
  outcome_(Outcome::kAcknowledged);
}

// Those that are not the ones expected: of an earlier name, as they had never been made.
void CommandSender::NoteLogs(BrokerView& broker,
                             const std::map<model::TopicPartition, model::LogId>& logs) {
  for (const auto& [tp, id] : logs) {
    const auto topic = view_.topics.find(tp.topic);
    if (topic == view_.topics.end()) continue;
    if (LogOf(broker, tp, topic->second) == id) continue;
    broker.logs[tp] = id;
    view_.unplanned.insert(tp);
  }
}

void CommandSender::NoteOffline(BrokerView& broker, std::set<model::TopicPartition> offline) {
  if (offline != broker.offline) {
    view_.unplanned.insert(offline.begin(), offline.end());
    view_.unplanned.insert(broker.offline.begin(), broker.offline.end());
    broker.offline = std::move(offline);
  }
  if (!broker.offline.empty()) TellOfflineLater();
}

void CommandSender::TellOfflineLater() {
  if (std::exchange(tells_offline_, true)) return;
  host_->After(kOfflinePause, [weak = weak_from_this(), strand = strand_] {
    strand->Run([weak] {
      const auto self = weak.lock();
      if (self == nullptr || self->stopped_) return;
      self->tells_offline_ = false;
      for (const auto& [id, broker] : self->view_.brokers) {
        for (const model::TopicPartition& tp : broker.offline) self->view_.TouchIfKnown(tp);
      }
      self->SendNews();
    });
  });
}

}  // namespace kafkalite::controller
