package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;

/** What is produced is what is read back. */
final class ProduceChecks {
    private static final int RECORDS = 500;

    private ProduceChecks() { }

    static void run(Suite suite) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            for (String acks : List.of("0", "1", "all")) {
                suite.check("produce codec=" + codec + " acks=" + acks, () -> codecAndAcks(codec, acks));
            }
        }
        suite.check("produce headers", ProduceChecks::headers);
        suite.check("produce null and empty keys and values", ProduceChecks::nulls);
        suite.check("produce a record larger than the topic allows", ProduceChecks::tooLarge);
        suite.check("produce a batch too large, which the client splits", ProduceChecks::split);
        suite.check("produce large records", ProduceChecks::large);
        suite.check("produce idempotently", ProduceChecks::idempotent);
        suite.check("produce with LogAppendTime", ProduceChecks::logAppendTime);
        suite.check("produce a timestamp too far ahead", ProduceChecks::timestampTooFarAhead);
        suite.check("produce without key to a compacted topic", ProduceChecks::compactedWithoutKey);
        suite.check("produce to an unknown topic, which is created", ProduceChecks::autoCreate);
        suite.check("produce to an invalid topic", ProduceChecks::invalidTopic);
        suite.check("produce to several partitions at once", ProduceChecks::manyPartitions);
    }

    private static void codecAndAcks(String codec, String acks) throws Exception {
        String topic = Broker.topic("codec-" + codec + "-" + acks, 1);
        long base = System.currentTimeMillis() - 1_000_000;
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        // Batches small enough that there are several, and records alike enough that compression has something to do.
        try (Producer<String, String> producer = Broker.producer("compression.type", codec, "acks", acks,
                "enable.idempotence", acks.equals("all"), "linger.ms", 20, "batch.size", 4096)) {
            for (int i = 0; i < RECORDS; i++) {
                ProducerRecord<String, String> record = new ProducerRecord<>(topic, 0, base + i, "key " + i, value(i));
                record.headers().add("number", ("" + i).getBytes(StandardCharsets.UTF_8));
                sent.add(producer.send(record));
            }
        }
        for (int i = 0; i < RECORDS; i++) {
            RecordMetadata metadata = sent.get(i).get();
            equal(acks.equals("0") ? -1L : (long) i, metadata.offset(), "acknowledged offset of record " + i);
        }
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        // Nothing says when the broker is done with what was sent with acks=0.
        Broker.eventually(10_000, "all records in the log", () -> Broker.end(topic, 0) == RECORDS);
        records.addAll(Broker.read(topic, 0));
        equal(RECORDS, records.size(), "number of records");
        for (int i = 0; i < RECORDS; i++) {
            ConsumerRecord<String, String> record = records.get(i);
            equal((long) i, record.offset(), "offset");
            equal("key " + i, record.key(), "key at " + i);
            equal(value(i), record.value(), "value at " + i);
            equal(base + i, record.timestamp(), "timestamp at " + i);
            equal(TimestampType.CREATE_TIME, record.timestampType(), "timestamp type at " + i);
            equal("" + i, new String(record.headers().lastHeader("number").value(), StandardCharsets.UTF_8), "header at " + i);
        }
    }

    private static String value(int i) {
        return ("the value of record " + i + ", ").repeat(1 + i % 7);
    }

    private static void headers() throws Exception {
        String topic = Broker.topic("headers", 1);
        List<Header> headers = List.of(new RecordHeader("a", new byte[] {1, 2}), new RecordHeader("a", new byte[0]),
            new RecordHeader("b", null), new RecordHeader("", new byte[] {-1}), new RecordHeader("größe", "ü".getBytes(StandardCharsets.UTF_8)));
        try (Producer<String, String> producer = Broker.producer()) {
            producer.send(new ProducerRecord<>(topic, 0, "k", "v", headers)).get();
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        }
        List<ConsumerRecord<String, String>> records = Broker.read(topic, 0);
        equal(headers, List.of(records.get(0).headers().toArray()), "headers, in order");
        equal(0, records.get(1).headers().toArray().length, "headers of a record without");
    }

    private static void nulls() throws Exception {
        String topic = Broker.topic("nulls", 1);
        String[] texts = {null, "", "text"};
        try (Producer<String, String> producer = Broker.producer()) {
            for (String key : texts) {
                for (String value : texts) {
                    producer.send(new ProducerRecord<>(topic, 0, key, value));
                }
            }
        }
        List<ConsumerRecord<String, String>> records = Broker.read(topic, 0);
        equal(9, records.size(), "number of records");
        for (int i = 0; i < 9; i++) {
            equal(texts[i / 3], records.get(i).key(), "key at " + i);
            equal(texts[i % 3], records.get(i).value(), "value at " + i);
        }
    }

    private static void tooLarge() throws Exception {
        String topic = Broker.topic("too-large", 1);
        for (String acks : List.of("1", "all")) {
            try (Producer<String, String> producer = Broker.producer("max.request.size", 10_000_000, "acks", acks,
                    "enable.idempotence", acks.equals("all"))) {
                producer.send(new ProducerRecord<>(topic, "before", "small")).get();
                // The default message.max.bytes is 1 MiB and 12 bytes.
                RecordTooLargeException error = fails(RecordTooLargeException.class,
                    () -> producer.send(new ProducerRecord<>(topic, "large", "x".repeat(1_048_588 + 1))).get());
                that(error.getMessage().contains("larger than the max message size"), "message: " + error.getMessage());
                producer.send(new ProducerRecord<>(topic, "after", "small")).get();
            }
        }
        equal(List.of("before", "after", "before", "after"), Broker.read(topic, 0).stream().map(ConsumerRecord::key).toList(), "keys");
    }

    private static void split() throws Exception {
        String topic = Broker.topic("split", 1, "max.message.bytes", "3000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = Broker.producer("linger.ms", 200, "batch.size", 100_000)) {
            for (int i = 0; i < 40; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, 0, "" + i, "x".repeat(1000))));
            }
        }
        for (int i = 0; i < 40; i++) {
            equal((long) i, sent.get(i).get().offset(), "acknowledged offset of record " + i);
        }
        List<ConsumerRecord<String, String>> records = Broker.read(topic, 0);
        for (int i = 0; i < 40; i++) {
            equal("" + i, records.get(i).key(), "key at " + i);
        }
    }

    private static void large() throws Exception {
        String topic = Broker.topic("large", 1, "max.message.bytes", "9000000");
        int[] sizes = {900_000, 5_000_000, 1, 8_500_000, 1_048_576};
        try (Producer<String, String> producer = Broker.producer("max.request.size", 10_000_000)) {
            for (int size : sizes) {
                producer.send(new ProducerRecord<>(topic, 0, "" + size, text(size)));
            }
        }
        // The consumer's max.partition.fetch.bytes is 1 MiB: larger batches come one by one.
        List<ConsumerRecord<String, String>> records = Broker.read(topic, 0);
        equal(sizes.length, records.size(), "number of records");
        for (int i = 0; i < sizes.length; i++) {
            that(records.get(i).value().equals(text(sizes[i])), "the value of " + sizes[i] + " characters is another");
        }
    }

    /** Text in which no two places look alike for long. */
    private static String text(int size) {
        StringBuilder text = new StringBuilder(size + 16);
        for (long i = 0; text.length() < size; i++) {
            text.append(i * 2654435761L % 1_000_003).append(' ');
        }
        text.setLength(size);
        return text.toString();
    }

    private static void idempotent() throws Exception {
        String topic = Broker.topic("idempotent", 3);
        int count = 3000;
        Map<Integer, Integer> perPartition = new HashMap<>();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = Broker.producer("enable.idempotence", true, "acks", "all",
                "max.in.flight.requests.per.connection", 5, "linger.ms", 1, "batch.size", 1000)) {
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, i % 3, "" + i, "" + i)));
            }
            producer.flush();
            for (int i = 0; i < count; i++) {
                equal((long) (i / 3), sent.get(i).get().offset(), "acknowledged offset of record " + i);
            }
            // While the producer lives, the partition knows it, its epoch and its last sequence number.
            List<TopicPartition> partitions = List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1), new TopicPartition(topic, 2));
            Long producerId = null;
            for (var state : Broker.admin().describeProducers(partitions).all().get().values()) {
                equal(1, state.activeProducers().size(), "active producers");
                ProducerState active = state.activeProducers().get(0);
                that(active.producerId() >= 0, "producer id " + active.producerId());
                that(producerId == null || producerId == active.producerId(), "one producer id on all partitions");
                producerId = active.producerId();
                equal(0, active.producerEpoch(), "producer epoch");
                equal(count / 3 - 1, active.lastSequence(), "last sequence number");
                that(active.currentTransactionStartOffset().isEmpty(), "no transaction");
            }
            for (ConsumerRecord<String, String> record : Broker.read(partitions)) {
                int n = perPartition.merge(record.partition(), 1, Integer::sum) - 1;
                equal("" + (n * 3 + record.partition()), record.value(), "record " + n + " of partition " + record.partition());
            }
        }
        // Another producer gets another id.
        try (Producer<String, String> producer = Broker.producer()) {
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        }
        TopicPartition first = new TopicPartition(topic, 0);
        equal(2, Broker.admin().describeProducers(List.of(first)).partitionResult(first).get().activeProducers().size(), "producers of partition 0");
    }

    private static void logAppendTime() throws Exception {
        String topic = Broker.topic("append-time", 1, "message.timestamp.type", "LogAppendTime");
        for (String codec : List.of("none", "lz4")) {
            long before = System.currentTimeMillis();
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            try (Producer<String, String> producer = Broker.producer("compression.type", codec, "linger.ms", 20)) {
                for (int i = 0; i < 10; i++) {
                    sent.add(producer.send(new ProducerRecord<>(topic, 0, 1000L + i, "" + i, codec)));
                }
            }
            long after = System.currentTimeMillis();
            for (Future<RecordMetadata> metadata : sent) {
                long timestamp = metadata.get().timestamp();
                that(before <= timestamp && timestamp <= after, "acknowledged timestamp " + timestamp + " is not that of the append");
            }
            for (ConsumerRecord<String, String> record : Broker.read(topic, 0)) {
                equal(TimestampType.LOG_APPEND_TIME, record.timestampType(), "timestamp type at " + record.offset());
                if (record.value().equals(codec)) {
                    equal(sent.get(Integer.parseInt(record.key())).get().timestamp(), record.timestamp(), "timestamp at " + record.offset());
                }
            }
        }
    }

    private static void timestampTooFarAhead() throws Exception {
        String topic = Broker.topic("timestamps", 1);
        try (Producer<String, String> producer = Broker.producer()) {
            // message.timestamp.after.max.ms is an hour by default; before.max.ms has no bound.
            fails(InvalidTimestampException.class,
                () -> producer.send(new ProducerRecord<>(topic, 0, System.currentTimeMillis() + 2 * 3600_000, "k", "v")).get());
            producer.send(new ProducerRecord<>(topic, 0, System.currentTimeMillis() + 1800_000, "k", "ahead")).get();
            producer.send(new ProducerRecord<>(topic, 0, 1L, "k", "long ago")).get();
        }
        String bounded = Broker.topic("timestamps", 1, "message.timestamp.before.max.ms", "1000");
        try (Producer<String, String> producer = Broker.producer()) {
            fails(InvalidTimestampException.class,
                () -> producer.send(new ProducerRecord<>(bounded, 0, System.currentTimeMillis() - 60_000, "k", "v")).get());
        }
        equal(2, Broker.read(topic, 0).size(), "records accepted");
        equal(0L, Broker.end(bounded, 0), "end of the topic whose record was refused");
    }

    private static void compactedWithoutKey() throws Exception {
        String topic = Broker.topic("compacted", 1, "cleanup.policy", "compact");
        try (Producer<String, String> producer = Broker.producer()) {
            fails(InvalidRecordException.class, () -> producer.send(new ProducerRecord<>(topic, 0, null, "v")).get());
            equal(0L, producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get().offset(), "offset of the record with a key");
        }
    }

    private static void autoCreate() throws Exception {
        String topic = Broker.unique("auto-created");
        try (Producer<String, String> producer = Broker.producer()) {
            equal(0L, producer.send(new ProducerRecord<>(topic, "k", "v")).get().offset(), "first offset");
            equal(1, producer.partitionsFor(topic).size(), "partitions (num.partitions)");
        }
        equal("v", Broker.read(topic, 0).get(0).value(), "value");
    }

    private static void invalidTopic() throws Exception {
        try (Producer<String, String> producer = Broker.producer()) {
            fails(InvalidTopicException.class, () -> producer.send(new ProducerRecord<>("no spaces", "k", "v")).get());
        }
    }

    private static void manyPartitions() throws Exception {
        String topic = Broker.topic("many", 20);
        int count = 4000;
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = Broker.producer("linger.ms", 5, "compression.type", "lz4")) {
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, i * 7 % 20, "" + i, "value " + i)));
            }
        }
        for (Future<RecordMetadata> metadata : sent) {
            metadata.get();
        }
        List<TopicPartition> partitions = new ArrayList<>();
        for (int p = 0; p < 20; p++) {
            partitions.add(new TopicPartition(topic, p));
        }
        Map<Integer, Integer> last = new HashMap<>();
        List<ConsumerRecord<String, String>> records = Broker.read(partitions);
        equal(count, records.size(), "number of records");
        for (ConsumerRecord<String, String> record : records) {
            int i = Integer.parseInt(record.key());
            equal(i * 7 % 20, record.partition(), "partition of record " + i);
            equal("value " + i, record.value(), "value of record " + i);
            that(last.getOrDefault(record.partition(), -1) < i, "record " + i + " out of order in partition " + record.partition());
            last.put(record.partition(), i);
        }
    }
}
