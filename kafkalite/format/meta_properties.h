// File: meta_properties.h
//
// meta.properties says whose a data directory is:
//
//   version=0
//   broker.id=1
//   cluster.id=RKPS7k-8RxeXYk-cspjMwg      written by Kafka from 2.4 on
//
// In the syntax of java.util.Properties, comments, escapes and all, as people edit it by hand. Keys
// that are not known are skipped. Bytes are characters of Latin-1 there; what is read is UTF-8.

#ifndef KAFKALITE_FORMAT_META_PROPERTIES_H_
#define KAFKALITE_FORMAT_META_PROPERTIES_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::format {

struct MetaProperties {
  model::BrokerId broker_id = model::kNoBroker;
  std::optional<std::string> cluster_id = {};
  bool operator==(const MetaProperties&) const = default;
};

std::string EncodeMetaProperties(const MetaProperties& meta);
// INVALID_ARGUMENT for another version, and for a broker id that is missing or not a number of at
// least 0.
absl::StatusOr<MetaProperties> ParseMetaProperties(std::string_view bytes);

// What java.util.Properties reads: of equal keys, the last. INVALID_ARGUMENT, with the line, for a
// broken \uXXXX; there are no other errors in that syntax.
absl::StatusOr<std::map<std::string, std::string>> ParseJavaProperties(std::string_view bytes);

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_META_PROPERTIES_H_
