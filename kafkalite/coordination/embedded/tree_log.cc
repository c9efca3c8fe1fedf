#include "kafkalite/coordination/embedded/tree_log.h"

#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "kafkalite/base/crc32c.h"
#include "kafkalite/base/endian.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/base/varint.h"
#include "kafkalite/coordination/embedded/tree_path.h"

namespace kafkalite::coordination {
namespace {

constexpr std::string_view kSnapshotMagic = "KLTS";
constexpr std::string_view kJournalMagic = "KLTJ";
constexpr int32_t kVersion = 1;

absl::Status Damaged(size_t position, std::string_view what) {
  return absl::DataLossError(base::ToAbsl(base::Cat("at byte ", position, ": ", what)));
}

// --- Numbers and texts ---------------------------------------------------------------------------

void PutNumber(std::string& out, int64_t number) {
  std::array<char, base::kMaxVarlongBytes> bytes;
  out.append(bytes.data(), base::WriteVarint(bytes.data(), number));
}

void PutText(std::string& out, std::string_view text) {
  PutNumber(out, static_cast<int64_t>(text.size()));
  out += text;
}

// Takes a payload apart. Once something did not fit, everything reads as nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool AtEnd() const { return at_ == end_; }
  bool ok() const { return ok_; }

  template <class Number = int64_t>
  Number GetNumber() {
    Number number = 0;
    const char* const after = base::ReadVarint(at_, end_, &number);
    if (after == nullptr) return Fail();
    at_ = after;
    return number;
  }
  std::string GetText() {
    const int64_t size = GetNumber();
    if (size < 0 || size > end_ - at_) {
      Fail();
      return {};
    }
    std::string text(at_, static_cast<size_t>(size));
    at_ += size;
    return text;
  }

 private:
  int Fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

// --- Headers -------------------------------------------------------------------------------------

std::string EncodeFileHeader(std::string_view magic, int64_t transaction) {
  std::string header(kTreeFileHeaderBytes, '\0');
  magic.copy(header.data(), magic.size());
  base::StoreBig<int32_t>(header.data() + 4, kVersion);
  base::StoreBig<int64_t>(header.data() + 8, transaction);
  base::StoreBig<uint32_t>(header.data() + 16,
                           base::Crc32c(std::string_view(header).substr(0, 16)));
  return header;
}

absl::StatusOr<int64_t> DecodeFileHeader(std::string_view magic, std::string_view file) {
  if (!file.starts_with(magic)) {
    return Damaged(0, base::Cat("it does not begin with '", magic, "'"));
  }
  if (file.size() < kTreeFileHeaderBytes) return Damaged(file.size(), "it ends in its header");
  const auto version = base::LoadBig<int32_t>(file.data() + 4);
  if (version > kVersion) {
    return absl::FailedPreconditionError(base::ToAbsl(base::Cat(
        "at byte 4: its format has version ", version, ", and this program knows version ",
        kVersion, " only: use the program that wrote it, or a newer one")));
  }
  if (version < kVersion) return Damaged(4, base::Cat("there is no version ", version));
  if (base::LoadBig<uint32_t>(file.data() + 16) != base::Crc32c(file.substr(0, 16))) {
    return Damaged(0, "the header's checksum does not match");
  }
  return base::LoadBig<int64_t>(file.data() + 8);
}

struct RecordHeader {
  int64_t length = 0;
  uint32_t payload_crc = 0;
};

std::optional<RecordHeader> DecodeRecordHeader(std::string_view bytes) {
  if (bytes.size() < kTreeRecordHeaderBytes) return std::nullopt;
  const RecordHeader header = {.length = base::LoadBig<int64_t>(bytes.data()),
                               .payload_crc = base::LoadBig<uint32_t>(bytes.data() + 8)};
  if (header.length < 0) return std::nullopt;
  if (base::LoadBig<uint32_t>(bytes.data() + 12) != base::Crc32c(bytes.substr(0, 12))) {
    return std::nullopt;
  }
  return header;
}

// --- Records -------------------------------------------------------------------------------------

struct Payload {
  enum class State { kWhole, kTorn, kDamaged };
  State state = State::kTorn;
  std::string_view bytes;  // of a whole one
};

bool AnyRecordHeaderBehind(std::string_view bytes) {
  while (bytes.size() > kTreeRecordHeaderBytes) {
    bytes.remove_prefix(1);
    if (DecodeRecordHeader(bytes).has_value()) return true;
  }
  return false;
}

// The record that begins at `position`.
Payload PayloadAt(std::string_view file, size_t position) {
  using State = Payload::State;
  const std::string_view rest = file.substr(position);
  const std::optional<RecordHeader> header = DecodeRecordHeader(rest);
  // Where this record ends nobody knows. If it is not the last one, others can be found.
  if (!header.has_value()) {
    return {AnyRecordHeaderBehind(rest) ? State::kDamaged : State::kTorn, {}};
  }
  const std::string_view after = rest.substr(kTreeRecordHeaderBytes);
  if (static_cast<uint64_t>(header->length) > after.size()) return {State::kTorn, {}};
  const std::string_view bytes = after.substr(0, static_cast<size_t>(header->length));
  if (base::Crc32c(bytes) == header->payload_crc) return {State::kWhole, bytes};
  return {bytes.size() == after.size() ? State::kTorn : State::kDamaged, {}};
}

// --- Nodes and commits ---------------------------------------------------------------------------

using Kind = KeptChange::Kind;

bool HasData(Kind kind) { return kind == Kind::kCreate || kind == Kind::kSet; }
bool HasNumber(Kind kind) { return kind != Kind::kDelete; }

std::optional<KeptCommit> DecodeCommit(Reader& reader) {
  KeptCommit commit;
  commit.transaction = reader.GetNumber();
  const int64_t count = reader.GetNumber();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    const int64_t kind = reader.GetNumber();
    if (kind < 1 || kind > 4) return std::nullopt;
    KeptChange change;
    change.kind = static_cast<Kind>(kind);
    change.path = reader.GetText();
    if (HasData(change.kind)) change.data = reader.GetText();
    if (HasNumber(change.kind)) change.number = reader.GetNumber();
    commit.changes.push_back(std::move(change));
  }
  if (!reader.ok() || commit.changes.empty()) return std::nullopt;
  return commit;
}

// False if it cannot follow the nodes before it.
bool DecodeNode(Reader& reader, KeptTree& tree) {
  std::string path = reader.GetText();
  KeptNode node;
  node.data = reader.GetText();
  node.creation_id = reader.GetNumber();
  node.version = reader.GetNumber<int32_t>();
  node.children_made = reader.GetNumber();
  if (!reader.ok() || node.version < 0 || node.children_made < 0) return false;
  if (tree.nodes.empty()) {
    if (path != "/") return false;
  } else if (!IsPath(path) || path <= tree.nodes.rbegin()->first ||
             !tree.nodes.contains(ParentOf(path))) {
    return false;
  }
  tree.nodes.emplace_hint(tree.nodes.end(), std::move(path), std::move(node));
  return true;
}

}  // namespace

