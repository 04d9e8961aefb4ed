package klamm.compat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.message.FindCoordinatorRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.requests.ApiVersionsRequest;
import org.apache.kafka.common.requests.ApiVersionsResponse;
import org.apache.kafka.common.requests.FindCoordinatorRequest;
import org.apache.kafka.common.requests.FindCoordinatorResponse;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The broker under test and the clients that speak to it. */
final class Broker {
    static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    /** Keeps the names of two runs against one broker apart. */
    private static final String RUN = Long.toString(System.currentTimeMillis() / 1000 % 1_000_000, 36);
    private static final AtomicInteger SERIAL = new AtomicInteger();
    private static Admin admin;

    private Broker() { }

    /** One admin client for all checks. */
    static synchronized Admin admin() {
        if (admin == null) {
            admin = Admin.create(Map.of("bootstrap.servers", BOOTSTRAP, "default.api.timeout.ms", "20000", "request.timeout.ms", "10000"));
        }
        return admin;
    }

    /** The requests that the broker serves. */
    static Set<ApiKeys> served() throws Exception {
        try (WireChecks.Connection connection = new WireChecks.Connection()) {
            connection.send(new ApiVersionsRequest.Builder().build((short) 3));
            return connection.answer(ApiVersionsResponse.class).data().apiKeys().stream()
                .filter(api -> ApiKeys.hasId(api.apiKey())).map(api -> ApiKeys.forId(api.apiKey())).collect(Collectors.toSet());
        }
    }

    /** The brokers: the address of each id. */
    static Map<Integer, String> nodes() throws Exception {
        return admin().describeCluster().nodes().get().stream().collect(Collectors.toMap(Node::id, Broker::address));
    }

    static String address(Node node) {
        return node.host() + ":" + node.port();
    }

    static Node leader(String topic, int partition) throws Exception {
        return admin().describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(partition).leader();
    }

    /** The id of a group's coordinator. */
    static int coordinator(String group) throws Exception {
        FindCoordinatorRequestData request = new FindCoordinatorRequestData().setCoordinatorKeys(List.of(group));
        try (WireChecks.Connection connection = new WireChecks.Connection()) {
            connection.send(new FindCoordinatorRequest.Builder(request).build((short) 6));
            return connection.answer(FindCoordinatorResponse.class).data().coordinators().get(0).nodeId();
        }
    }

