// What a producer may be told for single topics, its partitioners, and what it counts.

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/client/producer_engine_fixture.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/metrics.h"
#include "kafkalite/producer.h"

namespace kafkalite::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ProducerOptionsTest : public ProducerEngineTest {
 protected:
  format::BatchHeader OnlyHeader(const std::string& topic) {
    const auto batches = brokers_->Batches(topic, 0);
    EXPECT_EQ(batches.size(), 1u) << topic;
    return batches.empty() ? format::BatchHeader() : batches.front().header;
  }
  static std::string ErrorOf(const Ticket& ticket) {
    return std::string(ticket.Wait().status().message());
  }
};

INSTANTIATE_TEST_SUITE_P(All, ProducerOptionsTest, ::testing::Values(Kind::kReal, Kind::kSimulated),
                         KindName);

// --- By topic -----------------------------------------------------------------------------------

TEST_P(ProducerOptionsTest, ATopicMayHaveAnotherCompression) {
  brokers_->AddTopic("text", 1);
  brokers_->AddTopic("plain", 1);
  ProducerOptions options{.compression = Compression::kGzip, .compression_level = 9};
  options.topics["text"] = {.compression = Compression::kZstd, .compression_level = 3};
  options.topics["plain"] = {.compression = Compression::kNone};
  ProducerEngine& producer = Start(options);
  const std::string value(2000, 'a');
  for (const std::string topic : {"first-test", "text", "plain"}) {
    ASSERT_TRUE(producer.Send({.topic = topic, .value = value}).Wait().ok());
  }
  const auto codec = [&](const std::string& topic) { return OnlyHeader(topic).attributes & 7; };
  EXPECT_EQ(codec("first-test"), static_cast<int>(Compression::kGzip));
  EXPECT_EQ(codec("text"), static_cast<int>(Compression::kZstd));
  EXPECT_EQ(codec("plain"), static_cast<int>(Compression::kNone));
}

TEST_P(ProducerOptionsTest, EveryCodecIsReadBack) {
  for (const Compression codec : {Compression::kNone, Compression::kGzip, Compression::kSnappy,
                                  Compression::kLz4, Compression::kZstd}) {
    const std::string topic = base::Cat("codec-", static_cast<int>(codec));
    brokers_->AddTopic(topic, 1);
    ProducerOptions options;
    options.topics[topic] = {.compression = codec};
    ProducerEngine& producer = Start(options);
    std::vector<std::string> sent;
    for (int i = 0; i < 100; ++i) {
      sent.push_back(base::Cat("value ", i));
      producer.Send({.topic = topic, .value = sent.back()});
    }
    ASSERT_TRUE(producer.Flush(seconds(10)).ok());
    EXPECT_EQ(brokers_->Values(topic, 0), sent) << topic;
    producer.Close();
  }
}

TEST_P(ProducerOptionsTest, ATopicMayHaveOtherAcksAndIsIdempotentByThem) {
  ProducerOptions options;
  options.topics["three"] = {.acks = Acks::kLeader};
  ProducerEngine& producer = Start(options);
  ASSERT_TRUE(producer.Send({.topic = "first-test", .value = "a"}).Wait().ok());
  ASSERT_TRUE(producer.Send({.topic = "three", .partition = 0, .value = "a"}).Wait().ok());
  EXPECT_NE(OnlyHeader("first-test").producer_id, model::kNoProducerId);
  EXPECT_EQ(OnlyHeader("three").producer_id, model::kNoProducerId);
}

TEST_P(ProducerOptionsTest, AProducerOfOtherAcksMayHaveAnIdempotentTopic) {
  ProducerOptions options{.acks = Acks::kLeader};
  options.topics["three"] = {.acks = Acks::kAll};
  ProducerEngine& producer = Start(options);
  ASSERT_TRUE(producer.Send({.topic = "three", .partition = 0, .value = "a"}).Wait().ok());
  EXPECT_NE(OnlyHeader("three").producer_id, model::kNoProducerId);
}

TEST_P(ProducerOptionsTest, ATopicMayHaveAnotherLinger) {
  ProducerOptions options{.delivery_timeout = seconds(2000), .linger = seconds(1000)};
  options.topics["three"] = {.linger = milliseconds(5)};
  ProducerEngine& producer = Start(options);
  producer.Send({.topic = "first-test", .value = "waits"});
  producer.Send({.topic = "three", .partition = 0, .value = "leaves"});
  for (int i = 0; i < 1000 && brokers_->Values("three", 0).empty(); ++i) Sleep(milliseconds(2));
  EXPECT_EQ(brokers_->Values("three", 0), std::vector<std::string>{"leaves"});
  EXPECT_TRUE(brokers_->Values("first-test", 0).empty());
}

