#include "kafkalite/format/record_batch.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/base/varint.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::format {
namespace {

using base::BufferPool;
using model::LeaderEpoch;
using model::Offset;
using model::ProducerId;

constexpr int64_t kNow = 1700000000000;

base::Ref<BufferPool> Pool() {
  static const auto& pool = *new base::Ref<BufferPool>(BufferPool::Create(1 << 20));
  return pool;
}

// A record that owns its bytes.
struct TestRecord {
  int64_t timestamp = kNow;
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};

  bool operator==(const TestRecord&) const = default;
};

std::vector<Header> Headers(const TestRecord& record) {
  std::vector<Header> headers;
  for (const auto& [key, value] : record.headers) headers.push_back({key, value});
  return headers;
}

Batch BatchOf(const std::vector<TestRecord>& records, const BatchBuilder::Stamp& stamp = {}) {
  BatchBuilder builder(Pool()->Allocate(1 << 16), 1 << 16, kNow);
  for (const TestRecord& record : records) {
    EXPECT_GE(builder.TryAppend(record.timestamp, record.key, record.value, Headers(record)), 0);
  }
  return std::move(builder).Build(stamp, Pool().get());
}

// What the golden test and docs/internals/format.md show.
std::vector<TestRecord> GoldenRecords() {
  return {{.value = "Hello Kafka !"},
          {.timestamp = kNow - 5, .key = "key", .headers = {{"a", "1"}, {"b", std::nullopt}}},
          {.timestamp = kNow + 1000, .key = "", .value = std::string(70, 'x')}};
}

constexpr BatchBuilder::Stamp kGoldenStamp = {
    .producer_id = ProducerId(4242), .producer_epoch = 7, .base_sequence = 100};

// A batch with these bytes for its body, and a length and a CRC that fit them. The body ends where
// its memory ends, so that a sanitizer notices a read past it.
Batch WithBody(BatchHeader header, std::string_view body) {
  base::Ref<base::Buffer> buffer = Pool()->Allocate(body.size());
  const size_t start = buffer->capacity() - body.size();
  if (!body.empty()) std::memcpy(buffer->data() + start, body.data(), body.size());
  header.batch_length = static_cast<int32_t>(kBatchHeaderBytes - 12 + body.size());
  header.crc = ComputeCrc(header, body);
  return {header, base::Slice(std::move(buffer), start, body.size())};
}

Batch WithHeader(const Batch& batch, const std::function<void(BatchHeader&)>& change) {
  BatchHeader header = batch.header;
  change(header);
  return WithBody(header, batch.body.view());
}

// Reads all records and headers to their last byte, and checks that they lie within the body.
// Returns nothing if an iterator says that the bytes make no sense.
std::optional<std::vector<TestRecord>> ReadAll(const Batch& batch) {
  const auto copy = [&batch](std::string_view view) {
    EXPECT_GE(view.data(), batch.body.data());
    EXPECT_LE(view.data() + view.size(), batch.body.data() + batch.body.size());
    return std::string(view);
  };
  const auto copy_optional = [&copy](const std::optional<std::string_view>& view) {
    return view.has_value() ? std::optional(copy(*view)) : std::nullopt;
  };
  std::vector<TestRecord> records;
  RecordIterator it(batch);
  RecordView view;
  while (it.Next(view)) {
    TestRecord& record = records.emplace_back();
    record.timestamp = view.timestamp;
    record.key = copy_optional(view.key);
    record.value = copy_optional(view.value);
    HeaderIterator headers(view);
    Header header;
    while (headers.Next(header)) {
      record.headers.emplace_back(copy(header.key), copy_optional(header.value));
    }
    if (!headers.ok()) return std::nullopt;
  }
  if (!it.ok()) return std::nullopt;
  return records;
}

std::vector<int64_t> ReadOffsets(const Batch& batch) {
  std::vector<int64_t> offsets;
  RecordIterator it(batch);
  RecordView record;
  while (it.Next(record)) offsets.push_back(record.offset.value());
  EXPECT_TRUE(it.ok());
  return offsets;
}

std::string WholeBatch(const Batch& batch) {
  std::string bytes(kBatchHeaderBytes, '\0');
  EncodeHeader(batch.header, bytes.data());
  return bytes.append(batch.body.view());
}

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kDigits[static_cast<uint8_t>(c) & 0xf]);
  }
  return hex;
}

