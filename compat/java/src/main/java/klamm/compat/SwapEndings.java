package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;
import static klamm.compat.SwapCommands.one;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Transactions that one broker begins and the next one, on the same directory and port, ends.
 *
 * <p>Each writes a record to every partition of its turn's topic and an offset of a group of its own. Commands on stdin,
 * each answered by lines of checks and "done":
 *
 * <pre>
 * version N    sets transaction.version
 * begin NAME   transactions that are complete, and some that are left open
 * decide NAME  (the broker is stopped) writes by hand what a coordinator writes when it has decided, before any marker,
 *              and of a producer that its epochs are nearly used up
 * end PID      many transactions end at once, and the broker is killed when the first answer comes
 * check NAME   everything has ended as its client wanted, also what the client ends only now; each goes on
 * </pre>
 *
 * <p>Kafka alone in its cluster may skip markers after a restart (compat/README.md) and says so in its log: of those
 * transactions only the coordinator's state is held against it.
 */
public final class SwapEndings {
    private static final int PARTITIONS = 40;
    private static final int AT_ONCE = 24;
    /** Where a transaction's state is in its record, behind the version, the producer's id and epoch and the timeout. */
    private static final int STATUS = 16;
    private static final int EPOCH = 10;
    private static final short NEARLY_LAST_EPOCH = Short.MAX_VALUE - 2;

    private short version = 2;
    private int turn;
    private String topic;
    private final List<Ending> endings = new ArrayList<>();

    private SwapEndings() { }

    /** One transactional id. */
    private final class Ending {
        final String id;
        final boolean commits;
        Producer<String, String> producer;
        Thread thread;
        String problem;
        int transactions;

        Ending(String kind, boolean commits, int timeoutMs) {
            this.id = topic + "-" + kind + (commits ? "-commit" : "-abort");
            this.commits = commits;
            producer = newProducer(timeoutMs);
            producer.initTransactions();
            endings.add(this);
        }

        Producer<String, String> newProducer(int timeoutMs) {
            return Broker.producer("transactional.id", id, "transaction.timeout.ms", timeoutMs, "max.block.ms", 90_000, "delivery.timeout.ms", 90_000,
                "request.timeout.ms", 5000, "reconnect.backoff.max.ms", 100, "buffer.memory", 4_000_000L);
        }

        void write() {
            transactions++;
            producer.beginTransaction();
            for (int p = 0; p < PARTITIONS; p++) {
                producer.send(new ProducerRecord<>(topic, p, id, text(transactions)));
            }
            producer.sendOffsetsToTransaction(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(transactions)), new ConsumerGroupMetadata(id));
            producer.flush();
        }

        String text(int transaction) {
            return id + " " + transaction;
        }

        void end() {
            if (commits) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
        }

        TransactionState ended() {
            if (isOf("fenced")) {
                return TransactionState.EMPTY;
            }
            return commits ? TransactionState.COMPLETE_COMMIT : TransactionState.COMPLETE_ABORT;
        }

