// File: kafkalite.h
//
// Everything: Cluster, Broker, Topic, Producer, Consumer and Record, and their settings.

#ifndef KAFKALITE_KAFKALITE_H_
#define KAFKALITE_KAFKALITE_H_

#include "kafkalite/broker.h"    // IWYU pragma: export
#include "kafkalite/cluster.h"   // IWYU pragma: export
#include "kafkalite/config.h"    // IWYU pragma: export
#include "kafkalite/consumer.h"  // IWYU pragma: export
#include "kafkalite/metrics.h"   // IWYU pragma: export
#include "kafkalite/producer.h"  // IWYU pragma: export
#include "kafkalite/record.h"    // IWYU pragma: export
#include "kafkalite/topic.h"     // IWYU pragma: export

#endif  // KAFKALITE_KAFKALITE_H_
