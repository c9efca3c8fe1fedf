#include "kafkalite/testing/history.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>

#include "kafkalite/base/strings.h"

namespace kafkalite::testing {

using base::Cat;

namespace {

class Checker {
 public:
  explicit Checker(const PartitionHistory& history) : history_(history) {}

  std::vector<std::string> Run() && {
    IndexFound();
    CheckOrder();
    CheckAcknowledged();
    for (size_t consumer = 0; consumer < history_.polls.size(); ++consumer) CheckPolls(consumer);
    return std::move(violations_);
  }

 private:
  template <class... Parts>
  void Add(Parts... parts) {
    violations_.push_back(Cat(parts...));
  }

  void IndexFound() {
    std::set<std::string> sent;
    for (const auto& producer : history_.sent) {
      for (const auto& record : producer) sent.insert(record.value);
    }
    int64_t last = -1;
    for (const auto& [offset, value] : history_.found) {
      if (offset <= last) Add("backwards: offset ", offset, " was read after ", last);
      last = std::max(last, offset);
      value_at_.emplace(offset, value);
      if (!sent.contains(value)) {
        Add("altered: nobody sent '", value, "', found at ", offset);
      } else if (const auto [at, is_new] = found_at_.emplace(value, offset); !is_new) {
        Add("duplicate: ", value, " at ", at->second, " and ", offset);
      }
    }
  }

  void CheckOrder() {
    for (const auto& producer : history_.sent) {
      const PartitionHistory::Sent* before = nullptr;
      int64_t last = -1;
      for (const auto& record : producer) {
        const auto found = found_at_.find(record.value);
        if (found == found_at_.end()) continue;
        if (found->second < last) {
          Add("reordered: ", record.value, " at ", found->second, " was sent after ", before->value,
              " at ", last);
        }
        last = std::max(last, found->second);
        before = &record;
      }
    }
  }

  void CheckAcknowledged() {
    for (const auto& producer : history_.sent) {
      for (const auto& record : producer) {
        if (!record.acknowledged) continue;
        const auto found = found_at_.find(record.value);
        if (found == found_at_.end()) {
          Add("lost: ", record.value, ", acknowledged at ", record.offset);
        } else if (found->second != record.offset) {
          Add("moved: ", record.value, " was acknowledged at ", record.offset, " and found at ",
              found->second);
        }
        if (history_.end_offset >= 0 && record.offset >= history_.end_offset) {
          Add("stale: ", record.value, " was acknowledged at ", record.offset,
              ", and the end is said to be ", history_.end_offset);
        }
      }
    }
  }

  void CheckPolls(size_t consumer) {
    const auto& polls = history_.polls[consumer];
    int64_t last = -1;
    for (const auto& [offset, value] : polls) {
      if (offset <= last) {
        Add("backwards: consumer ", consumer, " was handed ", offset, " after ", last);
      } else {
        CheckSkipped(consumer, last, offset);
      }
      last = std::max(last, offset);
      const auto [at, is_new] = value_at_.emplace(offset, value);
      if (at->second != value) {
        Add("inconsistent: at ", offset, " there is '", at->second, "', and consumer ", consumer,
            " was handed '", value, "'");
      } else if (is_new) {
        Add("unseen: consumer ", consumer, " was handed '", value, "' at ", offset,
            ", which is not there");
      }
    }
  }

  // Whatever is between the two.
  void CheckSkipped(size_t consumer, int64_t last, int64_t offset) {
    const auto between = value_at_.upper_bound(last);
    if (between != value_at_.end() && between->first < offset) {
      Add("skipped: consumer ", consumer, " went from ", last, " to ", offset, ", and there is '",
          between->second, "' at ", between->first);
    }
  }

  const PartitionHistory& history_;
  std::map<std::string, int64_t> found_at_;
  std::map<int64_t, std::string> value_at_;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> CheckHistory(const PartitionHistory& history) {
  return Checker(history).Run();
}

}  // namespace kafkalite::testing
