package klamm.compat;

import static klamm.compat.Broker.admin;
import static klamm.compat.Queue.accept;
import static klamm.compat.Queue.all;
import static klamm.compat.Queue.next;
import static klamm.compat.Queue.nothing;
import static klamm.compat.Queue.each;
import static klamm.compat.Queue.show;
import static klamm.compat.Queue.take;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;

/** Where share groups begin, what the log does under them, and what admins see and change. */
final class ShareOffsetChecks {
    private final Suite suite;

    private ShareOffsetChecks(Suite suite) {
        this.suite = suite;
    }

    static void run(Suite suite) {
        ShareOffsetChecks checks = new ShareOffsetChecks(suite);
        checks.checks();
    }

    private void checks() {
        suite.check("queue: a group begins at the end where nothing is configured", this::latest);
        suite.check("queue: a group begins some time ago (by_duration)", this::byDuration);
        suite.check("queue: a wrong config of a group is refused", this::wrongConfig);
        suite.check("queue: DeleteRecords under records in flight", this::deleteRecords);
        suite.check("queue: partitions that come later are read from their beginning", this::newPartitions);
        suite.check("queue: a topic is deleted, another one goes on", this::deletedTopic);
        suite.check("queue: a topic that is made after the subscription is read", this::laterTopic);
        suite.check("queue: read_uncommitted delivers aborted records, and no markers", () -> transactions("read_uncommitted"));
        suite.check("queue: read_committed passes over aborted records", () -> transactions("read_committed"));
        suite.check("queue: read_committed waits for open transactions", this::openTransaction);
        suite.check("queue: the gaps of a compacted topic are passed over", this::compacted);
        suite.check("queue: admins see a share group", this::described);
        suite.check("queue: admins move offsets of a share group, and delete them", this::altered);
        suite.check("queue: admins delete a share group", this::deleted);
        suite.check("queue: an admin moves the offset back, and all is delivered once more", this::replayed);
    }

