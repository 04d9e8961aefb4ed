package klamm.eos;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/**
 * Read, process, write, like Kafka's TransactionalMessageCopier: the copies and the position in one transaction, some
 * of which are aborted. Two of them share a group, one with the classic protocol's static membership, so that its
 * successor after a kill takes over at once. Ends when everything is copied.
 */
final class Copier implements Runnable {
    private static final String GROUP = "copiers";
    private final String name;
    private final Random random = new Random();
    private KafkaConsumer<String, String> consumer;
    private KafkaProducer<String, String> producer;

    private Copier(String name) {
        this.name = name;
    }

    static void runAll() throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (String name : List.of("copier-0", "copier-1")) {
            threads.add(new Thread(new Copier(name), name));
        }
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
    }

    @Override
    public void run() {
        boolean isDone = false;
        while (!isDone) {
            try {
                consumer = Main.consumer("group.id", GROUP, "group.instance.id", name, "session.timeout.ms", 6000,
                        "heartbeat.interval.ms", 500, "max.poll.records", 25);
                producer = Main.producer("transactional.id", name, "transaction.timeout.ms", 20_000, "max.block.ms", 60_000);
                producer.initTransactions();
                consumer.subscribe(List.of(Main.INPUT));
                isDone = copy();
            } catch (KafkaException e) {
                // Fenced, or something that a new producer gets over.
                System.err.println(name + " starts again: " + e);
            } finally {
                if (producer != null) {
                    producer.close(Duration.ZERO);
                }
                consumer.close(CloseOptions.timeout(Duration.ofSeconds(2)));
            }
        }
    }

    /** Until the whole input is copied. */
    private boolean copy() {
        while (true) {
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
            if (records.isEmpty()) {
                if (isAllCopied()) {
                    return true;
                }
                continue;
            }
            producer.beginTransaction();
            try {
                Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
                for (ConsumerRecord<String, String> record : records) {
                    producer.send(new ProducerRecord<>(Main.COPIES, record.partition(), record.key(), record.value()));
                    TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                    positions.put(partition, new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), ""));
                }
                producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
                if (random.nextInt(10) == 0) {
                    producer.abortTransaction();
                    goBack();
                } else {
                    producer.commitTransaction();
                }
            } catch (CommitFailedException | RebalanceInProgressException e) {
                producer.abortTransaction();
                goBack();
            }
        }
    }

    private boolean isAllCopied() {
        List<TopicPartition> input = Main.partitions(Main.INPUT);
        Map<TopicPartition, Long> ends = consumer.endOffsets(input);
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(new HashSet<>(input));
        return input.stream().allMatch(partition -> {
            OffsetAndMetadata position = committed.get(partition);
            return position != null && position.offset() >= ends.get(partition);
        });
    }

    /** To the committed positions, because what was read since is not copied. */
    private void goBack() {
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
        for (TopicPartition partition : consumer.assignment()) {
            OffsetAndMetadata position = committed.get(partition);
            if (position == null) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seek(partition, position);
            }
        }
    }
}
