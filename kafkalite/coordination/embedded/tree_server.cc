#include "kafkalite/coordination/embedded/tree_server.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace kafkalite::coordination {
namespace {

constexpr base::NodeId kHere = base::NodeId::kCoordination;

}  // namespace

TreeServer::TreeServer(base::Executor& executor, base::Network& network)
    : executor_(executor), network_(network) {}

TreeServer::TreeServer(base::Executor& executor, base::Network& network, TreeFiles::Opened kept)
    : executor_(executor),
      network_(network),
      files_(std::move(kept.files)),
      written_(kept.tree.last_transaction),
      durable_(written_) {
  tree_ = NodeTree(std::move(kept.tree));
}

TreeServer::~TreeServer() { executor_.Cancel(sweep_timer_); }

std::shared_ptr<TreeServer> TreeServer::Restore(base::Executor& executor, base::Network& network,
                                                TreeFiles::Opened kept) {
  std::shared_ptr<TreeServer> server(new TreeServer(executor, network, std::move(kept)));
  server->ListenToFiles();
  return server;
}

// --- Files ---------------------------------------------------------------------------------------

void TreeServer::ListenToFiles() {
  // What clients do with replies is not for the thread of the disk, and, as everything of this
  // node, not for while it is paused. After the executor's end nobody is there to hear of it.
  files_->Listen(
      [weak = weak_from_this(), &executor = executor_, &here = network_.link(kHere, kHere)](
          int64_t transaction, const absl::Status& status) {
        base::Task tell = [weak, &here, transaction, ok = status.ok()] {
          here.Send([weak, transaction, ok] {
            const auto self = weak.lock();
            if (self == nullptr) return;
            ok ? self->Release(transaction) : self->Fail();
          });
        };
        executor.Post(tell);
      });
}

void TreeServer::Release(int64_t transaction) {
  {
    base::MutexLock lock(mu_);
    durable_ = std::max(durable_, transaction);
    for (; !held_.empty() && held_.front().transaction <= durable_; held_.pop_front()) {
      EnqueueNow(held_.front().to, std::move(held_.front().reply));
    }
  }
  Deliver();
}

void TreeServer::Fail() {
  {
    base::MutexLock lock(mu_);
    down_ = true;
    held_.clear();
    for (const auto& [id, session] : sessions_) EnqueueNow(session.address, {.down = true});
  }
  Deliver();
}

absl::Status TreeServer::status() const {
  return files_ == nullptr ? absl::OkStatus() : files_->status();
}

void TreeServer::CloseFiles() {
  if (files_ == nullptr) return;
  {
    base::MutexLock lock(mu_);
    down_ = true;
  }
  files_->Close();
}

// --- Sessions ------------------------------------------------------------------------------------

std::shared_ptr<const ReturnAddress> TreeServer::Open(int32_t client, base::Duration timeout,
                                                      std::weak_ptr<ReplyReceiver> receiver) {
  base::Link& link = network_.link(kHere, base::NodeId(client));
  base::MutexLock lock(mu_);
  const auto address =
      std::make_shared<const ReturnAddress>(ReturnAddress{.session = ++last_session_,
                                                          .client = client,
                                                          .receiver = std::move(receiver),
                                                          .link = &link});
  sessions_.emplace(address->session, SessionState{.address = address,
                                                   .timeout = timeout,
                                                   .heard = executor_.clock().Now(),
                                                   .last_event = 0,
                                                   .unacknowledged = {}});
  ArmSweep();
  return address;
}

