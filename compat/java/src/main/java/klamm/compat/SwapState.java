package klamm.compat;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** All that a broker tells of itself, as text by aspect and entry, so that two brokers can be compared. */
final class SwapState {
    /** The aspect whose numbers grow from one start to the next. */
    static final String EPOCHS = "leader epochs";
    /** The aspect whose files may grow. */
    static final String FILES = "log files";
    private static final List<Path> LOG_DIRS = Stream.of(System.getenv("LOG_DIRS").split(",")).map(Path::of).toList();
    private static final List<String> ALWAYS = List.of("topics", "features", "configs", "records, read_uncommitted", "records, read_committed", "offsets", EPOCHS,
        "producers", "log directories", "classic groups", "committed offsets", FILES);
    private static final int TIMES = 6; // look-ups by time in each partition

    private final Admin admin = Broker.admin();
    private final Map<String, Map<String, String>> aspects = new LinkedHashMap<>();
    private final Map<TopicPartition, List<Long>> times = new HashMap<>();

    private SwapState() { }

    /** Asks the broker for everything that it serves. */
    static SwapState capture() throws Exception {
        Set<ApiKeys> served = Broker.served();
        SwapState state = new SwapState();
        ALWAYS.forEach(state::aspect); // also what has no entry now is compared
        List<TopicPartition> partitions = state.topics();
        state.configs();
        List<TopicPartition> filled = partitions.stream().filter(tp -> !tp.topic().startsWith("__") && !tp.topic().startsWith(Swap.INFLIGHT)).toList();
        state.records(filled, IsolationLevel.READ_UNCOMMITTED);
        state.records(filled, IsolationLevel.READ_COMMITTED);
        state.offsets(filled);
        state.producers(filled);
        state.placement();
        state.classicGroups();
        if (served.contains(ApiKeys.CONSUMER_GROUP_DESCRIBE)) {
            state.consumerGroups();
        }
        if (served.contains(ApiKeys.STREAMS_GROUP_DESCRIBE)) {
            state.streamsGroups();
        }
        if (served.contains(ApiKeys.SHARE_GROUP_DESCRIBE)) {
            state.shareGroups();
        }
        if (served.contains(ApiKeys.DESCRIBE_TRANSACTIONS)) {
            state.transactions();
        }
        if (served.contains(ApiKeys.ALTER_CLIENT_QUOTAS)) {
            state.aspect("quotas").put("all", "" + state.admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
        }
        if (served.contains(ApiKeys.ALTER_USER_SCRAM_CREDENTIALS)) {
            state.aspect("credentials").put("all", "" + state.admin.describeUserScramCredentials().all().get());
        }
        if (served.contains(ApiKeys.DESCRIBE_ACLS)) {
            state.acls();
        }
        if (served.contains(ApiKeys.GET_TELEMETRY_SUBSCRIPTIONS)) {
            state.dynamicConfigs(List.of(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, SwapData.METRICS)), "subscriptions of metrics");
        }
        state.files();
        return state;
    }

    private Map<String, String> aspect(String name) {
        return aspects.computeIfAbsent(name, x -> new TreeMap<>());
    }

    private List<TopicPartition> topics() throws Exception {
        Map<String, TopicDescription> topics = admin.describeTopics(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get(),
            new DescribeTopicsOptions()).allTopicNames().get();
        List<TopicPartition> partitions = new ArrayList<>();
        new TreeMap<>(topics).forEach((name, topic) -> {
            aspect("topics").put(name, topic.topicId() + " internal=" + topic.isInternal() + " " + topic.partitions().stream()
                .map(p -> p.partition() + " leader " + p.leader().id() + " replicas " + p.replicas().stream().map(n -> n.id()).toList()
                    + " isr " + p.isr().stream().map(n -> n.id()).toList()).toList());
            topic.partitions().forEach(p -> partitions.add(new TopicPartition(name, p.partition())));
        });
        aspect("topics").put("(cluster)", admin.describeCluster().clusterId().get());
        aspect("features").putAll(admin.describeFeatures().featureMetadata().get().finalizedFeatures().entrySet().stream()
            .collect(TreeMap::new, (map, e) -> map.put(e.getKey(), "" + e.getValue().maxVersionLevel()), Map::putAll));
        return partitions;
    }

