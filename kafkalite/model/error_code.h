// File: error_code.h
//
// Kafka's error codes, as far as they occur here, and what they become as an absl::Status.

#ifndef KAFKALITE_MODEL_ERROR_CODE_H_
#define KAFKALITE_MODEL_ERROR_CODE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace kafkalite::model {

enum class ErrorCode : int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kOffsetOutOfRange = 1,
  kCorruptMessage = 2,
  kUnknownTopicOrPartition = 3,
  kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6,
  kRequestTimedOut = 7,
  kReplicaNotAvailable = 9,
  kMessageTooLarge = 10,
  kStaleControllerEpoch = 11,
  kInvalidTopic = 17,
  kNotEnoughReplicas = 19,
  kNotEnoughReplicasAfterAppend = 20,
  kInvalidRequiredAcks = 21,
  kInvalidTimestamp = 32,
  kUnsupportedVersion = 35,
  kTopicAlreadyExists = 36,
  kInvalidPartitions = 37,
  kInvalidReplicationFactor = 38,
  kInvalidReplicaAssignment = 39,
  kInvalidConfig = 40,
  kNotController = 41,
  kInvalidRequest = 42,
  kOutOfOrderSequenceNumber = 45,
  kDuplicateSequenceNumber = 46,
  kInvalidProducerEpoch = 47,
  kStorageError = 56,
  kUnknownProducerId = 59,
  kFencedLeaderEpoch = 74,
  kUnknownLeaderEpoch = 75,
  kStaleBrokerEpoch = 77,
  kOffsetNotAvailable = 78,
  kPreferredLeaderNotAvailable = 80,
  kEligibleLeadersNotAvailable = 83,
  kElectionNotNeeded = 84,
  kInvalidRecord = 87,
};

// Kafka's name: "NOT_LEADER_OR_FOLLOWER".
std::string_view Name(ErrorCode code);

// Whether the same request may succeed later or at another broker.
bool IsRetriable(ErrorCode code);

// OK for kNone; otherwise a code that says what the caller can do, and a message that starts with
// Kafka's name. `detail` completes the sentence.
absl::Status ToStatus(ErrorCode code, std::string_view detail);

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_ERROR_CODE_H_
