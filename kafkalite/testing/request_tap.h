// File: request_tap.h
//
// Stands between callers and the brokers of an in-process cluster: carries out what Faults says
// about requests, and remembers them. Private to this folder.
//
// Thread safety: any thread. Lifetime: shared with the transport and with the calls under way.

#ifndef KAFKALITE_TESTING_REQUEST_TAP_H_
#define KAFKALITE_TESTING_REQUEST_TAP_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/testing/requests.h"
#include "kafkalite/transport/inprocess/interceptor.h"

namespace kafkalite::testing {

// What is to happen to requests that fit.
struct RequestRule {
  enum class Kind { kFail, kDelay, kDropRequest, kDropAnswer, kTruncateAnswer };
  RequestFilter filter;
  Kind kind = Kind::kFail;
  model::ErrorCode error = model::ErrorCode::kNone;  // kFail
  base::Duration delay = base::Duration::zero();     // kDelay
  int times = 1;
};

class RequestTap final : public transport::Interceptor,
                         public std::enable_shared_from_this<RequestTap> {
 public:
  // REQUIRES: the executor outlives the calls that go through the tap.
  explicit RequestTap(base::Executor& executor) : executor_(executor) {}

  // Of the rules that fit a request, the oldest is used, until it is used up.
  void Add(RequestRule rule);
  // No rules; whoever waits for an answer that was dropped hears that the connection broke.
  void Clear();

  void Record();
  std::vector<RecordedRequest> Recorded(const RequestFilter& filter) const;
  void Forget();  // and records no more

  std::shared_ptr<transport::ClientService> Intercept(
      int32_t client, model::BrokerId broker,
      std::shared_ptr<transport::ClientService> service) override;
  std::shared_ptr<transport::PeerService> Intercept(
      int32_t from, model::BrokerId broker,
      std::shared_ptr<transport::PeerService> service) override;

  // --- For the services that Intercept returns --------------------------------------------------

  // A request has come: what is to happen to it.
  std::optional<RequestRule> Judge(RecordedRequest request);
  // Keeps an answer that nobody is to hear, until Clear.
  void Keep(absl::AnyInvocable<void()> answer);
  void RunLater(base::Duration delay, base::Task task);
  base::Time Now() { return executor_.clock().Now(); }

 private:
  base::Executor& executor_;
  mutable base::Mutex mu_;
  std::list<RequestRule> rules_ ABSL_GUARDED_BY(mu_);
  bool recording_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<RecordedRequest> recorded_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::AnyInvocable<void()>> kept_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_REQUEST_TAP_H_
