// Processes that use a tree in files and crash, one after the other, against what their clients
// were told.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/embedded/embedded_coordination.h"
#include "kafkalite/coordination/embedded/sim_tree.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::coordination {
namespace {

using files::MemoryFileSystem;
using Call = MemoryFileSystem::Operation;
using Verdict = MemoryFileSystem::Verdict;
using Mode = Operation::Mode;

constexpr size_t kClients = 3;

int64_t Number(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// What clients asked for, and what they were told or saw.
struct Told {
  struct Counter {
    int64_t asked = 0;
    int64_t least = 0;
  };
  std::array<Counter, kClients> counters;
  std::set<std::string> kept, gone, ephemeral;  // paths
  int64_t newest_id = 0;
};

// Each client counts in two nodes, in one commit; makes nodes, persistent and not, whose numbers
// come from one counter; deletes the ones that it knows of; and reads what others count.
class Client {
 public:
  Client(SimTree& tree, size_t self, Told& told)
      : self_(self),
        told_(told),
        session_(tree.coordination().Connect({.client = static_cast<int32_t>(self)}, nullptr)) {}

  void Act(base::Random& random) {
    switch (random.Below(6)) {
      case 0:
      case 1:
        return Count();
      case 2:
        return Make(Mode::kPersistentSequential);
      case 3:
        return Make(Mode::kEphemeralSequential);
      case 4:
        return DeleteOne(random);
      default:
        return Look(random.Below(kClients));
    }
  }

  static std::string CounterOf(size_t client) { return base::Cat("/count-", client); }
  static std::string TwinOf(size_t client) { return base::Cat("/twin-", client); }

 private:
  void Count() {
    Told::Counter& counter = told_.counters[self_];
    const std::string text = base::Cat(++counter.asked);
    session_->Commit({Operation::Set(CounterOf(self_), text), Operation::Set(TwinOf(self_), text)},
                     [&counter, count = counter.asked](const CommitResult& result) {
                       if (result.code == Code::kOk) counter.least = std::max(counter.least, count);
                     });
  }
  void Make(Mode mode) {
    session_->Commit({Operation::Create("/made/n", "", mode)}, [this, mode](CommitResult result) {
      if (result.code != Code::kOk) return;
      const std::string& path = result.results[0].path;
      EXPECT_FALSE(told_.kept.contains(path) || told_.gone.contains(path) ||
                   told_.ephemeral.contains(path))
          << path << " came again";
      (mode == Mode::kPersistentSequential ? told_.kept : told_.ephemeral).insert(path);
      // Its id, by which Kafka tells one registration of a broker from the next.
      session_->Get(path, nullptr, [this](const GetResult& got) {
        if (got.code != Code::kOk) return;
        told_.newest_id = std::max(told_.newest_id, got.stat.creation_id);
      });
    });
  }
  void DeleteOne(base::Random& random) {
    if (told_.kept.empty()) return;
    auto position = told_.kept.begin();
    std::advance(position, random.Below(told_.kept.size()));
    const std::string path = *position;
    told_.kept.erase(position);  // whether it is there is open until the answer
    session_->Commit({Operation::Delete(path)}, [this, path](const CommitResult& result) {
      if (result.code == Code::kOk) told_.gone.insert(path);
    });
  }
  void Look(size_t other) {
    session_->Get(CounterOf(other), nullptr, [this, other](const GetResult& got) {
      int64_t& least = told_.counters[other].least;
      if (got.code == Code::kOk) least = std::max(least, Number(got.data));
    });
  }

  const size_t self_;
  Told& told_;
  const std::unique_ptr<Session> session_;
};

class Story {
 public:
  explicit Story(uint64_t seed) : seed_(seed), random_(seed) {}

  void Run() {
    for (uint64_t process = 0; process < 6; ++process) {
      {
        SimTree tree(seed_ * 100 + process, {fs_, "data/tree", 400});
        if (process == 0) SetUp(tree);
        Judge(tree);
        if (testing::Test::HasFailure()) return;
        Live(tree);
      }
      // Its clients have heard what they could.
      fs_->SetFault(nullptr);
    }
  }

 private:
  void SetUp(SimTree& tree) {
    tree.MustCommit({Operation::Create("/made", "")});
    for (size_t i = 0; i < kClients; ++i) {
      tree.MustCommit({Operation::Create(Client::CounterOf(i), "0"),
                       Operation::Create(Client::TwinOf(i), "0")});
    }
  }

  void Judge(SimTree& tree) {
    for (size_t i = 0; i < kClients; ++i) {
      Told::Counter& counter = told_.counters[i];
      const GetResult found = tree.Get(Client::CounterOf(i));
      EXPECT_EQ(found.data, tree.Get(Client::TwinOf(i)).data) << "half a commit";
      EXPECT_GE(Number(found.data), counter.least);
      EXPECT_LE(Number(found.data), counter.asked);
      counter.least = Number(found.data);
    }
    std::set<std::string> made;
    for (const std::string& name : tree.Children("/made")) made.insert("/made/" + name);
    for (const std::string& path : told_.kept) EXPECT_TRUE(made.contains(path)) << path;
    for (const std::string& path : told_.gone) EXPECT_FALSE(made.contains(path)) << path;
    for (const std::string& path : told_.ephemeral) EXPECT_FALSE(made.contains(path)) << path;
    // Those of commits that were not answered, too.
    told_.kept = made;
    tree.MustCommit({Operation::Create("/probe", "", Mode::kEphemeral)});
    EXPECT_GT(tree.Get("/probe").stat.creation_id, told_.newest_id);
    tree.MustCommit({Operation::Delete("/probe")});
  }

  // Until the process, or the machine, is gone.
  void Live(SimTree& tree) {
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<Client>(tree, i, told_));
    }
    // Between two calls to the disk, or in the midst of one.
    int64_t calls_left = random_.OneIn(3) ? -1 : random_.Between(1, 60);
    fs_->SetFault([this, &calls_left](const Call&) {
      if (gone_) return Gone();
      return --calls_left == 0 ? End() : Verdict{};
    });
    for (int64_t left = random_.Between(1, 120); left > 0 && !gone_; --left) {
      clients[random_.Below(kClients)]->Act(random_);
      if (random_.OneIn(2)) tree.RunFor(std::chrono::microseconds(random_.Below(300)));
    }
    if (!gone_) End();
    // Nothing leaves it any more but what had left it.
    tree.Settle();
    clients.clear();
    fs_->SetFault([](const Call&) { return Gone(); });
    gone_ = false;
  }
  Verdict End() {
    gone_ = true;
    if (random_.OneIn(4)) {
      fs_->Kill();
    } else {
      fs_->Crash({.seed = random_.Below(1 << 20),
                  .keep_some = !random_.OneIn(3),
                  .in_order = random_.OneIn(2)});
    }
    return Gone();
  }
  static Verdict Gone() { return {absl::UnavailableError("the machine is gone")}; }

  const uint64_t seed_;
  base::Random random_;
  const std::shared_ptr<MemoryFileSystem> fs_ = std::make_shared<MemoryFileSystem>();
  Told told_;
  bool gone_ = false;
};

TEST(DurableTreeCrashTest, WhatAnyClientWasToldIsThereAfterACrash) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Story(seed).Run();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kafkalite::coordination
