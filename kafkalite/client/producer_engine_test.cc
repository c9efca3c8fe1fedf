// What applications see of the producer. partition_sender_test.cc has the failures.

#include "kafkalite/client/producer_engine.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strand.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/partitioner.h"
#include "kafkalite/client/producer_engine_fixture.h"
#include "kafkalite/client/public_call.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Answer = FakeLeaders::Fault::Answer;

INSTANTIATE_TEST_SUITE_P(All, ProducerEngineTest, ::testing::Values(Kind::kReal, Kind::kSimulated),
                         KindName);

// --- Sending ------------------------------------------------------------------------------------

TEST_P(ProducerEngineTest, SendAndWait) {
  ProducerEngine& producer = Start();
  const auto first = producer.Send({.topic = "first-test", .value = "Hello Kafka !"}).Wait();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->partition, 0);
  EXPECT_EQ(first->offset, 0);
  EXPECT_NEAR(static_cast<double>(first->timestamp),
              static_cast<double>(executor_->clock().WallMillis()), 1000);
  EXPECT_EQ(producer.Send({.topic = "first-test", .value = "again"}).Wait()->offset, 1);
  EXPECT_EQ(brokers_->Values("first-test", 0),
            (std::vector<std::string>{"Hello Kafka !", "again"}));
}

TEST_P(ProducerEngineTest, RecordsKeepTheirPartsAndTheirOrder) {
  ProducerEngine& producer = Start();
  const Header headers[] = {{"a", "1"}, {"b", std::nullopt}};
  const Ticket ticket =
      producer.Send({.topic = "first-test", .key = "k", .headers = headers, .timestamp = 77});
  producer.Send({.topic = "first-test", .value = ""});
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(ticket.Wait()->timestamp, 77);
  const std::vector<format::Batch> batches = brokers_->Batches("first-test", 0);
  ASSERT_EQ(batches.size(), 1u);
  format::RecordIterator it(batches[0]);
  format::RecordView record;
  ASSERT_TRUE(it.Next(record));
  EXPECT_EQ(record.key, "k");
  EXPECT_EQ(record.value, std::nullopt);
  EXPECT_EQ(record.timestamp, 77);
  format::HeaderIterator header_it(record);
  format::Header header;
  ASSERT_TRUE(header_it.Next(header));
  EXPECT_EQ(header.value, "1");
  ASSERT_TRUE(header_it.Next(header));
  EXPECT_EQ(header.value, std::nullopt);
  ASSERT_TRUE(it.Next(record));
  EXPECT_EQ(record.key, std::nullopt);
  EXPECT_EQ(record.value, "");
}

TEST_P(ProducerEngineTest, FullBatchesLeaveAndKeepTheOrder) {
  ProducerEngine& producer = Start({.linger = seconds(100)});
  std::vector<std::string> sent;
  for (int i = 0; i < 5000; ++i) {
    sent.push_back(base::Cat("value ", i));
    producer.Send({.topic = "first-test", .value = sent.back()});
  }
  Sleep(milliseconds(real() ? 0 : 10));
  EXPECT_GT(brokers_->Batches("first-test", 0).size(), 3u);  // before Flush
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(brokers_->Values("first-test", 0), sent);
  for (const format::Batch& batch : brokers_->Batches("first-test", 0)) {
    EXPECT_LE(batch.size_bytes(), 16384u);
  }
}

TEST_P(ProducerEngineTest, LingerSendsALoneRecordNeitherSoonerNorMuchLater) {
  ProducerEngine& producer = Start({.linger = milliseconds(50)});
  const Ticket ticket = producer.Send({.topic = "first-test", .value = "a"});
  Sleep(milliseconds(20));
  const Ticket second = producer.Send({.topic = "first-test", .value = "b"});
  EXPECT_FALSE(ticket.done());
  if (!real()) {
    Sleep(milliseconds(29));
    EXPECT_FALSE(ticket.done());
  }
  const base::Time deadline = Now() + seconds(10);
  while (!ticket.done() && Now() < deadline) Sleep(milliseconds(1));
  EXPECT_TRUE(second.done());
  if (!real()) {
    EXPECT_LT(Now() - (deadline - seconds(10)), milliseconds(4));
  }
  EXPECT_EQ(brokers_->Batches("first-test", 0).size(), 1u);
}

