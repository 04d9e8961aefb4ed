package klamm.compat;

import static klamm.compat.ConsumerGroupChecks.member;
import static klamm.compat.GroupAdminChecks.described;
import static klamm.compat.GroupChecks.all;
import static klamm.compat.GroupChecks.shared;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;

/** Groups that go from one protocol to the other, empty or while their members live, and those of both. */
final class MixedGroupChecks {
    private static final int PARTITIONS = 6;

    private MixedGroupChecks() { }

    static void run(Suite suite) {
        suite.check("mixed group migrates while it reads, cooperative members", () -> migrate(CooperativeStickyAssignor.class));
        suite.check("mixed group migrates while it reads, eager members", () -> migrate(RangeAssignor.class));
        suite.check("mixed group of static members migrates by a rolling restart", MixedGroupChecks::rolling);
        suite.check("mixed group loses members of each kind", MixedGroupChecks::crash);
        suite.check("mixed group changes its protocol while it is empty", MixedGroupChecks::empty);
        suite.check("mixed group keeps a classic member that commits", MixedGroupChecks::commit);
    }

    private static Member classic(String group, String topic, Class<?> assignor, Object... overrides) {
        List<Object> all = new ArrayList<>(List.of("partition.assignment.strategy", assignor.getName()));
        all.addAll(List.of(overrides));
        return new Member(group, List.of(topic), all.toArray());
    }

    /** Produces numbers in turn to all partitions, until it is told to stop. */
    private static final class Load implements AutoCloseable {
        private final AtomicBoolean stopped = new AtomicBoolean();
        private final Thread thread;
        private volatile int count;

