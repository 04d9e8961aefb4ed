package klamm.compat;

import static klamm.compat.Queue.accept;
import static klamm.compat.Queue.all;
import static klamm.compat.Queue.next;
import static klamm.compat.Queue.nothing;
import static klamm.compat.Queue.each;
import static klamm.compat.Queue.show;
import static klamm.compat.Queue.take;
import static klamm.compat.Queue.told;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.FutureTask;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.errors.RecordDeserializationException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.StringDeserializer;

/** One or two members of a share group: what is delivered to whom how often, by what they acknowledge. */
final class ShareChecks {
    private final Suite suite;

    private ShareChecks(Suite suite) {
        this.suite = suite;
    }

    static void run(Suite suite) {
        ShareChecks checks = new ShareChecks(suite);
        checks.implicitChecks();
        checks.explicitChecks();
    }

    private void implicitChecks() {
        suite.check("queue: a poll accepts what the one before it brought", this::implicit);
        suite.check("queue: commitSync accepts what the last poll brought", this::implicitCommitSync);
        suite.check("queue: commitAsync accepts what the last poll brought", this::implicitCommitAsync);
        suite.check("queue: a member that closes gives back what the last poll brought", this::implicitClose);
        suite.check("queue: without explicit acknowledgement none is taken", this::implicitOnly);
        suite.check("queue: a record that cannot be read is set aside", this::unreadable);
        suite.check("queue: what comes while a member waits is delivered at once", this::waiting);
    }

