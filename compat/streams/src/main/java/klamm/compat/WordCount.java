package klamm.compat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts the words of lines in a RocksDB store and the lines of each length in memory; every count goes out. Both
 * need a repartition topic and a changelog topic.
 */
final class WordCount {
    static final String WORDS = "words";
    static final String LENGTHS = "lengths";

    private WordCount() { }

    static Topology topology(String lines, String words, String lengths) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> source = builder.stream(lines);
        source.flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as(WORDS))
            .count(Materialized.as(WORDS))
            .toStream()
            .to(words, Produced.valueSerde(Serdes.Long()));
        source.groupBy((key, line) -> String.valueOf(line.length()), Grouped.as(LENGTHS))
            .count(Materialized.as(Stores.inMemoryKeyValueStore(LENGTHS)))
            .toStream()
            .to(lengths, Produced.valueSerde(Serdes.Long()));
        return builder.build();
    }

    static KafkaStreams instance(Topology topology, String application, String protocol, int number, Path state) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BOOTSTRAP"));
        config.put(StreamsConfig.CLIENT_ID_CONFIG, application + "-" + number);
        config.put(StreamsConfig.STATE_DIR_CONFIG, state.resolve(String.valueOf(number)).toString());
        // Interactive queries: of the threads of an instance, which share this, 4.3.1 knows only one's partitions.
        config.put(StreamsConfig.APPLICATION_SERVER_CONFIG, "instance-" + number + ":" + number);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        config.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, protocol);
        config.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        if (protocol.equals("classic")) {
            // With the streams protocol these are the broker's to say.
            config.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 1);
            config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 10_000);
            config.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 500);
            config.put(StreamsConfig.PROBING_REBALANCE_INTERVAL_MS_CONFIG, 60_000);
        }
        return new KafkaStreams(topology, config);
    }
}
