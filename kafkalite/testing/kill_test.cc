// kill -9 of a process whose cluster lives in files, under load, again and again. What it had said
// to be acknowledged the next start has, at its offset, in each topic: nothing of it may be lost,
// altered, or there twice.
//
//   KAFKALITE_KILLS=200 ./bazelw test //kafkalite/testing:kill_campaign

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/kafkalite.h"

extern char** environ;

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;

// Where an acknowledged record is.
using Place = std::tuple<std::string, int32_t, int64_t>;

int Kills() {
  const char* kills = std::getenv("KAFKALITE_KILLS");
  return kills == nullptr ? 5 : std::atoi(kills);
}

class Child {
 public:
  Child(const std::string& data_dir, uint64_t seed) {
    int ends[2];
    if (pipe(ends) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    std::string path = "kafkalite/testing/kill_child";
    std::string directory = data_dir;
    std::string number = std::to_string(seed);
    char* arguments[] = {path.data(), directory.data(), number.data(), nullptr};
    if (posix_spawn(&pid_, path.c_str(), &actions, nullptr, arguments, environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    out_ = fdopen(ends[0], "r");
  }
  ~Child() {
    if (killer_.joinable()) killer_.join();
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (out_ != nullptr) std::fclose(out_);
  }

  bool AwaitReady() {
    std::string line;
    return pid_ > 0 && ReadLine(line) && line == "ready";
  }
  void KillAfter(milliseconds time) {
    killer_ = std::thread([this, time] {
      std::this_thread::sleep_for(time);
      kill(pid_, SIGKILL);
    });
  }
  // Everything that it says until it is dead.
  void Listen(std::map<Place, std::string>& acknowledged) {
    std::string line;
    while (ReadLine(line)) {
      char topic[32];
      char value[80];
      int32_t partition = -1;
      int64_t offset = -1;
      ASSERT_EQ(std::sscanf(line.c_str(), "%31s %d %ld %79s", topic, &partition, &offset, value), 4)
          << line;
      const auto [entry, fresh] = acknowledged.emplace(Place{topic, partition, offset}, value);
      ASSERT_TRUE(fresh) << line << ": that is where " << entry->second << " is";
    }
    killer_.join();
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "it ended by itself: " << status;
  }

 private:
  // A line without its end; false at the end, and for one that was cut off.
  bool ReadLine(std::string& line) {
    line.clear();
    for (int c = std::fgetc(out_); c != EOF; c = std::fgetc(out_)) {
      if (c == '\n') return true;
      line += static_cast<char>(c);
    }
    return false;
  }

  pid_t pid_ = -1;
  FILE* out_ = nullptr;
  std::thread killer_;
};

// Everything that a new start finds, by place.
void ReadAll(const std::string& data_dir, std::map<Place, std::string>& found) {
  const auto cluster = Cluster::Start({.brokers = 3, .data_dir = data_dir});
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  const auto consumer = Consumer::Create(**cluster, {});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  const auto topics = (*cluster)->ListTopics();
  ASSERT_TRUE(topics.ok()) << topics.status();
  ASSERT_EQ(topics->size(), 2u);
  ASSERT_TRUE((*consumer)->AssignTopics(*topics).ok());
  const auto ends = (*consumer)->EndOffsets((*consumer)->assignment());
  ASSERT_TRUE(ends.ok()) << ends.status();
  int64_t left = 0;
  for (const auto& [partition, end] : *ends) left += end;
  while (left > 0) {
    const auto records = (*consumer)->Poll(std::chrono::seconds(10));
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_FALSE(records->empty()) << left << " records are not to be read";
    left -= records->count();
    for (const ConsumedRecord& record : *records) {
      found[{std::string(record.topic), record.partition, record.offset}] =
          std::string(record.value->substr(0, 60));
    }
  }
}

TEST(KillTest, WhatWasAcknowledgedIsThereAfterEachKill) {
  const auto data_dir = std::filesystem::path(::testing::TempDir()) / "kill";
  base::Random random(7);
  std::map<Place, std::string> acknowledged;
  size_t total = 0;
  for (int i = 0; i < Kills(); ++i) {
    SCOPED_TRACE("kill " + std::to_string(i));
    if (i % 10 == 0) {  // so that reading it all does not take longer and longer
      std::filesystem::remove_all(data_dir);
      acknowledged.clear();
    }
    const size_t before = acknowledged.size();
    Child child(data_dir, static_cast<uint64_t>(i));
    ASSERT_TRUE(child.AwaitReady());
    child.KillAfter(milliseconds(random.Below(300)));
    ASSERT_NO_FATAL_FAILURE(child.Listen(acknowledged));
    total += acknowledged.size() - before;
    // Twice in a row, now and then: what is to be repaired has been repaired in part.
    if (random.OneIn(3)) continue;
    std::map<Place, std::string> found;
    ASSERT_NO_FATAL_FAILURE(ReadAll(data_dir, found));
    std::map<std::string, int> times;
    for (const auto& [place, value] : found) {
      ASSERT_EQ(++times[std::get<0>(place) + value], 1) << value << " is there twice";
    }
    for (const auto& [place, value] : acknowledged) {
      const auto there = found.find(place);
      ASSERT_NE(there, found.end()) << std::get<0>(place) << "-" << std::get<1>(place) << " offset "
                                    << std::get<2>(place) << " is lost: " << value;
      ASSERT_EQ(there->second, value);
    }
  }
  std::printf("%d kills, %zu records acknowledged\n", Kills(), total);
  EXPECT_GT(total, static_cast<size_t>(Kills()) * 10) << "there was hardly any load";
  std::filesystem::remove_all(data_dir);
}

}  // namespace
}  // namespace kafkalite::testing
