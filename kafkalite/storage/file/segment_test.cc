// Segments whose files are as they were left, over both file systems.

#include "kafkalite/storage/file/segment.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/format/compression.h"
#include "kafkalite/format/log_index.h"
#include "kafkalite/storage/file/segment_fixture.h"

namespace kafkalite::storage {
namespace {

using absl::StatusCode;
using format::Batch;
using Kind = files::MemoryFileSystem::Operation::Kind;
using Offsets = std::vector<int64_t>;

constexpr int64_t kFar = int64_t{1} << 40;  // beyond every offset

struct Place {
  std::string name;
  std::function<std::shared_ptr<files::FileSystem>()> make;
  std::string folder;

  friend void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }
};

class SegmentTest : public SegmentFixture, public testing::WithParamInterface<Place> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files::RemoveAll(fs_, folder_).ok()) << "left by an earlier run";
    ASSERT_TRUE(fs_.CreateDirectories(folder_).ok());
  }
  void TearDown() override { EXPECT_TRUE(files::RemoveAll(fs_, folder_).ok()); }

  SegmentOptions Options() { return SegmentFixture::Options(fs_, folder_); }
  SegmentPtr Create() { return Segment::Create(Options()).value(); }
  SegmentPtr CreateWith(const Batches& batches) {
    SegmentPtr segment = Create();
    EXPECT_TRUE(segment->Append(batches).ok());
    return segment;
  }
  absl::StatusOr<SegmentPtr> TryOpen() { return Segment::Open(Options()); }
  SegmentPtr Open() { return TryOpen().value(); }

  std::string Contents(const std::string& suffix) {
    return files::ReadFile(fs_, PathOf(folder_, suffix)).value();
  }
  void Overwrite(const std::string& suffix, std::string_view bytes) {
    ASSERT_TRUE(files::ReplaceFile(fs_, PathOf(folder_, suffix), bytes).ok());
  }

  static Offsets Bases(const Segment& segment, int64_t from, int64_t max_offset = kFar,
                       size_t max_bytes = 1 << 30) {
    const auto batches =
        segment.Read(Offset(from), {.max_offset = Offset(max_offset), .max_bytes = max_bytes});
    EXPECT_TRUE(batches.ok()) << batches.status();
    Offsets bases;
    if (!batches.ok()) return bases;
    for (const Batch& batch : *batches) bases.push_back(batch.header.base_offset.value());
    return bases;
  }
  static int64_t Find(const Segment& segment, int64_t timestamp, int64_t start = kBase,
                      int64_t max_offset = kFar) {
    const auto found = segment.FindByTimestamp(timestamp, Offset(start), Offset(max_offset));
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && found->has_value() ? (*found)->offset.value() : -1;
  }
  static void ExpectSame(const Segment& segment, const Segment& other) {
    EXPECT_EQ(segment.next_offset(), other.next_offset());
    EXPECT_EQ(segment.size_bytes(), other.size_bytes());
    EXPECT_EQ(segment.max_timestamp(), other.max_timestamp());
    EXPECT_EQ(ReadAll(segment), ReadAll(other));
  }

  const std::shared_ptr<files::FileSystem> owner_ = GetParam().make();
  files::FileSystem& fs_ = *owner_;
  const std::string folder_ = base::Cat(GetParam().folder, "/segment_test-0");
};

INSTANTIATE_TEST_SUITE_P(
    All, SegmentTest,
    testing::Values(Place{"Posix", files::MakePosixFileSystem, testing::TempDir()},
                    Place{"Memory", [] { return std::make_shared<files::MemoryFileSystem>(); },
                          "/data"}),
    [](const testing::TestParamInfo<Place>& info) { return info.param.name; });

// --- Appending and reading -----------------------------------------------------------------------

