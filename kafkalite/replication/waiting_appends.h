// File: waiting_appends.h
//
// Appends that are in the log and not yet as safe as their producers asked for: in the order of
// their ends, each until an offset has reached its end or its time is over. Pure; thread safety:
// none.

#ifndef KAFKALITE_REPLICATION_WAITING_APPENDS_H_
#define KAFKALITE_REPLICATION_WAITING_APPENDS_H_

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "kafkalite/base/clock.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::replication {

struct AppendResult {
  model::ErrorCode error = model::ErrorCode::kNone;
  model::Offset base_offset{-1};
  model::Offset log_start_offset{-1};
  int64_t append_time = -1;  // see BatchHeader
  std::string message;
};
using AppendCallback = absl::AnyInvocable<void(AppendResult)>;

struct WaitingAppend {
  model::Offset end;  // of its records
  base::Time deadline;
  AppendResult result;
  AppendCallback callback;
};

class WaitingAppends {
 public:
  void Add(WaitingAppend append) {
    // A batch that was sent again may end before others that wait.
    auto place = appends_.end();
    while (place != appends_.begin() && std::prev(place)->end > append.end) --place;
    appends_.insert(place, std::move(append));
  }
  // The first one that ends at or before `reached`, if any. One at a time, as a callback may add.
  std::optional<WaitingAppend> TakeUpTo(model::Offset reached) {
    if (appends_.empty() || appends_.front().end > reached) return std::nullopt;
    WaitingAppend append = std::move(appends_.front());
    appends_.pop_front();
    return append;
  }
  std::vector<AppendCallback> TakeExpired(base::Time now) {
    std::vector<AppendCallback> expired;
    std::erase_if(appends_, [&](WaitingAppend& append) {
      if (append.deadline > now) return false;
      expired.push_back(std::move(append.callback));
      return true;
    });
    return expired;
  }
  std::deque<WaitingAppend> TakeAll() { return std::exchange(appends_, {}); }

 private:
  std::deque<WaitingAppend> appends_;
};

}  // namespace kafkalite::replication

#endif  // KAFKALITE_REPLICATION_WAITING_APPENDS_H_
