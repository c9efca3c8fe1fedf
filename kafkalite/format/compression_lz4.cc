// lz4, in LZ4 frames, by liblz4.

#include <lz4frame.h>

#include <memory>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/compression_codecs.h"

namespace kafkalite::format::internal {
namespace {

// 0x184d2204 in little endian. liblz4 also skips "skippable" frames, which no client sends.
constexpr std::string_view kMagicBytes = "\x04\x22\x4d\x18";

// Kafka's range (KIP-390), which is that of lz4-java. liblz4 takes what is above its best for it.
constexpr int kLeastLevel = 1;
constexpr int kMostLevel = 17;

struct FreeContext {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
using Context = std::unique_ptr<LZ4F_dctx, FreeContext>;

Context MakeContext() {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return nullptr;
  return Context(context);
}

absl::Status Failed(size_t code) { return Invalid(Codec::kLz4, LZ4F_getErrorName(code)); }

}  // namespace

absl::Status Lz4Compress(std::string_view bytes, std::optional<int> level, Output& output) {
  KL_RETURN_IF_ERROR(CheckLevel(Codec::kLz4, level, kLeastLevel, kMostLevel));
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  // Java's clients read no other blocks than independent ones.
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.compressionLevel = level.value_or(0);
  output.Reserve(LZ4F_compressFrameBound(bytes.size(), &preferences));
  const std::span<char> room = output.Room();
  const size_t size =
      LZ4F_compressFrame(room.data(), room.size(), bytes.data(), bytes.size(), &preferences);
  if (LZ4F_isError(size)) return Failed(size);
  return output.Wrote(size);
}

absl::Status Lz4Decompress(std::string_view bytes, Output& output) {
  if (!bytes.starts_with(kMagicBytes)) return Invalid(Codec::kLz4, "not an LZ4 frame");
  const Context context = MakeContext();
  if (context == nullptr) return OutOfMemory(Codec::kLz4);
  output.Reserve(ExpectedBytes(bytes));
  for (;;) {
    const std::span<char> room = output.Room();
    size_t written = room.size();
    size_t read = bytes.size();
    const size_t code =
        LZ4F_decompress(context.get(), room.data(), &written, bytes.data(), &read, nullptr);
    if (LZ4F_isError(code)) return Failed(code);
    KL_RETURN_IF_ERROR(output.Wrote(written));
    bytes.remove_prefix(read);
    if (code == 0) break;  // the frame is complete
    if (read == 0 && written == 0) return EndsEarly(Codec::kLz4);
  }
  if (!bytes.empty()) return Invalid(Codec::kLz4, "bytes follow the frame");
  return absl::OkStatus();
}

}  // namespace kafkalite::format::internal
