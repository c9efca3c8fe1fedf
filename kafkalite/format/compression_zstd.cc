// zstd, by libzstd.

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <memory>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/compression_codecs.h"

namespace kafkalite::format::internal {
namespace {

// ZSTD_MAGICNUMBER in little endian. libzstd also skips "skippable" frames and may know formats
// from before its version 1, none of which clients send.
constexpr std::string_view kMagicBytes = "\x28\xb5\x2f\xfd";
static_assert(ZSTD_MAGICNUMBER == 0xfd2fb528);

// A frame may say what becomes of it. Beyond this ratio it has to prove it.
constexpr size_t kBelievedRatio = 64;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
using CompressionContext = std::unique_ptr<ZSTD_CCtx, FreeContext>;
using DecompressionContext = std::unique_ptr<ZSTD_DCtx, FreeContext>;

absl::Status Failed(size_t code) {
  // A window can be so large that it is not the stream's fault.
  if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation) return OutOfMemory(Codec::kZstd);
  return Invalid(Codec::kZstd, ZSTD_getErrorName(code));
}

// What the frame says will come out of it; some do not.
std::optional<size_t> PromisedBytes(std::string_view bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return std::nullopt;
  return size;
}

// With room for all of a frame libzstd writes straight to it; otherwise through a window.
void ReserveFrame(std::string_view bytes, Output& output) {
  const size_t believed = kBelievedRatio * bytes.size();
  output.Reserve(std::min(PromisedBytes(bytes).value_or(ExpectedBytes(bytes)), believed));
}

absl::Status DecompressFrame(ZSTD_DCtx* context, std::string_view& bytes, Output& output) {
  if (!bytes.starts_with(kMagicBytes)) return Invalid(Codec::kZstd, "not a Zstandard frame");
  const std::optional<size_t> promised = PromisedBytes(bytes);
  size_t written = 0;
  for (;;) {
    const std::span<char> room = output.Room();
    ZSTD_inBuffer in = {.src = bytes.data(), .size = bytes.size(), .pos = 0};
    ZSTD_outBuffer out = {.dst = room.data(), .size = room.size(), .pos = 0};
    const size_t code = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(code)) return Failed(code);
    KL_RETURN_IF_ERROR(output.Wrote(out.pos));
    bytes.remove_prefix(in.pos);
    written += out.pos;
    if (code == 0) break;  // the frame is complete
    if (in.pos == 0 && out.pos == 0) return EndsEarly(Codec::kZstd);
  }
  // libzstd itself does not look if the last block is an empty one.
  if (written != promised.value_or(written)) {
    return Invalid(Codec::kZstd, "a frame is not as long as it says");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ZstdCompress(std::string_view bytes, std::optional<int> level, Output& output) {
  KL_RETURN_IF_ERROR(CheckLevel(Codec::kZstd, level, ZSTD_minCLevel(), ZSTD_maxCLevel()));
  const CompressionContext context(ZSTD_createCCtx());
  if (context == nullptr) return OutOfMemory(Codec::kZstd);
  output.Reserve(ZSTD_compressBound(bytes.size()));
  const std::span<char> room = output.Room();
  const size_t size = ZSTD_compressCCtx(context.get(), room.data(), room.size(), bytes.data(),
                                        bytes.size(), level.value_or(ZSTD_CLEVEL_DEFAULT));
  if (ZSTD_isError(size)) return Failed(size);
  return output.Wrote(size);
}

absl::Status ZstdDecompress(std::string_view bytes, Output& output) {
  const DecompressionContext context(ZSTD_createDCtx());
  if (context == nullptr) return OutOfMemory(Codec::kZstd);
  ReserveFrame(bytes, output);
  while (!bytes.empty()) {
    KL_RETURN_IF_ERROR(DecompressFrame(context.get(), bytes, output));
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::format::internal
