#include "kafkalite/base/network.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace kafkalite::base {
namespace {

// When whoever waits for the answer to a message that was lost hears that the connection broke, if
// it has not given up by itself. Many may be lost in the lifetime of a link: they must not pile up.
constexpr Duration kLostFor = std::chrono::minutes(2);

bool IsClient(NodeId node) { return node <= NodeId::kFirstClient; }
bool Matches(NodeId pattern, NodeId node) {
  return pattern == node || (pattern == NodeId::kAllClients && IsClient(node));
}

Duration Draw(Random& random, Duration below) {
  if (below <= Duration::zero()) return Duration::zero();
  return Duration(random.Below(static_cast<uint64_t>(below.count())));
}

// Draws nothing for what cannot happen, so that the numbers of other runs stay as they are.
bool Draw(Random& random, double probability) {
  constexpr uint64_t kScale = uint64_t{1} << 32;
  return probability > 0 &&
         random.Below(kScale) < static_cast<uint64_t>(probability * static_cast<double>(kScale));
}

}  // namespace

void Link::UpdatePlain() {
  plain_.store(!cut_ && !paused_ && !closed_ && !pumping_ && held_.empty() &&
                   disturbance_ == Disturbance() && jitter_ == Duration::zero(),
               std::memory_order_release);
}

Time Link::DrawDue(Time now) {
  const Duration most = disturbance_.delay + disturbance_.jitter;
  const Time due =
      now + disturbance_.delay + Draw(random_, disturbance_.jitter) + Draw(random_, jitter_);
  if (Draw(random_, disturbance_.reordering)) return due + Draw(random_, most * 4);
  return last_due_ = std::max(due, last_due_);
}

std::deque<Link::Held> Link::TakeForgotten(Time now) {
  std::deque<Held> forgotten;
  while (!lost_.empty() && now - lost_.front().due > kLostFor) {
    forgotten.push_back(std::move(lost_.front()));
    lost_.pop_front();
  }
  return forgotten;
}

void Link::SendThroughFaults(Task message) {
  const Time now = executor_.clock().Now();
  std::deque<Held> forgotten;
  Time due;
  {
    MutexLock lock(mu_);
    if (closed_) return;  // the message is destroyed by the caller, outside of the lock
    forgotten = TakeForgotten(now);
    if (cut_ || Draw(random_, disturbance_.loss)) {
      lost_.push_back({now, std::move(message)});
      return;
    }
    due = DrawDue(now);
    const auto after =
        std::upper_bound(held_.begin(), held_.end(), due,
                         [](Time time, const Held& held) { return time < held.due; });
    held_.insert(after, {due, std::move(message)});
    UpdatePlain();
  }
  // Also while paused: the node may be resumed before the message is due.
  executor_.PostAt(due, [this] { Pump(); });
}

bool Link::DrawDuplicateSlowly() {
  MutexLock lock(mu_);
  return !cut_ && Draw(random_, disturbance_.duplication);
}

void Link::SetCut(bool cut) {
  const Time now = executor_.clock().Now();
  std::deque<Held> lost;  // destroyed outside of the lock: callers may learn of it
  MutexLock lock(mu_);
  cut_ = cut;
  if (cut) {
    for (Held& held : held_) lost_.push_back({now, std::move(held.message)});
    held_.clear();
  } else {
    lost.swap(lost_);
  }
  UpdatePlain();
}

void Link::SetDisturbance(const Disturbance& disturbance) {
  MutexLock lock(mu_);
  disturbance_ = disturbance;
  UpdatePlain();
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

std::unique_ptr<Link> Network::MakeLink(Ends ends) {
  const auto [from, to] = ends;
  std::unique_ptr<Link> link(new Link(executor_));
  MutexLock lock(link->mu_);
  if (from != to) link->jitter_ = options_.jitter;
  const auto pair = (static_cast<uint64_t>(from) << 32) ^ static_cast<uint32_t>(to);
  link->random_ = Random(options_.seed ^ pair);
  link->paused_ = paused_.contains(to);
  link->closed_ = closed_;
  for (const auto& [pattern, conditions] : for_all_clients_) {
    if (from == to || !Matches(pattern.first, from) || !Matches(pattern.second, to)) continue;
    link->cut_ = conditions.cut;
    link->disturbance_ = conditions.disturbance;
  }
  link->UpdatePlain();
  return link;
}

Link& Network::link(NodeId from, NodeId to) {
  MutexLock lock(mu_);
  std::unique_ptr<Link>& slot = links_[{from, to}];
  if (slot == nullptr) slot = MakeLink({from, to});
  return *slot;
}

template <class Change>
std::vector<Link*> Network::Between(NodeId from, NodeId to, Change change) {
  if (from != NodeId::kAllClients && to != NodeId::kAllClients) return {&link(from, to)};
  std::vector<Link*> links;
  MutexLock lock(mu_);
  change(for_all_clients_[{from, to}]);
  for (const auto& [ends, link] : links_) {
    if (ends.first == ends.second) continue;  // a node's timers
    if (Matches(from, ends.first) && Matches(to, ends.second)) links.push_back(link.get());
  }
  return links;
}

void Network::Cut(NodeId from, NodeId to) {
  const auto change = [](Conditions& conditions) { conditions.cut = true; };
  for (Link* link : Between(from, to, change)) link->SetCut(true);
}

void Network::Heal(NodeId from, NodeId to) {
  const auto change = [](Conditions& conditions) { conditions.cut = false; };
  for (Link* link : Between(from, to, change)) link->SetCut(false);
}

void Network::Disturb(NodeId from, NodeId to, const Disturbance& disturbance) {
  const auto change = [&](Conditions& conditions) { conditions.disturbance = disturbance; };
  for (Link* link : Between(from, to, change)) link->SetDisturbance(disturbance);
}

void Network::HealAll() {
  std::vector<Link*> links;
  {
    MutexLock lock(mu_);
    for_all_clients_.clear();
    for (const auto& [ends, link] : links_) links.push_back(link.get());
  }
  for (Link* link : links) {
    link->SetDisturbance({});
    link->SetCut(false);
  }
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
    std::deque<Link::Held> held, lost;
    MutexLock lock(link->mu_);
    link->closed_ = true;
    held.swap(link->held_);
    lost.swap(link->lost_);
    link->UpdatePlain();
  }
}

}  // namespace kafkalite::base
