// File: file_system.h
//
// What file storage needs of a file system: POSIX's (posix_file_system.h), or one in memory that
// loses and fails what it is told to (memory_file_system.h).
//
// Every call may take as long as the disk does, so none is made inside a strand.
//
// Thread safety: any thread; writes to one file by one thread at a time, reads beside them.
// Errors: the status names the path, what was done and what the system said.
//   NOT_FOUND           there is no such file or folder
//   ALREADY_EXISTS      Lock: somebody else holds it
//   FAILED_PRECONDITION Remove, Rename: the folder that would go is not empty
//   RESOURCE_EXHAUSTED  no space left (ENOSPC, EDQUOT)
//   DATA_LOSS           the device failed (EIO)
//   INTERNAL            anything else
// What survives a crash of the process: what was written. Of the machine: bytes and size of a file
// that was synced afterwards; its name, and that a name is gone, once its folder was.

#ifndef KAFKALITE_FILES_FILE_SYSTEM_H_
#define KAFKALITE_FILES_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kafkalite::files {

// Open as long as `owner` is held. -1: there is no such thing.
struct FileDescriptor {
  std::shared_ptr<const void> owner;
  int number = -1;
};

// An open file. Closed by its destructor. Its bytes live on while it is open, also after Remove.
class File {
 public:
  virtual ~File() = default;

  // Reads into `out`; fewer bytes than that only at the end of the file. The number read.
  virtual absl::StatusOr<size_t> ReadAt(int64_t position, std::span<char> out) const = 0;
  // Writes the pieces one after the other, all or an error: then some of it may be there.
  virtual absl::Status WriteAt(int64_t position, std::span<const std::string_view> pieces) = 0;
  virtual absl::StatusOr<int64_t> Size() const = 0;
  // Cuts off what is beyond `size`, or appends zeros up to it.
  virtual absl::Status Truncate(int64_t size) = 0;
  // Bytes and size are durable. After a failure nobody knows which are, and a later success says
  // nothing about them (the kernel forgets): it must not be tried again.
  virtual absl::Status Sync() = 0;
  // For sendfile.
  virtual FileDescriptor descriptor() const = 0;
};

// Held until it is destroyed, or its process is gone.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  enum class Mode {
    kRead,      // what exists
    kWrite,     // what exists, to be read as well
    kCreate,    // as kWrite; made, empty, if it is not there
    kTruncate,  // as kCreate; emptied if it is there
  };

  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  // Over `to` if that exists, as one step. A folder only within the folder that it is in.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A file or an empty folder.
  virtual absl::Status Remove(const std::string& path) = 0;
  // With its parents; OK if it exists. Each new one is a name in the folder above it, to be synced
  // there.
  virtual absl::Status CreateDirectories(const std::string& path) = 0;
  // The names in a folder, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  virtual absl::StatusOr<bool> IsDirectory(const std::string& path) = 0;
  // The names in this folder are durable. Not its own: that is in the folder above.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Makes the file if need be, and leaves it there. ALREADY_EXISTS also for a holder in this
  // process. Keeps out other calls of Lock, nothing else.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // Another one after each start of the machine that `path` is on: whether what was written and not
  // synced can have been lost. Empty if the system does not say.
  virtual std::string BootId(const std::string& path) = 0;
};

// --- Made of the above ---------------------------------------------------------------------------

absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path);
// Either the old contents or the new ones are there after a crash, never a mixture: a temporary
// file ("<path>.tmp") is written, synced and renamed, and its folder synced (KAFKA-16541). So too
// after an error; after OK, the new ones. One thread at a time for one path.
absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view bytes);
// As ReplaceFile, but nothing is synced: after a crash of the machine the file may have the old
// contents, the new ones, or less of them, until it was synced (SyncFile) and its folder, too.
absl::Status ReplaceFileUnsynced(FileSystem& fs, const std::string& path, std::string_view bytes);
absl::Status SyncFile(FileSystem& fs, const std::string& path);
// A folder and those above it, each durable before the next, so that a crash leaves them there; OK
// if it exists.
absl::Status MakeFolder(FileSystem& fs, const std::string& path);
// The folder that a file or folder is in.
std::string FolderOf(const std::string& path);
// A file, or a folder and everything in it; OK if there is none. A symbolic link goes, what it
// leads to stays. Syncs nothing.
absl::Status RemoveAll(FileSystem& fs, const std::string& path);

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_FILE_SYSTEM_H_
