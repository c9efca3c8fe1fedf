// Rule 17 of docs/internals/replication.md: how a broker registers, and what it does when its
// session is over, its former self's is not, or somebody else has its number.

#include "kafkalite/server/registration.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/network.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/coordination/znodes.h"

namespace kafkalite::server {
namespace {

using coordination::Operation;
using model::BrokerId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Heard = std::vector<std::string>;
namespace paths = coordination::paths;

constexpr base::NodeId kSelf{1};
constexpr base::NodeId kTree = base::NodeId::kCoordination;
constexpr milliseconds kTimeout{600};

// One life of broker 1.
struct Life {
  std::shared_ptr<Registration> registration;
  // "registered N", with the incarnation, and "lost".
  Heard heard;
  std::shared_ptr<coordination::Session> session;
};

class RegistrationTest : public testing::TestWithParam<uint64_t> {
 protected:
  void TearDown() override {
    for (const auto& life : lives_) Stop(*life);
    tree_.Settle();
  }

  // Lives end with the test, or by Stop.
  Life& Start() {
    lives_.push_back(std::make_unique<Life>());
    Life& life = *lives_.back();
    life.registration = std::make_shared<Registration>(
        tree_.executor(),
        [this](base::Duration delay, base::Task task) {
          tree_.After(kSelf, delay, std::move(task));
        },
        tree_.coordination(),
        Registration::Options{
            .broker = BrokerId(1), .session_timeout = kTimeout, .cluster_id = "test"},
        Registration::Listener{
            .registered =
                [&life](std::shared_ptr<coordination::Session> session, model::Incarnation number) {
                  life.session = std::move(session);
                  life.heard.push_back("registered " + std::to_string(number.value()));
                },
            .lost =
                [&life] {
                  life.session = nullptr;
                  life.heard.push_back("lost");
                }});
    life.registration->Start();
    return life;
  }
  static void Stop(Life& life) {
    life.session = nullptr;
    life.registration->Stop();
  }
  // As a process that dies: its session stays until it expires.
  void Kill(Life& life) {
    tree_.coordination().DisownClient(1);
    Stop(life);
  }
  Life& StartAndRegister() {
    Life& life = Start();
    EXPECT_TRUE(tree_.Eventually([&] { return !life.heard.empty(); }));
    return life;
  }
  // Somebody else is broker 1. Returns whose the node is.
  uint64_t RegisterForeigner() {
    coordination::BrokerRegistration foreigner;
    foreigner.security_protocols["PLAINTEXT"] = "PLAINTEXT";
    foreigner.host = "elsewhere";
    foreigner.incarnation = model::Incarnation(5);
    tree_.MustCommit({Operation::Create(paths::kBrokers, ""),
                      Operation::Create(paths::kBrokerIds, ""),
                      Operation::Create(kNode, foreigner.Format(), Operation::Mode::kEphemeral)});
    return tree_.OwnerOf(kNode);
  }
  bool IsRegistered() { return tree_.Exists(kNode); }
  int32_t Incarnation() { return tree_.VersionOf(paths::Incarnation(BrokerId(1))); }

