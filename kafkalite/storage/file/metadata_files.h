// File: metadata_files.h
//
// The small files beside one log's segments: Log's metadata. Every call may take as long as a disk
// does. Thread safety: any thread. What survives a crash: as Log says of metadata.

#ifndef KAFKALITE_STORAGE_FILE_METADATA_FILES_H_
#define KAFKALITE_STORAGE_FILE_METADATA_FILES_H_

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

class MetadataFiles {
 public:
  // REQUIRES: fs outlives it.
  MetadataFiles(files::FileSystem& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

  absl::Status Write(std::string_view name, std::string_view bytes);
  absl::Status Delete(std::string_view name);
  // Nobody knows what is durable of all there are: Sync is to see to it.
  absl::Status ForgetSyncs();
  // What there is, is written once more, as it is, and durable: a sync has failed, so none that
  // comes later says anything of it.
  absl::Status Rewrite();
  // What was written and deleted before is durable.
  absl::Status Sync();
  // All files of the folder but those of segments.
  absl::StatusOr<Log::Metadata> ReadAll() const;

  std::string PathOf(std::string_view name) const;

 private:
  absl::StatusOr<std::vector<std::string>> List() const;  // names

  files::FileSystem& fs_;
  const std::string folder_;
  base::Mutex mu_;
  std::set<std::string> unsynced_ ABSL_GUARDED_BY(mu_);  // paths
  bool names_unsynced_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_METADATA_FILES_H_
