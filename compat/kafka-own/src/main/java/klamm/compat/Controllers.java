package klamm.compat;

import kafka.server.ControllerServer;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.server.SharedServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.raft.DynamicVoters;
import org.apache.kafka.raft.QuorumConfig;
import org.apache.kafka.server.ServerSocketFactory;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.fault.FaultHandler;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Apache Kafka's controllers of one cluster, in this process: what tests look for in them is there. */
final class Controllers {
    static final int FIRST_ID = 3000;

    private final List<Node> nodes = new ArrayList<>();
    private final SortedMap<Integer, ControllerServer> servers = new TreeMap<>();
    private final boolean isStandalone;

    /** With one that is standalone the voters are in the metadata log, else in the settings of all nodes. */
    Controllers(Map<?, ?> settings, int number, boolean isStandalone) {
        this.isStandalone = isStandalone;
        for (int id = FIRST_ID; id < FIRST_ID + number; id++) {
            nodes.add(Node.controller(settings, id));
        }
        nodes.forEach(node -> node.properties.putAll(quorum()));
    }

    /** Where the controllers are, as every node of the cluster has to know it. */
    Map<String, String> quorum() {
        return isStandalone
            ? Map.of("controller.quorum.bootstrap.servers", bootstrap())
            : Map.of("controller.quorum.voters", each(node -> node.id + "@" + address(node)));
    }

    String bootstrap() {
        return each(Controllers::address);
    }

    private String each(Function<Node, String> part) {
        return nodes.stream().map(part).collect(Collectors.joining(","));
    }

    private static String address(Node node) {
        return "localhost:" + node.port(Node.CONTROLLER);
    }

    /** Formats the directories; {@code records}, if any, are what the metadata begins with. */
    void format(MetadataVersion version, Map<String, Short> features, BootstrapMetadata records) throws Exception {
        for (Node node : nodes) {
            node.format(version, features, formatter -> voters(formatter, node));
            KafkaConfig config = new KafkaConfig(node.properties, false);
            var directories = KafkaRaftServer.initializeLogDirs(config, LoggerFactory.getLogger(Controllers.class), "");
            SharedServer shared = new SharedServer(config, directories._1(), Time.SYSTEM, new Metrics(),
                CompletableFuture.completedFuture(QuorumConfig.parseVoterConnections(config.quorumConfig().voters())),
                QuorumConfig.parseBootstrapServers(config.quorumConfig().bootstrapServers()),
                (name, isFatal, action) -> faults(name), ServerSocketFactory.INSTANCE);
            servers.put(node.id, new ControllerServer(shared, KafkaRaftServer.configSchema(),
                records == null ? directories._2() : records));
        }
    }

    private void voters(Formatter formatter, Node node) {
        if (isStandalone) {
            formatter.setHasDynamicQuorum(true).setInitialControllers(
                DynamicVoters.parse(node.id + "@" + address(node) + ":" + Uuid.randomUuid()));
        }
    }

    private static FaultHandler faults(String name) {
        return (message, cause) -> new IllegalStateException(name + ": " + message, cause);
    }

    SortedMap<Integer, ControllerServer> servers() {
        return servers;
    }

    /** All at once: one of several voters has started when they have elected a leader. */
    void start() {
        CompletableFuture.allOf(servers.values().stream()
            .map(server -> CompletableFuture.runAsync(server::startup)).toArray(CompletableFuture[]::new)).join();
    }

    void stop() {
        servers.values().forEach(ControllerServer::shutdown);
    }

    void close() throws IOException {
        stop();
        for (Node node : nodes) {
            node.close();
        }
    }
}
