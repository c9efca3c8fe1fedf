// File: contract_test.h
//
// What every Transport must do, as tests. An implementation, a user's own included, runs them by a
// fixture:
//
//   class MyFixture : public TransportFixture { ... };
//   INSTANTIATE_TEST_SUITE_P(Mine, TransportContractTest,
//                            testing::Values(TransportFixtureFactory{
//                                "Mine", [] { return std::make_unique<MyFixture>(); }}),
//                            TransportFixtureName);
//
// Include it in one .cc file of a test: it defines its tests there.

#ifndef KAFKALITE_TRANSPORT_CONTRACT_TEST_H_
#define KAFKALITE_TRANSPORT_CONTRACT_TEST_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/transport/client_service.h"
#include "kafkalite/transport/peer_service.h"
#include "kafkalite/transport/transport.h"

namespace kafkalite::transport {

// What a test needs of an implementation. One is made for each test.
class TransportFixture {
 public:
  virtual ~TransportFixture() = default;

  virtual base::Executor& executor() = 0;
  virtual Transport& transport() = 0;
};

struct TransportFixtureFactory {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<TransportFixture>()> make;

  friend void PrintTo(const TransportFixtureFactory& factory, std::ostream* out) {
    *out << factory.name;
  }
};

inline std::string TransportFixtureName(
    const testing::TestParamInfo<TransportFixtureFactory>& info) {
  return info.param.name;
}

// A broker that notes who asked what, and answers, keeps the reply, or drops it.
class FakeBroker final : public ClientService, public PeerService {
 public:
  enum class Manner { kAnswer, kKeep, kDrop };

  explicit FakeBroker(std::string name = "") : name_(std::move(name)) {}

  void set_manner(Manner manner) {
    base::MutexLock lock(mu_);
    manner_ = manner;
  }
  std::vector<std::string> calls() const {
    base::MutexLock lock(mu_);
    return calls_;
  }
  // Ends the replies that were kept.
  void AnswerKept() { EndKept(true); }
  void DropKept() { EndKept(false); }

  void Produce(protocol::ProduceRequest request, Reply<protocol::ProduceResponse> reply) override {
    protocol::ProduceResponse response;
    for (const auto& partition : request.partitions) {
      response.partitions.push_back({.tp = partition.tp, .message = name_});
    }
    End("Produce", std::move(response), std::move(reply));
  }
  void Fetch(protocol::FetchRequest, Reply<protocol::FetchResponse> reply) override {
    End("Fetch", protocol::FetchResponse(), std::move(reply));
  }
  void ListOffsets(protocol::ListOffsetsRequest,
                   Reply<protocol::ListOffsetsResponse> reply) override {
    End("ListOffsets", protocol::ListOffsetsResponse(), std::move(reply));
  }
  void Metadata(protocol::MetadataRequest request,
                Reply<protocol::MetadataResponse> reply) override {
    protocol::MetadataResponse response;
    for (const std::string& topic : request.topics.value_or(std::vector<std::string>())) {
      response.topics.push_back({.name = topic + "@" + name_});
    }
    End("Metadata", std::move(response), std::move(reply));
  }
  void InitProducerId(protocol::InitProducerIdRequest,
                      Reply<protocol::InitProducerIdResponse> reply) override {
    End("InitProducerId", protocol::InitProducerIdResponse(), std::move(reply));
  }
  void CreateTopics(protocol::CreateTopicsRequest,
                    Reply<protocol::CreateTopicsResponse> reply) override {
    End("CreateTopics", protocol::CreateTopicsResponse(), std::move(reply));
  }
  void DeleteTopics(protocol::DeleteTopicsRequest,
                    Reply<protocol::DeleteTopicsResponse> reply) override {
    End("DeleteTopics", protocol::DeleteTopicsResponse(), std::move(reply));
  }
  void CreatePartitions(protocol::CreatePartitionsRequest,
                        Reply<protocol::CreatePartitionsResponse> reply) override {
    End("CreatePartitions", protocol::CreatePartitionsResponse(), std::move(reply));
  }
  void ElectLeaders(protocol::ElectLeadersRequest,
                    Reply<protocol::ElectLeadersResponse> reply) override {
    End("ElectLeaders", protocol::ElectLeadersResponse(), std::move(reply));
  }
  void DescribeConfigs(protocol::DescribeConfigsRequest,
                       Reply<protocol::DescribeConfigsResponse> reply) override {
    End("DescribeConfigs", protocol::DescribeConfigsResponse(), std::move(reply));
  }
  void AlterConfigs(protocol::AlterConfigsRequest,
                    Reply<protocol::AlterConfigsResponse> reply) override {
    End("AlterConfigs", protocol::AlterConfigsResponse(), std::move(reply));
  }
  void IncrementalAlterConfigs(protocol::IncrementalAlterConfigsRequest,
                               Reply<protocol::AlterConfigsResponse> reply) override {
    End("IncrementalAlterConfigs", protocol::AlterConfigsResponse(), std::move(reply));
  }
  void DeleteRecords(protocol::DeleteRecordsRequest,
                     Reply<protocol::DeleteRecordsResponse> reply) override {
    End("DeleteRecords", protocol::DeleteRecordsResponse(), std::move(reply));
  }
  void FetchReplica(ReplicaFetchRequest request, Reply<ReplicaFetchResponse> reply) override {
    ReplicaFetchResponse response;
    response.high_watermark = request.fetch_offset;
    End("FetchReplica", std::move(response), std::move(reply));
  }
  void UpdateClusterState(ClusterStateUpdate update, Reply<ClusterStateAck> reply) override {
    ClusterStateAck ack;
    for (const PartitionUpdate& partition : update.partitions) {
      ack.log_ids[partition.tp] = model::LogId(7);
    }
    End("UpdateClusterState", std::move(ack), std::move(reply));
  }

