// What the producer does about failures: retries, changes of leader, gaps, timeouts. Most run in
// virtual time, over several seeds.

#include "kafkalite/client/partition_sender.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/fake_leaders.h"
#include "kafkalite/client/producer_engine.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {
namespace {

using model::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Fault = FakeLeaders::Fault;
using Answer = FakeLeaders::Fault::Answer;

class PartitionSenderTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  PartitionSenderTest()
      : sim_(std::make_shared<base::SimExecutor>(GetParam())),
        brokers_(sim_, std::chrono::microseconds(100), GetParam()),
        random_(GetParam()) {
    brokers_.AddTopic("t", 1);
  }
  ~PartitionSenderTest() override {
    if (producer_ != nullptr) producer_->Close();
    sim_->Shutdown();
  }

  void Start(ProducerOptions options = {}) {
    auto producer = ProducerEngine::Create(brokers_.runtime(), options);
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
  }
  Ticket Send(const std::string& value) {
    return producer_->Send({.topic = "t", .partition = 0, .value = value});
  }
  // In a batch of its own, which goes at once.
  Ticket SendBatch(const std::string& value) {
    const Ticket ticket = Send(value);
    (void)ticket.Wait(milliseconds(0));
    return ticket;
  }
  void Run(base::Duration duration) { sim_->RunFor(duration); }
  std::vector<std::string> Log() { return brokers_.Values("t", 0); }
  using Strings = std::vector<std::string>;

  // The first `count` requests get this fault.
  void FailFirst(int count, Fault fault) {
    brokers_.SetOnProduce([this, count, fault, seen = 0](const auto&) mutable {
      faults_seen_ = ++seen;
      return seen <= count ? fault : Fault{};
    });
  }

  const std::shared_ptr<base::SimExecutor> sim_;
  FakeLeaders brokers_;
  base::Random random_;
  int faults_seen_ = 0;
  std::shared_ptr<ProducerEngine> producer_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, PartitionSenderTest, ::testing::Range<uint64_t>(1, 21));

// --- Retries ------------------------------------------------------------------------------------

TEST_P(PartitionSenderTest, RetriesWhateverMaySucceedLater) {
  const Fault kFaults[] = {
      {.append = false, .error = ErrorCode::kNotEnoughReplicas},
      {.append = true, .error = ErrorCode::kNotEnoughReplicasAfterAppend},
      {.append = true, .error = ErrorCode::kRequestTimedOut},
      {.append = false, .error = ErrorCode::kStorageError},
      {.append = false, .answer = Answer::kBreak},
      {.append = true, .answer = Answer::kBreak},
      {.append = true, .error = ErrorCode::kDuplicateSequenceNumber},
  };
  Start();
  Strings sent;
  for (const Fault& fault : kFaults) {
    FailFirst(2, fault);
    for (int i = 0; i < 4; ++i) {
      sent.push_back(base::Cat("value ", sent.size()));
      SendBatch(sent.back());
    }
    ASSERT_EQ(producer_->Flush(seconds(10)), absl::OkStatus()) << model::Name(fault.error);
    ASSERT_EQ(Log(), sent) << model::Name(fault.error);
  }
}

TEST_P(PartitionSenderTest, ARandomMessIsDeliveredOnceAndInOrder) {
  Start({.request_timeout = milliseconds(500), .linger = milliseconds(1)});
  brokers_.SetOnProduce([&](const auto&) {
    Fault fault;
    switch (random_.Below(10)) {
      case 0:
        fault = {.append = random_.OneIn(2), .answer = Answer::kBreak};
        break;
      case 1:
        fault = {.append = random_.OneIn(2), .answer = Answer::kNever};
        break;
      case 2:
        fault = {.append = random_.OneIn(2), .error = ErrorCode::kNotLeaderOrFollower};
        break;
      case 3:
        fault = {.append = false, .error = ErrorCode::kNotEnoughReplicas};
        break;
      case 4:
        brokers_.SetLeader("t", 0, 1 + static_cast<int>(random_.Below(2)));
        break;
      default:
        break;
    }
    return fault;
  });
  Strings sent;
  std::vector<Ticket> tickets;
  std::vector<int64_t> reported;
  for (int i = 0; i < 300; ++i) {
    sent.push_back(base::Cat("value ", i));
    if (i % 2 == 0) {
      tickets.push_back(Send(sent.back()));
    } else {
      producer_->Send({.topic = "t", .partition = 0, .value = sent.back()}, [&](const auto& where) {
        reported.push_back(where.ok() ? where->offset : -1);
      });
    }
    if (random_.OneIn(3)) Run(milliseconds(random_.Between(0, 4)));
  }
  ASSERT_TRUE(producer_->Flush(seconds(100)).ok());
  EXPECT_EQ(Log(), sent);
  for (size_t i = 0; i < tickets.size(); ++i) {
    EXPECT_EQ(tickets[i].Wait()->offset, static_cast<int64_t>(2 * i));
  }
  ASSERT_EQ(reported.size(), 150u);
  for (size_t i = 0; i < reported.size(); ++i) {
    EXPECT_EQ(reported[i], static_cast<int64_t>(2 * i + 1));
  }
}

