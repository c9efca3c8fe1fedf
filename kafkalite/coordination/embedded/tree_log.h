// File: tree_log.h
//
// The bytes of the two files that keep a tree: a snapshot of it, and a journal of the commits after
// that. Pure.
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
// A journal (tree_log_test.cc has it, and the snapshot that it makes):
//
//   4b4c544a 00000001 0000000000000000 eebb474b   "KLTJ", version 1, after no snapshot
//   0000000000000015 6d1cc445 b84f0587            a record of 21 bytes
//     02 04                                       transaction 1, 2 changes
//       02 082f696473 00 02                       create "/ids", "", the first child of "/"
//       02 0c2f65706f6368 0230 04                 create "/epoch", "0", the second one
//   0000000000000016 5b0cd546 45ede53f            one of 22, for the two commits of one sync
//     04 02                                       transaction 2, 1 change
//       08 082f696473 02                          an ephemeral, the first child of "/ids"
//     08 02                                       transaction 4, 1 change; 3 changed nothing here
//       04 0c2f65706f6368 0231 02                 set "/epoch", "1", its version 1
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
