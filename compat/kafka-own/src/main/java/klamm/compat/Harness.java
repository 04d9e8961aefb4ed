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

/** The nodes of a test in Scala: the first broker is one; further ones of the same test are the same again. */
public final class Harness {
    private final List<Node> nodes = new ArrayList<>();
    private Properties controllerSettings;
    private boolean transactionVersion2;
    private KafkaBroker broker;
    private ControllerServer controller;

    public void open(Properties settings, boolean version2, MetadataVersion version, Consumer<Formatter> formatter) {
        controllerSettings = settings;
        transactionVersion2 = version2;
    }

    public KafkaBroker broker(KafkaConfig config) {
        if (config.nodeId() != 0 && broker != null) {
            return broker;
        }
        Map<Object, Object> settings = new HashMap<>(controllerSettings);
        settings.putAll(config.originals());
        settings.putIfAbsent("unstable.feature.versions.enable", "true");
        Node node = new Node(settings, config.logDirs().size());
        nodes.add(node);
        if (!transactionVersion2) {
            try {
                node.format(MetadataVersion.LATEST_PRODUCTION, Map.of("transaction.version", (short) 1), formatter -> { });
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
        broker = Stand.broker(node);
        controller = Stand.controller(node);
        return broker;
    }

    public ControllerServer controller() {
        return controller;
    }

    public void close() {
        try {
            for (Node node : nodes) {
                node.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
