package klamm.compat;

import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import kafka.server.KafkaConfig;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;

/**
 * The nodes of a test in Scala: the first broker is one; further ones of the same test are the same again, unless tests get
 * as many as they ask for.
 */
public final class Harness {
    private final List<Node> nodes = new ArrayList<>();
    private Properties controllerSettings;
    private boolean transactionVersion2;
    private Node controllerNode;
    private KafkaBroker broker;
    private ControllerServer controller;

    public void open(Properties settings, boolean version2, MetadataVersion version, Consumer<Formatter> formatter) {
        controllerSettings = settings;
        transactionVersion2 = version2;
    }

    public KafkaBroker broker(KafkaConfig config) {
        if (Node.SEVERAL) {
            return oneOfSeveral(config);
        }
        if (config.nodeId() != 0 && broker != null) {
            return broker;
        }
        Map<Object, Object> settings = settings(config.originals());
        Node node = new Node(settings, config.logDirs().size());
        nodes.add(node);
        format(node);
        broker = Stand.broker(node);
        controller = Stand.controller(node);
        return broker;
    }

    /** The controller is there with the first broker. A broker of the same number goes on where the last one has stopped. */
    private KafkaBroker oneOfSeveral(KafkaConfig config) {
        if (controllerNode == null) {
            controllerNode = Node.controller(settings(Map.of()));
            format(controllerNode);
            controllerNode.start();
            controller = Stand.controller(controllerNode);
        }
        Node node = Node.broker(settings(config.originals()), config.logDirs().size(), config.nodeId(), 1, controllerNode);
        nodes.add(node);
        return Stand.broker(node);
    }

    private Map<Object, Object> settings(Map<String, ?> own) {
        Map<Object, Object> settings = new HashMap<>(controllerSettings);
        settings.putAll(own);
        settings.putIfAbsent("unstable.feature.versions.enable", "true");
        return settings;
    }

    private void format(Node node) {
        if (transactionVersion2) {
            return;
        }
        try {
            node.format(MetadataVersion.LATEST_PRODUCTION, Map.of("transaction.version", (short) 1), formatter -> { });
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    public ControllerServer controller() {
        return controller;
    }

    public void close() {
        try {
            for (Node node : nodes) {
                node.close();
            }
            if (controllerNode != null) {
                controllerNode.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
