#include "examples/verifier.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kafkalite::examples {
namespace {

using ::testing::HasSubstr;

struct Found {
  int32_t partition;
  int64_t offset;
  std::optional<std::string_view> value;
};

// Even numbers go to partition 0, odd ones to partition 1; two of the values are equal.
const std::vector<std::string_view> kValues = {"a", "b", "", "b", "e", "f"};
const std::vector<Found> kGood = {{0, 0, "a"}, {0, 1, ""},  {0, 2, "e"},
                                  {1, 0, "b"}, {1, 1, "b"}, {1, 2, "f"}};

void Acknowledge(Verifier& verifier) {
  for (size_t i = 0; i < kValues.size(); ++i) {
    verifier.Acknowledged(
        i, {.partition = static_cast<int32_t>(i % 2), .offset = static_cast<int64_t>(i / 2)});
  }
}

absl::Status Check(const std::vector<Found>& found) {
  Verifier verifier(kValues);
  Acknowledge(verifier);
  for (const Found& record : found) verifier.Read(record.partition, record.offset, record.value);
  return verifier.Finish();
}

void ExpectProblem(const absl::Status& status, const std::string& part) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(VerifierTest, AcceptsWhatWasSent) {
  EXPECT_EQ(Check(kGood), absl::OkStatus());
  // Partitions may be read in any mixture.
  EXPECT_EQ(Check({kGood[3], kGood[0], kGood[4], kGood[1], kGood[2], kGood[5]}), absl::OkStatus());
}

TEST(VerifierTest, AcceptsNothingForNothing) { EXPECT_EQ(Verifier({}).Finish(), absl::OkStatus()); }

TEST(VerifierTest, FindsEachLostRecord) {
  for (size_t lost = 0; lost < kGood.size(); ++lost) {
    std::vector<Found> found = kGood;
    found.erase(found.begin() + static_cast<std::ptrdiff_t>(lost));
    ExpectProblem(Check(found), "1 lost, 0 duplicated, 0 reordered, 0 altered");
  }
  ExpectProblem(Check({}), "6 lost, 0 duplicated");
}

TEST(VerifierTest, FindsARecordThatIsLostAndItsPlaceClosed) {
  std::vector<Found> found = kGood;
  found[1].value = found[2].value;
  found.erase(found.begin() + 2);
  ExpectProblem(Check(found), "1 lost, 0 duplicated, 1 reordered");
}

TEST(VerifierTest, FindsADuplicateAtTheEnd) {
  std::vector<Found> found = kGood;
  found.push_back({1, 3, "f"});
  ExpectProblem(Check(found), "0 lost, 1 duplicated, 0 reordered, 0 altered");
}

TEST(VerifierTest, FindsADuplicateThatShiftsTheRest) {
  EXPECT_FALSE(
      Check({{0, 0, "a"}, {0, 1, "a"}, {0, 2, ""}, {0, 3, "e"}, kGood[3], kGood[4], kGood[5]})
          .ok());
}

TEST(VerifierTest, FindsADuplicateInAnotherPartition) {
  std::vector<Found> found = kGood;
  found.push_back({2, 0, "a"});
  ExpectProblem(Check(found), "no record was acknowledged at partition 2, offset 0");
}

TEST(VerifierTest, FindsARecordReadTwice) {
  std::vector<Found> found = kGood;
  found.insert(found.begin() + 1, found[0]);
  ExpectProblem(Check(found), "partition 0, offset 0 was read again");
}

TEST(VerifierTest, FindsReorderedRecords) {
  std::vector<Found> found = kGood;
  std::swap(found[0].value, found[1].value);
  ExpectProblem(Check(found), "0 lost, 0 duplicated, 2 reordered, 0 altered");
}

TEST(VerifierTest, FindsRecordsReadInTheWrongOrder) {
  std::vector<Found> found = kGood;
  std::swap(found[0], found[1]);
  EXPECT_FALSE(Check(found).ok());
}

TEST(VerifierTest, FindsAlteredRecords) {
  for (size_t altered = 0; altered < kGood.size(); ++altered) {
    for (const std::optional<std::string_view> value :
         {std::optional<std::string_view>("x"), std::optional<std::string_view>()}) {
      std::vector<Found> found = kGood;
      found[altered].value = value;
      ExpectProblem(Check(found), "0 lost, 0 duplicated, 0 reordered, 1 altered");
    }
  }
}

TEST(VerifierTest, FindsWhatWasNotAcknowledged) {
  Verifier verifier({"a"});
  ExpectProblem(verifier.Finish(), "record 0 was not acknowledged");
}

TEST(VerifierTest, FindsReportsThatContradictTheOrderOfSending) {
  Verifier verifier({"a", "b"});
  verifier.Acknowledged(0, {.partition = 0, .offset = 1});
  verifier.Acknowledged(1, {.partition = 0, .offset = 0});
  verifier.Read(0, 0, "b");
  verifier.Read(0, 1, "a");
  EXPECT_FALSE(verifier.Finish().ok());
}

TEST(VerifierTest, FindsTwoRecordsAcknowledgedAtOnePlace) {
  Verifier verifier({"a", "a"});
  verifier.Acknowledged(0, {.partition = 0, .offset = 0});
  verifier.Acknowledged(1, {.partition = 0, .offset = 0});
  verifier.Read(0, 0, "a");
  ExpectProblem(verifier.Finish(), "records 0 and 1 both are said to be at partition 0, offset 0");
}

TEST(VerifierTest, FindsARecordAcknowledgedTwice) {
  Verifier verifier({"a"});
  verifier.Acknowledged(0, {.partition = 0, .offset = 0});
  verifier.Acknowledged(0, {.partition = 0, .offset = 0});
  verifier.Read(0, 0, "a");
  ExpectProblem(verifier.Finish(), "record 0 was acknowledged twice");
}

}  // namespace
}  // namespace kafkalite::examples
