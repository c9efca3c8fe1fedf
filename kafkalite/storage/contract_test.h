// File: contract_test.h
//
// What every Storage and its logs must do, as tests. An implementation, a user's own included, runs
// them by a fixture:
//
//   class MyFixture : public StorageFixture { ... };
//   INSTANTIATE_TEST_SUITE_P(Mine, StorageContractTest,
//                            testing::Values(StorageFixtureFactory{
//                                "Mine", [] { return std::make_unique<MyFixture>(); }}),
//                            StorageFixtureName);
//
// Include it in one .cc file of a test: it defines its tests there.

#ifndef KAFKALITE_STORAGE_CONTRACT_TEST_H_
#define KAFKALITE_STORAGE_CONTRACT_TEST_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/model/topic.h"
#include "kafkalite/storage/log.h"
#include "kafkalite/storage/storage.h"

namespace kafkalite::storage {

// What a test needs of an implementation. One is made for each test.
class StorageFixture {
 public:
  virtual ~StorageFixture() = default;

  virtual Storage& storage() = 0;
  // Ends the storage in order and makes it again over the same place, as a broker's clean restart
  // does. Called while no log is open.
  virtual void Restart() {}
  // Settings under which old batches go one by one, where the storage can do that at all (see
  // Log::Retain); and whether it can.
  virtual model::TopicConfig config() { return {}; }
  virtual bool drops_batch_by_batch() { return true; }
  // Called after each append: for what the tests should find done. The default leaves it under way.
  virtual void Settle(Log&) {}
  // Whether work of logs that are closed is still under way.
  virtual bool busy() { return false; }
  // Lets what was asked for go on, where it needs somebody's help: a simulation's events, say.
  // Called again and again until a test has what it waits for.
  virtual void Proceed() { std::this_thread::sleep_for(std::chrono::microseconds(100)); }
};

struct StorageFixtureFactory {
  std::string name;  // letters and digits
  std::function<std::unique_ptr<StorageFixture>()> make;

  friend void PrintTo(const StorageFixtureFactory& factory, std::ostream* out) {
    *out << factory.name;
  }
};

inline std::string StorageFixtureName(const testing::TestParamInfo<StorageFixtureFactory>& info) {
  return info.param.name;
}

// A batch to be made: `timestamps.size()` records from `offset` on.
struct BatchSpec {
  int64_t offset = 0;
  std::vector<int64_t> timestamps;
  int32_t epoch = 0;
  size_t value_bytes = 10;
};

inline format::Batch MakeBatch(base::BufferPool& pool, const BatchSpec& spec) {
  const size_t limit = (spec.value_bytes + 40) * spec.timestamps.size();
  format::BatchBuilder builder(pool.Allocate(limit), limit, spec.timestamps.front());
  // Bytes of its own, so that one batch does not pass for another.
  const std::string value(spec.value_bytes, static_cast<char>('a' + spec.offset % 26));
  for (const int64_t timestamp : spec.timestamps) {
    EXPECT_GE(builder.TryAppend(timestamp, std::nullopt, value, {}), 0);
  }
  format::Batch batch = std::move(builder).Build({}, nullptr);
  batch.header.base_offset = model::Offset(spec.offset);
  batch.header.leader_epoch = model::LeaderEpoch(spec.epoch);
  return batch;
}

class StorageContractTest : public testing::TestWithParam<StorageFixtureFactory> {
 protected:
  using Offset = model::Offset;
  static constexpr size_t kAll = std::numeric_limits<size_t>::max();

  StorageContractTest() { Open(); }

  static model::TopicPartition Tp(const std::string& topic, int32_t partition) {
    return {topic, model::PartitionId(partition)};
  }

