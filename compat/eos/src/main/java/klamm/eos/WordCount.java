package klamm.eos;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams counts words with exactly_once_v2: through a repartition topic, with a store whose changelog is read
 * again after each kill (it lives in memory), and every single count written. Runs until it is killed.
 */
final class WordCount {
    static void run(String stateDirectory) throws InterruptedException {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(Main.INPUT, Consumed.with(Serdes.String(), Serdes.String()))
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")).withCachingDisabled())
                .toStream()
                .mapValues(count -> "" + count)
                .to(Main.COUNTS, Produced.with(Serdes.String(), Serdes.String()));
        Properties config = Main.config("application.id", "word-count", "processing.guarantee", "exactly_once_v2",
                "commit.interval.ms", 100, "num.stream.threads", 2, "replication.factor", -1, "statestore.cache.max.bytes", 0,
                "state.dir", stateDirectory, "auto.offset.reset", "earliest",
                "consumer.session.timeout.ms", 6000, "consumer.heartbeat.interval.ms", 500, "consumer.max.poll.records", 50);
        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        streams.setUncaughtExceptionHandler(error -> {
            System.err.println("a thread is replaced after " + error);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(10));
            stopped.countDown();
        }));
        streams.start();
        stopped.await();
    }
}
