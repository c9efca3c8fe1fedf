#include "kafkalite/storage/file/file_log.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/file_names.h"
#include "kafkalite/format/text.h"

namespace kafkalite::storage {

using format::Batch;
using model::Offset;

namespace {

// Beside the log, so that it keeps its name; Kafka has no such file, and does not mind it.
constexpr std::string_view kIdName = "log-id";
// Likewise.
constexpr std::string_view kUnsyncedName = "sync-failed";
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// The end of the line tells that no digit is missing.
std::string IdText(model::LogId id) { return base::Cat(id.value(), "\n"); }

int64_t BytesOf(std::span<const Batch> batches) {
  int64_t bytes = 0;
  for (const Batch& batch : batches) bytes += static_cast<int64_t>(batch.size_bytes());
  return bytes;
}

}  // namespace

// --- Making it -----------------------------------------------------------------------------------

FileLog::FileLog(Options options)
    : options_(std::move(options)),
      metadata_(options_.directory->fs(), options_.directory->FolderOf(options_.tp)) {}

FileLog::~FileLog() {
  base::MutexLock lock(mu_);
  tail_.Reset({});
  CountCache();
}

SegmentedLogOptions FileLog::DiskOptions() const {
  return {.fs = &options_.directory->fs(),
          .folder = options_.directory->FolderOf(options_.tp),
          .pool = options_.pool,
          .now_millis = [&executor = options_.directory->executor()] {
            return executor.clock().WallMillis();
          }};
}

std::shared_ptr<FileLog> FileLog::Create(Options options, model::LogId id) {
  std::shared_ptr<FileLog> log(new FileLog(std::move(options)));
  {
    base::MutexLock lock(log->mu_);
    log->id_ = id;
  }
  log->Post(Queue::kWrite, [](FileLog& self) { self.MakeFiles(); });
  return log;
}

void FileLog::MakeFiles() {
  const absl::Status status = MakeDisk();
  if (!status.ok()) Fail(status);
}

absl::Status FileLog::MakeDisk() {
  files::FileSystem& fs = options_.directory->fs();
  const std::string folder = options_.directory->FolderOf(options_.tp);
  if (fs.IsDirectory(folder).value_or(false)) {
    return absl::FailedPreconditionError(base::ToAbsl(
        base::Cat("'", folder, "' has another log, which could not be deleted: delete it again")));
  }
  // Under a name that the next start removes, until it has its id.
  const std::string begun =
      base::Cat(options_.directory->path(), "/",
                format::DeletedFolderName(options_.tp, base::Cat("new", id().value())));
  KL_RETURN_IF_ERROR(files::RemoveAll(fs, begun));
  KL_RETURN_IF_ERROR(fs.CreateDirectories(begun));
  KL_RETURN_IF_ERROR(WriteId(begun));
  KL_RETURN_IF_ERROR(fs.Rename(begun, folder));
  std::vector<std::string> repairs;
  KL_ASSIGN_OR_RETURN(disk_, SegmentedLog::Open(DiskOptions(), {.clean = true}, repairs));
  KL_RETURN_IF_ERROR(fs.SyncDirectory(options_.directory->path()));
  {
    base::MutexLock lock(mu_);
    made_ = true;
  }
  options_.directory->NoteMade(options_.tp);
  return absl::OkStatus();
}

// Durable before the log has anything: a log without a name gets that of whoever asks for it, who
// must not take what is in it for his own.
absl::Status FileLog::WriteId(const std::string& folder) {
  files::FileSystem& fs = options_.directory->fs();
  return files::ReplaceFile(fs, base::Cat(folder, "/", kIdName), IdText(id()));
}

// Before there is anything that would be missed if somebody took the log away.
absl::Status FileLog::EnsureNamed() {
  if (named_) return absl::OkStatus();
  KL_RETURN_IF_ERROR(options_.directory->NameLog(options_.tp));
  named_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<FileLog>> FileLog::Load(Options options,
                                                       const Checkpoint& checkpoint, LastUse last,
                                                       std::vector<std::string>& repairs) {
  std::shared_ptr<FileLog> log(new FileLog(std::move(options)));
  KL_RETURN_IF_ERROR(log->LoadDisk(checkpoint, last, repairs));
  return log;
}

absl::Status FileLog::LoadDisk(const Checkpoint& checkpoint, LastUse last,
                               std::vector<std::string>& repairs) {
  const size_t repairs_before = repairs.size();
  const bool unsynced = !last.clean && IsMarkedUnsynced();
  KL_ASSIGN_OR_RETURN(disk_, SegmentedLog::Open(DiskOptions(),
                                                {.clean = last.clean,
                                                 .recovery_point = checkpoint.recovery_point,
                                                 .log_start = checkpoint.log_start,
                                                 .rewrite = unsynced},
                                                repairs));
  const bool repaired = repairs.size() > repairs_before;
  named_ = true;  // by who loads it, before it is used
  if (!last.clean) KL_RETURN_IF_ERROR(metadata_.ForgetSyncs());
  if (unsynced) KL_RETURN_IF_ERROR(ClearUnsyncedMark());
  const bool lost =
      last.may_have_lost || disk_->lost_some() || disk_->next_offset() < checkpoint.high_watermark;
  KL_RETURN_IF_ERROR(LoadId(lost, repairs));
  base::MutexLock lock(mu_);
  made_ = true;
  const std::vector<SegmentInfo> segments = disk_->segments();
  const Offset end = segments.back().next_offset;
  const Offset start = std::min(end, std::max(checkpoint.log_start, segments.front().base_offset));
  tail_.Reset({start, end});
  Relearn(segments);
  written_ = end;
  synced_ = last.clean && !repaired ? end : std::min(checkpoint.recovery_point, end);
  sync_wanted_ = synced_;
  metadata_end_ = repaired ? start : std::max(start, synced_);
  high_watermark_ = std::clamp(checkpoint.high_watermark, start, end);
  return absl::OkStatus();
}

absl::Status FileLog::LoadId(bool lost, std::vector<std::string>& repairs) {
  KL_ASSIGN_OR_RETURN(const model::LogId id, ReadId(repairs));
  {
    base::MutexLock lock(mu_);
    id_ = lost ? model::AfterLoss(id) : id;
  }
  if (!lost || id == model::LogId()) return absl::OkStatus();
  return WriteId(options_.directory->FolderOf(options_.tp));
}

absl::StatusOr<model::LogId> FileLog::ReadId(std::vector<std::string>& repairs) const {
  const std::string path = base::Cat(options_.directory->FolderOf(options_.tp), "/", kIdName);
  const auto bytes = files::ReadFile(options_.directory->fs(), path);
  if (absl::IsNotFound(bytes.status())) return model::LogId();
  KL_RETURN_IF_ERROR(bytes.status());
  const auto id = format::ParseDecimal<uint64_t>(bytes->substr(0, bytes->find('\n')));
  if (id.has_value() && *bytes == IdText(model::LogId(*id))) return model::LogId(*id);
  repairs.push_back(base::Cat("'", path, "' is not a number: ", format::Quoted(*bytes)));
  return model::LogId();
}

// --- Facts ---------------------------------------------------------------------------------------

model::LogId FileLog::id() const {
  base::MutexLock lock(mu_);
  return id_;
}

void FileLog::SetId(model::LogId id) {
  base::MutexLock lock(mu_);
  id_ = id;
  PostInOrder([](FileLog& log) {
    if (!log.failure().ok()) return;
    const absl::Status status = log.WriteId(log.options_.directory->FolderOf(log.options_.tp));
    if (!status.ok()) log.Fail(status);
  });
}

bool FileLog::is_made() const {
  base::MutexLock lock(mu_);
  return made_;
}

absl::Status FileLog::failure() const {
  base::MutexLock lock(mu_);
  return failure_;
}

FileLog::Checkpoint FileLog::checkpoint() const {
  base::MutexLock lock(mu_);
  return {synced_, tail_.range().start, high_watermark_};
}

LogTail::Range FileLog::range() const {
  base::MutexLock lock(mu_);
  return tail_.range();
}

int64_t FileLog::size_bytes() const {
  base::MutexLock lock(mu_);
  return size_bytes_;
}

void FileLog::Configure(const model::TopicConfig& config) {
  base::MutexLock lock(mu_);
  config_ = config;
}

Progress FileLog::progress() const {
  base::MutexLock lock(mu_);
  return {.written = written_, .synced = synced_, .failed = !failure_.ok()};
}

void FileLog::SetListener(std::shared_ptr<const Log::Listener> listener) {
  base::MutexLock lock(mu_);
  listener_ = std::move(listener);
}

model::Offset FileLog::metadata_end() const {
  base::MutexLock lock(mu_);
  return metadata_end_;
}

void FileLog::KeepHighWatermark(Offset high_watermark) {
  base::MutexLock lock(mu_);
  high_watermark_ = high_watermark;
}

// --- Tasks ---------------------------------------------------------------------------------------

void FileLog::Post(Queue queue, absl::AnyInvocable<void(FileLog&)> task) {
  options_.directory->Post(
      queue, [self = shared_from_this(), task = std::move(task)]() mutable { task(*self); });
}

void FileLog::PostInOrder(absl::AnyInvocable<void(FileLog&)> task) {
  // A task that would take what is pending may wait already. It is not to take what comes later.
  ++write_ticket_;
  write_scheduled_ = false;
  Post(Queue::kWrite,
       [batches = std::exchange(pending_, {}), task = std::move(task)](FileLog& self) mutable {
         self.WriteBatches(batches);
         task(self);
       });
}

void FileLog::PostRead(absl::AnyInvocable<void(FileLog&)> task) {
  Post(Queue::kWrite, [task = std::move(task)](FileLog& self) mutable {
    self.Post(Queue::kRead, std::move(task));
  });
}

void FileLog::ScheduleWrite() {
  if (std::exchange(write_scheduled_, true)) return;
  Post(Queue::kWrite, [ticket = write_ticket_](FileLog& self) { self.WritePending(ticket); });
}

void FileLog::ScheduleSync() {
  if (IsCutting()) return;  // the writer asks again after that
  const bool batches = std::min(sync_wanted_, written_) > synced_;
  const bool metadata = std::min(metadata_wanted_, metadata_written_) > metadata_synced_;
  if (!(batches || metadata) || !failure_.ok()) return;
  if (std::exchange(sync_scheduled_, true)) return;
  Post(Queue::kSync, [](FileLog& self) { self.SyncNow(); });
}

void FileLog::Notify() {
  std::shared_ptr<const Log::Listener> listener;
  {
    base::MutexLock lock(mu_);
    listener = listener_;
  }
  if (listener != nullptr) (*listener)();
}

// Needs not be durable: after a loss of power the kernel knows nothing but what the device has. If
// it cannot be left either, nothing tells the next start.
void FileLog::MarkUnsynced() {
  files::FileSystem& fs = options_.directory->fs();
  fs.Open(metadata_.PathOf(kUnsyncedName), files::FileSystem::Mode::kCreate).status().IgnoreError();
}

bool FileLog::IsMarkedUnsynced() const {
  files::FileSystem& fs = options_.directory->fs();
  return !absl::IsNotFound(files::ReadFile(fs, metadata_.PathOf(kUnsyncedName)).status());
}

absl::Status FileLog::ClearUnsyncedMark() {
  KL_RETURN_IF_ERROR(metadata_.Rewrite());
  KL_RETURN_IF_ERROR(metadata_.Delete(kUnsyncedName));
  return metadata_.Sync();
}

void FileLog::Fail(const absl::Status& status) {
  MarkUnsynced();
  {
    base::MutexLock lock(mu_);
    if (!failure_.ok()) return;
    failure_ = status;
    Discard(pending_);
    pending_.clear();
  }
  Notify();
}

void FileLog::Discard(std::span<const Batch> unwritten) {
  const int64_t bytes = BytesOf(unwritten);
  unwritten_bytes_ -= bytes;
  options_.directory->unwritten_bytes().fetch_sub(bytes, std::memory_order_relaxed);
}

// --- Appending -----------------------------------------------------------------------------------

absl::Status FileLog::Append(std::span<const Batch> batches) {
  if (batches.empty()) return absl::OkStatus();
  auto& unwritten = options_.directory->unwritten_bytes();
  const int64_t bytes = BytesOf(batches);
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(failure_);
  const int64_t waiting = unwritten.load(std::memory_order_relaxed);
  if (waiting > 0 && waiting + bytes > options_.limits.directory_unwritten_bytes) {
    return absl::ResourceExhaustedError(base::ToAbsl(
        base::Cat("the disk of '", options_.directory->path(), "' is ", waiting,
                  " bytes behind what is appended: append more slowly, or wait for what is "
                  "appended to be acknowledged")));
  }
  unwritten.fetch_add(bytes, std::memory_order_relaxed);
  unwritten_bytes_ += bytes;
  size_bytes_ += bytes;
  for (const Batch& batch : batches) tail_.Append(batch);
  CountCache();
  pending_.insert(pending_.end(), batches.begin(), batches.end());
  ScheduleWrite();
  return absl::OkStatus();
}

void FileLog::WritePending(uint64_t ticket) {
  std::vector<Batch> batches;
  {
    base::MutexLock lock(mu_);
    if (ticket != write_ticket_) return;
    write_scheduled_ = false;
    batches.swap(pending_);
  }
  WriteBatches(batches);
}

void FileLog::WriteBatches(const std::vector<Batch>& batches) {
  if (batches.empty()) return;
  model::TopicConfig config;
  absl::Status status;
  {
    base::MutexLock lock(mu_);
    config = config_;
    status = failure_;
  }
  if (status.ok()) status = EnsureNamed();
  if (status.ok()) status = disk_->Append(batches, config);
  {
    base::MutexLock lock(mu_);
    Discard(batches);
  }
  if (!status.ok()) return Fail(status);
  AfterAppend(batches.back().header.next_offset());
}

void FileLog::AfterAppend(Offset end) {
  Offset from;
  {
    base::MutexLock lock(mu_);
    if (!segments_.empty()) from = segments_.back().base_offset;
  }
  std::vector<SegmentInfo> segments = disk_->segments(from);
  {
    base::MutexLock lock(mu_);
    if (IsCutting()) return;
    Learn(std::move(segments));
    written_ = std::max(written_, end);
    FlushAsConfigured();
    TrimCache();
  }
  Notify();
}

// REQUIRES: all segments from the first of these on.
void FileLog::Learn(std::vector<SegmentInfo> segments) {
  // Those that were let go are still there until the writer comes to it.
  std::erase_if(segments, [start = tail_.range().start](const SegmentInfo& segment) {
    return segment.bytes > 0 && segment.next_offset <= start;
  });
  if (segments.empty()) return;
  while (!segments_.empty() && segments_.back().base_offset >= segments.front().base_offset) {
    segments_.pop_back();
  }
  segments_.insert(segments_.end(), segments.begin(), segments.end());
}

void FileLog::Relearn(std::vector<SegmentInfo> segments) {
  segments_.clear();
  Learn(std::move(segments));
  size_bytes_ = unwritten_bytes_;
  for (const SegmentInfo& segment : segments_) size_bytes_ += segment.bytes;
}

void FileLog::FlushAsConfigured() {
  if (written_ - synced_ >= config_.flush_messages) sync_wanted_ = std::max(sync_wanted_, written_);
  // What is closed becomes durable, so that no crash makes its recovery necessary.
  if (!segments_.empty()) sync_wanted_ = std::max(sync_wanted_, segments_.back().base_offset);
  ScheduleSync();
  if (config_.flush_ms == kNever || written_ <= synced_) return;
  base::Executor& executor = options_.directory->executor();
  const base::Time due =
      base::SaturatingAdd(executor.clock().Now(), std::chrono::milliseconds(config_.flush_ms));
  if (due >= flush_due_) return;
  flush_due_ = due;
  executor.PostAt(due, [weak = weak_from_this(), due] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    base::MutexLock lock(self->mu_);
    if (due != self->flush_due_) return;  // the interval was made shorter
    self->flush_due_ = base::Time::max();
    self->sync_wanted_ = std::max(self->sync_wanted_, self->written_);
    self->ScheduleSync();
  });
}

// --- Durability ----------------------------------------------------------------------------------

void FileLog::RequestSync() {
  base::MutexLock lock(mu_);
  sync_wanted_ = tail_.range().end;
  metadata_wanted_ = metadata_asked_;
  ScheduleSync();
}

absl::StatusOr<Offset> FileLog::SyncFiles() {
  KL_ASSIGN_OR_RETURN(const Offset end, disk_->Sync());
  // After that: whatever was written before those batches is written by now.
  KL_RETURN_IF_ERROR(metadata_.Sync());
  return end;
}

void FileLog::SyncNow() {
  uint64_t cuts;
  uint64_t metadata;
  {
    base::MutexLock lock(mu_);
    if (IsCutting()) {
      sync_scheduled_ = false;
      return;
    }
    cuts = cuts_asked_;
    metadata = metadata_written_;
  }
  const absl::StatusOr<Offset> end = SyncFiles();
  {
    base::MutexLock lock(mu_);
    sync_scheduled_ = false;
    if (end.ok() && cuts == cuts_asked_) {
      synced_ = std::max(synced_, *end);
      written_ = std::max(written_, *end);
    }
    if (end.ok()) {
      metadata_synced_ = std::max(metadata_synced_, metadata);
      ScheduleSync();  // for those who asked meanwhile
    }
  }
  if (!end.ok()) return Fail(end.status());
  Notify();
}

absl::Status FileLog::Close() {
  KL_RETURN_IF_ERROR(failure());
  absl::StatusOr<Offset> end = SyncFiles();
  absl::Status status = end.status();
  if (status.ok()) status = disk_->Seal();
  if (!status.ok()) {
    MarkUnsynced();
    return status;
  }
  base::MutexLock lock(mu_);
  synced_ = *end;
  return status;
}

// --- Reading -------------------------------------------------------------------------------------

class FileLog::ColdFileRead final : public ColdRead {
 public:
  // `waits`: the files may still have what was truncated.
  ColdFileRead(std::shared_ptr<FileLog> log, Offset from, const ReadLimits& limits, bool waits)
      : log_(std::move(log)), from_(from), limits_(limits), waits_(waits) {}

