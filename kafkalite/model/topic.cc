#include "kafkalite/model/topic.h"

#include <algorithm>

#include "kafkalite/base/strings.h"

namespace kafkalite::model {
namespace {

bool IsLegal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

absl::Status ValidateTopicName(std::string_view name) {
  if (name.empty()) {
    return absl::InvalidArgumentError("Topic name is illegal, it can't be empty");
  }
  if (name == "." || name == "..") {
    return absl::InvalidArgumentError("Topic name cannot be \".\" or \"..\"");
  }
  if (name.size() > kMaxTopicNameLength) {
    return absl::InvalidArgumentError(base::Cat("Topic name is illegal, it can't be longer than ",
                                                kMaxTopicNameLength,
                                                " characters, topic name: ", name));
  }
  if (!std::all_of(name.begin(), name.end(), IsLegal)) {
    return absl::InvalidArgumentError(
        base::Cat("Topic name \"", name,
                  "\" is illegal, it contains a character other than ASCII alphanumerics, "
                  "'.', '_' and '-'"));
  }
  return absl::OkStatus();
}

bool TopicNamesCollide(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return (x == '.' ? '_' : x) == (y == '.' ? '_' : y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace kafkalite::model
