// File: strings.h
//
// Cat("topic '", name, "' has ", n, " partitions"): absl::StrCat for std::string_view arguments
// too, which some builds of Abseil do not take because their absl::string_view is a type apart.

#ifndef KAFKALITE_BASE_STRINGS_H_
#define KAFKALITE_BASE_STRINGS_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kafkalite::base {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

namespace internal {

template <class T>
decltype(auto) CatArgument(const T& argument) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return ToAbsl(argument);
  } else {
    return (argument);
  }
}

}  // namespace internal

template <class... Args>
std::string Cat(const Args&... args) {
  return absl::StrCat(internal::CatArgument(args)...);
}

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_STRINGS_H_
