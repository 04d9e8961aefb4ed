package org.apache.kafka.common.test;

import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import klamm.compat.Kit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.test.TestUtils;

import java.util.HashMap;
import java.util.Map;

/** The cluster under the one of Kafka Streams' tests and under tests of several controllers, with the methods that they call. */
public final class KafkaClusterTestKit implements AutoCloseable {
    private final TestKitNodes nodes;
    private final Kit kit;

    private KafkaClusterTestKit(TestKitNodes nodes, Kit kit) {
        this.nodes = nodes;
        this.kit = kit;
    }

    public static final class Builder {
        private final TestKitNodes nodes;
        private final Map<String, Object> settings = new HashMap<>();
        private Map<Integer, Uuid> voters = Map.of();

        public Builder(TestKitNodes nodes) {
            this.nodes = nodes;
        }

        public Builder setConfigProp(String key, Object value) {
            settings.put(key, value);
            return this;
        }

        /** The first controller votes alone. */
        public Builder setStandalone(boolean isStandalone) {
            TestKitNode first = nodes.controllerNodes().get(TestKitNodes.FIRST_CONTROLLER);
            return setInitialVoterSet(isStandalone ? Map.of(first.id(), first.metadataDirectoryId()) : Map.of());
        }

        public Builder setInitialVoterSet(Map<Integer, Uuid> wanted) {
            voters = wanted;
            return this;
        }

        public Builder setDeleteOnClose(boolean value) {
            return this;
        }

        public KafkaClusterTestKit build() {
            return new KafkaClusterTestKit(nodes, new Kit(nodes, settings, voters));
        }
    }

    public TestKitNodes nodes() {
        return nodes;
    }

    public void format() throws Exception {
        kit.format();
    }

    public void startup() {
        kit.start();
    }

    /** A node that has started is ready. */
    public void waitForReadyBrokers() { }

    public Controller waitForActiveController() throws InterruptedException {
        TestUtils.waitForCondition(() -> active() != null, "no controller is active");
        return active();
    }

    private Controller active() {
        return controllers().values().stream().map(ControllerServer::controller).filter(Controller::isActive).findFirst().orElse(null);
    }

    public String bootstrapServers() {
        return kit.bootstrap();
    }

    public Admin admin() {
        return admin(Map.of(), false);
    }

    public Admin admin(Map<String, Object> settings, boolean ofController) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put(ofController ? "bootstrap.controllers" : "bootstrap.servers",
            ofController ? kit.bootstrapControllers() : kit.bootstrap());
        return Admin.create(all);
    }

    public Map<Integer, BrokerServer> brokers() {
        return kit.brokers();
    }

    public Map<Integer, ControllerServer> controllers() {
        return kit.controllers();
    }

    public Map<Integer, KafkaRaftManager<?>> raftManagers() {
        return kit.raftManagers();
    }

    public MockFaultHandler nonFatalFaultHandler() {
        return new MockFaultHandler();
    }

    public MockFaultHandler fatalFaultHandler() {
        return new MockFaultHandler();
    }

    @Override
    public void close() throws Exception {
        kit.close();
    }
}
