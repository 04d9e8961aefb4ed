package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** Consumers without a group: positions, offsets by time, fetch limits and fetch sessions. */
final class ConsumeChecks {
    private ConsumeChecks() { }

    static void run(Suite suite) {
        suite.check("consume from both ends", ConsumeChecks::bothEnds);
        suite.check("consume with no reset policy", ConsumeChecks::noReset);
        suite.check("consume from an offset out of range", ConsumeChecks::outOfRange);
        suite.check("seek into a batch", ConsumeChecks::seek);
        suite.check("seek with a leader epoch", ConsumeChecks::seekWithEpoch);
        suite.check("offsets for times", ConsumeChecks::offsetsForTimes);
        suite.check("beginning and end offsets", ConsumeChecks::beginningAndEnd);
        suite.check("partitions of topics", ConsumeChecks::partitions);
        suite.check("fetch session with partitions added and removed", ConsumeChecks::fetchSession);
        suite.check("fetch session over more partitions than one answer holds", ConsumeChecks::fetchTurns);
        suite.check("fetch a batch larger than max.partition.fetch.bytes", ConsumeChecks::oneBatchAtLeast);
        suite.check("fetch waits for min bytes no longer than max wait", ConsumeChecks::maxWait);
        suite.check("fetch answers as soon as there is enough", ConsumeChecks::minBytes);
        suite.check("consume read_committed without transactions", ConsumeChecks::readCommitted);
        suite.check("consume a topic deleted and created again", ConsumeChecks::createdAgain);
    }

    private static void bothEnds() throws Exception {
        String topic = Broker.topic("ends", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 50);
        try (Consumer<String, String> earliest = Broker.consumer("auto.offset.reset", "earliest");
                Consumer<String, String> latest = Broker.consumer("auto.offset.reset", "latest")) {
            earliest.assign(List.of(tp));
            latest.assign(List.of(tp));
            equal(50L, latest.position(tp), "position at the latest end");
            Broker.numbered(Broker.poll(earliest, 50), 0, 50);
            equal(50L, earliest.position(tp), "position after reading");
            that(latest.poll(Duration.ofMillis(300)).isEmpty(), "nothing at the latest end");
            try (Producer<String, String> producer = Broker.producer()) {
                for (int i = 50; i < 60; i++) {
                    producer.send(new ProducerRecord<>(topic, 0, "" + i, "" + i));
                }
            }
            Broker.numbered(Broker.poll(latest, 10), 50, 10);
            Broker.numbered(Broker.poll(earliest, 10), 50, 10);
            latest.seekToBeginning(List.of(tp));
            Broker.numbered(Broker.poll(latest, 60), 0, 60);
            earliest.seekToEnd(List.of(tp));
            equal(60L, earliest.position(tp), "position after seekToEnd");
        }
    }

