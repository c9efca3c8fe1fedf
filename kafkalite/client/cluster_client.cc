#include "kafkalite/client/cluster_client.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "kafkalite/base/strings.h"
#include "kafkalite/client/always_called.h"
#include "kafkalite/model/error_code.h"

namespace kafkalite::client {
namespace {

// How long one broker may take to answer before the next one is asked.
constexpr base::Duration kAttemptTimeout = std::chrono::seconds(2);
// After no broker answered.
constexpr base::Duration kRoundPause = std::chrono::milliseconds(10);

absl::StatusOr<std::shared_ptr<const TopicMetadata>> ReadTopic(
    const std::string& name, const absl::StatusOr<protocol::MetadataResponse>& answer) {
  if (!answer.ok()) return answer.status();
  const std::string subject = base::Cat("topic '", name, "'");
  if (answer->topics.size() != 1 || answer->topics[0].name != name) {
    return absl::InternalError(base::ToAbsl("metadata without the one " + subject));
  }
  const protocol::MetadataResponse::Topic& topic = answer->topics[0];
  // Of a topic that exists, partitions may be without a leader.
  if (topic.error != model::ErrorCode::kNone &&
      topic.error != model::ErrorCode::kLeaderNotAvailable) {
    return model::ToStatus(topic.error, subject);
  }
  auto metadata = std::make_shared<TopicMetadata>();
  metadata->name = name;
  metadata->creation_id = topic.creation_id;
  metadata->max_message_bytes = topic.max_message_bytes;
  for (const protocol::MetadataResponse::Partition& partition : topic.partitions) {
    metadata->partitions.push_back(
        {.leader = partition.leader, .leader_epoch = partition.leader_epoch});
  }
  return metadata;
}

// What is newer of both. A broker that nobody tells anything any more still answers: with what it
// knew, or thinks, long after others lead; going by it, a consumer would be sent back to where that
// one's log ends (KIP-320).
std::shared_ptr<const TopicMetadata> Newer(const std::shared_ptr<const TopicMetadata>& known,
                                           std::shared_ptr<const TopicMetadata> told) {
  if (known == nullptr || told->creation_id > known->creation_id) return told;
  if (told->creation_id < known->creation_id) return known;
  // Topics do not shrink: it was made anew by somebody who gives no creation ids.
  const bool fewer = told->partitions.size() < known->partitions.size();
  if (told->creation_id == 0 && fewer) return told;
  const auto is_stale = [](const auto& told_partition, const auto& known_partition) {
    return told_partition.leader_epoch < known_partition.leader_epoch;
  };
  const size_t both = std::min(known->partitions.size(), told->partitions.size());
  bool stale = fewer;
  for (size_t i = 0; i < both; ++i) stale |= is_stale(told->partitions[i], known->partitions[i]);
  if (!stale) return told;
  auto merged = std::make_shared<TopicMetadata>(*told);
  for (size_t i = 0; i < known->partitions.size(); ++i) {
    if (i >= both) {
      merged->partitions.push_back(known->partitions[i]);
    } else if (is_stale(merged->partitions[i], known->partitions[i])) {
      merged->partitions[i] = known->partitions[i];
    }
  }
  return merged;
}

}  // namespace

// One FetchMetadata: asks one broker at a time. Whoever may carry it on (a reply, a timer) holds a
// reference; when a closed network has dropped them all, the destructor answers.
class ClusterClient::MetadataFetch : public std::enable_shared_from_this<MetadataFetch> {
 public:
  MetadataFetch(std::shared_ptr<ClusterClient> client, protocol::MetadataRequest request,
                base::Time deadline, MetadataCallback callback)
      : client_(std::move(client)),
        request_(std::move(request)),
        deadline_(deadline),
        callback_(std::move(callback)),
        round_(client_->NextRound()) {}

  ~MetadataFetch() {
    if (callback_ != nullptr) callback_(Lost());
  }

