#include "kafkalite/format/producer_snapshot.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/endian.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::format {
namespace {

using base::LoadBig;
using base::StoreBig;

constexpr int16_t kVersion = 1;

// Where the fields of the file and of an entry begin.
constexpr size_t kCrcAt = 2;
constexpr size_t kCountAt = 6;
constexpr size_t kEntriesAt = 10;
constexpr size_t kEpochAt = 8;
constexpr size_t kLastSequenceAt = 10;
constexpr size_t kLastOffsetAt = 14;
constexpr size_t kOffsetDeltaAt = 22;
constexpr size_t kTimestampAt = 26;
constexpr size_t kCoordinatorEpochAt = 34;
constexpr size_t kTxnFirstOffsetAt = 38;
constexpr size_t kEntryBytes = 46;

void EncodeEntry(const ProducerSnapshotEntry& entry, char* out) {
  StoreBig<int64_t>(out, entry.producer_id.value());
  StoreBig<int16_t>(out + kEpochAt, entry.epoch);
  StoreBig<int32_t>(out + kLastSequenceAt, entry.last_sequence);
  StoreBig<int64_t>(out + kLastOffsetAt, entry.last_offset.value());
  StoreBig<int32_t>(out + kOffsetDeltaAt, entry.offset_delta);
  StoreBig<int64_t>(out + kTimestampAt, entry.timestamp);
  StoreBig<int32_t>(out + kCoordinatorEpochAt, entry.coordinator_epoch);
  StoreBig<int64_t>(out + kTxnFirstOffsetAt, entry.current_txn_first_offset.value());
}

ProducerSnapshotEntry DecodeEntry(const char* in) {
  return {.producer_id = model::ProducerId(LoadBig<int64_t>(in)),
          .epoch = LoadBig<int16_t>(in + kEpochAt),
          .last_sequence = LoadBig<int32_t>(in + kLastSequenceAt),
          .last_offset = model::Offset(LoadBig<int64_t>(in + kLastOffsetAt)),
          .offset_delta = LoadBig<int32_t>(in + kOffsetDeltaAt),
          .timestamp = LoadBig<int64_t>(in + kTimestampAt),
          .coordinator_epoch = LoadBig<int32_t>(in + kCoordinatorEpochAt),
          .current_txn_first_offset = model::Offset(LoadBig<int64_t>(in + kTxnFirstOffsetAt))};
}

absl::Status Lost(std::string_view what) {
  return absl::DataLossError(base::ToAbsl(base::Cat("producer snapshot: ", what)));
}

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(base::ToAbsl(base::Cat("producer snapshot: ", what)));
}

absl::Status CheckEntry(const ProducerSnapshotEntry& entry, size_t index) {
  if (entry.producer_id >= model::ProducerId(0) && entry.offset_delta >= 0) {
    return absl::OkStatus();
  }
  return Invalid(base::Cat("entry ", index, " has producer id ", entry.producer_id.value(),
                           " and offset delta ", entry.offset_delta));
}

}  // namespace

std::string EncodeProducerSnapshot(std::span<const ProducerSnapshotEntry> producers) {
  std::string out(kEntriesAt + producers.size() * kEntryBytes, '\0');
  StoreBig<int16_t>(out.data(), kVersion);
  StoreBig<int32_t>(out.data() + kCountAt, static_cast<int32_t>(producers.size()));
  char* at = out.data() + kEntriesAt;
  for (const ProducerSnapshotEntry& entry : producers) {
    EncodeEntry(entry, at);
    at += kEntryBytes;
  }
  const std::string_view covered = std::string_view(out).substr(kCountAt);
  StoreBig<uint32_t>(out.data() + kCrcAt, base::Crc32c(covered));
  return out;
}

absl::StatusOr<std::vector<ProducerSnapshotEntry>> ParseProducerSnapshot(std::string_view bytes) {
  if (bytes.size() < kEntriesAt) {
    return Lost(base::Cat("it has ", bytes.size(), " bytes, its head alone ", kEntriesAt));
  }
  const auto version = LoadBig<int16_t>(bytes.data());
  if (version != kVersion) return Invalid(base::Cat("version is ", version, ", not ", kVersion));
  const auto crc = LoadBig<uint32_t>(bytes.data() + kCrcAt);
  if (const uint32_t actual = base::Crc32c(bytes.substr(kCountAt)); actual != crc) {
    return Lost(base::Cat("CRC is ", absl::Hex(crc, absl::kZeroPad8), ", but the bytes have ",
                          absl::Hex(actual, absl::kZeroPad8)));
  }
  const auto count = LoadBig<int32_t>(bytes.data() + kCountAt);
  const size_t present = (bytes.size() - kEntriesAt) / kEntryBytes;
  // Compared in this order, so that no count makes a product overflow.
  if (count < 0 || static_cast<size_t>(count) != present ||
      bytes.size() != kEntriesAt + present * kEntryBytes) {
    return Invalid(base::Cat("it counts ", count, " producers in ", bytes.size(), " bytes"));
  }
  std::vector<ProducerSnapshotEntry> producers;
  producers.reserve(present);
  for (size_t i = 0; i < present; ++i) {
    producers.push_back(DecodeEntry(bytes.data() + kEntriesAt + i * kEntryBytes));
    if (absl::Status status = CheckEntry(producers.back(), i); !status.ok()) return status;
  }
  return producers;
}

}  // namespace kafkalite::format