TEST_P(ProducerEngineTest, EveryBatchHasItsOwnLinger) {
  if (real()) GTEST_SKIP() << "needs virtual time";
  ProducerEngine& producer = Start({.linger = milliseconds(50)});
  producer.Send({.topic = "three", .partition = 0, .value = "a"});
  Sleep(milliseconds(40));
  const Ticket later = producer.Send({.topic = "three", .partition = 1, .value = "b"});
  Sleep(milliseconds(48));
  EXPECT_FALSE(later.done());
  Sleep(milliseconds(4));
  EXPECT_TRUE(later.done());
}

TEST_P(ProducerEngineTest, WaitAndFlushDoNotLinger) {
  ProducerEngine& producer = Start({.linger = seconds(100)});
  const base::Time before = Now();
  EXPECT_TRUE(producer.Send({.topic = "first-test", .value = "a"}).Wait().ok());
  producer.Send({.topic = "first-test", .value = "b"});
  EXPECT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_LT(Now() - before, seconds(5));
}

TEST_P(ProducerEngineTest, WithoutLingerABatchLeavesUnlessOneIsInFlight) {
  HoldAnswers();
  ProducerEngine& producer = Start({.linger = milliseconds(0)});
  const Ticket first = producer.Send({.topic = "first-test", .value = "a"});
  producer.Send({.topic = "first-test", .value = "b"});
  const Ticket last = producer.Send({.topic = "first-test", .value = "c"});
  Sleep(milliseconds(5));
  EXPECT_EQ(brokers_->requests(), 1);
  brokers_->SetOnProduce(nullptr);
  brokers_->Release();
  ASSERT_TRUE(last.Wait().ok());
  EXPECT_TRUE(first.done());
  EXPECT_EQ(brokers_->Batches("first-test", 0).size(), 2u);
}

TEST_P(ProducerEngineTest, RecordsWithoutKeySpreadAndKeysStay) {
  ProducerEngine& producer = Start({.batch_size_bytes = 0});
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(producer.Send({.topic = "three"}).Wait().ok());
  for (int p = 0; p < 3; ++p) EXPECT_GT(brokers_->Values("three", p).size(), 5u) << p;
  for (const char* key : {"21", "abc", "foobar"}) {
    EXPECT_EQ(producer.Send({.topic = "three", .key = key}).Wait()->partition,
              PartitionOfKey(key, 3));
  }
}

TEST_P(ProducerEngineTest, ATopicMayGrow) {
  ProducerEngine& producer = Start();
  EXPECT_TRUE(producer.Send({.topic = "first-test"}).Wait().ok());
  brokers_->AddTopic("first-test", 2);
  EXPECT_EQ(producer.Send({.topic = "first-test", .partition = 1}).Wait()->partition, 1);
}

TEST_P(ProducerEngineTest, AddedPartitionsAreUsedWhenMetadataIsOld) {
  ProducerEngine& producer = Start({.metadata_max_age = milliseconds(50)});
  EXPECT_TRUE(producer.Send({.topic = "first-test"}).Wait().ok());
  brokers_->AddTopic("first-test", 4);
  Sleep(milliseconds(60));
  EXPECT_TRUE(producer.Send({.topic = "first-test"}).Wait().ok());  // asks, and does not wait
  Sleep(milliseconds(20));
  for (const char* key : {"21", "abc", "foobar"}) {
    EXPECT_EQ(producer.Send({.topic = "first-test", .key = key}).Wait()->partition,
              PartitionOfKey(key, 4));
  }
}

TEST_P(ProducerEngineTest, ATopicMadeAnewMayHaveFewerPartitions) {
  ProducerEngine& producer = Start({.metadata_max_age = milliseconds(50)});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(producer.Send({.topic = "three"}).Wait().ok());
  brokers_->DeleteTopic("three");
  brokers_->AddTopic("three", 1);
  Sleep(milliseconds(60));
  (void)producer.Send({.topic = "three"}).Wait();  // may go to a partition that is gone
  Sleep(milliseconds(20));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(producer.Send({.topic = "three"}).Wait()->partition, 0);
    EXPECT_EQ(producer.Send({.topic = "three", .key = std::to_string(i)}).Wait()->partition, 0);
  }
  EXPECT_EQ(CodeOf(producer.Send({.topic = "three", .partition = 2})), absl::StatusCode::kNotFound);
  brokers_->AddTopic("three", 3);  // and grows again
  EXPECT_EQ(producer.Send({.topic = "three", .partition = 2}).Wait()->partition, 2);
}

