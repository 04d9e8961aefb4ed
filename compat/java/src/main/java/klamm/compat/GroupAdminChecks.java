package klamm.compat;

import static klamm.compat.ConsumerGroupChecks.member;
import static klamm.compat.GroupChecks.all;
import static klamm.compat.GroupChecks.shared;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** Groups as the admin client sees them. */
final class GroupAdminChecks {
    private GroupAdminChecks() { }

    static void run(Suite suite) {
        suite.check("group admin describes a consumer group", GroupAdminChecks::describe);
        suite.check("group admin describes a static member and its rack", GroupAdminChecks::describeStatic);
        suite.check("group admin lists by type and state", GroupAdminChecks::list);
        suite.check("group admin deletes a consumer group", GroupAdminChecks::delete);
        suite.check("group admin alters and deletes offsets of a consumer group", GroupAdminChecks::offsets);
        suite.check("group admin sets a group's configs", GroupAdminChecks::configs);
        suite.check("commit from outside an active consumer group", GroupAdminChecks::commitFromOutside);
    }

    static ConsumerGroupDescription described(String group) throws Exception {
        return Broker.admin().describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private static Set<String> names(Collection<TopicPartition> partitions) {
        Set<String> names = new TreeSet<>();
        partitions.forEach(tp -> names.add(tp.toString()));
        return names;
    }

    private static void describe() throws Exception {
        String topic = Broker.topic("admin-describe", 4);
        String group = Broker.unique("admin-describe");
        fails(GroupIdNotFoundException.class, () -> described(group));
        try (Member a = member(group, List.of(topic), "client.id", "first"); Member b = member(group, List.of(topic), "client.id", "second")) {
            shared(all(topic, 4), a, b);
            Broker.eventually(15_000, "stable", () -> described(group).groupState() == GroupState.STABLE);
            ConsumerGroupDescription d = described(group);
            equal(GroupType.CONSUMER, d.type(), "type");
            equal("uniform", d.partitionAssignor(), "assignor");
            equal(false, d.isSimpleConsumerGroup(), "simple");
            equal(d.groupEpoch(), d.targetAssignmentEpoch(), "epochs of the group and of its assignment");
            equal(2, d.members().size(), "members");
            for (MemberDescription m : d.members()) {
                Member of = m.clientId().equals("first") ? a : b;
                equal(of.call(c -> c.groupMetadata().memberId()), m.consumerId(), "member id");
                equal(d.groupEpoch(), m.memberEpoch(), "member epoch");
                equal(of.assigned, names(m.assignment().topicPartitions()), "assignment");
                equal(of.assigned, names(m.targetAssignment().orElseThrow().topicPartitions()), "target assignment");
                equal(Optional.of(true), m.upgraded(), "upgraded");
                equal("/127.0.0.1", m.host(), "host");
                equal(Optional.empty(), m.groupInstanceId(), "instance id");
            }
            fails(GroupIdNotFoundException.class, () -> Broker.admin().describeClassicGroups(List.of(group)).all().get());
        }
        ConsumerGroupDescription d = described(group);
        equal(GroupState.EMPTY, d.groupState(), "state without members");
        equal(GroupType.CONSUMER, d.type(), "type without members");
        equal(0, d.members().size(), "members");
    }

    private static void describeStatic() throws Exception {
        String topic = Broker.topic("admin-static", 1);
        String group = Broker.unique("admin-static");
        try (Member a = member(group, List.of(topic), "group.instance.id", "a", "client.rack", "r1")) {
            shared(all(topic, 1), a);
            MemberDescription m = described(group).members().iterator().next();
            equal(Optional.of("a"), m.groupInstanceId(), "instance id");
            equal(Optional.of("r1"), m.rackId(), "rack");
            a.close();
            Broker.eventually(5000, "gone for a while", () ->
                described(group).members().iterator().next().memberEpoch().equals(Optional.of(-2)));
        }
    }

    private static Set<String> listed(ListGroupsOptions options, String prefix) throws Exception {
        Set<String> ids = new HashSet<>();
        for (GroupListing listing : Broker.admin().listGroups(options).all().get()) {
            if (listing.groupId().startsWith(prefix)) {
                ids.add(listing.groupId());
            }
        }
        return ids;
    }

    private static void list() throws Exception {
        String topic = Broker.topic("admin-list", 1);
        String prefix = Broker.unique("admin-list");
        String classic = prefix + "-classic";
        String modern = prefix + "-consumer";
        String empty = prefix + "-empty";
        String simple = prefix + "-simple";
        try (Member a = member(empty, List.of(topic))) {
            shared(all(topic, 1), a);
        }
        try (Consumer<String, String> c = Broker.consumer("group.id", simple)) {
            c.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0)));
        }
        try (Member a = new Member(classic, List.of(topic)); Member b = member(modern, List.of(topic))) {
            shared(all(topic, 1), a);
            shared(all(topic, 1), b);
            equal(Set.of(classic, modern, empty, simple), listed(new ListGroupsOptions(), prefix), "all");
            equal(Set.of(classic, simple), listed(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC)), prefix), "classic ones");
            equal(Set.of(modern, empty), listed(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER)), prefix), "consumer ones");
            equal(Set.of(empty, simple), listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY)), prefix), "empty ones");
            equal(Set.of(classic, modern), listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE)), prefix), "stable ones");
            equal(Set.of(empty), listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))
                .withTypes(Set.of(GroupType.CONSUMER)), prefix), "empty consumer ones");
            equal(Set.of(classic, modern, empty, simple), listed(ListGroupsOptions.forConsumerGroups(), prefix), "for consumers");
            for (GroupListing listing : Broker.admin().listGroups().all().get()) {
                if (listing.groupId().equals(modern)) {
                    equal(Optional.of(GroupType.CONSUMER), listing.type(), "type");
                    equal("consumer", listing.protocol(), "protocol type");
                    equal(Optional.of(GroupState.STABLE), listing.groupState(), "state");
                }
            }
        }
    }

    private static void delete() throws Exception {
        String topic = Broker.topic("admin-delete", 1);
        String group = Broker.unique("admin-delete");
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Member a = member(group, List.of(topic))) {
            shared(all(topic, 1), a);
            a.call(c -> {
                c.commitSync(Map.of(tp, new OffsetAndMetadata(7)));
                return null;
            });
            fails(GroupNotEmptyException.class, () -> Broker.admin().deleteConsumerGroups(List.of(group)).all().get());
        }
        equal(7L, Broker.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), "committed");
        Broker.admin().deleteConsumerGroups(List.of(group)).all().get();
        fails(GroupIdNotFoundException.class, () -> described(group));
        fails(GroupIdNotFoundException.class, () -> Broker.admin().deleteConsumerGroups(List.of(group)).all().get());
        equal(Map.of(), Broker.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "offsets afterwards");
    }

    private static void offsets() throws Exception {
        String topic = Broker.topic("admin-offsets", 1);
        String other = Broker.topic("admin-offsets", 1);
        String group = Broker.unique("admin-offsets");
        TopicPartition tp = new TopicPartition(topic, 0);
        TopicPartition foreign = new TopicPartition(other, 0);
        Admin admin = Broker.admin();
        try (Member a = member(group, List.of(topic))) {
            shared(all(topic, 1), a);
            a.call(c -> {
                c.commitSync(Map.of(tp, new OffsetAndMetadata(7), foreign, new OffsetAndMetadata(8)));
                return null;
            });
            fails(UnknownMemberIdException.class, () ->
                admin.alterConsumerGroupOffsets(group, Map.of(tp, new OffsetAndMetadata(3))).all().get());
            fails(GroupSubscribedToTopicException.class, () ->
                admin.deleteConsumerGroupOffsets(group, Set.of(tp)).partitionResult(tp).get());
            admin.deleteConsumerGroupOffsets(group, Set.of(foreign)).all().get();
        }
        equal(Map.of(tp, new OffsetAndMetadata(7)), admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "committed");
        admin.alterConsumerGroupOffsets(group, Map.of(tp, new OffsetAndMetadata(3))).all().get();
        equal(3L, admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp).offset(), "altered");
        admin.deleteConsumerGroupOffsets(group, Set.of(tp)).all().get();
        equal(Map.of(), admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "deleted");
    }

    private static void set(String group, String name, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        Broker.admin().incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get();
    }

    private static void configs() throws Exception {
        String topic = Broker.topic("admin-configs", 2);
        String group = Broker.unique("admin-configs");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        set(group, "consumer.session.timeout.ms", "3000");
        Broker.eventually(5000, "the group's own value", () -> { // Kafka's controller answers before its broker knows
            ConfigEntry entry = Broker.admin().describeConfigs(List.of(resource)).all().get().get(resource).get("consumer.session.timeout.ms");
            return entry.value().equals("3000") && entry.source() == ConfigEntry.ConfigSource.DYNAMIC_GROUP_CONFIG;
        });
        fails(InvalidConfigurationException.class, () -> {
            set(group, "consumer.session.timeout.ms", "1"); // below group.consumer.min.session.timeout.ms
            return null;
        });
        try (Member a = member(group, List.of(topic))) {
            Member b = member(group, List.of(topic));
            shared(all(topic, 2), a, b);
            long began = System.currentTimeMillis();
            b.crash();
            shared(all(topic, 2), a);
            long took = System.currentTimeMillis() - began;
            that(took > 2000 && took < 5500, "the shorter session ended after " + took + " ms");
        }
    }

    private static void commitFromOutside() throws Exception {
        String topic = Broker.topic("admin-outside", 1);
        String group = Broker.unique("admin-outside");
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Member a = member(group, List.of(topic))) {
            shared(all(topic, 1), a);
            try (Consumer<String, String> outside = Broker.consumer("group.id", group, "group.protocol", "consumer")) {
                outside.assign(List.of(tp));
                try {
                    outside.commitSync(Map.of(tp, new OffsetAndMetadata(1)));
                    throw new AssertionError("committed");
                } catch (org.apache.kafka.clients.consumer.CommitFailedException e) {
                    // as it has to be
                }
            }
            equal(Map.of(), Broker.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "committed");
        }
        try (Consumer<String, String> outside = Broker.consumer("group.id", group, "group.protocol", "consumer")) {
            outside.assign(List.of(tp));
            outside.commitSync(Map.of(tp, new OffsetAndMetadata(1)));
            equal(1L, outside.committed(Set.of(tp)).get(tp).offset(), "committed when the group is empty");
        }
    }
}
