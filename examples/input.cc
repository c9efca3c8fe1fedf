#include "examples/input.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "examples/cat.h"

namespace kafkalite::examples {
namespace {

constexpr int kSampleLines = 5000;

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

// `bazel run` starts programs in a directory of its own and tells here where the user was.
std::string Resolve(const std::string& name) {
  const char* directory = std::getenv("BUILD_WORKING_DIRECTORY");
  if (directory == nullptr || *directory == '\0' || name.starts_with('/')) return name;
  return Cat(directory, "/", name);
}

absl::StatusOr<std::string> ReadAll(const std::string& name) {
  const auto error = [&name](int number) {
    return absl::UnavailableError(
        Cat("cannot read ", name == "-" ? "standard input" : name, ": ", std::strerror(number)));
  };
  const std::unique_ptr<std::FILE, Close> file(
      name == "-" ? stdin : std::fopen(Resolve(name).c_str(), "rb"));
  if (file == nullptr) return error(errno);
  std::string content;
  std::vector<char> buffer(size_t{1} << 20);
  while (true) {
    const size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get());
    content.append(buffer.data(), size);
    if (size == buffer.size()) continue;
    // Opening a directory succeeds; reading it does not.
    if (std::ferror(file.get()) != 0) return error(errno);
    return content;
  }
}

}  // namespace

absl::StatusOr<Input> Input::Read(const std::vector<std::string>& names) {
  Input input;
  for (const std::string& name : names) {
    absl::StatusOr<std::string> content = ReadAll(name);
    if (!content.ok()) return content.status();
    input.Add(name == "-" ? "standard input" : name, *std::move(content));
  }
  return input;
}

Input Input::Sample() {
  static constexpr std::string_view kWords[] = {
      "broker",  "leader", "follower", "replica",  "partition", "offset",    "record",  "batch",
      "segment", "epoch",  "topic",    "producer", "consumer",  "watermark", "in-sync", "log"};
  std::string text;
  uint32_t state = 1;
  for (int line = 0; line < kSampleLines; ++line) {
    text += Cat("sample line ", line, ":");
    for (int word = 0; word < 6; ++word) {
      state = state * 1664525 + 1013904223;  // the usual constants of a linear generator
      text += Cat(" ", kWords[state >> 28]);
    }
    text += '\n';
  }
  Input input;
  input.Add("the built-in sample", std::move(text));
  return input;
}

std::string Input::Where(size_t line) const {
  const Source* source = nullptr;
  for (const Source& candidate : sources_) {
    if (candidate.first_line <= line) source = &candidate;
  }
  if (source == nullptr) return "no line";
  return Cat(source->name, ":", line - source->first_line + 1);
}

void Input::Add(std::string name, std::string content) {
  sources_.push_back(
      {std::move(name), lines_.size(), std::make_unique<const std::string>(std::move(content))});
  std::string_view rest = *sources_.back().content;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    lines_.push_back(rest.substr(0, end));
    bytes_ += static_cast<int64_t>(lines_.back().size());
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

}  // namespace kafkalite::examples