    private void implicit() throws Exception {
        Queue queue = Queue.of("implicit", 1);
        queue.send(0, 100);
        try (ShareConsumer<String, String> one = queue.member()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 100, 1));
            for (int i = 0; i < 100; i++) {
                equal("" + i, records.get(i).value(), "value at offset " + i);
            }
            equal(null, queue.offset(0), "what admins see before anything is acknowledged");
            nothing(one, 300);
            queue.awaitLag(0, 0);
            queue.send(0, 5);
            take(one, each(100, 105, 1));
            nothing(one, 300);
        }
        try (ShareConsumer<String, String> other = queue.member()) {
            nothing(other, 1500);
            queue.send(0, 1);
            take(other, "105:1");
            other.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void implicitCommitSync() throws Exception {
        Queue queue = Queue.of("implicit-sync", 2);
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, each(0, 3, 1));
            queue.committed(one.commitSync(), 0);
            queue.committed(one.commitSync());
            queue.awaitLag(0, 0);
            queue.send(1, 2);
            take(one, "1/0:1 1/1:1");
            queue.committed(one.commitSync(), 1);
            queue.awaitLag(1, 0);
        }
    }

    private void implicitCommitAsync() throws Exception {
        Queue queue = Queue.of("implicit-async", 1);
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.member()) {
            List<String> told = told(one);
            take(one, each(0, 3, 1));
            one.commitAsync();
            Broker.eventually(10_000, "the callback", () -> {
                nothing(one, 50);
                return !told.isEmpty();
            });
            equal(List.of(queue.topic + "-0 [0, 1, 2] null"), told, "callback");
            queue.awaitLag(0, 0);
        }
    }

    private void implicitClose() throws Exception {
        Queue queue = Queue.of("implicit-close", 1);
        queue.send(0, 10);
        try (ShareConsumer<String, String> one = queue.member()) {
            take(one, each(0, 10, 1));
        }
        try (ShareConsumer<String, String> two = queue.member()) {
            take(two, each(0, 10, 2));
            two.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void implicitOnly() throws Exception {
        Queue queue = Queue.of("implicit-only", 1);
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.member()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            fails(IllegalStateException.class, () -> {
                one.acknowledge(records.get(0));
                return null;
            });
        }
        try (ShareConsumer<String, String> none = Broker.shareConsumer(queue.group)) {
            fails(IllegalStateException.class, () -> none.poll(Duration.ofMillis(10)));
        }
    }

    /** Refuses the value "2". */
    public static final class Picky extends StringDeserializer {
        @Override
        public String deserialize(String topic, Headers headers, ByteBuffer data) {
            String value = super.deserialize(topic, headers, data);
            if (value.equals("2")) {
                throw new IllegalArgumentException("not " + value);
            }
            return value;
        }
    }

    private void unreadable() throws Exception {
        Queue queue = Queue.of("unreadable", 1);
        queue.send(0, 5);
        Object[] settings = {"bootstrap.servers", Broker.BOOTSTRAP, "group.id", queue.group, "share.acknowledgement.mode", "explicit",
            "key.deserializer", StringDeserializer.class.getName(), "value.deserializer", Picky.class.getName()};
        Map<String, Object> configs = new TreeMap<>();
        for (int i = 0; i < settings.length; i += 2) {
            configs.put((String) settings[i], settings[i + 1]);
        }
        try (ShareConsumer<String, String> one = new org.apache.kafka.clients.consumer.KafkaShareConsumer<>(configs)) {
            one.subscribe(List.of(queue.topic));
            accept(one, "0:1 1:1");
            RecordDeserializationException error = fails(RecordDeserializationException.class, () -> next(one));
            equal(2L, error.offset(), "offset");
            one.acknowledge(queue.topic, 0, 2, AcknowledgeType.REJECT);
            accept(one, "3:1 4:1");
        }
        queue.awaitLag(0, 0);
    }

    private void waiting() throws Exception {
        Queue queue = Queue.of("waiting", 1);
        queue.send(0, 1);
        try (ShareConsumer<String, String> one = queue.member("fetch.max.wait.ms", 5000)) {
            take(one, "0:1");
            for (int i = 1; i < 6; i++) {
                nothing(one, 200);
                queue.sendSingly(0, 1);
                long began = System.nanoTime();
                take(one, i + ":1");
                that(System.nanoTime() - began < 3_000_000_000L, "record " + i + " came late");
            }
        }
    }

    private void explicitChecks() {
        suite.check("queue: accepted, released and rejected records", this::explicit);
        suite.check("queue: a poll wants every record acknowledged", this::pending);
        suite.check("queue: until it is committed an acknowledgement can be another one", this::changed);
        suite.check("queue: acknowledgements go with the next poll, and the callback is told", this::callback);
        suite.check("queue: a part is committed, then the rest", this::partially);
        suite.check("queue: wakeup ends a poll", this::wakeup);
        suite.check("queue: groups do not share with one another", this::groups);
        suite.check("queue: batch_optimized brings whole batches, record_limit no more than max.poll.records", this::acquireModes);
    }

    private void explicit() throws Exception {
        Queue queue = Queue.of("explicit", 1);
        queue.send(0, 6);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 6, 1));
            all(one, records.subList(0, 2), AcknowledgeType.ACCEPT);
            all(one, records.subList(2, 4), AcknowledgeType.RELEASE);
            all(one, records.subList(4, 6), AcknowledgeType.REJECT);
            queue.committed(one.commitSync(), 0);
            queue.awaitOffset(0, 0, 2);
            List<ConsumerRecord<String, String>> again = take(one, "2:2 3:2");
            equal("2 3", again.get(0).value() + " " + again.get(1).value(), "values");
            all(one, again, AcknowledgeType.ACCEPT);
            queue.committed(one.commitSync(), 0);
            queue.awaitOffset(0, 2, 0);
            nothing(one, 700);
        }
    }

    private void pending() throws Exception {
        Queue queue = Queue.of("pending", 1);
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 3, 1));
            one.acknowledge(records.get(0));
            fails(IllegalStateException.class, () -> one.poll(Duration.ofMillis(100)));
            fails(IllegalStateException.class, () -> {
                one.acknowledge(new ConsumerRecord<>(queue.topic, 0, 77, "", ""));
                return null;
            });
            all(one, records.subList(1, 3), AcknowledgeType.ACCEPT);
            nothing(one, 300);
        }
        queue.awaitLag(0, 0);
    }

    private void changed() throws Exception {
        Queue queue = Queue.of("changed", 1);
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            all(one, records, AcknowledgeType.REJECT);
            one.acknowledge(records.get(1), AcknowledgeType.RELEASE);
            queue.committed(one.commitSync(), 0);
            List<ConsumerRecord<String, String>> again = take(one, "1:2");
            fails(IllegalStateException.class, () -> {
                one.acknowledge(records.get(0), AcknowledgeType.ACCEPT);
                return null;
            });
            all(one, again, AcknowledgeType.ACCEPT);
        }
        queue.awaitLag(0, 0);
    }

    private void callback() throws Exception {
        Queue queue = Queue.of("callback", 2);
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<String> told = told(one);
            accept(one, each(0, 3, 1));
            Broker.eventually(10_000, "the callback", () -> {
                nothing(one, 50);
                return !told.isEmpty();
            });
            queue.send(1, 2);
            all(one, take(one, "1/0:1 1/1:1"), AcknowledgeType.REJECT);
            one.commitAsync();
            Broker.eventually(10_000, "the callback", () -> {
                nothing(one, 50);
                return told.size() > 1;
            });
            equal(List.of(queue.topic + "-0 [0, 1, 2] null", queue.topic + "-1 [0, 1] null"), told, "callbacks");
        }
    }

    private void partially() throws Exception {
        Queue queue = Queue.of("partially", 1);
        queue.send(0, 6);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 6, 1));
            for (int i : new int[] {0, 2, 4}) {
                one.acknowledge(records.get(i), AcknowledgeType.ACCEPT);
            }
            queue.committed(one.commitSync(), 0);
            queue.awaitLag(0, 3);
            for (int i : new int[] {1, 5}) {
                one.acknowledge(records.get(i), AcknowledgeType.ACCEPT);
            }
            one.acknowledge(records.get(3), AcknowledgeType.RELEASE);
            queue.committed(one.commitSync(), 0);
            queue.awaitLag(0, 1);
            accept(one, "3:2");
        }
        queue.awaitLag(0, 0);
    }

    private void wakeup() throws Exception {
        Queue queue = Queue.of("wakeup", 1);
        try (ShareConsumer<String, String> one = queue.member()) {
            nothing(one, 500);
            FutureTask<Void> wake = new FutureTask<>(() -> {
                Thread.sleep(300);
                one.wakeup();
                return null;
            });
            new Thread(wake).start();
            long began = System.nanoTime();
            fails(WakeupException.class, () -> one.poll(Duration.ofSeconds(30)));
            that(System.nanoTime() - began < 10_000_000_000L, "woken at once");
            queue.send(0, 2);
            take(one, each(0, 2, 1));
            one.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void groups() throws Exception {
        Queue queue = Queue.of("groups", 1);
        Queue other = queue.another();
        queue.send(0, 4);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = other.explicit()) {
            List<ConsumerRecord<String, String>> first = take(one, each(0, 4, 1));
            List<ConsumerRecord<String, String>> second = take(two, each(0, 4, 1));
            all(one, first, AcknowledgeType.RELEASE);
            all(two, second, AcknowledgeType.ACCEPT);
            accept(one, each(0, 4, 2));
            nothing(two, 500);
        }
        queue.awaitLag(0, 0);
        other.awaitLag(0, 0);
    }

    private void acquireModes() throws Exception {
        Queue queue = Queue.of("modes", 1);
        queue.send(0, 50);
        queue.send(0, 50);
        try (ShareConsumer<String, String> one = queue.explicit("share.acquire.mode", "batch_optimized", "max.poll.records", 10)) {
            List<ConsumerRecord<String, String>> records = next(one);
            equal(each(0, 50, 1), show(records), "a batch");
            all(one, records, AcknowledgeType.ACCEPT);
            one.commitSync();
        }
        Queue strict = queue.another();
        Set<Long> seen = new TreeSet<>();
        try (ShareConsumer<String, String> ten = strict.explicit("share.acquire.mode", "record_limit", "max.poll.records", 10);
             ShareConsumer<String, String> seven = strict.explicit("share.acquire.mode", "record_limit", "max.poll.records", 7)) {
            for (int turn = 0; seen.size() < 100; turn++) {
                ShareConsumer<String, String> one = turn % 2 == 0 ? ten : seven;
                List<ConsumerRecord<String, String>> records = new ArrayList<>();
                one.poll(Duration.ofMillis(300)).forEach(records::add);
                that(records.size() <= (one == ten ? 10 : 7), records.size() + " records at once");
                for (ConsumerRecord<String, String> record : records) {
                    that(seen.add(record.offset()) && record.deliveryCount().orElseThrow() == 1, "offset " + record.offset() + " came twice");
                }
                all(one, records, AcknowledgeType.ACCEPT);
                one.commitSync();
            }
        }
        strict.awaitLag(0, 0);
    }
}
