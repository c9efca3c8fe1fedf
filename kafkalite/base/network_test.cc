// What links promise, on a real executor, on a simulated one, and with jitter.

#include "kafkalite/base/network.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/real_executor.h"
#include "kafkalite/base/sim_executor.h"

namespace kafkalite::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr NodeId kA{1}, kB{2}, kC{3};

struct Setting {
  std::string name;
  std::function<std::unique_ptr<Executor>()> make;
  Duration jitter = Duration::zero();
  friend void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }
};

// What became of messages.
class Mailbox {
 public:
  // A message that adds `letter` to what arrived, or, dropped, to what was lost.
  class Message {
   public:
    Message(Mailbox* box, char letter) : box_(box), letter_(letter) {}
    Message(Message&& other) noexcept
        : box_(std::exchange(other.box_, nullptr)), letter_(other.letter_) {}
    Message& operator=(Message&&) = delete;
    ~Message() {
      if (box_ != nullptr) box_->Add(&box_->lost_, letter_);
    }
    void operator()() {
      Mailbox* const box = std::exchange(box_, nullptr);
      box->Add(&box->arrived_, letter_);
    }

   private:
    Mailbox* box_;
    char letter_;
  };

  Message operator()(char letter) { return Message(this, letter); }
  std::string arrived() const { return Copy(arrived_); }
  std::string lost() const { return Copy(lost_); }

 private:
  void Add(std::string* to, char letter) {
    MutexLock lock(mu_);
    *to += letter;
  }
  std::string Copy(const std::string& from) const {
    MutexLock lock(mu_);
    return from;
  }

  mutable Mutex mu_;
  std::string arrived_, lost_;  // under mu_
};

class NetworkTest : public testing::TestWithParam<Setting> {
 protected:
  ~NetworkTest() override {
    network_.Close();
    executor_->Shutdown();
  }
  Time Now() { return executor_->clock().Now(); }
  // Lets what is under way arrive.
  void Pass(milliseconds time = milliseconds(20)) {
    Completion never;
    EXPECT_FALSE(executor_->BlockUntil(never, Now() + time).ok());
  }
  // Until `count` messages arrived.
  void AwaitArrived(size_t count) {
    for (int i = 0; i < 3000 && mail_.arrived().size() < count; ++i) Pass(milliseconds(10));
    EXPECT_EQ(mail_.arrived().size(), count);
  }
  Link& AB() { return network_.link(kA, kB); }

  Mailbox mail_;
  const std::unique_ptr<Executor> executor_ = GetParam().make();
  Network network_{*executor_, {.jitter = GetParam().jitter, .seed = 5}};
};

INSTANTIATE_TEST_SUITE_P(
    Settings, NetworkTest,
    testing::Values(Setting{"Real", [] { return std::make_unique<RealExecutor>(); }},
                    Setting{"Sim", [] { return std::make_unique<SimExecutor>(1); }},
                    Setting{"SimWithJitter", [] { return std::make_unique<SimExecutor>(1); },
                            milliseconds(2)}),
    [](const testing::TestParamInfo<Setting>& info) { return info.param.name; });