  void Load(LoadCallback callback) override {
    Post([from = from_, limits = limits_, callback = std::move(callback)](FileLog& log) mutable {
      callback(log.disk_->Read(from, limits));
    });
  }
  void Locate(LocateCallback callback) override {
    Post([from = from_, limits = limits_, callback = std::move(callback)](FileLog& log) mutable {
      callback(log.disk_->Locate(from, limits));
    });
  }

 private:
  void Post(absl::AnyInvocable<void(FileLog&)> task) {
    if (waits_) return log_->PostRead(std::move(task));
    log_->Post(Queue::kRead, std::move(task));
  }

  const std::shared_ptr<FileLog> log_;
  const Offset from_;
  const ReadLimits limits_;
  const bool waits_;
};

absl::StatusOr<ReadResult> FileLog::Read(Offset from, const ReadLimits& limits) {
  base::MutexLock lock(mu_);
  const LogTail::Range& range = tail_.range();
  if (from < range.start || from > range.end) {
    return absl::OutOfRangeError(
        base::ToAbsl(base::Cat("offset ", from.value(), " is outside of the log's [",
                               range.start.value(), ", ", range.end.value(), "]")));
  }
  if (tail_.Has(from)) return ReadResult{tail_.Read(from, limits), nullptr};
  return ReadResult{{},
                    std::make_shared<ColdFileRead>(shared_from_this(), from, limits, IsCutting())};
}

void FileLog::FindByTimestamp(int64_t timestamp, Offset max_offset, Log::FindCallback callback) {
  PostRead([timestamp, max_offset, start = range().start,
            callback = std::move(callback)](FileLog& log) mutable {
    const absl::Status failure = log.failure();
    if (!failure.ok()) return callback(failure);
    callback(log.disk_->FindByTimestamp(timestamp, start, max_offset));
  });
}

void FileLog::VisitHeaders(Offset from, Log::HeaderVisitor visit, Log::DoneCallback done) {
  PostRead([from = std::max(from, range().start), visit = std::move(visit),
            done = std::move(done)](FileLog& log) mutable {
    const absl::Status failure = log.failure();
    if (!failure.ok()) return done(failure);
    done(log.disk_->VisitHeaders(from, [&visit](const auto& header) { visit(header); }));
  });
}

// --- What is kept in memory ----------------------------------------------------------------------

void FileLog::CountCache() {
  const int64_t now = tail_.memory_bytes();
  options_.directory->cached_bytes().fetch_add(now - std::exchange(counted_cache_, now),
                                               std::memory_order_relaxed);
}

// Down to so much, of what is written.
void FileLog::TrimCacheTo(int64_t bytes) {
  while (!tail_.empty() && tail_.memory_bytes() > bytes &&
         tail_.front().header.next_offset() <= written_) {
    tail_.PopFront();
  }
  CountCache();
}

void FileLog::TrimCache() {
  const bool full = options_.directory->cached_bytes().load(std::memory_order_relaxed) >
                    options_.limits.directory_cached_bytes;
  TrimCacheTo(full ? options_.limits.cached_bytes / 16 : options_.limits.cached_bytes);
  if (full) options_.directory_cache_full();
}

void FileLog::DropCache() {
  base::MutexLock lock(mu_);
  TrimCacheTo(0);
}

// --- Truncation and retention --------------------------------------------------------------------

void FileLog::CutProgress() {
  ++cuts_asked_;
  const Offset end = tail_.range().end;
  written_ = std::min(written_, end);
  synced_ = std::min(synced_, end);
  sync_wanted_ = std::min(sync_wanted_, end);
  high_watermark_ = std::min(high_watermark_, end);
}

absl::Status FileLog::TruncateSuffix(Offset end) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(failure_);
  if (end >= tail_.range().end) return absl::OkStatus();
  size_bytes_ = std::max<int64_t>(0, size_bytes_ - tail_.TruncateSuffix(end));
  CountCache();
  const auto kept = std::find_if(pending_.begin(), pending_.end(), [end](const Batch& batch) {
    return batch.header.next_offset() > end;
  });
  Discard({kept, pending_.end()});
  pending_.erase(kept, pending_.end());
  CutProgress();
  PostInOrder([range = tail_.range()](FileLog& log) { log.TruncateFiles(range); });
  return absl::OkStatus();
}

