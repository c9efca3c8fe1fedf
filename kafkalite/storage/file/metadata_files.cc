#include "kafkalite/storage/file/metadata_files.h"

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/file_names.h"

namespace kafkalite::storage {
namespace {

// Whether a name in a log's folder is metadata.
bool IsMetadata(std::string_view name) {
  if (name.ends_with(".tmp") || name.ends_with(format::kDeletedSuffix) ||
      name.ends_with(format::kCleanedSuffix) || name.ends_with(format::kSwapSuffix)) {
    return false;
  }
  const auto parsed = format::ParseLogFileName(name);
  return !parsed.has_value() || parsed->kind == format::LogFileKind::kProducerSnapshot;
}

}  // namespace

std::string MetadataFiles::PathOf(std::string_view name) const {
  return base::Cat(folder_, "/", name);
}

absl::Status MetadataFiles::Write(std::string_view name, std::string_view bytes) {
  const std::string path = PathOf(name);
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(files::ReplaceFileUnsynced(fs_, path, bytes));
  unsynced_.insert(path);
  names_unsynced_ = true;
  return absl::OkStatus();
}

absl::Status MetadataFiles::Delete(std::string_view name) {
  const std::string path = PathOf(name);
  base::MutexLock lock(mu_);
  const absl::Status status = fs_.Remove(path);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  unsynced_.erase(path);
  names_unsynced_ = true;
  return absl::OkStatus();
}

absl::Status MetadataFiles::Sync() {
  base::MutexLock lock(mu_);
  for (const std::string& path : unsynced_) KL_RETURN_IF_ERROR(files::SyncFile(fs_, path));
  if (names_unsynced_) KL_RETURN_IF_ERROR(fs_.SyncDirectory(folder_));
  unsynced_.clear();
  names_unsynced_ = false;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MetadataFiles::List() const {
  KL_ASSIGN_OR_RETURN(const auto names, fs_.List(folder_));
  std::vector<std::string> metadata;
  for (const std::string& name : names) {
    if (!IsMetadata(name)) continue;
    KL_ASSIGN_OR_RETURN(const bool is_folder, fs_.IsDirectory(PathOf(name)));
    if (!is_folder) metadata.push_back(name);
  }
  return metadata;
}

absl::Status MetadataFiles::ForgetSyncs() {
  KL_ASSIGN_OR_RETURN(const auto names, List());
  base::MutexLock lock(mu_);
  for (const std::string& name : names) unsynced_.insert(PathOf(name));
  names_unsynced_ = true;
  return absl::OkStatus();
}

absl::Status MetadataFiles::Rewrite() {
  KL_ASSIGN_OR_RETURN(const auto all, ReadAll());
  for (const auto& [name, bytes] : all) KL_RETURN_IF_ERROR(Write(name, bytes));
  return Sync();
}

absl::StatusOr<Log::Metadata> MetadataFiles::ReadAll() const {
  KL_ASSIGN_OR_RETURN(const auto names, List());
  Log::Metadata metadata;
  for (const std::string& name : names) {
    KL_ASSIGN_OR_RETURN(metadata[name], files::ReadFile(fs_, PathOf(name)));
  }
  return metadata;
}

}  // namespace kafkalite::storage
