// Apache Kafka's own code on a data directory (log.dirs): the other side of kafka_files_main.
//
//   java -cp 'jars/*' KafkaFiles.java write <directory> <records>   a broker writes, and stops
//   java -cp 'jars/*' KafkaFiles.java read <directory> <records>    tools and a broker read
//
// The records of the topic "orders", which has two partitions: record i is in partition i % 2, with
// key "key-i", value "value-i" and timestamp 1700000000000 + i.

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import kafka.server.KafkaConfig;
import kafka.server.KafkaServer;
import kafka.server.checkpoints.LeaderEpochCheckpointFile;
import kafka.server.checkpoints.OffsetCheckpointFile;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Time;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.server.NIOServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import scala.Option;

public class KafkaFiles {
  static final String TOPIC = "orders";
  static final long FIRST_TIMESTAMP = 1700000000000L;

  public static void main(String[] args) throws Exception {
    Path directory = Path.of(args[1]);
    int records = Integer.parseInt(args[2]);
    if (args[0].equals("write")) {
      try (Broker broker = new Broker(directory)) {
        broker.createTopic();
        produce(broker.address(), records);
      }
    } else {
      dump(directory);
      readCheckpoints(directory);
      try (Broker broker = new Broker(directory)) {
        broker.createTopic();
        consume(broker.address(), records);
      }
    }
    System.exit(0);  // Kafka leaves threads behind
  }

  static void check(boolean ok, String otherwise) {
    if (ok) return;
    System.err.println("KafkaFiles: " + otherwise);
    System.exit(1);
  }

  // A ZooKeeper that knows nothing, and a broker with id 1 on the directory.
  static class Broker implements AutoCloseable {
    final NIOServerCnxnFactory connections = new NIOServerCnxnFactory();
    final int port = freePort();
    final KafkaServer server;

    Broker(Path directory) throws Exception {
      File scratch = Files.createTempDirectory("zookeeper").toFile();
      connections.configure(new InetSocketAddress("127.0.0.1", 0), 10);
      connections.startup(new ZooKeeperServer(scratch, scratch, 500));
      knowCluster(directory);
      Properties properties = new Properties();
      properties.put("broker.id", "1");
      properties.put("zookeeper.connect", "127.0.0.1:" + connections.getLocalPort());
      properties.put("listeners", "PLAINTEXT://" + address());
      properties.put("log.dirs", directory.toString());
      properties.put("offsets.topic.replication.factor", "1");
      properties.put("log.retention.ms", "-1");
      server = new KafkaServer(new KafkaConfig(properties), Time.SYSTEM, Option.empty(), false);
      server.startup();
    }
    // The directory has to belong to the cluster that ZooKeeper knows, if it knows one.
    void knowCluster(Path directory) throws Exception {
      Path file = directory.resolve("meta.properties");
      if (!Files.exists(file)) return;
      Properties meta = new Properties();
      meta.load(Files.newBufferedReader(file));
      String id = "{\"version\":\"1\",\"id\":\"" + meta.getProperty("cluster.id") + "\"}";
      ZooKeeper client =
          new ZooKeeper("127.0.0.1:" + connections.getLocalPort(), 10000, event -> {});
      client.create("/cluster", null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      client.create(
          "/cluster/id", id.getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
      client.close();
    }
    String address() {
      return "127.0.0.1:" + port;
    }
    // Finds the logs that are there.
    void createTopic() throws Exception {
      Map<String, String> settings = Map.of("segment.bytes", "5000", "index.interval.bytes", "500");
      try (AdminClient admin = AdminClient.create(client(address()))) {
        NewTopic topic = new NewTopic(TOPIC, 2, (short) 1).configs(settings);
        admin.createTopics(List.of(topic)).all().get();
      }
    }
    public void close() {
      server.shutdown();
      server.awaitShutdown();
      connections.shutdown();
    }
    static int freePort() throws Exception {
      try (java.net.ServerSocket socket = new java.net.ServerSocket(0)) {
        return socket.getLocalPort();
      }
    }
  }

  static Properties client(String address) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", address);
    return properties;
  }

