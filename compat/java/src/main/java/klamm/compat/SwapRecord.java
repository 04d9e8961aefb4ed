package klamm.compat;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** Appends a record of any type and version to a metadata log, as a later Kafka might. Arguments: directory, type, version, the message as hexadecimal. */
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
        // Frame version, type and version of the record, all of one byte, and the message; without one, no tagged fields.
        byte[] message = HexFormat.of().parseHex(args.length > 3 ? args[3] : "00");
        byte[] value = ByteBuffer.allocate(3 + message.length).put((byte) 1).put(Byte.parseByte(args[1])).put(Byte.parseByte(args[2])).put(message).array();
        MemoryRecords records = MemoryRecords.withRecords(last.nextOffset(), Compression.NONE, last.partitionLeaderEpoch(),
            new SimpleRecord(System.currentTimeMillis(), null, value));
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(log, bytes, StandardOpenOption.APPEND);
    }
}