TEST_P(ProducerEngineTest, LargeRecordsHaveBatchesOfTheirOwn) {
  ProducerEngine& producer = Start();
  const std::string large(100000, 'x');
  producer.Send({.topic = "first-test", .value = "a"});
  producer.Send({.topic = "first-test", .value = large});
  producer.Send({.topic = "first-test", .value = "b"});
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(brokers_->Values("first-test", 0), (std::vector<std::string>{"a", large, "b"}));
  EXPECT_EQ(brokers_->Batches("first-test", 0).size(), 3u);
}

TEST_P(ProducerEngineTest, BatchSizeZeroSendsEachRecordAlone) {
  ProducerEngine& producer = Start({.linger = seconds(100), .batch_size_bytes = 0});
  const Ticket ticket = producer.Send({.topic = "first-test", .value = "a"});
  producer.Send({.topic = "first-test", .value = "b"});
  Sleep(milliseconds(real() ? 0 : 5));
  EXPECT_TRUE(ticket.done());
  EXPECT_EQ(brokers_->Batches("first-test", 0).size(), 2u);
}

TEST_P(ProducerEngineTest, AcksNoneIsDoneWhenItIsSent) {
  brokers_->SetOnProduce([](const auto&) { return FakeLeaders::Fault{.answer = Answer::kNever}; });
  ProducerEngine& producer = Start({.acks = Acks::kNone});
  const auto where = producer.Send({.topic = "first-test", .value = "a"}).Wait();
  ASSERT_TRUE(where.ok()) << where.status();
  EXPECT_EQ(where->offset, -1);
  Sleep(milliseconds(1));
  ASSERT_EQ(brokers_->Batches("first-test", 0).size(), 1u);
  EXPECT_EQ(brokers_->Batches("first-test", 0)[0].header.producer_id, model::kNoProducerId);
}

TEST_P(ProducerEngineTest, AcksLeaderIsNotIdempotent) {
  ProducerEngine& producer = Start({.acks = Acks::kLeader});
  EXPECT_EQ(producer.Send({.topic = "first-test", .value = "a"}).Wait()->offset, 0);
  EXPECT_EQ(brokers_->ids_given(), 0);
}

// --- Tickets, callbacks, Flush ------------------------------------------------------------------

TEST_P(ProducerEngineTest, TicketsOutliveTheProducerAndMayBeCopied) {
  Ticket ticket;
  EXPECT_TRUE(ticket.done());
  EXPECT_EQ(CodeOf(ticket), absl::StatusCode::kFailedPrecondition);
  Start();
  ticket = producer_->Send({.topic = "first-test", .value = "a"});
  const Ticket copy = ticket;
  Ticket moved = std::move(ticket);
  EXPECT_TRUE(copy.Wait().ok());
  producer_->Close();
  producer_.reset();
  EXPECT_TRUE(moved.done());
  EXPECT_EQ(moved.Wait()->offset, 0);
}

