// Opening: what a replica knows of its log is read from beside it and from its headers. And keeping
// that up to date, for the next time.

#include <algorithm>
#include <utility>

#include "kafkalite/format/file_names.h"
#include "kafkalite/format/producer_snapshot.h"
#include "kafkalite/replication/partition.h"

namespace kafkalite::replication {

using model::Offset;

namespace {

// After a crash the headers since the last snapshot are read again: of so many bytes, at most.
constexpr size_t kSnapshotInterval = size_t{64} << 20;
// As Kafka keeps: the last one may be of a crash.
constexpr size_t kSnapshotsKept = 2;

}  // namespace

// What has to be known for a Partition to begin. Its strand is where the log is used until then.
struct Partition::Opening : std::enable_shared_from_this<Partition::Opening> {
  Opening(std::shared_ptr<PartitionHost> host_in, model::TopicPartition tp_in,
          const Options& options_in, std::unique_ptr<storage::Log> log_in, OpenCallback callback_in)
      : host(std::move(host_in)),
        tp(std::move(tp_in)),
        options(options_in),
        log(std::move(log_in)),
        callback(std::move(callback_in)),
        strand(host->executor()) {}

  void Start() {
    strand.Run([self = shared_from_this()] {
      self->log->ReadMetadata([self](absl::StatusOr<storage::Log::Metadata> metadata) {
        self->strand.Run([self, metadata = std::move(metadata)] {
          if (!metadata.ok()) return self->Fail(metadata.status());
          self->Visit(*metadata);
        });
      });
    });
  }
  void Visit(const storage::Log::Metadata& metadata) {
    base::Clock& clock = host->executor().clock();
    builder = std::make_unique<LogStateBuilder>(
        metadata, LogStateBuilder::Range{log->start_offset(), log->metadata_end()},
        Clocks{clock.Now(), clock.WallMillis()});
    const auto self = shared_from_this();
    log->VisitHeaders(
        builder->visit_from(),
        [self](const format::BatchHeader& header) { self->builder->Visit(header); },
        [self](const absl::Status& status) {
          self->strand.Run([self, status] { self->Finish(status); });
        });
  }
  void Finish(const absl::Status& status) {
    if (!status.ok()) return Fail(status);
    const std::shared_ptr<Partition> partition(new Partition(*this, std::move(*builder).Take()));
    partition->WatchProgress();
    callback(partition);
  }
  void Fail(const absl::Status& status) {
    log.reset();  // whoever hears of it may open it again
    callback(status);
  }

  std::shared_ptr<PartitionHost> host;
  model::TopicPartition tp;
  const Options options;
  std::unique_ptr<storage::Log> log;
  OpenCallback callback;
  base::Strand strand;
  std::unique_ptr<LogStateBuilder> builder;
};

void Partition::Open(std::shared_ptr<PartitionHost> host, model::TopicPartition tp,
                     const Options& options, std::unique_ptr<storage::Log> log,
                     OpenCallback callback) {
  std::make_shared<Opening>(std::move(host), std::move(tp), options, std::move(log),
                            std::move(callback))
      ->Start();
}

Partition::Partition(Opening& opening, LogState state)
    : host_(std::move(opening.host)),
      tp_(std::move(opening.tp)),
      options_(opening.options),
      log_id_(opening.log->id()),
      state_path_(coordination::paths::PartitionState(tp_)),
      strand_(host_->executor()),
      log_(std::move(opening.log)),
      core_({.self = host_->self(), .lag_time_max = options_.lag_time_max}, log_id_,
            {log_->start_offset(), log_->end_offset()}, std::move(state.epochs),
            log_->kept_high_watermark()),
      producers_(std::move(state.producers)),
      saved_epochs_(state.epochs_are_saved ? core_.epochs().changes() : 0),
      snapshots_(std::move(state.snapshots)) {}

void Partition::WatchProgress() {
  strand_.Run([self = shared_from_this()] {
    self->strand_.AssertInside();
    self->DropSnapshotsAfter(self->log_->end_offset());  // what a crash left of the log
    // No strong reference: the log is the partition's.
    self->log_->SetListener([weak = self->weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->strand_.Run([self] {
        self->strand_.AssertInside();
        if (self->log_ != nullptr) self->OnProgress();
      });
    });
  });
}

Offset Partition::SafeEnd() const {
  const storage::Progress progress = log_->progress();
  // Kafka's way of asking for a sync before the acknowledgement.
  return config_.flush_messages <= 1 ? progress.synced : progress.written;
}

// --- What is beside the log ----------------------------------------------------------------------

void Partition::SaveEpochs() {
  if (core_.epochs().changes() == saved_epochs_) return;
  saved_epochs_ = core_.epochs().changes();
  log_->WriteMetadata(format::kLeaderEpochName, EncodeEpochs(core_.epochs()));
}

void Partition::CountForSnapshot(size_t bytes) {
  bytes_since_snapshot_ += bytes;
  if (bytes_since_snapshot_ >= kSnapshotInterval && !rebuilding_) SaveProducers();
}

void Partition::SaveProducers() {
  bytes_since_snapshot_ = 0;
  const Offset end = log_->end_offset();
  if (!snapshots_.empty() && snapshots_.back() == end) return;
  log_->WriteMetadata(SnapshotName(end),
                      format::EncodeProducerSnapshot(producers_.Snapshot(Both())));
  snapshots_.push_back(end);
  while (snapshots_.size() > kSnapshotsKept) {
    log_->DeleteMetadata(SnapshotName(snapshots_.front()));
    snapshots_.erase(snapshots_.begin());
  }
}

void Partition::DropSnapshotsAfter(Offset end) {
  for (; !snapshots_.empty() && snapshots_.back() > end; snapshots_.pop_back()) {
    log_->DeleteMetadata(SnapshotName(snapshots_.back()));
  }
}

}  // namespace kafkalite::replication
