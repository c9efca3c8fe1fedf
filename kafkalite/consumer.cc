#include "kafkalite/consumer.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/client/consumer_engine.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/client/runtime_of.h"

namespace kafkalite {

using client::PublicCall;

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Create(Cluster& cluster,
                                                           const ConsumerOptions& options) {
  PublicCall call;
  KL_ASSIGN_OR_RETURN(auto engine, client::ConsumerEngine::Create(RuntimeOf(cluster), options));
  return std::unique_ptr<Consumer>(new Consumer(std::move(engine)));
}

Consumer::Consumer(std::unique_ptr<client::ConsumerEngine> engine) : engine_(std::move(engine)) {}
Consumer::~Consumer() = default;

absl::Status Consumer::Assign(const std::vector<TopicPartition>& partitions) {
  PublicCall call;
  return engine_->Assign(partitions);
}

absl::Status Consumer::AssignTopic(std::string_view topic) {
  PublicCall call;
  return engine_->AssignTopics({std::string(topic)});
}

absl::Status Consumer::AssignTopics(const std::vector<std::string>& topics) {
  PublicCall call;
  return engine_->AssignTopics(topics);
}

std::vector<TopicPartition> Consumer::assignment() const { return engine_->assignment(); }

absl::Status Consumer::Pause(const std::vector<TopicPartition>& partitions) {
  return engine_->Pause(partitions);
}

absl::Status Consumer::Resume(const std::vector<TopicPartition>& partitions) {
  return engine_->Resume(partitions);
}

std::vector<TopicPartition> Consumer::paused() const { return engine_->paused(); }

absl::Status Consumer::Seek(const TopicPartition& partition, int64_t offset) {
  PublicCall call;
  return engine_->Seek(partition, offset);
}

absl::Status Consumer::SeekToBeginning(const std::vector<TopicPartition>& partitions) {
  PublicCall call;
  return engine_->SeekToBeginning(partitions);
}

absl::Status Consumer::SeekToEnd(const std::vector<TopicPartition>& partitions) {
  PublicCall call;
  return engine_->SeekToEnd(partitions);
}

absl::Status Consumer::SeekToTimestamp(int64_t timestamp_ms) {
  PublicCall call;
  return engine_->SeekToTimestamp(timestamp_ms);
}

absl::StatusOr<int64_t> Consumer::Position(const TopicPartition& partition) {
  PublicCall call;
  return engine_->Position(partition);
}

absl::StatusOr<std::optional<int64_t>> Consumer::CurrentLag(const TopicPartition& partition) const {
  return engine_->CurrentLag(partition);
}

absl::StatusOr<std::map<TopicPartition, int64_t>> Consumer::BeginningOffsets(
    const std::vector<TopicPartition>& partitions, Timeout timeout) {
  PublicCall call;
  return engine_->BeginningOffsets(partitions, timeout);
}

absl::StatusOr<std::map<TopicPartition, int64_t>> Consumer::EndOffsets(
    const std::vector<TopicPartition>& partitions, Timeout timeout) {
  PublicCall call;
  return engine_->EndOffsets(partitions, timeout);
}

absl::StatusOr<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>>
Consumer::OffsetsForTimes(const std::map<TopicPartition, int64_t>& timestamps_ms, Timeout timeout) {
  PublicCall call;
  return engine_->OffsetsForTimes(timestamps_ms, timeout);
}

absl::StatusOr<Records> Consumer::Poll(std::chrono::milliseconds timeout) {
  PublicCall call;
  return engine_->Poll(timeout);
}

ConsumerMetrics Consumer::metrics() const { return engine_->metrics(); }

int32_t ClientIdOf(const Consumer& consumer) { return consumer.engine_->client_id(); }

}  // namespace kafkalite