TEST_P(ProducerEngineTest, WaitTimesOutAndTheRecordGoesOn) {
  HoldAnswers();
  ProducerEngine& producer = Start();
  const Ticket ticket = producer.Send({.topic = "first-test", .value = "a"});
  EXPECT_EQ(ticket.Wait(milliseconds(20)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(producer.Flush(milliseconds(20)).code(), absl::StatusCode::kDeadlineExceeded);
  brokers_->Release();
  EXPECT_TRUE(ticket.Wait().ok());
}

TEST_P(ProducerEngineTest, CallbacksComeInOrderAndBeforeFlushReturns) {
  ProducerEngine& producer = Start();
  std::vector<int64_t> offsets;
  for (int i = 0; i < 3000; ++i) {
    producer.Send({.topic = "first-test", .value = "value"}, [&](const auto& where) {
      EXPECT_FALSE(base::Strand::InsideAny());
      ASSERT_TRUE(where.ok());
      offsets.push_back(where->offset);
    });
  }
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  ASSERT_EQ(offsets.size(), 3000u);
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(offsets[static_cast<size_t>(i)], i);
}

TEST_P(ProducerEngineTest, TicketsAndCallbacksMayShareABatch) {
  ProducerEngine& producer = Start({.linger = seconds(10)});
  int64_t reported = -1;
  producer.Send({.topic = "first-test", .value = "a"});
  producer.Send({.topic = "first-test", .value = "b", .timestamp = 5},
                [&](const auto& where) { reported = where->offset * 100 + where->timestamp; });
  const Ticket ticket = producer.Send({.topic = "first-test", .value = "c"});
  EXPECT_EQ(ticket.Wait()->offset, 2);
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(reported, 105);
}

TEST_P(ProducerEngineTest, AnEmptyCallbackIsNone) {
  ProducerEngine& producer = Start();
  producer.Send({.topic = "first-test", .value = "a"}, nullptr);
  producer.Send({.topic = "no such topic!"}, nullptr);
  EXPECT_TRUE(producer.Flush(seconds(10)).ok());
}

TEST_P(ProducerEngineTest, CallbacksRunOnTheThreadOfACallOrOnTheCallbackThread) {
  if (!real()) GTEST_SKIP() << "a simulation has one thread";
  ProducerEngine& producer = Start({.linger = milliseconds(1)});
  base::Completion done;
  std::thread::id ran_on;
  producer.Send({.topic = "first-test", .value = "a"}, [&](const auto&) {
    ran_on = std::this_thread::get_id();
    done.Signal();
  });
  ASSERT_TRUE(executor_->BlockUntil(done, Now() + seconds(10)).ok());  // no public call
  EXPECT_NE(ran_on, std::this_thread::get_id());
  producer.Send({.topic = "first-test", .value = "b"},
                [&](const auto&) { ran_on = std::this_thread::get_id(); });
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
}

TEST_P(ProducerEngineTest, ACallbackMaySendAndFlushButStartsNoOther) {
  ProducerEngine& producer = Start();
  std::string order;
  producer.Send({.topic = "first-test", .value = "a"}, [&](const auto&) {
    order += "<a";
    producer.Send({.topic = "first-test", .value = "b"}, [&](const auto&) { order += "b"; });
    EXPECT_TRUE(producer.Flush(seconds(10)).ok());  // acknowledged, not reported
    EXPECT_EQ(brokers_->Values("first-test", 0).size(), 2u);
    order += "a>";
  });
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(order, "<aa>b");
}

TEST_P(ProducerEngineTest, ARecordMayBeSentFromTheReportOfAnother) {
  ProducerEngine& producer = Start({.linger = milliseconds(0)});
  std::atomic<int> sent = 0;
  std::function<void()> send = [&] {
    if (++sent > 500) return;
    producer.Send({.topic = "first-test", .value = "a"}, [&](const auto&) { send(); });
  };
  send();
  while (sent <= 500) ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(brokers_->Values("first-test", 0).size(), 500u);
}

TEST_P(ProducerEngineTest, MayBeDestroyedInItsOwnCallback) {
  HoldAnswers();
  Start();
  int reports = 0;
  absl::StatusCode last = absl::StatusCode::kOk;
  producer_->Send({.topic = "first-test", .value = "a"}, [&](const auto&) {
    producer_->Close();
    producer_.reset();
    ++reports;
  });
  ProducerEngine* const producer = producer_.get();
  const Ticket sealed = producer->Send({.topic = "first-test", .value = "b"});
  EXPECT_FALSE(sealed.Wait(milliseconds(5)).ok());
  producer->Send({.topic = "first-test", .value = "c"}, [&](const auto& where) {
    last = where.status().code();
    ++reports;
  });
  {
    PublicCall call;
    brokers_->Release();
    Sleep(milliseconds(real() ? 0 : 10));
  }
  const base::Time deadline = Now() + seconds(10);
  while (reports < 2 && Now() < deadline) Sleep(milliseconds(1));
  EXPECT_EQ(producer_, nullptr);
  EXPECT_EQ(reports, 2);
  EXPECT_EQ(last, absl::StatusCode::kCancelled);
}

TEST_P(ProducerEngineTest, DestroyedInACallbackThatFlushRuns) {
  Start();
  producer_->Send({.topic = "first-test", .value = "a"}, [&](const auto&) {
    producer_->Close();
    producer_.reset();
  });
  ProducerEngine* const producer = producer_.get();
  EXPECT_TRUE(producer->Flush(seconds(10)).ok());
  EXPECT_EQ(producer_, nullptr);
}

TEST_P(ProducerEngineTest, DestructionCancelsWhatIsUnderWay) {
  HoldAnswers();
  Start();
  int cancelled = 0;
  const auto count = [&](const auto& where) { cancelled += absl::IsCancelled(where.status()); };
  producer_->Send({.topic = "first-test", .value = "a"}, count);
  EXPECT_FALSE(producer_->Flush(milliseconds(5)).ok());  // in flight
  producer_->Send({.topic = "first-test", .value = "b"}, count);
  const Ticket ticket = producer_->Send({.topic = "first-test", .value = "c"});  // open
  producer_->Close();
  EXPECT_EQ(cancelled, 2);
  EXPECT_EQ(CodeOf(ticket), absl::StatusCode::kCancelled);
  EXPECT_EQ(CodeOf(producer_->Send({.topic = "first-test"})), absl::StatusCode::kCancelled);
  producer_.reset();
  brokers_->Release();  // too late, and nobody minds
  Sleep(milliseconds(5));
}

TEST_P(ProducerEngineTest, DestructionWaitsForTheCallbackOfAnotherThread) {
  if (!real()) GTEST_SKIP() << "needs threads";
  Start({.linger = milliseconds(1)});
  base::Completion started;
  std::atomic<bool> ended{false};
  producer_->Send({.topic = "first-test", .value = "a"}, [&](const auto&) {
    started.Signal();
    std::this_thread::sleep_for(milliseconds(30));
    ended = true;
  });
  ASSERT_TRUE(executor_->BlockUntil(started, Now() + seconds(10)).ok());
  producer_->Close();
  EXPECT_TRUE(ended);
}

// --- Memory -------------------------------------------------------------------------------------

TEST_P(ProducerEngineTest, AFullBufferFailsAfterMaxBlock) {
  HoldAnswers();
  ProducerEngine& producer =
      Start({.max_block = milliseconds(30), .linger = seconds(100), .buffer_memory_bytes = 50000});
  const std::string value(16000, 'x');
  std::vector<Ticket> tickets;
  for (int i = 0; i < 3; ++i)
    tickets.push_back(producer.Send({.topic = "first-test", .value = value}));
  const base::Time before = Now();
  const auto refused = producer.Send({.topic = "first-test", .value = value}).Wait();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("buffer_memory_bytes"), std::string::npos);
  EXPECT_GE(Now() - before, milliseconds(30));
  brokers_->SetOnProduce(nullptr);
  brokers_->Release();
  EXPECT_TRUE(tickets[2].Wait().ok());  // was sealed for want of memory
  EXPECT_TRUE(producer.Send({.topic = "first-test", .value = value}).Wait().ok());
}

TEST_P(ProducerEngineTest, AFullBufferWaitsForRoom) {
  HoldAnswers();
  ProducerEngine& producer = Start({.buffer_memory_bytes = 40000});
  const std::string value(16000, 'x');
  for (int i = 0; i < 2; ++i) producer.Send({.topic = "first-test", .value = value});
  executor_->PostAt(Now() + milliseconds(20), [&] {
    brokers_->SetOnProduce(nullptr);
    brokers_->Release();
  });
  EXPECT_TRUE(producer.Send({.topic = "first-test", .value = value}).Wait().ok());
}

TEST_P(ProducerEngineTest, AFullBufferFailsAtOnceInsideACallback) {
  ProducerEngine& producer = Start({.linger = seconds(100), .buffer_memory_bytes = 40000});
  const std::string value(16000, 'x');
  absl::StatusCode code = absl::StatusCode::kOk;
  producer.Send({.topic = "first-test", .value = value}, [&](const auto&) {
    HoldAnswers();
    const base::Time before = Now();
    for (int i = 0; i < 4; ++i) {
      const Ticket ticket = producer.Send({.topic = "first-test", .value = value});
      if (ticket.done()) code = CodeOf(ticket);
    }
    EXPECT_LT(Now() - before, seconds(1));
  });
  (void)producer.Flush(milliseconds(100));
  EXPECT_EQ(code, absl::StatusCode::kResourceExhausted);
}

TEST_P(ProducerEngineTest, ABatchMayBeLargerThanTheBufferButNoRecord) {
  ProducerEngine& producer = Start({.buffer_memory_bytes = 1000});
  EXPECT_TRUE(producer.Send({.topic = "first-test", .value = std::string(900, 'x')}).Wait().ok());
  EXPECT_TRUE(producer.Send({.topic = "first-test", .value = "b"}).Wait().ok());
  const std::string large(1001, 'x');
  const auto refused = producer.Send({.topic = "first-test", .value = large}).Wait().status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_NE(std::string(refused.message()).find("does not fit into buffer_memory_bytes, 1000"),
            std::string::npos)
      << refused;
}

TEST_P(ProducerEngineTest, SmallBatchesTakeLittleMemory) {
  HoldAnswers();
  ProducerEngine& producer = Start({.max_block = milliseconds(10), .buffer_memory_bytes = 65536});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 5; ++i) {
    tickets.push_back(producer.Send({.topic = "three", .partition = i % 3, .value = "a"}));
    (void)tickets.back().Wait(milliseconds(1));
    EXPECT_FALSE(tickets.back().done());
  }
}