// A record of nothing but an offset delta.
std::string BareRecord(int32_t offset_delta) {
  char delta[base::kMaxVarintBytes];
  const std::string encoded(delta, base::WriteVarint(delta, offset_delta));
  char length[base::kMaxVarintBytes];
  std::string record(length, base::WriteVarint(length, static_cast<int64_t>(encoded.size() + 5)));
  record.append("\0\0", 2).append(encoded).append("\1\1\0", 3);
  return record;
}

Batch BareBatch(const std::vector<int32_t>& offset_deltas, int32_t last_offset_delta) {
  std::string body;
  for (const int32_t delta : offset_deltas) body.append(BareRecord(delta));
  return WithBody({.base_offset = Offset(50),
                   .last_offset_delta = last_offset_delta,
                   .record_count = static_cast<int32_t>(offset_deltas.size())},
                  body);
}

TEST(BatchHeaderTest, EncodesAndDecodesEveryField) {
  const BatchHeader header = {.base_offset = Offset(0x0102030405060708),
                              .batch_length = 0x11121314,
                              .leader_epoch = LeaderEpoch(0x21222324),
                              .magic = 0x31,
                              .crc = 0xf1f2f3f4,
                              .attributes = 0x4142,
                              .last_offset_delta = 0x51525354,
                              .base_timestamp = -2,
                              .max_timestamp = 0x6162636465666768,
                              .producer_id = ProducerId(0x7172737475767778),
                              .producer_epoch = -3,
                              .base_sequence = 0x01020304,
                              .record_count = 0x05060708};
  char bytes[kBatchHeaderBytes];
  EncodeHeader(header, bytes);
  EXPECT_EQ(Hex({bytes, sizeof(bytes)}),
            "0102030405060708"
            "11121314"
            "21222324"
            "31"
            "f1f2f3f4"
            "4142"
            "51525354"
            "fffffffffffffffe"
            "6162636465666768"
            "7172737475767778"
            "fffd"
            "01020304"
            "05060708");
  EXPECT_EQ(DecodeHeader(bytes), header);
}

TEST(BatchHeaderTest, SequencesWrapToZero) {
  EXPECT_EQ(AdvanceSequence(5, 3), 8);
  EXPECT_EQ(AdvanceSequence(2147483647, 0), 2147483647);
  EXPECT_EQ(AdvanceSequence(2147483647, 1), 0);
  EXPECT_EQ(AdvanceSequence(2147483647, 2147483647), 2147483646);

  BatchHeader header = {.last_offset_delta = 9, .base_sequence = 2147483640};
  EXPECT_EQ(header.last_sequence(), 1);
  header.base_sequence = kNoSequence;
  EXPECT_EQ(header.last_sequence(), kNoSequence);
}

TEST(BatchHeaderTest, OffsetsAreHalfOpen) {
  const BatchHeader header = {.base_offset = Offset(100), .last_offset_delta = 9};
  EXPECT_EQ(header.last_offset(), Offset(109));
  EXPECT_EQ(header.next_offset(), Offset(110));
}

// The bytes come from the Python program in docs/internals/format.md, which shares no code with
// the library.
TEST(RecordBatchTest, GoldenBytes) {
  const Batch batch = BatchOf(GoldenRecords(), kGoldenStamp);
  EXPECT_EQ(Hex(WholeBatch(batch)),
            "0000000000000000"
            "000000a6"
            "ffffffff"
            "02"
            "35e06b25"
            "0000"
            "00000002"
            "0000018bcfe56800"
            "0000018bcfe56be8"
            "0000000000001092"
            "0007"
            "00000064"
            "00000003"
            "26"
            "00"
            "00"
            "00"
            "01"
            "1a"
            "48656c6c6f204b61666b612021"
            "00"
            "20"
            "00"
            "09"
            "02"
            "06"
            "6b6579"
            "01"
            "04"
            "02"
            "61"
            "02"
            "31"
            "02"
            "62"
            "01"
            "9c01"
            "00"
            "d00f"
            "04"
            "00"
            "8c01" +
                Hex(std::string(70, 'x')) + "00");
  EXPECT_EQ(ReadAll(batch), GoldenRecords());
  EXPECT_TRUE(ValidateProduced(batch).ok());
}

