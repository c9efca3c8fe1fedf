// File: tree_log.h
//
// The bytes of the two files that keep a tree: a snapshot of it, and a journal of the commits after
// that. Pure; docs/internals/coordination.md has an example, byte by byte.
//
//   snapshot    = header record               ; the payload is node*
//   journal     = header record*              ; each payload is commit commit*, what one sync made
//                                             ; durable
//   header      = magic version transaction headerCrc                               ; 20 bytes
//   record      = length payloadCrc recordCrc payload                               ; 16 + length
//   node        = path data creationId dataVersion childrenMade
//   commit      = transaction changeCount change*
//   change      = 1 path data childrenMade    ; create; of its parent, this one included
//               | 2 path data dataVersion     ; set; the new one
//               | 3 path                      ; delete
//               | 4 path childrenMade         ; the node at path had an ephemeral child made
//
//   magic       4 bytes: "KLTS" in a snapshot, "KLTJ" in a journal
//   version     int32: 1
//   transaction int64: the last one that the snapshot has in it; in a journal, that of the snapshot
//               which it continues, 0 for none
//   length      int64
//   ...Crc      uint32: CRC-32C of the payload, or of all bytes of the header or record before it
//
// Those are big endian. Within payloads, numbers are zigzag varints, and path and data a length and
// as many bytes. Nodes come in the order of their paths, "/" first. Transactions rise, not always
// by one.
//
// A record is written by one call and synced before the next is written. So after a crash only the
// last one can be torn: it is passed over, for nobody was told of it. A bad record that others
// follow was damaged later; so was a bad header, or anything bad in a snapshot.
//
// Errors: DATA_LOSS says at which byte; FAILED_PRECONDITION: a newer version wrote this.
// Thread safety: none needed.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_TREE_LOG_H_
#define KAFKALITE_COORDINATION_EMBEDDED_TREE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/coordination/embedded/kept_tree.h"

namespace kafkalite::coordination {

inline constexpr size_t kTreeFileHeaderBytes = 20;
inline constexpr size_t kTreeRecordHeaderBytes = 16;

std::string EncodeSnapshot(const KeptTree& tree);
absl::StatusOr<KeptTree> DecodeSnapshot(std::string_view file);

// The journal that continues a snapshot, or no snapshot (0).
std::string EncodeJournalHeader(int64_t transaction);
// Appends a commit to the payload of a record.
void EncodeCommit(const KeptCommit& commit, std::string& payload);
// What stands before the payload.
std::string EncodeRecordHeader(std::string_view payload);

// Applies what the journal has and `tree` has not. After an error `tree` is spoilt.
absl::Status ReplayJournal(std::string_view file, KeptTree& tree);

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_TREE_LOG_H_
