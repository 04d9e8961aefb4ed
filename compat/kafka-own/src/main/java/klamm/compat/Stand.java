package klamm.compat;

import kafka.cluster.Partition;
import kafka.log.LogManager;
import kafka.network.SocketServer;
import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaApis;
import kafka.server.KafkaConfig;
import kafka.server.ReplicaManager;
import kafka.server.SharedServer;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.controller.ResultOrError;
import org.apache.kafka.coordinator.group.GroupCoordinator;
import org.apache.kafka.image.ClusterImage;
import org.apache.kafka.image.FeaturesImage;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.loader.MetadataLoader;
import org.apache.kafka.metadata.BrokerRegistration;
import org.apache.kafka.metadata.BrokerState;
import org.apache.kafka.metadata.KRaftMetadataCache;
import org.apache.kafka.raft.KafkaRaftClient;
import org.apache.kafka.raft.LeaderAndEpoch;
import org.apache.kafka.raft.LogOffsetMetadata;
import org.apache.kafka.raft.RaftLog;
import org.apache.kafka.server.BrokerLifecycleManager;
import org.apache.kafka.server.HostedPartition;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.storage.internals.log.LogSegment;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.mockito.Mockito;
import org.mockito.invocation.InvocationOnMock;
import org.mockito.stubbing.Answer;
import org.opentest4j.TestAbortedException;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

import java.io.File;
import java.io.FileFilter;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Kafka's Java objects as its tests know them, standing for a {@link Node}: they start and stop it and answer from its
 * metadata. A test that asks them for more than this looks into Kafka's broker, and ends there as aborted.
 */
final class Stand {
    private Stand() { }

    static BrokerServer broker(Node node) {
        KafkaConfig config = new KafkaConfig(node.properties, false);
        SocketServer sockets = sockets(node);
        MetadataLoader loader = Node.SEVERAL ? loader(node) : null;
        SharedServer shared = stand(SharedServer.class, call -> switch (call.getMethod().getName()) {
            case "loader" -> loader;
            default -> beyond(call);
        });
        KRaftMetadataCache metadata = metadata(node);
        GroupCoordinator groups = stand(GroupCoordinator.class, call -> switch (call.getMethod().getName()) {
            case "groupMetadataTopicConfigs" -> offsetsTopic();
            default -> beyond(call);
        });
        KafkaApis apis = stand(KafkaApis.class, call -> switch (call.getMethod().getName()) {
            case "metadataCache" -> metadata;
            case "brokerId" -> node.id;
            case "clusterId" -> node.admin().describeCluster().clusterId().get();
            default -> beyond(call);
        });
        LogManager logs = stand(LogManager.class, call -> switch (call.getMethod().getName()) {
            case "getLog$default$2" -> false;
            case "getLog" -> Option.apply(log(node, call.getArgument(0), call.getArgument(1)));
            case "liveLogDirs" -> CollectionConverters.asScala(node.dataDirectories().stream().map(File::new).toList()).toSeq();
            case "producerStateManagerConfig" -> new ProducerStateManagerConfig(
                Integer.parseInt(setting(node, "producer.id.expiration.ms")), false);
            default -> beyond(call);
        });
        ReplicaManager replicas = stand(ReplicaManager.class, call -> switch (call.getMethod().getName()) {
            case "localLog" -> Option.apply(log(node, call.getArgument(0), false));
            case "localLogOrException" -> log(node, call.getArgument(0), false);
            case "onlinePartition" -> Option.apply(partition(node, call.getArgument(0)));
            case "getPartition" -> {
                Partition partition = partition(node, call.getArgument(0));
                yield partition == null ? new HostedPartition.None<>() : new HostedPartition.Online<>(partition);
            }
            case "logManager" -> logs;
            case "metadataCache" -> metadata;
            case "checkpointHighWatermarks" -> run(Stand::pause);
            default -> beyond(call);
        });
        BrokerLifecycleManager lifecycle = stand(BrokerLifecycleManager.class, call -> switch (call.getMethod().getName()) {
            case "initialUnfenceFuture" -> CompletableFuture.completedFuture(null); // a node that has started is unfenced
            default -> beyond(call);
        });
        return stand(BrokerServer.class, call -> switch (call.getMethod().getName()) {
            case "config" -> config;
            case "socketServer" -> sockets;
            case "sharedServer" -> shared;
            case "lifecycleManager" -> lifecycle;
            case "metadataCache" -> metadata;
            case "groupCoordinator" -> groups;
            case "dataPlaneRequestProcessor" -> apis;
            case "logManager" -> logs;
            case "replicaManager" -> replicas;
            case "boundPort" -> node.port(((ListenerName) call.getArgument(0)).value());
            case "brokerState" -> node.isAlive() ? BrokerState.RUNNING
                : node.admin() == null ? BrokerState.NOT_RUNNING : BrokerState.SHUTTING_DOWN;
            case "isShutdown" -> !node.isAlive();
            case "clusterId" -> node.admin().describeCluster().clusterId().get();
            case "startup" -> run(node::start);
            case "shutdown" -> run(node::stop);
            case "awaitShutdown" -> null;
            default -> beyond(call);
        });
    }

