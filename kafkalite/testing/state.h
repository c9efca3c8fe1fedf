// File: state.h
//
// What a cluster of this process is like, past every client and every fault.
//
//   std::cerr << kafkalite::testing::DescribeState(*cluster);
//
// Thread safety: any thread.

#ifndef KAFKALITE_TESTING_STATE_H_
#define KAFKALITE_TESTING_STATE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "kafkalite/cluster.h"

namespace kafkalite::testing {

// What coordination holds of a topic's partitions: the truth, whatever a broker believes.
// NOT_FOUND if there is no such topic.
absl::StatusOr<std::vector<PartitionDescription>> StoredPartitions(Cluster& cluster,
                                                                   std::string_view topic);
// NOT_FOUND, too, if it has no such partition.
absl::StatusOr<PartitionDescription> StoredPartition(Cluster& cluster, std::string_view topic,
                                                     int32_t partition);

// For people: the brokers, and of each partition what is stored and what each replica says.
//
//   broker 1: running, controller
//   broker 2: killed
//   first-test-0: leader 1, epoch 3, isr 1, replicas 1 2
//     broker 1: leads in epoch 3, log [0, 17), high watermark 17
//     broker 2: is down
std::string DescribeState(Cluster& cluster);

}  // namespace kafkalite::testing

#endif  // KAFKALITE_TESTING_STATE_H_