std::string EncodeSnapshot(const KeptTree& tree) {
  std::string payload;
  for (const auto& [path, node] : tree.nodes) {
    PutText(payload, path);
    PutText(payload, node.data);
    PutNumber(payload, node.creation_id);
    PutNumber(payload, node.version);
    PutNumber(payload, node.children_made);
  }
  return base::Cat(EncodeFileHeader(kSnapshotMagic, tree.last_transaction),
                   EncodeRecordHeader(payload), payload);
}

absl::StatusOr<KeptTree> DecodeSnapshot(std::string_view file) {
  KeptTree tree;
  tree.nodes.clear();
  KL_ASSIGN_OR_RETURN(tree.last_transaction, DecodeFileHeader(kSnapshotMagic, file));
  const Payload payload = PayloadAt(file, kTreeFileHeaderBytes);
  if (payload.state != Payload::State::kWhole) {
    return Damaged(kTreeFileHeaderBytes, "the record ends too early, or a checksum does not match");
  }
  const size_t end = kTreeFileHeaderBytes + kTreeRecordHeaderBytes + payload.bytes.size();
  if (end != file.size()) return Damaged(end, "something follows its end");
  for (Reader reader(payload.bytes); !reader.AtEnd() || tree.nodes.empty();) {
    if (!DecodeNode(reader, tree)) {
      return Damaged(kTreeFileHeaderBytes,
                     base::Cat("the record has no node after ", tree.nodes.size(), " others"));
    }
  }
  return tree;
}

std::string EncodeJournalHeader(int64_t transaction) {
  return EncodeFileHeader(kJournalMagic, transaction);
}

void EncodeCommit(const KeptCommit& commit, std::string& payload) {
  PutNumber(payload, commit.transaction);
  PutNumber(payload, static_cast<int64_t>(commit.changes.size()));
  for (const KeptChange& change : commit.changes) {
    PutNumber(payload, static_cast<int64_t>(change.kind));
    PutText(payload, change.path);
    if (HasData(change.kind)) PutText(payload, change.data);
    if (HasNumber(change.kind)) PutNumber(payload, change.number);
  }
}

std::string EncodeRecordHeader(std::string_view payload) {
  std::string header(kTreeRecordHeaderBytes, '\0');
  base::StoreBig<int64_t>(header.data(), static_cast<int64_t>(payload.size()));
  base::StoreBig<uint32_t>(header.data() + 8, base::Crc32c(payload));
  base::StoreBig<uint32_t>(header.data() + 12,
                           base::Crc32c(std::string_view(header).substr(0, 12)));
  return header;
}

absl::Status ReplayJournal(std::string_view file, KeptTree& tree) {
  KL_ASSIGN_OR_RETURN(const int64_t continued, DecodeFileHeader(kJournalMagic, file));
  const int64_t in_snapshot = tree.last_transaction;
  if (continued > in_snapshot) {
    const std::string other =
        in_snapshot == 0 ? "it is not here" : base::Cat("here is one up to ", in_snapshot);
    return Damaged(
        8, base::Cat("it continues a snapshot up to transaction ", continued, ", and ", other));
  }
  for (size_t position = kTreeFileHeaderBytes; position < file.size();) {
    const Payload payload = PayloadAt(file, position);
    if (payload.state == Payload::State::kTorn) return absl::OkStatus();
    if (payload.state == Payload::State::kDamaged) {
      return Damaged(position, "a checksum of the record does not match, and others follow it");
    }
    for (Reader reader(payload.bytes); !reader.AtEnd();) {
      std::optional<KeptCommit> commit = DecodeCommit(reader);
      if (!commit.has_value()) return Damaged(position, "the record does not hold commits");
      // Written before the snapshot was, and not removed since.
      if (commit->transaction <= in_snapshot) continue;
      if (absl::Status fits = tree.Apply(*std::move(commit)); !fits.ok()) {
        return Damaged(position, base::ToStd(fits.message()));
      }
    }
    position += kTreeRecordHeaderBytes + payload.bytes.size();
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::coordination
