package klamm.compat;

import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.test.TestKitNodes;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The cluster of a test that says of which nodes: one node, however many brokers it counts on, or as many as it would like. */
public final class Kit {
    private final TestKitNodes wanted;
    private final Map<String, Object> settings;
    private final List<Node> nodes = new ArrayList<>();
    private final Map<Integer, BrokerServer> brokers = new HashMap<>();
    private Controllers controllers;

    public Kit(TestKitNodes wanted, Map<String, Object> settings, Map<Integer, Uuid> voters) {
        this.wanted = wanted;
        this.settings = settings;
        if (Node.SEVERAL) {
            settings.put("unstable.feature.versions.enable", "true");
            controllers = new Controllers(settings, wanted, voters);
            for (int id = 0; id < wanted.brokers(); id++) {
                nodes.add(Node.broker(of(id), wanted.disks(), id, wanted.brokers(), controllers));
                brokers.put(id, Stand.broker(nodes.get(id)));
            }
        } else {
            nodes.add(new Node(of(0), 1));
            BrokerServer broker = Stand.broker(nodes.get(0));
            for (int id = 0; id < wanted.brokers(); id++) {
                brokers.put(id, broker);
            }
        }
    }

    private Map<String, Object> of(int id) {
        Map<String, Object> all = new HashMap<>(settings);
        all.remove("controller.quorum.auto.join.enable");
        if (Node.SEVERAL) {
            String listener = wanted.brokerListenerName().value();
            all.putIfAbsent("listeners", listener + "://localhost:0");
            all.putIfAbsent("inter.broker.listener.name", listener);
            all.putIfAbsent("listener.security.protocol.map", listener + ":PLAINTEXT,CONTROLLER:PLAINTEXT");
        }
        all.putAll(wanted.settings().getOrDefault(id, Map.of()));
        return all;
    }

    public void format() throws Exception {
        if (controllers != null) {
            controllers.format(wanted.version(), Map.of(), wanted.records());
        }
    }

    public void start() {
        if (controllers != null) {
            controllers.start();
        }
        nodes.parallelStream().forEach(Node::start);
    }

    public String bootstrap() {
        return nodes.stream().map(Node::bootstrap).collect(Collectors.joining(","));
    }

    public String bootstrapControllers() {
        return nodes.get(0).bootstrapController();
    }

    public Map<Integer, BrokerServer> brokers() {
        return brokers;
    }

    public Map<Integer, ControllerServer> controllers() {
        return controllers.servers();
    }

    public Map<Integer, KafkaRaftManager<?>> raftManagers() {
        Map<Integer, KafkaRaftManager<?>> managers = new HashMap<>();
        nodes.forEach(node -> managers.put(node.id, Stand.raft(node)));
        controllers().forEach((id, controller) -> managers.put(id, controller.raftManager()));
        return managers;
    }

    public void close() throws IOException {
        for (Node node : nodes) {
            node.close();
        }
        if (controllers != null) {
            controllers.close();
        }
    }
}