TEST_P(NetworkTest, APlainLinkRunsTheMessageOnTheSendersThread) {
  if (GetParam().jitter > Duration::zero()) GTEST_SKIP() << "with jitter no link is a plain call";
  std::thread::id ran_on;
  AB().Send([&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  // And again once faults are over.
  network_.Disturb(kA, kB, {.delay = milliseconds(1)});
  AB().Send(mail_('a'));
  network_.Disturb(kA, kB, {.delay = Duration::zero()});
  AwaitArrived(1);
  network_.Cut(kA, kB);
  network_.Heal(kA, kB);
  network_.Pause(kB);
  network_.Resume(kB);
  Pass();
  AB().Send(mail_('b'));
  EXPECT_EQ(mail_.arrived(), "ab");
}

TEST_P(NetworkTest, ANodeReachesItselfAtOnce) {
  network_.link(kA, kA).Send(mail_('a'));
  EXPECT_EQ(mail_.arrived(), "a");
}

TEST_P(NetworkTest, MessagesArriveInOrderWhileTheDelayChanges) {
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    if (i % 20 == 0) {
      network_.Disturb(kA, kB,
                       {.delay = i == 20 ? milliseconds(10) : milliseconds(i == 0 ? 3 : 0)});
    }
    const char letter = static_cast<char>('A' + i);
    expected += letter;
    AB().Send(mail_(letter));
  }
  AwaitArrived(60);
  EXPECT_EQ(mail_.arrived(), expected);
}

TEST_P(NetworkTest, ADelayHoldsMessagesThatLong) {
  const Time sent = Now();
  Time arrived{};
  network_.Disturb(kA, kB, {.delay = milliseconds(15)});
  Completion done;
  AB().Send([&] {
    arrived = Now();
    done.Signal();
  });
  ASSERT_TRUE(executor_->BlockUntil(done, Now() + seconds(60)).ok());
  EXPECT_GE(arrived - sent, milliseconds(15));
}

TEST_P(NetworkTest, ACutLinkHoldsWhatIsSentAndDestroysItWhenHealed) {
  network_.Cut(kA, kB);
  AB().Send(mail_('a'));
  AB().Send(mail_('b'));
  Pass();
  EXPECT_EQ(mail_.arrived() + mail_.lost(), "") << "the sender must not learn of it yet";
  network_.Heal(kA, kB);
  EXPECT_EQ(mail_.lost(), "ab");
  AB().Send(mail_('c'));
  AwaitArrived(1);
  EXPECT_EQ(mail_.arrived(), "c");
}

TEST_P(NetworkTest, ACutIsOneWay) {
  network_.Cut(kA, kB);
  network_.link(kB, kA).Send(mail_('a'));
  network_.link(kA, kC).Send(mail_('b'));
  AwaitArrived(2);
  AB().Send(mail_('x'));
  Pass();
  EXPECT_EQ(mail_.arrived().find('x'), std::string::npos);
}

TEST_P(NetworkTest, MessagesUnderWayAreLostByACut) {
  network_.Disturb(kA, kB, {.delay = milliseconds(5)});
  AB().Send(mail_('a'));
  network_.Cut(kA, kB);
  Pass();
  EXPECT_EQ(mail_.arrived() + mail_.lost(), "");
  network_.HealAll();
  EXPECT_EQ(mail_.lost(), "a");
  AB().Send(mail_('b'));
  AwaitArrived(1);
}

TEST_P(NetworkTest, HealAllEndsCutsAndDelays) {
  network_.Cut(kA, kB);
  network_.Disturb(kB, kA, {.delay = seconds(100)});
  network_.HealAll();
  AB().Send(mail_('a'));
  network_.link(kB, kA).Send(mail_('b'));
  AwaitArrived(2);
}

TEST_P(NetworkTest, ALostMessageIsSilentUntilTheLinkIsHealed) {
  network_.Disturb(kA, kB, {.loss = 1});
  AB().Send(mail_('a'));
  network_.Disturb(kA, kB, {});
  AB().Send(mail_('b'));
  AwaitArrived(1);
  EXPECT_EQ(mail_.arrived(), "b");
  EXPECT_EQ(mail_.lost(), "");
  network_.HealAll();
  EXPECT_EQ(mail_.lost(), "a");
}

TEST_P(NetworkTest, SomeAreLostSomeArriveAndTheSeedDecidesWhich) {
  network_.Disturb(kA, kB, {.loss = 0.5});
  std::string sent;
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    sent += letter;
    AB().Send(mail_(letter));
  }
  Pass();
  const std::string arrived = mail_.arrived();
  EXPECT_GT(arrived.size(), sent.size() / 5);
  EXPECT_LT(arrived.size(), sent.size() * 4 / 5);
  EXPECT_TRUE(std::is_sorted(arrived.begin(), arrived.end())) << arrived;
  network_.HealAll();
  EXPECT_EQ(arrived.size() + mail_.lost().size(), sent.size());
}

TEST_P(NetworkTest, WhatWasLostLongAgoIsForgotten) {
  if (GetParam().name == "Real") GTEST_SKIP() << "takes minutes of real time";
  network_.Disturb(kA, kB, {.loss = 1});
  AB().Send(mail_('a'));
  Pass(std::chrono::minutes(1));
  AB().Send(mail_('b'));
  Pass(std::chrono::seconds(61));
  AB().Send(mail_('c'));
  EXPECT_EQ(mail_.lost(), "a");
}

