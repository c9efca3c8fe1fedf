// File: produce_answer.h
//
// What a leader's answer says about one batch, and what may be concluded from it. Pure.

#ifndef KAFKALITE_CLIENT_PRODUCE_ANSWER_H_
#define KAFKALITE_CLIENT_PRODUCE_ANSWER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/protocol/produce.h"

namespace kafkalite::client {

struct ProduceAnswer {
  absl::Status transport;  // not OK: no answer came
  model::ErrorCode error = model::ErrorCode::kNone;
  int64_t base_offset = -1;
  std::string message;

  // Of a request with one batch.
  static ProduceAnswer Of(absl::StatusOr<protocol::ProduceResponse> response);

  // The batch is in the log.
  bool accepted() const;
  // It was refused before it was written to any log.
  bool certainly_not_appended() const;
  // Because of its sequence numbers or its producer's epoch.
  bool sequence_refused() const;
  // Sent again, it may be accepted.
  bool retriable() const;

  absl::Status ToStatus() const;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCE_ANSWER_H_
