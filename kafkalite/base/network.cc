#include "kafkalite/base/network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace kafkalite::base {

void Link::UpdatePlain() {
  plain_.store(!cut_ && !paused_ && !closed_ && !pumping_ && held_.empty() &&
                   delay_ == Duration::zero() && jitter_ == Duration::zero(),
               std::memory_order_release);
}

void Link::SendThroughFaults(Task message) {
  Time due;
  {
    MutexLock lock(mu_);
    if (closed_) return;  // the message is destroyed by the caller, outside of the lock
    if (cut_) {
      lost_.push_back(std::move(message));
      return;
    }
    due = executor_.clock().Now() + delay_;
    if (jitter_ > Duration::zero()) {
      due += Duration(random_.Below(static_cast<uint64_t>(jitter_.count())));
    }
    last_due_ = due = std::max(due, last_due_);
    held_.push_back({due, std::move(message)});
    UpdatePlain();
  }
  // Also while paused: the node may be resumed before the message is due.
  executor_.PostAt(due, [this] { Pump(); });
}

void Link::Pump() {
  {
    MutexLock lock(mu_);
    if (pumping_) return;  // that thread sees what is due
    pumping_ = true;
  }
  while (true) {
    Task message;
    {
      MutexLock lock(mu_);
      if (paused_ || held_.empty() || held_.front().due > executor_.clock().Now()) {
        pumping_ = false;
        UpdatePlain();
        return;
      }
      message = std::move(held_.front().message);
      held_.pop_front();
    }
    message();
  }
}

Network::Network(Executor& executor, Options options) : executor_(executor), options_(options) {}

Link& Network::link(NodeId from, NodeId to) {
  MutexLock lock(mu_);
  std::unique_ptr<Link>& slot = links_[{from, to}];
  if (slot == nullptr) {
    slot.reset(new Link(executor_));
    MutexLock link_lock(slot->mu_);
    if (from != to) slot->jitter_ = options_.jitter;
    const auto pair = (static_cast<uint64_t>(from) << 32) ^ static_cast<uint32_t>(to);
    slot->random_ = Random(options_.seed ^ pair);
    slot->paused_ = paused_.contains(to);
    slot->closed_ = closed_;
    slot->UpdatePlain();
  }
  return *slot;
}

void Network::Cut(NodeId from, NodeId to) {
  Link& link = this->link(from, to);
  MutexLock lock(link.mu_);
  link.cut_ = true;
  for (Link::Held& held : link.held_) link.lost_.push_back(std::move(held.message));
  link.held_.clear();
  link.UpdatePlain();
}

void Network::Heal(NodeId from, NodeId to) {
  Link& link = this->link(from, to);
  std::deque<Task> lost;  // destroyed outside of the lock: callers may learn of it
  MutexLock lock(link.mu_);
  link.cut_ = false;
  lost.swap(link.lost_);
  link.UpdatePlain();
}

void Network::HealAll() {
  std::vector<std::pair<NodeId, NodeId>> ends;
  {
    MutexLock lock(mu_);
    for (const auto& [pair, link] : links_) ends.push_back(pair);
  }
  for (const auto& [from, to] : ends) {
    Heal(from, to);
    SetDelay(from, to, Duration::zero());
  }
}

void Network::SetDelay(NodeId from, NodeId to, Duration delay) {
  Link& link = this->link(from, to);
  MutexLock lock(link.mu_);
  link.delay_ = delay;
  link.UpdatePlain();
}

void Network::ForLinksTo(NodeId node, bool paused) {
  std::vector<Link*> links;
  link(node, node);  // its timers go over this one
  {
    MutexLock lock(mu_);
    if (paused) {
      paused_.insert(node);
    } else {
      paused_.erase(node);
    }
    for (const auto& [ends, link] : links_) {
      if (ends.second == node) links.push_back(link.get());
    }
  }
  for (Link* link : links) {
    {
      MutexLock lock(link->mu_);
      link->paused_ = paused;
      link->UpdatePlain();
      if (paused || link->held_.empty()) continue;
    }
    executor_.PostAt(executor_.clock().Now(), [link] { link->Pump(); });
  }
}

void Network::Pause(NodeId node) { ForLinksTo(node, true); }
void Network::Resume(NodeId node) { ForLinksTo(node, false); }

TimerId Network::PostAt(NodeId node, Time when, Task task) {
  Link& self = link(node, node);
  return executor_.PostAt(
      when, [&self, task = std::move(task)]() mutable { self.Send(std::move(task)); });
}

void Network::Close() {
  std::vector<Link*> links;
  {
    MutexLock lock(mu_);
    closed_ = true;
    for (const auto& [ends, link] : links_) links.push_back(link.get());
  }
  for (Link* link : links) {
    std::deque<Link::Held> held;
    std::deque<Task> lost;
    MutexLock lock(link->mu_);
    link->closed_ = true;
    held.swap(link->held_);
    lost.swap(link->lost_);
    link->UpdatePlain();
  }
}

}  // namespace kafkalite::base