 private:
  template <class Response>
  void End(const char* call, Response response, Reply<Response> reply) {
    Manner manner;
    {
      base::MutexLock lock(mu_);
      calls_.push_back(call);
      manner = manner_;
      if (manner == Manner::kKeep) {
        kept_.push_back(
            [response = std::move(response), reply = std::move(reply)](bool answer) mutable {
              if (answer) reply(std::move(response));
            });
      }
    }
    if (manner == Manner::kAnswer) reply(std::move(response));
  }
  void EndKept(bool answer) {
    std::vector<absl::AnyInvocable<void(bool)>> kept;
    {
      base::MutexLock lock(mu_);
      kept.swap(kept_);
    }
    for (auto& end : kept) end(answer);
  }

  const std::string name_;
  mutable base::Mutex mu_;
  Manner manner_ ABSL_GUARDED_BY(mu_) = Manner::kAnswer;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::AnyInvocable<void(bool)>> kept_ ABSL_GUARDED_BY(mu_);
};

// An answer that may come on any thread, once.
template <class Response>
class Outcome {
 public:
  Reply<Response> reply() {
    return [state = state_](absl::StatusOr<Response> result) {
      EXPECT_FALSE(state->done.signalled()) << "a reply was called twice";
      state->result = std::move(result);
      state->done.Signal();
    };
  }
  bool arrived() const { return state_->done.signalled(); }
  absl::StatusOr<Response> Await(base::Executor& executor) {
    const auto deadline = executor.clock().Now() + std::chrono::seconds(60);
    const absl::Status waited = executor.BlockUntil(state_->done, deadline);
    EXPECT_TRUE(waited.ok()) << "no answer: " << waited;
    return arrived() ? state_->result : absl::StatusOr<Response>(waited);
  }
  absl::StatusCode AwaitCode(base::Executor& executor) { return Await(executor).status().code(); }

