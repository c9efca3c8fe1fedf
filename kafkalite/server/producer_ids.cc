#include "kafkalite/server/producer_ids.h"

#include <utility>

#include "kafkalite/coordination/znodes.h"

namespace kafkalite::server {

using coordination::Code;
using coordination::CommitResult;
using coordination::GetResult;
using coordination::Operation;
namespace paths = coordination::paths;

namespace {

constexpr int64_t kBlock = 1000;

}  // namespace

ProducerIds::ProducerIds(base::Executor& executor, model::BrokerId broker,
                         std::function<std::shared_ptr<coordination::Session>()> session)
    : broker_(broker), strand_(executor), session_(std::move(session)) {}

template <class F>
auto ProducerIds::OnAnswer(F f) {
  return [self = shared_from_this(), f = std::move(f)](auto result) mutable {
    self->strand_.Run([self, f, result = std::move(result)]() mutable {
      self->strand_.AssertInside();
      f(*self, result);
    });
  };
}

void ProducerIds::Next(Callback callback) {
  strand_.Run([self = shared_from_this(), callback = std::move(callback)]() mutable {
    self->strand_.AssertInside();
    if (self->waiting_.empty() && self->next_ < self->end_) {
      callback(model::ProducerId(self->next_++));
      return;
    }
    self->waiting_.push_back(std::move(callback));
    if (self->waiting_.size() == 1) self->TakeBlock();
  });
}

void ProducerIds::Stop() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->session_ = nullptr;
    const auto dropped = std::exchange(self->waiting_, {});
  });
}

void ProducerIds::Fail() {
  auto waiting = std::exchange(waiting_, {});
  for (Callback& callback : waiting) {
    callback(absl::UnavailableError("coordination cannot be reached for a block of producer ids"));
  }
}

void ProducerIds::TakeBlock() {
  const auto session = session_ ? session_() : nullptr;
  if (session == nullptr) return Fail();
  session->Get(paths::kProducerIdBlock, {},
               OnAnswer([](ProducerIds& self, const GetResult& result) {
                 self.strand_.AssertInside();
                 self.WriteBlock(result);
               }));
}

void ProducerIds::WriteBlock(const GetResult& before) {
  const auto session = session_ ? session_() : nullptr;
  if (session == nullptr || (before.code != Code::kOk && before.code != Code::kNoNode)) {
    return Fail();
  }
  int64_t first = 0;
  if (before.code == Code::kOk) {
    const auto last = coordination::ProducerIdBlock::Parse(paths::kProducerIdBlock, before.data);
    if (!last.ok()) return Fail();
    first = last->last.value() + 1;
  }
  const coordination::ProducerIdBlock block{broker_, model::ProducerId(first),
                                            model::ProducerId(first + kBlock - 1)};
  Operation write =
      before.code == Code::kNoNode
          ? Operation::Create(paths::kProducerIdBlock, block.Format())
          : Operation::Set(paths::kProducerIdBlock, block.Format(), before.stat.version);
  session->Commit({std::move(write)},
                  OnAnswer([first](ProducerIds& self, const CommitResult& result) {
                    self.strand_.AssertInside();
                    if (result.code == Code::kBadVersion || result.code == Code::kNodeExists) {
                      return self.TakeBlock();  // another broker was faster
                    }
                    // A lost answer may cost a block, never give out one twice.
                    if (result.code != Code::kOk) return self.Fail();
                    self.next_ = first;
                    self.end_ = first + kBlock;
                    auto waiting = std::exchange(self.waiting_, {});
                    while (!waiting.empty() && self.next_ < self.end_) {
                      waiting.front()(model::ProducerId(self.next_++));
                      waiting.pop_front();
                    }
                    for (Callback& callback : waiting) self.waiting_.push_back(std::move(callback));
                    if (!self.waiting_.empty()) self.TakeBlock();
                  }));
}

}  // namespace kafkalite::server