TEST_P(NetworkTest, OthersOvertakeWhatIsReordered) {
  network_.Disturb(kA, kB, {.jitter = milliseconds(5), .reordering = 0.5});
  std::string sent;
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    sent += letter;
    AB().Send(mail_(letter));
  }
  AwaitArrived(sent.size());
  std::string arrived = mail_.arrived();
  EXPECT_NE(arrived, sent);
  std::sort(arrived.begin(), arrived.end());
  EXPECT_EQ(arrived, sent);
}

TEST_P(NetworkTest, TheSenderIsToldWhenToSendTwice) {
  EXPECT_FALSE(AB().DrawDuplicate());
  network_.Disturb(kA, kB, {.duplication = 1});
  EXPECT_TRUE(AB().DrawDuplicate());
  EXPECT_FALSE(network_.link(kB, kA).DrawDuplicate());
  network_.Cut(kA, kB);
  EXPECT_FALSE(AB().DrawDuplicate());
}

TEST_P(NetworkTest, AllClientsAreThoseThereAreAndThoseThatCome) {
  constexpr NodeId kFirst = NodeId::kFirstClient, kSecond{-3};
  network_.link(kFirst, kA);
  network_.Cut(NodeId::kAllClients, kA);
  network_.link(kFirst, kA).Send(mail_('x'));
  network_.link(kSecond, kA).Send(mail_('x'));
  network_.link(kA, kSecond).Send(mail_('a'));
  network_.link(NodeId::kCoordination, kA).Send(mail_('b'));
  network_.link(kSecond, kB).Send(mail_('c'));
  AwaitArrived(3);
  EXPECT_EQ(mail_.arrived().find('x'), std::string::npos);
  network_.Heal(NodeId::kAllClients, kA);
  EXPECT_EQ(mail_.lost(), "xx");
  network_.link(kSecond, kA).Send(mail_('d'));
  network_.link(NodeId{-4}, kA).Send(mail_('e'));
  AwaitArrived(5);
}

TEST_P(NetworkTest, ALostMessageMayAnswerOverTheSameLinkWhenItIsDestroyed) {
  struct Answers {
    Answers(Link* link_in, Mailbox* mail_in) : link(link_in), mail(mail_in) {}
    Answers(Answers&& other) noexcept
        : link(std::exchange(other.link, nullptr)), mail(other.mail) {}
    ~Answers() {
      if (link != nullptr) link->Send((*mail)('a'));
    }
    void operator()() {}
    Link* link;
    Mailbox* mail;
  };
  network_.Cut(kA, kB);
  AB().Send(Answers(&AB(), &mail_));
  network_.Heal(kA, kB);
  AwaitArrived(1);
}

TEST_P(NetworkTest, WhatIsSentToAPausedNodeWaitsUntilItIsResumed) {
  AB();  // a link that was there before
  network_.Pause(kB);
  AB().Send(mail_('a'));
  network_.link(kC, kB).Send(mail_('b'));  // and one that is made meanwhile
  Pass();
  EXPECT_EQ(mail_.arrived() + mail_.lost(), "");
  network_.Resume(kB);
  AwaitArrived(2);
}

TEST_P(NetworkTest, MessagesSentDuringAndAfterAPauseKeepTheirOrder) {
  network_.Pause(kB);
  AB().Send(mail_('a'));
  AB().Send(mail_('b'));
  network_.Resume(kB);
  AB().Send(mail_('c'));
  AwaitArrived(3);
  EXPECT_EQ(mail_.arrived(), "abc");
}

TEST_P(NetworkTest, AMessageThatIsNotDueYetWhenTheNodeIsResumedStillArrives) {
  network_.Disturb(kA, kB, {.delay = milliseconds(10)});
  network_.Pause(kB);
  AB().Send(mail_('a'));
  network_.Resume(kB);
  AwaitArrived(1);
}

TEST_P(NetworkTest, TimersOfAPausedNodeWaitUntilItIsResumed) {
  network_.Pause(kB);
  network_.PostAt(kB, Now() + milliseconds(2), mail_('b'));
  network_.PostAt(kA, Now() + milliseconds(2), mail_('a'));
  AwaitArrived(1);
  Pass();
  EXPECT_EQ(mail_.arrived(), "a");
  network_.Resume(kB);
  AwaitArrived(2);
}

