#include "kafkalite/base/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace kafkalite::base {
namespace {

// Throughout, a `state` is a CRC before its final inversion, and bit 31 is the coefficient of x^0:
// CRC-32C handles the lowest bit of a byte first.
constexpr uint32_t kPolynomial = 0x82f63b78;

// The state after one more zero bit: the product with x.
constexpr uint32_t TimesX(uint32_t state) {
  return (state >> 1) ^ ((state & 1) != 0 ? kPolynomial : 0);
}

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = TimesX(b);
  }
  return product;
}

// x^(8 * bytes), by squaring.
constexpr uint32_t PowerOfX(size_t bytes) {
  uint32_t power = 0x80000000 >> 8;  // x^8
  uint32_t result = 0x80000000;      // 1
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1) != 0) result = Multiply(result, power);
    power = Multiply(power, power);
  }
  return result;
}

// Row k holds the products of one factor with all values of a state's byte k. A product with a
// whole state is then four look-ups.
using ProductTable = std::array<std::array<uint32_t, 256>, 4>;

constexpr ProductTable MakeProductTable(uint32_t factor) {
  ProductTable table{};
  for (int k = 0; k < 4; ++k) {
    for (uint32_t bit = 1; bit < 256; bit <<= 1) {
      const uint32_t product = Multiply(factor, bit << (8 * k));
      // The product is linear: that of each value with this highest bit follows from a lower one.
      for (uint32_t low = 0; low < bit; ++low) table[k][bit | low] = product ^ table[k][low];
    }
  }
  return table;
}

// Row k: the state of one byte followed by k zero bytes.
using SlicingTable = std::array<std::array<uint32_t, 256>, 8>;

constexpr SlicingTable MakeSlicingTable() {
  SlicingTable table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = TimesX(state);
    table[0][byte] = state;
  }
  for (int k = 1; k < 8; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t shorter = table[k - 1][byte];
      table[k][byte] = (shorter >> 8) ^ table[0][shorter & 0xff];
    }
  }
  return table;
}

constexpr SlicingTable kSlicing = MakeSlicingTable();

// The first byte of memory becomes the lowest of the word, as the algorithms want it.
inline uint64_t LoadLittle64(const char* in) {
  uint64_t word;
  std::memcpy(&word, in, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

// One step of the CRC instructions. Assembly instead of intrinsics: those exist only in functions
// compiled for a processor that surely has them, and differ by compiler.
#if defined(__x86_64__)

inline uint64_t Step64(uint64_t state, uint64_t word) {
  asm("crc32q %1, %0" : "+r"(state) : "r"(word));
  return state;
}
inline uint64_t Step8(uint64_t state, uint8_t byte) {
  asm("crc32b %b1, %q0" : "+r"(state) : "q"(byte));
  return state;
}
bool DetectInstructions() {
  __builtin_cpu_init();  // the caller may run before main
  return __builtin_cpu_supports("sse4.2") != 0;
}

#elif defined(__aarch64__) && defined(__linux__)

inline uint64_t Step64(uint64_t state, uint64_t word) {
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
  return state;
}
inline uint64_t Step8(uint64_t state, uint8_t byte) {
  asm(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(state) : "r"(byte));
  return state;
}
bool DetectInstructions() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

#else

uint64_t Step64(uint64_t state, uint64_t) { return state; }
uint64_t Step8(uint64_t state, uint8_t) { return state; }
bool DetectInstructions() { return false; }

#endif

// A CRC instruction takes three cycles, but one can start in each. So three blocks next to each
// other are summed up at once, and then joined: appending a block means multiplying the state
// before it by x^(8 * block_bytes). Eats as many triples of blocks as there are.
template <size_t block_bytes>
inline uint64_t ThreeStreams(uint64_t state, const char*& position, size_t& size) {
  static_assert(block_bytes % 8 == 0);
  static constexpr ProductTable kShift = MakeProductTable(PowerOfX(block_bytes));
  const auto shift = [](uint64_t s) {
    return kShift[0][s & 0xff] ^ kShift[1][(s >> 8) & 0xff] ^ kShift[2][(s >> 16) & 0xff] ^
           kShift[3][(s >> 24) & 0xff];
  };
  while (size >= 3 * block_bytes) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (const char* end = position + block_bytes; position != end; position += 8) {
      state = Step64(state, LoadLittle64(position));
      second = Step64(second, LoadLittle64(position + block_bytes));
      third = Step64(third, LoadLittle64(position + 2 * block_bytes));
    }
    state = shift(shift(state) ^ second) ^ third;
    position += 2 * block_bytes;
    size -= 3 * block_bytes;
  }
  return state;
}

}  // namespace

namespace internal {

uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view data) {
  uint32_t state = ~crc;
  const char* position = data.data();
  size_t size = data.size();
  for (; size >= 8; size -= 8, position += 8) {
    const uint64_t word = LoadLittle64(position) ^ state;
    state = 0;
    for (int k = 0; k < 8; ++k) state ^= kSlicing[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; size > 0; --size, ++position) {
    state = (state >> 8) ^ kSlicing[0][(state ^ static_cast<uint8_t>(*position)) & 0xff];
  }
  return ~state;
}

bool HasCrc32cInstructions() {
  static const bool has = DetectInstructions();
  return has;
}

uint32_t ExtendCrc32cHardware(uint32_t crc, std::string_view data) {
  uint64_t state = static_cast<uint32_t>(~crc);
  const char* position = data.data();
  size_t size = data.size();
  // Large blocks make joining rare, the smaller ones leave little to a single stream. Sizes that
  // are no powers of two keep the streams at different places of the cache.
  state = ThreeStreams<1288>(state, position, size);
  state = ThreeStreams<136>(state, position, size);
  for (; size >= 8; size -= 8, position += 8) state = Step64(state, LoadLittle64(position));
  for (; size > 0; --size, ++position) state = Step8(state, static_cast<uint8_t>(*position));
  return ~static_cast<uint32_t>(state);
}

}  // namespace internal

uint32_t ReplaceCrc32cPrefix(uint32_t crc, std::string_view before, std::string_view after,
                             size_t rest_bytes) {
  // The CRC is linear: what the prefixes differ by, moved past the rest, is what the whole differs
  // by. The inversions at both ends cancel out.
  return crc ^ Multiply(Crc32c(before) ^ Crc32c(after), PowerOfX(rest_bytes));
}

uint32_t ExtendCrc32c(uint32_t crc, std::string_view data) {
  return internal::HasCrc32cInstructions() ? internal::ExtendCrc32cHardware(crc, data)
                                           : internal::ExtendCrc32cPortable(crc, data);
}

}  // namespace kafkalite::base
