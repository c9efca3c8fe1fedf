// File: producer_engine.h
//
// The producer behind kafkalite::Producer: finds topic and partition of each record and gives it to
// the partition's sender. What it decides per record costs no lock and no allocation.
//
// Thread safety: any thread.

#ifndef KAFKALITE_CLIENT_PRODUCER_ENGINE_H_
#define KAFKALITE_CLIENT_PRODUCER_ENGINE_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/partition_sender.h"
#include "kafkalite/client/partitioner.h"
#include "kafkalite/client/producer_context.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/producer.h"
#include "kafkalite/record.h"

namespace kafkalite::client {

class ProducerEngine : public std::enable_shared_from_this<ProducerEngine> {
 public:
  // Blocks for a producer id, max_block at most.
  static absl::StatusOr<std::shared_ptr<ProducerEngine>> Create(
      std::shared_ptr<ClientRuntime> runtime, const ProducerOptions& options);

  // As kafkalite::Producer says.
  Ticket Send(const Record& record);
  void Send(const Record& record, DeliveryCallback callback);
  absl::Status Flush(std::chrono::milliseconds timeout);
  ProducerMetrics metrics() { return context_->metrics(); }
  int32_t client_id() const { return context_->cluster().client_id(); }

  // What is not acknowledged is reported as CANCELLED. Outside of callbacks it waits until those
  // reports, and the one that another thread may be running, are done.
  void Close();

 private:
  // By partition.
  struct Partitions {
    std::vector<std::shared_ptr<PartitionSender>> senders;
    std::unique_ptr<std::atomic<bool>[]> has_leader;

    size_t size() const { return senders.size(); }
    std::span<const std::atomic<bool>> leaders() const { return {has_leader.get(), size()}; }
  };

  // Lives as long as the engine. Who reads an older list of partitions is right too: records for
  // partitions that are gone fail as they do when the topic shrinks while they are under way.
  struct Topic {
    Topic(std::string_view name_in, const TopicSettings& settings_in, uint64_t seed)
        : name(name_in),
          settings(settings_in),
          by_default(settings.partitioner.kind() == Partitioner::Kind::kDefault),
          ignores_keys(settings.partitioner.default_options().ignore_keys),
          sticky(std::make_shared<StickyPartition>(seed, settings.partitioner.default_options())) {}

    const std::string name;
    const TopicSettings& settings;  // the context's
    const bool by_default;          // the partitioner
    const bool ignores_keys;        // of it
    const std::shared_ptr<StickyPartition> sticky;
    std::atomic<uint32_t> turn{0};
    std::atomic<const Partitions*> partitions{nullptr};
    std::atomic<size_t> body_limit{0};  // of a batch of many records
    std::atomic<uint64_t> metadata_version{0};
    std::atomic<base::Time> refreshed;
    // Under the engine's mutex.
    std::vector<std::shared_ptr<PartitionSender>> all;     // of every partition there ever was
    std::vector<std::unique_ptr<const Partitions>> lists;  // all there were
  };
  // Of one Send that has to wait for something: until when altogether, and what keeps the engine,
  // since callbacks that run meanwhile may destroy the producer.
  struct Patience {
    std::optional<base::Time> deadline;
    std::shared_ptr<ProducerEngine> engine;
  };

  explicit ProducerEngine(std::shared_ptr<ProducerContext> context);

  absl::Status Append(const Record& record, DeliveryCallback* callback, Ticket* ticket,
                      bool needs_batch, Patience& patience);
  absl::StatusOr<std::unique_ptr<SendBatch>> OpenBatch(const Topic& topic, const Record& record,
                                                       std::span<const format::Header> headers,
                                                       Patience& patience);

  // The common case of Append; see PartitionSender::TryAppend.
  int32_t TryAppend(const Record& record, DeliveryCallback* callback, BatchResult** result) const;

  // The topic's state if a record went there lately, else null.
  Topic* FindTopic(std::string_view name) const;
  absl::StatusOr<Topic*> FindTopicSlowly(std::string_view name, Patience& patience);
  absl::StatusOr<std::shared_ptr<const TopicMetadata>> AskForTopic(std::string_view name,
                                                                   Patience& patience);
  void Update(Topic& topic, const TopicMetadata& metadata) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const Partitions* Resize(Topic& topic, const TopicMetadata& metadata)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UpdateIfChanged(Topic& topic);
  // Asks for the topic's metadata, without waiting, when it is metadata_max_age old.
  void RefreshIfOld(Topic& topic);

  // By a partitioner that is not the default; to be asked once for a record. INVALID_ARGUMENT.
  static absl::StatusOr<int32_t> AskPartitioner(Topic& topic, const Record& record);
  // `asked`: what the partitioner said. Null: there is no such partition.
  static PartitionSender* ChooseSender(const Topic& topic, const Record& record,
                                       std::optional<int32_t> asked);
  absl::Status FindPartition(Topic& topic, int32_t partition, Patience& patience);

  static constexpr size_t kSlots = 8;
  static size_t SlotOf(std::string_view name) {
    return name.empty() ? 0 : (name.size() + static_cast<uint8_t>(name.back())) % kSlots;
  }

  const std::shared_ptr<ProducerContext> context_;
  const std::atomic<bool>& shut_down_;
  const size_t max_record_bytes_;
  std::array<std::atomic<Topic*>, kSlots> recent_{};

  base::Mutex mu_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCER_ENGINE_H_
