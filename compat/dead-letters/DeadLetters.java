import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Gives up records of share groups and writes down the dead letters. Each line is about a scenario: a dead letter with
 * its partition, key, value and headers, in the order of each partition; what became of the group; or an error.
 */
public final class DeadLetters {
    private static final String TOPIC = "errors.deadletterqueue.topic.name";
    private static final String COPY = "errors.deadletterqueue.copy.record.enable";
    private static final String ENABLE = "errors.deadletterqueue.group.enable";
    private static final String CREATE = "errors.deadletterqueue.auto.create.topics.enable";
    private static final String PREFIX = "errors.deadletterqueue.topic.name.prefix";
    private static final byte[] BIG = new byte[5000];
    private static String bootstrap;
    private static Admin admin;

    private DeadLetters() {
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        try (Admin opened = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin = opened;
            for (int i = 0; i < BIG.length; i++) {
                BIG[i] = 'b';
            }
            feature();
            settings();
            places();
            copies();
            deliveries();
            topics();
            sizes();
        }
    }

    /** There are dead letters from share.version 2 on. */
    private static void feature() throws Exception {
        FinalizedVersionRange found = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("share.version");
        if (found == null || found.maxVersionLevel() < 2) {
            FeatureUpdate update = new FeatureUpdate((short) 2, FeatureUpdate.UpgradeType.UPGRADE);
            admin.updateFeatures(Map.of("share.version", update), new UpdateFeaturesOptions()).all().get();
        }
    }

    /** What may be set. */
    private static void settings() throws Exception {
        refused("underscores", ConfigResource.Type.GROUP, "g", TOPIC, "__dlq");
        refused("no prefix is checked", ConfigResource.Type.GROUP, "g", TOPIC, "other");
        refused("spaces", ConfigResource.Type.GROUP, "g", TOPIC, "dlq. x");
        refused("empty", ConfigResource.Type.GROUP, "g", TOPIC, "");
        refused("not a boolean", ConfigResource.Type.GROUP, "g", COPY, "maybe");
        refused("cluster's prefix", ConfigResource.Type.BROKER, "", PREFIX, "dlq.");
        refused("cluster's creation", ConfigResource.Type.BROKER, "", CREATE, "false");
        refused("broker's prefix", ConfigResource.Type.BROKER, "1", PREFIX, "dlq.");
        admin.createTopics(List.of(new NewTopic("__dlq", 1, (short) 1).configs(Map.of(ENABLE, "true")))).all().get();
        print("settings", "a topic with underscores may be marked");
    }

