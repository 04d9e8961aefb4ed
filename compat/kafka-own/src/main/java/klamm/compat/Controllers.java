package klamm.compat;

import kafka.server.ControllerServer;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.server.SharedServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metrics.Metrics;
import org.apache.kafka.common.test.TestKitNodes;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Apache Kafka's controllers of one cluster, in this process: what tests look for in them is there. */
final class Controllers {
    static final int FIRST_ID = TestKitNodes.FIRST_CONTROLLER;

    final String clusterId;
    private final List<Node> nodes = new ArrayList<>();
    private final SortedMap<Integer, ControllerServer> servers = new TreeMap<>();
    private final Map<Integer, Uuid> directories = new HashMap<>();
    private final Map<Integer, Uuid> voters;

    /** All of them vote: so it says in the settings of all nodes. */
    Controllers(Map<?, ?> settings, int number) {
        this(settings, new TestKitNodes.Builder().setNumControllerNodes(number).build(), Map.of());
    }

    /** With voters, by the ids of their directories, these are in the metadata log, else in the settings. */
    Controllers(Map<?, ?> settings, TestKitNodes wanted, Map<Integer, Uuid> voters) {
        clusterId = wanted.clusterId();
        this.voters = voters;
        wanted.controllerNodes().forEach((id, controller) -> {
            nodes.add(Node.controller(settings, id));
            directories.put(id, controller.metadataDirectoryId());
        });
        nodes.forEach(node -> node.properties.putAll(quorum()));
    }

    /** Where the controllers are, as every node of the cluster has to know it. */
    Map<String, String> quorum() {
        return voters.isEmpty()
            ? Map.of("controller.quorum.voters", each(node -> node.id + "@" + address(node)))
            : Map.of("controller.quorum.bootstrap.servers", bootstrap());
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
            node.format(version, features, formatter -> voters(formatter.setClusterId(clusterId), node));
            if (!voters.isEmpty()) {
                identify(node);
            }
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
        formatter.setHasDynamicQuorum(!voters.isEmpty());
        if (voters.containsKey(node.id)) {
            formatter.setInitialControllers(DynamicVoters.parse(nodes.stream().filter(one -> voters.containsKey(one.id))
                .map(one -> one.id + "@" + address(one) + ":" + voters.get(one.id)).collect(Collectors.joining(","))));
        }
    }

    /** Its directory has the id that the test knows; one that was made anew is not yet that of a voter. */
    private void identify(Node node) throws IOException {
        Path file = Path.of(node.dataDirectories().get(0), "meta.properties");
        List<String> lines = Files.readAllLines(file);
        lines.replaceAll(line -> line.startsWith("directory.id=") ? "directory.id=" + directories.get(node.id) : line);
        Files.write(file, lines);
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