TEST_P(SegmentTest, BeginsEmpty) {
  const SegmentPtr segment = Create();
  EXPECT_EQ(segment->base_offset(), Offset(kBase));
  EXPECT_EQ(segment->next_offset(), Offset(kBase));
  EXPECT_EQ(segment->size_bytes(), 0);
  EXPECT_EQ(segment->max_timestamp(), format::kNoTimestamp);
  EXPECT_EQ(segment->FirstTimestamp().value(), format::kNoTimestamp);
  EXPECT_EQ(segment->created_millis(), 77);
  EXPECT_EQ(Bases(*segment, kBase), Offsets());
  EXPECT_EQ(Find(*segment, 0), -1);
  EXPECT_EQ(segment->Locate(Offset(kBase), kNoLimits).value().bytes, 0);
  EXPECT_TRUE(segment->TruncateSuffix(Offset(kBase)).ok());
  EXPECT_TRUE(segment->Append({}).ok());
  EXPECT_TRUE(segment->Seal().ok());
  ExpectSame(*Open(), *segment);
}

TEST_P(SegmentTest, TheFileIsTheBatches) {
  const Batches batches = Sequence(kBase, 5);
  const SegmentPtr segment = CreateWith(batches);
  EXPECT_EQ(Contents(".log"), BytesOf(batches));
  EXPECT_EQ(ReadAll(*segment), BytesOf(batches));
  EXPECT_EQ(segment->next_offset(), Offset(kBase + 15));
  EXPECT_EQ(segment->max_timestamp(), kBase + 14);
  EXPECT_EQ(segment->FirstTimestamp().value(), kBase + 2);
}

TEST_P(SegmentTest, ReadsWithinLimits) {
  const Batches batches = Sequence(kBase, 4);
  const SegmentPtr segment = CreateWith(batches);
  const size_t size = batches[0].size_bytes();
  EXPECT_EQ(Bases(*segment, kBase + 4), (Offsets{1003, 1006, 1009})) << "from within a batch";
  EXPECT_EQ(Bases(*segment, kBase, kBase + 9), (Offsets{1000, 1003, 1006}));
  EXPECT_EQ(Bases(*segment, kBase, kBase + 8), (Offsets{1000, 1003})) << "whole batches only";
  EXPECT_EQ(Bases(*segment, kBase, kBase + 2), Offsets());
  EXPECT_EQ(Bases(*segment, kBase, kFar, 2 * size), (Offsets{1000, 1003}));
  EXPECT_EQ(Bases(*segment, kBase, kFar, 2 * size - 1), (Offsets{1000}));
  EXPECT_EQ(Bases(*segment, kBase, kFar, 0), (Offsets{1000})) << "the first one in any case";
  EXPECT_EQ(Bases(*segment, kBase + 12), Offsets());
  EXPECT_EQ(Bases(*segment, kFar), Offsets());
}

TEST_P(SegmentTest, ReadsAcrossGaps) {
  const SegmentPtr segment = CreateWith({MakeBatch({.offset = 1010}), MakeBatch({.offset = 2000})});
  EXPECT_EQ(Bases(*segment, kBase), (Offsets{1010, 2000}));
  EXPECT_EQ(Bases(*segment, 1011), (Offsets{2000}));
  EXPECT_EQ(Bases(*segment, 1500), (Offsets{2000}));
}

TEST_P(SegmentTest, ReadsBatchesOfAnySize) {
  Batches batches;
  int64_t offset = kBase;
  for (const size_t bytes : {0, 1, 100, 5000, 70000, 131072, 400000, 3, 131000, 60000, 10}) {
    batches.push_back(MakeBatch({.offset = offset++, .value_bytes = bytes}));
  }
  const SegmentPtr segment = CreateWith(batches);
  for (size_t i = 0; i < batches.size(); ++i) {
    const auto read = segment->Read(Offset(kBase + static_cast<int64_t>(i)), kNoLimits).value();
    ASSERT_EQ(BytesOf(read),
              BytesOf(Batches(batches.begin() + static_cast<int64_t>(i), batches.end())));
  }
}

TEST_P(SegmentTest, WhatIsReadKeepsLittleMemory) {
  const SegmentPtr segment = CreateWith(Sequence(kBase, 3000, 100));
  const auto batches =
      segment->Read(Offset(kBase), {.max_offset = Offset(kBase + 3), .max_bytes = 1 << 20});
  ASSERT_EQ(batches.value().size(), 1u);
  EXPECT_LE(batches->front().body.buffer()->capacity(), 2 * batches->front().body.size());
}

