// File: compression.h
//
// The codecs of a batch's records, as Kafka's clients write them: attributes' low three bits name
// the codec, and everything after the header is one compressed stream.
//
//   absl::StatusOr<base::Slice> body = Compress(Codec::kLz4, records, *pool);
//   absl::StatusOr<base::Slice> records = Decompress(Codec::kLz4, body->view(), limit, *pool);
//
//   codec    stream                                         levels (KIP-390)          default
//   gzip     members of RFC 1952, one or more               1 to 9                    6
//   snappy   snappy-java's magic, version and blocks        none
//   lz4      one LZ4 frame                                  1 to 17, 12 is the best   fastest
//   zstd     Zstandard frames, one or more (KIP-110)        -131072 to 22             3
//
// Written are snappy blocks of 32 KiB and independent lz4 blocks of 64 KiB without a content
// checksum, which every Kafka client reads. Read is also what those two formats allow beyond it,
// and a bare snappy block. What has no checksum is not found to be damaged: the batch has a CRC.
//
// Thread safety: any thread. Never throws, never aborts, whatever the bytes are.

#ifndef KAFKALITE_FORMAT_COMPRESSION_H_
#define KAFKALITE_FORMAT_COMPRESSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"

namespace kafkalite::format {

// The values are those of `attributes`. Its three bits may also say 5 to 7: no codec, which the
// functions below refuse with INVALID_ARGUMENT.
enum class Codec : int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// As in Kafka's compression.type: "none", "gzip", "snappy", "lz4", "zstd".
std::string_view ToString(Codec codec);
// Nothing for a name that is none of them.
std::optional<Codec> ParseCodec(std::string_view name);

// The bytes in a buffer of their own, no larger than they need. No `level`: the default.
// INVALID_ARGUMENT for a level that the codec does not have, and for more than 1 GiB.
absl::StatusOr<base::Slice> Compress(Codec codec, std::string_view bytes, base::BufferPool& pool,
                                     std::optional<int> level = std::nullopt);

// INVALID_ARGUMENT for bytes that are not such a stream, end early or have something after their
// end; snappy has no end mark, so what lacks whole blocks at its end is just shorter.
// RESOURCE_EXHAUSTED if more than `limit` bytes (or 1 GiB) would come out.
//
// Memory: a buffer that grows by doubling with what really comes out, never beyond `limit`. A size
// that the stream promises is believed up to 64 times the stream's own. While the call lasts a
// codec also has a window: 32 KiB for gzip, 8 MiB at most for lz4, 128 MiB at most for zstd (that
// is what producers of level 22 ask for). No more of it is touched than comes out.
absl::StatusOr<base::Slice> Decompress(Codec codec, std::string_view bytes, size_t limit,
                                       base::BufferPool& pool);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_COMPRESSION_H_
