// File: errno_status.h
//
// The statuses of file_system.h, made of an errno: one table for all file systems.

#ifndef KAFKALITE_FILES_ERRNO_STATUS_H_
#define KAFKALITE_FILES_ERRNO_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace kafkalite::files {

// "write 'a/b': No space left on device". OK if `error` is 0.
absl::Status ErrnoStatus(int error, std::string_view operation, std::string_view path);
absl::Status RenameStatus(int error, std::string_view from, std::string_view to);

// What Lock says to the second one.
absl::Status LockHeldStatus(std::string_view path);

}  // namespace kafkalite::files

#endif  // KAFKALITE_FILES_ERRNO_STATUS_H_
