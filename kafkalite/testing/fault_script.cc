#include "kafkalite/testing/fault_script.h"

#include "kafkalite/base/strings.h"

namespace kafkalite::testing {

using base::Cat;

std::string_view ToString(FaultKind kind) {
  switch (kind) {
    case FaultKind::kKill:
      return "Kill";
    case FaultKind::kPowerOff:
      return "PowerOff";
    case FaultKind::kWipe:
      return "Wipe";
    case FaultKind::kShutdown:
      return "Shutdown";
    case FaultKind::kRestart:
      return "Restart";
    case FaultKind::kPause:
      return "Pause";
    case FaultKind::kResume:
      return "Resume";
    case FaultKind::kCut:
      return "Cut";
    case FaultKind::kCutOneWay:
      return "CutOneWay";
    case FaultKind::kCutCoordination:
      return "CutCoordination";
    case FaultKind::kDeafToCoordination:
      return "DeafToCoordination";
    case FaultKind::kCutClients:
      return "CutClients";
    case FaultKind::kDisturb:
      return "Disturb";
    case FaultKind::kDisturbClients:
      return "DisturbClients";
    case FaultKind::kHealLinks:
      return "HealLinks";
    case FaultKind::kExpireSession:
      return "ExpireSession";
    case FaultKind::kLoseAnswer:
      return "LoseAnswer";
    case FaultKind::kFailFetches:
      return "FailFetches";
    case FaultKind::kDropProduceAnswers:
      return "DropProduceAnswers";
    case FaultKind::kFullDisk:
      return "FullDisk";
    case FaultKind::kWriteErrors:
      return "WriteErrors";
    case FaultKind::kSyncErrors:
      return "SyncErrors";
    case FaultKind::kSlowDisk:
      return "SlowDisk";
    case FaultKind::kMendDisk:
      return "MendDisk";
    case FaultKind::kJumpClock:
      return "JumpClock";
  }
  return "?";
}

std::string ScriptedFault::ToString() const {
  std::string text = Cat("at ", at_ms, " ms: ", testing::ToString(kind));
  if (a != 0) text += Cat(" ", a);
  if (b != 0) text += Cat(" ", b);
  if (value != 0) text += Cat(" (", value, ")");
  return text;
}

std::string ToCode(const FaultScript& script) {
  std::string code = "{\n";
  for (const ScriptedFault& fault : script) {
    code += Cat("    {", fault.at_ms, ", FaultKind::k", ToString(fault.kind), ", ", fault.a, ", ",
                fault.b, ", ", fault.value, "},\n");
  }
  return code + "}";
}

}  // namespace kafkalite::testing
