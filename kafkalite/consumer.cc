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
  return engine_->AssignTopic(topic);
}

std::vector<TopicPartition> Consumer::assignment() const { return engine_->assignment(); }

absl::Status Consumer::Seek(const TopicPartition& partition, int64_t offset) {
  PublicCall call;
  return engine_->Seek(partition, offset);
}

absl::Status Consumer::SeekToBeginning() {
  PublicCall call;
  return engine_->SeekToBeginning();
}

absl::Status Consumer::SeekToEnd() {
  PublicCall call;
  return engine_->SeekToEnd();
}

absl::Status Consumer::SeekToTimestamp(int64_t timestamp_ms) {
  PublicCall call;
  return engine_->SeekToTimestamp(timestamp_ms);
}

absl::StatusOr<int64_t> Consumer::Position(const TopicPartition& partition) {
  PublicCall call;
  return engine_->Position(partition);
}

absl::StatusOr<Records> Consumer::Poll(std::chrono::milliseconds timeout) {
  PublicCall call;
  return engine_->Poll(timeout);
}

}  // namespace kafkalite
