// File: posix_file_system.h
//
// The machine's files. Needs no clean-up and keeps no state but its locks.

#ifndef KAFKALITE_STORAGE_FILE_POSIX_FILE_SYSTEM_H_
#define KAFKALITE_STORAGE_FILE_POSIX_FILE_SYSTEM_H_

#include <memory>

#include "kafkalite/storage/file/file_system.h"

namespace kafkalite::storage {

std::shared_ptr<FileSystem> MakePosixFileSystem();

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_FILE_POSIX_FILE_SYSTEM_H_
