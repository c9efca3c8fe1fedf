// File: posix_file_system.h
//
// The machine's files. Needs no clean-up and keeps no state but its locks.

#ifndef KAFKALITE_FILES_POSIX_FILE_SYSTEM_H_
#define KAFKALITE_FILES_POSIX_FILE_SYSTEM_H_

#include <cstddef>
#include <memory>

#include "kafkalite/files/file_system.h"

namespace kafkalite::files {

std::shared_ptr<FileSystem> MakePosixFileSystem();

// How many files, sockets and the like this process may have open (RLIMIT_NOFILE).
size_t MaxOpenFiles();

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_POSIX_FILE_SYSTEM_H_
