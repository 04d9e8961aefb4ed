package klamm.compat;

import static klamm.compat.Broker.admin;
import static klamm.compat.Broker.eventually;
import static klamm.compat.Broker.topic;
import static klamm.compat.Broker.unique;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/** Transactions, for each transaction.version that the broker can be set to. */
final class TransactionChecks {
    private final Suite suite;
    private final int version;

    private TransactionChecks(Suite suite, int version) {
        this.suite = suite;
        this.version = version;
    }

    static void run(Suite suite) {
        for (int version : new int[] {2, 1, 0, 2}) {
            suite.check("set transaction.version " + version, () -> setVersion((short) version));
            new TransactionChecks(suite, version).all();
        }
    }

    private static void setVersion(short version) throws Exception {
        short now = level();
        if (now != version) {
            FeatureUpdate.UpgradeType type = version > now ? FeatureUpdate.UpgradeType.UPGRADE : FeatureUpdate.UpgradeType.SAFE_DOWNGRADE;
            admin().updateFeatures(Map.of("transaction.version", new FeatureUpdate(version, type)), new UpdateFeaturesOptions()).all().get();
            eventually(10_000, "transaction.version " + version, () -> level() == version);
        }
    }

    private static short level() throws Exception {
        var finalized = admin().describeFeatures().featureMetadata().get().finalizedFeatures().get("transaction.version");
        return finalized == null ? 0 : finalized.maxVersionLevel();
    }

    private void check(String name, Suite.Body body) {
        suite.check("TV" + version + ": " + name, body);
    }

    private void all() {
        check("a commit shows everything at once", this::commit);
        check("an abort shows nothing", this::abort);
        check("transactions of several producers", this::interleaved);
        check("transactions that write nothing", this::empty);
        check("a new producer fences the old one", this::fencing);
        check("fenceProducers", this::adminFences);
        check("offsets in a transaction", this::offsets);
        check("read, process, write", this::readProcessWrite);
        check("a transaction that takes too long", this::timeout);
        check("a timeout that is too long", this::timeoutTooLong);
        check("offsets by isolation", this::isolation);
        check("describe and list", this::describe);
        check("an operator ends a hanging transaction", this::hanging);
        check("many transactions in a row", this::many);
        check("the epochs go up", this::epochs);
    }

    private static Producer<String, String> producer(String id, Object... overrides) {
        List<Object> all = new ArrayList<>(List.of("transactional.id", id, "max.block.ms", 30_000));
        all.addAll(List.of(overrides));
        Producer<String, String> producer = Broker.producer(all.toArray());
        producer.initTransactions();
        return producer;
    }

    private static void send(Producer<String, String> producer, String topic, int partition, String value) {
        producer.send(new ProducerRecord<>(topic, partition, value, value));
    }

