#include "kafkalite/transport/inprocess/inprocess_transport.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/transport/contract_test.h"

namespace kafkalite::transport {
namespace {

class InProcessFixture final : public TransportFixture {
 public:
  InProcessFixture(std::unique_ptr<base::Executor> executor, base::Duration jitter)
      : executor_(std::move(executor)), network_(*executor_, {.jitter = jitter, .seed = 3}) {}
  ~InProcessFixture() override {
    network_.Close();
    executor_->Shutdown();
  }

  base::Executor& executor() override { return *executor_; }
  InProcessTransport& transport() override { return transport_; }
  base::Network& network() { return network_; }

 private:
  const std::unique_ptr<base::Executor> executor_;
  base::Network network_;
  InProcessTransport transport_{network_};
};

std::unique_ptr<InProcessFixture> MakeReal() {
  return std::make_unique<InProcessFixture>(std::make_unique<base::RealExecutor>(),
                                            base::Duration::zero());
}
std::unique_ptr<InProcessFixture> MakeSim() {
  return std::make_unique<InProcessFixture>(std::make_unique<base::SimExecutor>(1),
                                            std::chrono::microseconds(200));
}

INSTANTIATE_TEST_SUITE_P(InProcess, TransportContractTest,
                         testing::Values(TransportFixtureFactory{"Real", MakeReal},
                                         TransportFixtureFactory{"Sim", MakeSim}),
                         TransportFixtureName);

// --- Faults -------------------------------------------------------------------------------------

struct Setting {
  std::string name;
  std::function<std::unique_ptr<InProcessFixture>()> make;
  friend void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }
};

class InProcessFaultsTest : public testing::TestWithParam<Setting> {
 protected:
  static constexpr model::BrokerId kFrom{2}, kTo{1};
  static constexpr base::NodeId kFromNode{2}, kToNode{1};
  static constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;

  base::Executor& executor() { return fixture_->executor(); }
  base::Network& network() { return fixture_->network(); }
  void Pass() {
    base::Completion never;
    EXPECT_FALSE(executor()
                     .BlockUntil(never, executor().clock().Now() + std::chrono::milliseconds(20))
                     .ok());
  }
  Outcome<ReplicaFetchResponse> Fetch() {
    Outcome<ReplicaFetchResponse> outcome;
    peer_->FetchReplica({}, outcome.reply());
    return outcome;
  }

