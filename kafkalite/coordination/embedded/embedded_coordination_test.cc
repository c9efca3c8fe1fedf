#include "kafkalite/coordination/embedded/embedded_coordination.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/coordination/contract_test.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"

namespace kafkalite::coordination {
namespace {

using std::chrono::milliseconds;
using Files = EmbeddedCoordination::Files;

std::unique_ptr<EmbeddedCoordination> Make(base::Executor& executor, base::Network& network,
                                           const Files& files) {
  if (files.fs == nullptr) return std::make_unique<EmbeddedCoordination>(executor, network);
  return EmbeddedCoordination::Open(executor, network, files).value();
}

template <class Executor>
class EmbeddedFixture final : public CoordinationFixture {
 public:
  template <class... Args>
  EmbeddedFixture(base::Network::Options options, const Files& files, Args... args)
      : executor_(args...),
        network_(executor_, options),
        coordination_(Make(executor_, network_, files)) {}
  ~EmbeddedFixture() override { executor_.Shutdown(); }

  base::Executor& executor() override { return executor_; }
  Coordination& coordination() override { return *coordination_; }
  bool Expire(const Session& session) override {
    coordination_->ExpireSession(session.id());
    return true;
  }
  bool can_cut_links() const override { return true; }
  void CutTowardsEngine(int32_t client) override {
    network_.Cut(base::NodeId(client), base::NodeId::kCoordination);
  }
  void CutTowardsClient(int32_t client) override {
    network_.Cut(base::NodeId::kCoordination, base::NodeId(client));
  }
  void HealLinks(int32_t client) override {
    network_.Heal(base::NodeId(client), base::NodeId::kCoordination);
    network_.Heal(base::NodeId::kCoordination, base::NodeId(client));
  }

 private:
  Executor executor_;
  base::Network network_;
  const std::unique_ptr<EmbeddedCoordination> coordination_;
};

// A journal that is folded now and then.
Files InMemory() { return {std::make_shared<files::MemoryFileSystem>(), "data/tree", 300}; }
Files OnDisk() {
  const std::string folder = testing::TempDir() + "/embedded_coordination_test";
  const std::shared_ptr<files::FileSystem> fs = files::MakePosixFileSystem();
  EXPECT_TRUE(files::RemoveAll(*fs, folder).ok());
  return {fs, folder, 300};
}

std::vector<CoordinationFixtureFactory> Factories() {
  std::vector<CoordinationFixtureFactory> factories;
  const auto add_real = [&](std::string name, Files (*files)()) {
    factories.push_back({std::move(name), [files] {
                           return std::make_unique<EmbeddedFixture<base::RealExecutor>>(
                               base::Network::Options{}, files());
                         }});
  };
  add_real("Real", [] { return Files(); });
  add_real("RealOnDisk", OnDisk);
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    // Also without jitter: then messages run on their senders' stacks, as on a real executor.
    const base::Duration jitter = seed % 2 == 0 ? base::Duration::zero() : milliseconds(2);
    const auto add = [&](const std::string& name, Files (*files)()) {
      factories.push_back({name + std::to_string(seed), [seed, jitter, files] {
                             return std::make_unique<EmbeddedFixture<base::SimExecutor>>(
                                 base::Network::Options{.jitter = jitter, .seed = seed}, files(),
                                 seed);
                           }});
    };
    add("Sim", [] { return Files(); });
    add("SimInMemoryFiles", InMemory);
  }
  return factories;
}

INSTANTIATE_TEST_SUITE_P(Embedded, CoordinationContractTest, testing::ValuesIn(Factories()),
                         CoordinationFixtureName);

// A simulated engine with everything within reach.
class EmbeddedCoordinationTest : public testing::Test {
 protected:
  struct Heard {
    std::vector<SessionEvent> events;
    std::vector<Code> codes;
    int watches = 0;
  };
  static constexpr milliseconds kTimeout{6000};

