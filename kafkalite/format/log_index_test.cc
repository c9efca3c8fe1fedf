#include "kafkalite/format/log_index.h"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "kafkalite/format/test_bytes.h"

namespace kafkalite::format {
namespace {

using std::literals::string_view_literals::operator""sv;

template <class Entry>
std::string Encoded(std::initializer_list<Entry> entries) {
  std::string out;
  for (const Entry& entry : entries) {
    char bytes[Entry::kBytes];
    entry.Encode(bytes);
    out.append(bytes, sizeof(bytes));
  }
  return out;
}

const std::string kOffsets = Encoded<OffsetIndexEntry>({{10, 4200}, {20, 8400}, {35, 13000}});
const std::string kTimes = Encoded<TimeIndexEntry>({{1000, 10}, {1500, 20}, {1501, 35}});

TEST(LogIndexTest, GoldenBytes) {
  EXPECT_EQ(Encoded<OffsetIndexEntry>({{0x01020304, 0x0a0b0c0d}}),
            "\x01\x02\x03\x04\x0a\x0b\x0c\x0d"sv);
  EXPECT_EQ(Encoded<TimeIndexEntry>({{0x0102030405060708, 0x0a0b0c0d}}),
            "\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b\x0c\x0d"sv);
}

TEST(LogIndexTest, EntriesComeBack) {
  const OffsetIndexEntry offset{std::numeric_limits<int32_t>::max(), -1};
  EXPECT_EQ(EntryAt<OffsetIndexEntry>(Encoded({offset}), 0), offset);
  const TimeIndexEntry time{std::numeric_limits<int64_t>::min(), 7};
  EXPECT_EQ(EntryAt<TimeIndexEntry>(Encoded({TimeIndexEntry{}, time}), 1), time);
}

TEST(LogIndexTest, FindsTheLastEntryAtOrBelow) {
  const auto find = [](int32_t offset) {
    const auto entry = FindEntry<OffsetIndexEntry>(kOffsets, offset);
    return entry.has_value() ? entry->position : 0;
  };
  EXPECT_EQ(find(0), 0);
  EXPECT_EQ(find(9), 0);
  EXPECT_EQ(find(10), 4200);
  EXPECT_EQ(find(19), 4200);
  EXPECT_EQ(find(20), 8400);
  EXPECT_EQ(find(34), 8400);
  EXPECT_EQ(find(35), 13000);
  EXPECT_EQ(find(std::numeric_limits<int32_t>::max()), 13000);

  EXPECT_EQ(FindEntry<TimeIndexEntry>(kTimes, 999), std::nullopt);
  EXPECT_EQ(FindEntry<TimeIndexEntry>(kTimes, 1500), (TimeIndexEntry{1500, 20}));
  EXPECT_EQ(FindEntry<TimeIndexEntry>(kTimes, 9999), (TimeIndexEntry{1501, 35}));
}

TEST(LogIndexTest, FindsNothingInNothing) {
  EXPECT_EQ(FindEntry<OffsetIndexEntry>("", 5), std::nullopt);
  EXPECT_EQ(FindEntry<OffsetIndexEntry>("1234567", 5), std::nullopt) << "less than an entry";
}

TEST(LogIndexTest, TakesAnyBytes) {
  FeedVariations(kOffsets, [](std::string_view bytes) {
    for (const int32_t key : {-1, 0, 15, 100}) {
      ASSERT_LE(CountUpTo<OffsetIndexEntry>(bytes, key), 3u);
    }
  });
  FeedVariations(kTimes, [](std::string_view bytes) {
    for (const int64_t key : {-1, 0, 1500, 5000}) {
      ASSERT_LE(CountUpTo<TimeIndexEntry>(bytes, key), 3u);
    }
  });
}

}  // namespace
}  // namespace kafkalite::format
