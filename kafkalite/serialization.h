// File: serialization.h
//
// Keys and values as bytes, as the serializers of Kafka's Java client write them, so that both
// sides understand each other. Not part of the core, which knows bytes only: include it where it
// helps.
//
//   producer->Send({.topic = "counts", .key = "home", .value = Serialize<int64_t>(42)});
//   for (const ConsumedRecord& record : *records) {
//     absl::StatusOr<int64_t> count = Deserialize<int64_t>(record.value);
//   }
//
//   int16_t, int32_t, int64_t   big-endian: ShortSerializer, IntegerSerializer, LongSerializer
//   float, double               IEEE 754, big-endian: FloatSerializer, DoubleSerializer
//   bool                        one byte, 0 or 1: BooleanSerializer
//   std::string                 as it is: StringSerializer, for UTF-8
//   a Protocol Buffers message  its bytes alone, without a schema registry's prefix
//
// Errors: INVALID_ARGUMENT for bytes that are not of the type, and, but for std::optional<T>, for a
// record without any (a tombstone). A plain function each; any thread.

#ifndef KAFKALITE_SERIALIZATION_H_
#define KAFKALITE_SERIALIZATION_H_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kafkalite {

namespace serialization_internal {

template <class T>
concept Number = std::same_as<T, int16_t> || std::same_as<T, int32_t> || std::same_as<T, int64_t> ||
    std::same_as<T, float> || std::same_as<T, double>;
template <class T>
concept Message = requires(const T& message, T& parsed) {
  { message.SerializeAsString() } -> std::convertible_to<std::string>;
  { parsed.ParseFromArray(nullptr, 0) } -> std::same_as<bool>;
};
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <size_t kBytes>
using Bits =
    std::conditional_t<kBytes == 2, uint16_t, std::conditional_t<kBytes == 4, uint32_t, uint64_t>>;

absl::Status WrongSize(std::string_view type, size_t wanted, size_t bytes);
absl::Status NoBytes();
absl::Status NotAMessage(std::string_view type, size_t bytes);
absl::Status NotABoolean(char byte);

template <class T>
constexpr std::string_view JavaName() {
  if constexpr (std::same_as<T, int16_t>) return "Short";
  if constexpr (std::same_as<T, int32_t>) return "Integer";
  if constexpr (std::same_as<T, int64_t>) return "Long";
  if constexpr (std::same_as<T, float>) return "Float";
  return "Double";
}

}  // namespace serialization_internal

template <serialization_internal::Number T>
std::string Serialize(T value) {
  const auto bits = std::bit_cast<serialization_internal::Bits<sizeof(T)>>(value);
  std::string bytes(sizeof(T), '\0');
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>((bits >> (8 * (sizeof(T) - 1 - i))) & 0xff);
  }
  return bytes;
}

template <std::same_as<bool> T>
std::string Serialize(T value) {
  return std::string(1, value ? '\1' : '\0');
}

template <serialization_internal::Message T>
std::string Serialize(const T& message) {
  return message.SerializeAsString();
}

// What a record has may be nothing: Deserialize<std::optional<T>> then returns nothing, too.
template <class T>
absl::StatusOr<T> Deserialize(std::optional<std::string_view> bytes) {
  namespace internal = serialization_internal;
  if constexpr (internal::kIsOptional<T>) {
    if (!bytes) return T();
    absl::StatusOr<typename T::value_type> value = Deserialize<typename T::value_type>(bytes);
    if (!value.ok()) return value.status();
    return T(*std::move(value));
  } else if (!bytes) {
    return internal::NoBytes();
  } else if constexpr (internal::Number<T>) {
    if (bytes->size() != sizeof(T)) {
      return internal::WrongSize(internal::JavaName<T>(), sizeof(T), bytes->size());
    }
    internal::Bits<sizeof(T)> bits = 0;
    for (const char byte : *bytes) {
      bits = static_cast<decltype(bits)>((bits << 8) | static_cast<unsigned char>(byte));
    }
    return std::bit_cast<T>(bits);
  } else if constexpr (std::same_as<T, bool>) {
    if (bytes->size() != 1) return internal::WrongSize("Boolean", 1, bytes->size());
    if (bytes->front() != 0 && bytes->front() != 1) return internal::NotABoolean(bytes->front());
    return bytes->front() == 1;
  } else if constexpr (std::same_as<T, std::string>) {
    return std::string(*bytes);
  } else {
    static_assert(internal::Message<T>, "see the list on top of this file");
    T message;
    if (message.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) return message;
    return internal::NotAMessage(std::string(message.GetTypeName()), bytes->size());
  }
}

}  // namespace kafkalite

#endif  // KAFKALITE_SERIALIZATION_H_