  void TearDown() override { executor_.Shutdown(); }

  std::unique_ptr<Session> Connect(Heard& heard, int32_t client = 1) {
    return coordination_.Connect({.client = client, .timeout = kTimeout},
                                 [&](SessionEvent event) { heard.events.push_back(event); });
  }
  CommitCallback Note(Heard& heard) {
    return [&heard](CommitResult result) { heard.codes.push_back(result.code); };
  }
  // Runs until what is under way has arrived.
  void Settle() { executor_.RunFor(milliseconds(10)); }

  base::SimExecutor executor_{7};
  base::Network network_{executor_, {.jitter = std::chrono::microseconds(100), .seed = 7}};
  EmbeddedCoordination coordination_{executor_, network_};
};

TEST_F(EmbeddedCoordinationTest, ExpiringAClientEndsAllItsSessionsAtOnce) {
  Heard one, two, other;
  const auto first = Connect(one, 1), second = Connect(two, 1), third = Connect(other, 2);
  EXPECT_EQ(coordination_.session_count(), 3u);
  coordination_.ExpireClient(1);
  EXPECT_EQ(coordination_.session_count(), 1u);
  Settle();
  EXPECT_EQ(one.events, std::vector{SessionEvent::kExpired});
  EXPECT_EQ(two.events, std::vector{SessionEvent::kExpired});
  EXPECT_TRUE(other.events.empty());
}

TEST_F(EmbeddedCoordinationTest, DestroyingASessionEndsItAtTheServerOrByTimeoutIfCutOff) {
  Heard heard;
  auto session = Connect(heard);
  session = nullptr;
  Settle();
  EXPECT_EQ(coordination_.session_count(), 0u);
  session = Connect(heard);
  network_.Cut(base::NodeId(1), base::NodeId::kCoordination);
  session = nullptr;
  Settle();
  EXPECT_EQ(coordination_.session_count(), 1u);
  executor_.RunFor(kTimeout);
  EXPECT_EQ(coordination_.session_count(), 0u);
  EXPECT_TRUE(heard.events.empty());
}

TEST_F(EmbeddedCoordinationTest, AnEngineWithoutSessionsIsIdle) {
  Heard heard;
  auto session = Connect(heard);
  executor_.RunFor(10 * kTimeout);
  session = nullptr;
  executor_.RunFor(2 * kTimeout);
  const uint64_t before = executor_.events_run();
  executor_.RunFor(1000 * kTimeout);
  EXPECT_EQ(executor_.events_run(), before);
}

TEST_F(EmbeddedCoordinationTest, AnIdleSessionCostsFewEvents) {
  Heard heard;
  const auto session = Connect(heard);
  const uint64_t before = executor_.events_run();
  executor_.RunFor(std::chrono::seconds(60));
  EXPECT_LT(executor_.events_run() - before, 60u * 10);
}

TEST_F(EmbeddedCoordinationTest, APausedClientLosesItsSessionAndLearnsWhenResumed) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Pause(base::NodeId(1));
  executor_.RunFor(2 * kTimeout);
  EXPECT_EQ(coordination_.session_count(), 0u);
  EXPECT_TRUE(heard.events.empty());
  network_.Resume(base::NodeId(1));
  Settle();
  ASSERT_FALSE(heard.events.empty());
  EXPECT_EQ(heard.events.back(), SessionEvent::kExpired);
}

TEST_F(EmbeddedCoordinationTest, APausedEngineBlamesNobody) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Pause(base::NodeId::kCoordination);
  executor_.RunFor(10 * kTimeout);
  EXPECT_EQ(heard.events, std::vector{SessionEvent::kDisconnected});
  network_.Resume(base::NodeId::kCoordination);
  executor_.RunFor(kTimeout);
  EXPECT_EQ(heard.events, (std::vector{SessionEvent::kDisconnected, SessionEvent::kReconnected}));
  EXPECT_EQ(coordination_.session_count(), 1u);
}

