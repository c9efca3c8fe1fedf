#include "kafkalite/client/latency.h"

#include <chrono>

#include "gtest/gtest.h"

namespace kafkalite::client {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

LatencyMetrics Summary(const LatencyRecorder& recorder) {
  LatencyHistogram histogram;
  histogram.Add(recorder);
  return histogram.Summary();
}

TEST(LatencyTest, NothingIsZero) {
  const LatencyMetrics metrics = Summary({});
  EXPECT_EQ(metrics.count, 0);
  EXPECT_EQ(metrics.average(), nanoseconds(0));
  EXPECT_EQ(metrics.p99, nanoseconds(0));
}

TEST(LatencyTest, PercentilesAreNotBelowAndNearlyRight) {
  LatencyRecorder recorder;
  for (int i = 1; i <= 1000; ++i) recorder.Add(microseconds(i));
  const LatencyMetrics metrics = Summary(recorder);
  EXPECT_EQ(metrics.count, 1000);
  EXPECT_EQ(metrics.total, microseconds(500500));
  EXPECT_EQ(metrics.average(), nanoseconds(500500));
  EXPECT_EQ(metrics.max, microseconds(1000));
  EXPECT_GE(metrics.p50, microseconds(500));
  EXPECT_LE(metrics.p50, microseconds(625));
  EXPECT_GE(metrics.p99, microseconds(990));
  EXPECT_LE(metrics.p99, microseconds(1000));  // never beyond the largest
}

TEST(LatencyTest, OneSlowInAHundredIsNotTheMedian) {
  LatencyRecorder recorder;
  for (int i = 0; i < 98; ++i) recorder.Add(microseconds(1));
  recorder.Add(seconds(1));
  recorder.Add(seconds(1));
  const LatencyMetrics metrics = Summary(recorder);
  EXPECT_LE(metrics.p50, nanoseconds(1250));
  EXPECT_EQ(metrics.p99, seconds(1));
}

TEST(LatencyTest, WhatIsOutsideOfTheStepsCounts) {
  LatencyRecorder recorder;
  recorder.Add(nanoseconds(0));
  recorder.Add(std::chrono::hours(100));
  const LatencyMetrics metrics = Summary(recorder);
  EXPECT_EQ(metrics.count, 2);
  EXPECT_EQ(metrics.max, std::chrono::hours(100));
  EXPECT_LE(metrics.p50, nanoseconds(80));
}

TEST(LatencyTest, RecordersAddUp) {
  LatencyRecorder fast, slow;
  for (int i = 0; i < 10; ++i) fast.Add(microseconds(1));
  slow.Add(microseconds(100));
  LatencyHistogram histogram;
  histogram.Add(fast);
  histogram.Add(slow);
  EXPECT_EQ(histogram.Summary().count, 11);
  EXPECT_EQ(histogram.Summary().max, microseconds(100));
}

}  // namespace
}  // namespace kafkalite::client
