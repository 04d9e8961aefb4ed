package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConsumerGroupOffsetsResult;
import org.apache.kafka.clients.admin.ClassicGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DeleteConsumerGroupOffsetsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.SupportedVersionRange;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ClassicGroupState;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Records, groups and the cluster by the admin client. */
final class AdminChecks {
    /** metadata.version 4.3-IV0, which Kafka 4.3 formats with. */
    private static final short METADATA_VERSION = 30;
    private static final Admin ADMIN = Broker.admin();

    private AdminChecks() { }

    static void run(Suite suite) {
        suite.check("delete records", AdminChecks::deleteRecords);
        suite.check("list offsets", AdminChecks::listOffsets);
        suite.check("describe log dirs", AdminChecks::logDirs);
        suite.check("describe producers", AdminChecks::producers);
        suite.check("describe the cluster", AdminChecks::cluster);
        suite.check("describe the metadata quorum", AdminChecks::quorum);
        suite.check("describe features", AdminChecks::features);
        suite.check("list and describe groups", AdminChecks::groups);
        suite.check("list, alter and delete group offsets", AdminChecks::groupOffsets);
        suite.check("delete groups", AdminChecks::deleteGroups);
    }

    private static void deleteRecords() throws Exception {
        String topic = Broker.topic("truncate", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        Broker.produce(topic, 0, 100, "batch.size", 500);
        equal(40L, ADMIN.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(40))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark");
        Broker.numbered(Broker.read(topic, 0), 40, 60);
        // Going back does nothing, going beyond the end is an error.
        equal(40L, ADMIN.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(10))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark after a lower offset");
        fails(OffsetOutOfRangeException.class, () -> ADMIN.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(101))).all().get());
        try (Consumer<String, String> consumer = Broker.consumer()) {
            consumer.assign(List.of(tp));
            consumer.seek(tp, 3); // no longer there: the reset policy goes to the beginning
            Broker.numbered(Broker.poll(consumer, 60), 40, 60);
        }
        equal(100L, ADMIN.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark at the end");
        equal(0, Broker.read(topic, 0).size(), "records left");
        try (Producer<String, String> producer = Broker.producer()) {
            equal(100L, producer.send(new ProducerRecord<>(topic, 0, "100", "100")).get().offset(), "next offset");
        }
        Broker.numbered(Broker.read(topic, 0), 100, 1);
    }

    private static ListOffsetsResultInfo offset(TopicPartition tp, OffsetSpec spec) throws Exception {
        return ADMIN.listOffsets(Map.of(tp, spec)).partitionResult(tp).get();
    }