TEST_F(EmbeddedCoordinationTest, TheClientIsDisconnectedBeforeTheServerGivesItUp) {
  Heard heard;
  const auto session = Connect(heard);
  executor_.RunFor(milliseconds(12345));
  network_.Cut(base::NodeId(1), base::NodeId::kCoordination);
  const base::Time cut = executor_.clock().Now();
  while (heard.events.empty()) executor_.RunFor(milliseconds(1));
  EXPECT_EQ(coordination_.session_count(), 1u);
  EXPECT_LE(executor_.clock().Now() - cut, kTimeout * 2 / 3 + milliseconds(1));
  EXPECT_GE(executor_.clock().Now() - cut, kTimeout / 3 - milliseconds(1));
  executor_.RunFor(kTimeout / 4);
  EXPECT_EQ(coordination_.session_count(), 1u);
  executor_.RunFor(kTimeout);
  EXPECT_EQ(coordination_.session_count(), 0u);
}

TEST_F(EmbeddedCoordinationTest, SlowAnswersDoNotMakeTheClientTrustItsSessionForLonger) {
  Heard heard;
  const auto session = Connect(heard);
  network_.Disturb(base::NodeId::kCoordination, base::NodeId(1), {.delay = kTimeout * 3 / 10});
  executor_.RunFor(5 * kTimeout + milliseconds(100));
  EXPECT_TRUE(heard.events.empty());
  network_.Cut(base::NodeId(1), base::NodeId::kCoordination);
  const base::Time cut = executor_.clock().Now();
  while (heard.events.empty()) executor_.RunFor(milliseconds(1));
  EXPECT_EQ(heard.events, std::vector{SessionEvent::kDisconnected});
  EXPECT_LE(executor_.clock().Now() - cut, kTimeout * 2 / 3);
}

TEST_F(EmbeddedCoordinationTest, AClientThatHearsNothingDoesNotKeepItsSession) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId::kCoordination, base::NodeId(1));
  executor_.RunFor(2 * kTimeout);
  EXPECT_EQ(heard.events, std::vector{SessionEvent::kDisconnected});
  EXPECT_EQ(coordination_.session_count(), 0u);
}

TEST_F(EmbeddedCoordinationTest, ACallLostInAShortCutFailsAtTheNextPing) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId::kCoordination, base::NodeId(1));
  session->Commit({Operation::Create("/a", "")}, Note(heard));
  Settle();
  network_.HealAll();
  executor_.RunFor(kTimeout / 3);
  EXPECT_EQ(heard.codes, std::vector{Code::kConnectionLoss});
  EXPECT_TRUE(heard.events.empty());
  session->Commit({Operation::Check("/a", 0)}, Note(heard));
  Settle();
  EXPECT_EQ(heard.codes.back(), Code::kOk);
}

TEST_F(EmbeddedCoordinationTest, ALaterCallTellsThatAnEarlierOneWasLostAndBringsMissedEvents) {
  Heard heard, writer_heard;
  const auto session = Connect(heard);
  const auto writer = Connect(writer_heard, 2);
  session->Get(
      "/a", [&] { ++heard.watches; }, [](GetResult) {});
  Settle();
  network_.Cut(base::NodeId::kCoordination, base::NodeId(1));
  session->Commit({}, Note(heard));
  writer->Commit({Operation::Create("/a", "")}, Note(writer_heard));
  Settle();
  network_.HealAll();
  int watches_before_answer = -1;
  session->Get("/a", nullptr, [&](GetResult result) {
    EXPECT_EQ(result.code, Code::kOk);
    watches_before_answer = heard.watches;
  });
  Settle();
  EXPECT_EQ(heard.codes, std::vector{Code::kConnectionLoss});
  EXPECT_EQ(watches_before_answer, 1);
  executor_.RunFor(2 * kTimeout);
  EXPECT_EQ(heard.watches, 1);
}

