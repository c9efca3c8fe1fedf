#include "kafkalite/format/compression.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/compression_codecs.h"

namespace kafkalite::format {
namespace internal {
namespace {

// The pool's smallest buffer: there is no smaller one to move to.
constexpr size_t kSmallestBufferBytes = 256;

std::string Message(Codec codec, std::string_view what) {
  return base::Cat(ToString(codec), ": ", what);
}

}  // namespace

size_t Output::capacity() const { return buffer_ ? std::min(buffer_->capacity(), limit_) : 0; }

void Output::Reserve(size_t bytes) {
  const size_t wanted = size_ + std::min(bytes, left());
  if (wanted <= capacity()) return;
  const size_t larger = std::min(std::max(wanted, 2 * capacity()), limit_);
  base::Ref<base::Buffer> buffer = pool_.Allocate(larger);
  if (size_ > 0) std::memcpy(buffer->data(), buffer_->data(), size_);
  buffer_ = std::move(buffer);
}

std::span<char> Output::Room() {
  Reserve(1);
  if (size_ == limit_) return {&spare_, 1};
  return {buffer_->data() + size_, capacity() - size_};
}

absl::Status Output::Wrote(size_t bytes) {
  if (bytes > left()) return ExceedsLimit();
  size_ += bytes;
  return absl::OkStatus();
}

absl::Status Output::ExceedsLimit() const {
  return absl::ResourceExhaustedError(
      base::ToAbsl(base::Cat("more than ", limit_, " bytes come out of a compressed batch")));
}

base::Slice Output::Finish() && {
  const bool fits =
      buffer_ && (size_ >= buffer_->capacity() / 2 || buffer_->capacity() <= kSmallestBufferBytes);
  if (!fits) {
    base::Ref<base::Buffer> buffer = pool_.Allocate(size_);
    if (size_ > 0) std::memcpy(buffer->data(), buffer_->data(), size_);
    buffer_ = std::move(buffer);
  }
  return base::Slice(std::move(buffer_), 0, size_);
}

absl::Status Invalid(Codec codec, std::string_view what) {
  return absl::InvalidArgumentError(base::ToAbsl(Message(codec, what)));
}

absl::Status EndsEarly(Codec codec) { return Invalid(codec, "the stream ends early"); }

absl::Status OutOfMemory(Codec codec) {
  return absl::ResourceExhaustedError(base::ToAbsl(Message(codec, "no memory")));
}

absl::Status CheckLevel(Codec codec, std::optional<int> level, int least, int most) {
  if (!level.has_value() || (*level >= least && *level <= most)) return absl::OkStatus();
  return Invalid(codec, base::Cat("level is ", *level, ", not in [", least, ", ", most, "]"));
}

}  // namespace internal

namespace {

using internal::Invalid;
using internal::Output;

constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4", "zstd"};

absl::Status Copy(std::string_view bytes, Output& output) {
  if (bytes.size() > output.left()) return output.ExceedsLimit();
  output.Reserve(bytes.size());
  if (!bytes.empty()) std::memcpy(output.Room().data(), bytes.data(), bytes.size());
  return output.Wrote(bytes.size());
}

absl::Status CompressTo(Output& output, Codec codec, std::string_view bytes,
                        std::optional<int> level) {
  switch (codec) {
    case Codec::kNone:
      if (level.has_value()) return Invalid(codec, "there are no levels");
      return Copy(bytes, output);
    case Codec::kGzip:
      return internal::GzipCompress(bytes, level, output);
    case Codec::kSnappy:
      return internal::SnappyCompress(bytes, level, output);
    case Codec::kLz4:
      return internal::Lz4Compress(bytes, level, output);
    case Codec::kZstd:
      return internal::ZstdCompress(bytes, level, output);
  }
  return Invalid(codec, "no such codec");
}

absl::Status DecompressTo(Output& output, Codec codec, std::string_view bytes) {
  if (codec != Codec::kNone && bytes.empty()) return internal::EndsEarly(codec);
  switch (codec) {
    case Codec::kNone:
      return Copy(bytes, output);
    case Codec::kGzip:
      return internal::GzipDecompress(bytes, output);
    case Codec::kSnappy:
      return internal::SnappyDecompress(bytes, output);
    case Codec::kLz4:
      return internal::Lz4Decompress(bytes, output);
    case Codec::kZstd:
      return internal::ZstdDecompress(bytes, output);
  }
  return Invalid(codec, "no such codec");
}

absl::Status CheckSize(Codec codec, std::string_view bytes) {
  if (bytes.size() <= internal::kMaxBytes) return absl::OkStatus();
  return Invalid(codec, base::Cat(bytes.size(), " bytes are too many for a batch"));
}

}  // namespace

std::string_view ToString(Codec codec) {
  const auto index = static_cast<size_t>(codec);  // a negative one is huge
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::optional<Codec> ParseCodec(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Codec>(found - kNames.begin());
}

absl::StatusOr<base::Slice> Compress(Codec codec, std::string_view bytes, base::BufferPool& pool,
                                     std::optional<int> level) {
  KL_RETURN_IF_ERROR(CheckSize(codec, bytes));
  Output output(2 * internal::kMaxBytes, pool);
  KL_RETURN_IF_ERROR(CompressTo(output, codec, bytes, level));
  return std::move(output).Finish();
}

absl::StatusOr<base::Slice> Decompress(Codec codec, std::string_view bytes, size_t limit,
                                       base::BufferPool& pool) {
  KL_RETURN_IF_ERROR(CheckSize(codec, bytes));
  Output output(std::min(limit, internal::kMaxBytes), pool);
  KL_RETURN_IF_ERROR(DecompressTo(output, codec, bytes));
  return std::move(output).Finish();
}

}  // namespace kafkalite::format