void FileLog::TruncateFiles(const LogTail::Range& range) {
  const auto [start, end] = range;
  if (!failure().ok()) return;
  absl::Status status = options_.directory->LowerCheckpoints(options_.tp, end);
  if (status.ok()) status = disk_->TruncateSuffix(end);
  // Nothing is left but what had been let go: that goes, too, so that the files tell the end.
  if (status.ok() && start == end) status = disk_->TruncatePrefix(end);
  if (!status.ok()) return Fail(status);
  std::vector<SegmentInfo> segments = disk_->segments();
  {
    base::MutexLock lock(mu_);
    ++cuts_done_;
    if (IsCutting()) return;
    Relearn(std::move(segments));
    written_ = std::max(written_, end);
    FlushAsConfigured();  // what was written before that, and stays
  }
  Notify();
}

absl::Status FileLog::TruncatePrefix(Offset start) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(failure_);
  if (start <= tail_.range().start) return absl::OkStatus();
  tail_.TruncatePrefix(start);
  CountCache();
  const bool cuts = start == tail_.range().end;
  if (cuts) {
    // All segments go; so does what is not written yet.
    size_bytes_ = 0;
    segments_.clear();
    Discard(pending_);
    pending_.clear();
    CutProgress();
  } else {
    size_t count = 0;
    while (count + 1 < segments_.size() && segments_[count + 1].base_offset <= start) ++count;
    ForgetSegments(count);
  }
  PostInOrder([start, cuts](FileLog& log) { log.DropFiles(start, cuts); });
  return absl::OkStatus();
}

