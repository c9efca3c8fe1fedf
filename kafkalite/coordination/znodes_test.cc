#include "kafkalite/coordination/znodes.h"

#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kafkalite::coordination {
namespace {

using model::BrokerId;
using model::ControllerEpoch;
using model::Incarnation;
using model::LeaderEpoch;
using model::LogId;
using model::PartitionId;
using model::ProducerId;
using ::testing::HasSubstr;

// Data as Apache Kafka 2.0.1 wrote it is read, and written again byte by byte.
template <class Node>
Node ReadAndWriteAgain(std::string_view data) {
  const absl::StatusOr<Node> node = Node::Parse("/node", data);
  EXPECT_TRUE(node.ok()) << node.status();
  if (!node.ok()) return {};
  EXPECT_EQ(node->Format(), data);
  return *node;
}

template <class Node>
std::string ErrorOf(std::string_view data) {
  const absl::StatusOr<Node> node = Node::Parse("/node", data);
  EXPECT_EQ(node.status().code(), absl::StatusCode::kInvalidArgument) << data;
  return std::string(node.status().message());
}

TEST(PathsTest, AreKafkas) {
  const model::TopicPartition partition{"t", PartitionId(3)};
  EXPECT_EQ(paths::Broker(BrokerId(1)), "/brokers/ids/1");
  EXPECT_EQ(paths::Topic("t"), "/brokers/topics/t");
  EXPECT_EQ(paths::Partitions("t"), "/brokers/topics/t/partitions");
  EXPECT_EQ(paths::Partition(partition), "/brokers/topics/t/partitions/3");
  EXPECT_EQ(paths::PartitionState(partition), "/brokers/topics/t/partitions/3/state");
  EXPECT_EQ(paths::TopicConfig("t"), "/config/topics/t");
  EXPECT_EQ(paths::BrokerConfig("2"), "/config/brokers/2");
  EXPECT_EQ(paths::DeleteTopic("t"), "/admin/delete_topics/t");
  EXPECT_EQ(paths::Incarnation(BrokerId(2)), "/kafkalite/incarnations/2");
}

TEST(PathsTest, PersistentNodesComeAfterTheirParents) {
  std::vector<std::string> seen{""};
  for (const std::string& path : paths::Persistent()) {
    EXPECT_THAT(seen, testing::Contains(path.substr(0, path.rfind('/')))) << path;
    seen.push_back(path);
  }
}

TEST(ZnodesTest, BrokerRegistration) {
  const auto node = ReadAndWriteAgain<BrokerRegistration>(
      R"({"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},)"
      R"("endpoints":["PLAINTEXT://host:9092"],"jmx_port":-1,"host":"host",)"
      R"("timestamp":"1795365924615","port":9092,"version":4})");
  EXPECT_EQ(node.security_protocols.at("PLAINTEXT"), "PLAINTEXT");
  EXPECT_EQ(node.endpoints, std::vector<std::string>{"PLAINTEXT://host:9092"});
  EXPECT_EQ(node.host, "host");
  EXPECT_EQ(node.port, 9092);
  EXPECT_EQ(node.timestamp_ms, 1795365924615);
  EXPECT_EQ(node.rack, std::nullopt);
}

TEST(ZnodesTest, BrokerRegistrationWithRackAndWhatIsOurs) {
  const auto node = ReadAndWriteAgain<BrokerRegistration>(
      R"({"listener_security_protocol_map":{},"endpoints":[],"jmx_port":1,"rack":"r","host":"",)"
      R"("timestamp":"0","port":-1,"version":4,"incarnation":7,"replication_address":"h:1"})");
  EXPECT_EQ(node.rack, "r");
  EXPECT_EQ(node.incarnation, Incarnation(7));
  EXPECT_EQ(node.replication_address, "h:1");
}

TEST(ZnodesTest, BrokerRegistrationOfOtherVersions) {
  const auto one = BrokerRegistration::Parse(
      "/node", R"({"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"5"})");
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->endpoints, std::vector<std::string>{"PLAINTEXT://h:9092"});
  const auto five = BrokerRegistration::Parse(
      "/node",
      R"({"features":{},"listener_security_protocol_map":{"S":"SSL"},"endpoints":["S://h:1"],)"
      R"("rack":null,"jmx_port":-1,"host":"h","timestamp":5,"port":-1,"version":5})");
  ASSERT_TRUE(five.ok()) << five.status();
  EXPECT_EQ(five->timestamp_ms, 5);
}