  std::unique_ptr<Log> OpenLog(const model::TopicPartition& tp, uint64_t new_id) {
    auto log = fixture_->storage().Open(tp, model::LogId(new_id));
    EXPECT_TRUE(log.ok()) << log.status();
    if (!log.ok()) return nullptr;
    (*log)->Configure(fixture_->config());
    return *std::move(log);
  }
  absl::Status Delete(const model::TopicPartition& tp) {
    return Await<absl::Status>(
        [&](auto callback) { fixture_->storage().Delete(tp, std::move(callback)); });
  }
  void Open(uint64_t new_id = 7) { log_ = OpenLog(Tp("t", 0), new_id); }

  // `count` records from `offset` on, written at `timestamp`.
  format::Batch Make(int64_t offset, int count, int64_t timestamp = 1000) {
    return MakeBatch(*pool_,
                     {.offset = offset,
                      .timestamps = std::vector<int64_t>(static_cast<size_t>(count), timestamp)});
  }
  void Append(const std::vector<format::Batch>& batches) {
    const absl::Status status = log_->Append(batches);
    EXPECT_TRUE(status.ok()) << status;
    fixture_->Settle(*log_);
  }
  using Metadata = absl::StatusOr<Log::Metadata>;
  // What is beside the log under that name, "(none)" if nothing is.
  std::string MetadataOf(Log& log, const std::string& name) {
    const auto all = Await<Metadata>([&](auto callback) { log.ReadMetadata(std::move(callback)); });
    EXPECT_TRUE(all.ok()) << all.status();
    if (!all.ok()) return "";
    const auto found = all->find(name);
    return found == all->end() ? "(none)" : found->second;
  }
  std::string MetadataOf(const std::string& name) { return MetadataOf(*log_, name); }
  // [0, 10) in batches of 3, 3 and 4 records.
  void AppendTen() { Append({Make(0, 3), Make(3, 3), Make(6, 4)}); }

  // Waits for a callback's answer. REQUIRES: `start` hands the callback on.
  template <class T>
  T Await(const std::function<void(absl::AnyInvocable<void(T)>)>& start) {
    auto answer = std::make_shared<std::promise<T>>();
    std::future<T> future = answer->get_future();
    start([answer](T value) { answer->set_value(std::move(value)); });
    while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      fixture_->Proceed();
    }
    return future.get();
  }
  using Batches = absl::StatusOr<std::vector<format::Batch>>;
  // What there is to read, brought into memory if need be.
  Batches ReadFrom(Log& log, int64_t from, int64_t max_offset, size_t max_bytes = kAll) {
    auto read = log.Read(Offset(from), {.max_offset = Offset(max_offset), .max_bytes = max_bytes});
    if (!read.ok()) return read.status();
    if (read->cold == nullptr) return std::move(read->batches);
    EXPECT_TRUE(read->batches.empty());
    return Await<Batches>([&](auto callback) { read->cold->Load(std::move(callback)); });
  }
  // With as many reads as it takes.
  Batches ReadAll(int64_t from, int64_t max_offset) {
    std::vector<format::Batch> all;
    while (true) {
      KL_ASSIGN_OR_RETURN(auto more, ReadFrom(*log_, from, max_offset));
      if (more.empty()) return all;
      from = more.back().header.next_offset().value();
      all.insert(all.end(), more.begin(), more.end());
    }
  }
  using Found = absl::StatusOr<std::optional<TimestampAndOffset>>;
  Found FindRecord(int64_t timestamp, int64_t max_offset) {
    return Await<Found>([&](auto callback) {
      log_->FindByTimestamp(timestamp, Offset(max_offset), std::move(callback));
    });
  }
  std::vector<format::BatchHeader> Headers(int64_t from) {
    auto visited = std::make_shared<std::vector<format::BatchHeader>>();
    const auto status = Await<absl::Status>([&](auto callback) {
      log_->VisitHeaders(
          Offset(from),
          [visited](const format::BatchHeader& header) { visited->push_back(header); },
          std::move(callback));
    });
    EXPECT_TRUE(status.ok()) << status;
    return *visited;
  }

