// InitProducerId: a number by which the brokers know an idempotent producer.

#ifndef KAFKALITE_PROTOCOL_INIT_PRODUCER_ID_H_
#define KAFKALITE_PROTOCOL_INIT_PRODUCER_ID_H_

#include "kafkalite/model/error_code.h"
#include "kafkalite/model/ids.h"

namespace kafkalite::protocol {

struct InitProducerIdRequest {};

struct InitProducerIdResponse {
  model::ErrorCode error = model::ErrorCode::kNone;
  model::ProducerId producer_id = model::kNoProducerId;
  int16_t producer_epoch = -1;
};

}  // namespace kafkalite::protocol

#endif  // KAFKALITE_PROTOCOL_INIT_PRODUCER_ID_H_