TEST_P(PartitionSenderTest, LinksThatAreCutAndHealedNeitherLoseNorDouble) {
  Start({.request_timeout = milliseconds(200), .linger = milliseconds(0)});
  const base::NodeId client{producer_ == nullptr ? 0 : -2};
  Strings sent;
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 3) brokers_.runtime()->network->Cut(client, base::NodeId{1});
    if (i % 10 == 6) brokers_.runtime()->network->Heal(client, base::NodeId{1});
    if (i % 10 == 7) brokers_.runtime()->network->Cut(base::NodeId{1}, client);
    if (i % 10 == 9) brokers_.runtime()->network->HealAll();
    sent.push_back(base::Cat("value ", i));
    Send(sent.back());
    Run(milliseconds(random_.Between(0, 50)));
  }
  brokers_.runtime()->network->HealAll();
  ASSERT_TRUE(producer_->Flush(seconds(100)).ok());
  EXPECT_EQ(Log(), sent);
}

TEST_P(PartitionSenderTest, FollowsTheLeader) {
  Start();
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  brokers_.SetLeader("t", 0, 2);
  const base::Time before = sim_->clock().Now();
  ASSERT_TRUE(SendBatch("b").Wait().ok());
  EXPECT_LT(sim_->clock().Now() - before, milliseconds(5));
  brokers_.SetLeader("t", 0, -1);
  const Ticket ticket = SendBatch("c");
  Run(seconds(1));
  EXPECT_FALSE(ticket.done());
  brokers_.SetLeader("t", 0, 1);
  Run(milliseconds(150));
  EXPECT_TRUE(ticket.done());
  EXPECT_EQ(Log(), (Strings{"a", "b", "c"}));
}

TEST_P(PartitionSenderTest, WaitsForABrokerThatIsDown) {
  Start({.linger = milliseconds(1)});
  brokers_.Stop(1);
  Strings sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(base::Cat("value ", i));
    Send(sent.back());
    Run(milliseconds(2));
  }
  EXPECT_EQ(Log().size(), 0u);
  brokers_.Start(1);
  ASSERT_TRUE(producer_->Flush(seconds(10)).ok());
  EXPECT_EQ(Log(), sent);
  // While nothing could be sent, batches grew instead of multiplying.
  EXPECT_LT(brokers_.Batches("t", 0).size(), 10u);
}

TEST_P(PartitionSenderTest, NoRequestStormWhileNothingCanBeSent) {
  Start();
  FailFirst(1 << 30, {.append = false, .error = ErrorCode::kNotEnoughReplicas});
  Send("a");
  Run(seconds(10));
  EXPECT_LT(brokers_.requests(), 130);  // ten a second, and a few quick ones first
  EXPECT_GT(brokers_.requests(), 50);
}

TEST_P(PartitionSenderTest, AtMostFiveInFlightAndOneBeforeTheFirstAnswer) {
  Start({.linger = milliseconds(0)});
  FailFirst(1 << 30, {.answer = Answer::kHold});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 20; ++i) tickets.push_back(SendBatch(base::Cat(i)));
  Run(milliseconds(10));
  EXPECT_EQ(brokers_.held(), 1u);
  brokers_.Release();
  Run(milliseconds(10));
  for (int i = 20; i < 40; ++i) SendBatch(base::Cat(i));
  Run(milliseconds(10));
  EXPECT_LE(brokers_.held(), 5u);
  brokers_.SetOnProduce(nullptr);
  brokers_.Release();
  EXPECT_TRUE(producer_->Flush(seconds(10)).ok());
  EXPECT_EQ(Log().size(), 40u);
}

