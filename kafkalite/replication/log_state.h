// File: log_state.h
//
// What a replica knows of its log besides the batches: leader epochs and producers. Kept beside the
// log in Kafka's files, leader-epoch-checkpoint and <offset>.snapshot, and what those do not cover
// is learned from the headers:
//
//   LogStateBuilder builder(metadata, {start, metadata_end}, clocks);
//   log.VisitHeaders(builder.visit_from(), [&](const auto& header) { builder.Visit(header); },
//   ...); LogState state = std::move(builder).Take();
//
// Files that are missing or damaged are done without: then more headers are visited. Pure; thread
// safety: none.

#ifndef KAFKALITE_REPLICATION_LOG_STATE_H_
#define KAFKALITE_REPLICATION_LOG_STATE_H_

#include <map>
#include <string>
#include <vector>

#include "kafkalite/base/clock.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/replication/epoch_cache.h"
#include "kafkalite/replication/producer_state.h"

namespace kafkalite::replication {

struct LogState {
  EpochCache epochs;
  ProducerState producers;
  bool epochs_are_saved = false;         // the checkpoint says just that
  std::vector<model::Offset> snapshots;  // that there are, in order
};

std::string EncodeEpochs(const EpochCache& epochs);
// The name of the snapshot of a log that ends at `end`.
std::string SnapshotName(model::Offset end);

class LogStateBuilder {
 public:
  // What the files say of offsets before `metadata_end` is true; see storage::Log::metadata_end.
  struct Range {
    model::Offset start;
    model::Offset metadata_end;
  };
  LogStateBuilder(const std::map<std::string, std::string>& metadata, const Range& range,
                  const Clocks& now);

  model::Offset visit_from() const { return std::min(epochs_from_, producers_from_); }
  void Visit(const format::BatchHeader& header);
  LogState Take() &&;

 private:
  void ReadEpochs(const std::map<std::string, std::string>& metadata, const Range& range);
  void ReadProducers(const std::map<std::string, std::string>& metadata, const Range& range);

  const Clocks now_;
  std::string saved_epochs_;
  LogState state_;
  model::Offset epochs_from_;
  model::Offset producers_from_;
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_LOG_STATE_H_