    private static void noReset() throws Exception {
        String topic = Broker.topic("no-reset", 1);
        Broker.produce(topic, 0, 3);
        try (Consumer<String, String> consumer = Broker.consumer("auto.offset.reset", "none", "group.id", Broker.unique("no-reset"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            fails(NoOffsetForPartitionException.class, () -> consumer.poll(Duration.ofSeconds(5)));
        }
    }

    private static void outOfRange() throws Exception {
        String topic = Broker.topic("out-of-range", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 20);
        try (Consumer<String, String> consumer = Broker.consumer("auto.offset.reset", "none", "group.id", Broker.unique("out-of-range"))) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 21);
            OffsetOutOfRangeException error = fails(OffsetOutOfRangeException.class, () -> {
                for (int i = 0; i < 20; i++) {
                    consumer.poll(Duration.ofMillis(500));
                }
                return "no error in 10 s";
            });
            equal(Map.of(tp, 21L), error.offsetOutOfRangePartitions(), "offsets out of range");
            // The end itself is in range.
            consumer.seek(tp, 20);
            that(consumer.poll(Duration.ofMillis(500)).isEmpty(), "nothing at the end");
        }
        try (Consumer<String, String> consumer = Broker.consumer("auto.offset.reset", "earliest")) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 1000);
            Broker.numbered(Broker.poll(consumer, 20), 0, 20);
        }
    }

    private static void seek() throws Exception {
        for (String codec : List.of("none", "zstd")) {
            String topic = Broker.topic("seek", 1);
            TopicPartition tp = new TopicPartition(topic, 0);
            Broker.produce(topic, 0, 300, "linger.ms", 100, "compression.type", codec, "batch.size", 1_000_000);
            try (Consumer<String, String> consumer = Broker.consumer()) {
                consumer.assign(List.of(tp));
                for (int offset : new int[] {137, 299, 0, 1, 250}) {
                    consumer.seek(tp, offset);
                    Broker.numbered(Broker.poll(consumer, 300 - offset), offset, 300 - offset);
                }
            }
        }
    }

    private static void seekWithEpoch() throws Exception {
        String topic = Broker.topic("seek-epoch", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 10);
        try (Consumer<String, String> consumer = Broker.consumer()) {
            consumer.assign(List.of(tp));
            // A position with an epoch is checked with OffsetForLeaderEpoch before it is fetched.
            consumer.seek(tp, new OffsetAndMetadata(4, Optional.of(0), ""));
            List<ConsumerRecord<String, String>> records = Broker.poll(consumer, 6);
            Broker.numbered(records, 4, 6);
            for (ConsumerRecord<String, String> record : records) {
                equal(Optional.of(0), record.leaderEpoch(), "leader epoch at " + record.offset());
            }
            equal(10L, consumer.position(tp), "position");
        }
    }

    private static void offsetsForTimes() throws Exception {
        String topic = Broker.topic("times", 2);
        TopicPartition tp = new TopicPartition(topic, 0);
        TopicPartition empty = new TopicPartition(topic, 1);
        long base = System.currentTimeMillis() - 3600_000;
        long[] times = {10, 20, 30, 25, 15, 40, 40, 50};
        try (Producer<String, String> producer = Broker.producer("compression.type", "gzip", "linger.ms", 50)) {
            for (int i = 0; i < times.length; i++) {
                producer.send(new ProducerRecord<>(topic, 0, base + times[i], "" + i, "" + i));
                if (i == 2) {
                    producer.flush(); // two batches: 10 20 30 and 25 15 40 40 50
                }
            }
        }
        // The first offset whose timestamp is at least the one asked for.
        long[][] rows = {{0, 0, 10}, {10, 0, 10}, {11, 1, 20}, {21, 2, 30}, {30, 2, 30}, {31, 5, 40}, {40, 5, 40}, {41, 7, 50}, {50, 7, 50}};
        try (Consumer<String, String> consumer = Broker.consumer()) {
            for (long[] row : rows) {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(tp, base + row[0])).get(tp);
                equal(row[1], found.offset(), "offset for time " + row[0]);
                equal(base + row[2], found.timestamp(), "timestamp found for time " + row[0]);
                equal(Optional.of(0), found.leaderEpoch(), "leader epoch found for time " + row[0]);
            }
            Map<TopicPartition, OffsetAndTimestamp> none = consumer.offsetsForTimes(Map.of(tp, base + 51, empty, base));
            equal(null, none.get(tp), "offset for a time after the last");
            equal(null, none.get(empty), "offset for a time in an empty partition");
        }
    }

    private static void beginningAndEnd() throws Exception {
        String topic = Broker.topic("begin-end", 3);
        Broker.produce(topic, 0, 10);
        Broker.produce(topic, 1, 20);
        TopicPartition a = new TopicPartition(topic, 0);
        TopicPartition b = new TopicPartition(topic, 1);
        TopicPartition c = new TopicPartition(topic, 2);
        Broker.admin().deleteRecords(Map.of(b, RecordsToDelete.beforeOffset(7))).all().get();
        try (Consumer<String, String> consumer = Broker.consumer()) {
            equal(Map.of(a, 0L, b, 7L, c, 0L), consumer.beginningOffsets(List.of(a, b, c)), "beginning offsets");
            equal(Map.of(a, 10L, b, 20L, c, 0L), consumer.endOffsets(List.of(a, b, c)), "end offsets");
            consumer.assign(List.of(b));
            Broker.numbered(Broker.poll(consumer, 13), 7, 13);
        }
    }

    private static void partitions() throws Exception {
        String topic = Broker.topic("partitions-of", 4);
        Map<Integer, String> nodes = Broker.nodes();
        try (Consumer<String, String> consumer = Broker.consumer()) {
            List<PartitionInfo> partitions = consumer.partitionsFor(topic);
            equal(4, partitions.size(), "partitions of the topic");
            for (PartitionInfo partition : partitions) {
                equal(nodes.get(partition.leader().id()), Broker.address(partition.leader()), "leader");
                that(List.of(partition.replicas()).contains(partition.leader()), "the leader is a replica");
                equal(Set.of(partition.replicas()), Set.of(partition.inSyncReplicas()), "replicas in sync");
                equal(0, partition.offlineReplicas().length, "offline replicas");
            }
            that(consumer.listTopics().containsKey(topic), "the topic is not listed");
        }
    }

    private static void fetchSession() throws Exception {
        String first = Broker.topic("session-a", 30);
        String second = Broker.topic("session-b", 10);
        Set<TopicPartition> assigned = new HashSet<>();
        for (int p = 0; p < 30; p++) {
            assigned.add(new TopicPartition(first, p));
        }
        try (Producer<String, String> producer = Broker.producer();
                Consumer<String, String> consumer = Broker.consumer("fetch.max.wait.ms", 100)) {
            consumer.assign(assigned);
            Map<TopicPartition, Long> produced = new HashMap<>();
            Map<TopicPartition, Long> positions = new HashMap<>();
            round(producer, consumer, first, 30, assigned, produced, positions);
            // Incremental fetches name only what changed: here nothing did, and only some partitions have data.
            round(producer, consumer, first, 3, assigned, produced, positions);
            for (int p = 0; p < 10; p++) {
                assigned.add(new TopicPartition(second, p));
            }
            consumer.assign(assigned);
            round(producer, consumer, second, 10, assigned, produced, positions);
            for (int p = 0; p < 15; p++) {
                assigned.remove(new TopicPartition(first, p));
            }
            consumer.assign(assigned);
            round(producer, consumer, first, 30, assigned, produced, positions);
            // Back again: what was missed meanwhile arrives from the position asked for.
            TopicPartition back = new TopicPartition(first, 0);
            assigned.add(back);
            consumer.assign(assigned);
            consumer.seek(back, positions.get(back));
            round(producer, consumer, first, 30, assigned, produced, positions);
        }
    }

    /** Produces one record to each of some partitions; every record of the assigned ones arrives, in order, and no other. */
    private static void round(Producer<String, String> producer, Consumer<String, String> consumer, String topic, int partitions,
            Set<TopicPartition> assigned, Map<TopicPartition, Long> produced, Map<TopicPartition, Long> positions) throws Exception {
        for (int p = 0; p < partitions; p++) {
            TopicPartition tp = new TopicPartition(topic, p);
            long n = produced.merge(tp, 1L, Long::sum) - 1;
            producer.send(new ProducerRecord<>(topic, p, null, tp + "/" + n));
        }
        producer.flush();
        long missing = 0;
        for (TopicPartition tp : assigned) {
            missing += produced.getOrDefault(tp, 0L) - positions.getOrDefault(tp, 0L);
        }
        List<ConsumerRecord<String, String>> records = Broker.poll(consumer, (int) missing);
        consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        equal((int) missing, records.size(), "records of this round");
        for (ConsumerRecord<String, String> record : records) {
            TopicPartition tp = new TopicPartition(record.topic(), record.partition());
            that(assigned.contains(tp), "a record of " + tp + ", which is not assigned");
            long n = positions.merge(tp, 1L, Long::sum) - 1;
            equal(n, record.offset(), "next offset of " + tp);
            equal(tp + "/" + n, record.value(), "value at " + n + " of " + tp);
        }
    }

    private static void fetchTurns() throws Exception {
        // An answer holds fetch.max.bytes: partitions take turns and none starves.
        String topic = Broker.topic("turns", 12);
        int records = 40;
        List<TopicPartition> partitions = new ArrayList<>();
        try (Producer<String, String> producer = Broker.producer("batch.size", 2000)) {
            for (int p = 0; p < 12; p++) {
                partitions.add(new TopicPartition(topic, p));
                for (int i = 0; i < records; i++) {
                    producer.send(new ProducerRecord<>(topic, p, "" + i, "x".repeat(1000)));
                }
            }
        }
        try (Consumer<String, String> consumer = Broker.consumer("fetch.max.bytes", 10_000, "max.partition.fetch.bytes", 5_000)) {
            consumer.assign(partitions);
            Map<Integer, Integer> counts = new HashMap<>();
            for (ConsumerRecord<String, String> record : Broker.poll(consumer, 12 * records)) {
                int n = counts.merge(record.partition(), 1, Integer::sum) - 1;
                equal("" + n, record.key(), "record " + n + " of partition " + record.partition());
                if (n == records - 1) {
                    // The first partition is done: by then every other one has had its turn.
                    that(counts.size() == 12, "only partitions " + counts.keySet() + " were served");
                }
            }
        }
    }

    private static void oneBatchAtLeast() throws Exception {
        String topic = Broker.topic("one-batch", 2);
        for (int p = 0; p < 2; p++) {
            Broker.produce(topic, p, 3000, "linger.ms", 200, "batch.size", 1_000_000);
        }
        for (Object[] limits : new Object[][] {{"max.partition.fetch.bytes", 100}, {"fetch.max.bytes", 100}, {"fetch.max.bytes", 0, "max.partition.fetch.bytes", 0}}) {
            for (int p = 0; p < 2; p++) {
                Broker.numbered(Broker.read(topic, p, limits), 0, 3000);
            }
            equal(6000, Broker.read(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)), limits).size(), "records of both");
        }
    }

    private static void maxWait() throws Exception {
        String topic = Broker.topic("max-wait", 1);
        Broker.produce(topic, 0, 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = Broker.consumer("fetch.min.bytes", 1_000_000, "fetch.max.wait.ms", 1500)) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 0);
            consumer.partitionsFor(topic); // connection and metadata are not part of the measurement
            long began = System.nanoTime();
            Broker.numbered(Broker.poll(consumer, 1), 0, 1);
            long ms = (System.nanoTime() - began) / 1_000_000;
            that(ms >= 1400 && ms < 5000, "one small record with fetch.max.wait.ms=1500 came after " + ms + " ms");
        }
    }

    private static void minBytes() throws Exception {
        String topic = Broker.topic("min-bytes", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = Broker.consumer("fetch.min.bytes", 5_000, "fetch.max.wait.ms", 6_000);
                Producer<String, String> producer = Broker.producer()) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 0);
            that(consumer.poll(Duration.ofMillis(500)).isEmpty(), "nothing yet");
            producer.send(new ProducerRecord<>(topic, 0, "0", "x".repeat(1000))).get();
            that(consumer.poll(Duration.ofMillis(1000)).isEmpty(), "1000 bytes came although 5000 were asked for");
            long began = System.nanoTime();
            producer.send(new ProducerRecord<>(topic, 0, "1", "x".repeat(6000))).get();
            equal(2, Broker.poll(consumer, 2).size(), "records");
            long ms = (System.nanoTime() - began) / 1_000_000;
            that(ms < 2500, "the waiting fetch was answered only after " + ms + " ms");
        }
    }

    private static void readCommitted() throws Exception {
        String topic = Broker.topic("read-committed", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 100);
        Broker.numbered(Broker.read(topic, 0, "isolation.level", "read_committed"), 0, 100);
        try (Consumer<String, String> consumer = Broker.consumer("isolation.level", "read_committed")) {
            equal(Map.of(tp, 100L), consumer.endOffsets(List.of(tp)), "last stable offset");
        }
    }

    private static void createdAgain() throws Exception {
        String topic = Broker.topic("again", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 5);
        try (Consumer<String, String> consumer = Broker.consumer("metadata.max.age.ms", 1000)) {
            consumer.assign(List.of(tp));
            Broker.numbered(Broker.poll(consumer, 5), 0, 5);
            Broker.admin().deleteTopics(List.of(topic)).all().get();
            consumer.poll(Duration.ofMillis(500));
            Broker.admin().createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            Broker.awaitTopic(topic, 1);
            Broker.produce(topic, 0, 3);
            // The old position lies beyond the new log's end: the reset policy starts at its beginning.
            Broker.numbered(Broker.poll(consumer, 3), 0, 3);
        }
    }
}
