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
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
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
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatRequest;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatResponse;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** The data that Kafka and klamm write in turn: one topic for each thing that a log can hold. */
final class SwapData {
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    private static final String MIB = "" + (1 << 20);
    /** A subscription of client metrics. */
    static final String METRICS = "swap-metrics";

    private final Admin admin = Broker.admin();
    private final Random random = new Random(4); // the same data in each run
    private Producer<byte[], byte[]> continuing;
    private Producer<byte[], byte[]> open;
    private long continuingId = -1;
    private int continuingCount;
    private boolean opened;
    private long newestProducerId = -1;
    private int round;

    void fill() throws Exception {
        Broker.create("plain", 3);
        for (String codec : CODECS) {
            Broker.create("codec-" + codec, 1);
        }
        Broker.create("recompressed", 1, "compression.type", "zstd");
        Broker.create("compacted", 1, "cleanup.policy", "compact", "segment.bytes", MIB, "min.cleanable.dirty.ratio", "1.0");
        Broker.create("compacted-transactions", 1, "cleanup.policy", "compact", "segment.bytes", MIB, "min.cleanable.dirty.ratio", "1.0");
        Broker.create("compacted-deleted", 1, "cleanup.policy", "compact,delete", "retention.ms", "-1", "min.cleanable.dirty.ratio", "1.0");
        Broker.create("append-time", 1, "message.timestamp.type", "LogAppendTime");
        Broker.create("segments", 1, "segment.bytes", MIB, "retention.ms", "-1");
        Broker.create("trimmed", 1, "segment.bytes", MIB);
        Broker.create("transactions", 2);
        Broker.create("open", 1);
        Broker.create("producer-ids", 1);
        Broker.create("continuing", 1);
        Broker.create("empty", 2);
        Broker.create("grown", 1);
        Broker.create("doomed", 2);
        Broker.create(Swap.INFLIGHT, 1, "segment.bytes", MIB);
        Broker.create(Swap.INFLIGHT_TRANSACTIONS, 2, "segment.bytes", MIB);
        continuing = producer("acks", "all", "enable.idempotence", true);
        write("doomed", 0, 100, 100);
        admin.deleteTopics(List.of("doomed")).all().get();
        write("segments", 0, 400, 10_000);
        write("trimmed", 0, 300, 10_000);
        compact();
        alter(ConfigResource.Type.BROKER, "1", "background.threads", "9");
        alter(ConfigResource.Type.BROKER, "", "message.max.bytes", "1048500");
        Set<ApiKeys> served = Broker.served();
        if (served.contains(ApiKeys.SHARE_GROUP_HEARTBEAT)) {
            alter(ConfigResource.Type.GROUP, Swap.SHARE_GROUP, "share.auto.offset.reset", "earliest");
        }
        if (served.contains(ApiKeys.GET_TELEMETRY_SUBSCRIPTIONS)) {
            alter(ConfigResource.Type.CLIENT_METRICS, METRICS, "interval.ms", "600000");
        }
        security(served);
        more();
        newGroups(served);
        admin.alterConsumerGroupOffsets("deleted-group", Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(3))).all().get();
        admin.deleteConsumerGroups(List.of("deleted-group")).all().get();
    }

    /** One round of everything that either broker can do. */
    void more() throws Exception {
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
        producerIds();
        topicsAndConfigs();
        if (Broker.served().contains(ApiKeys.END_TXN)) {
            transactions();
        }
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
        try (Producer<byte[], byte[]> producer = producer("linger.ms", 5, "compression.type", CODECS[random.nextInt(CODECS.length)])) {
            send(producer, records);
        }
        write("compacted-deleted", 0, records);
    }

    /** The same keys to another topic. */
    private void write(String topic, int partition, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        try (Producer<byte[], byte[]> producer = producer("linger.ms", 5)) {
            send(producer, records.stream().map(r -> new ProducerRecord<>(topic, partition, r.key(), r.value())).toList());
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

    /** A producer that is new gets an id that none had, whoever gave it. */
    private void producerIds() throws Exception {
        TopicPartition tp = new TopicPartition("producer-ids", 0);
        try (Producer<byte[], byte[]> producer = producer("enable.idempotence", true)) {
            send(producer, "producer-ids", 0, 1, 100);
        }
        List<Long> ids = admin.describeProducers(List.of(tp)).all().get().get(tp).activeProducers().stream().map(ProducerState::producerId).sorted().toList();
        equal(round, ids.size(), "producer ids, after a new one in each round");
        that(ids.get(ids.size() - 1) > newestProducerId, "the new producer id is among " + ids + ", which had one of " + newestProducerId);
        newestProducerId = ids.get(ids.size() - 1);
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
        Broker.create("round-" + round, 2, "retention.bytes", "123456789", "max.message.bytes", "" + (1_000_000 + round));
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
        compactedTransactions();
        if (open == null) {
            open = producer("transactional.id", "open", "transaction.timeout.ms", 900_000);
            open.initTransactions();
        }
        if (opened && round % 2 == 0) {
            open.abortTransaction();
        } else if (opened) {
            open.commitTransaction();
        }
        open.beginTransaction();
        send(open, "open", 0, 10, 200);
        open.sendOffsetsToTransaction(Map.of(new TopicPartition("plain", 1), new OffsetAndMetadata(10L * round)), new ConsumerGroupMetadata("open"));
        opened = true;
        write("open", 0, 5, 100);
    }

    /** Keys that are written again, committed and aborted, with markers between them. */
    private void compactedTransactions() throws Exception {
        try (Producer<byte[], byte[]> producer = producer("transactional.id", "compacted-transactions", "linger.ms", 5)) {
            producer.initTransactions();
            for (int i = 0; i < 8; i++) {
                List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
                for (int k = 0; k < 200; k++) {
                    records.add(new ProducerRecord<>("compacted-transactions", 0, ("key " + random.nextInt(100)).getBytes(StandardCharsets.UTF_8), bytes(1000)));
                }
                producer.beginTransaction();
                send(producer, records);
                if (i % 3 == 0) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
    }

    /** What the metadata log holds of quotas, credentials and permissions. */
    private void security(Set<ApiKeys> served) throws Exception {
        if (served.contains(ApiKeys.ALTER_CLIENT_QUOTAS)) {
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("user", "swap")),
                List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
        }
        if (served.contains(ApiKeys.ALTER_USER_SCRAM_CREDENTIALS)) {
            admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("swap",
                new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
        }
        if (served.contains(ApiKeys.CREATE_ACLS)) {
            try {
                admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "pla", PatternType.PREFIXED),
                    new AccessControlEntry("User:swap", "127.0.0.1", AclOperation.READ, AclPermissionType.ALLOW)))).all().get();
            } catch (ExecutionException e) {
                that(e.getCause() instanceof SecurityDisabledException, "" + e);
            }
        }
    }

    /** A group of each newer kind, with committed state and without members. */
    private void newGroups(Set<ApiKeys> served) throws Exception {
        if (served.contains(ApiKeys.CONSUMER_GROUP_HEARTBEAT)) {
            try (Consumer<String, String> consumer = Broker.consumer("group.id", Swap.CONSUMER_GROUP, "group.protocol", "consumer")) {
                consumer.subscribe(List.of("plain"));
                Broker.poll(consumer, 20);
                consumer.commitSync();
            }
        }
        if (served.contains(ApiKeys.SHARE_GROUP_HEARTBEAT)) {
            shareGroup();
        }
        if (served.contains(ApiKeys.STREAMS_GROUP_HEARTBEAT)) {
            streamsHeartbeat(0);
            streamsHeartbeat(-1);
        }
    }

    private static void shareGroup() throws Exception {
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
    }

    /** One thing of each kind that the checks have to see, with the aspect that has to show it. */
    void spoil(BiConsumer<String, Callable<?>> check) {
        TopicPartition tp = new TopicPartition("plain", 0);
        check.accept("topics", () -> admin.createTopics(List.of(new NewTopic("spoilt", 1, (short) 1))).all().get());
        check.accept("log directories", () -> admin.createTopics(List.of(new NewTopic("spoilt-2", 1, (short) 1))).all().get());
        check.accept("configs", () -> {
            alter(ConfigResource.Type.TOPIC, "empty", "retention.ms", "77777777");
            return null;
        });
        check.accept("records, read_uncommitted", () -> {
            write("plain", 0, 1, 10);
            return null;
        });
        check.accept("offsets", () -> admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(1))).all().get());
        check.accept("producers", () -> {
            write("plain", 1, 1, 10);
            return null;
        });
        check.accept("classic groups", () -> admin.deleteConsumerGroups(List.of("simple-1")).all().get());
        check.accept("committed offsets", () -> admin.alterConsumerGroupOffsets("simple", Map.of(tp, new OffsetAndMetadata(1))).all().get());
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
