package klamm.compat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.admin.StreamsGroupMemberDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyQueryMetadata;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.HostInfo;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Word count with the protocol of the first argument and state in the directory of the second: two instances come, go
 * and come back, while every count that goes out is looked at. The application is left stopped, for the tools.
 */
public final class StreamsChecks {
    private static final int PARTITIONS = 4;
    private static final int WAIT_S = 60;

    private final String protocol;
    private final Path state;
    private final String application;
    private final String lines;
    private final String words;
    private final String lengths;
    private final Topology topology;
    private final Properties clients = new Properties();
    private final Map<String, Long> expectedWords = new TreeMap<>();
    private final Map<String, Long> expectedLengths = new TreeMap<>();
    private int lineNumber;
    private boolean failed;

    private StreamsChecks(String protocol, Path state) {
        this.protocol = protocol;
        this.state = state;
        application = "wordcount-" + protocol;
        lines = "lines-" + protocol;
        words = "words-" + protocol;
        lengths = "lengths-" + protocol;
        topology = WordCount.topology(lines, words, lengths);
        clients.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
    }

    public static void main(String[] args) {
        StreamsChecks checks = new StreamsChecks(args[0], Path.of(args[1]));
        try {
            checks.run();
        } catch (Throwable e) {
            e.printStackTrace();
            System.out.println("FAIL " + args[0] + ": " + e);
            checks.failed = true;
        }
        Runtime.getRuntime().halt(checks.failed ? 1 : 0);
    }

    private interface Body {
        void run() throws Exception;
    }

    /** Throws when the check failed: those after it rest on it. */
    private void check(String name, Body body) throws Exception {
        long began = System.currentTimeMillis();
        try {
            body.run();
            System.out.println("ok " + protocol + ": " + name + " (" + (System.currentTimeMillis() - began) + " ms)");
        } catch (Throwable e) {
            throw new Exception(name + ": " + e, e);
        }
    }

    private void run() throws Exception {
        prepare();
        KafkaStreams[] first = new KafkaStreams[1];
        KafkaStreams[] second = new KafkaStreams[1];
        check("one instance counts", () -> {
            produce(200);
            first[0] = start(1);
            counted();
        });
        check("internal topics are as the topology needs them", this::internalTopics);
        check("a second instance shares the tasks and keeps standby copies", () -> {
            second[0] = start(2);
            await("both have active and standby tasks", () -> shares(first[0]) && shares(second[0]));
            produce(200);
            counted();
        });
        check("interactive queries find the instance that has a key", () -> queries(first[0], second[0]));
        check("threads are added", () -> {
            first[0].addStreamThread();
            second[0].addStreamThread();
            await("each thread has a task", () -> allWork(first[0]) && allWork(second[0]));
            produce(100);
            counted();
        });
        if (protocol.equals("streams")) {
            check("the group is described", () -> described(4));
        }
        check("an instance goes, the other takes over from its copies", () -> {
            first[0].close(Duration.ofSeconds(30));
            produce(200);
            counted();
        });
        check("it comes back to its state", () -> {
            first[0] = start(1);
            await("both have active and standby tasks", () -> shares(first[0]) && shares(second[0]));
            produce(200);
            counted();
        });
        check("instances take turns under load", () -> {
            Thread load = new Thread(() -> {
                for (int n = 0; n < 40; n++) {
                    produce(25);
                    sleep(100);
                }
            });
            load.start();
            second[0].close(Duration.ofSeconds(30));
            second[0] = start(2);
            await("both have active tasks", () -> shares(first[0]) && shares(second[0]));
            first[0].close(Duration.ofSeconds(30));
            load.join();
            counted();
            second[0].close(Duration.ofSeconds(30));
        });
        check("all stop, and one starts again where they were", () -> {
            produce(100);
            first[0] = start(1);
            counted();
            first[0].close(Duration.ofSeconds(30));
        });
    }

    private void prepare() throws Exception {
        try (Admin admin = Admin.create(clients)) {
            List<NewTopic> topics = new ArrayList<>();
            for (String topic : List.of(lines, words, lengths)) {
                topics.add(new NewTopic(topic, PARTITIONS, (short) 1));
            }
            admin.createTopics(topics).all().get();
            if (protocol.equals("streams")) {
                ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, application);
                List<AlterConfigOp> ops = new ArrayList<>();
                ops.add(set("streams.num.standby.replicas", "1"));
                ops.add(set("streams.initial.rebalance.delay.ms", "500"));
                admin.incrementalAlterConfigs(Map.of(group, ops)).all().get();
            }
        }
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    private KafkaStreams start(int number) throws Exception {
        KafkaStreams streams = WordCount.instance(topology, application, protocol, number, state);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            System.out.println("FAIL " + protocol + ": a thread died: " + e);
            failed = true;
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler
                .StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        await("instance " + number + " runs", () -> streams.state() == KafkaStreams.State.RUNNING);
        return streams;
    }

    private static boolean shares(KafkaStreams streams) {
        boolean active = streams.metadataForLocalThreads().stream().anyMatch(t -> !t.activeTasks().isEmpty());
        boolean standby = streams.metadataForLocalThreads().stream().anyMatch(t -> !t.standbyTasks().isEmpty());
        return active && standby && streams.state() == KafkaStreams.State.RUNNING;
    }

    private static boolean allWork(KafkaStreams streams) {
        return streams.metadataForLocalThreads().size() == 2
            && streams.metadataForLocalThreads().stream().noneMatch(t -> t.activeTasks().isEmpty())
            && streams.state() == KafkaStreams.State.RUNNING;
    }

