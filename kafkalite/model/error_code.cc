#include "kafkalite/model/error_code.h"

#include "kafkalite/base/strings.h"

namespace kafkalite::model {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  bool retriable;
  absl::StatusCode status;
};

constexpr Row kRows[] = {
    {ErrorCode::kUnknownServerError, "UNKNOWN_SERVER_ERROR", false, absl::StatusCode::kInternal},
    {ErrorCode::kNone, "NONE", false, absl::StatusCode::kOk},
    {ErrorCode::kOffsetOutOfRange, "OFFSET_OUT_OF_RANGE", false, absl::StatusCode::kOutOfRange},
    {ErrorCode::kCorruptMessage, "CORRUPT_MESSAGE", true, absl::StatusCode::kDataLoss},
    {ErrorCode::kUnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION", true,
     absl::StatusCode::kNotFound},
    {ErrorCode::kLeaderNotAvailable, "LEADER_NOT_AVAILABLE", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kNotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER", true,
     absl::StatusCode::kUnavailable},
    {ErrorCode::kRequestTimedOut, "REQUEST_TIMED_OUT", true, absl::StatusCode::kDeadlineExceeded},
    {ErrorCode::kReplicaNotAvailable, "REPLICA_NOT_AVAILABLE", true,
     absl::StatusCode::kUnavailable},
    {ErrorCode::kMessageTooLarge, "MESSAGE_TOO_LARGE", false, absl::StatusCode::kInvalidArgument},
    {ErrorCode::kStaleControllerEpoch, "STALE_CONTROLLER_EPOCH", false,
     absl::StatusCode::kFailedPrecondition},
    {ErrorCode::kInvalidTopic, "INVALID_TOPIC_EXCEPTION", false,
     absl::StatusCode::kInvalidArgument},
    {ErrorCode::kNotEnoughReplicas, "NOT_ENOUGH_REPLICAS", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kNotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", true,
     absl::StatusCode::kUnavailable},
    {ErrorCode::kInvalidRequiredAcks, "INVALID_REQUIRED_ACKS", false,
     absl::StatusCode::kInvalidArgument},
    {ErrorCode::kInvalidTimestamp, "INVALID_TIMESTAMP", false, absl::StatusCode::kInvalidArgument},
    {ErrorCode::kUnsupportedVersion, "UNSUPPORTED_VERSION", false,
     absl::StatusCode::kUnimplemented},
    {ErrorCode::kTopicAlreadyExists, "TOPIC_ALREADY_EXISTS", false,
     absl::StatusCode::kAlreadyExists},
    {ErrorCode::kInvalidPartitions, "INVALID_PARTITIONS", false,
     absl::StatusCode::kInvalidArgument},
    {ErrorCode::kInvalidReplicationFactor, "INVALID_REPLICATION_FACTOR", false,
     absl::StatusCode::kInvalidArgument},
    {ErrorCode::kInvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT", false,
     absl::StatusCode::kInvalidArgument},
    {ErrorCode::kInvalidConfig, "INVALID_CONFIG", false, absl::StatusCode::kInvalidArgument},
    {ErrorCode::kNotController, "NOT_CONTROLLER", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kInvalidRequest, "INVALID_REQUEST", false, absl::StatusCode::kInvalidArgument},
    {ErrorCode::kOutOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER", false,
     absl::StatusCode::kAborted},
    {ErrorCode::kDuplicateSequenceNumber, "DUPLICATE_SEQUENCE_NUMBER", false,
     absl::StatusCode::kAborted},
    {ErrorCode::kInvalidProducerEpoch, "INVALID_PRODUCER_EPOCH", false, absl::StatusCode::kAborted},
    {ErrorCode::kStorageError, "KAFKA_STORAGE_ERROR", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kUnknownProducerId, "UNKNOWN_PRODUCER_ID", false, absl::StatusCode::kAborted},
    {ErrorCode::kFencedLeaderEpoch, "FENCED_LEADER_EPOCH", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kUnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kStaleBrokerEpoch, "STALE_BROKER_EPOCH", false,
     absl::StatusCode::kFailedPrecondition},
    {ErrorCode::kOffsetNotAvailable, "OFFSET_NOT_AVAILABLE", true, absl::StatusCode::kUnavailable},
    {ErrorCode::kPreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE", true,
     absl::StatusCode::kUnavailable},
    {ErrorCode::kEligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE", true,
     absl::StatusCode::kUnavailable},
    {ErrorCode::kElectionNotNeeded, "ELECTION_NOT_NEEDED", true,
     absl::StatusCode::kFailedPrecondition},
    {ErrorCode::kInvalidRecord, "INVALID_RECORD", false, absl::StatusCode::kInvalidArgument},
};

const Row& Find(ErrorCode code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row;
  }
  return kRows[0];
}

}  // namespace

std::string_view Name(ErrorCode code) { return Find(code).name; }

bool IsRetriable(ErrorCode code) { return Find(code).retriable; }

absl::Status ToStatus(ErrorCode code, std::string_view detail) {
  if (code == ErrorCode::kNone) return absl::OkStatus();
  const Row& row = Find(code);
  const std::string message = base::Cat(row.name, ": ", detail);
  return absl::Status(row.status, message);
}

}  // namespace kafkalite::model
