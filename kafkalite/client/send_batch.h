// File: send_batch.h
//
// One batch on its way: open under its partition's mutex, then sealed and in its partition's
// strand, then carried to the thread that runs its callbacks, and used again after that.

#ifndef KAFKALITE_CLIENT_SEND_BATCH_H_
#define KAFKALITE_CLIENT_SEND_BATCH_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/ref.h"
#include "kafkalite/client/batch_result.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {

class ProducerContext;

struct SendBatch {
  // References to the result that tickets take without an atomic operation each; what they left is
  // returned when the batch is sealed.
  static constexpr uint32_t kTicketReferences = 1u << 30;

  // While it is open.
  std::optional<format::BatchBuilder> builder;  // until it is compressed or sent first
  const char* bytes = nullptr;                  // what it writes to
  base::Ref<BatchResult> result;
  uint32_t tickets = 0;
  bool own_size = false;  // for one record that is larger than the batch size
  int64_t charged_bytes = 0;
  base::Time opened_at;
  // Of the records that brought one, and their indexes in the batch.
  std::vector<DeliveryCallback> callbacks;
  std::vector<int32_t> callback_indexes;

  // While it is under way.
  enum class State { kQueued, kInFlight, kSettled };
  State state = State::kQueued;
  bool stamped = false;         // has its sequence number
  bool packed = false;          // compressed, where it is to be
  bool sent = false;            // at least once
  bool maybe_appended = false;  // was sent, and nobody knows what came of it
  format::Batch batch;
  int64_t uncompressed_bytes = 0;
  absl::Status last_error;
  // Once settled.
  absl::Status status;
  int64_t base_offset = -1;
  std::shared_ptr<ProducerContext> context;  // while its callbacks wait to run

  int32_t record_count() const {
    return builder.has_value() ? builder->record_count() : batch.header.record_count;
  }

  // As new, but for the room of its vectors.
  void Clear() {
    builder.reset();
    result = {};
    tickets = 0;
    callbacks.clear();
    callback_indexes.clear();
    state = State::kQueued;
    stamped = packed = sent = maybe_appended = false;
    batch.body = {};
    last_error = status = absl::OkStatus();
    context = nullptr;
  }
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_SEND_BATCH_H_
