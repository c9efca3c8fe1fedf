// File: input.h
//
// The lines that the quick start sends.

#ifndef EXAMPLES_INPUT_H_
#define EXAMPLES_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kafkalite::examples {

// All lines of some files, in memory. A line is what lies between two '\n', byte for byte; a last
// line may lack its '\n'.
class Input {
 public:
  // Reads the files in order; "-" is standard input. The error names the file.
  static absl::StatusOr<Input> Read(const std::vector<std::string>& names);
  // Some thousand lines, the same ones every time.
  static Input Sample();

  const std::vector<std::string_view>& lines() const { return lines_; }
  // Without line ends.
  int64_t bytes() const { return bytes_; }
  // Where a line comes from: "notes.txt:17".
  std::string Where(size_t line) const;

 private:
  struct Source {
    std::string name;
    size_t first_line;
    // The lines view this, so it must not move with its Source.
    std::unique_ptr<const std::string> content;
  };

  void Add(std::string name, std::string content);

  std::vector<Source> sources_;
  std::vector<std::string_view> lines_;
  int64_t bytes_ = 0;
};

}  // namespace kafkalite::examples

#endif  // EXAMPLES_INPUT_H_