TEST_P(SegmentTest, HasRoomForThirtyOneBits) {
  const SegmentPtr segment = Create();
  const Batch last = MakeBatch({.offset = kBase + INT32_MAX});
  const Batch beyond = MakeBatch({.offset = kBase + INT32_MAX + int64_t{1}});
  EXPECT_TRUE(segment->HasRoomFor({&last, 1}));
  EXPECT_FALSE(segment->HasRoomFor({&beyond, 1}));
  const absl::Status status = segment->Append({&beyond, 1});
  EXPECT_EQ(status.code(), StatusCode::kOutOfRange) << status;
  EXPECT_EQ(segment->size_bytes(), 0);
  EXPECT_TRUE(segment->Append({&last, 1}).ok());
  EXPECT_EQ(Bases(*segment, kBase), (Offsets{kBase + INT32_MAX}));
}

TEST_P(SegmentTest, DoesNotTakeTheFilesOfAnother) {
  CreateWith(Sequence(kBase, 1));
  EXPECT_EQ(Segment::Create(Options()).status().code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs_.Remove(PathOf(folder_, ".log")).ok());
  EXPECT_EQ(TryOpen().status().code(), StatusCode::kNotFound);
  Overwrite(".index", "left from somewhere");
  Create();
  EXPECT_EQ(Contents(".index"), "");
}

TEST_P(SegmentTest, DeletesItsFiles) {
  const SegmentPtr segment = CreateWith(Sequence(kBase, 10));
  EXPECT_TRUE(segment->Delete().ok());
  EXPECT_TRUE(fs_.List(folder_).value().empty());
  EXPECT_EQ(Bases(*segment, kBase + 27), Offsets{1027}) << "readers may go on";
  EXPECT_TRUE(segment->Delete().ok()) << "again";
}

// --- Indexes -------------------------------------------------------------------------------------

// Of some length, with timestamps that go up and down.
Batches LongLog(int count = 2000) {
  base::Random random(3);
  Batches batches;
  int64_t offset = 1000;
  for (int i = 0; i < count; ++i) {
    SegmentBatch spec{.offset = offset, .timestamps = {}, .value_bytes = random.Below(200)};
    for (int64_t n = random.Between(1, 4); n > 0; --n) {
      spec.timestamps.push_back(i * 10 + random.Between(0, 500));
    }
    batches.push_back(MakeBatch(spec));
    offset += static_cast<int64_t>(spec.timestamps.size()) + (random.OneIn(10) ? 5 : 0);
  }
  return batches;
}

// What Kafka's recovery makes of these batches (LogSegment.recover).
std::pair<std::string, std::string> KafkasIndexes(const Batches& batches) {
  std::string offsets;
  std::string times;
  int64_t position = 0;
  int64_t last_entry = 0;
  format::TimeIndexEntry largest{-1, 0};
  format::TimeIndexEntry indexed{-1, 0};
  const auto add_time = [&] {
    if (largest.timestamp <= indexed.timestamp) return;
    indexed = largest;
    times.resize(times.size() + 12);
    indexed.Encode(times.data() + times.size() - 12);
  };
  for (const Batch& batch : batches) {
    const auto last = static_cast<int32_t>(batch.header.last_offset().value() - 1000);
    if (batch.header.max_timestamp > largest.timestamp)
      largest = {batch.header.max_timestamp, last};
    if (position - last_entry > 4096) {
      offsets.resize(offsets.size() + 8);
      format::OffsetIndexEntry{last, static_cast<int32_t>(position)}.Encode(offsets.data() +
                                                                            offsets.size() - 8);
      add_time();
      last_entry = position;
    }
    position += static_cast<int64_t>(batch.size_bytes());
  }
  add_time();
  return {offsets, times};
}