TEST(RecordBatchTest, RoundTrips) {
  const std::vector<std::vector<TestRecord>> cases = {
      {{.value = "value"}},
      {{.key = "key", .value = "value"}},
      {{}},                        // null and null
      {{.key = "", .value = ""}},  // empty is not null
      {{.key = std::string(64, 'k'), .value = std::string(9000, 'v')}},
      {{.timestamp = kNow - 100000}, {.timestamp = kNow - 1}},
      {{.timestamp = 0}, {.timestamp = kNow + 7}, {.timestamp = kNow + 3}},
      {{.timestamp = std::numeric_limits<int64_t>::max()},
       {.timestamp = std::numeric_limits<int64_t>::min()}},
      {{.headers = {{"", ""}, {"same", "1"}, {"same", "2"}, {"null", std::nullopt}}}},
      {{.headers = {100, {"key", std::string(100, 'h')}}}},
      std::vector<TestRecord>(300, {.key = "k", .value = "v"}),  // offset deltas of two bytes
  };
  for (const std::vector<TestRecord>& records : cases) {
    const Batch batch = BatchOf(records);
    EXPECT_EQ(ReadAll(batch), records);
    EXPECT_EQ(batch.header.record_count, static_cast<int32_t>(records.size()));
    EXPECT_EQ(batch.header.last_offset_delta, static_cast<int32_t>(records.size()) - 1);
    const absl::Status status = ValidateProduced(batch);
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(RecordBatchTest, OffsetsFollowTheHeader) {
  Batch batch = BatchOf(std::vector<TestRecord>(3));
  batch.header.base_offset = Offset(1000);  // as a log does; no CRC covers it
  EXPECT_EQ(ReadOffsets(batch), (std::vector<int64_t>{1000, 1001, 1002}));
  EXPECT_TRUE(Validate(batch).ok());
}

TEST(RecordBatchTest, LogAppendTimeReplacesTimestamps) {
  const Batch batch = WithHeader(BatchOf(GoldenRecords()), [](BatchHeader& header) {
    header.attributes |= kLogAppendTimeBit;
    header.max_timestamp = 12345;
  });
  const auto records = ReadAll(batch);
  ASSERT_TRUE(records.has_value());
  for (const TestRecord& record : *records) EXPECT_EQ(record.timestamp, 12345);
}

TEST(BatchBuilderTest, TracksTimestamps) {
  BatchBuilder builder(Pool()->Allocate(4096), 4096, kNow);
  EXPECT_EQ(builder.max_timestamp(), kNoTimestamp);
  builder.TryAppend(kNow - 10, std::nullopt, "early", {});
  EXPECT_EQ(builder.max_timestamp(), kNow - 10);
  builder.TryAppend(kNoTimestamp, std::nullopt, "base", {});
  EXPECT_EQ(builder.max_timestamp(), kNow);
  builder.TryAppend(kNow + 10, std::nullopt, "late", {});
  builder.TryAppend(kNow + 5, std::nullopt, "less late", {});

  const Batch batch = std::move(builder).Build({}, nullptr);
  EXPECT_EQ(batch.header.base_timestamp, kNow);
  EXPECT_EQ(batch.header.max_timestamp, kNow + 10);
  const auto records = ReadAll(batch);
  ASSERT_TRUE(records.has_value());
  std::vector<int64_t> timestamps;
  for (const TestRecord& record : *records) timestamps.push_back(record.timestamp);
  EXPECT_EQ(timestamps, (std::vector<int64_t>{kNow - 10, kNow, kNow + 10, kNow + 5}));
}

TEST(BatchBuilderTest, AFullBatchRefusesAndStaysAsItIs) {
  // Records of 109 bytes: two of them fit into 218.
  const std::string value(100, 'v');
  for (const size_t limit : {217, 218, 219}) {
    const bool fits = limit >= 218;
    BatchBuilder builder(Pool()->Allocate(limit), limit, kNow);
    EXPECT_EQ(builder.TryAppend(kNow, std::nullopt, value, {}), 0);
    EXPECT_EQ(builder.body_bytes(), 109u);
    EXPECT_EQ(builder.TryAppend(kNow + 1, std::nullopt, value, {}), fits ? 1 : -1);
    EXPECT_EQ(builder.record_count(), fits ? 2 : 1);
    EXPECT_EQ(builder.body_bytes(), fits ? 218u : 109u);
    EXPECT_EQ(builder.max_timestamp(), fits ? kNow + 1 : kNow);
    // A shorter one may still fit.
    EXPECT_EQ(builder.TryAppend(kNow, std::nullopt, "short", {}), fits ? -1 : 1);
    EXPECT_TRUE(Validate(std::move(builder).Build({}, nullptr)).ok());
  }
}

// For each size around the limit, a record fits exactly if its bytes do, and none is written
// beyond the limit.
TEST(BatchBuilderTest, UsesTheLimitToTheLastByte) {
  for (size_t size = 0; size < 400; ++size) {
    const std::string value(size, 'v');
    const std::vector<Header> headers = {{"h", "1"}};
    BatchBuilder probe(Pool()->Allocate(1024), 1024, kNow);
    ASSERT_EQ(probe.TryAppend(kNow, "k", value, headers), 0);
    const size_t needed = probe.body_bytes();
    EXPECT_LE(needed, BatchBuilder::MaxRecordBytes("k", value, headers));

    BatchBuilder exact(Pool()->Allocate(needed), needed, kNow);
    EXPECT_EQ(exact.TryAppend(kNow, "k", value, headers), 0);
    BatchBuilder less(Pool()->Allocate(needed), needed - 1, kNow);
    EXPECT_EQ(less.TryAppend(kNow, "k", value, headers), -1);
    EXPECT_EQ(less.body_bytes(), 0u);
  }
}

TEST(BatchBuilderTest, MaxRecordBytesHoldsForTheWorstRecord) {
  // After so many records an offset delta takes three bytes.
  BatchBuilder builder(Pool()->Allocate(1 << 17), 1 << 17, kNow);
  for (int i = 0; i < 9000; ++i) builder.TryAppend(kNow, std::nullopt, std::nullopt, {});
  const size_t before = builder.body_bytes();
  ASSERT_GE(builder.TryAppend(std::numeric_limits<int64_t>::min(), "k", "v", {}), 0);
  EXPECT_LE(builder.body_bytes() - before, BatchBuilder::MaxRecordBytes("k", "v", {}));
}

TEST(BatchBuilderTest, ASmallBatchMovesToASmallBuffer) {
  const auto build = [](size_t value_bytes, size_t capacity, BufferPool* pool) {
    BatchBuilder builder(Pool()->Allocate(capacity), capacity, kNow);
    EXPECT_EQ(builder.TryAppend(kNow, std::nullopt, std::string(value_bytes, 'v'), {}), 0);
    return std::move(builder).Build({}, pool);
  };
  const auto capacity_of = [](const Batch& batch) { return batch.body.buffer()->capacity(); };
  const Batch moved = build(1000, 16384, Pool().get());
  EXPECT_EQ(capacity_of(moved), 1024u);
  EXPECT_EQ(ReadAll(moved).value()[0].value, std::string(1000, 'v'));
  EXPECT_TRUE(Validate(moved).ok());

  EXPECT_EQ(capacity_of(build(1, 16384, Pool().get())), 256u);
  EXPECT_EQ(capacity_of(build(8000, 16384, Pool().get())), 8192u);
  EXPECT_EQ(capacity_of(build(9000, 16384, Pool().get())), 16384u);  // more than half
  EXPECT_EQ(capacity_of(build(1000, 16384, nullptr)), 16384u);
  EXPECT_EQ(capacity_of(build(1, 256, Pool().get())), 256u);
}

TEST(BatchBuilderTest, RestampRenewsStampAndCrc) {
  Batch batch = BatchOf(GoldenRecords(), kGoldenStamp);
  const BatchBuilder::Stamp stamp = {.producer_id = ProducerId(4243),
                                     .producer_epoch = 0,
                                     .base_sequence = 0,
                                     .attributes = kTransactionalBit};
  const Batch expected = BatchOf(GoldenRecords(), stamp);
  Restamp(batch, stamp);
  EXPECT_EQ(batch.header, expected.header);
  EXPECT_TRUE(Validate(batch).ok());
}

TEST(ValidateTest, EveryHeaderField) {
  const Batch good = BatchOf(GoldenRecords(), kGoldenStamp);
  const struct {
    const char* name;
    std::function<void(BatchHeader&)> change;
    bool valid, valid_for_producers;
  } cases[] = {
      {"nothing", [](BatchHeader&) {}, true, true},
      {"leader epoch", [](BatchHeader& h) { h.leader_epoch = LeaderEpoch(3); }, true, true},
      {"base offset", [](BatchHeader& h) { h.base_offset = Offset(7); }, true, true},
      {"negative base offset", [](BatchHeader& h) { h.base_offset = Offset(-1); }, false, false},
      {"next offset too large",
       [](BatchHeader& h) { h.base_offset = Offset(std::numeric_limits<int64_t>::max() - 2); },
       false, false},
      {"largest next offset",
       [](BatchHeader& h) { h.base_offset = Offset(std::numeric_limits<int64_t>::max() - 3); },
       true, true},
      {"old magic", [](BatchHeader& h) { h.magic = 1; }, false, false},
      {"less records", [](BatchHeader& h) { h.record_count = 2; }, false, false},
      {"more records", [](BatchHeader& h) { h.record_count = 4; }, false, false},
      {"more records and offsets",
       [](BatchHeader& h) { h.record_count = 4, h.last_offset_delta = 3; }, false, false},
      {"no record", [](BatchHeader& h) { h.record_count = 0; }, false, false},
      {"negative records", [](BatchHeader& h) { h.record_count = -1; }, false, false},
      {"least records",
       [](BatchHeader& h) { h.record_count = std::numeric_limits<int32_t>::min(); }, false, false},
      {"negative delta", [](BatchHeader& h) { h.last_offset_delta = -1; }, false, false},
      {"smaller delta", [](BatchHeader& h) { h.last_offset_delta = 1; }, false, false},
      {"larger delta", [](BatchHeader& h) { h.last_offset_delta = 3; }, true, false},
      {"control", [](BatchHeader& h) { h.attributes = kControlBit; }, true, false},
      {"transactional", [](BatchHeader& h) { h.attributes = kTransactionalBit; }, true, true},
      {"no sequence", [](BatchHeader& h) { h.base_sequence = kNoSequence; }, true, false},
      {"no epoch", [](BatchHeader& h) { h.producer_epoch = -1; }, true, false},
      {"no producer",
       [](BatchHeader& h) {
         h.producer_id = model::kNoProducerId;
         h.producer_epoch = -1;
         h.base_sequence = kNoSequence;
       },
       true, true},
  };
  for (const auto& [name, change, valid, valid_for_producers] : cases) {
    const Batch batch = WithHeader(good, change);
    const absl::Status status = Validate(batch);
    const absl::Status produced = ValidateProduced(batch);
    EXPECT_EQ(status.code(), valid ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << name << ": " << status;
    EXPECT_EQ(produced.code(),
              valid_for_producers ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << name << ": " << produced;
  }
}

TEST(ValidateTest, LengthHasToFit) {
  for (const int32_t wrong : {-1, 1, -1000}) {
    Batch batch = BatchOf(GoldenRecords());
    batch.header.batch_length += wrong;
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(batch))) << wrong;
  }
}

TEST(ValidateTest, CompressionIsNamed) {
  const char* const names[] = {nullptr, "gzip", "snappy", "lz4", "zstd", "unknown5"};
  for (int16_t codec = 1; codec < 6; ++codec) {
    const Batch batch =
        WithHeader(BatchOf(GoldenRecords()), [codec](BatchHeader& h) { h.attributes = codec; });
    const absl::Status status = Validate(batch);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_NE(status.ToString().find(names[codec]), std::string::npos) << status;
    EXPECT_EQ(ReadAll(batch), std::nullopt);
  }
}

TEST(ValidateTest, CompactionMayLeaveGaps) {
  EXPECT_TRUE(Validate(BareBatch({0, 1, 2}, 2)).ok());
  EXPECT_TRUE(ValidateProduced(BareBatch({0, 1, 2}, 2)).ok());
  for (const auto& deltas : std::vector<std::vector<int32_t>>{{}, {2}, {1, 3}, {0, 1, 2}}) {
    const Batch batch = BareBatch(deltas, 3);
    EXPECT_TRUE(Validate(batch).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(ValidateProduced(batch)));
    EXPECT_EQ(ReadOffsets(batch).size(), deltas.size());
  }
}

TEST(ValidateTest, OffsetsHaveToRiseWithinTheBatch) {
  for (const auto& deltas :
       std::vector<std::vector<int32_t>>{{0, 0}, {1, 0}, {-1, 0}, {0, 4}, {2147483647}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(BareBatch(deltas, 3))));
  }
}

TEST(ValidateTest, RecordsThatMakeNoSense) {
  const struct {
    const char* name;
    std::string_view body;
  } cases[] = {
      {"key length -2", {"\x0c\0\0\0\x03\1\0", 7}},
      {"value length -2", {"\x0c\0\0\0\1\x03\0", 7}},
      {"key longer than the record", {"\x0c\0\0\0\x08\1\0", 7}},
      {"value longer than the record", {"\x0c\0\0\0\1\x04\0", 7}},
      {"negative header count", {"\x0c\0\0\0\1\1\1", 7}},
      {"more headers than bytes", {"\x0c\0\0\0\1\1\2", 7}},
      {"header with a null key", {"\x10\0\0\0\1\1\2\1\1", 9}},
      {"header that is cut off", {"\x10\0\0\0\1\1\2\2k", 9}},
      {"a byte after the headers", {"\x12\0\0\0\1\1\2\0\1\0", 10}},
      {"a byte after no headers", {"\x0e\0\0\0\1\1\0\0", 8}},
      {"a byte after the record", {"\x0c\0\0\0\1\1\0\0", 8}},
      {"empty record", {"\0", 1}},
      {"negative length", {"\1", 1}},
      {"length of more than 32 bits", {"\x8c\x80\x80\x80\x10\0\0\0\1\1\0", 11}},
      {"nothing", {"", 0}},
  };
  const BatchHeader header = {.last_offset_delta = 0, .record_count = 1};
  EXPECT_TRUE(Validate(WithBody(header, BareRecord(0))).ok());
  for (const auto& [name, body] : cases) {
    const Batch batch = WithBody(header, body);
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(batch))) << name;
    EXPECT_EQ(ReadAll(batch), std::nullopt) << name;
  }
}

