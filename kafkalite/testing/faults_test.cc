// What Faults does to requests and links, on a real and on a simulated cluster.

#include "kafkalite/testing/faults.h"

#include <chrono>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kafkalite/testing/await.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using model::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Values = std::vector<std::string>;

const RequestFilter kProduces{.api = Api::kProduce};

class FaultsTest : public ScenarioTest {
 protected:
  void SetUp() override {
    Start();
    producer_ = MakeProducer(Acks::kAll);
    ASSERT_TRUE(AwaitIsr({1, 2, 3}));
    MustSend(*producer_, "a");
    faults_->RecordRequests();
  }
  void TearDown() override { producer_.reset(); }

  std::unique_ptr<Producer> producer_;
};

INSTANTIATE_TEST_SUITE_P(Executors, FaultsTest, ::testing::Values(kRealTime, 1, 2, 3),
                         ScenarioName);

// --- Requests -----------------------------------------------------------------------------------

TEST_P(FaultsTest, AnErrorIsAnsweredSoManyTimes) {
  ASSERT_THAT(faults_->FailRequests(kProduces, ErrorCode::kNotEnoughReplicas, 3), IsOk());
  MustSend(*producer_, "b");
  EXPECT_THAT(faults_->Requests(kProduces), SizeIs(4));
  EXPECT_EQ(producer_->metrics().records_retried, 3);
  EXPECT_EQ(Values(1), (std::vector<std::string>{"a", "b"}));
}

TEST_P(FaultsTest, AnErrorForEverLastsUntilItIsHealed) {
  ASSERT_THAT(faults_->FailRequests(kProduces, ErrorCode::kNotEnoughReplicas, Faults::kForEver),
              IsOk());
  const auto impatient = MakeProducer(Acks::kAll, milliseconds(500));
  EXPECT_THAT(Send(*impatient, "b"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("NOT_ENOUGH_REPLICAS")));
  faults_->HealAll();
  MustSend(*impatient, "c");
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "c"}));
}

TEST_P(FaultsTest, OnlyWhatFitsIsInError) {
  const auto other = MakeProducer(Acks::kAll);
  for (const RequestFilter& filter : {RequestFilter{.api = Api::kFetch}, RequestFilter{.broker = 2},
                                      RequestFilter{.api = Api::kProduce, .from = Node::Of(*other)},
                                      RequestFilter{.api = Api::kProduce, .topic = "another"}}) {
    ASSERT_THAT(faults_->FailRequests(filter, ErrorCode::kInvalidRequest, Faults::kForEver),
                IsOk());
  }
  MustSend(*producer_, "b");
  EXPECT_THAT(Send(*other, "c"), Not(IsOk()));
}

TEST_P(FaultsTest, OfARequestAboutSeveralPartitionsOneMayFail) {
  ASSERT_THAT(topic_->AddPartitions(3, {{1, 2, 3}, {1, 2, 3}}), IsOk());
  for (const int32_t partition : {1, 2}) {
    ASSERT_THAT(producer_->Send({.topic = kTopic, .partition = partition, .value = "x"}).Wait(),
                IsOk());
  }
  ASSERT_THAT(faults_->FailRequests({.api = Api::kFetch, .topic = kTopic, .partition = 1},
                                    ErrorCode::kNotLeaderOrFollower, Faults::kForEver),
              IsOk());
  auto consumer = Consumer::Create(*cluster_, {}).value();
  ASSERT_THAT(consumer->AssignTopic(kTopic), IsOk());
  std::vector<int32_t> partitions;
  while (partitions.size() < 2) {
    const auto records = consumer->Poll(seconds(5));
    ASSERT_THAT(records, IsOk());
    ASSERT_FALSE(records->empty());
    for (const ConsumedRecord& record : *records) partitions.push_back(record.partition);
  }
  EXPECT_THAT(partitions, ::testing::UnorderedElementsAre(0, 2));
  faults_->HealAll();
  EXPECT_EQ(consumer->Poll(seconds(5))->count(), 1u);
}

