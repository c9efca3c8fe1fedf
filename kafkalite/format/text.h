// File: text.h
//
// For the readers of Kafka's small text files: numbers, and what to say of bytes from outside.

#ifndef KAFKALITE_FORMAT_TEXT_H_
#define KAFKALITE_FORMAT_TEXT_H_

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "absl/strings/escaping.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::format {

// Decimal digits after an optional '-', and nothing else; nothing if T cannot hold the number.
template <class T>
std::optional<T> ParseDecimal(std::string_view text) {
  T number;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

// In quotes, escaped, and not all of it if it is long: bytes from a file go into a message.
inline std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  const bool cut = text.size() > kShown;
  return base::Cat("'", absl::CHexEscape(base::ToAbsl(text.substr(0, kShown))), cut ? "...'" : "'");
}

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_TEXT_H_
