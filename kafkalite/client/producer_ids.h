// File: producer_ids.h
//
// By which id and epoch the brokers know an idempotent producer. One for all partitions; each
// partition takes a newer epoch when its sequence numbers have a gap (KIP-360), the others stay.
//
// Thread safety: any thread. Callbacks come on any thread, also before the call returns.

#ifndef KAFKALITE_CLIENT_PRODUCER_IDS_H_
#define KAFKALITE_CLIENT_PRODUCER_IDS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/protocol/init_producer_id.h"

namespace kafkalite::client {

struct ProducerIdentity {
  model::ProducerId id = model::kNoProducerId;
  int16_t epoch = -1;
  bool operator==(const ProducerIdentity&) const = default;
};

class ProducerIds : public std::enable_shared_from_this<ProducerIds> {
 public:
  ProducerIds(std::shared_ptr<ClusterClient> cluster, base::Duration request_timeout)
      : cluster_(std::move(cluster)), request_timeout_(request_timeout) {}

  using Callback = absl::AnyInvocable<void(absl::StatusOr<ProducerIdentity>)>;

  // The identity in use; none before the first Acquire has succeeded.
  ProducerIdentity current() const;

  // Asks the brokers, one after the other, for a new id, until one gives it or Stop is called.
  void Acquire(Callback callback);

  // An identity newer than `broken`: what others have already, the next epoch, or a new id when
  // there is no next epoch.
  void Renew(const ProducerIdentity& broken, Callback callback);

  // Answers who waits, and whoever comes, with `status`.
  void Stop(absl::Status status);

  // Why there is no id yet.
  absl::Status last_error() const;

 private:
  void Ask();
  void OnAnswer(uint64_t attempt, absl::StatusOr<protocol::InitProducerIdResponse> answer);
  void Retry(uint64_t attempt);
  void Finish(absl::StatusOr<ProducerIdentity> result);

  const std::shared_ptr<ClusterClient> cluster_;
  const base::Duration request_timeout_;
  mutable base::Mutex mu_;
  ProducerIdentity identity_ ABSL_GUARDED_BY(mu_);
  std::vector<Callback> waiting_ ABSL_GUARDED_BY(mu_);
  // The request whose answer counts; 0 if there is none.
  uint64_t asking_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t attempts_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);
  absl::Status stopped_ ABSL_GUARDED_BY(mu_);
};

// How long to wait before trying for the `attempt`th time, from 0: at once, 1 ms, 2 ms ... 100 ms.
base::Duration RetryPause(uint64_t attempt);

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCER_IDS_H_