 private:
  struct State {
    base::Completion done;
    absl::StatusOr<Response> result = absl::UnknownError("no answer yet");
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class TransportContractTest : public testing::TestWithParam<TransportFixtureFactory> {
 protected:
  static constexpr model::BrokerId kFrom{2}, kTo{1};
  static constexpr int32_t kClient = -2;
  static constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;
  using Calls = std::vector<std::string>;

  base::Executor& executor() { return fixture_->executor(); }
  Transport& transport() { return fixture_->transport(); }
  std::unique_ptr<Listener> Listen(const std::shared_ptr<FakeBroker>& broker) {
    return transport().Listen(kTo, broker, broker);
  }
  std::shared_ptr<ClientService> Client() { return transport().ConnectClient(kClient, kTo); }
  std::shared_ptr<PeerService> Peer() { return transport().ConnectPeer(kFrom, kTo); }

  // Which broker answers a client: its name, or the code of the failure.
  std::string Ask(ClientService& client) {
    Outcome<protocol::MetadataResponse> outcome;
    client.Metadata({.topics = {{"t"}}}, outcome.reply());
    const auto response = outcome.Await(executor());
    return response.ok() ? response->topics.front().name
                         : absl::StatusCodeToString(response.status().code());
  }

  const std::unique_ptr<TransportFixture> fixture_ = GetParam().make();
  const std::shared_ptr<FakeBroker> broker_ = std::make_shared<FakeBroker>("one");
};

TEST_P(TransportContractTest, EveryCallOfTheClientPlaneIsAnswered) {
  const auto listener = Listen(broker_);
  const auto client = Client();
  const auto answered = [&](auto method, auto request, auto outcome) {
    ((*client).*method)(std::move(request), outcome.reply());
    return outcome.Await(executor()).ok();
  };
  using protocol::FetchRequest, protocol::FetchResponse;
  EXPECT_TRUE(answered(&ClientService::Produce, protocol::ProduceRequest(),
                       Outcome<protocol::ProduceResponse>()));
  EXPECT_TRUE(answered(&ClientService::Fetch, FetchRequest(), Outcome<FetchResponse>()));
  EXPECT_TRUE(answered(&ClientService::ListOffsets, protocol::ListOffsetsRequest(),
                       Outcome<protocol::ListOffsetsResponse>()));
  EXPECT_TRUE(answered(&ClientService::Metadata, protocol::MetadataRequest(),
                       Outcome<protocol::MetadataResponse>()));
  EXPECT_TRUE(answered(&ClientService::InitProducerId, protocol::InitProducerIdRequest(),
                       Outcome<protocol::InitProducerIdResponse>()));
  EXPECT_TRUE(answered(&ClientService::CreateTopics, protocol::CreateTopicsRequest(),
                       Outcome<protocol::CreateTopicsResponse>()));
  EXPECT_TRUE(answered(&ClientService::DeleteTopics, protocol::DeleteTopicsRequest(),
                       Outcome<protocol::DeleteTopicsResponse>()));
  EXPECT_TRUE(answered(&ClientService::CreatePartitions, protocol::CreatePartitionsRequest(),
                       Outcome<protocol::CreatePartitionsResponse>()));
  EXPECT_TRUE(answered(&ClientService::ElectLeaders, protocol::ElectLeadersRequest(),
                       Outcome<protocol::ElectLeadersResponse>()));
  EXPECT_TRUE(answered(&ClientService::DescribeConfigs, protocol::DescribeConfigsRequest(),
                       Outcome<protocol::DescribeConfigsResponse>()));
  EXPECT_TRUE(answered(&ClientService::AlterConfigs, protocol::AlterConfigsRequest(),
                       Outcome<protocol::AlterConfigsResponse>()));
  EXPECT_TRUE(answered(&ClientService::IncrementalAlterConfigs,
                       protocol::IncrementalAlterConfigsRequest(),
                       Outcome<protocol::AlterConfigsResponse>()));
  EXPECT_TRUE(answered(&ClientService::DeleteRecords, protocol::DeleteRecordsRequest(),
                       Outcome<protocol::DeleteRecordsResponse>()));
  EXPECT_EQ(broker_->calls(),
            (Calls{"Produce", "Fetch", "ListOffsets", "Metadata", "InitProducerId", "CreateTopics",
                   "DeleteTopics", "CreatePartitions", "ElectLeaders", "DescribeConfigs",
                   "AlterConfigs", "IncrementalAlterConfigs", "DeleteRecords"}));
}

TEST_P(TransportContractTest, EveryCallOfThePeerPlaneIsAnswered) {
  const auto listener = Listen(broker_);
  const auto peer = Peer();
  Outcome<ReplicaFetchResponse> fetched;
  peer->FetchReplica({.fetch_offset = model::Offset(42)}, fetched.reply());
  const auto response = fetched.Await(executor());
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->high_watermark, model::Offset(42));

