package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.admin.ShareMemberDescription;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Share groups while Kafka and klamm take turns: one whose members live on and work, one that is caught with a third of its
 * records accepted, a third released and a third in flight, and one of which there are only offsets.
 */
final class SwapShare {
    private static final int PARTITIONS = 3;
    private static final int HELD = 30;

    private final Admin admin = Broker.admin();
    private final Queue live;
    private final Queue half;
    private final Queue idle;
    private final List<Worker> workers = new ArrayList<>();
    private final Map<String, Worker.Story> stories = new ConcurrentHashMap<>();
    private final AtomicInteger sent = new AtomicInteger();
    private ShareConsumer<String, String> holder;
    private int held;

    SwapShare() throws Exception {
        live = Queue.named("live-queue", PARTITIONS, "share-live");
        half = Queue.named("half-queue", 1, "share-half");
        idle = live.another();
        join();
        join();
        half.configure(Map.of("share.delivery.count.limit", "10"));
    }

    /** A member that accepts most of what it gets, releases some of it once and rejects some. */
    private final class Worker extends Thread {
        /** What became of a record. */
        static final class Story {
            int count;
            boolean settled;
            String wrong;
        }

        volatile boolean over;
        volatile Throwable error;
        private final ShareConsumer<String, String> consumer;

        Worker(int number) {
            super("worker " + number);
            consumer = live.explicit("client.id", "worker-" + number, "reconnect.backoff.max.ms", 200, "max.poll.records", 50);
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            try {
                while (!over) {
                    List<ConsumerRecord<String, String>> records = new ArrayList<>();
                    consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                    for (ConsumerRecord<String, String> record : records) {
                        delivered(record);
                        consumer.acknowledge(record, type(record));
                    }
                    if (!records.isEmpty()) {
                        commit(records);
                    }
                }
                consumer.close();
            } catch (Exception e) {
                error = e;
            }
        }

        private AcknowledgeType type(ConsumerRecord<String, String> record) {
            boolean first = record.deliveryCount().orElseThrow() == 1;
            return record.offset() % 11 == 3 ? AcknowledgeType.REJECT : record.offset() % 5 == 1 && first ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT;
        }

        private void delivered(ConsumerRecord<String, String> record) {
            stories.compute(name(record), (name, known) -> {
                Story story = known == null ? new Story() : known;
                int count = record.deliveryCount().orElseThrow();
                if (story.settled) {
                    story.wrong = "came again after it was settled, with count " + count;
                }
                story.count = count;
                return story;
            });
        }

        /** What the broker has not answered may be settled or not. */
        private void commit(List<ConsumerRecord<String, String>> records) {
            Map<Integer, Boolean> known = new TreeMap<>();
            try {
                consumer.commitSync().forEach((partition, failure) -> known.put(partition.partition(), failure.isEmpty()));
            } catch (KafkaException e) {
                return;
            }
            for (ConsumerRecord<String, String> record : records) {
                if (known.getOrDefault(record.partition(), false) && type(record) != AcknowledgeType.RELEASE) {
                    stories.get(name(record)).settled = true;
                }
            }
        }

        private String name(ConsumerRecord<?, ?> record) {
            return record.partition() + "-" + record.offset();
        }
    }

    /** Adds a member to the group that lives on. */
    void join() {
        workers.add(new Worker(workers.size()));
    }

    /** Its last member leaves. */
    void leave() throws Exception {
        Worker gone = workers.remove(workers.size() - 1);
        gone.over = true;
        gone.join(30_000);
        that(gone.error == null, "worker: " + gone.error);
    }

