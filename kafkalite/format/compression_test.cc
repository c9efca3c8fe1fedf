// Every codec there and back, streams that other programs wrote, and streams that are broken.

#include "kafkalite/format/compression.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::format {

void PrintTo(Codec codec, std::ostream* out) { *out << ToString(codec); }

namespace {

using absl::StatusCode;
using base::BufferPool;
using std::literals::string_view_literals::operator""sv;

constexpr size_t kMany = 64 << 20;  // a limit that no test reaches by accident
constexpr std::array kCodecs = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4,
                                Codec::kZstd};
constexpr std::array kRealCodecs = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

base::Ref<BufferPool> Pool() {
  static const auto& pool = *new base::Ref<BufferPool>(BufferPool::Create(16 << 20));
  return pool;
}

// An answer as a string, so that it can be compared.
absl::StatusOr<std::string> Copied(const absl::StatusOr<base::Slice>& slice) {
  if (!slice.ok()) return slice.status();
  EXPECT_TRUE(slice->buffer());
  return std::string(slice->view());
}

std::string Compressed(Codec codec, std::string_view bytes, std::optional<int> level = {}) {
  const absl::StatusOr<std::string> stream = Copied(Compress(codec, bytes, *Pool(), level));
  EXPECT_TRUE(stream.ok()) << stream.status();
  return stream.value_or("");
}

// The stream ends where its memory ends, so that a sanitizer notices a read past it.
absl::StatusOr<std::string> Decompressed(Codec codec, std::string_view stream,
                                         size_t limit = kMany) {
  const std::vector<char> exact(stream.begin(), stream.end());
  return Copied(Decompress(codec, std::string_view(exact.data(), exact.size()), limit, *Pool()));
}

StatusCode CodeOf(Codec codec, std::string_view stream, size_t limit = kMany) {
  return Decompressed(codec, stream, limit).status().code();
}

