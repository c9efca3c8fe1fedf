// gzip, by zlib.

#define ZLIB_CONST  // zlib's input is const, as it should be

#include <zlib.h>

#include "absl/cleanup/cleanup.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/format/compression_codecs.h"

namespace kafkalite::format::internal {
namespace {

// The largest window, and 16 for "gzip's header and trailer, no other's".
constexpr int kWindowBits = 15 + 16;
constexpr int kDefaultMemory = 8;

z_stream StreamOf(std::string_view bytes) {
  z_stream stream{};
  stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  return stream;
}

void SetOutput(z_stream& stream, std::span<char> room) {
  stream.next_out = reinterpret_cast<Bytef*>(room.data());
  stream.avail_out = static_cast<uInt>(room.size());
}

absl::Status StatusOf(int code, const z_stream& stream) {
  switch (code) {
    case Z_OK:
    case Z_STREAM_END:
      return absl::OkStatus();
    case Z_BUF_ERROR:  // there was output space: it lacks input
      return EndsEarly(Codec::kGzip);
    case Z_MEM_ERROR:
      return OutOfMemory(Codec::kGzip);
    default:
      return Invalid(Codec::kGzip, stream.msg != nullptr ? stream.msg : "not a gzip stream");
  }
}

}  // namespace

absl::Status GzipCompress(std::string_view bytes, std::optional<int> level, Output& output) {
  KL_RETURN_IF_ERROR(CheckLevel(Codec::kGzip, level, Z_BEST_SPEED, Z_BEST_COMPRESSION));
  z_stream stream = StreamOf(bytes);
  const int code = deflateInit2(&stream, level.value_or(Z_DEFAULT_COMPRESSION), Z_DEFLATED,
                                kWindowBits, kDefaultMemory, Z_DEFAULT_STRATEGY);
  if (code != Z_OK) return OutOfMemory(Codec::kGzip);
  const absl::Cleanup end = [&] { deflateEnd(&stream); };
  output.Reserve(deflateBound(&stream, stream.avail_in));
  const std::span<char> room = output.Room();
  SetOutput(stream, room);
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return Invalid(Codec::kGzip, "cannot compress");
  return output.Wrote(room.size() - stream.avail_out);
}

absl::Status GzipDecompress(std::string_view bytes, Output& output) {
  z_stream stream = StreamOf(bytes);
  if (inflateInit2(&stream, kWindowBits) != Z_OK) return OutOfMemory(Codec::kGzip);
  const absl::Cleanup end = [&] { inflateEnd(&stream); };
  output.Reserve(ExpectedBytes(bytes));
  for (;;) {
    const std::span<char> room = output.Room();
    SetOutput(stream, room);
    const int code = inflate(&stream, Z_NO_FLUSH);
    KL_RETURN_IF_ERROR(output.Wrote(room.size() - stream.avail_out));
    KL_RETURN_IF_ERROR(StatusOf(code, stream));
    if (code != Z_STREAM_END) continue;
    if (stream.avail_in == 0) return absl::OkStatus();
    inflateReset(&stream);  // the next member
  }
}

}  // namespace kafkalite::format::internal
