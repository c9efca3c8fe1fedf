// File: matchers.h
//
// GoogleTest matchers for what the library returns.
//
//   ASSERT_THAT(cluster->Kill(1), IsOk());
//   EXPECT_THAT(AwaitLeader(*cluster, "first-test", 0), IsOkAndHolds(Ne(1)));
//   EXPECT_THAT(faults.Cut(1, 9), StatusIs(absl::StatusCode::kNotFound, HasSubstr("broker 9")));
//   EXPECT_THAT(*StoredPartition(*cluster, "first-test", 0), HasIsr(UnorderedElementsAre(2, 3)));
//   EXPECT_THAT(*AwaitRecords(*cluster, "first-test", 2), ElementsAre(HasValue("a"),
//   HasValue("b")));

#ifndef KAFKALITE_TESTING_MATCHERS_H_
#define KAFKALITE_TESTING_MATCHERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

namespace kafkalite::testing {

namespace internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status) {
  return status.status();
}

// Keys and values are optional, of a record that is owned or one that is looked at.
template <class Bytes>
std::optional<std::string> Text(const std::optional<Bytes>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(*bytes);
}

}  // namespace internal

// Of an absl::Status or StatusOr.
MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  const absl::Status& status = internal::StatusOf(arg);
  if (!status.ok()) *result_listener << status.ToString();
  return status.ok();
}

MATCHER_P2(StatusIs, code, message,
           "has the status " + absl::StatusCodeToString(code) + ", and its message " +
               ::testing::DescribeMatcher<std::string>(message, negation)) {
  const absl::Status& status = internal::StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}
inline auto StatusIs(absl::StatusCode code) { return StatusIs(code, ::testing::_); }

// Of a StatusOr.
MATCHER_P(IsOkAndHolds, value, "is OK and holds what is right") {
  if (arg.ok()) return ::testing::ExplainMatchResult(value, *arg, result_listener);
  *result_listener << arg.status().ToString();
  return false;
}

// Of a PartitionDescription, and of what Broker::ReadReplica returned.
MATCHER_P(HasLeader, broker, "") {
  *result_listener << "whose leader is " << arg.leader;
  return ::testing::ExplainMatchResult(broker, arg.leader, result_listener);
}
MATCHER_P(HasIsr, brokers, "") {
  *result_listener << "whose ISR is " << ::testing::PrintToString(arg.isr);
  return ::testing::ExplainMatchResult(brokers, arg.isr, result_listener);
}

// Of a record: as it was consumed, or as a replica has it.
MATCHER_P(HasKey, key, "") {
  return ::testing::ExplainMatchResult(::testing::Optional<std::string>(key),
                                       internal::Text(arg.key), result_listener);
}
MATCHER_P(HasValue, value, "") {
  return ::testing::ExplainMatchResult(::testing::Optional<std::string>(value),
                                       internal::Text(arg.value), result_listener);
}

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_MATCHERS_H_
