package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
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
 * Transactional producers that live through everything. Each writes its number n to all partitions and commits n as an offset
 * of a group of its own, in one transaction; every fifth it aborts. In the end all partitions have the same
 * numbers of it: each that was committed, once and in order, none that was aborted; and its group's offset is the last.
 */
final class ClusterTransactions {
    static final String TOPIC = "transactions";
    private static final int PARTITIONS = 3;
    private static final int PRODUCERS = 2;

    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final List<Load> loads = IntStream.range(0, PRODUCERS).mapToObj(i -> new Load("transactional-" + i)).toList();
    private volatile boolean stops;

    /** What one producer did. */
    private final class Load extends Thread {
        final String id;
        final Set<Long> committed = ConcurrentHashMap.newKeySet();
        final Set<Long> aborted = ConcurrentHashMap.newKeySet();

        Load(String id) {
            super(id);
            this.id = id;
            setDaemon(true);
        }

        /** A producer that has taken over from the last one. */
        private Producer<String, String> producer() {
            while (true) {
                Producer<String, String> producer = Broker.producer("transactional.id", id, "max.block.ms", 60_000,
                    "delivery.timeout.ms", 60_000, "request.timeout.ms", 10_000, "reconnect.backoff.max.ms", 200);
                try {
                    producer.initTransactions();
                    return producer;
                } catch (KafkaException e) {
                    System.err.println(id + ": " + e);
                    producer.close(Duration.ZERO);
                }
            }
        }

        @Override
        public void run() {
            Producer<String, String> producer = producer();
            for (long n = 0; !stops; n++) {
                try {
                    transact(producer, n);
                    Thread.sleep(5);
                } catch (KafkaException e) {
                    // Neither committed nor aborted, as far as we know; a new producer ends it.
                    System.err.println(id + " " + n + ": " + e);
                    producer.close(Duration.ZERO);
                    producer = producer();
                } catch (InterruptedException e) {
                    return;
                }
            }
            producer.close();
        }

        private void transact(Producer<String, String> producer, long n) {
            producer.beginTransaction();
            for (int p = 0; p < PARTITIONS; p++) {
                producer.send(new ProducerRecord<>(TOPIC, p, id, id + " " + n));
            }
            producer.sendOffsetsToTransaction(Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(n)), new ConsumerGroupMetadata(id));
            if (n % 5 == 4) {
                producer.flush();
                producer.abortTransaction();
                aborted.add(n);
            } else {
                producer.commitTransaction();
                committed.add(n);
            }
        }
    }

    void start(String... configs) throws Exception {
        Broker.create(TOPIC, PARTITIONS, configs);
        loads.forEach(Thread::start);
    }

    Callable<Boolean> progress() {
        List<Integer> before = loads.stream().map(load -> load.committed.size()).toList();
        return () -> IntStream.range(0, PRODUCERS).allMatch(i -> loads.get(i).committed.size() > before.get(i) + 2);
    }

    int coordinator() throws Exception {
        return Broker.admin().describeTransactions(List.of(loads.get(0).id)).description(loads.get(0).id).get().coordinatorId();
    }

    /** Ends when no transaction is left undecided. */
    void stop() throws Exception {
        stops = true;
        for (Load load : loads) {
            load.join(120_000);
            that(!load.isAlive(), load.id + " is stuck");
        }
        var undecided = new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING, TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT));
        Broker.eventually(90_000, "all transactions have ended",
            ClusterState.trying(() -> Broker.admin().listTransactions(undecided).all().get().isEmpty()));
        for (int p = 0; p < PARTITIONS; p++) {
            TopicPartition tp = new TopicPartition(TOPIC, p);
            Broker.eventually(60_000, "all is stable",
                ClusterState.trying(() -> end(tp, "read_committed") == end(tp, "read_uncommitted")));
        }
    }

    private static long end(TopicPartition tp, String isolation) {
        try (var consumer = Broker.consumer("isolation.level", isolation)) {
            return consumer.endOffsets(List.of(tp)).get(tp);
        }
    }

    String check() throws Exception {
        problems.clear();
        List<List<ConsumerRecord<String, String>>> partitions = new ArrayList<>();
        for (int p = 0; p < PARTITIONS; p++) {
            partitions.add(committed(new TopicPartition(TOPIC, p)));
        }
        for (Load load : loads) {
            check(load, partitions.stream().map(records -> numbers(records, load.id)).toList());
        }
        equal(List.of(), problems.stream().limit(5).toList(), "problems");
        return loads.stream().mapToInt(load -> load.committed.size()).sum() + " transactions";
    }

    private static List<Long> numbers(List<ConsumerRecord<String, String>> records, String id) {
        return records.stream().filter(r -> r.key().equals(id)).map(r -> Long.parseLong(r.value().substring(id.length() + 1))).toList();
    }

    private void check(Load load, List<List<Long>> seen) throws Exception {
        for (List<Long> other : seen) {
            if (!other.equals(seen.get(0))) {
                problems.add(load.id + ": torn: " + other.size() + " in one partition, " + seen.get(0).size() + " in the other");
            }
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
        Set<Long> lost = new TreeSet<>(load.committed);
        seen.get(0).forEach(lost::remove);
        if (!lost.isEmpty()) {
            problems.add(load.id + ": lost " + lost);
        }
        long offset = Broker.admin().listConsumerGroupOffsets(load.id).partitionsToOffsetAndMetadata().get().get(new TopicPartition(TOPIC, 0)).offset();
        if (offset != last) {
            problems.add(load.id + ": the offset is " + offset + ", the last number " + last);
        }
    }

    private static List<ConsumerRecord<String, String>> committed(TopicPartition tp) {
        try (var consumer = Broker.consumer("isolation.level", "read_committed")) {
            consumer.assign(List.of(tp));
            consumer.seekToBeginning(List.of(tp));
            long end = consumer.endOffsets(List.of(tp)).get(tp);
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            long deadline = System.currentTimeMillis() + 60_000;
            while (consumer.position(tp) < end) {
                that(System.currentTimeMillis() < deadline, "only up to " + consumer.position(tp) + " of " + end + " in " + tp);
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
            return records;
        }
    }

    @Override
    public String toString() {
        return "committed " + loads.stream().map(load -> load.committed.size()).toList();
    }
}
