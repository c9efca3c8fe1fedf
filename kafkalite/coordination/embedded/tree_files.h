// File: tree_files.h
//
// The folder that keeps a tree: `tree.snapshot` and `tree.journal` (tree_log.h). Appends commits to
// the journal and says when they are durable. While one sync is under way further commits collect,
// and the next one is for all of them.
//
// When the journal has grown to several times the snapshot, the two are read back and folded into a
// new snapshot and an empty journal. It is the files that are folded, not the tree in memory: so
// nobody waits for it but the commits behind it, and no journal goes whose commits cannot be read.
// Opening folds as well, rather than cutting off what was torn and going on behind it: what is read
// back may have been written by a process that died before it synced, or whose sync failed, and
// must not be shown to anybody before it is durable.
//
// What a crash may leave: the last record of the journal torn; a journal with commits that the
// snapshot has, too (their ids tell); a file "*.tmp", which the next fold overwrites.
// Every write that fails, and every fold that does, ends it: there is no second try of a sync.
//
// Thread safety: any thread, but one at a time for Listen and the first Append.
// Lifetime: executor and file system outlive it; its destructor waits until what was appended is
// written.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_TREE_FILES_H_
#define KAFKALITE_COORDINATION_EMBEDDED_TREE_FILES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/executor.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/work_queue.h"
#include "kafkalite/coordination/embedded/kept_tree.h"
#include "kafkalite/files/file_system.h"

namespace kafkalite::coordination {

class TreeFiles {
 public:
  struct Options {
    std::shared_ptr<files::FileSystem> fs;
    std::string folder;
    // A smaller journal is not folded.
    int64_t journal_bytes = 0;
  };
  struct Opened;
  // Called on the thread of the disk, under no lock: every commit up to `transaction` is durable.
  // Or, at most once and then never again: nothing later will be.
  using Listener = absl::AnyInvocable<void(int64_t transaction, const absl::Status& status)>;

  // Blocks. Makes the folder if it is not there. DATA_LOSS and FAILED_PRECONDITION name the file,
  // the place in it and what to do; nothing was changed then.
  static absl::StatusOr<Opened> Open(base::Executor& executor, Options options);
  // Closes it.
  ~TreeFiles();

  // REQUIRES: before the first Append.
  void Listen(Listener listener) { listener_ = std::move(listener); }
  // Does not wait. Transactions rise from call to call.
  void Append(const KeptCommit& commit);
  // Waits until what was appended is durable, or failed; status() stays. REQUIRES: no Append comes
  // after it, or beside it.
  void Close() {
    queue_ = nullptr;
    journal_ = nullptr;
  }
  // Why no commit becomes durable any more; OK while they do.
  absl::Status status() const;

 private:
  // What the folder holds.
  struct Contents {
    KeptTree tree;
    int64_t snapshot_bytes = 0;
    std::optional<int64_t> journal_bytes;  // none: there is no journal
  };

  TreeFiles(base::Executor& executor, Options options);

  std::string snapshot_path() const { return options_.folder + "/tree.snapshot"; }
  std::string journal_path() const { return options_.folder + "/tree.journal"; }

  absl::StatusOr<KeptTree> Start();
  absl::StatusOr<Contents> Read() const;
  // Makes `tree` the snapshot, and then an empty journal.
  absl::Status Replace(const KeptTree& tree);
  absl::Status StartJournal(int64_t transaction);
  // An empty one.
  absl::Status OpenJournal();
  // On the queue, as all that follows.
  void WritePending();
  absl::Status Write(std::string_view payload);
  absl::Status Fold(int64_t last_transaction);

  const Options options_;
  Listener listener_;

  // Only while opening, and then on the queue.
  std::unique_ptr<files::File> journal_;
  int64_t journal_size_ = 0;
  int64_t snapshot_size_ = 0;

  mutable base::Mutex mu_;
  std::string pending_ ABSL_GUARDED_BY(mu_);  // the next record's payload
  int64_t last_appended_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  // Last, so that it ends first: its tasks use the rest.
  std::unique_ptr<base::WorkQueue> queue_;
};

struct TreeFiles::Opened {
  std::unique_ptr<TreeFiles> files;
  KeptTree tree;
};

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_TREE_FILES_H_
