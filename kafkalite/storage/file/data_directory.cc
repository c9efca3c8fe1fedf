#include "kafkalite/storage/file/data_directory.h"

#include <set>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/file_names.h"
#include "kafkalite/format/text.h"

namespace kafkalite::storage {

using base::Cat;
using base::ToAbsl;

namespace {

constexpr std::string_view kBootIdName = "boot-id";
constexpr std::string_view kUseName = "used-since";

// Three numbers; the end of the line tells that no digit is missing.
std::string UseText(const DirectoryUse& use) {
  return Cat(use.since.value(), " ", use.last.value(), " ", use.directories, "\n");
}

std::optional<DirectoryUse> ParseUse(std::string_view text) {
  const size_t first = text.find(' ');
  const size_t second = first == text.npos ? text.npos : text.find(' ', first + 1);
  if (second == text.npos) return std::nullopt;
  const auto since = format::ParseDecimal<int64_t>(text.substr(0, first));
  const auto last = format::ParseDecimal<int64_t>(text.substr(first + 1, second - first - 1));
  const auto count =
      format::ParseDecimal<size_t>(text.substr(second + 1, text.find('\n') - second - 1));
  if (!since || !last || !count) return std::nullopt;
  const DirectoryUse use{model::Incarnation(*since), model::Incarnation(*last), *count};
  return UseText(use) == text ? std::optional(use) : std::nullopt;
}

}  // namespace

DataDirectory::DataDirectory(files::FileSystem& fs, base::Executor& executor, std::string path)
    : fs_(fs), executor_(executor), path_(std::move(path)) {
  base::MutexLock lock(mu_);
  for (auto& queue : queues_) queue = executor_.MakeWorkQueue();
}

std::string DataDirectory::PathOf(std::string_view name) const { return Cat(path_, "/", name); }

std::string DataDirectory::FolderOf(const model::TopicPartition& tp) const {
  return PathOf(model::ToString(tp));
}

// --- Opening -------------------------------------------------------------------------------------

absl::StatusOr<DataDirectory::Found> DataDirectory::Open(files::FileSystem& fs,
                                                         base::Executor& executor,
                                                         const std::string& path,
                                                         const format::MetaProperties& owner) {
  Found found;
  found.directory = std::shared_ptr<DataDirectory>(new DataDirectory(fs, executor, path));
  DataDirectory& directory = *found.directory;
  KL_RETURN_IF_ERROR(files::MakeFolder(fs, path));
  KL_RETURN_IF_ERROR(directory.Take());
  KL_RETURN_IF_ERROR(directory.CheckOwner(owner));
  KL_ASSIGN_OR_RETURN(found.logs, directory.ListLogs());
  KL_RETURN_IF_ERROR(directory.ReadCheckpoints(found));
  KL_ASSIGN_OR_RETURN(found.use, directory.ReadUse(found));
  KL_ASSIGN_OR_RETURN(found.clean, directory.TakeCleanMark());
  found.may_have_lost = !found.clean && !directory.IsBootOfLastOpen();
  return found;
}

absl::Status DataDirectory::Take() {
  auto lock = fs_.Lock(PathOf(format::kLockName));
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::FailedPreconditionError(
        ToAbsl(Cat("the data directory '", path_,
                   "' is in use by another broker, of this process or another: stop that one, or "
                   "give this one a directory of its own")));
  }
  KL_RETURN_IF_ERROR(lock.status());
  base::MutexLock hold(mu_);
  lock_ = *std::move(lock);
  return absl::OkStatus();
}

absl::Status DataDirectory::CheckOwner(const format::MetaProperties& owner) {
  const std::string path = PathOf(format::kMetaPropertiesName);
  const auto bytes = files::ReadFile(fs_, path);
  format::MetaProperties present = owner;
  if (bytes.ok()) {
    auto parsed = format::ParseMetaProperties(*bytes);
    if (!parsed.ok()) {
      return absl::Status(parsed.status().code(),
                          ToAbsl(Cat("'", path, "': ", base::ToStd(parsed.status().message()))));
    }
    present = *std::move(parsed);
  } else if (!absl::IsNotFound(bytes.status())) {
    return bytes.status();
  }
  if (present.broker_id != owner.broker_id) {
    return absl::FailedPreconditionError(
        ToAbsl(Cat("'", path, "' says that the directory is broker ", present.broker_id.value(),
                   "'s, but this is broker ", owner.broker_id.value(),
                   ": give it the id or the directory that belong together")));
  }
  if (present.cluster_id.has_value() && owner.cluster_id.has_value() &&
      present.cluster_id != owner.cluster_id) {
    return absl::FailedPreconditionError(
        ToAbsl(Cat("'", path, "' says that the directory belongs to cluster '", *present.cluster_id,
                   "', but this cluster is '", *owner.cluster_id,
                   "': start with that cluster's coordination, or with an empty directory")));
  }
  if (bytes.ok() && (present.cluster_id.has_value() || !owner.cluster_id.has_value())) {
    return absl::OkStatus();
  }
  return files::ReplaceFile(fs_, path, format::EncodeMetaProperties(owner));
}

