package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;
import static klamm.compat.SwapCommands.one;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ClassicGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberAssignment;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Groups of each kind whose members live on while Kafka and klamm take turns on one directory and one port.
 *
 * <p>Commands on stdin, each answered by lines of checks and "done"; the names of {@link Swap}:
 *
 * <pre>
 * fill            members join; they read and commit; the groups are noted when all is quiet
 * load            writes until the next check
 * check NAME      the groups are as noted, and no member had to join again; everything written was read
 * more            writes on, a member more joins each group and leaves; noted when all is quiet
 * </pre>
 *
 * SWAP_GROUPS names the kinds: "classic consumer streams" by default.
 */
public final class SwapGroups {
    private static final String TOPIC = "live";
    private static final List<String> MATCHING = List.of("live-match-a", "live-match-b");
    private static final List<String> KINDS = List.of(System.getenv().getOrDefault("SWAP_GROUPS", "classic consumer streams share").split(" "));

    private final Admin admin = Broker.admin();
    private final List<Group> groups = new ArrayList<>();
    private final List<SwapStreamsMember> streams = new ArrayList<>();
    private SwapShare shares;
    private final Producer<String, String> producer = Broker.producer("delivery.timeout.ms", 300_000, "request.timeout.ms", 5000, "reconnect.backoff.max.ms", 200);
    private final Map<String, String> noted = new TreeMap<>();
    private Thread load;
    private volatile boolean loading;
    private int written;

    private SwapGroups() { }

    /** A group of consumers; configs are those of each member. */
    private static final class Group {
        final String name;
        final Object[] configs;
        final boolean isStatic;
        final boolean matching;
        final List<Member> members = new ArrayList<>();
        final Set<String> seenByGone = new TreeSet<>();

        Group(String name, boolean isStatic, boolean matching, Object... configs) {
            this.name = name;
            this.isStatic = isStatic;
            this.matching = matching;
            this.configs = configs;
        }

        boolean isClassic() {
            return name.startsWith("classic");
        }

        void join() {
            List<Object> all = new ArrayList<>(List.of(configs));
            all.addAll(List.of("enable.auto.commit", true, "auto.commit.interval.ms", 200, "reconnect.backoff.max.ms", 200, "client.id", name + "-" + members.size(),
                "metadata.max.age.ms", 1000));
            all.addAll(List.of("group.protocol", isClassic() ? "classic" : "consumer"));
            if (isClassic()) {
                all.addAll(List.of("session.timeout.ms", 45_000));
            }
            if (isStatic) {
                all.addAll(List.of("group.instance.id", name + "-" + members.size()));
            }
            members.add(matching ? new Member(name, new SubscriptionPattern("live-mat(ch|-)+.*"), all.toArray()) : new Member(name, List.of(TOPIC), all.toArray()));
        }

        /** The last one leaves, also when it is static. */
        void leave() throws Exception {
            Member gone = members.remove(members.size() - 1);
            gone.leave();
            gone.records.forEach(record -> seenByGone.add(position(record)));
        }

        Collection<String> topics() {
            return matching ? MATCHING : List.of(TOPIC);
        }

        Set<String> seen() {
            Set<String> seen = new TreeSet<>(seenByGone);
            members.forEach(member -> member.records.forEach(record -> seen.add(position(record))));
            return seen;
        }
    }

    private static String position(ConsumerRecord<?, ?> record) {
        return record.topic() + "-" + record.partition() + " " + record.offset();
    }