void FileLog::ForgetSegments(size_t count) {
  const auto end = segments_.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto it = segments_.begin(); it != end; ++it) size_bytes_ -= it->bytes;
  segments_.erase(segments_.begin(), end);
}

void FileLog::DropFiles(Offset start, bool cuts) {
  if (!failure().ok()) return;
  absl::Status status = EnsureNamed();
  if (status.ok()) status = options_.directory->RaiseLogStart(options_.tp, start);
  if (status.ok()) status = disk_->TruncatePrefix(start);
  if (!status.ok()) return Fail(status);
  std::vector<SegmentInfo> segments = disk_->segments();
  {
    base::MutexLock lock(mu_);
    if (cuts) ++cuts_done_;
    if (IsCutting()) return;
    Relearn(std::move(segments));
    written_ = std::max(written_, std::min(start, tail_.range().end));
    sync_wanted_ = std::max(sync_wanted_, std::min(start, written_));
    FlushAsConfigured();
  }
  Notify();
}

size_t FileLog::CountExpired(const Log::Retention& retention) const {
  int64_t bytes = size_bytes_;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const SegmentInfo& segment = segments_[i];
    const bool last = i + 1 == segments_.size();
    // The one that grows can go when it is closed, once everything in it is written.
    if (last && (segment.bytes == 0 || segment.next_offset != tail_.range().end)) return i;
    const Offset next = last ? segment.next_offset : segments_[i + 1].base_offset;
    if (next > retention.keep_from) return i;
    const bool too_old =
        retention.oldest_timestamp >= 0 && segment.max_timestamp < retention.oldest_timestamp;
    const bool too_much =
        retention.retained_bytes >= 0 && bytes - segment.bytes >= retention.retained_bytes;
    if (!too_old && !too_much) return i;
    bytes -= segment.bytes;
  }
  return segments_.size();
}

