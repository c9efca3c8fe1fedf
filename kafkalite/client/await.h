// File: await.h
//
// Waits for an asynchronous answer, on any executor: how the public, blocking calls are made of the
// calls below them. Reports run meanwhile, as in every PublicCall.
//
//   absl::StatusOr<int> n = Await<int>(executor, deadline, [&](auto reply) { Ask(reply); });

#ifndef KAFKALITE_CLIENT_AWAIT_H_
#define KAFKALITE_CLIENT_AWAIT_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/client/public_call.h"

namespace kafkalite::client {

// DEADLINE_EXCEEDED if no answer comes in time; a later one is dropped.
template <class T, class Start>
absl::StatusOr<T> Await(base::Executor& executor, base::Time deadline, Start start) {
  struct State {
    base::Completion done;
    absl::StatusOr<T> result = absl::UnknownError("no answer");
  };
  auto state = std::make_shared<State>();
  start([state](absl::StatusOr<T> result) {
    state->result = std::move(result);
    state->done.Signal();
  });
  const absl::Status waited = PublicCall::Block(executor, state->done, deadline);
  if (!waited.ok()) return waited;
  return std::move(state->result);
}

// Lets time pass.
inline absl::Status Sleep(base::Executor& executor, base::Duration duration) {
  base::Completion never;
  const absl::Status waited =
      PublicCall::Block(executor, never, base::SaturatingAdd(executor.clock().Now(), duration));
  return absl::IsDeadlineExceeded(waited) ? absl::OkStatus() : waited;
}

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_AWAIT_H_