    /** What a broker says of one of its settings. */
    static ConfigEntry setting(int broker, String name) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, "" + broker);
        return admin().describeConfigs(List.of(resource)).all().get().get(resource).get(name);
    }

    /** The value of a setting that all brokers have in common. */
    static String setting(String name) throws Exception {
        return setting(1, name).value();
    }

    /** A name nobody else uses: for topics and groups. */
    static String unique(String prefix) {
        return prefix + "-" + RUN + "-" + SERIAL.incrementAndGet();
    }

    /** Creates a topic of a unique name, with configs given as key, value, key, value. */
    static String topic(String prefix, int partitions, String... configs) throws Exception {
        String name = unique(prefix);
        create(name, partitions, configs);
        return name;
    }

    /** Creates a topic of this name. */
    static void create(String name, int partitions, String... configs) throws Exception {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            map.put(configs[i], configs[i + 1]);
        }
        admin().createTopics(List.of(new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(map))).all().get();
        awaitTopic(name, partitions);
    }

    /**
     * Waits until the broker serves all partitions. Kafka's controller answers CreateTopics before that, and its broker
     * then knows a topic before it leads the partitions: an idempotent producer whose first batch falls between
     * the two ends in OUT_OF_ORDER_SEQUENCE_NUMBER.
     */
    static void awaitTopic(String name, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int p = 0; p < partitions; p++) {
            ends.put(new TopicPartition(name, p), OffsetSpec.latest());
        }
        eventually(20_000, "topic " + name + " with " + partitions + " partitions", () -> {
            try {
                if (admin().describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size() != partitions) {
                    return false;
                }
                admin().listOffsets(ends).all().get(); // asks again while a partition has no leader
                return true;
            } catch (ExecutionException e) {
                if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                    return false; // one of several brokers may know it before another
                }
                throw e;
            }
        });
    }

    static void eventually(long timeoutMs, String what, Callable<Boolean> condition) throws Exception {
        long end = System.currentTimeMillis() + timeoutMs;
        while (!condition.call()) {
            Suite.that(System.currentTimeMillis() < end, "not within " + timeoutMs + " ms: " + what);
            Thread.sleep(50);
        }
    }

    private static Map<String, Object> configs(Map<String, Object> base, Object... overrides) {
        Map<String, Object> map = new HashMap<>(base);
        map.put("bootstrap.servers", BOOTSTRAP);
        for (int i = 0; i < overrides.length; i += 2) {
            map.put((String) overrides[i], overrides[i + 1]);
        }
        return map;
    }

    /** A producer with the client's defaults and these overrides. */
    static Producer<String, String> producer(Object... overrides) {
        return new KafkaProducer<>(configs(Map.of("delivery.timeout.ms", 30_000, "request.timeout.ms", 10_000), overrides),
            new StringSerializer(), new StringSerializer());
    }

    /** A consumer that commits nothing by itself and starts at the earliest offset. */
    static Consumer<String, String> consumer(Object... overrides) {
        return new KafkaConsumer<>(configs(Map.of("enable.auto.commit", false, "auto.offset.reset", "earliest",
            "group.protocol", "classic", "allow.auto.create.topics", false, "default.api.timeout.ms", 20_000), overrides),
            new StringDeserializer(), new StringDeserializer());
    }

    /** Produces the records "0", "1", ... count-1 (key and value) to one partition and waits for all of them. */
    static void produce(String topic, int partition, int count, Object... overrides) throws Exception {
        try (Producer<String, String> producer = producer(overrides)) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, partition, "" + i, "" + i));
            }
            producer.flush();
        }
        Suite.equal((long) count, end(topic, partition), "log end offset of " + topic + "-" + partition + " after producing");
    }

    static long end(String topic, int partition) {
        TopicPartition tp = new TopicPartition(topic, partition);
        try (Consumer<String, String> consumer = consumer()) {
            return consumer.endOffsets(List.of(tp)).get(tp);
        }
    }

    /** A member of a share group. */
    static ShareConsumer<String, String> shareConsumer(String group, Object... overrides) {
        return new KafkaShareConsumer<>(configs(Map.of("group.id", group, "default.api.timeout.ms", 20_000, "metadata.max.age.ms", 1000), overrides),
            new StringDeserializer(), new StringDeserializer());
    }

    /** Polls until there are (at least) this many records. */
    static List<ConsumerRecord<String, String>> poll(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long end = System.currentTimeMillis() + 20_000;
        while (records.size() < count) {
            Suite.that(System.currentTimeMillis() < end, "only " + records.size() + " of " + count + " records in 20 s");
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    /** Reads partitions from the beginning to their present end, and checks that nothing follows. */
    static List<ConsumerRecord<String, String>> read(Collection<TopicPartition> partitions, Object... overrides) {
        try (Consumer<String, String> consumer = consumer(overrides)) {
            consumer.assign(partitions);
            long count = 0;
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<TopicPartition, Long> starts = consumer.beginningOffsets(partitions);
            for (TopicPartition tp : partitions) {
                count += ends.get(tp) - starts.get(tp);
            }
            consumer.seekToBeginning(partitions);
            List<ConsumerRecord<String, String>> records = poll(consumer, (int) count);
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            Suite.equal((int) count, records.size(), "records from beginning to end");
            return records;
        }
    }

    static List<ConsumerRecord<String, String>> read(String topic, int partition, Object... overrides) {
        return read(List.of(new TopicPartition(topic, partition)), overrides);
    }

    /** Asserts that these are the records that {@link #produce} wrote, from an offset on. */
    static void numbered(List<ConsumerRecord<String, String>> records, long from, int count) {
        Suite.equal(count, records.size(), "number of records");
        for (int i = 0; i < count; i++) {
            ConsumerRecord<String, String> record = records.get(i);
            Suite.equal(from + i, record.offset(), "offset of record " + i);
            Suite.equal("" + (from + i), record.key(), "key at offset " + record.offset());
            Suite.equal("" + (from + i), record.value(), "value at offset " + record.offset());
        }
    }
}