void TreeServer::Receive(const std::shared_ptr<const ReturnAddress>& from, Request request) {
  const bool wants_answer = !std::holds_alternative<GoodbyeCall>(request.call) &&
                            !std::holds_alternative<AcknowledgeCall>(request.call);
  {
    base::MutexLock lock(mu_);
    const auto found = sessions_.find(from->session);
    if (down_) {
      if (wants_answer) EnqueueNow(from, {.down = true});
    } else if (found == sessions_.end()) {
      if (std::holds_alternative<GoodbyeCall>(request.call)) return;
      Reply over;
      over.expired = true;
      Enqueue(from, std::move(over));
    } else if (std::holds_alternative<GoodbyeCall>(request.call)) {
      if (!found->second.disowned) EndSession(found, /*tell=*/false);
    } else {
      SessionState& session = found->second;
      if (request.renews) session.heard = executor_.clock().Now();
      while (!session.unacknowledged.empty() &&
             session.unacknowledged.front().number <= request.acknowledged_event) {
        session.unacknowledged.pop_front();
      }
      if (wants_answer) Answer(session, std::move(request));
    }
  }
  Deliver();
}

void TreeServer::Answer(SessionState& session, Request request) {
  const uint64_t id = session.address->session;
  const auto watcher = [&](bool watch) -> std::optional<NodeTree::Watcher> {
    if (!watch) return std::nullopt;
    return NodeTree::Watcher{.session = id, .number = request.number};
  };
  Reply reply;
  reply.answers = request.number;
  reply.request_sent = request.sent;
  if (auto* commit = std::get_if<CommitCall>(&request.call)) {
    NodeTree::Outcome outcome = tree_.Commit(id, std::move(commit->operations));
    if (!outcome.kept.empty()) {
      written_ = tree_.last_transaction();
      files_->Append({.transaction = written_, .changes = std::move(outcome.kept)});
    }
    Notify(outcome.fired, id);
    reply.result = LosesAnswer(session) ? CommitResult{.code = Code::kConnectionLoss}
                                        : std::move(outcome.result);
  } else if (const auto* get = std::get_if<GetCall>(&request.call)) {
    reply.result = tree_.Get(get->path, watcher(get->watch));
  } else if (const auto* children = std::get_if<ChildrenCall>(&request.call)) {
    reply.result = tree_.Children(children->path, watcher(children->watch));
  }
  reply.events.assign(session.unacknowledged.begin(), session.unacknowledged.end());
  Enqueue(session.address, std::move(reply));
}

void TreeServer::EndSession(Sessions::iterator position, bool tell) {
  const auto address = position->second.address;
  sessions_.erase(position);
  Notify(tree_.EndSession(address->session), /*answered=*/0);
  if (!tell) return;
  Reply over;
  over.expired = true;
  Enqueue(address, std::move(over));
}

void TreeServer::Notify(const std::vector<NodeTree::Watcher>& fired, uint64_t answered) {
  std::set<uint64_t> told;
  for (const NodeTree::Watcher& watcher : fired) {
    const auto found = sessions_.find(watcher.session);
    if (found == sessions_.end()) continue;
    SessionState& session = found->second;
    session.unacknowledged.push_back({.number = ++session.last_event, .watch = watcher.number});
    if (watcher.session != answered) told.insert(watcher.session);
  }
  for (const uint64_t id : told) {
    const SessionState& session = sessions_.find(id)->second;
    Reply reply;
    reply.events.assign(session.unacknowledged.begin(), session.unacknowledged.end());
    Enqueue(session.address, std::move(reply));
  }
}

void TreeServer::Enqueue(const std::shared_ptr<const ReturnAddress>& to, Reply reply) {
  if (durable_ < written_) {
    held_.push_back({.transaction = written_, .to = to, .reply = std::move(reply)});
  } else {
    EnqueueNow(to, std::move(reply));
  }
}

void TreeServer::EnqueueNow(const std::shared_ptr<const ReturnAddress>& to, Reply reply) {
  const auto [outbox, is_new] = outboxes_.try_emplace(to->session);
  outbox->second.push_back(std::move(reply));
  if (is_new) ready_.push_back(to);
}