  // The base offsets of what Read returns.
  std::vector<int64_t> ReadBases(int64_t from, int64_t max_offset = 1 << 30,
                                 size_t max_bytes = kAll) {
    const auto batches = max_bytes == kAll ? ReadAll(from, max_offset)
                                           : ReadFrom(*log_, from, max_offset, max_bytes);
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::vector<int64_t> bases;
    if (batches.ok()) {
      for (const format::Batch& batch : *batches) bases.push_back(batch.header.base_offset.value());
    }
    return bases;
  }
  using Bases = std::vector<int64_t>;

  bool OutOfRange(int64_t from) {
    const auto batches = log_->Read(Offset(from), {.max_offset = Offset(100), .max_bytes = kAll});
    return batches.status().code() == absl::StatusCode::kOutOfRange;
  }

  // The ends, and whether size and headers agree with what can be read.
  void ExpectLog(int64_t start, int64_t end, const Bases& bases) {
    EXPECT_EQ(log_->start_offset().value(), start);
    EXPECT_EQ(log_->end_offset().value(), end);
    EXPECT_EQ(ReadBases(start), bases);
    const auto batches = ReadAll(start, end);
    ASSERT_TRUE(batches.ok());
    int64_t bytes = 0;
    std::vector<format::BatchHeader> headers;
    for (const format::Batch& batch : *batches) {
      EXPECT_TRUE(format::Validate(batch).ok());
      bytes += static_cast<int64_t>(batch.size_bytes());
      headers.push_back(batch.header);
    }
    if (fixture_->drops_batch_by_batch()) {
      EXPECT_EQ(log_->size_bytes(), bytes);
    } else {
      EXPECT_GE(log_->size_bytes(), bytes);
    }
    EXPECT_EQ(Headers(start), headers);
  }

  // The offset found, -1 if none.
  int64_t Find(int64_t timestamp, int64_t max_offset = 1 << 30) {
    const auto found = FindRecord(timestamp, max_offset);
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok() || !found->has_value()) return -1;
    EXPECT_GE((*found)->timestamp, timestamp);
    return (*found)->offset.value();
  }

  const std::unique_ptr<StorageFixture> fixture_ = GetParam().make();
  const base::Ref<base::BufferPool> pool_ = base::BufferPool::Create(1 << 20);
  std::unique_ptr<Log> log_;
};

// --- Append and read ----------------------------------------------------------------------------

TEST_P(StorageContractTest, ANewLogIsEmptyAndHasTheNameItWasMadeWith) {
  EXPECT_EQ(log_->id(), model::LogId(7));
  ExpectLog(0, 0, {});
}

TEST_P(StorageContractTest, ReadsBackWhatWasAppended) {
  const std::vector<format::Batch> batches = {
      MakeBatch(*pool_, {.offset = 0, .timestamps = {5, 6, 7}, .epoch = 1}),
      MakeBatch(*pool_, {.offset = 3, .timestamps = {8}, .epoch = 2, .value_bytes = 3000})};
  Append(batches);
  const auto read = ReadFrom(*log_, 0, 4);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].header, batches[i].header);
    EXPECT_EQ((*read)[i].body.view(), batches[i].body.view());
  }
}

TEST_P(StorageContractTest, AppendsOneByOneAreAppendsTogether) {
  Append({Make(0, 3)});
  Append({});
  Append({Make(3, 3), Make(6, 4)});
  ExpectLog(0, 10, {0, 3, 6});
}

TEST_P(StorageContractTest, AReadBeginsWithTheBatchThatContainsTheOffset) {
  AppendTen();
  EXPECT_EQ(ReadBases(0), (Bases{0, 3, 6}));
  EXPECT_EQ(ReadBases(2), (Bases{0, 3, 6}));
  EXPECT_EQ(ReadBases(3), (Bases{3, 6}));
  EXPECT_EQ(ReadBases(8), (Bases{6}));
}

TEST_P(StorageContractTest, AReadAtTheEndIsEmptyAndBeyondItOutOfRange) {
  EXPECT_EQ(ReadBases(0), Bases());
  EXPECT_TRUE(OutOfRange(1));
  AppendTen();
  EXPECT_EQ(ReadBases(10), Bases());
  EXPECT_TRUE(OutOfRange(11));
  EXPECT_TRUE(OutOfRange(-1));
}

