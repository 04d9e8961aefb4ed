package org.apache.kafka.common.test.api;

import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** What a test wants of its cluster. */
public record ClusterConfig(
    Set<Type> types,
    int numBrokers,
    int numControllers,
    int disksPerBroker,
    boolean autoStart,
    SecurityProtocol brokerSecurityProtocol,
    SecurityProtocol controllerSecurityProtocol,
    MetadataVersion metadataVersion,
    Map<String, String> serverProperties,
    Map<Integer, Map<String, String>> perServerProperties,
    Map<Feature, Short> features
) {
    /** What all nodes have in common, and what is this one's. */
    public Map<String, String> propertiesOf(int node) {
        Map<String, String> properties = new HashMap<>(serverProperties);
        properties.putAll(perServerProperties.getOrDefault(node, Map.of()));
        return properties;
    }

    public static Builder defaultBuilder() {
        return new Builder();
    }

    public static final class Builder {
        private Set<Type> types = Set.of(Type.CO_KRAFT);
        private int brokers = 1;
        private int controllers = 1;
        private int disksPerBroker = 1;
        private boolean autoStart = true;
        private SecurityProtocol brokerSecurity = SecurityProtocol.PLAINTEXT;
        private SecurityProtocol controllerSecurity = SecurityProtocol.PLAINTEXT;
        private MetadataVersion metadataVersion = MetadataVersion.LATEST_PRODUCTION;
        private Map<String, String> serverProperties = Map.of();
        private final Map<Integer, Map<String, String>> ownProperties = new HashMap<>();
        private Map<Feature, Short> features = Map.of();

        public Builder setTypes(Set<Type> value) {
            types = value;
            return this;
        }

        public Builder setBrokers(int value) {
            brokers = value;
            return this;
        }

        public Builder setControllers(int value) {
            controllers = value;
            return this;
        }

        public Builder setDisksPerBroker(int value) {
            disksPerBroker = value;
            return this;
        }

        public Builder setAutoStart(boolean value) {
            autoStart = value;
            return this;
        }

        public Builder setBrokerSecurityProtocol(SecurityProtocol value) {
            brokerSecurity = value;
            return this;
        }

        public Builder setControllerSecurityProtocol(SecurityProtocol value) {
            controllerSecurity = value;
            return this;
        }

        public Builder setMetadataVersion(MetadataVersion value) {
            metadataVersion = value;
            return this;
        }

        public Builder setServerProperties(Map<String, String> value) {
            serverProperties = value;
            return this;
        }

        public Builder setPerServerProperties(Map<Integer, Map<String, String>> value) {
            ownProperties.putAll(value);
            return this;
        }

        public Builder setFeatures(Map<Feature, Short> value) {
            features = value;
            return this;
        }

        public ClusterConfig build() {
            return new ClusterConfig(types, brokers, controllers, disksPerBroker, autoStart, brokerSecurity,
                controllerSecurity, metadataVersion, serverProperties, ownProperties, features);
        }
    }
}
