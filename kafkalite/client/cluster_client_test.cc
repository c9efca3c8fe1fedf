#include "kafkalite/client/cluster_client.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/network.h"
#include "kafkalite/client/await.h"
#include "kafkalite/client/fake_broker.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/protocol/metadata.h"

namespace kafkalite::client {
namespace {

using model::BrokerId;
using model::PartitionId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Topic = std::shared_ptr<const TopicMetadata>;

class ClusterClientTest : public testing::TestWithParam<bool> {
 protected:
  FakeCluster& Start(int brokers) {
    cluster_ = std::make_unique<FakeCluster>(
        FakeCluster::Options{.simulated = GetParam(), .brokers = brokers});
    client_ = ClusterClient::Create(cluster_->runtime());
    return *cluster_;
  }

  absl::StatusOr<Topic> Refresh(const std::string& topic, base::Duration timeout = seconds(10)) {
    return Await<Topic>(cluster_->executor(), Soon(),
                        [&](auto reply) { client_->Refresh(topic, timeout, std::move(reply)); });
  }
  absl::StatusOr<protocol::MetadataResponse> Metadata(base::Duration timeout) {
    return Await<protocol::MetadataResponse>(cluster_->executor(), Soon(), [&](auto reply) {
      client_->FetchMetadata({}, timeout, std::move(reply));
    });
  }
  // When a test gives up.
  base::Time Soon() { return cluster_->executor().clock().Now() + seconds(20); }

  void CutClientTo(int broker) {
    cluster_->network().Cut(base::NodeId{client_->client_id()}, base::NodeId{broker});
  }

