// File: limit.h
//
// What the machine allows: bare loops that do the work of a produce and of a consume path which
// nobody can skip, and nothing else. Benchmarks state their figures as a share of these. The loops
// use nothing of the library, so that a slower library never makes for a lower limit.
//
// Thread safety: any thread; the loops share nothing.

#ifndef BENCHMARKS_LIMIT_H_
#define BENCHMARKS_LIMIT_H_

#include <cstddef>

namespace kafkalite::benchmarks {

// The sizes that both loops and the library's defaults have in common.
inline constexpr size_t kBatchBytes = 16384;
// Well beyond any last-level cache, so that a consumer's bytes come from memory.
inline constexpr size_t kWorkingSetBytes = size_t{160} << 20;

struct LoopRate {
  double records_per_second = 0;
  double bytes_per_second = 0;  // of whole batches
};

// Encodes records with values of `value_bytes` into batches of at most kBatchBytes in a warm ring
// of 1 MiB, and writes the CRC-32C of each. REQUIRES: 0 < value_bytes <= 8192.
LoopRate EncodeCrcLoop(size_t value_bytes, double seconds);

// Walks batches of such records and adds up every byte of every value, as a consumer does that
// uses what it reads. REQUIRES: as above.
LoopRate DecodeSumLoop(size_t value_bytes, double seconds);

}  // namespace kafkalite::benchmarks

#endif  // BENCHMARKS_LIMIT_H_
