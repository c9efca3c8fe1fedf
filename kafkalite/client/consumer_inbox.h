// File: consumer_inbox.h
//
// Where the answers to a consumer's requests wait for its next call.
//
// Thread safety: any thread. Lifetime: as long as the consumer or an answer that is still to come.

#ifndef KAFKALITE_CLIENT_CONSUMER_INBOX_H_
#define KAFKALITE_CLIENT_CONSUMER_INBOX_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/protocol/list_offsets.h"

namespace kafkalite::client {

class ConsumerInbox final : public ClosedListener {
 public:
  template <class Response>
  struct Answer {
    uint64_t id;
    absl::StatusOr<Response> response;
    base::Time received = {};
  };
  struct TopicAnswer {
    std::string topic;
    absl::StatusOr<std::shared_ptr<const TopicMetadata>> result;
  };
  struct Answers {
    std::vector<TopicAnswer> topics;
    std::vector<Answer<protocol::ListOffsetsResponse>> offsets;
    std::vector<Answer<protocol::FetchResponse>> batches;

    bool empty() const { return topics.empty() && offsets.empty() && batches.empty(); }
  };

  void Add(TopicAnswer answer) { Add(&Answers::topics, std::move(answer)); }
  void Add(Answer<protocol::ListOffsetsResponse> answer) {
    Add(&Answers::offsets, std::move(answer));
  }
  void Add(Answer<protocol::FetchResponse> answer) { Add(&Answers::batches, std::move(answer)); }

  Answers Take() {
    base::MutexLock lock(mu_);
    return std::exchange(answers_, {});
  }

  // Signalled with the next answer; null if there is one already. A delivery report that runs while
  // a call waits may call the consumer, too: both then wait for the same.
  std::shared_ptr<base::Completion> AwaitAnswer() {
    base::MutexLock lock(mu_);
    if (!answers_.empty() || cluster_closed_) return nullptr;
    if (waiter_ == nullptr) waiter_ = std::make_shared<base::Completion>();
    return waiter_;
  }

  void OnClusterClosed() override {
    base::MutexLock lock(mu_);
    cluster_closed_ = true;
    Wake();
  }

  // Nobody will take answers any more: those to come must not keep batches alive.
  void Close() {
    Answers dropped;
    base::MutexLock lock(mu_);
    closed_ = true;
    dropped = std::exchange(answers_, {});
  }

 private:
  template <class T>
  void Add(std::vector<T> Answers::*list, T answer) {
    base::MutexLock lock(mu_);
    if (closed_) return;  // the answer is destroyed outside of the lock
    (answers_.*list).push_back(std::move(answer));
    Wake();
  }

  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (waiter_ == nullptr) return;
    waiter_->Signal();
    waiter_ = nullptr;
  }

  base::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool cluster_closed_ ABSL_GUARDED_BY(mu_) = false;
  Answers answers_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<base::Completion> waiter_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_INBOX_H_