    private Map<TopicPartition, Long> ends(Collection<String> topics) throws Exception {
        Map<TopicPartition, OffsetSpec> specs = new HashMap<>();
        admin.describeTopics(topics).allTopicNames().get().values().forEach(topic ->
            topic.partitions().forEach(p -> specs.put(new TopicPartition(topic.name(), p.partition()), OffsetSpec.latest())));
        return admin.listOffsets(specs).all().get().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().offset()));
    }

    private void write(int count) {
        for (int i = 0; i < count; i++, written++) {
            producer.send(new ProducerRecord<>(TOPIC, written % 6, null, "" + written));
            producer.send(new ProducerRecord<>(MATCHING.get(written % 2), written / 2 % 2, null, "" + written));
        }
        producer.flush();
        if (shares != null) {
            shares.write(producer, count);
        }
    }

    /** Each group has its partitions shared by its members, has read everything and committed that. */
    private void awaitQuiet() throws Exception {
        for (Group group : groups) {
            Map<TopicPartition, Long> ends = ends(group.topics());
            Set<String> all = ends.keySet().stream().map(TopicPartition::toString).collect(Collectors.toCollection(TreeSet::new));
            Broker.eventually(120_000, group.name + " has all partitions, each once", () -> {
                group.members.forEach(member -> that(member.error == null, group.name + ": " + member.error));
                List<String> assigned = group.members.stream().flatMap(member -> member.assigned.stream()).sorted().toList();
                return assigned.equals(List.copyOf(all)) && group.members.stream().noneMatch(member -> member.assigned.isEmpty());
            });
            Set<String> expected = new TreeSet<>();
            ends.forEach((tp, end) -> {
                for (long offset = 0; offset < end; offset++) {
                    expected.add(tp + " " + offset);
                }
            });
            Broker.eventually(60_000, group.name + " has read everything", () -> group.seen().equals(expected));
            Broker.eventually(60_000, group.name + " has committed everything", () -> {
                Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(group.name).partitionsToOffsetAndMetadata().get();
                return ends.entrySet().stream().allMatch(e -> e.getValue() == 0 || committed.get(e.getKey()) != null && committed.get(e.getKey()).offset() == e.getValue());
            });
        }
        if (shares != null) {
            shares.awaitQuiet();
        }
        if (!streams.isEmpty()) {
            try {
                Broker.eventually(60_000, "each task of the streams group has an owner", () -> {
                    streams.forEach(member -> that(member.problem == null, "streams member: " + member.problem));
                    return streams.stream().flatMap(member -> member.owned().stream()).sorted().toList().equals(List.of(0, 1, 2, 3, 4, 5))
                        && streams.stream().noneMatch(member -> member.owned().isEmpty());
                });
            } catch (AssertionError e) {
                throw new AssertionError(e.getMessage() + " " + streams);
            }
        }
    }

    private static List<String> members(Collection<MemberDescription> members) {
        return members.stream().map(member -> member.consumerId() + " instance " + member.groupInstanceId() + " " + member.clientId() + " " + member.host()
            + " epoch " + member.memberEpoch() + " upgraded " + member.upgraded() + " owns " + partitions(member.assignment())
            + " gets " + member.targetAssignment().map(SwapGroups::partitions)).sorted().toList();
    }

    private static List<String> partitions(MemberAssignment assignment) {
        return assignment.topicPartitions().stream().map(TopicPartition::toString).sorted().toList();
    }

    /** What the broker tells of the groups, and what their members know of themselves. */
    private Map<String, String> capture() throws Exception {
        Map<String, String> state = new TreeMap<>();
        for (Group group : groups) {
            if (group.isClassic()) {
                ClassicGroupDescription described = admin.describeClassicGroups(List.of(group.name)).all().get().get(group.name);
                state.put(group.name, described.state() + " " + described.protocol() + " " + described.protocolData() + " " + members(described.members()));
            }
            ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group.name)).all().get().get(group.name);
            state.put(group.name + " described", described.groupState() + " " + described.type() + " " + described.partitionAssignor() + " epoch " + described.groupEpoch()
                + " assigned " + described.targetAssignmentEpoch() + " " + members(described.members()));
            state.put(group.name + " offsets", "" + new TreeMap<>(admin.listConsumerGroupOffsets(group.name).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .collect(Collectors.toMap(e -> "" + e.getKey(), e -> "" + e.getValue()))));
            for (int i = 0; i < group.members.size(); i++) {
                Member member = group.members.get(i);
                ConsumerGroupMetadata metadata = member.call(consumer -> consumer.groupMetadata());
                // The leader of a classic group asks for a rebalance when it sees fewer partitions in a broker that has just started.
                String epoch = group.isClassic() ? "" : " epoch " + metadata.generationId() + " rebalances " + member.rebalances;
                state.put(group.name + " member " + i, metadata.memberId() + epoch + " lost " + member.lost + " owns " + member.assigned);
            }
        }
        if (shares != null) {
            shares.capture(state);
        }
        if (!streams.isEmpty()) {
            var group = admin.describeStreamsGroups(List.of(Swap.STREAMS_GROUP)).all().get().get(Swap.STREAMS_GROUP);
            state.put("streams group", group.groupState() + " epoch " + group.groupEpoch() + " assigned " + group.targetAssignmentEpoch() + " topology " + group.topologyEpoch()
                + " " + group.subtopologies() + " " + group.members().stream().map(Object::toString).sorted().toList());
            for (int i = 0; i < streams.size(); i++) {
                state.put("streams member " + i, "" + streams.get(i));
            }
        }
        return state;
    }

    private void note() throws Exception {
        awaitQuiet();
        if (shares != null) {
            shares.hold();
        }
        noted.clear();
        noted.putAll(capture());
    }

    private void fill() throws Exception {
        Broker.create(TOPIC, 6);
        for (String topic : MATCHING) {
            Broker.create(topic, 2);
        }
        if (KINDS.contains("classic")) {
            groups.add(new Group("classic-eager", false, false, "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor"));
            groups.add(new Group("classic-cooperative", false, false, "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
            groups.add(new Group("classic-static", true, false));
        }
        if (KINDS.contains("consumer")) {
            groups.add(new Group("consumer-uniform", false, false));
            groups.add(new Group("consumer-range", false, false, "group.remote.assignor", "range"));
            groups.add(new Group("consumer-static", true, false));
            groups.add(new Group("consumer-matching", false, true));
        }
        for (Group group : groups) {
            group.join();
            group.join();
        }
        if (KINDS.contains("streams")) {
            admin.listConsumerGroupOffsets(Swap.STREAMS_GROUP).partitionsToOffsetAndMetadata().get(); // has the broker make its topic of groups
            streams.add(new SwapStreamsMember(Swap.STREAMS_GROUP, TOPIC));
            streams.add(new SwapStreamsMember(Swap.STREAMS_GROUP, TOPIC));
        }
        if (KINDS.contains("share")) {
            shares = new SwapShare();
        }
        write(200);
        note();
    }

    private void more() throws Exception {
        groups.forEach(Group::join);
        if (!streams.isEmpty()) {
            streams.add(new SwapStreamsMember(Swap.STREAMS_GROUP, TOPIC));
        }
        if (shares != null) {
            shares.join();
        }
        write(100);
        awaitQuiet();
        write(100);
        for (Group group : groups) {
            group.leave();
        }
        if (!streams.isEmpty()) {
            streams.remove(streams.size() - 1).leave();
        }
        if (shares != null) {
            shares.leave();
        }
        note();
    }

    private void startLoad() {
        loading = true;
        load = new Thread(() -> {
            while (loading) {
                write(20);
            }
        }, "load");
        load.setDaemon(true);
        load.start();
    }

    private void check(String name) throws Exception {
        boolean loaded = load != null;
        if (loaded) {
            Thread.sleep(2000);
            loading = false;
            load.join(120_000);
            load = null;
        }
        one(name + ": every member goes on", () -> {
            awaitQuiet();
            Thread.sleep(2500); // some heartbeats
            awaitQuiet();
            return null;
        });
        if (shares != null) {
            one(name + ": a share group's records in flight", () -> {
                shares.takeOver();
                return null;
            });
        }
        Map<String, String> now = capture();
        for (Map.Entry<String, String> entry : noted.entrySet()) {
            if (!loaded || !entry.getKey().endsWith(" offsets")) {
                one(name + ": " + entry.getKey(), () -> {
                    equal(entry.getValue(), now.get(entry.getKey()), entry.getKey());
                    return null;
                });
            }
        }
    }

    private void command(String command, String name) throws Exception {
        switch (command) {
            case "fill" -> one(name, () -> {
                fill();
                return null;
            });
            case "more" -> one(name, () -> {
                more();
                return null;
            });
            case "load" -> startLoad();
            case "check" -> check(name);
            default -> throw new IllegalArgumentException(command);
        }
    }

    public static void main(String[] args) throws Exception {
        SwapCommands.serve(new SwapGroups()::command);
    }
}