// Whether the last user stopped in order. From now on that is not known of this one.
absl::StatusOr<bool> DataDirectory::TakeCleanMark() {
  const absl::Status removed = fs_.Remove(PathOf(format::kCleanShutdownName));
  if (absl::IsNotFound(removed)) return false;
  KL_RETURN_IF_ERROR(removed);
  KL_RETURN_IF_ERROR(fs_.SyncDirectory(path_));
  return true;
}

bool DataDirectory::IsBootOfLastOpen() const {
  const std::string boot = fs_.BootId(path_);
  return !boot.empty() && files::ReadFile(fs_, PathOf(kBootIdName)).value_or("") == boot;
}

absl::Status DataDirectory::SaveBootId() {
  if (IsBootOfLastOpen()) return absl::OkStatus();
  return files::ReplaceFile(fs_, PathOf(kBootIdName), fs_.BootId(path_));
}

absl::StatusOr<std::optional<format::OffsetCheckpoint>> DataDirectory::ReadCheckpoint(
    std::string_view name, std::vector<std::string>& repairs) const {
  const std::string path = PathOf(name);
  const auto bytes = files::ReadFile(fs_, path);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  KL_RETURN_IF_ERROR(bytes.status());
  auto checkpoint = format::ParseOffsetCheckpoint(*bytes);
  if (checkpoint.ok()) return *std::move(checkpoint);
  repairs.push_back(Cat("'", path, "' is not used: ", base::ToStd(checkpoint.status().message())));
  return std::nullopt;
}

absl::Status DataDirectory::ReadCheckpoints(Found& found) {
  const auto read = [&](std::string_view name) { return ReadCheckpoint(name, found.repairs); };
  KL_ASSIGN_OR_RETURN(auto recovery_points, read(format::kRecoveryPointName));
  KL_ASSIGN_OR_RETURN(auto log_starts, read(format::kLogStartName));
  KL_ASSIGN_OR_RETURN(auto high_watermarks, read(format::kHighWatermarkName));
  base::MutexLock lock(checkpoints_mu_);
  unsaved_.recovery_points = !recovery_points.has_value();
  found.checkpoints = {
      .recovery_points = std::move(recovery_points).value_or(format::OffsetCheckpoint()),
      .log_starts = std::move(log_starts).value_or(format::OffsetCheckpoint()),
      .high_watermarks = std::move(high_watermarks).value_or(format::OffsetCheckpoint())};
  checkpoints_ = found.checkpoints;
  return absl::OkStatus();
}

// What it was used for counts only as long as no log is missing that has been named, and it is
// known which have been. Once it does not count, that stays so, also when the missing log's name is
// gone from the checkpoints.
absl::StatusOr<std::optional<DirectoryUse>> DataDirectory::ReadUse(const Found& found) {
  const auto bytes = files::ReadFile(fs_, PathOf(kUseName));
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  KL_RETURN_IF_ERROR(bytes.status());
  bool complete = false;
  {
    base::MutexLock lock(checkpoints_mu_);
    complete = !unsaved_.recovery_points;
  }
  const std::set<model::TopicPartition> logs(found.logs.begin(), found.logs.end());
  for (const auto& [tp, offset] : found.checkpoints.recovery_points) complete &= logs.contains(tp);
  const auto use = ParseUse(*bytes);
  if (use.has_value() && complete) return use;
  KL_RETURN_IF_ERROR(fs_.Remove(PathOf(kUseName)));
  KL_RETURN_IF_ERROR(fs_.SyncDirectory(path_));
  return std::nullopt;
}

absl::StatusOr<std::vector<model::TopicPartition>> DataDirectory::ListLogs() {
  KL_ASSIGN_OR_RETURN(const auto names, fs_.List(path_));
  std::vector<model::TopicPartition> logs;
  for (const std::string& name : names) {
    auto folder = format::ParseLogFolderName(name);
    if (!folder.has_value()) continue;
    KL_ASSIGN_OR_RETURN(const bool is_folder, fs_.IsDirectory(PathOf(name)));
    if (!is_folder) continue;
    if (folder->state == format::LogFolderName::State::kInUse) {
      logs.push_back(std::move(folder->tp));
    } else if (folder->state == format::LogFolderName::State::kDeleted) {
      KL_RETURN_IF_ERROR(files::RemoveAll(fs_, PathOf(name)));
    }
  }
  return logs;
}

