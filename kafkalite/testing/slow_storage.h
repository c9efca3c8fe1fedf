// File: slow_storage.h
//
// Storage that answers as a disk does, later: what is appended is written after a while, and what
// is not at the log's end has to be loaded. Keeps everything in another storage.

#ifndef KAFKALITE_TESTING_SLOW_STORAGE_H_
#define KAFKALITE_TESTING_SLOW_STORAGE_H_

#include <cstdint>
#include <memory>

#include "kafkalite/base/executor.h"
#include "kafkalite/storage/storage.h"

namespace kafkalite::testing {

struct SlowStorageOptions {
  uint64_t seed = 0;
  base::Duration longest_delay = std::chrono::milliseconds(20);
  // Reads from this far before the log's end have to be loaded.
  int64_t tail_records = 3;
};

// REQUIRES: the executor outlives the storage and its logs.
std::shared_ptr<storage::Storage> MakeSlowStorage(base::Executor& executor,
                                                  std::shared_ptr<storage::Storage> storage,
                                                  const SlowStorageOptions& options);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_SLOW_STORAGE_H_