  // Asks the next broker of the round; after the last one, pauses and begins another round.
  void Ask() {
    if (absl::Status open = client_->CheckOpen(); !open.ok()) return Finish(std::move(open));
    const base::Time now = client_->runtime().executor->clock().Now();
    if (now >= deadline_) {
      return Finish(absl::UnavailableError("no broker answered a metadata request in time"));
    }
    std::shared_ptr<transport::ClientService> channel;
    uint64_t attempt;
    {
      base::MutexLock lock(mu_);
      if (callback_ == nullptr) return;
      attempt = ++attempt_;
      if (asked_ < round_.size()) channel = client_->Channel(round_[asked_++]);
    }
    if (channel == nullptr) {
      PauseAfterRound(attempt, now);
      return;
    }
    channel->Metadata(request_, ReplyOnce([self = shared_from_this(), attempt](
                                              absl::StatusOr<protocol::MetadataResponse> answer) {
                        self->OnAnswer(attempt, std::move(answer));
                      }));
    // Within a process the answer is there by now, and there is no timer to arm.
    Arm(attempt, std::min(kAttemptTimeout, base::Duration(deadline_ - now)));
  }

 private:
  // Begins another round after a pause.
  void PauseAfterRound(uint64_t attempt, base::Time now) {
    {
      base::MutexLock lock(mu_);
      if (attempt != attempt_) return;
      round_ = client_->NextRound();
      asked_ = 0;
    }
    Arm(attempt, std::min(kRoundPause, base::Duration(deadline_ - now)));
  }

  absl::Status Lost() const {
    if (absl::Status open = client_->CheckOpen(); !open.ok()) return open;
    return absl::UnavailableError("the metadata request was dropped");
  }

  // Goes on after `delay`, unless the attempt is over by then.
  void Arm(uint64_t attempt, base::Duration delay) {
    bool armed;
    {
      base::MutexLock lock(mu_);
      if (callback_ == nullptr || attempt != attempt_) return;
      timer_ = client_->After(delay, [self = shared_from_this(), attempt] {
        if (self->EndAttempt(attempt)) self->Ask();
      });
      armed = timer_ != base::TimerId::kNone;
    }
    if (!armed) Finish(Lost());
  }

  // Whether the attempt was under way until now.
  bool EndAttempt(uint64_t attempt) {
    base::TimerId timer;
    {
      base::MutexLock lock(mu_);
      if (callback_ == nullptr || attempt != attempt_) return false;
      ++attempt_;
      timer = std::exchange(timer_, base::TimerId::kNone);
    }
    if (timer != base::TimerId::kNone) client_->runtime().executor->Cancel(timer);
    return true;
  }

  void OnAnswer(uint64_t attempt, absl::StatusOr<protocol::MetadataResponse> answer) {
    if (!EndAttempt(attempt)) return;
    if (!answer.ok()) return Ask();
    client_->RememberBrokers(answer->brokers);
    Finish(std::move(answer));
  }

  void Finish(absl::StatusOr<protocol::MetadataResponse> result) {
    MetadataCallback callback;
    base::TimerId timer;
    {
      base::MutexLock lock(mu_);
      if (callback_ == nullptr) return;
      callback = std::exchange(callback_, nullptr);
      timer = std::exchange(timer_, base::TimerId::kNone);
    }
    if (timer != base::TimerId::kNone) client_->runtime().executor->Cancel(timer);
    callback(std::move(result));
  }

  // Constant after construction.
  const std::shared_ptr<ClusterClient> client_;
  const protocol::MetadataRequest request_;
  const base::Time deadline_;

