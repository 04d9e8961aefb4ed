package klamm.compat;

import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.DescribeClusterRequestData;
import org.apache.kafka.common.message.DescribeClusterResponseData.DescribeClusterBroker;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponsePartition;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseTopic;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.DescribeClusterRequest;
import org.apache.kafka.common.requests.DescribeClusterResponse;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.metadata.LeaderAndIsr;
import org.apache.kafka.metadata.LeaderRecoveryState;
import org.apache.kafka.server.IntegrationTestUtils;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The metadata as one broker has it: it is asked itself, where an admin client may ask any. Of a stopped one this is what it
 * was asked for last, as Kafka's objects remember it.
 */
final class View {
    private final klamm.compat.Node node;
    private final Map<String, MetadataResponseTopic> topics = new ConcurrentHashMap<>();
    private volatile Map<Integer, Node> brokers = Map.of();

    View(klamm.compat.Node node) {
        this.node = node;
    }

    private <T extends AbstractResponse> T ask(AbstractRequest request) throws IOException {
        return IntegrationTestUtils.connectAndReceive(request, node.port(node.clientListener()));
    }

    Optional<MetadataResponseTopic> topic(String name) throws IOException {
        if (!node.isAlive()) {
            return Optional.ofNullable(topics.get(name));
        }
        topics.remove(name);
        MetadataResponse response = ask(new MetadataRequest.Builder(List.of(name), false).build());
        MetadataResponseTopic topic = response.data().topics().find(name);
        Errors error = Errors.forCode(topic.errorCode());
        if (error == Errors.UNKNOWN_TOPIC_OR_PARTITION) {
            return Optional.empty();
        }
        if (error != Errors.NONE) {
            throw error.exception();
        }
        topics.put(name, topic);
        return Optional.of(topic);
    }

    Optional<MetadataResponsePartition> partition(String topic, int index) throws IOException {
        return topic(topic).flatMap(found ->
            found.partitions().stream().filter(partition -> partition.partitionIndex() == index).findFirst());
    }

    Optional<LeaderAndIsr> leaderAndIsr(String topic, int index) throws IOException {
        return partition(topic, index).map(partition -> new LeaderAndIsr(partition.leaderId(), partition.leaderEpoch(),
            partition.isrNodes(), LeaderRecoveryState.RECOVERED, 0));
    }

    boolean leads(TopicPartition partition) throws IOException {
        return partition(partition.topic(), partition.partition()).filter(found -> found.leaderId() == node.id).isPresent();
    }

    Uuid topicId(String name) throws IOException {
        return topic(name).map(MetadataResponseTopic::topicId).orElse(Uuid.ZERO_UUID);
    }

    /** Brokers that are not fenced. */
    Map<Integer, Node> brokers() throws IOException {
        if (node.isAlive()) {
            MetadataResponse response = ask(new MetadataRequest.Builder(List.of(), false).build());
            brokers = response.brokers().stream().collect(Collectors.toMap(Node::id, Function.identity()));
        }
        return new HashMap<>(brokers);
    }

    Map<Integer, Node> replicas(TopicPartition partition) throws IOException {
        Map<Integer, Node> replicas = brokers();
        replicas.keySet().retainAll(partition(partition.topic(), partition.partition())
            .map(MetadataResponsePartition::replicaNodes).orElse(List.of()));
        return replicas;
    }

    Optional<Node> leader(String topic, int index) throws IOException {
        Map<Integer, Node> brokers = brokers();
        return partition(topic, index).map(partition -> brokers.get(partition.leaderId()));
    }

    /** Brokers that are registered, and whether they are fenced. */
    Map<Integer, Boolean> registrations() throws IOException {
        DescribeClusterResponse response = ask(new DescribeClusterRequest.Builder(
            new DescribeClusterRequestData().setIncludeFencedBrokers(true)).build());
        return response.data().brokers().stream()
            .collect(Collectors.toMap(DescribeClusterBroker::brokerId, DescribeClusterBroker::isFenced));
    }
}
