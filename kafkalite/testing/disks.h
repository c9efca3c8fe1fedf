// File: disks.h
//
// Disks in memory for a cluster whose brokers are on machines of their own, so that one of them can
// fail, or lose its power, alone.
//
//   auto disks = std::make_shared<kafkalite::testing::Disks>();
//   auto cluster = kafkalite::Cluster::Start({.data_dir = "/data", .file_system = disks});
//
// A broker's folders ("broker-1", in whatever folder) are on its machine; the rest, the cluster's
// coordination above all, is on machine 0. What each can do is in files/memory_file_system.h; the
// verbs for tests are in faults.h.
//
// Thread safety: any thread.

#ifndef KAFKALITE_TESTING_DISKS_H_
#define KAFKALITE_TESTING_DISKS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/files/file_system.h"
#include "kafkalite/files/memory_file_system.h"

namespace kafkalite::testing {

class Disks final : public files::FileSystem {
 public:
  // Lives as long as this.
  files::MemoryFileSystem& machine(int32_t broker);
  // Everything as it is written now, as if all machines had been switched off in order: shares the
  // bytes until one of the two changes them. No faults.
  std::shared_ptr<Disks> Clone() const;

  absl::StatusOr<std::unique_ptr<files::File>> Open(const std::string& path, Mode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirectories(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<files::FileLock>> Lock(const std::string& path) override;
  std::string BootId(const std::string& path) override;

 private:
  files::MemoryFileSystem& MachineOf(const std::string& path);

  mutable base::Mutex mu_;
  std::map<int32_t, std::unique_ptr<files::MemoryFileSystem>> machines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_DISKS_H_
