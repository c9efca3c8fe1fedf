// File: storage.h
//
// Where one broker keeps its logs. Public; see log.h.

#ifndef KAFKALITE_STORAGE_STORAGE_H_
#define KAFKALITE_STORAGE_STORAGE_H_

#include <memory>
#include <vector>

#include "kafkalite/storage/log.h"

namespace kafkalite::storage {

// Thread safety: any thread; each log for itself, see Log.
class Storage {
 public:
  virtual ~Storage() = default;

  // The log of a partition, made under the name `new_id` if there is none.
  virtual absl::StatusOr<std::unique_ptr<Log>> Open(const model::TopicPartition& tp,
                                                    model::LogId new_id) = 0;
  virtual std::vector<std::pair<model::TopicPartition, model::LogId>> List() const = 0;
  // Deletes a log and all of its metadata. OK if there is none. REQUIRES: it is not open.
  virtual absl::Status Delete(const model::TopicPartition& tp) = 0;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_STORAGE_H_
