import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.message.DeleteShareGroupStateRequestData;
import org.apache.kafka.common.message.InitializeShareGroupStateRequestData;
import org.apache.kafka.common.message.ReadShareGroupStateRequestData;
import org.apache.kafka.common.message.ReadShareGroupStateSummaryRequestData;
import org.apache.kafka.common.message.WriteShareGroupStateRequestData;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorResult;
import org.apache.kafka.coordinator.share.ShareCoordinatorConfig;
import org.apache.kafka.coordinator.share.ShareCoordinatorRecordSerde;
import org.apache.kafka.coordinator.share.ShareCoordinatorShard;
import org.apache.kafka.coordinator.share.metrics.ShareCoordinatorMetrics;
import org.apache.kafka.timeline.SnapshotRegistry;

/**
 * Sends random requests to Kafka's share coordinator and writes down what it answers and writes. A row, its fields
 * between tabs: the time, the operation with its arguments, the answer (or the code of the error), the records as
 * key:value in hex, and the offset before which no record is needed.
 */
public final class ShareState {
    private static final int OPERATIONS = 400;
    private static final Random RANDOM = new Random(16);
    private static final ShareCoordinatorRecordSerde SERDE = new ShareCoordinatorRecordSerde();
    private static long now = 1_700_000_000_000L;
    private static long offset = 0;
    private static ShareCoordinatorShard shard;

    private ShareState() {
    }

    public static void main(String[] args) {
        AbstractConfig config = new AbstractConfig(ShareCoordinatorConfig.CONFIG_DEF, Map.of(
            ShareCoordinatorConfig.SNAPSHOT_UPDATE_RECORDS_PER_SNAPSHOT_CONFIG, 5,
            ShareCoordinatorConfig.COLD_PARTITION_SNAPSHOT_INTERVAL_MS_CONFIG, 1000), false);
        LogContext log = new LogContext();
        shard = (ShareCoordinatorShard) new ShareCoordinatorShard.Builder(new ShareCoordinatorConfig(config))
            .withLogContext(log)
            .withSnapshotRegistry(new SnapshotRegistry(log))
            .withCoordinatorMetrics(new ShareCoordinatorMetrics())
            .withTopicPartition(new TopicPartition("__share_group_state", 0))
            .withTime(stub(Time.class, (method, given) -> now))
            .build();
        shard.onLoaded(stub(CoordinatorMetadataImage.class, (method, given) -> topic((Uuid) given[0])));
        for (Uuid id : List.of(new Uuid(0, 1), new Uuid(0, 2))) {
            initialize("a:" + id + ":0", "a", id, 0, 0, -1);
            initialize("b:" + id + ":1", "b", id, 1, 0, 20);
        }
        for (int i = 0; i < OPERATIONS; i++) {
            now += RANDOM.nextInt(60);
            operation();
        }
    }

    /** Topics 1 and 2 have two partitions, others do not exist. */
    private static Optional<?> topic(Uuid id) {
        boolean exists = id.getMostSignificantBits() == 0 && Set.of(1L, 2L).contains(id.getLeastSignificantBits());
        return exists ? Optional.of(stub(CoordinatorMetadataImage.TopicMetadata.class, (method, given) ->
            method.equals("partitionCount") ? (Object) 2 : "t")) : Optional.empty();
    }

    private interface Answer {
        Object to(String method, Object[] given);
    }

