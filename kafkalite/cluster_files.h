// File: cluster_files.h
//
// What a cluster of this process has on disk. Private to this folder.
//
//   data_dir/.lock           held as long as the cluster runs
//   data_dir/coordination/   the tree: topics, configuration, who leads; see coordination/embedded
//   data_dir/broker-1/       a data directory of broker 1, as Kafka's log.dirs; see storage/file
//   log_dir/broker-1/        there instead, for each of ClusterOptions::log_dirs
//
// Thread safety: any thread. What survives a crash: the folders.

#ifndef KAFKALITE_CLUSTER_FILES_H_
#define KAFKALITE_CLUSTER_FILES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/cluster.h"
#include "kafkalite/files/file_system.h"

namespace kafkalite {

class ClusterFiles {
 public:
  // Makes the data directory if it is not there, and takes it: FAILED_PRECONDITION if another
  // cluster has it. REQUIRES: options.data_dir is not empty.
  static absl::StatusOr<std::unique_ptr<ClusterFiles>> Open(const ClusterOptions& options);

  const std::shared_ptr<files::FileSystem>& fs() const { return fs_; }
  std::string coordination_folder() const;
  std::vector<std::string> BrokerFolders(int32_t broker) const;

  // The next cluster may have them.
  void Release();

 private:
  ClusterFiles(const ClusterOptions& options, std::shared_ptr<files::FileSystem> fs,
               std::unique_ptr<files::FileLock> lock);

  const std::string data_dir_;
  const std::vector<std::string> log_dirs_;
  const std::shared_ptr<files::FileSystem> fs_;
  base::Mutex mu_;
  std::unique_ptr<files::FileLock> lock_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite

#endif  // KAFKALITE_CLUSTER_FILES_H_