    static ControllerServer controller(Node node) {
        KafkaConfig config = new KafkaConfig(node.properties, false);
        SocketServer sockets = sockets(node);
        Controller controller = stand(Controller.class, call -> switch (call.getMethod().getName()) {
            case "findAllTopicIds" -> CompletableFuture.completedFuture(topicIds(node));
            case "findTopicIds" -> CompletableFuture.completedFuture(found(topicIds(node), call.getArgument(1)));
            case "isActive" -> true;
            default -> beyond(call);
        });
        RaftLog log = stand(RaftLog.class, call -> switch (call.getMethod().getName()) {
            case "endOffset" -> new LogOffsetMetadata(0);
            default -> beyond(call);
        });
        KafkaRaftManager<?> raft = stand(KafkaRaftManager.class, call -> switch (call.getMethod().getName()) {
            case "raftLog" -> log;
            default -> beyond(call);
        });
        return stand(ControllerServer.class, call -> switch (call.getMethod().getName()) {
            case "config" -> config;
            case "socketServer" -> sockets;
            case "controller" -> controller;
            case "raftManager" -> raft;
            case "clusterId" -> node.admin().describeCluster().clusterId().get();
            default -> beyond(call);
        });
    }

    private static String setting(Node node, String name) throws Exception {
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + node.id);
        return node.admin().describeConfigs(List.of(broker)).all().get().get(broker).get(name).value();
    }

    private static SocketServer sockets(Node node) {
        return stand(SocketServer.class, call -> switch (call.getMethod().getName()) {
            case "boundPort" -> node.port(((ListenerName) call.getArgument(0)).value());
            default -> beyond(call);
        });
    }

    /** What a broker says of the quorum. */
    static KafkaRaftManager<?> raft(Node node) {
        KafkaRaftClient<?> client = stand(KafkaRaftClient.class, call -> switch (call.getMethod().getName()) {
            case "leaderAndEpoch" -> {
                QuorumInfo quorum = node.admin().describeMetadataQuorum().quorumInfo().get();
                yield new LeaderAndEpoch(OptionalInt.of(quorum.leaderId()), (int) quorum.leaderEpoch());
            }
            default -> beyond(call);
        });
        return stand(KafkaRaftManager.class, call -> switch (call.getMethod().getName()) {
            case "client" -> client;
            default -> beyond(call);
        });
    }

    /** What has been fetched is in effect as soon as the high watermark is there as well: by the next fetch. */
    private static MetadataLoader loader(Node node) {
        File log = new File(node.dataDirectories().get(0), "__cluster_metadata-0");
        return stand(MetadataLoader.class, call -> switch (call.getMethod().getName()) {
            case "lastAppliedOffset" -> {
                long end = Replica.endOffset(log);
                Thread.sleep(100);
                yield end - 1;
            }
            default -> beyond(call);
        });
    }

    private static KRaftMetadataCache metadata(Node node) {
        View view = new View(node);
        return stand(KRaftMetadataCache.class, call -> switch (call.getMethod().getName()) {
            case "numPartitions" -> view.topic(call.getArgument(0)).map(topic -> topic.partitions().size());
            case "getLeaderAndIsr" -> view.leaderAndIsr(call.getArgument(0), call.getArgument(1));
            case "contains" -> call.getArgument(0) instanceof TopicPartition one
                ? view.partition(one.topic(), one.partition()).isPresent()
                : view.topic(call.getArgument(0)).isPresent();
            case "getTopicId" -> view.topicId(call.getArgument(0));
            case "hasAliveBroker" -> view.brokers().containsKey((int) call.getArgument(0));
            case "getAliveBrokerNode" -> Optional.ofNullable(view.brokers().get((int) call.getArgument(0)));
            case "getAliveBrokerNodes" -> List.copyOf(view.brokers().values());
            case "getPartitionReplicaEndpoints" -> view.replicas(call.getArgument(0));
            case "getPartitionLeaderEndpoint" -> view.leader(call.getArgument(0), call.getArgument(1));
            case "currentImage" -> image(node, view);
            default -> beyond(call);
        });
    }

    private static MetadataImage image(Node node, View view) throws Exception {
        Map<Integer, BrokerRegistration> registrations = new HashMap<>();
        view.registrations().forEach((id, isFenced) -> registrations.put(id,
            stand(BrokerRegistration.class, call -> switch (call.getMethod().getName()) {
                case "fenced" -> isFenced;
                default -> beyond(call);
            })));
        FeaturesImage features = stand(FeaturesImage.class, call -> switch (call.getMethod().getName()) {
            case "metadataVersion" -> Optional.of(MetadataVersion.fromFeatureLevel(node.admin().describeFeatures()
                .featureMetadata().get().finalizedFeatures().get(MetadataVersion.FEATURE_NAME).maxVersionLevel()));
            default -> beyond(call);
        });
        return stand(MetadataImage.class, call -> switch (call.getMethod().getName()) {
            case "cluster" -> new ClusterImage(registrations, Map.of());
            case "features" -> features;
            default -> beyond(call);
        });
    }

    /** A log whose directory is there, or null. One look may miss a log that goes from one directory to another just now. */
    private static UnifiedLog log(Node node, TopicPartition partition, boolean isFuture) {
        Optional<File> directory = directory(node, partition, isFuture).or(() -> directory(node, partition, isFuture));
        return directory.map(found -> stand(UnifiedLog.class, call -> switch (call.getMethod().getName()) {
            case "dir" -> found;
            case "parentDir" -> found.getParent();
            case "renameDir" -> run(() -> found.renameTo(new File(found.getParent(), call.getArgument(0))));
            case "logStartOffset" -> Node.SEVERAL
                ? Replica.state(node, partition, found).logStartOffset() : offset(node, partition, OffsetSpec.earliest());
            // With one replica everything is committed at once.
            case "logEndOffset" -> Node.SEVERAL ? Replica.endOffset(found) : offset(node, partition, OffsetSpec.latest());
            case "highWatermark" -> Node.SEVERAL
                ? Replica.state(node, partition, found).highWatermark() : offset(node, partition, OffsetSpec.latest());
            case "logSegments" -> Replica.segments(found).stream().map(Stand::segment).toList();
            case "producerStateManager" -> producers(node, partition);
            default -> beyond(call);
        })).orElse(null);
    }

    private static Optional<File> directory(Node node, TopicPartition partition, boolean isFuture) {
        FileFilter isSought = file -> isFuture
            ? file.getName().startsWith(partition + ".") && file.getName().endsWith("-future")
            : file.getName().equals(partition.toString());
        return node.dataDirectories().stream().map(parent -> new File(parent).getAbsoluteFile().listFiles(isSought))
            .filter(Objects::nonNull).flatMap(Stream::of).findFirst();
    }

    private static LogSegment segment(File file) {
        return stand(LogSegment.class, call -> switch (call.getMethod().getName()) {
            case "read" -> Replica.read(file, call.getArgument(0));
            default -> beyond(call);
        });
    }

    private static Partition partition(Node node, TopicPartition partition) {
        UnifiedLog log = log(node, partition, false);
        View view = new View(node);
        return log == null ? null : stand(Partition.class, call -> switch (call.getMethod().getName()) {
            case "leaderLogIfLocal" -> view.leads(partition) ? Option.apply(log) : Option.empty();
            case "getLeaderEpoch" ->
                view.leaderAndIsr(partition.topic(), partition.partition()).orElseThrow().leaderEpoch();
            case "leaderReplicaIdOpt" ->
                Option.apply(view.leaderAndIsr(partition.topic(), partition.partition()).orElseThrow().leader());
            case "leaderIdIfLocal" -> view.leads(partition) ? Option.apply(node.id) : Option.empty();
            case "inSyncReplicaIds" -> CollectionConverters.asScala(
                Set.<Object>copyOf(view.leaderAndIsr(partition.topic(), partition.partition()).orElseThrow().isr())).toSet();
            default -> beyond(call);
        });
    }

    private static long offset(Node node, TopicPartition partition, OffsetSpec spec) throws Exception {
        return node.admin().listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private static ProducerStateManager producers(Node node, TopicPartition partition) throws Exception {
        Map<Long, ProducerStateEntry> active = new HashMap<>();
        for (ProducerState producer : node.admin().describeProducers(List.of(partition)).all().get().get(partition)
            .activeProducers()) {
            active.put(producer.producerId(), new ProducerStateEntry(producer.producerId(),
                (short) producer.producerEpoch(), producer.coordinatorEpoch().orElse(0), producer.lastTimestamp(),
                producer.currentTransactionStartOffset()));
        }
        return stand(ProducerStateManager.class, call -> switch (call.getMethod().getName()) {
            case "activeProducers" -> active;
            default -> beyond(call);
        });
    }

    private static Map<String, Uuid> topicIds(Node node) throws Exception {
        return node.admin().listTopics(new ListTopicsOptions().listInternal(true)).listings().get().stream()
            .collect(Collectors.toMap(TopicListing::name, TopicListing::topicId));
    }

    private static Map<String, ResultOrError<Uuid>> found(Map<String, Uuid> ids, Collection<String> names) {
        Map<String, ResultOrError<Uuid>> found = new HashMap<>();
        for (String name : names) {
            found.put(name, ids.containsKey(name)
                ? new ResultOrError<>(ids.get(name))
                : new ResultOrError<>(Errors.UNKNOWN_TOPIC_OR_PARTITION, name));
        }
        return found;
    }

    private static Properties offsetsTopic() {
        Properties settings = new Properties();
        settings.put("cleanup.policy", "compact");
        settings.put("compression.type", "producer");
        settings.put("segment.bytes", "104857600");
        return settings;
    }

    /** A broker writes its high watermarks down every five seconds. */
    private static void pause() {
        try {
            Thread.sleep(6000);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object run(Runnable action) {
        action.run();
        return null;
    }

    private static Object beyond(InvocationOnMock call) {
        if (call.getMethod().getName().equals("toString")) {
            return "klamm's " + call.getMethod().getDeclaringClass().getSimpleName();
        }
        throw new TestAbortedException("looks into the broker: " + call.getMethod().getDeclaringClass().getSimpleName()
            + "." + call.getMethod().getName());
    }

    private static <T> T stand(Class<T> type, Answer<Object> answer) {
        return Mockito.mock(type, Mockito.withSettings().stubOnly().defaultAnswer(answer));
    }
}