    void write(Producer<String, String> producer, int count) {
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(live.topic, sent.getAndIncrement() % PARTITIONS, null, "" + i));
        }
        producer.flush();
    }

    /** Takes records and leaves a third of them in flight; what admins see of the other groups stays. */
    void hold() throws Exception {
        half.send(0, HELD);
        holder = half.explicit("client.id", "holder");
        List<ConsumerRecord<String, String>> records = Queue.take(holder, Queue.each(held, held + HELD, 1));
        for (ConsumerRecord<String, String> record : records) {
            if (record.offset() % 3 < 2) {
                holder.acknowledge(record, record.offset() % 3 == 0 ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
            }
        }
        holder.commitSync().values().forEach(failure -> equal(Optional.empty(), failure, "commit"));
        admin.alterShareGroupOffsets(idle.group, Map.of(new TopicPartition(idle.topic, 1), 7L)).all().get();
    }

    /** What was accepted does not come again; what was released comes with the next count; what was in flight comes. */
    void takeOver() throws Exception {
        Death.of(holder);
        Map<Long, Integer> counts = new TreeMap<>();
        try (ShareConsumer<String, String> heir = half.explicit("client.id", "heir")) {
            while (counts.size() < HELD * 2 / 3) {
                List<ConsumerRecord<String, String>> records = Queue.next(heir);
                for (ConsumerRecord<String, String> record : records) {
                    that(counts.put(record.offset(), (int) record.deliveryCount().orElseThrow()) == null, "offset " + record.offset() + " came twice");
                }
                Queue.all(heir, records, AcknowledgeType.ACCEPT);
                heir.commitSync();
            }
            Queue.nothing(heir, 500);
        }
        counts.forEach((offset, count) -> {
            that(offset >= held && offset % 3 != 0, "offset " + offset + " was accepted");
            // Deliveries are not written, acknowledgements are: what was in flight has no delivery yet, or the one that a
            // broker ended while it stopped.
            that(offset % 3 == 1 ? count == 2 : count == 1 || count == 2, "offset " + offset + " has count " + count);
        });
        held += HELD;
        half.awaitLag(0, 0);
    }

    /** Each record of the group that lives on is settled, once. */
    void awaitQuiet() throws Exception {
        Broker.eventually(90_000, "every record is settled", () -> {
            workers.forEach(worker -> that(worker.error == null, "worker: " + worker.error));
            for (int partition = 0; partition < PARTITIONS; partition++) {
                var offset = live.offset(partition);
                if (offset == null || !offset.lag().equals(Optional.of(0L))) {
                    return false;
                }
            }
            return true;
        });
        equal(sent.get(), stories.size(), "records delivered");
        stories.forEach((name, story) -> that(story.wrong == null, "record " + name + " " + story.wrong));
        Broker.eventually(20_000, "the members share the partitions", () -> {
            ShareGroupDescription group = describe(live);
            return group.members().size() == workers.size() && group.targetAssignmentEpoch() == group.groupEpoch()
                && group.members().stream().allMatch(member -> member.memberEpoch() == group.groupEpoch())
                && group.members().stream().mapToInt(member -> member.assignment().topicPartitions().size()).sum() >= PARTITIONS;
        });
    }

    private ShareGroupDescription describe(Queue queue) throws Exception {
        return admin.describeShareGroups(List.of(queue.group)).all().get().get(queue.group);
    }

    /** What the broker tells of them. */
    void capture(Map<String, String> state) throws Exception {
        ShareGroupDescription group = describe(live);
        state.put("share group", group.groupState() + " epoch " + group.groupEpoch() + " assigned " + group.targetAssignmentEpoch() + " "
            + group.members().stream().map(SwapShare::show).sorted().toList());
        for (Queue queue : List.of(live, idle)) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                var offset = queue.offset(partition);
                state.put("share " + (queue == live ? "live " : "idle ") + partition + " offsets", offset == null ? "none" : offset.startOffset() + " lag " + offset.lag());
            }
        }
        state.put("share group configs", "" + admin.describeConfigs(List.of(half.resource())).all().get().get(half.resource()).get("share.delivery.count.limit").value());
    }

    private static String show(ShareMemberDescription member) {
        return member.consumerId() + " " + member.clientId() + " " + member.host() + " epoch " + member.memberEpoch() + " "
            + member.assignment().topicPartitions().stream().map(TopicPartition::toString).sorted().toList();
    }
}
