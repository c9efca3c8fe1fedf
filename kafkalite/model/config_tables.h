// File: config_tables.h
//
// The tables of docs/configuration.md, made of the table of settings. A test holds the document to
// them; to renew it:
//
//   bazelw run //kafkalite/model:print_config_tables
//
// Thread safety: pure functions.

#ifndef KAFKALITE_MODEL_CONFIG_TABLES_H_
#define KAFKALITE_MODEL_CONFIG_TABLES_H_

#include <string>

namespace kafkalite::model {

// Markdown, each line with its end.
std::string TopicSettingsTable();
std::string BrokerSettingsTable();

}  // namespace kafkalite::model

#endif  // KAFKALITE_MODEL_CONFIG_TABLES_H_