TEST_P(SegmentTest, IndexesAreKafkas) {
  const Batches batches = LongLog();
  const SegmentPtr segment = Create();
  for (size_t i = 0; i < batches.size(); i += 4) {
    ASSERT_TRUE(segment->Append(std::span(batches).subspan(i, 4)).ok());
  }
  ASSERT_TRUE(segment->Seal().ok());
  EXPECT_EQ(Contents(".index"), KafkasIndexes(batches).first);
  EXPECT_EQ(Contents(".timeindex"), KafkasIndexes(batches).second);
  EXPECT_GT(Contents(".index").size(), 50u * 8);
  ASSERT_TRUE(segment->Seal().ok());
  EXPECT_EQ(Contents(".timeindex"), KafkasIndexes(batches).second) << "sealed twice";
}

TEST_P(SegmentTest, IndexesOfManyPagesAreSearched) {
  SegmentOptions options = Options();
  options.index_interval_bytes = 0;  // an entry for every batch but the first
  const Batches batches = LongLog(1500);
  const SegmentPtr segment = Segment::Create(options).value();
  for (const Batch& batch : batches) ASSERT_TRUE(segment->Append({&batch, 1}).ok());
  const SegmentPtr half = Segment::Open(options).value();  // some entries are not in the file yet
  for (const Batch& batch : batches) {
    const int64_t offset = batch.header.last_offset().value();
    ASSERT_EQ(Bases(*segment, offset, kFar, 0), Offsets{batch.header.base_offset.value()});
    ASSERT_EQ(Bases(*half, offset, kFar, 0), Offsets{batch.header.base_offset.value()});
  }
}

TEST_P(SegmentTest, EveryOffsetIsFound) {
  const Batches batches = LongLog();
  const SegmentPtr segment = CreateWith(batches);
  for (size_t i = 0; i < batches.size(); i += 7) {
    const format::BatchHeader& header = batches[i].header;
    for (Offset offset = header.base_offset; offset < header.next_offset(); offset = offset + 1) {
      ASSERT_EQ(Bases(*segment, offset.value(), kFar, 0), Offsets{header.base_offset.value()});
    }
  }
}

TEST_P(SegmentTest, RecordsAreFoundByTimestamp) {
  const Batches batches = LongLog(400);
  const SegmentPtr segment = CreateWith(batches);
  const auto expected = [&batches](int64_t timestamp, int64_t start, int64_t max_offset) {
    for (const Batch& batch : batches) {
      format::RecordIterator records(batch);
      format::RecordView record;
      while (records.Next(record)) {
        const int64_t offset = record.offset.value();
        if (offset >= max_offset) return int64_t{-1};
        if (offset >= start && record.timestamp >= timestamp) return offset;
      }
    }
    return int64_t{-1};
  };
  base::Random random(5);
  for (int i = 0; i < 300; ++i) {
    const int64_t timestamp = random.Between(-2, 4600);
    const int64_t start = random.Between(900, 2400);
    const int64_t max_offset = random.OneIn(2) ? kFar : random.Between(900, 2400);
    ASSERT_EQ(Find(*segment, timestamp, start, max_offset), expected(timestamp, start, max_offset))
        << timestamp << " in [" << start << ", " << max_offset << ")";
  }
}

TEST_P(SegmentTest, RecordsThatAreCompressedAreFoundByTimestamp) {
  Batch batch = MakeBatch({.offset = kBase, .timestamps = {10, 30, 20}});
  batch.body = format::Compress(format::Codec::kLz4, batch.body.view(), *SegmentPool()).value();
  batch.header.batch_length = static_cast<int32_t>(49 + batch.body.size());
  batch.header.attributes = static_cast<int16_t>(format::Codec::kLz4);
  batch.header.crc = format::ComputeCrc(batch.header, batch.body.view());
  const SegmentPtr segment = CreateWith({batch});
  EXPECT_EQ(Find(*segment, 15), kBase + 1);
  EXPECT_EQ(Find(*segment, 15, kBase + 2), kBase + 2);
  EXPECT_EQ(Find(*segment, 31), -1);
  int visited = 0;
  const auto recovered = Segment::Recover(Options(), {}, [&](const auto&) { ++visited; });
  EXPECT_FALSE(recovered.value().cut.has_value());
  EXPECT_EQ(visited, 1);
}