    /** The dynamic configs of topics, of the broker and of all brokers. */
    private void configs() throws Exception {
        List<ConfigResource> resources = new ArrayList<>();
        aspect("topics").keySet().stream().filter(name -> !name.startsWith("(")).forEach(name -> resources.add(new ConfigResource(ConfigResource.Type.TOPIC, name)));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        resources.add(new ConfigResource(ConfigResource.Type.GROUP, Swap.SHARE_GROUP));
        dynamicConfigs(resources, "configs");
    }

    private void dynamicConfigs(List<ConfigResource> resources, String aspect) throws Exception {
        admin.describeConfigs(resources).all().get().forEach((resource, config) -> {
            for (ConfigEntry entry : config.entries()) {
                if (entry.source().name().startsWith("DYNAMIC_")) {
                    aspect(aspect).put(resource.type() + " " + resource.name() + " " + entry.name(), entry.source() + " " + entry.value());
                }
            }
        });
    }

    /** Every byte of every record, as a digest, and a choice of timestamps to look up. */
    private void records(List<TopicPartition> partitions, IsolationLevel isolation) throws Exception {
        Map<TopicPartition, MessageDigest> digests = new HashMap<>();
        Map<TopicPartition, Integer> counts = new HashMap<>();
        Map<TopicPartition, List<Long>> timestamps = new HashMap<>();
        for (TopicPartition tp : partitions) {
            digests.put(tp, MessageDigest.getInstance("SHA-256"));
            timestamps.put(tp, new ArrayList<>());
        }
        try (Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", Broker.BOOTSTRAP,
                "isolation.level", isolation.toString().toLowerCase(), "enable.auto.commit", false, "auto.offset.reset", "none",
                "default.api.timeout.ms", 20_000, "max.poll.records", 10_000), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            consumer.seekToBeginning(partitions);
            long deadline = System.currentTimeMillis() + 30_000;
            while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                Suite.that(System.currentTimeMillis() < deadline, "not all records in 30 s: " + ends.entrySet().stream()
                    .filter(e -> consumer.position(e.getKey()) < e.getValue()).map(e -> consumer.position(e.getKey()) + " of " + e).toList());
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    TopicPartition tp = new TopicPartition(record.topic(), record.partition());
                    digest(digests.get(tp), record);
                    counts.merge(tp, 1, Integer::sum);
                    timestamps.get(tp).add(record.timestamp());
                }
            }
            for (TopicPartition tp : partitions) {
                aspect("records, " + isolation).put(tp.toString(), counts.getOrDefault(tp, 0) + " to " + ends.get(tp)
                    + " " + Base64.getEncoder().encodeToString(digests.get(tp).digest()));
            }
        }
        if (isolation == IsolationLevel.READ_UNCOMMITTED) {
            timestamps.forEach((tp, all) -> {
                List<Long> chosen = new ArrayList<>(List.of(0L, Long.MAX_VALUE));
                for (int i = 0; i < TIMES && !all.isEmpty(); i++) {
                    chosen.add(all.get((all.size() - 1) * i / (TIMES - 1)) + i % 2);
                }
                times.put(tp, chosen);
            });
        }
    }

    private static void digest(MessageDigest digest, ConsumerRecord<byte[], byte[]> record) {
        digest.update(ByteBuffer.allocate(32).putLong(record.offset()).putLong(record.timestamp()).putInt(record.timestampType().id)
            .putInt(record.leaderEpoch().orElse(-1)).putInt(record.serializedKeySize()).putInt(record.serializedValueSize()).array());
        digest.update(record.key() == null ? new byte[0] : record.key());
        digest.update(record.value() == null ? new byte[0] : record.value());
        for (Header header : record.headers()) {
            digest.update((header.key() + "=").getBytes(StandardCharsets.UTF_8));
            digest.update(header.value() == null ? new byte[] {1} : header.value());
        }
    }

    private void offsets(List<TopicPartition> partitions) throws Exception {
        for (IsolationLevel isolation : IsolationLevel.values()) {
            offsets("latest, " + isolation, isolation, partitions, tp -> OffsetSpec.latest());
        }
        offsets("earliest", IsolationLevel.READ_UNCOMMITTED, partitions, tp -> OffsetSpec.earliest());
        offsets("earliest local", IsolationLevel.READ_UNCOMMITTED, partitions, tp -> OffsetSpec.earliestLocal());
        offsets("of the greatest timestamp", IsolationLevel.READ_UNCOMMITTED, partitions, tp -> OffsetSpec.maxTimestamp());
        for (int i = 0; i < TIMES + 2; i++) {
            int n = i;
            List<TopicPartition> some = partitions.stream().filter(tp -> times.get(tp).size() > n).toList();
            offsets("by timestamp " + i, IsolationLevel.READ_UNCOMMITTED, some, tp -> OffsetSpec.forTimestamp(times.get(tp).get(n)));
        }
    }

    private void offsets(String what, IsolationLevel isolation, List<TopicPartition> partitions,
            java.util.function.Function<TopicPartition, OffsetSpec> spec) throws Exception {
        Map<TopicPartition, OffsetSpec> specs = new HashMap<>();
        partitions.forEach(tp -> specs.put(tp, spec.apply(tp)));
        Map<TopicPartition, ListOffsetsResultInfo> answers = admin.listOffsets(specs, new ListOffsetsOptions(isolation)).all().get();
        answers.forEach((tp, info) -> {
            boolean latest = what.startsWith("latest");
            aspect("offsets").put(tp + " " + what, info.offset() + " at " + info.timestamp() + (latest || what.startsWith("earliest") ? "" : " epoch " + info.leaderEpoch().orElse(-1)));
            if (latest) {
                aspect(EPOCHS).put(tp.toString(), "" + info.leaderEpoch().orElse(-1));
            }
        });
    }

    private void producers(List<TopicPartition> partitions) throws Exception {
        admin.describeProducers(partitions).all().get().forEach((tp, producers) -> {
            for (ProducerState producer : producers.activeProducers()) {
                aspect("producers").put(tp + " " + producer.producerId(), "" + producer);
            }
        });
    }

    /** Which log directory holds a partition. */
    private void placement() throws Exception {
        admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).forEach((path, dir) ->
            dir.replicaInfos().keySet().forEach(tp -> aspect("log directories").put(tp.toString(), path)));
    }

    private List<String> groupsOf(GroupType type) throws Exception {
        return admin.listGroups().all().get().stream().filter(group -> group.type().equals(Optional.of(type))).map(GroupListing::groupId)
            .filter(name -> !name.startsWith(Swap.INFLIGHT)).sorted().toList();
    }

    private void classicGroups() throws Exception {
        List<String> names = groupsOf(GroupType.CLASSIC);
        admin.describeClassicGroups(names).all().get().forEach((name, group) -> aspect("classic groups").put(name, "" + group));
        committed(names);
        committed(List.of(Swap.CONSUMER_GROUP));
    }

    private void committed(List<String> groups) throws Exception {
        Map<String, ListConsumerGroupOffsetsSpec> specs = new HashMap<>();
        groups.forEach(name -> specs.put(name, new ListConsumerGroupOffsetsSpec()));
        admin.listConsumerGroupOffsets(specs).all().get().forEach((group, offsets) ->
            offsets.forEach((tp, offset) -> aspect("committed offsets").put(group + " " + tp, "" + offset)));
    }

    private void consumerGroups() throws Exception {
        List<String> names = groupsOf(GroupType.CONSUMER);
        aspect("consumer groups").put("names", "" + names);
        admin.describeConsumerGroups(names).all().get().forEach((name, group) -> aspect("consumer groups").put(name, "" + group));
        committed(names);
    }

    private void streamsGroups() throws Exception {
        List<String> names = groupsOf(GroupType.STREAMS);
        aspect("streams groups").put("names", "" + names);
        admin.describeStreamsGroups(names).all().get().forEach((name, g) -> aspect("streams groups").put(name,
            g.groupState() + " epoch " + g.groupEpoch() + " topology " + g.topologyEpoch() + " " + g.subtopologies() + " " + g.members()));
    }

    private void shareGroups() throws Exception {
        List<String> names = groupsOf(GroupType.SHARE);
        aspect("share groups").put("names", "" + names);
        admin.describeShareGroups(names).all().get().forEach((name, g) -> aspect("share groups").put(name,
            g.groupState() + " epoch " + g.groupEpoch() + " assigned " + g.targetAssignmentEpoch() + " " + g.members()));
        for (String name : names) {
            admin.listShareGroupOffsets(Map.of(name, new ListShareGroupOffsetsSpec())).all().get().get(name)
                .forEach((tp, offset) -> aspect("share groups").put(name + " " + tp, offset == null ? "" : "at " + offset.startOffset()));
        }
    }

    private void transactions() throws Exception {
        aspect("transactions");
        List<String> ids = admin.listTransactions().all().get().stream().map(TransactionListing::transactionalId)
            .filter(name -> !name.startsWith(Swap.INFLIGHT)).sorted().toList();
        admin.describeTransactions(ids).all().get().forEach((id, transaction) -> aspect("transactions").put(id,
            transaction.state() + " producer " + transaction.producerId() + " epoch " + transaction.producerEpoch() + " since " + transaction.transactionStartTimeMs()
                + " " + transaction.topicPartitions().stream().map(TopicPartition::toString).sorted().toList()));
    }

    /** Nothing if the broker runs without an authorizer. */
    private void acls() throws Exception {
        try {
            List<String> all = admin.describeAcls(AclBindingFilter.ANY).values().get().stream().map(AclBinding::toString).sorted().toList();
            aspect("permissions").put("all", "" + all);
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof SecurityDisabledException)) {
                throw e;
            }
        }
    }

    /** Length and digest of every segment of every log. */
    private void files() throws Exception {
        // File: what the broker replaces at this moment may be gone when a stream of paths gets there.
        for (Path data : LOG_DIRS) {
            for (File dir : data.toFile().listFiles(f -> f.isDirectory() && !f.getName().endsWith("-delete"))) {
                String[] names = dir.list((d, name) -> name.endsWith(".log"));
                for (String name : names == null ? new String[0] : names) {
                    Path path = dir.toPath().resolve(name);
                    try {
                        long length = Files.size(path);
                        aspect(FILES).put(path.toString(), length + " " + digest(path, length));
                    } catch (NoSuchFileException | FileNotFoundException e) {
                        // Deleted meanwhile.
                    }
                }
            }
        }
    }

    static String digest(Path path, long length) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "r"); InputStream in = Channels.newInputStream(file.getChannel())) {
            byte[] buffer = new byte[1 << 16];
            for (long left = length; left > 0;) {
                int n = in.read(buffer, 0, (int) Math.min(left, buffer.length));
                if (n < 0) {
                    throw new IOException(path + " is shorter than " + length);
                }
                digest.update(buffer, 0, n);
                left -= n;
            }
        }
        return Base64.getEncoder().encodeToString(digest.digest());
    }

    /** The differences of each aspect that both know, at most a few; none is an empty list. */
    Map<String, List<String>> compare(SwapState now) throws Exception {
        Map<String, List<String>> all = new LinkedHashMap<>();
        for (String aspect : aspects.keySet()) {
            if (now.aspects.containsKey(aspect)) {
                all.put(aspect, aspect.equals(FILES) ? compareFiles() : compare(aspect, aspects.get(aspect), now.aspects.get(aspect)));
            }
        }
        return all;
    }

    private static List<String> compare(String aspect, Map<String, String> before, Map<String, String> after) {
        List<String> differences = new ArrayList<>();
        TreeSet<String> keys = new TreeSet<>(before.keySet());
        keys.addAll(after.keySet());
        for (String key : keys) {
            String was = before.get(key);
            String is = after.get(key);
            boolean same = aspect.equals(EPOCHS) && was != null && is != null
                ? Integer.parseInt(is) >= Integer.parseInt(was) && Integer.parseInt(is) <= Integer.parseInt(was) + 10
                : java.util.Objects.equals(was, is);
            if (!same) {
                differences.add(key + " was " + was + ", is " + is);
            }
        }
        return differences;
    }

    /** What was in a log is there still, byte for byte; logs may have grown, and compaction and deletion take whole files. */
    private List<String> compareFiles() throws Exception {
        List<String> differences = new ArrayList<>();
        for (Map.Entry<String, String> file : aspects.get(FILES).entrySet()) {
            Path path = Path.of(file.getKey());
            if (Files.exists(path)) {
                String[] was = file.getValue().split(" ");
                long length = Long.parseLong(was[0]);
                if (Files.size(path) < length) {
                    differences.add(file.getKey() + " was " + length + " bytes, is " + Files.size(path));
                } else if (!digest(path, length).equals(was[1])) {
                    differences.add(file.getKey() + " has other bytes");
                }
            } else if (!file.getKey().contains("/trimmed-")) {
                differences.add(file.getKey() + " is gone");
            }
        }
        return differences;
    }

    /** Takes over from an older state what the broker of this one does not serve: the next that does is held to it. */
    void inherit(SwapState older) {
        older.aspects.forEach(aspects::putIfAbsent);
    }
}
