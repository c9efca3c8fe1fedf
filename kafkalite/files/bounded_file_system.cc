#include "kafkalite/files/bounded_file_system.h"

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::files {
namespace {

using Mode = FileSystem::Mode;

// Which files there are, and which of them are open.
class OpenFiles {
 public:
  // A file that was given out. Guarded by the mutex of the OpenFiles, but for `file` of one that is
  // in use or busy.
  struct Entry {
    std::string path;  // empty: it has lost its name
    Mode mode;         // to open it again
    std::shared_ptr<File> file;
    bool busy = false;                 // being opened, closed or renamed: wait
    int users = 0;                     // calls under way, or one for good
    bool dirty = false;                // written to, and not synced
    absl::Status lost;                 // why it can neither be changed nor synced any more
    std::list<Entry*>::iterator used;  // in by_use_, if it is open
    std::multimap<std::string, std::shared_ptr<Entry>>::iterator named;
  };

  OpenFiles(std::shared_ptr<FileSystem> fs, size_t limit) : fs_(std::move(fs)), limit_(limit) {}

  FileSystem& fs() const { return *fs_; }

  std::shared_ptr<Entry> Add(std::string path, Mode mode, std::shared_ptr<File> file) {
    const auto entry = std::make_shared<Entry>();
    base::MutexLock lock(mu_);
    entry->path = std::move(path);
    entry->mode = mode;
    entry->named = by_path_.emplace(entry->path, entry);
    SetOpen(*entry, std::move(file));
    CloseTooMany();
    return entry;
  }

  void Remove(Entry& entry) {
    base::MutexLock lock(mu_);
    while (entry.busy) changed_.Wait(mu_);
    Forget(entry);
    if (entry.file != nullptr) SetClosed(entry);
  }

  enum class Use { kRead, kChange, kSync };
  // The file, open until Release.
  absl::StatusOr<File*> Acquire(Entry& entry, Use use) {
    base::MutexLock lock(mu_);
    KL_RETURN_IF_ERROR(AcquireLocked(entry));
    const absl::Status status = use == Use::kRead ? absl::OkStatus() : entry.lost;
    if (!status.ok()) {
      --entry.users;
      return status;
    }
    if (use == Use::kChange) entry.dirty = true;
    // Before that is done: what is written meanwhile is not covered by it.
    if (use == Use::kSync) entry.dirty = false;
    CloseTooMany();
    return entry.file.get();
  }
  void Release(Entry& entry) {
    base::MutexLock lock(mu_);
    --entry.users;
    CloseTooMany();
  }

  // Before a name goes: whoever has a file of that name keeps it.
  void Keep(const std::string& path) {
    base::MutexLock lock(mu_);
    while (true) {
      const auto found = by_path_.find(path);
      if (found == by_path_.end()) return;
      const std::shared_ptr<Entry> entry = found->second;
      const absl::Status status = AcquireLocked(*entry);
      if (!status.ok()) entry->lost.Update(status);
      Forget(*entry);
    }
  }

  absl::Status Rename(const std::string& from, const std::string& to) {
    if (from == to) return fs_->Rename(from, to);
    std::vector<std::shared_ptr<Entry>> moved;
    {
      base::MutexLock lock(mu_);
      moved = Below(from);
      for (const auto& entry : moved) {
        while (entry->busy) changed_.Wait(mu_);
        entry->busy = true;
      }
    }
    const absl::Status status = fs_->Rename(from, to);
    base::MutexLock lock(mu_);
    for (const auto& entry : moved) {
      entry->busy = false;
      if (!status.ok() || entry->path.empty()) continue;
      by_path_.erase(entry->named);
      entry->path = base::Cat(to, entry->path.substr(from.size()));
      entry->named = by_path_.emplace(entry->path, entry);
    }
    changed_.NotifyAll();
    return status;
  }

 private:
  // For one more use.
  absl::Status AcquireLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (entry.busy) changed_.Wait(mu_);
    if (entry.file == nullptr) {
      if (entry.path.empty()) {
        return entry.lost.ok() ? absl::NotFoundError("the file is closed") : entry.lost;
      }
      entry.busy = true;
      mu_.Unlock();
      auto file = fs_->Open(entry.path, entry.mode);
      mu_.Lock();
      entry.busy = false;
      changed_.NotifyAll();
      KL_RETURN_IF_ERROR(file.status());
      SetOpen(entry, *std::move(file));
    }
    by_use_.splice(by_use_.begin(), by_use_, entry.used);
    ++entry.users;
    return absl::OkStatus();
  }

  // Those of that path, and of paths below it.
  std::vector<std::shared_ptr<Entry>> Below(const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<std::shared_ptr<Entry>> entries;
    const std::string folder = base::Cat(path, "/");
    for (auto it = by_path_.lower_bound(path); it != by_path_.end(); ++it) {
      if (!it->first.starts_with(path)) break;
      if (it->first == path || it->first.starts_with(folder)) entries.push_back(it->second);
    }
    return entries;
  }

  void Forget(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (entry.path.empty()) return;
    by_path_.erase(entry.named);
    entry.path.clear();
  }
  void SetOpen(Entry& entry, std::shared_ptr<File> file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    entry.file = std::move(file);
    entry.used = by_use_.insert(by_use_.begin(), &entry);
  }
  void SetClosed(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    by_use_.erase(entry.used);
    entry.file = nullptr;
  }

  // Those that are not in use, longest unused first; of these, first what costs no sync.
  void CloseTooMany() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (by_use_.size() > limit_) {
      Entry* chosen = nullptr;
      for (auto it = by_use_.rbegin(); it != by_use_.rend(); ++it) {
        if ((*it)->busy || (*it)->users > 0) continue;
        if (chosen == nullptr) chosen = *it;
        if ((*it)->dirty) continue;
        chosen = *it;
        break;
      }
      if (chosen == nullptr) return;
      Close(*chosen);
    }
  }
  void Close(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (entry.dirty) {
      entry.busy = true;
      mu_.Unlock();
      const absl::Status status = entry.file->Sync();
      mu_.Lock();
      entry.busy = false;
      entry.dirty = false;
      entry.lost.Update(status);
      changed_.NotifyAll();
    }
    SetClosed(entry);
  }

  const std::shared_ptr<FileSystem> fs_;
  const size_t limit_;
  base::Mutex mu_;
  base::CondVar changed_;                          // something is no longer busy
  std::list<Entry*> by_use_ ABSL_GUARDED_BY(mu_);  // those that are open, the last one used first
  std::multimap<std::string, std::shared_ptr<Entry>> by_path_ ABSL_GUARDED_BY(mu_);
};

