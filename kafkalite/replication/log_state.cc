#include "kafkalite/replication/log_state.h"

#include <algorithm>
#include <utility>

#include "kafkalite/format/checkpoint.h"
#include "kafkalite/format/file_names.h"
#include "kafkalite/format/producer_snapshot.h"

namespace kafkalite::replication {

using model::Offset;

std::string EncodeEpochs(const EpochCache& epochs) {
  std::vector<format::EpochStart> starts;
  for (const EpochCache::Entry& entry : epochs.entries()) {
    starts.push_back({entry.epoch, entry.start_offset});
  }
  return format::EncodeEpochCheckpoint(starts);
}

std::string SnapshotName(Offset end) {
  return format::ToString({end, format::LogFileKind::kProducerSnapshot});
}

LogStateBuilder::LogStateBuilder(const std::map<std::string, std::string>& metadata,
                                 const Range& range, const Clocks& now)
    : now_(now), epochs_from_(range.start), producers_from_(range.start) {
  ReadEpochs(metadata, range);
  ReadProducers(metadata, range);
}

void LogStateBuilder::ReadEpochs(const std::map<std::string, std::string>& metadata,
                                 const Range& range) {
  const auto file = metadata.find(std::string(format::kLeaderEpochName));
  if (file == metadata.end()) return;
  saved_epochs_ = file->second;
  const auto starts = format::ParseEpochCheckpoint(file->second);
  // Every batch has an epoch: a file that does not say the first one's is not of this log.
  if (!starts.ok() || starts->empty() || starts->front().start_offset > range.start) return;
  for (const format::EpochStart& start : *starts) {
    if (start.start_offset < range.metadata_end) {
      state_.epochs.Assign(start.epoch, start.start_offset);
    }
  }
  state_.epochs.TruncatePrefix(range.start);
  epochs_from_ = range.metadata_end;
}

void LogStateBuilder::ReadProducers(const std::map<std::string, std::string>& metadata,
                                    const Range& range) {
  for (const auto& [name, bytes] : metadata) {  // in the order of their offsets
    const auto parsed = format::ParseLogFileName(name);
    if (!parsed.has_value() || parsed->kind != format::LogFileKind::kProducerSnapshot) continue;
    state_.snapshots.push_back(parsed->offset);
  }
  for (auto it = state_.snapshots.rbegin(); it != state_.snapshots.rend(); ++it) {
    if (*it > range.metadata_end || *it < range.start) continue;
    const auto producers = format::ParseProducerSnapshot(metadata.at(SnapshotName(*it)));
    if (!producers.ok()) continue;  // an older one, or the headers
    state_.producers.Restore(*producers, now_);
    producers_from_ = *it;
    return;
  }
}

void LogStateBuilder::Visit(const format::BatchHeader& header) {
  if (header.base_offset >= epochs_from_) {
    state_.epochs.Assign(header.leader_epoch, header.base_offset);
  }
  if (header.base_offset >= producers_from_) state_.producers.Appended(header, now_.steady);
}

LogState LogStateBuilder::Take() && {
  state_.epochs_are_saved = EncodeEpochs(state_.epochs) == saved_epochs_;
  return std::move(state_);
}

}  // namespace kafkalite::replication
