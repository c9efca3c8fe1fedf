#include "kafkalite/server/handlers/fetch.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/replication/partition.h"
#include "kafkalite/server/handlers/gather.h"

namespace kafkalite::server {
namespace {

using Part = protocol::FetchResponse::Partition;
using replication::Partition;

// One fetch: reads all partitions; if that is not enough, waits at their high watermarks and reads
// again. Keeps itself alive while a read or the timer is under way.
class FetchOperation final : public replication::HighWatermarkListener,
                             public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(const ReplicaManager& replicas, const FetchTimers& timers,
                 protocol::FetchRequest request, transport::Reply<protocol::FetchResponse> reply)
      : timers_(timers), request_(std::move(request)), reply_(std::move(reply)) {
    for (const auto& wanted : request_.partitions) partitions_.push_back(replicas.Find(wanted.tp));
  }

  void Read() {
    std::vector<Part> parts(partitions_.size());
    auto gather = std::make_shared<Gather<Part>>(
        std::move(parts),
        [self = shared_from_this()](std::vector<Part> parts) { self->OnRead(std::move(parts)); });
    for (size_t i = 0; i < partitions_.size(); ++i) {
      const auto& wanted = request_.partitions[i];
      gather->part(i).tp = wanted.tp;
      if (partitions_[i] == nullptr) {
        gather->part(i).error = model::ErrorCode::kUnknownTopicOrPartition;
        gather->Release();
        continue;
      }
      partitions_[i]->Read({.current_leader_epoch = wanted.current_leader_epoch,
                            .fetch_offset = wanted.fetch_offset,
                            .max_bytes = static_cast<size_t>(
                                std::max(0, std::min(wanted.max_bytes, request_.max_bytes)))},
                           [gather, i](replication::ReadResult result) {
                             Part& part = gather->part(i);
                             part.error = result.error;
                             part.high_watermark = result.high_watermark;
                             part.log_start_offset = result.log_start_offset;
                             part.batches = std::move(result.batches);
                             if (result.cold != nullptr) return Load(gather, i, *result.cold);
                             gather->Release();
                           });
    }
    gather->Release();
  }

  void OnHighWatermark() override {
    {
      base::MutexLock lock(mu_);
      if (!waiting_) return;
      waiting_ = false;
    }
    Read();
  }

 private:
  static void Load(const std::shared_ptr<Gather<Part>>& gather, size_t i, storage::ColdRead& cold) {
    cold.Load([gather, i](absl::StatusOr<std::vector<format::Batch>> batches) {
      Part& part = gather->part(i);
      if (batches.ok()) {
        part.batches = *std::move(batches);
      } else {
        part.error = model::ErrorCode::kStorageError;
      }
      gather->Release();
    });
  }

  void OnRead(std::vector<Part> parts) {
    int64_t bytes = 0;
    // A partition that is in error, or has more than it may return: waiting would change nothing.
    bool settled = false;
    for (const Part& part : parts) {
      settled |= part.error != model::ErrorCode::kNone;
      settled |=
          !part.batches.empty() && part.batches.back().header.next_offset() < part.high_watermark;
      for (const format::Batch& batch : part.batches) {
        bytes += static_cast<int64_t>(batch.size_bytes());
      }
    }
    bool enough = settled || bytes >= request_.min_bytes || request_.max_wait.count() <= 0;
    {
      base::MutexLock lock(mu_);
      enough |= timed_out_;
      waiting_ = !enough;
    }
    if (enough) {
      Answer(std::move(parts), bytes);
    } else {
      Wait(parts);
    }
  }

  // Registering tells at once when the HW has moved since the read, so nothing is missed.
  void Wait(const std::vector<Part>& parts) {
    const auto self = shared_from_this();
    StartTimer();
    for (size_t i = 0; i < partitions_.size(); ++i) {
      const auto& wanted = request_.partitions[i];
      const model::Offset next = parts[i].batches.empty()
                                     ? wanted.fetch_offset
                                     : parts[i].batches.back().header.next_offset();
      partitions_[i]->Listen(next, self);
    }
  }

  void StartTimer() {
    const base::Time due = timers_.executor.clock().Now() + request_.max_wait;
    base::MutexLock lock(mu_);  // the timer may run before PostAt has returned
    if (timer_ != base::TimerId::kNone) return;
    timer_ = timers_.network.PostAt(timers_.node, due, [self = shared_from_this()] {
      {
        base::MutexLock lock(self->mu_);
        self->timed_out_ = true;
      }
      self->OnHighWatermark();
    });
  }

  void Answer(std::vector<Part> parts, int64_t bytes) {
    base::TimerId timer;
    {
      base::MutexLock lock(mu_);
      timer = timer_;
    }
    if (timer != base::TimerId::kNone) timers_.executor.Cancel(timer);
    // Over the request's limit: batches go from the last partitions first, never the first batch.
    for (size_t i = parts.size(); i > 0 && bytes > request_.max_bytes; --i) {
      auto& batches = parts[i - 1].batches;
      const size_t keep = i == 1 ? 1 : 0;
      while (batches.size() > keep && bytes > request_.max_bytes) {
        bytes -= static_cast<int64_t>(batches.back().size_bytes());
        batches.pop_back();
      }
    }
    reply_(protocol::FetchResponse{std::move(parts)});
  }

  const FetchTimers timers_;
  const protocol::FetchRequest request_;
  transport::Reply<protocol::FetchResponse> reply_;
  std::vector<std::shared_ptr<Partition>> partitions_;
  base::Mutex mu_;
  base::TimerId timer_ ABSL_GUARDED_BY(mu_) = base::TimerId::kNone;
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;
  bool timed_out_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

void HandleFetch(const ReplicaManager& replicas, const FetchTimers& timers,
                 protocol::FetchRequest request, transport::Reply<protocol::FetchResponse> reply) {
  std::make_shared<FetchOperation>(replicas, timers, std::move(request), std::move(reply))->Read();
}

}  // namespace kafkalite::server
