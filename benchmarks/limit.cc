#include "benchmarks/limit.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kafkalite::benchmarks {
namespace {

constexpr size_t kHeaderBytes = 61;
constexpr size_t kCrcAt = 17;
constexpr size_t kCrcStartsAt = 21;
constexpr size_t kRecordCountAt = 57;
constexpr size_t kRingBytes = size_t{1} << 20;
constexpr int kBatchesPerClockRead = 64;

// ---- CRC-32C: three streams at a time by the processor's instruction.

#if defined(__x86_64__)
inline uint64_t CrcStep(uint64_t state, uint64_t word) {
  asm("crc32q %1, %0" : "+r"(state) : "r"(word));
  return state;
}
inline uint64_t CrcStepByte(uint64_t state, uint8_t byte) {
  asm("crc32b %b1, %q0" : "+r"(state) : "q"(byte));
  return state;
}
#elif defined(__aarch64__)
inline uint64_t CrcStep(uint64_t state, uint64_t word) {
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
  return state;
}
inline uint64_t CrcStepByte(uint64_t state, uint8_t byte) {
  asm(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(state) : "r"(byte));
  return state;
}
#else
#error "This benchmark needs a processor with CRC-32C instructions."
#endif

inline uint64_t LoadWord(const char* in) {
  uint64_t word;
  std::memcpy(&word, in, sizeof(word));
  return word;
}

// The states after `block_bytes` zero bytes, for each value of each byte of the state before.
using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;

ShiftTable MakeShiftTable(size_t block_bytes) {
  ShiftTable table;
  for (int k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint64_t state = byte << (8 * k);
      for (size_t i = 0; i < block_bytes; i += 8) state = CrcStep(state, 0);
      table[k][byte] = static_cast<uint32_t>(state);
    }
  }
  return table;
}

inline uint64_t Shift(const ShiftTable& table, uint64_t state) {
  return table[0][state & 0xff] ^ table[1][(state >> 8) & 0xff] ^ table[2][(state >> 16) & 0xff] ^
         table[3][(state >> 24) & 0xff];
}

template <size_t block_bytes>
inline uint64_t ThreeStreams(const ShiftTable& table, uint64_t state, const char*& in,
                             const char* end) {
  while (static_cast<size_t>(end - in) >= 3 * block_bytes) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (const char* stop = in + block_bytes; in != stop; in += 8) {
      state = CrcStep(state, LoadWord(in));
      second = CrcStep(second, LoadWord(in + block_bytes));
      third = CrcStep(third, LoadWord(in + 2 * block_bytes));
    }
    state = Shift(table, Shift(table, state) ^ second) ^ third;
    in += 2 * block_bytes;
  }
  return state;
}

class Crc {
 public:
  uint32_t operator()(const char* in, const char* end) const {
    uint64_t state = 0xffffffff;
    state = ThreeStreams<kLargeBlock>(large_, state, in, end);
    state = ThreeStreams<kSmallBlock>(small_, state, in, end);
    for (; end - in >= 8; in += 8) state = CrcStep(state, LoadWord(in));
    for (; in != end; ++in) state = CrcStepByte(state, static_cast<uint8_t>(*in));
    return ~static_cast<uint32_t>(state);
  }

 private:
  // No powers of two: those make the streams meet at the same places of the cache.
  static constexpr size_t kLargeBlock = 1288;
  static constexpr size_t kSmallBlock = 264;
  const ShiftTable large_ = MakeShiftTable(kLargeBlock);
  const ShiftTable small_ = MakeShiftTable(kSmallBlock);
};

// ---- Record batches, version 2.

template <class T>
inline void Store(char* out, T value) {
  if constexpr (sizeof(T) == 8) {
    value = static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  } else {
    value = static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  }
  std::memcpy(out, &value, sizeof(value));
}

inline uint32_t Load32(const char* in) {
  uint32_t value;
  std::memcpy(&value, in, sizeof(value));
  return __builtin_bswap32(value);
}

// Numbers here are never negative, so zigzag only doubles them.
inline size_t NumberBytes(size_t number) { return number < 64 ? 1 : number < 8192 ? 2 : 3; }

