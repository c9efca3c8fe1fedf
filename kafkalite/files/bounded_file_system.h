// File: bounded_file_system.h
//
// A file system that keeps only so many files of another one open, however many it has given out:
// those that were used last. One that is used again is opened again, at the price of that.
//
//   auto fs = MakeBoundedFileSystem(MakePosixFileSystem(), MaxOpenFiles() / 4);
//
// Before a file is closed behind its user's back, what was written to it is synced: the kernel
// forgets a write that failed when nobody has the file open. If that sync fails, every later call
// that changes or syncs the file fails as it did.
//
// More are open for a moment: those that are in use, and those that have lost their name, which
// nobody could open again. Locks do not count. Thread safety, errors: as FileSystem's.

#ifndef KAFKALITE_FILES_BOUNDED_FILE_SYSTEM_H_
#define KAFKALITE_FILES_BOUNDED_FILE_SYSTEM_H_

#include <cstddef>
#include <memory>

#include "kafkalite/files/file_system.h"

namespace kafkalite::files {

std::shared_ptr<FileSystem> MakeBoundedFileSystem(std::shared_ptr<FileSystem> fs,
                                                  size_t max_open_files);

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_BOUNDED_FILE_SYSTEM_H_
