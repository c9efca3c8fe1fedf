// File: messages.h
//
// What a session's client and the coordination server tell each other. Both directions may lose
// messages, but never reorder them:
//   - The server answers each request, in order. So an answer to request n tells that
//     every request before n which has no answer yet will never get one.
//   - Watch events are numbered per session. Each reply carries all that are not acknowledged yet,
//     so an event never arrives after an answer that shows its change, and none is lost silently.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_MESSAGES_H_
#define KAFKALITE_COORDINATION_EMBEDDED_MESSAGES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "kafkalite/base/clock.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/coordination.h"

namespace kafkalite::coordination {

struct PingCall {};
// Wants no answer: it only carries Request::acknowledged_event.
struct AcknowledgeCall {};
struct CommitCall {
  std::vector<Operation> operations;
};
struct GetCall {
  std::string path;
  bool watch = false;  // it gets the request's number
};
struct ChildrenCall {
  std::string path;
  bool watch = false;
};
// Ends the session; wants no answer.
struct GoodbyeCall {};
using Call =
    std::variant<PingCall, AcknowledgeCall, CommitCall, GetCall, ChildrenCall, GoodbyeCall>;

struct Request {
  uint64_t number = 0;  // rises with each request of a session
  base::Time sent;      // the answer returns it
  uint64_t acknowledged_event = 0;
  // Whether it keeps the session alive. A client that hears no answers must not, or a link cut one
  // way only would leave it the owner of its ephemerals for ever.
  bool renews = true;
  Call call;
};

struct Event {
  uint64_t number = 0;
  uint64_t watch = 0;
};

struct Reply {
  std::vector<Event> events;  // all that are not acknowledged, oldest first
  bool expired = false;       // the session is over
  bool down = false;          // the server answers no more: its files failed, or are closed
  uint64_t answers = 0;       // the number of a request; 0: none
  base::Time request_sent;
  std::variant<std::monostate, CommitResult, GetResult, ChildrenResult> result;
};

// Where replies go.
class ReplyReceiver {
 public:
  virtual ~ReplyReceiver() = default;
  virtual void Receive(Reply reply) = 0;
};

struct ReturnAddress {
  uint64_t session = 0;
  int32_t client = -1;
  std::weak_ptr<ReplyReceiver> receiver;
  base::Link* link = nullptr;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_MESSAGES_H_
