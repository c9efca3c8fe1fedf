// File: collector.h
//
// Collects the results of a request's parts, in its order, and answers when all are there.
//
// Thread safety: none; a term's strand owns it.

#ifndef KAFKALITE_CONTROLLER_COLLECTOR_H_
#define KAFKALITE_CONTROLLER_COLLECTOR_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "kafkalite/model/error_code.h"
#include "kafkalite/transport/reply.h"

namespace kafkalite::controller {

template <class Response, class Part>
class Collector {
 public:
  Collector(std::vector<Part> parts, std::vector<Part> Response::*field,
            transport::Reply<Response> reply)
      : parts_(std::move(parts)), field_(field), left_(parts_.size()), reply_(std::move(reply)) {
    if (left_ == 0) Answer();
  }
  void Set(size_t i, model::ErrorCode error, std::string message) {
    parts_[i].error = error;
    parts_[i].message = std::move(message);
    if (--left_ == 0) Answer();
  }

 private:
  void Answer() {
    Response response;
    response.*field_ = std::move(parts_);
    reply_(std::move(response));
  }

  std::vector<Part> parts_;
  std::vector<Part> Response::*field_;
  size_t left_;
  transport::Reply<Response> reply_;
};

}  // namespace kafkalite::controller

#endif  // KAFKALITE_CONTROLLER_COLLECTOR_H_
