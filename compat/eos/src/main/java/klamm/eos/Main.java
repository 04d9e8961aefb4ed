package klamm.eos;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What compat/eos/run calls: feed, copy, count and the checks of their outputs. */
public final class Main {
    static final String INPUT = "input";
    static final String COPIES = "copies";
    static final String COUNTS = "counts";
    static final int PARTITIONS = 4;
    static final int WORDS = 50;
    private static final Duration PATIENCE = Duration.ofSeconds(120);

    public static void main(String[] args) throws Exception {
        int records = Integer.parseInt(args[1]);
        switch (args[0]) {
            case "feed" -> feed(records);
            case "copy" -> Copier.runAll();
            case "count" -> WordCount.run(args[2]);
            case "check-copies" -> checkCopies(records);
            case "check-counts" -> checkCounts(records);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** A client's configuration: what all have in common and these pairs. */
    static Properties config(Object... pairs) {
        Properties config = new Properties();
        config.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        config.put("reconnect.backoff.max.ms", "200");
        config.put("request.timeout.ms", "5000");
        for (int i = 0; i < pairs.length; i += 2) {
            config.put((String) pairs[i], pairs[i + 1].toString());
        }
        return config;
    }

    static KafkaConsumer<String, String> consumer(Object... pairs) {
        Properties config = config(pairs);
        config.put("isolation.level", "read_committed");
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static KafkaProducer<String, String> producer(Object... pairs) {
        return new KafkaProducer<>(config(pairs), new StringSerializer(), new StringSerializer());
    }

    static List<TopicPartition> partitions(String topic) {
        return IntStream.range(0, PARTITIONS).mapToObj(p -> new TopicPartition(topic, p)).toList();
    }

    static String word(int record) {
        return "word" + (record * 31L % WORDS);
    }

    /** Record n of all goes to partition n % PARTITIONS: its number as the key, a word as the value. */
    private static void feed(int records) throws Exception {
        try (Admin admin = Admin.create(config())) {
            List<NewTopic> topics = new ArrayList<>();
            for (String topic : List.of(INPUT, COPIES, COUNTS)) {
                topics.add(new NewTopic(topic, Optional.of(PARTITIONS), Optional.empty()));
            }
            admin.createTopics(topics).all().get();
        }
        try (KafkaProducer<String, String> producer = producer("delivery.timeout.ms", 120_000)) {
            for (int n = 0; n < records; n++) {
                producer.send(new ProducerRecord<>(INPUT, n % PARTITIONS, "" + n, word(n)), (metadata, error) -> {
                    if (error != null) {
                        System.out.println("FAIL feed: " + error);
                        Runtime.getRuntime().halt(1);
                    }
                });
            }
        }
        System.out.println("ok feed");
    }

    /** Everything committed in a topic, until there are as many or nothing more comes; then whatever else comes. */
    private static List<ConsumerRecord<String, String>> read(String topic, int expected) {
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer()) {
            consumer.assign(partitions(topic));
            consumer.seekToBeginning(consumer.assignment());
            long end = System.nanoTime() + PATIENCE.toNanos();
            long quietSince = System.nanoTime();
            while (System.nanoTime() < end && System.nanoTime() - quietSince < Duration.ofSeconds(3).toNanos()) {
                int before = read.size();
                consumer.poll(Duration.ofMillis(200)).forEach(read::add);
                if (read.size() > before || read.size() < expected) {
                    quietSince = System.nanoTime();
                }
            }
        }
        return read;
    }

    /** Each partition holds what the input's holds: the same records in the same order, each once. */
    private static void checkCopies(int records) {
        int[] next = new int[PARTITIONS];
        List<String> problems = new ArrayList<>();
        List<ConsumerRecord<String, String>> read = read(COPIES, records);
        for (ConsumerRecord<String, String> copy : read) {
            int n = next[copy.partition()]++ * PARTITIONS + copy.partition();
            if (!copy.key().equals("" + n) || !copy.value().equals(word(n))) {
                problems.add(copy.partition() + "/" + copy.offset() + " is " + copy.key() + ", not " + n);
                next[copy.partition()] = Integer.parseInt(copy.key()) / PARTITIONS + 1;
            }
        }
        report("copies: " + read.size() + " records, each once and in order", read.size() == records, problems);
    }

    /** Each word's counts are 1, 2, 3, ... up to how often it is in the input, nothing twice and nothing left out. */
    private static void checkCounts(int records) {
        Map<String, Integer> last = new HashMap<>();
        List<String> problems = new ArrayList<>();
        List<ConsumerRecord<String, String>> read = read(COUNTS, records);
        for (ConsumerRecord<String, String> count : read) {
            int expected = last.getOrDefault(count.key(), 0) + 1;
            int found = Integer.parseInt(count.value());
            if (found != expected) {
                problems.add(count.key() + " is " + found + " after " + (expected - 1) + " at " + count.partition() + "/" + count.offset());
            }
            last.put(count.key(), found);
        }
        int sum = last.values().stream().mapToInt(Integer::intValue).sum();
        report("counts: " + read.size() + " counts of " + last.size() + " words", sum == records && read.size() == records, problems);
    }

    private static void report(String what, boolean isWhole, List<String> problems) {
        if (isWhole && problems.isEmpty()) {
            System.out.println("ok " + what);
            return;
        }
        System.out.println("FAIL " + what + "; " + problems.size() + " problems " + problems.stream().limit(5).toList());
        System.exit(1);
    }
}