inline char* WriteNumber(char* out, size_t number) {
  number *= 2;
  while (number >= 0x80) {
    *out++ = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  *out++ = static_cast<char>(number);
  return out;
}

inline const char* ReadNumber(const char* in, int64_t* number) {
  uint64_t bits = static_cast<uint8_t>(*in++);
  if (bits >= 0x80) {
    bits &= 0x7f;
    for (int shift = 7;; shift += 7) {
      const uint64_t byte = static_cast<uint8_t>(*in++);
      bits |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  *number = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
  return in;
}

// Writes a whole batch, CRC excepted, and returns its end.
inline char* Encode(char* batch, const char* values, size_t value_bytes, uint64_t base_offset,
                    uint32_t* record_count) {
  constexpr int64_t kTimestamp = 1700000000000;
  // Attributes, timestamp delta, null key and header count take a byte each.
  const size_t fixed = 4 + NumberBytes(value_bytes) + value_bytes;
  char* out = batch + kHeaderBytes;
  // No record has more than 8 bytes besides: its length and its offset delta.
  const char* const last_start = batch + kBatchBytes - fixed - 8;
  uint32_t n = 0;
  for (; out <= last_start; ++n) {
    out = WriteNumber(out, fixed + NumberBytes(n));
    *out++ = 0;
    *out++ = 0;
    out = WriteNumber(out, n);
    *out++ = 1;
    out = WriteNumber(out, value_bytes);
    std::memcpy(out, values, value_bytes);
    values += value_bytes;
    out += value_bytes;
    *out++ = 0;
  }
  Store<uint64_t>(batch, base_offset);
  Store<uint32_t>(batch + 8, static_cast<uint32_t>(out - batch - 12));
  Store<uint32_t>(batch + 12, 0);
  batch[16] = 2;
  batch[21] = batch[22] = 0;
  Store<uint32_t>(batch + 23, n - 1);
  Store<int64_t>(batch + 27, kTimestamp);
  Store<int64_t>(batch + 35, kTimestamp);
  std::memset(batch + 43, 0xff, 14);
  Store<uint32_t>(batch + kRecordCountAt, n);
  *record_count = n;
  return out;
}

inline uint64_t SumBytes(const char* in, size_t size) {
  uint64_t sum = 0;
#if defined(__SSE2__)
  // One instruction adds up eight bytes, twice; compilers do not find it.
  __m128i sums = _mm_setzero_si128();
  for (; size >= 16; size -= 16, in += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    sums = _mm_add_epi64(sums, _mm_sad_epu8(bytes, _mm_setzero_si128()));
  }
  sum = static_cast<uint64_t>(_mm_cvtsi128_si64(sums)) +
        static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
#endif
  for (; size > 0; --size, ++in) sum += static_cast<uint8_t>(*in);
  return sum;
}

inline uint64_t SumValues(const char* batch, uint32_t record_count) {
  uint64_t sum = 0;
  const char* in = batch + kHeaderBytes;
  for (; record_count > 0; --record_count) {
    int64_t number;
    in = ReadNumber(in, &number);  // the record's length
    const char* const end = in + number;
    in = ReadNumber(in + 1, &number);  // timestamp delta, after the attributes
    in = ReadNumber(in, &number);      // offset delta
    in = ReadNumber(in, &number);      // key
    if (number > 0) in += number;
    in = ReadNumber(in, &number);
    sum += SumBytes(in, static_cast<size_t>(number));
    in = end;
  }
  return sum;
}

// ---- The loops.

struct Free {
  void operator()(char* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<char[], Free>;

// Page-aligned, and written once: no page fault is measured.
Memory WarmMemory(size_t bytes) {
  Memory memory(static_cast<char*>(std::aligned_alloc(4096, bytes)));
  std::memset(memory.get(), 1, bytes);
  return memory;
}

std::vector<char> Values() {
  std::vector<char> values(2 * kBatchBytes);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<char>(i);
  return values;
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Runs `body(&records, &bytes)`, which does one batch, for so long.
template <class Body>
LoopRate Measure(double seconds, Body body) {
  uint64_t records = 0;
  uint64_t bytes = 0;
  const double start = Now();
  double elapsed = 0;
  while (elapsed < seconds) {
    for (int i = 0; i < kBatchesPerClockRead; ++i) body(&records, &bytes);
    asm volatile("" ::: "memory");
    elapsed = Now() - start;
  }
  return {static_cast<double>(records) / elapsed, static_cast<double>(bytes) / elapsed};
}

}  // namespace

LoopRate EncodeCrcLoop(size_t value_bytes, double seconds) {
  const Crc crc;
  const Memory ring = WarmMemory(kRingBytes);
  const std::vector<char> values = Values();
  size_t position = 0;
  return Measure(seconds, [&](uint64_t* records, uint64_t* bytes) {
    if (position + kBatchBytes > kRingBytes) position = 0;
    char* const batch = ring.get() + position;
    uint32_t n;
    const char* const end = Encode(batch, values.data(), value_bytes, *records, &n);
    Store<uint32_t>(batch + kCrcAt, crc(batch + kCrcStartsAt, end));
    position += static_cast<size_t>(end - batch);
    *bytes += static_cast<size_t>(end - batch);
    *records += n;
  });
}

LoopRate DecodeSumLoop(size_t value_bytes, double seconds) {
  const Memory memory = WarmMemory(kWorkingSetBytes);
  const std::vector<char> values = Values();
  char* end = memory.get();
  uint32_t n = 0;
  while (end + kBatchBytes <= memory.get() + kWorkingSetBytes) {
    end = Encode(end, values.data(), value_bytes, 0, &n);
  }
  const size_t batch_bytes = 12 + Load32(memory.get() + 8);
  const char* batch = memory.get();
  uint64_t sum = 0;
  const LoopRate rate = Measure(seconds, [&](uint64_t* records, uint64_t* bytes) {
    if (batch == end) batch = memory.get();
    const uint32_t count = Load32(batch + kRecordCountAt);
    sum += SumValues(batch, count);
    batch += batch_bytes;
    *bytes += batch_bytes;
    *records += count;
  });
  asm volatile("" ::"r"(sum));  // the sum is used, so it is computed
  return rate;
}

}  // namespace kafkalite::benchmarks
