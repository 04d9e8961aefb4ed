package klamm.compat;

import static klamm.compat.Broker.admin;
import static klamm.compat.Queue.accept;
import static klamm.compat.Queue.all;
import static klamm.compat.Queue.each;
import static klamm.compat.Queue.next;
import static klamm.compat.Queue.take;
import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FeatureUpdate.UpgradeType;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;

/** Dead letters (KIP-1191), where the broker can have share.version 2. */
final class DeadLetterChecks {
    private static final String TOPIC = "errors.deadletterqueue.topic.name";
    private static final String COPY = "errors.deadletterqueue.copy.record.enable";

    private final Suite suite;

    private DeadLetterChecks(Suite suite) {
        this.suite = suite;
    }

    static void run(Suite suite) {
        DeadLetterChecks checks = new DeadLetterChecks(suite);
        suite.check("dead letters: share.version 2", DeadLetterChecks::upgrade);
        suite.check("dead letters: copies of rejected records and of those that failed too often", () -> checks.letters(true));
        suite.check("dead letters: without copies, only where the record was", () -> checks.letters(false));
        suite.check("dead letters: of a lock that was over too often", checks::lockTimeout);
        suite.check("dead letters: of several partitions and groups, each where its partition says", checks::spread);
        suite.check("dead letters: a topic that does not take them gets none", checks::unwilling);
        suite.check("dead letters: a group without a topic for them has none", checks::without);
        suite.check("dead letters: no internal topic takes them", checks::internal);
    }

    static boolean possible() throws Exception {
        var supported = admin().describeFeatures().featureMetadata().get().supportedFeatures().get("share.version");
        return supported != null && supported.maxVersion() >= 2;
    }

    private static void upgrade() throws Exception {
        FeatureMetadata features = admin().describeFeatures().featureMetadata().get();
        Map<String, FeatureUpdate> updates = new TreeMap<>();
        for (String feature : List.of("metadata.version", "share.version")) {
            short level = features.supportedFeatures().get(feature).maxVersion();
            if (features.finalizedFeatures().get(feature).maxVersionLevel() < level) {
                updates.put(feature, new FeatureUpdate(level, UpgradeType.UPGRADE));
            }
        }
        if (!updates.isEmpty()) {
            admin().updateFeatures(updates, new UpdateFeaturesOptions()).all().get();
        }
        equal((short) 2, admin().describeFeatures().featureMetadata().get().finalizedFeatures().get("share.version").maxVersionLevel(), "share.version");
    }

