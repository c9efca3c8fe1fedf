// File: file_names.h
//
// How Kafka names what is in a data directory:
//
//   meta.properties  .lock  .kafka_cleanshutdown  recovery-point-offset-checkpoint  ...
//   orders-0/                               a partition's log
//     leader-epoch-checkpoint
//     00000000000000001500.log              the segment from offset 1500 on
//     00000000000000001500.index  .timeindex  .txnindex
//     00000000000000002000.snapshot         the producers of a log that ends at 2000
//   orders-1.5f0a3c...-delete/              a log that is being deleted

#ifndef KAFKALITE_FORMAT_FILE_NAMES_H_
#define KAFKALITE_FORMAT_FILE_NAMES_H_

#include <optional>
#include <string>
#include <string_view>

#include "kafkalite/model/ids.h"

namespace kafkalite::format {

// In a data directory.
inline constexpr std::string_view kMetaPropertiesName = "meta.properties";
inline constexpr std::string_view kLockName = ".lock";
inline constexpr std::string_view kCleanShutdownName = ".kafka_cleanshutdown";
inline constexpr std::string_view kRecoveryPointName = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkName = "replication-offset-checkpoint";
inline constexpr std::string_view kLogStartName = "log-start-offset-checkpoint";
// In a log's folder.
inline constexpr std::string_view kLeaderEpochName = "leader-epoch-checkpoint";

// After the name of a segment's file: about to be deleted; being cleaned, which begins anew after a
// restart; cleaned, to take the place of what it was made of.
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

enum class LogFileKind { kLog, kOffsetIndex, kTimeIndex, kTransactionIndex, kProducerSnapshot };

struct LogFileName {
  model::Offset offset;  // the segment's base offset, or the end of what a snapshot covers
  LogFileKind kind;
  bool operator==(const LogFileName&) const = default;
};

std::string ToString(const LogFileName& name);
// Nothing for a name that is not exactly so.
std::optional<LogFileName> ParseLogFileName(std::string_view name);

struct LogFolderName {
  enum class State {
    kInUse,
    kDeleted,  // nobody's any more
    kFuture,   // being copied here from another data directory
  };
  model::TopicPartition tp;
  State state = State::kInUse;
  bool operator==(const LogFolderName&) const = default;
};

// model::ToString names a log's folder; this one to which it is renamed before it is deleted.
// `unique` keeps it from an older one: hexadecimal digits of a random number, as of a UUID. The
// topic's name may lose its end, as a folder's name has 255 bytes at most.
std::string DeletedFolderName(const model::TopicPartition& tp, std::string_view unique);
// Nothing for what is no log's folder.
std::optional<LogFolderName> ParseLogFolderName(std::string_view name);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_FILE_NAMES_H_
