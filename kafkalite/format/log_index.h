// File: log_index.h
//
// The entries of Kafka's two indexes beside a segment of a log, big endian, without a header:
//
//   .index      relativeOffset:4 position:4    an append at `position` of the .log ends there
//   .timeindex  timestamp:8 relativeOffset:4   no record up to that offset is younger
//
// Offsets are relative to the segment's base offset. Both fields rise from entry to entry. There is
// an entry for every few KiB of the log, so a search goes on in the log from the entry found.
//
// The functions take any bytes; what is less than an entry at their end counts as none.

#ifndef KAFKALITE_FORMAT_LOG_INDEX_H_
#define KAFKALITE_FORMAT_LOG_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kafkalite::format {

struct OffsetIndexEntry {
  static constexpr size_t kBytes = 8;
  using Key = int32_t;

  int32_t relative_offset = 0;
  int32_t position = 0;

  Key key() const { return relative_offset; }
  void Encode(char* out) const;
  static OffsetIndexEntry Decode(const char* in);
  bool operator==(const OffsetIndexEntry&) const = default;
};

struct TimeIndexEntry {
  static constexpr size_t kBytes = 12;
  using Key = int64_t;

  int64_t timestamp = 0;
  int32_t relative_offset = 0;

  Key key() const { return timestamp; }
  void Encode(char* out) const;
  static TimeIndexEntry Decode(const char* in);
  bool operator==(const TimeIndexEntry&) const = default;
};

template <class Entry>
Entry EntryAt(std::string_view index, size_t i) {
  return Entry::Decode(index.data() + i * Entry::kBytes);
}

// How many entries come before the first one that is not `wanted`: by binary search, so the answer
// means nothing, but is one, if the bytes are not those of an index.
template <class Entry, class Predicate>
size_t CountWhile(std::string_view index, Predicate wanted) {
  size_t begin = 0;
  size_t end = index.size() / Entry::kBytes;
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    if (wanted(EntryAt<Entry>(index, middle))) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

// How many entries have a key at or below `key`.
template <class Entry>
size_t CountUpTo(std::string_view index, typename Entry::Key key) {
  return CountWhile<Entry>(index, [key](const Entry& entry) { return entry.key() <= key; });
}

// The last entry whose key is at or below `key`, from where a search has to go on; nothing if the
// search has to begin at the segment's start.
template <class Entry>
std::optional<Entry> FindEntry(std::string_view index, typename Entry::Key key) {
  const size_t count = CountUpTo<Entry>(index, key);
  if (count == 0) return std::nullopt;
  return EntryAt<Entry>(index, count - 1);
}

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_LOG_INDEX_H_
