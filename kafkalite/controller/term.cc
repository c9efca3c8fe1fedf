#include "kafkalite/controller/term.h"

#include <algorithm>
#include <utility>

namespace kafkalite::controller {

using coordination::Code;
using coordination::CommitResult;
using coordination::Operation;
using model::ErrorCode;
namespace paths = coordination::paths;

namespace {

// Before the next round when coordination could not be reached.
constexpr base::Duration kPause = std::chrono::milliseconds(50);

}  // namespace

Term::Term(std::shared_ptr<ControllerHost> host, std::shared_ptr<coordination::Session> session,
           const TermOptions& options, base::Task deposed)
    : host_(std::move(host)),
      session_(std::move(session)),
      options_(options),
      deposed_(std::move(deposed)),
      strand_(std::make_shared<base::Strand>(host_->executor())) {}

void Term::Start() {
  InStrand([](Term& self) {
    const std::weak_ptr<Term> weak = self.weak_from_this();
    self.reader_ = std::make_shared<ClusterReader>(
        self.strand_, self.session_, self.host_->executor().clock(),
        ClusterReader::Options{self.host_->self(), self.options_.static_config}, self.view_,
        [weak] {
          if (auto term = weak.lock()) term->Kick();
        });
    self.sender_ =
        std::make_shared<CommandSender>(self.strand_, self.host_, self.view_, self.options_.epoch,
                                        [weak](CommandSender::Outcome outcome) {
                                          const auto term = weak.lock();
                                          if (term == nullptr || term->stopped_) return;
                                          if (outcome == CommandSender::Outcome::kStaleController)
                                            return term->Depose();
                                          if (outcome == CommandSender::Outcome::kStaleBroker) {
                                            term->reader_->dirty().brokers = true;
                                          }
                                          term->Kick();
                                        });
    Dirty& dirty = self.reader_->dirty();
    dirty.brokers = dirty.topics = dirty.deletions = true;
    dirty.isr_changes = dirty.log_dir_events = true;
    dirty.config_changes = dirty.broker_configs = true;
    self.Kick();
  });
}

void Term::Stop() {
  strand_->Run([self = shared_from_this()] {
    if (std::exchange(self->stopped_, true)) return;
    if (self->reader_ != nullptr) self->reader_->Stop();
    if (self->sender_ != nullptr) self->sender_->Stop();
    self->session_.reset();
    auto waiters = std::exchange(self->waiters_, {});
    for (Waiter& waiter : waiters) waiter.callback(ErrorCode::kNotController, "");
  });
}

void Term::Depose() {
  auto deposed = std::exchange(deposed_, {});
  Stop();
  if (deposed) {
    base::Task task = std::move(deposed);
    host_->executor().Post(task);
  }
}

// --- Rounds -------------------------------------------------------------------------------------

void Term::Kick() {
  if (in_round_ || stopped_) return;
  in_round_ = true;
  Round();
}

void Term::Round() {
  if (stopped_) return;
  if (reader_->dirty().any()) {
    reader_->Read([self = shared_from_this()](bool ok) {
      if (ok) {
        self->Round();
      } else {
        self->PauseRounds();
      }
    });
    return;
  }
  std::vector<StateWrite> writes = Plan(view_, options_.epoch);
  view_.all_unplanned = false;
  view_.unplanned.clear();
  if (!writes.empty()) {
    Write(std::move(writes), [self = shared_from_this()] { self->Round(); });
    return;
  }
  if (FinishDeletion()) return;
  EndRound();
}

void Term::EndRound() {
  in_round_ = false;
  sender_->SendNews();
  AnswerWaiters();
  if (reader_->dirty().any()) Kick();
}

void Term::PauseRounds() {
  // Still "in a round", so that nothing else starts one.
  host_->After(kPause,
               [self = shared_from_this()] { self->InStrand([](Term& term) { term.Round(); }); });
}

void Term::AppendOperations(const StateWrite& write, std::vector<Operation>& operations) const {
  const std::string path = paths::PartitionState(write.tp);
  if (write.expected_version >= 0) {
    operations.push_back(Operation::Set(path, write.state.Format(), write.expected_version));
    return;
  }
  operations.push_back(Operation::Create(paths::Partition(write.tp), ""));
  operations.push_back(Operation::Create(path, write.state.Format()));
}

// Changes go one commit each, so that one that fails does not hold up the others; the first states
// of a topic go together, below a parent that they share.
void Term::Write(std::vector<StateWrite> writes, base::Task done) {
  auto pending = std::make_shared<size_t>(1);
  auto finish = [pending, done = std::make_shared<base::Task>(std::move(done))] {
    if (--*pending == 0) (*done)();
  };
  for (size_t i = 0; i < writes.size();) {
    std::vector<StateWrite> group = {writes[i++]};
    std::vector<Operation> operations = {
        Operation::Check(paths::kControllerEpoch, options_.epoch_version)};
    if (group[0].expected_version < 0) {
      const std::string topic = group[0].tp.topic;
      while (i < writes.size() && writes[i].tp.topic == topic && writes[i].expected_version < 0) {
        group.push_back(writes[i++]);
      }
      const auto& partitions = view_.topics[topic].partitions;
      const bool first = std::none_of(partitions.begin(), partitions.end(),
                                      [](const auto& p) { return p.second.state.has_value(); });
      if (first) operations.push_back(Operation::Create(paths::Partitions(topic), ""));
    }
    const size_t before = operations.size();
    for (const StateWrite& write : group) AppendOperations(write, operations);
    ++*pending;
    session_->Commit(std::move(operations), OnAnswer([group = std::move(group), before, finish](
                                                         Term& self, const CommitResult& result) {
                       self.OnWritten(group, before, result);
                       finish();
                     }));
  }
  finish();
}

void Term::OnWritten(const std::vector<StateWrite>& writes, size_t creations,
                     const CommitResult& result) {
  if (result.code == Code::kBadVersion && !result.results.empty() &&
      result.results[0].code == Code::kBadVersion) {
    return Depose();
  }
  for (size_t i = 0; i < writes.size(); ++i) {
    const StateWrite& write = writes[i];
    if (result.code != Code::kOk) {
      // Changed by its leader, or nobody knows: look again, and also if nothing has changed.
      reader_->dirty().state.insert(write.tp);
      view_.unplanned.insert(write.tp);
      continue;
    }
    PartitionView& partition = view_.topics[write.tp.topic].partitions[write.tp.partition];
    partition.state = write.state;
    partition.version = write.expected_version < 0 ? 0 : result.results[creations + i].version;
    partition.bounced.clear();
    view_.Touch(write.tp, partition);
  }
}

// A topic whose replicas are all deleted goes from the tree. True if a commit is under way.
bool Term::FinishDeletion() {
  for (const auto& [name, deleted_at] : view_.deletions) {
    if (!sender_->AcknowledgedByAll(deleted_at)) continue;
    const TopicView& topic = view_.topics.at(name);
    const bool all_live =
        std::all_of(topic.partitions.begin(), topic.partitions.end(), [&](const auto& p) {
          return std::all_of(p.second.replicas.begin(), p.second.replicas.end(),
                             [&](model::BrokerId b) { return view_.brokers.contains(b); });
        });
    if (!all_live) continue;  // a dead broker still has to delete its replica
    std::vector<Operation> operations = {
        Operation::Check(paths::kControllerEpoch, options_.epoch_version)};
    bool any_state = false;
    for (const auto& [number, partition] : topic.partitions) {
      if (!partition.state) continue;
      any_state = true;
      const model::TopicPartition tp{name, number};
      operations.push_back(Operation::Delete(paths::PartitionState(tp)));
      operations.push_back(Operation::Delete(paths::Partition(tp)));
    }
    if (any_state) operations.push_back(Operation::Delete(paths::Partitions(name)));
    operations.push_back(Operation::Delete(paths::Topic(name)));
    operations.push_back(Operation::Delete(paths::TopicConfig(name)));
    operations.push_back(Operation::Delete(paths::DeleteTopic(name)));
    session_->Commit(std::move(operations),
                     OnAnswer([name = name](Term& self, const CommitResult& result) {
                       if (result.code == Code::kOk) {
                         self.view_.Erase(name);
                         return self.Round();
                       }
                       if (result.code == Code::kBadVersion) return self.Depose();
                       self.reader_->dirty().topic.insert(name);
                       self.PauseRounds();
                     }));
    return true;
  }
  return false;
}

void Term::WaitFor(std::function<bool()> done, base::Duration timeout, ResultCallback callback) {
  const uint64_t number = next_waiter_++;
  waiters_.push_back({std::move(done), std::move(callback), number});
  host_->After(timeout, [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->InStrand([number](Term& term) {
      for (auto it = term.waiters_.begin(); it != term.waiters_.end(); ++it) {
        if (it->number != number) continue;
        Waiter waiter = std::move(*it);
        term.waiters_.erase(it);
        return waiter.callback(ErrorCode::kRequestTimedOut,
                               "accepted, but not every broker knows of it yet");
      }
    });
  });
}

void Term::AnswerWaiters() {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (!it->done()) {
      ++it;
      continue;
    }
    Waiter waiter = std::move(*it);
    it = waiters_.erase(it);
    waiter.callback(ErrorCode::kNone, "");
  }
}

}  // namespace kafkalite::controller
