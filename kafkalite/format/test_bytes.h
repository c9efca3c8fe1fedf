// File: test_bytes.h
//
// What the tests of small readers share: bytes that are nearly right, and whether they are refused.

#ifndef KAFKALITE_FORMAT_TEST_BYTES_H_
#define KAFKALITE_FORMAT_TEST_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "kafkalite/base/random.h"
#include "kafkalite/base/strings.h"

namespace kafkalite::format {

// Calls `parse` with variations of `valid`, each in memory of its own size, so that a sanitizer
// notices a read past the end. What comes of it may be an error or not; no crash.
template <class Parse>
void FeedVariations(std::string_view valid, Parse parse) {
  base::Random random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(
        valid.substr(0, random.OneIn(4) ? random.Below(valid.size() + 1) : valid.size()));
    for (uint64_t flips = random.Below(4); flips > 0 && !bytes.empty(); --flips) {
      const size_t at = random.Below(bytes.size());
      bytes[at] = random.OneIn(2) ? static_cast<char>(random.Next())
                                  : static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
    }
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    bytes.copy(exact.get(), bytes.size());
    parse(std::string_view(exact.get(), bytes.size()));
  }
}

// Whether an error is of this kind and says so.
inline testing::AssertionResult IsError(const absl::Status& status, absl::StatusCode code,
                                        std::string_view words) {
  if (status.code() == code && base::ToStd(status.message()).find(words) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "got " << status << ", not '" << words << "'";
}

}  // namespace kafkalite::format

#endif  // KAFKALITE_FORMAT_TEST_BYTES_H_
