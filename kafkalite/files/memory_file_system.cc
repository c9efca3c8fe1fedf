#include "kafkalite/files/memory_file_system.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/errno_status.h"
#include "kafkalite/files/memory_disk.h"

namespace kafkalite::files {

using Kind = MemoryFileSystem::Operation::Kind;
using Node = MemoryDisk::Node;

struct MemoryFileSystem::State {
  class OpenFile;
  class HeldLock;

  Verdict Ask(const Operation& operation) {
    std::shared_ptr<const Fault> ask;
    {
      base::MutexLock lock(mu);
      ask = fault;
    }
    return ask == nullptr ? Verdict{} : (*ask)(operation);
  }
  void EndProcess() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    ++processes;
    locked.clear();
  }

  base::Mutex mu;
  std::shared_ptr<const Fault> fault ABSL_GUARDED_BY(mu);
  // With all of its nodes, those that files have open included.
  MemoryDisk disk ABSL_GUARDED_BY(mu);
  std::set<Node> locked ABSL_GUARDED_BY(mu);
  int64_t boots ABSL_GUARDED_BY(mu) = 1;
  int64_t processes ABSL_GUARDED_BY(mu) = 1;
};

class MemoryFileSystem::State::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<State> state, int64_t process, Node node, std::string path, Mode mode)
      : state_(std::move(state)),
        process_(process),
        node_(std::move(node)),
        path_(std::move(path)),
        mode_(mode) {}

  absl::StatusOr<size_t> ReadAt(int64_t position, std::span<char> out) const override;
  absl::Status WriteAt(int64_t position, std::span<const std::string_view> pieces) override;
  absl::StatusOr<int64_t> Size() const override;
  absl::Status Truncate(int64_t size) override;
  absl::Status Sync() override;
  FileDescriptor descriptor() const override { return {}; }

 private:
  // Asks about a call by this file, unless its process is gone.
  Verdict Ask(Kind kind, std::string_view what, size_t bytes = 0) const {
    {
      base::MutexLock lock(state_->mu);
      if (absl::Status gone = Gone(what); !gone.ok()) return {gone};
    }
    return state_->Ask({kind, path_, bytes});
  }
  absl::Status Gone(std::string_view what) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mu) {
    return ErrnoStatus(process_ == state_->processes ? 0 : ESTALE, what, path_);
  }
  absl::Status ReadOnly(std::string_view what) const {
    return ErrnoStatus(mode_ == Mode::kRead ? EBADF : 0, what, path_);
  }

  const std::shared_ptr<State> state_;
  const int64_t process_;
  const Node node_;  // guarded by state_->mu, as the disk that it belongs to
  const std::string path_;
  const Mode mode_;
};

absl::StatusOr<size_t> MemoryFileSystem::State::OpenFile::ReadAt(int64_t position,
                                                                 std::span<char> out) const {
  KL_RETURN_IF_ERROR(Ask(Kind::kRead, "read", out.size()).status);
  base::MutexLock lock(state_->mu);
  KL_RETURN_IF_ERROR(Gone("read"));
  if (position < 0) return ErrnoStatus(EINVAL, "read", path_);
  return node_->contents.Read(position, out);
}

absl::Status MemoryFileSystem::State::OpenFile::WriteAt(int64_t position,
                                                        std::span<const std::string_view> pieces) {
  KL_RETURN_IF_ERROR(ReadOnly("write"));
  std::string bytes;
  for (const std::string_view piece : pieces) bytes += piece;
  const Verdict verdict = Ask(Kind::kWrite, "write", bytes.size());
  base::MutexLock lock(state_->mu);
  KL_RETURN_IF_ERROR(Gone("write"));
  if (!verdict.status.ok()) bytes.resize(std::min(verdict.torn, bytes.size()));
  const int error = state_->disk.Write(*node_, position, bytes);
  return verdict.status.ok() ? ErrnoStatus(error, "write", path_) : verdict.status;
}

absl::StatusOr<int64_t> MemoryFileSystem::State::OpenFile::Size() const {
  base::MutexLock lock(state_->mu);
  KL_RETURN_IF_ERROR(Gone("stat"));
  return node_->contents.size();
}

absl::Status MemoryFileSystem::State::OpenFile::Truncate(int64_t size) {
  KL_RETURN_IF_ERROR(ReadOnly("truncate"));
  KL_RETURN_IF_ERROR(Ask(Kind::kTruncate, "truncate").status);
  base::MutexLock lock(state_->mu);
  KL_RETURN_IF_ERROR(Gone("truncate"));
  return ErrnoStatus(state_->disk.Truncate(*node_, size), "truncate", path_);
}

absl::Status MemoryFileSystem::State::OpenFile::Sync() {
  const Verdict verdict = Ask(Kind::kSync, "sync");
  base::MutexLock lock(state_->mu);
  KL_RETURN_IF_ERROR(Gone("sync"));
  if (verdict.status.ok()) {
    node_->contents.Sync();
  } else {
    node_->contents.Forget();
  }
  return verdict.status;
}

