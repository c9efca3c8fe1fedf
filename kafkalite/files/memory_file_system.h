// File: memory_file_system.h
//
// A file system in memory for tests: it remembers what is durable apart from what was written, so
// that a crash of the machine can be played, and fails on demand.
//
//   MemoryFileSystem fs;
//   ... write, sync some of it ...
//   fs.Crash({.seed = 7});       // what was not synced is gone, or partly so
//   ... recover ...
//
// Deterministic: the same calls and the same seed leave the same bytes.
//
// Paths start at one root, with or without "/"; ".." is not known.

#ifndef KAFKALITE_FILES_MEMORY_FILE_SYSTEM_H_
#define KAFKALITE_FILES_MEMORY_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/files/file_system.h"

namespace kafkalite::files {

class MemoryFileSystem final : public FileSystem {
 public:
  // A call about to be made, for SetFault. Size, IsDirectory and BootId never fail by themselves
  // and are none.
  struct Operation {
    enum class Kind {
      kOpen,
      kRead,
      kWrite,
      kTruncate,
      kSync,
      kRename,
      kRemove,
      kCreateDirectories,
      kList,
      kSyncDirectory,
      kLock,
    };
    Kind kind;
    std::string path;  // by which the file was opened; of a rename, the old one
    size_t bytes = 0;  // of a read or write
  };
  // OK lets it pass. A write that fails may still have written some of its first bytes: `torn` of
  // them. A sync that fails makes nothing durable, and what it was for is lost in a crash even if
  // a later sync succeeds, as on Linux. Names are not lost that way: where their journal fails, it
  // fails for good.
  struct Verdict {
    absl::Status status;
    size_t torn = 0;
  };
  using Fault = std::function<Verdict(const Operation&)>;

  struct CrashOptions {
    uint64_t seed = 0;
    // What happens to writes and names that were not synced: all are lost; or, by seed, each file
    // keeps some prefix of its unsynced writes, the last of them torn, and each folder keeps some
    // of its unsynced changes of names. What was synced is never lost. A rename is kept or lost as
    // a whole, and not kept without the earlier changes of the same names.
    bool keep_some = true;
    // False: of that prefix, any write may be torn or lost, and reads as what was there before, or
    // as zeros: a disk writes pages in the order that it likes.
    bool in_order = true;
  };

  MemoryFileSystem();
  ~MemoryFileSystem() override;

  // Called under no lock, before every operation, so it may crash the machine itself: what is done
  // by an open file then fails whatever the verdict, what is done by a path does as it says.
  // Empty: nothing fails.
  void SetFault(Fault fault);
  // Bytes that all files which have a name may have together; a write beyond that writes what there
  // is room for and is RESOURCE_EXHAUSTED. -1: no limit.
  void SetCapacity(int64_t bytes);

  // The machine loses power. Files that are open fail from now on with INTERNAL, locks are free,
  // and the boot id is another.
  void Crash(const CrashOptions& options);
  // The process is killed: everything that was written is there. Open files and locks as above.
  void Kill();

  // Another one with what is written now, all of it durable: as if the machine had been switched
  // off in order. The two share bytes until one of them changes them. No faults, no capacity.
  std::unique_ptr<MemoryFileSystem> Clone() const;

  // For tests of recovery: changes bytes as a bad disk would, for readers at once and for good.
  // OUT_OF_RANGE if the file does not have them all.
  absl::Status Corrupt(const std::string& path, int64_t position, std::string_view bytes);

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirectories(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  std::string BootId(const std::string& path) override;

 private:
  struct State;
  const std::shared_ptr<State> state_;  // shared with the files that are open
};

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_MEMORY_FILE_SYSTEM_H_
