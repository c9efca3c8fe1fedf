// File: reply.h
//
// How an asynchronous call answers: a callback that is called once, on any thread, also before the
// call returns. A status instead of a response means that no answer came: UNAVAILABLE when the
// connection broke (the request may or may not have been carried out). A server that destroys a
// reply without calling it breaks the connection, as a process that dies does.

#ifndef KAFKALITE_TRANSPORT_REPLY_H_
#define KAFKALITE_TRANSPORT_REPLY_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace kafkalite::transport {

template <class Response>
using Reply = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_REPLY_H_
