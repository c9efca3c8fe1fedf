#include "kafkalite/format/meta_properties.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "absl/status/status.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/text.h"

namespace kafkalite::format {
namespace {

constexpr std::string_view kBlank = " \t\f";
constexpr std::string_view kLineEnds = "\r\n";
constexpr uint32_t kReplacement = 0xfffd;

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(base::ToAbsl(base::Cat("meta.properties: ", what)));
}

std::string_view Trimmed(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kBlank), text.size()));
}

// A character of the basic plane. Halves of a pair do not come together here: no id needs them.
void AppendUtf8(std::string& out, uint32_t c) {
  if (c >= 0xd800 && c < 0xe000) c = kReplacement;
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xe0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

// Takes one line's end away, "\r\n" being one, and returns what was before it.
std::string_view TakeNaturalLine(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of(kLineEnds), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end);
  if (!rest.empty()) rest.remove_prefix(rest.starts_with("\r\n") ? 2 : 1);
  return line;
}

bool EndsInOddBackslashes(std::string_view line) {
  const size_t last = line.find_last_not_of('\\');
  return (line.size() - (last == std::string_view::npos ? 0 : last + 1)) % 2 == 1;
}

// One entry: a line, and those that it is continued on by a backslash at its end, whose own
// indentation does not count. Adds the number of lines to `number`.
std::string TakeLogicalLine(std::string_view& rest, int64_t& number) {
  std::string line;
  for (bool first = true;; first = false) {
    std::string_view part = Trimmed(TakeNaturalLine(rest));
    ++number;
    // A comment is never continued, and what continues a line is none.
    if (first && (part.starts_with('#') || part.starts_with('!'))) return "";
    const bool more = EndsInOddBackslashes(part);
    if (more) part.remove_suffix(1);
    line += part;
    if (!more || rest.empty()) return line;
  }
}

// Where the key ends: at the first '=', ':' or blank that is not escaped.
size_t KeyEnd(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || kBlank.find(line[i]) != kBlank.npos) {
      return i;
    }
  }
  return line.size();
}

// The code of "\uXXXX", of which `text` has what follows the 'u'.
std::optional<uint32_t> ParseHex(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  uint32_t code;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
  if (error != std::errc() || end != text.data() + 4) return std::nullopt;
  return code;
}

// Without escapes, in UTF-8. Nothing for a broken \uXXXX.
std::optional<std::string> Unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      if (text[i] != '\\') AppendUtf8(out, static_cast<unsigned char>(text[i]));
      continue;
    }
    const char c = text[++i];
    if (c == 'u') {
      const std::optional<uint32_t> code = ParseHex(text.substr(i + 1));
      if (!code.has_value()) return std::nullopt;
      AppendUtf8(out, *code);
      i += 4;
      continue;
    }
    constexpr std::string_view kNames = "tnrf";
    constexpr std::string_view kMeanings = "\t\n\r\f";
    const size_t special = kNames.find(c);
    AppendUtf8(out, static_cast<unsigned char>(special == kNames.npos ? c : kMeanings[special]));
  }
  return out;
}

// For a value of printable ASCII, which is what cluster ids are made of.
std::string Escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '=' || c == ':' || c == '#' || c == '!' || c == ' ') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace

std::string EncodeMetaProperties(const MetaProperties& meta) {
  std::string out = base::Cat("version=0\nbroker.id=", meta.broker_id.value(), "\n");
  if (meta.cluster_id.has_value()) {
    out += base::Cat("cluster.id=", Escaped(*meta.cluster_id), "\n");
  }
  return out;
}

absl::StatusOr<std::map<std::string, std::string>> ParseJavaProperties(std::string_view bytes) {
  std::map<std::string, std::string> properties;
  int64_t number = 0;
  while (!bytes.empty()) {
    const std::string owner = TakeLogicalLine(bytes, number);
    const std::string_view line = owner;
    if (line.empty()) continue;
    const size_t key_end = KeyEnd(line);
    std::string_view value = Trimmed(line.substr(key_end));
    if (value.starts_with('=') || value.starts_with(':')) value = Trimmed(value.substr(1));
    const std::optional<std::string> key = Unescaped(line.substr(0, key_end));
    const std::optional<std::string> text = Unescaped(value);
    if (!key.has_value() || !text.has_value()) {
      return Invalid(
          base::Cat("line ", number, " has a \\u without four hexadecimal digits: ", Quoted(line)));
    }
    properties.insert_or_assign(*key, *text);
  }
  return properties;
}

absl::StatusOr<MetaProperties> ParseMetaProperties(std::string_view bytes) {
  KL_ASSIGN_OR_RETURN(auto properties, ParseJavaProperties(bytes));
  const auto version = properties.find("version");
  if (version == properties.end()) return Invalid("version is missing");
  if (version->second != "0") {
    return Invalid(base::Cat("version is ", Quoted(version->second), ", not 0"));
  }
  const auto broker_id = properties.find("broker.id");
  if (broker_id == properties.end()) return Invalid("broker.id is missing");
  const auto id = ParseDecimal<int32_t>(broker_id->second);
  if (id.value_or(-1) < 0) {
    return Invalid(base::Cat("broker.id is ", Quoted(broker_id->second),
                             ", not a number from 0 to 2147483647"));
  }
  MetaProperties meta{.broker_id = model::BrokerId(*id)};
  if (const auto cluster_id = properties.find("cluster.id"); cluster_id != properties.end()) {
    meta.cluster_id = cluster_id->second;
  }
  return meta;
}

}  // namespace kafkalite::format