absl::Status FileLog::Retain(const Log::Retention& retention) {
  base::MutexLock lock(mu_);
  KL_RETURN_IF_ERROR(failure_);
  if (IsCutting()) return absl::OkStatus();  // segments_ is out of date; retention comes again
  const size_t count = CountExpired(retention);
  if (count == 0) return absl::OkStatus();
  const Offset start = count == segments_.size() ? tail_.range().end : segments_[count].base_offset;
  ForgetSegments(count);
  tail_.TruncatePrefix(start);
  CountCache();
  PostInOrder([start](FileLog& log) { log.DropFiles(start, /*cuts=*/false); });
  return absl::OkStatus();
}

// --- Metadata ------------------------------------------------------------------------------------

void FileLog::WriteMetadata(std::string_view name, std::optional<std::string> bytes) {
  base::MutexLock lock(mu_);
  ++metadata_asked_;
  PostInOrder([name = std::string(name), bytes = std::move(bytes)](FileLog& log) {
    if (!log.failure().ok()) return;
    const absl::Status status =
        bytes.has_value() ? log.metadata_.Write(name, *bytes) : log.metadata_.Delete(name);
    if (!status.ok()) return log.Fail(status);
    base::MutexLock hold(log.mu_);
    ++log.metadata_written_;
    log.ScheduleSync();
  });
}

