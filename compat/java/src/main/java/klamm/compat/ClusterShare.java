package klamm.compat;

import static klamm.compat.Suite.equal;

import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * A share group of two members that accept what {@link ClusterNumbers} writes. What the cluster has confirmed as accepted may not come
 * again, and in the end everything has come. What was accepted with an answer that is lost may come again or not.
 */
final class ClusterShare {
    private static final String GROUP = "sharers";

    private final String topic;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    /** The confirmed offsets of each partition. */
    private final List<BitSet> settled = offsets();
    private final List<BitSet> delivered = offsets();
    private final List<Thread> members = new ArrayList<>();
    private volatile boolean stops;

    ClusterShare(String topic) {
        this.topic = topic;
    }

    private static List<BitSet> offsets() {
        return IntStream.range(0, ClusterNumbers.PARTITIONS).mapToObj(p -> new BitSet()).toList();
    }

    void start() throws Exception {
        var earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET);
        Broker.admin().incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, GROUP), List.of(earliest))).all().get();
        for (int i = 0; i < 2; i++) {
            Thread member = new Thread(this::live, GROUP + "-" + i);
            member.setDaemon(true);
            member.start();
            members.add(member);
        }
    }

    private void live() {
        while (!stops) {
            try (ShareConsumer<String, String> consumer = Broker.shareConsumer(GROUP, "share.acknowledgement.mode", "explicit",
                    "request.timeout.ms", 10_000, "reconnect.backoff.max.ms", 200)) {
                consumer.subscribe(Set.of(topic));
                while (!stops) {
                    accept(consumer);
                }
            } catch (KafkaException e) {
                System.err.println(Thread.currentThread().getName() + " begins again: " + e);
            } catch (RuntimeException e) {
                problems.add(Thread.currentThread().getName() + ": " + e);
            }
        }
    }

    private void accept(ShareConsumer<String, String> consumer) {
        Map<Integer, List<Long>> accepted = new HashMap<>();
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
            synchronized (settled) {
                if (settled.get(record.partition()).get((int) record.offset())) {
                    problems.add(record.offset() + " of partition " + record.partition() + " comes again after it was accepted");
                }
                delivered.get(record.partition()).set((int) record.offset());
            }
            if (!record.key().equals("" + record.offset())) {
                problems.add("found " + record.key() + " at " + record.offset() + " of partition " + record.partition());
            }
            consumer.acknowledge(record, AcknowledgeType.ACCEPT);
            accepted.computeIfAbsent(record.partition(), p -> new ArrayList<>()).add(record.offset());
        }
        if (!accepted.isEmpty()) {
            settle(accepted, consumer.commitSync());
        }
    }

    private void settle(Map<Integer, List<Long>> accepted, Map<TopicIdPartition, Optional<KafkaException>> results) {
        synchronized (settled) {
            results.forEach((partition, error) -> {
                if (error.isEmpty()) {
                    accepted.getOrDefault(partition.partition(), List.of()).forEach(offset -> settled.get(partition.partition()).set(offset.intValue()));
                }
            });
        }
    }

    private List<Integer> counts(List<BitSet> offsets) {
        synchronized (settled) {
            return offsets.stream().map(BitSet::cardinality).toList();
        }
    }

    private static int sum(Collection<Integer> counts) {
        return counts.stream().mapToInt(Integer::intValue).sum();
    }

    Callable<Boolean> progress() {
        int before = sum(counts(settled));
        return () -> {
            equal(List.of(), problems.stream().limit(5).toList(), "problems");
            return sum(counts(settled)) > before + 50;
        };
    }

    /** Ends when everything has come. */
    void stop() throws Exception {
        for (int p = 0; p < ClusterNumbers.PARTITIONS; p++) {
            int partition = p;
            long end = Broker.end(topic, p);
            Broker.eventually(120_000, GROUP + " has got everything up to " + end + " of partition " + p, () -> counts(delivered).get(partition) == end);
        }
        stops = true;
        for (Thread member : members) {
            member.join(60_000);
        }
    }

    String check() {
        equal(List.of(), problems.stream().limit(5).toList(), "problems");
        return sum(counts(settled)) + " records";
    }

    @Override
    public String toString() {
        return GROUP + " got " + counts(delivered) + ", accepted " + counts(settled) + " " + problems.stream().limit(5).toList();
    }
}