void TreeServer::Deliver() {
  while (true) {
    std::shared_ptr<const ReturnAddress> to;
    Reply reply;
    {
      base::MutexLock lock(mu_);
      if (ready_.empty()) return;
      to = std::move(ready_.front());
      ready_.pop_front();
      std::deque<Reply>& outbox = outboxes_.find(to->session)->second;
      reply = std::move(outbox.front());
      outbox.pop_front();
    }
    to->link->Send([receiver = to->receiver, reply = std::move(reply)]() mutable {
      if (const auto target = receiver.lock()) target->Receive(std::move(reply));
    });
    base::MutexLock lock(mu_);
    const auto outbox = outboxes_.find(to->session);
    if (outbox->second.empty()) {
      outboxes_.erase(outbox);
    } else {
      ready_.push_back(std::move(to));
    }
  }
}

void TreeServer::ExpireSession(uint64_t session) {
  {
    base::MutexLock lock(mu_);
    const auto found = sessions_.find(session);
    if (down_ || found == sessions_.end()) return;
    EndSession(found, /*tell=*/true);
  }
  Deliver();
}

std::vector<uint64_t> TreeServer::DisownClient(int32_t client) {
  std::vector<uint64_t> disowned;
  base::MutexLock lock(mu_);
  for (auto& [id, session] : sessions_) {
    if (session.address->client != client || session.disowned) continue;
    session.disowned = true;
    disowned.push_back(id);
  }
  return disowned;
}

void TreeServer::ExpireClient(int32_t client) {
  {
    base::MutexLock lock(mu_);
    if (down_) return;
    for (auto session = sessions_.begin(); session != sessions_.end();) {
      const auto next = std::next(session);
      if (session->second.address->client == client) EndSession(session, /*tell=*/true);
      session = next;
    }
  }
  Deliver();
}

void TreeServer::LoseCommitAnswers(int32_t client, int times) {
  base::MutexLock lock(mu_);
  answers_to_lose_[client] = times;
}

bool TreeServer::LosesAnswer(const SessionState& session) {
  const auto found = answers_to_lose_.find(session.address->client);
  if (found == answers_to_lose_.end() || found->second == 0) return false;
  --found->second;
  return true;
}

GetResult TreeServer::Peek(std::string_view path) {
  base::MutexLock lock(mu_);
  return tree_.Get(path, std::nullopt);
}

ChildrenResult TreeServer::PeekChildren(std::string_view path) {
  base::MutexLock lock(mu_);
  return tree_.Children(path, std::nullopt);
}

int64_t TreeServer::last_transaction() const {
  base::MutexLock lock(mu_);
  return tree_.last_transaction();
}

size_t TreeServer::session_count() const {
  base::MutexLock lock(mu_);
  return sessions_.size();
}

void TreeServer::ArmSweep() {
  base::Time due = base::Time::max();
  for (const auto& [id, session] : sessions_) {
    due = std::min(due, base::SaturatingAdd(session.heard, session.timeout));
  }
  // One that is armed for earlier will arm the next.
  if (due >= sweep_due_) return;
  executor_.Cancel(sweep_timer_);
  sweep_due_ = due;
  sweep_timer_ = network_.PostAt(kHere, due, [self = weak_from_this(), due] {
    if (const auto server = self.lock()) server->Sweep(due);
  });
}

void TreeServer::Sweep(base::Time due) {
  {
    base::MutexLock lock(mu_);
    if (down_) return;
    if (due != sweep_due_) return;  // another was armed for earlier, as this one was leaving
    sweep_due_ = base::Time::max();
    const base::Time now = executor_.clock().Now();
    for (auto session = sessions_.begin(); session != sessions_.end();) {
      const auto next = std::next(session);
      SessionState& state = session->second;
      if (now - due > state.timeout / 3) {
        // We are late: the server was paused, or the machine is overloaded. What the clients sent
        // meanwhile may be waiting behind us; our silence is not theirs.
        state.heard = now;
      } else if (now - state.heard >= state.timeout) {
        EndSession(session, /*tell=*/true);
      }
      session = next;
    }
    ArmSweep();
  }
  Deliver();
}

}  // namespace kafkalite::coordination