    /** What a consumer sees of a partition now. */
    private static List<String> seen(String topic, int partition, String isolation) {
        TopicPartition tp = new TopicPartition(topic, partition);
        try (Consumer<String, String> consumer = Broker.consumer("isolation.level", isolation)) {
            consumer.assign(List.of(tp));
            consumer.seekToBeginning(List.of(tp));
            long end = consumer.endOffsets(List.of(tp)).get(tp);
            List<String> values = new ArrayList<>();
            long give = System.currentTimeMillis() + 20_000;
            while (consumer.position(tp) < end && System.currentTimeMillis() < give) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    values.add(record.value());
                }
            }
            that(consumer.position(tp) >= end, "read up to " + end);
            return values;
        }
    }

    private static List<String> committed(String topic, int partition) {
        return seen(topic, partition, "read_committed");
    }

    private static List<String> uncommitted(String topic, int partition) {
        return seen(topic, partition, "read_uncommitted");
    }

    /** The markers come after the answer. */
    private static void awaitCommitted(String topic, int partition, List<String> expected) throws Exception {
        eventually(10_000, "committed " + expected, () -> committed(topic, partition).equals(expected));
    }

    private static long end(String topic, int partition, String isolation) {
        TopicPartition tp = new TopicPartition(topic, partition);
        try (Consumer<String, String> consumer = Broker.consumer("isolation.level", isolation)) {
            return consumer.endOffsets(List.of(tp)).get(tp);
        }
    }

    private void commit() throws Exception {
        String topic = topic("commit", 2);
        try (Producer<String, String> producer = producer(unique("commit"))) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            send(producer, topic, 1, "b");
            producer.flush();
            equal(List.of("a"), uncommitted(topic, 0), "read_uncommitted before");
            equal(List.of(), committed(topic, 0), "read_committed before");
            producer.commitTransaction();
            awaitCommitted(topic, 0, List.of("a"));
            awaitCommitted(topic, 1, List.of("b"));
            producer.beginTransaction();
            send(producer, topic, 1, "c");
            producer.commitTransaction();
            awaitCommitted(topic, 1, List.of("b", "c"));
        }
        equal(2L, Broker.end(topic, 0), "a record and a marker");
        equal(4L, Broker.end(topic, 1), "two records and two markers");
    }

    private void abort() throws Exception {
        String topic = topic("abort", 1);
        try (Producer<String, String> producer = producer(unique("abort"))) {
            for (int i = 0; i < 3; i++) {
                producer.beginTransaction();
                send(producer, topic, 0, "no" + i);
                send(producer, topic, 0, "never" + i);
                producer.flush();
                producer.abortTransaction();
                producer.beginTransaction();
                send(producer, topic, 0, "yes" + i);
                producer.commitTransaction();
            }
            awaitCommitted(topic, 0, List.of("yes0", "yes1", "yes2"));
            equal(9, uncommitted(topic, 0).size(), "read_uncommitted sees all");
        }
        equal(15L, Broker.end(topic, 0), "nine records and six markers");
    }

    private void interleaved() throws Exception {
        String topic = topic("interleaved", 1);
        try (Producer<String, String> first = producer(unique("first")); Producer<String, String> second = producer(unique("second"));
             Producer<String, String> plain = Broker.producer()) {
            first.beginTransaction();
            send(first, topic, 0, "f1");
            first.flush();
            second.beginTransaction();
            send(second, topic, 0, "s1");
            second.flush();
            send(plain, topic, 0, "p1");
            plain.flush();
            second.commitTransaction();
            equal(List.of(), committed(topic, 0), "the first one is still open");
            send(first, topic, 0, "f2");
            first.flush();
            first.abortTransaction();
            awaitCommitted(topic, 0, List.of("s1", "p1"));
        }
    }

    private void empty() throws Exception {
        String topic = topic("empty", 1);
        try (Producer<String, String> producer = producer(unique("empty"))) {
            producer.beginTransaction();
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.commitTransaction();
            awaitCommitted(topic, 0, List.of("a"));
        }
        equal(2L, Broker.end(topic, 0), "one record and one marker");
    }

    private void fencing() throws Exception {
        String topic = topic("fencing", 1);
        String id = unique("fencing");
        try (Producer<String, String> old = producer(id)) {
            old.beginTransaction();
            send(old, topic, 0, "old");
            old.flush();
            try (Producer<String, String> young = producer(id)) {
                young.beginTransaction();
                send(young, topic, 0, "young");
                young.commitTransaction();
                fails(ProducerFencedException.class, () -> {
                    old.commitTransaction();
                    return null;
                });
                awaitCommitted(topic, 0, List.of("young"));
            }
        }
        try (Producer<String, String> old = producer(id); Producer<String, String> young = producer(id)) {
            young.beginTransaction();
            send(young, topic, 0, "younger");
            young.commitTransaction();
            old.beginTransaction();
            send(old, topic, 0, "zombie");
            KafkaException error;
            try {
                old.commitTransaction();
                throw new AssertionError("the zombie committed");
            } catch (KafkaException e) {
                error = e;
            }
            that(error.toString().contains("Fenced") || String.valueOf(error.getCause()).contains("InvalidProducerEpoch")
                || error.toString().contains("InvalidProducerEpoch") || String.valueOf(error.getCause()).contains("Fenced"), "fenced: " + error);
            awaitCommitted(topic, 0, List.of("young", "younger"));
        }
    }

    private void adminFences() throws Exception {
        String topic = topic("admin-fences", 1);
        String id = unique("admin-fences");
        try (Producer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            producer.flush();
            var fenced = admin().fenceProducers(List.of(id));
            that(fenced.epochId(id).get() > 0, "an epoch that the producer does not have");
            that(fenced.producerId(id).get() >= 0, "a producer id");
            fails(ProducerFencedException.class, () -> {
                producer.commitTransaction();
                return null;
            });
            awaitCommitted(topic, 0, List.of());
            equal(2L, end(topic, 0, "read_committed"), "the transaction was aborted");
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsetsOf(String group, boolean stable) throws Exception {
        return admin().listConsumerGroupOffsets(group, new ListConsumerGroupOffsetsOptions().requireStable(stable).timeoutMs(10_000))
            .partitionsToOffsetAndMetadata().get();
    }

    private void offsets() throws Exception {
        String topic = topic("offsets", 2);
        String group = unique("group");
        TopicPartition p0 = new TopicPartition(topic, 0);
        TopicPartition p1 = new TopicPartition(topic, 1);
        try (Producer<String, String> producer = producer(unique("offsets"))) {
            producer.beginTransaction();
            send(producer, topic, 1, "x");
            producer.sendOffsetsToTransaction(Map.of(p0, new OffsetAndMetadata(5, "five")), new ConsumerGroupMetadata(group));
            equal(Map.of(), offsetsOf(group, false), "nothing yet");
            producer.commitTransaction();
            equal(Map.of(p0, new OffsetAndMetadata(5, "five")), offsetsOf(group, true), "committed");

            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(p0, new OffsetAndMetadata(7), p1, new OffsetAndMetadata(8)), new ConsumerGroupMetadata(group));
            producer.abortTransaction();
            equal(Map.of(p0, new OffsetAndMetadata(5, "five")), offsetsOf(group, true), "aborted");

            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(p1, new OffsetAndMetadata(9)), new ConsumerGroupMetadata(group));
            producer.commitTransaction();
            equal(Map.of(p0, new OffsetAndMetadata(5, "five"), p1, new OffsetAndMetadata(9)), offsetsOf(group, true), "one more");
        }
    }

    /** As Kafka's own TransactionalMessageCopier: some of its transactions are aborted, and done again. */
    private void readProcessWrite() throws Exception {
        String from = topic("from", 2);
        String to = topic("to", 2);
        String group = unique("copier");
        Broker.produce(from, 0, 100);
        Broker.produce(from, 1, 100);
        int copied = 0;
        try (Producer<String, String> producer = producer(unique("copier"));
             Consumer<String, String> consumer = Broker.consumer("group.id", group, "isolation.level", "read_committed", "max.poll.records", 23)) {
            consumer.subscribe(List.of(from));
            long give = System.currentTimeMillis() + 60_000;
            for (int round = 0; copied < 200; round++) {
                that(System.currentTimeMillis() < give, "copied " + copied);
                var records = consumer.poll(Duration.ofMillis(500));
                if (records.isEmpty()) {
                    continue;
                }
                producer.beginTransaction();
                for (ConsumerRecord<String, String> record : records) {
                    send(producer, to, record.partition(), record.value());
                }
                producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
                if (round % 3 == 1) {
                    producer.abortTransaction();
                    Map<TopicPartition, OffsetAndMetadata> last = consumer.committed(consumer.assignment());
                    for (TopicPartition tp : consumer.assignment()) {
                        consumer.seek(tp, last.get(tp) == null ? 0 : last.get(tp).offset());
                    }
                } else {
                    producer.commitTransaction();
                    copied += records.count();
                }
            }
        }
        for (int partition = 0; partition < 2; partition++) {
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                expected.add("" + i);
            }
            awaitCommitted(to, partition, expected);
            equal(100L, offsetsOf(group, true).get(new TopicPartition(from, partition)).offset(), "offset of the group");
        }
    }

    private void timeout() throws Exception {
        String topic = topic("timeout", 1);
        String id = unique("timeout");
        try (Producer<String, String> producer = producer(id, "transaction.timeout.ms", 1000)) {
            producer.beginTransaction();
            send(producer, topic, 0, "late");
            producer.flush();
            eventually(20_000, "the transaction is aborted", () -> end(topic, 0, "read_committed") == 2);
            eventually(10_000, "its state", () -> describe(id).state() == TransactionState.COMPLETE_ABORT);
            KafkaException error = null;
            try {
                producer.commitTransaction();
            } catch (KafkaException e) {
                error = e;
            }
            that(error != null, "the commit comes too late");
            equal(List.of(), committed(topic, 0), "nothing is committed");
        }
        try (Producer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, topic, 0, "in time");
            producer.commitTransaction();
            awaitCommitted(topic, 0, List.of("in time"));
        }
    }

    private void timeoutTooLong() {
        KafkaException error = null;
        try {
            producer(unique("timeout"), "transaction.timeout.ms", 900_001).close();
        } catch (KafkaException e) {
            error = e;
        }
        that(error != null, "refused");
        that(error.getMessage().contains("transaction.max.timeout.ms"), "" + error);
    }

    private void isolation() throws Exception {
        String topic = topic("isolation", 1);
        Broker.produce(topic, 0, 3);
        try (Producer<String, String> producer = producer(unique("isolation"))) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            send(producer, topic, 0, "b");
            producer.flush();
            equal(3L, end(topic, 0, "read_committed"), "last stable offset");
            equal(5L, end(topic, 0, "read_uncommitted"), "high watermark");
            producer.commitTransaction();
            eventually(10_000, "all is stable", () -> end(topic, 0, "read_committed") == 6);
        }
    }

    private static TransactionDescription describe(String id) throws Exception {
        return admin().describeTransactions(List.of(id)).description(id).get();
    }

    private static Set<String> list(ListTransactionsOptions options) throws Exception {
        Collection<TransactionListing> all = admin().listTransactions(options).all().get();
        return all.stream().map(TransactionListing::transactionalId).collect(Collectors.toCollection(TreeSet::new));
    }

    private void describe() throws Exception {
        String topic = topic("describe", 2);
        String id = unique("describe");
        long before = System.currentTimeMillis();
        try (Producer<String, String> producer = producer(id, "transaction.timeout.ms", 54_321)) {
            TransactionDescription empty = describe(id);
            equal(TransactionState.EMPTY, empty.state(), "state");
            equal(54_321L, empty.transactionTimeoutMs(), "timeout");
            equal(Set.of(), empty.topicPartitions(), "partitions");
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            send(producer, topic, 1, "b");
            producer.flush();
            TransactionDescription open = describe(id);
            equal(TransactionState.ONGOING, open.state(), "state");
            equal(Set.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)), open.topicPartitions(), "partitions");
            that(open.transactionStartTimeMs().getAsLong() >= before, "start");
            equal(empty.producerId(), open.producerId(), "producer id");

            ListTransactionsOptions options = new ListTransactionsOptions();
            that(list(options).contains(id), "listed");
            that(list(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))).contains(id), "by state");
            that(!list(new ListTransactionsOptions().filterStates(List.of(TransactionState.EMPTY))).contains(id), "by another state");
            equal(Set.of(id), list(new ListTransactionsOptions().filterProducerIds(List.of(open.producerId()))), "by producer id");
            equal(Set.of(id), list(new ListTransactionsOptions().filterOnTransactionalIdPattern(id.substring(0, 6) + ".*" + id.substring(6))), "by pattern");
            equal(Set.of(), list(new ListTransactionsOptions().filterOnTransactionalIdPattern(id.substring(1))), "by a part of it");
            that(!list(new ListTransactionsOptions().filterOnDuration(600_000)).contains(id), "by duration");
            Thread.sleep(20);
            that(list(new ListTransactionsOptions().filterOnDuration(10)).contains(id), "by a short duration");

            ProducerState state = admin().describeProducers(List.of(new TopicPartition(topic, 0))).all().get()
                .get(new TopicPartition(topic, 0)).activeProducers().get(0);
            equal(open.producerId(), state.producerId(), "producer id");
            equal((int) open.producerEpoch(), state.producerEpoch(), "epoch");
            equal(0L, state.currentTransactionStartOffset().getAsLong(), "start of the transaction");
            equal(0, state.lastSequence(), "last sequence");
            producer.commitTransaction();
            eventually(10_000, "complete", () -> describe(id).state() == TransactionState.COMPLETE_COMMIT);
            equal(Set.of(), describe(id).topicPartitions(), "partitions");
            state = admin().describeProducers(List.of(new TopicPartition(topic, 0))).all().get()
                .get(new TopicPartition(topic, 0)).activeProducers().get(0);
            that(state.currentTransactionStartOffset().isEmpty(), "no transaction");
            that(state.coordinatorEpoch().getAsInt() >= 0, "a coordinator epoch");
        }
        fails(TransactionalIdNotFoundException.class, () -> describe(unique("unknown")));
    }

    private void hanging() throws Exception {
        String topic = topic("hanging", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = producer(unique("hanging"))) {
            producer.beginTransaction();
            send(producer, topic, 0, "a");
            producer.flush();
            ProducerState state = admin().describeProducers(List.of(tp)).all().get().get(tp).activeProducers().get(0);
            equal(0L, end(topic, 0, "read_committed"), "open");
            admin().abortTransaction(new AbortTransactionSpec(tp, state.producerId(), (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all().get();
            equal(2L, end(topic, 0, "read_committed"), "ended");
            equal(List.of(), committed(topic, 0), "aborted");
        }
    }

    private void many() throws Exception {
        String topic = topic("many", 3);
        int count = 200;
        long began;
        Map<Integer, List<String>> expected = new HashMap<>();
        try (Producer<String, String> producer = producer(unique("many"))) {
            began = System.nanoTime();
            for (int i = 0; i < count; i++) {
                producer.beginTransaction();
                for (int partition = 0; partition < 3; partition++) {
                    send(producer, topic, partition, "" + i);
                    if (i % 10 != 9) {
                        expected.computeIfAbsent(partition, p -> new ArrayList<>()).add("" + i);
                    }
                }
                if (i % 10 == 9) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        System.out.println("   " + count * 1_000_000_000L / (System.nanoTime() - began) + " transactions/s");
        for (int partition = 0; partition < 3; partition++) {
            awaitCommitted(topic, partition, expected.get(partition));
        }
    }

    /** Version 2 gives every transaction an epoch of its own; before, the epoch is the producer's. */
    private void epochs() throws Exception {
        String topic = topic("epochs", 1);
        String id = unique("epochs");
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = producer(id)) {
            for (int i = 0; i < 3; i++) {
                producer.beginTransaction();
                send(producer, topic, 0, "" + i);
                producer.commitTransaction();
                int expected = version == 2 ? i + 1 : 0;
                eventually(10_000, "complete", () -> describe(id).state() == TransactionState.COMPLETE_COMMIT);
                equal(expected, describe(id).producerEpoch(), "epoch at the coordinator");
                ProducerState state = admin().describeProducers(List.of(tp)).all().get().get(tp).activeProducers().get(0);
                equal(expected, state.producerEpoch(), "epoch at the partition");
            }
        }
    }
}