void FileLog::ReadMetadata(Log::MetadataCallback callback) {
  PostRead([callback = std::move(callback)](FileLog& log) mutable {
    const absl::Status failure = log.failure();
    if (!failure.ok()) return callback(failure);
    callback(log.metadata_.ReadAll());
  });
}

// --- The handle ----------------------------------------------------------------------------------

namespace {

class OpenFileLog final : public Log {
 public:
  explicit OpenFileLog(std::shared_ptr<FileLog> log) : log_(std::move(log)) {}
  ~OpenFileLog() override { log_->SetListener(nullptr); }

  model::LogId id() const override { return log_->id(); }
  Offset start_offset() const override { return log_->range().start; }
  Offset end_offset() const override { return log_->range().end; }
  int64_t size_bytes() const override { return log_->size_bytes(); }
  void Configure(const model::TopicConfig& config) override { log_->Configure(config); }
  Progress progress() const override { return log_->progress(); }
  void SetListener(Listener listener) override {
    log_->SetListener(std::make_shared<const Listener>(std::move(listener)));
  }
  absl::Status Append(std::span<const Batch> batches) override { return log_->Append(batches); }
  void Sync() override { log_->RequestSync(); }
  absl::StatusOr<ReadResult> Read(Offset from, const ReadLimits& limits) const override {
    return log_->Read(from, limits);
  }
  void FindByTimestamp(int64_t timestamp, Offset max_offset, FindCallback callback) const override {
    log_->FindByTimestamp(timestamp, max_offset, std::move(callback));
  }
  void VisitHeaders(Offset from, HeaderVisitor visit, DoneCallback done) const override {
    log_->VisitHeaders(from, std::move(visit), std::move(done));
  }
  absl::Status TruncateSuffix(Offset end) override { return log_->TruncateSuffix(end); }
  absl::Status TruncatePrefix(Offset start) override { return log_->TruncatePrefix(start); }
  absl::Status Retain(const Retention& retention) override { return log_->Retain(retention); }
  void WriteMetadata(std::string_view name, std::string_view bytes) override {
    log_->WriteMetadata(name, std::string(bytes));
  }
  void DeleteMetadata(std::string_view name) override { log_->WriteMetadata(name, std::nullopt); }
  void ReadMetadata(MetadataCallback callback) const override {
    log_->ReadMetadata(std::move(callback));
  }
  Offset metadata_end() const override { return log_->metadata_end(); }
  void KeepHighWatermark(Offset high_watermark) override {
    log_->KeepHighWatermark(high_watermark);
  }
  Offset kept_high_watermark() const override { return log_->checkpoint().high_watermark; }

 private:
  const std::shared_ptr<FileLog> log_;
};

}  // namespace

std::unique_ptr<Log> FileLog::Open() { return std::make_unique<OpenFileLog>(shared_from_this()); }

}  // namespace kafkalite::storage