// --- Giving up ----------------------------------------------------------------------------------

TEST_P(PartitionSenderTest, ARefusedBatchDoesNotHoldUpTheLater) {
  Start();
  ASSERT_TRUE(SendBatch("first").Wait().ok());
  brokers_.SetOnProduce([](const auto& partition) {
    return partition.batch.body.view().find("large") == std::string_view::npos
               ? Fault{}
               : Fault{
                     .append = false, .error = ErrorCode::kMessageTooLarge, .message = "so large"};
  });
  SendBatch("a");
  const Ticket refused = SendBatch("large");
  std::vector<Ticket> later;
  for (const char* value : {"b", "c", "d", "e", "f", "g"}) later.push_back(SendBatch(value));
  for (const Ticket& ticket : later) EXPECT_TRUE(ticket.Wait().ok()) << ticket.Wait().status();
  const absl::Status status = refused.Wait().status();
  EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT: MESSAGE_TOO_LARGE: so large");
  EXPECT_EQ(Log(), (Strings{"first", "a", "b", "c", "d", "e", "f", "g"}));
  EXPECT_EQ(brokers_.Batches("t", 0).back().header.producer_epoch, 1);
  EXPECT_EQ(brokers_.ids_given(), 1);
}

TEST_P(PartitionSenderTest, WhenEpochsRunOutItGetsANewId) {
  brokers_.SetFirstEpoch(32767);
  Start();
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  FailFirst(1, {.append = false, .error = ErrorCode::kInvalidRecord});
  const Ticket refused = SendBatch("bad");
  const Ticket later = SendBatch("b");
  EXPECT_FALSE(refused.Wait().ok());
  EXPECT_TRUE(later.Wait().ok());
  EXPECT_EQ(Log(), (Strings{"a", "b"}));
  EXPECT_EQ(brokers_.ids_given(), 2);
  EXPECT_EQ(brokers_.Batches("t", 0).back().header.producer_epoch, 0);
}

TEST_P(PartitionSenderTest, FullLogsAreNotRetried) {
  Start();
  FailFirst(1, {.append = false,
                .error = ErrorCode::kStorageError,
                .message = "the logs hold all: raise ClusterOptions::log_memory_bytes"});
  EXPECT_EQ(SendBatch("a").Wait().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(SendBatch("b").Wait().ok());
}

TEST_P(PartitionSenderTest, DeliveryTimesOutWithTheLastError) {
  Start({.delivery_timeout = seconds(2), .request_timeout = seconds(1)});
  FailFirst(1 << 30, {.append = false, .error = ErrorCode::kNotEnoughReplicas});
  const base::Time before = sim_->clock().Now();
  const absl::Status status = SendBatch("a").Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("NOT_ENOUGH_REPLICAS"), std::string::npos) << status;
  EXPECT_GE(sim_->clock().Now() - before, seconds(2));
  EXPECT_LE(sim_->clock().Now() - before, milliseconds(2600));
  brokers_.SetOnProduce(nullptr);
  EXPECT_TRUE(SendBatch("b").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"b"}));
}

TEST_P(PartitionSenderTest, ASilentLeaderTimesOutAndTheNextRecordsGoOn) {
  Start({.delivery_timeout = seconds(2), .request_timeout = milliseconds(600)});
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  FailFirst(1 << 30, {.append = true, .answer = Answer::kNever});
  const absl::Status status = SendBatch("b").Wait().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_GE(faults_seen_, 3);
  brokers_.SetOnProduce(nullptr);
  EXPECT_TRUE(SendBatch("c").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"a", "b", "c"}));  // "may be in the log", and once
}

TEST_P(PartitionSenderTest, WhatMayBeInTheLogIsNotSentUnderNewNumbers) {
  Start({.delivery_timeout = seconds(3), .request_timeout = milliseconds(500)});
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  FailFirst(1 << 30, {.append = true, .answer = Answer::kNever});
  const Ticket first = SendBatch("b");
  Run(milliseconds(200));
  const Ticket second = SendBatch("c");  // in flight with the first, and younger
  EXPECT_FALSE(first.Wait().ok());
  brokers_.SetOnProduce(nullptr);
  const absl::Status status = second.Wait().status();
  EXPECT_TRUE(status.code() == absl::StatusCode::kAborted ||
              status.code() == absl::StatusCode::kDeadlineExceeded)
      << status;
  EXPECT_TRUE(SendBatch("d").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"a", "b", "c", "d"}));
}

