package klamm.compat;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.message.FetchResponseData.PartitionData;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.server.IntegrationTestUtils;
import org.apache.kafka.storage.internals.log.FetchDataInfo;
import org.apache.kafka.storage.internals.log.LogOffsetMetadata;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a replica has, whether it leads or follows: clients are told by leaders only. */
final class Replica {
    private Replica() { }

    static List<File> segments(File directory) {
        File[] segments = directory.listFiles((parent, name) -> name.endsWith(".log"));
        Arrays.sort(segments);
        return List.of(segments);
    }

    /** By the files of its directory. */
    static long endOffset(File directory) throws IOException {
        List<File> segments = segments(directory);
        File last = segments.get(segments.size() - 1);
        long end = Long.parseLong(last.getName().replace(".log", ""));
        FileRecords records = FileRecords.open(last, false);
        try {
            for (RecordBatch batch : records.batches()) {
                end = batch.nextOffset();
            }
        } finally {
            records.closeHandlers(); // close() would cut off what has been written since
        }
        return end;
    }

    /** The batches of a segment from an offset on, or null where there are none. */
    static FetchDataInfo read(File segment, long offset) throws IOException {
        FileRecords records = FileRecords.open(segment, false);
        FileRecords.LogOffsetPosition start = records.searchForOffsetFromPosition(offset, 0);
        return start == null ? null : new FetchDataInfo(new LogOffsetMetadata(offset),
            records.slice(start.position, Integer.MAX_VALUE - start.position));
    }

    /** By a fetch of a consumer in a rack, which a follower serves as well; at the end, which is never out of range. */
    static PartitionData state(Node node, TopicPartition partition, File directory) throws IOException {
        FetchRequest request = FetchRequest.Builder.forConsumer((short) 17, 0, 0, Map.of(partition,
            new FetchRequest.PartitionData(
                new View(node).topicId(partition.topic()), endOffset(directory), 0, 1, Optional.empty())))
            .rackId("none").build((short) 17);
        FetchResponse response = IntegrationTestUtils.connectAndReceive(request, node.port(node.clientListener()));
        return response.data().responses().get(0).partitions().get(0);
    }
}