TEST(ZnodesTest, TopicAssignment) {
  const auto node =
      ReadAndWriteAgain<TopicAssignment>(R"({"version":1,"partitions":{"0":[1,2,3],"1":[2,3,1]}})");
  EXPECT_EQ(node.replicas.at(PartitionId(1)), (std::vector{BrokerId(2), BrokerId(3), BrokerId(1)}));
  // Kafka writes partitions in the order of a hash table.
  EXPECT_EQ(*TopicAssignment::Parse("", R"({"partitions":{"1":[2,3,1],"0":[1,2,3]},"version":1})"),
            node);
  TopicAssignment many;
  for (int i = 0; i < 12; ++i) many.replicas[PartitionId(i)] = {BrokerId(1)};
  EXPECT_EQ(*TopicAssignment::Parse("", many.Format()), many);
  EXPECT_THAT(many.Format(), HasSubstr(R"("9":[1],"10":[1])"));
}

TEST(ZnodesTest, PartitionState) {
  const auto node = ReadAndWriteAgain<PartitionState>(
      R"({"controller_epoch":1,"leader":-1,"version":1,"leader_epoch":5,"isr":[1,2,3]})");
  EXPECT_EQ(node.controller_epoch, ControllerEpoch(1));
  EXPECT_EQ(node.leader, model::kNoBroker);
  EXPECT_EQ(node.leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(node.isr.size(), 3u);
  EXPECT_TRUE(node.log_ids.empty());
}

TEST(ZnodesTest, PartitionStateWithLogIds) {
  const auto node = ReadAndWriteAgain<PartitionState>(
      R"({"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1,2],)"
      R"("log_ids":{"1":"00000000000000ff","2":"fedcba9876543210"}})");
  EXPECT_EQ(node.log_ids.at(BrokerId(1)), LogId(0xff));
  EXPECT_EQ(node.log_ids.at(BrokerId(2)), LogId(0xfedcba9876543210u));
  for (const std::string ids : {R"({"1":"ff"})", R"({"x":"00000000000000ff"})", R"({"1":255})",
                                R"({"1":"0x000000000000ff"})", R"({"1":"-0000000000000ff"})", "[]",
                                R"({"-1":"00000000000000ff"})"}) {
    EXPECT_THAT(
        ErrorOf<PartitionState>(
            R"({"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1],"log_ids":)" +
            ids + "}"),
        HasSubstr("log_ids"))
        << ids;
  }
}

TEST(ZnodesTest, PartitionStateWithTheLeadersIncarnation) {
  const auto node = ReadAndWriteAgain<PartitionState>(
      R"({"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1],)"
      R"("leader_incarnation":7})");
  EXPECT_EQ(node.leader_incarnation, Incarnation(7));
}

TEST(ZnodesTest, Controller) {
  const auto node = ReadAndWriteAgain<ControllerRegistration>(
      R"({"version":1,"brokerid":1,"timestamp":"1795365924720"})");
  EXPECT_EQ(node.broker, BrokerId(1));
  EXPECT_EQ(node.timestamp_ms, 1795365924720);
  EXPECT_EQ(FormatControllerEpoch(ControllerEpoch(12)), "12");
  EXPECT_EQ(*ParseControllerEpoch("", "12"), ControllerEpoch(12));
  for (const std::string bad : {"", "x", "1x", " 1", "-1", "2147483648", "1.5"}) {
    EXPECT_FALSE(ParseControllerEpoch("/controller_epoch", bad).ok()) << bad;
  }
}

TEST(ZnodesTest, Configuration) {
  const auto node =
      ReadAndWriteAgain<ConfigNode>(R"({"version":1,"config":{"retention.ms":"1000"}})");
  EXPECT_EQ(node.config.at("retention.ms"), "1000");
  ReadAndWriteAgain<ConfigNode>(R"({"version":1,"config":{}})");
  EXPECT_EQ(
      ReadAndWriteAgain<ConfigChange>(R"({"version":2,"entity_path":"topics/T"})").entity_path,
      "topics/T");
  EXPECT_EQ(ConfigChange::Parse("", R"({"version":1,"entity_type":"topics","entity_name":"T"})")
                ->entity_path,
            "topics/T");
}

TEST(ZnodesTest, SetsOfPartitions) {
  const auto set = ReadAndWriteAgain<PartitionSet>(
      R"({"version":1,"partitions":[{"topic":"T","partition":0},{"topic":"U","partition":2}]})");
  EXPECT_EQ(set.partitions[1], (model::TopicPartition{"U", PartitionId(2)}));
  ReadAndWriteAgain<PartitionSet>(R"({"version":1,"partitions":[]})");
  const auto moved = ReadAndWriteAgain<Reassignment>(
      R"({"version":1,"partitions":[{"topic":"T","partition":0,"replicas":[3,2]}]})");
  EXPECT_EQ(moved.partitions[0].replicas, (std::vector{BrokerId(3), BrokerId(2)}));
}

TEST(ZnodesTest, TheRest) {
  EXPECT_EQ(ReadAndWriteAgain<LogDirEvent>(R"({"version":1,"broker":1,"event":1})").broker,
            BrokerId(1));
  const auto block = ReadAndWriteAgain<ProducerIdBlock>(
      R"({"version":1,"broker":3,"block_start":"2000","block_end":"2999"})");
  EXPECT_EQ(block.first, ProducerId(2000));
  EXPECT_EQ(block.last, ProducerId(2999));
  EXPECT_EQ(ReadAndWriteAgain<ClusterId>(R"({"version":"1","id":"RKPS7k-8RxeXYk-cspjMwg"})").id,
            "RKPS7k-8RxeXYk-cspjMwg");
}