TEST_P(PartitionSenderTest, ABrokerThatForgotUsGetsANewEpoch) {
  Start();
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  ASSERT_TRUE(SendBatch("b").Wait().ok());
  brokers_.ForgetProducers("t", 0, 0);
  EXPECT_TRUE(SendBatch("c").Wait().ok());
  FailFirst(1, {.append = false, .error = ErrorCode::kUnknownProducerId});
  EXPECT_TRUE(SendBatch("d").Wait().ok());
  FailFirst(1, {.append = false, .error = ErrorCode::kInvalidProducerEpoch});
  EXPECT_TRUE(SendBatch("e").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"a", "b", "c", "d", "e"}));
}

TEST_P(PartitionSenderTest, ButNotForARecordThatMayBeThere) {
  Start();
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  brokers_.SetOnProduce([&, seen = 0](const auto&) mutable {
    if (++seen > 1) return Fault{};
    return Fault{.append = true, .answer = Answer::kBreak};
  });
  const Ticket ticket = SendBatch("b");
  while (Log().size() < 2) Run(std::chrono::microseconds(10));
  brokers_.ForgetProducers("t", 0, 0);
  EXPECT_EQ(ticket.Wait().status().code(), absl::StatusCode::kAborted) << ticket.Wait().status();
  EXPECT_TRUE(SendBatch("c").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"a", "b", "c"}));
}

TEST_P(PartitionSenderTest, ADeletedTopicIsNotFoundUntilItIsBack) {
  Start();
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  brokers_.DeleteTopic("t");
  EXPECT_EQ(SendBatch("b").Wait().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(SendBatch("c").Wait().status().code(), absl::StatusCode::kNotFound);
  brokers_.AddTopic("t", 1);
  EXPECT_TRUE(SendBatch("d").Wait().ok());
  EXPECT_EQ(Log(), (Strings{"d"}));
}

TEST_P(PartitionSenderTest, WithoutIdempotenceRetriesGoOnToo) {
  Start({.acks = Acks::kLeader, .linger = milliseconds(0)});
  FailFirst(3, {.append = false, .error = ErrorCode::kNotLeaderOrFollower});
  Strings sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(base::Cat(i));
    Send(sent.back());
  }
  ASSERT_TRUE(producer_->Flush(seconds(10)).ok());
  Strings log = Log();  // the order is not promised
  std::sort(log.begin(), log.end());
  EXPECT_EQ(log, sent);
}

TEST_P(PartitionSenderTest, AcksNoneFindsTheNewLeaderForTheNextBatch) {
  Start({.acks = Acks::kNone});
  ASSERT_TRUE(SendBatch("a").Wait().ok());
  Run(milliseconds(10));
  brokers_.SetLeader("t", 0, 2);
  ASSERT_TRUE(SendBatch("lost").Wait().ok());
  Run(milliseconds(10));
  ASSERT_TRUE(SendBatch("b").Wait().ok());
  Run(milliseconds(10));
  EXPECT_EQ(Log(), (Strings{"a", "b"}));
}

// --- The end ------------------------------------------------------------------------------------

TEST_P(PartitionSenderTest, ShutdownEndsRetriesToo) {
  Start();
  brokers_.Stop(1);
  const Ticket ticket = SendBatch("a");
  Run(milliseconds(random_.Between(1, 200)));
  brokers_.runtime()->closed = true;
  sim_->Shutdown();
  ASSERT_TRUE(ticket.done());
  EXPECT_EQ(ticket.Wait().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(PartitionSenderTest, TheSameSeedMakesTheSameRun) {
  uint64_t hashes[2];
  for (uint64_t& hash : hashes) {
    const auto sim = std::make_shared<base::SimExecutor>(GetParam());
    FakeLeaders brokers(sim, std::chrono::microseconds(100), 7);
    brokers.AddTopic("x", 3);
    auto producer = *ProducerEngine::Create(brokers.runtime(), {.linger = milliseconds(1)});
    for (int i = 0; i < 200; ++i) {
      producer->Send({.topic = "x", .value = std::string(200, 'x')}, [](const auto&) {});
    }
    EXPECT_TRUE(producer->Flush(seconds(10)).ok());
    hash = sim->trace_hash();
    producer->Close();
    sim->Shutdown();
  }
  EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace
}  // namespace kafkalite::client
