#include "kafkalite/files/errno_status.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "kafkalite/base/strings.h"

namespace kafkalite::files {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case 0:
      return absl::StatusCode::kOk;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case ENOTEMPTY:
      return absl::StatusCode::kFailedPrecondition;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EIO:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status ErrnoStatus(int error, std::string_view operation, std::string_view path) {
  if (error == 0) return absl::OkStatus();
  return absl::Status(CodeOf(error), base::Cat(operation, " '", path,
                                               "': ", std::generic_category().message(error)));
}

absl::Status RenameStatus(int error, std::string_view from, std::string_view to) {
  return ErrnoStatus(error, "rename", base::Cat(from, "' to '", to));
}

absl::Status LockHeldStatus(std::string_view path) {
  return absl::AlreadyExistsError(
      base::Cat("lock '", path, "': another process, or somebody else in this one, holds it"));
}

}  // namespace kafkalite::files