// --- Work ----------------------------------------------------------------------------------------

void DataDirectory::Post(Queue queue, base::Task task) {
  base::MutexLock lock(mu_);
  const auto& present = queues_[static_cast<int>(queue)];
  if (present == nullptr) return;
  present->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    if (!self->stopped()) task();
  });
}

void DataDirectory::SlowDown(base::Duration each) {
  base::MutexLock lock(mu_);
  for (const auto& queue : queues_) {
    if (queue != nullptr) queue->SlowDown(each);
  }
}

absl::Status DataDirectory::Save(std::string_view name, const format::OffsetCheckpoint& checkpoint,
                                 bool& unsaved) {
  if (!unsaved) return absl::OkStatus();
  KL_RETURN_IF_ERROR(
      files::ReplaceFile(fs_, PathOf(name), format::EncodeOffsetCheckpoint(checkpoint)));
  unsaved = false;
  return absl::OkStatus();
}

absl::Status DataDirectory::SaveChanged() {
  KL_RETURN_IF_ERROR(
      Save(format::kRecoveryPointName, checkpoints_.recovery_points, unsaved_.recovery_points));
  KL_RETURN_IF_ERROR(Save(format::kLogStartName, checkpoints_.log_starts, unsaved_.log_starts));
  return Save(format::kHighWatermarkName, checkpoints_.high_watermarks, unsaved_.high_watermarks);
}

template <class Edit>
absl::Status DataDirectory::EditCheckpoints(Edit edit) {
  base::MutexLock lock(checkpoints_mu_);
  unsaved_.recovery_points |= edit(checkpoints_.recovery_points);
  unsaved_.log_starts |= edit(checkpoints_.log_starts);
  unsaved_.high_watermarks |= edit(checkpoints_.high_watermarks);
  return SaveChanged();
}

void DataDirectory::NoteMade(const model::TopicPartition& tp) {
  base::MutexLock lock(checkpoints_mu_);
  unsaved_.recovery_points |= checkpoints_.recovery_points.try_emplace(tp).second;
}

absl::Status DataDirectory::NameLog(const model::TopicPartition& tp) {
  base::MutexLock lock(checkpoints_mu_);
  unsaved_.recovery_points |= checkpoints_.recovery_points.try_emplace(tp).second;
  return Save(format::kRecoveryPointName, checkpoints_.recovery_points, unsaved_.recovery_points);
}

absl::Status DataDirectory::SaveUse(const DirectoryUse& use) {
  // Without that file nobody would know what is missing.
  KL_RETURN_IF_ERROR(EditCheckpoints([](const format::OffsetCheckpoint&) { return false; }));
  return files::ReplaceFile(fs_, PathOf(kUseName), UseText(use));
}

absl::Status DataDirectory::LowerCheckpoints(const model::TopicPartition& tp, model::Offset end) {
  return EditCheckpoints([&](format::OffsetCheckpoint& checkpoint) {
    const auto saved = checkpoint.find(tp);
    if (saved == checkpoint.end() || saved->second <= end) return false;
    saved->second = end;
    return true;
  });
}

absl::Status DataDirectory::ForgetCheckpoints(const model::TopicPartition& tp) {
  return EditCheckpoints(
      [&](format::OffsetCheckpoint& checkpoint) { return checkpoint.erase(tp) > 0; });
}

absl::Status DataDirectory::RaiseLogStart(const model::TopicPartition& tp, model::Offset start) {
  base::MutexLock lock(checkpoints_mu_);
  model::Offset& kept = checkpoints_.log_starts[tp];
  if (kept < start) {
    kept = start;
    unsaved_.log_starts = true;
  }
  return Save(format::kLogStartName, checkpoints_.log_starts, unsaved_.log_starts);
}

absl::Status DataDirectory::SaveCheckpoints(absl::FunctionRef<DirectoryCheckpoints()> collect) {
  base::MutexLock lock(checkpoints_mu_);
  checkpoints_ = collect();
  unsaved_ = {.recovery_points = true, .log_starts = true, .high_watermarks = true};
  return SaveChanged();
}

absl::Status DataDirectory::MarkClean() {
  return files::ReplaceFile(fs_, PathOf(format::kCleanShutdownName), "");
}

void DataDirectory::Stop() {
  stopped_.store(true, std::memory_order_release);
  std::unique_ptr<base::WorkQueue> queues[3];
  std::unique_ptr<files::FileLock> lock;
  {
    base::MutexLock hold(mu_);
    for (int i = 0; i < 3; ++i) queues[i] = std::move(queues_[i]);
    lock = std::move(lock_);
  }
  for (auto& queue : queues) queue.reset();  // runs out before the lock goes
}

}  // namespace kafkalite::storage
