// File: ids.h
//
// The numbers of the domain, each a type of its own, so that an offset never passes for an epoch.
// Conversion is explicit both ways: Offset(5), offset.value().

#ifndef KAFKALITE_MODEL_IDS_H_
#define KAFKALITE_MODEL_IDS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace kafkalite::model {

template <class Tag, class Rep>
class StrongNumber {
 public:
  constexpr StrongNumber() = default;
  explicit constexpr StrongNumber(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongNumber, StrongNumber) = default;
  template <class H>
  friend H AbslHashValue(H h, StrongNumber number) {
    return H::combine(std::move(h), number.value_);
  }

 private:
  Rep value_ = 0;
};

using BrokerId = StrongNumber<struct BrokerIdTag, int32_t>;
using PartitionId = StrongNumber<struct PartitionIdTag, int32_t>;
// The number of a leader's reign, stamped into each batch.
using LeaderEpoch = StrongNumber<struct LeaderEpochTag, int32_t>;
using ControllerEpoch = StrongNumber<struct ControllerEpochTag, int32_t>;
// One registration of a broker: raised by every registration, never reset.
using Incarnation = StrongNumber<struct IncarnationTag, int64_t>;
// Names a log's contents: random, another one when the log was wiped. 0 is "no log". Its lowest
// byte is 0 at first and counts the crashes that may have cost the log some of its end.
using LogId = StrongNumber<struct LogIdTag, uint64_t>;
using ProducerId = StrongNumber<struct ProducerIdTag, int64_t>;

inline constexpr BrokerId kNoBroker{-1};
inline constexpr LeaderEpoch kNoEpoch{-1};
inline constexpr ProducerId kNoProducerId{-1};

// The name of a log after a crash that may have cost it some of its end.
constexpr LogId AfterLoss(LogId log) {
  constexpr uint64_t kCount = 0xff;
  if (log == LogId()) return log;
  const uint64_t losses = log.value() & kCount;
  return LogId((log.value() & ~kCount) | (losses == kCount ? 1 : losses + 1));
}
// Whether one may be the other after losses.
constexpr bool SameOrigin(LogId a, LogId b) { return a.value() >> 8 == b.value() >> 8; }

// A position in a partition's log. Ranges of offsets are half-open.
class Offset {
 public:
  constexpr Offset() = default;
  explicit constexpr Offset(int64_t value) : value_(value) {}
  constexpr int64_t value() const { return value_; }
  friend constexpr auto operator<=>(Offset, Offset) = default;
  friend constexpr Offset operator+(Offset a, int64_t n) { return Offset(a.value_ + n); }
  friend constexpr Offset operator-(Offset a, int64_t n) { return Offset(a.value_ - n); }
  friend constexpr int64_t operator-(Offset a, Offset b) { return a.value_ - b.value_; }

 private:
  int64_t value_ = 0;
};

struct TopicPartition {
  std::string topic;
  PartitionId partition;

  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  template <class H>
  friend H AbslHashValue(H h, const TopicPartition& tp) {
    return H::combine(std::move(h), tp.topic, tp.partition);
  }
};

// "first-test-0", as Kafka writes it.
inline std::string ToString(const TopicPartition& tp) {
  return tp.topic + "-" + std::to_string(tp.partition.value());
}

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_IDS_H_
