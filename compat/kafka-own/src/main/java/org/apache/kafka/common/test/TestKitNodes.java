package org.apache.kafka.common.test;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.server.common.MetadataVersion;

import java.nio.file.Path;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The nodes that a test would like, the settings that are only one's, and what the metadata begins with. */
public record TestKitNodes(
    String clusterId,
    int brokers,
    SortedMap<Integer, TestKitNode> controllerNodes,
    int disks,
    ListenerName brokerListenerName,
    MetadataVersion version,
    BootstrapMetadata records,
    Map<Integer, Map<String, String>> settings
) {
    public static final String CLUSTER_ID = "klammCompatKafkaOwn0AA";
    public static final int FIRST_CONTROLLER = 3000;

    private record Controller(int id, Uuid metadataDirectoryId) implements TestKitNode { }

    /** Tests count them. */
    public SortedMap<Integer, Integer> brokerNodes() {
        SortedMap<Integer, Integer> nodes = new TreeMap<>();
        for (int id = 0; id < brokers; id++) {
            nodes.put(id, id);
        }
        return nodes;
    }

    public static final class Builder {
        private String clusterId = CLUSTER_ID;
        private int brokers = 1;
        private int controllers = 1;
        private int disks = 1;
        private ListenerName listener = new ListenerName("EXTERNAL");
        private MetadataVersion version = MetadataVersion.LATEST_PRODUCTION;
        private BootstrapMetadata records;
        private Map<Integer, Map<String, String>> settings = Map.of();

        public Builder() { }

        public Builder(BootstrapMetadata metadata) {
            setBootstrapMetadata(metadata);
        }

        public Builder setClusterId(String id) {
            clusterId = id;
            return this;
        }

        public Builder setCombined(boolean isCombined) {
            return this;
        }

        public Builder setNumControllerNodes(int number) {
            controllers = number;
            return this;
        }

        public Builder setNumBrokerNodes(int number) {
            brokers = number;
            return this;
        }

        public Builder setNumDisksPerBroker(int number) {
            disks = number;
            return this;
        }

        public Builder setBrokerListenerName(ListenerName name) {
            listener = name;
            return this;
        }

        public Builder setBootstrapMetadataVersion(MetadataVersion wanted) {
            version = wanted;
            return this;
        }

        public Builder setBootstrapMetadata(BootstrapMetadata metadata) {
            records = metadata;
            return this;
        }

        public Builder setBaseDirectory(Path directory) {
            return this;
        }

        public Builder setPerServerProperties(Map<Integer, Map<String, String>> wanted) {
            settings = wanted;
            return this;
        }

        public TestKitNodes build() {
            SortedMap<Integer, TestKitNode> nodes = new TreeMap<>();
            for (int id = FIRST_CONTROLLER; id < FIRST_CONTROLLER + controllers; id++) {
                nodes.put(id, new Controller(id, Uuid.randomUuid()));
            }
            return new TestKitNodes(clusterId, brokers, nodes, disks, listener, version, records, settings);
        }
    }
}
