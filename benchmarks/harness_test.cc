#include "benchmarks/harness.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::benchmarks {
namespace {

constexpr size_t kValueBytes = 100;

// The good values 0 to `count` - 1.
std::vector<std::string> GoodValues(size_t count) {
  Values values(kValueBytes);
  std::vector<std::string> result;
  for (size_t i = 0; i < count; ++i) result.emplace_back(values.Next());
  return result;
}

// What VerifyPartition says of these, if `sent` is said to be their number.
absl::Status Verify(const std::vector<std::string>& values, int64_t sent) {
  const auto cluster = StartCluster(1, kRetentionBytes);
  const auto producer = MakeProducer(*cluster);
  for (const std::string& value : values) producer->Send({.topic = kTopic, .value = value});
  EXPECT_EQ(producer->Flush(), absl::OkStatus());
  return VerifyPartition(*cluster, 0, sent, kValueBytes);
}

TEST(VerifyPartitionTest, AcceptsWhatWasSent) {
  EXPECT_EQ(Verify({}, 0), absl::OkStatus());
  EXPECT_EQ(Verify(GoodValues(1), 1), absl::OkStatus());
  EXPECT_EQ(Verify(GoodValues(5000), 5000), absl::OkStatus());
}

TEST(VerifyPartitionTest, FindsLostAndAdditionalRecords) {
  EXPECT_FALSE(Verify(GoodValues(5000), 5001).ok());
  EXPECT_FALSE(Verify(GoodValues(5000), 4999).ok());
  EXPECT_FALSE(Verify({}, 1).ok());
  EXPECT_FALSE(Verify(GoodValues(1), 0).ok());
}

TEST(VerifyPartitionTest, FindsALostRecordWhosePlaceIsTaken) {
  std::vector<std::string> values = GoodValues(5000);
  values.erase(values.begin() + 2500);
  values.push_back(values.back());
  EXPECT_FALSE(Verify(values, 5000).ok());
}

TEST(VerifyPartitionTest, FindsReorderedRecords) {
  std::vector<std::string> values = GoodValues(5000);
  std::swap(values[4998], values[4999]);
  EXPECT_FALSE(Verify(values, 5000).ok());
}

TEST(VerifyPartitionTest, FindsAlteredRecords) {
  for (const size_t altered : {0, 2500, 4999}) {
    std::vector<std::string> values = GoodValues(5000);
    values[altered].back() ^= 1;
    EXPECT_FALSE(Verify(values, 5000).ok());
    values[altered].pop_back();
    EXPECT_FALSE(Verify(values, 5000).ok());
  }
}

TEST(SumBytesTest, AddsUpEveryByte) {
  for (size_t size = 0; size < 100; ++size) {
    std::string bytes;
    uint64_t expected = 0;
    for (size_t i = 0; i < size; ++i) {
      bytes += static_cast<char>(i * 37);
      expected += static_cast<uint8_t>(i * 37);
    }
    EXPECT_EQ(SumBytes(bytes), expected);
  }
}

TEST(LatenciesTest, FindsPercentiles) {
  Latencies latencies;
  EXPECT_EQ(latencies.Percentile(0.5), 0);
  for (int i = 0; i < 98; ++i) latencies.Add(std::chrono::nanoseconds(1005));
  latencies.Add(std::chrono::microseconds(2));
  latencies.Add(std::chrono::milliseconds(3));
  EXPECT_DOUBLE_EQ(latencies.Percentile(0.5), 1010e-9);
  EXPECT_DOUBLE_EQ(latencies.Percentile(0.98), 2010e-9);
  EXPECT_DOUBLE_EQ(latencies.Percentile(0.99), 3e-3);
  EXPECT_DOUBLE_EQ(latencies.Percentile(1), 3e-3);
}

TEST(MedianTest, IsTheOneInTheMiddle) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 2}), 2);
}

}  // namespace
}  // namespace kafkalite::benchmarks
