package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLongArray;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Load on a broker that is killed and started again by compat/crash/run, and what has to hold each time.
 *
 * <p>One idempotent producer, alone on its topic, writes n as the nth record of each partition, so at any time offset o
 * holds record o: what is missing, doubled or out of order shows. One consumer ("stayer") lives through all crashes.
 * Another group ("resumer") gets a new consumer after each crash, which has to begin where the last commit ended.
 *
 * <p>Commands on stdin: "crashed" (the broker was killed), "check N" (it is back), "finish". Each is answered by
 * lines of checks and "done". Arguments: topic, partitions.
 */
public final class Crash {
    private static final int RATE = 2000; // records a second

    private final String topic;
    private final int partitions;
    private final AtomicLongArray acknowledged;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final Thread producing = new Thread(this::produce, "producing");
    private final Thread staying = new Thread(this::stay, "staying");
    private final AtomicLongArray stayed;
    private volatile boolean producerStops;
    private volatile boolean stayerStops;
    private Resumer resumer;
    private int failures;

    private Crash(String topic, int partitions) {
        this.topic = topic;
        this.partitions = partitions;
        this.acknowledged = new AtomicLongArray(partitions);
        this.stayed = new AtomicLongArray(partitions);
    }

    private void problem(String text) {
        if (problems.size() < 5) {
            problems.add(text);
        }
    }

    private void produce() {
        long[] next = new long[partitions];
        String padding = " and what makes it longer".repeat(12);
        try (Producer<String, String> producer = Broker.producer("delivery.timeout.ms", 180_000, "request.timeout.ms", 5000,
                "reconnect.backoff.max.ms", 200, "linger.ms", 3, "acks", "all", "enable.idempotence", true)) {
            long began = System.nanoTime();
            for (long sent = 0; !producerStops; sent++) {
                int p = (int) (sent % partitions);
                long number = next[p]++;
                producer.send(new ProducerRecord<>(topic, p, "" + number, number + padding), (metadata, error) -> {
                    if (error != null) {
                        problem("record " + number + " of partition " + p + " failed: " + error);
                    } else {
                        // -1: the broker only says that it has this batch already.
                        if (metadata.offset() != number && metadata.offset() != -1) {
                            problem("record " + number + " of partition " + p + " was acknowledged at offset " + metadata.offset());
                        }
                        acknowledged.accumulateAndGet(p, number + 1, Math::max);
                    }
                });
                long due = began + sent * 1_000_000_000L / RATE;
                long early = (due - System.nanoTime()) / 1_000_000;
                if (early > 0) {
                    Thread.sleep(early);
                }
            }
        } catch (Exception e) {
            problem("the producer ended: " + e);
        }
    }