    /** Letters that only say where the records are. */
    private static void places() throws Exception {
        topic("dlq.places", 2, Map.of(ENABLE, "true"));
        group("places", Map.of(TOPIC, "dlq.places"));
        topic("places", 3, Map.of());
        for (int partition = 0; partition < 3; partition++) {
            produce("places", partition, 4);
        }
        consume("places", "places", 12, record -> record.offset() % 2 == 1 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
        letters("places", "dlq.places", 6);
        settled("places", "places", 3);
    }

    /** Letters with keys and values, some of which are null. */
    private static void copies() throws Exception {
        topic("dlq.copies", 1, Map.of(ENABLE, "true"));
        group("copies", Map.of(TOPIC, "dlq.copies", COPY, "true"));
        topic("copies", 1, Map.of());
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("compression.type", "gzip"))) {
            producer.send(new ProducerRecord<>("copies", 0, 1000L, bytes("k"), bytes("v"), List.of(new RecordHeader("h", bytes("x"))))).get();
            producer.send(new ProducerRecord<>("copies", 0, null, bytes("v"))).get();
            producer.send(new ProducerRecord<>("copies", 0, bytes("k"), null)).get();
            producer.send(new ProducerRecord<>("copies", 0, bytes(""), bytes(""))).get();
        }
        consume("copies", "copies", 4, record -> AcknowledgeType.REJECT);
        letters("copies", "dlq.copies", 4);
        settled("copies", "copies", 1);
        config(ConfigResource.Type.TOPIC, "dlq.copies", "message.timestamp.type", "LogAppendTime");
        config(ConfigResource.Type.TOPIC, "dlq.copies", "cleanup.policy", "compact");
        produce("copies", 0, 1);
        consume("copies", "copies", 1, record -> AcknowledgeType.REJECT);
        letters("copies to a compacted topic", "dlq.copies", 5);
        settled("copies", "copies", 1);
    }

    /** Records that are given up because they were delivered too often, by hand and by time. */
    private static void deliveries() throws Exception {
        topic("dlq.deliveries", 1, Map.of(ENABLE, "true"));
        group("deliveries", Map.of(TOPIC, "dlq.deliveries", COPY, "true", "share.delivery.count.limit", "2"));
        topic("deliveries", 1, Map.of());
        produce("deliveries", 0, 3);
        consume("deliveries", "deliveries", 6, record -> AcknowledgeType.RELEASE);
        letters("deliveries", "dlq.deliveries", 3);
        settled("deliveries", "deliveries", 1);
    }

    /** Which topics take dead letters, and which are made. */
    private static void topics() throws Exception {
        topic("dlq.unmarked", 1, Map.of());
        given("unmarked", "dlq.unmarked", 0);
        given("missing", "dlq.missing", 0);
        topic("other", 1, Map.of(ENABLE, "true"));
        given("prefix", "other", 0);
        config(ConfigResource.Type.BROKER, "1", PREFIX, "");
        config(ConfigResource.Type.BROKER, "", CREATE, "true");
        Thread.sleep(1000);
        given("no prefix", "other", 1);
        given("made", "dlq.made", 1);
        ConfigResource made = new ConfigResource(ConfigResource.Type.TOPIC, "dlq.made");
        Set<String> set = admin.describeConfigs(Set.of(made)).all().get().get(made).entries().stream()
            .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
            .map(entry -> entry.name() + "=" + entry.value()).collect(Collectors.toCollection(TreeSet::new));
        print("made", admin.describeTopics(Set.of("dlq.made")).allTopicNames().get().get("dlq.made").partitions().size() + " " + set);
        given("bad name", "dlq. x", 0);
        config(ConfigResource.Type.BROKER, "1", PREFIX, "dlq.");
        config(ConfigResource.Type.BROKER, "", CREATE, "false");
        Thread.sleep(1000);
    }

    /** Letters that are larger than the topic takes, alone or together. */
    private static void sizes() throws Exception {
        topic("dlq.sizes", 1, Map.of(ENABLE, "true", "max.message.bytes", "2000"));
        group("sizes", Map.of(TOPIC, "dlq.sizes", COPY, "true"));
        topic("sizes", 1, Map.of());
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("linger.ms", "500", "batch.size", "100000"))) {
            for (int size : new int[] {10, 5000, 10, 900, 900, 900}) {
                producer.send(new ProducerRecord<>("sizes", 0, null, Arrays.copyOf(BIG, size)));
            }
        }
        consume("sizes", "sizes", 6, record -> AcknowledgeType.REJECT);
        letters("sizes", "dlq.sizes", 6);
        settled("sizes", "sizes", 1);
        topic("dlq.tiny", 1, Map.of(ENABLE, "true", "max.message.bytes", "100"));
        given("tiny", "dlq.tiny", 0);
    }

    /** A record of a group with this topic of dead letters is rejected. */
    private static void given(String name, String dlq, int count) throws Exception {
        group(name, Map.of(TOPIC, dlq));
        String topic = "t." + name.replace(" ", ".");
        topic(topic, 1, Map.of());
        produce(topic, 0, 1);
        consume(name, topic, 1, record -> AcknowledgeType.REJECT);
        settled(name, topic, 1);
        if (admin.listTopics().names().get().contains(dlq)) {
            letters(name, dlq, count);
        }
    }

    private interface Decision {
        AcknowledgeType on(ConsumerRecord<byte[], byte[]> record);
    }

    /** Acknowledges as many records as there are to be, each poll's at once. */
    private static void consume(String group, String topic, int count, Decision decision) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "share.acknowledgement.mode", "explicit");
        try (KafkaShareConsumer<byte[], byte[]> consumer =
                new KafkaShareConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(Set.of(topic));
            long end = System.currentTimeMillis() + 30_000;
            for (int seen = 0; seen < count && System.currentTimeMillis() < end;) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    consumer.acknowledge(record, decision.on(record));
                    seen++;
                }
                consumer.commitSync().forEach((partition, error) -> error.ifPresent(e -> print(group, "commit " + e)));
            }
        }
    }

    /** Prints the dead letters when there are `count`, or those that are there after a while. */
    private static void letters(String scenario, String dlq, int count) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(dlq).stream()
                .map(info -> new TopicPartition(dlq, info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            List<String> lines = new ArrayList<>();
            long end = System.currentTimeMillis() + 8_000;
            while (lines.size() < count && System.currentTimeMillis() < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    lines.add(record.partition() + " " + text(record.key()) + " " + text(record.value()) + " " + headers(record)
                        + " " + record.timestampType() + (record.timestamp() > 1_700_000_000_000L ? " now" : " then"));
                }
            }
            lines.stream().sorted(Comparator.comparing(line -> line.substring(0, 2))).forEach(line -> print(scenario, line));
            print(scenario, lines.size() + " letters");
        }
    }

    /** Waits until a group has finished with all records of a topic. */
    private static void settled(String group, String topic, int partitions) throws Exception {
        Collection<TopicPartition> asked = IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList();
        Map<String, ListShareGroupOffsetsSpec> spec = Map.of(group, new ListShareGroupOffsetsSpec().topicPartitions(asked));
        String left = "";
        for (int i = 0; i < 100 && !left.matches("(0 ?)+"); i++) {
            Thread.sleep(100);
            Map<TopicPartition, SharePartitionOffsetInfo> offsets = admin.listShareGroupOffsets(spec).partitionsToOffsetInfo(group).get();
            left = asked.stream().map(p -> offsets.get(p) == null ? "?" : offsets.get(p).lag().map(lag -> lag + "").orElse("?"))
                .collect(Collectors.joining(" "));
        }
        print(group, "lag " + left);
    }

    private static void produce(String topic, int partition, int count) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, partition, bytes("k" + i), bytes("v" + i))).get();
            }
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static void topic(String name, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
    }

    private static void group(String name, Map<String, String> configs) throws Exception {
        config(ConfigResource.Type.GROUP, name, "share.auto.offset.reset", "earliest");
        for (Map.Entry<String, String> entry : configs.entrySet()) {
            config(ConfigResource.Type.GROUP, name, entry.getKey(), entry.getValue());
        }
    }

    private static void config(ConfigResource.Type type, String name, String key, String value) throws Exception {
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(op))).all().get();
    }

    private static void refused(String scenario, ConfigResource.Type type, String name, String key, String value) throws Exception {
        try {
            config(type, name, key, value);
            print("settings", scenario + ": taken");
        } catch (ExecutionException e) {
            print("settings", scenario + ": " + e.getCause().getClass().getSimpleName());
            if (System.getenv("VERBOSE") != null) {
                print("settings", e.getCause().getMessage());
            }
        }
    }

    private static String headers(ConsumerRecord<byte[], byte[]> record) {
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(header.key() + "=" + text(header.value()));
        }
        return headers.toString();
    }

    private static String text(byte[] bytes) {
        if (bytes == null) {
            return "null";
        }
        return bytes.length > 60 ? bytes.length + " bytes" : '"' + new String(bytes, StandardCharsets.UTF_8) + '"';
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void print(String scenario, String line) {
        System.out.println(scenario + ": " + line);
    }
}
