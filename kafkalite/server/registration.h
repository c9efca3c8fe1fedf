// File: registration.h
//
// Keeps a broker registered: opens a session, makes the tree's first nodes, and creates the
// ephemeral /brokers/ids/N in the same commit that raises the broker's incarnation (rule 15). After
// an expiry it starts over with a new session and a new incarnation (rule 17).
//
// Thread safety: any thread. Lifetime: shared; Stop() ends it.

#ifndef KAFKALITE_SERVER_REGISTRATION_H_
#define KAFKALITE_SERVER_REGISTRATION_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::server {

class Registration : public std::enable_shared_from_this<Registration> {
 public:
  struct Options {
    model::BrokerId broker;
    std::chrono::milliseconds session_timeout{6000};
    std::string cluster_id;  // written if the tree has none
  };
  // Both are called in the registration's strand, in turns; they must not block.
  struct Listener {
    absl::AnyInvocable<void(std::shared_ptr<coordination::Session>, model::Incarnation)> registered;
    absl::AnyInvocable<void()> lost;
  };
  using After = absl::AnyInvocable<void(base::Duration, base::Task)>;

  Registration(base::Executor& executor, After after, coordination::Coordination& coordination,
               Options options, Listener listener);

  void Start();
  // Ends the session: the registration goes at once if the engine can be reached.
  void Stop();

 private:
  template <class F>
  auto OnAnswer(F f);

  void Connect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void MakeTree() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void ReadIncarnation() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Register(int32_t version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void CheckWhetherRegistered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Registered(model::Incarnation incarnation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Retry() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  base::Executor& executor_;
  After after_;
  coordination::Coordination& coordination_;
  const Options options_;
  base::Strand strand_;
  Listener listener_ ABSL_GUARDED_BY(strand_);
  bool stopped_ ABSL_GUARDED_BY(strand_) = false;
  bool registered_ ABSL_GUARDED_BY(strand_) = false;
  // Counts sessions: answers to an earlier one do not count.
  uint64_t attempt_ ABSL_GUARDED_BY(strand_) = 0;
  std::shared_ptr<coordination::Session> session_ ABSL_GUARDED_BY(strand_);
};

}  // namespace kafkalite::server

#endif  // KAFKALITE_SERVER_REGISTRATION_H_