    /** Members of both groups: a session as short as the broker allows, so that a crashed one is soon gone. */
    private Consumer<String, String> member(String group) {
        Consumer<String, String> consumer = Broker.consumer("group.id", topic + "-" + group, "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 500, "reconnect.backoff.max.ms", 200, "request.timeout.ms", 5000, "default.api.timeout.ms", 60_000);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    private static Map<TopicPartition, OffsetAndMetadata> positions(Map<TopicPartition, Long> next) {
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        next.forEach((tp, offset) -> positions.put(tp, new OffsetAndMetadata(offset)));
        return positions;
    }

    private void stay() {
        try (Consumer<String, String> consumer = member("stayer")) {
            while (!stayerStops) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    long next = stayed.get(record.partition());
                    // After a rebalance it starts from its commit: records may come again, but none may be left out.
                    if (record.offset() > next) {
                        problem("the stayer got offset " + record.offset() + " of partition " + record.partition() + " instead of " + next);
                    }
                    if (!record.key().equals("" + record.offset())) {
                        problem("the stayer found record " + record.key() + " at offset " + record.offset());
                    }
                    stayed.set(record.partition(), Math.max(next, record.offset() + 1));
                }
                consumer.commitAsync();
            }
        } catch (Exception e) {
            problem("the stayer ended: " + e);
        }
    }

    /** One life of the resumer: from start to the crash. */
    private final class Resumer extends Thread {
        /** The commits that the broker acknowledged, and the attempted ones that it may have got nevertheless. */
        private final Map<TopicPartition, Long> committed;
        private final Map<TopicPartition, Set<Long>> attempted = new ConcurrentHashMap<>();
        private final Map<TopicPartition, Long> resumedAt = new ConcurrentHashMap<>();
        private volatile boolean stops;

        Resumer(Map<TopicPartition, Long> committed) {
            super("resumer");
            this.committed = new ConcurrentHashMap<>(committed);
        }

        @Override
        public void run() {
            Consumer<String, String> consumer = member("resumer");
            Map<TopicPartition, Long> next = new HashMap<>();
            try {
                while (!stops) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                        TopicPartition tp = new TopicPartition(record.topic(), record.partition());
                        if (resumedAt.putIfAbsent(tp, record.offset()) != null && record.offset() != next.get(tp)) {
                            problem("the resumer got offset " + record.offset() + " of " + tp + " instead of " + next.get(tp));
                        }
                        next.put(tp, record.offset() + 1);
                    }
                    if (!next.isEmpty() && !stops) {
                        next.forEach((tp, offset) -> attempted.computeIfAbsent(tp, x -> ConcurrentHashMap.newKeySet()).add(offset));
                        consumer.commitSync(positions(next), Duration.ofSeconds(2));
                        committed.putAll(next);
                        attempted.clear();
                    }
                }
            } catch (KafkaException e) {
                // A commit that found no broker: what it attempted stays in "attempted".
                if (!stops) {
                    problem("the resumer ended while the broker was there: " + e);
                }
            } finally {
                consumer.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.REMAIN_IN_GROUP).withTimeout(Duration.ofSeconds(1)));
            }
        }
    }

    /** The broker is back: the log is whole, and the group goes on from its commits. */
    private void check(String name) throws Exception {
        long[] before = acknowledged();
        long[] end = readAll(before);
        Resumer old = resumer;
        resumer = new Resumer(old.committed);
        resumer.start();
        Broker.eventually(60_000, "the group resumes on all partitions", () -> resumer.resumedAt.size() == partitions);
        for (TopicPartition tp : resumer.resumedAt.keySet()) {
            long at = resumer.resumedAt.get(tp);
            Set<Long> allowed = new HashSet<>(old.attempted.getOrDefault(tp, Set.of()));
            allowed.add(old.committed.getOrDefault(tp, 0L));
            that(allowed.contains(at), "the group resumed " + tp + " at " + at + ", committed was one of " + allowed);
        }
        // And there is progress: new records are acknowledged.
        Broker.eventually(30_000, "records are acknowledged again", () -> {
            for (int p = 0; p < partitions; p++) {
                if (acknowledged.get(p) <= before[p]) {
                    return false;
                }
            }
            return true;
        });
        equal(List.of(), List.copyOf(problems), "problems");
        System.out.println("ok " + name + ": " + Arrays.stream(end).sum() + " records, " + Arrays.stream(before).sum() + " acknowledged before");
    }

    private long[] acknowledged() {
        long[] snapshot = new long[partitions];
        for (int p = 0; p < partitions; p++) {
            snapshot[p] = acknowledged.get(p);
        }
        return snapshot;
    }

    /** Reads every partition from the beginning to its present end: offset o holds record o. Returns the ends. */
    private long[] readAll(long[] atLeast) {
        long[] ends = new long[partitions];
        for (int p = 0; p < partitions; p++) {
            TopicPartition tp = new TopicPartition(topic, p);
            try (Consumer<String, String> consumer = Broker.consumer("default.api.timeout.ms", 60_000)) {
                consumer.assign(List.of(tp));
                consumer.seekToBeginning(List.of(tp));
                long end = consumer.endOffsets(List.of(tp)).get(tp);
                that(end >= atLeast[p], tp + " ends at " + end + ", but " + atLeast[p] + " records were acknowledged");
                long next = 0;
                while (next < end) {
                    List<ConsumerRecord<String, String>> records = Broker.poll(consumer, 1);
                    for (ConsumerRecord<String, String> record : records) {
                        equal(next, record.offset(), "offset in " + tp);
                        that(record.key().equals("" + next) && record.value().startsWith(next + " "), "offset " + next + " of " + tp + " holds record " + record.key());
                        next++;
                    }
                }
                ends[p] = end;
            }
        }
        return ends;
    }

    private void finish() throws Exception {
        producerStops = true;
        producing.join();
        long[] acknowledged = acknowledged();
        long[] ends = readAll(acknowledged);
        that(Arrays.equals(acknowledged, ends), "in the log are " + Arrays.toString(ends) + ", acknowledged " + Arrays.toString(acknowledged));
        Broker.eventually(60_000, "the consumer that stayed has read everything", () -> {
            for (int p = 0; p < partitions; p++) {
                if (stayed.get(p) != acknowledged[p]) {
                    return false;
                }
            }
            return true;
        });
        stayerStops = true;
        staying.join();
        resumer.stops = true;
        resumer.join();
        equal(List.of(), List.copyOf(problems), "problems");
        System.out.println("ok every record once and in order after all crashes: " + Arrays.stream(ends).sum() + " records");
    }

    private void run() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        producing.start();
        staying.start();
        resumer = new Resumer(Map.of());
        resumer.start();
        Broker.eventually(60_000, "both groups read", () -> resumer.committed.size() == partitions && stayed.get(partitions - 1) > 0);
        System.out.println("done");
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            String name = command;
            try {
                if (command.equals("crashed")) {
                    resumer.stops = true;
                    resumer.join();
                } else if (command.startsWith("check ")) {
                    name = command.substring(6);
                    check(name);
                } else {
                    name = "every record once and in order after all crashes";
                    finish();
                }
            } catch (Exception | AssertionError e) {
                System.out.println("FAIL " + name + ": " + e);
                failures++;
            }
            System.out.println("done");
            if (command.equals("finish")) {
                break;
            }
        }
        Runtime.getRuntime().halt(failures == 0 ? 0 : 1);
    }

    public static void main(String[] args) throws Exception {
        new Crash(args[0], Integer.parseInt(args[1])).run();
    }
}
