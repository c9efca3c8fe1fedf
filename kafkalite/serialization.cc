#include "kafkalite/serialization.h"

#include "kafkalite/base/strings.h"

namespace kafkalite::serialization_internal {

using base::Cat;

absl::Status WrongSize(std::string_view type, size_t wanted, size_t bytes) {
  return absl::InvalidArgumentError(
      Cat("Size of data received by ", type, "Deserializer is not ", wanted, ": it is ", bytes));
}

absl::Status NoBytes() {
  return absl::InvalidArgumentError(
      "the record has none (null): Deserialize<std::optional<T>> takes that, too");
}

absl::Status NotAMessage(std::string_view type, size_t bytes) {
  return absl::InvalidArgumentError(Cat("the ", bytes, " bytes are not a message of type ", type,
                                        ", or one without its required fields"));
}

absl::Status NotABoolean(char byte) {
  return absl::InvalidArgumentError(Cat("Unexpected byte received by BooleanDeserializer: ",
                                        static_cast<int>(static_cast<unsigned char>(byte)),
                                        ", which is neither 0 nor 1"));
}

}  // namespace kafkalite::serialization_internal
