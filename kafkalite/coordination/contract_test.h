// File: contract_test.h
//
// What every Coordination must do, as tests. An implementation runs them by a fixture of its own:
//
//   class MyFixture : public CoordinationFixture { ... };
//   INSTANTIATE_TEST_SUITE_P(Mine, CoordinationContractTest,
//                            testing::Values(CoordinationFixtureFactory{
//                                "Mine", [] { return std::make_unique<MyFixture>(); }}),
//                            CoordinationFixtureName);
//
// Include it in one .cc file of a test: it defines its tests there.

#ifndef KAFKALITE_COORDINATION_CONTRACT_TEST_H_
#define KAFKALITE_COORDINATION_CONTRACT_TEST_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "gtest/gtest.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/coordination/coordination.h"

namespace kafkalite::coordination {

inline void PrintTo(Code code, std::ostream* out) { *out << ToString(code); }

// What a test needs of an implementation. One is made for each test.
class CoordinationFixture {
 public:
  virtual ~CoordinationFixture() = default;

  virtual base::Executor& executor() = 0;
  virtual Coordination& coordination() = 0;
  // An existing node below which this test works; "" for the root of an empty tree.
  virtual std::string root() { return ""; }
  // The shortest timeout that sessions can be trusted with, for tests that let one expire.
  virtual std::chrono::milliseconds short_timeout() { return std::chrono::milliseconds(600); }
  // Ends a session as if it had been silent for its timeout. False where there is no such thing.
  virtual bool Expire(const Session& session) {
    (void)session;
    return false;
  }
  // Whether the three below work: tests that need them are skipped otherwise.
  virtual bool can_cut_links() const { return false; }
  virtual void CutTowardsEngine(int32_t client) { (void)client; }
  virtual void CutTowardsClient(int32_t client) { (void)client; }
  virtual void HealLinks(int32_t client) { (void)client; }
};

struct CoordinationFixtureFactory {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<CoordinationFixture>()> make;

  friend void PrintTo(const CoordinationFixtureFactory& factory, std::ostream* out) {
    *out << factory.name;
  }
};

inline std::string CoordinationFixtureName(
    const testing::TestParamInfo<CoordinationFixtureFactory>& info) {
  return info.param.name;
}

class CoordinationContractTest : public testing::TestWithParam<CoordinationFixtureFactory> {
 protected:
  // How often something happened; any thread may count. Shared by the test and what it waits for.
  class Count {
   public:
    void Add() {
      base::MutexLock lock(mu_);
      ++count_;
    }
    int value() const {
      base::MutexLock lock(mu_);
      return count_;
    }

   private:
    mutable base::Mutex mu_;
    int count_ ABSL_GUARDED_BY(mu_) = 0;
  };

  // An answer that may come on any thread.
  template <class Result>
  class Answer {
   public:
    absl::AnyInvocable<void(Result)> callback() {
      return [state = state_](Result result) {
        EXPECT_FALSE(state->done.signalled()) << "a callback was called twice";
        state->result = std::move(result);
        state->done.Signal();
      };
    }
    bool arrived() const { return state_->done.signalled(); }
    Result Await(base::Executor& executor) {
      const auto deadline = executor.clock().Now() + std::chrono::seconds(60);
      EXPECT_TRUE(executor.BlockUntil(state_->done, deadline).ok()) << "no answer";
      if (arrived()) return state_->result;
      Result none;
      none.code = Code::kConnectionLoss;
      return none;
    }

   private:
    struct State {
      base::Completion done;
      Result result;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
  };

  // A session and what its listener heard.
  struct Client {
    std::unique_ptr<Session> session;
    std::shared_ptr<Count> disconnected = std::make_shared<Count>();
    std::shared_ptr<Count> reconnected = std::make_shared<Count>();
    std::shared_ptr<Count> expired = std::make_shared<Count>();
  };

  base::Executor& executor() { return fixture_->executor(); }
  std::string Path(const std::string& path) { return fixture_->root() + path; }

  Client Connect(int32_t client = 1, std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    Client result;
    result.session = fixture_->coordination().Connect(
        {.client = client, .timeout = timeout},
        [disconnected = result.disconnected, reconnected = result.reconnected,
         expired = result.expired](SessionEvent event) {
          if (event == SessionEvent::kDisconnected) disconnected->Add();
          if (event == SessionEvent::kReconnected) reconnected->Add();
          if (event == SessionEvent::kExpired) expired->Add();
        });
    return result;
  }

