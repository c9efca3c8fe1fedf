// The leader writes the ISR to coordination, and learns what became of it.

#include <utility>

#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

namespace {

// Between tries to learn what became of an ISR write.
constexpr base::Duration kRereadPause = std::chrono::milliseconds(50);

}  // namespace

void Partition::WriteIsr(const IsrProposal& proposal) {
  const std::shared_ptr<coordination::Session> session = host_->session();
  if (session == nullptr) {
    RereadIsrLater(proposal.expected_version);
    return;
  }
  coordination::PartitionState state;
  state.controller_epoch = controller_epoch_;
  state.leader = host_->self();
  state.leader_epoch = core_.leader_epoch();
  state.leader_incarnation = host_->incarnation();
  for (const auto& [member, log_id] : proposal.isr.members) {
    state.isr.push_back(member);
    state.log_ids[member] = log_id;
  }
  std::vector<coordination::Operation> operations;
  for (const auto& [broker, incarnation] : proposal.registrations) {
    operations.push_back(coordination::Operation::Check(coordination::paths::Incarnation(broker),
                                                        static_cast<int32_t>(incarnation.value())));
  }
  operations.push_back(
      coordination::Operation::Set(state_path_, state.Format(), proposal.expected_version));
  coordination::PartitionSet changed;
  changed.partitions.push_back(tp_);
  operations.push_back(
      coordination::Operation::Create(coordination::paths::kIsrChangePrefix, changed.Format(),
                                      coordination::Operation::Mode::kPersistentSequential));
  session->Commit(std::move(operations),
                  [self = shared_from_this(), proposal](coordination::CommitResult result) {
                    self->strand_.Run([self, proposal, result = std::move(result)] {
                      self->strand_.AssertInside();
                      if (self->log_ != nullptr) self->OnIsrWritten(proposal, result);
                    });
                  });
}

void Partition::OnIsrWritten(const IsrProposal& proposal,
                             const coordination::CommitResult& result) {
  Effects effects;
  const size_t set = proposal.registrations.size();
  if (result.code == coordination::Code::kOk) {
    core_.IsrConfirmed(proposal.expected_version, result.results[set].version, effects);
  } else if (result.code == coordination::Code::kBadVersion &&
             result.results[set].code != coordination::Code::kBadVersion) {
    core_.IsrRefused(proposal.expected_version, effects);
  } else {
    RereadIsr(proposal.expected_version);
  }
  CarryOut(effects);
}

void Partition::RereadIsr(int32_t expected_version) {
  const std::shared_ptr<coordination::Session> session = host_->session();
  if (session == nullptr) {
    RereadIsrLater(expected_version);
    return;
  }
  session->Get(state_path_, {},
               [self = shared_from_this(), expected_version](coordination::GetResult result) {
                 self->strand_.Run([self, expected_version, result = std::move(result)] {
                   self->strand_.AssertInside();
                   if (self->log_ != nullptr) self->OnIsrReread(expected_version, result);
                 });
               });
}

void Partition::RereadIsrLater(int32_t expected_version) {
  host_->After(kRereadPause, [self = shared_from_this(), expected_version] {
    self->strand_.Run([self, expected_version] {
      self->strand_.AssertInside();
      if (self->log_ != nullptr && self->core_.isr_write_pending()) {
        self->RereadIsr(expected_version);
      }
    });
  });
}

void Partition::OnIsrReread(int32_t expected_version, const coordination::GetResult& result) {
  if (result.code == coordination::Code::kNoNode) return;  // the topic is gone
  if (result.code != coordination::Code::kOk) {
    RereadIsrLater(expected_version);
    return;
  }
  const auto state = coordination::PartitionState::Parse(state_path_, result.data);
  if (!state.ok()) return;  // nobody can lead by a state that nobody can read
  ReplicaCore::StoredState stored{{}, state->leader_epoch, result.stat.version};
  for (const model::BrokerId member : state->isr) {
    const auto log_id = state->log_ids.find(member);
    stored.isr.members[member] = log_id == state->log_ids.end() ? model::LogId() : log_id->second;
  }
  Effects effects;
  core_.IsrReread(expected_version, stored, effects);
  CarryOut(effects);
}

}  // namespace kafkalite::replication
