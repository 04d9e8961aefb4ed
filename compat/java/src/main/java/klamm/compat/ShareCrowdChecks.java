package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.TopicIdPartition;

/** Many members of a share group, each in a thread of its own, who accept, release, reject and die. */
final class ShareCrowdChecks {
    private ShareCrowdChecks() { }

    static void run(Suite suite) {
        suite.check("queue: eight members of one partition, each record accepted once", () -> crowd(Queue.of("crowd", 1), 8, 2000, false));
        suite.check("queue: five members of three partitions, some of which die and others join", () -> crowd(Queue.of("coming", 3, "share.record.lock.duration.ms", "4000"), 5, 900, true));
    }

    /** What happened to one record, in the order in which members were told. */
    private record Event(int member, int count, AcknowledgeType type, boolean known) { }

    private static final class Crowd {
        final Map<String, ConcurrentLinkedQueue<Event>> events = new ConcurrentHashMap<>();
        final AtomicInteger settled = new AtomicInteger();
        final ConcurrentLinkedQueue<Throwable> errors = new ConcurrentLinkedQueue<>();
        volatile boolean over;
    }

    /** One member's thread: a third of what it gets is released (once), a tenth rejected; it acknowledges batch by batch. */
    private static final class Worker extends Thread {
        final AtomicInteger got = new AtomicInteger();
        volatile boolean dies;
        private final Queue queue;
        private final Crowd crowd;
        private final int number;
        private final Random random;

        Worker(Queue queue, Crowd crowd, int number) {
            super("member " + number);
            this.queue = queue;
            this.crowd = crowd;
            this.number = number;
            random = new Random(number);
            setDaemon(true);
            start();
        }

        @Override
        public void run() {
            ShareConsumer<String, String> consumer = queue.explicit("max.poll.records", 40, "share.acquire.mode", "record_limit");
            try {
                while (!crowd.over) {
                    List<ConsumerRecord<String, String>> records = new ArrayList<>();
                    consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                    if (dies && !records.isEmpty()) {
                        records.forEach(record -> note(record, null, false));
                        Death.of(consumer);
                        return;
                    }
                    work(consumer, records);
                }
                consumer.close();
            } catch (Exception | AssertionError e) {
                crowd.errors.add(e);
            }
        }

        private void work(ShareConsumer<String, String> consumer, List<ConsumerRecord<String, String>> records) {
            List<AcknowledgeType> types = new ArrayList<>();
            for (ConsumerRecord<String, String> record : records) {
                boolean again = record.deliveryCount().orElseThrow() > 1;
                int dice = random.nextInt(30);
                types.add(dice < 3 ? AcknowledgeType.REJECT : dice < 13 && !again ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT);
                consumer.acknowledge(record, types.get(types.size() - 1));
            }
            if (!records.isEmpty()) {
                var answer = consumer.commitSync();
                for (int i = 0; i < records.size(); i++) {
                    note(records.get(i), types.get(i), known(answer, records.get(i)));
                }
                got.addAndGet(records.size());
            }
        }

        private static boolean known(Map<TopicIdPartition, ? extends java.util.Optional<?>> answer, ConsumerRecord<?, ?> record) {
            return answer.entrySet().stream().anyMatch(e -> e.getKey().partition() == record.partition() && e.getValue().isEmpty());
        }

        private void note(ConsumerRecord<String, String> record, AcknowledgeType type, boolean known) {
            crowd.events.computeIfAbsent(record.partition() + " " + record.value(), k -> new ConcurrentLinkedQueue<>())
                .add(new Event(number, record.deliveryCount().orElseThrow(), type, known));
            if (known && type != AcknowledgeType.RELEASE) {
                crowd.settled.incrementAndGet();
            }
        }
    }

    private static void crowd(Queue queue, int members, int each, boolean changing) throws Exception {
        int partitions = queue.partitions();
        Crowd crowd = new Crowd();
        List<Worker> workers = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            workers.add(new Worker(queue, crowd, i));
        }
        for (int burst = 0; burst < 10; burst++) {
            for (int partition = 0; partition < partitions; partition++) {
                queue.send(partition, each / 10, burst * each / 10);
            }
            if (changing && burst % 3 == 2) {
                workers.get(burst / 3).dies = true;
                workers.add(new Worker(queue, crowd, workers.size()));
            }
            Thread.sleep(changing ? 300 : 50);
        }
        int all = each * partitions;
        Broker.eventually(70_000, "all " + all + " records are settled", () -> {
            that(crowd.errors.isEmpty(), "members failed: " + crowd.errors);
            return crowd.settled.get() >= all;
        });
        Thread.sleep(300);
        crowd.over = true;
        for (Worker worker : workers) {
            worker.join(20_000);
        }
        that(crowd.errors.isEmpty(), "members failed: " + crowd.errors);
        equal(all, crowd.events.size(), "records delivered");
        crowd.events.forEach((record, events) -> sound(record, events, changing));
        long idle = workers.stream().filter(worker -> !worker.dies && worker.got.get() == 0).count();
        that(idle == 0, idle + " members got nothing");
        for (int partition = 0; partition < partitions; partition++) {
            queue.awaitLag(partition, 0);
        }
    }

    /** Each count came once, but for what reached members who died before they saw it; only the last delivery settled the record. */
    private static void sound(String record, ConcurrentLinkedQueue<Event> events, boolean changing) {
        List<Event> sorted = events.stream().sorted((a, b) -> a.count - b.count).toList();
        int settled = 0;
        for (int i = 0; i < sorted.size(); i++) {
            int least = i == 0 ? 1 : sorted.get(i - 1).count + 1;
            that(sorted.get(i).count == least || changing && sorted.get(i).count > least, "counts of record " + record + ": " + sorted);
            if (sorted.get(i).known && sorted.get(i).type != AcknowledgeType.RELEASE) {
                settled++;
                equal(sorted.size() - 1, i, "record " + record + " came again after it was settled: " + sorted);
            }
        }
        equal(1, settled, "record " + record + " is settled once: " + sorted);
    }
}
