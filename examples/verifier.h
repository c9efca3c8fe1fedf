// File: verifier.h
//
// Verifier compares what was sent to a topic with what is read from it.
//
//   Verifier verifier(values);
//   ... send values[0], values[1], ..., and for each delivery report:
//   verifier.Acknowledged(number, *where);
//   ... read the topic from its beginning, and for each record:
//   verifier.Read(record.partition, record.offset, record.value);
//   if (!verifier.Finish().ok()) ...
//
// The values may repeat: a record is known by where its delivery report says that it is.
//
// Thread safety: Acknowledged() may be called by another thread than the constructor's, one call at
// a time, and the first Read() comes after the last of them.

#ifndef EXAMPLES_VERIFIER_H_
#define EXAMPLES_VERIFIER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "kafkalite/record.h"

namespace kafkalite::examples {

class Verifier {
 public:
  // `values`, in the order in which they are sent. The bytes that they view must stay.
  explicit Verifier(std::vector<std::string_view> values);

  void Acknowledged(size_t number, const RecordMetadata& where);
  void Read(int32_t partition, int64_t offset, std::optional<std::string_view> value);

  // DATA_LOSS counts what is wrong and describes the first of it. OK only if every value was
  // acknowledged, was found where its report says, once, unaltered and in order of sending among
  // those of its partition, and nothing else was found.
  absl::Status Finish();

  int64_t records_read() const { return records_read_; }

 private:
  struct Partition {
    std::vector<size_t> numbers;  // of its values, in the order of sending
    size_t next = 0;              // in `numbers`: what should be read next
    int64_t last_offset = -1;     // that was read
  };

  // Sorts what was acknowledged into partitions.
  void Prepare();
  void Problem(int64_t* kind, std::string description);

  const std::vector<std::string_view> values_;
  std::vector<RecordMetadata> reports_;  // partition -1: not acknowledged

  bool prepared_ = false;
  std::map<int32_t, Partition> partitions_;
  int64_t records_read_ = 0;
  int64_t lost_ = 0;
  int64_t duplicated_ = 0;
  int64_t reordered_ = 0;
  int64_t altered_ = 0;
  std::string first_problem_;
};

}  // namespace kafkalite::examples

#endif  // EXAMPLES_VERIFIER_H_
