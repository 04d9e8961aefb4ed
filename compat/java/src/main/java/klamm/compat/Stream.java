package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads what kafka-producer-perf-test wrote to a topic and checks that every record arrived once, unchanged, and in
 * the order of sending within its partition. Arguments: topic, partitions, records, record size.
 *
 * <p>The tool draws its payloads from {@code SplittableRandom(0)}: the same draw here says what was sent, and when.
 */
public final class Stream {
    private static final int KEY_LETTERS = 13; // 26^13 fits a long, and no two of some million records share them

    private final int records;
    private final int size;
    private final Map<Long, Integer> numberByKey;
    private final int[] checksums;
    private final CRC32C crc = new CRC32C();

    private Stream(int records, int size) {
        this.records = records;
        this.size = size;
        this.numberByKey = new HashMap<>(records * 2);
        this.checksums = new int[records];
        SplittableRandom random = new SplittableRandom(0);
        byte[] payload = new byte[size];
        for (int i = 0; i < records; i++) {
            for (int j = 0; j < size; j++) {
                payload[j] = (byte) (random.nextInt(26) + 65);
            }
            that(numberByKey.put(key(payload), i) == null, "two payloads begin alike");
            checksums[i] = checksum(payload);
        }
    }

    private static long key(byte[] payload) {
        long key = 0;
        for (int j = 0; j < KEY_LETTERS; j++) {
            key = key * 26 + (payload[j] - 65);
        }
        return key;
    }

    private int checksum(byte[] payload) {
        crc.reset();
        crc.update(payload, 0, payload.length);
        return (int) crc.getValue();
    }

    private void check(String topic, int partitions) {
        List<TopicPartition> assigned = new ArrayList<>();
        for (int p = 0; p < partitions; p++) {
            assigned.add(new TopicPartition(topic, p));
        }
        int[] last = new int[partitions];
        long[] next = new long[partitions];
        Arrays.fill(last, -1);
        BitSet seen = new BitSet(records);
        Map<String, Object> configs = Map.of(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, Broker.BOOTSTRAP,
            ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5000);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(configs, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            long sum = consumer.endOffsets(assigned).values().stream().mapToLong(Long::longValue).sum();
            equal((long) records, sum, "records in the log");
            long began = System.nanoTime();
            long heard = began;
            while (seen.cardinality() < records) {
                var polled = consumer.poll(Duration.ofMillis(500));
                long now = System.nanoTime();
                heard = polled.isEmpty() ? heard : now;
                that(now - heard < 30_000_000_000L, "nothing for 30 s after " + seen.cardinality() + " records");
                for (ConsumerRecord<byte[], byte[]> record : polled) {
                    int p = record.partition();
                    equal(next[p]++, record.offset(), "offset in partition " + p);
                    equal(size, record.value().length, "size at " + record.offset());
                    Integer number = numberByKey.get(key(record.value()));
                    that(number != null && checksum(record.value()) == checksums[number], "the record at " + record.offset() + " of partition " + p + " is not one that was sent");
                    that(number > last[p], "record " + number + " comes after " + last[p] + " in partition " + p);
                    that(!seen.get(number), "record " + number + " came twice");
                    seen.set(number);
                    last[p] = number;
                }
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            System.out.println("ok the stream arrives whole and in order");
            System.out.printf("   %d records, %.1f MB/s%n", records, (double) records * size / seconds / 1e6);
        }
    }

    public static void main(String[] args) {
        try {
            new Stream(Integer.parseInt(args[2]), Integer.parseInt(args[3])).check(args[0], Integer.parseInt(args[1]));
        } catch (AssertionError | RuntimeException e) {
            System.out.println("FAIL the stream arrives whole and in order: " + e);
            System.exit(1);
        }
    }
}
