package klamm.compat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/** Brokers and partitions of a cluster, as its brokers tell. */
final class ClusterState {
    private static final long PATIENCE_MS = 120_000;
    private static final long ANSWER_S = 15;

    private ClusterState() { }

    /** Every partition that there is. */
    static Map<TopicPartition, TopicPartitionInfo> partitions() throws Exception {
        Collection<String> names = Broker.admin().listTopics(new ListTopicsOptions().listInternal(true)).names().get(ANSWER_S, TimeUnit.SECONDS);
        Map<TopicPartition, TopicPartitionInfo> partitions = new HashMap<>();
        for (TopicDescription topic : Broker.admin().describeTopics(names).allTopicNames().get(ANSWER_S, TimeUnit.SECONDS).values()) {
            topic.partitions().forEach(p -> partitions.put(new TopicPartition(topic.name(), p.partition()), p));
        }
        return partitions;
    }

    static TopicPartitionInfo first(String topic) throws Exception {
        return partitions().get(new TopicPartition(topic, 0));
    }

    /** A replica of the first partition that follows. */
    static int follower(String topic) throws Exception {
        TopicPartitionInfo partition = first(topic);
        return partition.replicas().stream().mapToInt(Node::id).filter(id -> id != partition.leader().id()).findFirst().orElseThrow();
    }

    private static List<Node> brokers(boolean fencedToo) throws Exception {
        return List.copyOf(Broker.admin().describeCluster(new DescribeClusterOptions().includeFencedBrokers(fencedToo)).nodes()
            .get(ANSWER_S, TimeUnit.SECONDS));
    }

    /** While a node is down, what is asked may fail and is asked again. */
    static Callable<Boolean> trying(Callable<Boolean> condition) {
        return () -> {
            try {
                return condition.call();
            } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException | KafkaException e) {
                return false;
            }
        };
    }

    static void awaitBrokers(int count) throws Exception {
        Broker.eventually(PATIENCE_MS, count + " brokers are unfenced", trying(() -> brokers(false).size() == count));
    }

    static void awaitWithout(int broker) throws Exception {
        Broker.eventually(PATIENCE_MS, "broker " + broker + " is in no ISR", trying(() -> partitions().values().stream()
            .allMatch(p -> p.leader() != null && p.leader().id() != broker && p.isr().stream().noneMatch(n -> n.id() == broker))));
    }

    static void awaitInSync() throws Exception {
        Broker.eventually(PATIENCE_MS, "every replica is in sync", trying(() -> partitions().values().stream()
            .allMatch(p -> p.leader() != null && p.isr().size() == p.replicas().size())));
    }

    static long led(int broker) throws Exception {
        return partitions().values().stream().filter(p -> p.leader() != null && p.leader().id() == broker).count();
    }

    static int controller() throws Exception {
        return Broker.admin().describeMetadataQuorum().quorumInfo().get(ANSWER_S, TimeUnit.SECONDS).leaderId();
    }

    /** The first replica of each partition becomes its leader where it is not. It may have to be in sync before. */
    static void prefer() throws Exception {
        Broker.eventually(PATIENCE_MS, "first replicas lead", trying(() -> {
            Broker.admin().electLeaders(ElectionType.PREFERRED, null).partitions().get(ANSWER_S, TimeUnit.SECONDS);
            return partitions().values().stream().allMatch(p -> p.leader() != null && p.leader().id() == p.replicas().get(0).id());
        }));
    }

    /** The replicas of each partition stay, but another one comes first. */
    static void move(List<String> topics) throws Exception {
        Map<TopicPartition, Optional<NewPartitionReassignment>> turned = new HashMap<>();
        partitions().forEach((tp, info) -> {
            if (topics.contains(tp.topic())) {
                List<Integer> replicas = new ArrayList<>(info.replicas().stream().map(Node::id).toList());
                Collections.rotate(replicas, 1);
                turned.put(tp, Optional.of(new NewPartitionReassignment(replicas)));
            }
        });
        reassign(turned);
    }

    /** Each partition gets as many replicas as it has, at random. */
    static void spread(long seed) throws Exception {
        Random random = new Random(seed);
        List<Integer> brokers = new ArrayList<>(brokers(true).stream().map(Node::id).sorted().toList());
        Map<TopicPartition, Optional<NewPartitionReassignment>> spread = new HashMap<>();
        partitions().forEach((tp, info) -> {
            Collections.shuffle(brokers, random);
            spread.put(tp, Optional.of(new NewPartitionReassignment(List.copyOf(brokers.subList(0, info.replicas().size())))));
        });
        reassign(spread);
    }

    private static void reassign(Map<TopicPartition, Optional<NewPartitionReassignment>> replicas) throws Exception {
        Broker.admin().alterPartitionReassignments(replicas).all().get(ANSWER_S, TimeUnit.SECONDS);
        Broker.eventually(PATIENCE_MS, "reassignments end", trying(() ->
            Broker.admin().listPartitionReassignments().reassignments().get(ANSWER_S, TimeUnit.SECONDS).isEmpty()));
        prefer();
    }

    /** Topic, partition, replicas and high watermark of each partition. */
    static void writeEnds(String file) throws Exception {
        Map<TopicPartition, TopicPartitionInfo> partitions = partitions();
        Map<TopicPartition, OffsetSpec> latest = partitions.keySet().stream().collect(Collectors.toMap(tp -> tp, tp -> OffsetSpec.latest()));
        List<String> lines = new ArrayList<>();
        Broker.admin().listOffsets(latest).all().get(ANSWER_S, TimeUnit.SECONDS).forEach((tp, end) ->
            lines.add(tp.topic() + " " + tp.partition() + " " + partitions.get(tp).replicas().size() + " " + end.offset()));
        Files.write(Path.of(file), lines);
    }

    /** For whoever looks into a failure. */
    static void print() {
        try {
            System.out.println("   brokers " + brokers(true).stream().map(n -> n.id() + (n.isFenced() ? " fenced" : "")).sorted().toList());
            Map<String, String> lines = new TreeMap<>();
            partitions().forEach((tp, p) -> lines.put(tp.toString(), "leader " + (p.leader() == null ? "none" : p.leader().id())
                + " of " + ids(p.replicas()) + ", in sync " + ids(p.isr()) + ", elr " + (p.elr() == null ? "unknown" : ids(p.elr()))));
            lines.forEach((tp, line) -> System.out.println("   " + tp + ": " + line));
        } catch (Exception e) {
            System.out.println("   the state of the cluster is not to be had: " + e);
        }
    }

    private static List<Integer> ids(List<Node> nodes) {
        return nodes.stream().map(Node::id).toList();
    }
}
