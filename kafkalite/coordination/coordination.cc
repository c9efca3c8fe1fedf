#include "kafkalite/coordination/coordination.h"

#include <utility>

namespace kafkalite::coordination {

std::string_view ToString(Code code) {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kNoNode:
      return "NO_NODE";
    case Code::kNodeExists:
      return "NODE_EXISTS";
    case Code::kBadVersion:
      return "BAD_VERSION";
    case Code::kNotEmpty:
      return "NOT_EMPTY";
    case Code::kNoChildrenForEphemerals:
      return "NO_CHILDREN_FOR_EPHEMERALS";
    case Code::kBadArguments:
      return "BAD_ARGUMENTS";
    case Code::kConnectionLoss:
      return "CONNECTION_LOSS";
    case Code::kSessionExpired:
      return "SESSION_EXPIRED";
    case Code::kRolledBack:
      return "ROLLED_BACK";
  }
  return "UNKNOWN";
}

Operation Operation::Create(std::string path, std::string data, Mode mode) {
  return {.kind = Kind::kCreate, .path = std::move(path), .data = std::move(data), .mode = mode};
}

Operation Operation::Set(std::string path, std::string data, int32_t version) {
  return {.kind = Kind::kSet, .path = std::move(path), .data = std::move(data), .version = version};
}

Operation Operation::Delete(std::string path, int32_t version) {
  return {.kind = Kind::kDelete, .path = std::move(path), .data = {}, .version = version};
}

Operation Operation::Check(std::string path, int32_t version) {
  return {.kind = Kind::kCheck, .path = std::move(path), .data = {}, .version = version};
}

}  // namespace kafkalite::coordination
