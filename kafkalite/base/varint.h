// File: varint.h
//
// Kafka's variable-length numbers: zigzag (0, -1, 1, -2, 2 ... become 0, 1, 2, 3, 4 ...), then
// seven bits per byte, the lowest first; the top bit says that more follow. A number takes the
// same bytes whether Kafka calls it a varint (32 bits, at most 5 bytes) or a varlong (64 bits, at
// most 10), so there is one writer; the reader is chosen by the type of its result.

#ifndef KAFKALITE_BASE_VARINT_H_
#define KAFKALITE_BASE_VARINT_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace kafkalite::base {

inline constexpr int kMaxVarintBytes = 5;
inline constexpr int kMaxVarlongBytes = 10;

constexpr uint64_t ZigZagEncode(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr int64_t ZigZagDecode(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
}

// How many bytes WriteVarint writes.
constexpr int VarintBytes(int64_t value) {
  const uint64_t bits = ZigZagEncode(value);
  if (bits < 0x80) [[likely]] {
    return 1;
  }
  // One per seven bits, rounded up, without a division.
  return (std::bit_width(bits) * 9 + 64) / 64;
}

// Returns the position after the number. REQUIRES: VarintBytes(value) bytes of room.
inline char* WriteVarint(char* out, int64_t value) {
  uint64_t bits = ZigZagEncode(value);
  // Lengths and deltas are small: nearly all numbers take one byte or two.
  if (bits < 0x80) [[likely]] {
    *out = static_cast<char>(bits);
    return out + 1;
  }
  *out++ = static_cast<char>(bits | 0x80);
  bits >>= 7;
  while (bits >= 0x80) {
    *out++ = static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  *out = static_cast<char>(bits);
  return out + 1;
}

namespace internal {

// The bits before ZigZagDecode of a number of more than one byte, `max_bits` wide at most.
template <int max_bits>
const char* ReadLongVarint(const char* in, const char* end, uint64_t* bits) {
  uint64_t result = 0;
  for (int shift = 0; shift < max_bits && in < end; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*in++);
    // The last byte must not carry bits that have no place, which a shift would drop.
    if (shift + 7 > max_bits && (byte >> (max_bits - shift)) != 0) return nullptr;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *bits = result;
      return in;
    }
  }
  return nullptr;
}

template <int max_bits>
inline const char* ReadVarintBits(const char* in, const char* end, uint64_t* bits) {
  if (in < end && *reinterpret_cast<const signed char*>(in) >= 0) [[likely]] {
    *bits = static_cast<uint8_t>(*in);
    return in + 1;
  }
  if (end - in >= 2 && *reinterpret_cast<const signed char*>(in + 1) >= 0) {
    *bits = (static_cast<uint64_t>(static_cast<uint8_t>(in[1])) << 7) |
            (static_cast<uint8_t>(in[0]) & 0x7f);
    return in + 2;
  }
  return ReadLongVarint<max_bits>(in, end, bits);
}

}  // namespace internal

// Reads a number and returns the position after it. Returns nullptr, leaving *value alone, if the
// bytes end too early or the number does not fit its type.
inline const char* ReadVarint(const char* in, const char* end, int32_t* value) {
  uint64_t bits;
  in = internal::ReadVarintBits<32>(in, end, &bits);
  if (in != nullptr) [[likely]] {
    *value = static_cast<int32_t>(ZigZagDecode(bits));
  }
  return in;
}

inline const char* ReadVarint(const char* in, const char* end, int64_t* value) {
  uint64_t bits;
  in = internal::ReadVarintBits<64>(in, end, &bits);
  if (in != nullptr) [[likely]] {
    *value = ZigZagDecode(bits);
  }
  return in;
}

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_VARINT_H_
