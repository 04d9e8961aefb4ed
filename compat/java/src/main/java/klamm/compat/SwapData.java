package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatRequest;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatResponse;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** The data that Kafka and klamm write in turn: one topic for each thing that a log can hold. */
final class SwapData {
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    private static final String MIB = "" + (1 << 20);

    private final Admin admin = Broker.admin();
    private final Random random = new Random(4); // the same data in each run
    private Producer<byte[], byte[]> continuing;
    private Producer<byte[], byte[]> open;
    private long continuingId = -1;
    private int continuingCount;
    private int round;

    void fill() throws Exception {
        create("plain", 3);
        for (String codec : CODECS) {
            create("codec-" + codec, 1);
        }
        create("recompressed", 1, "compression.type", "zstd");
        create("compacted", 1, "cleanup.policy", "compact", "segment.bytes", MIB, "min.cleanable.dirty.ratio", "1.0");
        create("append-time", 1, "message.timestamp.type", "LogAppendTime");
        create("segments", 1, "segment.bytes", MIB, "retention.ms", "-1");
        create("trimmed", 1, "segment.bytes", MIB);
        create("transactions", 2);
        create("open", 1);
        create("continuing", 1);
        create("empty", 2);
        create("grown", 1);
        create("doomed", 2);
        create(Swap.INFLIGHT, 1, "segment.bytes", MIB);
        continuing = producer("acks", "all", "enable.idempotence", true);
        open = producer("transactional.id", "open", "transaction.timeout.ms", 900_000);
        open.initTransactions();
        write("doomed", 0, 100, 100);
        admin.deleteTopics(List.of("doomed")).all().get();
        write("segments", 0, 400, 10_000);
        write("trimmed", 0, 300, 10_000);
        compact();
        alter(ConfigResource.Type.BROKER, "1", "background.threads", "9");
        alter(ConfigResource.Type.BROKER, "", "message.max.bytes", "1048500");
        alter(ConfigResource.Type.GROUP, Swap.SHARE_GROUP, "share.auto.offset.reset", "earliest");
        quotasAndCredentials();
        more(true);
        newGroups();
        admin.alterConsumerGroupOffsets("deleted-group", Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(3))).all().get();
        admin.deleteConsumerGroups(List.of("deleted-group")).all().get();
    }

    /** One round of everything that either broker can do. */
    void more(boolean kafka) throws Exception {
        round++;
        trim(); // first, so that the segments behind it are gone in the end
        for (int p = 0; p < 3; p++) {
            write("plain", p, 20 + random.nextInt(50), 300);
        }
        for (String codec : CODECS) {
            write("codec-" + codec, 0, 100, 500, "compression.type", codec, "linger.ms", 20);
        }
        write("recompressed", 0, 30, 500, "compression.type", "lz4");
        write("append-time", 0, 30, 100);
        write("segments", 0, 150, 10_000);
        write("trimmed", 0, 50, 10_000);
        writeCompacted(300);
        goOn();
        offsets();
        topicsAndConfigs();
        if (kafka) {
            transactions();
        }
    }

    private void create(String name, int partitions, String... configs) throws Exception {
        Map<String, String> map = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            map.put(configs[i], configs[i + 1]);
        }
        admin.createTopics(List.of(new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(map))).all().get();
        Broker.awaitTopic(name, partitions);
    }

    private void alter(ConfigResource.Type type, String name, String key, String value) throws Exception {
        OpType op = value == null ? OpType.DELETE : OpType.SET;
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(new AlterConfigOp(new ConfigEntry(key, value), op)))).all().get();
    }

    private static Producer<byte[], byte[]> producer(Object... configs) {
        Map<String, Object> map = new HashMap<>(Map.of("bootstrap.servers", Broker.BOOTSTRAP, "delivery.timeout.ms", 60_000, "reconnect.backoff.max.ms", 500));
        for (int i = 0; i < configs.length; i += 2) {
            map.put((String) configs[i], configs[i + 1]);
        }
        return new KafkaProducer<>(map, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        java.util.Arrays.fill(bytes, length / 2, length, (byte) 'k'); // half of it can be compressed
        return bytes;
    }

    /** A record with or without key, value and headers, and with a timestamp that is not always later than the last. */
    private ProducerRecord<byte[], byte[]> record(String topic, int partition, int i, int size) {
        RecordHeaders headers = new RecordHeaders();
        for (int h = 0; h < i % 3; h++) {
            headers.add("header-" + h, h == 1 ? null : bytes(h + i % 7));
        }
        long timestamp = System.currentTimeMillis() - random.nextInt(1000);
        byte[] key = i % 4 == 0 ? null : ("key " + i).getBytes(StandardCharsets.UTF_8);
        byte[] value = i % 11 == 10 ? null : bytes(1 + random.nextInt(size * 2));
        return new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
    }

    private void send(Producer<byte[], byte[]> producer, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        List<Future<RecordMetadata>> answers = new ArrayList<>();
        records.forEach(record -> answers.add(producer.send(record)));
        producer.flush();
        for (Future<RecordMetadata> answer : answers) {
            answer.get();
        }
    }

    private void send(Producer<byte[], byte[]> producer, String topic, int partition, int count, int size) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            records.add(record(topic, partition, i, size));
        }
        send(producer, records);
    }

    private void write(String topic, int partition, int count, int size, Object... configs) throws Exception {
        try (Producer<byte[], byte[]> producer = producer(configs)) {
            send(producer, topic, partition, count, size);
        }
    }

    private void writeCompacted(int count) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] key = ("key " + random.nextInt(100)).getBytes(StandardCharsets.UTF_8);
            records.add(new ProducerRecord<>("compacted", 0, key, i % 50 == 49 ? null : bytes(1000)));
        }
        try (Producer<byte[], byte[]> producer = producer("linger.ms", 5)) {
            send(producer, records);
        }
    }

    /** Has the broker compact, but no longer: what is compared must not change by itself. */
    void compact() throws Exception {
        writeCompacted(3000);
        Map<String, String> last = lastValues();
        int before = countCompacted();
        alter(ConfigResource.Type.TOPIC, "compacted", "min.cleanable.dirty.ratio", "0.01");
        Broker.eventually(40_000, "the topic is compacted", () -> countCompacted() < before);
        alter(ConfigResource.Type.TOPIC, "compacted", "min.cleanable.dirty.ratio", "1.0");
        Thread.sleep(1500); // a run of the cleaner that has begun ends
        equal(last, lastValues(), "last value of each key");
    }

    private List<ConsumerRecord<String, String>> readCompacted() {
        TopicPartition tp = new TopicPartition("compacted", 0);
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (Consumer<String, String> consumer = Broker.consumer("max.poll.records", 10_000)) {
            consumer.assign(List.of(tp));
            consumer.seekToBeginning(List.of(tp));
            long end = consumer.endOffsets(List.of(tp)).get(tp);
            while (consumer.position(tp) < end) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    private int countCompacted() {
        return readCompacted().size();
    }

    private Map<String, String> lastValues() {
        Map<String, String> last = new HashMap<>();
        readCompacted().forEach(record -> last.put(record.key(), record.value() == null ? null : record.value().hashCode() + ""));
        return last;
    }

    private void trim() throws Exception {
        TopicPartition tp = new TopicPartition("trimmed", 0);
        admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(100L + 37L * round))).all().get();
        alter(ConfigResource.Type.TOPIC, "trimmed", "file.delete.delay.ms", "" + (1000 + round));
    }

    /** The idempotent producer goes on with the id and the sequence that it had under the other broker. */
    private void goOn() throws Exception {
        send(continuing, "continuing", 0, 25, 100);
        continuingCount += 25;
        List<ProducerState> producers = admin.describeProducers(List.of(new TopicPartition("continuing", 0))).all().get()
            .get(new TopicPartition("continuing", 0)).activeProducers();
        equal(1, producers.size(), "producers of the topic");
        continuingId = continuingId < 0 ? producers.get(0).producerId() : continuingId;
        equal(continuingId, producers.get(0).producerId(), "the producer's id");
        equal(continuingCount - 1, producers.get(0).lastSequence(), "the producer's sequence");
    }

    private void offsets() throws Exception {
        Map<TopicPartition, OffsetAndMetadata> some = new HashMap<>();
        for (int p = 0; p < 3; p++) {
            some.put(new TopicPartition("plain", p), new OffsetAndMetadata(round * 3L + p, Optional.of(0), "metadata of round " + round + " \u00e4"));
        }
        admin.alterConsumerGroupOffsets("simple", some).all().get();
        admin.alterConsumerGroupOffsets("simple-" + round, some).all().get();
        try (Consumer<String, String> consumer = Broker.consumer("group.id", "members", "session.timeout.ms", 6000)) {
            consumer.subscribe(List.of("plain", "codec-zstd"));
            consumer.poll(Duration.ofSeconds(5));
            Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
            for (TopicPartition tp : consumer.assignment()) {
                positions.put(tp, new OffsetAndMetadata(consumer.position(tp), "of a member " + round));
            }
            equal(4, positions.size(), "assigned partitions");
            consumer.commitSync(positions);
        }
    }

    private void topicsAndConfigs() throws Exception {
        create("round-" + round, 2, "retention.bytes", "123456789", "max.message.bytes", "" + (1_000_000 + round));
        write("round-" + round, 1, 10, 100);
        if (round > 1) {
            admin.deleteTopics(List.of("round-" + (round - 1))).all().get();
        }
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(1 + round))).all().get();
        Broker.awaitTopic("grown", 1 + round);
        write("grown", round, 10, 100);
        alter(ConfigResource.Type.TOPIC, "plain", "retention.ms", "" + (1_000_000_000L + round));
        alter(ConfigResource.Type.TOPIC, "plain", "flush.ms", round % 2 == 0 ? "1000" : null);
        alter(ConfigResource.Type.BROKER, "1", "num.io.threads", "" + (8 + round));
        alter(ConfigResource.Type.BROKER, "", "log.retention.ms", "" + (1_000_000_000L + round));
    }

    /** Commits and aborts; the one transaction that was open ends, and another begins and stays open. */
    private void transactions() throws Exception {
        try (Producer<byte[], byte[]> producer = producer("transactional.id", "transactions", "transaction.timeout.ms", 60_000)) {
            producer.initTransactions();
            for (int i = 0; i < 4; i++) {
                producer.beginTransaction();
                send(producer, "transactions", 0, 7 + i, 200);
                send(producer, "transactions", 1, 3, 200);
                producer.sendOffsetsToTransaction(Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(100L * round + i, "transaction " + i)),
                    new ConsumerGroupMetadata("transactional"));
                if (i % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        if (round > 1) {
            if (round % 2 == 0) {
                open.abortTransaction();
            } else {
                open.commitTransaction();
            }
        }
        open.beginTransaction();
        send(open, "open", 0, 10, 200);
        open.sendOffsetsToTransaction(Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(10L * round)), new ConsumerGroupMetadata("open"));
        write("open", 0, 5, 100);
    }

    private void quotasAndCredentials() throws Exception {
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("user", "swap")),
            List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("swap",
            new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
    }

    /** A group of each newer kind, with committed state and without members. */
    private void newGroups() throws Exception {
        try (Consumer<String, String> consumer = Broker.consumer("group.id", Swap.CONSUMER_GROUP, "group.protocol", "consumer")) {
            consumer.subscribe(List.of("plain"));
            Broker.poll(consumer, 20);
            consumer.commitSync();
        }
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(Map.of("bootstrap.servers", Broker.BOOTSTRAP, "group.id", Swap.SHARE_GROUP),
                new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("plain"));
            int count = 0;
            long end = System.currentTimeMillis() + 20_000;
            while (count < 10) {
                that(System.currentTimeMillis() < end, "the share group gets records");
                count += consumer.poll(Duration.ofMillis(500)).count();
            }
            consumer.commitSync();
        }
        streamsHeartbeat(0);
        streamsHeartbeat(-1);
    }

    private static void streamsHeartbeat(int epoch) throws Exception {
        StreamsGroupHeartbeatRequestData data = new StreamsGroupHeartbeatRequestData().setGroupId(Swap.STREAMS_GROUP).setMemberId("Swap0000000000000000Aw")
            .setMemberEpoch(epoch).setEndpointInformationEpoch(0);
        if (epoch == 0) {
            data.setRebalanceTimeoutMs(1000).setProcessId("process").setClientTags(List.of())
                .setActiveTasks(List.of()).setStandbyTasks(List.of()).setWarmupTasks(List.of())
                .setTopology(new StreamsGroupHeartbeatRequestData.Topology().setEpoch(1).setSubtopologies(List.of(
                    new StreamsGroupHeartbeatRequestData.Subtopology().setSubtopologyId("0").setSourceTopics(List.of("plain"))
                        .setSourceTopicRegex(List.of()).setStateChangelogTopics(List.of()).setRepartitionSinkTopics(List.of())
                        .setRepartitionSourceTopics(List.of()).setCopartitionGroups(List.of()))));
        }
        try (WireChecks.Connection connection = new WireChecks.Connection()) {
            long end = System.currentTimeMillis() + 20_000;
            while (true) {
                connection.send(new StreamsGroupHeartbeatRequest.Builder(data).build((short) 0));
                short error = connection.answer(StreamsGroupHeartbeatResponse.class).data().errorCode();
                if (error == 0) {
                    return;
                }
                that(System.currentTimeMillis() < end, "streams heartbeat: " + Errors.forCode(error));
                Thread.sleep(200);
            }
        }
    }
}
