// File: crc32c.h
//
// CRC-32C (Castagnoli), the checksum of Kafka's record batches. Uses the processor's CRC
// instructions where it has them, found out at run time: no compiler flags are needed.
//
//   base::Crc32c("123456789") == 0xe3069283
//   base::ExtendCrc32c(base::Crc32c(a), b) == base::Crc32c(a + b)
//
// Thread safety: any thread.

#ifndef KAFKALITE_BASE_CRC32C_H_
#define KAFKALITE_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kafkalite::base {

// The CRC of the bytes whose CRC is `crc` followed by `data`.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view data);

// The CRC after the first bytes of what it covers were replaced by as many others, without another
// pass over the `rest_bytes` that follow them: `crc` is that of `before` followed by the rest.
// REQUIRES: before.size() == after.size().
uint32_t ReplaceCrc32cPrefix(uint32_t crc, std::string_view before, std::string_view after,
                             size_t rest_bytes);

inline uint32_t Crc32c(std::string_view data) { return ExtendCrc32c(0, data); }

// The implementations, for tests to compare.
namespace internal {

uint32_t ExtendCrc32cPortable(uint32_t crc, std::string_view data);

// Whether this processor has CRC-32C instructions.
bool HasCrc32cInstructions();

// REQUIRES: HasCrc32cInstructions().
uint32_t ExtendCrc32cHardware(uint32_t crc, std::string_view data);

}  // namespace internal

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_CRC32C_H_