        Load(String topic) {
            thread = new Thread(() -> {
                try (Producer<String, String> producer = Broker.producer()) {
                    for (int i = 0; !stopped.get(); i++) {
                        producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "" + i, "" + i));
                        count = i + 1;
                        Thread.sleep(2);
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            thread.start();
        }

        /** How many records there are in all. */
        int stop() throws InterruptedException {
            stopped.set(true);
            thread.join();
            return count;
        }

        @Override
        public void close() {
            stopped.set(true);
        }
    }

    private static void awaitAll(int count, List<Member> members) throws Exception {
        Broker.eventually(20_000, "each of " + count + " records read", () -> {
            Set<String> read = new HashSet<>();
            members.forEach(m -> m.records.forEach(r -> read.add(r.value())));
            return read.size() == count;
        });
    }

    private static void type(GroupType type, String group) throws Exception {
        Broker.eventually(15_000, "type " + type, () -> described(group).type() == type);
    }

    private static void migrate(Class<?> assignor) throws Exception {
        String topic = Broker.topic("mixed", PARTITIONS);
        String group = Broker.unique("mixed");
        Object[] commits = {"enable.auto.commit", true, "auto.commit.interval.ms", 500};
        List<Member> members = new ArrayList<>();
        try (Load load = new Load(topic)) {
            Member a = classic(group, topic, assignor, commits);
            Member b = classic(group, topic, assignor, commits);
            shared(all(topic, PARTITIONS), a, b);
            type(GroupType.CLASSIC, group);
            Member c = member(group, List.of(topic), commits); // up
            members.addAll(List.of(a, b, c));
            shared(all(topic, PARTITIONS), a, b, c);
            type(GroupType.CONSUMER, group);
            equal(2, c.assigned.size(), "share of the newcomer");
            for (MemberDescription m : described(group).members()) {
                boolean newcomer = m.consumerId().equals(c.call(k -> k.groupMetadata().memberId()));
                equal(Optional.of(newcomer), m.upgraded(), "upgraded");
            }
            Member d = classic(group, topic, assignor, commits); // a classic one joins a consumer group
            members.add(d);
            shared(all(topic, PARTITIONS), a, b, c, d);
            a.close();
            b.close();
            shared(all(topic, PARTITIONS), c, d);
            c.close(); // the last of the consumer protocol: down
            shared(all(topic, PARTITIONS), d);
            type(GroupType.CLASSIC, group);
            Member e = member(group, List.of(topic), commits); // and up again, for good
            members.add(e);
            shared(all(topic, PARTITIONS), d, e);
            d.close();
            shared(all(topic, PARTITIONS), e);
            type(GroupType.CONSUMER, group);
            awaitAll(load.stop(), members);
            e.close();
        }
        for (Member member : members) {
            that(member.error == null, "error of a member: " + member.error);
        }
    }

    private static void rolling() throws Exception {
        String topic = Broker.topic("mixed-static", PARTITIONS);
        String group = Broker.unique("mixed-static");
        Object[] commits = {"enable.auto.commit", true, "auto.commit.interval.ms", 500};
        List<Member> read = new ArrayList<>();
        try (Load load = new Load(topic)) {
            Member[] members = new Member[3];
            for (int i = 0; i < 3; i++) {
                members[i] = classic(group, topic, RangeAssignor.class, "group.instance.id", "i" + i, "enable.auto.commit", true);
                read.add(members[i]);
            }
            shared(all(topic, PARTITIONS), members);
            for (int i = 0; i < 3; i++) {
                members[i].close(); // stays in the group as a static member
                members[i] = member(group, List.of(topic), "group.instance.id", "i" + i, "enable.auto.commit", true);
                read.add(members[i]);
                shared(all(topic, PARTITIONS), members);
            }
            equal(3, described(group).members().size(), "members");
            for (MemberDescription m : described(group).members()) {
                equal(Optional.of(true), m.upgraded(), "upgraded");
            }
            awaitAll(load.stop(), read);
            for (Member member : members) {
                member.leave();
            }
        }
    }

    private static void crash() throws Exception {
        String topic = Broker.topic("mixed-crash", PARTITIONS);
        String group = Broker.unique("mixed-crash");
        Member a = classic(group, topic, RangeAssignor.class);
        try (Member b = classic(group, topic, RangeAssignor.class)) {
            shared(all(topic, PARTITIONS), a, b);
            Member c = member(group, List.of(topic));
            shared(all(topic, PARTITIONS), a, b, c);
            a.crash();
            shared(all(topic, PARTITIONS), b, c);
            c.crash();
            shared(all(topic, PARTITIONS), b);
            type(GroupType.CLASSIC, group);
        }
    }

    private static void empty() throws Exception {
        String topic = Broker.topic("mixed-empty", 1);
        String group = Broker.unique("mixed-empty");
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 30);
        int from = 0;
        for (String protocol : List.of("classic", "consumer", "classic", "consumer")) {
            try (Member a = new Member(group, List.of(topic), "group.protocol", protocol)) {
                int expected = 30 - from;
                Broker.eventually(15_000, expected + " records", () -> a.records.size() == expected);
                Broker.numbered(a.records, from, expected);
                type(GroupType.parse(protocol), group);
                from += 5;
                OffsetAndMetadata offset = new OffsetAndMetadata(from, protocol);
                a.call(c -> {
                    c.commitSync(Map.of(tp, offset));
                    return null;
                });
            }
        }
        equal(20L, Broker.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), "committed");
        Broker.admin().deleteConsumerGroups(List.of(group)).all().get();
    }

    private static void commit() throws Exception {
        String topic = Broker.topic("mixed-commit", 2);
        String group = Broker.unique("mixed-commit");
        try (Member a = classic(group, topic, RangeAssignor.class); Member b = member(group, List.of(topic))) {
            shared(all(topic, 2), a, b);
            for (Member m : List.of(a, b)) {
                TopicPartition own = m.call(c -> c.assignment().iterator().next());
                m.call(c -> {
                    c.commitSync(Map.of(own, new OffsetAndMetadata(3)));
                    return null;
                });
                equal(3L, m.call(c -> c.committed(Set.of(own))).get(own).offset(), "committed by each");
            }
            try (Consumer<String, String> other = Broker.consumer("group.id", group, "session.timeout.ms", 6000,
                    "partition.assignment.strategy", Unversed.class.getName())) {
                other.subscribe(List.of(topic));
                fails(org.apache.kafka.common.errors.InconsistentGroupProtocolException.class, () -> other.poll(Duration.ofSeconds(10)));
            }
        }
    }

    /** An assignor that no other classic member of the group knows. */
    public static final class Unversed extends org.apache.kafka.clients.consumer.RoundRobinAssignor {
        @Override
        public String name() {
            return "unversed";
        }
    }
}
