// File: compression_codecs.h
//
// What compression.cc is made of: one pair of functions for each codec, and the buffer that they
// write to. Each codec is a file of its own, the only one that knows its library.

#ifndef KAFKALITE_FORMAT_COMPRESSION_CODECS_H_
#define KAFKALITE_FORMAT_COMPRESSION_CODECS_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/format/compression.h"

namespace kafkalite::format::internal {

// The most that is compressed, or comes out. Far from where the libraries' counters of 32 bits or a
// pool's largest buffer (2 GiB) end, even for bytes that grow when compressed.
inline constexpr size_t kMaxBytes = size_t{1} << 30;

// The bytes that a codec writes: a buffer that doubles, but never holds more than a limit.
class Output {
 public:
  // REQUIRES: `pool` outlives the output.
  Output(size_t limit, base::BufferPool& pool) : limit_(limit), pool_(pool) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Makes room for so many bytes at once, as far as the limit allows. For a good guess: without
  // one, Room() grows by doubling.
  void Reserve(size_t bytes);

  // Where the next bytes go, one at least. At the limit that is a spare byte outside of the buffer:
  // a codec that has nothing more to say ends its stream without it, all others betray themselves.
  std::span<char> Room();

  // So many bytes have been written to Room(). RESOURCE_EXHAUSTED if the spare one was used.
  absl::Status Wrote(size_t bytes);

  // What the limit still allows.
  size_t left() const { return limit_ - size_; }
  absl::Status ExceedsLimit() const;

  // What was written, in a buffer that is not much larger.
  base::Slice Finish() &&;

 private:
  size_t capacity() const;

  const size_t limit_;
  base::BufferPool& pool_;
  base::Ref<base::Buffer> buffer_;  // empty until something is reserved
  size_t size_ = 0;
  char spare_ = 0;
};

// What a stream of `bytes` is likely to need: records shrink to a third or so.
inline size_t ExpectedBytes(std::string_view bytes) { return 4 * bytes.size(); }

// "gzip: <what>".
absl::Status Invalid(Codec codec, std::string_view what);
absl::Status EndsEarly(Codec codec);
absl::Status OutOfMemory(Codec codec);
// OK without a level, too.
absl::Status CheckLevel(Codec codec, std::optional<int> level, int least, int most);

// Levels are checked here, sizes are not. REQUIRES: at most kMaxBytes; to compress, an output of
// twice as many; to decompress, one byte at least.
absl::Status GzipCompress(std::string_view bytes, std::optional<int> level, Output& output);
absl::Status GzipDecompress(std::string_view bytes, Output& output);
absl::Status SnappyCompress(std::string_view bytes, std::optional<int> level, Output& output);
absl::Status SnappyDecompress(std::string_view bytes, Output& output);
absl::Status Lz4Compress(std::string_view bytes, std::optional<int> level, Output& output);
absl::Status Lz4Decompress(std::string_view bytes, Output& output);
absl::Status ZstdCompress(std::string_view bytes, std::optional<int> level, Output& output);
absl::Status ZstdDecompress(std::string_view bytes, Output& output);

}  // namespace kafkalite::format::internal

#endif  // KAFKALITE_FORMAT_COMPRESSION_CODECS_H_