  base::Mutex mu_;
  MetadataCallback callback_ ABSL_GUARDED_BY(mu_);  // null when done
  std::vector<model::BrokerId> round_ ABSL_GUARDED_BY(mu_);
  size_t asked_ ABSL_GUARDED_BY(mu_) = 0;  // of the round
  // What answers and timers of earlier attempts are told from.
  uint64_t attempt_ ABSL_GUARDED_BY(mu_) = 0;
  base::TimerId timer_ ABSL_GUARDED_BY(mu_) = base::TimerId::kNone;
};

std::shared_ptr<ClusterClient> ClusterClient::Create(std::shared_ptr<ClientRuntime> runtime) {
  const int32_t client_id = runtime->next_client.fetch_sub(1, std::memory_order_relaxed);
  return std::shared_ptr<ClusterClient>(new ClusterClient(std::move(runtime), client_id));
}

ClusterClient::ClusterClient(std::shared_ptr<ClientRuntime> runtime, int32_t client_id)
    : runtime_(std::move(runtime)), client_id_(client_id), brokers_(runtime_->bootstrap) {}

absl::Status ClusterClient::CheckOpen() const {
  if (!runtime_->closed.load(std::memory_order_acquire)) return absl::OkStatus();
  return absl::FailedPreconditionError("the cluster is shut down");
}

std::shared_ptr<transport::ClientService> ClusterClient::Channel(model::BrokerId broker) {
  base::MutexLock lock(mu_);
  std::shared_ptr<transport::ClientService>& channel = channels_[broker];
  if (channel == nullptr) channel = runtime_->transport->ConnectClient(client_id_, broker);
  return channel;
}

std::shared_ptr<const TopicMetadata> ClusterClient::Find(std::string_view topic) {
  base::MutexLock lock(mu_);
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : found->second;
}

base::TimerId ClusterClient::After(base::Duration delay, base::Task task) {
  const base::Time when = base::SaturatingAdd(runtime_->executor->clock().Now(), delay);
  return runtime_->network->PostAt(base::NodeId{client_id_}, when, std::move(task));
}

std::vector<model::BrokerId> ClusterClient::NextRound() {
  base::MutexLock lock(mu_);
  std::vector<model::BrokerId> round = brokers_;
  if (!round.empty()) {
    std::rotate(round.begin(), round.begin() + static_cast<ptrdiff_t>(rounds_++ % round.size()),
                round.end());
  }
  return round;
}

void ClusterClient::RememberBrokers(const std::vector<model::BrokerId>& brokers) {
  base::MutexLock lock(mu_);
  // Those of the bootstrap list stay: the brokers that live now may all be gone later.
  std::vector<model::BrokerId> known = runtime_->bootstrap;
  for (const model::BrokerId broker : brokers) {
    if (std::find(known.begin(), known.end(), broker) == known.end()) known.push_back(broker);
  }
  brokers_ = std::move(known);
}

void ClusterClient::FetchMetadata(protocol::MetadataRequest request, base::Duration timeout,
                                  MetadataCallback callback) {
  const base::Time deadline = base::SaturatingAdd(runtime_->executor->clock().Now(), timeout);
  std::make_shared<MetadataFetch>(shared_from_this(), std::move(request), deadline,
                                  std::move(callback))
      ->Ask();
}

void ClusterClient::Refresh(std::string topic, base::Duration timeout, TopicCallback callback) {
  const base::Time deadline = base::SaturatingAdd(runtime_->executor->clock().Now(), timeout);
  {
    base::MutexLock lock(mu_);
    const auto [found, first] = refreshes_.try_emplace(topic);
    std::vector<Waiter>& waiters = first ? found->second.current : found->second.next;
    waiters.push_back({deadline, std::move(callback)});
    if (!first) return;
  }
  StartRefresh(topic, deadline);
}

void ClusterClient::StartRefresh(const std::string& topic, base::Time deadline) {
  const base::Duration timeout = deadline - runtime_->executor->clock().Now();
  FetchMetadata(
      {.topics = std::vector<std::string>{topic}}, timeout,
      [self = shared_from_this(), topic](absl::StatusOr<protocol::MetadataResponse> answer) {
        self->OnRefreshed(topic, std::move(answer));
      });
}

void ClusterClient::OnRefreshed(const std::string& topic,
                                absl::StatusOr<protocol::MetadataResponse> answer) {
  absl::StatusOr<std::shared_ptr<const TopicMetadata>> result = ReadTopic(topic, answer);
  std::vector<Waiter> served;
  bool again = false;
  base::Time deadline = base::Time::min();
  {
    base::MutexLock lock(mu_);
    if (result.ok()) {
      result = topics_[topic] = Newer(topics_[topic], *std::move(result));
    } else if (answer.ok()) {
      topics_.erase(topic);
    }
    const auto refresh = refreshes_.find(topic);
    served = std::exchange(refresh->second.current, std::exchange(refresh->second.next, {}));
    again = !refresh->second.current.empty();
    for (const Waiter& waiter : refresh->second.current) {
      deadline = std::max(deadline, waiter.deadline);
    }
    if (!again) refreshes_.erase(refresh);
  }
  for (Waiter& waiter : served) waiter.callback(result);
  if (again) StartRefresh(topic, deadline);
}

}  // namespace kafkalite::client
