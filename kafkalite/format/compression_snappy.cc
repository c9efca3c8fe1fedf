// snappy, in the framing of snappy-java, by libsnappy. The framing, numbers in big endian:
//
//   magic:8 version:4 compatibleVersion:4 (length:4 block:length)*

#include <snappy.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kafkalite/base/endian.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/compression_codecs.h"

namespace kafkalite::format::internal {
namespace {

constexpr std::string_view kMagicBytes("\x82SNAPPY\0", 8);
constexpr size_t kVersionAt = 8;
constexpr size_t kCompatibleVersionAt = 12;
constexpr size_t kFramingBytes = 16;
constexpr size_t kLengthBytes = 4;
constexpr int32_t kVersion = 1;

// snappy-java's default. A block is compressed by itself.
constexpr size_t kBlockBytes = 32 << 10;

// The best that a block can do is to copy 64 bytes by each 3 of its own.
constexpr size_t kLargestRatio = 22;

size_t CompressedBound(size_t size) {
  const size_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  return kFramingBytes + blocks * (kLengthBytes + snappy::MaxCompressedLength(kBlockBytes));
}

absl::Status DecompressBlock(std::string_view block, Output& output) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) {
    return Invalid(Codec::kSnappy, "a block does not say how long it is");
  }
  // Its length is what it says. A lie must not cost memory.
  if (size / kLargestRatio > block.size()) {
    return Invalid(Codec::kSnappy, "a block is too short for what it shall become");
  }
  if (size > output.left()) return output.ExceedsLimit();
  output.Reserve(size);
  if (!snappy::RawUncompress(block.data(), block.size(), output.Room().data())) {
    return Invalid(Codec::kSnappy, "a block is damaged");
  }
  return output.Wrote(size);
}

absl::Status CheckVersions(std::string_view bytes) {
  if (bytes.size() < kFramingBytes) return EndsEarly(Codec::kSnappy);
  if (base::LoadBig<int32_t>(bytes.data() + kVersionAt) < kVersion ||
      base::LoadBig<int32_t>(bytes.data() + kCompatibleVersionAt) > kVersion) {
    return Invalid(Codec::kSnappy, "the framing has an unknown version");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SnappyCompress(std::string_view bytes, std::optional<int> level, Output& output) {
  if (level.has_value()) return Invalid(Codec::kSnappy, "there are no levels");
  output.Reserve(CompressedBound(bytes.size()));
  char* const begin = output.Room().data();
  std::memcpy(begin, kMagicBytes.data(), kMagicBytes.size());
  base::StoreBig<int32_t>(begin + kVersionAt, kVersion);
  base::StoreBig<int32_t>(begin + kCompatibleVersionAt, kVersion);
  char* out = begin + kFramingBytes;
  while (!bytes.empty()) {
    const std::string_view block = bytes.substr(0, kBlockBytes);
    size_t size = 0;
    snappy::RawCompress(block.data(), block.size(), out + kLengthBytes, &size);
    base::StoreBig<int32_t>(out, static_cast<int32_t>(size));
    out += kLengthBytes + size;
    bytes.remove_prefix(block.size());
  }
  return output.Wrote(static_cast<size_t>(out - begin));
}

absl::Status SnappyDecompress(std::string_view bytes, Output& output) {
  // As librdkafka and snappy-java do: without the magic bytes it is one block.
  if (!bytes.starts_with(kMagicBytes)) return DecompressBlock(bytes, output);
  KL_RETURN_IF_ERROR(CheckVersions(bytes));
  bytes.remove_prefix(kFramingBytes);
  while (!bytes.empty()) {
    if (bytes.size() < kLengthBytes) return EndsEarly(Codec::kSnappy);
    const auto length = base::LoadBig<int32_t>(bytes.data());
    bytes.remove_prefix(kLengthBytes);
    if (length <= 0) return Invalid(Codec::kSnappy, "a block without bytes");
    const auto size = static_cast<size_t>(length);
    if (bytes.size() < size) return EndsEarly(Codec::kSnappy);
    KL_RETURN_IF_ERROR(DecompressBlock(bytes.substr(0, size), output));
    bytes.remove_prefix(size);
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::format::internal
