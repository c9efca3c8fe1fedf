// File: producer.h
//
// Producer sends records to the topics of a cluster.
//
//   auto producer = kafkalite::Producer::Create(*cluster, {});
//   auto where = (*producer)->Send({.topic = "first-test", .value = "Hello Kafka !"}).Wait();
//   if (!where.ok()) return where.status();
//
// Records of one partition travel in batches. A batch leaves when it is full, when `linger` is
// over, at Flush, or when somebody waits for one of its records.
//
// Order and duplicates: with idempotence (on by default) the records of one partition keep the
// order of their Sends, and none is appended twice, also across retries and changes of leader. A
// record whose delivery timed out may or may not be in the log.
//
// Thread safety: any thread may call anything. A record's bytes are copied before Send returns.
// Callbacks: one at a time for each producer, in order of acknowledgement within a partition, on a
// thread that is inside one of the application's own calls of this library, or else on the
// cluster's callback thread. A callback may call anything, also destroy the producer; inside it,
// Send does not wait for memory but fails.
// Lifetime: may outlive its cluster; everything then fails with FAILED_PRECONDITION. Destruction
// flushes nothing: call Flush first. What is not acknowledged by then is reported as CANCELLED.
// Outside of callbacks destruction waits until the callbacks have run, so what they use may go
// afterwards; do not hold a lock that they need.
// Errors: see each call. docs/errors.md lists what each Kafka error becomes.
// What survives a crash: what was acknowledged, as `acks` says.

#ifndef KAFKALITE_PRODUCER_H_
#define KAFKALITE_PRODUCER_H_

#include <chrono>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/metrics.h"
#include "kafkalite/producer_options.h"  // IWYU pragma: export
#include "kafkalite/record.h"

namespace kafkalite {

namespace client {
class BatchResult;
class ProducerEngine;
}  // namespace client

class Cluster;

// A claim on the result of one Send. Cheap to copy, valid on any thread, also when its producer is
// gone. Default constructed: FAILED_PRECONDITION.
class Ticket {
 public:
  Ticket() = default;
  Ticket(const Ticket&);
  Ticket(Ticket&&) noexcept;
  Ticket& operator=(Ticket) noexcept;
  ~Ticket() {
    if (result_ != nullptr) Drop();
  }

  // Seals the record's batch and waits for its acknowledgement. DEADLINE_EXCEEDED after `timeout`:
  // the record is still under way. Otherwise the result of its delivery.
  // Not to be called inside a callback for a record of the same producer that is not done.
  absl::StatusOr<RecordMetadata> Wait(
      std::chrono::milliseconds timeout = std::chrono::milliseconds(150000)) const;

  // Whether Wait would return at once.
  bool done() const;

 private:
  friend class client::ProducerEngine;
  void Drop();

  client::BatchResult* result_ = nullptr;  // counted
  int32_t index_ = 0;
};

// The result of one Send: where the record is, or why it is not.
using DeliveryCallback = absl::AnyInvocable<void(const absl::StatusOr<RecordMetadata>&)>;

class Producer {
 public:
  // INVALID_ARGUMENT names the option, as topics["first-test"].linger, and its value; UNAVAILABLE
  // if the cluster gives out no producer id.
  static absl::StatusOr<std::unique_ptr<Producer>> Create(Cluster& cluster,
                                                          const ProducerOptions& options);
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Adds a record to its partition's batch. A record that cannot be sent is refused in its ticket,
  // or reported to its callback at once:
  //   INVALID_ARGUMENT      the record is larger than max_request_size_bytes, or its topic illegal,
  //                         or the partitioner chose a partition that there is not
  //   NOT_FOUND             no such topic or partition
  //   UNAVAILABLE           no broker told of the topic within max_block (inside a callback: at
  //                         once)
  //   RESOURCE_EXHAUSTED    the buffer was full for max_block (inside a callback: is full)
  //   FAILED_PRECONDITION   the cluster is shut down
  // Delivery may end with, besides:
  //   DEADLINE_EXCEEDED     not acknowledged in time; it may be in the log
  //   UNAVAILABLE           as DEADLINE_EXCEEDED, with the last error's name
  //   ABORTED               it may be in the log, and sent again it could be there twice
  //   RESOURCE_EXHAUSTED    the leader's memory is used up
  //   CANCELLED             the producer was destroyed first
  Ticket Send(const Record& record);
  void Send(const Record& record, DeliveryCallback callback);

  // Sends everything and waits until it is acknowledged, and, outside callbacks, reported.
  // DEADLINE_EXCEEDED after `timeout`. Delivery errors are not Flush's.
  absl::Status Flush(std::chrono::milliseconds timeout = std::chrono::milliseconds(150000));

  // At once, by any thread: looks into each partition that was sent to.
  ProducerMetrics metrics() const;

 private:
  friend int32_t ClientIdOf(const Producer& producer);
  explicit Producer(std::shared_ptr<client::ProducerEngine> engine);
  const std::shared_ptr<client::ProducerEngine> engine_;
};

}  // namespace kafkalite

#endif  // KAFKALITE_PRODUCER_H_
