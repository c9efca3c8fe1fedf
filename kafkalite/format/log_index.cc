#include "kafkalite/format/log_index.h"

#include "kafkalite/base/endian.h"

namespace kafkalite::format {

using base::LoadBig;
using base::StoreBig;

void OffsetIndexEntry::Encode(char* out) const {
  StoreBig<int32_t>(out, relative_offset);
  StoreBig<int32_t>(out + 4, position);
}

OffsetIndexEntry OffsetIndexEntry::Decode(const char* in) {
  return {.relative_offset = LoadBig<int32_t>(in), .position = LoadBig<int32_t>(in + 4)};
}

void TimeIndexEntry::Encode(char* out) const {
  StoreBig<int64_t>(out, timestamp);
  StoreBig<int32_t>(out + 8, relative_offset);
}

TimeIndexEntry TimeIndexEntry::Decode(const char* in) {
  return {.timestamp = LoadBig<int64_t>(in), .relative_offset = LoadBig<int32_t>(in + 8)};
}

}  // namespace kafkalite::format
