#include "examples/verifier.h"

#include <utility>

#include "examples/cat.h"

namespace kafkalite::examples {
namespace {

std::string At(int32_t partition, int64_t offset) {
  return Cat("partition ", partition, ", offset ", offset);
}

}  // namespace

Verifier::Verifier(std::vector<std::string_view> values)
    : values_(std::move(values)), reports_(values_.size()) {}

void Verifier::Acknowledged(size_t number, const RecordMetadata& where) {
  // Two reports for one record would hide one of them.
  if (reports_[number].partition != -1) {
    Problem(&duplicated_, Cat("record ", number, " was acknowledged twice"));
  }
  reports_[number] = where;
}

void Verifier::Prepare() {
  prepared_ = true;
  for (size_t number = 0; number < values_.size(); ++number) {
    const RecordMetadata& where = reports_[number];
    if (where.partition < 0) {
      Problem(&lost_, Cat("record ", number, " was not acknowledged"));
      continue;
    }
    Partition& partition = partitions_[where.partition];
    if (!partition.numbers.empty()) {
      const size_t before = partition.numbers.back();
      // Two records at one offset: a later one took the place of an earlier one.
      if (where.offset == reports_[before].offset) {
        Problem(&lost_, Cat("records ", before, " and ", number, " both are said to be at ",
                            At(where.partition, where.offset)));
        continue;
      }
      if (where.offset < reports_[before].offset) {
        Problem(&reordered_, Cat("record ", number, ", at ", At(where.partition, where.offset),
                                 ", lies before record ", before, ", sent earlier"));
        continue;
      }
    }
    partition.numbers.push_back(number);
  }
}

void Verifier::Read(int32_t partition_id, int64_t offset, std::optional<std::string_view> value) {
  if (!prepared_) Prepare();
  ++records_read_;
  Partition& partition = partitions_[partition_id];
  if (offset <= partition.last_offset) {
    Problem(&duplicated_, Cat(At(partition_id, offset), " was read again"));
    return;
  }
  partition.last_offset = offset;

  const auto& numbers = partition.numbers;
  while (partition.next < numbers.size() && reports_[numbers[partition.next]].offset < offset) {
    const size_t number = numbers[partition.next++];
    Problem(&lost_,
            Cat("record ", number, " is missing at ", At(partition_id, reports_[number].offset)));
  }
  if (partition.next == numbers.size() || reports_[numbers[partition.next]].offset > offset) {
    Problem(&duplicated_,
            Cat("no record was acknowledged at ", At(partition_id, offset), ", but one is there"));
    return;
  }
  const size_t number = numbers[partition.next++];
  if (value == values_[number]) return;

  // A neighbour's value is no accident.
  const size_t here = partition.next - 1;
  const bool swapped =
      value.has_value() && ((here > 0 && *value == values_[numbers[here - 1]]) ||
                            (here + 1 < numbers.size() && *value == values_[numbers[here + 1]]));
  Problem(swapped ? &reordered_ : &altered_,
          Cat("record ", number, " at ", At(partition_id, offset), " is not what was sent",
              swapped ? " there, but its neighbour" : ""));
}

absl::Status Verifier::Finish() {
  if (!prepared_) Prepare();
  for (auto& [id, partition] : partitions_) {
    while (partition.next < partition.numbers.size()) {
      const size_t number = partition.numbers[partition.next++];
      Problem(&lost_, Cat("record ", number, " is missing at ", At(id, reports_[number].offset)));
    }
  }
  if (first_problem_.empty()) return absl::OkStatus();
  return absl::DataLossError(Cat("of ", values_.size(), " records ", lost_, " lost, ", duplicated_,
                                 " duplicated, ", reordered_, " reordered, ", altered_,
                                 " altered; first: ", first_problem_));
}

void Verifier::Problem(int64_t* kind, std::string description) {
  ++*kind;
  if (first_problem_.empty()) first_problem_ = std::move(description);
}

}  // namespace kafkalite::examples
