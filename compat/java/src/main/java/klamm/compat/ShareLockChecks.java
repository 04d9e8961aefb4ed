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
import static klamm.compat.Suite.that;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.errors.InvalidRecordStateException;

/** Locks of records, what ends them, and the limits of deliveries and of records in flight. */
final class ShareLockChecks {
    private final Suite suite;

    private ShareLockChecks(Suite suite) {
        this.suite = suite;
    }

    static void run(Suite suite) {
        ShareLockChecks checks = new ShareLockChecks(suite);
        checks.lockChecks();
        checks.limitChecks();
    }

    private void lockChecks() {
        suite.check("queue: a lock that is over gives the record to another member", this::lockTimeout);
        suite.check("queue: an acknowledgement after the lock is over is refused", this::late);
        suite.check("queue: an acknowledgement of what another one has settled changes nothing", this::settled);
        suite.check("queue: a renewed lock holds", this::renewed);
        suite.check("queue: a group may not renew where its config says so", this::renewDisabled);
        suite.check("queue: a member that closes gives back what it has not acknowledged", this::closeReleases);
        suite.check("queue: a member that dies gives back what it has", this::death);
        suite.check("queue: a member learns how long its locks last", this::lockDuration);
    }

    private void lockTimeout() throws Exception {
        Queue queue = Queue.of("locks", 1, "share.record.lock.duration.ms", "1500");
        queue.send(0, 3);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 3, 1));
            long taken = System.nanoTime();
            one.acknowledge(records.get(1), AcknowledgeType.ACCEPT);
            one.commitSync();
            accept(two, "0:2 2:2");
            that(System.nanoTime() - taken > 1_000_000_000L, "not before the lock is over");
            two.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void late() throws Exception {
        Queue queue = Queue.of("late", 1, "share.record.lock.duration.ms", "1000");
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = queue.explicit()) {
            List<String> told = told(one);
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            List<ConsumerRecord<String, String>> again = take(two, each(0, 2, 2));
            all(one, records, AcknowledgeType.RELEASE);
            Map<TopicIdPartition, Optional<KafkaException>> answer = one.commitSync();
            equal(1, answer.size(), "partitions");
            that(answer.values().iterator().next().orElse(null) instanceof InvalidRecordStateException, "" + answer);
            nothing(one, 300);
            equal(List.of(queue.topic + "-0 [0, 1] InvalidRecordStateException"), told, "callback");
            all(two, again, AcknowledgeType.ACCEPT);
            two.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void settled() throws Exception {
        Queue queue = Queue.of("settled", 1, "share.record.lock.duration.ms", "1000");
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            accept(two, each(0, 2, 2));
            all(one, records, AcknowledgeType.RELEASE);
            queue.committed(one.commitSync(), 0);
            nothing(one, 700);
        }
        queue.awaitLag(0, 0);
    }

    private void renewed() throws Exception {
        Queue queue = Queue.of("renewed", 1, "share.record.lock.duration.ms", "2000");
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            for (int i = 0; i < 3; i++) {
                nothing(two, 1200);
                all(one, records, AcknowledgeType.RENEW);
                queue.committed(one.commitSync(), 0);
                // A poll hands out again what was renewed.
                List<ConsumerRecord<String, String>> same = next(one);
                equal(each(0, 2, 1), show(same), "renewed records");
                records = same;
            }
            one.acknowledge(records.get(0), AcknowledgeType.ACCEPT);
            one.acknowledge(records.get(1), AcknowledgeType.RELEASE);
            queue.committed(one.commitSync(), 0);
            accept(two, "1:2");
            two.commitSync();
        }
        queue.awaitLag(0, 0);
    }

    private void renewDisabled() throws Exception {
        Queue queue = Queue.of("no-renewal", 1, "share.renew.acknowledge.enable", "false");
        queue.send(0, 2);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 2, 1));
            all(one, records, AcknowledgeType.RENEW);
            Map<TopicIdPartition, Optional<KafkaException>> answer = one.commitSync();
            equal("InvalidRecordStateException", answer.values().iterator().next().map(e -> e.getClass().getSimpleName()).orElse("none"), "error");
        }
    }

    private void closeReleases() throws Exception {
        Queue queue = Queue.of("closing", 1);
        queue.send(0, 4);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 4, 1));
            one.acknowledge(records.get(0), AcknowledgeType.ACCEPT);
            one.acknowledge(records.get(2), AcknowledgeType.REJECT);
        }
        queue.awaitLag(0, 2);
        try (ShareConsumer<String, String> two = queue.explicit()) {
            accept(two, "1:2 3:2");
        }
        queue.awaitLag(0, 0);
    }

    private void death() throws Exception {
        Queue queue = Queue.of("death", 1, "share.record.lock.duration.ms", "60000");
        queue.send(0, 4);
        ShareConsumer<String, String> one = queue.explicit();
        List<ConsumerRecord<String, String>> records = take(one, each(0, 4, 1));
        one.acknowledge(records.get(0), AcknowledgeType.ACCEPT);
        one.commitSync();
        long died = System.nanoTime();
        Death.of(one);
        try (ShareConsumer<String, String> two = queue.explicit()) {
            accept(two, "1:2 2:2 3:2");
            that(System.nanoTime() - died < 15_000_000_000L, "long before their locks are over");
        }
        queue.awaitLag(0, 0);
    }

    private void lockDuration() throws Exception {
        Queue queue = Queue.of("duration", 1, "share.record.lock.duration.ms", "7000");
        queue.send(0, 1);
        try (ShareConsumer<String, String> one = queue.member()) {
            equal(Optional.empty(), one.acquisitionLockTimeoutMs(), "before the first poll");
            take(one, "0:1");
            equal(Optional.of(7000), one.acquisitionLockTimeoutMs(), "timeout of the locks");
        }
    }

    private void limitChecks() {
        suite.check("queue: a record is given up after as many deliveries as the group allows", this::deliveryLimit);
        suite.check("queue: deliveries of a record that often failed become smaller", this::throttled);
        suite.check("queue: a partition has no more records in flight than the group allows", this::recordLocks);
    }

    private void deliveryLimit() throws Exception {
        Queue queue = Queue.of("limit", 1, "share.delivery.count.limit", "3");
        queue.send(0, 1);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            for (int count = 1; count <= 3; count++) {
                all(one, take(one, "0:" + count), AcknowledgeType.RELEASE);
                one.commitSync();
            }
            queue.send(0, 1);
            accept(one, "1:1");
            queue.awaitLag(0, 0);
            nothing(one, 500);
        }
    }

    /** Each record comes five times, and no count is left out or comes twice. */
    private void throttled() throws Exception {
        Queue queue = Queue.of("throttled", 1);
        queue.send(0, 64);
        Map<Long, String> counts = new TreeMap<>();
        List<Integer> sizes = new ArrayList<>();
        try (ShareConsumer<String, String> one = queue.explicit()) {
            for (int left = 64 * 5; left > 0;) {
                List<ConsumerRecord<String, String>> records = next(one);
                left -= records.size();
                sizes.add(records.size());
                records.forEach(record -> counts.merge(record.offset(), "" + record.deliveryCount().orElseThrow(), String::concat));
                all(one, records, AcknowledgeType.RELEASE);
                one.commitSync();
            }
            nothing(one, 500);
        }
        for (long offset = 0; offset < 64; offset++) {
            equal("12345", counts.get(offset), "counts of offset " + offset);
        }
        // A member may ask for more before it acknowledges: the halves come one after the other, or with single records in between.
        sizes.sort(Collections.reverseOrder());
        List<Integer> expected = new ArrayList<>(List.of(64, 64, 64, 32, 32));
        expected.addAll(Collections.nCopies(64, 1));
        equal(expected, sizes, "sizes of the deliveries");
        queue.awaitLag(0, 0);
    }

    private void recordLocks() throws Exception {
        Queue queue = Queue.of("in-flight", 1, "share.partition.max.record.locks", "100");
        queue.sendSingly(0, 130);
        try (ShareConsumer<String, String> one = queue.explicit("max.poll.records", 1000); ShareConsumer<String, String> two = queue.explicit("max.poll.records", 1000)) {
            List<ConsumerRecord<String, String>> records = next(one);
            equal(each(0, 100, 1), show(records), "a hundred");
            nothing(two, 700);
            all(one, records.subList(50, 100), AcknowledgeType.ACCEPT);
            one.commitSync();
            nothing(two, 700);
            all(one, records.subList(0, 50), AcknowledgeType.ACCEPT);
            one.commitSync();
            accept(two, each(100, 130, 1));
            two.commitSync();
        }
        queue.awaitLag(0, 0);
    }
}
