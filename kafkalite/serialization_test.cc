#include "kafkalite/serialization.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace kafkalite {
namespace {

using std::string_literals::operator""s;
using Bytes = std::optional<std::string_view>;

template <class T>
void ExpectRoundTrip(T value, const std::string& bytes) {
  EXPECT_EQ(Serialize<T>(value), bytes);
  const auto back = Deserialize<T>(Bytes(bytes));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, value);
}

// What Kafka's Java client writes.
TEST(SerializationTest, AsJavaDoes) {
  ExpectRoundTrip<int16_t>(-2, "\xff\xfe"s);
  ExpectRoundTrip<int32_t>(1, "\0\0\0\x01"s);
  ExpectRoundTrip<int64_t>(0x0102030405060708, "\x01\x02\x03\x04\x05\x06\x07\x08"s);
  ExpectRoundTrip<int64_t>(std::numeric_limits<int64_t>::min(), "\x80\0\0\0\0\0\0\0"s);
  ExpectRoundTrip<float>(1.5f, "\x3f\xc0\0\0"s);
  ExpectRoundTrip<double>(-2.0, "\xc0\0\0\0\0\0\0\0"s);
  ExpectRoundTrip<bool>(true, "\x01"s);
  ExpectRoundTrip<bool>(false, "\0"s);
}

TEST(SerializationTest, StringsAreTheirBytes) {
  EXPECT_EQ(Deserialize<std::string>(Bytes("Hello Kafka !")).value(), "Hello Kafka !");
  EXPECT_EQ(Deserialize<std::string>(Bytes("")).value(), "");
}

// As generated classes are, as far as it matters here.
struct Greeting {
  std::string SerializeAsString() const { return "g" + text; }
  bool ParseFromArray(const void* data, int size) {
    const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(size));
    if (!bytes.starts_with("g")) return false;
    text = bytes.substr(1);
    return true;
  }
  std::string GetTypeName() const { return "test.Greeting"; }
  std::string text;
};

TEST(SerializationTest, Messages) {
  EXPECT_EQ(Serialize(Greeting{"Hello"}), "gHello");
  EXPECT_EQ(Deserialize<Greeting>(Bytes("gHello")).value().text, "Hello");
  const auto bad = Deserialize<Greeting>(Bytes("Hello"));
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      bad.status().message(),
      "the 5 bytes are not a message of type test.Greeting, or one without its required fields");
}

TEST(SerializationTest, WhatIsOfAnotherSizeIsRefused) {
  for (const std::string_view bytes : {"", "1234567", "123456789"}) {
    const auto value = Deserialize<int64_t>(Bytes(bytes));
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Deserialize<int32_t>(Bytes("abc")).status().message(),
            "Size of data received by IntegerDeserializer is not 4: it is 3");
  EXPECT_FALSE(Deserialize<bool>(Bytes("\x02")).ok());
  EXPECT_FALSE(Deserialize<bool>(Bytes("")).ok());
}

TEST(SerializationTest, ATombstoneHasNoBytes) {
  EXPECT_FALSE(Deserialize<int64_t>(std::nullopt).ok());
  EXPECT_FALSE(Deserialize<std::string>(std::nullopt).ok());
  EXPECT_EQ(Deserialize<std::optional<int64_t>>(std::nullopt).value(), std::nullopt);
  EXPECT_EQ(Deserialize<std::optional<int16_t>>(Bytes("\0\x07"s)).value(), int16_t{7});
  EXPECT_FALSE(Deserialize<std::optional<int16_t>>(Bytes("7")).ok());
}

}  // namespace
}  // namespace kafkalite
