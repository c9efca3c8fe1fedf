// File: compressed_batch.h
//
// Whole batches in and out of compression: the records become one compressed stream, and the header
// says by which codec. What counts records (offsets, sequence numbers, timestamps) stays readable.
//
//   absl::StatusOr<Batch> batch = CompressBatch(std::move(plain), Codec::kLz4, {}, *pool);
//   absl::StatusOr<Batch> plain = DecompressBatch(batch, kMaxRecordsBytes, *pool);
//
// Thread safety: any thread.

#ifndef KAFKALITE_FORMAT_COMPRESSED_BATCH_H_
#define KAFKALITE_FORMAT_COMPRESSED_BATCH_H_

#include <cstddef>
#include <optional>

#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/compression.h"
#include "kafkalite/format/record_batch.h"

namespace kafkalite::format {

// What a reader unpacks of one batch at most.
inline constexpr size_t kMaxRecordsBytes = size_t{1} << 30;

// The codec of a batch's records; the values that name none are refused by DecompressBatch.
inline Codec CodecOf(const BatchHeader& header) {
  return static_cast<Codec>(header.attributes & kCompressionMask);
}

// With the CRC renewed. kNone: as it is. Errors as Compress; INVALID_ARGUMENT for a batch that is
// compressed already.
absl::StatusOr<Batch> CompressBatch(Batch batch, Codec codec, std::optional<int> level,
                                    base::BufferPool& pool);

// The same records in the clear, for who iterates over them: header and CRC are as if it had never
// been compressed. A batch that is not compressed comes back sharing its body. Errors as
// Decompress.
absl::StatusOr<Batch> DecompressBatch(const Batch& batch, size_t limit, base::BufferPool& pool);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_COMPRESSED_BATCH_H_
