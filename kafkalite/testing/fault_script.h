// File: fault_script.h
//
// Faults as data, so that a run can be drawn, written down, repeated and made smaller.
//
// Plain values.

#ifndef KAFKALITE_TESTING_FAULT_SCRIPT_H_
#define KAFKALITE_TESTING_FAULT_SCRIPT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kafkalite::testing {

// What happens to broker `a`, or between it and broker `b`.
enum class FaultKind {
  kKill,                // as kill -9
  kPowerOff,            // its machine: what was not synced is gone, torn by the seed `value`
  kWipe,                // killed, and its disks replaced
  kShutdown,            // in order
  kRestart,             // one that is down
  kPause,               // as SIGSTOP
  kResume,              //
  kCut,                 // a and b
  kCutOneWay,           // from a to b
  kCutCoordination,     // a, both ways
  kDeafToCoordination,  // a is heard and hears nothing
  kCutClients,          // clients hear no answers of a
  kDisturb,             // a and b, both ways; `value` % loss, duplicates and reordering, some ms
  kDisturbClients,      // a and all clients, likewise
  kHealLinks,           // all
  kExpireSession,       // of a
  kLoseAnswer,          // the next commit of a is carried out, and a does not hear so
  kFailFetches,         // of follower a: `value` of them
  kDropProduceAnswers,  // of a: `value` of them
  kFullDisk,            // of a
  kWriteErrors,         // of a's disk
  kSyncErrors,          // of a's disk
  kSlowDisk,            // of a, by `value` ms
  kMendDisk,            // of a, which is killed and restarted if a log of it is offline
  kJumpClock,           // the wall clock, by `value` ms
};
inline constexpr int kFaultKinds = static_cast<int>(FaultKind::kJumpClock) + 1;

// "PowerOff".
std::string_view ToString(FaultKind kind);

struct ScriptedFault {
  int64_t at_ms = 0;  // virtual time
  FaultKind kind = FaultKind::kKill;
  int32_t a = 0;
  int32_t b = 0;
  int64_t value = 0;

  // For people: "at 1200 ms: Cut 1 2".
  std::string ToString() const;
  friend bool operator==(const ScriptedFault&, const ScriptedFault&) = default;
};

using FaultScript = std::vector<ScriptedFault>;
// As C++, to be pasted into a test.
std::string ToCode(const FaultScript& script);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FAULT_SCRIPT_H_
