package klamm.compat;

import static klamm.compat.Suite.equal;
import static klamm.compat.Suite.fails;
import static klamm.compat.Suite.that;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.record.TimestampType;

/** Topic and broker configs: described, altered, and in effect once altered. */
final class ConfigChecks {
    private static final Admin ADMIN = Broker.admin();
    private static final ConfigResource BROKER = new ConfigResource(Type.BROKER, "1");
    private static final ConfigResource BROKERS = new ConfigResource(Type.BROKER, "");

    private ConfigChecks() { }

    static void run(Suite suite) {
        suite.check("describe a topic's configs", ConfigChecks::describeTopic);
        suite.check("describe the broker's configs", ConfigChecks::describeBroker);
        suite.check("alter a topic's configs", ConfigChecks::alterTopic);
        suite.check("alter a list", ConfigChecks::alterList);
        suite.check("alter configs with errors", ConfigChecks::errors);
        suite.check("altered max.message.bytes takes effect", ConfigChecks::maxMessageBytes);
        suite.check("altered message.timestamp.type takes effect", ConfigChecks::timestampType);
        suite.check("altered broker configs take effect", ConfigChecks::alterBroker);
        suite.check("list config resources", ConfigChecks::listResources);
    }

    private static ConfigResource topic(String name) {
        return new ConfigResource(Type.TOPIC, name);
    }

    private static ConfigEntry entry(ConfigResource resource, String name) throws Exception {
        return ADMIN.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
    }

