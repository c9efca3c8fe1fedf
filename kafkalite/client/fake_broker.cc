#include "kafkalite/client/fake_broker.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "kafkalite/client/silent_service.h"

namespace kafkalite::client {

using model::BrokerId;
using model::ErrorCode;
using model::Offset;
using model::TopicPartition;

namespace {

// A timestamp of record n is kFirstTimestamp + n.
constexpr int64_t kFirstTimestamp = 1000;

ErrorCode TakeError(std::deque<ErrorCode>& errors) {
  if (errors.empty()) return ErrorCode::kNone;
  const ErrorCode error = errors.front();
  errors.pop_front();
  return error;
}

}  // namespace

void FakeState::DeleteTopic(const std::string& topic) {
  {
    base::MutexLock lock(mu_);
    std::erase_if(partitions_, [&topic](const auto& entry) { return entry.first.topic == topic; });
  }
  ServeWaiting();
}

int FakeState::fetches() const {
  base::MutexLock lock(mu_);
  return fetches_;
}

std::vector<protocol::FetchRequest> FakeState::TakeFetches() {
  base::MutexLock lock(mu_);
  return std::exchange(seen_, {});
}

int FakeState::metadata_requests() const {
  base::MutexLock lock(mu_);
  return metadata_requests_;
}

void FakeState::DropWaiting(BrokerId broker) {
  std::vector<WaitingFetch> dropped;
  base::MutexLock lock(mu_);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.broker == broker) {
      dropped.push_back(std::move(it->second));
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
}

ErrorCode FakeState::CheckLeader(BrokerId broker, const TopicPartition& tp,
                                 model::LeaderEpoch epoch) {
  const auto found = partitions_.find(tp);
  if (found == partitions_.end()) return ErrorCode::kUnknownTopicOrPartition;
  if (found->second.leader != broker) return ErrorCode::kNotLeaderOrFollower;
  if (epoch == model::kNoEpoch || epoch == found->second.leader_epoch) return ErrorCode::kNone;
  return epoch < found->second.leader_epoch ? ErrorCode::kFencedLeaderEpoch
                                            : ErrorCode::kUnknownLeaderEpoch;
}

bool FakeState::Read(BrokerId broker, const protocol::FetchRequest& request,
                     protocol::FetchResponse& response) {
  bool something = false;
  for (const auto& wanted : request.partitions) {
    protocol::FetchResponse::Partition part{.tp = wanted.tp, .batches = {}};
    part.error = CheckLeader(broker, wanted.tp, wanted.current_leader_epoch);
    if (part.error == ErrorCode::kNone) {
      Partition& partition = partitions_[wanted.tp];
      part.high_watermark = partition.high_watermark;
      part.log_start_offset = partition.log_start;
      const Offset end = partition.batches.empty() ? partition.log_start
                                                   : partition.batches.back().header.next_offset();
      part.error = TakeError(partition.fetch_errors);
      if (part.error == ErrorCode::kNone &&
          (wanted.fetch_offset < partition.log_start || wanted.fetch_offset > end)) {
        part.error = ErrorCode::kOffsetOutOfRange;
      }
      int64_t bytes = 0;
      for (const format::Batch& batch : partition.batches) {
        if (part.error != ErrorCode::kNone || bytes >= wanted.max_bytes) break;
        if (batch.header.next_offset() <= wanted.fetch_offset) continue;
        if (batch.header.next_offset() > partition.high_watermark) break;
        part.batches.push_back(batch);
        bytes += static_cast<int64_t>(batch.size_bytes());
      }
    }
    something |= part.error != ErrorCode::kNone || !part.batches.empty();
    response.partitions.push_back(std::move(part));
  }
  return something;
}

void FakeState::Fetch(BrokerId broker, protocol::FetchRequest request,
                      transport::Reply<protocol::FetchResponse> reply) {
  protocol::FetchResponse response;
  {
    base::MutexLock lock(mu_);
    ++fetches_;
    seen_.push_back(request);
    if (!Read(broker, request, response) && request.max_wait.count() > 0) {
      const uint64_t number = next_waiting_++;
      const auto max_wait = request.max_wait;
      waiting_.emplace(number, WaitingFetch{broker, std::move(request), std::move(reply)});
      executor_.PostAt(executor_.clock().Now() + max_wait, [this, number] {
        WaitingFetch fetch;
        protocol::FetchResponse nothing;
        {
          base::MutexLock lock(mu_);
          auto found = waiting_.extract(number);
          if (found.empty()) return;
          fetch = std::move(found.mapped());
          Read(fetch.broker, fetch.request, nothing);
        }
        fetch.reply(std::move(nothing));
      });
      return;
    }
  }
  reply(std::move(response));
}

void FakeState::ServeWaiting() {
  std::vector<std::pair<WaitingFetch, protocol::FetchResponse>> answers;
  {
    base::MutexLock lock(mu_);
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      protocol::FetchResponse response;
      if (Read(it->second.broker, it->second.request, response)) {
        answers.emplace_back(std::move(it->second), std::move(response));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (auto& [fetch, response] : answers) fetch.reply(std::move(response));
}

void FakeState::ListOffsets(BrokerId broker, const protocol::ListOffsetsRequest& request,
                            transport::Reply<protocol::ListOffsetsResponse> reply) {
  protocol::ListOffsetsResponse response;
  {
    base::MutexLock lock(mu_);
    for (const auto& wanted : request.partitions) {
      protocol::ListOffsetsResponse::Partition part{.tp = wanted.tp};
      part.error = CheckLeader(broker, wanted.tp, wanted.current_leader_epoch);
      if (part.error == ErrorCode::kNone) {
        Partition& partition = partitions_[wanted.tp];
        part.error = TakeError(partition.offsets_errors);
        if (wanted.timestamp == protocol::kEarliestTimestamp) {
          part.offset = partition.log_start;
        } else if (wanted.timestamp == protocol::kLatestTimestamp) {
          part.offset = partition.high_watermark;
        } else {
          const Offset offset(std::max<int64_t>(wanted.timestamp - kFirstTimestamp, 0));
          if (offset < partition.high_watermark) {
            part.offset = offset;
            part.timestamp = kFirstTimestamp + offset.value();
          }
        }
      }
      response.partitions.push_back(part);
    }
  }
  reply(std::move(response));
}

void FakeState::Metadata(const std::vector<BrokerId>& brokers,
                         const protocol::MetadataRequest& request,
                         transport::Reply<protocol::MetadataResponse> reply) {
  protocol::MetadataResponse response;
  response.brokers = brokers;
  {
    base::MutexLock lock(mu_);
    ++metadata_requests_;
    std::map<std::string, protocol::MetadataResponse::Topic> topics;
    for (const auto& [tp, partition] : partitions_) {
      protocol::MetadataResponse::Topic& topic = topics[tp.topic];
      topic.name = tp.topic;
      topic.partitions.push_back({.partition = tp.partition,
                                  .leader = partition.leader,
                                  .leader_epoch = partition.leader_epoch,
                                  .replicas = {},
                                  .isr = {}});
    }
    if (!request.topics.has_value()) {
      for (auto& [name, topic] : topics) response.topics.push_back(std::move(topic));
    } else {
      for (const std::string& name : *request.topics) {
        if (topics.contains(name)) {
          response.topics.push_back(topics[name]);
        } else {
          response.topics.push_back({.error = ErrorCode::kUnknownTopicOrPartition,
                                     .name = name,
                                     .partitions = {},
                                     .overrides = {}});
        }
      }
    }
  }
  reply(std::move(response));
}

// The service of one broker; what clients of consumers never call breaks the connection.
class FakeCluster::Broker final : public SilentService {
 public:
  Broker(BrokerId id, std::vector<BrokerId> all, std::shared_ptr<FakeState> state)
      : id_(id), all_(std::move(all)), state_(std::move(state)) {}

  void Fetch(protocol::FetchRequest request,
             transport::Reply<protocol::FetchResponse> reply) override {
    state_->Fetch(id_, std::move(request), std::move(reply));
  }
  void ListOffsets(protocol::ListOffsetsRequest request,
                   transport::Reply<protocol::ListOffsetsResponse> reply) override {
    state_->ListOffsets(id_, request, std::move(reply));
  }
  void Metadata(protocol::MetadataRequest request,
                transport::Reply<protocol::MetadataResponse> reply) override {
    state_->Metadata(all_, request, std::move(reply));
  }

 private:
  const BrokerId id_;
  const std::vector<BrokerId> all_;
  const std::shared_ptr<FakeState> state_;
};

FakeCluster::FakeCluster(const Options& options) : runtime_(std::make_shared<ClientRuntime>()) {
  base::Network::Options network;
  if (options.simulated) {
    runtime_->executor = std::make_shared<base::SimExecutor>(options.seed);
    network = {.jitter = std::chrono::microseconds(200), .seed = options.seed};
  } else {
    runtime_->executor = std::make_shared<base::RealExecutor>();
  }
  runtime_->network = std::make_shared<base::Network>(*runtime_->executor, network);
  runtime_->transport = std::make_shared<transport::InProcessTransport>(*runtime_->network);
  runtime_->pool = base::BufferPool::Create(1 << 20);
  runtime_->reader_budget = std::make_shared<base::Budget>(options.reader_memory_bytes);
  state_ = std::make_shared<FakeState>(*runtime_->executor);
  for (int id = 1; id <= options.brokers; ++id) ids_.push_back(BrokerId(id));
  runtime_->bootstrap = ids_;
  for (int id = 1; id <= options.brokers; ++id) {
    brokers_[id] = std::make_shared<Broker>(BrokerId(id), ids_, state_);
    listeners_[id] = runtime_->transport->Listen(BrokerId(id), brokers_[id], {});
  }
}

FakeCluster::~FakeCluster() { Shutdown(); }

void FakeCluster::Stop(int broker) {
  listeners_.erase(broker);
  state_->DropWaiting(BrokerId(broker));
}

void FakeCluster::Shutdown() {
  if (runtime_->closed.exchange(true)) return;
  runtime_->NotifyClosed();
  runtime_->network->Close();
  runtime_->executor->Shutdown();
  for (const BrokerId id : ids_) state_->DropWaiting(id);
}

void FakeCluster::CreateTopic(const std::string& topic, int partitions) {
  for (int i = 0; i < partitions; ++i) {
    state_->With({topic, model::PartitionId(i)}, [&](FakeState::Partition& partition) {
      partition.leader = ids_[static_cast<size_t>(i) % ids_.size()];
    });
  }
}

void FakeCluster::SetLeader(const TopicPartition& tp, int broker) {
  state_->With(tp, [&](FakeState::Partition& partition) {
    partition.leader = BrokerId(broker);
    partition.leader_epoch = model::LeaderEpoch(partition.leader_epoch.value() + 1);
  });
}

void FakeCluster::Append(const TopicPartition& tp, const std::vector<std::string>& values,
                         bool committed) {
  state_->With(tp, [&](FakeState::Partition& partition) {
    const Offset base = partition.batches.empty() ? partition.log_start
                                                  : partition.batches.back().header.next_offset();
    size_t bytes = 0;
    for (const std::string& value : values) {
      bytes += format::BatchBuilder::MaxRecordBytes({}, value, {});
    }
    format::BatchBuilder builder(runtime_->pool->Allocate(bytes), bytes,
                                 kFirstTimestamp + base.value());
    for (const std::string& value : values) {
      builder.TryAppend(kFirstTimestamp + base.value() + builder.record_count(), {}, value, {});
    }
    format::Batch batch = std::move(builder).Build({}, nullptr);
    batch.header.base_offset = base;
    partition.batches.push_back(std::move(batch));
    if (committed) partition.high_watermark = partition.batches.back().header.next_offset();
  });
}

}  // namespace kafkalite::client
