// File: cat.h

#ifndef EXAMPLES_CAT_H_
#define EXAMPLES_CAT_H_

#include <sstream>
#include <string>

namespace kafkalite::examples {

// The parts as `<<` prints them, one after the other. Debian's Abseil has a string_view of its own,
// so absl::StrCat does not take a std::string_view.
template <class... Parts>
std::string Cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

}  // namespace kafkalite::examples

#endif  // EXAMPLES_CAT_H_
