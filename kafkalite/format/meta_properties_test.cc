#include "kafkalite/format/meta_properties.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/test_bytes.h"

namespace kafkalite::format {
namespace {

using Properties = std::map<std::string, std::string>;

MetaProperties Meta(int32_t id, std::optional<std::string> cluster_id = std::nullopt) {
  return {model::BrokerId(id), std::move(cluster_id)};
}

testing::AssertionResult Refused(std::string_view bytes, std::string_view words) {
  return IsError(ParseMetaProperties(bytes).status(), absl::StatusCode::kInvalidArgument, words);
}

TEST(MetaPropertiesTest, IsWhatKafkaReads) {
  EXPECT_EQ(EncodeMetaProperties(Meta(7)), "version=0\nbroker.id=7\n");
  EXPECT_EQ(EncodeMetaProperties(Meta(7, "RKPS7k-8RxeXYk-cspjMwg")),
            "version=0\nbroker.id=7\ncluster.id=RKPS7k-8RxeXYk-cspjMwg\n");
}

TEST(MetaPropertiesTest, ComesBack) {
  for (const auto& meta : {Meta(0), Meta(INT32_MAX, ""), Meta(1, "a=b:c#d!e\\f g\\")}) {
    EXPECT_EQ(ParseMetaProperties(EncodeMetaProperties(meta)).value(), meta);
  }
}

TEST(MetaPropertiesTest, ReadsWhatKafkaWrote) {
  EXPECT_EQ(
      ParseMetaProperties("#\n#Sun Nov 22 23:04:24 UTC 2026\nversion=0\nbroker.id=3\n").value(),
      Meta(3));
  EXPECT_EQ(ParseMetaProperties("#\r\ncluster.id=x-Y_z\r\nbroker.id=3\r\nversion=0").value(),
            Meta(3, "x-Y_z"));
}

TEST(MetaPropertiesTest, SkipsWhatItDoesNotKnow) {
  EXPECT_EQ(ParseMetaProperties("directory.id=abc\nversion=0\nbroker.id=3\nx\n").value(), Meta(3));
}

TEST(MetaPropertiesTest, SaysWhatIsWrong) {
  EXPECT_TRUE(Refused("", "version is missing"));
  EXPECT_TRUE(Refused("version=1\nnode.id=1\n", "version is '1', not 0"));
  EXPECT_TRUE(Refused("version=0\n", "broker.id is missing"));
  EXPECT_TRUE(Refused("version=0\nbroker.id=-1\n", "broker.id is '-1', not a number from 0"));
  EXPECT_TRUE(Refused("version=0\nbroker.id=\n", "broker.id is ''"));
  EXPECT_TRUE(Refused("version=0\nbroker.id=2147483648\n", "broker.id is '2147483648'"));
  EXPECT_TRUE(Refused("version=0\nbroker.id=1 \n", "broker.id is '1 '")) << "as Kafka has it";
  EXPECT_TRUE(Refused("version=0\n\nbroker.id=\\u00g0\n", "line 3 has a \\u without four"));
  EXPECT_TRUE(Refused("a=\\u12", "line 1 has a \\u without four"));
}

TEST(JavaPropertiesTest, KnowsItsSyntax) {
  // As the documentation of java.util.Properties.load has it, its examples among them.
  const auto parse = [](std::string_view bytes) { return ParseJavaProperties(bytes).value(); };
  EXPECT_EQ(parse("Truth = Beauty\n"), (Properties{{"Truth", "Beauty"}}));
  EXPECT_EQ(parse(" Truth:Beauty"), (Properties{{"Truth", "Beauty"}}));
  EXPECT_EQ(parse("Truth\t\t\t:Beauty"), (Properties{{"Truth", "Beauty"}}));
  EXPECT_EQ(parse("fruits    apple, banana, pear, \\\n   cantaloupe, \\\n\tkiwi"),
            (Properties{{"fruits", "apple, banana, pear, cantaloupe, kiwi"}}));
  EXPECT_EQ(parse("cheeses\n"), (Properties{{"cheeses", ""}}));
  EXPECT_EQ(parse("k==v\n"), (Properties{{"k", "=v"}}));
  EXPECT_EQ(parse("k : = v\n"), (Properties{{"k", "= v"}}));
  EXPECT_EQ(parse(R"(\:\=\ k=v\\)"), (Properties{{":= k", "v\\"}}));
  EXPECT_EQ(parse("k=\\t\\n\\r\\f\\b\\q\\\"\n"), (Properties{{"k", "\t\n\r\fbq\""}}));
  EXPECT_EQ(parse("k=\\u0041\\u00e9\\u20AC\n"), (Properties{{"k", "A\u00e9\u20ac"}}));
  EXPECT_EQ(parse("k=\xe9\n"), (Properties{{"k", "\u00e9"}})) << "Latin-1";
  EXPECT_EQ(parse("k=\\ud83d\n"), (Properties{{"k", "\ufffd"}})) << "half a pair";
  EXPECT_EQ(parse("a=1\na=2\n"), (Properties{{"a", "2"}}));
  EXPECT_EQ(parse("a=1\rb=2\r\nc=3"), (Properties{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(parse("\n  \n# a=1\n ! b=2\\\nc=3\n"), (Properties{{"c", "3"}}));
  EXPECT_EQ(parse("a=\\\n# no comment\n"), (Properties{{"a", "# no comment"}}));
  EXPECT_EQ(parse("a=x\\\\\nb=y"), (Properties{{"a", "x\\"}, {"b", "y"}}));
  EXPECT_EQ(parse("a=x\\"), (Properties{{"a", "x"}}));
  EXPECT_EQ(parse("=v"), (Properties{{"", "v"}}));
}

TEST(MetaPropertiesTest, TakesAnyBytes) {
  FeedVariations("#x\nversion=0\nbroker.id : 3\\\n4\ncluster.id=a\\u0041\\:b\n",
                 [](std::string_view bytes) { static_cast<void>(ParseMetaProperties(bytes)); });
}

}  // namespace
}  // namespace kafkalite::format
