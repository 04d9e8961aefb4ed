package klamm.compat;

import static klamm.compat.Suite.equal;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/**
 * One transactional producer that lives through all brokers and goes on while they are killed. Transaction n writes n to two
 * partitions and commits n + 1 as an offset; each third is aborted. A reader of committed data then finds all others in both
 * partitions, once and in order.
 */
final class SwapTransactions {
    private static final int RECORDS = 3; // in each partition

    private final String topic;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final AtomicLong ended = new AtomicLong();
    private volatile boolean running;
    private volatile boolean idle = true;

    SwapTransactions(String topic) {
        this.topic = topic;
        Thread thread = new Thread(this::produce, "transactions");
        thread.setDaemon(true);
        thread.start();
    }

    private static boolean isAborted(long transaction) {
        return transaction % 3 == 2;
    }

    private void produce() {
        try (Producer<String, String> producer = Broker.producer("delivery.timeout.ms", 180_000, "request.timeout.ms", 5000, "max.block.ms", 180_000,
                "reconnect.backoff.max.ms", 200, "transactional.id", topic, "transaction.timeout.ms", 600_000)) {
            producer.initTransactions();
            while (true) {
                idle = !running;
                if (running) {
                    transaction(producer, ended.get());
                    ended.incrementAndGet();
                }
                Thread.sleep(5);
            }
        } catch (Exception e) {
            problems.add("the producer ended in transaction " + ended.get() + ": " + e);
        }
    }

    private void transaction(Producer<String, String> producer, long number) {
        producer.beginTransaction();
        for (int i = 0; i < 2 * RECORDS; i++) {
            producer.send(new ProducerRecord<>(topic, i % 2, "" + number, number + " aborted=" + isAborted(number)));
        }
        producer.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(number + 1)), new ConsumerGroupMetadata(topic));
        if (isAborted(number)) {
            producer.flush();
            producer.abortTransaction();
        } else {
            producer.commitTransaction();
        }
    }

    /** Begins to write, and returns when transactions have ended. */
    void start() throws Exception {
        long before = ended.get();
        running = true;
        Broker.eventually(60_000, "transactions end", () -> ended.get() > before + 10 || !problems.isEmpty());
    }

    private void pause() throws Exception {
        running = false;
        Broker.eventually(60_000, "the last transaction ends", () -> idle || !problems.isEmpty());
    }

    /** Returns when the last transaction has ended, with its markers. */
    void stop() throws Exception {
        pause();
        Broker.eventually(60_000, "its markers are written", () -> {
            return end(0, IsolationLevel.READ_COMMITTED) == end(0, IsolationLevel.READ_UNCOMMITTED)
                && end(1, IsolationLevel.READ_COMMITTED) == end(1, IsolationLevel.READ_UNCOMMITTED);
        });
    }

    private long end(int partition, IsolationLevel isolation) throws Exception {
        TopicPartition tp = new TopicPartition(topic, partition);
        return Broker.admin().listOffsets(Map.of(tp, OffsetSpec.latest()), new ListOffsetsOptions(isolation)).partitionResult(tp).get().offset();
    }

    /** Goes on for a moment (after a crash with the transaction that was open), stops, and reads everything. */
    Void stopAndCheck() throws Exception {
        long before = ended.get();
        running = true;
        Broker.eventually(60_000, "transactions end again", () -> ended.get() > before + 20 || !problems.isEmpty());
        pause();
        equal(List.of(), problems.stream().limit(3).toList(), "problems");
        List<String> expected = new ArrayList<>();
        long last = -1;
        for (long n = 0; n < ended.get(); n++) {
            for (int i = 0; i < RECORDS && !isAborted(n); i++) {
                expected.add(n + " aborted=false");
                last = n;
            }
        }
        for (int partition = 0; partition < 2; partition++) {
            List<String> committed = committed(partition);
            int same = 0;
            while (same < Math.min(expected.size(), committed.size()) && expected.get(same).equals(committed.get(same))) {
                same++;
            }
            equal(expected.subList(same, Math.min(same + 3, expected.size())), committed.subList(same, Math.min(same + 3, committed.size())),
                "committed records of partition " + partition + " from the first that differs, " + same + " of " + expected.size());
        }
        equal(last + 1, Broker.admin().listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get().get(new TopicPartition(topic, 0)).offset(),
            "the offset of the last committed transaction");
        return null;
    }

    private List<String> committed(int partition) throws Exception {
        TopicPartition tp = new TopicPartition(topic, partition);
        List<String> values = new ArrayList<>();
        try (var consumer = Broker.consumer("isolation.level", "read_committed", "max.poll.records", 10_000)) {
            consumer.assign(List.of(tp));
            consumer.seekToBeginning(List.of(tp));
            long end = consumer.endOffsets(List.of(tp)).get(tp);
            long deadline = System.currentTimeMillis() + 20_000;
            while (consumer.position(tp) < end) {
                Suite.that(System.currentTimeMillis() < deadline, "position " + consumer.position(tp) + " of " + end + " after 20 s");
                for (ConsumerRecord<String, String> record : consumer.poll(java.time.Duration.ofMillis(100))) {
                    values.add(record.value());
                }
            }
        }
        return values;
    }
}