TEST_P(StorageContractTest, AReadReturnsNoBatchThatEndsAfterMaxOffset) {
  AppendTen();
  EXPECT_EQ(ReadBases(0, 6), (Bases{0, 3}));
  EXPECT_EQ(ReadBases(0, 5), (Bases{0}));
  EXPECT_EQ(ReadBases(0, 2), Bases());
  EXPECT_EQ(ReadBases(3, 0), Bases());
}

TEST_P(StorageContractTest, AReadStopsBeforeMaxBytesButReturnsTheFirstBatchHoweverLarge) {
  const format::Batch a = Make(0, 3), b = Make(3, 3);
  Append({a, b, Make(6, 4)});
  EXPECT_EQ(ReadBases(0, 10, a.size_bytes() + b.size_bytes()), (Bases{0, 3}));
  EXPECT_EQ(ReadBases(0, 10, a.size_bytes() + b.size_bytes() - 1), (Bases{0}));
  EXPECT_EQ(ReadBases(0, 10, 1), (Bases{0}));
  EXPECT_EQ(ReadBases(4, 10, 1), (Bases{3}));
}

TEST_P(StorageContractTest, GapsStayGaps) {
  Append({Make(0, 3), Make(10, 2)});
  Append({Make(20, 1)});
  ExpectLog(0, 21, {0, 10, 20});
  EXPECT_EQ(ReadBases(3), (Bases{10, 20}));
  EXPECT_EQ(ReadBases(5), (Bases{10, 20}));
  EXPECT_EQ(ReadBases(12), (Bases{20}));
}

TEST_P(StorageContractTest, WhatWasReadOutlivesTheLog) {
  AppendTen();
  const auto read = ReadFrom(*log_, 0, 10);
  ASSERT_TRUE(read.ok());
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  log_.reset();
  ASSERT_TRUE(Delete(Tp("t", 0)).ok());
  ASSERT_EQ(read->size(), 3u);
  for (const format::Batch& batch : *read) EXPECT_TRUE(format::Validate(batch).ok());
}

// --- How safe it is -----------------------------------------------------------------------------

TEST_P(StorageContractTest, WhatIsAppendedIsWrittenInTheEnd) {
  EXPECT_EQ(log_->progress().written, Offset(0));
  Append({Make(0, 3)});
  EXPECT_LE(log_->progress().written, Offset(3));
  while (log_->progress().written < Offset(3)) fixture_->Proceed();
  EXPECT_LE(log_->progress().synced, log_->progress().written);
  EXPECT_FALSE(log_->progress().failed);
}

TEST_P(StorageContractTest, ASyncCoversWhatWasAppendedBefore) {
  Append({Make(0, 3)});
  log_->Sync();
  Append({Make(3, 3)});
  while (log_->progress().synced < Offset(3)) fixture_->Proceed();
  log_->Sync();
  while (log_->progress().synced < Offset(6)) fixture_->Proceed();
  log_->Sync();  // of nothing new
  EXPECT_EQ(log_->progress().synced, Offset(6));
}

TEST_P(StorageContractTest, TheListenerIsToldOfProgressThatComesLater) {
  std::atomic<int> told{0};
  log_.reset();
  Open();
  log_->SetListener([&] { ++told; });
  Append({Make(0, 3)});
  log_->Sync();
  if (log_->progress().synced < Offset(3)) {
    while (told == 0) fixture_->Proceed();
    while (log_->progress().synced < Offset(3)) fixture_->Proceed();
  }
  log_.reset();
  while (fixture_->busy()) fixture_->Proceed();
}