class MemoryFileSystem::State::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> state, int64_t process, Node node)
      : state_(std::move(state)), process_(process), node_(std::move(node)) {}
  ~HeldLock() override {
    base::MutexLock lock(state_->mu);
    // Else it is already free, and may be somebody else's.
    if (process_ == state_->processes) state_->locked.erase(node_);
  }

 private:
  const std::shared_ptr<State> state_;
  const int64_t process_;
  const Node node_;
};

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::SetFault(Fault fault) {
  auto shared = fault ? std::make_shared<const Fault>(std::move(fault)) : nullptr;
  base::MutexLock lock(state_->mu);
  state_->fault.swap(shared);  // what the old one holds is let go outside of the lock
}

void MemoryFileSystem::SetCapacity(int64_t bytes) {
  base::MutexLock lock(state_->mu);
  state_->disk.set_capacity(bytes);
}

void MemoryFileSystem::Crash(const CrashOptions& options) {
  base::MutexLock lock(state_->mu);
  state_->EndProcess();
  ++state_->boots;
  state_->disk.Crash(options);
}

void MemoryFileSystem::Kill() {
  base::MutexLock lock(state_->mu);
  state_->EndProcess();
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::Clone() const {
  auto clone = std::make_unique<MemoryFileSystem>();
  base::MutexLock lock(state_->mu);
  base::MutexLock clone_lock(clone->state_->mu);
  clone->state_->disk = state_->disk.Clone();
  clone->state_->boots = state_->boots;
  return clone;
}

absl::Status MemoryFileSystem::Corrupt(const std::string& path, int64_t position,
                                       std::string_view bytes) {
  base::MutexLock lock(state_->mu);
  Node node;
  KL_RETURN_IF_ERROR(ErrnoStatus(state_->disk.Open(path, Mode::kWrite, node), "corrupt", path));
  const int64_t size = node->contents.size();
  if (position < 0 || position > size || static_cast<int64_t>(bytes.size()) > size - position) {
    return absl::OutOfRangeError(base::Cat("corrupt '", path, "': bytes ", position, " to ",
                                           position + static_cast<int64_t>(bytes.size()), " of ",
                                           size));
  }
  node->contents.Corrupt(position, bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path, Mode mode) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kOpen, path}).status);
  base::MutexLock lock(state_->mu);
  Node node;
  KL_RETURN_IF_ERROR(ErrnoStatus(state_->disk.Open(path, mode, node), "open", path));
  return std::make_unique<State::OpenFile>(state_, state_->processes, std::move(node), path, mode);
}

absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kRename, from}).status);
  base::MutexLock lock(state_->mu);
  return RenameStatus(state_->disk.Rename(from, to), from, to);
}

absl::Status MemoryFileSystem::Remove(const std::string& path) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kRemove, path}).status);
  base::MutexLock lock(state_->mu);
  return ErrnoStatus(state_->disk.Remove(path), "remove", path);
}

absl::Status MemoryFileSystem::CreateDirectories(const std::string& path) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kCreateDirectories, path}).status);
  base::MutexLock lock(state_->mu);
  return ErrnoStatus(state_->disk.CreateDirectories(path), "create folder", path);
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& path) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kList, path}).status);
  base::MutexLock lock(state_->mu);
  Node node;
  KL_RETURN_IF_ERROR(ErrnoStatus(state_->disk.Find(path, node), "list", path));
  if (!node->is_folder) return ErrnoStatus(ENOTDIR, "list", path);
  std::vector<std::string> names;
  for (const auto& [name, child] : node->names) names.push_back(name);
  return names;
}

absl::StatusOr<bool> MemoryFileSystem::IsDirectory(const std::string& path) {
  base::MutexLock lock(state_->mu);
  Node node;
  KL_RETURN_IF_ERROR(ErrnoStatus(state_->disk.Find(path, node), "stat", path));
  return node->is_folder;
}

absl::Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kSyncDirectory, path}).status);
  base::MutexLock lock(state_->mu);
  return ErrnoStatus(state_->disk.SyncDirectory(path), "sync folder", path);
}

absl::StatusOr<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  KL_RETURN_IF_ERROR(state_->Ask({Kind::kLock, path}).status);
  base::MutexLock lock(state_->mu);
  Node node;
  KL_RETURN_IF_ERROR(ErrnoStatus(state_->disk.Open(path, Mode::kCreate, node), "lock", path));
  if (!state_->locked.insert(node).second) return LockHeldStatus(path);
  return std::make_unique<State::HeldLock>(state_, state_->processes, std::move(node));
}

std::string MemoryFileSystem::BootId(const std::string& /*path*/) {
  base::MutexLock lock(state_->mu);
  return base::Cat("boot-", state_->boots);
}

}  // namespace kafkalite::files
