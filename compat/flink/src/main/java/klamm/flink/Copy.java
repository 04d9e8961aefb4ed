package klamm.flink;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * A Flink job that copies a topic from KafkaSource to KafkaSink, exactly once: it fails by itself now and then and goes
 * on from its last checkpoint, and a process that was killed goes on from its predecessor's. Runs until it is killed.
 *
 * <p>Arguments: input topic, output topic, directory of the checkpoints.
 */
public final class Copy {
    private static final int FAILURES = 2; // of each process
    private static final int RECORDS_PER_FAILURE = 3000;

    public static void main(String[] args) throws Exception {
        Configuration config = new Configuration();
        config.setString("execution.checkpointing.interval", "300 ms");
        config.setString("execution.checkpointing.dir", Path.of(args[2]).toUri().toString());
        config.setString("execution.checkpointing.storage", "filesystem");
        config.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        config.setString("restart-strategy.type", "fixed-delay");
        config.setString("restart-strategy.fixed-delay.attempts", "100");
        config.setString("restart-strategy.fixed-delay.delay", "200 ms");
        String last = lastCheckpoint(Path.of(args[2]));
        if (last != null) {
            System.err.println("goes on from " + last);
            config.setString("execution.state-recovery.path", last);
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(2, config);
        environment.fromSource(source(args[0]), WatermarkStrategy.noWatermarks(), "source").uid("source")
                .map(new Failing()).uid("failing")
                .sinkTo(sink(args[1])).uid("sink");
        environment.execute("copy");
    }

    private static KafkaSource<String> source(String topic) {
        return KafkaSource.<String>builder()
                .setBootstrapServers(System.getenv("BOOTSTRAP"))
                .setTopics(topic)
                .setGroupId("flink")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setProperty("isolation.level", "read_committed")
                .setProperty("max.poll.records", "50")
                .setDeserializer(new Lines())
                .build();
    }

    private static KafkaSink<String> sink(String topic) {
        return KafkaSink.<String>builder()
                .setBootstrapServers(System.getenv("BOOTSTRAP"))
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix("flink-copy")
                .setProperty("transaction.timeout.ms", "60000")
                .setRecordSerializer(new Records(topic))
                .build();
    }

    /** The newest complete checkpoint of any earlier process. */
    private static String lastCheckpoint(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return null;
        }
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.endsWith("_metadata"))
                    .max(Comparator.comparingLong(file -> file.toFile().lastModified()))
                    .map(file -> file.getParent().toUri().toString())
                    .orElse(null);
        }
    }

    /** "partition key value" of each record. */
    private static final class Lines implements KafkaRecordDeserializationSchema<String> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<String> out) {
            String key = new String(record.key(), StandardCharsets.UTF_8);
            out.collect(record.partition() + " " + key + " " + new String(record.value(), StandardCharsets.UTF_8));
        }

        @Override
        public TypeInformation<String> getProducedType() {
            return Types.STRING;
        }
    }

    private static final class Records implements KafkaRecordSerializationSchema<String> {
        private final String topic;

        Records(String topic) {
            this.topic = topic;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(String line, KafkaSinkContext context, Long timestamp) {
            String[] parts = line.split(" ", 3);
            return new ProducerRecord<>(topic, Integer.parseInt(parts[0]), parts[1].getBytes(StandardCharsets.UTF_8),
                    parts[2].getBytes(StandardCharsets.UTF_8));
        }
    }

    /** Takes its time, so that there are many checkpoints, and throws now and then. */
    private static final class Failing extends RichMapFunction<String, String> {
        private static final AtomicInteger failures = new AtomicInteger();
        private int seen;

        @Override
        public String map(String line) throws Exception {
            if (++seen % 5 == 0) {
                Thread.sleep(5);
            }
            if (seen % RECORDS_PER_FAILURE == 0 && failures.incrementAndGet() <= FAILURES) {
                throw new IllegalStateException("a failure on purpose");
            }
            return line;
        }
    }
}
