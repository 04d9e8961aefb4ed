package klamm.compat;

import static klamm.compat.Suite.that;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.WakeupException;

/**
 * Members join, leave, stop polling and die at random under load. In the end every record was processed, no partition
 * had two owners in one epoch, and the group has come to rest in time. CHAOS_SECONDS (default 20) is the length of it;
 * CHAOS_SEED repeats the choices of an earlier run.
 */
final class Chaos {
    private static final int PARTITIONS = 6;
    private static final int MOST_MEMBERS = 6;
    private static final int STATIC_NAMES = 3;
    /** Longer than a session (6 s) and than max.poll.interval.ms, less than half of what is given. */
    private static final int REST_MS = 30_000;
    private static final int MAX_POLL_INTERVAL_MS = 3000;

    private final String protocol;
    private final Class<?> assignor;
    private final Random random;
    private final List<String> topics = new ArrayList<>();
    private final String group = Broker.unique("chaos");
    /** Of each topic, how often each record was processed. */
    private final Map<String, AtomicIntegerArray> processed = new ConcurrentHashMap<>();
    /** Who owned a partition in an epoch. */
    private final Map<String, String> owners = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
    /** What was assigned and revoked, for the person who has to understand it. */
    private final ConcurrentLinkedQueue<String> history = new ConcurrentLinkedQueue<>();
    private final List<One> members = new ArrayList<>();
    private final Map<String, Integer> acts = new HashMap<>();
    private final Set<String> dead = new HashSet<>();
    private int serial;

    private Chaos(String protocol, Class<?> assignor, long seed) {
        this.protocol = protocol;
        this.assignor = assignor;
        random = new Random(seed);
    }

    static void run(Suite suite) {
        String given = System.getenv("CHAOS_SEED");
        long seed = given == null ? System.nanoTime() % 1_000_000 : Long.parseLong(given);
        int seconds = Integer.parseInt(System.getenv().getOrDefault("CHAOS_SECONDS", "20"));
        System.out.println("   CHAOS_SEED=" + seed);
        suite.check("chaos in a consumer group", seconds + 60, () -> new Chaos("consumer", null, seed).go(seconds));
        suite.check("chaos in a classic group, cooperative", seconds + 60, () ->
            new Chaos("classic", CooperativeStickyAssignor.class, seed).go(seconds));
        suite.check("chaos in a classic group, eager", seconds + 60, () ->
            new Chaos("classic", RangeAssignor.class, seed).go(seconds));
        suite.check("chaos in a group of both protocols", seconds + 60, () ->
            new Chaos("mixed", CooperativeStickyAssignor.class, seed).go(seconds));
    }

    /** A member, and its thread. */
    private final class One {
        final String name;
        final boolean isStatic;
        final AtomicBoolean stopped = new AtomicBoolean();
        volatile int pauseMs;
        volatile boolean dies;
        volatile Set<String> assigned = Set.of();
        final Consumer<String, String> consumer;
        final Thread thread;

        One(String instance) {
            isStatic = instance != null;
            name = isStatic ? instance : "m" + serial++;
            boolean classic = protocol.equals("classic") || protocol.equals("mixed") && random.nextBoolean();
            List<Object> configs = new ArrayList<>(List.of("group.id", group, "client.id", name,
                "max.poll.interval.ms", MAX_POLL_INTERVAL_MS, "max.poll.records", 50));
            configs.addAll(classic
                ? List.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 300, "partition.assignment.strategy", assignor.getName())
                : List.of("group.protocol", "consumer"));
            if (isStatic) {
                configs.addAll(List.of("group.instance.id", instance));
            }
            consumer = Broker.consumer(configs.toArray());
            thread = new Thread(this::work, name);
            thread.setDaemon(true);
            thread.start();
        }

