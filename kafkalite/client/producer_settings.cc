#include "kafkalite/client/producer_settings.h"

#include <limits>
#include <string_view>

#include "kafkalite/base/buffer.h"
#include "kafkalite/base/status_macros.h"
#include "kafkalite/base/strings.h"
#include "kafkalite/format/compression.h"
#include "kafkalite/model/topic.h"

namespace kafkalite::client {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int32_t kLargestBytes = 1 << 30;

absl::Status OutOfRange(std::string_view option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  const std::string remedy =
      most == kMost ? base::Cat(least, " or more") : base::Cat("from ", least, " to ", most);
  return absl::InvalidArgumentError(base::Cat(option, " is ", value, ": ", remedy));
}

absl::Status ValidateCompression(std::string_view prefix, const TopicSettings& settings) {
  const auto codec = static_cast<format::Codec>(settings.compression);
  const auto pool = base::BufferPool::Create(0);
  const auto check = [&](std::string_view option, std::optional<int> level) -> absl::Status {
    const absl::Status status = format::Compress(codec, "", *pool, level).status();
    if (status.ok()) return status;
    return absl::InvalidArgumentError(
        base::Cat(prefix, option, ": ", base::ToStd(status.message())));
  };
  KL_RETURN_IF_ERROR(check("compression", std::nullopt));
  return check("compression_level", settings.compression_level);
}

// `prefix` goes before the names of the options.
absl::Status ValidateSettings(std::string_view prefix, const TopicSettings& settings) {
  const Acks acks = settings.acks;
  if (acks != Acks::kNone && acks != Acks::kLeader && acks != Acks::kAll) {
    return absl::InvalidArgumentError(
        base::Cat(prefix, "acks is ", static_cast<int>(acks), ": kNone, kLeader or kAll"));
  }
  if (settings.partitioner.kind() == Partitioner::Kind::kCustom &&
      settings.partitioner.function() == nullptr) {
    return absl::InvalidArgumentError(
        base::Cat(prefix, "partitioner is Custom without a function: give it one, or Default()"));
  }
  KL_RETURN_IF_ERROR(ValidateCompression(prefix, settings));
  const auto name = [&](std::string_view option) { return base::Cat(prefix, option); };
  KL_RETURN_IF_ERROR(OutOfRange(name("partitioner.availability_timeout"),
                                settings.partitioner.default_options().availability_timeout.count(),
                                0, kMost));
  KL_RETURN_IF_ERROR(
      OutOfRange(name("delivery_timeout"), settings.delivery_timeout.count(), 1, kMost));
  KL_RETURN_IF_ERROR(OutOfRange(name("linger"), settings.linger.count(), 0, kMost));
  KL_RETURN_IF_ERROR(
      OutOfRange(name("batch_size_bytes"), settings.batch_size_bytes, 0, kLargestBytes));
  if (settings.linger <= settings.delivery_timeout) return absl::OkStatus();
  return absl::InvalidArgumentError(base::Cat(
      prefix, "delivery_timeout is ", settings.delivery_timeout.count(), " ms, less than linger, ",
      settings.linger.count(), " ms: raise the one or lower the other"));
}

}  // namespace

TopicSettings TopicSettings::Of(const ProducerOptions& options) {
  return {.acks = options.acks,
          .idempotent = options.enable_idempotence && options.acks == Acks::kAll,
          .delivery_timeout = options.delivery_timeout,
          .partitioner = options.partitioner,
          .compression = options.compression,
          .compression_level = options.compression_level,
          .linger = options.linger,
          .batch_size_bytes = options.batch_size_bytes};
}

TopicSettings TopicSettings::Of(const ProducerOptions& options, const ProducerTopicOptions& topic) {
  TopicSettings settings = Of(options);
  settings.acks = topic.acks.value_or(settings.acks);
  settings.idempotent = options.enable_idempotence && settings.acks == Acks::kAll;
  settings.delivery_timeout = topic.delivery_timeout.value_or(settings.delivery_timeout);
  settings.partitioner = topic.partitioner.value_or(settings.partitioner);
  // The producer's level is of its codec's scale.
  if (topic.compression.has_value()) {
    settings.compression = *topic.compression;
    settings.compression_level = std::nullopt;
  }
  if (topic.compression_level.has_value()) settings.compression_level = topic.compression_level;
  settings.linger = topic.linger.value_or(settings.linger);
  settings.batch_size_bytes = topic.batch_size_bytes.value_or(settings.batch_size_bytes);
  return settings;
}

absl::Status ValidateOptions(const ProducerOptions& options) {
  constexpr std::string_view kPrefix = "ProducerOptions::";
  const auto check = [&](std::string_view option, int64_t value, int64_t least, int64_t most) {
    return OutOfRange(base::Cat(kPrefix, option), value, least, most);
  };
  KL_RETURN_IF_ERROR(ValidateSettings(kPrefix, TopicSettings::Of(options)));
  KL_RETURN_IF_ERROR(check("request_timeout", options.request_timeout.count(), 1, kMost));
  KL_RETURN_IF_ERROR(check("max_block", options.max_block.count(), 0, kMost));
  KL_RETURN_IF_ERROR(check("metadata_max_age", options.metadata_max_age.count(), 0, kMost));
  KL_RETURN_IF_ERROR(check("buffer_memory_bytes", options.buffer_memory_bytes, 1, kMost));
  KL_RETURN_IF_ERROR(
      check("max_request_size_bytes", options.max_request_size_bytes, 1, kLargestBytes));
  for (const auto& [name, topic] : options.topics) {
    const std::string prefix = base::Cat(kPrefix, "topics[\"", name, "\"].");
    if (const absl::Status named = model::ValidateTopicName(name); !named.ok()) {
      return absl::InvalidArgumentError(
          base::Cat(std::string_view(prefix).substr(0, prefix.size() - 1), ": ",
                    base::ToStd(named.message())));
    }
    KL_RETURN_IF_ERROR(ValidateSettings(prefix, TopicSettings::Of(options, topic)));
  }
  return absl::OkStatus();
}

}  // namespace kafkalite::client