TEST_F(EmbeddedCoordinationTest, AWatchWhoseReadFailedDoesNotFire) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId::kCoordination, base::NodeId(1));
  Code code = Code::kOk;
  session->Get(
      "/a", [&] { ++heard.watches; }, [&](GetResult result) { code = result.code; });
  Settle();
  network_.HealAll();
  session->Commit({Operation::Create("/a", "")}, Note(heard));
  executor_.RunFor(kTimeout);
  EXPECT_EQ(code, Code::kConnectionLoss);
  EXPECT_EQ(heard.codes, std::vector{Code::kOk});
  EXPECT_EQ(heard.watches, 0);
}

TEST_F(EmbeddedCoordinationTest, CallsMadeWhileDisconnectedAreSentOnReconnection) {
  Heard heard;
  const auto session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId(1), base::NodeId::kCoordination);
  while (heard.events.empty()) executor_.RunFor(milliseconds(10));
  session->Commit({Operation::Create("/a", "")}, Note(heard));
  executor_.RunFor(milliseconds(100));
  EXPECT_TRUE(heard.codes.empty());
  network_.HealAll();
  executor_.RunFor(kTimeout / 5);
  EXPECT_EQ(heard.codes, std::vector{Code::kOk});
  EXPECT_EQ(heard.events, (std::vector{SessionEvent::kDisconnected, SessionEvent::kReconnected}));
}

TEST_F(EmbeddedCoordinationTest, DestroyingACutOffSessionAnswersEveryCallOnceBySessionExpired) {
  Heard heard;
  auto session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId::kCoordination, base::NodeId(1));
  for (int i = 0; i < 3; ++i) session->Commit({}, Note(heard));
  Settle();
  EXPECT_TRUE(heard.codes.empty());
  session = nullptr;
  Settle();
  EXPECT_EQ(heard.codes, (std::vector(3, Code::kSessionExpired)));
  network_.HealAll();
  executor_.RunFor(2 * kTimeout);
  EXPECT_EQ(heard.codes.size(), 3u);
  EXPECT_TRUE(heard.events.empty());
}

TEST_F(EmbeddedCoordinationTest, ASessionMayBeDestroyedByItsListenerAndByItsWatch) {
  Heard heard;
  std::unique_ptr<Session> by_listener, by_watch;
  by_listener = coordination_.Connect({.client = 1, .timeout = kTimeout},
                                      [&](SessionEvent) { by_listener = nullptr; });
  by_listener->Commit({}, Note(heard));
  coordination_.ExpireClient(1);
  Settle();
  EXPECT_EQ(by_listener, nullptr);
  EXPECT_EQ(heard.codes.size(), 1u);
  by_watch = Connect(heard, 2);
  by_watch->Get(
      "/w", [&] { by_watch = nullptr; }, [](GetResult) {});
  by_watch->Commit({Operation::Create("/w", "")}, Note(heard));
  Settle();
  EXPECT_EQ(by_watch, nullptr);
  EXPECT_EQ(heard.codes.size(), 2u);
  EXPECT_EQ(coordination_.session_count(), 0u);
}

TEST_F(EmbeddedCoordinationTest, AfterItsDestructionASessionCallsNothingButByExpiry) {
  Heard heard, writer_heard;
  auto session = Connect(heard);
  const auto writer = Connect(writer_heard, 2);
  for (int i = 0; i < 2; ++i) {
    session->Get(
        "/a",
        [&] {
          ++heard.watches;
          session = nullptr;
        },
        nullptr);
  }
  Settle();
  writer->Commit({Operation::Create("/a", "")}, nullptr);
  Settle();
  EXPECT_EQ(heard.watches, 1);

  session = Connect(heard);
  Settle();
  network_.Cut(base::NodeId(1), base::NodeId::kCoordination);
  for (int i = 0; i < 3; ++i) {
    session->Commit({}, [&](CommitResult result) {
      heard.codes.push_back(result.code);
      session = nullptr;
    });
  }
  executor_.RunFor(kTimeout);
  EXPECT_EQ(heard.codes,
            (std::vector{Code::kConnectionLoss, Code::kSessionExpired, Code::kSessionExpired}));
}