TEST_P(SegmentTest, LocatesWhatItReads) {
  const Batches batches = LongLog(300);
  const SegmentPtr segment = CreateWith(batches);
  const std::string file = Contents(".log");
  for (int64_t from = 1000; from < segment->next_offset().value(); from += 17) {
    const ReadLimits limits{.max_offset = Offset(from + 100), .max_bytes = 3000};
    const FileRegion region = segment->Locate(Offset(from), limits).value();
    ASSERT_EQ(file.substr(static_cast<size_t>(region.position), static_cast<size_t>(region.bytes)),
              BytesOf(segment->Read(Offset(from), limits).value()));
    ASSERT_EQ(region.file != nullptr, region.descriptor >= 0);
  }
}

TEST_P(SegmentTest, VisitsHeaders) {
  const Batches batches = LongLog(300);
  const SegmentPtr segment = CreateWith(batches);
  std::vector<format::BatchHeader> headers;
  const auto visit = [&](const format::BatchHeader& header) { headers.push_back(header); };
  ASSERT_TRUE(segment->VisitHeaders(batches[150].header.last_offset(), visit).ok());
  ASSERT_EQ(headers.size(), 150u);
  for (size_t i = 0; i < 150; ++i) ASSERT_EQ(headers[i], batches[150 + i].header);
}

// --- Opening -------------------------------------------------------------------------------------

TEST_P(SegmentTest, OpensAsItWasSealed) {
  const SegmentPtr segment = CreateWith(LongLog());
  ASSERT_TRUE(segment->Seal().ok());
  const SegmentPtr opened = Open();
  ExpectSame(*opened, *segment);
  EXPECT_EQ(opened->FirstTimestamp().value(), segment->FirstTimestamp().value());
  const Batches more = {MakeBatch({.offset = opened->next_offset().value(), .timestamps = {1}})};
  ASSERT_TRUE(opened->Append(more).ok());
  ASSERT_TRUE(opened->Seal().ok());
  ExpectSame(*Open(), *opened);
}

TEST_P(SegmentTest, IndexesThatDoNotFitAreMadeAgain) {
  const Batches batches = LongLog(500);
  SegmentPtr segment = CreateWith(batches);
  ASSERT_TRUE(segment->Seal().ok());
  const auto [offsets, times] = KafkasIndexes(batches);
  ASSERT_EQ(Contents(".index"), offsets);
  const std::string zeros(12 * 8 * 1000, '\0');
  const std::vector<std::pair<std::string, std::string>> damaged = {
      {offsets + zeros, times},        // Kafka makes them large when it begins one
      {offsets, times + zeros},        //
      {zeros, zeros},                  //
      {offsets, zeros},                //
      {zeros, times},                  //
      {"", ""},                        //
      {offsets, ""},                   //
      {"", times},                     //
      {offsets + "x", times},          //
      {offsets, times + "x"},          //
      {std::string(800, 'x'), times},  //
      {offsets, std::string(1200, 'x')},
      {offsets.substr(0, offsets.size() - 8) + std::string("\0\0\0\1\0\0\0\1", 8), times},
  };
  for (size_t i = 0; i < damaged.size(); ++i) {
    Overwrite(".index", damaged[i].first);
    Overwrite(".timeindex", damaged[i].second);
    const SegmentPtr opened = Open();
    ExpectSame(*opened, *segment);
    for (size_t n = 0; n < batches.size(); n += 50) {
      const int64_t base = batches[n].header.base_offset.value();
      ASSERT_EQ(Bases(*opened, base, kFar, 0), Offsets{base}) << i;
    }
    // An empty index is one that is true, and the log is read instead.
    if (damaged[i].first.empty()) continue;
    EXPECT_EQ(Contents(".index"), offsets) << i;
    EXPECT_EQ(Contents(".timeindex"), times) << i;
  }
  for (const std::string suffix : {".index", ".timeindex"}) {
    ASSERT_TRUE(fs_.Remove(PathOf(folder_, suffix)).ok());
    ExpectSame(*Open(), *segment);
    EXPECT_EQ(Contents(".index"), offsets);
    EXPECT_EQ(Contents(".timeindex"), times);
  }
}