    private synchronized void produce(int count) {
        Properties config = new Properties();
        config.putAll(clients);
        config.put("acks", "all");
        try (KafkaProducer<String, String> producer =
            new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int n = 0; n < count; n++, lineNumber++) {
                String line = "the word" + lineNumber % 7 + " and w" + lineNumber % 50 + " " + lineNumber * 31 % 97;
                producer.send(new ProducerRecord<>(lines, "key" + lineNumber % 13, line));
                for (String word : line.split(" ")) {
                    expectedWords.merge(word, 1L, Long::sum);
                }
                expectedLengths.merge(String.valueOf(line.length()), 1L, Long::sum);
            }
        }
    }

    /** Each key's counts went out one by one, from 1 to what it is now, and nothing else did. */
    private void counted() throws Exception {
        counted(words, expectedWords);
        counted(lengths, expectedLengths);
    }

    private void counted(String topic, Map<String, Long> expected) throws Exception {
        long total = expected.values().stream().mapToLong(Long::longValue).sum();
        Map<String, Long> counts = new HashMap<>();
        try (KafkaConsumer<String, Long> consumer =
            new KafkaConsumer<>(clients, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (int n = 0; n < PARTITIONS; n++) {
                partitions.add(new TopicPartition(topic, n));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long seen = 0;
            long end = System.currentTimeMillis() + WAIT_S * 1000L;
            while (seen < total && System.currentTimeMillis() < end) {
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
                    long next = counts.getOrDefault(record.key(), 0L) + 1;
                    if (record.value() != next) {
                        throw new AssertionError(topic + ": " + record.key() + " is " + record.value() + " after "
                            + (next - 1) + " at " + record.partition() + "-" + record.offset());
                    }
                    counts.put(record.key(), next);
                    seen++;
                }
            }
        }
        if (!counts.equals(expected)) {
            long seen = counts.values().stream().mapToLong(Long::longValue).sum();
            throw new AssertionError(topic + ": " + seen + " counts went out, not " + total);
        }
    }

    private void internalTopics() throws Exception {
        try (Admin admin = Admin.create(clients)) {
            for (String store : List.of(WordCount.WORDS, WordCount.LENGTHS)) {
                internalTopic(admin, application + "-" + store + "-changelog", "compact");
                internalTopic(admin, application + "-" + store + "-repartition", "delete");
            }
        }
    }

    private static void internalTopic(Admin admin, String topic, String policy) throws Exception {
        int partitions = admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic).partitions().size();
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = admin.describeConfigs(Set.of(resource)).all().get().get(resource);
        String actual = config.get("cleanup.policy").value();
        if (partitions != PARTITIONS || !actual.equals(policy)) {
            throw new AssertionError(topic + " has " + partitions + " partitions and is to " + actual);
        }
    }

    /** Both instances say the same of every key, and who they say has it has its count. */
    private void queries(KafkaStreams first, KafkaStreams second) throws Exception {
        Set<Integer> owners = new HashSet<>();
        for (Map.Entry<String, Long> word : expectedWords.entrySet()) {
            await("the owner of " + word.getKey() + " has its count", () -> {
                StringSerializer serializer = new StringSerializer();
                KeyQueryMetadata one = first.queryMetadataForKey(WordCount.WORDS, word.getKey(), serializer);
                KeyQueryMetadata two = second.queryMetadataForKey(WordCount.WORDS, word.getKey(), serializer);
                if (!one.equals(two) || one.equals(KeyQueryMetadata.NOT_AVAILABLE)) {
                    throw new IllegalStateException(one + " and " + two);
                }
                HostInfo host = one.activeHost();
                owners.add(host.port());
                KafkaStreams owner = host.port() == 1 ? first : second;
                Long count = owner.store(StoreQueryParameters.fromNameAndType(
                    WordCount.WORDS, QueryableStoreTypes.<String, Long>keyValueStore())).get(word.getKey());
                if (!word.getValue().equals(count) || one.standbyHosts().size() != 1) {
                    throw new IllegalStateException(one + " counts " + count);
                }
                return true;
            });
        }
        if (!owners.equals(Set.of(1, 2))) {
            throw new AssertionError("only " + owners + " have keys");
        }
    }

    private void described(int members) throws Exception {
        try (Admin admin = Admin.create(clients)) {
            await("the group is stable", () -> description(admin).groupState() == GroupState.STABLE);
            StreamsGroupDescription group = description(admin);
            Set<String> active = new HashSet<>();
            int standby = 0;
            Set<String> processIds = new HashSet<>();
            for (StreamsGroupMemberDescription member : group.members()) {
                processIds.add(member.processId());
                for (var tasks : member.assignment().activeTasks()) {
                    tasks.partitions().forEach(p -> active.add(tasks.subtopologyId() + "_" + p));
                }
                for (var tasks : member.assignment().standbyTasks()) {
                    standby += tasks.partitions().size();
                }
                if (!member.assignment().equals(member.targetAssignment())) {
                    throw new AssertionError("a member of a stable group is not at its target");
                }
            }
            if (group.subtopologies().size() != 3 || active.size() != 3 * PARTITIONS || standby != 2 * PARTITIONS
                || processIds.size() != 2 || group.members().size() != members) {
                throw new AssertionError(group.toString());
            }
        }
    }

    private StreamsGroupDescription description(Admin admin) throws Exception {
        KafkaFuture<StreamsGroupDescription> group =
            admin.describeStreamsGroups(Collections.singleton(application)).describedGroups().get(application);
        return group.get();
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long end = System.currentTimeMillis() + WAIT_S * 1000L;
        Exception last = null;
        while (System.currentTimeMillis() < end) {
            try {
                if (condition.call()) {
                    return;
                }
            } catch (Exception e) {
                last = e;
            }
            sleep(100);
        }
        throw new AssertionError("not in " + WAIT_S + " s: " + what, last);
    }

    private static void sleep(int ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