// --- Bad input, no cluster ----------------------------------------------------------------------

TEST_P(ProducerEngineTest, BadInputIsRefusedWithReasons) {
  ProducerEngine& producer = Start({.max_request_size_bytes = 5000});
  const auto refused = [&](const Record& record) {
    return std::string(producer.Send(record).Wait().status().ToString());
  };
  EXPECT_NE(refused({.topic = ""}).find("INVALID_ARGUMENT"), std::string::npos);
  EXPECT_NE(refused({.topic = "a/b"}).find("INVALID_ARGUMENT"), std::string::npos);
  EXPECT_NE(refused({.topic = "missing"}).find("NOT_FOUND"), std::string::npos);
  EXPECT_EQ(refused({.topic = "three", .partition = 3}),
            "NOT_FOUND: topic 'three' has no partition 3: it has 3");
  EXPECT_EQ(refused({.topic = "three", .partition = -1}),
            "NOT_FOUND: topic 'three' has no partition -1: it has 3");
  EXPECT_NE(refused({.topic = "three", .partition = std::numeric_limits<int32_t>::min()})
                .find("NOT_FOUND"),
            std::string::npos);
  EXPECT_NE(refused({.topic = "three", .timestamp = -5}).find("timestamp is negative: -5"),
            std::string::npos);
  const std::string large(6000, 'x');
  EXPECT_NE(refused({.topic = "three", .value = large}).find("max_request_size_bytes, 5000"),
            std::string::npos);
  absl::StatusCode code = absl::StatusCode::kOk;
  producer.Send({.topic = "missing"}, [&](const auto& where) { code = where.status().code(); });
  EXPECT_EQ(code, absl::StatusCode::kNotFound);  // at once
}