TEST_P(SegmentTest, AnIndexOfAnEmptyLogDoesNotFit) {
  ASSERT_TRUE(Create()->Seal().ok());
  Overwrite(".index", std::string(80, '\0'));
  Overwrite(".timeindex", std::string(120, '\0'));
  EXPECT_EQ(Open()->next_offset(), Offset(kBase));
  EXPECT_EQ(Contents(".index"), "");
  EXPECT_EQ(Contents(".timeindex"), "");
}

TEST_P(SegmentTest, ALogThatIsCutOffDoesNotOpen) {
  ASSERT_TRUE(CreateWith(Sequence(kBase, 3))->Seal().ok());
  const std::string log = Contents(".log");
  Overwrite(".log", log.substr(0, log.size() - 1));
  const absl::Status status = TryOpen().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("00000000000000001000.log' at "), absl::string_view::npos)
      << status;
}

// --- Truncating ----------------------------------------------------------------------------------

TEST_P(SegmentTest, TruncatesAtEveryOffset) {
  const Batches batches = LongLog(120);
  const int64_t end = batches.back().header.next_offset().value();
  for (int64_t to = kBase; to <= end; to += 7) {
    SegmentPtr segment = CreateWith(batches);
    ASSERT_TRUE(segment->TruncateSuffix(Offset(to)).ok());
    const auto kept_end = std::find_if(batches.begin(), batches.end(), [&](const Batch& batch) {
      return batch.header.next_offset() > Offset(to);
    });
    Batches kept(batches.begin(), kept_end);
    ASSERT_EQ(ReadAll(*segment), BytesOf(kept));
    ASSERT_LE(segment->next_offset(), Offset(to));
    int64_t max_timestamp = -1;
    for (const Batch& batch : kept) {
      max_timestamp = std::max(max_timestamp, batch.header.max_timestamp);
    }
    ASSERT_EQ(segment->max_timestamp(), max_timestamp);
    // Others come in their place.
    kept.push_back(MakeBatch({.offset = segment->next_offset().value(), .timestamps = {5}}));
    kept.push_back(MakeBatch({.offset = end + 5, .timestamps = {9999}, .value_bytes = 5000}));
    ASSERT_TRUE(segment->Append(std::span(kept).last(2)).ok());
    ASSERT_TRUE(segment->Seal().ok());
    ASSERT_EQ(ReadAll(*segment), BytesOf(kept));
    ExpectSame(*Open(), *segment);
    ASSERT_EQ(Find(*segment, 9999), end + 5);
    ASSERT_TRUE(segment->Delete().ok());
  }
}

// --- Bytes that are not what they should be
// --------------------------------------------------------

class SegmentInMemoryTest : public SegmentFixture {
 protected:
  SegmentInMemoryTest() { EXPECT_TRUE(fs_.CreateDirectories("t-0").ok()); }

  SegmentPtr CreateWith(const Batches& batches) {
    SegmentPtr segment = Segment::Create(Options(fs_, "t-0")).value();
    EXPECT_TRUE(segment->Append(batches).ok());
    EXPECT_TRUE(segment->Seal().ok());
    return segment;
  }
  void Flip(size_t bit) {
    const std::string path = PathOf("t-0", ".log");
    const std::string bytes = files::ReadFile(fs_, path).value();
    const char flipped = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_TRUE(fs_.Corrupt(path, static_cast<int64_t>(bit / 8), {&flipped, 1}).ok());
  }
  // The bytes that `call` reads of the log.
  template <class Call>
  size_t BytesRead(Call call) {
    size_t bytes = 0;
    fs_.SetFault([&bytes](const files::MemoryFileSystem::Operation& operation) {
      if (operation.kind == Kind::kRead && operation.path.ends_with(".log")) {
        bytes += operation.bytes;
      }
      return files::MemoryFileSystem::Verdict{};
    });
    call();
    fs_.SetFault(nullptr);
    return bytes;
  }

