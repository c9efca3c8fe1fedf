#include "kafkalite/server/registration.h"

#include <utility>
#include <vector>

#include "kafkalite/coordination/znodes.h"

namespace kafkalite::server {

using coordination::Code;
using coordination::CommitResult;
using coordination::GetResult;
using coordination::Operation;
namespace paths = coordination::paths;

namespace {

constexpr base::Duration kPause = std::chrono::milliseconds(50);

}  // namespace

Registration::Registration(base::Executor& executor, After after,
                           coordination::Coordination& coordination, Options options,
                           Listener listener)
    : executor_(executor),
      after_(std::move(after)),
      coordination_(coordination),
      options_(std::move(options)),
      strand_(executor),
      listener_(std::move(listener)) {}

template <class F>
auto Registration::OnAnswer(F f) {
  strand_.AssertInside();
  return [self = shared_from_this(), attempt = attempt_, f = std::move(f)](auto... result) mutable {
    self->strand_.Run([self, attempt, f, ... result = std::move(result)]() mutable {
      self->strand_.AssertInside();
      if (!self->stopped_ && self->attempt_ == attempt) f(*self, result...);
    });
  };
}

void Registration::Start() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->Connect();
  });
}

void Registration::Stop() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->stopped_ = true;
    self->session_.reset();
    self->listener_ = Listener();  // it may hold whoever holds us
  });
}

void Registration::Connect() {
  ++attempt_;
  session_ = coordination_.Connect(
      {.client = options_.broker.value(), .timeout = options_.session_timeout},
      OnAnswer([](Registration& self, coordination::SessionEvent event) {
        self.strand_.AssertInside();
        if (event != coordination::SessionEvent::kExpired) return;
        if (std::exchange(self.registered_, false)) self.listener_.lost();
        self.Connect();
      }));
  MakeTree();
}

void Registration::Retry() {
  after_(kPause, OnAnswer([](Registration& self) {
           self.strand_.AssertInside();
           self.MakeTree();
         }));
}

void Registration::MakeTree() {
  std::vector<Operation> creations;
  for (const std::string& path : paths::Persistent()) {
    creations.push_back(Operation::Create(path, ""));
  }
  creations.push_back(
      Operation::Create(paths::kClusterId, coordination::ClusterId{options_.cluster_id}.Format()));
  creations.push_back(Operation::Create(
      paths::kControllerEpoch, coordination::FormatControllerEpoch(model::ControllerEpoch(0))));
  creations.push_back(Operation::Create(paths::Incarnation(options_.broker), ""));
  // One by one: most of them exist, unless this is the cluster's first broker ever. Answers come in
  // order.
  const auto lost = std::make_shared<bool>(false);
  for (size_t i = 0; i < creations.size(); ++i) {
    const bool last = i + 1 == creations.size();
    session_->Commit({std::move(creations[i])},
                     OnAnswer([last, lost](Registration& self, const CommitResult& result) {
                       self.strand_.AssertInside();
                       *lost |= result.code != Code::kOk && result.code != Code::kNodeExists;
                       if (!last) return;
                       if (!*lost) {
                         self.ReadIncarnation();
                       } else if (result.code != Code::kSessionExpired) {
                         self.Retry();
                       }
                     }));
  }
}

void Registration::ReadIncarnation() {
  session_->Get(paths::Incarnation(options_.broker), {},
                OnAnswer([](Registration& self, const GetResult& result) {
                  self.strand_.AssertInside();
                  if (result.code == Code::kOk) {
                    self.Register(result.stat.version);
                  } else if (result.code != Code::kSessionExpired) {
                    self.Retry();
                  }
                }));
}

void Registration::Register(int32_t version) {
  const std::string name = "INPROCESS";
  coordination::BrokerRegistration registration;
  registration.security_protocols[name] = "PLAINTEXT";
  registration.host = "localhost";
  registration.timestamp_ms = executor_.clock().WallMillis();
  registration.incarnation = model::Incarnation(version + 1);
  session_->Commit({Operation::Set(paths::Incarnation(options_.broker), "", version),
                    Operation::Create(paths::Broker(options_.broker), registration.Format(),
                                      Operation::Mode::kEphemeral)},
                   OnAnswer([version](Registration& self, const CommitResult& result) {
                     self.strand_.AssertInside();
                     switch (result.code) {
                       case Code::kOk:
                         return self.Registered(model::Incarnation(version + 1));
                       case Code::kSessionExpired:
                         return;  // the session's event starts over
                       case Code::kConnectionLoss:
                         return self.CheckWhetherRegistered();
                       default:
                         // kNodeExists: our own earlier session is not over yet, or another broker
                         // has our number; either way this one waits (KAFKA-1387).
                         return self.Retry();
                     }
                   }));
}

void Registration::CheckWhetherRegistered() {
  session_->Get(paths::Broker(options_.broker), {},
                OnAnswer([](Registration& self, const GetResult& result) {
                  self.strand_.AssertInside();
                  if (result.code == Code::kSessionExpired) return;
                  const auto registration = coordination::BrokerRegistration::Parse(
                      paths::Broker(self.options_.broker), result.data);
                  if (result.code == Code::kOk && registration.ok() &&
                      result.stat.ephemeral_owner == self.session_->id()) {
                    self.Registered(registration->incarnation);
                  } else {
                    self.Retry();
                  }
                }));
}

void Registration::Registered(model::Incarnation incarnation) {
  registered_ = true;
  listener_.registered(session_, incarnation);
}

}  // namespace kafkalite::server