TEST_P(StorageContractTest, TruncationTakesProgressBack) {
  AppendTen();
  log_->Sync();
  while (log_->progress().synced < Offset(10)) fixture_->Proceed();
  ASSERT_TRUE(log_->TruncateSuffix(Offset(3)).ok());
  EXPECT_LE(log_->progress().written, Offset(3));
  EXPECT_LE(log_->progress().synced, Offset(3));
  Append({Make(3, 2)});
  while (log_->progress().written < Offset(5)) fixture_->Proceed();
  EXPECT_EQ(ReadBases(0), (Bases{0, 3}));
}

// --- Find by timestamp --------------------------------------------------------------------------

TEST_P(StorageContractTest, FindsTheFirstRecordThatIsAtLeastAsYoung) {
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {100, 200, 300}}),
          MakeBatch(*pool_, {.offset = 3, .timestamps = {400, 500}})});
  EXPECT_EQ(Find(0), 0);
  EXPECT_EQ(Find(100), 0);
  EXPECT_EQ(Find(101), 1);
  EXPECT_EQ(Find(300), 2);
  EXPECT_EQ(Find(301), 3);
  EXPECT_EQ(Find(500), 4);
  EXPECT_EQ(Find(501), -1);
  EXPECT_EQ(FindRecord(150, 5)->value().timestamp, 200);
}

TEST_P(StorageContractTest, FindsTheFirstByOffsetWhereTimestampsAreNotInOrder) {
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {100, 900, 200}}),
          MakeBatch(*pool_, {.offset = 3, .timestamps = {500}})});
  EXPECT_EQ(Find(150), 1);
  EXPECT_EQ(Find(500), 1);
  EXPECT_EQ(Find(901), -1);
}

TEST_P(StorageContractTest, FindsNothingAtOrAboveMaxOffset) {
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {100, 200, 300}})});
  EXPECT_EQ(Find(200, 2), 1);
  EXPECT_EQ(Find(200, 1), -1);
  EXPECT_EQ(Find(0, 0), -1);
}

TEST_P(StorageContractTest, FindsNothingBelowTheStart) {
  EXPECT_EQ(Find(0), -1);
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {100, 200, 300}})});
  ASSERT_TRUE(log_->TruncatePrefix(Offset(1)).ok());
  EXPECT_EQ(Find(50), 1);
}

// --- Truncation ---------------------------------------------------------------------------------

TEST_P(StorageContractTest, TruncateSuffixDropsBatchesFromTheEnd) {
  AppendTen();
  ASSERT_TRUE(log_->TruncateSuffix(Offset(10)).ok());
  ASSERT_TRUE(log_->TruncateSuffix(Offset(99)).ok());
  ExpectLog(0, 10, {0, 3, 6});
  ASSERT_TRUE(log_->TruncateSuffix(Offset(6)).ok());
  ExpectLog(0, 6, {0, 3});
  Append({Make(6, 1)});
  ExpectLog(0, 7, {0, 3, 6});
}

TEST_P(StorageContractTest, ABatchAcrossTheNewEndGoesWhole) {
  AppendTen();
  ASSERT_TRUE(log_->TruncateSuffix(Offset(8)).ok());
  ExpectLog(0, 6, {0, 3});
  ASSERT_TRUE(log_->TruncateSuffix(Offset(4)).ok());
  ExpectLog(0, 3, {0});
}

TEST_P(StorageContractTest, TruncateSuffixInAGapEndsTheLogThereOrBefore) {
  Append({Make(0, 3), Make(10, 2)});
  ASSERT_TRUE(log_->TruncateSuffix(Offset(7)).ok());
  EXPECT_GE(log_->end_offset(), Offset(3));
  EXPECT_LE(log_->end_offset(), Offset(7));
  EXPECT_EQ(ReadBases(0), (Bases{0}));
  Append({Make(7, 1)});
  ExpectLog(0, 8, {0, 7});
}

TEST_P(StorageContractTest, TruncateSuffixMayEmptyTheLog) {
  AppendTen();
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  ExpectLog(0, 0, {});
  AppendTen();
  ExpectLog(0, 10, {0, 3, 6});
}

