// File: sim_tree.h
//
// For tests of what lives on the tree: a simulated executor, a network and the embedded
// coordination, and an observer, whom no fault is aimed at, to read and to write it.
//
//   SimTree tree(seed);
//   tree.Commit({Operation::Create("/a", "")});
//   EXPECT_EQ(tree.VersionOf("/a"), 0);
//
// Of a tree in files, each SimTree is a process.
//
// Thread safety: none. Lifetime: outlives what runs on it; its end drops every timer.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_SIM_TREE_H_
#define KAFKALITE_COORDINATION_EMBEDDED_SIM_TREE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/network.h"
#include "kafkalite/base/sim_executor.h"
#include "kafkalite/coordination/coordination.h"
#include "kafkalite/coordination/embedded/embedded_coordination.h"

namespace kafkalite::coordination {

class SimTree {
 public:
  using Files = EmbeddedCoordination::Files;

  explicit SimTree(uint64_t seed) : SimTree(seed, nullptr) {}
  // REQUIRES: the folder can be opened.
  SimTree(uint64_t seed, const Files& files) : SimTree(seed, &files) {}
  ~SimTree() {
    observer_ = nullptr;
    executor_.Shutdown();
  }

  base::SimExecutor& executor() { return executor_; }
  base::Network& network() { return network_; }
  EmbeddedCoordination& coordination() { return *coordination_; }

  // A timer of `node`.
  void After(base::NodeId node, base::Duration delay, base::Task task) {
    network_.PostAt(node, base::SaturatingAdd(executor_.clock().Now(), delay), std::move(task));
  }

  void RunFor(base::Duration time) { executor_.RunFor(time); }
  // Until what is under way has arrived.
  void Settle() { RunFor(std::chrono::milliseconds(20)); }
  // False if it does not come within a minute.
  bool Eventually(const std::function<bool()>& reached) {
    for (int i = 0; i < 60000; ++i) {
      if (reached()) return true;
      RunFor(std::chrono::milliseconds(1));
    }
    return false;
  }

  // The observer's. Ephemeral nodes that it makes stay until it deletes them.
  GetResult Get(const std::string& path) {
    return Await<GetResult>([&](GetCallback done) { observer_->Get(path, {}, std::move(done)); });
  }
  std::vector<std::string> Children(const std::string& path) {
    return Await<ChildrenResult>(
               [&](ChildrenCallback done) { observer_->Children(path, {}, std::move(done)); })
        .names;
  }
  Code Commit(std::vector<Operation> operations) { return Ask(std::move(operations)).code; }
  CommitResult Ask(std::vector<Operation> operations) {
    return Await<CommitResult>(
        [&](CommitCallback done) { observer_->Commit(std::move(operations), std::move(done)); });
  }
  void MustCommit(std::vector<Operation> operations) {
    ASSERT_EQ(ToString(Commit(std::move(operations))), ToString(Code::kOk));
  }
  bool Exists(const std::string& path) { return Get(path).code == Code::kOk; }
  // -1 if there is no such node.
  int32_t VersionOf(const std::string& path) {
    const GetResult result = Get(path);
    return result.code == Code::kOk ? result.stat.version : -1;
  }
  uint64_t OwnerOf(const std::string& path) { return Get(path).stat.ephemeral_owner; }

 private:
  static constexpr int32_t kObserver = -100000;

  SimTree(uint64_t seed, const Files* files)
      : executor_(seed),
        network_(executor_, {.jitter = std::chrono::microseconds(100), .seed = seed}),
        coordination_(files == nullptr
                          ? std::make_unique<EmbeddedCoordination>(executor_, network_)
                          : EmbeddedCoordination::Open(executor_, network_, *files).value()),
        observer_(coordination_->Connect({.client = kObserver, .timeout = std::chrono::hours(1)},
                                         nullptr)) {}

  template <class Result, class Ask>
  Result Await(Ask ask) {
    auto answer = std::make_shared<std::optional<Result>>();
    ask([answer](Result result) { *answer = std::move(result); });
    EXPECT_TRUE(Eventually([&] { return answer->has_value(); })) << "no answer";
    return answer->value_or(Result{});
  }

  base::SimExecutor executor_;
  base::Network network_;
  const std::unique_ptr<EmbeddedCoordination> coordination_;
  std::unique_ptr<Session> observer_;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_SIM_TREE_H_
