// File: controller.h
//
// A broker's candidacy: tries to be the controller whenever nobody is, and holds the term while it
// is. Whoever creates the ephemeral /controller is; the same commit raises /controller_epoch
// (rule 12, KAFKA-6082).
//
// Thread safety: any thread. Lifetime: shared; Close() ends it.

#ifndef KAFKALITE_CONTROLLER_CONTROLLER_H_
#define KAFKALITE_CONTROLLER_CONTROLLER_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/controller/controller_host.h"
#include "kafkalite/controller/term.h"
#include "kafkalite/coordination/coordination.h"

namespace kafkalite::controller {

class Controller : public std::enable_shared_from_this<Controller> {
 public:
  // `static_config`: the broker's settings, as it was started.
  explicit Controller(std::shared_ptr<ControllerHost> host, model::ConfigMap static_config = {});

  // The broker is registered under this session: be a candidate. Ends an earlier candidacy.
  void Start(std::shared_ptr<coordination::Session> session);
  // The session is over.
  void Stop();
  // The broker stops: later calls of Start() do nothing.
  void Close();

  // The present term; null unless this broker is the controller.
  std::shared_ptr<Term> term();

 private:
  template <class F>
  auto OnAnswer(F f);

  void LookForController() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Run() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void RunOver(const coordination::GetResult& epoch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void Win(TermOptions options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void LookLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);
  void EndTerm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(strand_);

  const std::shared_ptr<ControllerHost> host_;
  const model::ConfigMap static_config_;
  base::Strand strand_;
  // Counts candidacies: answers to an earlier one do not count.
  uint64_t candidacy_ ABSL_GUARDED_BY(strand_) = 0;
  std::shared_ptr<coordination::Session> session_ ABSL_GUARDED_BY(strand_);
  bool closed_ ABSL_GUARDED_BY(strand_) = false;

  base::Mutex mu_;
  std::shared_ptr<Term> term_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_CONTROLLER_H_
