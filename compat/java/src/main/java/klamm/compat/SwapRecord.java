package klamm.compat;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** Appends a record of any type and version to a metadata log, as a later Kafka might. Arguments: directory, type, version. */
public final class SwapRecord {
    public static void main(String[] args) throws Exception {
        Path log;
        try (Stream<Path> paths = Files.list(Path.of(args[0]))) {
            log = paths.filter(p -> p.toString().endsWith(".log")).sorted().reduce((a, b) -> b).orElseThrow();
        }
        RecordBatch last = null;
        for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(log))).batches()) {
            last = batch;
        }
        // Frame version, type and version of the record, all of one byte, and a message of nothing but tagged fields.
        byte[] value = {1, Byte.parseByte(args[1]), Byte.parseByte(args[2]), 0};
        MemoryRecords records = MemoryRecords.withRecords(last.nextOffset(), Compression.NONE, last.partitionLeaderEpoch(),
            new SimpleRecord(System.currentTimeMillis(), null, value));
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(log, bytes, StandardOpenOption.APPEND);
    }
}