TEST(ZnodesTest, AnyStringSurvives) {
  const ConfigNode node{{{"quote\"", "back\\slash\nnew\tline\x01"}, {"accent", "\xc3\xa9"}}};
  const auto parsed = ConfigNode::Parse("", node.Format());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, node);
  // What is not UTF-8 cannot be said in JSON; it must not break the node.
  EXPECT_TRUE(ConfigNode::Parse("", ConfigNode{{{"k", "\xff\xfe"}}}.Format()).ok());
}

TEST(ZnodesTest, ErrorsNamePathFieldAndValue) {
  EXPECT_EQ(ErrorOf<ClusterId>(R"({"version":"1"})"), "/node: field 'id' is missing");
  EXPECT_EQ(ErrorOf<ClusterId>(R"({"version":"1","id":5})"),
            "/node: field 'id' should be a string, but is 5");
  EXPECT_EQ(ErrorOf<ConfigNode>(R"({"version":9,"config":{}})"),
            "/node: field 'version' should be a number in [1, 1], but is 9");
  EXPECT_EQ(
      ErrorOf<PartitionSet>(R"({"version":1,"partitions":[{"topic":"t","partition":-1}]})"),
      "/node: partitions[0]: field 'partition' should be a number in [0, 2147483647], but is -1");
  EXPECT_EQ(ErrorOf<TopicAssignment>(R"({"version":1,"partitions":{"0":["x"]}})"),
            "/node: partitions: field '0' should be a list of broker ids, but is [\"x\"]");
  EXPECT_EQ(ErrorOf<ClusterId>("no json"), "/node: not a JSON object: \"no json\"");
}

// Every prefix of a node, and every node with one value replaced, is refused or read, not more.
template <class Node>
void Torment(const Node& node) {
  const std::string data = node.Format();
  for (size_t size = 0; size < data.size(); ++size) {
    EXPECT_FALSE(Node::Parse("/node", std::string_view(data).substr(0, size)).ok());
  }
  const std::vector<std::string> values = {"null",
                                           "true",
                                           "-1",
                                           "1e400",
                                           "1.5",
                                           "\"\"",
                                           "\"x\"",
                                           "[]",
                                           "[null]",
                                           "[{}]",
                                           "{}",
                                           "{\"a\":null}",
                                           "18446744073709551615",
                                           "-9223372036854775808",
                                           "\"99999999999999999999\"",
                                           "\xff",
                                           "\"\\ud800\""};
  for (size_t colon = data.find(':'); colon != std::string::npos;
       colon = data.find(':', colon + 1)) {
    for (const std::string& value : values) {
      for (size_t end = colon + 2; end <= data.size(); ++end) {
        (void)Node::Parse("/node", data.substr(0, colon + 1) + value + data.substr(end));
      }
    }
  }
}

TEST(ZnodesTest, HostileDataIsRefused) {
  Torment(BrokerRegistration{.security_protocols = {{"P", "P"}},
                             .endpoints = {"P://h:1"},
                             .jmx_port = 1,
                             .host = "h",
                             .port = 1,
                             .timestamp_ms = 1,
                             .rack = "r",
                             .incarnation = Incarnation(1),
                             .replication_address = "h"});
  Torment(TopicAssignment{{{PartitionId(0), {BrokerId(1)}}}});
  Torment(PartitionState{.controller_epoch = ControllerEpoch(1),
                         .leader = BrokerId(1),
                         .leader_epoch = LeaderEpoch(1),
                         .isr = {BrokerId(1)},
                         .log_ids = {{BrokerId(1), LogId(1)}},
                         .leader_incarnation = Incarnation(1)});
  Torment(ControllerRegistration{BrokerId(1), 1});
  Torment(ConfigNode{{{"a", "b"}}});
  Torment(ConfigChange{"topics/t"});
  Torment(PartitionSet{{{"t", PartitionId(0)}}});
  Torment(Reassignment{{{{"t", PartitionId(0)}, {BrokerId(1)}}}});
  Torment(LogDirEvent{BrokerId(1)});
  Torment(ProducerIdBlock{BrokerId(1), ProducerId(0), ProducerId(9)});
  Torment(ClusterId{"x"});
  const std::string deep(100000, '[');
  EXPECT_FALSE(ConfigNode::Parse("/node", deep).ok());
  EXPECT_FALSE(ConfigNode::Parse(
                   "/node", "{\"version\":1,\"config\":" + deep + std::string(100000, ']') + "}")
                   .ok());
}

}  // namespace
}  // namespace kafkalite::coordination
