package klamm.compat;

import static klamm.compat.GroupChecks.all;
import static klamm.compat.GroupChecks.partitions;
import static klamm.compat.GroupChecks.shared;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/** Members of the consumer protocol: how they come, share, go on and go. */
final class ConsumerGroupChecks {
    private ConsumerGroupChecks() { }

    static void run(Suite suite) {
        suite.check("consumer group of one reads everything", ConsumerGroupChecks::single);
        suite.check("consumer group members join and leave", ConsumerGroupChecks::joinAndLeave);
        suite.check("consumer group moves only what has to move", ConsumerGroupChecks::sticky);
        suite.check("consumer group member crashes", ConsumerGroupChecks::crash);
        suite.check("consumer group member stops polling", ConsumerGroupChecks::stopsPolling);
        suite.check("consumer group resumes from committed offsets", ConsumerGroupChecks::resume);
        suite.check("consumer group hands over without loss or repetition", () -> GroupChecks.handOver("consumer"));
        suite.check("consumer group with the uniform assignor", ConsumerGroupChecks::uniform);
        suite.check("consumer group with the range assignor", ConsumerGroupChecks::range);
        suite.check("consumer group with an assignor that is unknown", ConsumerGroupChecks::unknownAssignor);
        suite.check("consumer group members with different subscriptions", ConsumerGroupChecks::different);
        suite.check("consumer group subscribed to a pattern", ConsumerGroupChecks::pattern);
        suite.check("consumer group subscribed to a pattern that is none", ConsumerGroupChecks::invalidPattern);
        suite.check("consumer group notices new partitions and topics", ConsumerGroupChecks::newPartitions);
        suite.check("consumer group member unsubscribes and comes again", ConsumerGroupChecks::unsubscribe);
        suite.check("consumer group member is fenced and comes again", ConsumerGroupChecks::fenced);
        suite.check("static consumer group member restarts without a rebalance", ConsumerGroupChecks::staticRestart);
        suite.check("static consumer group member stays away too long", ConsumerGroupChecks::staticAway);
        suite.check("static consumer group member finds its place taken", ConsumerGroupChecks::staticTaken);
        suite.check("consumer group commits by itself", ConsumerGroupChecks::autoCommit);
    }

    static Member member(String group, List<String> topics, Object... overrides) {
        return new Member(group, topics, consumer(overrides));
    }

    private static Object[] consumer(Object... overrides) {
        List<Object> all = new ArrayList<>(List.of("group.protocol", "consumer"));
        all.addAll(List.of(overrides));
        return all.toArray();
    }

    private static Set<String> union(Set<String> a, Set<String> b) {
        Set<String> union = new TreeSet<>(a);
        union.addAll(b);
        return union;
    }

    /** Waits until all members are at one epoch, and returns that. */
    private static int atRest(Member... members) throws Exception {
        int[] epoch = new int[1];
        Broker.eventually(15_000, "one epoch", () -> {
            epoch[0] = members[0].epoch();
            for (Member member : members) {
                if (member.epoch() != epoch[0]) {
                    return false;
                }
            }
            return true;
        });
        return epoch[0];
    }

    private static void single() throws Exception {
        String topic = Broker.topic("kip848-single", 3);
        for (int p = 0; p < 3; p++) {
            Broker.produce(topic, p, 20);
        }
        try (Member member = member(Broker.unique("kip848-single"), List.of(topic))) {
            shared(all(topic, 3), member);
            Broker.eventually(10_000, "60 records", () -> member.records.size() >= 60);
            for (int p = 0; p < 3; p++) {
                int partition = p;
                Broker.numbered(member.records.stream().filter(r -> r.partition() == partition).toList(), 0, 20);
            }
            equal(22, member.call(c -> c.groupMetadata().memberId()).length(), "length of a member id, which the client makes");
            that(member.epoch() >= 1, "epoch " + member.epoch());
        }
    }