  ClusterStateUpdate update;
  update.partitions.push_back({.tp = {"t", model::PartitionId(3)}});
  Outcome<ClusterStateAck> acknowledged;
  peer->UpdateClusterState(update, acknowledged.reply());
  const auto ack = acknowledged.Await(executor());
  ASSERT_TRUE(ack.ok());
  EXPECT_EQ(ack->log_ids.at({"t", model::PartitionId(3)}), model::LogId(7));
  EXPECT_EQ(broker_->calls(), (Calls{"FetchReplica", "UpdateClusterState"}));
}

TEST_P(TransportContractTest, CallsOfOneChannelArriveInTheirOrder) {
  const auto listener = Listen(broker_);
  const auto client = Client();
  Outcome<protocol::FetchResponse> first;
  Outcome<protocol::ListOffsetsResponse> second;
  Outcome<protocol::InitProducerIdResponse> third;
  client->Fetch({}, first.reply());
  client->ListOffsets({}, second.reply());
  client->InitProducerId({}, third.reply());
  EXPECT_TRUE(third.Await(executor()).ok());
  EXPECT_TRUE(first.Await(executor()).ok());
  EXPECT_TRUE(second.Await(executor()).ok());
  EXPECT_EQ(broker_->calls(), (Calls{"Fetch", "ListOffsets", "InitProducerId"}));
}

TEST_P(TransportContractTest, AReplyMayComeLater) {
  broker_->set_manner(FakeBroker::Manner::kKeep);
  const auto listener = Listen(broker_);
  const auto client = Client();
  const auto peer = Peer();
  Outcome<protocol::FetchResponse> kept;
  Outcome<ReplicaFetchResponse> kept_too;
  client->Fetch({}, kept.reply());
  peer->FetchReplica({}, kept_too.reply());
  while (broker_->calls().size() < 2) {
    base::Completion never;
    (void)executor().BlockUntil(never, executor().clock().Now() + std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(kept.arrived());
  EXPECT_FALSE(kept_too.arrived());
  broker_->AnswerKept();
  EXPECT_TRUE(kept.Await(executor()).ok());
  EXPECT_TRUE(kept_too.Await(executor()).ok());
}

TEST_P(TransportContractTest, AReplyDestroyedUnansweredSaysUnavailable) {
  const auto listener = Listen(broker_);
  broker_->set_manner(FakeBroker::Manner::kDrop);
  Outcome<protocol::FetchResponse> dropped;
  Client()->Fetch({}, dropped.reply());
  EXPECT_EQ(dropped.AwaitCode(executor()), kUnavailable);
  Outcome<ReplicaFetchResponse> peers;
  Peer()->FetchReplica({}, peers.reply());
  EXPECT_EQ(peers.AwaitCode(executor()), kUnavailable);
}

TEST_P(TransportContractTest, NobodyListeningSaysUnavailable) {
  Outcome<protocol::FetchResponse> client;
  Client()->Fetch({}, client.reply());
  EXPECT_EQ(client.AwaitCode(executor()), kUnavailable);
  Outcome<ClusterStateAck> peer;
  Peer()->UpdateClusterState({}, peer.reply());
  EXPECT_EQ(peer.AwaitCode(executor()), kUnavailable);
}

TEST_P(TransportContractTest, AChannelMeetsWhoeverListensAtTheTimeOfTheCall) {
  const auto client = Client();  // before anybody listens
  EXPECT_EQ(Ask(*client), "UNAVAILABLE");
  auto listener = Listen(broker_);
  EXPECT_EQ(Ask(*client), "t@one");
  listener.reset();
  EXPECT_EQ(Ask(*client), "UNAVAILABLE");
  const auto later = std::make_shared<FakeBroker>("two");
  const auto its = Listen(later);
  EXPECT_EQ(Ask(*client), "t@two");
}

TEST_P(TransportContractTest, ABrokerThatIsGoneIsAsIfItDidNotListen) {
  auto broker = std::make_shared<FakeBroker>("gone");
  const auto listener = Listen(broker);
  broker.reset();
  EXPECT_EQ(Ask(*Client()), "UNAVAILABLE");
}

TEST_P(TransportContractTest, ALaterListenerReplacesTheEarlierOneWhichMayThenGo) {
  auto first = Listen(broker_);
  const auto two = std::make_shared<FakeBroker>("two");
  auto second = Listen(two);
  const auto client = Client();
  EXPECT_EQ(Ask(*client), "t@two");
  first.reset();
  EXPECT_EQ(Ask(*client), "t@two") << "the earlier one took the later one with it";
  second.reset();
  EXPECT_EQ(Ask(*client), "UNAVAILABLE") << "the earlier one must not come back";
  EXPECT_EQ(broker_->calls(), Calls());
}

TEST_P(TransportContractTest, BrokersDoNotMeetEachOthersCalls) {
  const auto other = std::make_shared<FakeBroker>("other");
  const auto listener = Listen(broker_);
  const auto others = transport().Listen(model::BrokerId(9), other, other);
  EXPECT_EQ(Ask(*transport().ConnectClient(kClient, model::BrokerId(9))), "t@other");
  EXPECT_EQ(Ask(*Client()), "t@one");
}

TEST_P(TransportContractTest, ABrokerMayServeOnePlaneOnly) {
  const auto listener = transport().Listen(kTo, broker_, std::weak_ptr<PeerService>());
  EXPECT_EQ(Ask(*Client()), "t@one");
  Outcome<ReplicaFetchResponse> peer;
  Peer()->FetchReplica({}, peer.reply());
  EXPECT_EQ(peer.AwaitCode(executor()), kUnavailable);
}

}  // namespace kafkalite::transport

#endif  // KAFKALITE_TRANSPORT_CONTRACT_TEST_H_
