// File: consumer_engine.h
//
// What is behind the public Consumer: knows where each assigned partition is read next and who
// leads it, asks the leaders, and buffers what they answer until Poll takes it.
//
// The engine runs inside the user's calls only: it has no thread and no timer. Answers, which come
// on any thread, go to an inbox, which is all that is shared; everything else belongs to whoever is
// inside a call. Requests outlive the call that sent them, and their answers are found by the next.
// Destroying the engine closes the inbox and waits for nobody.
//
// Each partition goes round:
//
//   leader unknown --metadata--> no position --ListOffsets--> ready --Fetch--> has batches
//        ^                                                     ^                    |
//        +-- any answer that says "not here", after a pause    +-------- Poll ------+
//
// Thread safety: one thread at a time.

#ifndef KAFKALITE_CLIENT_CONSUMER_ENGINE_H_
#define KAFKALITE_CLIENT_CONSUMER_ENGINE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/client/cluster_client.h"
#include "kafkalite/consumer.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/protocol/fetch.h"
#include "kafkalite/protocol/list_offsets.h"

namespace kafkalite::client {

class ConsumerEngine {
 public:
  // INVALID_ARGUMENT names the option and its value.
  static absl::StatusOr<std::unique_ptr<ConsumerEngine>> Create(
      std::shared_ptr<ClientRuntime> runtime, const ConsumerOptions& options);
  ~ConsumerEngine();
  ConsumerEngine(const ConsumerEngine&) = delete;
  ConsumerEngine& operator=(const ConsumerEngine&) = delete;

  // As those of Consumer.
  absl::Status Assign(const std::vector<TopicPartition>& partitions);
  absl::Status AssignTopic(std::string_view topic);
  std::vector<TopicPartition> assignment() const;
  absl::Status Seek(const TopicPartition& partition, int64_t offset);
  absl::Status SeekToBeginning();
  absl::Status SeekToEnd();
  absl::Status SeekToTimestamp(int64_t timestamp_ms);
  absl::StatusOr<int64_t> Position(const TopicPartition& partition);
  absl::StatusOr<Records> Poll(std::chrono::milliseconds timeout);

 private:
  class Inbox;

  struct Partition {
    model::TopicPartition tp;
    // Raised by whatever makes an answer that is under way meaningless.
    uint64_t generation = 0;
    bool asked = false;  // an answer of this generation is under way

    std::optional<model::Offset> position;
    // While there is no position: the timestamp whose offset it will be.
    std::optional<int64_t> lookup;
    model::BrokerId leader = model::kNoBroker;  // as far as known
    model::LeaderEpoch leader_epoch = model::kNoEpoch;

    // Nothing is asked before; after each failure in a row the pause is longer.
    base::Time retry_at = base::Time::min();
    base::Duration pause = base::Duration::zero();

    std::vector<format::Batch> batches;  // fetched, not yet returned
    absl::Status error;                  // not yet returned
  };
  using PartitionRef = std::shared_ptr<Partition>;

  // A request under way, and for which generations of its partitions, in its order.
  struct Pending {
    base::Time sent;
    base::Time deadline;
    std::vector<std::pair<PartitionRef, uint64_t>> partitions;
  };

  ConsumerEngine(std::shared_ptr<ClientRuntime> runtime, const ConsumerOptions& options);

  base::Executor& executor() { return *client_->runtime().executor; }
  base::Time Now() { return executor().clock().Now(); }

  // Asks for a topic now and waits.
  absl::StatusOr<std::shared_ptr<const TopicMetadata>> AwaitTopic(const std::string& topic);
  void Replace(const std::map<model::TopicPartition, TopicMetadata::Partition>& assignment,
               std::vector<TopicPartition> names);
  absl::StatusOr<PartitionRef> Assigned(const TopicPartition& partition) const;
  absl::Status CheckAssigned() const;

  // Forgets the answers under way, what is buffered and the error.
  void Detach(Partition& partition);
  void LookUp(Partition& partition, int64_t timestamp);
  absl::Status SeekTo(int64_t timestamp);
  absl::Status AwaitPositions(const std::vector<PartitionRef>& partitions);

  // Takes in what has been answered, and what has not been in time.
  base::Time Hear();
  // Asks what is to be asked, fetches only if `fetch`. Whether there may be something to hear.
  bool Ask(bool fetch, base::Time now);
  // Sleeps until there is an answer, the next thing to do, or the deadline.
  absl::Status Wait(base::Time deadline);

  void OnTopic(const std::string& topic,
               const absl::StatusOr<std::shared_ptr<const TopicMetadata>>& result, base::Time now);
  void OnOffsets(uint64_t id, const absl::StatusOr<protocol::ListOffsetsResponse>& answer,
                 base::Time now);
  void OnOffset(Partition& partition, const protocol::ListOffsetsResponse::Partition& answer,
                base::Time now);
  void OnFetched(uint64_t id, absl::StatusOr<protocol::FetchResponse> answer, base::Time now);
  // Decompresses what is compressed.
  absl::Status Unpack(std::vector<format::Batch>& batches);
  void OnBatches(Partition& partition, protocol::FetchResponse::Partition& answer, base::Time now);
  // Finds the leader again, after a pause from the second failure on.
  void Fail(Partition& partition, base::Time now);
  void OnError(Partition& partition, model::ErrorCode error, base::Time now);
  void Expire(base::Time now);

  void AskForTopics(const std::set<std::string>& topics);
  void AskForOffsets(model::BrokerId broker, const std::vector<PartitionRef>& partitions,
                     base::Time now);
  void AskForBatches(model::BrokerId broker, const std::vector<PartitionRef>& partitions,
                     base::Time now);
  uint64_t AddPending(const std::vector<PartitionRef>& partitions, base::Time now,
                      base::Duration timeout);

  std::optional<absl::Status> TakeError();
  // Without records if there are none.
  absl::StatusOr<Records> TakeRecords();

  // Constant after construction.
  const std::shared_ptr<ClusterClient> client_;
  const ConsumerOptions options_;
  const std::shared_ptr<Inbox> inbox_;

  std::vector<TopicPartition> assignment_;  // as it was given
  std::map<model::TopicPartition, PartitionRef> partitions_;
  // The same, in the order in which they are asked for: who was served goes to the end.
  std::vector<PartitionRef> queue_;
  std::map<uint64_t, Pending> pending_;
  uint64_t next_id_ = 1;
  std::set<std::string> refreshing_;        // topics that are being asked for
  base::Time wake_at_ = base::Time::max();  // the next thing to do, if no answer comes before
};

}  // namespace kafkalite::client

#endif  // KAFKALITE_CLIENT_CONSUMER_ENGINE_H_
