#include "kafkalite/files/file_system.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::files {
namespace {

absl::Status Write(FileSystem& fs, const std::string& path, std::string_view bytes, bool sync) {
  KL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kTruncate));
  const std::string_view pieces[] = {bytes};
  KL_RETURN_IF_ERROR(file->WriteAt(0, pieces));
  return sync ? file->Sync() : absl::OkStatus();
}

absl::Status Replace(FileSystem& fs, const std::string& path, std::string_view bytes, bool sync) {
  const std::string temporary = base::Cat(path, ".tmp");
  absl::Status status = Write(fs, temporary, bytes, sync);
  if (status.ok()) status = fs.Rename(temporary, path);
  if (!status.ok()) {
    // A full disk needs its bytes back, and after a failed sync nobody should write to that file
    // again. Whether it can be removed changes nothing for the caller.
    fs.Remove(temporary).IgnoreError();
    return status;
  }
  return sync ? fs.SyncDirectory(FolderOf(path)) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path) {
  KL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kRead));
  KL_ASSIGN_OR_RETURN(const int64_t size, file->Size());
  std::string bytes(static_cast<size_t>(size), '\0');
  KL_ASSIGN_OR_RETURN(const size_t read, file->ReadAt(0, bytes));
  bytes.resize(read);  // somebody may have cut it off meanwhile
  return bytes;
}

absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view bytes) {
  return Replace(fs, path, bytes, /*sync=*/true);
}

absl::Status ReplaceFileUnsynced(FileSystem& fs, const std::string& path, std::string_view bytes) {
  return Replace(fs, path, bytes, /*sync=*/false);
}

absl::Status SyncFile(FileSystem& fs, const std::string& path) {
  KL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kWrite));
  return file->Sync();
}

absl::Status MakeFolder(FileSystem& fs, const std::string& path) {
  std::vector<std::string> missing;
  std::string present = path;
  while (!fs.IsDirectory(present).value_or(false) && present != FolderOf(present)) {
    missing.push_back(present);
    present = FolderOf(present);
  }
  // Whoever made that one may have died before its name was durable. A folder that cannot be opened
  // has no names of ours in it.
  const absl::Status synced = fs.SyncDirectory(FolderOf(present));
  if (!absl::IsInternal(synced)) KL_RETURN_IF_ERROR(synced);
  for (; !missing.empty(); missing.pop_back()) {
    KL_RETURN_IF_ERROR(fs.CreateDirectories(missing.back()));
    KL_RETURN_IF_ERROR(fs.SyncDirectory(FolderOf(missing.back())));
  }
  return absl::OkStatus();
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status RemoveAll(FileSystem& fs, const std::string& path) {
  // Asks nobody what it is: that would follow a symbolic link, and empty what it points to.
  absl::Status status = fs.Remove(path);
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    KL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(path));
    for (const std::string& name : names) {
      KL_RETURN_IF_ERROR(RemoveAll(fs, base::Cat(path, "/", name)));
    }
    status = fs.Remove(path);
  }
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace kafkalite::files
