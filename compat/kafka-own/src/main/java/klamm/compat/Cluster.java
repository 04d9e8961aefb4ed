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
    private Node controllerNode;
    private ControllerServer controller;

    Cluster(ClusterConfig config) {
        this.config = config;
    }

    void open() throws Exception {
        if (config.brokerSecurityProtocol() != SecurityProtocol.PLAINTEXT
            || config.controllerSecurityProtocol() != SecurityProtocol.PLAINTEXT) {
            throw new TestAbortedException("SSL or SASL");
        }
        if (Node.SEVERAL) {
            if (config.numControllers() > 1) {
                throw new TestAbortedException("several controllers");
            }
            controllerNode = Node.controller(settings(Node.CONTROLLER_ID));
            for (int id = 0; id < config.numBrokers(); id++) {
                nodes.add(Node.broker(settings(id), config.disksPerBroker(), id, config.numBrokers(), controllerNode));
            }
        } else {
            controllerNode = new Node(settings(0), config.disksPerBroker());
            nodes.add(controllerNode);
        }
        if (config.metadataVersion() != MetadataVersion.LATEST_PRODUCTION || !config.features().isEmpty()) {
            Map<String, Short> features = new HashMap<>();
            config.features().forEach((feature, level) -> features.put(feature.featureName(), level));
            controllerNode.format(config.metadataVersion(), features, formatter -> { });
        }
        nodes.forEach(node -> brokers.put(node.id, Stand.broker(node)));
        controller = Stand.controller(controllerNode);
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
        if (controllerNode != null) {
            controllerNode.close();
        }
    }

    @Override
    public Type type() {
        return config.types().contains(Type.CO_KRAFT) ? Type.CO_KRAFT : Type.KRAFT;
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
        return Map.of(controllerNode.id, controller);
    }

    @Override
    public Set<Integer> controllerIds() {
        return Set.of(controllerNode.id);
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
        return controllerNode.bootstrapController();
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
        controllerNode.start();
        nodes.parallelStream().forEach(Node::start);
    }

    @Override
    public void stop() {
        nodes.forEach(Node::stop);
        controllerNode.stop();
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