TEST_P(NetworkTest, TimersOfANodeAreNotHeldByItsCutLinks) {
  network_.Cut(kA, kB);
  network_.Cut(kB, kA);
  const Time when = Now() + milliseconds(2);
  network_.PostAt(kB, when, [&, message = mail_('b')]() mutable {
    EXPECT_GE(Now(), when);
    message();
  });
  AwaitArrived(1);
}

TEST_P(NetworkTest, ATimerMayBeCancelled) {
  const TimerId timer = network_.PostAt(kB, Now() + milliseconds(5), mail_('b'));
  EXPECT_TRUE(executor_->Cancel(timer));
  EXPECT_EQ(mail_.lost(), "b");
  Pass();
  EXPECT_EQ(mail_.arrived(), "");
}

TEST_P(NetworkTest, CloseDestroysWhatIsHeldAndWhatFollows) {
  network_.Disturb(kA, kB, {.delay = milliseconds(5)});
  AB().Send(mail_('a'));
  network_.Cut(kA, kC);
  network_.link(kA, kC).Send(mail_('b'));
  network_.Pause(kC);
  network_.link(kB, kC).Send(mail_('c'));
  network_.PostAt(kB, Now() + milliseconds(2), mail_('t'));
  network_.Close();
  EXPECT_EQ(mail_.lost().size(), 3u);
  AB().Send(mail_('d'));
  network_.link(kC, kA).Send(mail_('e'));  // made after the end
  network_.Resume(kC);
  Pass();
  EXPECT_EQ(mail_.lost().size(), 6u);
  EXPECT_EQ(mail_.arrived(), "");
  network_.Close();  // idempotent
}

TEST(NetworkThreadsTest, EveryMessageRunsOrIsDestroyedOnceWhateverIsDoneToItsLink) {
  RealExecutor executor;
  auto network = std::make_unique<Network>(executor, Network::Options());
  constexpr int kThreads = 3, kMessages = 3000;
  std::atomic<int> ran{0}, destroyed{0};
  struct Counted {
    Counted(std::atomic<int>* ran_in, std::atomic<int>* destroyed_in)
        : ran(ran_in), destroyed(destroyed_in) {}
    Counted(Counted&& other) noexcept
        : ran(std::exchange(other.ran, nullptr)), destroyed(other.destroyed) {}
    ~Counted() {
      if (ran != nullptr) destroyed->fetch_add(1);
    }
    void operator()() { std::exchange(ran, nullptr)->fetch_add(1); }
    std::atomic<int>* ran;
    std::atomic<int>* destroyed;
  };
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kMessages; ++i) network->link(kA, kB).Send(Counted(&ran, &destroyed));
    });
  }
  std::thread faults([&] {
    while (!stop) {
      network->Cut(kA, kB);
      network->Heal(kA, kB);
      network->Disturb(kA, kB, {.delay = std::chrono::microseconds(50)});
      network->Pause(kB);
      network->Disturb(kA, kB, {.delay = Duration::zero()});
      network->Resume(kB);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  faults.join();
  network->Close();
  executor.Shutdown();
  network.reset();
  EXPECT_EQ(ran + destroyed, kThreads * kMessages);
  EXPECT_GT(ran, 0);
}

std::vector<Time> ArrivalTimes(uint64_t seed) {
  SimExecutor executor(1);
  Network network(executor, {.jitter = milliseconds(1), .seed = seed});
  std::vector<Time> times;
  for (int i = 0; i < 10; ++i) {
    network.link(kA, kB).Send([&] { times.push_back(executor.clock().Now()); });
    network.link(kB, kA).Send([&] { times.push_back(executor.clock().Now()); });
    executor.RunFor(milliseconds(5));
  }
  return times;
}

TEST(NetworkJitterTest, TheSeedMakesTheTimes) {
  EXPECT_EQ(ArrivalTimes(1), ArrivalTimes(1));
  EXPECT_NE(ArrivalTimes(1), ArrivalTimes(2));
}

}  // namespace
}  // namespace kafkalite::base