  const std::unique_ptr<InProcessFixture> fixture_ = GetParam().make();
  const std::shared_ptr<FakeBroker> broker_ = std::make_shared<FakeBroker>();
  std::unique_ptr<Listener> listener_ = fixture_->transport().Listen(kTo, broker_, broker_);
  const std::shared_ptr<PeerService> peer_ = fixture_->transport().ConnectPeer(kFrom, kTo);
};

INSTANTIATE_TEST_SUITE_P(InProcess, InProcessFaultsTest,
                         testing::Values(Setting{"Real", MakeReal}, Setting{"Sim", MakeSim}),
                         [](const auto& info) { return info.param.name; });

TEST_P(InProcessFaultsTest, ACallOverACutLinkIsSilentUntilItIsHealed) {
  network().Cut(kFromNode, kToNode);
  auto call = Fetch();
  Pass();
  EXPECT_FALSE(call.arrived());
  network().Heal(kFromNode, kToNode);
  EXPECT_EQ(call.AwaitCode(executor()), kUnavailable);
  EXPECT_TRUE(broker_->calls().empty());
  EXPECT_TRUE(Fetch().Await(executor()).ok());
}

TEST_P(InProcessFaultsTest, AnAnswerOverACutLinkIsSilentUntilItIsHealed) {
  network().Cut(kToNode, kFromNode);
  auto call = Fetch();
  Pass();
  EXPECT_EQ(broker_->calls().size(), 1u) << "the request gets through";
  EXPECT_FALSE(call.arrived());
  network().Heal(kToNode, kFromNode);
  EXPECT_EQ(call.AwaitCode(executor()), kUnavailable);
}

TEST_P(InProcessFaultsTest, ARefusalOverACutLinkIsSilentUntilItIsHealed) {
  listener_.reset();
  network().Cut(kToNode, kFromNode);
  auto call = Fetch();
  Pass();
  EXPECT_FALSE(call.arrived());
  network().Heal(kToNode, kFromNode);
  EXPECT_EQ(call.AwaitCode(executor()), kUnavailable);
}

TEST_P(InProcessFaultsTest, BothWaysCutTheCallIsSilentUntilBothAreHealed) {
  network().Cut(kFromNode, kToNode);
  network().Cut(kToNode, kFromNode);
  auto call = Fetch();
  network().Heal(kFromNode, kToNode);
  Pass();
  EXPECT_FALSE(call.arrived());
  network().HealAll();
  EXPECT_EQ(call.AwaitCode(executor()), kUnavailable);
}

TEST_P(InProcessFaultsTest, ACallToAPausedBrokerIsAnsweredWhenItIsResumed) {
  network().Pause(kToNode);
  auto call = Fetch();
  Pass();
  EXPECT_FALSE(call.arrived());
  EXPECT_TRUE(broker_->calls().empty());
  network().Resume(kToNode);
  EXPECT_TRUE(call.Await(executor()).ok());
}

TEST_P(InProcessFaultsTest, APausedCallerHearsTheAnswerWhenItIsResumed) {
  network().Pause(kFromNode);
  auto call = Fetch();
  Pass();
  EXPECT_EQ(broker_->calls().size(), 1u);
  EXPECT_FALSE(call.arrived());
  network().Resume(kFromNode);
  EXPECT_TRUE(call.Await(executor()).ok());
}

TEST_P(InProcessFaultsTest, AnAnswerKeptBeyondTheListenersEndStillArrives) {
  broker_->set_manner(FakeBroker::Manner::kKeep);
  auto answered = Fetch();
  auto dropped = Fetch();
  Pass();
  listener_.reset();
  EXPECT_FALSE(answered.arrived());
  broker_->AnswerKept();
  EXPECT_TRUE(answered.Await(executor()).ok());
  EXPECT_TRUE(dropped.Await(executor()).ok());
}

TEST_P(InProcessFaultsTest, RepliesDroppedByADyingBrokerSayUnavailable) {
  broker_->set_manner(FakeBroker::Manner::kKeep);
  auto call = Fetch();
  Pass();
  listener_.reset();
  broker_->DropKept();
  EXPECT_EQ(call.AwaitCode(executor()), kUnavailable);
}

TEST_P(InProcessFaultsTest, NobodyIsForgottenWhenTheNetworkCloses) {
  network().Cut(kFromNode, kToNode);
  auto there = Fetch();
  network().Heal(kFromNode, kToNode);
  network().Cut(kToNode, kFromNode);
  auto back = Fetch();
  Pass();
  network().Close();
  EXPECT_EQ(there.AwaitCode(executor()), kUnavailable);
  EXPECT_EQ(back.AwaitCode(executor()), kUnavailable);
  EXPECT_EQ(Fetch().AwaitCode(executor()), kUnavailable);
}

TEST_P(InProcessFaultsTest, ADuplicatedRequestIsCarriedOutTwiceAndAnsweredOnce) {
  network().Disturb(kFromNode, kToNode, {.duplication = 1});
  auto call = Fetch();
  EXPECT_TRUE(call.Await(executor()).ok());
  Pass();
  EXPECT_EQ(broker_->calls().size(), 2u);
}

// Answers in the place of a broker, and remembers who asked.
class Impostors final : public Interceptor {
 public:
  std::shared_ptr<ClientService> Intercept(int32_t client, model::BrokerId broker,
                                           std::shared_ptr<ClientService>) override {
    asked.emplace_back(client, broker);
    return impostor;
  }
  std::shared_ptr<PeerService> Intercept(int32_t from, model::BrokerId broker,
                                         std::shared_ptr<PeerService>) override {
    asked.emplace_back(from, broker);
    return impostor;
  }
  std::vector<std::pair<int32_t, model::BrokerId>> asked;
  const std::shared_ptr<FakeBroker> impostor = std::make_shared<FakeBroker>();
};

TEST_P(InProcessFaultsTest, AnInterceptorStandsBeforeEveryBrokerThatListens) {
  const auto impostors = std::make_shared<Impostors>();
  InProcessTransport& transport = fixture_->transport();
  const auto later = transport.ConnectClient(-7, model::BrokerId(3));  // nobody listens there
  transport.SetInterceptor(impostors);
  EXPECT_TRUE(Fetch().Await(executor()).ok());
  Outcome<protocol::InitProducerIdResponse> nobody;
  later->InitProducerId({}, nobody.reply());
  EXPECT_EQ(nobody.AwaitCode(executor()), kUnavailable);
  const auto listener = transport.Listen(model::BrokerId(4), broker_, broker_);
  Outcome<protocol::InitProducerIdResponse> init;
  transport.ConnectClient(-7, model::BrokerId(4))->InitProducerId({}, init.reply());
  EXPECT_TRUE(init.Await(executor()).ok());
  using Asked = std::vector<std::pair<int32_t, model::BrokerId>>;
  EXPECT_EQ(impostors->asked, (Asked{{2, kTo}, {-7, model::BrokerId(4)}}));
  EXPECT_EQ(impostors->impostor->calls().size(), 2u);
  EXPECT_TRUE(broker_->calls().empty());

  transport.SetInterceptor(nullptr);
  EXPECT_TRUE(Fetch().Await(executor()).ok());
  EXPECT_EQ(broker_->calls().size(), 1u);
}

TEST(InProcessTransportTest, AHealthyCallRunsOnTheCallersThreadAndMovesItsBatches) {
  const auto fixture = MakeReal();
  class Service final : public PeerService {
   public:
    void FetchReplica(ReplicaFetchRequest, Reply<ReplicaFetchResponse> reply) override {
      thread = std::this_thread::get_id();
      ReplicaFetchResponse response;
      response.batches.push_back({{}, body});
      reply(std::move(response));
    }
    void UpdateClusterState(ClusterStateUpdate, Reply<ClusterStateAck>) override {}
    std::thread::id thread;
    base::Slice body{base::BufferPool::Create(0)->Allocate(10), 0, 10};
  };
  const auto service = std::make_shared<Service>();
  const auto listener =
      fixture->transport().Listen(model::BrokerId(1), std::weak_ptr<ClientService>(), service);
  const char* arrived = nullptr;
  fixture->transport()
      .ConnectPeer(model::BrokerId(2), model::BrokerId(1))
      ->FetchReplica({}, [&](absl::StatusOr<ReplicaFetchResponse> response) {
        EXPECT_EQ(std::this_thread::get_id(), service->thread);
        arrived = response->batches.front().body.data();
      });
  EXPECT_EQ(service->thread, std::this_thread::get_id());
  EXPECT_EQ(arrived, service->body.data());
}

}  // namespace
}  // namespace kafkalite::transport
