// File: endian.h
//
// Big-endian numbers at any address, as Kafka's formats have them. The type is always written
// out, so that the width of a field never depends on the type of an expression:
//
//   StoreBig<int32_t>(out, count);
//   const int32_t count = LoadBig<int32_t>(in);

#ifndef KAFKALITE_BASE_ENDIAN_H_
#define KAFKALITE_BASE_ENDIAN_H_

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace kafkalite::base {

namespace internal {

// From the machine's order to big endian and back. Compilers make one instruction of it.
template <std::unsigned_integral U>
constexpr U SwapToBig(U value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(U) == 1) {
    return value;
  } else if constexpr (sizeof(U) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(U) == 4) {
    return __builtin_bswap32(value);
  } else {
    static_assert(sizeof(U) == 8);
    return __builtin_bswap64(value);
  }
}

}  // namespace internal

template <std::integral T>
T LoadBig(const char* in) {
  std::make_unsigned_t<T> value;
  std::memcpy(&value, in, sizeof(value));
  return static_cast<T>(internal::SwapToBig(value));
}

// type_identity_t keeps T from being deduced.
template <std::integral T>
void StoreBig(char* out, std::type_identity_t<T> value) {
  const auto swapped = internal::SwapToBig(static_cast<std::make_unsigned_t<T>>(value));
  std::memcpy(out, &swapped, sizeof(swapped));
}

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_ENDIAN_H_
