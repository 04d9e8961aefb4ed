package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * A topic and a share group that reads it from its beginning.
 *
 * <p>What is delivered reads "offset:count", in the order of delivery; the partition precedes it where there are several ("1/0:1").
 */
final class Queue {
    static final long PATIENCE_MS = 20_000;

    final String topic;
    final String group;
    private final int partitions;

    private Queue(String topic, int partitions, String group) {
        this.topic = topic;
        this.partitions = partitions;
        this.group = group;
    }

    /** With the configs of the group, which reads from the earliest record unless they say otherwise. */
    static Queue of(String name, int partitions, String... configs) throws Exception {
        return new Queue(Broker.topic(name, partitions), partitions, Broker.unique(name)).group(configs);
    }

    /** Of these names. */
    static Queue named(String topic, int partitions, String group) throws Exception {
        Broker.create(topic, partitions);
        return new Queue(topic, partitions, group).group();
    }

    /** Another group on the same topic. */
    Queue another(String... configs) throws Exception {
        return new Queue(topic, partitions, Broker.unique("another")).group(configs);
    }

    /** The same group on another topic. */
    Queue on(String name) {
        return new Queue(name, 1, group);
    }

    private Queue group(String... configs) throws Exception {
        Map<String, String> map = new TreeMap<>(Map.of("share.auto.offset.reset", "earliest"));
        for (int i = 0; i < configs.length; i += 2) {
            map.put(configs[i], configs[i + 1]);
        }
        configure(map);
        return this;
    }

    void configure(Map<String, String> configs) throws Exception {
        Collection<AlterConfigOp> changes = configs.entrySet().stream()
            .map(e -> new AlterConfigOp(new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET)).toList();
        Broker.admin().incrementalAlterConfigs(Map.of(resource(), changes)).all().get();
    }

    int partitions() {
        return partitions;
    }

    ConfigResource resource() {
        return new ConfigResource(ConfigResource.Type.GROUP, group);
    }

    /** Sends as many records to a partition as one batch; their values are numbers from 0 on. */
    void send(int partition, int count) throws Exception {
        send(partition, count, 0);
    }

    void send(int partition, int count, int from) throws Exception {
        try (Producer<String, String> producer = Broker.producer("linger.ms", 200, "batch.size", 1 << 20)) {
            for (int i = from; i < from + count; i++) {
                producer.send(new ProducerRecord<>(topic, partition, null, "" + i));
            }
        }
    }

