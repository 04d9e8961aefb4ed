package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * One idempotent producer with acks=all that lives through everything. It is alone on its topic and writes n as the nth record of
 * each partition, so that offset n holds n: what is missing, doubled or out of order shows.
 */
final class ClusterNumbers {
    static final String TOPIC = "numbers";
    static final int PARTITIONS = 6;
    private static final int INTERVAL_MS = 10; // between two records of a partition

    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final AtomicLongArray sent = new AtomicLongArray(PARTITIONS);
    private final AtomicLongArray acknowledged = new AtomicLongArray(PARTITIONS);
    private final AtomicLongArray lastTime = new AtomicLongArray(PARTITIONS);
    private final AtomicLongArray longest = new AtomicLongArray(PARTITIONS);
    private final Thread thread = new Thread(this::produce, "numbers");
    private volatile boolean stops;

    void start(String... configs) throws Exception {
        Broker.create(TOPIC, PARTITIONS, configs);
        thread.setDaemon(true);
        thread.start();
    }

    private void problem(String text) {
        if (problems.size() < 5) {
            problems.add(text);
        }
    }

    private void produce() {
        String padding = " and what makes it longer".repeat(12);
        try (Producer<String, String> producer = Broker.producer("delivery.timeout.ms", 300_000, "request.timeout.ms", 10_000,
                "max.block.ms", 300_000, "retry.backoff.ms", 20, "reconnect.backoff.ms", 20, "reconnect.backoff.max.ms", 200,
                "acks", "all", "enable.idempotence", true)) {
            while (!stops) {
                for (int p = 0; p < PARTITIONS; p++) {
                    send(producer, p, padding);
                }
                Thread.sleep(INTERVAL_MS);
            }
        } catch (Exception e) {
            problem("the producer ended: " + e);
        }
    }

    private void send(Producer<String, String> producer, int partition, String padding) {
        long number = sent.getAndIncrement(partition);
        producer.send(new ProducerRecord<>(TOPIC, partition, "" + number, number + padding), (metadata, error) -> {
            if (error != null) {
                problem("record " + number + " of partition " + partition + " failed: " + error);
            } else if (metadata.offset() != number && metadata.offset() != -1) { // -1: it is there already
                problem("record " + number + " of partition " + partition + " was acknowledged at " + metadata.offset());
            } else {
                acknowledged.accumulateAndGet(partition, number + 1, Math::max);
                long now = System.nanoTime();
                long before = lastTime.getAndSet(partition, now);
                if (before != 0) {
                    longest.accumulateAndGet(partition, now - before, Math::max);
                }
            }
        });
    }

    /** True as soon as every partition has got further. */
    Callable<Boolean> progress() {
        long[] before = snapshot(acknowledged);
        return () -> {
            equal(List.of(), List.copyOf(problems), "problems");
            long[] now = snapshot(acknowledged);
            return LongStream.range(0, PARTITIONS).allMatch(p -> now[(int) p] > before[(int) p] + 20);
        };
    }

    /** Median and maximum over partitions of the longest time without an acknowledgement, in ms. */
    String gap() {
        long now = System.nanoTime();
        long[] gaps = new long[PARTITIONS];
        for (int p = 0; p < PARTITIONS; p++) {
            // A gap that is not over counts as well.
            gaps[p] = Math.max(longest.getAndSet(p, 0), now - lastTime.get(p)) / 1_000_000;
        }
        Arrays.sort(gaps);
        return gaps[PARTITIONS / 2] + " " + gaps[PARTITIONS - 1];
    }

    private static long[] snapshot(AtomicLongArray array) {
        return LongStream.range(0, PARTITIONS).map(p -> array.get((int) p)).toArray();
    }

    void stop() throws Exception {
        stops = true;
        thread.join(120_000);
        that(!thread.isAlive(), "the producer does not end: " + this);
    }

    String check() throws Exception {
        equal(List.of(), List.copyOf(problems), "problems");
        equal(Arrays.toString(snapshot(sent)), Arrays.toString(snapshot(acknowledged)), "acknowledged records");
        long count = 0;
        for (int p = 0; p < PARTITIONS; p++) {
            List<ConsumerRecord<String, String>> records = Broker.read(List.of(new TopicPartition(TOPIC, p)), "isolation.level", "read_committed");
            equal(sent.get(p), (long) records.size(), "records of partition " + p);
            long expected = 0;
            for (ConsumerRecord<String, String> record : records) {
                that(record.offset() == expected && record.key().equals("" + expected) && record.value().startsWith(expected + " "),
                    "offset " + record.offset() + " of partition " + p + " holds record " + record.key() + ", expected " + expected);
                expected++;
            }
            count += expected;
        }
        return count + " records";
    }

    @Override
    public String toString() {
        return "acknowledged " + acknowledged + " of " + sent + " " + problems;
    }
}
