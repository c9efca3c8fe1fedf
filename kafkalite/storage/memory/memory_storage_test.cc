#include "kafkalite/storage/memory/memory_storage.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/storage/contract_test.h"

namespace kafkalite::storage {
namespace {

class MemoryFixture final : public StorageFixture {
 public:
  // A restart of the broker, not of its process: the storage stays.
  Storage& storage() override { return storage_; }

 private:
  MemoryStorage storage_{std::make_shared<base::Budget>(64 << 20)};
};

INSTANTIATE_TEST_SUITE_P(Memory, StorageContractTest,
                         testing::Values(StorageFixtureFactory{
                             "Memory", [] { return std::make_unique<MemoryFixture>(); }}),
                         StorageFixtureName);

using model::Offset;

class MemoryBudgetTest : public testing::Test {
 protected:
  static constexpr int64_t kBody = 4096;  // what MakeBatch's buffer below takes
  static constexpr int64_t kLimit = 4 * kBody;

  std::unique_ptr<Log> Open(MemoryStorage& storage, int32_t partition) {
    return storage.Open({"t", model::PartitionId(partition)}, model::LogId(1)).value();
  }
  // One record whose body's buffer takes kBody bytes.
  format::Batch Make(int64_t offset) {
    return MakeBatch(*pool_, {.offset = offset, .timestamps = {1000}, .value_bytes = 3000});
  }
  int64_t used() const { return budget_->used_bytes(); }

  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(0);
  const std::shared_ptr<base::Budget> budget_ = std::make_shared<base::Budget>(kLimit);
  MemoryStorage storage_{budget_};
  std::unique_ptr<Log> log_ = Open(storage_, 0);
};

TEST_F(MemoryBudgetTest, ChargesTheCapacityNotTheContent) {
  ASSERT_TRUE(log_->Append(std::vector{Make(0)}).ok());
  EXPECT_EQ(used(), kBody);
  EXPECT_LT(log_->size_bytes(), kBody);
}

TEST_F(MemoryBudgetTest, ABodyInTwoLogsIsChargedOnceUntilTheLastOneDropsIt) {
  MemoryStorage another_brokers(budget_);
  const auto other = Open(another_brokers, 0);
  const format::Batch batch = Make(0);
  ASSERT_TRUE(log_->Append(std::vector{batch}).ok());
  ASSERT_TRUE(other->Append(std::vector{batch}).ok());
  EXPECT_EQ(used(), kBody);
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  EXPECT_EQ(used(), kBody);
  ASSERT_TRUE(other->TruncatePrefix(Offset(1)).ok());
  EXPECT_EQ(used(), 0);
  ASSERT_TRUE(log_->Append(std::vector{batch}).ok());
  EXPECT_EQ(used(), kBody) << "charged anew by whoever keeps it next";
}

TEST_F(MemoryBudgetTest, AFullBudgetRefusesTheAppendAndNothingOfItStays) {
  ASSERT_TRUE(log_->Append(std::vector{Make(0), Make(1), Make(2)}).ok());
  const int64_t size = log_->size_bytes();
  const absl::Status status = log_->Append(std::vector{Make(3), Make(4)});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(log_->end_offset(), Offset(3));
  EXPECT_EQ(log_->size_bytes(), size);
  EXPECT_EQ(used(), 3 * kBody);
  EXPECT_EQ(log_->Read(Offset(0), {.max_offset = Offset(9), .max_bytes = 1 << 20})->batches.size(),
            3u);
  EXPECT_TRUE(log_->Append(std::vector{Make(3)}).ok()) << "one still fits";
  EXPECT_FALSE(log_->Append(std::vector{Make(4)}).ok());
}

TEST_F(MemoryBudgetTest, AfterTruncationAppendsWorkAgain) {
  for (int64_t i = 0; i < 4; ++i) ASSERT_TRUE(log_->Append(std::vector{Make(i)}).ok());
  ASSERT_FALSE(log_->Append(std::vector{Make(4)}).ok());
  ASSERT_TRUE(log_->TruncatePrefix(Offset(1)).ok());
  EXPECT_TRUE(log_->Append(std::vector{Make(4)}).ok());
  ASSERT_FALSE(log_->Append(std::vector{Make(5)}).ok());
  ASSERT_TRUE(log_->Retain({.retained_bytes = 0, .keep_from = Offset(2)}).ok());
  EXPECT_TRUE(log_->Append(std::vector{Make(5)}).ok());
}

TEST_F(MemoryBudgetTest, AFollowerMayKeepWhatTheLeaderPaidForWhenTheBudgetIsFull) {
  MemoryStorage followers(budget_);
  const auto follower = Open(followers, 0);
  std::vector<format::Batch> batches;
  for (int64_t i = 0; i < 4; ++i) batches.push_back(Make(i));
  ASSERT_TRUE(log_->Append(batches).ok());
  EXPECT_TRUE(follower->Append(batches).ok());
  EXPECT_EQ(used(), kLimit);
}

TEST_F(MemoryBudgetTest, LogsOfOneBudgetShareIt) {
  const auto other = Open(storage_, 1);
  ASSERT_TRUE(other->Append(std::vector{Make(0), Make(1), Make(2), Make(3)}).ok());
  EXPECT_FALSE(log_->Append(std::vector{Make(0)}).ok());
  ASSERT_TRUE(other->TruncateSuffix(Offset(0)).ok());
  EXPECT_TRUE(log_->Append(std::vector{Make(0)}).ok());
}

TEST_F(MemoryBudgetTest, ReadersDoNotHoldUpWriters) {
  ASSERT_TRUE(log_->Append(std::vector{Make(0)}).ok());
  const auto read = log_->Read(Offset(0), {.max_offset = Offset(1), .max_bytes = 1});
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  EXPECT_EQ(used(), 0);
  EXPECT_TRUE(format::Validate(read->batches.front()).ok());
}

TEST_F(MemoryBudgetTest, DeletingALogAndDestroyingAStoragePayBack) {
  ASSERT_TRUE(log_->Append(std::vector{Make(0)}).ok());
  log_.reset();
  EXPECT_EQ(used(), kBody) << "a closed log keeps what it holds";
  storage_.Delete({"t", model::PartitionId(0)},
                  [](const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; });
  EXPECT_EQ(used(), 0);
  {
    MemoryStorage other(budget_);
    ASSERT_TRUE(Open(other, 0)->Append(std::vector{Make(0)}).ok());
    EXPECT_EQ(used(), kBody);
  }
  EXPECT_EQ(used(), 0);
}

TEST_F(MemoryBudgetTest, ABodyLargerThanTheBudgetFitsIntoAnEmptyOne) {
  EXPECT_TRUE(
      log_->Append(std::vector{MakeBatch(
                       *pool_, {.offset = 0, .timestamps = {1}, .value_bytes = 5 * kLimit})})
          .ok());
  EXPECT_FALSE(log_->Append(std::vector{Make(1)}).ok());
}

}  // namespace
}  // namespace kafkalite::storage