    /** The same, each record a batch of its own. */
    void sendSingly(int partition, int count) throws Exception {
        try (Producer<String, String> producer = Broker.producer()) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, partition, null, "" + i)).get();
            }
        }
    }

    /** A member of the group that is subscribed to the topic. */
    ShareConsumer<String, String> member(Object... overrides) {
        ShareConsumer<String, String> consumer = Broker.shareConsumer(group, overrides);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    /** One that acknowledges each record itself. */
    ShareConsumer<String, String> explicit(Object... overrides) {
        List<Object> all = new ArrayList<>(List.of("share.acknowledgement.mode", "explicit"));
        all.addAll(List.of(overrides));
        return member(all.toArray());
    }

    /** The records of one poll that has some. */
    static List<ConsumerRecord<String, String>> next(ShareConsumer<String, String> consumer) {
        long end = System.currentTimeMillis() + PATIENCE_MS;
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        while (records.isEmpty()) {
            that(System.currentTimeMillis() < end, "no record in " + PATIENCE_MS + " ms");
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    /** Exactly these records come, in as many polls as that takes. */
    static List<ConsumerRecord<String, String>> take(ShareConsumer<String, String> consumer, String expected) {
        return take(consumer, expected, records -> { });
    }

    /** The same, and they are accepted. */
    static void accept(ShareConsumer<String, String> consumer, String expected) {
        take(consumer, expected, records -> all(consumer, records, AcknowledgeType.ACCEPT));
        consumer.commitSync();
    }

    private static List<ConsumerRecord<String, String>> take(ShareConsumer<String, String> consumer, String expected,
            java.util.function.Consumer<List<ConsumerRecord<String, String>>> each) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        while (records.size() < expected.split(" ").length) {
            List<ConsumerRecord<String, String>> some;
            try {
                some = next(consumer);
            } catch (AssertionError e) {
                throw new AssertionError("expected " + expected + ", got " + show(records) + ", then " + e.getMessage());
            }
            each.accept(some);
            records.addAll(some);
        }
        equal(expected, show(records), "deliveries");
        return records;
    }

    /** A commit was answered for these partitions, and without errors. */
    void committed(Map<TopicIdPartition, Optional<KafkaException>> answer, int... partitions) {
        Map<String, Optional<KafkaException>> got = new TreeMap<>();
        answer.forEach((partition, error) -> got.put(partition.topicPartition().toString(), error));
        Map<String, Optional<KafkaException>> expected = new TreeMap<>();
        for (int partition : partitions) {
            expected.put(topic + "-" + partition, Optional.empty());
        }
        equal(expected, got, "partitions committed");
    }

    /** What the callback of acknowledgements is told. */
    static List<String> told(ShareConsumer<String, String> consumer) {
        List<String> told = new CopyOnWriteArrayList<>();
        consumer.setAcknowledgementCommitCallback((offsets, exception) -> offsets.forEach((partition, of) ->
            told.add(partition.topicPartition() + " " + new TreeSet<>(of) + " " + (exception == null ? null : exception.getClass().getSimpleName()))));
        return told;
    }

    /** Nothing comes for a while. */
    static void nothing(ShareConsumer<String, String> consumer, long ms) {
        long end = System.currentTimeMillis() + ms;
        while (System.currentTimeMillis() < end) {
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            equal("", show(records), "deliveries");
        }
    }

    static void all(ShareConsumer<String, String> consumer, Collection<ConsumerRecord<String, String>> records, AcknowledgeType type) {
        records.forEach(record -> consumer.acknowledge(record, type));
    }

    static String show(List<ConsumerRecord<String, String>> records) {
        boolean several = records.stream().anyMatch(record -> record.partition() > 0);
        StringBuilder text = new StringBuilder();
        for (ConsumerRecord<String, String> record : records) {
            text.append(text.isEmpty() ? "" : " ").append(several ? record.partition() + "/" : "").append(one(record));
        }
        return text.toString();
    }

    private static String one(ConsumerRecord<String, String> record) {
        return record.offset() + ":" + record.deliveryCount().map(Object::toString).orElse("none");
    }

    /** "0:1 1:1 2:1" of from 0 to 3 and count 1. */
    static String each(int from, int to, int count) {
        return String.join(" ", IntStream.range(from, to).mapToObj(offset -> offset + ":" + count).toList());
    }

    /** What the admin client tells of a partition: its start offset and its lag. */
    SharePartitionOffsetInfo offset(int partition) throws Exception {
        return Broker.admin().listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get()
            .get(new TopicPartition(topic, partition));
    }

    /** The start offset gets there, and the lag. */
    void awaitOffset(int partition, long start, long lag) throws Exception {
        await(partition, lag, offset -> offset.startOffset() == start);
    }

    /** The lag gets there; the start offset that admins see is the one of the last write, and may be behind. */
    void awaitLag(int partition, long lag) throws Exception {
        await(partition, lag, offset -> true);
    }

    private void await(int partition, long lag, Predicate<SharePartitionOffsetInfo> start) throws Exception {
        SharePartitionOffsetInfo[] last = new SharePartitionOffsetInfo[1];
        try {
            Broker.eventually(10_000, "", () -> {
                last[0] = offset(partition);
                return last[0] != null && last[0].lag().equals(Optional.of(lag)) && start.test(last[0]);
            });
        } catch (AssertionError e) {
            throw new AssertionError("the lag of partition " + partition + " is not " + lag + ", or its start offset not as expected: " + last[0]);
        }
    }
}