using Entry = OpenFiles::Entry;
using Use = OpenFiles::Use;

class BoundedFile final : public File {
 public:
  BoundedFile(std::shared_ptr<OpenFiles> files, std::string path, Mode mode,
              std::shared_ptr<File> file)
      : files_(std::move(files)), entry_(files_->Add(std::move(path), mode, std::move(file))) {}
  ~BoundedFile() override { files_->Remove(*entry_); }

  absl::StatusOr<size_t> ReadAt(int64_t position, std::span<char> out) const override {
    return With(Use::kRead, [&](File& file) { return file.ReadAt(position, out); });
  }
  absl::Status WriteAt(int64_t position, std::span<const std::string_view> pieces) override {
    return With(Use::kChange, [&](File& file) { return file.WriteAt(position, pieces); });
  }
  absl::StatusOr<int64_t> Size() const override {
    return With(Use::kRead, [](File& file) { return file.Size(); });
  }
  absl::Status Truncate(int64_t size) override {
    return With(Use::kChange, [&](File& file) { return file.Truncate(size); });
  }
  absl::Status Sync() override {
    return With(Use::kSync, [](File& file) { return file.Sync(); });
  }
  FileDescriptor descriptor() const override {
    const auto found = With(
        Use::kRead, [](File& file) { return absl::StatusOr<FileDescriptor>(file.descriptor()); });
    return found.value_or(FileDescriptor());
  }

 private:
  template <class Call>
  std::invoke_result_t<Call, File&> With(Use use, Call call) const {
    KL_ASSIGN_OR_RETURN(File* const file, files_->Acquire(*entry_, use));
    auto result = call(*file);
    files_->Release(*entry_);
    return result;
  }

  const std::shared_ptr<OpenFiles> files_;
  const std::shared_ptr<Entry> entry_;
};

class BoundedFileSystem final : public FileSystem {
 public:
  BoundedFileSystem(std::shared_ptr<FileSystem> fs, size_t limit)
      : files_(std::make_shared<OpenFiles>(std::move(fs), limit)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    KL_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files_->fs().Open(path, mode));
    // It is there now; if it is not any more, it is another one that would be made or emptied.
    const Mode again = mode == Mode::kRead ? Mode::kRead : Mode::kWrite;
    return std::make_unique<BoundedFile>(files_, path, again, std::move(file));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (from != to) files_->Keep(to);
    return files_->Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    files_->Keep(path);
    return files_->fs().Remove(path);
  }
  absl::Status CreateDirectories(const std::string& path) override {
    return files_->fs().CreateDirectories(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return files_->fs().List(path);
  }
  absl::StatusOr<bool> IsDirectory(const std::string& path) override {
    return files_->fs().IsDirectory(path);
  }
  absl::Status SyncDirectory(const std::string& path) override {
    return files_->fs().SyncDirectory(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return files_->fs().Lock(path);
  }
  std::string BootId(const std::string& path) override { return files_->fs().BootId(path); }

 private:
  const std::shared_ptr<OpenFiles> files_;
};

}  // namespace

std::shared_ptr<FileSystem> MakeBoundedFileSystem(std::shared_ptr<FileSystem> fs,
                                                  size_t max_open_files) {
  return std::make_shared<BoundedFileSystem>(std::move(fs), max_open_files);
}

}  // namespace kafkalite::files