  const std::string kNode = paths::Broker(BrokerId(1));
  coordination::SimTree tree_{GetParam()};
  std::vector<std::unique_ptr<Life>> lives_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, RegistrationTest, testing::Range<uint64_t>(1, 6));

TEST_P(RegistrationTest, Rule15_RegisteringRaisesTheIncarnationInTheSameCommit) {
  Life& life = StartAndRegister();
  EXPECT_EQ(life.heard, Heard{"registered 1"});
  EXPECT_EQ(Incarnation(), 1);
  const auto node = coordination::BrokerRegistration::Parse(kNode, tree_.Get(kNode).data);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->incarnation, model::Incarnation(1));
  EXPECT_EQ(tree_.OwnerOf(kNode), life.session->id());
}

// KAFKA-928.
TEST_P(RegistrationTest, Rule17_AfterAnExpiryThereIsANewSessionAndANewIncarnation) {
  Life& life = StartAndRegister();
  const uint64_t first = life.session->id();
  tree_.coordination().ExpireClient(1);
  ASSERT_TRUE(tree_.Eventually([&] { return life.heard.size() == 3; }));
  EXPECT_EQ(life.heard, (Heard{"registered 1", "lost", "registered 2"}));
  EXPECT_NE(life.session->id(), first);
  EXPECT_EQ(tree_.OwnerOf(kNode), life.session->id());
  EXPECT_EQ(Incarnation(), 2);
}

// KAFKA-5473: it is tried for ever.
TEST_P(RegistrationTest, Rule17_ABrokerThatIsCutOffForLongRegistersInTheEnd) {
  Life& life = StartAndRegister();
  tree_.network().Cut(kSelf, kTree);
  tree_.RunFor(10 * kTimeout);
  EXPECT_FALSE(IsRegistered());
  tree_.network().HealAll();
  ASSERT_TRUE(tree_.Eventually([&] { return life.heard.size() >= 3; }));
  EXPECT_EQ(life.heard, (Heard{"registered 1", "lost", "registered 2"}));
  EXPECT_TRUE(IsRegistered());
}

// KAFKA-1387: the ephemeral node of the former self is still there.
TEST_P(RegistrationTest, Rule17_AFastRestartWaitsForItsFormerSessionAndRegisters) {
  Kill(StartAndRegister());
  Life& second = Start();
  tree_.RunFor(kTimeout / 2);
  EXPECT_TRUE(IsRegistered());
  EXPECT_EQ(second.heard, Heard());
  EXPECT_EQ(Incarnation(), 1);
  ASSERT_TRUE(tree_.Eventually([&] { return !second.heard.empty(); }));
  EXPECT_EQ(second.heard, Heard{"registered 2"});
  EXPECT_EQ(tree_.OwnerOf(kNode), second.session->id());
  tree_.RunFor(2 * kTimeout);
  EXPECT_EQ(second.heard, Heard{"registered 2"});
}

TEST_P(RegistrationTest, Rule17_ARegistrationOfAnotherSessionIsNotTakenOver) {
  const uint64_t owner = RegisterForeigner();
  const std::string foreign = tree_.Get(kNode).data;
  Life& life = Start();
  tree_.RunFor(10 * kTimeout);
  EXPECT_EQ(life.heard, Heard());
  EXPECT_EQ(tree_.Get(kNode).data, foreign);
  EXPECT_EQ(tree_.OwnerOf(kNode), owner);
  EXPECT_EQ(Incarnation(), 0);
  tree_.MustCommit({Operation::Delete(kNode)});
  ASSERT_TRUE(tree_.Eventually([&] { return !life.heard.empty(); }));
  EXPECT_EQ(life.heard, Heard{"registered 1"});
}

TEST_P(RegistrationTest, Rule17_ARegistrationOfAnotherSessionIsNotTakenForOurOwn) {
  RegisterForeigner();
  tree_.network().Disturb(kTree, kSelf, {.delay = milliseconds(10)});
  Life& life = Start();
  // Whichever answer is lost, the one to our own try among them.
  for (int i = 0; i < 40; ++i) {
    tree_.RunFor(milliseconds(7 * i));
    tree_.network().Cut(kTree, kSelf);
    tree_.RunFor(milliseconds(20));
    tree_.network().Heal(kTree, kSelf);
    tree_.RunFor(kTimeout / 2);
  }
  EXPECT_EQ(life.heard, Heard());
  EXPECT_EQ(Incarnation(), 0);
}

// KAFKA-7165: the node that is in the way is our own.
TEST_P(RegistrationTest, Rule17_ARegistrationWhoseAnswerWasLostIsFoundAndKept) {
  tree_.network().Disturb(kTree, kSelf, {.delay = milliseconds(100)});
  Life& life = Start();
  ASSERT_TRUE(tree_.Eventually([&] { return IsRegistered(); }));
  const uint64_t owner = tree_.OwnerOf(kNode);
  tree_.network().Cut(kTree, kSelf);
  tree_.RunFor(milliseconds(200));
  EXPECT_EQ(life.heard, Heard());
  tree_.network().HealAll();
  ASSERT_TRUE(tree_.Eventually([&] { return !life.heard.empty(); }));
  EXPECT_EQ(life.heard, Heard{"registered 1"});
  EXPECT_EQ(life.session->id(), owner);
  EXPECT_EQ(Incarnation(), 1);
}

}  // namespace
}  // namespace kafkalite::server