TEST_P(StorageContractTest, TruncateSuffixBelowTheStartMovesTheStart) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(6)).ok());
  ASSERT_TRUE(log_->TruncateSuffix(Offset(4)).ok());
  ExpectLog(4, 4, {});
  Append({Make(4, 2)});
  ExpectLog(4, 6, {4});
}

TEST_P(StorageContractTest, TruncatePrefixMovesTheStart) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(3)).ok());
  ExpectLog(3, 10, {3, 6});
  EXPECT_TRUE(OutOfRange(2));
  ASSERT_TRUE(log_->TruncatePrefix(Offset(1)).ok());  // it never moves back
  ExpectLog(3, 10, {3, 6});
}

TEST_P(StorageContractTest, TruncatePrefixKeepsABatchAcrossTheStart) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(4)).ok());
  ExpectLog(4, 10, {3, 6});
  EXPECT_TRUE(OutOfRange(3));
}

TEST_P(StorageContractTest, TruncatePrefixToTheEndEmptiesTheLog) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(10)).ok());
  ExpectLog(10, 10, {});
  Append({Make(10, 2)});
  ExpectLog(10, 12, {10});
}

TEST_P(StorageContractTest, TruncatePrefixBeyondTheEndMovesTheEndToo) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(50)).ok());
  ExpectLog(50, 50, {});
  EXPECT_TRUE(OutOfRange(10));
  Append({Make(50, 2)});
  ExpectLog(50, 52, {50});
}

// --- Retention ----------------------------------------------------------------------------------

TEST_P(StorageContractTest, RetainWithoutLimitsKeepsEverything) {
  AppendTen();
  ASSERT_TRUE(log_->Retain({.keep_from = Offset(10)}).ok());
  ExpectLog(0, 10, {0, 3, 6});
}

TEST_P(StorageContractTest, RetainByBytesDropsWhatIsNotNeededToHoldThem) {
  if (!fixture_->drops_batch_by_batch()) GTEST_SKIP() << "this storage drops larger pieces";
  const format::Batch a = Make(0, 3), b = Make(3, 3), c = Make(6, 4);
  Append({a, b, c});
  const auto tail = static_cast<int64_t>(b.size_bytes() + c.size_bytes());
  ASSERT_TRUE(log_->Retain({.retained_bytes = tail + 1, .keep_from = Offset(10)}).ok());
  ExpectLog(0, 10, {0, 3, 6});
  ASSERT_TRUE(log_->Retain({.retained_bytes = tail, .keep_from = Offset(10)}).ok());
  ExpectLog(3, 10, {3, 6});
  ASSERT_TRUE(log_->Retain({.retained_bytes = 0, .keep_from = Offset(10)}).ok());
  ExpectLog(10, 10, {});
  Append({Make(10, 1)});
  ExpectLog(10, 11, {10});
}

TEST_P(StorageContractTest, RetainByTimeDropsBatchesWhoseRecordsAreAllTooOld) {
  if (!fixture_->drops_batch_by_batch()) GTEST_SKIP() << "this storage drops larger pieces";
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {100, 100}}),
          MakeBatch(*pool_, {.offset = 2, .timestamps = {100, 200}}),
          MakeBatch(*pool_, {.offset = 4, .timestamps = {300}})});
  ASSERT_TRUE(log_->Retain({.oldest_timestamp = 100, .keep_from = Offset(5)}).ok());
  ExpectLog(0, 5, {0, 2, 4});
  ASSERT_TRUE(log_->Retain({.oldest_timestamp = 200, .keep_from = Offset(5)}).ok());
  ExpectLog(2, 5, {2, 4});
  ASSERT_TRUE(log_->Retain({.oldest_timestamp = 1000, .keep_from = Offset(5)}).ok());
  ExpectLog(5, 5, {});
}

TEST_P(StorageContractTest, RetainByTimeStopsAtTheFirstYoungBatch) {
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {500}}),
          MakeBatch(*pool_, {.offset = 1, .timestamps = {100}})});
  ASSERT_TRUE(log_->Retain({.oldest_timestamp = 300, .keep_from = Offset(2)}).ok());
  ExpectLog(0, 2, {0, 1});
}