TEST_F(EmbeddedCoordinationTest, AnyTimeoutIsSurvived) {
  Heard heard;
  std::vector<std::unique_ptr<Session>> sessions;
  for (const milliseconds timeout : {milliseconds::min(), milliseconds(0), milliseconds::max()}) {
    sessions.push_back(coordination_.Connect({.client = 1, .timeout = timeout}, nullptr));
    sessions.back()->Commit({}, Note(heard));
  }
  Settle();
  EXPECT_EQ(heard.codes.size(), 3u);
}

TEST_F(EmbeddedCoordinationTest, TheSameSeedMakesTheSameRun) {
  const auto run = [](uint64_t seed, const Files& files) {
    base::SimExecutor executor(seed);
    base::Network network(executor, {.jitter = milliseconds(1), .seed = seed});
    const auto coordination = Make(executor, network, files);
    std::vector<std::unique_ptr<Session>> sessions;
    for (int client = 1; client <= 3; ++client) {
      sessions.push_back(coordination->Connect({.client = client}, nullptr));
      for (int i = 0; i < 10; ++i) {
        sessions.back()->Get(
            "/a", [] {}, nullptr);
        sessions.back()->Commit({Operation::Create("/a", "")}, nullptr);
        sessions.back()->Commit({Operation::Delete("/a")}, nullptr);
      }
    }
    executor.RunFor(std::chrono::seconds(20));
    sessions.clear();
    executor.Shutdown();
    return executor.trace_hash();
  };
  EXPECT_EQ(run(1, {}), run(1, {}));
  EXPECT_NE(run(1, {}), run(2, {}));
  EXPECT_EQ(run(1, InMemory()), run(1, InMemory()));
}

// Threads, sessions and faults at once: for the sanitizers, and every call answered once.
void AnswerEveryCallOnce(const Files& files) {
  base::RealExecutor executor;
  base::Network network(executor, {});
  auto coordination = Make(executor, network, files);
  std::atomic<int> made{0}, answered{0}, fired{0};
  const auto work = [&](int32_t client) {
    for (int round = 0; round < 20; ++round) {
      const auto session = coordination->Connect({.client = client, .timeout = milliseconds(30)},
                                                 [](SessionEvent) {});
      for (int i = 0; i < 20; ++i) {
        made += 3;
        session->Get(
            "/n", [&] { ++fired; }, [&](GetResult) { ++answered; });
        session->Commit({Operation::Create("/n", "", Operation::Mode::kEphemeral)},
                        [&](CommitResult) { ++answered; });
        session->Commit({Operation::Delete("/n")}, [&](CommitResult) { ++answered; });
        if (i == 10 && client == 1) coordination->ExpireClient(2);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int32_t client = 1; client <= 3; ++client) threads.emplace_back(work, client);
  for (int i = 0; i < 40; ++i) {
    network.Cut(base::NodeId::kCoordination, base::NodeId(3));
    std::this_thread::sleep_for(milliseconds(1));
    network.Heal(base::NodeId::kCoordination, base::NodeId(3));
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 6000 && answered < made; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(answered.load(), made.load());
  EXPECT_GT(fired.load(), 0);
  coordination.reset();
  executor.Shutdown();
}

TEST(EmbeddedCoordinationThreadsTest, EveryCallIsAnsweredOnce) { AnswerEveryCallOnce({}); }
TEST(EmbeddedCoordinationThreadsTest, EveryCallIsAnsweredOnceByATreeInFiles) {
  AnswerEveryCallOnce(InMemory());
}

}  // namespace
}  // namespace kafkalite::coordination
