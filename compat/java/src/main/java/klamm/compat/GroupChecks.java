package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InconsistentGroupProtocolException;
import org.apache.kafka.common.errors.InvalidSessionTimeoutException;
import org.apache.kafka.common.errors.OffsetMetadataTooLarge;
import org.apache.kafka.common.errors.TimeoutException;

/** Classic groups: membership, assignment, rebalances and committed offsets. */
final class GroupChecks {
    private GroupChecks() { }

    static void run(Suite suite) {
        suite.check("group of one reads everything", GroupChecks::single);
        suite.check("group members join and leave", GroupChecks::joinAndLeave);
        suite.check("group member crashes", GroupChecks::crash);
        suite.check("group member stops polling", GroupChecks::stopsPolling);
        suite.check("group resumes from committed offsets", GroupChecks::resume);
        suite.check("group hands over without loss or repetition", GroupChecks::handOver);
        suite.check("group with the range assignor", () -> assignor(RangeAssignor.class, 4, 2));
        suite.check("group with the round robin assignor", () -> assignor(RoundRobinAssignor.class, 3, 3));
        suite.check("group with the sticky assignor", () -> assignor(StickyAssignor.class, 3, 3));
        suite.check("group with the cooperative sticky assignor", () -> assignor(CooperativeStickyAssignor.class, 3, 3));
        suite.check("group rebalances cooperatively", GroupChecks::cooperative);
        suite.check("group takes the assignor all members know", GroupChecks::commonAssignor);
        suite.check("group refuses a member without a common assignor", GroupChecks::inconsistent);
        suite.check("static member restarts without a rebalance", GroupChecks::staticRestart);
        suite.check("static member is fenced by its double", GroupChecks::staticFenced);
        suite.check("static member is removed by the admin client", GroupChecks::staticRemoved);
        suite.check("group with a session timeout too short", GroupChecks::sessionTimeoutTooShort);
        suite.check("commit sync and async with metadata", GroupChecks::commit);
        suite.check("commit with metadata too large", GroupChecks::metadataTooLarge);
        suite.check("commit of a partition that does not exist", GroupChecks::unknownPartition);
        suite.check("commit from outside an active group", GroupChecks::commitFromOutside);
        suite.check("commit automatically", GroupChecks::autoCommit);
        suite.check("group subscribed to a pattern", GroupChecks::pattern);
        suite.check("group notices new partitions", GroupChecks::newPartitions);
    }

    static Set<String> partitions(String topic, int... partitions) {
        Set<String> names = new TreeSet<>();
        for (int p : partitions) {
            names.add(topic + "-" + p);
        }
        return names;
    }

    static Set<String> all(String topic, int count) {
        Set<String> names = new TreeSet<>();
        for (int p = 0; p < count; p++) {
            names.add(topic + "-" + p);
        }
        return names;
    }

    /** Waits until these members share these partitions: all of them, none twice, nobody without. */
    static void shared(Set<String> expected, Member... members) throws Exception {
        Broker.eventually(25_000, expected + " shared among " + members.length + " members", () -> {
            Set<String> union = new TreeSet<>();
            int sum = 0;
            boolean idle = false;
            for (Member member : members) {
                if (member.error != null) {
                    throw member.error;
                }
                Set<String> assigned = member.assigned;
                union.addAll(assigned);
                sum += assigned.size();
                idle |= assigned.isEmpty();
            }
            return union.equals(expected) && sum == expected.size() && !idle;
        });
    }

    private static void single() throws Exception {
        String topic = Broker.topic("single", 3);
        for (int p = 0; p < 3; p++) {
            Broker.produce(topic, p, 20);
        }
        try (Member member = new Member(Broker.unique("single"), List.of(topic))) {
            shared(all(topic, 3), member);
            Broker.eventually(10_000, "60 records", () -> member.records.size() >= 60);
            for (int p = 0; p < 3; p++) {
                int partition = p;
                Broker.numbered(member.records.stream().filter(r -> r.partition() == partition).toList(), 0, 20);
            }
            String id = member.call(c -> c.groupMetadata().memberId());
            that(id.startsWith("consumer-"), "the member id " + id + " starts with the client id");
            equal(1, member.call(c -> c.groupMetadata().generationId()), "first generation");
        }
    }