TEST_P(ProducerOptionsTest, ATopicMayHaveAnotherBatchSize) {
  ProducerOptions options{.linger = seconds(10)};
  options.topics["first-test"] = {.batch_size_bytes = 0};
  ProducerEngine& producer = Start(options);
  for (int i = 0; i < 4; ++i) {
    producer.Send({.topic = "first-test", .value = "a"});
    producer.Send({.topic = "three", .partition = 0, .value = "a"});
  }
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(brokers_->Batches("first-test", 0).size(), 4u);
  EXPECT_EQ(brokers_->Batches("three", 0).size(), 1u);
}

TEST_P(ProducerOptionsTest, ATopicMayHaveAnotherDeliveryTimeout) {
  HoldAnswers();
  ProducerOptions options{.delivery_timeout = seconds(1000)};
  options.topics["three"] = {.delivery_timeout = milliseconds(50)};
  ProducerEngine& producer = Start(options);
  EXPECT_EQ(CodeOf(producer.Send({.topic = "three", .value = "a"})),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_P(ProducerOptionsTest, BadOptionsOfATopicAreNamedWithIt) {
  const auto error_of = [&](const ProducerTopicOptions& topic) {
    ProducerOptions options;
    options.topics["orders"] = topic;
    return std::string(Create(options).message());
  };
  EXPECT_EQ(error_of({.linger = milliseconds(-1)}),
            "ProducerOptions::topics[\"orders\"].linger is -1: 0 or more");
  EXPECT_EQ(error_of({.batch_size_bytes = -1}),
            "ProducerOptions::topics[\"orders\"].batch_size_bytes is -1: from 0 to 1073741824");
  EXPECT_EQ(error_of({.linger = seconds(200)}),
            "ProducerOptions::topics[\"orders\"].delivery_timeout is 120000 ms, less than linger, "
            "200000 ms: raise the one or lower the other");
  EXPECT_EQ(
      error_of({.partitioner = Partitioner::Default({.availability_timeout = milliseconds(-1)})}),
      "ProducerOptions::topics[\"orders\"].partitioner.availability_timeout is -1: 0 or more");
  EXPECT_EQ(error_of({.partitioner = Partitioner::Custom(nullptr)}),
            "ProducerOptions::topics[\"orders\"].partitioner is Custom without a function: give it "
            "one, or Default()");
  EXPECT_NE(error_of({.compression = Compression::kZstd, .compression_level = 1000})
                .find("ProducerOptions::topics[\"orders\"].compression_level: zstd: level is 1000"),
            std::string::npos);
  EXPECT_EQ(error_of({}), "");
  ProducerOptions options;
  options.topics["no topic!"] = {};
  EXPECT_NE(std::string(Create(options).message()).find("no topic!"), std::string::npos);
}

// --- Partitioners -------------------------------------------------------------------------------

TEST_P(ProducerOptionsTest, RoundRobinSpreadsAllRecordsEvenly) {
  ProducerEngine& producer = Start({.partitioner = Partitioner::RoundRobin()});
  for (int i = 0; i < 30; ++i) producer.Send({.topic = "three", .key = "same", .value = "a"});
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  for (int p = 0; p < 3; ++p) EXPECT_EQ(brokers_->Values("three", p).size(), 10u);
}

TEST_P(ProducerOptionsTest, OnesOwnPartitionerIsAskedOnceForEachRecordWithoutAPartition) {
  std::atomic<int> asked = 0;
  ProducerOptions options{.linger = milliseconds(1), .batch_size_bytes = 200};
  options.topics["three"].partitioner = Partitioner::Custom([&](const PartitionerInput& in) {
    ++asked;
    EXPECT_EQ(in.topic, "three");
    EXPECT_EQ(in.partitions, 3);
    EXPECT_EQ(in.has_leader.size(), 3u);
    EXPECT_TRUE(in.has_leader[2]);
    return in.key == "urgent" ? 0 : 1 + PartitionOfKey(*in.value, in.partitions - 1);
  });
  ProducerEngine& producer = Start(options);
  for (int i = 0; i < 100; ++i) {
    producer.Send({.topic = "three", .key = "urgent", .value = "now"});
    producer.Send({.topic = "three", .value = base::Cat("value ", i)});
  }
  producer.Send({.topic = "three", .partition = 2, .value = "named"});
  producer.Send({.topic = "first-test", .value = "of the default"});
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_EQ(asked, 200);
  EXPECT_EQ(brokers_->Values("three", 0), std::vector<std::string>(100, "now"));
  EXPECT_EQ(brokers_->Values("three", 1).size() + brokers_->Values("three", 2).size(), 101u);
}

TEST_P(ProducerOptionsTest, RecordsWithoutAKeyStayForABatchsWorthHoweverItIsCut) {
  ProducerEngine& producer = Start({.batch_size_bytes = 1061});  // the header has 61
  std::vector<int32_t> partitions;
  for (int i = 0; i < 40; ++i) {
    const auto sent = producer.Send({.topic = "three", .value = std::string(93, 'a')}).Wait();
    partitions.push_back(sent->partition);  // each was a batch of 100 bytes
  }
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(i > 0 && partitions[i] == partitions[i - 1], i % 10 != 0) << i;
  }
}

TEST_P(ProducerOptionsTest, AFullBatchIsTheEndOfItsPartitionsTurn) {
  ProducerEngine& producer = Start({.partitioner = Partitioner::Default({.adaptive = false}),
                                    .linger = seconds(10),
                                    .batch_size_bytes = 1061});
  std::vector<Ticket> tickets;
  for (int i = 0; i < 50; ++i) {  // five fit, with 950 bytes
    tickets.push_back(producer.Send({.topic = "three", .value = std::string(182, 'a')}));
  }
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  for (size_t i = 1; i < tickets.size(); ++i) {
    EXPECT_EQ(tickets[i].Wait()->partition == tickets[i - 1].Wait()->partition, i % 5 != 0) << i;
  }
}

TEST_P(ProducerOptionsTest, WhereBatchesWaitFewRecordsGo) {
  // Nobody answers for partition 0 while the others are quick.
  brokers_->SetOnProduce([](const auto& partition) {
    return partition.tp.partition.value() > 0
               ? FakeLeaders::Fault{}
               : FakeLeaders::Fault{.answer = FakeLeaders::Fault::Answer::kHold};
  });
  for (const bool adaptive : {true, false}) {
    const size_t before = brokers_->Values("three", 1).size() + brokers_->Values("three", 2).size();
    ProducerEngine& producer =
        Start({.partitioner = Partitioner::Default({.adaptive = adaptive}), .batch_size_bytes = 0});
    for (int i = 0; i < 300; ++i) {
      (void)producer.Send({.topic = "three", .value = "a"}).Wait(milliseconds(1));
    }
    const size_t quick =
        brokers_->Values("three", 1).size() + brokers_->Values("three", 2).size() - before;
    EXPECT_EQ(quick > 270, adaptive) << quick;
    producer.Close();
  }
}

TEST_P(ProducerOptionsTest, AWaitingPartitionIsLeftOutAfterItsAvailabilityTimeout) {
  brokers_->SetOnProduce([](const auto& partition) {
    return partition.tp.partition.value() > 0
               ? FakeLeaders::Fault{}
               : FakeLeaders::Fault{.answer = FakeLeaders::Fault::Answer::kHold};
  });
  ProducerEngine& producer =
      Start({.partitioner = Partitioner::Default({.availability_timeout = milliseconds(20)}),
             .batch_size_bytes = 0});
  for (int i = 0; i < 4; ++i) producer.Send({.topic = "three", .partition = 0, .value = "waits"});
  Sleep(milliseconds(50));
  for (int i = 0; i < 300; ++i) {
    // What was the current one at first may be 0.
    const Ticket ticket = producer.Send({.topic = "three", .value = "a"});
    if (i > 0) {
      EXPECT_TRUE(ticket.Wait(seconds(5)).ok());
    }
  }
}

TEST_P(ProducerOptionsTest, KeysMayBeIgnored) {
  ProducerOptions options{.batch_size_bytes = 0};
  options.topics["three"].partitioner = Partitioner::Default({.ignore_keys = true});
  ProducerEngine& producer = Start(options);
  std::set<int32_t> partitions;
  for (int i = 0; i < 60; ++i) {
    partitions.insert(producer.Send({.topic = "three", .key = "same"}).Wait()->partition);
  }
  EXPECT_EQ(partitions.size(), 3u);
}

TEST_P(ProducerOptionsTest, APartitionThatDoesNotExistRefusesTheRecord) {
  int32_t chosen = 3;
  ProducerEngine& producer =
      Start({.partitioner = Partitioner::Custom([&](const PartitionerInput&) { return chosen; })});
  const Ticket ticket = producer.Send({.topic = "three", .value = "a"});
  EXPECT_EQ(CodeOf(ticket), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorOf(ticket), "the partitioner chose partition 3 of topic 'three', which has 3");
  chosen = -1;
  EXPECT_EQ(CodeOf(producer.Send({.topic = "three", .value = "a"})),
            absl::StatusCode::kInvalidArgument);
  chosen = 2;
  EXPECT_EQ(producer.Send({.topic = "three", .value = "a"}).Wait()->partition, 2);
}

TEST_P(ProducerOptionsTest, ThoseThatChooseForThemselvesPassOverPartitionsWithoutALeader) {
  brokers_->SetLeader("three", 1, -1);
  ProducerOptions options{.batch_size_bytes = 0};
  brokers_->AddTopic("turns", 3);
  brokers_->SetLeader("turns", 1, -1);
  options.topics["turns"].partitioner = Partitioner::RoundRobin();
  ProducerEngine& producer = Start(options);
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(producer.Send({.topic = "three", .value = "a"}).Wait(seconds(5)).ok());
    ASSERT_TRUE(producer.Send({.topic = "turns", .value = "a"}).Wait(seconds(5)).ok());
  }
  EXPECT_EQ(brokers_->Values("turns", 0).size(), 20u);
  EXPECT_EQ(brokers_->Values("turns", 2).size(), 20u);
  EXPECT_GT(brokers_->Values("three", 0).size(), 0u);
  EXPECT_GT(brokers_->Values("three", 2).size(), 0u);
}

