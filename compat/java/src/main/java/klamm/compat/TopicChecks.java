package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics by the admin client: create, describe, list, grow, delete, and the errors of each. */
final class TopicChecks {
    private static final Admin ADMIN = Broker.admin();

    private TopicChecks() { }

    static void run(Suite suite) {
        suite.check("create and describe a topic", TopicChecks::create);
        suite.check("create a topic with the broker's defaults", TopicChecks::defaults);
        suite.check("create a topic with assigned replicas", TopicChecks::assigned);
        suite.check("create a topic, validating only", TopicChecks::validateOnly);
        suite.check("create several topics, some of them wrong", TopicChecks::several);
        suite.check("create topics with errors", TopicChecks::errors);
        suite.check("describe topics by id and unknown ones", TopicChecks::describe);
        suite.check("list topics", TopicChecks::list);
        suite.check("create partitions", TopicChecks::createPartitions);
        suite.check("delete topics", TopicChecks::delete);
    }

    private static CreateTopicsResult create(NewTopic topic) {
        return ADMIN.createTopics(List.of(topic));
    }

    private static TopicDescription describe(String topic) throws Exception {
        return ADMIN.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private static void create() throws Exception {
        String topic = Broker.unique("created");
        CreateTopicsResult result = create(new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "60000", "cleanup.policy", "compact,delete")));
        equal(3, result.numPartitions(topic).get(), "partitions in the answer");
        equal(1, result.replicationFactor(topic).get(), "replication factor in the answer");
        ConfigEntry retention = result.config(topic).get().get("retention.ms");
        equal("60000", retention.value(), "retention.ms in the answer");
        equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source(), "source of retention.ms in the answer");
        equal("1048588", result.config(topic).get().get("max.message.bytes").value(), "max.message.bytes in the answer");
        Broker.awaitTopic(topic, 3);
        TopicDescription description = describe(topic);
        equal(topic, description.name(), "name");
        equal(result.topicId(topic).get(), description.topicId(), "topic id");
        that(!description.topicId().equals(Uuid.ZERO_UUID), "the topic id is zero");
        that(!description.isInternal(), "internal");
        equal(3, description.partitions().size(), "partitions");
        for (int p = 0; p < 3; p++) {
            TopicPartitionInfo info = description.partitions().get(p);
            equal(p, info.partition(), "partition");
            equal(Broker.nodes().get(info.leader().id()), Broker.address(info.leader()), "address of the leader");
            equal(1, info.replicas().size(), "replicas");
            equal(List.of(info.leader()), info.isr(), "replicas in sync");
            equal(List.of(), info.elr(), "eligible leader replicas");
            equal(List.of(), info.lastKnownElr(), "last known eligible leader replicas");
        }
    }

    private static void defaults() throws Exception {
        String topic = Broker.unique("defaults");
        CreateTopicsResult result = create(new NewTopic(topic, Optional.empty(), Optional.empty()));
        equal(Broker.setting("num.partitions"), "" + result.numPartitions(topic).get(), "num.partitions");
        String factor = "" + result.replicationFactor(topic).get();
        equal(Broker.setting("default.replication.factor"), factor, "default.replication.factor");
    }

    private static void assigned() throws Exception {
        String topic = Broker.unique("assigned");
        create(new NewTopic(topic, Map.of(0, List.of(1), 1, List.of(1)))).all().get();
        Broker.awaitTopic(topic, 2);
        List<Map<Integer, List<Integer>>> wrongs = List.of(Map.of(0, List.of(99)), Map.of(0, List.of(1, 1)),
            Map.of(1, List.of(1)), Map.of(0, List.of()));
        for (Map<Integer, List<Integer>> wrong : wrongs) {
            fails(InvalidReplicaAssignmentException.class, () -> create(new NewTopic(Broker.unique("assigned"), wrong)).all().get());
        }
    }

    private static void validateOnly() throws Exception {
        CreateTopicsOptions validate = new CreateTopicsOptions().validateOnly(true);
        String topic = Broker.unique("validated");
        CreateTopicsResult result = ADMIN.createTopics(List.of(new NewTopic(topic, 2, (short) 1)), validate);
        equal(2, result.numPartitions(topic).get(), "partitions in the answer");
        fails(InvalidPartitionsException.class, () -> ADMIN.createTopics(List.of(new NewTopic(topic, 0, (short) 1)), validate).all().get());
        Thread.sleep(300);
        fails(UnknownTopicOrPartitionException.class, () -> describe(topic));
        String present = Broker.topic("validated", 1);
        fails(TopicExistsException.class, () -> ADMIN.createTopics(List.of(new NewTopic(present, 2, (short) 1)), validate).all().get());
    }

    private static void several() throws Exception {
        String good = Broker.unique("several");
        String bad = Broker.unique("several");
        CreateTopicsResult result = ADMIN.createTopics(List.of(new NewTopic(good, 1, (short) 1), new NewTopic(bad, -2, (short) 1)));
        result.values().get(good).get();
        fails(InvalidPartitionsException.class, () -> result.values().get(bad).get());
        Broker.awaitTopic(good, 1);
        fails(UnknownTopicOrPartitionException.class, () -> describe(bad));
    }

    private static void errors() throws Exception {
        String present = Broker.topic("present", 1);
        TopicExistsException exists = fails(TopicExistsException.class, () -> create(new NewTopic(present, 1, (short) 1)).all().get());
        equal("Topic '" + present + "' already exists.", exists.getMessage(), "message");
        for (String name : List.of("a b", "a/b", "größe", ".", "..", "x".repeat(250), "")) {
            fails(InvalidTopicException.class, () -> create(new NewTopic(name, 1, (short) 1)).all().get());
        }
        create(new NewTopic(Broker.unique("x".repeat(200)), 1, (short) 1)).all().get();
        // In metric names a dot becomes an underscore: two topics that would be one there are refused.
        String dotted = Broker.topic("dot.ted", 1);
        fails(InvalidTopicException.class, () -> create(new NewTopic(dotted.replace('.', '_'), 1, (short) 1)).all().get());
        int brokers = Broker.nodes().size();
        InvalidReplicationFactorException factor = fails(InvalidReplicationFactorException.class,
            () -> create(new NewTopic(Broker.unique("factor"), 1, (short) (brokers + 1))).all().get());
        that(factor.getMessage().matches("(?s).*\\b" + (brokers + 1) + "\\b.*\\b" + brokers + "\\b.*"),
            "the message names the replicas and the brokers: " + factor.getMessage());
        fails(InvalidReplicationFactorException.class, () -> create(new NewTopic(Broker.unique("factor"), 1, (short) 0)).all().get());
        fails(InvalidPartitionsException.class, () -> create(new NewTopic(Broker.unique("partitions"), 0, (short) 1)).all().get());
        for (Map<String, String> configs : List.of(Map.of("no.such.config", "1"), Map.of("retention.ms", "soon"), Map.of("cleanup.policy", "burn"),
                Map.of("max.message.bytes", "-5"), Map.of("compression.type", "rar"), Map.of("min.insync.replicas", "0"))) {
            String topic = Broker.unique("configs");
            fails(InvalidConfigurationException.class, () -> create(new NewTopic(topic, 1, (short) 1).configs(configs)).all().get());
            fails(UnknownTopicOrPartitionException.class, () -> describe(topic));
        }
    }

    private static void describe() throws Exception {
        String topic = Broker.topic("described", 2);
        Uuid id = describe(topic).topicId();
        TopicDescription byId = ADMIN.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
        equal(topic, byId.name(), "name by id");
        equal(2, byId.partitions().size(), "partitions by id");
        fails(UnknownTopicIdException.class, () -> ADMIN.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get());
        var mixed = ADMIN.describeTopics(List.of(topic, Broker.unique("nowhere"))).topicNameValues();
        for (var entry : mixed.entrySet()) {
            if (entry.getKey().equals(topic)) {
                equal(id, entry.getValue().get().topicId(), "id beside an unknown topic");
            } else {
                fails(UnknownTopicOrPartitionException.class, () -> entry.getValue().get());
            }
        }
        fails(InvalidTopicException.class, () -> describe("a b"));
    }

    private static void list() throws Exception {
        String topic = Broker.topic("listed", 1);
        // Committing an offset makes sure that the internal topic exists.
        try (var consumer = Broker.consumer("group.id", Broker.unique("listed"))) {
            consumer.assign(List.of(new org.apache.kafka.common.TopicPartition(topic, 0)));
            consumer.commitSync(Map.of(new org.apache.kafka.common.TopicPartition(topic, 0), new org.apache.kafka.clients.consumer.OffsetAndMetadata(0)));
        }
        Map<String, TopicListing> listed = ADMIN.listTopics().namesToListings().get();
        that(listed.containsKey(topic), "the topic is not listed");
        that(!listed.containsKey("__consumer_offsets"), "internal topics are listed unasked");
        equal(describe(topic).topicId(), listed.get(topic).topicId(), "topic id");
        Map<String, TopicListing> all = ADMIN.listTopics(new ListTopicsOptions().listInternal(true)).namesToListings().get();
        that(all.get("__consumer_offsets").isInternal(), "__consumer_offsets is internal");
        that(!all.get(topic).isInternal(), "an ordinary topic is not");
        TopicDescription offsets = describe("__consumer_offsets");
        String count = "" + offsets.partitions().size();
        equal(Broker.setting("offsets.topic.num.partitions"), count, "partitions of __consumer_offsets");
        that(offsets.isInternal(), "__consumer_offsets is described as internal");
    }

    private static void createPartitions() throws Exception {
        String topic = Broker.topic("grow", 2);
        Broker.produce(topic, 1, 3);
        ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(4)), new CreatePartitionsOptions().validateOnly(true)).all().get();
        equal(2, describe(topic).partitions().size(), "partitions after validating only");
        ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        Broker.awaitTopic(topic, 4);
        Broker.produce(topic, 3, 2);
        Broker.numbered(Broker.read(topic, 1), 0, 3);
        Broker.numbered(Broker.read(topic, 3), 0, 2);
        InvalidPartitionsException same = fails(InvalidPartitionsException.class,
            () -> ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get());
        equal("Topic already has 4 partition(s).", same.getMessage(), "message");
        InvalidPartitionsException fewer = fails(InvalidPartitionsException.class,
            () -> ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get());
        equal("The topic " + topic + " currently has 4 partition(s); 3 would not be an increase.", fewer.getMessage(), "message");
        fails(UnknownTopicOrPartitionException.class, () -> ADMIN.createPartitions(Map.of(Broker.unique("nowhere"), NewPartitions.increaseTo(4))).all().get());
        List<Integer> replicas = describe(topic).partitions().get(0).replicas().stream().map(Node::id).toList();
        ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(5, List.of(replicas)))).all().get();
        Broker.awaitTopic(topic, 5);
        List<Integer> strangers = replicas.stream().map(id -> 90 + id).toList();
        fails(InvalidReplicaAssignmentException.class,
            () -> ADMIN.createPartitions(Map.of(topic, NewPartitions.increaseTo(6, List.of(strangers)))).all().get());
    }

    private static void gone(String topic) throws Exception {
        Broker.eventually(10_000, topic + " is gone", () -> {
            try {
                describe(topic);
                return false;
            } catch (ExecutionException e) {
                return e.getCause() instanceof UnknownTopicOrPartitionException;
            }
        });
        // Of several brokers this may ask another one, who learns of it later.
        Broker.eventually(10_000, topic + " is not listed", () -> !ADMIN.listTopics().names().get().contains(topic));
    }

    private static void delete() throws Exception {
        String byName = Broker.topic("deleted", 2);
        String byId = Broker.topic("deleted", 1);
        Uuid id = describe(byId).topicId();
        Uuid before = describe(byName).topicId();
        Broker.produce(byName, 0, 5);
        ADMIN.deleteTopics(List.of(byName)).all().get();
        gone(byName);
        ADMIN.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        gone(byId);
        fails(UnknownTopicOrPartitionException.class, () -> ADMIN.deleteTopics(List.of(byName)).all().get());
        fails(UnknownTopicIdException.class, () -> ADMIN.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
        create(new NewTopic(byName, 1, (short) 1)).all().get();
        Broker.awaitTopic(byName, 1);
        that(!before.equals(describe(byName).topicId()), "the topic created again has the old id");
        equal(0L, Broker.end(byName, 0), "end of the topic created again");
        equal(Set.of(byName), ADMIN.describeTopics(List.of(byName)).allTopicNames().get().keySet(), "topics described");
    }
}