    /** The partition has its start when a member first fetches from it; records are sent until one is delivered. */
    private void latest() throws Exception {
        Queue queue = Queue.of("latest", 1, "share.auto.offset.reset", "latest");
        queue.send(0, 5);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            long sent = 5;
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            while (records.isEmpty()) {
                that(sent < 40, "nothing was delivered");
                one.poll(Duration.ofMillis(500)).forEach(records::add);
                if (records.isEmpty()) {
                    queue.send(0, 1);
                    sent++;
                    one.poll(Duration.ofMillis(500)).forEach(records::add);
                }
            }
            int first = (int) records.get(0).offset();
            that(first >= 5, "offset " + first + " is older than the group");
            equal(each(first, (int) sent, 1), show(records), "deliveries");
            all(one, records, AcknowledgeType.ACCEPT);
            queue.send(0, 2);
            accept(one, each((int) sent, (int) sent + 2, 1));
        }
        queue.awaitLag(0, 0);
    }

    private void byDuration() throws Exception {
        Queue queue = Queue.of("ago", 1, "share.auto.offset.reset", "by_duration:PT1H");
        try (Producer<String, String> producer = Broker.producer()) {
            for (int minutes : new int[] {120, 90, 61, 50, 30, 1}) {
                producer.send(new ProducerRecord<>(queue.topic, 0, System.currentTimeMillis() - minutes * 60_000L, null, "" + minutes)).get();
            }
        }
        try (ShareConsumer<String, String> one = queue.explicit()) {
            accept(one, "3:1 4:1 5:1");
        }
        queue.awaitLag(0, 0);
    }

    private void wrongConfig() throws Exception {
        Queue queue = Queue.of("wrong", 1);
        for (String[] wrong : new String[][] {{"share.auto.offset.reset", "by_duration:1H"}, {"share.auto.offset.reset", "first"},
            {"share.record.lock.duration.ms", "10"}, {"share.delivery.count.limit", "1"}, {"share.delivery.count.limit", "11"},
            {"share.partition.max.record.locks", "10"}, {"share.isolation.level", "none"}, {"share.heartbeat.interval.ms", "1"}}) {
            try {
                fails(InvalidConfigurationException.class, () -> {
                    queue.configure(Map.of(wrong[0], wrong[1]));
                    return null;
                });
            } catch (AssertionError e) {
                throw new AssertionError(wrong[0] + "=" + wrong[1] + ": " + e.getMessage());
            }
        }
    }

    private static void deleteBefore(String topic, long offset) throws Exception {
        admin().deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(offset))).all().get();
    }

    private void deleteRecords() throws Exception {
        Queue queue = Queue.of("deleting", 1);
        queue.sendSingly(0, 10);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = new ArrayList<>(take(one, each(0, 10, 1)));
            deleteBefore(queue.topic, 4);
            all(one, records, AcknowledgeType.RELEASE);
            one.commitSync();
            accept(one, each(4, 10, 2));
            queue.awaitLag(0, 0);
            queue.sendSingly(0, 5);
            deleteBefore(queue.topic, 13);
            List<ConsumerRecord<String, String>> rest = next(one);
            while (rest.get(rest.size() - 1).offset() < 14) {
                all(one, rest, AcknowledgeType.ACCEPT);
                rest = next(one);
            }
            all(one, rest, AcknowledgeType.ACCEPT);
        }
        queue.awaitLag(0, 0);
        deleteBefore(queue.topic, 15);
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.another().explicit()) {
            accept(one, "15:1 16:1");
        }
    }

    private void newPartitions() throws Exception {
        Queue queue = Queue.of("growing", 1);
        queue.send(0, 1);
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, "0:1");
            admin().createPartitions(Map.of(queue.topic, NewPartitions.increaseTo(3))).all().get();
            Broker.awaitTopic(queue.topic, 3);
            queue.send(1, 2);
            take(one, "1/0:1 1/1:1");
            queue.send(2, 1);
            take(one, "2/0:1");
            one.commitSync();
        }
        queue.awaitLag(1, 0);
        queue.awaitLag(2, 0);
    }

    private void deletedTopic() throws Exception {
        Queue queue = Queue.of("doomed", 1);
        Queue stays = queue.on(Broker.topic("staying", 1));
        try (ShareConsumer<String, String> one = queue.member("allow.auto.create.topics", false)) {
            one.subscribe(List.of(queue.topic, stays.topic));
            queue.send(0, 3);
            take(one, each(0, 3, 1));
            stays.send(0, 1);
            take(one, "0:1");
            admin().deleteTopics(List.of(queue.topic)).all().get();
            nothing(one, 1000);
            stays.send(0, 2);
            take(one, each(1, 3, 1));
            one.commitSync();
            stays.awaitLag(0, 0);
            Broker.eventually(20_000, "the group forgets the topic", () -> queue.offset(0) == null);
        }
    }

    private void laterTopic() throws Exception {
        Queue queue = Queue.of("earlier", 1);
        String later = Broker.unique("later");
        try (ShareConsumer<String, String> one = queue.member("allow.auto.create.topics", false)) {
            one.subscribe(List.of(later));
            nothing(one, 1000);
            Broker.create(later, 1);
            queue.on(later).send(0, 2);
            take(one, each(0, 2, 1));
            one.commitSync();
        }
        queue.on(later).awaitLag(0, 0);
    }

    /** Ten records each: committed, aborted, committed without a transaction, committed; offsets 10, 21 and 42 are markers. */
    private static void sendTransactions(String topic) throws Exception {
        try (Producer<String, String> producer = Broker.producer("transactional.id", Broker.unique("queue"))) {
            producer.initTransactions();
            for (int round = 0; round < 4; round++) {
                if (round == 2) {
                    try (Producer<String, String> plain = Broker.producer()) {
                        fill(plain, topic, round);
                    }
                    continue;
                }
                producer.beginTransaction();
                fill(producer, topic, round);
                if (round == 1) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        equal(43L, Broker.end(topic, 0), "end of the log");
    }

    private static void fill(Producer<String, String> producer, String topic, int round) {
        for (int i = 0; i < 10; i++) {
            producer.send(new ProducerRecord<>(topic, 0, null, round + " " + i));
        }
        producer.flush();
    }

    private void transactions(String isolation) throws Exception {
        Queue queue = Queue.of("isolation", 1, "share.isolation.level", isolation);
        sendTransactions(queue.topic);
        String aborted = isolation.equals("read_committed") ? "" : each(11, 21, 1) + " ";
        try (ShareConsumer<String, String> one = queue.explicit("max.poll.records", 1000)) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 10, 1) + " " + aborted + each(22, 32, 1) + " " + each(32, 42, 1));
            equal("3 9", records.get(records.size() - 1).value(), "the last value");
            all(one, records, AcknowledgeType.ACCEPT);
            one.commitSync();
            queue.send(0, 1);
            accept(one, "43:1");
            queue.awaitLag(0, 0);
        }
    }

    private void openTransaction() throws Exception {
        Queue queue = Queue.of("open", 1, "share.isolation.level", "read_committed");
        queue.send(0, 2);
        try (Producer<String, String> producer = Broker.producer("transactional.id", Broker.unique("open")); ShareConsumer<String, String> one = queue.explicit()) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(queue.topic, 0, null, "open"));
            producer.flush();
            queue.send(0, 2);
            accept(one, each(0, 2, 1));
            nothing(one, 1000);
            producer.commitTransaction();
            accept(one, "2:1 3:1 4:1");
            queue.awaitLag(0, 0);
            queue.send(0, 1);
            accept(one, "6:1");
            queue.awaitLag(0, 0);
        }
    }

    private void compacted() throws Exception {
        String topic = Broker.topic("compacted", 1, "cleanup.policy", "compact", "segment.ms", "200", "min.cleanable.dirty.ratio", "0.01",
            "max.compaction.lag.ms", "300", "min.compaction.lag.ms", "0");
        Set<Long> left = new TreeSet<>();
        try (Producer<String, String> producer = Broker.producer()) {
            for (int i = 0; i < 60; i++) {
                producer.send(new ProducerRecord<>(topic, 0, "key " + i % 7, "" + i)).get();
            }
            Broker.eventually(60_000, "compaction", () -> {
                Thread.sleep(300);
                producer.send(new ProducerRecord<>(topic, 0, "roll", "")).get();
                left.clear();
                try (var consumer = Broker.consumer()) {
                    TopicPartition tp = new TopicPartition(topic, 0);
                    consumer.assign(List.of(tp));
                    long end = consumer.endOffsets(List.of(tp)).get(tp);
                    while (consumer.position(tp) < end) {
                        consumer.poll(Duration.ofMillis(100)).forEach(record -> left.add(record.offset()));
                    }
                }
                return left.size() < 25;
            });
        }
        // The cleaner may take more of it before the group reads: what comes is among what is left now, in its order.
        Queue queue = Queue.of("compacted-group", 1).on(topic);
        try (ShareConsumer<String, String> one = queue.explicit("max.poll.records", 1000)) {
            Set<Long> seen = new TreeSet<>();
            long end = Broker.end(topic, 0);
            for (long last = -1; last < end - 1;) {
                List<ConsumerRecord<String, String>> records = next(one);
                for (ConsumerRecord<String, String> record : records) {
                    that(record.offset() > last && left.contains(record.offset()), "offset " + record.offset() + " after " + last + " of " + left);
                    equal(1, (int) record.deliveryCount().orElseThrow(), "count");
                    last = record.offset();
                    seen.add(last);
                }
                all(one, records, AcknowledgeType.ACCEPT);
            }
            that(seen.stream().filter(offset -> offset < 60).count() >= 7, "the last of each key: " + seen);
            one.commitSync();
            queue.awaitLag(0, 0);
        }
    }

    private static GroupListing listed(String group) throws Exception {
        return admin().listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).findFirst().orElse(null);
    }

    private static ShareGroupDescription describe(String group) throws Exception {
        return admin().describeShareGroups(List.of(group)).all().get().get(group);
    }

    private void described() throws Exception {
        Queue queue = Queue.of("described", 2);
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.explicit("client.id", "first"); ShareConsumer<String, String> two = queue.explicit("client.id", "second")) {
            accept(one, each(0, 3, 1));
            Broker.eventually(20_000, "two members, each with a partition", () -> {
                one.poll(Duration.ofMillis(50));
                two.poll(Duration.ofMillis(50));
                return describe(queue.group).members().stream().filter(member -> member.assignment().topicPartitions().size() == 1).count() == 2;
            });
            ShareGroupDescription group = describe(queue.group);
            equal(GroupState.STABLE, group.groupState(), "state");
            equal(Broker.coordinator(queue.group), group.coordinator().id(), "coordinator");
            that(group.groupEpoch() >= 2 && group.targetAssignmentEpoch() == group.groupEpoch(), "epochs " + group);
            Map<String, String> members = new TreeMap<>();
            group.members().forEach(member -> members.put(member.clientId(), member.host() + " " + member.memberEpoch()));
            equal(Map.of("first", "/127.0.0.1 " + group.groupEpoch(), "second", "/127.0.0.1 " + group.groupEpoch()), members, "members");
            Set<TopicPartition> assigned = new TreeSet<>(java.util.Comparator.comparing(TopicPartition::toString));
            group.members().forEach(member -> assigned.addAll(member.assignment().topicPartitions()));
            equal("[" + queue.topic + "-0, " + queue.topic + "-1]", assigned.toString(), "assignments");
            equal(Optional.of(GroupType.SHARE), listed(queue.group).type(), "type");
            equal("share", listed(queue.group).protocol(), "protocol");
            equal(Optional.of(GroupState.STABLE), listed(queue.group).groupState(), "listed state");
        }
        Broker.eventually(10_000, "empty", () -> describe(queue.group).groupState() == GroupState.EMPTY);
        equal(List.of(), List.copyOf(describe(queue.group).members()), "members");
        fails(GroupIdNotFoundException.class, () -> describe(Broker.unique("nobody")));
    }

    private void altered() throws Exception {
        Queue queue = Queue.of("altered", 1);
        TopicPartition tp = new TopicPartition(queue.topic, 0);
        queue.send(0, 10);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            accept(one, each(0, 10, 1));
            fails(GroupNotEmptyException.class, () -> admin().alterShareGroupOffsets(queue.group, Map.of(tp, 3L)).all().get());
            fails(GroupNotEmptyException.class, () -> admin().deleteShareGroupOffsets(queue.group, Set.of(queue.topic)).all().get());
        }
        queue.awaitLag(0, 0);
        admin().alterShareGroupOffsets(queue.group, Map.of(tp, 3L)).all().get();
        queue.awaitOffset(0, 3, 7);
        admin().deleteShareGroupOffsets(queue.group, Set.of(queue.topic)).all().get();
        Broker.eventually(10_000, "no offset", () -> queue.offset(0) == null);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            accept(one, each(0, 10, 1));
        }
    }

    private void replayed() throws Exception {
        Queue queue = Queue.of("replayed", 1);
        queue.send(0, 10);
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, each(0, 10, 1));
            one.commitSync();
        }
        queue.awaitLag(0, 0);
        for (long offset : new long[] {4, 0}) {
            admin().alterShareGroupOffsets(queue.group, Map.of(new TopicPartition(queue.topic, 0), offset)).all().get();
            queue.awaitOffset(0, offset, 10 - offset);
            try (ShareConsumer<String, String> one = queue.explicit()) {
                // Whole batches are read, and what lies before the offset is not delivered.
                List<ConsumerRecord<String, String>> records = take(one, each((int) offset, 10, 1));
                equal(each((int) offset, 10, 1), show(records), "from the offset on");
                all(one, records, AcknowledgeType.ACCEPT);
            }
            queue.awaitLag(0, 0);
        }
    }

    private void deleted() throws Exception {
        Queue queue = Queue.of("deleted", 1);
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, each(0, 2, 1));
            fails(GroupNotEmptyException.class, () -> admin().deleteShareGroups(List.of(queue.group)).all().get());
        }
        Broker.eventually(10_000, "empty", () -> describe(queue.group).groupState() == GroupState.EMPTY);
        admin().deleteShareGroups(List.of(queue.group)).all().get();
        equal(null, listed(queue.group), "listed");
        fails(GroupIdNotFoundException.class, () -> describe(queue.group));
        equal(Map.of(), admin().listShareGroupOffsets(Map.of(queue.group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(queue.group).get(), "offsets");
        fails(GroupIdNotFoundException.class, () -> admin().deleteShareGroups(List.of(queue.group)).all().get());
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, each(0, 2, 1));
        }
    }
}