// --- Metrics ------------------------------------------------------------------------------------

TEST_P(ProducerOptionsTest, CountsWhatItDid) {
  std::atomic<int> requests = 0;
  brokers_->SetOnProduce([&](const auto&) {
    return requests++ == 0 ? FakeLeaders::Fault{.append = false,
                                                .error = model::ErrorCode::kNotLeaderOrFollower}
                           : FakeLeaders::Fault{};
  });
  ProducerEngine& producer = Start({.compression = Compression::kGzip});
  for (int i = 0; i < 10; ++i) {
    producer.Send({.topic = "first-test", .value = std::string(500, 'a')});
  }
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  EXPECT_FALSE(producer.Send({.topic = "first-test", .partition = 7, .value = "a"}).Wait().ok());
  const ProducerMetrics metrics = producer.metrics();
  EXPECT_EQ(metrics.records_sent, 20);
  EXPECT_EQ(metrics.batches_sent, 2);
  EXPECT_EQ(metrics.records_retried, 10);
  EXPECT_EQ(metrics.batches_retried, 1);
  EXPECT_EQ(metrics.records_acknowledged, 10);
  EXPECT_EQ(metrics.batches_acknowledged, 1);
  EXPECT_EQ(metrics.bytes_sent, 2 * metrics.bytes_acknowledged);
  EXPECT_EQ(metrics.records_failed, 1);
  EXPECT_EQ(metrics.records_waiting, 0);
  EXPECT_EQ(metrics.requests_in_flight, 0);
  EXPECT_EQ(metrics.request_latency.count, 2);
  EXPECT_GT(metrics.uncompressed_bytes, 5000);
  EXPECT_LT(metrics.compression_ratio(), 0.1);
  EXPECT_EQ(metrics.buffer_total_bytes, ProducerOptions().buffer_memory_bytes);
  EXPECT_EQ(metrics.buffer_used_bytes, 0);
}

TEST_P(ProducerOptionsTest, CountsWhatIsUnderWay) {
  HoldAnswers();
  ProducerEngine& producer = Start({.linger = seconds(10), .buffer_memory_bytes = 100000});
  producer.Send({.topic = "three", .partition = 1, .value = "open"});
  const Ticket ticket = producer.Send({.topic = "first-test", .value = "in flight"});
  (void)ticket.Wait(milliseconds(20));
  ProducerMetrics metrics = producer.metrics();
  EXPECT_EQ(metrics.records_waiting, 2);
  EXPECT_EQ(metrics.requests_in_flight, 1);
  EXPECT_GT(metrics.buffer_used_bytes, 0);
  EXPECT_EQ(metrics.records_acknowledged, 0);
  brokers_->Release();
  brokers_->SetOnProduce([](const auto&) { return FakeLeaders::Fault{}; });
  ASSERT_TRUE(producer.Flush(seconds(10)).ok());
  metrics = producer.metrics();
  EXPECT_EQ(metrics.records_waiting, 0);
  EXPECT_EQ(metrics.records_acknowledged, 2);
}

}  // namespace
}  // namespace kafkalite::client
