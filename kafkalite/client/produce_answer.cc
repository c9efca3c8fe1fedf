#include "kafkalite/client/produce_answer.h"

#include <utility>

#include "kafkalite/base/strings.h"

namespace kafkalite::client {

ProduceAnswer ProduceAnswer::Of(absl::StatusOr<protocol::ProduceResponse> response) {
  ProduceAnswer answer;
  if (!response.ok()) {
    answer.transport = response.status();
  } else if (response->partitions.size() != 1) {
    answer.transport = absl::UnavailableError("the broker's answer is malformed");
  } else {
    protocol::ProduceResponse::Partition& partition = response->partitions.front();
    answer.error = partition.error;
    answer.base_offset = partition.base_offset.value();
    answer.message = std::move(partition.message);
  }
  return answer;
}

bool ProduceAnswer::accepted() const {
  return transport.ok() &&
         (error == model::ErrorCode::kNone || error == model::ErrorCode::kDuplicateSequenceNumber);
}

bool ProduceAnswer::certainly_not_appended() const {
  if (!transport.ok()) return false;
  switch (error) {
    case model::ErrorCode::kNotEnoughReplicas:
    case model::ErrorCode::kUnknownTopicOrPartition:
    case model::ErrorCode::kCorruptMessage:
      return true;
    default:
      return sequence_refused();
  }
}

bool ProduceAnswer::sequence_refused() const {
  return transport.ok() && (error == model::ErrorCode::kOutOfOrderSequenceNumber ||
                            error == model::ErrorCode::kInvalidProducerEpoch ||
                            error == model::ErrorCode::kUnknownProducerId);
}

bool ProduceAnswer::retriable() const {
  if (!transport.ok()) return true;
  return model::IsRetriable(error) && !absl::IsResourceExhausted(ToStatus());
}

absl::Status ProduceAnswer::ToStatus() const {
  if (!transport.ok()) return transport;
  // A leader whose memory is used up says so in words only: Kafka has no such error.
  if (error == model::ErrorCode::kStorageError &&
      message.find("log_memory_bytes") != std::string::npos) {
    return absl::ResourceExhaustedError(base::Cat(model::Name(error), ": ", message));
  }
  return model::ToStatus(error, message.empty() ? "the broker refused the batch" : message);
}

}  // namespace kafkalite::client
