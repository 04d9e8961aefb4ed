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
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The cluster of one test: one node, however many brokers the test would like. */
final class Cluster implements ClusterInstance {
    private static final String LISTENER = "EXTERNAL";

    private final ClusterConfig config;
    private Node node;
    private KafkaBroker broker;
    private ControllerServer controller;

    Cluster(ClusterConfig config) {
        this.config = config;
    }

    void open() throws Exception {
        if (config.brokerSecurityProtocol() != SecurityProtocol.PLAINTEXT
            || config.controllerSecurityProtocol() != SecurityProtocol.PLAINTEXT) {
            throw new TestAbortedException("SSL or SASL");
        }
        Map<String, String> properties = new HashMap<>(config.serverProperties());
        properties.putIfAbsent("listeners", LISTENER + "://localhost:0");
        properties.putIfAbsent("inter.broker.listener.name", LISTENER);
        properties.putIfAbsent("listener.security.protocol.map", LISTENER + ":PLAINTEXT,CONTROLLER:PLAINTEXT");
        properties.putIfAbsent("unstable.feature.versions.enable", "true");
        node = new Node(properties, config.disksPerBroker());
        if (config.metadataVersion() != MetadataVersion.LATEST_PRODUCTION || !config.features().isEmpty()) {
            Map<String, Short> features = new HashMap<>();
            config.features().forEach((feature, level) -> features.put(feature.featureName(), level));
            node.format(config.metadataVersion(), features, formatter -> { });
        }
        broker = Stand.broker(node);
        controller = Stand.controller(node);
        if (config.autoStart()) {
            node.start();
        }
    }

    void close() throws IOException {
        if (node != null) {
            node.close();
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
        return new HashMap<>(Map.of(0, broker));
    }

    @Override
    public Map<Integer, ControllerServer> controllers() {
        return Map.of(0, controller);
    }

    @Override
    public Set<Integer> controllerIds() {
        return Set.of(0);
    }

    @Override
    public ListenerName clientListener() {
        return new ListenerName(node.clientListener());
    }

    @Override
    public ListenerName controllerListenerName() {
        return new ListenerName(Node.CONTROLLER);
    }

    @Override
    public String bootstrapServers() {
        return node.bootstrap();
    }

    @Override
    public String bootstrapControllers() {
        return node.bootstrapController();
    }

    @Override
    public String clusterId() {
        return broker.clusterId();
    }

    @Override
    public Optional<FaultHandlerException> firstFatalException() {
        return Optional.empty();
    }

    @Override
    public void start() {
        node.start();
    }

    @Override
    public void stop() {
        node.stop();
    }

    @Override
    public void shutdownBroker(int id) {
        only(id);
        node.stop();
    }

    @Override
    public void startBroker(int id) {
        only(id);
        node.start();
    }

    private static void only(int id) {
        if (id != 0) {
            throw new TestAbortedException("several brokers");
        }
    }
}
