#include "kafkalite/cluster_files.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/posix_file_system.h"

namespace kafkalite {

using base::Cat;

ClusterFiles::ClusterFiles(const ClusterOptions& options, std::shared_ptr<files::FileSystem> fs,
                           std::unique_ptr<files::FileLock> lock)
    : data_dir_(options.data_dir),
      log_dirs_(options.log_dirs.empty() ? std::vector<std::string>{options.data_dir}
                                         : options.log_dirs),
      fs_(std::move(fs)),
      lock_(std::move(lock)) {}

absl::StatusOr<std::unique_ptr<ClusterFiles>> ClusterFiles::Open(const ClusterOptions& options) {
  auto fs = options.file_system;
  if (fs == nullptr) fs = files::MakePosixFileSystem();
  KL_RETURN_IF_ERROR(files::MakeFolder(*fs, options.data_dir));
  auto lock = fs->Lock(Cat(options.data_dir, "/.lock"));
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::FailedPreconditionError(
        Cat("the data directory '", options.data_dir,
            "' is in use by another cluster, of this process or another: stop that one, or give "
            "this one a directory of its own (ClusterOptions::data_dir)"));
  }
  KL_RETURN_IF_ERROR(lock.status());
  return std::unique_ptr<ClusterFiles>(new ClusterFiles(options, std::move(fs), *std::move(lock)));
}

std::string ClusterFiles::coordination_folder() const { return Cat(data_dir_, "/coordination"); }

std::vector<std::string> ClusterFiles::BrokerFolders(int32_t broker) const {
  std::vector<std::string> folders;
  for (const std::string& directory : log_dirs_) {
    folders.push_back(Cat(directory, "/broker-", broker));
  }
  return folders;
}

void ClusterFiles::Release() {
  base::MutexLock lock(mu_);
  lock_.reset();
}

}  // namespace kafkalite
