#include "kafkalite/producer.h"

#include <utility>

#include "kafkalite/base/status_macros.h"
#include "kafkalite/client/producer_engine.h"
#include "kafkalite/client/runtime_of.h"

namespace kafkalite {

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(Cluster& cluster,
                                                           const ProducerOptions& options) {
  KL_ASSIGN_OR_RETURN(std::shared_ptr<client::ProducerEngine> engine,
                      client::ProducerEngine::Create(RuntimeOf(cluster), options));
  return std::unique_ptr<Producer>(new Producer(std::move(engine)));
}

Producer::Producer(std::shared_ptr<client::ProducerEngine> engine) : engine_(std::move(engine)) {}

Producer::~Producer() { engine_->Close(); }

Ticket Producer::Send(const Record& record) { return engine_->Send(record); }

void Producer::Send(const Record& record, DeliveryCallback callback) {
  engine_->Send(record, std::move(callback));
}

absl::Status Producer::Flush(std::chrono::milliseconds timeout) { return engine_->Flush(timeout); }

ProducerMetrics Producer::metrics() const { return engine_->metrics(); }

int32_t ClientIdOf(const Producer& producer) { return producer.engine_->client_id(); }

}  // namespace kafkalite
