// File: fake_leaders.h
//
// For tests of the producer: brokers that share their logs, so that a leader may move, check
// sequence numbers as Kafka does, and misbehave on request.

#ifndef KAFKALITE_CLIENT_FAKE_LEADERS_H_
#define KAFKALITE_CLIENT_FAKE_LEADERS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/network.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/silent_service.h"
#include "kafkalite/format/compressed_batch.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/protocol/metadata.h"
#include "kafkalite/protocol/produce.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/inprocess/inprocess_transport.h"

namespace kafkalite::client {

class FakeLeaders {
 public:
  // What to do with a produce request. `error` is answered, if there is one; `append` says whether
  // the batch is appended all the same.
  struct Fault {
    bool append = true;
    model::ErrorCode error = model::ErrorCode::kNone;
    std::string message = {};
    enum class Answer { kSend, kBreak, kHold, kNever } answer = Answer::kSend;
  };
  using OnProduce = std::function<Fault(const protocol::ProduceRequest::Partition&)>;

  FakeLeaders(std::shared_ptr<base::Executor> executor, base::Duration jitter, uint64_t seed)
      : runtime_(std::make_shared<ClientRuntime>()) {
    runtime_->executor = executor;
    runtime_->network = std::make_shared<base::Network>(
        *executor, base::Network::Options{.jitter = jitter, .seed = seed});
    runtime_->transport = std::make_shared<transport::InProcessTransport>(*runtime_->network);
    runtime_->pool = base::BufferPool::Create(64 << 20);
    for (int id = 1; id <= 2; ++id) {
      runtime_->bootstrap.push_back(model::BrokerId(id));
      brokers_.push_back(std::make_shared<Broker>(*this, model::BrokerId(id)));
      Start(id);
    }
  }

  // As Cluster's: what the network holds would otherwise keep the network.
  ~FakeLeaders() { runtime_->network->Close(); }

  const std::shared_ptr<ClientRuntime>& runtime() { return runtime_; }

  void AddTopic(const std::string& name, int partitions) {
    base::MutexLock lock(mu_);
    topics_[name].resize(static_cast<size_t>(partitions));
  }
  void DeleteTopic(const std::string& name) {
    base::MutexLock lock(mu_);
    topics_.erase(name);
  }
  void SetLeader(const std::string& topic, int partition, int broker) {
    base::MutexLock lock(mu_);
    topics_[topic][static_cast<size_t>(partition)].leader = model::BrokerId(broker);
  }
  void Stop(int broker) { listeners_.erase(broker); }
  void Start(int broker) {
    listeners_[broker] = runtime_->transport->Listen(model::BrokerId(broker),
                                                     brokers_[static_cast<size_t>(broker - 1)], {});
  }
  void SetOnProduce(OnProduce on_produce) {
    base::MutexLock lock(mu_);
    on_produce_ = std::make_shared<OnProduce>(std::move(on_produce));
  }
  // Answers what was held.
  void Release() {
    std::deque<std::function<void()>> held;
    {
      base::MutexLock lock(mu_);
      held.swap(held_);
    }
    for (const auto& answer : held) answer();
  }
  size_t held() {
    base::MutexLock lock(mu_);
    return held_.size();
  }
  // Forgets what it knew of producers, as after retention.
  void ForgetProducers(const std::string& topic, int partition, int16_t epoch_from_now_on) {
    base::MutexLock lock(mu_);
    auto& producers = topics_[topic][static_cast<size_t>(partition)].producers;
    for (auto& [id, producer] : producers) producer = {.epoch = epoch_from_now_on, .sent = {}};
  }
  void SetFirstEpoch(int16_t epoch) {
    base::MutexLock lock(mu_);
    first_epoch_ = epoch;
  }

  std::vector<format::Batch> Batches(const std::string& topic, int partition) {
    base::MutexLock lock(mu_);
    return topics_[topic][static_cast<size_t>(partition)].log;
  }
  // All values of a partition's records, in order.
  std::vector<std::string> Values(const std::string& topic, int partition) {
    std::vector<std::string> values;
    for (const format::Batch& batch : Batches(topic, partition)) {
      const auto plain = Unpack(batch);
      if (!plain.ok()) continue;
      format::RecordIterator it(*plain);
      format::RecordView record;
      while (it.Next(record)) {
        values.push_back(record.value.has_value() ? std::string(*record.value) : "<null>");
      }
    }
    return values;
  }
  int64_t requests() {
    base::MutexLock lock(mu_);
    return requests_;
  }
  int64_t ids_given() {
    base::MutexLock lock(mu_);
    return next_id_ - 100;
  }

 private:
  absl::StatusOr<format::Batch> Unpack(const format::Batch& batch) {
    return format::DecompressBatch(batch, format::kMaxRecordsBytes, *runtime_->pool);
  }

  struct Sent {
    int32_t first;
    int32_t last;
    int64_t offset;
  };
  struct Producer {
    int16_t epoch = -1;
    std::deque<Sent> sent;  // the last five
  };
  struct Partition {
    model::BrokerId leader{1};
    std::vector<format::Batch> log;
    int64_t end = 0;
    std::map<model::ProducerId, Producer> producers;
  };

  class Broker final : public SilentService {
   public:
    Broker(FakeLeaders& all, model::BrokerId id) : all_(all), id_(id) {}
    void Produce(protocol::ProduceRequest request,
                 transport::Reply<protocol::ProduceResponse> reply) override {
      all_.OnProduceRequest(id_, std::move(request), std::move(reply));
    }
    void Metadata(protocol::MetadataRequest request,
                  transport::Reply<protocol::MetadataResponse> reply) override {
      reply(all_.Describe(request));
    }
    void InitProducerId(protocol::InitProducerIdRequest,
                        transport::Reply<protocol::InitProducerIdResponse> reply) override {
      protocol::InitProducerIdResponse response;
      {
        base::MutexLock lock(all_.mu_);
        response.producer_id = model::ProducerId(all_.next_id_++);
        response.producer_epoch = std::exchange(all_.first_epoch_, int16_t{0});
      }
      reply(response);
    }

