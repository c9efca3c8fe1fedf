// File: producer_ids.h
//
// Hands out producer ids, from blocks of a thousand that brokers take from coordination, as
// Kafka's do. Thread safety: any thread. Lifetime: shared.

#ifndef KAFKALITE_SERVER_PRODUCER_IDS_H_
#define KAFKALITE_SERVER_PRODUCER_IDS_H_

#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::server {

class ProducerIds : public std::enable_shared_from_this<ProducerIds> {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<model::ProducerId>)>;

  // `session` gives the present session, or null.
  ProducerIds(base::Executor& executor, model::BrokerId broker,
              std::function<std::shared_ptr<coordination::Session>()> session);

  // UNAVAILABLE while coordination cannot be reached.
  void Next(Callback callback);
  // Drops who waits, and the session source.
  void Stop();

 private:
  template <class F>
  auto OnAnswer(F f);
  void TakeBlock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void WriteBlock(const coordination::GetResult& before) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Fail() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  const model::BrokerId broker_;
  base::Strand strand_;
  std::function<std::shared_ptr<coordination::Session>()> session_ ABSL_GUARDED_BY(strand_);
  int64_t next_ ABSL_GUARDED_BY(strand_) = 0;
  int64_t end_ ABSL_GUARDED_BY(strand_) = 0;
  std::deque<Callback> waiting_ ABSL_GUARDED_BY(strand_);
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_PRODUCER_IDS_H_