TEST_P(ProducerEngineTest, BadOptionsAreNamed) {
  const auto message = [&](ProducerOptions options) {
    return std::string(Create(options).message());
  };
  EXPECT_NE(message({.linger = milliseconds(-1)}).find("linger is -1"), std::string::npos);
  EXPECT_NE(message({.batch_size_bytes = -7}).find("batch_size_bytes is -7"), std::string::npos);
  EXPECT_NE(message({.buffer_memory_bytes = 0}).find("buffer_memory_bytes is 0"),
            std::string::npos);
  EXPECT_NE(message({.request_timeout = milliseconds(0)}).find("request_timeout is 0"),
            std::string::npos);
  EXPECT_NE(message({.max_request_size_bytes = 0}).find("max_request_size_bytes is 0"),
            std::string::npos);
  EXPECT_EQ(
      message({.delivery_timeout = milliseconds(3)}),
      "ProducerOptions::delivery_timeout is 3 ms, less than linger, 5 ms: raise the one or lower "
      "the other");
  EXPECT_NE(message({.compression = Compression::kGzip, .compression_level = 77}).find("77"),
            std::string::npos);
  EXPECT_NE(message({.compression = static_cast<Compression>(6)}).find("compression"),
            std::string::npos);
  EXPECT_NE(message({.acks = static_cast<Acks>(9)}).find("acks is 9"), std::string::npos);
  EXPECT_TRUE(Create({.delivery_timeout = milliseconds::max(),
                      .request_timeout = milliseconds::max(),
                      .max_block = milliseconds::max(),
                      .linger = milliseconds::max()})
                  .ok());
}

TEST_P(ProducerEngineTest, WithoutBrokersCreateGivesUp) {
  brokers_->Stop(1);
  brokers_->Stop(2);
  EXPECT_EQ(Create({.max_block = milliseconds(30)}).code(), absl::StatusCode::kUnavailable);
  brokers_->Start(2);
  EXPECT_TRUE(Create({.max_block = seconds(10)}).ok());
}