  static void produce(String address, int records) throws Exception {
    // One after the other: plain, and compressed in each way.
    List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
    for (int c = 0; c < codecs.size(); ++c) {
      Properties properties = client(address);
      properties.put("enable.idempotence", "true");
      properties.put("compression.type", codecs.get(c));
      properties.put("batch.size", "1000");
      StringSerializer strings = new StringSerializer();
      try (KafkaProducer<String, String> producer =
          new KafkaProducer<>(properties, strings, strings)) {
        int end = (c + 1) * records / codecs.size();
        for (int i = c * records / codecs.size(); i < end; ++i) {
          producer.send(
              new ProducerRecord<>(TOPIC, i % 2, FIRST_TIMESTAMP + i, "key-" + i, "value-" + i));
        }
      }
    }
  }

  static void consume(String address, int records) {
    StringDeserializer strings = new StringDeserializer();
    TopicPartition partition = new TopicPartition(TOPIC, 1);
    try (KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(client(address), strings, strings)) {
      List<TopicPartition> partitions = List.of(new TopicPartition(TOPIC, 0), partition);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      int count = 0;
      long deadline = System.currentTimeMillis() + 60_000;
      while (count < records && System.currentTimeMillis() < deadline) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
          long i = 2 * record.offset() + record.partition();
          check(record.key().equals("key-" + i) && record.value().equals("value-" + i)
                  && record.timestamp() == FIRST_TIMESTAMP + i, "a wrong record: " + record);
          ++count;
        }
      }
      check(count == records, "the broker has " + count + " records instead of " + records);
      long middle = records / 2 + 1 - records / 2 % 2;  // odd, so in partition 1
      OffsetAndTimestamp found =
          consumer.offsetsForTimes(Map.of(partition, FIRST_TIMESTAMP + middle)).get(partition);
      check(found != null && found.offset() == middle / 2, "a wrong offset by time: " + found);
    }
    System.out.println("Kafka serves all " + records + " records");
  }

  // Each file to Kafka's dump tool, which prints its complaints among the rest.
  static void dump(Path directory) throws Exception {
    List<Path> files;
    try (var walk = Files.walk(directory)) {
      files = walk.filter(p -> p.toString().matches(".*\\.(log|index|timeindex|snapshot)$"))
                  .sorted().collect(Collectors.toList());
    }
    for (String kind : List.of(".log", ".index", ".timeindex", ".snapshot")) {
      check(files.stream().anyMatch(p -> p.toString().endsWith(kind)), "there is no " + kind);
    }
    for (Path file : files) {
      String output = dumpOne(file, "--deep-iteration");
      boolean isIndex = file.toString().endsWith("index");
      if (isIndex && Files.size(file) > 0) output += dumpOne(file, "--index-sanity-check");
      for (String complaint : List.of("isvalid: false", "Found", "Non-secutive", "Non-consecutive",
          "Mismatches", "mismatch", "trailing", "failed", "Exception", "Error", "corrupt")) {
        check(!output.contains(complaint), file + ": " + output);
      }
      boolean says = isIndex ? output.contains("passed sanity check") || Files.size(file) == 0
                             : output.contains("baseOffset") || output.contains("producerId")
                                   || output.contains("Starting offset");
      check(says, file + " says nothing: " + output);
    }
    System.out.println("DumpLogSegments has read " + files.size() + " files without complaint");
  }

  static String dumpOne(Path file, String option) {
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    PrintStream before = System.out;
    PrintStream errors = System.err;
    PrintStream printed = new PrintStream(output);
    System.setOut(printed);
    System.setErr(printed);
    try {
      scala.Console.withOut(printed, new scala.runtime.AbstractFunction0<Object>() {
        public Object apply() {
          kafka.tools.DumpLogSegments.main(new String[] {"--files", file.toString(), option});
          return null;
        }
      });
    } finally {
      System.setOut(before);
      System.setErr(errors);
    }
    return output.toString();
  }

  static void readCheckpoints(Path directory) throws Exception {
    for (String name : List.of("recovery-point-offset-checkpoint", "replication-offset-checkpoint",
        "log-start-offset-checkpoint")) {
      File file = directory.resolve(name).toFile();
      int entries = new OffsetCheckpointFile(file, null).read().size();
      check(entries == 2 || name.startsWith("log-start"), name + " has " + entries + " entries");
    }
    for (int partition = 0; partition < 2; ++partition) {
      File file = directory.resolve(TOPIC + "-" + partition + "/leader-epoch-checkpoint").toFile();
      int epochs = new LeaderEpochCheckpointFile(file, null).read().size();
      check(epochs >= 1, file + " has " + epochs + " epochs");
    }
    System.out.println("Kafka has read the checkpoints");
  }
}
