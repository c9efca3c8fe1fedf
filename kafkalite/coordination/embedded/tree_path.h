// File: tree_path.h
//
// The names of nodes: "/", or "/" and elements with "/" in between. Pure.

#ifndef KAFKALITE_COORDINATION_EMBEDDED_TREE_PATH_H_
#define KAFKALITE_COORDINATION_EMBEDDED_TREE_PATH_H_

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace kafkalite::coordination {

inline bool IsElement(std::string_view element) {
  return !element.empty() && element != "." && element != ".." &&
         std::none_of(element.begin(), element.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

inline bool IsPath(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  if (path.size() == 1) return true;
  for (size_t start = 1;;) {
    const size_t slash = path.find('/', start);
    if (!IsElement(path.substr(start, slash - start))) return false;
    if (slash == std::string_view::npos) return true;
    start = slash + 1;
  }
}

// REQUIRES (both): a path other than "/".
inline std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}
inline std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace kafkalite::coordination

#endif  // KAFKALITE_COORDINATION_EMBEDDED_TREE_PATH_H_
