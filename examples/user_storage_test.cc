// A user's own storage: it passes the suite that every storage has to pass, and a cluster runs on
// it.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "examples/shelf_storage.h"
#include "gtest/gtest.h"
#include "kafkalite/kafkalite.h"
#include "kafkalite/storage/contract_test.h"

namespace kafkalite {

// --- The contract -------------------------------------------------------------------------------

namespace storage {
namespace {

class ShelfFixture final : public StorageFixture {
 public:
  Storage& storage() override { return *storage_; }
  void Restart() override { storage_ = std::make_unique<examples::ShelfStorage>(shelf_, 1); }

 private:
  const std::shared_ptr<examples::Shelf> shelf_ = std::make_shared<examples::Shelf>();
  std::unique_ptr<Storage> storage_ = std::make_unique<examples::ShelfStorage>(shelf_, 1);
};

INSTANTIATE_TEST_SUITE_P(Shelf, StorageContractTest,
                         testing::Values(StorageFixtureFactory{
                             "Shelf", [] { return std::make_unique<ShelfFixture>(); }}),
                         StorageFixtureName);

}  // namespace
}  // namespace storage

// --- A cluster on it ----------------------------------------------------------------------------

namespace examples {
namespace {

constexpr char kTopic[] = "first-test";

std::vector<std::string> ReadAll(Cluster& cluster, size_t count) {
  std::vector<std::string> values;
  const auto consumer = Consumer::Create(cluster, {});
  if (!consumer.ok() || !(*consumer)->AssignTopic(kTopic).ok()) return values;
  while (values.size() < count) {
    const auto records = (*consumer)->Poll(std::chrono::seconds(10));
    if (!records.ok() || records->empty()) break;
    for (const ConsumedRecord& record : *records) values.emplace_back(*record.value);
  }
  return values;
}

TEST(UserStorageTest, BrokersFindTheirLogsOnTheShelfAfterAKill) {
  const auto shelf = std::make_shared<Shelf>();
  const auto cluster = Cluster::Start({.brokers = 3, .storage = [shelf](int32_t broker) {
                                         return std::make_shared<ShelfStorage>(shelf, broker);
                                       }});
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  ASSERT_TRUE((*cluster)->CreateTopic(kTopic, {.replication_factor = 3}).ok());
  const auto producer = Producer::Create(**cluster, {});
  ASSERT_TRUE(producer.ok()) << producer.status();
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back("record " + std::to_string(i));
    ASSERT_TRUE((*producer)->Send({.topic = kTopic, .value = sent.back()}).Wait().ok());
  }
  // All of them: in memory, nothing would be left.
  for (const int32_t broker : {1, 2, 3}) ASSERT_TRUE((*cluster)->Kill(broker).ok());
  for (const int32_t broker : {1, 2, 3}) ASSERT_TRUE((*cluster)->Restart(broker).ok());
  EXPECT_EQ(ReadAll(**cluster, sent.size()), sent);
}

}  // namespace
}  // namespace examples
}  // namespace kafkalite
