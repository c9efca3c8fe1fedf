// What a cluster does when a broker's storage fails, told as stories.

#include <atomic>
#include <map>

#include "kafkalite/base/budget.h"
#include "kafkalite/storage/memory/memory_storage.h"
#include "kafkalite/testing/faults.h"
#include "kafkalite/testing/forwarding_log.h"
#include "kafkalite/testing/matchers.h"
#include "kafkalite/testing/scenario.h"

namespace kafkalite::testing {
namespace {

using std::chrono::milliseconds;

// How many of its next calls fail.
struct Failures {
  std::atomic<int> open{0};
  std::atomic<int> read{0};
  std::atomic<int> remove{0};

  static bool Take(std::atomic<int>& left) {
    if (left <= 0) return false;
    --left;
    return true;
  }
};

const absl::Status kBroken = absl::InternalError("the disk is broken");

class FailingLog final : public ForwardingLog {
 public:
  FailingLog(std::unique_ptr<Log> log, std::shared_ptr<Failures> failures)
      : ForwardingLog(std::move(log)), failures_(std::move(failures)) {}
  absl::StatusOr<storage::ReadResult> Read(model::Offset from,
                                           const storage::ReadLimits& limits) const override {
    if (Failures::Take(failures_->read)) return kBroken;
    return ForwardingLog::Read(from, limits);
  }

 private:
  const std::shared_ptr<Failures> failures_;
};

class FailingStorage final : public storage::Storage {
 public:
  explicit FailingStorage(std::shared_ptr<Failures> failures)
      : storage_(std::make_shared<base::Budget>(int64_t{1} << 30)),
        failures_(std::move(failures)) {}
  absl::StatusOr<std::unique_ptr<storage::Log>> Open(const model::TopicPartition& tp,
                                                     model::LogId new_id) override {
    if (Failures::Take(failures_->open)) return kBroken;
    auto log = storage_.Open(tp, new_id);
    if (!log.ok()) return log;
    return std::make_unique<FailingLog>(*std::move(log), failures_);
  }
  std::vector<std::pair<model::TopicPartition, model::LogId>> List() const override {
    return storage_.List();
  }
  void Delete(const model::TopicPartition& tp, storage::Log::DoneCallback done) override {
    if (Failures::Take(failures_->remove)) return done(kBroken);
    storage_.Delete(tp, std::move(done));
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  storage::MemoryStorage storage_;
  const std::shared_ptr<Failures> failures_;
};

class BrokenStorage : public ScenarioTest {
 protected:
  BrokenStorage() {
    for (int broker = 1; broker <= 3; ++broker) {
      failures_[broker] = std::make_shared<Failures>();
    }
  }
  void StartFailing() {
    Start({.storage = [failures = failures_](int32_t broker) {
      return std::make_shared<FailingStorage>(failures.at(broker));
    }});
  }

  std::map<int32_t, std::shared_ptr<Failures>> failures_;
};

INSTANTIATE_TEST_SUITE_P(Executors, BrokenStorage, ::testing::Values(kRealTime, 1, 2, 3),
                         ScenarioName);

TEST_P(BrokenStorage, AnotherLeadsWhereTheLeadersLogCannotBeOpened) {
  failures_[1]->open = 1;
  StartFailing();
  MustSend(*MakeProducer(Acks::kAll), "a");
  EXPECT_NE(Describe().leader, 1) << State();
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << "it is tried again: " << State();
  EXPECT_EQ(Values(1), std::vector<std::string>{"a"});
}

TEST_P(BrokenStorage, AFollowerWhoseLogCannotBeOpenedLeavesTheIsrUntilItCan) {
  failures_[3]->open = 3;
  StartFailing();
  MustSend(*MakeProducer(Acks::kAll), "a");
  ASSERT_TRUE(AwaitIsr({1, 2, 3})) << State();
  EXPECT_EQ(Values(3), std::vector<std::string>{"a"});
}

TEST_P(BrokenStorage, AReadErrorAtTheLeaderTakesNothingFromItsFollowers) {
  StartFailing();
  auto producer = MakeProducer(Acks::kAll);
  for (int i = 0; i < 5; ++i) MustSend(*producer, std::to_string(i));
  ASSERT_TRUE(AwaitAgreement({1, 2, 3})) << State();
  ASSERT_THAT(faults_->Cut(1, 2), IsOk());
  ASSERT_THAT(faults_->Cut(1, 3), IsOk());
  Ticket ticket = producer->Send({.topic = kTopic, .partition = 0, .value = "5"});
  Wait(milliseconds(20));
  failures_[1]->read = 10;
  faults_->HealAll();
  for (int i = 0; i < 200; ++i) {
    Wait(milliseconds(1));
    for (const int broker : {2, 3}) ASSERT_GE(ReadReplica(broker).log_end_offset, 5) << State();
  }
  ASSERT_TRUE(ticket.Wait().ok());
  EXPECT_EQ(Consume().size(), 6u);
}

TEST_P(BrokenStorage, AConsumerReadsOnAfterAReadError) {
  StartFailing();
  MustSend(*MakeProducer(Acks::kAll), "a");
  failures_[1]->read = 3;
  EXPECT_EQ(Consume(), std::vector<std::string>{"a"});
}

TEST_P(BrokenStorage, ATopicIsDeletedOnceAllItsLogsAre) {
  StartFailing();
  MustSend(*MakeProducer(Acks::kAll), "old");
  failures_[2]->remove = 3;
  const absl::Status deleted = cluster_->DeleteTopic(kTopic);
  ASSERT_TRUE(deleted.ok()) << deleted;
  EXPECT_EQ(failures_[2]->remove, 0);
  ASSERT_TRUE(cluster_->CreateTopic(kTopic, {.assignment = {{2, 1, 3}}}).ok());
  EXPECT_EQ(Consume(), std::vector<std::string>());
}

}  // namespace
}  // namespace kafkalite::testing
