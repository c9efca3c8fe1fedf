// File: memory_storage.h
//
// Logs in memory: headers by value and references to bodies, which leader, in-process followers and
// readers share. A body's memory is charged to the budget once, however many logs keep it.
//
// What survives a crash: nothing of the process; within it, logs live as long as their storage, so
// a broker that was shut down finds them again.

#ifndef KAFKALITE_STORAGE_MEMORY_MEMORY_STORAGE_H_
#define KAFKALITE_STORAGE_MEMORY_MEMORY_STORAGE_H_

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/budget.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/storage/storage.h"

namespace kafkalite::storage {

struct MemoryLogData;

class MemoryStorage final : public Storage {
 public:
  // The budget is shared by all storages whose brokers live in one process.
  explicit MemoryStorage(std::shared_ptr<base::Budget> budget);
  ~MemoryStorage() override;

  absl::StatusOr<std::unique_ptr<Log>> Open(const model::TopicPartition& tp,
                                            model::LogId new_id) override;
  std::vector<std::pair<model::TopicPartition, model::LogId>> List() const override;
  void Delete(const model::TopicPartition& tp, Log::DoneCallback done) override;
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<base::Budget> budget_;
  mutable base::Mutex mu_;
  std::map<model::TopicPartition, std::shared_ptr<MemoryLogData>> logs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_MEMORY_MEMORY_STORAGE_H_