    /** Alters configs and waits until the broker answers with each value (DELETE: with its default). */
    private static void alter(ConfigResource resource, OpType op, String name, String value) throws Exception {
        ADMIN.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), op)))).all().get();
        Thread.sleep(200); // Kafka's controller answers before its broker has applied the record
    }

    private static void describeTopic() throws Exception {
        ConfigResource topic = topic(Broker.topic("configs", 1, "retention.ms", "12345"));
        Config config = ADMIN.describeConfigs(List.of(topic),
            new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(topic);
        ConfigEntry retention = config.get("retention.ms");
        equal("12345", retention.value(), "retention.ms");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source(), "source of retention.ms");
        that(!retention.isDefault() && !retention.isReadOnly() && !retention.isSensitive(), "flags of retention.ms");
        equal(ConfigEntry.ConfigType.LONG, retention.type(), "type of retention.ms");
        that(retention.documentation().contains("delete"), "documentation of retention.ms: " + retention.documentation());
        equal("retention.ms", retention.synonyms().get(0).name(), "first synonym of retention.ms");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.synonyms().get(0).source(), "source of its first synonym");
        ConfigEntry last = config.get("max.message.bytes");
        equal("1048588", last.value(), "max.message.bytes");
        equal(ConfigSource.DEFAULT_CONFIG, last.source(), "source of max.message.bytes");
        equal("message.max.bytes", last.synonyms().get(0).name(), "synonym of max.message.bytes");
        Map<String, String> defaults = Map.of("cleanup.policy", "delete", "compression.type", "producer", "segment.bytes", "1073741824",
            "min.insync.replicas", Broker.setting("min.insync.replicas"), "message.timestamp.type", "CreateTime",
            "retention.bytes", "-1",
            "flush.messages", "9223372036854775807", "index.interval.bytes", "4096", "preallocate", "false");
        for (var expected : defaults.entrySet()) {
            equal(expected.getValue(), config.get(expected.getKey()).value(), expected.getKey());
        }
        equal(ConfigEntry.ConfigType.LIST, config.get("cleanup.policy").type(), "type of cleanup.policy");
        equal(ConfigEntry.ConfigType.BOOLEAN, config.get("preallocate").type(), "type of preallocate");
        fails(UnknownTopicOrPartitionException.class, () -> entry(topic(Broker.unique("nowhere")), "retention.ms"));
    }

    private static void describeBroker() throws Exception {
        for (int id : Broker.nodes().keySet()) {
            describeBroker("" + id);
        }
    }

    private static void describeBroker(String id) throws Exception {
        ConfigResource broker = new ConfigResource(Type.BROKER, id);
        Config config = ADMIN.describeConfigs(List.of(broker)).all().get().get(broker);
        equal(id, config.get("node.id").value(), "node.id");
        equal(ConfigSource.STATIC_BROKER_CONFIG, config.get("node.id").source(), "source of node.id");
        that(config.get("node.id").isReadOnly(), "node.id is read only");
        equal("0", config.get("group.initial.rebalance.delay.ms").value(), "group.initial.rebalance.delay.ms");
        equal(ConfigSource.DEFAULT_CONFIG, config.get("message.max.bytes").source(), "source of message.max.bytes");
        that(!config.get("message.max.bytes").isReadOnly(), "message.max.bytes is not read only");
        equal("168", config.get("log.retention.hours").value(), "log.retention.hours");
        that(config.get("log.dirs").value().startsWith("/"), "log.dirs");
    }

    private static void alterTopic() throws Exception {
        ConfigResource topic = topic(Broker.topic("alter", 1, "retention.ms", "1000"));
        alter(topic, OpType.SET, "segment.bytes", "2000000");
        equal("2000000", entry(topic, "segment.bytes").value(), "segment.bytes");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, entry(topic, "segment.bytes").source(), "source of segment.bytes");
        equal("1000", entry(topic, "retention.ms").value(), "retention.ms, untouched");
        alter(topic, OpType.DELETE, "retention.ms", null);
        equal("604800000", entry(topic, "retention.ms").value(), "retention.ms, back at its default");
        equal(ConfigSource.DEFAULT_CONFIG, entry(topic, "retention.ms").source(), "source of retention.ms");
        ADMIN.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(new ConfigEntry("segment.bytes", "3000000"), OpType.SET))),
            new AlterConfigsOptions().validateOnly(true)).all().get();
        Thread.sleep(200);
        equal("2000000", entry(topic, "segment.bytes").value(), "segment.bytes after validating only");
    }

    private static void alterList() throws Exception {
        ConfigResource topic = topic(Broker.topic("alter-list", 1));
        alter(topic, OpType.APPEND, "cleanup.policy", "compact");
        equal(Set.of("delete", "compact"), Set.of(entry(topic, "cleanup.policy").value().split(",")), "cleanup.policy after APPEND");
        alter(topic, OpType.SUBTRACT, "cleanup.policy", "delete");
        equal("compact", entry(topic, "cleanup.policy").value(), "cleanup.policy after SUBTRACT");
        fails(InvalidConfigurationException.class, () -> {
            alter(topic, OpType.APPEND, "retention.ms", "1");
            return "no error";
        });
    }

    private static void errors() throws Exception {
        ConfigResource topic = topic(Broker.topic("alter-wrong", 1));
        String[][] rows = {{"no.such.config", "1"}, {"retention.ms", "soon"}, {"compression.type", "rar"}, {"min.insync.replicas", "0"}};
        for (String[] row : rows) {
            fails(InvalidConfigurationException.class, () -> {
                alter(topic, OpType.SET, row[0], row[1]);
                return "no error for " + Arrays.toString(row);
            });
        }
        InvalidConfigurationException unknown = fails(InvalidConfigurationException.class, () -> {
            alter(topic, OpType.SET, "no.such.config", "1");
            return "no error";
        });
        equal("Unknown topic config name: no.such.config", unknown.getMessage(), "message");
        // All or nothing for one resource.
        fails(InvalidConfigurationException.class, () -> ADMIN.incrementalAlterConfigs(Map.of(topic, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "77"), OpType.SET),
            new AlterConfigOp(new ConfigEntry("segment.bytes", "-1"), OpType.SET)))).all().get());
        Thread.sleep(200);
        equal("604800000", entry(topic, "retention.ms").value(), "retention.ms beside a wrong value");
        fails(UnknownTopicOrPartitionException.class, () -> {
            alter(topic(Broker.unique("nowhere")), OpType.SET, "retention.ms", "1");
            return "no error";
        });
        fails(InvalidRequestException.class, () -> { // not dynamic
            alter(BROKER, OpType.SET, "log.dirs", "/tmp/elsewhere");
            return "no error";
        });
    }

    private static void send(String topic, int size) throws Exception {
        try (Producer<String, String> producer = Broker.producer("max.request.size", 10_000_000)) {
            producer.send(new ProducerRecord<>(topic, 0, "k", "x".repeat(size))).get();
        }
    }

    private static void refused(String topic, int size) {
        fails(RecordTooLargeException.class, () -> {
            send(topic, size);
            return "no error for " + size + " bytes";
        });
    }

    private static void maxMessageBytes() throws Exception {
        String name = Broker.topic("dynamic-size", 1);
        send(name, 100_000);
        alter(topic(name), OpType.SET, "max.message.bytes", "50000");
        refused(name, 100_000);
        send(name, 40_000);
        alter(topic(name), OpType.SET, "max.message.bytes", "3000000");
        send(name, 2_000_000);
        alter(topic(name), OpType.DELETE, "max.message.bytes", null);
        refused(name, 2_000_000);
        equal(List.of(100_000, 40_000, 2_000_000), Broker.read(name, 0).stream().map(r -> r.value().length()).toList(), "sizes in the log");
    }

    private static void timestampType() throws Exception {
        String name = Broker.topic("dynamic-time", 1);
        send(name, 1);
        alter(topic(name), OpType.SET, "message.timestamp.type", "LogAppendTime");
        send(name, 1);
        alter(topic(name), OpType.SET, "message.timestamp.type", "CreateTime");
        send(name, 1);
        equal(List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME, TimestampType.CREATE_TIME),
            Broker.read(name, 0).stream().map(r -> r.timestampType()).toList(), "timestamp types in the log");
    }

    private static void alterBroker() throws Exception {
        String name = Broker.topic("broker-size", 1);
        String own = Broker.topic("broker-size", 1, "max.message.bytes", "300000");
        try {
            alter(BROKER, OpType.SET, "message.max.bytes", "50000");
            ConfigEntry changed = entry(BROKER, "message.max.bytes");
            equal("50000", changed.value(), "message.max.bytes");
            equal(ConfigSource.DYNAMIC_BROKER_CONFIG, changed.source(), "source of message.max.bytes");
            refused(name, 100_000);
            send(own, 100_000); // the topic's own config goes first
            equal("50000", entry(topic(name), "max.message.bytes").value(), "max.message.bytes of the topic");
            equal(ConfigSource.DYNAMIC_BROKER_CONFIG, entry(topic(name), "max.message.bytes").source(), "its source");
            alter(BROKER, OpType.DELETE, "message.max.bytes", null);
            send(name, 100_000);
            // The default of the whole cluster is the resource without a name.
            alter(BROKERS, OpType.SET, "message.max.bytes", "60000");
            equal(ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, entry(BROKERS, "message.max.bytes").source(), "source for the cluster");
            equal("60000", entry(BROKER, "message.max.bytes").value(), "message.max.bytes by the cluster's default");
            equal(ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, entry(BROKER, "message.max.bytes").source(), "its source");
            refused(name, 100_000);
        } finally {
            alter(BROKER, OpType.DELETE, "message.max.bytes", null);
            alter(BROKERS, OpType.DELETE, "message.max.bytes", null);
        }
        equal("1048588", entry(BROKER, "message.max.bytes").value(), "message.max.bytes in the end");
        send(name, 100_000);
    }

    private static void listResources() throws Exception {
        String name = Broker.topic("resource", 1, "retention.ms", "1000");
        Set<ConfigResource> topics = Set.copyOf(ADMIN.listConfigResources(Set.of(Type.TOPIC), new ListConfigResourcesOptions()).all().get());
        that(topics.contains(topic(name)), "the topic is not listed");
        that(topics.stream().allMatch(r -> r.type() == Type.TOPIC), "others are listed too: " + topics);
        Set<ConfigResource> brokers = Set.copyOf(ADMIN.listConfigResources(Set.of(Type.BROKER), new ListConfigResourcesOptions()).all().get());
        that(brokers.contains(BROKER), "the broker is not listed: " + brokers);
        Set<Type> all = ADMIN.listConfigResources().all().get().stream().map(ConfigResource::type).collect(Collectors.toSet());
        that(all.containsAll(Set.of(Type.TOPIC, Type.BROKER)), "types listed: " + all);
    }
}
