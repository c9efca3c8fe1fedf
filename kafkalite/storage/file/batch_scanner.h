// File: batch_scanner.h
//
// Reads the batches of a .log file one after the other, and believes none of its bytes.
//
//   BatchScanner scanner(file, path, pool, {.end = size, .end_offset = next_offset});
//   while (!scanner.AtEnd()) {
//     KL_ASSIGN_OR_RETURN(const BatchScanner::Found found, scanner.Next());
//     KL_ASSIGN_OR_RETURN(const format::Batch batch, scanner.Load(found));    // if it is wanted
//     scanner.Skip(found);
//   }
//
// Thread safety: none. REQUIRES: file and pool outlive it.

#ifndef KAFKALITE_STORAGE_FILE_BATCH_SCANNER_H_
#define KAFKALITE_STORAGE_FILE_BATCH_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/buffer.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::storage {

class BatchScanner {
 public:
  struct Range {
    int64_t position = 0;  // where a batch begins
    int64_t end = 0;       // where the last one ends; at most 2^31 - 1
    // All batches are in these offsets, in order.
    model::Offset least_offset;
    model::Offset end_offset;
    // How much is read at once: as much as will probably be wanted.
    size_t window_bytes = 4096;
  };

  BatchScanner(const files::File& file, std::string_view path, base::BufferPool& pool,
               const Range& range)
      : file_(file), path_(path), pool_(pool), range_(range) {}

  bool AtEnd() const { return range_.position >= range_.end; }
  int64_t position() const { return range_.position; }
  model::Offset least_offset() const { return range_.least_offset; }
  void set_window_bytes(size_t bytes) { range_.window_bytes = bytes; }

  struct Found {
    int64_t position = 0;
    int64_t bytes = 0;           // header and body
    format::BatchHeader header;  // undefined unless is_batch
    // What is there may be a batch by its header, of which the file has everything, and still not
    // be the next one.
    bool is_batch = false;
    // It may be the next one, as far as the file has it.
    bool unfinished = false;
    std::string wrong;  // empty if it is the next batch
  };
  // What is at position(). An error means that the file could not be read.
  absl::StatusOr<Found> Look();
  // The same, and DATA_LOSS if that is not the next batch.
  absl::StatusOr<Found> Next();
  void Skip(const Found& found);

  // The batch. Several may share a buffer, see CopyOutOfLargeBuffers. Its CRC is not checked.
  // REQUIRES: found.is_batch.
  absl::StatusOr<format::Batch> Load(const Found& found);

  // DATA_LOSS that names the file and the place.
  absl::Status Lost(int64_t position, std::string_view what) const;

 private:
  // Brings bytes into the window.
  absl::StatusOr<size_t> Bring(int64_t position, size_t bytes);
  std::string WhyNotNext(const format::BatchHeader& header) const;

  const files::File& file_;
  const std::string_view path_;
  base::BufferPool& pool_;
  Range range_;
  base::Ref<base::Buffer> window_;
  int64_t window_position_ = 0;
  size_t window_size_ = 0;
};

// For who keeps batches: those of a buffer of which they use less than half get one of their own.
void CopyOutOfLargeBuffers(std::vector<format::Batch>& batches, base::BufferPool& pool);

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_BATCH_SCANNER_H_