TEST_P(FaultsTest, ADelayedRequestIsCarriedOutLater) {
  ASSERT_THAT(faults_->DelayRequests(kProduces, milliseconds(50)), IsOk());
  const Ticket ticket = producer_->Send({.topic = kTopic, .partition = 0, .value = "b"});
  EXPECT_THAT(ticket.Wait(milliseconds(25)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ticket.Wait(), IsOk());
}

TEST_P(FaultsTest, WhatIsLostIsSentAgainAndAppendedOnce) {
  ASSERT_THAT(faults_->DropRequests(kProduces), IsOk());
  MustSend(*producer_, "b");
  ASSERT_THAT(faults_->DropAnswers(kProduces), IsOk());
  MustSend(*producer_, "c");
  ASSERT_THAT(faults_->TruncateAnswers(kProduces), IsOk());
  MustSend(*producer_, "d");
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_P(FaultsTest, TheRestOfATruncatedFetchIsFetchedAgain) {
  MustSend(*producer_, "b");
  MustSend(*producer_, "c");
  ASSERT_THAT(faults_->TruncateAnswers({.api = Api::kFetch}, 2), IsOk());
  EXPECT_EQ(Consume(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_P(FaultsTest, EveryApiCanFail) {
  ASSERT_THAT(faults_->FailRequests({.api = Api::kMetadata, .topic = kTopic},
                                    ErrorCode::kInvalidTopic, Faults::kForEver),
              IsOk());
  EXPECT_THAT(topic_->Describe(), StatusIs(absl::StatusCode::kInvalidArgument));
  faults_->HealAll();
  ASSERT_THAT(faults_->FailRequests({.api = Api::kCreateTopics}, ErrorCode::kInvalidConfig),
              IsOk());
  EXPECT_THAT(cluster_->CreateTopic("new", {}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(cluster_->CreateTopic("new", {}), IsOk());
  ASSERT_THAT(faults_->FailRequests({.api = Api::kDescribeConfigs, .topic = kTopic},
                                    ErrorCode::kInvalidConfig),
              IsOk());
  EXPECT_THAT(topic_->DescribeConfig(), Not(IsOk()));
  ASSERT_THAT(faults_->FailRequests({.api = Api::kElectLeaders}, ErrorCode::kInvalidRequest),
              IsOk());
  EXPECT_THAT(cluster_->ElectLeaders(Election::kPreferred), Not(IsOk()));
  ASSERT_THAT(faults_->FailRequests({.api = Api::kDeleteTopics}, ErrorCode::kInvalidRequest),
              IsOk());
  EXPECT_THAT(cluster_->DeleteTopic("new"), Not(IsOk()));
  EXPECT_THAT(cluster_->DeleteTopic("new"), IsOk());
}

TEST_P(FaultsTest, AFollowerWhoseFetchesFailLeavesTheIsr) {
  ASSERT_THAT(faults_->FailRequests({.api = Api::kReplicaFetch, .from = 3},
                                    ErrorCode::kUnknownServerError, Faults::kForEver),
              IsOk());
  MustSend(*producer_, "b");
  ASSERT_TRUE(AwaitIsr({1, 2})) << State();
  faults_->HealAll();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
}

TEST_P(FaultsTest, RequestsAreRemembered) {
  MustSend(*producer_, "b");
  const auto requests = faults_->Requests({.from = Node::Of(*producer_)});
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests[0].broker, 1);
  EXPECT_THAT(requests[0].partitions, ElementsAre(RequestedPartition{kTopic, 0, -1, 1}));
  EXPECT_THAT(requests[0].ToString(), HasSubstr("to broker 1: first-test-0 (1 records)"));
  EXPECT_THAT(faults_->Requests({.api = Api::kReplicaFetch, .from = 2}), Not(IsEmpty()));
  faults_->ForgetRequests();
  MustSend(*producer_, "c");
  EXPECT_THAT(faults_->Requests(), IsEmpty());
}

// --- Links --------------------------------------------------------------------------------------

TEST_P(FaultsTest, ALossyNetworkThatRepeatsAndReordersLosesAndRepeatsNoRecord) {
  for (const int32_t broker : {1, 2, 3}) {
    for (const Node other : {Node(broker % 3 + 1), Node::Clients()}) {
      ASSERT_THAT(
          faults_->Disturb(
              broker, other,
              {.jitter = milliseconds(2), .loss = 0.02, .duplication = 0.2, .reordering = 0.2}),
          IsOk());
    }
  }
  std::vector<std::string> sent{"a"};
  std::vector<Ticket> tickets;
  for (int i = 0; i < 100; ++i) {
    sent.push_back("value " + std::to_string(i));
    tickets.push_back(producer_->Send({.topic = kTopic, .partition = 0, .value = sent.back()}));
    if (i % 5 == 0) Wait(milliseconds(1));
  }
  for (const Ticket& ticket : tickets) EXPECT_THAT(ticket.Wait(), IsOk());
  faults_->HealAll();
  EXPECT_EQ(Consume(), sent);
}

TEST_P(FaultsTest, AllClientsAreThoseThatComeLaterToo) {
  ASSERT_THAT(faults_->Isolate(1, Faults::Scope::kClients), IsOk());
  const auto later = MakeProducer(Acks::kAll, milliseconds(500));
  EXPECT_THAT(Send(*later, "b"), Not(IsOk()));
  EXPECT_TRUE(AwaitIsr({1, 2, 3})) << "the brokers still hear each other";
  faults_->HealAll();
  MustSend(*later, "c");
}

// --- Bad input ----------------------------------------------------------------------------------

TEST_P(FaultsTest, WhatMakesNoSenseIsRefusedWithTheState) {
  const auto invalid = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    AllOf(HasSubstr(why), HasSubstr("first-test-0: leader 1")));
  };
  EXPECT_THAT(faults_->Cut(1, 1), invalid("broker 1 has no link to itself"));
  EXPECT_THAT(faults_->Cut(Node::Clients(), Node::Coordination()),
              invalid("no link between all clients and coordination"));
  EXPECT_THAT(faults_->Disturb(1, 2, {.loss = 1.5}), invalid("loss is 1.5"));
  EXPECT_THAT(faults_->Disturb(1, 2, {.delay = milliseconds(-1)}), invalid("negative"));
  EXPECT_THAT(faults_->Disturb(1, 2, {.reordering = 0.5}), invalid("needs a delay"));
  EXPECT_THAT(faults_->Disturb(1, Node::Coordination(), {.duplication = 0.5}),
              invalid("no duplication"));
  EXPECT_THAT(faults_->FailRequests({}, ErrorCode::kNone), invalid("NONE is no error"));
  EXPECT_THAT(faults_->DropRequests({}, 0), invalid("0 times never happens"));
  EXPECT_THAT(faults_->DelayRequests({}, seconds(0)), invalid("above 0"));
  EXPECT_THAT(faults_->DropRequests({.api = Api::kProduce, .from = 1}),
              invalid("brokers do not send it"));
  EXPECT_THAT(faults_->DropRequests({.api = Api::kReplicaFetch, .from = Node::Clients()}),
              invalid("clients do not send it"));
  EXPECT_THAT(faults_->DropRequests({.partition = 0}), invalid("of which topic?"));
  MustSend(*producer_, "b");
}

TEST_P(FaultsTest, WhatThereIsNotIsRefusedWithTheState) {
  const auto not_found = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kNotFound,
                    AllOf(HasSubstr(why), HasSubstr("first-test-0: leader 1")));
  };
  EXPECT_THAT(faults_->Cut(1, 4), not_found("no broker 4: the brokers are 1 to 3"));
  EXPECT_THAT(faults_->Isolate(0), not_found("no broker 0"));
  EXPECT_THAT(faults_->ExpireSession(9), not_found("no broker 9"));
  EXPECT_THAT(faults_->DropRequests({.broker = 9}), not_found("no broker 9"));
  EXPECT_THAT(faults_->DropRequests({.topic = kTopic, .partition = 1}),
              not_found("has 1 partitions"));
}

// --- Waits --------------------------------------------------------------------------------------

TEST_P(FaultsTest, AWaitThatCannotEndSaysSoWithTheState) {
  EXPECT_THAT(testing::AwaitIsr(*cluster_, kTopic, 0, {1, 2}, milliseconds(100)),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       AllOf(HasSubstr("the ISR of first-test-0 to be 1 2 after 100 ms"),
                             HasSubstr("leader 1, epoch"), HasSubstr("high watermark 1"))));
  EXPECT_THAT(testing::AwaitIsr(*cluster_, kTopic, 0, {1, 9}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("its brokers are 1 2 3")));
  EXPECT_THAT(testing::AwaitLeader(*cluster_, kTopic, 7), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(AwaitRecords(*cluster_, "no-such", 1), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(AwaitRecords(*cluster_, kTopic, 2, milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  cluster_->Shutdown();
  EXPECT_THAT(AwaitRest(*cluster_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_P(FaultsTest, WaitsSeeWhatComes) {
  ASSERT_THAT(cluster_->Kill(1), IsOk());
  EXPECT_THAT(testing::AwaitLeaderOtherThan(*cluster_, kTopic, 0, 1), IsOkAndHolds(Not(1)));
  EXPECT_THAT(cluster_->Restart(1), IsOk());
  EXPECT_THAT(AwaitRest(*cluster_), IsOk());
  EXPECT_THAT(*StoredPartition(*cluster_, kTopic, 0),
              HasIsr(::testing::UnorderedElementsAre(1, 2, 3)));
  MustSend(*producer_, "b");
  EXPECT_THAT(AwaitRecords(*cluster_, kTopic, 2),
              IsOkAndHolds(ElementsAre(HasValue("a"), HasValue("b"))));
}

}  // namespace
}  // namespace kafkalite::testing
