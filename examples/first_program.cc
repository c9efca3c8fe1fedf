#include <chrono>
#include <iostream>

#include "kafkalite/kafkalite.h"

int main() {
  auto cluster = kafkalite::Cluster::Start({.brokers = 3}).value();
  cluster->CreateTopic("first-test", {.partitions = 3, .replication_factor = 3}).value();

  auto producer = kafkalite::Producer::Create(*cluster, {}).value();
  producer->Send({.topic = "first-test", .value = "Hello Kafka !"}).Wait().value();

  auto consumer = kafkalite::Consumer::Create(*cluster, {}).value();
  if (!consumer->AssignTopic("first-test").ok()) return 1;
  const auto records = consumer->Poll(std::chrono::seconds(1)).value();
  for (const auto& record : records) std::cout << *record.value << '\n';
}