  CommitResult Commit(const Client& client, std::vector<Operation> operations) {
    Answer<CommitResult> answer;
    client.session->Commit(std::move(operations), answer.callback());
    return answer.Await(executor());
  }
  Code Do(const Client& client, Operation operation) {
    std::vector<Operation> operations;
    operations.push_back(std::move(operation));
    return Commit(client, std::move(operations)).code;
  }
  GetResult Get(const Client& client, const std::string& path,
                const std::shared_ptr<Count>& watch = nullptr) {
    Answer<GetResult> answer;
    client.session->Get(Path(path), Counting(watch), answer.callback());
    return answer.Await(executor());
  }
  ChildrenResult Children(const Client& client, const std::string& path,
                          const std::shared_ptr<Count>& watch = nullptr) {
    Answer<ChildrenResult> answer;
    client.session->Children(Path(path), Counting(watch), answer.callback());
    return answer.Await(executor());
  }
  static Watch Counting(const std::shared_ptr<Count>& count) {
    if (count == nullptr) return nullptr;
    return [count] { count->Add(); };
  }

  Operation Create(const std::string& path, std::string data = "",
                   Operation::Mode mode = Operation::Mode::kPersistent) {
    return Operation::Create(Path(path), std::move(data), mode);
  }
  Operation Set(const std::string& path, std::string data, int32_t version = kAnyVersion) {
    return Operation::Set(Path(path), std::move(data), version);
  }
  Operation Delete(const std::string& path, int32_t version = kAnyVersion) {
    return Operation::Delete(Path(path), version);
  }
  Operation Check(const std::string& path, int32_t version) {
    return Operation::Check(Path(path), version);
  }

  void Sleep(base::Duration duration) {
    base::Completion never;
    (void)executor().BlockUntil(never, executor().clock().Now() + duration);
  }
  // Waits until `condition` holds, for a minute at most.
  void Await(const std::function<bool()>& condition) {
    for (int i = 0; i < 6000 && !condition(); ++i) Sleep(std::chrono::milliseconds(10));
    EXPECT_TRUE(condition());
  }
  void AwaitCount(const std::shared_ptr<Count>& count, int value) {
    Await([&] { return count->value() >= value; });
    EXPECT_EQ(count->value(), value);
  }
  // For things that must not happen.
  void LetSettle() { Sleep(std::chrono::milliseconds(50)); }

