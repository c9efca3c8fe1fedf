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

  // The log of a partition, made under the name `new_id` if there is none. Does not wait for a
  // device: storage that has one has read what it needs before. An error for a log that cannot be
  // had, a failed one among them. REQUIRES: it is not open.
  virtual absl::StatusOr<std::unique_ptr<Log>> Open(const model::TopicPartition& tp,
                                                    model::LogId new_id) = 0;
  virtual std::vector<std::pair<model::TopicPartition, model::LogId>> List() const = 0;
  // The broker is registered under this number from now on: logs are opened under it.
  virtual void SetIncarnation(model::Incarnation) {}
  // Whether it is certain that no log of `tp` was made under that incarnation of the broker, or
  // under a later one, but those that were deleted: then one that is made now can have its name, as
  // it has what the other one would have. Storage that cannot tell such a log from one that was
  // wiped, lost or taken away says no. False while there is a log. REQUIRES: SetIncarnation.
  virtual bool NeverMade(const model::TopicPartition&, model::Incarnation) const { return false; }
  // Deletes a log and all of its metadata, then calls back: no crash brings it back from then on.
  // OK if there is none. It is gone from List at once, and there again if that fails. REQUIRES: it
  // is not open.
  virtual void Delete(const model::TopicPartition& tp, Log::DoneCallback done) = 0;

  // The broker has stopped in order: everything becomes durable, so that the next start has nothing
  // to repair. May wait. REQUIRES: no log is open, none is opened afterwards. Storage that is
  // destroyed without it finds what a killed process leaves.
  virtual absl::Status Close() = 0;
};

}  // namespace kafkalite::storage

#endif  // KAFKALITE_STORAGE_STORAGE_H_
