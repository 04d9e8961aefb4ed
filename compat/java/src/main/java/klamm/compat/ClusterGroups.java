package klamm.compat;

import static klamm.compat.Suite.equal;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * A group of the classic protocol and one of KIP-848, of two members each, that read what {@link ClusterNumbers} writes and commit
 * it. Whoever gets a partition has to begin at or behind what was last acknowledged as committed, and at or before the end of
 * what has been read: no commit is lost, and nothing is left out.
 */
final class ClusterGroups {
    private final String topic;
    private final ConcurrentLinkedQueue<String> problems = new ConcurrentLinkedQueue<>();
    private final List<Group> groups = List.of(new Group("classic"), new Group("consumer"));
    private final List<Thread> members = new ArrayList<>();
    private volatile boolean stops;

    ClusterGroups(String topic) {
        this.topic = topic;
    }

    /** What the members of a group have in common. */
    private static final class Group {
        final String protocol;
        final Map<TopicPartition, Long> committed = new ConcurrentHashMap<>();
        final Map<TopicPartition, Long> read = new ConcurrentHashMap<>();
        final AtomicLong commits = new AtomicLong();

        Group(String protocol) {
            this.protocol = protocol;
        }

        String id() {
            return "readers-" + protocol;
        }
    }

    private void problem(String text) {
        if (problems.size() < 5) {
            problems.add(text);
        }
    }

    void start() {
        for (Group group : groups) {
            for (int i = 0; i < 2; i++) {
                Thread member = new Thread(() -> live(group), group.id() + "-" + i);
                member.setDaemon(true);
                member.start();
                members.add(member);
            }
        }
    }

    private void live(Group group) {
        while (!stops) {
            try (Consumer<String, String> consumer = consumer(group)) {
                consumer.subscribe(Set.of(topic), new Resumption(group, consumer));
                read(group, consumer);
            } catch (KafkaException | IllegalStateException e) {
                // The latter: a consumer's poll() has found a position whose validation its other thread has just begun.
                System.err.println(Thread.currentThread().getName() + " begins again: " + e);
            } catch (RuntimeException | AssertionError e) {
                problem(Thread.currentThread().getName() + ": " + e);
            }
        }
    }

    private static Consumer<String, String> consumer(Group group) {
        Map<String, Object> config = new HashMap<>(Map.of("group.id", group.id(), "group.protocol", group.protocol, "request.timeout.ms", 10_000,
            "reconnect.backoff.max.ms", 200, "default.api.timeout.ms", 60_000, "isolation.level", "read_committed"));
        if (group.protocol.equals("classic")) {
            config.putAll(Map.of("session.timeout.ms", 10_000, "heartbeat.interval.ms", 1000));
        }
        List<Object> pairs = new ArrayList<>();
        config.forEach((key, value) -> pairs.addAll(List.of(key, value)));
        return Broker.consumer(pairs.toArray());
    }

    private void read(Group group, Consumer<String, String> consumer) {
        while (!stops) {
            Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                TopicPartition tp = new TopicPartition(record.topic(), record.partition());
                if (!record.key().equals("" + record.offset())) {
                    problem(group.id() + " found " + record.key() + " at " + record.offset() + " of " + tp);
                }
                long next = group.read.getOrDefault(tp, 0L);
                if (record.offset() > next) {
                    problem(group.id() + " got " + record.offset() + " of " + tp + " after " + next);
                }
                group.read.merge(tp, record.offset() + 1, Math::max);
                positions.put(tp, new OffsetAndMetadata(record.offset() + 1));
            }
            if (!positions.isEmpty()) {
                consumer.commitSync(positions);
                positions.forEach((tp, position) -> group.committed.merge(tp, position.offset(), Math::max));
                group.commits.incrementAndGet();
            }
        }
    }

    /** Looks at where a member begins. */
    private final class Resumption implements ConsumerRebalanceListener {
        private final Group group;
        private final Consumer<String, String> consumer;

        Resumption(Group group, Consumer<String, String> consumer) {
            this.group = group;
            this.consumer = consumer;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) { }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            for (TopicPartition tp : partitions) {
                long committed = group.committed.getOrDefault(tp, 0L);
                long position = consumer.position(tp);
                if (position < committed) {
                    problem(group.id() + " resumes " + tp + " at " + position + ", committed was " + committed);
                }
                // A commit whose answer was lost counts as well.
                group.committed.merge(tp, position, Math::max);
            }
        }
    }

    Callable<Boolean> progress() {
        List<Long> before = groups.stream().map(group -> group.commits.get()).toList();
        return () -> {
            equal(List.of(), List.copyOf(problems), "problems");
            for (int i = 0; i < groups.size(); i++) {
                if (groups.get(i).commits.get() <= before.get(i) + 1) {
                    return false;
                }
            }
            return true;
        };
    }

    int coordinator() throws Exception {
        String id = groups.get(0).id();
        return Broker.admin().describeConsumerGroups(List.of(id)).describedGroups().get(id).get().coordinator().id();
    }

    /** Ends when the groups have read and committed everything. */
    void stop() throws Exception {
        for (Group group : groups) {
            Broker.eventually(90_000, group.id() + " has read everything", ClusterState.trying(() -> {
                for (int p = 0; p < ClusterNumbers.PARTITIONS; p++) {
                    if (group.committed.getOrDefault(new TopicPartition(topic, p), 0L) < Broker.end(topic, p)) {
                        return false;
                    }
                }
                return true;
            }));
        }
        stops = true;
        for (Thread member : members) {
            member.join(60_000);
        }
    }

    String check() throws Exception {
        equal(List.of(), List.copyOf(problems), "problems");
        for (Group group : groups) {
            var offsets = Broker.admin().listConsumerGroupOffsets(group.id()).partitionsToOffsetAndMetadata().get();
            for (int p = 0; p < ClusterNumbers.PARTITIONS; p++) {
                TopicPartition tp = new TopicPartition(topic, p);
                equal(group.committed.get(tp), offsets.get(tp) == null ? null : (Long) offsets.get(tp).offset(), "offset of " + group.id() + " in " + tp);
                equal(Broker.end(topic, p), group.read.get(tp), "read by " + group.id() + " in " + tp);
            }
        }
        return groups.stream().mapToLong(group -> group.commits.get()).sum() + " commits";
    }

    @Override
    public String toString() {
        return groups.stream().map(group -> group.id() + " " + group.commits + " commits").toList() + " " + problems;
    }
}
