#include "kafkalite/storage/file/file_storage.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "absl/strings/str_format.h"
#include "kafkalite/base/completion.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/files/bounded_file_system.h"
#include "kafkalite/files/posix_file_system.h"
#include "kafkalite/format/file_names.h"

namespace kafkalite::storage {

using base::Cat;
using base::ToAbsl;
using Queue = DataDirectory::Queue;

namespace {

// Free buffers that wait for the next read.
constexpr size_t kPoolCacheBytes = size_t{16} << 20;

FileStorageOptions WithDefaults(FileStorageOptions options) {
  if (options.fs == nullptr) options.fs = files::MakePosixFileSystem();
  if (options.max_open_files == 0) options.max_open_files = files::MaxOpenFiles() / 4;
  options.fs = files::MakeBoundedFileSystem(std::move(options.fs), options.max_open_files);
  if (!options.pool) options.pool = base::BufferPool::Create(kPoolCacheBytes);
  return options;
}

model::Offset Find(const format::OffsetCheckpoint& checkpoint, const model::TopicPartition& tp) {
  const auto found = checkpoint.find(tp);
  return found == checkpoint.end() ? model::Offset() : found->second;
}

}  // namespace

FileStorage::FileStorage(base::Executor& executor, FileStorageOptions options)
    : executor_(executor), options_(WithDefaults(std::move(options))) {}

FileStorage::~FileStorage() { Kill(); }

void FileStorage::Kill() {
  for (const auto& directory : directories_) directory->Stop();
}

void FileStorage::SlowDown(base::Duration each) {
  for (const auto& directory : directories_) directory->SlowDown(each);
}

// --- Opening -------------------------------------------------------------------------------------

absl::StatusOr<std::shared_ptr<FileStorage>> FileStorage::Open(base::Executor& executor,
                                                               FileStorageOptions options) {
  if (options.directories.empty()) {
    return absl::InvalidArgumentError("file storage needs a directory at least (log.dirs)");
  }
  std::shared_ptr<FileStorage> storage(new FileStorage(executor, std::move(options)));
  std::set<std::string> paths;
  std::vector<std::optional<DirectoryUse>> uses;
  for (const std::string& path : storage->options_.directories) {
    if (!paths.insert(path).second) {
      return absl::InvalidArgumentError(
          ToAbsl(Cat("the data directory '", path, "' is named twice (log.dirs)")));
    }
    KL_ASSIGN_OR_RETURN(uses.emplace_back(), storage->Load(path));
  }
  storage->JoinUses(uses);
  storage->ScheduleCheckpoints();
  return storage;
}

absl::StatusOr<std::optional<DirectoryUse>> FileStorage::Load(const std::string& path) {
  KL_ASSIGN_OR_RETURN(
      DataDirectory::Found found,
      DataDirectory::Open(*options_.fs, executor_, path,
                          {.broker_id = options_.broker, .cluster_id = options_.cluster_id}));
  directories_.push_back(found.directory);
  for (std::string& repair : found.repairs) repairs_.push_back(std::move(repair));
  {
    base::MutexLock lock(mu_);
    KL_RETURN_IF_ERROR(LoadLogs(found));
  }
  // What comes to be where something was lost is not to pass for durable.
  DataDirectory& directory = *found.directory;
  if (Collect(directory) != found.checkpoints) {
    KL_RETURN_IF_ERROR(directory.SaveCheckpoints([&] { return Collect(directory); }));
  }
  KL_RETURN_IF_ERROR(directory.SaveBootId());
  return found.use;
}

// They were used together if all say the same, and none is missing.
void FileStorage::JoinUses(const std::vector<std::optional<DirectoryUse>>& uses) {
  base::MutexLock lock(mu_);
  use_ = uses.front();
  for (const auto& use : uses) {
    if (!use || use != use_ || use->directories != uses.size()) return use_.reset();
  }
}

void FileStorage::SetIncarnation(model::Incarnation incarnation) {
  DirectoryUse use;
  {
    base::MutexLock lock(mu_);
    // Who was registered meanwhile may have had other directories.
    if (!use_ || use_->last.value() + 1 != incarnation.value()) {
      use_ = {.since = incarnation, .last = incarnation, .directories = directories_.size()};
    }
    use_->last = incarnation;
    use = *use_;
  }
  for (const auto& directory : directories_) {
    // What is not saved is not known to the next start, and proves nothing there.
    directory->Post(Queue::kWrite, [directory, use] { directory->SaveUse(use).IgnoreError(); });
  }
}

bool FileStorage::NeverMade(const model::TopicPartition& tp, model::Incarnation incarnation) const {
  base::MutexLock lock(mu_);
  return use_ && incarnation >= use_->since && !logs_.contains(tp);
}

absl::Status FileStorage::LoadLogs(DataDirectory::Found& found) {
  for (const model::TopicPartition& tp : found.logs) {
    const auto other = logs_.find(tp);
    if (other != logs_.end()) {
      return absl::FailedPreconditionError(
          ToAbsl(Cat("there are two logs of ", model::ToString(tp), ": '",
                     other->second->directory()->FolderOf(tp), "' and '",
                     found.directory->FolderOf(tp), "': remove the one that is out of date")));
    }
    const FileLog::Checkpoint checkpoint = {
        .recovery_point = Find(found.checkpoints.recovery_points, tp),
        .log_start = Find(found.checkpoints.log_starts, tp),
        .high_watermark = Find(found.checkpoints.high_watermarks, tp)};
    KL_ASSIGN_OR_RETURN(logs_[tp], FileLog::Load(OptionsOf(tp, found.directory), checkpoint,
                                                 {found.clean, found.may_have_lost}, repairs_));
  }
  return absl::OkStatus();
}

FileLog::Options FileStorage::OptionsOf(const model::TopicPartition& tp,
                                        const std::shared_ptr<DataDirectory>& directory) {
  return {.tp = tp,
          .directory = directory,
          .pool = options_.pool,
          .limits = options_.limits,
          .directory_cache_full = [this, directory = directory.get()] { DropCaches(*directory); }};
}

// --- Logs ----------------------------------------------------------------------------------------

const std::shared_ptr<DataDirectory>& FileStorage::Place(const model::TopicPartition& tp) {
  const auto before = deleted_from_.find(tp);
  if (before != deleted_from_.end()) return before->second;
  std::map<const DataDirectory*, size_t> counts;
  for (const auto& [other, log] : logs_) ++counts[log->directory().get()];
  return *std::min_element(
      directories_.begin(), directories_.end(),
      [&counts](const auto& a, const auto& b) { return counts[a.get()] < counts[b.get()]; });
}

absl::StatusOr<std::unique_ptr<Log>> FileStorage::Open(const model::TopicPartition& tp,
                                                       model::LogId new_id) {
  base::MutexLock lock(mu_);
  const auto found = logs_.find(tp);
  if (found == logs_.end()) {
    const auto log = FileLog::Create(OptionsOf(tp, Place(tp)), new_id);
    logs_[tp] = log;
    return log->Open();
  }
  KL_RETURN_IF_ERROR(found->second->failure());
  if (found->second->id() == model::LogId()) found->second->SetId(new_id);
  return found->second->Open();
}

std::vector<std::pair<model::TopicPartition, model::LogId>> FileStorage::List() const {
  std::vector<std::pair<model::TopicPartition, model::LogId>> list;
  base::MutexLock lock(mu_);
  for (const auto& [tp, log] : logs_) list.emplace_back(tp, log->id());
  return list;
}

void FileStorage::Delete(const model::TopicPartition& tp, Log::DoneCallback done) {
  std::shared_ptr<FileLog> log;
  {
    base::MutexLock lock(mu_);
    const auto found = logs_.find(tp);
    if (found != logs_.end()) {
      log = std::move(found->second);
      logs_.erase(found);
      deleted_from_[tp] = log->directory();
    }
  }
  if (log == nullptr) return done(absl::OkStatus());
  const auto directory = log->directory();
  const std::string folder = directory->FolderOf(tp);
  const std::string moved =
      Cat(directory->path(), "/",
          format::DeletedFolderName(tp, absl::StrFormat("%016x", log->id().value())));
  const auto keep = [weak = weak_from_this(), tp](std::shared_ptr<FileLog> kept) {
    if (const auto self = weak.lock()) self->KeepAfterAll(tp, std::move(kept));
  };
  // Moved by the writer, so before the log is made again; deleted by the syncer, at leisure.
  directory->Post(Queue::kWrite, [tp, directory, folder, moved, keep, log = std::move(log),
                                  done = std::move(done)]() mutable {
    files::FileSystem& fs = directory->fs();
    absl::Status status = directory->ForgetCheckpoints(tp);
    if (status.ok()) status = files::RemoveAll(fs, moved);
    if (status.ok()) status = fs.Rename(folder, moved);
    if (absl::IsNotFound(status)) status = absl::OkStatus();
    if (!status.ok()) {
      keep(std::move(log));
      return done(status);
    }
    directory->Post(Queue::kSync, [directory, moved, keep, log = std::move(log),
                                   done = std::move(done)]() mutable {
      // Or a crash may bring it back under its old name, when nobody remembers that it was to go,
      // or leave a part of it there.
      const absl::Status synced = directory->fs().SyncDirectory(directory->path());
      if (!synced.ok()) {
        keep(std::move(log));
        return done(synced);
      }
      log.reset();
      done(absl::OkStatus());
      // What is left of it is removed by the next start.
      files::RemoveAll(directory->fs(), moved).IgnoreError();
    });
  });
}

// It could not be deleted: somebody will try again.
void FileStorage::KeepAfterAll(const model::TopicPartition& tp, std::shared_ptr<FileLog> log) {
  base::MutexLock lock(mu_);
  logs_.emplace(tp, std::move(log));
}

// --- All of them ---------------------------------------------------------------------------------

std::vector<std::shared_ptr<FileLog>> FileStorage::LogsOf(const DataDirectory& directory) const {
  std::vector<std::shared_ptr<FileLog>> logs;
  base::MutexLock lock(mu_);
  for (const auto& [tp, log] : logs_) {
    if (log->directory().get() == &directory) logs.push_back(log);
  }
  return logs;
}

DirectoryCheckpoints FileStorage::Collect(const DataDirectory& directory) const {
  DirectoryCheckpoints checkpoints;
  base::MutexLock lock(mu_);
  for (const auto& [tp, log] : logs_) {
    if (log->directory().get() != &directory || !log->is_made()) continue;
    const FileLog::Checkpoint checkpoint = log->checkpoint();
    checkpoints.recovery_points[tp] = checkpoint.recovery_point;
    checkpoints.high_watermarks[tp] = checkpoint.high_watermark;
    if (checkpoint.log_start > model::Offset()) checkpoints.log_starts[tp] = checkpoint.log_start;
  }
  return checkpoints;
}

void FileStorage::ScheduleCheckpoints() {
  executor_.PostAt(
      base::SaturatingAdd(executor_.clock().Now(), options_.checkpoint_interval),
      [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        for (const auto& directory : self->directories_) {
          directory->Post(Queue::kSync, [weak, directory] {
            const auto storage = weak.lock();
            if (storage == nullptr) return;
            // One that fails is worth no more than the last one that did not: the next start reads
            // more than it would have to.
            directory->SaveCheckpoints([&] { return storage->Collect(*directory); }).IgnoreError();
          });
        }
        self->ScheduleCheckpoints();
      });
}

void FileStorage::DropCaches(DataDirectory& directory) {
  if (directory.dropping_caches().exchange(true)) return;
  directory.Post(Queue::kRead, [weak = weak_from_this(), &directory] {
    directory.dropping_caches() = false;
    const auto self = weak.lock();
    if (self == nullptr) return;
    for (const auto& log : self->LogsOf(directory)) log->DropCache();
  });
}

absl::Status FileStorage::CloseDirectory(DataDirectory& directory) const {
  absl::Status status;
  for (const auto& log : LogsOf(directory)) status.Update(log->Close());
  status.Update(directory.SaveCheckpoints([&] { return Collect(directory); }));
  if (status.ok()) status = directory.MarkClean();
  return status;
}

absl::Status FileStorage::Close() {
  struct Closing {
    base::Completion done;
    std::atomic<size_t> left;
    std::vector<absl::Status> results;
  };
  if (directories_.front()->stopped()) return absl::OkStatus();
  const auto closing = std::make_shared<Closing>();
  closing->left = directories_.size();
  closing->results.resize(directories_.size());
  for (size_t i = 0; i < directories_.size(); ++i) {
    const auto& directory = directories_[i];
    directory->Post(Queue::kWrite, [this, directory, closing, i] {
      directory->Post(Queue::kSync, [this, directory, closing, i] {
        closing->results[i] = CloseDirectory(*directory);
        if (--closing->left == 0) closing->done.Signal();
      });
    });
  }
  absl::Status status = executor_.BlockUntil(closing->done, base::Time::max());
  for (const auto& directory : directories_) directory->Stop();
  for (const absl::Status& result : closing->results) status.Update(result);
  return status;
}

}  // namespace kafkalite::storage
