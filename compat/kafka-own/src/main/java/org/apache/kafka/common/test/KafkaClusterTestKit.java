package org.apache.kafka.common.test;

import kafka.server.BrokerServer;
import klamm.compat.Kit;

import java.util.HashMap;
import java.util.Map;

/** The cluster under the one of Kafka Streams' tests, with the methods that this one calls. */
public final class KafkaClusterTestKit implements AutoCloseable {
    private final Kit kit;

    private KafkaClusterTestKit(Kit kit) {
        this.kit = kit;
    }

    public static final class Builder {
        private final TestKitNodes nodes;
        private final Map<String, Object> settings = new HashMap<>();

        public Builder(TestKitNodes nodes) {
            this.nodes = nodes;
        }

        public Builder setConfigProp(String key, Object value) {
            settings.put(key, value);
            return this;
        }

        public KafkaClusterTestKit build() {
            settings.putAll(nodes.ownSettings());
            return new KafkaClusterTestKit(new Kit(settings, nodes.brokers()));
        }
    }

    public void format() { }

    public void startup() {
        kit.start();
    }

    public void waitForReadyBrokers() { }

    public String bootstrapServers() {
        return kit.bootstrap();
    }

    public Map<Integer, BrokerServer> brokers() {
        return kit.brokers();
    }

    public MockFaultHandler nonFatalFaultHandler() {
        return new MockFaultHandler();
    }

    @Override
    public void close() throws Exception {
        kit.close();
    }
}
