package klamm.compat;

import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import kafka.server.KafkaConfig;
import org.apache.kafka.server.common.MetadataVersion;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/**
 * The nodes of a test in Scala: the first broker is one; further ones of the same test are the same again, unless tests get
 * as many as they ask for.
 */
public final class Harness {
    private final List<Node> nodes = new ArrayList<>();
    private Properties controllerSettings;
    private boolean transactionVersion2;
    private Controllers controllers;
    private KafkaBroker broker;
    private ControllerServer controller;

    public void open(Properties settings, boolean version2) {
        controllerSettings = settings;
        transactionVersion2 = version2;
        if (Node.SEVERAL) {
            controllers = new Controllers(settings(Map.of()), 1);
            try {
                controllers.format(MetadataVersion.LATEST_PRODUCTION, features(), null);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            controllers.start();
            controller = controllers.servers().get(controllers.servers().firstKey());
        }
    }

    public KafkaBroker broker(KafkaConfig config) {
        Map<Object, Object> settings = settings(config.originals());
        if (Node.SEVERAL) {
            Node node = Node.broker(settings, config.logDirs().size(), config.nodeId(), 1, controllers);
            nodes.add(node);
            return Stand.broker(node);
        }
        if (config.nodeId() != 0 && broker != null) {
            return broker;
        }
        Node node = new Node(settings, config.logDirs().size());
        nodes.add(node);
        format(node);
        broker = Stand.broker(node);
        controller = Stand.controller(node);
        return broker;
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
            node.format(MetadataVersion.LATEST_PRODUCTION, features(), formatter -> { });
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private Map<String, Short> features() {
        return transactionVersion2 ? Map.of() : Map.of("transaction.version", (short) 1);
    }

    public ControllerServer controller() {
        return controller;
    }

    public void stopController() {
        controllers.stop();
    }

    public void close() {
        try {
            for (Node node : nodes) {
                node.close();
            }
            if (controllers != null) {
                controllers.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