TEST_P(ProducerEngineTest, AnUnknownTopicWaitsForBrokersButNotInACallback) {
  ProducerEngine& producer = Start({.max_block = milliseconds(50)});
  EXPECT_TRUE(producer.Send({.topic = "first-test"}).Wait().ok());
  absl::StatusCode in_callback = absl::StatusCode::kOk;
  producer.Send({.topic = "first-test"}, [&](const auto&) {
    brokers_->Stop(1);
    brokers_->Stop(2);
    in_callback = CodeOf(producer.Send({.topic = "three"}));
  });
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(in_callback, absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(producer.Send({.topic = "three"})), absl::StatusCode::kUnavailable);
  brokers_->Start(2);
  EXPECT_EQ(CodeOf(producer.Send({.topic = "missing"})), absl::StatusCode::kNotFound);
}

TEST_P(ProducerEngineTest, AfterShutdownEverythingFails) {
  HoldAnswers();
  ProducerEngine& producer = Start();
  const Ticket in_flight = producer.Send({.topic = "first-test", .value = "a"});
  EXPECT_FALSE(in_flight.Wait(milliseconds(5)).ok());
  const Ticket open = producer.Send({.topic = "first-test", .value = "b"});
  int reported = 0;
  producer.Send({.topic = "first-test", .value = "c"},
                [&](const auto& where) { reported += absl::IsFailedPrecondition(where.status()); });
  {
    PublicCall call;  // Cluster's destructor
    brokers_->runtime()->closed = true;
    brokers_->runtime()->network->Close();
    executor_->Shutdown();
  }
  EXPECT_EQ(CodeOf(in_flight), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(open), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(producer.Send({.topic = "first-test"})), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(producer.Send({.topic = "other"})), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(producer.Flush(seconds(1)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reported, 1);
  EXPECT_EQ(Create({}).code(), absl::StatusCode::kFailedPrecondition);
}

// --- Threads ------------------------------------------------------------------------------------

class ProducerThreadsTest : public ProducerEngineTest {
 protected:
  // Two threads send `count` records each, to these partitions of "three".
  void SendFromTwoThreads(int count, int partition_a, int partition_b) {
    ProducerEngine& producer = Start();
    std::atomic<int> reported{0};
    const auto send = [&](char name, int partition) {
      for (int i = 0; i < count; ++i) {
        const std::string value = base::Cat(std::string(1, name), i);
        const Record record{.topic = "three", .partition = partition, .value = value};
        if (i % 3 == 0) {
          producer.Send(record, [&](const auto& where) { reported += where.ok(); });
        } else if (i % 1000 == 1) {
          EXPECT_TRUE(producer.Send(record).Wait().ok());
        } else {
          producer.Send(record);
        }
      }
      EXPECT_TRUE(producer.Flush(seconds(60)).ok());
    };
    std::thread a(send, 'a', partition_a), b(send, 'b', partition_b);
    a.join();
    b.join();
    EXPECT_EQ(reported, 2 * ((count + 2) / 3));
    int next_a = 0, next_b = 0;
    for (int p = 0; p < 3; ++p) {
      for (const std::string& value : brokers_->Values("three", p)) {
        int& next = value[0] == 'a' ? next_a : next_b;
        ASSERT_EQ(value.substr(1), std::to_string(next));
        ++next;
      }
    }
    EXPECT_EQ(next_a, count);
    EXPECT_EQ(next_b, count);
  }
};

INSTANTIATE_TEST_SUITE_P(All, ProducerThreadsTest, ::testing::Values(Kind::kReal));

TEST_P(ProducerThreadsTest, OnePartition) { SendFromTwoThreads(20000, 1, 1); }
TEST_P(ProducerThreadsTest, TwoPartitions) { SendFromTwoThreads(20000, 0, 2); }

TEST_P(ProducerThreadsTest, TheyWaitForEachOthersMemory) {
  ProducerEngine& producer = Start({.buffer_memory_bytes = 40000});
  std::atomic<int> failed{0};
  const auto send = [&](int partition) {
    const std::string value(1000, 'x');
    for (int i = 0; i < 3000; ++i) {
      producer.Send({.topic = "three", .partition = partition, .value = value},
                    [&](const auto& where) { failed += !where.ok(); });
    }
  };
  std::thread a(send, 0), b(send, 1);
  a.join();
  b.join();
  EXPECT_TRUE(producer.Flush(seconds(60)).ok());
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(brokers_->Values("three", 0).size(), 3000u);
}

}  // namespace
}  // namespace kafkalite::client
