package org.apache.kafka.common.test;

import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.fault.FaultHandlerException;
import org.apache.kafka.test.TestUtils;
import org.opentest4j.TestAbortedException;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;

/** The cluster of a test, as Kafka's test classes know it. What they ask of it is asked of the broker by clients. */
public interface ClusterInstance {
    Type type();

    ClusterConfig config();

    Map<Integer, KafkaBroker> brokers();

    Map<Integer, ControllerServer> controllers();

    Set<Integer> controllerIds();

    ListenerName clientListener();

    ListenerName controllerListenerName();

    String bootstrapServers();

    String bootstrapControllers();

    String clusterId();

    Optional<FaultHandlerException> firstFatalException();

    void start();

    void stop();

    void shutdownBroker(int id);

    void startBroker(int id);

    default Map<Integer, KafkaBroker> aliveBrokers() {
        Map<Integer, KafkaBroker> alive = new HashMap<>(brokers());
        alive.values().removeIf(KafkaBroker::isShutdown);
        return alive;
    }

    default Set<Integer> brokerIds() {
        return new HashSet<>(brokers().keySet());
    }

    default List<Integer> brokerBoundPorts() {
        return brokers().values().stream().map(broker -> broker.boundPort(clientListener())).toList();
    }

    default List<Integer> controllerBoundPorts() {
        return controllers().values().stream()
            .map(controller -> controller.socketServer().boundPort(controllerListenerName())).toList();
    }

    default <K, V> Producer<K, V> producer() {
        return producer(Map.of());
    }

    default <K, V> Producer<K, V> producer(Map<String, Object> settings) {
        return new KafkaProducer<>(with(settings, Map.of(
            "bootstrap.servers", bootstrapServers(),
            "key.serializer", ByteArraySerializer.class.getName(),
            "value.serializer", ByteArraySerializer.class.getName())));
    }

    default <K, V> Consumer<K, V> consumer() {
        return consumer(Map.of());
    }

    default <K, V> Consumer<K, V> consumer(Map<String, Object> settings) {
        return new KafkaConsumer<>(with(settings, Map.of(
            "bootstrap.servers", bootstrapServers(),
            "auto.offset.reset", "earliest",
            "group.id", "group_" + TestUtils.randomString(5),
            "key.deserializer", ByteArrayDeserializer.class.getName(),
            "value.deserializer", ByteArrayDeserializer.class.getName())));
    }

    default <K, V> ShareConsumer<K, V> shareConsumer(Map<String, Object> settings) {
        return shareConsumer(settings, null, null);
    }

    default <K, V> ShareConsumer<K, V> shareConsumer(
        Map<String, Object> settings, Deserializer<K> key, Deserializer<V> value
    ) {
        return new KafkaShareConsumer<>(with(settings, Map.of(
            "bootstrap.servers", bootstrapServers(),
            "group.id", "group_" + TestUtils.randomString(5),
            "key.deserializer", ByteArrayDeserializer.class.getName(),
            "value.deserializer", ByteArrayDeserializer.class.getName())), key, value);
    }

    default Admin admin() {
        return admin(Map.of());
    }

    default Admin admin(Map<String, Object> settings) {
        return admin(settings, false);
    }

    default Admin admin(Map<String, Object> settings, boolean ofController) {
        Map<String, Object> all = new HashMap<>(settings);
        all.remove(ofController ? "bootstrap.servers" : "bootstrap.controllers");
        return Admin.create(with(all, ofController
            ? Map.of("bootstrap.controllers", bootstrapControllers())
            : Map.of("bootstrap.servers", bootstrapServers())));
    }

    private static Map<String, Object> with(Map<String, Object> settings, Map<String, Object> defaults) {
        Map<String, Object> all = new HashMap<>(defaults);
        all.putAll(settings);
        return all;
    }

    default Map<String, Object> setClientSaslConfig(Map<String, Object> settings) {
        return settings;
    }