    private static void listOffsets() throws Exception {
        String topic = Broker.topic("offsets", 2);
        TopicPartition tp = new TopicPartition(topic, 0);
        TopicPartition empty = new TopicPartition(topic, 1);
        long base = System.currentTimeMillis() - 1_000_000;
        long[] times = {100, 500, 300, 500, 200};
        for (String codec : List.of("none", "snappy")) { // two batches
            try (Producer<String, String> producer = Broker.producer("compression.type", codec, "linger.ms", 50)) {
                for (long time : times) {
                    producer.send(new ProducerRecord<>(topic, 0, base + time + (codec.equals("none") ? 0 : 1000), "k", "v"));
                }
            }
        }
        equal(0L, offset(tp, OffsetSpec.earliest()).offset(), "earliest");
        equal(10L, offset(tp, OffsetSpec.latest()).offset(), "latest");
        ListOffsetsResultInfo max = offset(tp, OffsetSpec.maxTimestamp());
        equal(6L, max.offset(), "offset of the largest timestamp: the first of equals");
        equal(base + 1500, max.timestamp(), "largest timestamp");
        ListOffsetsResultInfo timed = offset(tp, OffsetSpec.forTimestamp(base + 400));
        equal(1L, timed.offset(), "offset for a timestamp");
        equal(base + 500, timed.timestamp(), "timestamp found");
        equal(-1L, offset(tp, OffsetSpec.forTimestamp(base + 1501)).offset(), "offset for a timestamp after all");
        equal(0L, offset(tp, OffsetSpec.earliestLocal()).offset(), "earliest local");
        equal(-1L, offset(empty, OffsetSpec.maxTimestamp()).offset(), "largest timestamp of nothing");
        ADMIN.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(2))).all().get();
        equal(2L, offset(tp, OffsetSpec.earliest()).offset(), "earliest after records were deleted");
        fails(UnknownTopicOrPartitionException.class, () -> {
            try (Admin impatient = Admin.create(Map.of("bootstrap.servers", Broker.BOOTSTRAP, "default.api.timeout.ms", "3000", "request.timeout.ms", "2000", "retries", "1"))) {
                return impatient.listOffsets(Map.of(new TopicPartition(Broker.unique("nowhere"), 0), OffsetSpec.latest())).all().get();
            }
        });
    }

    private static void logDirs() throws Exception {
        String topic = Broker.topic("dirs", 2);
        Broker.produce(topic, 0, 100);
        int broker = Broker.leader(topic, 0).id();
        Map<String, LogDirDescription> dirs = ADMIN.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker);
        equal(Set.of(Broker.setting(broker, "log.dirs").value()), dirs.keySet(), "log dirs");
        LogDirDescription dir = dirs.values().iterator().next();
        equal(null, dir.error(), "error");
        long size = dir.replicaInfos().get(new TopicPartition(topic, 0)).size();
        that(size > 500 && size < 20_000, "size of 100 small records: " + size);
        int other = Broker.leader(topic, 1).id();
        dir = ADMIN.describeLogDirs(List.of(other)).allDescriptions().get().get(other).values().iterator().next();
        equal(0L, dir.replicaInfos().get(new TopicPartition(topic, 1)).size(), "size of an empty partition");
        that(!dir.replicaInfos().get(new TopicPartition(topic, 1)).isFuture(), "no future replica");
        that(dir.totalBytes().getAsLong() > 0 && dir.usableBytes().getAsLong() <= dir.totalBytes().getAsLong(), "sizes of the volume");
    }

    private static void producers() throws Exception {
        String topic = Broker.topic("producers", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        equal(List.of(), ADMIN.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers(), "producers of an empty partition");
        Broker.produce(topic, 0, 5, "enable.idempotence", false);
        equal(List.of(), ADMIN.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers(), "producers without idempotence");
        long before = System.currentTimeMillis();
        try (Producer<String, String> producer = Broker.producer()) {
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
            producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        }
        var active = ADMIN.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers();
        equal(1, active.size(), "producers");
        equal(1, active.get(0).lastSequence(), "last sequence number");
        that(active.get(0).lastTimestamp() >= before, "last timestamp");
    }

    private static void cluster() throws Exception {
        DescribeClusterResult cluster = ADMIN.describeCluster();
        equal(22, cluster.clusterId().get().length(), "length of the cluster id " + cluster.clusterId().get());
        // Brokers are 1, 2, ...; any of them may be named as the controller.
        Map<Integer, String> nodes = new HashMap<>();
        for (String address : Broker.BOOTSTRAP.split(",")) {
            nodes.put(nodes.size() + 1, address);
        }
        equal(nodes, Broker.nodes(), "nodes");
        that(cluster.nodes().get().stream().noneMatch(Node::isFenced), "fenced: " + cluster.nodes().get());
        that(nodes.containsKey(cluster.controller().get().id()), "controller: " + cluster.controller().get());
    }

    private static void quorum() throws Exception {
        QuorumInfo quorum = ADMIN.describeMetadataQuorum().quorumInfo().get();
        // Of several nodes all but the voters are observers; a single one is the voter.
        Set<Integer> voters = ids(quorum.voters());
        Set<Integer> observers = new HashSet<>(Broker.nodes().keySet());
        observers.removeAll(voters);
        that(voters.contains(quorum.leaderId()), "leader " + quorum.leaderId() + " of " + voters);
        equal(observers, ids(quorum.observers()), "observers");
        that(quorum.leaderEpoch() >= 1, "leader epoch " + quorum.leaderEpoch());
        that(quorum.highWatermark() > 0, "high watermark " + quorum.highWatermark());
        long end = quorum.voters().stream().mapToLong(QuorumInfo.ReplicaState::logEndOffset).max().orElseThrow();
        that(end >= quorum.highWatermark(), "log end offset of the voters");
        Broker.topic("quorum", 1);
        that(ADMIN.describeMetadataQuorum().quorumInfo().get().highWatermark() > quorum.highWatermark(), "a new topic does not move the high watermark");
    }

    private static Set<Integer> ids(List<QuorumInfo.ReplicaState> replicas) {
        return replicas.stream().map(QuorumInfo.ReplicaState::replicaId).collect(Collectors.toSet());
    }

    private static void features() throws Exception {
        FeatureMetadata features = ADMIN.describeFeatures().featureMetadata().get();
        FinalizedVersionRange metadata = features.finalizedFeatures().get("metadata.version");
        equal(METADATA_VERSION, metadata.maxVersionLevel(), "finalized metadata.version");
        SupportedVersionRange supported = features.supportedFeatures().get("metadata.version");
        that(supported.minVersion() <= METADATA_VERSION && METADATA_VERSION <= supported.maxVersion(), "supported metadata.version " + supported);
        that(features.finalizedFeaturesEpoch().get() > 0, "epoch of the finalized features");
    }

    private static GroupListing listed(String group) throws Exception {
        return ADMIN.listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).findFirst().orElse(null);
    }

    private static void groups() throws Exception {
        String topic = Broker.topic("groups", 2);
        String group = Broker.unique("groups");
        try (Member a = new Member(group, List.of(topic), "client.id", "one", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
                Member b = new Member(group, List.of(topic), "client.id", "two", "group.instance.id", "instance", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor")) {
            Broker.eventually(20_000, "two members", () -> a.assigned.size() == 1 && b.assigned.size() == 1);
            GroupListing listing = listed(group);
            equal(GroupState.STABLE, listing.groupState().get(), "state");
            equal(GroupType.CLASSIC, listing.type().get(), "type");
            equal("consumer", listing.protocol(), "protocol type");
            Set<GroupState> wrong = Set.of(GroupState.EMPTY);
            that(ADMIN.listGroups(new ListGroupsOptions().inGroupStates(wrong)).all().get().stream().noneMatch(g -> g.groupId().equals(group)), "listed as empty");
            that(ADMIN.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))).all().get().stream().anyMatch(g -> g.groupId().equals(group)), "not listed as classic");
            ClassicGroupDescription classic = ADMIN.describeClassicGroups(List.of(group)).all().get().get(group);
            equal(ClassicGroupState.STABLE, classic.state(), "state described");
            equal("range", classic.protocolData(), "assignor");
            equal(2, classic.members().size(), "members");
            ConsumerGroupDescription description = ADMIN.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal(GroupState.STABLE, description.groupState(), "state described");
            equal("range", description.partitionAssignor(), "assignor");
            equal(Broker.coordinator(group), description.coordinator().id(), "coordinator");
            equal(false, description.isSimpleConsumerGroup(), "simple");
            for (MemberDescription member : description.members()) {
                Member own = member.clientId().equals("one") ? a : b;
                equal(own.call(c -> c.groupMetadata().memberId()), member.consumerId(), "member id");
                equal("/127.0.0.1", member.host(), "host");
                equal(own == a ? null : "instance", member.groupInstanceId().orElse(null), "instance id");
                equal(own.assigned, Set.of(member.assignment().topicPartitions().iterator().next().toString()), "assignment");
            }
        }
        // The static member stays; once removed, the group is empty.
        ADMIN.removeMembersFromConsumerGroup(group, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions()).all().get();
        Broker.eventually(10_000, "the group is empty", () -> listed(group).groupState().get() == GroupState.EMPTY);
        equal(GroupState.EMPTY, ADMIN.describeConsumerGroups(List.of(group)).all().get().get(group).groupState(), "state described when empty");
        fails(GroupIdNotFoundException.class, () -> ADMIN.describeConsumerGroups(List.of(Broker.unique("nobody"))).all().get());
        fails(GroupIdNotFoundException.class, () -> ADMIN.describeClassicGroups(List.of(Broker.unique("nobody"))).all().get());
    }

    private static void groupOffsets() throws Exception {
        String topic = Broker.topic("group-offsets", 2);
        TopicPartition a = new TopicPartition(topic, 0);
        TopicPartition b = new TopicPartition(topic, 1);
        String group = Broker.unique("group-offsets");
        // Offsets of a group that does not exist yet.
        AlterConsumerGroupOffsetsResult altered = ADMIN.alterConsumerGroupOffsets(group,
            Map.of(a, new OffsetAndMetadata(3, "by admin"), b, new OffsetAndMetadata(4)));
        altered.all().get();
        equal(Map.of(a, new OffsetAndMetadata(3, "by admin"), b, new OffsetAndMetadata(4)),
            ADMIN.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "offsets altered");
        equal(Map.of(b, new OffsetAndMetadata(4)), ADMIN.listConsumerGroupOffsets(Map.of(group, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(b))))
            .partitionsToOffsetAndMetadata(group).get(), "offsets of one partition");
        that(listed(group).isSimpleConsumerGroup(), "a group of offsets only is a simple one");
        equal(Map.of(), ADMIN.listConsumerGroupOffsets(Broker.unique("nobody")).partitionsToOffsetAndMetadata().get(), "offsets of an unknown group");
        ExecutionException error = null;
        try {
            ADMIN.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(Broker.unique("nowhere"), 0), new OffsetAndMetadata(1))).all().get();
        } catch (ExecutionException e) {
            error = e;
        }
        that(error != null && error.getCause() instanceof UnknownTopicOrPartitionException, "altering an offset of an unknown topic: " + error);
        try (Member member = new Member(group, List.of(topic))) {
            Broker.eventually(20_000, "a member", () -> member.assigned.size() == 2);
            fails(UnknownMemberIdException.class, () -> ADMIN.alterConsumerGroupOffsets(group, Map.of(a, new OffsetAndMetadata(1))).all().get());
            DeleteConsumerGroupOffsetsResult refused = ADMIN.deleteConsumerGroupOffsets(group, Set.of(a));
            fails(GroupSubscribedToTopicException.class, () -> refused.partitionResult(a).get());
        }
        ADMIN.deleteConsumerGroupOffsets(group, Set.of(a)).all().get();
        equal(Map.of(b, new OffsetAndMetadata(4)), ADMIN.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "offsets after one was deleted");
        fails(GroupIdNotFoundException.class, () -> ADMIN.deleteConsumerGroupOffsets(Broker.unique("nobody"), Set.of(a)).all().get());
    }

    private static void deleteGroups() throws Exception {
        String topic = Broker.topic("delete-group", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        String group = Broker.unique("delete-group");
        try (Member member = new Member(group, List.of(topic))) {
            Broker.eventually(20_000, "a member", () -> member.assigned.size() == 1);
            member.call(c -> {
                c.commitSync(Map.of(tp, new OffsetAndMetadata(9)));
                return null;
            });
            fails(GroupNotEmptyException.class, () -> ADMIN.deleteConsumerGroups(List.of(group)).all().get());
        }
        ADMIN.deleteConsumerGroups(List.of(group)).all().get();
        equal(null, listed(group), "the group is listed");
        equal(Map.of(), ADMIN.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(), "offsets of the deleted group");
        fails(GroupIdNotFoundException.class, () -> ADMIN.deleteConsumerGroups(List.of(group)).all().get());
    }
}
