// An application with a durable log of its own: a ledger whose accounts are in memory and whose
// truth is a topic. It may be killed with -9 at any time: what it answered with "ok" is there when
// it is started again.
//
//   ./bazelw run //examples:ledger -- /tmp/ledger
//   deposit alice 5
//   ok 5
//   withdraw alice 7
//   refused: alice has 5
//   balance alice
//   5

#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/cat.h"
#include "kafkalite/kafkalite.h"

namespace kafkalite::examples {
namespace {

constexpr char kTopic[] = "ledger";

class Ledger {
 public:
  // With everything that was ever booked in the directory.
  static absl::StatusOr<std::unique_ptr<Ledger>> Open(const std::string& directory) {
    auto cluster = Cluster::Start({.brokers = 1, .data_dir = directory});
    if (!cluster.ok()) return cluster.status();
    std::unique_ptr<Ledger> ledger(new Ledger(*std::move(cluster)));
    if (absl::Status status = ledger->Recover(); !status.ok()) return status;
    return ledger;
  }

  int64_t entries() const { return entries_; }
  int64_t balance(const std::string& account) const {
    const auto found = balances_.find(account);
    return found == balances_.end() ? 0 : found->second;
  }

  // The log first, then the state: returns when the entry cannot be lost any more.
  absl::Status Book(const std::string& account, int64_t amount) {
    const std::string value = std::to_string(amount);
    const auto where =
        producer_->Send({.topic = kTopic, .partition = 0, .key = account, .value = value}).Wait();
    if (!where.ok()) return where.status();
    Apply(account, amount);
    return absl::OkStatus();
  }

 private:
  explicit Ledger(std::unique_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}

  absl::Status Recover() {
    // Synced before it is acknowledged, so that it survives the machine, too.
    const auto topic = cluster_->CreateTopic(kTopic, {.config = {{"flush.messages", "1"}}});
    if (!topic.ok() && !absl::IsAlreadyExists(topic.status())) return topic.status();
    auto producer = Producer::Create(*cluster_, {});
    if (!producer.ok()) return producer.status();
    producer_ = *std::move(producer);
    const auto consumer = Consumer::Create(*cluster_, {});
    if (!consumer.ok()) return consumer.status();
    const TopicPartition partition{kTopic, 0};
    if (auto status = (*consumer)->Assign({partition}); !status.ok()) return status;
    const auto ends = (*consumer)->EndOffsets({partition});
    if (!ends.ok()) return ends.status();
    while (entries_ < ends->at(partition)) {
      const auto records = (*consumer)->Poll(std::chrono::seconds(10));
      if (!records.ok()) return records.status();
      if (records->empty()) return absl::DataLossError("the ledger cannot be read to its end");
      for (const ConsumedRecord& record : *records) {
        Apply(std::string(*record.key), std::stoll(std::string(*record.value)));
      }
    }
    return absl::OkStatus();
  }

  void Apply(const std::string& account, int64_t amount) {
    balances_[account] += amount;
    ++entries_;
  }

  const std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Producer> producer_;
  std::map<std::string, int64_t> balances_;
  int64_t entries_ = 0;
};

// What is answered to one line of input.
absl::StatusOr<std::string> Answer(Ledger& ledger, const std::string& line) {
  std::istringstream words(line);
  std::string verb, account, rest;
  int64_t amount = 0;
  words >> verb >> account;
  if (verb == "balance" && !account.empty() && !(words >> rest)) {
    return std::to_string(ledger.balance(account));
  }
  const bool deposit = verb == "deposit";
  if ((!deposit && verb != "withdraw") || !(words >> amount) || (words >> rest) || amount < 1 ||
      amount > 1'000'000'000) {
    return Cat(
        "not understood: '", line,
        "'. Say: deposit NAME AMOUNT, withdraw NAME AMOUNT or balance NAME; amounts are from "
        "1 to 1000000000");
  }
  if (!deposit && ledger.balance(account) < amount) {
    return Cat("refused: ", account, " has ", ledger.balance(account));
  }
  if (auto status = ledger.Book(account, deposit ? amount : -amount); !status.ok()) return status;
  return Cat("ok ", ledger.balance(account));
}

int Main(int argc, char** argv) {
  const auto fail = [](const absl::Status& status) {
    std::cerr << "ledger: " << std::string(status.message()) << '\n';
    return 1;
  };
  if (argc != 2) {
    std::cerr << "usage: ledger DIRECTORY\n";
    return 2;
  }
  const auto ledger = Ledger::Open(argv[1]);
  if (!ledger.ok()) return fail(ledger.status());
  std::cout << "found " << (*ledger)->entries() << " entries" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = Answer(**ledger, line);
    if (!answer.ok()) return fail(answer.status());
    std::cout << *answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace kafkalite::examples

int main(int argc, char** argv) { return kafkalite::examples::Main(argc, argv); }
