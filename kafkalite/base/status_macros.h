// File: status_macros.h
//
// The only two macros of the library.
//
//   KL_RETURN_IF_ERROR(Check(input));
//   KL_ASSIGN_OR_RETURN(const int n, Parse(input));

#ifndef KAFKALITE_BASE_STATUS_MACROS_H_
#define KAFKALITE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define KL_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    if (absl::Status kl_status = (expression); !kl_status.ok()) return kl_status; \
  } while (false)

#define KL_ASSIGN_OR_RETURN(target, expression) \
  KL_ASSIGN_OR_RETURN_IMPL(KL_CONCAT(kl_result_, __LINE__), target, expression)
#define KL_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                \
  if (!result.ok()) return std::move(result).status();       \
  target = *std::move(result)
#define KL_CONCAT(a, b) KL_CONCAT_IMPL(a, b)
#define KL_CONCAT_IMPL(a, b) a##b

#endif  // KAFKALITE_BASE_STATUS_MACROS_H_