TEST_P(StorageContractTest, RetainDropsNothingThatEndsAfterKeepFrom) {
  if (!fixture_->drops_batch_by_batch()) GTEST_SKIP() << "this storage drops larger pieces";
  AppendTen();
  ASSERT_TRUE(log_->Retain({.oldest_timestamp = 1 << 30, .keep_from = Offset(5)}).ok());
  ExpectLog(3, 10, {3, 6});
  ASSERT_TRUE(log_->Retain({.retained_bytes = 0, .keep_from = Offset(5)}).ok());
  ExpectLog(3, 10, {3, 6});
  ASSERT_TRUE(log_->Retain({.retained_bytes = 0, .keep_from = Offset(6)}).ok());
  ExpectLog(6, 10, {6});
}

// --- Headers and metadata -----------------------------------------------------------------------

TEST_P(StorageContractTest, HeadersAreVisitedInOrderWithTheirEpochs) {
  Append({MakeBatch(*pool_, {.offset = 0, .timestamps = {1, 2}, .epoch = 1}),
          MakeBatch(*pool_, {.offset = 2, .timestamps = {3}, .epoch = 4}),
          MakeBatch(*pool_, {.offset = 5, .timestamps = {3}, .epoch = 4})});
  ASSERT_TRUE(log_->TruncatePrefix(Offset(1)).ok());
  using Visited = std::vector<std::pair<int64_t, int32_t>>;
  const auto visit = [&](int64_t from) {
    Visited visited;
    for (const format::BatchHeader& header : Headers(from)) {
      visited.emplace_back(header.base_offset.value(), header.leader_epoch.value());
    }
    return visited;
  };
  EXPECT_EQ(visit(0), (Visited{{0, 1}, {2, 4}, {5, 4}}));
  EXPECT_EQ(visit(2), (Visited{{2, 4}, {5, 4}}));
  EXPECT_EQ(visit(3), (Visited{{5, 4}}));
  EXPECT_EQ(visit(5), (Visited{{5, 4}}));
  EXPECT_EQ(visit(log_->end_offset().value()), Visited());
}

TEST_P(StorageContractTest, MetadataIsReadBackByName) {
  EXPECT_EQ(MetadataOf("epochs"), "(none)");
  const std::string binary("\0\n\xff bytes", 9);
  log_->WriteMetadata("epochs", binary);
  log_->WriteMetadata("producers", "p");
  EXPECT_EQ(MetadataOf("epochs"), binary);
  EXPECT_EQ(MetadataOf("producers"), "p");
  log_->WriteMetadata("epochs", "");
  EXPECT_EQ(MetadataOf("epochs"), "");
  log_->DeleteMetadata("epochs");
  log_->DeleteMetadata("never-there");
  EXPECT_EQ(MetadataOf("epochs"), "(none)");
  EXPECT_EQ(MetadataOf("producers"), "p");
}

TEST_P(StorageContractTest, TheHighWatermarkIsKeptOverARestartWithinTheLog) {
  EXPECT_EQ(log_->kept_high_watermark(), Offset(0));
  AppendTen();
  log_->KeepHighWatermark(Offset(6));
  log_.reset();
  fixture_->Restart();
  Open();
  EXPECT_EQ(log_->kept_high_watermark(), Offset(6));
  ASSERT_TRUE(log_->TruncateSuffix(Offset(3)).ok());
  EXPECT_EQ(log_->kept_high_watermark(), Offset(3));
}

TEST_P(StorageContractTest, AfterARestartInOrderMetadataCoversTheWholeLog) {
  AppendTen();
  log_.reset();
  fixture_->Restart();
  Open();
  EXPECT_EQ(log_->metadata_end(), Offset(10));
}

// --- The storage --------------------------------------------------------------------------------