  files::MemoryFileSystem fs_;
};

TEST_F(SegmentInMemoryTest, OpensWithoutReadingTheLog) {
  const Batches batches = LongLog();
  const SegmentPtr segment = CreateWith(batches);
  ASSERT_GT(segment->size_bytes(), 300000);
  EXPECT_LE(BytesRead([&] { Segment::Open(Options(fs_, "t-0")).value(); }), 5u * 4096);
}

TEST_F(SegmentInMemoryTest, FindsWithoutReadingTheLog) {
  const Batches batches = LongLog();
  const SegmentPtr segment = CreateWith(batches);
  const Offset offset = batches[1500].header.base_offset;
  const ReadLimits limits{.max_offset = segment->next_offset(), .max_bytes = 100};
  EXPECT_LE(BytesRead([&] { ASSERT_TRUE(segment->Read(offset, limits).ok()); }), 6u * 4096);
  EXPECT_LE(BytesRead([&] { ASSERT_TRUE(segment->Locate(offset, limits).ok()); }), 6u * 4096);
  EXPECT_LE(BytesRead([&] {
              ASSERT_TRUE(segment->FindByTimestamp(15500, Offset(0), segment->next_offset()).ok());
            }),
            8u * 4096);
}

TEST_F(SegmentInMemoryTest, AFlippedBitIsNeverServedAsData) {
  const Batches batches = Sequence(kBase, 5);
  const SegmentPtr segment = CreateWith(batches);
  const size_t size = batches[0].size_bytes();
  for (size_t bit = 0; bit < 8 * size * batches.size(); ++bit) {
    Flip(bit);
    const size_t index = bit / 8 / size;
    const size_t at = bit / 8 % size;
    const Offset offset = batches[index].header.base_offset;
    const auto read = segment->Read(offset, {.max_offset = Offset(kFar), .max_bytes = 1});
    // Nothing in the segment says what the epoch was; recovery compares it with its neighbours'.
    const bool is_epoch = at >= 12 && at < 16;
    if (!is_epoch) {
      ASSERT_EQ(read.status().code(), StatusCode::kDataLoss) << index << " " << at;
    }
    Flip(bit);
  }
  EXPECT_EQ(ReadAll(*segment), BytesOf(batches));
}

TEST_F(SegmentInMemoryTest, AFlippedOffsetWhereTheIndexLeadsIsNoticed) {
  const Batches batches = Sequence(kBase, 100, 200);
  const SegmentPtr segment = CreateWith(batches);
  const auto entry = format::EntryAt<format::OffsetIndexEntry>(
      files::ReadFile(fs_, PathOf("t-0", ".index")).value(), 3);
  const Offset offset(kBase + entry.relative_offset);
  for (size_t bit = 0; bit < 64; ++bit) {
    Flip(8 * static_cast<size_t>(entry.position) + bit);
    const auto read = segment->Read(offset, {.max_offset = Offset(kFar), .max_bytes = 1});
    ASSERT_EQ(read.status().code(), StatusCode::kDataLoss) << bit;
    Flip(8 * static_cast<size_t>(entry.position) + bit);
  }
}

TEST_F(SegmentInMemoryTest, AFileThatLostItsEndIsNoticed) {
  const SegmentPtr segment = CreateWith(Sequence(kBase, 5));
  const auto file = fs_.Open(PathOf("t-0", ".log"), files::FileSystem::Mode::kWrite).value();
  ASSERT_TRUE(file->Truncate(segment->size_bytes() - 1).ok());
  const absl::Status status = segment->Read(Offset(kBase + 12), kNoLimits).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status;
  EXPECT_EQ(segment->VisitHeaders(Offset(kBase), [](const auto&) {}), absl::OkStatus())
      << "headers are whole";
}

}  // namespace
}  // namespace kafkalite::storage