    /** The letters in all partitions, sorted: "partition: origin-partition offset group count key value"; each says why. */
    private static List<String> read(String dead, int partitions, int count) throws Exception {
        List<TopicPartition> all = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.add(new TopicPartition(dead, partition));
        }
        Broker.eventually(15_000, count + " dead letters", () -> {
            int sum = 0;
            for (int partition = 0; partition < partitions; partition++) {
                sum += (int) Broker.end(dead, partition);
            }
            return sum >= count;
        });
        Thread.sleep(500); // for one too many
        return Broker.read(all).stream().map(DeadLetterChecks::letter).sorted().toList();
    }

    private static String letter(ConsumerRecord<String, String> record) {
        Map<String, String> headers = new TreeMap<>();
        record.headers().forEach(header -> headers.put(header.key(), new String(header.value(), StandardCharsets.UTF_8)));
        that(headers.size() == 6, "six headers: " + headers);
        that(!headers.get("__dlq.errors.message").isBlank(), "a reason");
        that(Math.abs(System.currentTimeMillis() - record.timestamp()) < 60_000, "it is new: " + record.timestamp());
        return record.partition() + ": " + headers.get("__dlq.errors.topic") + "-" + headers.get("__dlq.errors.partition") + " " + headers.get("__dlq.errors.offset")
            + " " + headers.get("__dlq.errors.group") + " " + headers.get("__dlq.errors.delivery.count") + " " + record.key() + " " + record.value();
    }

    private static void send(String topic, int partition, int count) throws Exception {
        try (Producer<String, String> producer = Broker.producer("linger.ms", 200)) {
            for (int i = 0; i < count; i++) {
                ProducerRecord<String, String> record = new ProducerRecord<>(topic, partition, 1000L + i, "key " + i, "value " + i);
                record.headers().add("header", new byte[] {1});
                producer.send(record);
            }
        }
    }

    private void letters(boolean copies) throws Exception {
        String dead = "dlq." + Broker.unique("letters");
        Queue queue = Queue.of("failing", 1, TOPIC, dead, COPY, "" + copies, "share.delivery.count.limit", "3");
        send(queue.topic, 0, 5);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            List<ConsumerRecord<String, String>> records = take(one, each(0, 5, 1));
            all(one, records.subList(0, 1), AcknowledgeType.ACCEPT);
            all(one, records.subList(1, 3), AcknowledgeType.REJECT);
            all(one, records.subList(3, 5), AcknowledgeType.RELEASE);
            one.commitSync();
            all(one, take(one, "3:2 4:2"), AcknowledgeType.RELEASE);
            one.commitSync();
            all(one, take(one, "3:3"), AcknowledgeType.RELEASE);
            one.commitSync();
            accept(one, "4:3");
        }
        String origin = "0: " + queue.topic + "-0 ";
        equal(List.of(origin + "1 " + queue.group + " 1 " + (copies ? "key 1 value 1" : "null null"),
            origin + "2 " + queue.group + " 1 " + (copies ? "key 2 value 2" : "null null"),
            origin + "3 " + queue.group + " 3 " + (copies ? "key 3 value 3" : "null null")), read(dead, 1, 3), "letters");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, dead);
        Config config = admin().describeConfigs(List.of(resource)).all().get().get(resource);
        equal("true CreateTime", config.get("errors.deadletterqueue.group.enable").value() + " " + config.get("message.timestamp.type").value(), "configs of the topic that was made");
        queue.awaitLag(0, 0);
    }

    private void lockTimeout() throws Exception {
        String dead = "dlq." + Broker.unique("locks");
        Queue queue = Queue.of("forgetting", 1, TOPIC, dead, COPY, "true", "share.delivery.count.limit", "2", "share.record.lock.duration.ms", "1000");
        send(queue.topic, 0, 1);
        try (ShareConsumer<String, String> one = queue.explicit(); ShareConsumer<String, String> two = queue.explicit()) {
            take(one, "0:1");
            take(two, "0:2");
            equal(List.of("0: " + queue.topic + "-0 0 " + queue.group + " 2 key 0 value 0"), read(dead, 1, 1), "letters");
        }
        queue.awaitLag(0, 0);
    }

    private void spread() throws Exception {
        String dead = "dlq." + Broker.unique("spread");
        Broker.create(dead, 2, "errors.deadletterqueue.group.enable", "true");
        Queue queue = Queue.of("spreading", 3, TOPIC, dead);
        Queue other = queue.another(TOPIC, dead, COPY, "true");
        List<String> expected = new ArrayList<>();
        for (Queue each : List.of(queue, other)) {
            for (int partition = 0; partition < 3; partition++) {
                expected.add(partition % 2 + ": " + queue.topic + "-" + partition + " 0 " + each.group + " 1 " + (each == other ? "key 0 value 0" : "null null"));
            }
        }
        for (int partition = 0; partition < 3; partition++) {
            send(queue.topic, partition, 1);
        }
        for (Queue each : List.of(queue, other)) {
            try (ShareConsumer<String, String> one = each.explicit()) {
                for (int got = 0; got < 3;) {
                    List<ConsumerRecord<String, String>> records = next(one);
                    got += records.size();
                    all(one, records, AcknowledgeType.REJECT);
                    one.commitSync();
                }
            }
        }
        equal(expected.stream().sorted().toList(), read(dead, 2, 6), "letters");
    }

    private void unwilling() throws Exception {
        String dead = "dlq." + Broker.unique("unwilling");
        Broker.create(dead, 1);
        Queue queue = Queue.of("hopeless", 1, TOPIC, dead);
        rejectAll(queue);
        queue.awaitLag(0, 0);
        Thread.sleep(1000);
        equal(0L, Broker.end(dead, 0), "letters");
    }

    private void without() throws Exception {
        Queue queue = Queue.of("careless", 1);
        rejectAll(queue);
        queue.awaitLag(0, 0);
    }

    private static void rejectAll(Queue queue) throws Exception {
        send(queue.topic, 0, 2);
        try (ShareConsumer<String, String> one = queue.explicit()) {
            all(one, take(one, "0:1 1:1"), AcknowledgeType.REJECT);
            one.commitSync();
            Queue.nothing(one, 500);
        }
    }

    private void internal() throws Exception {
        Queue queue = Queue.of("internal", 1);
        fails(InvalidConfigurationException.class, () -> {
            queue.configure(Map.of(TOPIC, "__dlq.internal"));
            return null;
        });
    }
}
