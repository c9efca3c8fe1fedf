// File: index_file.h
//
// An index beside a segment (format/log_index.h): entries that are only appended, in memory first,
// in a file when there is a page of them. What a crash leaves of the file is worth nothing: an
// index is made again from its log.
//
//   IndexFile<format::TimeIndexEntry> index(fs, path);        // no entries, whatever the file has
//   KL_ASSIGN_OR_RETURN(const bool whole, index.Load());      // or what it has
//   index.Append(entry);
//   if (index.has_page()) KL_RETURN_IF_ERROR(index.Flush());
//
// The file is open while a call lasts only: a broker has more segments than descriptors.
//
// Thread safety: none.

#ifndef KAFKALITE_STORAGE_FILE_INDEX_FILE_H_
#define KAFKALITE_STORAGE_FILE_INDEX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/log_index.h"

namespace kafkalite::storage {

template <class Entry>
class IndexFile {
 public:
  // REQUIRES: `fs` outlives the index.
  IndexFile(files::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // Takes over the file's entries. False, and none, if there is no file, or it is not made of whole
  // entries.
  absl::StatusOr<bool> Load();

  size_t size() const { return stored_ + pending_.size() / Entry::kBytes; }
  const std::optional<Entry>& last() const { return last_; }
  // REQUIRES: i < size().
  absl::StatusOr<Entry> At(size_t i) const;
  // As format::CountWhile.
  template <class Predicate>
  absl::StatusOr<size_t> CountWhile(Predicate wanted) const;
  // As format::FindEntry.
  absl::StatusOr<std::optional<Entry>> Find(typename Entry::Key key) const;

  void Append(const Entry& entry);
  // Keeps the first `count` entries. In the file, the others end with the next Flush.
  absl::Status Truncate(size_t count);

  bool has_page() const { return pending_.size() >= kPageBytes; }
  // Makes the file hold these entries and nothing else. After an error the entries are still here,
  // and it may be tried again.
  absl::Status Flush();
  // Flushes, and makes them durable.
  absl::Status Sync();

 private:
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kPageEntries = kPageBytes / Entry::kBytes;

  absl::StatusOr<std::string> Read(const files::File& file, size_t begin, size_t end) const;

  files::FileSystem& fs_;
  const std::string path_;
  size_t stored_ = 0;           // entries in the file that count
  std::string pending_;         // those after them
  bool file_is_exact_ = false;  // the file has nothing beyond stored_
  std::optional<Entry> last_;
};

template <class Entry>
absl::StatusOr<bool> IndexFile<Entry>::Load() {
  auto file = fs_.Open(path_, files::FileSystem::Mode::kRead);
  if (absl::IsNotFound(file.status())) return false;
  KL_RETURN_IF_ERROR(file.status());
  KL_ASSIGN_OR_RETURN(const int64_t bytes, (*file)->Size());
  if (static_cast<size_t>(bytes) % Entry::kBytes != 0) return false;
  stored_ = static_cast<size_t>(bytes) / Entry::kBytes;
  file_is_exact_ = true;
  KL_RETURN_IF_ERROR(Truncate(stored_));  // reads the last one
  return true;
}

template <class Entry>
absl::StatusOr<std::string> IndexFile<Entry>::Read(const files::File& file, size_t begin,
                                                   size_t end) const {
  std::string bytes((end - begin) * Entry::kBytes, '\0');
  KL_ASSIGN_OR_RETURN(const size_t read,
                      file.ReadAt(static_cast<int64_t>(begin * Entry::kBytes), bytes));
  if (read == bytes.size()) return bytes;
  return absl::DataLossError(base::ToAbsl(
      base::Cat("'", path_, "' ends before its entry ", begin + read / Entry::kBytes)));
}

template <class Entry>
absl::StatusOr<Entry> IndexFile<Entry>::At(size_t i) const {
  if (i >= stored_) return format::EntryAt<Entry>(pending_, i - stored_);
  KL_ASSIGN_OR_RETURN(const auto file, fs_.Open(path_, files::FileSystem::Mode::kRead));
  KL_ASSIGN_OR_RETURN(const std::string bytes, Read(*file, i, i + 1));
  return Entry::Decode(bytes.data());
}

template <class Entry>
template <class Predicate>
absl::StatusOr<size_t> IndexFile<Entry>::CountWhile(Predicate wanted) const {
  if (stored_ == 0 || (!pending_.empty() && wanted(Entry::Decode(pending_.data())))) {
    return stored_ + format::CountWhile<Entry>(pending_, wanted);
  }
  KL_ASSIGN_OR_RETURN(const auto file, fs_.Open(path_, files::FileSystem::Mode::kRead));
  size_t begin = 0;
  size_t end = stored_;
  while (end - begin > kPageEntries) {
    const size_t middle = begin + (end - begin) / 2;
    KL_ASSIGN_OR_RETURN(const std::string bytes, Read(*file, middle, middle + 1));
    if (wanted(Entry::Decode(bytes.data()))) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  KL_ASSIGN_OR_RETURN(const std::string page, Read(*file, begin, end));
  return begin + format::CountWhile<Entry>(page, wanted);
}

template <class Entry>
absl::StatusOr<std::optional<Entry>> IndexFile<Entry>::Find(typename Entry::Key key) const {
  KL_ASSIGN_OR_RETURN(const size_t count,
                      CountWhile([key](const Entry& entry) { return entry.key() <= key; }));
  if (count == 0) return std::optional<Entry>();
  KL_ASSIGN_OR_RETURN(const Entry entry, At(count - 1));
  return std::optional<Entry>(entry);
}

template <class Entry>
void IndexFile<Entry>::Append(const Entry& entry) {
  char bytes[Entry::kBytes];
  entry.Encode(bytes);
  pending_.append(bytes, sizeof(bytes));
  last_ = entry;
}

template <class Entry>
absl::Status IndexFile<Entry>::Truncate(size_t count) {
  if (count == 0) {
    last_.reset();
  } else {
    KL_ASSIGN_OR_RETURN(last_, At(count - 1));
  }
  if (count < stored_) {
    stored_ = count;
    file_is_exact_ = false;
  }
  pending_.resize((count - stored_) * Entry::kBytes);
  return absl::OkStatus();
}

template <class Entry>
absl::Status IndexFile<Entry>::Flush() {
  if (pending_.empty() && file_is_exact_) return absl::OkStatus();
  KL_ASSIGN_OR_RETURN(const auto file, fs_.Open(path_, files::FileSystem::Mode::kCreate));
  const std::string_view pieces[] = {pending_};
  KL_RETURN_IF_ERROR(file->WriteAt(static_cast<int64_t>(stored_ * Entry::kBytes), pieces));
  const auto bytes = static_cast<int64_t>(size() * Entry::kBytes);
  KL_ASSIGN_OR_RETURN(const int64_t present, file->Size());
  if (present != bytes) KL_RETURN_IF_ERROR(file->Truncate(bytes));
  stored_ = size();
  pending_.clear();
  file_is_exact_ = true;
  return absl::OkStatus();
}

template <class Entry>
absl::Status IndexFile<Entry>::Sync() {
  KL_RETURN_IF_ERROR(Flush());
  KL_ASSIGN_OR_RETURN(const auto file, fs_.Open(path_, files::FileSystem::Mode::kWrite));
  return file->Sync();
}

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_INDEX_FILE_H_
