// File: consumer_requests.h
//
// What a consumer asks brokers, and what it makes of their answers. Each partition goes round:
//
//   leader unknown --metadata--> no position --ListOffsets--> ready --Fetch--> has batches
//        ^                                                     ^                    |
//        +-- any answer that says "not here", after a pause    +-------- Poll ------+
//
// It has no thread and no timer. Answers, which come on any thread, go to an inbox, which is all
// that is shared. Requests outlive the call that sent them, and their answers are found by the
// next. Destroying it closes the inbox and waits for nobody.
//
// Thread safety: one thread at a time.

#ifndef KAFKALITE_CLIENT_CONSUMER_REQUESTS_H_
#define KAFKALITE_CLIENT_CONSUMER_REQUESTS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/client/consumer_inbox.h"
#include "kafkalite/client/consumer_partition.h"
#include "kafkalite/client/latency.h"
#include "kafkalite/consumer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/metrics.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/protocol/list_offsets.h"

namespace kafkalite::client {

// The timestamp to look up where there is no position; none if that is an error.
std::optional<int64_t> ResetTimestamp(OffsetReset reset);

class ConsumerRequests {
 public:
  ConsumerRequests(std::shared_ptr<ClusterClient> client, const ConsumerOptions& options);
  ~ConsumerRequests();
  ConsumerRequests(const ConsumerRequests&) = delete;
  ConsumerRequests& operator=(const ConsumerRequests&) = delete;

  base::Time Now() { return client_->runtime().executor->clock().Now(); }

  // Takes in what has been answered, and what has not been in time. Metadata are for those of
  // `partitions` that have no leader.
  base::Time Hear(const ConsumerPartitions& partitions);
  // Asks what is to be asked for these partitions, in their order; fetches only if `fetch`. Whether
  // there may be something to hear.
  bool Ask(const ConsumerPartitions& partitions, bool fetch, base::Time now);
  // Sleeps until there is an answer, the next thing to do for those asked last, or the deadline.
  absl::Status Wait(base::Time deadline);

  // The fetches so far.
  void Count(ConsumerMetrics& metrics) const;

 private:
  // A request under way, and for which generations of its partitions, in its order.
  struct Pending {
    base::Time sent;
    base::Time deadline;
    std::vector<std::pair<ConsumerPartitionRef, uint64_t>> partitions;
  };
  using Metadata = std::shared_ptr<const TopicMetadata>;

  void OnTopic(const std::string& topic, const absl::StatusOr<Metadata>& result,
               const ConsumerPartitions& partitions, base::Time now);
  void OnOffsets(uint64_t id, const absl::StatusOr<protocol::ListOffsetsResponse>& answer,
                 base::Time now);
  void OnOffset(ConsumerPartition& partition,
                const protocol::ListOffsetsResponse::Partition& answer, base::Time now);
  void OnFetched(ConsumerInbox::Answer<protocol::FetchResponse> answer, base::Time now);
  void OnBatches(ConsumerPartition& partition, protocol::FetchResponse::Partition& answer,
                 base::Time now);
  void OnOutOfRange(ConsumerPartition& partition, base::Time now);
  // Decompresses what is compressed.
  absl::Status Unpack(std::vector<format::Batch>& batches);
  void OnError(ConsumerPartition& partition, model::ErrorCode error, base::Time now);
  void Expire(base::Time now);

  void AskForTopics(const std::set<std::string>& topics);
  void AskForOffsets(model::BrokerId broker, const ConsumerPartitions& partitions, base::Time now);
  void AskForBatches(model::BrokerId broker, const ConsumerPartitions& partitions, base::Time now);
  uint64_t AddPending(const ConsumerPartitions& partitions, base::Time now, base::Duration timeout);

  // Constant after construction.
  const std::shared_ptr<ClusterClient> client_;
  const ConsumerOptions options_;
  const std::shared_ptr<ConsumerInbox> inbox_;

  std::map<uint64_t, Pending> pending_;
  uint64_t next_id_ = 1;
  std::set<std::string> refreshing_;        // topics that are being asked for
  base::Time wake_at_ = base::Time::max();  // the next thing to do, if no answer comes before
  LatencyRecorder fetch_latency_;
  Counter fetches_;
  Counter fetched_bytes_;
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_REQUESTS_H_