        boolean isOf(String kind) {
            return id.contains("-" + kind + "-");
        }
    }

    private void version(String level) throws Exception {
        short next = Short.parseShort(level);
        if (next != version) {
            var update = new FeatureUpdate(next, next < version ? FeatureUpdate.UpgradeType.SAFE_DOWNGRADE : FeatureUpdate.UpgradeType.UPGRADE);
            Broker.admin().updateFeatures(Map.of("transaction.version", update), new UpdateFeaturesOptions()).all().get();
            version = next;
        }
    }

    private void newTurn() throws Exception {
        endings.forEach(ending -> ending.producer.close(Duration.ZERO));
        endings.clear();
        topic = "turn-" + ++turn;
        Broker.create(topic, PARTITIONS);
    }

    private void begin() throws Exception {
        newTurn();
        for (boolean commits : new boolean[] {true, false}) {
            Ending complete = new Ending("complete", commits, 600_000);
            complete.write();
            complete.end();
            new Ending("open", commits, 600_000).write();
            new Ending("decided", commits, 600_000).write();
        }
        Ending worn = new Ending("worn", true, 600_000);
        worn.write();
        worn.end();
        new Ending("fenced", false, 600_000).write();
        new Ending("overdue", false, 10_000).write();
        awaitStates("the complete ones are so", endings.stream().filter(ending -> ending.isOf("complete") || ending.isOf("worn")).toList());
    }

    private void decide() throws Exception {
        for (Ending ending : endings) {
            if (ending.isOf("decided") || ending.isOf("worn")) {
                decide(ending);
            }
        }
    }

    private void decide(Ending ending) throws Exception {
        for (String dir : System.getenv("LOG_DIRS").split(",")) {
            List<Path> logs;
            try (Stream<Path> paths = Files.walk(Path.of(dir), 2)) {
                logs = paths.filter(path -> path.toString().matches(".*/__transaction_state-\\d+/\\d+\\.log")).sorted().toList();
            }
            for (Path log : logs) {
                if (append(ending, log)) {
                    return;
                }
            }
        }
        throw new AssertionError(ending.id + " is in no log");
    }

    /** Appends the record, if the transactional id is in this log. */
    private boolean append(Ending ending, Path log) throws Exception {
        RecordBatch last = null;
        Record open = null;
        for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(log))).batches()) {
            last = batch;
            for (Record record : batch) {
                ByteBuffer key = record.key();
                byte[] id = new byte[key.remaining() - 4]; // behind the key's version and the string's length
                key.get(key.position() + 4, id);
                open = new String(id).equals(ending.id) ? record : open;
            }
        }
        if (open == null) {
            return false;
        }
        byte[] value = new byte[open.valueSize()];
        open.value().get(value);
        ByteBuffer fields = ByteBuffer.wrap(value);
        if (ending.isOf("worn")) {
            fields.putShort(EPOCH, NEARLY_LAST_EPOCH);
        } else {
            equal((byte) 1, fields.get(STATUS), "the state of " + ending.id + " (1 is Ongoing)");
            fields.put(STATUS, (byte) (ending.commits ? 2 : 3));
            fields.putShort(EPOCH, (short) (fields.getShort(EPOCH) + (version >= 2 ? 1 : 0)));
        }
        byte[] key = new byte[open.keySize()];
        open.key().get(key);
        ByteBuffer batch = MemoryRecords.withRecords(last.nextOffset(), Compression.NONE, last.partitionLeaderEpoch(),
            new SimpleRecord(System.currentTimeMillis(), key, value)).buffer();
        byte[] bytes = new byte[batch.remaining()];
        batch.get(bytes);
        Files.write(log, bytes, StandardOpenOption.APPEND);
        return true;
    }

    private void end(long pid) throws Exception {
        newTurn();
        for (int i = 0; i < AT_ONCE; i++) {
            new Ending("killed" + i, i % 2 == 0, 600_000).write();
        }
        CountDownLatch go = new CountDownLatch(1);
        CountDownLatch first = new CountDownLatch(1);
        for (Ending ending : endings) {
            ending.thread = new Thread(() -> {
                try {
                    go.await();
                    ending.end();
                } catch (Exception e) {
                    ending.problem = e.toString();
                }
                first.countDown();
            });
            ending.thread.setDaemon(true);
            ending.thread.start();
        }
        go.countDown();
        first.await();
        ProcessHandle.of(pid).orElseThrow().destroyForcibly();
    }

    private Map<String, TransactionState> states() throws Exception {
        Set<String> ids = endings.stream().map(ending -> ending.id).collect(Collectors.toSet());
        return Broker.admin().listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern(topic + "-.*")).all().get().stream()
            .filter(listing -> ids.contains(listing.transactionalId()))
            .collect(Collectors.toMap(TransactionListing::transactionalId, TransactionListing::state, (a, b) -> b, TreeMap::new));
    }

    private void check(String name) throws Exception {
        // What is decided ends without its client; the others wait for him.
        awaitStates(name + ": what was decided has ended so", endings.stream().filter(ending -> !ending.isOf("open") && !ending.isOf("fenced")).toList());
        if (endings.stream().anyMatch(ending -> ending.thread != null)) {
            one(name + ": all clients that had asked hear it", this::join);
        }
        for (Ending ending : endings) {
            if (ending.isOf("fenced")) {
                one(name + ": a new producer fences " + ending.id, () -> fence(ending));
            } else if (ending.isOf("worn")) {
                one(name + ": who has used up its epochs goes on under a new id", () -> rotate(ending));
            } else if (ending.isOf("open") || ending.isOf("decided")) {
                one(name + ": the client ends " + ending.id, () -> {
                    ending.end();
                    return null;
                });
            }
        }
        awaitStates(name + ": all have ended", endings);
        Set<String> skipped = skipped();
        if (!skipped.isEmpty()) {
            System.out.println("   Kafka skipped markers of " + skipped.size() + " transactions (its own fault)");
        }
        one(name + ": records and offsets", () -> verify(skipped));
        if (skipped.isEmpty()) {
            one(name + ": the producers go on", () -> {
                for (Ending ending : endings) {
                    if (!ending.isOf("fenced") && !ending.isOf("overdue")) {
                        ending.write();
                        ending.end();
                    }
                }
                return verify(skipped);
            });
        }
    }

    private Void join() throws Exception {
        for (Ending ending : endings) {
            ending.thread.join(60_000);
            that(!ending.thread.isAlive(), ending.id + " still waits");
            equal(null, ending.problem, "problem of " + ending.id);
        }
        return null;
    }

    private void awaitStates(String name, List<Ending> some) {
        one(name, () -> {
            Map<String, TransactionState> expected = some.stream().collect(Collectors.toMap(ending -> ending.id, Ending::ended, (a, b) -> b, TreeMap::new));
            try {
                Broker.eventually(40_000, "the states", () -> expected.entrySet().stream().allMatch(SwapEndings.entryOf(states())));
            } catch (AssertionError e) {
                Map<String, TransactionState> states = states();
                expected.entrySet().removeIf(SwapEndings.entryOf(states));
                throw new AssertionError("not in 40 s: " + expected + ", but " + states);
            }
            return null;
        });
    }

    private static Predicate<Map.Entry<String, TransactionState>> entryOf(Map<String, TransactionState> states) {
        return entry -> states.get(entry.getKey()) == entry.getValue();
    }

    private Void fence(Ending ending) {
        try (Producer<String, String> next = ending.newProducer(600_000)) {
            next.initTransactions();
        }
        try {
            ending.producer.commitTransaction();
        } catch (KafkaException e) {
            return null;
        }
        throw new AssertionError("the old producer commits");
    }

    /** The epochs end under version 2 with the first transaction, else with the second producer. */
    private static Void rotate(Ending ending) throws Exception {
        Callable<Long> producerId = () -> Broker.admin().describeTransactions(List.of(ending.id)).all().get().get(ending.id).producerId();
        long first = producerId.call();
        for (int i = 0; i < 2; i++) {
            ending.producer.close(Duration.ZERO);
            ending.producer = ending.newProducer(600_000);
            ending.producer.initTransactions();
            for (int n = 0; n < 2; n++) {
                ending.write();
                ending.end();
            }
        }
        that(producerId.call() != first, "still the producer id " + first);
        return null;
    }

    /** The transactions of which Kafka's log says that it did not send markers. */
    private Set<String> skipped() throws Exception {
        Path log = Path.of(System.getenv("BROKER_DIR"), "logs", "server.log");
        if (!Files.exists(log)) {
            return Set.of();
        }
        try (Stream<String> lines = Files.lines(log)) {
            List<String> skips = lines.filter(line -> line.contains("likely deleted already")).toList();
            return endings.stream().map(ending -> ending.id).filter(id -> skips.stream().anyMatch(line -> line.contains("markers for " + id + ",")))
                .collect(Collectors.toSet());
        }
    }

    private Void verify(Set<String> skipped) throws Exception {
        List<TopicPartition> partitions = IntStream.range(0, PARTITIONS).mapToObj(p -> new TopicPartition(topic, p)).toList();
        if (skipped.isEmpty()) {
            Broker.eventually(10_000, "all is stable", () -> ends(partitions, "read_committed").equals(ends(partitions, "read_uncommitted")));
        }
        List<String> expected = new ArrayList<>();
        for (Ending ending : endings) {
            for (int n = 1; n <= ending.transactions && ending.commits; n++) {
                expected.add(ending.text(n));
            }
        }
        Collections.sort(expected);
        committed(partitions).forEach((tp, values) -> {
            Collections.sort(values);
            if (skipped.isEmpty()) {
                equal(expected, values, "committed records of " + tp);
            } else {
                that(expected.containsAll(values) && Set.copyOf(values).size() == values.size(), "committed records of " + tp + ": " + values);
            }
        });
        for (Ending ending : endings) {
            var offset = Broker.admin().listConsumerGroupOffsets(ending.id).partitionsToOffsetAndMetadata().get().get(new TopicPartition(topic, 0));
            if (skipped.isEmpty()) {
                equal(ending.commits ? ending.transactions : null, offset == null ? null : (Integer) (int) offset.offset(), "offset of " + ending.id);
            } else {
                that(ending.commits || offset == null, "offset of " + ending.id + ": " + offset);
            }
        }
        return null;
    }

    private static Map<TopicPartition, Long> ends(List<TopicPartition> partitions, String isolation) {
        try (Consumer<String, String> consumer = Broker.consumer("isolation.level", isolation)) {
            return consumer.endOffsets(partitions);
        }
    }

    private static Map<TopicPartition, List<String>> committed(List<TopicPartition> partitions) {
        Map<TopicPartition, List<String>> values = new HashMap<>();
        partitions.forEach(tp -> values.put(tp, new ArrayList<>()));
        try (Consumer<String, String> consumer = Broker.consumer("isolation.level", "read_committed")) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.currentTimeMillis() + 20_000;
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                that(System.currentTimeMillis() < deadline, "not everything is read in 20 s");
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.get(new TopicPartition(record.topic(), record.partition())).add(record.value()));
            }
        }
        return values;
    }

    private void command(String command, String argument) throws Exception {
        switch (command) {
            case "version" -> version(argument);
            case "begin" -> begin();
            case "decide" -> decide();
            case "end" -> end(Long.parseLong(argument));
            case "check" -> check(argument);
            default -> throw new IllegalArgumentException(command);
        }
    }

    public static void main(String[] args) throws Exception {
        SwapCommands.serve(new SwapEndings()::command);
    }
}