    default Set<GroupProtocol> supportedGroupProtocols() {
        boolean classicOnly = config().features().getOrDefault(Feature.GROUP_VERSION, (short) 1) == 0
            || !config().serverProperties().getOrDefault("group.coordinator.rebalance.protocols", "consumer").contains("consumer");
        return classicOnly ? Set.of(GroupProtocol.CLASSIC) : Set.of(GroupProtocol.CLASSIC, GroupProtocol.CONSUMER);
    }

    default void createTopic(String topic, int partitions, short replicas) throws InterruptedException {
        createTopic(topic, partitions, replicas, Map.of());
    }

    default void createTopic(String topic, int partitions, short replicas, Map<String, String> settings)
        throws InterruptedException {
        create(new NewTopic(topic, partitions, replicas).configs(settings), partitions);
    }

    default void createTopicWithAssignment(String topic, Map<Integer, List<Integer>> assignment)
        throws InterruptedException {
        create(new NewTopic(topic, assignment), assignment.size());
    }

    private void create(NewTopic topic, int partitions) throws InterruptedException {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(topic));
            waitTopicCreation(topic.name(), partitions);
        }
    }

    default void deleteTopic(String topic) throws InterruptedException {
        try (Admin admin = admin()) {
            admin.deleteTopics(List.of(topic));
            waitTopicDeletion(topic);
        }
    }

    /** Waits until every partition of the topic has a leader, if one of its replicas is there, and every broker knows it. */
    default void waitTopicCreation(String topic, int partitions) throws InterruptedException {
        try (Admin admin = admin()) {
            TestUtils.waitForCondition(() -> {
                try {
                    TopicDescription found = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
                    return found.partitions().size() == partitions
                        && found.partitions().stream().allMatch(partition -> partition.leader() != null
                            || partition.replicas().stream().noneMatch(node -> aliveBrokers().containsKey(node.id())));
                } catch (ExecutionException e) {
                    return false;
                }
            }, 60000L, topic + " is not there after 60 s");
        }
        ensureConsistentMetadata();
    }

    /** Waits until neither metadata nor directories know the topic; one that a broker sets aside at its start may stay. */
    default void waitTopicDeletion(String topic) throws InterruptedException {
        for (KafkaBroker broker : aliveBrokers().values()) {
            TestUtils.waitForCondition(() -> broker.metadataCache().numPartitions(topic).isEmpty(), 60000L,
                topic + " is still there after 60 s");
            for (String directory : broker.config().logDirs()) {
                TestUtils.waitForCondition(
                    () -> new java.io.File(directory).list((parent, name) -> name.equals(topic + "-0")
                        || name.startsWith(topic + "-0.") && !name.endsWith("-stray")).length == 0,
                    "directories of " + topic + " are still there");
            }
        }
    }

    default void waitForReadyBrokers() { }

    /** Waits until each broker has what each controller has. */
    default void ensureConsistentMetadata() {
        Seq<KafkaBroker> brokers = CollectionConverters.asScala(List.copyOf(aliveBrokers().values())).toSeq();
        controllers().values().forEach(controller ->
            kafka.utils.TestUtils.ensureConsistentKRaftMetadata(brokers, controller, "brokers lag behind " + controller));
    }

    default void waitAcls(AclBindingFilter filter, Collection<AccessControlEntry> entries) {
        throw new TestAbortedException("ACLs");
    }

    default int getLeaderBrokerId(TopicPartition partition) throws ExecutionException, InterruptedException {
        try (Admin admin = admin()) {
            return admin.describeTopics(List.of(partition.topic())).allTopicNames().get().get(partition.topic())
                .partitions().get(partition.partition()).leader().id();
        }
    }

    default int waitUntilLeaderIsElectedOrChangedWithAdmin(Admin admin, String topic, int partition, long milliseconds)
        throws Exception {
        TestUtils.waitForCondition(() -> {
            try {
                return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic)
                    .partitions().get(partition).leader() != null;
            } catch (ExecutionException e) {
                return false;
            }
        }, milliseconds, "no leader of " + topic);
        return getLeaderBrokerId(new TopicPartition(topic, partition));
    }
}
