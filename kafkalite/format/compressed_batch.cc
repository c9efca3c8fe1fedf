#include "kafkalite/format/compressed_batch.h"

#include <utility>

#include "kafkalite/base/status_macros.h"

namespace kafkalite::format {
namespace {

// The same batch with another body.
void Replace(Batch& batch, Codec codec, base::Slice body) {
  const size_t before = batch.body.size();
  batch.header.attributes = static_cast<int16_t>((batch.header.attributes & ~kCompressionMask) |
                                                 static_cast<int16_t>(codec));
  batch.header.batch_length += static_cast<int32_t>(body.size()) - static_cast<int32_t>(before);
  batch.body = std::move(body);
  batch.header.crc = ComputeCrc(batch.header, batch.body.view());
}

}  // namespace

absl::StatusOr<Batch> CompressBatch(Batch batch, Codec codec, std::optional<int> level,
                                    base::BufferPool& pool) {
  if (codec == Codec::kNone) return batch;
  if (CodecOf(batch.header) != Codec::kNone) {
    return absl::InvalidArgumentError("the batch is compressed already");
  }
  KL_ASSIGN_OR_RETURN(base::Slice body, Compress(codec, batch.body.view(), pool, level));
  Replace(batch, codec, std::move(body));
  return batch;
}

absl::StatusOr<Batch> DecompressBatch(const Batch& batch, size_t limit, base::BufferPool& pool) {
  const Codec codec = CodecOf(batch.header);
  if (codec == Codec::kNone) return batch;
  Batch plain = batch;
  KL_ASSIGN_OR_RETURN(base::Slice body, Decompress(codec, batch.body.view(), limit, pool));
  Replace(plain, Codec::kNone, std::move(body));
  return plain;
}

}  // namespace kafkalite::format
