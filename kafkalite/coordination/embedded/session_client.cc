#include "kafkalite/coordination/embedded/session_client.h"

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <utility>

namespace kafkalite::coordination {
namespace {

// Callbacks may be empty: their caller does not want to know.
template <class Callback, class Result>
void Deliver(Callback& callback, Result result) {
  if (callback) callback(std::move(result));
}

// A timeout that arithmetic on it can stand.
base::Duration Sane(std::chrono::milliseconds timeout) {
  return std::clamp<std::chrono::milliseconds>(timeout, std::chrono::milliseconds(1),
                                               std::chrono::hours(24 * 365));
}

}  // namespace

SessionClient::SessionClient(base::Executor& executor, base::Network& network,
                             std::shared_ptr<TreeServer> server, const SessionOptions& options,
                             SessionListener listener)
    : executor_(executor),
      network_(network),
      server_(std::move(server)),
      node_(base::NodeId(options.client)),
      to_server_(network.link(node_, base::NodeId::kCoordination)),
      timeout_(Sane(options.timeout)),
      patience_(timeout_ * 2 / 3),
      strand_(executor),
      listener_(std::move(listener)),
      heard_(executor.clock().Now()),
      next_ping_(heard_ + timeout_ / 3) {}

std::shared_ptr<SessionClient> SessionClient::Open(base::Executor& executor, base::Network& network,
                                                   std::shared_ptr<TreeServer> server,
                                                   const SessionOptions& options,
                                                   SessionListener listener) {
  std::shared_ptr<SessionClient> client(
      new SessionClient(executor, network, std::move(server), options, std::move(listener)));
  client->address_ = client->server_->Open(options.client, client->timeout_, client);
  client->strand_.Run([client] {
    client->strand_.AssertInside();
    if (client->state_ != State::kOver) client->Arm();
  });
  return client;
}

void SessionClient::Commit(std::vector<Operation> operations, CommitCallback callback) {
  Begin({.made = {},
         .call = CommitCall{std::move(operations)},
         .watch = {},
         .callback = std::move(callback)});
}

void SessionClient::Get(std::string path, Watch watch, GetCallback callback) {
  const bool watched = static_cast<bool>(watch);
  Begin({.made = {},
         .call = GetCall{std::move(path), watched},
         .watch = std::move(watch),
         .callback = std::move(callback)});
}

void SessionClient::Children(std::string path, Watch watch, ChildrenCallback callback) {
  const bool watched = static_cast<bool>(watch);
  Begin({.made = {},
         .call = ChildrenCall{std::move(path), watched},
         .watch = std::move(watch),
         .callback = std::move(callback)});
}

void SessionClient::Begin(Outstanding outstanding) {
  strand_.Run([self = shared_from_this(), outstanding = std::move(outstanding)]() mutable {
    self->strand_.AssertInside();
    self->Start(std::move(outstanding));
  });
}

void SessionClient::Start(Outstanding outstanding) {
  outstanding.made = executor_.clock().Now();
  if (state_ == State::kOver) {
    Fail(std::move(outstanding), Code::kSessionExpired);
  } else if (state_ == State::kDisconnected) {
    waiting_.push_back(std::move(outstanding));
  } else {
    Transmit(std::move(outstanding));
  }
}

void SessionClient::Transmit(Outstanding outstanding) {
  const uint64_t number = ++last_number_;
  Call call = std::exchange(outstanding.call, {});
  pending_.emplace(number, std::move(outstanding));
  Send(number, std::move(call));
}

void SessionClient::Send(uint64_t number, Call call) {
  Request request{.number = number,
                  .sent = executor_.clock().Now(),
                  .acknowledged_event = last_event_,
                  .renews = state_ == State::kConnected,
                  .call = std::move(call)};
  to_server_.Send([server = server_, from = address_, request = std::move(request)]() mutable {
    server->Receive(from, std::move(request));
  });
}

void SessionClient::Receive(Reply reply) {
  {
    base::MutexLock lock(inbox_mu_);
    inbox_.push_back(std::move(reply));
  }
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->DrainInbox();
  });
}

void SessionClient::DrainInbox() {
  while (true) {
    Reply reply;
    {
      base::MutexLock lock(inbox_mu_);
      if (inbox_.empty()) return;
      reply = std::move(inbox_.front());
      inbox_.pop_front();
    }
    if (state_ != State::kOver) Handle(std::move(reply));
  }
}

void SessionClient::Handle(Reply reply) {
  if (reply.expired) {
    End();
    return;
  }
  if (reply.down) {
    if (state_ == State::kConnected) Disconnect();
    // Unlike one that is out of reach it will not come back.
    for (Outstanding& call : std::exchange(waiting_, {})) {
      Fail(std::move(call), Code::kConnectionLoss);
    }
    return;
  }
  // The time of sending counts, not that of arrival: the server's own count of our silence began
  // no earlier, so we know that we are cut off before it gives us up.
  if (reply.answers != 0 && executor_.clock().Now() - reply.request_sent < patience_) {
    heard_ = std::max(heard_, reply.request_sent);
    if (state_ == State::kDisconnected) Reconnect();
  }
  HandleEvents(reply.events);
  if (reply.answers != 0) HandleAnswer(std::move(reply));
}

