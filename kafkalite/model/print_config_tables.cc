// Prints the tables of docs/configuration.md, to be copied there.

#include <iostream>

#include "kafkalite/model/config_tables.h"

int main() {
  std::cout << kafkalite::model::TopicSettingsTable() << "\n"
            << kafkalite::model::BrokerSettingsTable();
}
