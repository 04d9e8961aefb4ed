package klamm.compat;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.server.IntegrationTestUtils;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/** What a replica has, whether it leads or follows: clients are told by leaders only. */
final class Replica {
    private Replica() { }

    /** By the files of its directory. */
    static long endOffset(File directory) throws IOException {
        File[] segments = directory.listFiles((parent, name) -> name.endsWith(".log"));
        Arrays.sort(segments);
        File last = segments[segments.length - 1];
        long end = Long.parseLong(last.getName().replace(".log", ""));
        try (FileRecords records = FileRecords.open(last, false)) {
            for (RecordBatch batch : records.batches()) {
                end = batch.nextOffset();
            }
        }
        return end;
    }

    /** By a fetch of a consumer in a rack, which a follower serves as well. */
    static long highWatermark(Node node, TopicPartition partition) throws Exception {
        Uuid topic = node.admin().describeTopics(java.util.List.of(partition.topic())).allTopicNames().get().get(partition.topic()).topicId();
        FetchRequest request = FetchRequest.Builder.forConsumer((short) 17, 0, 0, Map.of(partition,
            new FetchRequest.PartitionData(topic, 0, 0, 1, Optional.empty()))).rackId("none").build((short) 17);
        FetchResponse response = IntegrationTestUtils.connectAndReceive(request, node.port(node.clientListener()));
        return response.data().responses().get(0).partitions().get(0).highWatermark();
    }
}
