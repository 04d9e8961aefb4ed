package klamm.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Transactions on a broker that is killed and started again by compat/transactions/run.
 *
 * <p>Each of four producers writes its number n to both partitions, and commits n as an offset of a group of its own, in
 * one transaction; every fifth it aborts. In the end a read_committed consumer has to see the same numbers in both
 * partitions: each that was committed, once and in order, none that was aborted; and the group's offset is the last of
 * them. No transaction may be left undecided.
 *
 * <p>Prints "kill" when the broker is to be killed and started again, and waits for a line then. Argument: how often.
 */
public final class TransactionCrash {
    private static final int PRODUCERS = 4;

    private final String topic;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private volatile boolean stops;

    private TransactionCrash(String topic) {
        this.topic = topic;
    }

    /** What one producer did: outcome of each n. */
    private final class Load extends Thread {
        final String id;
        final Set<Long> committed = ConcurrentHashMap.newKeySet();
        final Set<Long> aborted = ConcurrentHashMap.newKeySet();

        Load(String id) {
            super(id);
            this.id = id;
        }

        private Producer<String, String> producer() {
            Producer<String, String> producer = Broker.producer("transactional.id", id, "max.block.ms", 120_000, "delivery.timeout.ms", 120_000,
                "request.timeout.ms", 5000, "reconnect.backoff.max.ms", 200);
            producer.initTransactions();
            return producer;
        }

        @Override
        public void run() {
            Producer<String, String> producer = producer();
            for (long n = 0; !stops; n++) {
                try {
                    producer.beginTransaction();
                    producer.send(new ProducerRecord<>(topic, 0, id, id + " " + n));
                    producer.send(new ProducerRecord<>(topic, 1, id, id + " " + n));
                    producer.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(n)), new ConsumerGroupMetadata(id));
                    if (n % 5 == 4) {
                        producer.flush();
                        producer.abortTransaction();
                        aborted.add(n);
                    } else {
                        producer.commitTransaction();
                        committed.add(n);
                    }
                } catch (KafkaException e) {
                    // Neither committed nor aborted, as far as we know; a new producer ends it.
                    System.out.println("   " + id + " " + n + ": " + e);
                    producer.close(java.time.Duration.ZERO);
                    producer = producer();
                }
            }
            producer.close();
        }
    }

    private void check(Load load) throws Exception {
        List<List<Long>> seen = new ArrayList<>();
        for (int partition = 0; partition < 2; partition++) {
            seen.add(committed(partition).stream().filter(r -> r.key().equals(load.id))
                .map(r -> Long.parseLong(r.value().substring(load.id.length() + 1))).collect(Collectors.toList()));
        }
        if (!seen.get(0).equals(seen.get(1))) {
            problems.add(load.id + ": torn: " + seen.get(0).size() + " in one partition, " + seen.get(1).size() + " in the other");
        }
        long last = -1;
        for (long n : seen.get(0)) {
            if (n <= last) {
                problems.add(load.id + ": " + n + " comes after " + last);
            }
            if (load.aborted.contains(n)) {
                problems.add(load.id + ": " + n + " was aborted");
            }
            last = n;
        }
        Set<Long> lost = new java.util.TreeSet<>(load.committed);
        lost.removeAll(seen.get(0));
        if (!lost.isEmpty()) {
            problems.add(load.id + ": lost " + lost);
        }
        var offsets = Broker.admin().listConsumerGroupOffsets(load.id).partitionsToOffsetAndMetadata().get();
        long offset = offsets.get(new TopicPartition(topic, 0)).offset();
        if (offset != last) {
            problems.add(load.id + ": the offset is " + offset + ", the last number " + last);
        }
    }

    private List<ConsumerRecord<String, String>> committed(int partition) {
        TopicPartition tp = new TopicPartition(topic, partition);
        try (var consumer = Broker.consumer("isolation.level", "read_committed")) {
            consumer.assign(List.of(tp));
            consumer.seekToBeginning(List.of(tp));
            long end = consumer.endOffsets(List.of(tp)).get(tp);
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            while (consumer.position(tp) < end) {
                consumer.poll(java.time.Duration.ofMillis(200)).forEach(records::add);
            }
            return records;
        }
    }

    private static long end(String topic, int partition, String isolation) {
        TopicPartition tp = new TopicPartition(topic, partition);
        try (var consumer = Broker.consumer("isolation.level", isolation)) {
            return consumer.endOffsets(List.of(tp)).get(tp);
        }
    }

    public static void main(String[] args) throws Exception {
        int crashes = Integer.parseInt(args[0]);
        TransactionCrash crash = new TransactionCrash(Broker.topic("crash", 2));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        List<Load> loads = new ArrayList<>();
        for (int i = 0; i < PRODUCERS; i++) {
            loads.add(crash.new Load(Broker.unique("crash")));
        }
        loads.forEach(Thread::start);
        for (int i = 0; i < crashes; i++) {
            Thread.sleep(ThreadLocalRandom.current().nextInt(1500, 4000));
            System.out.println("kill");
            if (in.readLine() == null) {
                throw new IllegalStateException("the broker did not come back");
            }
        }
        Thread.sleep(2000);
        crash.stops = true;
        for (Load load : loads) {
            load.join(120_000);
            if (load.isAlive()) {
                crash.problems.add(load.id + " is stuck at " + java.util.Arrays.toString(load.getStackTrace()));
            }
        }
        var undecided = new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING, TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT));
        Broker.eventually(20_000, "all transactions have ended", () -> Broker.admin().listTransactions(undecided).all().get().isEmpty());
        for (int partition = 0; partition < 2; partition++) {
            int p = partition;
            Broker.eventually(20_000, "all is stable", () -> end(crash.topic, p, "read_committed") == end(crash.topic, p, "read_uncommitted"));
        }
        long count = 0;
        for (Load load : loads) {
            crash.check(load);
            count += load.committed.size();
            if (load.committed.isEmpty()) {
                crash.problems.add(load.id + " committed nothing");
            }
        }
        crash.problems.forEach(problem -> System.out.println("FAIL " + problem));
        System.out.println((crash.problems.isEmpty() ? "ok " : "FAIL ") + count + " transactions committed over " + crashes + " crashes");
        Runtime.getRuntime().halt(crash.problems.isEmpty() ? 0 : 1);
    }
}