   private:
    FakeLeaders& all_;
    const model::BrokerId id_;
  };

  void OnProduceRequest(model::BrokerId broker, protocol::ProduceRequest request,
                        transport::Reply<protocol::ProduceResponse> reply) {
    protocol::ProduceRequest::Partition& sent = request.partitions.at(0);
    protocol::ProduceResponse::Partition answer;
    answer.tp = sent.tp;
    Fault fault;
    std::shared_ptr<OnProduce> on_produce;
    {
      base::MutexLock lock(mu_);
      on_produce = on_produce_;
    }
    if (on_produce != nullptr && *on_produce) fault = (*on_produce)(sent);
    {
      base::MutexLock lock(mu_);
      ++requests_;
      if (fault.append) Append(broker, sent, answer);
      if (fault.error != model::ErrorCode::kNone) {
        answer.error = fault.error;
        answer.message = fault.message;
      }
      if (fault.answer == Fault::Answer::kHold || fault.answer == Fault::Answer::kNever) {
        auto shared =
            std::make_shared<transport::Reply<protocol::ProduceResponse>>(std::move(reply));
        auto& list = fault.answer == Fault::Answer::kHold ? held_ : never_;
        list.push_back([shared, answer] { (*shared)(protocol::ProduceResponse{{answer}}); });
        return;
      }
    }
    if (fault.answer == Fault::Answer::kSend) reply(protocol::ProduceResponse{{answer}});
  }

  // As a leader does.
  void Append(model::BrokerId broker, const protocol::ProduceRequest::Partition& sent,
              protocol::ProduceResponse::Partition& answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto topic = topics_.find(sent.tp.topic);
    const auto number = static_cast<size_t>(sent.tp.partition.value());
    if (topic == topics_.end() || number >= topic->second.size()) {
      answer.error = model::ErrorCode::kUnknownTopicOrPartition;
      return;
    }
    Partition& partition = topic->second[number];
    if (partition.leader != broker) {
      answer.error = model::ErrorCode::kNotLeaderOrFollower;
      return;
    }
    const auto plain = Unpack(sent.batch);
    if (!plain.ok() || !format::Validate(*plain).ok()) {
      answer.error = model::ErrorCode::kCorruptMessage;
      return;
    }
    const format::BatchHeader& header = sent.batch.header;
    if (header.producer_id != model::kNoProducerId && !Check(partition, header, answer)) return;
    answer.base_offset = model::Offset(partition.end);
    format::Batch batch = sent.batch;
    batch.header.base_offset = answer.base_offset;
    partition.end += header.record_count;
    partition.log.push_back(std::move(batch));
  }

  // Whether the batch is to be appended; it is remembered then.
  static bool Check(Partition& partition, const format::BatchHeader& header,
                    protocol::ProduceResponse::Partition& answer) {
    const bool known = partition.producers.contains(header.producer_id);
    Producer& producer = partition.producers[header.producer_id];
    if (known && header.producer_epoch < producer.epoch) {
      answer.error = model::ErrorCode::kInvalidProducerEpoch;
      return false;
    }
    if (header.producer_epoch == producer.epoch) {
      for (const Sent& sent : producer.sent) {
        if (sent.first == header.base_sequence && sent.last == header.last_sequence()) {
          answer.base_offset = model::Offset(sent.offset);
          return false;
        }
      }
    }
    const bool fresh = header.producer_epoch != producer.epoch || producer.sent.empty();
    const int32_t expected = fresh ? 0 : format::AdvanceSequence(producer.sent.back().last, 1);
    if (known && header.base_sequence != expected) {
      answer.error = model::ErrorCode::kOutOfOrderSequenceNumber;
      return false;
    }
    if (fresh) producer = {.epoch = header.producer_epoch, .sent = {}};
    producer.sent.push_back({header.base_sequence, header.last_sequence(), partition.end});
    if (producer.sent.size() > 5) producer.sent.pop_front();
    return true;
  }

  protocol::MetadataResponse Describe(const protocol::MetadataRequest& request) {
    base::MutexLock lock(mu_);
    protocol::MetadataResponse response;
    response.brokers = runtime_->bootstrap;
    for (const std::string& name : *request.topics) {
      protocol::MetadataResponse::Topic topic;
      topic.name = name;
      const auto found = topics_.find(name);
      if (found == topics_.end()) {
        topic.error = model::ErrorCode::kUnknownTopicOrPartition;
      } else {
        for (size_t i = 0; i < found->second.size(); ++i) {
          protocol::MetadataResponse::Partition partition;
          partition.partition = model::PartitionId(static_cast<int32_t>(i));
          partition.leader = found->second[i].leader;
          topic.partitions.push_back(std::move(partition));
        }
      }
      response.topics.push_back(std::move(topic));
    }
    return response;
  }

  const std::shared_ptr<ClientRuntime> runtime_;
  std::vector<std::shared_ptr<Broker>> brokers_;
  std::map<int, std::unique_ptr<transport::Listener>> listeners_;
  base::Mutex mu_;
  std::map<std::string, std::vector<Partition>> topics_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<OnProduce> on_produce_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void()>> held_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void()>> never_ ABSL_GUARDED_BY(mu_);
  int64_t requests_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 100;
  int16_t first_epoch_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_FAKE_LEADERS_H_
