// File: faults.h
//
// Faults on demand, in a cluster of this process, real or simulated.
//
//   Faults faults(*cluster);
//   faults.Isolate(1);                          // nobody hears broker 1, and it hears nobody
//   faults.CutOneWay(2, Node::Coordination());  // broker 2 is not heard of by coordination
//   faults.Disturb(3, Node::Clients(), {.delay = 5ms, .loss = 0.1});
//   faults.FailRequests({.api = Api::kProduce}, model::ErrorCode::kNotEnoughReplicas, /*times=*/3);
//   ...
//   faults.HealAll();
//
// What kills, stops, pauses and starts brokers are verbs of Cluster: they are here only where more
// than the process fails.
//
// A link that is cut delivers nothing, silently: callers find out by their timeouts, or when it is
// healed. Links are one-way; a verb works on both directions unless it says otherwise.
//
// Thread safety: any thread. Lifetime: not beyond its cluster. All Faults of one cluster are the
// same; what was done stays when one is destroyed.
// Errors: INVALID_ARGUMENT for what makes no sense, NOT_FOUND for a broker that the cluster does
// not have, FAILED_PRECONDITION for what this cluster, or its present state, does not allow. The
// message ends with the state of the cluster, and nothing was done.

#ifndef KAFKALITE_TESTING_FAULTS_H_
#define KAFKALITE_TESTING_FAULTS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kafkalite/base/network.h"
#include "kafkalite/cluster.h"
#include "kafkalite/files/memory_file_system.h"
#include "kafkalite/model/error_code.h"
#include "kafkalite/testing/node.h"
#include "kafkalite/testing/requests.h"

namespace kafkalite::testing {

class RequestTap;
struct RequestRule;

// What may happen to the messages between two nodes; see there.
using Disturbance = base::Disturbance;

class Faults {
 public:
  explicit Faults(Cluster& cluster);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // --- Links ------------------------------------------------------------------------------------

  // Messages under way are lost, too.
  absl::Status Cut(Node a, Node b);
  absl::Status CutOneWay(Node from, Node to);
  absl::Status Heal(Node a, Node b);

  enum class Scope {
    kBrokers,                 // clients and coordination still reach it
    kBrokersAndCoordination,  // clients still reach it
    kClients,                 // brokers and coordination still reach it
    kEverything,
  };
  // Cuts a broker from all others in the scope.
  absl::Status Isolate(int32_t broker, Scope scope = Scope::kEverything);

  // In the place of an earlier disturbance of the same link; {} ends it. What cannot happen to the
  // link of a session, as that is one connection, is refused for coordination: duplication,
  // reordering.
  absl::Status Disturb(Node a, Node b, const Disturbance& disturbance);
  absl::Status DisturbOneWay(Node from, Node to, const Disturbance& disturbance);

  // --- Coordination -----------------------------------------------------------------------------

  // Ends the broker's session, as if it had been silent for its timeout.
  absl::Status ExpireSession(int32_t broker);
  // What the broker writes next, `times` times, is written, and it does not hear so: it has to find
  // out for itself.
  absl::Status LoseCoordinationAnswers(int32_t broker, int times = 1);

  // --- Requests ---------------------------------------------------------------------------------

  static constexpr int kForEver = -1;

  // The broker answers the next `times` requests that fit with an error, and does not carry them
  // out. Of a request about several partitions or topics only those that fit are in error.
  absl::Status FailRequests(const RequestFilter& filter, model::ErrorCode error, int times = 1);
  // They reach the broker so much later.
  absl::Status DelayRequests(const RequestFilter& filter, std::chrono::nanoseconds delay,
                             int times = 1);
  // They get lost: nobody carries them out, or answers.
  absl::Status DropRequests(const RequestFilter& filter, int times = 1);
  // They are carried out, and nobody hears the answer.
  absl::Status DropAnswers(const RequestFilter& filter, int times = 1);
  // They are carried out, and the connection breaks within the answer: the caller of a fetch has
  // the first half of the batches, other callers hear that the connection broke.
  absl::Status TruncateAnswers(const RequestFilter& filter, int times = 1);

  // Remembers the requests that reach brokers from now on: the last 100,000.
  void RecordRequests();
  // Of those remembered, in the order of their arrival.
  std::vector<RecordedRequest> Requests(const RequestFilter& filter = {}) const;
  // And remembers no more.
  void ForgetRequests();

  // --- Disks ------------------------------------------------------------------------------------
  // Of a cluster with a data_dir whose file_system is Disks (see disks.h), as a simulated one has.

  enum class DiskFault {
    kFull,        // nothing more can be written: ENOSPC
    kWriteError,  // EIO; half of what should have been written is
    kReadError,   // EIO
    kSyncError,   // EIO: what was to be durable may not be, and the next sync says nothing of it
  };
  // Until it is mended. Logs that have met a failed write or sync stay offline until their broker
  // is started again.
  absl::Status BreakDisk(int32_t broker, DiskFault fault);
  absl::Status MendDisk(int32_t broker);
  // Each thing that the broker's disks do takes so much longer, until it is started again or the
  // delay is 0. Any file_system will do.
  absl::Status SlowDisk(int32_t broker, std::chrono::nanoseconds delay);

  // The broker's machine, not only its process, is gone: of what was written and not synced, some
  // is lost and some torn, by seed. Restart starts it.
  using PowerLoss = files::MemoryFileSystem::CrashOptions;
  absl::Status PowerOff(int32_t broker, const PowerLoss& loss = {});
  // A broker that is down gets new, empty disks. (What was in memory went with Kill.)
  absl::Status Wipe(int32_t broker);

  // --- Clocks -----------------------------------------------------------------------------------

  // The clock that stamps records goes forward, or back. Timeouts do not go by it. Producers look
  // at it ten times a second.
  absl::Status JumpWallClock(std::chrono::milliseconds by);

  // ----------------------------------------------------------------------------------------------

  // Undoes everything above that is not over by itself; clocks stay where they are.
  void HealAll();

 private:
  absl::Status CheckBroker(int32_t broker) const;
  absl::Status CheckLink(Node a, Node b) const;
  absl::Status CheckFilter(const RequestFilter& filter, int times) const;
  absl::Status Refuse(absl::StatusCode code, std::string_view why) const;
  absl::Status AddRule(RequestRule rule);
  absl::StatusOr<files::MemoryFileSystem*> DiskOf(int32_t broker) const;

  Cluster& cluster_;
  const std::shared_ptr<RequestTap> tap_;
};

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_FAULTS_H_
