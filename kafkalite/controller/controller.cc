#include "kafkalite/controller/controller.h"

#include <utility>

#include "kafkalite/coordination/znodes.h"

namespace kafkalite::controller {

using coordination::Code;
using coordination::CommitResult;
using coordination::GetResult;
using coordination::Operation;
namespace paths = coordination::paths;

namespace {

constexpr base::Duration kPause = std::chrono::milliseconds(50);

}  // namespace

Controller::Controller(std::shared_ptr<ControllerHost> host, model::ConfigMap static_config)
    : host_(std::move(host)),
      static_config_(std::move(static_config)),
      strand_(host_->executor()) {}

template <class F>
auto Controller::OnAnswer(F f) {
  strand_.AssertInside();
  return [self = shared_from_this(), candidacy = candidacy_,
          f = std::move(f)](auto... result) mutable {
    self->strand_.Run([self, candidacy, f, ... result = std::move(result)]() mutable {
      self->strand_.AssertInside();
      if (self->candidacy_ == candidacy && self->session_ != nullptr) f(*self, result...);
    });
  };
}

void Controller::Start(std::shared_ptr<coordination::Session> session) {
  strand_.Run([self = shared_from_this(), session = std::move(session)]() mutable {
    self->strand_.AssertInside();
    if (self->closed_) return;
    self->EndTerm();
    ++self->candidacy_;
    self->session_ = std::move(session);
    self->LookForController();
  });
}

void Controller::Stop() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->EndTerm();
    ++self->candidacy_;
    self->session_.reset();
  });
}

void Controller::Close() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->closed_ = true;
  });
  Stop();
}

std::shared_ptr<Term> Controller::term() {
  base::MutexLock lock(mu_);
  return term_;
}

void Controller::EndTerm() {
  std::shared_ptr<Term> term;
  {
    base::MutexLock lock(mu_);
    term = std::move(term_);
    term_.reset();
  }
  if (term != nullptr) term->Stop();
}

void Controller::LookLater() {
  host_->After(kPause, OnAnswer([](Controller& self) {
                 self.strand_.AssertInside();
                 self.LookForController();
               }));
}

void Controller::LookForController() {
  session_->Get(paths::kController, OnAnswer([](Controller& self) {
                  self.strand_.AssertInside();
                  self.LookForController();
                }),
                OnAnswer([](Controller& self, const GetResult& result) {
                  self.strand_.AssertInside();
                  if (result.code == Code::kNoNode) {
                    self.EndTerm();
                    self.Run();
                  } else if (result.code != Code::kOk) {
                    self.LookLater();
                  } else if (result.stat.ephemeral_owner != self.session_->id()) {
                    self.EndTerm();  // somebody else is; the watch tells when that ends
                  } else if (self.term() == nullptr) {
                    // We won, and the answer was lost: nobody else can have raised the epoch since.
                    self.session_->Get(paths::kControllerEpoch, {},
                                       self.OnAnswer([](Controller& self, const GetResult& epoch) {
                                         self.strand_.AssertInside();
                                         const auto parsed = coordination::ParseControllerEpoch(
                                             paths::kControllerEpoch, epoch.data);
                                         if (epoch.code != Code::kOk || !parsed.ok()) {
                                           return self.LookLater();
                                         }
                                         self.Win({*parsed, epoch.stat.version});
                                       }));
                  }
                }));
}

void Controller::Run() {
  session_->Get(paths::kControllerEpoch, {},
                OnAnswer([](Controller& self, const GetResult& result) {
                  self.strand_.AssertInside();
                  self.RunOver(result);
                }));
}

void Controller::RunOver(const GetResult& epoch) {
  const auto parsed = coordination::ParseControllerEpoch(paths::kControllerEpoch, epoch.data);
  if (epoch.code != Code::kOk || !parsed.ok()) return LookLater();
  const model::ControllerEpoch next(parsed->value() + 1);
  const coordination::ControllerRegistration registration{host_->self(),
                                                          host_->executor().clock().WallMillis()};
  session_->Commit(
      {Operation::Create(paths::kController, registration.Format(), Operation::Mode::kEphemeral),
       Operation::Set(paths::kControllerEpoch, coordination::FormatControllerEpoch(next),
                      epoch.stat.version)},
      OnAnswer([next](Controller& self, const CommitResult& result) {
        self.strand_.AssertInside();
        if (result.code == Code::kOk) {
          self.Win({next, result.results[1].version});
        } else if (result.code == Code::kNodeExists) {
          // Somebody was faster; the watch set before tells when that ends.
        } else {
          self.LookLater();  // read again whether we won (rule 12)
        }
      }));
}

void Controller::Win(TermOptions options) {
  options.static_config = static_config_;
  std::weak_ptr<Controller> weak = weak_from_this();
  auto term = std::make_shared<Term>(host_, session_, options, [weak] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->strand_.Run([self] {
      self->strand_.AssertInside();
      self->EndTerm();
      if (self->session_ != nullptr) self->LookLater();
    });
  });
  EndTerm();  // two looks may have found the same victory
  {
    base::MutexLock lock(mu_);
    term_ = term;
  }
  term->Start();
}

}  // namespace kafkalite::controller
