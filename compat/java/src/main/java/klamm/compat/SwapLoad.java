package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * One idempotent producer that lives through all brokers and writes while they are killed. It is alone on its partition and
 * writes n as the nth record, so offset n holds n: what is missing, doubled or out of order shows.
 */
final class SwapLoad {
    private static final int RATE = 1000; // records a second

    private final String topic;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final AtomicLong acknowledged = new AtomicLong();
    private volatile boolean running;
    private long next;

    SwapLoad(String topic) {
        this.topic = topic;
        Thread thread = new Thread(this::produce, "load");
        thread.setDaemon(true);
        thread.start();
    }

    private void produce() {
        String padding = " and what makes it longer".repeat(12);
        try (Producer<String, String> producer = Broker.producer("delivery.timeout.ms", 180_000, "request.timeout.ms", 5000,
                "reconnect.backoff.max.ms", 200, "acks", "all", "enable.idempotence", true)) {
            while (true) {
                Thread.sleep(10);
                for (int i = 0; running && i < RATE / 100; i++) {
                    long number;
                    synchronized (this) {
                        number = next++;
                    }
                    producer.send(new ProducerRecord<>(topic, 0, "" + number, number + padding), (metadata, error) -> {
                        if (error != null || metadata.offset() != number && metadata.offset() != -1) {
                            problems.add("record " + number + ": " + (error != null ? error : "acknowledged at " + metadata.offset()));
                        }
                        acknowledged.incrementAndGet();
                    });
                }
            }
        } catch (Exception e) {
            problems.add("the producer ended: " + e);
        }
    }

    private synchronized long sent() {
        return next;
    }

    /** Begins to write, and returns when records are acknowledged. */
    void start() throws Exception {
        long before = acknowledged.get();
        running = true;
        Broker.eventually(60_000, "records are acknowledged", () -> acknowledged.get() > before + 100);
    }

    /** Goes on for a moment (after a crash with what was in flight), stops, and reads everything. */
    Void stopAndCheck() throws Exception {
        long before = acknowledged.get();
        Broker.eventually(60_000, "records are acknowledged again, " + problems, () -> acknowledged.get() > before + 500 || !problems.isEmpty());
        running = false;
        Broker.eventually(60_000, "everything is acknowledged", () -> acknowledged.get() == sent());
        equal(List.of(), problems.stream().limit(3).toList(), "problems");
        List<ConsumerRecord<String, String>> records = Broker.read(topic, 0, "max.poll.records", 10_000);
        equal(sent(), (long) records.size(), "records");
        long expected = 0;
        for (ConsumerRecord<String, String> record : records) {
            that(record.offset() == expected && record.key().equals("" + expected) && record.value().startsWith(expected + " "),
                "offset " + record.offset() + " holds record " + record.key() + ", expected " + expected);
            expected++;
        }
        return null;
    }
}
