// File: consumer_engine.h
//
// What is behind the public Consumer: the assignment, the positions, and what Poll returns. What is
// asked of the leaders for that is in consumer_requests.h. The engine runs inside the user's calls
// only.
//
// Thread safety: one thread at a time.

#ifndef KAFKALITE_CLIENT_CONSUMER_ENGINE_H_
#define KAFKALITE_CLIENT_CONSUMER_ENGINE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/consumer_partition.h"
#include "kafkalite/client/consumer_requests.h"
#include "kafkalite/consumer.h"
#include "kafkalite/metrics.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::client {

class ConsumerEngine {
 public:
  // INVALID_ARGUMENT names the option and its value.
  static absl::StatusOr<std::unique_ptr<ConsumerEngine>> Create(
      std::shared_ptr<ClientRuntime> runtime, const ConsumerOptions& options);
  ~ConsumerEngine();
  ConsumerEngine(const ConsumerEngine&) = delete;
  ConsumerEngine& operator=(const ConsumerEngine&) = delete;

  // As those of Consumer.
  absl::Status Assign(const std::vector<TopicPartition>& partitions);
  absl::Status AssignTopics(const std::vector<std::string>& topics);
  std::vector<TopicPartition> assignment() const;
  absl::Status Pause(const std::vector<TopicPartition>& partitions);
  absl::Status Resume(const std::vector<TopicPartition>& partitions);
  std::vector<TopicPartition> paused() const;

  absl::Status Seek(const TopicPartition& partition, int64_t offset);
  absl::Status SeekToBeginning(const std::vector<TopicPartition>& partitions = {});
  absl::Status SeekToEnd(const std::vector<TopicPartition>& partitions = {});
  absl::Status SeekToTimestamp(int64_t timestamp_ms);
  absl::StatusOr<int64_t> Position(const TopicPartition& partition);
  absl::StatusOr<std::optional<int64_t>> CurrentLag(const TopicPartition& partition) const;

  using Timeout = std::optional<std::chrono::milliseconds>;
  using Offsets = std::map<TopicPartition, int64_t>;
  absl::StatusOr<Offsets> BeginningOffsets(const std::vector<TopicPartition>& partitions,
                                           Timeout timeout = std::nullopt);
  absl::StatusOr<Offsets> EndOffsets(const std::vector<TopicPartition>& partitions,
                                     Timeout timeout = std::nullopt);
  using OffsetsByTime = std::map<TopicPartition, std::optional<OffsetAndTimestamp>>;
  absl::StatusOr<OffsetsByTime> OffsetsForTimes(
      const std::map<TopicPartition, int64_t>& timestamps_ms, Timeout timeout = std::nullopt);

  absl::StatusOr<Records> Poll(std::chrono::milliseconds timeout);
  ConsumerMetrics metrics() const;
  int32_t client_id() const { return client_->client_id(); }

 private:
  ConsumerEngine(std::shared_ptr<ClientRuntime> runtime, const ConsumerOptions& options);

  using Metadata = std::shared_ptr<const TopicMetadata>;
  // Asks for a topic now and waits.
  absl::StatusOr<Metadata> AwaitTopic(const std::string& topic);
  void Replace(const std::map<model::TopicPartition, TopicMetadata::Partition>& assignment,
               std::vector<TopicPartition> names);
  absl::StatusOr<ConsumerPartitionRef> Assigned(const TopicPartition& partition) const;
  // All of them, or none; `empty_is_all` as it says.
  absl::StatusOr<ConsumerPartitions> AllAssigned(const std::vector<TopicPartition>& partitions,
                                                 bool empty_is_all) const;
  absl::Status CheckAssigned() const;
  absl::Status SetPaused(const std::vector<TopicPartition>& partitions, bool paused);

  absl::Status SeekTo(const std::vector<TopicPartition>& partitions, int64_t timestamp);
  absl::Status AwaitPositions(const ConsumerPartitions& partitions, Timeout timeout);
  absl::StatusOr<Offsets> LookUpEnds(const std::vector<TopicPartition>& partitions,
                                     int64_t timestamp, Timeout timeout);
  // Finds offsets by timestamps, without an assignment. In the order of the map.
  absl::StatusOr<ConsumerPartitions> LookUp(const std::map<TopicPartition, int64_t>& timestamps,
                                            Timeout timeout);

  bool HasBuffered() const;
  std::optional<absl::Status> TakeError();
  // Without records if there are none.
  absl::StatusOr<Records> TakeRecords();

  // Constant after construction.
  const std::shared_ptr<ClusterClient> client_;
  const ConsumerOptions options_;

  ConsumerRequests requests_;
  std::vector<TopicPartition> assignment_;  // as it was given
  std::map<model::TopicPartition, ConsumerPartitionRef> partitions_;
  // The same, in the order in which they are asked for: who was served goes to the end.
  ConsumerPartitions queue_;
  int64_t records_consumed_ = 0;
  int64_t bytes_consumed_ = 0;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_ENGINE_H_
