#include "kafkalite/coordination/embedded/tree_files.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/coordination/embedded/tree_log.h"

namespace kafkalite::coordination {
namespace {

using Mode = files::FileSystem::Mode;

// The journal is folded when it is this many times the snapshot. So a commit is written little more
// than one and a quarter times in the long run, and a start reads five trees at most.
constexpr int64_t kJournalPerSnapshot = 4;

absl::Status Prefixed(std::string_view before, const absl::Status& status, std::string_view after) {
  return absl::Status(status.code(),
                      base::ToAbsl(base::Cat(before, base::ToStd(status.message()), after)));
}

// What the bytes of a file have against them.
absl::Status AboutFile(const std::string& path, const absl::Status& status) {
  // A newer version's file is whole.
  const std::string_view remedy =
      absl::IsDataLoss(status)
          ? ". Restore both files of its folder from a copy of the whole data directory; without "
            "them, topics, their configuration and ids are lost"
          : "";
  return Prefixed(base::Cat("'", path, "' "), status, remedy);
}

absl::StatusOr<std::optional<std::string>> ReadIfThere(files::FileSystem& fs,
                                                       const std::string& path) {
  absl::StatusOr<std::string> bytes = files::ReadFile(fs, path);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  if (!bytes.ok()) return std::move(bytes).status();
  return *std::move(bytes);
}

}  // namespace

TreeFiles::TreeFiles(base::Executor& executor, Options options)
    : options_(std::move(options)), queue_(executor.MakeWorkQueue()) {}

TreeFiles::~TreeFiles() = default;

absl::StatusOr<TreeFiles::Opened> TreeFiles::Open(base::Executor& executor, Options options) {
  std::unique_ptr<TreeFiles> files(new TreeFiles(executor, std::move(options)));
  KL_ASSIGN_OR_RETURN(KeptTree tree, files->Start());
  return Opened{.files = std::move(files), .tree = std::move(tree)};
}

absl::StatusOr<KeptTree> TreeFiles::Start() {
  files::FileSystem& fs = *options_.fs;
  KL_ASSIGN_OR_RETURN(Contents contents, Read());
  if (!contents.journal_bytes.has_value()) {
    KL_RETURN_IF_ERROR(files::MakeFolder(fs, options_.folder));
    KL_RETURN_IF_ERROR(StartJournal(0));
  } else if (*contents.journal_bytes > static_cast<int64_t>(kTreeFileHeaderBytes)) {
    KL_RETURN_IF_ERROR(Replace(contents.tree));
  } else {
    // Whoever gave these files their names may have died before the names were durable.
    KL_RETURN_IF_ERROR(fs.SyncDirectory(options_.folder));
    KL_RETURN_IF_ERROR(OpenJournal());
    snapshot_size_ = contents.snapshot_bytes;
  }
  return std::move(contents.tree);
}

absl::StatusOr<TreeFiles::Contents> TreeFiles::Read() const {
  files::FileSystem& fs = *options_.fs;
  KL_ASSIGN_OR_RETURN(const std::optional<std::string> snapshot, ReadIfThere(fs, snapshot_path()));
  KL_ASSIGN_OR_RETURN(const std::optional<std::string> journal, ReadIfThere(fs, journal_path()));
  Contents contents;
  if (!snapshot.has_value() && !journal.has_value()) return contents;
  if (!journal.has_value()) {
    return AboutFile(journal_path(),
                     absl::DataLossError("is missing, and the snapshot beside it is not"));
  }
  if (snapshot.has_value()) {
    absl::StatusOr<KeptTree> tree = DecodeSnapshot(*snapshot);
    if (!tree.ok()) return AboutFile(snapshot_path(), tree.status());
    contents.tree = *std::move(tree);
    contents.snapshot_bytes = static_cast<int64_t>(snapshot->size());
  }
  const absl::Status replayed = ReplayJournal(*journal, contents.tree);
  if (!replayed.ok()) return AboutFile(journal_path(), replayed);
  contents.journal_bytes = static_cast<int64_t>(journal->size());
  return contents;
}

absl::Status TreeFiles::Replace(const KeptTree& tree) {
  const std::string snapshot = EncodeSnapshot(tree);
  KL_RETURN_IF_ERROR(files::ReplaceFile(*options_.fs, snapshot_path(), snapshot));
  snapshot_size_ = static_cast<int64_t>(snapshot.size());
  return StartJournal(tree.last_transaction);
}

absl::Status TreeFiles::StartJournal(int64_t transaction) {
  KL_RETURN_IF_ERROR(
      files::ReplaceFile(*options_.fs, journal_path(), EncodeJournalHeader(transaction)));
  return OpenJournal();
}

absl::Status TreeFiles::OpenJournal() {
  KL_ASSIGN_OR_RETURN(journal_, options_.fs->Open(journal_path(), Mode::kWrite));
  journal_size_ = static_cast<int64_t>(kTreeFileHeaderBytes);
  return absl::OkStatus();
}

void TreeFiles::Append(const KeptCommit& commit) {
  bool first = false;
  {
    base::MutexLock lock(mu_);
    if (!status_.ok()) return;
    first = pending_.empty();
    EncodeCommit(commit, pending_);
    last_appended_ = commit.transaction;
  }
  if (first) queue_->Post([this] { WritePending(); });
}

absl::Status TreeFiles::status() const {
  base::MutexLock lock(mu_);
  return status_;
}

void TreeFiles::WritePending() {
  std::string payload;
  int64_t last = 0;
  {
    base::MutexLock lock(mu_);
    if (!status_.ok()) return;
    payload.swap(pending_);
    last = last_appended_;
  }
  absl::Status status = Write(payload);
  if (status.ok()) {
    listener_(last, status);
    if (journal_size_ < std::max(options_.journal_bytes, kJournalPerSnapshot * snapshot_size_)) {
      return;
    }
    status = Fold(last);
    if (status.ok()) return;
  }
  status = Prefixed("the coordination tree cannot be kept any more: ", status,
                    ". Nothing can be changed in it until the cluster is started again");
  {
    base::MutexLock lock(mu_);
    status_ = status;
    pending_.clear();
  }
  listener_(last, status);
}

absl::Status TreeFiles::Write(std::string_view payload) {
  const std::string header = EncodeRecordHeader(payload);
  const std::string_view pieces[] = {header, payload};
  KL_RETURN_IF_ERROR(journal_->WriteAt(journal_size_, pieces));
  KL_RETURN_IF_ERROR(journal_->Sync());
  journal_size_ += static_cast<int64_t>(header.size() + payload.size());
  return absl::OkStatus();
}

absl::Status TreeFiles::Fold(int64_t last_transaction) {
  KL_ASSIGN_OR_RETURN(const Contents contents, Read());
  if (contents.tree.last_transaction != last_transaction) {
    return AboutFile(journal_path(), absl::DataLossError(base::ToAbsl(base::Cat(
                                         "ends with transaction ", contents.tree.last_transaction,
                                         ", and ", last_transaction, " was written"))));
  }
  return Replace(contents.tree);
}

}  // namespace kafkalite::coordination