        private final ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                note("gives up", partitions);
                commit();
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                note("gets", partitions);
                own(partitions);
            }

            @Override
            public void onPartitionsLost(Collection<TopicPartition> partitions) {
                note("loses", partitions);
            }
        };

        private void note(String what, Collection<TopicPartition> partitions) {
            history.add(System.currentTimeMillis() % 1_000_000 + " " + name + " in epoch " + consumer.groupMetadata().generationId()
                + " " + what + " " + partitions);
        }

        /** Notes that these partitions are this member's in its present epoch. */
        private void own(Collection<TopicPartition> partitions) {
            int epoch = consumer.groupMetadata().generationId();
            Set<TopicPartition> still = new HashSet<>(partitions);
            still.retainAll(consumer.assignment());
            if (epoch < 0 || epoch != consumer.groupMetadata().generationId()) {
                return; // it moved on in between: the client's own thread takes the heartbeats' answers
            }
            for (TopicPartition tp : still) {
                String owner = owners.putIfAbsent(tp + " in epoch " + epoch, name);
                if (owner != null && !owner.equals(name)) {
                    wrong.add(tp + " had two owners in epoch " + epoch + ": " + owner + " and " + name + ": "
                        + history.stream().filter(line -> line.contains(tp.toString())).toList());
                }
            }
        }

        private void commit() {
            try {
                consumer.commitSync(Duration.ofSeconds(3));
            } catch (CommitFailedException | RebalanceInProgressException | RetriableException e) {
                // It was too late: others process again what is not committed.
            }
        }

        private void work() {
            try {
                consumer.subscribe(topics, listener);
                while (!stopped.get()) {
                    ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(50));
                    own(consumer.assignment());
                    for (ConsumerRecord<String, String> record : records) {
                        processed.get(record.topic()).incrementAndGet(Integer.parseInt(record.value()));
                    }
                    Set<String> now = new TreeSet<>();
                    consumer.assignment().forEach(tp -> now.add(tp.toString()));
                    assigned = now;
                    if (!records.isEmpty() && !(stopped.get() && dies)) {
                        commit();
                    }
                    int pause = pauseMs;
                    if (pause > 0) {
                        pauseMs = 0;
                        note("pauses " + pause, List.copyOf(consumer.assignment()));
                        Thread.sleep(pause);
                    }
                }
            } catch (WakeupException | InterruptedException e) {
                // told to go
            } catch (KafkaException e) {
                wrong.add(name + ": " + e + " <- " + e.getCause());
            } finally {
                assigned = Set.of();
                if (dies) {
                    Death.of(consumer);
                } else {
                    consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
                }
            }
        }

        void end(boolean dies) throws InterruptedException {
            history.add(System.currentTimeMillis() % 1_000_000 + " " + name + (dies ? " dies " : " leaves ") + assigned);
            this.dies = dies;
            stopped.set(true);
            thread.join(20_000);
            that(!thread.isAlive(), name + " does not end: " + Arrays.toString(thread.getStackTrace()));
        }
    }

    private void join() {
        // The coordinator of a consumer group keeps a dead static member's name until its session ends.
        Set<String> taken = new HashSet<>(protocol.equals("classic") ? Set.of() : dead);
        members.forEach(m -> taken.add(m.name));
        String instance = "static-" + random.nextInt(STATIC_NAMES);
        // Only if nobody else has that name: what happens otherwise is checked elsewhere.
        members.add(new One(random.nextInt(3) == 0 && !taken.contains(instance) && !protocol.equals("mixed") ? instance : null));
    }

    private void act() throws InterruptedException {
        One any = members.get(random.nextInt(members.size()));
        int dice = random.nextInt(10);
        String what;
        if (members.size() < MOST_MEMBERS && (dice < 4 || members.size() == 1)) {
            what = "join";
            join();
        } else if (dice < 6) {
            what = "leave";
            members.remove(any);
            any.end(false);
        } else if (dice < 8) {
            what = "die";
            dead.add(any.name);
            members.remove(any);
            any.end(true);
        } else {
            what = "pause";
            any.pauseMs = 500 + random.nextInt(2 * MAX_POLL_INTERVAL_MS);
        }
        acts.merge(what, 1, Integer::sum);
    }

    private void go(int seconds) throws Exception {
        for (int i = 0; i < 2; i++) {
            String topic = Broker.topic("chaos", PARTITIONS);
            topics.add(topic);
            processed.put(topic, new AtomicIntegerArray(2_000_000));
        }
        AtomicBoolean enough = new AtomicBoolean();
        int[] count = new int[1];
        Thread load = new Thread(() -> {
            try (Producer<String, String> producer = Broker.producer()) {
                for (int i = 0; !enough.get(); i++) {
                    for (String topic : topics) {
                        producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "" + i, "" + i));
                    }
                    count[0] = i + 1;
                    Thread.sleep(1);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        try {
            load.start();
            join();
            long end = System.currentTimeMillis() + seconds * 1000L;
            while (System.currentTimeMillis() < end) {
                act();
                Thread.sleep(100 + random.nextInt(1200));
            }
            rest();
            enough.set(true);
            load.join();
            Broker.eventually(REST_MS, "each of " + count[0] + " records processed", () -> missing(count[0]).isEmpty());
        } finally {
            enough.set(true);
            for (One member : members) {
                member.end(false);
            }
        }
        that(wrong.isEmpty(), wrong.size() + " things went wrong, first " + wrong.peek());
        System.out.println("   " + acts + ", " + 2 * count[0] + " records, " + repeated(count[0]) + " of them more than once, "
            + owners.size() + " times an owner");
    }

    /** The group shall come to rest: every partition has one owner, and the coordinator calls it stable. */
    private void rest() throws Exception {
        Set<String> expected = new TreeSet<>();
        topics.forEach(topic -> expected.addAll(GroupChecks.all(topic, PARTITIONS)));
        long began = System.currentTimeMillis();
        try {
            Broker.eventually(REST_MS, "rest", () -> {
                Set<String> union = new TreeSet<>();
                int sum = 0;
                for (One member : members) {
                    union.addAll(member.assigned);
                    sum += member.assigned.size();
                }
                return union.equals(expected) && sum == expected.size()
                    && GroupAdminChecks.described(group).groupState() == GroupState.STABLE;
            });
        } catch (AssertionError e) {
            StringBuilder state = new StringBuilder();
            members.forEach(m -> state.append(' ').append(m.name).append(m.assigned));
            throw new AssertionError(e.getMessage() + "; wrong: " + wrong.peek() + "; members:" + state + "; " + GroupAdminChecks.described(group));
        }
        System.out.println("   at rest after " + (System.currentTimeMillis() - began) + " ms");
    }

    private String missing(int count) {
        for (String topic : topics) {
            for (int i = 0; i < count; i++) {
                if (processed.get(topic).get(i) == 0) {
                    return topic + " " + i;
                }
            }
        }
        return "";
    }

    private int repeated(int count) {
        int repeated = 0;
        for (String topic : topics) {
            for (int i = 0; i < count; i++) {
                repeated += processed.get(topic).get(i) > 1 ? 1 : 0;
            }
        }
        return repeated;
    }
}