TEST_P(StorageContractTest, ReopeningKeepsEverythingAndTheName) {
  AppendTen();
  ASSERT_TRUE(log_->TruncatePrefix(Offset(3)).ok());
  log_->WriteMetadata("epochs", "e");
  for (const bool restart : {false, true}) {
    log_.reset();
    if (restart) fixture_->Restart();
    Open(/*new_id=*/8);
    EXPECT_EQ(log_->id(), model::LogId(7));
    ExpectLog(3, 10, {3, 6});
    EXPECT_EQ(MetadataOf("epochs"), "e");
  }
  Append({Make(10, 1)});
  ExpectLog(3, 11, {3, 6, 10});
}

TEST_P(StorageContractTest, ReopeningKeepsWhereAnEmptyLogBegins) {
  ASSERT_TRUE(log_->TruncatePrefix(Offset(42)).ok());
  log_.reset();
  fixture_->Restart();
  Open();
  ExpectLog(42, 42, {});
}

TEST_P(StorageContractTest, DeleteThenOpenMakesAnEmptyLogOfTheNewName) {
  AppendTen();
  log_->WriteMetadata("epochs", "e");
  log_.reset();
  ASSERT_TRUE(Delete(Tp("t", 0)).ok());
  Open(/*new_id=*/9);
  EXPECT_EQ(log_->id(), model::LogId(9));
  ExpectLog(0, 0, {});
  EXPECT_EQ(MetadataOf("epochs"), "(none)");
}

TEST_P(StorageContractTest, DeleteOfNothingIsOk) { EXPECT_TRUE(Delete(Tp("none", 3)).ok()); }

TEST_P(StorageContractTest, ListNamesEveryLog) {
  const auto a = OpenLog(Tp("a", 12), 100);
  const auto b = OpenLog(Tp("b-b.b_b", 0), 101);
  OpenLog(Tp("gone", 0), 102).reset();
  ASSERT_TRUE(Delete(Tp("gone", 0)).ok());
  auto list = fixture_->storage().List();
  std::sort(list.begin(), list.end());
  const std::vector<std::pair<model::TopicPartition, model::LogId>> expected = {
      {Tp("a", 12), model::LogId(100)},
      {Tp("b-b.b_b", 0), model::LogId(101)},
      {Tp("t", 0), model::LogId(7)}};
  EXPECT_EQ(list, expected);
}

TEST_P(StorageContractTest, PartitionsDoNotMeet) {
  const auto other = OpenLog(Tp("t", 1), 50);
  const auto third = OpenLog(Tp("t-1", 0), 51);
  AppendTen();
  ASSERT_TRUE(other->Append(std::vector{Make(0, 1)}).ok());
  other->WriteMetadata("epochs", "other");
  EXPECT_EQ(third->end_offset(), Offset(0));
  EXPECT_EQ(other->end_offset(), Offset(1));
  EXPECT_EQ(MetadataOf("epochs"), "(none)");
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  log_.reset();
  ASSERT_TRUE(Delete(Tp("t", 0)).ok());
  EXPECT_EQ(other->end_offset(), Offset(1));
  EXPECT_EQ(other->id(), model::LogId(50));
}

TEST_P(StorageContractTest, LogsMayShareABodyAndEachKeepsAHeaderOfItsOwn) {
  const auto other = OpenLog(Tp("t", 1), 50);
  format::Batch batch = Make(0, 3);
  const std::string bytes(batch.body.view());
  Append({batch});
  batch.header.base_offset = Offset(100);  // as a retry elsewhere would
  batch.header.leader_epoch = model::LeaderEpoch(9);
  ASSERT_TRUE(other->Append(std::vector{batch}).ok());
  batch = {};
  ExpectLog(0, 3, {0});
  ASSERT_TRUE(log_->TruncateSuffix(Offset(0)).ok());
  const auto read = ReadFrom(*other, 100, 103);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->front().header.leader_epoch, model::LeaderEpoch(9));
  EXPECT_EQ(read->front().body.view(), bytes);
}

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_CONTRACT_TEST_H_