TEST(CorruptionTest, EveryTruncationIsRejected) {
  const Batch good = BatchOf(GoldenRecords());
  for (size_t size = 0; size < good.body.size(); ++size) {
    Batch cut = WithBody(good.header, good.body.view().substr(0, size));
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(cut))) << size;
    EXPECT_EQ(ReadAll(cut), std::nullopt) << size;
    cut.header.batch_length = good.header.batch_length;
    EXPECT_TRUE(absl::IsInvalidArgument(Validate(cut))) << size;
  }
}

TEST(CorruptionTest, EveryFlippedBitIsNoticed) {
  const Batch good = BatchOf(GoldenRecords());
  const std::string bytes = WholeBatch(good);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    // What the CRC does not cover is for the log to check: base offset and leader epoch.
    const size_t at = bit / 8;
    if (at < 8 || (at >= 12 && at < 16)) continue;
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (bit % 8)));
    const Batch carrier = WithBody({}, flipped.substr(kBatchHeaderBytes));
    const Batch batch = {DecodeHeader(flipped.data()), carrier.body};
    EXPECT_FALSE(Validate(batch).ok()) << "bit " << bit;
    ReadAll(batch);  // must not read outside
  }
}

// As a hostile client would: any byte, with a CRC that fits it.
TEST(CorruptionTest, NoByteMakesTheReaderLeaveTheBody) {
  const Batch good = BatchOf(GoldenRecords());
  const std::string bytes = WholeBatch(good);
  int accepted = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(value);
      const Batch batch = WithBody(DecodeHeader(changed.data()), changed.substr(kBatchHeaderBytes));
      const auto records = ReadAll(batch);
      if (Validate(batch).ok()) {
        ++accepted;
        ASSERT_TRUE(records.has_value());
        EXPECT_EQ(static_cast<int32_t>(records->size()), batch.header.record_count);
      }
    }
  }
  EXPECT_GT(accepted, 0);  // keys and values may hold anything
}

}  // namespace
}  // namespace kafkalite::format