  const std::unique_ptr<CoordinationFixture> fixture_ = GetParam().make();
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CoordinationContractTest);

// --- nodes and versions

TEST_P(CoordinationContractTest, ANodeHasDataAndAVersionThatRisesWithEachSet) {
  const Client client = Connect();
  const CommitResult created = Commit(client, {Create("/a", "one")});
  ASSERT_EQ(created.code, Code::kOk);
  ASSERT_EQ(created.results.size(), 1u);
  EXPECT_EQ(created.results[0].path, Path("/a"));
  EXPECT_EQ(created.results[0].version, 0);

  const CommitResult set = Commit(client, {Set("/a", "two", 0)});
  ASSERT_EQ(set.code, Code::kOk);
  EXPECT_EQ(set.results[0].version, 1);

  const GetResult got = Get(client, "/a");
  EXPECT_EQ(got.code, Code::kOk);
  EXPECT_EQ(got.data, "two");
  EXPECT_EQ(got.stat.version, 1);
  EXPECT_EQ(got.stat.ephemeral_owner, 0u);
  EXPECT_GT(got.stat.creation_id, 0);
}

TEST_P(CoordinationContractTest, ARecreatedNodeStartsAtVersionZeroWithANewCreationId) {
  const Client client = Connect();
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  ASSERT_EQ(Do(client, Set("/a", "x")), Code::kOk);
  const int64_t first_id = Get(client, "/a").stat.creation_id;
  ASSERT_EQ(Do(client, Delete("/a", 1)), Code::kOk);
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  const GetResult again = Get(client, "/a");
  EXPECT_EQ(again.stat.version, 0);
  EXPECT_GT(again.stat.creation_id, first_id);
  EXPECT_EQ(again.data, "");
}

TEST_P(CoordinationContractTest, OperationsAnswerWhatIsWrong) {
  const Client client = Connect();
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  ASSERT_EQ(Do(client, Create("/a/b")), Code::kOk);
  EXPECT_EQ(Do(client, Create("/a")), Code::kNodeExists);
  EXPECT_EQ(Do(client, Create("/none/b")), Code::kNoNode);
  EXPECT_EQ(Do(client, Set("/none", "")), Code::kNoNode);
  EXPECT_EQ(Do(client, Set("/a", "", 1)), Code::kBadVersion);
  EXPECT_EQ(Do(client, Delete("/none")), Code::kNoNode);
  EXPECT_EQ(Do(client, Delete("/a/b", 7)), Code::kBadVersion);
  EXPECT_EQ(Do(client, Delete("/a")), Code::kNotEmpty);
  EXPECT_EQ(Do(client, Check("/none", 0)), Code::kNoNode);
  EXPECT_EQ(Do(client, Check("/a", 1)), Code::kBadVersion);
  EXPECT_EQ(Do(client, Check("/a", 0)), Code::kOk);
  EXPECT_EQ(Get(client, "/none").code, Code::kNoNode);
  EXPECT_EQ(Children(client, "/none").code, Code::kNoNode);
}

TEST_P(CoordinationContractTest, WhatIsNoPathIsRefused) {
  const Client client = Connect();
  for (const std::string path : {"/a//b", "/a/", "/a/./b", "/a/../b"}) {
    EXPECT_EQ(Do(client, Create(path)), Code::kBadArguments) << path;
    EXPECT_EQ(Get(client, path).code, Code::kBadArguments) << path;
    EXPECT_EQ(Children(client, path).code, Code::kBadArguments) << path;
  }
  EXPECT_EQ(Do(client, Operation::Create("", "")), Code::kBadArguments);
  EXPECT_EQ(Do(client, Operation::Create("a", "")), Code::kBadArguments);
}

TEST_P(CoordinationContractTest, ChildrenAreNamesInOrder) {
  const Client client = Connect();
  ASSERT_EQ(Commit(client, {Create("/p"), Create("/p/b"), Create("/p/a"), Create("/p/c"),
                            Create("/p/a/deeper")})
                .code,
            Code::kOk);
  EXPECT_EQ(Children(client, "/p").names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(Children(client, "/p/c").names, std::vector<std::string>{});
}

TEST_P(CoordinationContractTest, ASequentialNameComesFromACounterThatNeverGoesBack) {
  const Client client = Connect();
  const auto mode = Operation::Mode::kPersistentSequential;
  ASSERT_EQ(Do(client, Create("/p")), Code::kOk);
  EXPECT_EQ(Commit(client, {Create("/p/n_", "", mode)}).results[0].path, Path("/p/n_0000000000"));
  EXPECT_EQ(Commit(client, {Create("/p/n_", "", mode)}).results[0].path, Path("/p/n_0000000001"));
  ASSERT_EQ(Do(client, Delete("/p/n_0000000001")), Code::kOk);
  const CommitResult two = Commit(client, {Create("/p/n_", "", mode), Create("/p/", "", mode)});
  EXPECT_EQ(two.results[0].path, Path("/p/n_0000000002"));
  EXPECT_EQ(two.results[1].path, Path("/p/0000000003"));
}

// --- atomicity

TEST_P(CoordinationContractTest, ACommitAppliesAllOperationsAndLaterOnesSeeEarlierOnes) {
  const Client client = Connect();
  const CommitResult result =
      Commit(client, {Create("/p"), Create("/p/c", "x"), Set("/p/c", "y", 0), Check("/p/c", 1),
                      Create("/q"), Delete("/q", 0)});
  ASSERT_EQ(result.code, Code::kOk);
  ASSERT_EQ(result.results.size(), 6u);
  EXPECT_EQ(result.results[2].version, 1);
  EXPECT_EQ(Get(client, "/p/c").data, "y");
  EXPECT_EQ(Get(client, "/q").code, Code::kNoNode);
  EXPECT_EQ(Get(client, "/p").stat.creation_id, Get(client, "/p/c").stat.creation_id);
}

TEST_P(CoordinationContractTest, AFailedCommitLeavesNoTrace) {
  const Client client = Connect();
  ASSERT_EQ(Commit(client, {Create("/p", "old"), Create("/p/c", "child")}).code, Code::kOk);
  const GetResult parent = Get(client, "/p");
  const GetResult child = Get(client, "/p/c");
  const auto watch = std::make_shared<Count>();
  Get(client, "/p", watch);
  Children(client, "/p", watch);

  const CommitResult failed = Commit(
      client, {Set("/p", "new"), Delete("/p/c"), Create("/p/d", "", Operation::Mode::kEphemeral),
               Check("/p", 7), Create("/p/e")});
  EXPECT_EQ(failed.code, Code::kBadVersion);
  ASSERT_EQ(failed.results.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(failed.results[i].code, i == 3 ? Code::kBadVersion : Code::kRolledBack) << i;
  }
  EXPECT_EQ(Get(client, "/p").data, "old");
  EXPECT_EQ(Get(client, "/p").stat, parent.stat);
  EXPECT_EQ(Get(client, "/p/c").data, "child");
  EXPECT_EQ(Get(client, "/p/c").stat, child.stat);
  EXPECT_EQ(Children(client, "/p").names, std::vector<std::string>{"c"});
  LetSettle();
  EXPECT_EQ(watch->value(), 0);
}

// Rule 15 of replication: checking a broker's registration does not notice that the broker was
// bounced, because the new registration has version 0 like the old one. A counter that is raised
// in the commit which registers does notice.
TEST_P(CoordinationContractTest, ABouncedBrokerPassesACheckOfItsRegistrationNotOfItsIncarnation) {
  const Client leader = Connect(1);
  ASSERT_EQ(Commit(leader, {Create("/ids"), Create("/incarnations"), Create("/incarnations/2"),
                            Create("/state", "isr=1")})
                .code,
            Code::kOk);
  Client follower = Connect(2);
  const auto enlist = [&] {
    const CommitResult result = Commit(
        follower, {Set("/incarnations/2", ""), Create("/ids/2", "", Operation::Mode::kEphemeral)});
    EXPECT_EQ(result.code, Code::kOk);
    return result.results.empty() ? -1 : result.results[0].version;
  };
  const int32_t fetched_with = enlist();

  follower.session = nullptr;
  Await([&] { return Get(leader, "/ids/2").code == Code::kNoNode; });
  follower = Connect(2);
  const int32_t now = enlist();
  EXPECT_EQ(now, fetched_with + 1);

  EXPECT_EQ(Commit(leader, {Check("/ids/2", 0), Check("/state", 0)}).code, Code::kOk)
      << "the registration looks as before: this check is the trap";
  EXPECT_EQ(
      Commit(leader, {Check("/incarnations/2", fetched_with), Set("/state", "isr=1,2", 0)}).code,
      Code::kBadVersion);
  EXPECT_EQ(Get(leader, "/state").data, "isr=1");
  EXPECT_EQ(Commit(leader, {Check("/incarnations/2", now), Set("/state", "isr=1,2", 0)}).code,
            Code::kOk);
}

// --- ephemerals and the end of sessions

TEST_P(CoordinationContractTest, AnEphemeralBelongsToItsSessionAndHasNoChildren) {
  const Client client = Connect();
  ASSERT_EQ(Do(client, Create("/e", "x", Operation::Mode::kEphemeral)), Code::kOk);
  EXPECT_EQ(Get(client, "/e").stat.ephemeral_owner, client.session->id());
  EXPECT_EQ(Do(client, Create("/e/c")), Code::kNoChildrenForEphemerals);
  const Client other = Connect(2);
  EXPECT_NE(other.session->id(), client.session->id());
  EXPECT_EQ(Do(other, Create("/e", "y", Operation::Mode::kEphemeral)), Code::kNodeExists);
  EXPECT_EQ(Do(other, Delete("/e")), Code::kOk);
}

TEST_P(CoordinationContractTest, ClosingASessionRemovesItsEphemeralsAndFiresWatches) {
  const Client watcher = Connect(1);
  Client owner = Connect(2);
  ASSERT_EQ(Commit(owner, {Create("/e1", "", Operation::Mode::kEphemeral), Create("/p"),
                           Create("/p/n", "", Operation::Mode::kEphemeralSequential)})
                .code,
            Code::kOk);
  const auto data_watch = std::make_shared<Count>();
  const auto child_watch = std::make_shared<Count>();
  EXPECT_EQ(Get(watcher, "/e1", data_watch).code, Code::kOk);
  EXPECT_EQ(Children(watcher, "/p", child_watch).names.size(), 1u);
  owner.session = nullptr;
  AwaitCount(data_watch, 1);
  AwaitCount(child_watch, 1);
  EXPECT_EQ(Get(watcher, "/e1").code, Code::kNoNode);
  EXPECT_EQ(Children(watcher, "/p").names.size(), 0u);
}

TEST_P(CoordinationContractTest, AnExpiredSessionIsOverForGood) {
  const Client watcher = Connect(1);
  const Client owner = Connect(2);
  ASSERT_EQ(Do(owner, Create("/e", "", Operation::Mode::kEphemeral)), Code::kOk);
  const auto own_watch = std::make_shared<Count>();
  Get(owner, "/other", own_watch);
  const auto watch = std::make_shared<Count>();
  Get(watcher, "/e", watch);
  if (!fixture_->Expire(*owner.session)) GTEST_SKIP() << "cannot expire sessions";
  AwaitCount(owner.expired, 1);
  AwaitCount(watch, 1);
  EXPECT_EQ(Get(watcher, "/e").code, Code::kNoNode);
  EXPECT_EQ(Do(owner, Create("/x")), Code::kSessionExpired);
  EXPECT_EQ(Get(owner, "/x").code, Code::kSessionExpired);
  EXPECT_EQ(Children(owner, "/x").code, Code::kSessionExpired);
  EXPECT_EQ(Do(watcher, Create("/other")), Code::kOk);
  LetSettle();
  EXPECT_EQ(own_watch->value(), 0);
  EXPECT_EQ(owner.expired->value(), 1);
  const Client next = Connect(2);
  EXPECT_EQ(Do(next, Create("/e", "", Operation::Mode::kEphemeral)), Code::kOk);
}

TEST_P(CoordinationContractTest, AnIdleSessionStaysAlive) {
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(client, Create("/e", "", Operation::Mode::kEphemeral)), Code::kOk);
  Sleep(3 * fixture_->short_timeout());
  EXPECT_EQ(client.expired->value(), 0);
  EXPECT_EQ(Get(client, "/e").code, Code::kOk);
}

TEST_P(CoordinationContractTest, DestroyingASessionAnswersItsCalls) {
  Client client = Connect();
  std::vector<Answer<CommitResult>> answers(20);
  for (auto& answer : answers) client.session->Commit({Create("/a")}, answer.callback());
  client.session = nullptr;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Code code = answers[i].Await(executor()).code;
    EXPECT_TRUE(code == Code::kSessionExpired || code == Code::kConnectionLoss ||
                code == (i == 0 ? Code::kOk : Code::kNodeExists))
        << ToString(code);
  }
  LetSettle();  // an answer that came twice would show
}

TEST_P(CoordinationContractTest, ASessionMayBeDestroyedInItsOwnCallback) {
  // The callback owns the session and lets go of it. The lock is for an answer that is quicker
  // than this thread.
  struct Owner {
    base::Mutex mu;
    std::unique_ptr<Session> session ABSL_GUARDED_BY(mu);
    base::Completion done;
  };
  const auto owner = std::make_shared<Owner>();
  Client client = Connect();
  Session& session = *client.session;
  {
    base::MutexLock lock(owner->mu);
    owner->session = std::move(client.session);
  }
  session.Commit({Create("/a")}, [owner](CommitResult result) {
    EXPECT_EQ(result.code, Code::kOk);
    std::unique_ptr<Session> dying;
    {
      base::MutexLock lock(owner->mu);
      dying = std::move(owner->session);
    }
    dying = nullptr;
    owner->done.Signal();
  });
  const auto deadline = executor().clock().Now() + std::chrono::seconds(60);
  EXPECT_TRUE(executor().BlockUntil(owner->done, deadline).ok());
  EXPECT_EQ(Get(Connect(2), "/a").code, Code::kOk);
}

// --- watches

TEST_P(CoordinationContractTest, ADataWatchFiresOnceOnSet) {
  const Client watcher = Connect(1);
  const Client writer = Connect(2);
  ASSERT_EQ(Do(writer, Create("/a")), Code::kOk);
  const auto watch = std::make_shared<Count>();
  ASSERT_EQ(Get(watcher, "/a", watch).code, Code::kOk);
  ASSERT_EQ(Do(writer, Create("/a/child")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 0) << "children do not concern it";
  ASSERT_EQ(Do(writer, Set("/a", "x")), Code::kOk);
  AwaitCount(watch, 1);
  ASSERT_EQ(Do(writer, Set("/a", "y")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 1);
}

TEST_P(CoordinationContractTest, AWatchOnAMissingNodeFiresOnItsCreationOneOnANodeOnItsDeletion) {
  const Client client = Connect();
  const auto created = std::make_shared<Count>();
  const auto deleted = std::make_shared<Count>();
  ASSERT_EQ(Get(client, "/a", created).code, Code::kNoNode);
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  AwaitCount(created, 1);
  ASSERT_EQ(Get(client, "/a", deleted).code, Code::kOk);
  ASSERT_EQ(Do(client, Delete("/a")), Code::kOk);
  AwaitCount(deleted, 1);
  EXPECT_EQ(created->value(), 1);
}

TEST_P(CoordinationContractTest, AChildWatchFiresWhenAChildComesOrGoesOrTheNodeGoes) {
  const Client client = Connect();
  ASSERT_EQ(Do(client, Create("/p")), Code::kOk);
  const auto watch = std::make_shared<Count>();
  Children(client, "/p", watch);
  ASSERT_EQ(Do(client, Set("/p", "data")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 0) << "data does not concern it";
  ASSERT_EQ(Do(client, Create("/p/c")), Code::kOk);
  AwaitCount(watch, 1);
  Children(client, "/p", watch);
  ASSERT_EQ(Do(client, Set("/p/c", "data")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 1) << "a child's data does not concern it";
  ASSERT_EQ(Do(client, Delete("/p/c")), Code::kOk);
  AwaitCount(watch, 2);
  Children(client, "/p", watch);
  ASSERT_EQ(Do(client, Delete("/p")), Code::kOk);
  AwaitCount(watch, 3);
}

TEST_P(CoordinationContractTest, AWatchThatChildrenCouldNotSetDoesNotFire) {
  const Client client = Connect();
  const auto watch = std::make_shared<Count>();
  ASSERT_EQ(Children(client, "/p", watch).code, Code::kNoNode);
  ASSERT_EQ(Commit(client, {Create("/p"), Create("/p/c")}).code, Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 0);
}

TEST_P(CoordinationContractTest, EachWatchFires) {
  const Client client = Connect();
  const auto watch = std::make_shared<Count>();
  for (int i = 0; i < 3; ++i) Get(client, "/a", watch);
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  AwaitCount(watch, 3);
}

TEST_P(CoordinationContractTest, AnEventComesBeforeAnAnswerThatShowsItsChange) {
  const Client reader = Connect(1);
  const Client writer = Connect(2);
  ASSERT_EQ(Do(writer, Create("/a", "0")), Code::kOk);
  for (int round = 1; round <= 20; ++round) {
    const auto fired = std::make_shared<Count>();
    ASSERT_EQ(Get(reader, "/a", fired).code, Code::kOk);
    Answer<CommitResult> written;
    writer.session->Commit({Set("/a", std::to_string(round))}, written.callback());
    for (bool seen = false; !seen;) {
      Answer<GetResult> read;
      // What was fired is looked at inside the callback: the order there is what counts.
      const auto fired_before = std::make_shared<int>(0);
      reader.session->Get(
          Path("/a"), nullptr,
          [fired, fired_before, answer = read.callback()](GetResult result) mutable {
            *fired_before = fired->value();
            answer(std::move(result));
          });
      seen = read.Await(executor()).data == std::to_string(round);
      if (seen) {
        EXPECT_EQ(*fired_before, 1);
      }
    }
    EXPECT_EQ(written.Await(executor()).code, Code::kOk);
  }
}

TEST_P(CoordinationContractTest, CallbacksOfASessionDoNotOverlapAndMayCallIt) {
  const Client client = Connect();
  ASSERT_EQ(Do(client, Create("/n", "0")), Code::kOk);
  struct State {
    std::atomic<int> inside{0};
    std::atomic<int> left{50};
    base::Completion done;
  };
  const auto state = std::make_shared<State>();
  Session& session = *client.session;
  const std::string path = Path("/n");
  for (int i = 0; i < 50; ++i) {
    session.Commit({Operation::Set(path, "x")}, [state, &session, path](CommitResult) {
      EXPECT_EQ(state->inside.fetch_add(1), 0);
      session.Get(path, nullptr, [state](GetResult) {
        EXPECT_EQ(state->inside.fetch_add(1), 0);
        state->inside.fetch_sub(1);
        if (state->left.fetch_sub(1) == 1) state->done.Signal();
      });
      state->inside.fetch_sub(1);
    });
  }
  EXPECT_TRUE(
      executor().BlockUntil(state->done, executor().clock().Now() + std::chrono::seconds(60)).ok());
  EXPECT_EQ(Get(client, "/n").stat.version, 50);
}

// --- links that fail

TEST_P(CoordinationContractTest, ALostReplyLeavesACommitAmbiguousAndItDidHappen) {
  if (!fixture_->can_cut_links()) GTEST_SKIP() << "cannot cut links";
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(client, Create("/a", "old")), Code::kOk);
  fixture_->CutTowardsClient(1);
  EXPECT_EQ(Do(client, Set("/a", "new", 0)), Code::kConnectionLoss);
  fixture_->HealLinks(1);
  AwaitCount(client.reconnected, 1);
  const GetResult reread = Get(client, "/a");
  EXPECT_EQ(reread.code, Code::kOk);
  EXPECT_EQ(reread.data, "new");
  EXPECT_EQ(reread.stat.version, 1);
}

TEST_P(CoordinationContractTest, ALostRequestLooksTheSameAndDidNotHappen) {
  if (!fixture_->can_cut_links()) GTEST_SKIP() << "cannot cut links";
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(client, Create("/a", "old")), Code::kOk);
  fixture_->CutTowardsEngine(1);
  EXPECT_EQ(Do(client, Set("/a", "new", 0)), Code::kConnectionLoss);
  EXPECT_EQ(client.disconnected->value(), 1);
  fixture_->HealLinks(1);
  Await([&] { return Get(client, "/a").data == "old"; });
  EXPECT_EQ(client.expired->value(), 0);
}

TEST_P(CoordinationContractTest, ASessionCutOffForItsTimeoutExpires) {
  if (!fixture_->can_cut_links()) GTEST_SKIP() << "cannot cut links";
  const Client watcher = Connect(2);
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(client, Create("/e", "", Operation::Mode::kEphemeral)), Code::kOk);
  const auto gone = std::make_shared<Count>();
  Get(watcher, "/e", gone);
  fixture_->CutTowardsEngine(1);
  fixture_->CutTowardsClient(1);
  AwaitCount(gone, 1);
  EXPECT_EQ(client.disconnected->value(), 1) << "it knows that it may be thought dead, before";
  EXPECT_EQ(client.expired->value(), 0) << "nobody can have told it";
  fixture_->HealLinks(1);
  AwaitCount(client.expired, 1);
  EXPECT_EQ(client.reconnected->value(), 0);
  EXPECT_EQ(Get(client, "/e").code, Code::kSessionExpired);
}

TEST_P(CoordinationContractTest, AWatchThatFiresWhileCutOffArrivesAfterwards) {
  if (!fixture_->can_cut_links()) GTEST_SKIP() << "cannot cut links";
  const Client writer = Connect(2);
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(writer, Create("/a")), Code::kOk);
  const auto watch = std::make_shared<Count>();
  ASSERT_EQ(Get(client, "/a", watch).code, Code::kOk);
  fixture_->CutTowardsClient(1);
  ASSERT_EQ(Do(writer, Set("/a", "x")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 0);
  fixture_->HealLinks(1);
  AwaitCount(watch, 1);
  ASSERT_EQ(Do(writer, Set("/a", "y")), Code::kOk);
  LetSettle();
  EXPECT_EQ(watch->value(), 1);
}

TEST_P(CoordinationContractTest, CallsMadeWhileCutOffAreAnswered) {
  if (!fixture_->can_cut_links()) GTEST_SKIP() << "cannot cut links";
  const Client client = Connect(1, fixture_->short_timeout());
  ASSERT_EQ(Do(client, Create("/a")), Code::kOk);
  fixture_->CutTowardsEngine(1);
  fixture_->CutTowardsClient(1);
  AwaitCount(client.disconnected, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Do(client, Set("/a", "x")), Code::kConnectionLoss);
    EXPECT_EQ(Get(client, "/a").code, Code::kConnectionLoss);
  }
}

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_CONTRACT_TEST_H_