void SessionClient::HandleEvents(const std::vector<Event>& events) {
  bool any_new = false;
  for (const Event& event : events) {
    if (event.number <= last_event_) continue;
    last_event_ = event.number;
    any_new = true;
    // Absent where the answer that would have set it was lost: the user knows of no watch.
    auto watch = watches_.extract(event.watch);
    if (!watch.empty() && !closed_) watch.mapped()();
  }
  if (any_new) Send(++last_number_, AcknowledgeCall{});
}

void SessionClient::HandleAnswer(Reply reply) {
  // Answers come in order, so those to earlier requests are lost.
  while (!pending_.empty() && pending_.begin()->first < reply.answers) {
    Fail(std::move(pending_.extract(pending_.begin()).mapped()), Code::kConnectionLoss);
  }
  auto found = pending_.extract(reply.answers);
  if (found.empty()) return;  // a ping, or too late
  Outstanding& call = found.mapped();
  if (closed_) {
    Fail(std::move(call), Code::kSessionExpired);
  } else if (auto* commit = std::get_if<CommitResult>(&reply.result)) {
    Deliver(std::get<CommitCallback>(call.callback), std::move(*commit));
  } else if (auto* get = std::get_if<GetResult>(&reply.result)) {
    const bool set = get->code == Code::kOk || get->code == Code::kNoNode;
    if (set && call.watch) watches_.emplace(reply.answers, std::move(call.watch));
    Deliver(std::get<GetCallback>(call.callback), std::move(*get));
  } else if (auto* children = std::get_if<ChildrenResult>(&reply.result)) {
    const bool set = children->code == Code::kOk;
    if (set && call.watch) watches_.emplace(reply.answers, std::move(call.watch));
    Deliver(std::get<ChildrenCallback>(call.callback), std::move(*children));
  }
}

void SessionClient::Fail(Outstanding outstanding, Code code) {
  if (closed_) code = Code::kSessionExpired;
  std::visit(
      [code](auto& callback) {
        if constexpr (std::is_same_v<decltype(callback), CommitCallback&>) {
          Deliver(callback, CommitResult{.code = code, .results = {}});
        } else if constexpr (std::is_same_v<decltype(callback), GetCallback&>) {
          Deliver(callback, GetResult{.code = code, .data = {}, .stat = {}});
        } else {
          Deliver(callback, ChildrenResult{.code = code, .names = {}});
        }
      },
      outstanding.callback);
}

void SessionClient::Arm() {
  base::Time when = next_ping_;
  if (state_ == State::kConnected) when = std::min(when, heard_ + patience_);
  // A timer of a paused node may fire after it was cancelled: its number tells.
  timer_ = network_.PostAt(node_, when, [weak = weak_from_this(), number = ++timer_number_] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->strand_.Run([self, number] {
      self->strand_.AssertInside();
      self->Tick(number);
    });
  });
}

void SessionClient::Tick(uint64_t timer_number) {
  if (state_ == State::kOver || timer_number != timer_number_) return;
  const base::Time now = executor_.clock().Now();
  if (state_ == State::kConnected && now - heard_ >= patience_) Disconnect();
  while (!waiting_.empty() && now - waiting_.front().made >= patience_) {
    Outstanding tired = std::move(waiting_.front());
    waiting_.pop_front();
    Fail(std::move(tired), Code::kConnectionLoss);
  }
  if (now >= next_ping_ || state_ == State::kDisconnected) {
    Send(++last_number_, PingCall{});
    // While cut off, be quick to find that we no longer are.
    next_ping_ = now + timeout_ / (state_ == State::kConnected ? 3 : 10);
  }
  Arm();
}

void SessionClient::Disconnect() {
  state_ = State::kDisconnected;
  Tell(SessionEvent::kDisconnected);
  std::map<uint64_t, Outstanding> lost = std::move(pending_);
  pending_.clear();
  for (auto& [number, call] : lost) Fail(std::move(call), Code::kConnectionLoss);
}

void SessionClient::Reconnect() {
  state_ = State::kConnected;
  Tell(SessionEvent::kReconnected);
  // The ping that was answered did not renew the session; this one does.
  Send(++last_number_, PingCall{});
  std::deque<Outstanding> waiting = std::move(waiting_);
  waiting_.clear();
  for (Outstanding& call : waiting) Transmit(std::move(call));
}

void SessionClient::End() {
  state_ = State::kOver;
  executor_.Cancel(timer_);
  watches_.clear();
  Tell(SessionEvent::kExpired);
  std::map<uint64_t, Outstanding> pending = std::move(pending_);
  std::deque<Outstanding> waiting = std::move(waiting_);
  pending_.clear();
  waiting_.clear();
  for (auto& [number, call] : pending) Fail(std::move(call), Code::kSessionExpired);
  for (Outstanding& call : waiting) Fail(std::move(call), Code::kSessionExpired);
}

void SessionClient::Tell(SessionEvent event) {
  if (listener_ && !closed_) listener_(event);
}

void SessionClient::Close() {
  closed_ = true;
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    if (self->state_ != State::kOver) {
      self->Send(++self->last_number_, GoodbyeCall{});
      self->End();
    }
    self->listener_ = nullptr;
  });
}

}  // namespace kafkalite::coordination
