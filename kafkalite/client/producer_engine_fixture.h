// File: producer_engine_fixture.h
//
// For tests of the producer: one over FakeLeaders, on threads or simulated.

#ifndef KAFKALITE_CLIENT_PRODUCER_ENGINE_FIXTURE_H_
#define KAFKALITE_CLIENT_PRODUCER_ENGINE_FIXTURE_H_

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/client/fake_leaders.h"
#include "kafkalite/client/producer_engine.h"
#include "kafkalite/producer.h"
#include "kafkalite/record.h"

namespace kafkalite::client {

enum class Kind { kReal, kSimulated };

class ProducerEngineTest : public ::testing::TestWithParam<Kind> {
 protected:
  ProducerEngineTest() { Use(GetParam()); }
  ~ProducerEngineTest() override {
    if (producer_ != nullptr) producer_->Close();
    executor_->Shutdown();
  }

  void Use(Kind kind) {
    if (kind == Kind::kReal) {
      executor_ = std::make_shared<base::RealExecutor>();
    } else {
      executor_ =
          std::make_shared<base::SimExecutor>(::testing::UnitTest::GetInstance()->random_seed());
    }
    const auto jitter =
        kind == Kind::kReal ? base::Duration::zero() : std::chrono::microseconds(100);
    brokers_ = std::make_unique<FakeLeaders>(executor_, jitter, 1);
    brokers_->AddTopic("first-test", 1);
    brokers_->AddTopic("three", 3);
  }
  bool real() const { return GetParam() == Kind::kReal; }
  base::Time Now() { return executor_->clock().Now(); }
  void Sleep(base::Duration duration) {
    base::Completion never;
    (void)executor_->BlockUntil(never, Now() + duration);
  }

  ProducerEngine& Start(ProducerOptions options = {}) {
    auto producer = ProducerEngine::Create(brokers_->runtime(), options);
    EXPECT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
    return *producer_;
  }
  absl::Status Create(ProducerOptions options) {
    return ProducerEngine::Create(brokers_->runtime(), options).status();
  }
  void HoldAnswers() {
    brokers_->SetOnProduce([](const auto&) {
      return FakeLeaders::Fault{.answer = FakeLeaders::Fault::Answer::kHold};
    });
  }
  static absl::StatusCode CodeOf(const Ticket& ticket) { return ticket.Wait().status().code(); }

  std::shared_ptr<base::Executor> executor_;
  std::unique_ptr<FakeLeaders> brokers_;
  std::shared_ptr<ProducerEngine> producer_;
};

inline std::string KindName(const ::testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::kReal ? "Real" : "Simulated";
}

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_PRODUCER_ENGINE_FIXTURE_H_
