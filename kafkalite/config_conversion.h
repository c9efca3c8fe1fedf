// File: config_conversion.h
//
// Settings between the public types and those of the floors below. Private to this folder.

#ifndef KAFKALITE_CONFIG_CONVERSION_H_
#define KAFKALITE_CONFIG_CONVERSION_H_

#include <vector>

#include "kafkalite/config.h"
#include "kafkalite/model/topic_config.h"

namespace kafkalite {

std::vector<ConfigEntry> FromModel(std::vector<model::ConfigEntry> entries);
std::vector<model::ConfigChange> ToModel(const std::vector<ConfigChange>& changes);

}  // namespace kafkalite

#endif  // KAFKALITE_CONFIG_CONVERSION_H_
