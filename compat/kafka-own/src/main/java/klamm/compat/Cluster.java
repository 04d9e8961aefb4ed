package klamm.compat;

import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.fault.FaultHandlerException;
import org.opentest4j.TestAbortedException;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The cluster of one test: one node, however many brokers the test would like, or as many as it would. */
final class Cluster implements ClusterInstance {
    private static final String LISTENER = "EXTERNAL";

    private final ClusterConfig config;
    private final List<Node> nodes = new ArrayList<>();
    private final Map<Integer, KafkaBroker> brokers = new HashMap<>();
    private Controllers controllers;
    private Map<Integer, ControllerServer> controllerServers;

    Cluster(ClusterConfig config) {
        this.config = config;
    }

    void open() throws Exception {
        if (config.brokerSecurityProtocol() != SecurityProtocol.PLAINTEXT
            || config.controllerSecurityProtocol() != SecurityProtocol.PLAINTEXT) {
            throw new TestAbortedException("SSL or SASL");
        }
        Map<String, Short> features = new HashMap<>();
        config.features().forEach((feature, level) -> features.put(feature.featureName(), level));
        if (Node.SEVERAL) {
            controllers = new Controllers(settings(Controllers.FIRST_ID), config.numControllers());
            controllers.format(config.metadataVersion(), features, null);
            controllerServers = controllers.servers();
            for (int id = 0; id < config.numBrokers(); id++) {
                nodes.add(Node.broker(settings(id), config.disksPerBroker(), id, config.numBrokers(), controllers));
            }
        } else {
            Node node = new Node(settings(0), config.disksPerBroker());
            nodes.add(node);
            if (config.metadataVersion() != MetadataVersion.LATEST_PRODUCTION || !features.isEmpty()) {
                node.format(config.metadataVersion(), features, formatter -> { });
            }
            controllerServers = Map.of(node.id, Stand.controller(node));
        }
        nodes.forEach(node -> brokers.put(node.id, Stand.broker(node)));
        if (config.autoStart()) {
            start();
        }
    }

    private Map<String, String> settings(int id) {
        Map<String, String> properties = new HashMap<>(config.propertiesOf(id));
        properties.putIfAbsent("listeners", LISTENER + "://localhost:0");
        properties.putIfAbsent("inter.broker.listener.name", LISTENER);
        properties.putIfAbsent("listener.security.protocol.map", LISTENER + ":PLAINTEXT,CONTROLLER:PLAINTEXT");
        properties.putIfAbsent("unstable.feature.versions.enable", "true");
        return properties;
    }

    void close() throws IOException {
        for (Node node : nodes) {
            node.close();
        }
        if (controllers != null) {
            controllers.close();
        }
    }

    @Override
    public Type type() {
        return !Node.SEVERAL && config.types().contains(Type.CO_KRAFT) ? Type.CO_KRAFT : Type.KRAFT;
    }

    @Override
    public ClusterConfig config() {
        return config;
    }

    @Override
    public Map<Integer, KafkaBroker> brokers() {
        return new HashMap<>(brokers);
    }

    @Override
    public Map<Integer, ControllerServer> controllers() {
        return controllerServers;
    }

    @Override
    public Set<Integer> controllerIds() {
        return controllerServers.keySet();
    }

    @Override
    public ListenerName clientListener() {
        return new ListenerName(nodes.get(0).clientListener());
    }

    @Override
    public ListenerName controllerListenerName() {
        return new ListenerName(Node.CONTROLLER);
    }

    @Override
    public String bootstrapServers() {
        return nodes.stream().map(Node::bootstrap).collect(Collectors.joining(","));
    }

    @Override
    public String bootstrapControllers() {
        return nodes.get(0).bootstrapController();
    }

    @Override
    public String clusterId() {
        return brokers.get(0).clusterId();
    }

    @Override
    public Optional<FaultHandlerException> firstFatalException() {
        return Optional.empty();
    }

    @Override
    public void start() {
        if (controllers != null) {
            controllers.start();
        }
        nodes.parallelStream().forEach(Node::start);
    }

    @Override
    public void stop() {
        nodes.forEach(Node::stop);
        if (controllers != null) {
            controllers.stop();
        }
    }

    @Override
    public void shutdownBroker(int id) {
        node(id).stop();
    }

    @Override
    public void startBroker(int id) {
        node(id).start();
    }

    private Node node(int id) {
        return nodes.stream().filter(node -> node.id == id).findFirst()
            .orElseThrow(() -> new TestAbortedException("several brokers"));
    }
}
