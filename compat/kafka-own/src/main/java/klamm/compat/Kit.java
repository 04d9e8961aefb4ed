package klamm.compat;

import kafka.server.BrokerServer;

import java.io.IOException;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The cluster of a test class of Kafka Streams: one node, however many brokers the class counts on. */
public final class Kit {
    private final Node node;
    private final Map<Integer, BrokerServer> brokers;

    public Kit(Map<String, Object> settings, int wanted) {
        node = new Node(settings, 1);
        BrokerServer broker = Stand.broker(node);
        brokers = IntStream.range(0, wanted).boxed().collect(Collectors.toMap(Function.identity(), id -> broker));
    }

    public void start() {
        node.start();
    }

    public String bootstrap() {
        return node.bootstrap();
    }

    public Map<Integer, BrokerServer> brokers() {
        return brokers;
    }

    public void close() throws IOException {
        node.close();
    }
}