    private static void joinAndLeave() throws Exception {
        String topic = Broker.topic("kip848-join", 6);
        String group = Broker.unique("kip848-join");
        try (Member a = member(group, List.of(topic))) {
            shared(all(topic, 6), a);
            int first = atRest(a);
            try (Member b = member(group, List.of(topic))) {
                shared(all(topic, 6), a, b);
                equal(3, a.assigned.size(), "share of the first of two");
                int second = atRest(a, b);
                that(second > first, "epoch " + second + " after " + first);
                try (Member c = member(group, List.of(topic)); Member d = member(group, List.of(topic))) {
                    shared(all(topic, 6), a, b, c, d);
                    equal(List.of(1, 1, 2, 2), List.of(a, b, c, d).stream().map(m -> m.assigned.size()).sorted().toList(), "shares of four");
                    that(atRest(a, b, c, d) > second, "a later epoch with four");
                }
                shared(all(topic, 6), a, b);
            }
            shared(all(topic, 6), a);
            equal(List.of(), a.lost, "lost by the first");
        }
    }

    private static void sticky() throws Exception {
        String topic = Broker.topic("kip848-sticky", 6);
        String group = Broker.unique("kip848-sticky");
        try (Member a = member(group, List.of(topic))) {
            shared(all(topic, 6), a);
            try (Member b = member(group, List.of(topic))) {
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
    }

    private static void crash() throws Exception {
        String topic = Broker.topic("kip848-crash", 4);
        String group = Broker.unique("kip848-crash");
        try (Member a = member(group, List.of(topic))) {
            Member b = member(group, List.of(topic));
            shared(all(topic, 4), a, b);
            long began = System.currentTimeMillis();
            b.crash();
            equal(2, a.assigned.size(), "the group does not know yet");
            shared(all(topic, 4), a);
            that(System.currentTimeMillis() - began > 3000, "its session had to end first");
        }
    }

    private static void stopsPolling() throws Exception {
        String topic = Broker.topic("kip848-stuck", 4);
        String group = Broker.unique("kip848-stuck");
        try (Member a = member(group, List.of(topic)); Member b = member(group, List.of(topic), "max.poll.interval.ms", 2000)) {
            shared(all(topic, 4), a, b);
            b.start(c -> {
                Thread.sleep(6000);
                return null;
            });
            shared(all(topic, 4), a);
            shared(all(topic, 4), a, b);
            equal(2, b.lost.size(), "partitions lost by the one that was stuck");
        }
    }

    private static void resume() throws Exception {
        String topic = Broker.topic("kip848-resume", 1);
        String group = Broker.unique("kip848-resume");
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 50);
        try (Member a = member(group, List.of(topic))) {
            Broker.eventually(15_000, "50 records", () -> a.records.size() == 50);
            OffsetAndMetadata offset = new OffsetAndMetadata(20, "read so far");
            a.call(c -> {
                c.commitSync(Map.of(tp, offset));
                return null;
            });
            equal(offset, a.call(c -> c.committed(Set.of(tp))).get(tp), "committed");
        }
        try (Member b = member(group, List.of(topic))) {
            Broker.eventually(15_000, "30 records", () -> b.records.size() == 30);
            Broker.numbered(b.records, 20, 30);
        }
    }

    private static void uniform() throws Exception {
        String a = Broker.topic("kip848-uniform-a", 3);
        String b = Broker.topic("kip848-uniform-b", 3);
        String group = Broker.unique("kip848-uniform");
        try (Member one = member(group, List.of(a, b), "group.remote.assignor", "uniform");
                Member two = member(group, List.of(a, b), "group.remote.assignor", "uniform")) {
            shared(union(all(a, 3), all(b, 3)), one, two);
            equal(3, one.assigned.size(), "share of the first");
        }
    }

    private static void range() throws Exception {
        String a = Broker.topic("kip848-range-a", 3);
        String b = Broker.topic("kip848-range-b", 3);
        String group = Broker.unique("kip848-range");
        try (Member one = member(group, List.of(a, b), "group.remote.assignor", "range");
                Member two = member(group, List.of(a, b), "group.remote.assignor", "range")) {
            shared(union(all(a, 3), all(b, 3)), one, two);
            Set<String> first = one.assigned.size() == 4 ? one.assigned : two.assigned;
            equal(union(partitions(a, 0, 1), partitions(b, 0, 1)), first, "the first ranges");
            equal("range", Broker.admin().describeConsumerGroups(List.of(group)).all().get().get(group).partitionAssignor(), "assignor");
        }
    }

    private static void unknownAssignor() throws Exception {
        String topic = Broker.topic("kip848-assignor", 1);
        try (Consumer<String, String> consumer = Broker.consumer(
                consumer("group.id", Broker.unique("kip848-assignor"), "group.remote.assignor", "klamm"))) {
            consumer.subscribe(List.of(topic));
            fails(UnsupportedAssignorException.class, () -> consumer.poll(Duration.ofSeconds(10)));
        }
    }

    private static void different() throws Exception {
        String a = Broker.topic("kip848-different-a", 4);
        String b = Broker.topic("kip848-different-b", 2);
        String group = Broker.unique("kip848-different");
        try (Member one = member(group, List.of(a, b)); Member two = member(group, List.of(a)); Member three = member(group, List.of(b))) {
            shared(union(all(a, 4), all(b, 2)), one, two, three);
            // Everything may be owned before all is where it belongs.
            Broker.eventually(15_000, "shares differ by at most one", () -> Math.abs(one.assigned.size() - two.assigned.size()) <= 1
                    && Math.abs(one.assigned.size() - three.assigned.size()) <= 1);
            that(all(a, 4).containsAll(two.assigned), "only what the second subscribes to: " + two.assigned);
            that(all(b, 2).containsAll(three.assigned), "only what the third subscribes to: " + three.assigned);
            two.subscribe(List.of(b));
            Broker.eventually(15_000, "the first has the topic for itself", () -> one.assigned.containsAll(all(a, 4)));
            shared(union(all(a, 4), all(b, 2)), one, two, three);
        }
    }

    private static void pattern() throws Exception {
        String prefix = Broker.unique("kip848-pattern");
        String a = Broker.topic(prefix + ".a", 2);
        String other = Broker.topic(prefix + "-a", 1);
        String group = Broker.unique("kip848-pattern");
        // RE2: anchored at both ends by the broker; no look-ahead.
        try (Member one = new Member(group, new SubscriptionPattern(prefix + "\\.[[:alpha:]]-.*"), consumer());
                Member two = member(group, List.of(other))) {
            shared(union(all(a, 2), all(other, 1)), one, two);
            String b = Broker.topic(prefix + ".b", 2);
            shared(union(union(all(a, 2), all(b, 2)), all(other, 1)), one, two);
            equal(union(all(a, 2), all(b, 2)), one.assigned, "topics that match");
            Broker.admin().deleteTopics(List.of(a)).all().get();
            Broker.eventually(25_000, "the topic that is left", () -> one.assigned.equals(all(b, 2)));
        }
    }

    private static void invalidPattern() throws Exception {
        try (Consumer<String, String> consumer = Broker.consumer(consumer("group.id", Broker.unique("kip848-pattern")))) {
            consumer.subscribe(new SubscriptionPattern("(?=x)y"));
            fails(InvalidRegularExpression.class, () -> consumer.poll(Duration.ofSeconds(10)));
        }
    }

    private static void newPartitions() throws Exception {
        String topic = Broker.topic("kip848-grow", 2);
        String later = Broker.unique("kip848-later");
        String group = Broker.unique("kip848-grow");
        try (Member a = member(group, List.of(topic, later)); Member b = member(group, List.of(topic, later))) {
            shared(all(topic, 2), a, b);
            Broker.admin().createPartitions(Map.of(topic, NewPartitions.increaseTo(6))).all().get();
            Broker.awaitTopic(topic, 6);
            shared(all(topic, 6), a, b);
            Broker.admin().createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(later, 2, (short) 1))).all().get();
            shared(union(all(topic, 6), all(later, 2)), a, b);
            equal(4, a.assigned.size(), "share of the first");
            Broker.produce(later, 1, 5);
            Broker.eventually(10_000, "records of the new topic", () -> a.records.size() + b.records.size() == 5);
        }
    }

    private static void unsubscribe() throws Exception {
        String topic = Broker.topic("kip848-unsubscribe", 4);
        String group = Broker.unique("kip848-unsubscribe");
        try (Member a = member(group, List.of(topic)); Member b = member(group, List.of(topic))) {
            shared(all(topic, 4), a, b);
            int before = b.revoked.size(); // some if it came first
            b.unsubscribe();
            equal(before + 2, b.revoked.size(), "partitions that it gave back");
            shared(all(topic, 4), a);
            equal(1, Broker.admin().describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), "members");
            b.subscribe(List.of(topic));
            shared(all(topic, 4), a, b);
        }
    }

    /** The coordinator forgets a member while it lives: its next heartbeat is refused, it loses all and joins anew. */
    private static void fenced() throws Exception {
        String topic = Broker.topic("kip848-fenced", 4);
        String group = Broker.unique("kip848-fenced");
        try (Member a = member(group, List.of(topic), "group.instance.id", "a"); Member b = member(group, List.of(topic))) {
            shared(all(topic, 4), a, b);
            String id = a.call(c -> c.groupMetadata().memberId());
            int before = a.epoch();
            Broker.admin().removeMembersFromConsumerGroup(group,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("a")))).all().get();
            Broker.eventually(15_000, "it loses its partitions", () -> a.lost.size() == 2);
            shared(all(topic, 4), a, b);
            equal(id, a.call(c -> c.groupMetadata().memberId()), "member id afterwards");
            that(a.epoch() > before, "a later epoch");
            equal(List.of(), b.lost, "lost by the other");
        }
    }

    private static void staticRestart() throws Exception {
        String topic = Broker.topic("kip848-static", 4);
        String group = Broker.unique("kip848-static");
        try (Member a = member(group, List.of(topic), "group.instance.id", "a")) {
            Member b = member(group, List.of(topic), "group.instance.id", "b");
            shared(all(topic, 4), a, b);
            int epoch = atRest(a, b);
            Set<String> assigned = b.assigned;
            int revoked = a.revoked.size(); // when the second one came
            String id = b.call(c -> c.groupMetadata().memberId());
            b.close(); // a static member is away for a while
            Thread.sleep(1000);
            equal(2, a.assigned.size(), "the group waits for it");
            try (Member again = member(group, List.of(topic), "group.instance.id", "b")) {
                shared(all(topic, 4), a, again);
                equal(assigned, again.assigned, "its partitions");
                equal(epoch, atRest(a, again), "epoch");
                that(!id.equals(again.call(c -> c.groupMetadata().memberId())), "a member id of its own");
                equal(revoked, a.revoked.size(), "revoked from the other one");
                again.leave();
                shared(all(topic, 4), a);
            }
        }
    }

    private static void staticAway() throws Exception {
        String topic = Broker.topic("kip848-away", 2);
        String group = Broker.unique("kip848-away");
        try (Member a = member(group, List.of(topic), "group.instance.id", "a")) {
            Member b = member(group, List.of(topic), "group.instance.id", "b");
            shared(all(topic, 2), a, b);
            b.close();
            shared(all(topic, 2), a);
        }
    }

    private static void staticTaken() throws Exception {
        String topic = Broker.topic("kip848-taken", 2);
        String group = Broker.unique("kip848-taken");
        try (Member a = member(group, List.of(topic), "group.instance.id", "a")) {
            shared(all(topic, 2), a);
            try (Consumer<String, String> twin = Broker.consumer(consumer("group.id", group, "group.instance.id", "a"))) {
                twin.subscribe(List.of(topic));
                fails(UnreleasedInstanceIdException.class, () -> twin.poll(Duration.ofSeconds(10)));
            }
            equal(all(topic, 2), a.assigned, "the first keeps its place");
            that(a.error == null, "an error of the first: " + a.error);
        }
    }

    private static void autoCommit() throws Exception {
        String topic = Broker.topic("kip848-auto", 1);
        String group = Broker.unique("kip848-auto");
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 10);
        try (Member a = member(group, List.of(topic), "enable.auto.commit", true, "auto.commit.interval.ms", 200)) {
            Broker.eventually(15_000, "the position is committed", () -> {
                OffsetAndMetadata committed = Broker.admin().listConsumerGroupOffsets(group)
                    .partitionsToOffsetAndMetadata().get().get(tp);
                return committed != null && committed.offset() == 10;
            });
            equal(10, a.records.size(), "records");
        }
    }
}