    private static void joinAndLeave() throws Exception {
        String topic = Broker.topic("join", 6);
        String group = Broker.unique("join");
        try (Member a = new Member(group, List.of(topic))) {
            shared(all(topic, 6), a);
            try (Member b = new Member(group, List.of(topic))) {
                shared(all(topic, 6), a, b);
                equal(3, a.assigned.size(), "share of the first of two");
                try (Member c = new Member(group, List.of(topic)); Member d = new Member(group, List.of(topic))) {
                    shared(all(topic, 6), a, b, c, d);
                    equal(List.of(1, 1, 2, 2), List.of(a, b, c, d).stream().map(m -> m.assigned.size()).sorted().toList(), "shares of four");
                    int generation = a.call(k -> k.groupMetadata().generationId());
                    that(generation >= 3, "generation " + generation + " after three rebalances");
                    for (Member m : List.of(b, c, d)) {
                        equal(generation, m.call(k -> k.groupMetadata().generationId()), "generation of every member");
                    }
                }
                shared(all(topic, 6), a, b);
            }
            long began = System.currentTimeMillis();
            shared(all(topic, 6), a);
            that(System.currentTimeMillis() - began < 4000, "a member that leaves is not waited for");
            equal(List.of(), a.lost, "partitions lost");
        }
    }

    private static void crash() throws Exception {
        String topic = Broker.topic("crash", 4);
        String group = Broker.unique("crash");
        try (Member a = new Member(group, List.of(topic))) {
            Member b = new Member(group, List.of(topic));
            shared(all(topic, 4), a, b);
            b.crash();
            long began = System.currentTimeMillis();
            shared(all(topic, 4), a);
            long ms = System.currentTimeMillis() - began;
            that(ms > 3000 && ms < 12_000, "with a session timeout of 6 s, the partitions were taken over after " + ms + " ms");
        }
    }

    private static void stopsPolling() throws Exception {
        String topic = Broker.topic("stalled", 2);
        String group = Broker.unique("stalled");
        try (Member a = new Member(group, List.of(topic));
                Member b = new Member(group, List.of(topic), "max.poll.interval.ms", 2000, "session.timeout.ms", 6000)) {
            shared(all(topic, 2), a, b);
            CompletableFuture<Void> go = new CompletableFuture<>();
            var stalled = b.start(c -> go.get()); // keeps b from polling, while its heartbeats go on until the interval is over
            Broker.eventually(6000, "all partitions with the one that polls", () -> a.assigned.equals(all(topic, 2)));
            go.complete(null);
            stalled.get();
            shared(all(topic, 2), a, b); // it joins again
        }
    }

