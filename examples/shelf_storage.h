// File: shelf_storage.h
//
// Storage of one's own: logs on a Shelf, which stands for whatever an application has that keeps
// things by name and outlives a broker (a database, an object store). See user_storage_test.cc for
// how a cluster is started on it.
//
//   auto shelf = std::make_shared<Shelf>();
//   options.storage = [shelf](int32_t broker) { return std::make_shared<ShelfStorage>(shelf,
//   broker); };
//
// Everything is done before a call returns, so what is appended is durable at once, and nobody ever
// has to be told of progress. Storage that waits for something answers later instead: see
// kafkalite/storage/log.h.

#ifndef EXAMPLES_SHELF_STORAGE_H_
#define EXAMPLES_SHELF_STORAGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/format/record_batch.h"
#include "kafkalite/model/ids.h"
#include "kafkalite/storage/log.h"
#include "kafkalite/storage/storage.h"

namespace kafkalite::examples {

// What is kept of one replica.
struct ShelvedLog {
  model::LogId id;
  std::map<model::Offset, format::Batch> batches;  // by base offset
  model::Offset start;
  model::Offset end;
  int64_t size_bytes = 0;
  model::Offset high_watermark;
  storage::Log::Metadata metadata;
};

// Thread safety: any thread; a log's contents belong to who has it open.
class Shelf {
 public:
  using Name = std::pair<int32_t, model::TopicPartition>;  // broker, partition

  // Made with `new_id` if it is not there.
  std::shared_ptr<ShelvedLog> Take(const Name& name, model::LogId new_id);
  std::vector<std::pair<model::TopicPartition, model::LogId>> List(int32_t broker) const;
  void Remove(const Name& name);

 private:
  mutable std::mutex mu_;
  std::map<Name, std::shared_ptr<ShelvedLog>> logs_;
};

class ShelfStorage final : public storage::Storage {
 public:
  ShelfStorage(std::shared_ptr<Shelf> shelf, int32_t broker)
      : shelf_(std::move(shelf)), broker_(broker) {}

  absl::StatusOr<std::unique_ptr<storage::Log>> Open(const model::TopicPartition& tp,
                                                     model::LogId new_id) override;
  std::vector<std::pair<model::TopicPartition, model::LogId>> List() const override {
    return shelf_->List(broker_);
  }
  void Delete(const model::TopicPartition& tp, storage::Log::DoneCallback done) override {
    shelf_->Remove({broker_, tp});
    done(absl::OkStatus());
  }
  absl::Status Close() override { return absl::OkStatus(); }  // it is all there already

 private:
  const std::shared_ptr<Shelf> shelf_;
  const int32_t broker_;
};

}  // namespace kafkalite::examples

#endif  // EXAMPLES_SHELF_STORAGE_H_
