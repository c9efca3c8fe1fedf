#include "kafkalite/testing/slow_storage.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/random.h"
#include "kafkalite/testing/forwarding_log.h"

namespace kafkalite::testing {
namespace {

using model::Offset;
using storage::Log;

// Delays, in the order in which they were asked for.
class Disk {
 public:
  Disk(base::Executor& executor, const SlowStorageOptions& options)
      : options(options), executor_(executor), random_(options.seed) {}

  void Later(base::Task task) {
    base::Time due;
    {
      base::MutexLock lock(mu_);
      const auto longest = static_cast<uint64_t>(options.longest_delay.count());
      due = std::max(busy_until_,
                     executor_.clock().Now() + base::Duration(random_.Below(longest + 1)));
      busy_until_ = due;
    }
    executor_.PostAt(due, std::move(task));
  }

  const SlowStorageOptions options;

 private:
  base::Executor& executor_;
  base::Mutex mu_;
  base::Random random_ ABSL_GUARDED_BY(mu_);
  base::Time busy_until_ ABSL_GUARDED_BY(mu_);
};

// How far a log is written. Outlives it.
class Written {
 public:
  explicit Written(Offset end) : end_(end) {}

  Offset end() const {
    base::MutexLock lock(mu_);
    return end_;
  }
  void SetListener(Log::Listener listener) {
    base::MutexLock lock(mu_);
    listener_ = std::make_shared<const Log::Listener>(std::move(listener));
  }
  void Begin(Offset end) {
    base::MutexLock lock(mu_);
    under_way_.push_back(end);
  }
  void Finish() {
    std::shared_ptr<const Log::Listener> listener;
    {
      base::MutexLock lock(mu_);
      end_ = std::max(end_, under_way_.front());
      under_way_.pop_front();
      listener = listener_;
    }
    if (listener != nullptr) (*listener)();
  }
  // What is under way counts for no more than what is left.
  void Truncate(Offset end) {
    base::MutexLock lock(mu_);
    end_ = std::min(end_, end);
    for (Offset& offset : under_way_) offset = std::min(offset, end);
  }
  // The log was emptied and begins at `start`.
  void Restart(Offset start) {
    base::MutexLock lock(mu_);
    end_ = start;
    for (Offset& offset : under_way_) offset = start;
  }

 private:
  mutable base::Mutex mu_;
  Offset end_ ABSL_GUARDED_BY(mu_);
  std::deque<Offset> under_way_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const Log::Listener> listener_ ABSL_GUARDED_BY(mu_);
};

class SlowRead final : public storage::ColdRead {
 public:
  SlowRead(std::shared_ptr<Disk> disk, std::vector<format::Batch> batches)
      : disk_(std::move(disk)), batches_(std::move(batches)) {}
  void Load(LoadCallback callback) override {
    disk_->Later([batches = std::move(batches_), callback = std::move(callback)]() mutable {
      callback(std::move(batches));
    });
  }
  void Locate(LocateCallback callback) override {
    callback(absl::UnimplementedError("there are no files"));
  }

 private:
  const std::shared_ptr<Disk> disk_;
  std::vector<format::Batch> batches_;
};

class SlowLog final : public ForwardingLog {
 public:
  SlowLog(std::shared_ptr<Disk> disk, std::unique_ptr<Log> log)
      : ForwardingLog(std::move(log)),
        disk_(std::move(disk)),
        written_(std::make_shared<Written>(end_offset())) {}

  storage::Progress progress() const override {
    return {.written = written_->end(), .synced = written_->end()};
  }
  void SetListener(Listener listener) override { written_->SetListener(std::move(listener)); }
  absl::Status Append(std::span<const format::Batch> batches) override {
    const absl::Status status = ForwardingLog::Append(batches);
    if (!status.ok()) return status;
    written_->Begin(end_offset());
    disk_->Later([written = written_] { written->Finish(); });
    return status;
  }
  void Sync() override {}
  absl::StatusOr<storage::ReadResult> Read(Offset from,
                                           const storage::ReadLimits& limits) const override {
    auto read = ForwardingLog::Read(from, limits);
    if (!read.ok() || from + disk_->options.tail_records >= end_offset()) return read;
    return storage::ReadResult{{}, std::make_shared<SlowRead>(disk_, std::move(read->batches))};
  }
  void FindByTimestamp(int64_t timestamp, Offset max_offset, FindCallback callback) const override {
    ForwardingLog::FindByTimestamp(
        timestamp, max_offset, [this, callback = std::move(callback)](auto found) mutable {
          disk_->Later([found = std::move(found), callback = std::move(callback)]() mutable {
            callback(std::move(found));
          });
        });
  }
  void VisitHeaders(Offset from, HeaderVisitor visit, DoneCallback done) const override {
    std::vector<format::BatchHeader> headers;
    ForwardingLog::VisitHeaders(
        from, [&](const format::BatchHeader& header) { headers.push_back(header); },
        [](const absl::Status&) {});
    disk_->Later(
        [headers = std::move(headers), visit = std::move(visit), done = std::move(done)]() mutable {
          for (const format::BatchHeader& header : headers) visit(header);
          done(absl::OkStatus());
        });
  }
  absl::Status TruncateSuffix(Offset end) override {
    const absl::Status status = ForwardingLog::TruncateSuffix(end);
    written_->Truncate(end_offset());
    return status;
  }
  absl::Status TruncatePrefix(Offset start) override {
    const bool restarts = start > end_offset();
    const absl::Status status = ForwardingLog::TruncatePrefix(start);
    if (restarts) written_->Restart(end_offset());
    return status;
  }

 private:
  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Written> written_;
};

class SlowStorage final : public storage::Storage {
 public:
  SlowStorage(base::Executor& executor, std::shared_ptr<Storage> storage,
              const SlowStorageOptions& options)
      : disk_(std::make_shared<Disk>(executor, options)), storage_(std::move(storage)) {}

  absl::StatusOr<std::unique_ptr<Log>> Open(const model::TopicPartition& tp,
                                            model::LogId new_id) override {
    auto log = storage_->Open(tp, new_id);
    if (!log.ok()) return log;
    return std::make_unique<SlowLog>(disk_, *std::move(log));
  }
  std::vector<std::pair<model::TopicPartition, model::LogId>> List() const override {
    return storage_->List();
  }
  void Delete(const model::TopicPartition& tp, Log::DoneCallback done) override {
    storage_->Delete(tp, std::move(done));
  }
  absl::Status Close() override { return storage_->Close(); }

 private:
  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Storage> storage_;
};

}  // namespace

std::shared_ptr<storage::Storage> MakeSlowStorage(base::Executor& executor,
                                                  std::shared_ptr<storage::Storage> storage,
                                                  const SlowStorageOptions& options) {
  return std::make_shared<SlowStorage>(executor, std::move(storage), options);
}

}  // namespace kafkalite::testing