    private static void resume() throws Exception {
        String topic = Broker.topic("resume", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        String group = Broker.unique("resume");
        Broker.produce(topic, 0, 30);
        try (Consumer<String, String> consumer = Broker.consumer("group.id", group, "max.poll.records", 10)) {
            consumer.subscribe(List.of(topic));
            Broker.numbered(Broker.poll(consumer, 10), 0, 10);
            consumer.commitSync();
            equal(10, Broker.poll(consumer, 10).size(), "read, but not committed");
        }
        try (Consumer<String, String> consumer = Broker.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Broker.numbered(Broker.poll(consumer, 20), 10, 20);
            consumer.commitSync(Map.of(tp, new OffsetAndMetadata(25)));
        }
        try (Consumer<String, String> consumer = Broker.consumer("group.id", group)) {
            consumer.assign(List.of(tp)); // the same offsets without membership
            equal(25L, consumer.position(tp), "position from the committed offset");
            Broker.numbered(Broker.poll(consumer, 5), 25, 5);
        }
        try (Consumer<String, String> consumer = Broker.consumer("group.id", Broker.unique("resume-other"))) {
            consumer.subscribe(List.of(topic));
            Broker.numbered(Broker.poll(consumer, 30), 0, 30);
        }
    }

    private static void handOver() throws Exception {
        handOver("classic");
    }

    /** Members come and go while records flow; commits on revocation make that exactly once. */
    static void handOver(String protocol) throws Exception {
        String topic = Broker.topic("hand-over", 4);
        String group = Broker.unique("hand-over");
        int count = 4000;
        List<Member> members = new ArrayList<>();
        Thread producing = new Thread(() -> {
            try (Producer<String, String> producer = Broker.producer()) {
                for (int i = 0; i < count; i++) {
                    producer.send(new ProducerRecord<>(topic, i % 4, "" + i, "" + i));
                    if (i % 10 == 0) {
                        Thread.sleep(10);
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        // With auto commit, the client commits the positions before a rebalance and on close.
        Object[] configs = {"group.protocol", protocol, "enable.auto.commit", true, "auto.commit.interval.ms", 60_000};
        members.add(new Member(group, List.of(topic), configs));
        shared(all(topic, 4), members.get(0));
        producing.start();
        members.add(new Member(group, List.of(topic), configs));
        shared(all(topic, 4), members.get(0), members.get(1));
        members.get(0).close();
        shared(all(topic, 4), members.get(1));
        members.add(new Member(group, List.of(topic), configs));
        shared(all(topic, 4), members.get(1), members.get(2));
        members.get(1).close();
        producing.join();
        Broker.eventually(20_000, "all records", () -> members.stream().mapToInt(m -> m.records.size()).sum() >= count);
        members.get(2).close();
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        members.forEach(m -> records.addAll(m.records));
        equal(count, records.size(), "number of records, each once");
        Map<Integer, Long> next = new HashMap<>();
        for (ConsumerRecord<String, String> record : records) { // members held a partition one after the other
            equal(next.getOrDefault(record.partition(), 0L), record.offset(), "next offset of partition " + record.partition());
            next.put(record.partition(), record.offset() + 1);
            equal("" + (record.offset() * 4 + record.partition()), record.value(), "value");
        }
    }

    /** Two topics of three partitions and two members: the sizes of their shares tell the assignors apart. */
    private static void assignor(Class<?> assignor, int first, int second) throws Exception {
        String a = Broker.topic("assign-a", 3);
        String b = Broker.topic("assign-b", 3);
        String group = Broker.unique("assign");
        Object[] configs = {"partition.assignment.strategy", assignor.getName()};
        try (Member one = new Member(group, List.of(a, b), configs); Member two = new Member(group, List.of(a, b), configs)) {
            Set<String> expected = all(a, 3);
            expected.addAll(all(b, 3));
            shared(expected, one, two);
            Broker.eventually(10_000, "shares of " + first + " and " + second, () -> {
                List<Integer> sizes = List.of(one.assigned.size(), two.assigned.size());
                return sizes.equals(List.of(first, second)) || sizes.equals(List.of(second, first));
            });
            Member larger = one.assigned.size() == first ? one : two;
            if (assignor == RangeAssignor.class) {
                Set<String> range = partitions(a, 0, 1);
                range.addAll(partitions(b, 0, 1));
                equal(range, larger.assigned, "the first ranges");
            }
            equal(List.of(), one.lost, "lost by the first");
            equal(List.of(), two.lost, "lost by the second");
        }
    }

    private static void cooperative() throws Exception {
        String topic = Broker.topic("cooperative", 6);
        String group = Broker.unique("cooperative");
        Object[] configs = {"partition.assignment.strategy", CooperativeStickyAssignor.class.getName()};
        try (Member a = new Member(group, List.of(topic), configs)) {
            shared(all(topic, 6), a);
            try (Member b = new Member(group, List.of(topic), configs)) {
                shared(all(topic, 6), a, b);
                equal(3, a.revoked.size(), "partitions revoked from the first: only those that move");
                Set<String> kept = new TreeSet<>(all(topic, 6));
                a.revoked.forEach(tp -> kept.remove(tp.toString()));
                equal(kept, a.assigned, "partitions kept by the first");
                equal(List.of(), b.revoked, "revoked from the second");
            }
            shared(all(topic, 6), a);
            equal(3, a.revoked.size(), "partitions revoked from the first in all");
            equal(List.of(), a.lost, "lost by the first");
        }
        // An eager member gives up everything in the same situation.
        String eager = Broker.unique("eager");
        Object[] range = {"partition.assignment.strategy", RangeAssignor.class.getName()};
        try (Member a = new Member(eager, List.of(topic), range)) {
            shared(all(topic, 6), a);
            try (Member b = new Member(eager, List.of(topic), range)) {
                shared(all(topic, 6), a, b);
                equal(6, a.revoked.size(), "partitions revoked from an eager member");
            }
        }
    }

    private static void commonAssignor() throws Exception {
        String topic = Broker.topic("common", 2);
        String group = Broker.unique("common");
        String range = RangeAssignor.class.getName();
        String roundRobin = RoundRobinAssignor.class.getName();
        try (Member a = new Member(group, List.of(topic), "partition.assignment.strategy", range + "," + roundRobin);
                Member b = new Member(group, List.of(topic), "partition.assignment.strategy", roundRobin)) {
            shared(all(topic, 2), a, b);
            equal("roundrobin", Broker.admin().describeConsumerGroups(List.of(group)).all().get().get(group).partitionAssignor(), "assignor");
        }
    }

    private static void inconsistent() throws Exception {
        String topic = Broker.topic("inconsistent", 2);
        String group = Broker.unique("inconsistent");
        try (Member a = new Member(group, List.of(topic), "partition.assignment.strategy", RangeAssignor.class.getName())) {
            shared(all(topic, 2), a);
            try (Consumer<String, String> b = Broker.consumer("group.id", group,
                    "partition.assignment.strategy", RoundRobinAssignor.class.getName())) {
                b.subscribe(List.of(topic));
                fails(InconsistentGroupProtocolException.class, () -> b.poll(Duration.ofSeconds(10)));
            }
            equal(all(topic, 2), a.assigned, "the group goes on");
        }
    }

    private static void staticRestart() throws Exception {
        String topic = Broker.topic("static", 4);
        String group = Broker.unique("static");
        try (Member a = new Member(group, List.of(topic), "group.instance.id", "a", "session.timeout.ms", 20_000)) {
            Member b = new Member(group, List.of(topic), "group.instance.id", "b", "session.timeout.ms", 20_000);
            shared(all(topic, 4), a, b);
            Set<String> share = b.assigned;
            int generation = a.call(c -> c.groupMetadata().generationId());
            int rebalances = a.rebalances;
            String id = b.call(c -> c.groupMetadata().memberId());
            that(id.startsWith("b-"), "the member id " + id + " starts with the instance id");
            b.close();
            try (Member again = new Member(group, List.of(topic), "group.instance.id", "b", "session.timeout.ms", 20_000)) {
                Broker.eventually(10_000, "the same partitions after the restart", () -> again.assigned.equals(share));
                Thread.sleep(1000); // three heartbeats: a rebalance would have reached the other by now
                equal(rebalances, a.rebalances, "rebalances of the other member");
                equal(generation, a.call(c -> c.groupMetadata().generationId()), "generation of the other member");
                equal(generation, again.call(c -> c.groupMetadata().generationId()), "generation of the restarted member");
                that(!id.equals(again.call(c -> c.groupMetadata().memberId())), "the member id is a new one");
            }
        }
    }

    private static void staticFenced() throws Exception {
        String topic = Broker.topic("fenced", 2);
        String group = Broker.unique("fenced");
        try (Member a = new Member(group, List.of(topic), "group.instance.id", "same")) {
            shared(all(topic, 2), a);
            try (Member b = new Member(group, List.of(topic), "group.instance.id", "same")) {
                Broker.eventually(10_000, "the second holds the partitions", () -> b.assigned.equals(all(topic, 2)));
                Broker.eventually(10_000, "the first has an error", () -> a.error != null);
                equal(FencedInstanceIdException.class, a.error.getClass(), "error of the first");
                equal(null, b.error, "error of the second");
            }
        }
    }

    private static void staticRemoved() throws Exception {
        String topic = Broker.topic("removed", 2);
        String group = Broker.unique("removed");
        try (Member a = new Member(group, List.of(topic), "group.instance.id", "a", "session.timeout.ms", 60_000)) {
            Member b = new Member(group, List.of(topic), "group.instance.id", "b", "session.timeout.ms", 60_000);
            shared(all(topic, 2), a, b);
            b.close(); // a static member stays in the group
            Broker.admin().removeMembersFromConsumerGroup(group,
                new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("b")))).all().get();
            Broker.eventually(10_000, "all partitions with the one who stays", () -> a.assigned.equals(all(topic, 2)));
        }
    }

    private static void sessionTimeoutTooShort() throws Exception {
        String topic = Broker.topic("session", 1);
        try (Consumer<String, String> consumer = Broker.consumer("group.id", Broker.unique("session"),
                "session.timeout.ms", 5999, "heartbeat.interval.ms", 1000)) {
            consumer.subscribe(List.of(topic));
            fails(InvalidSessionTimeoutException.class, () -> consumer.poll(Duration.ofSeconds(10)));
        }
    }

    private static void commit() throws Exception {
        String topic = Broker.topic("commit", 3);
        String group = Broker.unique("commit");
        TopicPartition a = new TopicPartition(topic, 0);
        TopicPartition b = new TopicPartition(topic, 1);
        TopicPartition c = new TopicPartition(topic, 2);
        try (Consumer<String, String> consumer = Broker.consumer("group.id", group)) {
            consumer.assign(List.of(a, b, c));
            OffsetAndMetadata first = new OffsetAndMetadata(5, Optional.of(0), "größer");
            OffsetAndMetadata second = new OffsetAndMetadata(1L << 40, Optional.empty(), "");
            consumer.commitSync(Map.of(a, first, b, second));
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.of(a, b, c));
            equal(first, committed.get(a), "committed with metadata and epoch");
            equal(second, committed.get(b), "committed offset beyond the log");
            equal(null, committed.get(c), "nothing committed");
            OffsetAndMetadata third = new OffsetAndMetadata(6, Optional.of(0), "async");
            CompletableFuture<Map<TopicPartition, OffsetAndMetadata>> answer = new CompletableFuture<>();
            consumer.commitAsync(Map.of(a, third), (offsets, error) -> {
                if (error == null) {
                    answer.complete(offsets);
                } else {
                    answer.completeExceptionally(error);
                }
            });
            Broker.eventually(10_000, "the answer to the commit", () -> {
                consumer.poll(Duration.ofMillis(50));
                return answer.isDone();
            });
            equal(Map.of(a, third), answer.get(), "committed asynchronously");
            equal(third, consumer.committed(Set.of(a)).get(a), "committed offset");
            equal(second, consumer.committed(Set.of(b)).get(b), "committed offset of the other partition");
        }
        // Another client sees the same.
        equal(6L, Broker.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(a).offset(), "for the admin client");
    }

    private static void metadataTooLarge() throws Exception {
        String topic = Broker.topic("metadata", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = Broker.consumer("group.id", Broker.unique("metadata"))) {
            consumer.assign(List.of(tp));
            OffsetAndMetadata largest = new OffsetAndMetadata(1, "x".repeat(4096)); // offset.metadata.max.bytes
            consumer.commitSync(Map.of(tp, largest));
            fails(OffsetMetadataTooLarge.class, () -> {
                consumer.commitSync(Map.of(tp, new OffsetAndMetadata(2, "x".repeat(4097))));
                return "no error";
            });
            equal(largest, consumer.committed(Set.of(tp)).get(tp), "committed");
        }
    }

    private static void unknownPartition() throws Exception {
        String topic = Broker.topic("known", 1);
        TopicPartition missing = new TopicPartition(topic, 1);
        TopicPartition unknown = new TopicPartition(Broker.unique("unknown"), 0);
        try (Consumer<String, String> consumer = Broker.consumer("group.id", Broker.unique("unknown"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            // The client takes UNKNOWN_TOPIC_OR_PARTITION for something that may pass, until its own time is over.
            for (TopicPartition tp : List.of(missing, unknown)) {
                fails(TimeoutException.class, () -> {
                    consumer.commitSync(Map.of(tp, new OffsetAndMetadata(1)), Duration.ofSeconds(1));
                    return "no error";
                });
            }
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(Set.of(missing, unknown));
            equal(null, committed.get(missing), "committed of a missing partition");
            equal(null, committed.get(unknown), "committed of an unknown topic");
        }
    }

    private static void commitFromOutside() throws Exception {
        String topic = Broker.topic("outside", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        String group = Broker.unique("outside");
        try (Member member = new Member(group, List.of(topic))) {
            shared(all(topic, 1), member);
            try (Consumer<String, String> outside = Broker.consumer("group.id", group)) {
                outside.assign(List.of(tp));
                fails(CommitFailedException.class, () -> {
                    outside.commitSync(Map.of(tp, new OffsetAndMetadata(7)));
                    return "no error";
                });
                equal(null, outside.committed(Set.of(tp)).get(tp), "committed");
                member.call(c -> {
                    c.commitSync(Map.of(tp, new OffsetAndMetadata(3)));
                    return null;
                });
                equal(3L, outside.committed(Set.of(tp)).get(tp).offset(), "committed by the member");
            }
        }
    }

    private static void autoCommit() throws Exception {
        String topic = Broker.topic("auto-commit", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        String group = Broker.unique("auto-commit");
        Broker.produce(topic, 0, 12);
        try (Member member = new Member(group, List.of(topic), "enable.auto.commit", true, "auto.commit.interval.ms", 200)) {
            Broker.eventually(15_000, "the offset is committed", () -> {
                OffsetAndMetadata committed = member.call(c -> c.committed(Set.of(tp)).get(tp));
                return committed != null && committed.offset() == 12;
            });
            equal(Arrays.asList(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 10L, 11L), member.offsets(), "offsets");
        }
    }

    private static void pattern() throws Exception {
        String prefix = Broker.unique("pattern");
        Broker.admin().createTopics(List.of(new NewTopic(prefix + "-a", 2, (short) 1), new NewTopic("not-" + prefix, 1, (short) 1))).all().get();
        Broker.awaitTopic(prefix + "-a", 2);
        Broker.awaitTopic("not-" + prefix, 1);
        try (Member member = new Member(Broker.unique("pattern"), Pattern.compile(prefix + "-.*"), "metadata.max.age.ms", 500)) {
            shared(all(prefix + "-a", 2), member);
            Broker.admin().createTopics(List.of(new NewTopic(prefix + "-b", 1, (short) 1))).all().get();
            Broker.awaitTopic(prefix + "-b", 1);
            Set<String> both = all(prefix + "-a", 2);
            both.addAll(all(prefix + "-b", 1));
            shared(both, member);
            Broker.produce(prefix + "-b", 0, 3);
            Broker.eventually(10_000, "records of the new topic", () -> member.offsets().equals(List.of(0L, 1L, 2L)));
            Broker.admin().deleteTopics(List.of(prefix + "-a")).all().get();
            shared(all(prefix + "-b", 1), member);
        }
    }

    private static void newPartitions() throws Exception {
        String topic = Broker.topic("grows", 1);
        try (Member member = new Member(Broker.unique("grows"), List.of(topic), "metadata.max.age.ms", 500)) {
            shared(all(topic, 1), member);
            Broker.admin().createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            shared(all(topic, 3), member);
            Broker.produce(topic, 2, 4);
            Broker.eventually(10_000, "records of the new partition", () -> member.offsets().equals(List.of(0L, 1L, 2L, 3L)));
        }
    }
}