  std::unique_ptr<FakeCluster> cluster_;
  std::shared_ptr<ClusterClient> client_;
};

TEST_P(ClusterClientTest, RemembersWhatBrokersSay) {
  FakeCluster& cluster = Start(2);
  cluster.CreateTopic("t", 3);
  EXPECT_EQ(client_->Find("t"), nullptr);
  const absl::StatusOr<Topic> topic = Refresh("t");
  ASSERT_TRUE(topic.ok()) << topic.status();
  ASSERT_EQ((*topic)->partitions.size(), 3u);
  EXPECT_EQ((*topic)->partitions[1].leader, BrokerId(2));
  EXPECT_EQ(client_->Find("t"), *topic);
}

TEST_P(ClusterClientTest, ForgetsATopicThatIsGone) {
  FakeCluster& cluster = Start(1);
  cluster.CreateTopic("t", 1);
  ASSERT_TRUE(Refresh("t").ok());
  cluster.state().DeleteTopic("t");
  EXPECT_TRUE(absl::IsNotFound(Refresh("t").status()));
  EXPECT_EQ(client_->Find("t"), nullptr);
}

// KIP-320: as of a broker that nobody has told anything for a while.
TEST_P(ClusterClientTest, WhatIsOlderThanWhatItKnowsDoesNotCount) {
  FakeCluster& cluster = Start(3);
  cluster.CreateTopic("t", 2);
  cluster.SetLeader({"t", PartitionId(0)}, 3);
  ASSERT_TRUE(Refresh("t").ok());
  cluster.state().With({"t", PartitionId(0)}, [](FakeState::Partition& partition) {
    partition.leader = BrokerId(1);
    partition.leader_epoch = model::LeaderEpoch(0);
  });
  cluster.SetLeader({"t", PartitionId(1)}, 1);
  const absl::StatusOr<Topic> topic = Refresh("t");
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ((*topic)->partitions[0].leader, BrokerId(3));
  EXPECT_EQ((*topic)->partitions[0].leader_epoch, model::LeaderEpoch(1));
  EXPECT_EQ((*topic)->partitions[1].leader, BrokerId(1));
  EXPECT_EQ(client_->Find("t"), *topic);
}

TEST_P(ClusterClientTest, ATopicThatHasFewerPartitionsWasMadeAnew) {
  FakeCluster& cluster = Start(1);
  cluster.CreateTopic("t", 2);
  cluster.SetLeader({"t", PartitionId(0)}, 1);
  ASSERT_TRUE(Refresh("t").ok());
  cluster.state().DeleteTopic("t");
  cluster.CreateTopic("t", 1);
  const absl::StatusOr<Topic> topic = Refresh("t");
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ((*topic)->partitions.size(), 1u);
  EXPECT_EQ((*topic)->partitions[0].leader_epoch, model::LeaderEpoch(0));
}

TEST_P(ClusterClientTest, ClientsHaveNumbersOfTheirOwn) {
  FakeCluster& cluster = Start(1);
  EXPECT_EQ(client_->client_id(), static_cast<int>(base::NodeId::kFirstClient));
  EXPECT_EQ(ClusterClient::Create(cluster.runtime())->client_id(), client_->client_id() - 1);
}

TEST_P(ClusterClientTest, AsksTheNextBrokerAtOnceWhenOneIsGone) {
  FakeCluster& cluster = Start(3);
  cluster.Stop(1);
  cluster.Stop(2);
  const base::Time start = cluster.executor().clock().Now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Metadata(seconds(10)).ok());
  EXPECT_LT(cluster.executor().clock().Now() - start, seconds(1));
}

TEST_P(ClusterClientTest, AsksTheNextBrokerWhenOneIsSilent) {
  FakeCluster& cluster = Start(2);
  CutClientTo(1);
  const base::Time start = cluster.executor().clock().Now();
  EXPECT_TRUE(Metadata(seconds(10)).ok());
  EXPECT_GE(cluster.executor().clock().Now() - start, seconds(2));
}

TEST_P(ClusterClientTest, UnavailableWhenNobodyAnswers) {
  FakeCluster& cluster = Start(2);
  cluster.Stop(1);
  CutClientTo(2);
  EXPECT_TRUE(absl::IsUnavailable(Metadata(milliseconds(50)).status()));
  cluster.Stop(2);
  cluster.network().HealAll();
  EXPECT_TRUE(absl::IsUnavailable(Metadata(milliseconds(50)).status()));
}

TEST_P(ClusterClientTest, AsksAgainAfterAPause) {
  FakeCluster& cluster = Start(1);
  cluster.CreateTopic("t", 1);
  // Nobody answers at first: the link loses what is sent and is healed while the client pauses.
  cluster.network().Cut(base::NodeId{client_->client_id()}, base::NodeId{1});
  client_->After(milliseconds(20), [&cluster] { cluster.network().HealAll(); });
  const base::Time start = cluster.executor().clock().Now();
  EXPECT_TRUE(Refresh("t").ok());
  EXPECT_LT(cluster.executor().clock().Now() - start, seconds(1));
}

TEST_P(ClusterClientTest, CallersShareARequestThatBeginsAfterTheyCalled) {
  FakeCluster& cluster = Start(1);
  cluster.CreateTopic("t", 1);
  cluster.network().Disturb(base::NodeId{client_->client_id()}, base::NodeId{1},
                            {.delay = milliseconds(20)});
  std::vector<std::shared_ptr<base::Completion>> done;
  for (int i = 0; i < 5; ++i) {
    done.push_back(std::make_shared<base::Completion>());
    client_->Refresh("t", seconds(10), [signal = done.back()](absl::StatusOr<Topic> topic) {
      EXPECT_TRUE(topic.ok()) << topic.status();
      signal->Signal();
    });
  }
  for (const auto& each : done) EXPECT_TRUE(cluster.executor().BlockUntil(*each, Soon()).ok());
  EXPECT_EQ(cluster.state().metadata_requests(), 2);  // the first caller's, and one for the others
}

TEST_P(ClusterClientTest, FailsWhenTheClusterIsShutDown) {
  FakeCluster& cluster = Start(1);
  CutClientTo(1);
  auto done = std::make_shared<base::Completion>();
  auto result = std::make_shared<absl::Status>();
  client_->Refresh("t", seconds(10), [=](const absl::StatusOr<Topic>& topic) {
    *result = topic.status();
    done->Signal();
  });
  cluster.Shutdown();
  EXPECT_TRUE(cluster.executor().BlockUntil(*done, Soon()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(*result)) << *result;
  EXPECT_TRUE(absl::IsFailedPrecondition(Refresh("t").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(client_->CheckOpen()));
}

INSTANTIATE_TEST_SUITE_P(Executors, ClusterClientTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Simulated" : "Real"; });

}  // namespace
}  // namespace kafkalite::client
