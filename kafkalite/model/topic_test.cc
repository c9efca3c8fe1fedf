#include "kafkalite/model/topic.h"

#include <string>

#include "gtest/gtest.h"
#include "kafkalite/model/error_code.h"

namespace kafkalite::model {
namespace {

TEST(TopicNameTest, AcceptsWhatKafkaAccepts) {
  for (const char* name : {"a", "first-test", "__consumer_offsets", "A.b_C-9", "...", "..a"}) {
    EXPECT_TRUE(ValidateTopicName(name).ok()) << name;
  }
  EXPECT_TRUE(ValidateTopicName(std::string(249, 'x')).ok());
}

TEST(TopicNameTest, RefusesInKafkasWords) {
  EXPECT_EQ(ValidateTopicName("").message(), "Topic name is illegal, it can't be empty");
  EXPECT_EQ(ValidateTopicName("..").message(), "Topic name cannot be \".\" or \"..\"");
  EXPECT_EQ(ValidateTopicName("a/b").message(),
            "Topic name \"a/b\" is illegal, it contains a character other than ASCII "
            "alphanumerics, '.', '_' and '-'");
  EXPECT_FALSE(ValidateTopicName(std::string(250, 'x')).ok());
  EXPECT_FALSE(ValidateTopicName(std::string("a\0b", 3)).ok());
  EXPECT_FALSE(ValidateTopicName("caf\xc3\xa9").ok());
}

TEST(TopicNameTest, DotAndUnderscoreCollide) {
  EXPECT_TRUE(TopicNamesCollide("a.b", "a_b"));
  EXPECT_FALSE(TopicNamesCollide("a.b", "a-b"));
  EXPECT_FALSE(TopicNamesCollide("a.b", "a_bc"));
}

TEST(ErrorCodeTest, StatusesNameTheError) {
  EXPECT_TRUE(ToStatus(ErrorCode::kNone, "").ok());
  const absl::Status status = ToStatus(ErrorCode::kNotEnoughReplicas, "1 of 2");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "NOT_ENOUGH_REPLICAS: 1 of 2");
  EXPECT_TRUE(IsRetriable(ErrorCode::kNotLeaderOrFollower));
  EXPECT_FALSE(IsRetriable(ErrorCode::kMessageTooLarge));
}

}  // namespace
}  // namespace kafkalite::model