    private static <T> T stub(Class<T> type, Answer answer) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
            (proxy, method, given) -> answer.to(method.getName(), given)));
    }

    /** Mostly what is right, sometimes a number that is too low or too high, or negative. */
    private static int around(int right) {
        return RANDOM.nextInt(8) == 0 ? right + RANDOM.nextInt(4) - 2 : right;
    }

    private static void operation() {
        String group = RANDOM.nextBoolean() ? "a" : "b";
        Uuid topic = new Uuid(0, RANDOM.nextInt(20) == 0 ? 3 : 1 + RANDOM.nextInt(2));
        int partition = RANDOM.nextInt(20) == 0 ? 2 : RANDOM.nextInt(8) == 0 ? RANDOM.nextInt(2) : group.equals("a") ? 0 : 1;
        partition = RANDOM.nextInt(40) == 0 ? -1 : partition;
        String key = group + ":" + topic + ":" + partition;
        int era = (int) (offset / 40);
        switch (RANDOM.nextInt(20)) {
            case 0, 1 -> initialize(key, group, topic, partition, around(era), RANDOM.nextInt(3) == 0 ? -1 : offset);
            case 2, 3 -> read(key, group, topic, partition, around(era));
            case 4 -> summary(key, group, topic, partition);
            case 5 -> {
                if (RANDOM.nextInt(4) == 0) {
                    delete(key, group, topic, partition);
                }
            }
            case 6 -> {
                now += RANDOM.nextInt(800);
                row("cold", shard.snapshotColdPartitions(), "ok");
            }
            case 7 -> {
                if (RANDOM.nextInt(6) == 0) {
                    row("forget " + topic, shard.maybeCleanupShareState(Set.of(topic)), "ok");
                }
            }
            default -> write(key, group, topic, partition, around(era), around(era));
        }
    }

    private static void initialize(String key, String group, Uuid topic, int partition, int epoch, long start) {
        var result = shard.initializeState(new InitializeShareGroupStateRequestData().setGroupId(group).setTopics(List.of(
            new InitializeShareGroupStateRequestData.InitializeStateData().setTopicId(topic).setPartitions(List.of(
                new InitializeShareGroupStateRequestData.PartitionData()
                    .setPartition(partition).setStateEpoch(epoch).setStartOffset(start))))));
        int code = result.response().results().get(0).partitions().get(0).errorCode();
        row("initialize " + key + " " + epoch + " " + start, result, code == 0 ? "ok" : "error " + code);
    }

    private static void read(String key, String group, Uuid topic, int partition, int epoch) {
        var result = shard.readStateAndMaybeUpdateLeaderEpoch(new ReadShareGroupStateRequestData().setGroupId(group)
            .setTopics(List.of(new ReadShareGroupStateRequestData.ReadStateData().setTopicId(topic).setPartitions(List.of(
                new ReadShareGroupStateRequestData.PartitionData().setPartition(partition).setLeaderEpoch(epoch))))));
        var answer = result.response().results().get(0).partitions().get(0);
        String batches = answer.stateBatches().stream()
            .map(it -> batch(it.firstOffset(), it.lastOffset(), it.deliveryState(), it.deliveryCount()))
            .collect(Collectors.joining(","));
        String state = answer.stateEpoch() + " " + answer.startOffset() + " [" + batches + "]";
        row("read " + key + " " + epoch, result, answer.errorCode() == 0 ? state : "error " + answer.errorCode());
    }

    private static void write(String key, String group, Uuid topic, int partition, int leader, int epoch) {
        long start = RANDOM.nextInt(8) == 0 ? -1 : offset + RANDOM.nextInt(12) - 6;
        int count = RANDOM.nextInt(10) - 1;
        List<WriteShareGroupStateRequestData.StateBatch> batches = new ArrayList<>();
        List<String> shown = new ArrayList<>();
        for (int more = RANDOM.nextInt(5); more > 0; more--) {
            long first = Math.max(0, offset - 8) + RANDOM.nextInt(40);
            long last = first + RANDOM.nextInt(16);
            byte state = (byte) (2 * RANDOM.nextInt(3));
            short delivered = (short) RANDOM.nextInt(3);
            batches.add(new WriteShareGroupStateRequestData.StateBatch().setFirstOffset(first).setLastOffset(last)
                .setDeliveryState(state).setDeliveryCount(delivered));
            shown.add(batch(first, last, state, delivered));
        }
        var result = shard.writeState(new WriteShareGroupStateRequestData().setGroupId(group).setTopics(List.of(
            new WriteShareGroupStateRequestData.WriteStateData().setTopicId(topic).setPartitions(List.of(
                new WriteShareGroupStateRequestData.PartitionData().setPartition(partition).setStateEpoch(epoch)
                    .setLeaderEpoch(leader).setStartOffset(start).setDeliveryCompleteCount(count)
                    .setStateBatches(batches))))));
        int code = result.response().results().get(0).partitions().get(0).errorCode();
        String asked = String.join(" ", "write", key, "" + epoch, "" + leader, "" + start, "" + count,
            "[" + String.join(",", shown) + "]");
        row(asked, result, code == 0 ? "ok" : "error " + code);
    }

    private static void summary(String key, String group, Uuid topic, int partition) {
        var result = shard.readStateSummary(new ReadShareGroupStateSummaryRequestData().setGroupId(group).setTopics(List.of(
            new ReadShareGroupStateSummaryRequestData.ReadStateSummaryData().setTopicId(topic).setPartitions(List.of(
                new ReadShareGroupStateSummaryRequestData.PartitionData().setPartition(partition))))));
        var answer = result.response().results().get(0).partitions().get(0);
        String state = answer.stateEpoch() + " " + answer.leaderEpoch() + " " + answer.startOffset() + " "
            + answer.deliveryCompleteCount();
        row("summary " + key, result, answer.errorCode() == 0 ? state : "error " + answer.errorCode());
    }

    private static void delete(String key, String group, Uuid topic, int partition) {
        var result = shard.deleteState(new DeleteShareGroupStateRequestData().setGroupId(group).setTopics(List.of(
            new DeleteShareGroupStateRequestData.DeleteStateData().setTopicId(topic).setPartitions(List.of(
                new DeleteShareGroupStateRequestData.PartitionData().setPartition(partition))))));
        int code = result.response().results().get(0).partitions().get(0).errorCode();
        row("delete " + key, result, code == 0 ? "ok" : "error " + code);
    }

    private static String batch(long first, long last, byte state, short count) {
        return first + "-" + last + ":" + state + ":" + count;
    }

    /** Appends the records, in the order of their keys, and writes the row. */
    private static void row(String asked, CoordinatorResult<?, CoordinatorRecord> result, String answer) {
        HexFormat hex = HexFormat.of();
        List<CoordinatorRecord> records = new ArrayList<>(result.records());
        records.sort((a, b) -> hex.formatHex(SERDE.serializeKey(a)).compareTo(hex.formatHex(SERDE.serializeKey(b))));
        List<String> shown = new ArrayList<>();
        for (CoordinatorRecord record : records) {
            byte[] value = SERDE.serializeValue(record);
            shown.add(hex.formatHex(SERDE.serializeKey(record)) + ":" + (value == null ? "" : hex.formatHex(value)));
            shard.replay(offset++, -1, (short) -1, record);
        }
        String redundant = shard.lastRedundantOffset().response().map(Object::toString).orElse("");
        System.out.println(String.join("\t", "" + now, asked, answer, String.join(" ", shown), redundant));
    }
}
