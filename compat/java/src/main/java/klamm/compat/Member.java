package klamm.compat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/** A member of a group, of the classic protocol unless overridden, that polls in a thread of its own and notes what happens to it. */
final class Member implements AutoCloseable {
    final List<ConsumerRecord<String, String>> records = new CopyOnWriteArrayList<>();
    final List<TopicPartition> revoked = new CopyOnWriteArrayList<>();
    final List<TopicPartition> lost = new CopyOnWriteArrayList<>();
    /** How often partitions were assigned: once per rebalance, even of none. */
    volatile int rebalances;
    volatile Set<String> assigned = Set.of();
    volatile Exception error;

    private final Consumer<String, String> consumer;
    private final LinkedBlockingQueue<FutureTask<?>> calls = new LinkedBlockingQueue<>();
    private final Thread thread;
    private volatile boolean stopped;
    private boolean idle;

    private final ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            revoked.addAll(partitions);
            gone(partitions);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            rebalances++;
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            lost.addAll(partitions);
            gone(partitions);
        }

        private void gone(Collection<TopicPartition> partitions) {
            Set<String> left = new TreeSet<>(assigned);
            partitions.forEach(tp -> left.remove(tp.toString()));
            assigned = left;
        }
    };

    Member(String group, Collection<String> topics, Object... overrides) {
        this(group, overrides);
        consumer.subscribe(topics, listener);
        thread.start();
    }

    Member(String group, Pattern topics, Object... overrides) {
        this(group, overrides);
        consumer.subscribe(topics, listener);
        thread.start();
    }

    /** Matched by the broker, which only the consumer protocol has. */
    Member(String group, SubscriptionPattern topics, Object... overrides) {
        this(group, overrides);
        consumer.subscribe(topics, listener);
        thread.start();
    }

    private Member(String group, Object... overrides) {
        List<Object> all = new ArrayList<>(List.of("group.id", group));
        if (!List.of(overrides).contains("consumer")) { // there the broker decides
            all.addAll(List.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 300));
        }
        all.addAll(List.of(overrides));
        consumer = Broker.consumer(all.toArray());
        thread = new Thread(this::poll, "member of " + group);
        thread.setDaemon(true);
    }

    private void poll() {
        while (!stopped) {
            try {
                if (idle) {
                    Thread.sleep(20); // without a subscription, poll is an error
                } else {
                    consumer.poll(Duration.ofMillis(50)).forEach(records::add);
                }
                Set<String> now = new TreeSet<>();
                consumer.assignment().forEach(tp -> now.add(tp.toString()));
                assigned = now;
            } catch (Exception e) {
                error = e;
                return;
            }
            for (FutureTask<?> call = calls.poll(); call != null; call = calls.poll()) {
                call.run();
            }
        }
    }

    interface Call<T> {
        T with(Consumer<String, String> consumer) throws Exception;
    }

    /** Calls the consumer from its own thread, between two polls. */
    <T> T call(Call<T> call) throws Exception {
        return start(call).get();
    }

    <T> Future<T> start(Call<T> call) {
        FutureTask<T> task = new FutureTask<>(() -> call.with(consumer));
        calls.add(task);
        return task;
    }

    private void stop() {
        stopped = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Leaves the group (a static member stays, as by default). */
    @Override
    public void close() {
        stop();
        consumer.close();
    }

    /** Leaves the group, also a static member. */
    void leave() {
        stop();
        consumer.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
    }

    /** Vanishes without a word to the group, as a process that crashed. */
    void crash() {
        stop();
        Death.of(consumer);
    }

    /** Subscribes anew, with what is noted of it. */
    void subscribe(Collection<String> topics) throws Exception {
        call(c -> {
            c.subscribe(topics, listener);
            idle = false;
            return null;
        });
    }

    void unsubscribe() throws Exception {
        call(c -> {
            c.unsubscribe();
            idle = true;
            return null;
        });
    }

    /** The generation of a classic member, the member epoch of another one. */
    int epoch() throws Exception {
        return call(c -> c.groupMetadata().generationId());
    }

    /** The offsets read, in the order in which they arrived. */
    List<Long> offsets() {
        return records.stream().map(ConsumerRecord::offset).toList();
    }
}