// Whether the stream decompresses to these bytes.
testing::AssertionResult Becomes(Codec codec, std::string_view stream, std::string_view expected,
                                 size_t limit = kMany) {
  const absl::StatusOr<std::string> bytes = Decompressed(codec, stream, limit);
  if (!bytes.ok()) return testing::AssertionFailure() << bytes.status();
  if (*bytes == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure() << bytes->size() << " bytes: " << bytes->substr(0, 100);
}

std::string Hex(std::string_view digits) { return absl::HexStringToBytes(base::ToAbsl(digits)); }

std::string Repeated(std::string_view part, size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

std::string RandomBytes(size_t size, uint64_t seed = 1) {
  base::Random random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

// Text as in logs: compressible, but no plain repetition.
std::string LogLines(size_t size) {
  base::Random random(7);
  std::string text;
  while (text.size() < size) {
    text += base::Cat("user ", random.Below(1000), " bought ", random.Below(10), " apples\n");
  }
  text.resize(size);
  return text;
}

class CodecTest : public testing::TestWithParam<Codec> {};
class RealCodecTest : public testing::TestWithParam<Codec> {};

std::string NameOf(const testing::TestParamInfo<Codec>& info) {
  return std::string(ToString(info.param));
}
INSTANTIATE_TEST_SUITE_P(All, CodecTest, testing::ValuesIn(kCodecs), NameOf);
INSTANTIATE_TEST_SUITE_P(All, RealCodecTest, testing::ValuesIn(kRealCodecs), NameOf);

TEST(CompressionTest, NamesAreKafkas) {
  for (const Codec codec : kCodecs) EXPECT_EQ(ParseCodec(ToString(codec)), codec);
  EXPECT_EQ(ParseCodec("zstd"), Codec::kZstd);
  EXPECT_EQ(ParseCodec("ZSTD"), std::nullopt);
  EXPECT_EQ(ParseCodec(""), std::nullopt);
  EXPECT_EQ(ToString(static_cast<Codec>(5)), "unknown");
  EXPECT_EQ(ToString(static_cast<Codec>(-1)), "unknown");
}

TEST(CompressionTest, UnknownCodecIsRefused) {
  for (const int value : {5, 6, 7, -1}) {
    const auto codec = static_cast<Codec>(value);
    EXPECT_EQ(CodeOf(codec, "bytes"), StatusCode::kInvalidArgument);
    EXPECT_EQ(CodeOf(codec, ""), StatusCode::kInvalidArgument);
    EXPECT_EQ(Compress(codec, "bytes", *Pool()).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_P(CodecTest, RoundTrip) {
  for (const size_t size : {0, 1, 100, 32767, 32768, 32769, 65536, 100000, 1 << 20}) {
    for (const std::string& bytes :
         {std::string(size, 'x'), LogLines(size), RandomBytes(size, size)}) {
      const std::string stream = Compressed(GetParam(), bytes);
      ASSERT_TRUE(Becomes(GetParam(), stream, bytes)) << size;
    }
  }
}

TEST_P(CodecTest, NoBytesWithoutMemory) {
  EXPECT_TRUE(Compress(GetParam(), std::string_view(), *Pool()).ok());
  const bool is_stream = GetParam() == Codec::kNone;
  EXPECT_EQ(Decompress(GetParam(), std::string_view(), kMany, *Pool()).ok(), is_stream);
}

TEST_P(RealCodecTest, MakesLogLinesSmaller) {
  const std::string lines = LogLines(100000);
  const absl::StatusOr<base::Slice> stream = Compress(GetParam(), lines, *Pool());
  ASSERT_TRUE(stream.ok());
  EXPECT_LT(stream->size(), lines.size() / 2);
  EXPECT_LE(stream->buffer()->capacity(), 2 * stream->size());
}

TEST_P(CodecTest, LimitIsExact) {
  for (const size_t size : {1, 100, 256, 257, 32768, 65536, 100000}) {
    for (const std::string& bytes : {std::string(size, 'x'), RandomBytes(size)}) {
      const std::string stream = Compressed(GetParam(), bytes);
      EXPECT_TRUE(Becomes(GetParam(), stream, bytes, size)) << size;
      EXPECT_EQ(CodeOf(GetParam(), stream, size - 1), StatusCode::kResourceExhausted) << size;
      EXPECT_EQ(CodeOf(GetParam(), stream, 0), StatusCode::kResourceExhausted) << size;
    }
  }
  EXPECT_TRUE(Becomes(GetParam(), Compressed(GetParam(), ""), "", 0));
}

TEST_P(CodecTest, BuffersReturnToThePool) {
  const base::Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  const std::string lines = LogLines(50000);
  {
    const absl::StatusOr<base::Slice> stream = Compress(GetParam(), lines, *pool);
    ASSERT_TRUE(stream.ok());
    EXPECT_EQ(pool->in_use_bytes(), stream->buffer()->capacity());
    EXPECT_TRUE(Decompress(GetParam(), stream->view(), kMany, *pool).ok());
    EXPECT_FALSE(Decompress(GetParam(), stream->view(), 1000, *pool).ok());
  }
  EXPECT_EQ(pool->in_use_bytes(), 0u);
}

TEST_P(CodecTest, ThreadsShareNothing) {
  const std::string lines = LogLines(20000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(Becomes(GetParam(), Compressed(GetParam(), lines), lines));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Levels.

struct Levels {
  Codec codec;
  std::vector<int> good;
  std::vector<int> bad;
};

TEST(CompressionTest, Levels) {
  const std::string lines = LogLines(5000);
  for (const Levels& levels : std::vector<Levels>{
           {Codec::kNone, {}, {-1, 0, 1}},
           {Codec::kGzip, {1, 6, 9}, {-2, -1, 0, 10}},
           {Codec::kSnappy, {}, {-1, 0, 1}},
           {Codec::kLz4, {1, 3, 9, 12, 17}, {-1, 0, 18}},
           {Codec::kZstd, {-131072, -1, 0, 1, 3, 19, 22}, {-131073, 23, 1 << 30}}}) {
    for (const int level : levels.good) {
      const std::string stream = Compressed(levels.codec, lines, level);
      EXPECT_TRUE(Becomes(levels.codec, stream, lines)) << level;
    }
    for (const int level : levels.bad) {
      EXPECT_EQ(Compress(levels.codec, lines, *Pool(), level).status().code(),
                StatusCode::kInvalidArgument)
          << ToString(levels.codec) << " " << level;
    }
  }
}

TEST(CompressionTest, HigherLevelsCompressBetter) {
  const std::string lines = LogLines(100000);
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    EXPECT_LT(Compressed(codec, lines, 9).size(), Compressed(codec, lines, 1).size())
        << ToString(codec);
  }
}

// Streams that other programs wrote.

constexpr std::string_view kHello = "Hello Kafka! Hello Kafka! Hello Kafka!";

// By Python's gzip module: as a string, and as a file, whose name is in the header.
TEST(GzipTest, ReadsWhatOthersWrote) {
  const std::string plain =
      Hex("1f8b0800000000000203f348cdc9c957f04e4ccb4e5454f0c0c501008a5625ff26000000");
  const std::string named =
      Hex("1f8b08080100000002ff6e616d652e6c6f6700"
          "f348cdc9c957f04e4ccb4e5454f0c0c501008a5625ff26000000");
  EXPECT_TRUE(Becomes(Codec::kGzip, plain, kHello));
  EXPECT_TRUE(Becomes(Codec::kGzip, named, kHello));
  EXPECT_TRUE(Becomes(Codec::kGzip, plain + named, base::Cat(kHello, kHello)));
}

TEST(GzipTest, WritesAMember) {
  EXPECT_TRUE(Compressed(Codec::kGzip, kHello).starts_with("\x1f\x8b\x08\x00"sv));
}

TEST(GzipTest, MembersFollowEachOther) {
  const std::string lines = LogLines(3000);
  const std::string one = Compressed(Codec::kGzip, lines);
  const std::string none = Compressed(Codec::kGzip, "");
  EXPECT_TRUE(Becomes(Codec::kGzip, one + none + one, lines + lines));
  EXPECT_TRUE(Becomes(Codec::kGzip, none + none, ""));
  EXPECT_TRUE(Becomes(Codec::kGzip, one + one, lines + lines, 6000));
  EXPECT_EQ(CodeOf(Codec::kGzip, one + one, 5999), StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(Codec::kGzip, one + one.substr(0, 5)), StatusCode::kInvalidArgument);
}

// zlib would read its own header, too, and no header at all.
TEST(GzipTest, ReadsNoOtherStreamsOfZlib) {
  EXPECT_EQ(CodeOf(Codec::kGzip, Hex("789cf348cdc9c90700058c01f5")), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Codec::kGzip, Hex("f348cdc9c90700")), StatusCode::kInvalidArgument);
}

constexpr std::string_view kSnappyStart = "\x82SNAPPY\0\0\0\0\1\0\0\0\1"sv;

std::string SnappyBlock(std::string_view block) {
  std::string framed(3, '\0');
  framed += static_cast<char>(block.size());
  return framed += block;
}

std::string SnappyStream(std::string_view blocks) { return std::string(kSnappyStart) += blocks; }

// By hand: lengths, a literal, and a copy of 10 bytes from 2 bytes before.
constexpr std::string_view kHelloBlock = "\x05\x10Hello"sv;
constexpr std::string_view kAbBlock = "\x0c\x04\x61\x62\x19\x02"sv;  // "ab" 6 times

TEST(SnappyTest, ReadsTheFramingOfSnappyJava) {
  const std::string hello = SnappyBlock(kHelloBlock);
  const std::string abs = SnappyBlock(kAbBlock);
  EXPECT_TRUE(Becomes(Codec::kSnappy, SnappyStream(""), ""));
  EXPECT_TRUE(Becomes(Codec::kSnappy, SnappyStream(hello), "Hello"));
  EXPECT_TRUE(Becomes(Codec::kSnappy, SnappyStream(hello + abs + hello), "HelloababababababHello"));
  EXPECT_TRUE(Becomes(Codec::kSnappy, SnappyStream(SnappyBlock("\0"sv)), ""));
}

TEST(SnappyTest, ReadsABareBlock) {
  EXPECT_TRUE(Becomes(Codec::kSnappy, kHelloBlock, "Hello"));
  EXPECT_TRUE(Becomes(Codec::kSnappy, kAbBlock, "abababababab"));
  EXPECT_TRUE(Becomes(Codec::kSnappy, "\0"sv, ""));
  EXPECT_TRUE(Becomes(Codec::kSnappy, kAbBlock, "abababababab", 12));
  // As small as a block can get, without the 16 bytes of the framing and the 4 of its length.
  const std::string best(32768, 'x');
  EXPECT_TRUE(Becomes(Codec::kSnappy, Compressed(Codec::kSnappy, best).substr(20), best));
  EXPECT_EQ(CodeOf(Codec::kSnappy, kAbBlock, 11), StatusCode::kResourceExhausted);
}

TEST(SnappyTest, WritesTheFramingOfSnappyJava) {
  EXPECT_EQ(Compressed(Codec::kSnappy, ""), kSnappyStart);
  EXPECT_EQ(Compressed(Codec::kSnappy, "Hello"), SnappyStream(SnappyBlock(kHelloBlock)));
  // A second block begins after 32 KiB; its length is the last but four bytes.
  const std::string two = Compressed(Codec::kSnappy, std::string(32769, 'x'));
  EXPECT_TRUE(two.ends_with(SnappyBlock("\x01\x00x"sv)));
  EXPECT_EQ(two.substr(kSnappyStart.size() + 4, 3), "\x80\x80\x02") << "not 32 KiB in the first";
}

TEST(SnappyTest, RefusesBrokenFraming) {
  const std::string hello = SnappyBlock(kHelloBlock);
  const std::vector<std::string> broken = {
      SnappyStream(hello + Hex("00")),                          // not even a length
      SnappyStream(hello + Hex("00000000")),                    // a block without bytes
      SnappyStream(Hex("ffffffff") + hello),                    // a negative length
      SnappyStream(Hex("7fffffff") + hello),                    // a length far beyond the end
      SnappyStream(SnappyBlock("\x05\x10Hell"sv)),              // a literal that is cut off
      SnappyStream(SnappyBlock("\x05\x10Hello!"sv)),            // something after the block
      SnappyStream(SnappyBlock("\x0c\x04\x61\x62\x19\x03"sv)),  // a copy from before the start
      Hex("82534e41505059000000000000000001") + hello,          // version 0
      Hex("82534e41505059000000000200000002") + hello,          // readers must know version 2
  };
  for (size_t i = 0; i < broken.size(); ++i) {
    EXPECT_EQ(CodeOf(Codec::kSnappy, broken[i]), StatusCode::kInvalidArgument) << i;
  }
  const std::string newer = Hex("82534e41505059000000000200000001") + hello;
  EXPECT_TRUE(Becomes(Codec::kSnappy, newer, "Hello"));
}

// By the lz4 program: as Java's client writes it, and with all that a frame may have.
TEST(Lz4Test, ReadsWhatOthersWrote) {
  const std::string plain =
      Hex("04224d1860408217000000df48656c6c6f204b61666b6121200d00015061666b612100000000");
  const std::string rich = Hex(
      "04224d187c4026000000000000001e17000000df48656c6c6f204b61666b6121200d00015061666b61218ba16ffe"
      "000000000b4ebf5c");
  EXPECT_TRUE(Becomes(Codec::kLz4, plain, kHello));
  EXPECT_TRUE(Becomes(Codec::kLz4, rich, kHello));
}

// The default of liblz4, though not of Kafka's clients: each block continues the one before.
TEST(Lz4Test, ReadsDependentBlocks) {
  const std::string linked = Hex("04224d1844405e0c0100002f61620200") + std::string(256, '\xff') +
                             Hex("e6506261626162440000002f61620200") + std::string(56, '\xff') +
                             Hex("9e50626162616200000000f389c253");
  EXPECT_TRUE(Becomes(Codec::kLz4, linked, Repeated("ab", 40000)));
}

TEST(Lz4Test, WritesWhatJavaReads) {
  // Version 1, independent blocks, no checksums; blocks of 64 KiB; the header's checksum.
  const std::string start = Hex("04224d18604082");
  EXPECT_EQ(Compressed(Codec::kLz4, ""), start + Hex("00000000"));
  EXPECT_TRUE(Compressed(Codec::kLz4, kHello).starts_with(start));
  for (const int level : {1, 9, 17}) {
    EXPECT_TRUE(Compressed(Codec::kLz4, LogLines(100000), level).starts_with(start)) << level;
  }
  // Random bytes are stored: a full block has a length of 64 KiB with the highest bit set.
  EXPECT_EQ(Compressed(Codec::kLz4, RandomBytes(100000)).substr(7, 4), "\x00\x00\x01\x80"sv);
}

TEST(Lz4Test, ReadsOneFrameOnly) {
  const std::string frame = Compressed(Codec::kLz4, kHello);
  EXPECT_EQ(CodeOf(Codec::kLz4, frame + frame), StatusCode::kInvalidArgument);
  const std::string skippable = Hex("502a4d1802000000aabb");
  EXPECT_EQ(CodeOf(Codec::kLz4, skippable), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Codec::kLz4, skippable + frame), StatusCode::kInvalidArgument);
}

TEST(Lz4Test, WrongChecksumsAreRefused) {
  const std::string frame = Compressed(Codec::kLz4, kHello);
  std::string header = frame;
  header[6] ^= 1;
  EXPECT_EQ(CodeOf(Codec::kLz4, header), StatusCode::kInvalidArgument);
}

// By the zstd program: a file, whose size and checksum are in the frame; from a pipe, which has no
// size; and at level 22, with a window of 128 MiB for 38 bytes.
TEST(ZstdTest, ReadsWhatOthersWrote) {
  const std::string file = Hex("28b52ffd24269d00006848656c6c6f204b61666b6121200100b0cc2f309a9119");
  const std::string pipe = Hex("28b52ffd00589d00006848656c6c6f204b61666b6121200100b0cc2f");
  const std::string best = Hex("28b52ffd04889d00006848656c6c6f204b61666b6121200100b0cc2f309a9119");
  for (const std::string& stream : {file, pipe, best}) {
    EXPECT_TRUE(Becomes(Codec::kZstd, stream, kHello));
    EXPECT_TRUE(Becomes(Codec::kZstd, stream, kHello, kHello.size()));
    EXPECT_EQ(CodeOf(Codec::kZstd, stream, kHello.size() - 1), StatusCode::kResourceExhausted);
  }
  const std::string long_pipe = Hex("28b52ffd045855000010616201007b38e50e0b649395f7");
  EXPECT_TRUE(Becomes(Codec::kZstd, long_pipe, Repeated("ab", 40000)));
  EXPECT_TRUE(Becomes(Codec::kZstd, pipe + long_pipe + file,
                      base::Cat(kHello, Repeated("ab", 40000), kHello)));
}

TEST(ZstdTest, WritesAFrameWithItsSize) {
  // One segment, whose size is one byte: 38.
  EXPECT_TRUE(Compressed(Codec::kZstd, kHello).starts_with("\x28\xb5\x2f\xfd\x20\x26"sv));
}

TEST(ZstdTest, ReadsNoOtherFrames) {
  const std::string frame = Compressed(Codec::kZstd, kHello);
  EXPECT_EQ(CodeOf(Codec::kZstd, Hex("502a4d1802000000aabb")), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Codec::kZstd, frame + Hex("502a4d1802000000aabb")),
            StatusCode::kInvalidArgument);
  // The formats before version 1 have other magic numbers.
  for (const char old : {'\x22', '\x25', '\x26', '\x27'}) {
    std::string stream = frame;
    stream[0] = old;
    EXPECT_EQ(CodeOf(Codec::kZstd, stream), StatusCode::kInvalidArgument);
  }
}

// Broken streams.

// Truncations that are streams themselves: snappy's framing has no end mark.
bool IsWhole(Codec codec, std::string_view stream) {
  return codec == Codec::kSnappy && stream == kSnappyStart;
}

TEST_P(RealCodecTest, EveryTruncationIsRefused) {
  for (const std::string& bytes : {LogLines(300), RandomBytes(100), std::string(1000, 'x')}) {
    const std::string stream = Compressed(GetParam(), bytes);
    for (size_t size = 0; size < stream.size(); ++size) {
      const std::string_view part = std::string_view(stream).substr(0, size);
      if (IsWhole(GetParam(), part)) continue;
      ASSERT_EQ(CodeOf(GetParam(), part), StatusCode::kInvalidArgument) << size;
      // The limit makes no difference to it, even if it is met just before.
      ASSERT_EQ(CodeOf(GetParam(), part, bytes.size()), StatusCode::kInvalidArgument) << size;
    }
  }
}

TEST(SnappyTest, AStreamEndsAtAnyBlock) {
  const std::string bytes = Repeated("0123456789", 10000);
  const std::string stream = Compressed(Codec::kSnappy, bytes);
  size_t whole = 0;
  for (size_t size = 0; size < stream.size(); ++size) {
    const auto part = Decompressed(Codec::kSnappy, std::string_view(stream).substr(0, size));
    if (!part.ok()) continue;
    EXPECT_TRUE(*part == bytes.substr(0, whole * 32768));
    ++whole;
  }
  EXPECT_EQ(whole, 4u) << "after the start and after three of four blocks";
}

TEST_P(RealCodecTest, TrailingBytesAreRefused) {
  for (const std::string_view rest : {"\0"sv, "x"sv, "\0\0\0\0"sv, "garbage, longer than a head"sv,
                                      "\x1f\x8b"sv, "\x28\xb5\x2f\xfd"sv, "\x04\x22\x4d\x18"sv}) {
    const std::string stream = Compressed(GetParam(), kHello) += rest;
    EXPECT_EQ(CodeOf(GetParam(), stream), StatusCode::kInvalidArgument) << rest;
    EXPECT_EQ(CodeOf(GetParam(), stream, kHello.size()), StatusCode::kInvalidArgument) << rest;
  }
}

TEST_P(RealCodecTest, OtherCodecsStreamsAreRefused) {
  for (const Codec other : kRealCodecs) {
    if (other == GetParam()) continue;
    EXPECT_EQ(CodeOf(GetParam(), Compressed(other, kHello)), StatusCode::kInvalidArgument)
        << ToString(other);
  }
}

// Either refused or no more than the limit; anything else is for the sanitizers to find.
// Returns whether it was accepted.
bool SurvivesWithin(Codec codec, std::string_view stream, size_t limit) {
  const absl::StatusOr<std::string> bytes = Decompressed(codec, stream, limit);
  if (bytes.ok()) {
    EXPECT_LE(bytes->size(), limit);
    return true;
  }
  EXPECT_TRUE(bytes.status().code() == StatusCode::kInvalidArgument ||
              bytes.status().code() == StatusCode::kResourceExhausted)
      << bytes.status();
  return false;
}

TEST_P(RealCodecTest, EveryFlipIsSurvived) {
  for (const std::string& bytes : {LogLines(150), std::string(33000, 'x')}) {
    const std::string stream = Compressed(GetParam(), bytes);
    ASSERT_LT(stream.size(), 2000u);
    for (size_t at = 0; at < stream.size(); ++at) {
      for (const int change : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
        std::string flipped = stream;
        flipped[at] = static_cast<char>(flipped[at] ^ change);
        SurvivesWithin(GetParam(), flipped, bytes.size() + 100);
      }
    }
  }
}

// One to three changes at places near each other, or far.
std::string Mutated(std::string stream, base::Random& random) {
  for (uint64_t changes = 1 + random.Below(3); changes > 0 && !stream.empty(); --changes) {
    const size_t at = random.Below(stream.size());
    const size_t count = 1 + random.Below(8);
    switch (random.Below(5)) {
      case 0:
        stream[at] = static_cast<char>(random.Next());
        break;
      case 1:
        stream.erase(at, count);
        break;
      case 2:
        stream.insert(at, RandomBytes(count, random.Next()));
        break;
      case 3:
        stream.insert(at, stream.substr(random.Below(stream.size()), count));
        break;
      default:
        stream.replace(at, count, random.OneIn(2) ? "\xff\xff\xff\xff" : "\0\0\0\0"sv);
    }
  }
  return stream;
}

TEST_P(RealCodecTest, MutationsAreSurvived) {
  std::vector<std::string> streams;
  for (const std::string& bytes :
       {std::string(), std::string(kHello), LogLines(2000), std::string(80000, 'x')}) {
    streams.push_back(Compressed(GetParam(), bytes));
  }
  streams.push_back(streams[1] + streams[2]);
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    const std::string stream = Mutated(streams[random.Below(streams.size())], random);
    SurvivesWithin(GetParam(), stream, random.Below(100000));
  }
}

TEST_P(RealCodecTest, NoiseIsSurvived) {
  const std::string start = Compressed(GetParam(), kHello);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    base::Random random(seed);
    const std::string noise = RandomBytes(random.Below(200), seed);
    SurvivesWithin(GetParam(), noise, 10000);
    SurvivesWithin(GetParam(), start.substr(0, random.Below(start.size())) + noise, 10000);
  }
}

// Memory.

// What a decompression takes from the pool, all buffers together: an empty pool that keeps
// everything knows afterwards.
size_t PoolBytesUsed(Codec codec, std::string_view stream, size_t limit, StatusCode expected) {
  const base::Ref<BufferPool> pool = BufferPool::Create(size_t{1} << 31);
  EXPECT_EQ(Decompress(codec, stream, limit, *pool).status().code(), expected);
  EXPECT_EQ(pool->in_use_bytes(), 0u);
  return pool->cached_bytes();
}

TEST_P(RealCodecTest, ABombStopsAtTheLimit) {
  const std::string bomb = Compressed(GetParam(), std::string(16 << 20, '\0'));
  for (const size_t limit : {0, 1, 1000, 1 << 16, 1 << 20}) {
    // 1 + 1/2 + 1/4 and so on; the smallest buffer has 256 bytes.
    EXPECT_LE(PoolBytesUsed(GetParam(), bomb, limit, StatusCode::kResourceExhausted),
              2 * limit + 512)
        << limit;
  }
}

TEST_P(RealCodecTest, ALargeLimitCostsNothing) {
  for (const std::string_view bytes : {kHello, ""sv}) {
    const std::string stream = Compressed(GetParam(), bytes);
    EXPECT_LE(PoolBytesUsed(GetParam(), stream, SIZE_MAX, StatusCode::kOk), 512u);
  }
  const std::string lines = Compressed(GetParam(), LogLines(100000));
  EXPECT_LE(PoolBytesUsed(GetParam(), lines, SIZE_MAX, StatusCode::kOk), 4 * 131072u);
}

TEST(CompressionTest, APromiseIsNotBelieved) {
  const auto used = [](Codec codec, std::string_view stream) {
    return PoolBytesUsed(codec, stream, size_t{1} << 30, StatusCode::kInvalidArgument);
  };
  // A snappy block of 4 GiB - 1, bare and framed, in 5 bytes.
  EXPECT_EQ(used(Codec::kSnappy, "\xff\xff\xff\xff\x0f"sv), 0u);
  EXPECT_EQ(used(Codec::kSnappy, SnappyStream(SnappyBlock("\xff\xff\xff\xff\x0f"sv))), 0u);
  // Zstandard frames of 2^40 bytes and of 1 MiB with nothing in them, and an LZ4 frame of 2^40.
  EXPECT_LE(used(Codec::kZstd, Hex("28b52ffde00000000000010000010000")), 1024u);
  EXPECT_LE(used(Codec::kZstd, Hex("28b52ffda000001000010000")), 1024u);
  EXPECT_LE(used(Codec::kLz4, Hex("04224d1868400000000000010000b700000000")), 1024u);
}

TEST_P(CodecTest, TooManyBytesAreRefusedUnread) {
  const char byte = 0;
  const std::string_view huge(&byte, (size_t{1} << 30) + 1);
  EXPECT_EQ(Compress(GetParam(), huge, *Pool()).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Decompress(GetParam(), huge, kMany, *Pool()).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kafkalite::format
